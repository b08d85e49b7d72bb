/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_data idx DIR TRAIN TEST SIDE CLASSES   small data for tests of whole commands: idx files, named as MNIST's
 * make_data images DIR CLASSES PER_CLASS SIDE   DIR/class-K/N.png, RGB
 * make_data clips DIR CLASSES SPEAKERS PER_PAIR   DIR/CLASS_SPEAKER_N.wav, 8 kHz, 16 bits, of unequal length
 *
 * A sample is a bright square whose place depends on its class, on noise; the same arguments give the same bytes.
 */
#include <errno.h>
#include <spng.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SIDE 64

static uint32_t state = 12345;

static uint32_t noise(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 24;
}

static void draw(uint8_t *pixels, int side, int channels, int class, int classes)
{
    const int edge = side / 3, place = (side - edge) * class / classes;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < channels; c++) {
                const int inside = x >= place && x < place + edge && y >= place && y < place + edge;
                pixels[(y * side + x) * channels + c] = (uint8_t)((noise() >> 1) + (inside ? 128u : 0u));
            }
}

static FILE *open_file(const char *folder, const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    return file;
}

static void put_big_endian(FILE *file, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)(value >> shift & 255u), file);
}

static void write_idx(const char *folder, const char *split, int count, int side, int classes)
{
    char name[64];
    uint8_t pixels[MAX_SIDE * MAX_SIDE];
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", split);
    FILE *images = open_file(folder, name);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", split);
    FILE *labels = open_file(folder, name);
    put_big_endian(images, 0x803);
    put_big_endian(images, (uint32_t)count);
    put_big_endian(images, (uint32_t)side);
    put_big_endian(images, (uint32_t)side);
    put_big_endian(labels, 0x801);
    put_big_endian(labels, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        draw(pixels, side, 1, i % classes, classes);
        fwrite(pixels, 1, (size_t)(side * side), images);
        fputc(i % classes, labels);
    }
    fclose(images);
    fclose(labels);
}

static void write_png(const char *folder, int number, int side, int class, int classes)
{
    char name[64];
    uint8_t pixels[MAX_SIDE * MAX_SIDE * 3];
    struct spng_ihdr header = {
        .width = (uint32_t)side, .height = (uint32_t)side, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    draw(pixels, side, 3, class, classes);
    snprintf(name, sizeof name, "%d.png", number);
    FILE *file = open_file(folder, name);
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    spng_set_png_file(context, file);
    spng_set_ihdr(context, &header);
    if (spng_encode_image(context, pixels, (size_t)(side * side * 3), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE)) {
        fprintf(stderr, "%s/%s: cannot be encoded\n", folder, name);
        exit(1);
    }
    spng_ctx_free(context);
    fclose(file);
}

static void write_images(const char *folder, int classes, int per_class, int side)
{
    char path[4096];
    for (int class = 0; class < classes; class ++) {
        snprintf(path, sizeof path, "%s/class-%d", folder, class);
        mkdir(path, 0777);
        for (int i = 0; i < per_class; i++)
            write_png(path, i, side, class, classes);
    }
}

static void put_little_endian(FILE *file, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255u), file);
}

/* A square wave whose pitch depends on the class and whose loudness on the speaker, in noise. */
static void write_wav(const char *folder, const char *name, int class, int speaker, int samples)
{
    const int period = 16 << class, level = 4000 << speaker;
    FILE *file = open_file(folder, name);
    fputs("RIFF", file);
    put_little_endian(file, (uint32_t)(36 + 2 * samples), 4);
    fputs("WAVEfmt ", file);
    put_little_endian(file, 16, 4);
    put_little_endian(file, 1, 2);
    put_little_endian(file, 1, 2);
    put_little_endian(file, 8000, 4);
    put_little_endian(file, 16000, 4);
    put_little_endian(file, 2, 2);
    put_little_endian(file, 16, 2);
    fputs("data", file);
    put_little_endian(file, (uint32_t)(2 * samples), 4);
    for (int i = 0; i < samples; i++)
        put_little_endian(file, (uint32_t)((i % period < period / 2 ? level : -level) + (int)noise()) & 0xffffu, 2);
    fclose(file);
}

static void write_clips(const char *folder, int classes, int speakers, int each)
{
    static const char *const names[] = {"ann", "bob", "cid"};
    char name[64];
    for (int class = 0; class < classes; class ++)
        for (int speaker = 0; speaker < speakers && speaker < 3; speaker++)
            for (int i = 0; i < each; i++) {
                snprintf(name, sizeof name, "%d_%s_%d.wav", class, names[speaker], i);
                write_wav(folder, name, class, speaker, 900 + 50 * i);
            }
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "idx") == 0 && atoi(argv[5]) <= MAX_SIDE) {
        mkdir(argv[2], 0777);
        write_idx(argv[2], "train", atoi(argv[3]), atoi(argv[5]), atoi(argv[6]));
        write_idx(argv[2], "t10k", atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
        return 0;
    }
    if (argc == 6 && strcmp(argv[1], "images") == 0 && atoi(argv[5]) <= MAX_SIDE) {
        mkdir(argv[2], 0777);
        write_images(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
        return 0;
    }
    if (argc == 6 && strcmp(argv[1], "clips") == 0) {
        mkdir(argv[2], 0777);
        write_clips(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
        return 0;
    }
    fprintf(stderr, "usage: make_data idx DIR TRAIN TEST SIDE CLASSES | make_data images DIR CLASSES PER_CLASS SIDE | "
                    "make_data clips DIR CLASSES SPEAKERS PER_PAIR\n");
    return 2;
}
