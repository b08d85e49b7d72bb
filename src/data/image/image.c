/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded images: memory, and conversion between numbers of channels. */
#include "data/image/image.h"

#include "invar/memory.h"
#include <math.h>
#include <string.h>

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

bool data_image_shape(struct data_image *image, size_t unit, int height, int width, int channels, int spare,
                      struct invar_error *err)
{
    size_t wide = (size_t)(channels > spare ? channels : spare);

    if (!reserve(image, (size_t)height * (size_t)width * wide * unit, err))
        return false;
    image->height = height;
    image->width = width;
    image->channels = channels;
    image->unit = unit;
    image->alpha = image->filled = false;
    image->orientation = 1;
    image->stored = 0;
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
    image->alpha = image->filled = false;
    image->orientation = 1;
    image->stored = 0;
    return true;
}

size_t data_image_bytes(const struct data_image *image)
{
    return (size_t)image->height * (size_t)image->width * (size_t)image->channels * image->unit;
}

/* `count` pixels of one number to three equal ones; from the end, so that nothing is overwritten unread. */
static inline void spread(uint8_t *p, size_t count, size_t unit)
{
    for (size_t i = count; i-- > 0;)
        for (size_t k = 3; k-- > 0;)
            memmove(p + (3 * i + k) * unit, p + i * unit, unit);
}

/* 0.299, 0.587, 0.114 in units of 2^-16 */
static uint32_t luma(uint32_t red, uint32_t green, uint32_t blue)
{
    return (19595u * red + 38470u * green + 7471u * blue + 32768u) >> 16;
}

static void to_gray(void *pixels, size_t count, size_t unit)
{
    uint8_t *p = pixels;
    uint16_t *q = pixels;
    float *r = pixels;

    for (size_t i = 0; unit == 1 && i < count; i++)
        p[i] = (uint8_t)luma(p[3 * i], p[3 * i + 1], p[3 * i + 2]);
    for (size_t i = 0; unit == 2 && i < count; i++)
        q[i] = (uint16_t)luma(q[3 * i], q[3 * i + 1], q[3 * i + 2]);
    for (size_t i = 0; unit == 4 && i < count; i++)
        r[i] = 0.299f * r[3 * i] + 0.587f * r[3 * i + 1] + 0.114f * r[3 * i + 2];
}

static void to_colour(uint8_t *pixels, size_t count, size_t unit)
{
    if (unit == 1)
        spread(pixels, count, 1);
    else if (unit == 2)
        spread(pixels, count, 2);
    else
        spread(pixels, count, 4);
}

bool data_image_convert(struct data_image *image, int channels, const char *name, struct invar_error *err)
{
    const size_t count = (size_t)image->height * (size_t)image->width;

    if (image->channels == channels)
        return true;
    if (image->channels == 1 && channels == 3)
        to_colour(image->pixels, count, image->unit);
    else if (image->channels == 3 && channels == 1)
        to_gray(image->pixels, count, image->unit);
    else
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: has %d channels, which cannot become the %d that are expected; data.channels says "
                               "how many all images have",
                               name, image->channels, channels);
    image->channels = channels;
    return true;
}

void data_image_narrow(struct data_image *image)
{
    const size_t count = data_image_bytes(image) / image->unit;
    const uint16_t *wide = (const uint16_t *)(const void *)image->pixels;
    const float *floats = (const float *)(const void *)image->pixels;

    for (size_t i = 0; image->unit > 1 && i < count; i++)
        image->pixels[i] = (uint8_t)(image->unit == 2 ? (wide[i] + 128u) / 257u : (unsigned)lrintf(255 * floats[i]));
    image->unit = 1;
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
    data_jpeg_free(decoder->jpeg);
    invar_free(decoder->file);
    data_image_free(&decoder->scratch);
    *decoder = (struct data_decoder){0};
}
