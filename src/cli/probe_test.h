/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_PROBE_TEST_H
#define INVAR_CLI_PROBE_TEST_H

#include "cli/run.h"
#include "invar/data.h"

/**
 * Other data to be tested on: all of a source, or its own test split, with the classes of the training data by name
 * (invar_classes_match); label: a field as in --label, or NULL. Refused: data without labels, a class with samples
 * that the training data lack (unless they are dropped), no samples that are left.
 */
struct cli_test *cli_test_open(const struct cli_run *run, const char *source, const char *label, bool drop,
                               struct invar_error *err);
void cli_test_close(struct cli_test *test);
/** The other data, and the split of them that is measured on. */
const struct invar_dataset *cli_test_dataset(const struct cli_test *test, enum invar_split *split);
/** Samples that are measured on, or were dropped with their class, and all of them, those without a label too. */
void cli_test_count(const struct cli_test *test, int64_t *labelled, int64_t *samples);
/** What cli_run_embed gives for the test split of a run with other test data. */
bool cli_test_embed(const struct cli_run *run, const struct invar_encoder *encoder, struct invar_embedded *out,
                    struct invar_error *err);
/** Where a run has other test data, results are called NAME->SOURCE and get "test", with the mapping of classes. */
void cli_test_note(const struct cli_run *run, cJSON *results);
/** The same for people; nothing where there are none. */
void cli_test_print(const struct cli_run *run);

#endif
