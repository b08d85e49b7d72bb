/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_INSPECT_RESULTS_H
#define INVAR_STUDY_INSPECT_RESULTS_H

#include "base/json_table.h"
#include "invar/results.h"

/** Takes the inspection. NULL with err. */
struct invar_inspect_results *study_inspect_results_create(struct invar_inspection *inspection,
                                                           const struct invar_inspect_options *options,
                                                           struct invar_error *err);
struct json_room *study_inspect_results_room(struct invar_inspect_results *results);
/** Members of inspect.json into an object that is open. */
void study_inspect_results_put(const struct invar_inspect_results *results, struct json_writer *w);
/** As invar_inspect_results_read; advice: what an error ends with, ", so ..". */
struct invar_inspect_results *study_inspect_results_read(const char *folder, const char *advice,
                                                         struct invar_error *err);
/** Puts them into FOLDER/inspect.json, over what is there; NULL: only looks whether that can be. */
bool study_inspect_results_keep(const struct invar_inspect_results *results, const char *folder,
                                struct invar_error *err);
/** A number by its path: "samples", "z.effective_rank". NAN: none. */
double study_inspect_results_number(const struct invar_inspect_results *results, const char *path);

#endif
