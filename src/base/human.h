/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_HUMAN_H
#define INVAR_BASE_HUMAN_H

#include <stddef.h>

/* Numbers and names as people read them. */

/** "1.2 GiB"-like, into out[size]; returns out. */
const char *human_bytes(double bytes, char *out, size_t size);
/** "1 h 02 min", "3 min 05 s", "4.2 s" into out[size]; returns out. */
const char *human_duration(double seconds, char *out, size_t size);
/** The name, or the beginning of a very long one and how long it is, in one of eight buffers of the thread in turn. */
const char *human_name(const char *name);

#endif
