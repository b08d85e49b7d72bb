/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_STREAM_H
#define INVAR_BASE_STREAM_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Opens a regular file for reading and says how many bytes it has. NULL with err when it is missing, unreadable, a
 * folder or a device. Close with fclose. */
FILE *stream_open(const char *path, uint64_t *size, struct invar_error *err);

/** What a file begins with, at most size bytes of it; how many. 0 where there is no regular file that can be read. */
size_t stream_begin(const char *path, void *out, size_t size);

/** Reads exactly size bytes; a file that ends before is refused as truncated. */
bool stream_read(FILE *stream, void *data, size_t size, const char *path, struct invar_error *err);

#endif
