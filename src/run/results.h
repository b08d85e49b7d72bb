/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_RESULTS_H
#define INVAR_RUN_RESULTS_H

#include "invar/run.h"
#include <cjson/cJSON.h>

struct invar_results {
    cJSON *root; /**< an object */
};
/** An empty one. */
struct invar_results *run_results_create(struct invar_error *err);

/** Adds "data" and "data_identity": which data a result is about, and what was in them (invar_data_identity_same). */
void run_add_data(const struct invar_dataset_info *info, cJSON *object);
/** Adds "machine" to a result: what it was computed on; with the precision that it says itself, else float32. */
bool run_add_machine(const struct invar_run *run, cJSON *result, struct invar_error *err);

/**
 * Puts items of `results` into the JSON object in FOLDER/NAME (made when there is none), over items of the same name;
 * every other item stays. A file that holds no JSON object is refused and left alone. NULL results: only the check.
 */
bool run_results_merge(const char *folder, const char *name, const cJSON *results, struct invar_error *err);
/** The object takes the place of FOLDER/NAME, whole or not at all. */
bool run_results_write(const char *folder, const char *name, const cJSON *results, struct invar_error *err);
/** The JSON object in FOLDER/NAME, an empty one where there is no such file; NULL, as above, for anything else. */
cJSON *run_results_read(const char *folder, const char *name, struct invar_error *err);

/** Where a run has other test data, results are called NAME->SOURCE and get "test", with the mapping of classes. */
void run_test_note(const struct invar_run *run, cJSON *results);
/** Samples of the other test data that are measured on, or were dropped with their class, and all of them, those
 * without a label too. */
void run_test_count(const struct invar_run_test *test, int64_t *labelled, int64_t *samples);

#endif
