/* SPDX-License-Identifier: Apache-2.0 */
/* PNG by libspng: every bit depth, gray, colour and palette; alpha is dropped. Of 16 bits the upper 8 are read. */
#include "data/image.h"

#include "invar/memory.h"
#include <spng.h>

#define CHUNK_LIMIT ((size_t)1 << 26)

/* libspng gives gray directly up to 8 bits; the rest comes as RGB, and gray has three equal channels there. */
static bool decode(spng_ctx *context, const struct spng_ihdr *header, struct data_image *image, int *status)
{
    bool plain = header->color_type == SPNG_COLOR_TYPE_GRAYSCALE && header->bit_depth <= 8;
    size_t count = (size_t)image->height * (size_t)image->width;
    image->channels = plain ? 1 : 3;
    *status =
        spng_decode_image(context, image->pixels, plain ? count : 3 * count, plain ? SPNG_FMT_G8 : SPNG_FMT_RGB8, 0);
    if (*status == SPNG_OK)
        *status = spng_decode_chunks(context);
    if (*status != SPNG_OK)
        return false;
    if (!plain && header->color_type % 4 == 0) {
        for (size_t i = 0; i < count; i++)
            image->pixels[i] = image->pixels[3 * i];
        image->channels = 1;
    }
    return true;
}

/* Different values below `limit` that are marked. */
static int count_marks(const uint8_t *mark, int limit)
{
    int count = 0;
    for (int i = 0; i < limit; i++)
        count += mark[i];
    return count;
}

/* The upper 8 of 16 bits, refused where they hold next to nothing of what the 16 say: values of 0 to 4095, say, which
 * would be left 16 steps, or of 200 to 249, left one. */
static bool take_upper(const struct data_image *wide, const char *name, struct data_image *image,
                       struct invar_error *err)
{
    const uint16_t *from = (const uint16_t *)(const void *)wide->pixels;
    const size_t samples = (size_t)wide->channels / 2, count = (size_t)image->height * (size_t)image->width;
    const size_t taken = samples < 3 ? 1 : 3; /* without alpha */
    int lowest = UINT16_MAX, highest = 0;
    uint8_t *value = invar_alloc(UINT16_MAX + 1, 1, err), upper[256] = {0};

    if (!value)
        return false;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < taken; c++) {
            const uint16_t v = from[i * samples + c];
            image->pixels[i * taken + c] = (uint8_t)(v >> 8);
            value[v] = upper[v >> 8] = 1;
            lowest = v < lowest ? v : lowest;
            highest = v > highest ? v : highest;
        }
    image->channels = (int)taken;
    const int there = count_marks(value, UINT16_MAX + 1), kept = count_marks(upper, 256);
    invar_free(value);
    if (kept > 16 || there < 2 * kept)
        return true;
    return invar_error_set(
        err, INVAR_ERROR_DATA,
        "%s: has 16 bits, %d different values from %d to %d, of which the upper 8 bits that are read "
        "keep %d; spread the values over 0 to 65535, or over 0 to 255 in 8 bits, alike in all files",
        name, there, lowest, highest, kept);
}

/* Gray, colour, either with alpha, of 16 bits a sample. */
static bool decode_wide(spng_ctx *context, const struct spng_ihdr *header, struct data_image *scratch, int *status,
                        struct invar_error *err)
{
    static const int samples[] = {[SPNG_COLOR_TYPE_GRAYSCALE] = 1,
                                  [SPNG_COLOR_TYPE_TRUECOLOR] = 3,
                                  [SPNG_COLOR_TYPE_GRAYSCALE_ALPHA] = 2,
                                  [SPNG_COLOR_TYPE_TRUECOLOR_ALPHA] = 4};
    const int unit = 2 * samples[header->color_type];
    if (!data_image_shape(scratch, (int)header->height, (int)header->width, unit, unit, err))
        return false;
    *status = spng_decode_image(context, scratch->pixels, data_image_bytes(scratch), SPNG_FMT_PNG, 0);
    if (*status == SPNG_OK)
        *status = spng_decode_chunks(context);
    return *status == SPNG_OK;
}

bool data_png_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                     struct data_image *image, struct invar_error *err)
{
    struct spng_ihdr header;
    int status = SPNG_OK;
    bool ok = false;
    spng_ctx *context = spng_ctx_new(0);

    if (!context) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
        goto done;
    }
    /* Larger sides pass here and are refused below with the limits named. */
    if ((status = spng_set_chunk_limits(context, CHUNK_LIMIT, CHUNK_LIMIT)) != SPNG_OK ||
        (status = spng_set_png_buffer(context, bytes, size)) != SPNG_OK ||
        (status = spng_get_ihdr(context, &header)) != SPNG_OK)
        goto refused;
    if (!data_image_check(header.height, header.width, name, err) ||
        !data_image_shape(image, (int)header.height, (int)header.width, 3, 3, err))
        goto done;
    const bool wide = header.bit_depth == 16;
    if (wide ? !decode_wide(context, &header, &decoder->scratch, &status, err)
             : !decode(context, &header, image, &status)) {
        if (status == SPNG_OK)
            goto done;
        goto refused;
    }
    if (wide && !take_upper(&decoder->scratch, name, image, err))
        goto done;
    if (channels)
        data_image_convert(image, channels);
    ok = true;
    goto done;
refused:
    if (status == SPNG_EMEM) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
        goto done;
    }
    invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a whole PNG image: %s", name, spng_strerror(status));
done:
    spng_ctx_free(context);
    return ok;
}
