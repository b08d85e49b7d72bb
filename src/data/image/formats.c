/* SPDX-License-Identifier: Apache-2.0 */
/* Images as files hold them: the formats told apart by content, and what one gives brought to the channels asked for.
 */
#include "data/image/image.h"

#include <string.h>

/* Pixels of `from` numbers to the first `to` of them. */
static void drop(struct data_image *image, int to)
{
    const size_t count = (size_t)image->height * (size_t)image->width;
    const size_t old = (size_t)image->channels * image->unit, new = (size_t)to * image->unit;

    for (size_t i = 1; i < count; i++)
        memmove(image->pixels + i * new, image->pixels + i * old, new);
    image->channels = to;
    image->alpha = false;
}

/* One more channel, opaque everywhere: all bits set, or 1. */
static void add_alpha(struct data_image *image)
{
    const size_t count = (size_t)image->height * (size_t)image->width;
    const size_t old = (size_t)image->channels * image->unit, new = old + image->unit;
    const float one = 1;

    for (size_t i = count; i-- > 0;) {
        memmove(image->pixels + i * new, image->pixels + i * old, old);
        if (image->unit == 4)
            memcpy(image->pixels + i * new + old, &one, 4);
        else
            memset(image->pixels + i * new + old, 0xff, image->unit);
    }
    image->channels++;
    image->alpha = image->filled = true;
}

/* Gray with opacity to colour with opacity. */
static void spread_alpha(struct data_image *image)
{
    const size_t count = (size_t)image->height * (size_t)image->width, unit = image->unit;

    for (size_t i = count; i-- > 0;)
        for (size_t k = 4; k-- > 0;)
            memmove(image->pixels + (4 * i + k) * unit, image->pixels + (2 * i + (k == 3)) * unit, unit);
    image->channels = 4;
}

/* What a format gave to the channels asked for. */
static bool fit(struct data_image *image, int channels, bool bands, const char *name, struct invar_error *err)
{
    const bool wants_alpha = channels == 2 || channels == 4;

    if (image->alpha && wants_alpha && !bands) {
        if (channels == 4 && image->channels == 2)
            spread_alpha(image);
        return data_image_convert(image, channels, name, err);
    }
    if (image->alpha)
        drop(image, image->channels - 1);
    if (channels == 0 || channels == image->channels)
        return true;
    if (!wants_alpha || bands || (image->channels != 1 && image->channels != 3))
        return data_image_convert(image, channels, name, err);
    if (!data_image_convert(image, channels - 1, name, err))
        return false;
    add_alpha(image);
    return true;
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

static bool is_tiff(const uint8_t *bytes, size_t size)
{
    return size >= 4 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
                         memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

static bool is_webp(const uint8_t *bytes, size_t size)
{
    return size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

int data_image_channels(struct data_decoder *decoder, const uint8_t *bytes, size_t size, struct invar_error *err)
{
    if (is_png(bytes, size))
        return data_png_channels(bytes, size);
    if (is_tiff(bytes, size))
        return data_tiff_channels(bytes, size, err);
    if (is_webp(bytes, size))
        return 3;
    return is_jpeg(bytes, size) ? data_jpeg_channels(decoder, bytes, size) : 0;
}

static bool decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                   struct data_image *image, struct invar_error *err)
{
    static const struct {
        bool (*is)(const uint8_t *bytes, size_t size);
        bool (*decode)(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                       struct data_image *image, struct invar_error *err);
    } formats[] = {{is_jpeg, data_jpeg_decode},
                   {is_png, data_png_decode},
                   {is_tiff, data_tiff_decode},
                   {is_webp, data_webp_decode}};

    if (size == 0)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is empty, expected a JPEG, PNG, TIFF or WebP image", name);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].is(bytes, size))
            return formats[i].decode(decoder, bytes, size, name, channels, image, err);
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is no JPEG, PNG, TIFF or WebP image", name);
}

bool data_image_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                       struct data_image *image, struct invar_error *err)
{
    return decode(decoder, bytes, size, name, channels, image, err) &&
           fit(image, channels, decoder->bands, name, err) &&
           (!decoder->turn || data_image_turn(image, &decoder->scratch, image->orientation, err));
}
