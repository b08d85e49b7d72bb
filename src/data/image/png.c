/* SPDX-License-Identifier: Apache-2.0 */
/* PNG by libspng: every bit depth, gray, colour and palette, with opacity where it is asked for. */
#include "data/image/image.h"

#include <spng.h>
#include <stdlib.h>

#define CHUNK_LIMIT ((size_t)1 << 26)

/* Of memory that it could not have libspng says that the image is damaged, where it was zlib that asked. */
static _Thread_local bool starved;

static void *note(void *memory)
{
    starved = starved || !memory;
    return memory;
}
static void *take(size_t size)
{
    return note(malloc(size));
}
static void *resize(void *memory, size_t size)
{
    return note(realloc(memory, size));
}
static void *take_zeros(size_t count, size_t size)
{
    return note(calloc(count, size));
}

int data_png_channels(const uint8_t *bytes, size_t size)
{
    return size < 26 ? 0 : bytes[25] % 4 == 0 ? 1 : 3; /* the colour type: gray is 0, with alpha 4 */
}

/* Keeps the first and the last of `from` numbers of every pixel, or the first alone. */
static void keep_gray(uint8_t *pixels, size_t count, size_t from, size_t to)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t alpha = pixels[from * i + from - 1];
        pixels[to * i] = pixels[from * i];
        if (to == 2)
            pixels[to * i + 1] = alpha;
    }
}

/* Up to 8 bits. libspng gives gray directly; the rest comes as RGB, and gray has three equal channels there. */
static int decode(spng_ctx *context, const struct spng_ihdr *header, int channels, struct data_image *image)
{
    const bool is_gray = header->color_type % 4 == 0, alpha = channels == 2 || channels == 4;
    const bool plain = header->color_type == SPNG_COLOR_TYPE_GRAYSCALE && !alpha;
    const size_t count = (size_t)image->height * (size_t)image->width;
    const int format = plain ? SPNG_FMT_G8 : alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    const int samples = plain ? 1 : alpha ? 4 : 3, kept = is_gray && channels != 4 ? 1 + alpha : samples;
    struct spng_trns transparent;
    const int status =
        spng_decode_image(context, image->pixels, count * (size_t)samples, format, alpha ? SPNG_DECODE_TRNS : 0);

    if (status == SPNG_OK && kept < samples)
        keep_gray(image->pixels, count, (size_t)samples, (size_t)kept);
    image->channels = kept;
    image->alpha = alpha;
    image->filled = alpha && header->color_type < SPNG_COLOR_TYPE_GRAYSCALE_ALPHA &&
                    spng_get_trns(context, &transparent) != SPNG_OK;
    return status;
}

/* 16 bits a sample, as the file has them: gray or colour, either with alpha. */
static int decode_wide(spng_ctx *context, const struct spng_ihdr *header, struct data_image *image)
{
    image->channels =
        (header->color_type == SPNG_COLOR_TYPE_TRUECOLOR || header->color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ? 3
                                                                                                                  : 1);
    image->alpha = header->color_type >= SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    image->channels += image->alpha;
    return spng_decode_image(context, image->pixels, data_image_bytes(image), SPNG_FMT_PNG, 0);
}

/* A chunk eXIf, which may be absent. */
static bool read_orientation(spng_ctx *context, const char *name, struct data_image *image, struct invar_error *err)
{
    struct spng_exif exif;
    return spng_get_exif(context, &exif) != SPNG_OK ||
           data_exif_orientation((const uint8_t *)exif.data, exif.length, name, &image->orientation, err);
}

bool data_png_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                     struct data_image *image, struct invar_error *err)
{
    struct spng_ihdr header;
    int status = SPNG_OK;
    bool ok = false;
    struct spng_alloc memory = {take, resize, take_zeros, free};
    starved = false;
    spng_ctx *context = spng_ctx_new2(&memory, 0);

    (void)decoder;
    if (!context) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
        goto done;
    }
    /* Larger sides pass here and are refused below with the limits named. */
    if ((status = spng_set_chunk_limits(context, CHUNK_LIMIT, CHUNK_LIMIT)) != SPNG_OK ||
        (status = spng_set_png_buffer(context, bytes, size)) != SPNG_OK ||
        (status = spng_get_ihdr(context, &header)) != SPNG_OK)
        goto refused;
    const bool wide = header.bit_depth == 16;
    if (!data_image_check(header.height, header.width, name, err) ||
        !data_image_shape(image, wide ? 2 : 1, (int)header.height, (int)header.width, 3, 4, err))
        goto done;
    image->stored = header.color_type % 4 == 0 ? 1 : 3;
    status = wide ? decode_wide(context, &header, image) : decode(context, &header, channels, image);
    if (status == SPNG_OK)
        status = spng_decode_chunks(context);
    if (status != SPNG_OK)
        goto refused;
    ok = read_orientation(context, name, image, err);
    goto done;
refused:
    if (status == SPNG_EMEM || starved) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
        goto done;
    }
    invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a whole PNG image: %s", name, spng_strerror(status));
done:
    spng_ctx_free(context);
    return ok;
}
