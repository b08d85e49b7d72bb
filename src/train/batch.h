/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_BATCH_H
#define INVAR_TRAIN_BATCH_H

#include "train/clock.h"

/** The batch of a step: N samples in V views, global ones first, rows v * N + i. Where there are ranks each has its
 * stretch of the samples, and N is the number of these; what terms read beside outputs is of all. */
struct invar_batch {
    const struct invar_given *given;
    int64_t size, views, rows; /* N, V, V * N */
    int64_t all, first;        /* samples over all ranks, and before those of this one; N and 0 alone */
    int64_t global_views, global_rows;
    int64_t global_size, input_size; /* floats of a global view, and of the batch */
    struct invar_loader *loader;
    struct invar_view_maker *maker;
    struct invar_sample *samples;     /* [N], of */
    struct invar_sample *loaded;      /* [all] where views are made of other samples of the batch too, else [N] */
    float *whole_views;               /* host, the views of all; NULL where only N are loaded */
    int64_t *groups;                  /* [all] refinement groups of samples; NULL where no term reads them */
    int64_t *labels;                  /* [all] classes of samples, likewise */
    int64_t *order;                   /* [sample_count] */
    int64_t sample_count;             /* training samples that are used */
    int64_t order_epoch;              /* the epoch whose order the loader follows; -1 at first */
    float *host_views, *input;        /* host and device: [global views][N][C][H][W], then [local views][N][C][s][s] */
    float *host_plain, *plain, *mask; /* [all][C][H][W] plain inputs; device [V][all][C][H][W] masks; NULL: unread */
};

/** Room for a batch, whose numbers of samples and views are set. After the encoder, which says that shapes fit. */
bool batch_create(struct invar_batch *batch, struct invar_error *err);
void batch_free(struct invar_batch *batch);
/** The batch of the present step: samples, their views on the host and on the device, and what terms read of them. */
bool batch_fill(struct invar_batch *batch, const struct invar_clock *clock, struct invar_error *err);
/** What terms read of a batch beside outputs of nets, into the embeddings; what views were mixed of is there with the
 * first batch alone. */
void batch_offer(const struct invar_batch *batch, struct invar_embeddings *embeddings);

/** Of one number a sample of this rank those of all, in their order: all[all], whose first N are given. */
bool batch_share(const struct invar_batch *batch, int64_t *all, struct invar_error *err);
/** Samples that are loaded, and of them the first of this rank. */
int64_t batch_loaded(const struct invar_batch *batch);
int64_t batch_own(const struct invar_batch *batch);

/* ---- refinement groups (groups.c) ---- */

/** Room for the groups of a batch where a term reads them. Refuses a batch so small that most would hold one group. */
bool groups_create(struct invar_batch *batch, struct invar_error *err);
bool groups_fill(struct invar_batch *batch, struct invar_error *err);

/* ---- labels (labels.c) ---- */

/** Room for the labels of a batch where a term or the online classifier reads them. Refuses data without labels, or
 * with more classes than z, of that width, has columns. */
bool labels_create(struct invar_batch *batch, int64_t width, bool classified, struct invar_error *err);
bool labels_fill(struct invar_batch *batch, struct invar_error *err);

/* ---- what views were made of (plain.c) ---- */

/** Room for the plain inputs of a batch and the masks of its views where terms read them. */
bool plain_create(struct invar_batch *batch, struct invar_error *err);
void plain_free(struct invar_batch *batch);
/** Those of the samples, once the views are made. */
bool plain_fill(struct invar_batch *batch, struct invar_error *err);
void plain_offer(const struct invar_batch *batch, struct invar_embeddings *embeddings);

#endif
