/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean and deviation by channel over the training split, exact and the same in whatever order threads add. Bytes go
 * into a histogram, which holds everything; wider numbers into sums of integers, in units of 2^-24 of a 16-bit step.
 */
#include "data/dataset.h"

#include "invar/memory.h"
#include "invar/expert/random.h"
#include <math.h>
#include <stdlib.h>

#define SAMPLE_LIMIT 10000
#define CHANNELS 16
#define STEPS ((uint64_t)1 << 24) /* of a 16-bit step */

typedef uint64_t histogram[CHANNELS][256];
__extension__ typedef unsigned __int128 wide_sum;

/* Of numbers as integers of 0 to 65535 * STEPS. */
struct moments {
    uint64_t count;
    wide_sum sum, squares;
};

struct counts {
    histogram bytes;
    struct moments wide[CHANNELS];
};

struct counting {
    struct invar_dataset *dataset;
    struct counts *by_thread; /* [workers] */
};

static void count_bytes(histogram counts, const uint8_t *pixels, size_t size, size_t channels)
{
    if (channels == 1)
        for (size_t i = 0; i < size; i++)
            counts[0][pixels[i]]++;
    else if (channels == 3)
        for (size_t i = 0; i + 2 < size; i += 3) {
            counts[0][pixels[i]]++;
            counts[1][pixels[i + 1]]++;
            counts[2][pixels[i + 2]]++;
        }
    else
        for (size_t i = 0; i < size; i++)
            counts[i % channels][pixels[i]]++;
}

static void add(struct moments *moments, uint64_t value, uint64_t times)
{
    moments->count += times;
    moments->sum += (wide_sum)value * times;
    moments->squares += (wide_sum)value * value * times;
}

static uint64_t to_steps(float value)
{
    const double inside = value > 0 ? value < 1 ? (double)value : 1 : 0;
    return (uint64_t)llrint(inside * 65535 * (double)STEPS);
}

static void count_pixels(struct counts *counts, const void *pixels, size_t unit, size_t size, size_t channels)
{
    if (unit == 1)
        count_bytes(counts->bytes, pixels, size, channels);
    else
        for (size_t i = 0; i < size; i++)
            add(&counts->wide[i % channels],
                unit == 2 ? ((const uint16_t *)pixels)[i] * STEPS : to_steps(((const float *)pixels)[i]), 1);
}

static bool count_image(void *user, int thread, int64_t item, const struct data_image *image, struct invar_error *err)
{
    const struct counting *counting = user;
    (void)item, (void)err;
    if (image)
        count_pixels(&counting->by_thread[thread], image->pixels, image->unit, data_image_bytes(image) / image->unit,
                     (size_t)image->channels);
    return true;
}

static void count_memory(struct counting *counting)
{
    const struct invar_dataset *dataset = counting->dataset;
    int64_t count = dataset->info.count[INVAR_TRAIN];
    int threads = dataset->workers;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        for (int64_t i = count * t / threads; i < count * (t + 1) / threads; i++) {
            struct invar_sample sample;
            data_dataset_sample(dataset, INVAR_TRAIN, i, &sample);
            count_pixels(&counting->by_thread[t], sample.data, invar_dtype_size(sample.dtype),
                         (size_t)sample.height * (size_t)sample.width * (size_t)sample.channels,
                         (size_t)sample.channels);
        }
}

static int ascending(const void *a, const void *b)
{
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return p < q ? -1 : p > q;
}

int64_t *data_statistics_items(const struct invar_dataset *dataset, int64_t *chosen_count, struct invar_error *err)
{
    int64_t count = dataset->info.count[INVAR_TRAIN];
    int64_t chosen = count < SAMPLE_LIMIT ? count : SAMPLE_LIMIT;
    struct invar_random random =
        invar_random_stream((uint64_t)dataset->options.split_seed, INVAR_RANDOM_SPLIT, 1, 0, 0);
    int64_t *items = invar_alloc((size_t)count, sizeof *items, err);
    if (!items)
        return NULL;
    for (int64_t i = 0; i < count; i++)
        items[i] = dataset->items[INVAR_TRAIN][i];
    if (chosen < count)
        invar_random_shuffle(&random, items, count);
    qsort(items, (size_t)chosen, sizeof *items, ascending);
    *chosen_count = chosen;
    return items;
}

static bool count_sample(struct counting *counting, struct invar_error *err)
{
    int64_t count;
    int64_t *items = data_statistics_items(counting->dataset, &count, err);
    bool ok = items && data_dataset_visit(counting->dataset, items, count, count_image, counting, err);
    invar_free(items);
    return ok;
}

static void summarise_bytes(const uint64_t counts[256], float *mean, float *deviation)
{
    uint64_t total = 0, sum = 0;
    double squares = 0;
    for (uint64_t v = 0; v < 256; v++) {
        total += counts[v];
        sum += v * counts[v];
    }
    double centre = total ? (double)sum / (double)total : 0;
    for (int v = 0; v < 256; v++)
        squares += (double)counts[v] * (v - centre) * (v - centre);
    double spread = total ? sqrt(squares / (double)total) : 0;
    *mean = (float)(centre / 255);
    *deviation = spread > 0 ? (float)(spread / 255) : 1;
}

/* Squares around a whole number near the mean, so that nothing cancels. */
static void summarise_wide(const struct moments *all, float *mean, float *deviation)
{
    const double whole = 65535 * (double)STEPS, count = (double)all->count;
    const uint64_t near = (uint64_t)(all->sum / all->count);
    const double rest = (double)(all->sum - (wide_sum)near * all->count) / count;
    const wide_sum squares = all->squares + (wide_sum)near * near * all->count - 2 * near * all->sum;
    const double variance = (double)squares / count - rest * rest;

    *mean = (float)(((double)near + rest) / whole);
    *deviation = squares > 0 && variance > 0 ? (float)(sqrt(variance) / whole) : 1;
}

static void summarise(const struct counts *by_thread, int threads, int channel, float *mean, float *deviation)
{
    uint64_t counts[256] = {0};
    struct moments all = {0};

    for (int t = 0; t < threads; t++) {
        const struct moments *wide = &by_thread[t].wide[channel];
        for (int v = 0; v < 256; v++)
            counts[v] += by_thread[t].bytes[channel][v];
        all.count += wide->count;
        all.sum += wide->sum;
        all.squares += wide->squares;
    }
    if (all.count == 0) {
        summarise_bytes(counts, mean, deviation);
        return;
    }
    for (uint64_t v = 0; v < 256; v++)
        add(&all, 257 * v * STEPS, counts[v]);
    summarise_wide(&all, mean, deviation);
}

bool data_statistics(struct invar_dataset *dataset, struct invar_error *err)
{
    struct counting counting = {.dataset = dataset};
    bool ok = false;

    if (dataset->source.kind == INVAR_DATA_AUDIO)
        return data_statistics_audio(dataset, err);
    counting.by_thread = invar_alloc((size_t)dataset->workers, sizeof *counting.by_thread, err);
    if (!counting.by_thread)
        goto done;
    if (dataset->info.in_memory)
        count_memory(&counting);
    else if (!count_sample(&counting, err))
        goto done;
    for (int c = 0; c < dataset->channels; c++)
        summarise(counting.by_thread, dataset->workers, c, &dataset->info.mean[c], &dataset->info.deviation[c]);
    ok = true;
done:
    invar_free(counting.by_thread);
    return ok;
}
