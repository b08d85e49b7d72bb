/* SPDX-License-Identifier: Apache-2.0 */
/* Views through encoder and classifier, counted by cell. Corrupted images, ready-made ones and the clean ones among
 * them come here, or two error rates could differ by how they were counted. */
#include "eval/probe/classified.h"
#include "invar/eval.h"
#include "invar/memory.h"

#include <math.h>
#include <stdio.h>

/* A classifier of other features would run and give nonsense; widths are what can be checked. */
bool classified_open(struct classified *c, struct invar_device *device, const struct invar_encoder *encoder,
                     const struct invar_classifier *classifier, const struct invar_robustness_options *options,
                     int64_t total, struct invar_error *err)
{
    *c = (struct classified){.classifier = classifier, .options = options, .total = total};
    if (!runner_open(&c->runner, device, encoder, NULL, INVAR_PRECISION_FLOAT32, err))
        return false;
    if (c->runner.h_cols != classifier->dimensions)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "the classifier takes %lld features and the encoder gives %lld: they belong to different runs",
            (long long)classifier->dimensions, (long long)c->runner.h_cols);
    c->scores = invar_alloc(RUNNER_BATCH, (size_t)classifier->classes * sizeof *c->scores, err);
    return c->scores != NULL;
}

/* Every k-th and not the first ones: test splits are often sorted by class. */
int64_t classified_spread(int64_t i, int64_t wanted, int64_t count)
{
    return wanted < count ? i * count / wanted : i;
}

void classified_close(struct classified *c)
{
    runner_close(&c->runner);
    invar_free(c->scores);
    *c = (struct classified){0};
}

/* The largest score; of equals the smaller class. -1: not all are finite. */
static int predict(const float *scores, int classes)
{
    int best = 0;

    /* From 0 on: the first score is to be looked at for NaN too, though it needs no comparison. */
    for (int k = 0; k < classes; k++) {
        if (!isfinite(scores[k]))
            return -1;
        if (scores[k] > scores[best])
            best = k;
    }
    return best;
}

/* An error rate of something else than was asked for is no error rate: a sample without a known class ends the
 * measurement. */
static bool refuse(const struct invar_robustness_cell *cell, int64_t index, int64_t label, int predicted,
                   struct invar_error *err)
{
    char under[96] = "as it is";

    if (cell->corruption)
        snprintf(under, sizeof under, "under %s at severity %d", cell->corruption->name, cell->severity);
    if (predicted < 0)
        return invar_error_set(
            err, INVAR_ERROR_NUMERIC,
            "the representation of test image %lld %s holds NaN or Inf; the weights of the encoder are too large",
            (long long)index, under);
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "test image %lld has %s%lld; an error can be counted only where every test image has a "
                           "label of the training data",
                           (long long)index, label < 0 ? "no label: " : "the label ", (long long)label);
}

bool classified_run(struct classified *c, const float *views, int64_t count, const int64_t *labels,
                    const int64_t *index, struct invar_robustness_cell *cell, struct invar_error *err)
{
    const struct invar_matrix features = {INVAR_FLOAT32, count, c->runner.h_cols, c->runner.h};
    const int classes = c->classifier->classes;

    if (!runner_run(&c->runner, views, count, err) ||
        !invar_logreg_scores(&features, c->classifier->weight, c->classifier->bias, classes, c->scores, err))
        return false;
    for (int64_t i = 0; i < count; i++) {
        const int predicted = predict(c->scores + i * classes, classes);
        if (predicted < 0 || labels[i] < 0 || labels[i] >= classes)
            return refuse(cell, index[i], labels[i], predicted, err);
        /* Counts and not rates: images come in blocks, and a mean of rates would weigh the last, smaller one too
         * much. */
        cell->wrong += predicted != labels[i];
    }
    cell->count += count;
    c->done += count;
    return invar_watch_tell(c->options->watch,
                            &(struct invar_progress){"corrupted images", "images", c->done, c->total, NULL}, err);
}
