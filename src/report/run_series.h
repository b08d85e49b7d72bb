/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_RUN_SERIES_H
#define INVAR_REPORT_RUN_SERIES_H

#include "report/run.h"

/**
 * Reads metrics.jsonl into run->series. False with a sentence for a file that is not ours (what stands before the
 * foreign line is kept); a last line that is being written is passed over.
 */
bool report_series_read(struct report_run *run, const char *path, struct invar_error *err);
void report_series_free(struct report_run *run);

#endif
