/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_ROBUSTNESS_RESULTS_H
#define INVAR_STUDY_ROBUSTNESS_RESULTS_H

#include "base/json_table.h"
#include "invar/results.h"

enum { ROBUSTNESS_FORMAT = 1 };

/** With nothing in them. NULL with err. */
struct invar_robustness_results *study_robustness_results_create(struct invar_error *err);
struct json_room *study_robustness_results_room(struct invar_robustness_results *results);
void study_robustness_errors_clear(struct invar_robustness_errors *errors);
/** Members of robustness.json into an object that is open. */
void study_robustness_results_put(const struct invar_robustness_results *results, bool machine, struct json_writer *w);
/** As invar_robustness_results_read; advice: what an error ends with, ", so ..". */
struct invar_robustness_results *study_robustness_results_read(const char *folder, const char *advice,
                                                               struct invar_error *err);
/** In the place of FOLDER/robustness.json; NULL: only looks whether that can be. */
bool study_robustness_results_keep(const struct invar_robustness_results *results, const char *folder,
                                   struct invar_error *err);
/** A number by its path, "corruptions.fog.mean_error"; a corruption stands for its error. NAN: none. */
double study_robustness_results_number(const struct invar_robustness_results *results, const char *path);

#endif
