/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_RECIPE_FILE_H
#define INVAR_TRAIN_RECIPE_FILE_H

#include "invar/expert/file.h"
#include "invar/train.h"

/** FOLDER/recipe.yaml, which one file alone names: src/train/recipe_file.c. */
struct recipe_file {
    char path[4096];
    bool there;
    struct invar_bytes text; /**< where it is there; ends with a NUL */
};
/** False with err where it cannot be read. Free the text with invar_bytes_free in either case. */
bool recipe_file_read(const char *folder, struct recipe_file *out, struct invar_error *err);
/** As it is written, whatever version wrote it; NULL where there is none. False with err for what is no mapping. */
bool recipe_file_node(const char *folder, struct invar_node **out, struct invar_error *err);
/** Whole or not at all. */
bool recipe_file_write(const char *folder, const struct invar_text *text, struct invar_error *err);
/** As invar_recipe_load. NULL with err, also where it is not there. */
struct invar_recipe *recipe_file_load(const char *folder, const char *const *settings, int count,
                                      struct invar_error *err);

#endif
