/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that names recipe.yaml, and opens it. */
#include "train/recipe_file.h"
#include "train/recipe.h"

enum { LARGEST = 1 << 20 };

static bool find(const char *folder, struct recipe_file *out, struct invar_error *err)
{
    *out = (struct recipe_file){0};
    return invar_path_join(out->path, sizeof out->path, folder, "recipe.yaml", err) &&
           invar_path_find(out->path, &out->there, err);
}

bool recipe_file_read(const char *folder, struct recipe_file *out, struct invar_error *err)
{
    return find(folder, out, err) && (!out->there || (invar_path_is_file(out->path, err) &&
                                                      invar_file_read(&out->text, out->path, LARGEST, err)));
}

bool recipe_file_node(const char *folder, struct invar_node **out, struct invar_error *err)
{
    struct recipe_file file;

    *out = NULL;
    if (!find(folder, &file, err))
        return false;
    if (file.there && invar_path_is_file(file.path, err))
        *out = invar_node_read(file.path, err);
    if (!*out || invar_node_is_mapping(*out))
        return *out || !file.there;
    invar_node_free(*out);
    *out = NULL;
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is no recipe (a mapping of options), so no option is known",
                           file.path);
}

bool recipe_file_write(const char *folder, const struct invar_text *text, struct invar_error *err)
{
    struct recipe_file file;

    return find(folder, &file, err) && invar_file_write(file.path, text->data, text->size, err);
}

struct invar_recipe *recipe_file_load(const char *folder, const char *const *settings, int count,
                                      struct invar_error *err)
{
    struct recipe_file file;
    struct invar_node *root;
    struct invar_recipe *recipe = NULL;

    if (!recipe_file_node(folder, &root, err) || !find(folder, &file, err))
        return NULL;
    if (!root)
        invar_error_set(err, INVAR_ERROR_FILE, "%s: there is no such file; expected the recipe that pretraining writes",
                        file.path);
    else if (recipe_override(root, settings, count, err))
        recipe = recipe_of(root, invar_node_origin(root), err);
    invar_node_free(root);
    return recipe;
}
