/* SPDX-License-Identifier: Apache-2.0 */
/* Small data of every kind that recipes which ship name, so that each of them can make a few steps in a test. */
#ifndef INVAR_TESTS_SHIPPED_H
#define INVAR_TESTS_SHIPPED_H

#include "training.h"

static inline bool ends_with(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);

    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static inline void write_table(const char *folder)
{
    char text[16384] = "a,b,c,d,kind,class\n";
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, 0, 0);

    for (int i = 0; i < 120; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.4f,%.4f,%.4f,%.4f,k%d,%d\n",
                 (double)invar_random_normal(&random), (double)invar_random_normal(&random),
                 (double)invar_random_normal(&random), (double)invar_random_normal(&random), i % 3, i % 2);
    test_file(folder, "table.csv", text, strlen(text));
}

/* A clip of noise: 16 bits, 8 kHz, three quarters of a second. */
static inline void write_clip(const char *folder, const char *name, int number)
{
    enum { COUNT = 6000, RATE = 8000 };
    static unsigned char wav[44 + 2 * COUNT];
    const uint32_t sizes[] = {36 + 2 * COUNT, 16, RATE, 2 * RATE, 2 * COUNT};
    const uint16_t format[] = {1, 1}, sample[] = {2, 16};
    struct invar_random random = invar_random_stream(4, INVAR_RANDOM_TEST, 0, (uint64_t)number, 0);

    memcpy(wav, "RIFF....WAVEfmt ....................data....", 44);
    memcpy(wav + 4, &sizes[0], 4);
    memcpy(wav + 16, &sizes[1], 4);
    memcpy(wav + 20, format, 4);
    memcpy(wav + 24, &sizes[2], 8);
    memcpy(wav + 32, sample, 4);
    memcpy(wav + 40, &sizes[4], 4);
    for (int i = 0; i < COUNT; i++) {
        const int16_t value = (int16_t)(8000 * invar_random_range(&random, -1, 1));
        memcpy(wav + 44 + 2 * i, &value, 2);
    }
    test_file(folder, name, wav, sizeof wav);
}

static inline void write_clips(const char *folder)
{
    struct invar_error err = {0};
    char path[640], name[64];

    for (int class = 0; class < 2; class ++) {
        snprintf(path, sizeof path, "%s/c%d", folder, class);
        assert_ok(invar_folder_create(path, &err), &err);
        for (int i = 0; i < 40; i++) {
            snprintf(name, sizeof name, "%d.wav", i);
            write_clip(path, name, 100 * class + i);
        }
    }
}

/* CIFAR-10's binary version, with few images, of noise. */
static inline void write_cifar(const char *folder)
{
    static unsigned char images[20 * 3073];
    struct invar_random random = invar_random_stream(5, INVAR_RANDOM_TEST, 0, 0, 0);
    char name[32];

    for (size_t i = 0; i < sizeof images; i++)
        images[i] = i % 3073 == 0 ? (unsigned char)(i / 3073 % 10) : (unsigned char)invar_random_below(&random, 256);
    for (int file = 1; file <= 5; file++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", file);
        test_file(folder, name, images, sizeof images);
    }
    test_file(folder, "test_batch.bin", images, sizeof images);
}

/** All of them into a folder. */
static inline void shipped_write_data(const char *folder)
{
    struct invar_error err = {0};
    char path[600];

    snprintf(path, sizeof path, "%s/clips", folder);
    assert_ok(invar_folder_create(path, &err), &err);
    write_clips(path);
    snprintf(path, sizeof path, "%s/cifar", folder);
    assert_ok(invar_folder_create(path, &err), &err);
    write_cifar(path);
    write_table(folder);
}

/** data.source=.. of what is there for a recipe; images are CIFAR-10's. */
static inline const char *shipped_source(const char *recipe, const char *folder, char out[700])
{
    const bool table = ends_with(recipe, "-table"), audio = ends_with(recipe, "-audio");

    snprintf(out, 700, "data.source=%s:%s/%s",
             table   ? "csv"
             : audio ? "audio"
                     : "cifar10",
             folder,
             table   ? "table.csv"
             : audio ? "clips"
                     : "cifar");
    return out;
}

#endif
