/* SPDX-License-Identifier: Apache-2.0 */
/* Representations of training samples for a classifier that is trained batch by batch. Features of drawn views are made
 * as they are used: those of all epochs would be as many copies of the training split. */
#include "eval/probe/feed.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

/* Views are drawn in epochs that no training reaches. A view of training and one of a probe must never be the same
 * draw, or the probe would know what the encoder saw. */
#define FIRST_EPOCH (UINT64_C(1) << 23)

void feed_close(struct feed *feed)
{
    embed_rows_free(&feed->rows);
    pass_close(&feed->pass);
    runner_close(&feed->runner);
    invar_free(feed->labelled);
    invar_free(feed->order);
    invar_free(feed->features);
    invar_free(feed->labels);
    invar_free(feed->index);
    *feed = (struct feed){0};
}

/* Samples without a label teach a classifier nothing. */
static bool find_labelled(struct feed *feed, const int64_t *labels, int64_t count, struct invar_error *err)
{
    feed->labelled = invar_alloc((size_t)count + 1, sizeof *feed->labelled, err);
    for (int64_t i = 0; feed->labelled && i < count; i++)
        if (labels[i] >= 0)
            feed->labelled[feed->count++] = i;
    return feed->labelled != NULL;
}

/* Plain views do not change, so samples go through the encoder once, and epochs go over rows of numbers. */
static bool open_plain(struct feed *feed, const struct invar_sgd_probe_work *work, struct invar_error *err)
{
    const struct embed_work embed = {.device = work->device,
                                     .encoder = work->encoder,
                                     .dataset = work->dataset,
                                     .pass = {.split = INVAR_TRAIN},
                                     .precision = INVAR_PRECISION_FLOAT32};

    if (!embed_run(&embed, &feed->rows, err))
        return false;
    feed->cols = feed->rows.h[0].shape[1];
    return find_labelled(feed, feed->rows.labels.data, feed->rows.rows, err);
}

/* Drawn views are new in every epoch: the encoder runs each time, and is what takes the time of this probe. */
static bool open_drawn(struct feed *feed, const struct invar_sgd_probe_work *work,
                       const struct invar_view_options *drawn, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(work->dataset);
    struct pass_options options = {.split = INVAR_TRAIN, .draw = drawn, .single = true, .seed = feed->seed};

    if (!find_labelled(feed, invar_dataset_labels(work->dataset, INVAR_TRAIN), info->count[INVAR_TRAIN], err))
        return false;
    options.order = feed->labelled;
    options.count = feed->count;
    if (!runner_views(work->encoder, info, &feed->info, err) ||
        !pass_open(&feed->pass, work->dataset, &options, &feed->info, err) ||
        !runner_open(&feed->runner, work->device, work->encoder, NULL, INVAR_PRECISION_FLOAT32, err))
        return false;
    feed->cols = feed->runner.h_cols;
    return true;
}

bool feed_open(struct feed *feed, const struct invar_sgd_probe_work *work, const struct invar_view_options *drawn,
               int64_t batch, uint64_t seed, struct invar_error *err)
{
    *feed = (struct feed){.plain = !drawn, .seed = seed};
    if (drawn ? !open_drawn(feed, work, drawn, err) : !open_plain(feed, work, err))
        return false;
    /* Else an epoch would have no full batch, and so no step. */
    feed->batch = batch < feed->count ? batch : feed->count;
    feed->order = invar_alloc((size_t)feed->count, sizeof *feed->order, err);
    feed->features = feed->order ? invar_alloc((size_t)feed->batch, (size_t)feed->cols * sizeof(float), err) : NULL;
    feed->labels = feed->features ? invar_alloc((size_t)feed->batch, sizeof *feed->labels, err) : NULL;
    feed->index = feed->labels ? invar_alloc((size_t)feed->batch, sizeof *feed->index, err) : NULL;
    return feed->index != NULL;
}

/* By seed and epoch: any epoch may be made alone. */
bool feed_epoch(struct feed *feed, int64_t epoch, struct invar_error *err)
{
    struct invar_random random = invar_random_stream(feed->seed, INVAR_RANDOM_ORDER, (uint64_t)epoch, 0, 0);

    for (int64_t i = 0; i < feed->count; i++)
        /* From the same list in every epoch: a shuffle of the last one's order would need all epochs before it. */
        feed->order[i] = feed->labelled[i];
    invar_random_shuffle(&random, feed->order, feed->count);
    feed->next = feed->got = feed->used = 0;
    return feed->plain || pass_restart(&feed->pass, feed->order, FIRST_EPOCH + (uint64_t)epoch, err);
}

/* Rows are copied side by side, as the product of the classifiers wants them. */
static bool next_plain(struct feed *feed, int64_t *got)
{
    const size_t width = (size_t)feed->cols * sizeof(float);

    for (*got = 0; *got < feed->batch && feed->next < feed->count; (*got)++) {
        const int64_t row = feed->order[feed->next++];
        memcpy((char *)feed->features + (size_t)*got * width, (const char *)feed->rows.h[0].data + (size_t)row * width,
               width);
        feed->labels[*got] = ((const int64_t *)feed->rows.labels.data)[row];
        feed->index[*got] = ((const int64_t *)feed->rows.index.data)[row];
    }
    return true;
}

/* The next samples of the pass through the encoder; feed->got 0 at the end. */
static bool advance(struct feed *feed, struct invar_error *err)
{
    feed->pass.done += feed->got;
    feed->used = 0;
    return pass_next(&feed->pass, &feed->got, err) &&
           (feed->got == 0 || runner_run(&feed->runner, feed->pass.views, feed->got, err));
}

/* Checked row by row, as one damaged sample would spoil every classifier of the bank. */
static bool take(struct feed *feed, int64_t to, int64_t i, struct invar_error *err)
{
    float *row = feed->features + to * feed->cols;

    memcpy(row, feed->runner.h + i * feed->cols, (size_t)feed->cols * sizeof *row);
    for (int64_t j = 0; j < feed->cols; j++)
        if (!isfinite(row[j]))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "the representation of training sample %lld holds NaN or Inf; the weights of the "
                                   "encoder are too large or the sample is "
                                   "damaged",
                                   (long long)feed->pass.samples[i].index);
    feed->labels[to] = feed->pass.samples[i].label;
    feed->index[to] = feed->pass.samples[i].index;
    return true;
}

/* Batches of the classifier and of the pass through the encoder are different numbers, and the rest of one waits for
 * the next. Samples that could not be read are replaced by the loader and not taken here. */
static bool next_drawn(struct feed *feed, int64_t *got, struct invar_error *err)
{
    *got = 0;
    while (*got < feed->batch) {
        if (feed->used == feed->got) {
            if (!advance(feed, err))
                return false;
            if (!feed->got)
                return true;
        }
        const int64_t i = feed->used++;
        if (pass_is_own(&feed->pass, i) && !take(feed, (*got)++, i, err))
            return false;
    }
    return true;
}

bool feed_next(struct feed *feed, int64_t *got, struct invar_error *err)
{
    return feed->plain ? next_plain(feed, got) : next_drawn(feed, got, err);
}
