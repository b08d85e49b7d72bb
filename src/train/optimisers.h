/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_OPTIMISERS_H
#define INVAR_TRAIN_OPTIMISERS_H

#include "invar/train.h"

/* One file each, and one line each here: what the table, the declarations and the messages are made from. */
#define INVAR_OPTIMISERS(ONE)                                                                                          \
    ONE(sgd)                                                                                                           \
    ONE(adam)                                                                                                          \
    ONE(adamw)                                                                                                         \
    ONE(lars)
#define INVAR_OPTIMISER_DECLARED(name) extern const struct invar_optimiser_spec invar_optimiser_##name;
INVAR_OPTIMISERS(INVAR_OPTIMISER_DECLARED)

/** The next stretch in the order of the vector; cursor is 0 at first. False at the end. */
bool segment_next(const struct invar_net *net, enum invar_segment_cut cut, int *cursor, struct invar_segment *out);

struct invar_sgd_options {
    double momentum, weight_decay;
    bool nesterov, exclude_1d_from_decay;
};

/** Options of Adam and of AdamW. */
struct invar_adam_options {
    struct invar_real_list betas;
    double eps, weight_decay;
    bool exclude_1d_from_decay;
};
/** betas must be two numbers. */
bool adam_check(const void *options, struct invar_error *err);
enum invar_segment_cut adam_cut(const void *options);
/** 1 / (1 - beta1^t) and 1 / sqrt(1 - beta2^t), the former times the rate. */
void adam_scalars(const void *options, double rate, int64_t step, double *own);
/** One step on numbers from .. to - 1: coupled is added to the gradient and decoupled taken off the parameter, both
 * times it. */
void adam_step(const struct invar_update *update, int64_t from, int64_t to, double coupled, double decoupled);

#endif
