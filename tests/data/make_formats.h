/* SPDX-License-Identifier: Apache-2.0 */
/* TIFF and WebP files of every kind. */
#ifndef INVAR_TESTS_DATA_MAKE_FORMATS_H
#define INVAR_TESTS_DATA_MAKE_FORMATS_H

#include "data/make.h"

#include <tiffio.h>
#include <webp/encode.h>

struct tiff_kind {
    int height, width, samples, bits;
    int format, photometric, compression, orientation; /* 0: what most files have */
    bool planes, tiled, big_endian;
    int alpha; /* kind of the last sample where it is opacity */
};

static inline void make_tiff_fields(TIFF *tiff, const struct tiff_kind *k)
{
    const int colours = k->photometric == PHOTOMETRIC_RGB || k->photometric == PHOTOMETRIC_CIELAB ? 3
                        : k->photometric == PHOTOMETRIC_SEPARATED                                 ? 4
                                                                                                  : 1;
    uint16_t extra[16] = {0};
    const int extras = k->samples - colours;
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, k->samples);
    if (extras > 0 && k->photometric != PHOTOMETRIC_YCBCR) {
        extra[extras - 1] = (uint16_t)k->alpha;
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, extras, extra);
    }
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, k->width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, k->height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, k->planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, k->compression ? k->compression : COMPRESSION_NONE);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, k->format ? k->format : SAMPLEFORMAT_UINT);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, k->compression == COMPRESSION_JPEG ? 16 : 3);
    if (k->orientation)
        TIFFSetField(tiff, TIFFTAG_ORIENTATION, k->orientation);
    if (k->photometric == PHOTOMETRIC_YCBCR)
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (k->photometric == PHOTOMETRIC_PALETTE) {
        static uint16_t red[256], green[256], blue[256];
        for (int i = 0; i < 256; i++) {
            red[i] = (uint16_t)(257 * i);
            green[i] = (uint16_t)(257 * (255 - i));
            blue[i] = 257 * 9;
        }
        TIFFSetField(tiff, TIFFTAG_COLORMAP, red, green, blue);
    }
}

/** One page of pixels[height][width][samples]; rows of less than 8 bits are packed. */
static inline void make_tiff_page(TIFF *tiff, const struct tiff_kind *k, const void *pixels)
{
    const size_t unit = (size_t)(k->bits + 7) / 8, pixel = unit * (size_t)k->samples;
    const size_t row = k->bits < 8 ? (size_t)(k->width * k->bits + 7) / 8 : pixel * (size_t)k->width;
    make_tiff_fields(tiff, k);
    if (k->tiled) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, 32);
    }
    uint8_t *piece = calloc(1, row + 16 * 32 * pixel);
    assert_non_null(piece);
    for (int p = 0; p < (k->planes ? k->samples : 1); p++)
        for (int top = 0; top < k->height; top += k->tiled ? 32 : 1)
            for (int left = 0; left < k->width; left += k->tiled ? 16 : k->width) {
                for (int y = 0; y < (k->tiled ? 32 : 1) && top + y < k->height; y++)
                    for (size_t b = 0; b < (k->tiled ? 16 * pixel : row); b++) {
                        const size_t x = (size_t)left + (k->bits < 8 ? 0 : b / pixel);
                        if (x >= (size_t)k->width)
                            break;
                        const uint8_t *from = (const uint8_t *)pixels + (size_t)(top + y) * row + b +
                                              (size_t)left * (k->bits < 8 ? 0 : pixel);
                        if (!k->planes)
                            piece[(size_t)y * 16 * pixel + b] = *from;
                        else if (b % pixel / unit == (size_t)p)
                            piece[(size_t)y * 16 * unit + b / pixel * unit + b % unit] = *from;
                    }
                if (k->tiled)
                    assert_true(TIFFWriteTile(tiff, piece, (uint32_t)left, (uint32_t)top, 0, (uint16_t)p) >= 0);
                else
                    assert_int_equal(TIFFWriteScanline(tiff, piece, (uint32_t)top, (uint16_t)p), 1);
            }
    free(piece);
}

/** folder/name becomes that TIFF file; its folder is there. */
static inline const char *make_tiff(const char *folder, const char *name, const struct tiff_kind *k, const void *pixels)
{
    struct bytes none = {0};
    const char *path = bytes_write(&none, folder, name);
    TIFF *tiff = TIFFOpen(path, k->big_endian ? "wb" : "wl");
    assert_non_null(tiff);
    make_tiff_page(tiff, k, pixels);
    TIFFClose(tiff);
    return path;
}

static inline struct bytes make_read(const char *path)
{
    struct invar_bytes whole = {0};
    struct invar_error err = {0};
    struct bytes out = {0};
    assert_ok(invar_file_read(&whole, path, SIZE_MAX, &err), &err);
    bytes_put(&out, whole.data, whole.size);
    invar_bytes_free(&whole);
    return out;
}

/** A lossless WebP of pixels[height][width][channels], 3 or 4. */
static inline struct bytes make_webp(const uint8_t *pixels, int height, int width, int channels)
{
    struct bytes out = {0};
    uint8_t *data = NULL;
    const size_t size = channels == 4 ? WebPEncodeLosslessRGBA(pixels, width, height, 4 * width, &data)
                                      : WebPEncodeLosslessRGB(pixels, width, height, 3 * width, &data);
    assert_true(size > 0);
    bytes_put(&out, data, size);
    WebPFree(data);
    return out;
}

static inline void put_little_endian(struct bytes *bytes, uint32_t value)
{
    uint8_t b[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    bytes_put(bytes, b, 4);
}

/** The extended file of a simple one, with flags and a chunk behind the pixels; what it is given is freed. */
static inline struct bytes make_webp_extended(struct bytes webp, int height, int width, int flags, const char *chunk,
                                              struct bytes content)
{
    struct bytes out = {0};
    bytes_put(&out, "RIFF", 4);
    put_little_endian(&out, (uint32_t)(4 + 18 + webp.size - 12 + 8 + content.size + content.size % 2));
    bytes_put(&out, "WEBPVP8X", 8);
    put_little_endian(&out, 10);
    put_little_endian(&out, (uint32_t)flags);
    const uint8_t sides[] = {(uint8_t)(width - 1), 0, 0, (uint8_t)(height - 1), 0, 0};
    bytes_put(&out, sides, sizeof sides);
    bytes_put(&out, webp.data + 12, webp.size - 12);
    bytes_put(&out, chunk, 4);
    put_little_endian(&out, (uint32_t)content.size);
    bytes_put(&out, content.data, content.size);
    bytes_fill(&out, 0, content.size % 2);
    bytes_done(&webp);
    bytes_done(&content);
    return out;
}

#endif
