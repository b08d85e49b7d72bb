/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_H
#define INVAR_REPORT_H

#include "invar/error.h"
#include <stdint.h>

/** metrics.jsonl and TensorBoard events of one run. */
struct invar_metrics;

/** Opens (or creates) both in the folder; lines of metrics.jsonl after step `from_step` are cut off (a resumed run
 * writes them again). */
struct invar_metrics *invar_metrics_open(const char *folder, int64_t from_step, struct invar_error *err);
void invar_metrics_close(struct invar_metrics *metrics);
/** One JSON line (numbers so that reading gives the same double; NaN and Inf as null) and one event a value. */
bool invar_metrics_write(struct invar_metrics *metrics, int64_t step, double epoch, const char *const *names,
                         const double *values, int count, struct invar_error *err);

#endif
