/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_PASS_H
#define INVAR_EVAL_PASS_H

#include "invar/data.h"
#include "invar/expert/perturber.h"
#include "invar/view.h"

enum { PASS_BATCH = 256, PASS_MAX_VIEWS = 2 };

/** Which samples pass by, and how they are seen. */
struct pass_options {
    enum invar_split split;
    const int64_t *order; /**< [count] indices into the split; NULL: all of it */
    int64_t count;
    struct invar_share share;              /**< of these */
    const struct invar_view_options *draw; /**< the first two views of it; NULL: the plain view alone */
    struct invar_perturber *perturber;     /**< of drawn views; NULL: none */
    bool single;                           /**< of drawn views the first alone */
    bool bare;                             /**< samples alone: `views` is the caller's to fill */
    uint64_t seed, epoch;                  /**< of the draws */
};

/** Samples of a split that pass by in batches, as views. */
struct pass {
    enum invar_split split;
    bool drawn, bare;
    struct invar_perturber *perturber; /**< borrowed */
    uint64_t seed, epoch;
    int64_t *order; /**< [total] */
    int64_t total, done;
    struct invar_view_maker *maker;
    struct invar_loader *loader;
    struct invar_sample *samples; /**< [PASS_BATCH] */
    float *views;                 /**< host [1 or 2][got][C][H][W] of the batch at hand */
    int64_t view_size;            /**< C*H*W */
};

/** info says how the views come out; borrowed until the pass is closed. A zeroed pass may be closed. */
bool pass_open(struct pass *pass, struct invar_dataset *dataset, const struct pass_options *options,
               const struct invar_dataset_info *info, struct invar_error *err);
void pass_close(struct pass *pass);
/** Starts over with another order, as long as the first, and draws of another epoch. */
bool pass_restart(struct pass *pass, const int64_t *order, uint64_t epoch, struct invar_error *err);
/** The next samples and their views; *got 0 at the end. The caller adds *got to done once it is through with them. */
bool pass_next(struct pass *pass, int64_t *got, struct invar_error *err);
/** Is sample i of the batch the one that was asked for? The loader puts another in the place of an unreadable one. */
bool pass_is_own(const struct pass *pass, int64_t i);

#endif
