/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_EVENTS_H
#define INVAR_REPORT_EVENTS_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

/** A TensorBoard event file: TFRecords of Event messages with scalars. */
struct event_file;
/** Creates events.out.tfevents.SECONDS.HOST.PID[.N] in the folder, a name that was free, with the version event. */
struct event_file *event_file_create(const char *folder, struct invar_error *err);
void event_file_close(struct event_file *file);
/** One event with a scalar a value; values that are not finite are left out. */
bool event_file_write(struct event_file *file, int64_t step, const char *const *names, const double *values, int count,
                      struct invar_error *err);

/** CRC-32C (Castagnoli), as TFRecord uses it. */
uint32_t crc32c(const void *data, size_t size);
/** TFRecord's mask, so that a checksum of data with checksums in it stays useful. */
uint32_t crc32c_mask(uint32_t crc);

#endif
