/* SPDX-License-Identifier: Apache-2.0 */
/* Data for benchmarks: noise in the files that sources read. */
#include "study/noise.h"

#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    IMAGE_BYTES = 16 << 20, /* about so many in all */
    LEAST = 64,             /* samples */
    MOST = 4096,
    ROWS = 16384,
    COLUMNS = 16,
    CLIPS = 512,
    RATE = 8000,  /* Hz */
    CLASSES = 10, /* for terms that read labels */
    HEADER = 44,  /* bytes of a WAV file before its samples */
};

#define ARRAY "samples.npy"
#define LABELS "labels.npy"

/* A source that is not there, or is none of the known: images. */
static enum invar_data_kind kind_of(const struct invar_recipe *recipe)
{
    enum invar_data_kind kind = INVAR_DATA_IMAGE;
    if (!invar_source_kind(recipe->data.source, &kind) && strcmp(recipe->encoder->name, "mlp") == 0)
        return INVAR_DATA_TABLE;
    return kind;
}

static bool is_gray(const struct invar_recipe *recipe)
{
    return strcmp(recipe->data.source, "fashion-mnist") == 0 || strncmp(recipe->data.source, "idx:", 4) == 0;
}

static int64_t side_of(const struct invar_recipe *recipe)
{
    return recipe->data.size ? recipe->data.size : is_gray(recipe) ? 28 : 32;
}

static int64_t channels_of(const struct invar_recipe *recipe)
{
    return recipe->data.channels ? recipe->data.channels : is_gray(recipe) ? 1 : 3;
}

/* Two batches of training samples at least: a fifth becomes the test split. */
static int64_t enough(const struct invar_recipe *recipe, int64_t count)
{
    return count > 3 * recipe->training.batch ? count : 3 * recipe->training.batch;
}

static bool write_array(struct invar_array *array, const char *folder, const char *name, struct invar_error *err)
{
    char path[4096];
    const bool ok = invar_path_join(path, sizeof path, folder, name, err) && invar_npy_write(array, path, err);
    invar_array_free(array);
    return ok;
}

static bool write_labels(int64_t count, const char *folder, struct invar_error *err)
{
    struct invar_array labels;
    if (!invar_array_alloc(&labels, INVAR_INT64, 1, &count, err))
        return false;
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)labels.data)[i] = i % CLASSES;
    return write_array(&labels, folder, LABELS, err);
}

static bool write_images(const struct invar_recipe *recipe, const char *folder, struct invar_error *err)
{
    const int64_t side = side_of(recipe), channels = channels_of(recipe);
    const int64_t fitting = IMAGE_BYTES / (channels * side * side);
    const int64_t count = enough(recipe, fitting < LEAST ? LEAST : fitting > MOST ? MOST : fitting);
    struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, 0, 0);
    struct invar_array images;

    if (!invar_array_alloc(&images, INVAR_UINT8, 4, (const int64_t[]){count, channels, side, side}, err))
        return false;
    for (int64_t i = 0; i < count * channels * side * side; i++)
        ((uint8_t *)images.data)[i] = (uint8_t)(invar_random_bits(&random) >> 24);
    return write_array(&images, folder, ARRAY, err) && write_labels(count, folder, err);
}

static bool write_rows(const struct invar_recipe *recipe, const char *folder, struct invar_error *err)
{
    const int64_t count = enough(recipe, ROWS);
    struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, 0, 0);
    struct invar_array rows;

    if (!invar_array_alloc(&rows, INVAR_FLOAT32, 2, (const int64_t[]){count, COLUMNS}, err))
        return false;
    for (int64_t i = 0; i < count * COLUMNS; i++)
        ((float *)rows.data)[i] = invar_random_normal(&random);
    return write_array(&rows, folder, ARRAY, err) && write_labels(count, folder, err);
}

static void put(unsigned char *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* A clip of a quarter to three quarters of a second: mono, 16 bits. Returns its bytes. */
static size_t make_clip(unsigned char *wave, struct invar_random *random)
{
    const uint32_t samples = RATE / 4 + invar_random_below(random, RATE / 2), bytes = 2 * samples;

    memcpy(wave, "RIFF....WAVEfmt ", 16);
    put(wave + 4, HEADER - 8 + bytes, 4);
    put(wave + 16, 16, 4);
    put(wave + 20, 1, 2); /* integers */
    put(wave + 22, 1, 2); /* channels */
    put(wave + 24, RATE, 4);
    put(wave + 28, 2 * RATE, 4);
    put(wave + 32, 2, 2);
    put(wave + 34, 16, 2);
    memcpy(wave + 36, "data", 4);
    put(wave + 40, bytes, 4);
    for (uint32_t i = 0; i < samples; i++)
        put(wave + HEADER + 2 * i, invar_random_bits(random) >> 18, 2);
    return HEADER + bytes;
}

static bool write_clips(const struct invar_recipe *recipe, const char *folder, struct invar_error *err)
{
    const int64_t count = enough(recipe, CLIPS);
    struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, 0, 0);
    unsigned char *wave = invar_alloc(HEADER + 2 * RATE, 1, err);
    bool ok = wave != NULL;

    for (int64_t i = 0; ok && i < count; i++) {
        char name[64], path[4096];
        snprintf(name, sizeof name, "%d_%lld.wav", (int)(i % CLASSES), (long long)i);
        const size_t size = make_clip(wave, &random);
        ok = invar_path_join(path, sizeof path, folder, name, err) && invar_file_write(path, wave, size, err);
    }
    invar_free(wave);
    return ok;
}

bool study_noise_make(const struct invar_recipe *recipe, char *folder, size_t size, struct invar_error *err)
{
    const char *temporary = getenv("TMPDIR");

    const bool named = *folder;
    if (!named)
        snprintf(folder, size, "%s/invar-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (named && mkdir(folder, 0700) != 0 && errno == EEXIST)
        return true;
    if (named ? access(folder, W_OK) != 0 : !mkdtemp(folder)) {
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be created; set TMPDIR to a folder that can be written",
                        folder);
        folder[0] = '\0';
        return false;
    }
    switch (kind_of(recipe)) {
    case INVAR_DATA_TABLE:
        return write_rows(recipe, folder, err);
    case INVAR_DATA_AUDIO:
        return write_clips(recipe, folder, err);
    default:
        return write_images(recipe, folder, err);
    }
}

void study_noise_use(struct invar_recipe *recipe, const char *folder)
{
    struct invar_data_options *data = &recipe->data;
    const enum invar_data_kind kind = kind_of(recipe);
    char source[INVAR_TEXT_SIZE];

    data->label[0] = data->clips.pattern[0] = '\0'; /* names of what its own data have */
    if (kind == INVAR_DATA_AUDIO) {
        snprintf(source, sizeof source, "audio:%s", folder);
        invar_data_options_source(data, source, NULL);
        snprintf(data->clips.pattern, sizeof data->clips.pattern, "{class}_{index}");
        snprintf(data->label, sizeof data->label, "class");
        return;
    }
    snprintf(source, sizeof source, "npy:%s/" ARRAY, folder);
    invar_data_options_source(data, source, NULL);
    snprintf(data->labels, sizeof data->labels, "%s/" LABELS, folder);
}

void study_noise_remove(const char *folder)
{
    DIR *directory = *folder ? opendir(folder) : NULL;

    for (const struct dirent *entry; directory && (entry = readdir(directory));) {
        char path[4096];
        if (entry->d_name[0] != '.' && invar_path_join(path, sizeof path, folder, entry->d_name, NULL))
            unlink(path);
    }
    if (directory) {
        closedir(directory);
        rmdir(folder);
    }
}
