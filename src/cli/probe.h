/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_PROBE_H
#define INVAR_CLI_PROBE_H

#include "cli/cli.h"
#include "invar/data.h"

struct probe_settings {
    bool neighbours; /**< else linear */
    struct invar_probe_options linear;
    struct invar_neighbours_options knn;
};

/** Results by name, in the order of measuring, as they go into probe.json. */
struct probe_report {
    cJSON *results;
};

/** One probe of given features as the JSON object of probe.json; NULL with err. */
cJSON *probe_measure(const struct invar_embedded *train, const struct invar_embedded *test,
                     const struct invar_dataset_info *info, const struct probe_settings *settings,
                     struct invar_error *err);
/** Takes the result. */
void probe_report_add(struct probe_report *report, const char *name, cJSON *result);
/** Text for people. */
void probe_report_print(const struct probe_report *report, const struct invar_dataset_info *info);

#endif
