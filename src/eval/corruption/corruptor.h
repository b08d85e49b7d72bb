/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_CORRUPTOR_H
#define INVAR_EVAL_CORRUPTOR_H

#include "invar/robustness.h"
#include "invar/view.h"

/** Images at the size that the encoder sees; borrowed. */
struct corruptor_images {
    int64_t count;
    const uint8_t *pixels; /**< [count][height][width][channels] */
    const int64_t *index;  /**< [count] numbers within their split */
};

struct corruptor_batch {
    int cell;
    int64_t first, count; /**< of the images */
    const float *views;   /**< [count][channels][height][width], standardised; borrowed until the next batch */
};

/** Corrupts images ahead of need, in threads of its own, into a ring of batches. */
struct corruptor;
/** info says how the views come out; cells and options stay borrowed. */
struct corruptor *corruptor_create(const struct invar_robustness_cell *cells, int count,
                                   const struct invar_robustness_options *options,
                                   const struct invar_dataset_info *info, int64_t batch, struct invar_error *err);
/** Waits for the threads; NULL is accepted. */
void corruptor_free(struct corruptor *corruptor);
/** Begins with other images, in all cells, one cell after the other. All batches of those before have been taken. */
void corruptor_start(struct corruptor *corruptor, const struct corruptor_images *images);
/** The next batch; count 0 at the end. */
bool corruptor_next(struct corruptor *corruptor, struct corruptor_batch *batch, struct invar_error *err);

#endif
