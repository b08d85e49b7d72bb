/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean and deviation of the log-mel spectrograms that the plain view shows, silence at the end included. Every clip has
 * sums of its own, which are put together in one order, so that threads cannot matter.
 */
#include "data/dataset.h"

#include "invar/memory.h"
#include <math.h>
#include <omp.h>

struct worker {
    struct invar_logmel *logmel;
    float *wave, *image;
};

struct measuring {
    struct invar_dataset *dataset;
    int64_t span;
    size_t values;          /* of one spectrogram */
    struct worker *workers; /* [workers] */
    bool *seen;             /* [items] */
    double *mean, *squares; /* [items]: mean, and sum of squared differences from it */
};

static bool workers_create(struct measuring *m, struct invar_error *err)
{
    const struct invar_dataset_info *info = &m->dataset->info;

    m->workers = invar_alloc((size_t)m->dataset->workers, sizeof *m->workers, err);
    for (int t = 0; m->workers && t < m->dataset->workers; t++) {
        struct worker *w = &m->workers[t];
        w->logmel = invar_logmel_create(&info->logmel, err);
        w->wave = invar_alloc((size_t)m->span, sizeof *w->wave, err);
        w->image = invar_alloc(m->values, sizeof *w->image, err);
        if (!w->logmel || !w->wave || !w->image)
            return false;
    }
    return m->workers != NULL;
}

static void workers_free(struct measuring *m)
{
    for (int t = 0; m->workers && t < m->dataset->workers; t++) {
        invar_logmel_free(m->workers[t].logmel);
        invar_free(m->workers[t].wave);
        invar_free(m->workers[t].image);
    }
    invar_free(m->workers);
}

static void measure(struct measuring *m, int thread, int64_t item, const void *clip, int64_t samples)
{
    const struct worker *w = &m->workers[thread];
    double sum = 0, squares = 0;

    invar_logmel_window(clip, samples, 0, m->span, w->wave);
    invar_logmel_apply(w->logmel, w->wave, m->span, m->dataset->info.logmel.mels, 1, w->image);
    for (size_t i = 0; i < m->values; i++)
        sum += (double)w->image[i];
    double mean = sum / (double)m->values;
    for (size_t i = 0; i < m->values; i++)
        squares += ((double)w->image[i] - mean) * ((double)w->image[i] - mean);
    m->mean[item] = mean;
    m->squares[item] = squares;
    m->seen[item] = true;
}

static bool visit(void *user, int thread, int64_t item, const struct data_image *image, struct invar_error *err)
{
    (void)err;
    if (image)
        measure(user, thread, item, image->pixels, image->width);
    return true;
}

static void measure_memory(struct measuring *m)
{
    struct invar_dataset *dataset = m->dataset;
#pragma omp parallel for num_threads(dataset->workers) schedule(dynamic, 64)
    for (int64_t n = 0; n < dataset->info.count[INVAR_TRAIN]; n++) {
        struct invar_sample sample;
        data_dataset_sample(dataset, INVAR_TRAIN, n, &sample);
        measure(m, omp_get_thread_num(), dataset->items[INVAR_TRAIN][n], sample.data, sample.width);
    }
}

static bool measure_files(struct measuring *m, struct invar_error *err)
{
    int64_t count;
    int64_t *items = data_statistics_items(m->dataset, &count, err);
    bool ok = items && data_dataset_visit(m->dataset, items, count, visit, m, err);
    invar_free(items);
    return ok;
}

static void summarise(struct measuring *m)
{
    struct invar_dataset_info *info = &m->dataset->info;
    double sum = 0, squares = 0, clips = 0;

    for (int64_t i = 0; i < m->dataset->source.count; i++) {
        sum += m->mean[i];
        clips += m->seen[i];
    }
    double mean = clips > 0 ? sum / clips : 0;
    for (int64_t i = 0; i < m->dataset->source.count; i++)
        if (m->seen[i])
            squares += m->squares[i] + (double)m->values * (m->mean[i] - mean) * (m->mean[i] - mean);
    double spread = clips > 0 ? sqrt(squares / (clips * (double)m->values)) : 0;
    info->mean[0] = (float)mean;
    info->deviation[0] = spread > 1e-6 ? (float)spread : 1; /* nothing but silence */
}

bool data_statistics_audio(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct invar_dataset_info *info = &dataset->info;
    struct measuring m = {.dataset = dataset,
                          .span = invar_logmel_span(&info->logmel, info->width),
                          .values = (size_t)info->height * (size_t)info->width};
    size_t items = (size_t)dataset->source.count;
    bool ok = false;

    m.seen = invar_alloc(items, sizeof *m.seen, err);
    m.mean = invar_alloc(items, sizeof *m.mean, err);
    m.squares = invar_alloc(items, sizeof *m.squares, err);
    if (!m.seen || !m.mean || !m.squares || !workers_create(&m, err))
        goto done;
    if (info->in_memory)
        measure_memory(&m);
    else if (!measure_files(&m, err))
        goto done;
    summarise(&m);
    ok = true;
done:
    workers_free(&m);
    invar_free(m.seen);
    invar_free(m.mean);
    invar_free(m.squares);
    return ok;
}
