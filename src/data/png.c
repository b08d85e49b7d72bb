/* SPDX-License-Identifier: Apache-2.0 */
/* PNG by libspng: every bit depth, gray, colour and palette; alpha is dropped, 16 bits keep the upper 8. */
#include "data/image.h"

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

bool data_png_decode(const uint8_t *bytes, size_t size, const char *name, int channels, struct data_image *image,
                     struct invar_error *err)
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
    if (!decode(context, &header, image, &status))
        goto refused;
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
