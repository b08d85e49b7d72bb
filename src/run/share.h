/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_SHARE_H
#define INVAR_RUN_SHARE_H

#include "invar/run.h"

/*
 * A run that several processes measure together. Samples are shared out among them where they pass through an encoder,
 * and all get the rows of all; whatever comes of these each makes for itself, to the same bits. So all follow one way,
 * and meet wherever rows are put together; one that fails by itself goes to invar_run_agree, where the others find it
 * at their next meeting. Without ranks all of this does nothing.
 */

/** Begins, where this one is ok, else err has its sentence: false on all where one is not, or has other data. */
bool run_share_begin(struct invar_run *run, struct invar_ranks *ranks, bool ok, struct invar_error *err);
/** The part of this one. */
struct invar_share run_share_of(const struct invar_run *run);
/** Of rows of the dataset that this one has embedded (ok; else err says why not) those of all, in their order; samples
 * behind the first `known` ones that were left out are left out by all. Frees them where it fails. */
bool run_share_rows(const struct invar_run *run, struct invar_dataset *dataset, int64_t known, bool ok,
                    struct invar_embedded *rows, struct invar_error *err);
/** Each number [count] becomes the sum over all. */
bool run_share_sum(const struct invar_run *run, bool ok, int64_t *numbers, int count, struct invar_error *err);

#endif
