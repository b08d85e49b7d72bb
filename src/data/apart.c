/* SPDX-License-Identifier: Apache-2.0 */
/* Places that data are read from, and so are not written. */
#include "base/folder.h"
#include "data/source.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A file that is there below a folder of data, but for the kinds that are written beside data on purpose. */
static bool is_inside(const char *path, const char *folder)
{
    static const char *const written[] = {".npy", ".csv", ".html"};
    char file[PATH_MAX], root[PATH_MAX];
    const size_t length = strlen(path);

    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        if (length > strlen(written[i]) && strcmp(path + length - strlen(written[i]), written[i]) == 0)
            return false;
    if (!realpath(path, file) || !realpath(folder, root))
        return false;
    return strncmp(file, root, strlen(root)) == 0 && file[strlen(root)] == '/';
}

/* Whether the path is one of the files that a text names, itself or as a pattern. */
static bool is_named(const char *path, const char *text)
{
    struct data_shards shards = {0};
    bool named = false;

    if (!text[0] || !path[0])
        return false;
    data_shards_find(&shards, text, NULL);
    for (int i = 0; !named && i < shards.count; i++)
        named = path_is_same(path, shards.path[i]) || is_inside(path, shards.path[i]);
    data_shards_free(&shards);
    return named;
}

bool data_place_apart(const char *path, const char *option, const char *what, const char *files,
                      struct invar_error *err)
{
    return !path || !files || !is_named(path, files) ||
           invar_error_set(err, INVAR_ERROR_USAGE, "%s: %s holds the data themselves (%s is %s); choose another place",
                           option, path, what, files);
}

bool data_options_apart(const struct invar_data_options *options, const char *path, const char *option,
                        struct invar_error *err)
{
    const char *colon = strchr(options->source, ':');

    return data_place_apart(path, option, "data.source", colon ? colon + 1 : "", err) &&
           data_place_apart(path, option, "data.test", options->test, err) &&
           data_place_apart(path, option, "data.labels", options->labels, err) &&
           data_place_apart(path, option, "data.test_labels", options->test_labels, err) &&
           data_place_apart(path, option, "data.metadata", options->metadata, err);
}
