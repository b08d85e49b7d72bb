/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_APART_H
#define INVAR_RUN_APART_H

#include "invar/run.h"

/** Every verb asks this of a place that it is to write to, given as `option`. Refused: files that data are read from,
 * those of the run or those that it is opened with (NULL: as it was trained), and those that training and measuring
 * left in its folder. A run without a recipe that can be read names no data; what is wrong with `how` is for who opens
 * it to say. */
bool run_place_apart(const char *folder, const struct invar_run_options *how, const char *path, const char *option,
                     struct invar_error *err);

#endif
