/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded images: memory, conversion between 1 and 3 channels, and telling JPEG from PNG. */
#include "data/image.h"

#include "invar/memory.h"
#include <string.h>
#include <turbojpeg.h>

bool data_image_check(int64_t height, int64_t width, const char *name, struct invar_error *err)
{
    if (height < 1 || width < 1 || height > DATA_SIDE_LIMIT || width > DATA_SIDE_LIMIT ||
        height * width > DATA_PIXEL_LIMIT)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: %lld x %lld pixels; images must have 1 to %d a side and at most %lld in all", name,
                               (long long)width, (long long)height, DATA_SIDE_LIMIT, (long long)DATA_PIXEL_LIMIT);
    return true;
}

bool data_unreadable(const char *path, int number, struct invar_error *err)
{
    const enum invar_error_code code = number == ENOMEM         ? INVAR_ERROR_MEMORY
                                       : data_is_system(number) ? INVAR_ERROR_SYSTEM
                                                                : INVAR_ERROR_FILE;
    return invar_error_set(err, code, "%s: cannot be read: %s", path, strerror(number));
}

static bool reserve(struct data_image *image, size_t size, struct invar_error *err)
{
    if (size <= image->capacity)
        return true;
    invar_free(image->pixels);
    image->capacity = 0;
    image->pixels = invar_alloc(size, 1, err);
    if (!image->pixels)
        return false;
    image->capacity = size;
    return true;
}

bool data_image_shape(struct data_image *image, int height, int width, int channels, int spare, struct invar_error *err)
{
    size_t wide = (size_t)(channels > spare ? channels : spare);

    if (!reserve(image, (size_t)height * (size_t)width * wide, err))
        return false;
    image->height = height;
    image->width = width;
    image->channels = channels;
    image->unit = 1;
    return true;
}

bool data_image_floats(struct data_image *image, int width, int channels, struct invar_error *err)
{
    if (!reserve(image, (size_t)width * (size_t)channels * sizeof(float), err))
        return false;
    image->height = 1;
    image->width = width;
    image->channels = channels;
    image->unit = sizeof(float);
    return true;
}

size_t data_image_bytes(const struct data_image *image)
{
    return (size_t)image->height * (size_t)image->width * (size_t)image->channels * image->unit;
}

void data_image_convert(struct data_image *image, int channels)
{
    size_t count = (size_t)image->height * (size_t)image->width;
    uint8_t *p = image->pixels;
    if (image->channels == 1 && channels == 3) {
        for (size_t i = count; i-- > 0;)
            p[3 * i] = p[3 * i + 1] = p[3 * i + 2] = p[i];
    } else if (image->channels == 3 && channels == 1) {
        /* 0.299, 0.587, 0.114 in units of 2^-16 */
        for (size_t i = 0; i < count; i++)
            p[i] = (uint8_t)((19595u * p[3 * i] + 38470u * p[3 * i + 1] + 7471u * p[3 * i + 2] + 32768u) >> 16);
    }
    image->channels = channels;
}

void data_image_free(struct data_image *image)
{
    invar_free(image->pixels);
    *image = (struct data_image){0};
}

bool data_decoder_reserve(struct data_decoder *decoder, size_t size, struct invar_error *err)
{
    if (size <= decoder->file_capacity)
        return true;
    invar_free(decoder->file);
    decoder->file_capacity = 0;
    decoder->file = invar_alloc(size, 1, err);
    if (!decoder->file)
        return false;
    decoder->file_capacity = size;
    return true;
}

void data_decoder_free(struct data_decoder *decoder)
{
    if (decoder->jpeg)
        tjDestroy(decoder->jpeg);
    invar_free(decoder->file);
    data_image_free(&decoder->scratch);
    *decoder = (struct data_decoder){0};
}

static bool is_png(const uint8_t *bytes, size_t size)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return size >= 8 && memcmp(bytes, png, 8) == 0;
}

static bool is_jpeg(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

int data_image_channels(struct data_decoder *decoder, const uint8_t *bytes, size_t size)
{
    if (is_png(bytes, size))
        return size < 26 ? 0 : bytes[25] % 4 == 0 ? 1 : 3; /* the colour type: gray is 0, with alpha 4 */
    return is_jpeg(bytes, size) ? data_jpeg_channels(decoder, bytes, size) : 0;
}

bool data_image_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                       struct data_image *image, struct invar_error *err)
{
    if (size == 0)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is empty, expected a JPEG or PNG image", name);
    if (is_png(bytes, size))
        return data_png_decode(decoder, bytes, size, name, channels, image, err);
    if (is_jpeg(bytes, size))
        return data_jpeg_decode(decoder, bytes, size, name, channels, image, err);
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is neither a JPEG nor a PNG image", name);
}
