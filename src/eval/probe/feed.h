/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_FEED_H
#define INVAR_EVAL_FEED_H

#include "eval/embed.h"
#include "invar/expert/sgd_probe.h"

/** Representations of the training samples in the order of an epoch, batch by batch: of views drawn anew, or of plain
 * ones, which are computed once. A zeroed feed may be closed. */
struct feed {
    bool plain;
    uint64_t seed;
    int64_t count, cols, batch;
    int64_t *labelled;      /* [count] what is trained on: rows of plain views, samples of drawn ones */
    int64_t *order;         /* [count] */
    struct embed_rows rows; /* plain */
    struct invar_dataset_info info;
    struct pass pass; /* drawn */
    struct runner runner;
    int64_t got, used;       /* rows of the pass at hand, and how many of them are taken */
    int64_t next;            /* plain: in order */
    float *features;         /* [batch][cols] */
    int64_t *labels, *index; /* [batch]: class, and number within the split */
};

/** drawn NULL: plain views. batch: rows of a full batch. */
bool feed_open(struct feed *feed, const struct invar_sgd_probe_work *work, const struct invar_view_options *drawn,
               int64_t batch, uint64_t seed, struct invar_error *err);
void feed_close(struct feed *feed);
bool feed_epoch(struct feed *feed, int64_t epoch, struct invar_error *err);
/** Fills the batch; *got is less than it at the end of an epoch. */
bool feed_next(struct feed *feed, int64_t *got, struct invar_error *err);

#endif
