/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test split under corruption. Images are taken in blocks, so that each is decoded and resized once for all of its
 * corruptions and a block of any data set fits in memory; within a block it goes from cell to cell.
 */
#include "eval/probe/classified.h"
#include "eval/corruption/corruptor.h"
#include "eval/pass.h"
#include "invar/memory.h"
#include "base/threads.h"

#include <math.h>

#define BLOCK_BYTES ((int64_t)64 << 20)
enum { BLOCK_IMAGES = 4096 };

struct measurement {
    struct invar_dataset_info info; /* of the views */
    struct pass pass;
    struct classified classified;
    struct corruptor *corruptor;
    int64_t image_size, capacity; /* of the block, in images */
    uint8_t *pixels;              /* [capacity][H][W][C] */
    int64_t *index, *labels;      /* [capacity] */
    int64_t *order;               /* [limit], or NULL */
};

/* What cannot be corrupted is said before anything is measured. On an image of zeros: sizes, channels and severities
 * are what corruptions refuse, and these are the same for all images. */
static bool try_cells(const struct invar_robustness_options *options, const struct invar_dataset_info *views,
                      const struct invar_robustness_cell *cells, int count, struct invar_error *err)
{
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(err);
    uint8_t *pixels =
        invar_alloc((size_t)views->height * (size_t)views->width, (size_t)views->channels * sizeof *pixels, err);
    const struct invar_corruption_image image = {pixels, views->height, views->width, views->channels};
    bool ok = scratch && pixels;

    for (int i = 0; ok && i < count; i++) {
        const struct invar_corruption_options how = {
            .severity = cells[i].severity, .table = options->table, .seed = options->seed, .frost = options->frost};
        /* Once a corruption: severities differ in numbers and not in what they refuse, and a large image takes its
         * time. */
        if (i == 0 || cells[i].corruption != cells[i - 1].corruption)
            ok = invar_corrupt(cells[i].corruption, &how, &image, 0, pixels, scratch, err);
    }
    invar_corruption_scratch_free(scratch);
    invar_free(pixels);
    return ok;
}

bool invar_robustness_check(const struct invar_encoder *encoder, const struct invar_dataset_info *info,
                            const struct invar_robustness_options *options, const struct invar_robustness_cell *cells,
                            int count, struct invar_error *err)
{
    struct invar_dataset_info views;

    if (info->kind != INVAR_DATA_IMAGE || (info->channels != 1 && info->channels != 3))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s is of the kind \"%s\" with %d channels; the corruptions are of images of 1 or 3 "
                               "channels: choose a run on images",
                               info->source, invar_data_kind_name(info->kind), info->channels);
    if (options->limit < 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "a limit of %lld images, expected 0 (all) or more",
                               (long long)options->limit);
    if (!info->count[INVAR_TEST])
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s has no test samples; there is nothing to corrupt: have a test split drawn with "
                               "data.test_fraction",
                               info->source);
    return runner_views(encoder, info, &views, err) && try_cells(options, &views, cells, count, err);
}

/* A limit takes every k-th image, so that classes keep their shares. */
static bool make_order(struct measurement *m, int64_t wanted, int64_t count, struct invar_error *err)
{
    m->order = invar_alloc((size_t)wanted, sizeof *m->order, err);
    for (int64_t i = 0; m->order && i < wanted; i++)
        m->order[i] = classified_spread(i, wanted, count);
    return m->order != NULL;
}

/* Blocks of whole batches, 64 MiB at most: each image is decoded once for nineteen corruptions of five severities,
 * and no data set has to fit. */
static bool open_all(struct measurement *m, struct invar_device *device, const struct invar_encoder *encoder,
                     struct invar_dataset *dataset, const struct invar_classifier *classifier,
                     const struct invar_robustness_options *options, const struct invar_robustness_cell *cells,
                     int count, struct invar_error *err)
{
    const int64_t images = invar_dataset_info(dataset)->count[INVAR_TEST];
    struct pass_options pass = {.split = INVAR_TEST, .share = options->share};

    if (!runner_views(encoder, invar_dataset_info(dataset), &m->info, err))
        return false;
    if (options->limit && options->limit < images) {
        if (!make_order(m, options->limit, images, err))
            return false;
        pass.order = m->order;
        pass.count = options->limit;
    }
    /* The clean pass counts as one more cell in what is told of the progress. */
    if (!pass_open(&m->pass, dataset, &pass, &m->info, err) ||
        !classified_open(&m->classified, device, encoder, classifier, options, m->pass.total * (count + 1), err))
        return false;
    m->image_size = m->pass.view_size;
    m->capacity = BLOCK_BYTES / m->image_size / PASS_BATCH * PASS_BATCH;
    m->capacity = m->capacity < PASS_BATCH ? PASS_BATCH : m->capacity > BLOCK_IMAGES ? BLOCK_IMAGES : m->capacity;
    m->pixels = invar_alloc((size_t)m->capacity, (size_t)m->image_size, err);
    m->index = invar_alloc((size_t)m->capacity, sizeof *m->index, err);
    m->labels = invar_alloc((size_t)m->capacity, sizeof *m->labels, err);
    m->corruptor = m->pixels && m->index && m->labels
                       ? corruptor_create(cells, count, options, &m->info, RUNNER_BATCH, err)
                       : NULL;
    return m->corruptor != NULL;
}

