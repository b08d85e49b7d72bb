/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_WINDOWS_H
#define INVAR_EVAL_WINDOWS_H

#include "invar/data.h"

/** Windows as large as the encoder's input, half a window apart, over samples that are larger. */
struct windows {
    int64_t height, width; /**< of a window, in pixels; clips: width in samples, height 1 */
    int64_t hop[2];        /**< along both, half of it */
    uint8_t *room;         /**< [WINDOWS_BATCH] windows of images */
    size_t each;           /**< bytes of one */
};
enum { WINDOWS_BATCH = 64 };

/** info: what the encoder sees, and what samples are. False where such samples have no windows (tables), without an
 * error, or where memory is short, with one. Free with windows_close; a zeroed one may be closed. */
bool windows_open(struct windows *windows, const struct invar_dataset_info *info, struct invar_error *err);
void windows_close(struct windows *windows);
/** How many windows of a sample there are; 1: it is no larger than one, and its plain view is all of it. */
int64_t windows_count(const struct windows *windows, const struct invar_sample *sample);
/** Windows first .. first + count - 1 of a sample, rows from the top, as samples of their own; count at most
 * WINDOWS_BATCH. The last of a row ends where the sample ends. Valid until the next call. */
void windows_cut(struct windows *windows, const struct invar_sample *sample, int64_t first, int64_t count,
                 struct invar_sample *out);

#endif
