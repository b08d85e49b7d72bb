/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_GIVEN_H
#define INVAR_TRAIN_GIVEN_H

#include "invar/log.h"
#include "invar/memory.h"
#include "train/ranks.h"

/* What a step's time goes to, in the order of the step. A slow run is slow in one of these, and each has another
 * remedy. */
enum invar_work {
    INVAR_WORK_DATA,
    INVAR_WORK_VIEWS,
    INVAR_WORK_ADVERSARY,
    INVAR_WORK_ENCODER,
    INVAR_WORK_HEADS,
    INVAR_WORK_TARGET,
    INVAR_WORK_LOSS,
    INVAR_WORK_OPTIMISER,
    INVAR_WORK_MEASURE,
    INVAR_WORK_COUNT
};

/** Times, in seconds. They are told to people and decide nothing, so that bits do not depend on them. */
struct invar_times {
    double seconds[INVAR_WORK_COUNT], total;
    int64_t calls;
    double window_start, step_seconds; /* since the last logged step; of a step */
    int64_t window_step;
};
/** Seconds of a monotonic clock. */
double times_now(void);
/** Adds the time since *since to *seconds, and moves *since on. */
void times_add(double *seconds, double *since);
/** Adds the time since *since to one kind of work, and moves *since on. */
void times_lap(struct invar_times *times, enum invar_work work, double *since);

/** Samples that another loop hands in, step by step, in place of a dataset. */
struct invar_feed {
    struct invar_dataset_info info; /* what they are; counts: at least a batch */
    /** samples[count] of that step, with numbers (index) that no other step has: views are drawn by them. */
    bool (*next)(void *user, int64_t step, struct invar_sample *samples, int64_t count, struct invar_error *err);
    void *user;
    const struct invar_weights *encoder; /* whose parameters the encoder shares; NULL: it has its own */
};

/** What a run is given: the same from its first step to its last, and borrowed, so that every part may read it. */
struct invar_given {
    const struct invar_recipe *recipe;
    struct invar_dataset *dataset;         /* NULL where samples are fed */
    const struct invar_dataset_info *info; /* of either */
    const struct invar_feed *feed;         /* NULL: samples are those of the dataset */
    struct invar_device *device;
    struct invar_trainer_options options;
    struct invar_times *times;
};

#endif