static void close_all(struct measurement *m)
{
    corruptor_free(m->corruptor);
    classified_close(&m->classified);
    pass_close(&m->pass);
    invar_free(m->pixels);
    invar_free(m->index);
    invar_free(m->labels);
    invar_free(m->order);
}

/* The 8-bit image that a view was made from, at the size of the view. Corruptions are defined on bytes, of the size
 * that the network sees: back from the standardised view, whose rounding is undone exactly. */
static void to_pixels(const struct measurement *m, const float *view, uint8_t *pixels)
{
    const int channels = m->info.channels;
    const int64_t plane = m->image_size / channels;

    for (int c = 0; c < channels; c++) {
        /* The same floor as in the views, or a constant channel would come back as another one. */
        const float deviation = m->info.deviation[c] > 1e-6F ? m->info.deviation[c] : 1, mean = m->info.mean[c];
        for (int64_t i = 0; i < plane; i++) {
            const float value = 255 * (view[c * plane + i] * deviation + mean);
            /* Rounded and limited: a view that was resized by a cubic may lie beyond 0 to 255. */
            pixels[i * channels + c] = (uint8_t)lrintf(value > 0 ? value < 255 ? value : 255 : 0);
        }
    }
}

/* Images that could be read into the block, and these as they are through the network. *count 0 at the end. The clean
 * error is measured on the way, on exactly the images that the corrupted ones are made of. */
static bool read_block(struct measurement *m, struct invar_robustness_cell *clean, int64_t *count,
                       struct invar_error *err)
{
    int64_t got = 1;

    *count = 0;
    /* While a whole batch has room, since how many of it can be read is known afterwards. */
    while (*count + PASS_BATCH <= m->capacity) {
        const int64_t first = *count;
        if (!pass_next(&m->pass, &got, err))
            return false;
        if (got == 0)
            return true;
        for (int64_t i = 0; i < got; i++) {
            float *view = m->pass.views + i * m->image_size;
            if (!pass_is_own(&m->pass, i))
                continue;
            to_pixels(m, view, m->pixels + *count * m->image_size);
            m->index[*count] = m->pass.samples[i].index;
            m->labels[*count] = m->pass.samples[i].label;
            /* Samples that could not be read leave gaps, and the network takes rows that lie side by side. */
            if (*count - first < i)
                for (int64_t k = 0; k < m->image_size; k++)
                    m->pass.views[(*count - first) * m->image_size + k] = view[k];
            (*count)++;
        }
        m->pass.done += got;
        if (*count > first && !classified_run(&m->classified, m->pass.views, *count - first, m->labels + first,
                                              m->index + first, clean, err))
            return false;
    }
    return true;
}

/* Cell after cell: views come from the workers in order, and the network takes them as they come. */
static bool run_block(struct measurement *m, int64_t count, struct invar_robustness_cell *cells,
                      struct invar_error *err)
{
    const struct corruptor_images images = {count, m->pixels, m->index};
    struct corruptor_batch batch;

    corruptor_start(m->corruptor, &images);
    for (;;) {
        if (!corruptor_next(m->corruptor, &batch, err))
            return false;
        if (batch.count == 0)
            return true;
        if (!classified_run(&m->classified, batch.views, batch.count, m->labels + batch.first, m->index + batch.first,
                            &cells[batch.cell], err))
            return false;
    }
}

bool invar_robustness_measure(struct invar_device *device, const struct invar_encoder *encoder,
                              struct invar_dataset *dataset, const struct invar_classifier *classifier,
                              const struct invar_robustness_options *options, struct invar_robustness_cell *cells,
                              int count, struct invar_robustness_cell *clean, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    struct measurement m = {0};
    int64_t got = 0;
    bool ok = false;

    for (int i = 0; i < count; i++)
        cells[i].count = cells[i].wrong = 0;
    *clean = (struct invar_robustness_cell){0};
    if (!invar_robustness_check(encoder, invar_dataset_info(dataset), options, cells, count, err) ||
        !open_all(&m, device, encoder, dataset, classifier, options, cells, count, err))
        goto done;
    do {
        if (!read_block(&m, clean, &got, err) || (got && !run_block(&m, got, cells, err)))
            goto done;
    } while (got);
    ok = true;
done:
    close_all(&m);
    return ok;
}
