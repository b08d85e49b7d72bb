/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of every format the data room reads, and short ways to open them. */
#ifndef INVAR_TESTS_DATA_MAKE_H
#define INVAR_TESTS_DATA_MAKE_H

#include "test.h"
#include "invar/data.h"

#include <spng.h>
#include <sys/stat.h>
#include <turbojpeg.h>
#include <zlib.h>

/* ---- bytes that grow ---- */

struct bytes {
    uint8_t *data;
    size_t size;
};

static inline uint8_t *bytes_grow(struct bytes *bytes, size_t size)
{
    size_t old = bytes->size;
    bytes->size += size;
    bytes->data = bytes->size < SIZE_MAX / 4 ? realloc(bytes->data, bytes->size + 1) : NULL;
    assert_non_null(bytes->data);
    return bytes->data + old;
}

static inline void bytes_put(struct bytes *bytes, const void *data, size_t size)
{
    uint8_t *room = bytes_grow(bytes, size);
    if (size)
        memcpy(room, data, size);
}

static inline void bytes_fill(struct bytes *bytes, int value, size_t size)
{
    memset(bytes_grow(bytes, size), value, size);
}

static inline void bytes_done(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

/** Writes and frees them; folders on the way are made. */
static inline const char *bytes_write(struct bytes *bytes, const char *folder, const char *name)
{
    char path[1024];
    struct invar_error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *strrchr(path, '/') = '\0';
    assert_ok(invar_folder_create(path, &err), &err);
    const char *written = test_path(folder, name);
    FILE *file = fopen(written, "wb"); /* no sync: tests write hundreds */
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data ? (const void *)bytes->data : "", 1, bytes->size, file), bytes->size);
    assert_int_equal(fclose(file), 0);
    bytes_done(bytes);
    return written;
}

static inline struct bytes bytes_gzip(const struct bytes *plain)
{
    struct bytes out = {0};
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    bytes_fill(&out, 0, deflateBound(&stream, plain->size) + 64);
    stream.next_in = plain->data;
    stream.avail_in = (uInt)plain->size;
    stream.next_out = out.data;
    stream.avail_out = (uInt)out.size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.size -= stream.avail_out;
    deflateEnd(&stream);
    return out;
}

/* ---- idx ---- */

static inline void put_big_endian(struct bytes *bytes, uint32_t value)
{
    uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    bytes_put(bytes, b, 4);
}

/** Images whose every pixel is first + number of the image. */
static inline struct bytes make_idx_images(uint32_t count, uint32_t height, uint32_t width, int first)
{
    struct bytes out = {0};
    put_big_endian(&out, 0x803);
    put_big_endian(&out, count);
    put_big_endian(&out, height);
    put_big_endian(&out, width);
    for (uint32_t i = 0; i < count; i++)
        bytes_fill(&out, first + (int)i, (size_t)height * width);
    return out;
}

/** Labels 0, 1, .., classes - 1, 0, .. */
static inline struct bytes make_idx_labels(uint32_t count, int classes)
{
    struct bytes out = {0};
    put_big_endian(&out, 0x801);
    put_big_endian(&out, count);
    for (uint32_t i = 0; i < count; i++)
        bytes_fill(&out, (int)i % classes, 1);
    return out;
}

/* ---- images ---- */

