/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_H
#define INVAR_REPORT_H

#include "invar/error.h"
#include <stdint.h>

/** An 8-bit PNG of pixels[height][width][channels], channels 1 (gray) or 3; written beside its place and renamed. */
bool invar_picture_write(const char *path, const uint8_t *pixels, int height, int width, int channels,
                         struct invar_error *err);

/** metrics.jsonl and TensorBoard events of one run. */
struct invar_metrics;

/**
 * Opens (or creates) metrics.jsonl in the folder and begins a new event file beside it. Lines after step `from_step`
 * are cut off (a resumed run writes them again), and so is a torn last line; a file with other lines that are not
 * metrics is refused.
 */
struct invar_metrics *invar_metrics_open(const char *folder, int64_t from_step, struct invar_error *err);
void invar_metrics_close(struct invar_metrics *metrics);
/**
 * One JSON line {"step":..,"epoch":..,NAME:VALUE,..} (numbers so that reading gives the same double; NaN and Inf as
 * null), flushed, and one event with a scalar a value (float32; NaN and Inf left out). names are UTF-8.
 */
bool invar_metrics_write(struct invar_metrics *metrics, int64_t step, double epoch, const char *const *names,
                         const double *values, int count, struct invar_error *err);

#endif
