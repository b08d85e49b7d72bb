/* SPDX-License-Identifier: Apache-2.0 */
/* WebP by libwebp: one still image, 8 bits, colour, with opacity where it is asked for. */
#include "data/image/image.h"

#include <string.h>
#include <webp/decode.h>

static bool refuse(VP8StatusCode status, const char *name, struct invar_error *err)
{
    static const char *const why[] = {[VP8_STATUS_INVALID_PARAM] = "its sides make no sense",
                                      [VP8_STATUS_BITSTREAM_ERROR] = "it is damaged",
                                      [VP8_STATUS_UNSUPPORTED_FEATURE] = "it has something that libwebp does not know",
                                      [VP8_STATUS_SUSPENDED] = "it ends before the pixels",
                                      [VP8_STATUS_NOT_ENOUGH_DATA] = "it ends before the pixels"};
    const size_t known = sizeof why / sizeof *why;

    if (status == VP8_STATUS_OUT_OF_MEMORY)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a whole WebP image: %s", name,
                           (size_t)status < known && why[status] ? why[status] : "it cannot be decoded");
}

/* The EXIF chunk, some with the header that JPEG has. */
static bool read_orientation(const uint8_t *bytes, size_t size, const char *name, struct data_image *image,
                             struct invar_error *err)
{
    for (size_t at = 12; at + 8 <= size;) {
        const uint8_t *chunk = bytes + at + 8;
        const size_t length =
            bytes[at + 4] | (size_t)bytes[at + 5] << 8 | (size_t)bytes[at + 6] << 16 | (size_t)bytes[at + 7] << 24;
        if (length > size - at - 8)
            return true;
        if (memcmp(bytes + at, "EXIF", 4) == 0) {
            const size_t header = length >= 6 && memcmp(chunk, "Exif\0", 6) == 0 ? 6 : 0;
            return data_exif_orientation(chunk + header, length - header, name, &image->orientation, err);
        }
        at += 8 + length + (length & 1);
    }
    return true;
}

bool data_webp_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                      struct data_image *image, struct invar_error *err)
{
    const bool alpha = channels == 4;
    WebPDecoderConfig config;
    VP8StatusCode status;

    (void)decoder;
    if (!WebPInitDecoderConfig(&config))
        return invar_error_set(err, INVAR_ERROR_SYSTEM, "libwebp is of another version than the one it was built for");
    if ((status = WebPGetFeatures(bytes, size, &config.input)) != VP8_STATUS_OK)
        return refuse(status, name, err);
    if (config.input.has_animation)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is an animation, expected one image; save a frame of it",
                               name);
    if (!data_image_check(config.input.height, config.input.width, name, err) ||
        !data_image_shape(image, 1, config.input.height, config.input.width, alpha ? 4 : 3, channels, err))
        return false;
    image->alpha = alpha;
    image->filled = alpha && !config.input.has_alpha;
    image->stored = 3;
    config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = image->pixels;
    config.output.u.RGBA.stride = image->width * image->channels;
    config.output.u.RGBA.size = data_image_bytes(image);
    status = WebPDecode(bytes, size, &config);
    WebPFreeDecBuffer(&config.output);
    return status == VP8_STATUS_OK ? read_orientation(bytes, size, name, image, err) : refuse(status, name, err);
}
