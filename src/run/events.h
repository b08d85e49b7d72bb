/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_EVENTS_H
#define INVAR_RUN_EVENTS_H

#include "run/settings.h"
#include <stddef.h>
#include <stdint.h>

/** A TensorBoard event file: TFRecords of Event messages. */
struct event_file;
/** Creates events.out.tfevents.SECONDS.HOST.PID[.N] in the folder, a name that was free, with the version event. */
struct event_file *event_file_create(const char *folder, struct invar_error *err);
/** What was written is on the disk. */
bool event_file_sync(struct event_file *file, struct invar_error *err);
void event_file_close(struct event_file *file);
/** One event with a scalar a value; values that are not finite are left out. */
bool event_file_write(struct event_file *file, int64_t step, const char *const *names, const double *values, int count,
                      struct invar_error *err);

/** A picture, encoded as PNG, of that many channels (1 or 3). */
bool event_file_picture(struct event_file *file, int64_t step, const char *tag, const uint8_t *encoded, size_t size,
                        int height, int width, int channels, struct invar_error *err);
/** Hyperparameters of the run: numbers, true and false, and texts by name. Runs of one group are repetitions. */
bool event_file_settings(struct event_file *file, const char *group, const struct run_setting *settings, int count,
                         struct invar_error *err);

struct invar_metrics;
/** The event file of the metrics; it stays theirs. */
struct event_file *metrics_events(struct invar_metrics *metrics);

/** CRC-32C (Castagnoli), as TFRecord uses it. */
uint32_t crc32c(const void *data, size_t size);
/** TFRecord's mask, so that a checksum of data with checksums in it stays useful. */
uint32_t crc32c_mask(uint32_t crc);

#endif
