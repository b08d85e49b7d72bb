/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_PROBE_H
#define INVAR_CLI_PROBE_H

#include "cli/run.h"
#include "invar/data.h"

enum { PROBE_MAX_LABELS = 16 };

/** Of which training samples the labels are used. */
struct probe_labels {
    const char *text;  /**< as given: "all", "20", "1%" */
    int64_t per_class; /**< 0: fraction of every class; both 0: all */
    double fraction;
};

struct probe_settings {
    const char *label, *hold_out; /**< a field, a condition on one; NULL: as the data are */
    bool neighbours;              /**< else linear */
    struct invar_probe_options linear;
    struct invar_neighbours_options knn;
    int label_count;
    struct probe_labels labels[PROBE_MAX_LABELS];
    int64_t draws;       /**< of few labels */
    bool held_out_given; /**< of linear; else few labels have a default of their own */
};

/** Results by name, in the order of measuring, as they go into probe.json. */
struct probe_report {
    cJSON *results;
};

/** Refuses data without labels of two classes or without one of the splits. */
bool probe_check_labels(const struct invar_dataset_info *info, struct invar_error *err);
/** One probe of given features as the JSON object of probe.json; NULL with err. */
cJSON *probe_measure(const struct invar_embedded *train, const struct invar_embedded *test,
                     const struct invar_dataset_info *info, const struct probe_settings *settings,
                     struct invar_error *err);
/** "20", "1%" or "all"; text stays borrowed. */
bool probe_labels_read(struct probe_labels *out, const char *text, struct invar_error *err);
/** The linear probe with few labels, several draws of them: mean accuracy and its interval. */
cJSON *probe_measure_few(const struct invar_embedded *train, const struct invar_embedded *test,
                         const struct invar_dataset_info *info, const struct probe_settings *settings,
                         const struct probe_labels *labels, struct invar_error *err);
/** Takes the result. */
void probe_report_add(struct probe_report *report, const char *name, cJSON *result);
/** Text for people. */
void probe_report_print(const struct probe_report *report, const struct probe_settings *settings,
                        const struct invar_dataset_info *info);

/** An encoder that was trained on labels. */
struct probe_supervised;
/**
 * Trains the run's encoder anew, with a linear head on the labels of all training samples but a held-out part
 * (settings->linear.held_out and seed), for the steps of the run; keeps the state with the best held-out accuracy.
 * NULL with err (INVAR_ERROR_INTERRUPTED after Ctrl-C). Free with probe_supervised_free.
 */
struct probe_supervised *probe_supervised_train(struct cli_run *run, const struct probe_settings *settings,
                                                struct invar_error *err);
void probe_supervised_free(struct probe_supervised *supervised);
const struct invar_encoder *probe_supervised_encoder(const struct probe_supervised *supervised);
/** Adds how it was trained to a result, as "training". */
void probe_supervised_describe(const struct probe_supervised *supervised, cJSON *result);

#endif
