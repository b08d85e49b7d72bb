/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_CLOCK_H
#define INVAR_TRAIN_CLOCK_H

#include "invar/expert/safetensors.h"
#include "train/given.h"

/** Where a run is, and what its schedules say there: beside weights and buffers, all of a run's state. */
struct invar_clock {
    const struct invar_given *given;
    int64_t step, total; /* steps done, and of the whole run */
    int64_t steps_per_epoch, warmup;
    double peak;           /* rate */
    double rate, momentum; /* of the optimiser and of the target network, at the present step */
    bool extended;         /* the length has been changed, so that encoder.safetensors may be of the shorter run */
    struct invar_joined {
        int64_t step, steps; /* from that step on, over so many, to the schedule of the present length; 0: all along */
        double rate, momentum;
    } joined;
};

/** Rate and momentum of the present step. */
void clock_set(struct invar_clock *clock);
/** `peak` in the shape of the schedule, whatever the peak of the encoder's. */
double clock_share(const struct invar_clock *clock, double peak);
/** Epochs done before the present step. */
int64_t clock_epoch(const struct invar_clock *clock);
/** Where terms draw from in the present step. */
struct invar_term_key clock_key(const struct invar_clock *clock);

/* ---- a run whose length has been changed (length.c) ---- */

/** Rate and momentum of the target network of the step that comes next. */
double length_rate(const struct invar_clock *clock);
double length_momentum(const struct invar_clock *clock);
/** From the present step on, go over from that rate and momentum to the schedule of the present length. */
void length_join(struct invar_clock *clock, double rate, double momentum);
/** State of the schedule in a checkpoint. recipe_differs: the checkpoint is of another length. Reading refuses a length
 * below the steps done, and another length where the checkpoint does not say its rate. */
bool length_store(const struct invar_clock *clock, struct invar_safetensors *file, struct invar_error *err);
bool length_restore(struct invar_clock *clock, const struct invar_safetensors *file, int64_t step, bool recipe_differs,
                    struct invar_error *err);

#endif
