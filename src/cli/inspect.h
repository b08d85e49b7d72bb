/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_INSPECT_H
#define INVAR_CLI_INSPECT_H

#include "invar/inspect.h"

/** Sections and warnings for people, on standard output. */
void inspect_print(const struct invar_inspection *inspection);

#endif
