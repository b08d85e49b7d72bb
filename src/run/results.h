/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_RESULTS_H
#define INVAR_RUN_RESULTS_H

#include "base/json_table.h"
#include "invar/results.h"
#include "invar/run.h"
#include <cjson/cJSON.h>

struct invar_results {
    cJSON *root; /**< an object */
};
/** An empty one. */
struct invar_results *run_results_create(struct invar_error *err);

/** Adds "data" and "data_identity": which data a result is about, and what was in them (invar_data_identity_same). */
void run_add_data(const struct invar_dataset_info *info, cJSON *object);
/** Members of struct invar_measured_on. */
extern const struct json_table run_machine_table;
/** What a result was computed on, in that precision (a name; NULL: float32), into *out. */
bool run_measured_on(const struct invar_run *run, const char *precision, struct json_room *room,
                     const struct invar_measured_on **out, struct invar_error *err);

/**
 * Puts members of the JSON object `text` into the one in FOLDER/NAME (made when there is none), over those of the same
 * name; every other one stays. A file that holds no JSON object is refused and left alone. NULL: only the check.
 */
bool run_results_merge(const char *folder, const char *name, const char *text, struct invar_error *err);
/** The text takes the place of FOLDER/NAME, whole or not at all. */
bool run_results_write(const char *folder, const char *name, const char *text, struct invar_error *err);
/** The JSON object in FOLDER/NAME, an empty one where there is no such file; NULL, as above, for anything else. */
cJSON *run_results_read(const char *folder, const char *name, const char *advice, struct invar_error *err);
/** advice of those who add to the file. */
#define RUN_RESULTS_ADDED ", so results cannot be added to it; move it away and try again"

/** The other test data of a run, with the mapping of classes; NULL: there are none, or memory is short. */
const struct invar_probed_test *run_test_describe(const struct invar_run *run, const char *compete,
                                                  struct json_room *room);
/** Samples of the other test data that are measured on, or were dropped with their class, and all of them, those
 * without a label too. */
void run_test_count(const struct invar_run_test *test, int64_t *labelled, int64_t *samples);

#endif
