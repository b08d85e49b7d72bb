/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_OPTIMISERS_H
#define INVAR_TRAIN_OPTIMISERS_H

#include "invar/train.h"

/* One file each; the table in optimiser.c has one line each. */
extern const struct invar_optimiser_spec invar_optimiser_sgd;
extern const struct invar_optimiser_spec invar_optimiser_adam;
extern const struct invar_optimiser_spec invar_optimiser_adamw;
extern const struct invar_optimiser_spec invar_optimiser_lars;

enum invar_segment_cut {
    INVAR_SEGMENT_WHOLE,   /* the whole vector in one */
    INVAR_SEGMENT_BY_KIND, /* neighbours that are all 1-D (biases, norm parameters), or all not, in one */
    INVAR_SEGMENT_EACH,    /* every parameter by itself */
};
/** A stretch of the parameter vector that is updated alike. */
struct invar_segment {
    int64_t offset, count;
    bool one_dimensional; /* false for the whole vector */
};
/** The next stretch in the order of the vector; cursor is 0 at first. False at the end. */
bool invar_segment_next(const struct invar_net *net, enum invar_segment_cut cut, int *cursor,
                        struct invar_segment *out);

/** Options of Adam and of AdamW. */
struct invar_adam_options {
    struct invar_real_list betas;
    double eps, weight_decay;
    bool exclude_1d_from_decay;
};
/** betas must be two numbers. */
bool invar_adam_check(const void *options, struct invar_error *err);

#endif
