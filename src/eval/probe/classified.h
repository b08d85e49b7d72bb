/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_CLASSIFIED_H
#define INVAR_EVAL_CLASSIFIED_H

#include "eval/runner.h"
#include "invar/robustness.h"

/** An encoder with a classifier behind it. A zeroed one may be closed. */
struct classified {
    struct runner runner;
    const struct invar_classifier *classifier;
    float *scores;       /**< [RUNNER_BATCH][classes] */
    int64_t done, total; /**< images, of all cells */
    const struct invar_robustness_options *options;
};

bool classified_open(struct classified *c, struct invar_device *device, const struct invar_encoder *encoder,
                     const struct invar_classifier *classifier, const struct invar_robustness_options *options,
                     int64_t total, struct invar_error *err);
void classified_close(struct classified *c);
/**
 * Classifies views [count][C][H][W], count at most RUNNER_BATCH, adds them and the wrong ones to the cell, and reports
 * progress. index: numbers of the images, for messages. Refused: a representation that is not finite, a label that is
 * none of the classifier's.
 */
bool classified_run(struct classified *c, const float *views, int64_t count, const int64_t *labels,
                    const int64_t *index, struct invar_robustness_cell *cell, struct invar_error *err);
/** Number of the i-th of `wanted` images out of count, evenly spread: collections often lie in the order of classes. */
int64_t classified_spread(int64_t i, int64_t wanted, int64_t count);

#endif