/** pixels[height][width][channels] as PNG of that colour type and depth. */
static inline struct bytes make_png_as(const void *pixels, size_t size, uint32_t height, uint32_t width, int type,
                                       int depth, struct spng_plte *palette)
{
    struct spng_ihdr header = {
        .width = width, .height = height, .bit_depth = (uint8_t)depth, .color_type = (uint8_t)type};
    struct bytes out = {0};
    int status = 0;
    size_t length;
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    assert_int_equal(spng_set_ihdr(context, &header), 0);
    if (palette)
        assert_int_equal(spng_set_plte(context, palette), 0);
    assert_int_equal(spng_encode_image(context, pixels, size, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
    void *png = spng_get_png_buffer(context, &length, &status);
    assert_int_equal(status, 0);
    bytes_put(&out, png, length);
    free(png);
    spng_ctx_free(context);
    return out;
}

/** A PNG of one value a channel: value, value + 1, value + 2. */
static inline struct bytes make_png(int height, int width, int channels, int value)
{
    size_t size = (size_t)height * (size_t)width * (size_t)channels;
    uint8_t *pixels = malloc(size);
    assert_non_null(pixels);
    for (size_t i = 0; i < size; i++)
        pixels[i] = (uint8_t)(value + (int)(i % (size_t)channels));
    struct bytes out = make_png_as(pixels, size, (uint32_t)height, (uint32_t)width,
                                   channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR, 8, NULL);
    free(pixels);
    return out;
}

/** A JPEG of one value in all channels. */
static inline struct bytes make_jpeg(int height, int width, int channels, int value)
{
    size_t size = (size_t)height * (size_t)width * (size_t)channels;
    struct bytes out = {0};
    unsigned char *jpeg = NULL;
    unsigned long length = 0;
    uint8_t *pixels = malloc(size);
    assert_non_null(pixels);
    memset(pixels, value, size);
    tjhandle handle = tjInitCompress();
    int format = channels == 1 ? TJPF_GRAY : channels == 4 ? TJPF_CMYK : TJPF_RGB;
    assert_int_equal(tjCompress2(handle, pixels, width, 0, height, format, &jpeg, &length,
                                 channels == 1 ? TJSAMP_GRAY : TJSAMP_444, 95, 0),
                     0);
    bytes_put(&out, jpeg, length);
    tjFree(jpeg);
    tjDestroy(handle);
    free(pixels);
    return out;
}

/** EXIF data without header that say an orientation, in either byte order. */
static inline struct bytes make_exif(int orientation, bool big)
{
    static const uint8_t little_endian[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3,
                                            0,   1,   0,  0, 0, 0, 0, 0, 0, 0, 0,    0, 0};
    static const uint8_t big_endian[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                                         3,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,    0};
    struct bytes out = {0};
    bytes_put(&out, big ? big_endian : little_endian, sizeof big_endian);
    out.data[big ? 19 : 18] = (uint8_t)orientation;
    return out;
}

/** A JPEG with EXIF data behind its first marker; both are freed. */
static inline struct bytes make_jpeg_exif(struct bytes jpeg, struct bytes exif)
{
    struct bytes out = {0};
    const uint8_t head[] = {0xff, 0xe1, (uint8_t)((exif.size + 8) >> 8), (uint8_t)(exif.size + 8), 'E', 'x', 'i', 'f',
                            0,    0};
    bytes_put(&out, jpeg.data, 2);
    bytes_put(&out, head, sizeof head);
    bytes_put(&out, exif.data, exif.size);
    bytes_put(&out, jpeg.data + 2, jpeg.size - 2);
    bytes_done(&jpeg);
    bytes_done(&exif);
    return out;
}

/* ---- tar ---- */

static inline void tar_seal(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

static inline void tar_put(struct bytes *tar, const char *name, char type, const void *data, size_t size)
{
    uint8_t header[512] = {0};
    assert_true(strlen(name) <= 100);
    memcpy(header, name, strlen(name));
    snprintf((char *)header + 100, 8, "0000644");
    snprintf((char *)header + 124, 12, "%011o", (unsigned)size);
    header[156] = (uint8_t)type;
    memcpy(header + 257, "ustar\00000", 8);
    tar_seal(header);
    bytes_put(tar, header, sizeof header);
    bytes_put(tar, data, size);
    bytes_fill(tar, 0, (512 - size % 512) % 512);
}

/** An entry that takes over (and frees) its content. */
static inline void tar_file(struct bytes *tar, const char *name, struct bytes content)
{
    tar_put(tar, name, '0', content.data, content.size);
    bytes_done(&content);
}

static inline void tar_end(struct bytes *tar)
{
    bytes_fill(tar, 0, 1024);
}

/* ---- opening ---- */

static inline struct invar_data_options make_options(const char *format, const char *path)
{
    struct invar_data_options options;
    invar_options_default(invar_data_option_table, &options);
    int length = snprintf(options.source, sizeof options.source, "%s:%s", format, path);
    assert_true(length > 0 && length < INVAR_TEXT_SIZE);
    options.workers = 2;
    return options;
}

static inline struct invar_dataset *make_open(const struct invar_data_options *options)
{
    struct invar_error err = {0};
    struct invar_dataset *dataset = invar_dataset_open(options, &err);
    if (!dataset)
        fail_msg("%s: %s", options->source, err.message);
    return dataset;
}

/** Opening must fail with this code and text. */
static inline void make_refused(const struct invar_data_options *options, enum invar_error_code code, const char *text)
{
    struct invar_error err = {0};
    assert_refused(invar_dataset_open(options, &err), &err, code, text);
}

/** All samples of a split in their order, into samples[count]; the loader must live as long as they are used. */
static inline struct invar_loader *make_load(struct invar_dataset *dataset, enum invar_split split,
                                             struct invar_sample *samples, int64_t count)
{
    struct invar_error err = {0};
    int64_t got, *order = malloc((size_t)count * sizeof *order);
    assert_int_equal(invar_dataset_info(dataset)->count[split], count);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    struct invar_loader *loader = invar_loader_create(dataset, split, count, &err);
    assert_ok(loader, &err);
    assert_ok(invar_loader_start(loader, order, count, &err), &err);
    assert_ok(invar_loader_next(loader, samples, &got, &err), &err);
    assert_int_equal(got, count);
    free(order);
    return loader;
}

static inline int pixel(const struct invar_sample *sample, int y, int x, int c)
{
    return ((const uint8_t *)sample->data)[(y * sample->width + x) * sample->channels + c];
}

#endif
