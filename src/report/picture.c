/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of samples: 8-bit PNG, gray or colour, by libspng. */
#include "invar/file.h"
#include "invar/report.h"

#include <spng.h>
#include <stdlib.h>

bool invar_picture_write(const char *path, const uint8_t *pixels, int height, int width, int channels,
                         struct invar_error *err)
{
    struct spng_ihdr header = {.width = (uint32_t)width,
                               .height = (uint32_t)height,
                               .bit_depth = 8,
                               .color_type = channels == 3 ? SPNG_COLOR_TYPE_TRUECOLOR : SPNG_COLOR_TYPE_GRAYSCALE};
    const size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    int status = context ? SPNG_OK : SPNG_EMEM;
    uint8_t *encoded = NULL;
    size_t size = 0;
    bool ok = false;

    if (status == SPNG_OK)
        status = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    if (status == SPNG_OK)
        status = spng_set_ihdr(context, &header);
    if (status == SPNG_OK)
        status = spng_encode_image(context, pixels, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (status == SPNG_OK)
        encoded = spng_get_png_buffer(context, &size, &status);
    if (status != SPNG_OK || !encoded)
        invar_error_set(err, INVAR_ERROR_FILE, "%s: the picture of %d x %d pixels cannot be written as PNG: %s", path,
                        height, width, spng_strerror(status));
    else
        ok = invar_file_write(path, encoded, size, err);
    free(encoded);
    spng_ctx_free(context);
    return ok;
}
