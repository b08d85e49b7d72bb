/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_WINDOWS_H
#define INVAR_EVAL_WINDOWS_H

#include "invar/data.h"

/** Windows as large as the encoder's input, half a window apart, over samples that are larger. */
struct windows {
    int64_t height, width; /**< of a window, in pixels; clips: width in samples, height 1 */
    int64_t hop[2];        /**< along both, half of it */
    uint8_t *room;         /**< windows of images lie here */
    size_t bytes, used;    /**< of it */
};

/** info: what the encoder sees, and what samples are; it has room for 256 windows of images of 8 bits a number. False
 * where such samples have no windows (tables), without an error, or where memory is short, with one. Free with
 * windows_close; a zeroed one may be closed. */
bool windows_open(struct windows *windows, const struct invar_dataset_info *info, struct invar_error *err);
void windows_close(struct windows *windows);
/** How many windows of a sample there are; 1: it is no larger than one, and its plain view is all of it. */
int64_t windows_count(const struct windows *windows, const struct invar_sample *sample);
/** Window `number` of a sample, rows from the top, as a sample of its own, valid until windows_clear. The last of a row
 * ends where the sample ends. False: there is no room for it beside those since windows_clear; there is for a first. */
bool windows_cut(struct windows *windows, const struct invar_sample *sample, int64_t number, struct invar_sample *out);
void windows_clear(struct windows *windows);

#endif
