/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_BENCH_H
#define INVAR_STUDY_BENCH_H

#include "base/json_write.h"
#include "invar/train.h"
#include "invar/watch.h"

enum { STUDY_BENCH_ENTRIES = 32, STUDY_BENCH_SIDE = 2048 /* of the matrices whose product is the peak */ };

/** Whole training steps on this machine, timed after one that warmed up. */
struct study_bench {
    enum invar_precision precision;
    int64_t steps, batch;
    double seconds, last_seconds;  /**< of a step, on average; of all steps of the last stretch */
    double peak_flops;             /**< of a product of matrices */
    double of_peak, of_winograd;   /**< part of what products at that rate allow, directly and by F(4x4, 3x3) */
    double step_bytes, peak_bytes; /**< resident: at most since before the trainer was made; of the process */
    struct invar_machine machine;
    struct invar_trainer_plan plan;
    int entry_count;
    struct invar_profile_entry entries[STUDY_BENCH_ENTRIES]; /**< seconds of a step by kind of work */
    int processes;                                           /**< that make a step together; 1: this one alone */
    double messages, sent_bytes, sending_s; /**< in a step, of this process: to others, and sending or waiting */
};

struct study_bench_request {
    const char *recipe;
    const char *const *settings; /**< KEY=VALUE; without data.source random data are made for the time of it */
    int setting_count;
    enum invar_precision precision;
    int threads;
    /** How many more steps; called once all is warmed up (steps 0) and after every stretch. 0: no more; negative: err
     * says why it fails. */
    int64_t (*more)(void *user, const struct study_bench *so_far, struct invar_error *err);
    void *user;
    const struct invar_watch *watch;
    struct invar_ranks *ranks; /**< NULL: this process alone; of others rank 0 is asked for steps */
};

bool study_bench_run(const struct study_bench_request *request, struct study_bench *out, struct invar_error *err);
/** An object by the name of the precision. */
void study_bench_put(const struct study_bench *bench, struct json_writer *w);

#endif
