/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_OFFERED_H
#define BASE_OFFERED_H

#include "invar/array.h"

#define OFFERED_PREFIX "memory:"

/** A copy of an array that was offered (invar_npy_offer); with data false its type and shape alone. */
bool offered_read(struct invar_array *out, const char *name, bool data, struct invar_error *err);

#endif
