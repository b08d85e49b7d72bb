/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments that name runs, or features in their place. */
#include "cli/run.h"
#include "data/source.h"
#include "invar/expert/file.h"

#include <errno.h>
#include <sys/stat.h>

#include <string.h>

static bool ends(const char *text, const char *ending)
{
    const size_t length = strlen(text), size = strlen(ending);

    return length > size && strcmp(text + length - size, ending) == 0;
}

bool cli_is_features(const char *name)
{
    return ends(name, ".npy");
}

const char *cli_take_label_file(struct cli_list *labels)
{
    static const char *const endings[] = {".npy", ".csv", ".tsv", ".csv.gz", ".tsv.gz"};
    const char *file = NULL;
    int kept = 0;

    for (int i = 0; i < labels->count; i++) {
        bool is_file = false;
        for (size_t e = 0; e < sizeof endings / sizeof *endings; e++)
            is_file = is_file || ends(labels->item[i], endings[e]);
        if (is_file)
            file = labels->item[i];
        else
            labels->item[kept++] = labels->item[i];
    }
    labels->count = kept;
    return file;
}

void cli_take_data(struct cli_list *assignments, struct cli_list *data)
{
    int kept = 0;

    for (int i = 0; i < assignments->count; i++) {
        if (strncmp(assignments->item[i], "data.", 5) == 0)
            data->item[data->count++] = assignments->item[i] + 5;
        else
            assignments->item[kept++] = assignments->item[i];
    }
    assignments->count = kept;
}

/* Whether KEY=VALUE is of one of "data.KEY, data.OTHER". */
static bool is_among(const char *assignment, const char *keys)
{
    const size_t length = strcspn(assignment, "=");

    for (const char *key = keys; (key = strstr(key, "data.")); key++)
        if (strcspn(key + 5, ",") == length && strncmp(assignment, key + 5, length) == 0)
            return true;
    return false;
}

bool cli_check_data(const struct cli_list *data, const char *source, const char *always, struct invar_error *err)
{
    for (int i = 0; i < data->count; i++) {
        const char *item = data->item[i];
        if (!is_among(item, always) && !(source && data_options_of_set(item)))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "data.%s: the data are as the run was trained on them; here may change: %s%s"
                                   "what is of one set of samples alone (its labels, groups, test split) of --data "
                                   "SOURCE",
                                   item, always, *always ? ", and " : "");
    }
    return true;
}

bool cli_make_run_folder(const char *name, char *out, size_t size, struct invar_error *err)
{
    if (!invar_folder_create("runs", err))
        return false;
    for (int number = 1; number < 1000000; number++) {
        if ((size_t)snprintf(out, size, "runs/%s-%d", name, number) >= size)
            break;
        if (mkdir(out, 0777) == 0)
            return true;
        if (errno != EEXIST)
            return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be made: %s", out, strerror(errno));
    }
    return invar_error_set(err, INVAR_ERROR_FILE, "no free folder runs/%s-N was found; name one with --run DIR", name);
}
