/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of samples: 8-bit PNG, gray or colour, by libspng. */
#include "run/picture.h"
#include "invar/expert/file.h"
#include "invar/memory.h"

#include <math.h>
#include <spng.h>
#include <stdlib.h>
#include <string.h>

static bool encode(const uint8_t *pixels, int height, int width, int channels, const char *path, uint8_t **out,
                   size_t *size, struct invar_error *err)
{
    struct spng_ihdr header = {.width = (uint32_t)width,
                               .height = (uint32_t)height,
                               .bit_depth = 8,
                               .color_type = channels == 3 ? SPNG_COLOR_TYPE_TRUECOLOR : SPNG_COLOR_TYPE_GRAYSCALE};
    const size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    int status = context ? SPNG_OK : SPNG_EMEM;

    *out = NULL;
    if (status == SPNG_OK)
        status = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    if (status == SPNG_OK)
        status = spng_set_ihdr(context, &header);
    if (status == SPNG_OK)
        status = spng_encode_image(context, pixels, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (status == SPNG_OK)
        *out = spng_get_png_buffer(context, size, &status);
    spng_ctx_free(context);
    return (status == SPNG_OK && *out) ||
           invar_error_set(err, INVAR_ERROR_MEMORY, "%s: the picture of %d x %d pixels cannot be written as PNG: %s",
                           path, height, width, spng_strerror(status));
}

bool picture_encode(const uint8_t *pixels, int height, int width, int channels, uint8_t **out, size_t *size,
                    struct invar_error *err)
{
    return encode(pixels, height, width, channels, "memory", out, size, err);
}

bool invar_picture_write(const char *path, const uint8_t *pixels, int height, int width, int channels,
                         struct invar_error *err)
{
    uint8_t *encoded = NULL;
    size_t size = 0;
    const bool ok = encode(pixels, height, width, channels, path, &encoded, &size, err) &&
                    invar_file_write(path, encoded, size, err);

    free(encoded);
    return ok;
}

static void to_base64(const uint8_t *data, size_t size, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        const uint32_t block = (uint32_t)data[i] << 16 | (uint32_t)(i + 1 < size ? data[i + 1] : 0) << 8 |
                               (uint32_t)(i + 2 < size ? data[i + 2] : 0);
        *out++ = digits[block >> 18 & 63];
        *out++ = digits[block >> 12 & 63];
        *out++ = i + 1 < size ? digits[block >> 6 & 63] : '=';
        *out++ = i + 2 < size ? digits[block & 63] : '=';
    }
    *out = '\0';
}

char *picture_uri(const uint8_t *pixels, int height, int width, int channels, struct invar_error *err)
{
    static const char head[] = "data:image/png;base64,";
    uint8_t *encoded = NULL;
    size_t size = 0;
    char *text = NULL;

    if (!picture_encode(pixels, height, width, channels, &encoded, &size, err))
        return NULL;
    text = invar_alloc(sizeof head + (size + 2) / 3 * 4, 1, err);
    if (text) {
        memcpy(text, head, sizeof head);
        to_base64(encoded, size, text + sizeof head - 1);
    }
    free(encoded);
    return text;
}

struct picture_shades picture_shades_of(const struct invar_dataset_info *info, const float *values, int64_t count)
{
    const bool image = info->kind == INVAR_DATA_IMAGE && (info->channels == 1 || info->channels == 3);
    struct picture_shades shades = {.channels = info->channels == 3 ? 3 : 1,
                                    .upside_down = info->kind == INVAR_DATA_AUDIO};
    double least = INFINITY, most = -INFINITY;

    for (int64_t i = 0; !image && i < count; i++) {
        least = fmin(least, (double)values[i]);
        most = fmax(most, (double)values[i]);
    }
    for (int c = 0; c < 3; c++) {
        shades.gain[c] = image ? (double)info->deviation[c] : most > least ? 1 / (most - least) : 1;
        shades.offset[c] = image ? (double)info->mean[c] : most > least ? -least * shades.gain[c] : 0;
    }
    return shades;
}

static uint8_t level(double value)
{
    return !(value > 0) ? 0 : value < 1 ? (uint8_t)lrint(255 * value) : 255;
}

/* Mean of the pixels of a channel that fall into [y0, y1) x [x0, x1), one at least. */
static double patch(const float *x, int width, int y0, int y1, int x0, int x1)
{
    double sum = 0;

    for (int y = y0; y < y1; y++)
        for (int k = x0; k < x1; k++)
            sum += (double)x[y * width + k];
    return sum / ((double)(y1 - y0) * (double)(x1 - x0));
}

void picture_draw(const struct picture_shades *shades, const float *x, int height, int width, uint8_t *out, int high,
                  int wide, int out_width)
{
    for (int i = 0; i < high; i++) {
        const int row = shades->upside_down ? high - 1 - i : i;
        const int y0 = row * height / high, y1 = (row + 1) * height / high;
        for (int j = 0; j < wide; j++) {
            const int x0 = j * width / wide, x1 = (j + 1) * width / wide;
            for (int c = 0; c < shades->channels; c++) {
                const double value =
                    patch(x + c * height * width, width, y0, y1 > y0 ? y1 : y0 + 1, x0, x1 > x0 ? x1 : x0 + 1);
                out[(i * out_width + j) * shades->channels + c] = level(value * shades->gain[c] + shades->offset[c]);
            }
        }
    }
}
