/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_ROBUSTNESS_H
#define INVAR_STUDY_ROBUSTNESS_H

#include "invar/robustness.h"
#include "invar/study.h"
#include "study/robustness_results.h"

enum { ROBUSTNESS_MAX_CELLS = 64 * INVAR_CORRUPTION_SEVERITIES };

/** What is measured, and how: goes into robustness.json as "protocol". */
struct robustness_plan {
    const char *data;  /**< the source of the clean images */
    const char *from;  /**< a folder of images that are corrupted already; NULL: corrupted here */
    const char *frost; /**< a folder of pictures; NULL: synthetic */
    int64_t images;    /**< of every cell */
    int height, width, channels;
    struct invar_plain_view plain;
    bool choose_extra; /**< the strength of the probe on the extra corruptions */
    int severity_count, severities[INVAR_CORRUPTION_SEVERITIES]; /**< ascending */
    int corruption_count;
    const struct invar_corruption_spec *corruptions[ROBUSTNESS_MAX_CELLS];
    struct invar_robustness_options options;
    struct invar_frost *pictures; /**< owned by whoever made the plan */
};

/** Errors of one encoder, in percent. Cells are those of the plan, severities of a corruption one after the other. */
struct robustness_result {
    double clean;        /**< NAN: not measured */
    int64_t clean_count; /**< images */
    double error[ROBUSTNESS_MAX_CELLS];
};

/** The errors that others are divided by. A zeroed one is none. */
struct robustness_reference {
    const char *name; /**< as given; NULL: none */
    bool alexnet;
    struct invar_robustness_results *results;     /**< its own */
    const struct invar_robustness_errors *errors; /**< in them: the run's, or a baseline's */
};
/** name: a run, RUN:random or RUN:supervised for its baselines, alexnet, or NULL. Refused: a run without
 * robustness.json, one measured in another way than the plan says, or without one of its corruptions or severities. */
bool robustness_reference_open(struct robustness_reference *out, const char *name, const struct robustness_plan *plan,
                               struct invar_error *err);
void robustness_reference_close(struct robustness_reference *reference);
double robustness_reference_clean(const struct robustness_reference *reference);
/** error[severities of the plan] of a corruption of the plan. */
void robustness_reference_errors(const struct robustness_reference *reference, const struct robustness_plan *plan,
                                 const char *corruption, double *error);

/** The protocol of a plan. Texts of the plan are borrowed. */
struct invar_robustness_protocol robustness_protocol(const struct robustness_plan *plan, struct json_room *room);
/** Sets clean, corruptions, and the means over the 15 and over all 19 where these are all there. */
void robustness_describe(struct invar_robustness_errors *out, const struct robustness_plan *plan,
                         const struct robustness_result *result, const struct robustness_reference *reference,
                         struct json_room *room);
/** The plan of a request on the data of a run. False with err; free its pictures in either case. */
bool study_robustness_plan(const struct invar_robustness_request *request, const struct invar_run *run,
                           struct robustness_plan *plan, struct invar_error *err);

#endif
