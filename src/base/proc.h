/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_PROC_H
#define INVAR_BASE_PROC_H

#include <stdint.h>

/** Bytes that a file of /proc gives in a line "KEY: N kB"; 0 where it does not say. */
int64_t proc_bytes(const char *path, const char *key);

#endif
