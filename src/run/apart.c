/* SPDX-License-Identifier: Apache-2.0 */
/* Places that a run or its data are read from, and so are not written. */
#include "run/apart.h"
#include "base/folder.h"
#include "data/source.h"
#include "invar/train.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Whether a file is one of the run's: what lies beside them, as arrays, pages and exports do, is none. */
static bool is_own(const char *folder, const char *path)
{
    static const char *const names[] = {"*.yaml",
                                        "*.json",
                                        "*.jsonl",
                                        "events.out.tfevents.*",
                                        "checkpoint-*.safetensors",
                                        "encoder.safetensors",
                                        "projector.safetensors",
                                        "classifier.safetensors",
                                        "generator.safetensors",
                                        "agent.safetensors"};
    char file[PATH_MAX];

    if (!realpath(path, file))
        return false;
    char *slash = strrchr(file, '/');
    *slash = '\0';
    if (!path_is_same(file, folder))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fnmatch(names[i], slash + 1, 0) == 0)
            return true;
    return false;
}

bool run_place_apart(const char *folder, const struct invar_run_options *how, const char *path, const char *option,
                     struct invar_error *err)
{
    struct invar_data_options data;

    if (path && is_own(folder, path))
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: %s is a file of the run itself; choose another place",
                               option, path);
    struct invar_recipe *recipe = invar_run_recipe(folder, NULL, 0, NULL);
    invar_options_default(invar_data_option_table, &data);
    if (recipe)
        data = recipe->data;
    invar_recipe_free(recipe);
    bool ok = data_options_apart(&data, path, option, err);
    if (how && how->source)
        invar_data_options_source(&data, how->source, NULL);
    for (int i = 0; how && i < how->setting_count; i++)
        invar_options_set(invar_data_option_table, &data, how->settings[i], NULL);
    return ok && data_options_apart(&data, path, option, err);
}
