/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_POOLING_H
#define INVAR_EVAL_POOLING_H

#include "eval/embed.h"
#include "eval/windows.h"

/** Representations that are means over windows, the windows of many samples in one batch of the encoder. */
struct pooling {
    bool on;
    struct windows windows;
    struct invar_sample *cut; /**< [RUNNER_BATCH] windows that wait for the encoder */
    int64_t *count;           /**< [RUNNER_BATCH] windows that their samples have */
    int64_t waiting;
    double *sum;  /**< [h_cols] over the windows so far of the sample at hand */
    int64_t done; /**< so many */
    int64_t row;  /**< of the result, where it goes */
};

/** A zeroed one may be closed. */
bool pooling_open(struct pooling *pooling, const struct runner *runner, const struct invar_dataset_info *info,
                  struct invar_error *err);
void pooling_close(struct pooling *pooling);
/** Rows out->rows .. of the samples of a bare pass, plain views where a sample is no larger than a window. */
bool pooling_batch(struct pooling *pooling, struct pass *pass, struct runner *runner, int64_t got,
                   struct embed_rows *out, struct invar_error *err);

#endif
