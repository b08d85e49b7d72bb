/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_AHEAD_H
#define DATA_AHEAD_H

#include "data/dataset.h"

/** Decodes the samples of an order ahead of need, in threads of its own, into a ring of images. */
struct data_ahead;
struct data_ahead *data_ahead_create(struct invar_dataset *dataset, enum invar_split split, int64_t batch,
                                     struct invar_error *err);
/** Waits for the threads; NULL is accepted. */
void data_ahead_free(struct data_ahead *ahead);
/** Stops decoding and forgets what was decoded; afterwards the order is no longer used. */
void data_ahead_halt(struct data_ahead *ahead);
/** Begins with an order [whole], borrowed until it is halted or freed, of which `count` samples are the part's. Halt
 * before starting again. */
void data_ahead_start(struct data_ahead *ahead, const int64_t *order, int64_t whole,
                      const struct invar_loader_part *part, int64_t count);
/** Where in the order a sample of the part stands. */
int64_t data_place(const struct invar_loader_part *part, int64_t position);
/** The next `count` <= batch samples, as invar_loader_next. */
bool data_ahead_take(struct data_ahead *ahead, struct invar_sample *samples, int64_t count, struct invar_error *err);

#endif
