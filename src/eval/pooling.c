/* SPDX-License-Identifier: Apache-2.0 */
/* Means over the windows of samples. Few samples have as many windows as a batch of the encoder has rows, so those of
   neighbours share one. */
#include "eval/pooling.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

void pooling_close(struct pooling *pooling)
{
    windows_close(&pooling->windows);
    invar_free(pooling->cut);
    invar_free(pooling->count);
    invar_free(pooling->sum);
}

/* Room for one batch of windows and one mean: samples are finished in order. */
bool pooling_open(struct pooling *pooling, const struct runner *runner, const struct invar_dataset_info *info,
                  struct invar_error *err)
{
    pooling->cut = invar_alloc(RUNNER_BATCH, sizeof *pooling->cut, err);
    pooling->count = pooling->cut ? invar_alloc(RUNNER_BATCH, sizeof *pooling->count, err) : NULL;
    pooling->sum = pooling->count ? invar_alloc((size_t)runner->h_cols, sizeof *pooling->sum, err) : NULL;
    return pooling->sum && windows_open(&pooling->windows, info, err);
}

/* The mean is the row of its sample. Divided in double and rounded once. A sample with one window is a mean of one,
 * and not counted as pooled. */
static bool finish(struct pooling *pooling, const struct pass *pass, const struct invar_sample *sample,
                   struct embed_rows *out, struct invar_error *err)
{
    const int64_t cols = out->h[0].shape[1];
    float *row = (float *)out->h[0].data + pooling->row * cols;

    for (int64_t j = 0; j < cols; j++) {
        row[j] = (float)(pooling->sum[j] / (double)pooling->done);
        if (!isfinite(row[j]))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "the representation of %s%s sample %lld holds NaN or Inf; the weights of the "
                                   "encoder are too large or the sample is "
                                   "damaged",
                                   pooling->done > 1 ? "a window of " : "",
                                   pass->split == INVAR_TRAIN ? "training" : "test", (long long)sample->index);
    }
    ((int64_t *)out->labels.data)[pooling->row] = sample->label;
    ((int64_t *)out->index.data)[pooling->row] = sample->index;
    out->pooled += pooling->done > 1;
    pooling->row++;
    pooling->done = 0;
    memset(pooling->sum, 0, (size_t)cols * sizeof *pooling->sum);
    return true;
}

/* The windows that wait, through the encoder. Windows of several samples may be in one batch, and a sample's in
 * several batches: the count that goes with each window says when its sample is complete. */
static bool run(struct pooling *pooling, struct pass *pass, struct runner *runner, struct embed_rows *out,
                struct invar_error *err)
{
    const int64_t cols = runner->h_cols, count = pooling->waiting;

    if (count && (!invar_view_maker_plain(pass->maker, pooling->cut, count, pass->views, err) ||
                  !runner_run(runner, pass->views, count, err)))
        return false;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < cols; j++)
            /* In double: a long clip has many windows, and the mean must not depend on how they fall into batches. */
            pooling->sum[j] += (double)runner->h[i * cols + j];
        if (++pooling->done == pooling->count[i] && !finish(pooling, pass, &pooling->cut[i], out, err))
            return false;
    }
    pooling->waiting = 0;
    windows_clear(&pooling->windows);
    return true;
}

/* False where there is no room: the caller empties the batch and asks again. */
static bool add(struct pooling *pooling, const struct invar_sample *sample, int64_t number, int64_t count)
{
    struct invar_sample *cut = &pooling->cut[pooling->waiting];

    if (pooling->waiting == RUNNER_BATCH)
        return false;
    *cut = *sample;
    if (count > 1 && !windows_cut(&pooling->windows, sample, number, cut))
        return false;
    pooling->count[pooling->waiting++] = count;
    return true;
}

bool pooling_batch(struct pooling *pooling, struct pass *pass, struct runner *runner, int64_t got,
                   struct embed_rows *out, struct invar_error *err)
{
    pooling->row = out->rows;
    for (int64_t i = 0; i < got; i++) {
        const struct invar_sample *sample = &pass->samples[i];
        const int64_t count = pass_is_own(pass, i) ? windows_count(&pooling->windows, sample) : 0;
        for (int64_t w = 0; w < count; w++)
            if (!add(pooling, sample, w, count) &&
                (!run(pooling, pass, runner, out, err) || !add(pooling, sample, w, count)))
                return false;
    }
    return run(pooling, pass, runner, out, err); /* the samples are lent until the next batch */
}
