/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_GZIP_H
#define INVAR_BASE_GZIP_H

#include "invar/error.h"
#include <stdint.h>
#include <zlib.h>

/** Whether all that was read of a stream was sound; else false with err: truncated, damaged, not readable. */
bool gzip_sound(gzFile stream, const char *path, struct invar_error *err);
/** How many bytes a file unpacks to, counted without keeping them and up to a few more than `most`. False with err
 * where it cannot be opened or is not sound so far. */
bool gzip_unpacked(const char *path, uint64_t most, uint64_t *size, struct invar_error *err);

#endif
