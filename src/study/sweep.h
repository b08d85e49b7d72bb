/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STUDY_SWEEP_H
#define STUDY_SWEEP_H

#include "invar/error.h"

enum { STUDY_SWEEP_KEYS = 16, STUDY_SWEEP_RUNS = 1000, STUDY_SWEEP_JOBS = 64 /* at a time, at most */ };

/** Every combination of values of some options, each a run. */
struct study_sweep {
    int keys, count; /**< options; runs */
    struct study_sweep_run {
        char *setting[STUDY_SWEEP_KEYS]; /**< KEY=VALUE [keys] */
        char *name;                      /**< of its folder: the settings by commas, of options with several values */
    } * run;
};
/**
 * From KEY=VALUES: "a,b,c" (commas in brackets or quotes divide nothing), "0..4" whole numbers, "1e-3..1e-1 (log, 5)"
 * so many numbers at equal ratios, "0..1 (linear, 5)" at equal steps. Refused: more than 16 options or 1000 runs,
 * values that no folder can be named after, two runs of one name. Free it in either case.
 */
bool study_sweep_make(struct study_sweep *sweep, const char *const *settings, int count, struct invar_error *err);
void study_sweep_free(struct study_sweep *sweep);

/** Whether every combination is a recipe. */
bool study_sweep_check(const struct study_sweep *sweep, const char *recipe, struct invar_error *err);
/**
 * Seconds that the training of all runs takes that are not done[], `jobs` at a time on `threads` each, by a few steps
 * of every one that differs in its work. Data are opened, nothing is written; a run that was begun counts whole.
 */
bool study_sweep_seconds(const struct study_sweep *sweep, const char *recipe, const bool *done, int jobs, int threads,
                         double *seconds, struct invar_error *err);

#endif
