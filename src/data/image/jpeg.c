/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG by TurboJPEG: baseline and progressive, gray, colour, and the CMYK that printers leave in photo collections. */
#include "data/image/image.h"

#include <string.h>
#include <turbojpeg.h>

static bool refuse(struct data_decoder *decoder, const char *name, struct invar_error *err)
{
    if (strstr(tjGetErrorStr2(decoder->jpeg), "emory"))
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a whole JPEG image: %s", name,
                           tjGetErrorStr2(decoder->jpeg));
}

/* Stray bytes between segments are common in photos and cost no pixel; every other warning means lost pixels. */
static bool is_harmless(struct data_decoder *decoder)
{
    return tjGetErrorCode(decoder->jpeg) == TJERR_WARNING && strstr(tjGetErrorStr2(decoder->jpeg), "extraneous bytes");
}

static bool read_header(struct data_decoder *decoder, const uint8_t *bytes, size_t size, int *width, int *height,
                        int *space, struct invar_error *err)
{
    int subsampling = 0;
    if (!decoder->jpeg)
        decoder->jpeg = tjInitDecompress();
    if (!decoder->jpeg)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "TurboJPEG cannot be started: %s", tjGetErrorStr2(NULL));
    *width = *height = 0;
    return tjDecompressHeader3(decoder->jpeg, bytes, (unsigned long)size, width, height, &subsampling, space) == 0 ||
           is_harmless(decoder);
}

void data_jpeg_free(void *jpeg)
{
    if (jpeg)
        tjDestroy(jpeg);
}

int data_jpeg_channels(struct data_decoder *decoder, const uint8_t *bytes, size_t size)
{
    int width, height, space = 0;
    if (!read_header(decoder, bytes, size, &width, &height, &space, NULL) || width == 0)
        return 0;
    return space == TJCS_GRAY ? 1 : 3;
}

static bool decompress(struct data_decoder *decoder, const uint8_t *bytes, size_t size, struct data_image *out,
                       int format)
{
    int status = tjDecompress2(decoder->jpeg, bytes, (unsigned long)size, out->pixels, out->width, 0, out->height,
                               format, TJFLAG_LIMITSCANS);
    return status == 0 || is_harmless(decoder);
}

/* Adobe writes CMYK inverted: 255 is no ink. */
static void from_cmyk(const struct data_image *cmyk, struct data_image *rgb)
{
    size_t count = (size_t)cmyk->height * (size_t)cmyk->width;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++)
            rgb->pixels[3 * i + c] = (uint8_t)((cmyk->pixels[4 * i + c] * cmyk->pixels[4 * i + 3] + 127) / 255);
}

/* EXIF data without their header; NULL where there are none. */
static const uint8_t *find_exif(const uint8_t *bytes, size_t size, size_t *length)
{
    for (size_t at = 2; at + 4 <= size && bytes[at] == 0xff;) {
        const uint8_t marker = bytes[at + 1];
        const size_t segment = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (marker == 0xff) { /* a filler */
            at++;
            continue;
        }
        if (marker == 0xda || marker == 0xd9 || segment < 2 || segment > size - at - 2)
            return NULL;
        if (marker == 0xe1 && segment > 8 && memcmp(bytes + at + 4, "Exif\0", 6) == 0) {
            *length = segment - 8;
            return bytes + at + 10;
        }
        at += 2 + segment;
    }
    return NULL;
}

static bool read_orientation(const uint8_t *bytes, size_t size, const char *name, struct data_image *image,
                             struct invar_error *err)
{
    size_t length = 0;
    const uint8_t *exif = find_exif(bytes, size, &length);
    return !exif || data_exif_orientation(exif, length, name, &image->orientation, err);
}

bool data_jpeg_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                      struct data_image *image, struct invar_error *err)
{
    int width, height, space = 0;
    if (!read_header(decoder, bytes, size, &width, &height, &space, err))
        return decoder->jpeg && refuse(decoder, name, err);
    if (width == 0 && height == 0) /* tables without an image are a JPEG file, too */
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a whole JPEG image: it ends before the pixels",
                               name);
    if (!data_image_check(height, width, name, err))
        return false;
    const int wanted = channels == 1 || channels == 3 ? channels : space == TJCS_GRAY ? 1 : 3;
    if (space != TJCS_CMYK && space != TJCS_YCCK) {
        if (!data_image_shape(image, 1, height, width, wanted, channels, err))
            return false;
        image->stored = space == TJCS_GRAY ? 1 : 3;
        return (decompress(decoder, bytes, size, image, wanted == 1 ? TJPF_GRAY : TJPF_RGB) ||
                refuse(decoder, name, err)) &&
               read_orientation(bytes, size, name, image, err);
    }
    if (!data_image_shape(&decoder->scratch, 1, height, width, 4, 4, err) ||
        !data_image_shape(image, 1, height, width, 3, channels, err))
        return false;
    if (!decompress(decoder, bytes, size, &decoder->scratch, TJPF_CMYK))
        return refuse(decoder, name, err);
    from_cmyk(&decoder->scratch, image);
    image->stored = 3;
    return read_orientation(bytes, size, name, image, err);
}
