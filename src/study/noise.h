/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_NOISE_H
#define INVAR_STUDY_NOISE_H

#include "invar/train.h"

/**
 * Random data of the kind that a recipe is for (images, rows of a table, clips), so that a benchmark needs no data set;
 * the time of a step does not depend on what the numbers are. A temporary folder is made below TMPDIR, its path put
 * into folder[size], or where that is not empty the folder of that name, unless it is there; it is gone after
 * study_noise_remove, which is to be called whatever this returned.
 */
bool study_noise_make(const struct invar_recipe *recipe, char *folder, size_t size, struct invar_error *err);
/** The data section of the recipe becomes that of the data in the folder, of the size that the recipe asks for. */
void study_noise_use(struct invar_recipe *recipe, const char *folder);
/** An empty path is accepted. */
void study_noise_remove(const char *folder);

#endif
