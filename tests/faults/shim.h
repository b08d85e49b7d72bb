/* SPDX-License-Identifier: Apache-2.0 */
/* Between shim.c, which decides what fails, and the functions that it stands in front of. */
#ifndef FAULTS_SHIM_H
#define FAULTS_SHIM_H

#include <stdbool.h>

enum shim_kind { SHIM_ALLOC, SHIM_FILE };

/** Counts one call of that kind by the code at `caller`, where that is invar or one of its C libraries. True when it is
 * this one that fails; of files errno is then set, to `reason` unless the user asked for another. */
bool shim_fails(enum shim_kind kind, const void *caller, const char *name, int reason);
/** That code counts. */
bool shim_counts(const void *caller);

#define SHIM_CALLER __builtin_extract_return_addr(__builtin_return_address(0))

#endif
