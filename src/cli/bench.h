/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_BENCH_H
#define INVAR_CLI_BENCH_H

#include "invar/train.h"

/**
 * Random data of the kind that a recipe is for (images, rows of a table, clips), so that a benchmark needs no data set;
 * the time of a step does not depend on what the numbers are. A temporary folder is made below TMPDIR, its path put
 * into folder[size]; it is gone after bench_data_remove, which is to be called whatever this returned.
 */
bool bench_data_make(const struct invar_recipe *recipe, char *folder, size_t size, struct invar_error *err);
/** The data section of the recipe becomes that of the data in the folder, of the size that the recipe asks for. */
void bench_data_use(struct invar_recipe *recipe, const char *folder);
/** An empty path is accepted. */
void bench_data_remove(const char *folder);

#endif
