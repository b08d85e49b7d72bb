/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_BASE_NPY_H
#define INVAR_SRC_BASE_NPY_H

#include <stdbool.h>

/** The file holds truth values, which are read as uint8 of 0 and 1. False of what is no such file. */
bool npy_is_bool(const char *path);

#endif
