/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_PROBE_RESULTS_H
#define INVAR_STUDY_PROBE_RESULTS_H

#include "base/json_table.h"
#include "invar/results.h"

/** Empty results, which grow. NULL with err. */
struct invar_probe_results *study_probe_results_create(struct invar_error *err);
struct json_room *study_probe_results_room(struct invar_probe_results *results);
/** A new result with nothing in it, until the next one is added; NULL with err. */
struct invar_probed *study_probe_results_add(struct invar_probe_results *results, struct invar_error *err);
struct invar_probed *study_probe_results_at(struct invar_probe_results *results, int64_t i);
/** Nothing that was put into them was lost. */
bool study_probe_results_whole(const struct invar_probe_results *results, struct invar_error *err);

/** Members of probe.json into an object that is open. */
void study_probe_results_put(const struct invar_probe_results *results, bool machines, struct json_writer *w);
/** As invar_probe_results_read; advice: what an error ends with, ", so ..". */
struct invar_probe_results *study_probe_results_read(const char *folder, const char *advice, struct invar_error *err);
/** Puts them into FOLDER/probe.json, over results of the same name; all else in it stays. NULL: only looks whether
 * that can be. */
bool study_probe_results_keep(const struct invar_probe_results *results, const char *folder, struct invar_error *err);
/** A number of a result by its path, "linear.top5"; a result stands for its top1. *of: the result. NAN: none. */
double study_probe_results_number(const struct invar_probe_results *results, const char *path,
                                  const struct invar_probed **of);

#endif
