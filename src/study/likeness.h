/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_LIKENESS_H
#define INVAR_STUDY_LIKENESS_H

#include "invar/run.h"

/**
 * CKA [CK2] of h of every two of count finished runs, on the same samples (at most `wanted`, evenly spaced) of the test
 * split, of the training split where there is none: out [count][count], host. *samples: how many. Refused: runs of
 * different data, and fewer than four samples.
 */
bool study_likeness(const char *const *folders, int count, int64_t wanted, const struct invar_run_options *how,
                    double *out, int64_t *samples, struct invar_error *err);

#endif
