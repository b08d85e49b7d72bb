/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_TEST_H
#define INVAR_RUN_TEST_H

#include "invar/run.h"

void run_test_close(struct invar_run_test *test);
/** What invar_run_embed gives for the test split of a run with other test data. */
bool run_test_embed(const struct invar_run *run, const struct invar_encoder *encoder, struct invar_embedded *out,
                    struct invar_error *err);

#endif
