/* SPDX-License-Identifier: Apache-2.0 */
/* jpeg_compression by TurboJPEG: baseline, 4:2:0, the accurate DCT and the triangle filter. */
#include "eval/corruption/corruption.h"

#include <turbojpeg.h>

void corruption_jpeg_free(struct invar_corruption_scratch *scratch)
{
    if (scratch->jpeg_encoder)
        tjDestroy(scratch->jpeg_encoder);
    if (scratch->jpeg_decoder)
        tjDestroy(scratch->jpeg_decoder);
}

/* A thread keeps its own, for all images. */
static bool start(struct invar_corruption_scratch *scratch, struct invar_error *err)
{
    if (!scratch->jpeg_encoder)
        scratch->jpeg_encoder = tjInitCompress();
    if (!scratch->jpeg_decoder)
        scratch->jpeg_decoder = tjInitDecompress();
    return (scratch->jpeg_encoder && scratch->jpeg_decoder) ||
           invar_error_set(err, INVAR_ERROR_MEMORY, "TurboJPEG cannot be started: %s", tjGetErrorStr2(NULL));
}

static bool jpeg_compression(struct corruption_work *work, struct invar_error *err)
{
    struct invar_corruption_scratch *scratch = work->scratch;
    /* The most that a picture of this size can take, from the scratch of the worker: the library is told not to
     * allocate, so that want of memory is told by one sentence everywhere. */
    unsigned long size = tjBufSize(work->width, work->height, TJSAMP_420);
    unsigned char *file = invar_scratch_take(work->memory, size, 1, err);

    if (!file || !start(scratch, err))
        return false;
    /* 4:2:0 and the accurate DCT, which give the same bytes as Pillow: another DCT, exact or not, falls on the other
     * side of a tie in some blocks. */
    if (tjCompress2(scratch->jpeg_encoder, work->in, work->width, 0, work->height, TJPF_RGB, &file, &size, TJSAMP_420,
                    (int)work->setting[0], TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT) != 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "jpeg_compression: an image cannot be encoded: %s",
                               tjGetErrorStr2(scratch->jpeg_encoder));
    if (tjDecompress2(scratch->jpeg_decoder, file, size, work->out, work->width, 0, work->height, TJPF_RGB,
                      TJFLAG_ACCURATEDCT) != 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "jpeg_compression: an image cannot be decoded: %s",
                               tjGetErrorStr2(scratch->jpeg_decoder));
    return true;
}

const struct corruption_kind corruption_jpeg_compression = {
    .apply = jpeg_compression, /* quality */
    .whole = 1 << 0,
    .setting = {{{80}, {65}, {58}, {50}, {40}}, {{25}, {18}, {15}, {10}, {7}}},
};
