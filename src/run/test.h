/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_TEST_H
#define INVAR_RUN_TEST_H

#include "invar/run.h"

void run_test_close(struct invar_run_test *test);
/** What invar_run_embed gives for the test split of a run with other test data. */
bool run_test_embed(const struct invar_run *run, const struct invar_encoder *encoder, struct invar_embedded *out,
                    struct invar_error *err);
/** Whether classes of other test data are several of training. */
bool run_test_is_merged(const struct invar_run_test *test);
/**
 * scores: float32 [rows][classes of training]. of_test: classes that the test data have not get the lowest score there
 * is. Where a label stands for several classes of training it becomes the one of them with the largest score.
 */
void run_test_compete(const struct invar_run_test *test, bool of_test, const struct invar_matrix *scores,
                      int64_t *labels);

#endif
