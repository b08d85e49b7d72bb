/* SPDX-License-Identifier: Apache-2.0 */
/* Refinement groups: which row of a metadata table is about which sample, and the values of a column as numbers. */
#include "data/groups.h"

#include "data/table/csv.h"
#include "invar/log.h"
#include "invar/memory.h"
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

/* ---- which row belongs to an item ---- */

/* Whether the table is about an item: about those of the files that training samples are from. */
static bool is_about(const struct data_source *source, int64_t item)
{
    return source->divided || source->split[item] == INVAR_TRAIN;
}

struct named {
    const char *name;
    int64_t item;
};

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* "FOLDER/NAME" without putting it together. */
struct wanted {
    const char *folder, *name;
};

static int compare_wanted(const void *key, const void *entry)
{
    const struct wanted *wanted = key;
    const struct named *named = entry;
    size_t length = strlen(wanted->folder);
    int order = strncmp(wanted->folder, named->name, length);

    return order ? order : strcmp(wanted->name, named->name + length);
}

static const struct named *find_item(const struct named *items, int64_t count, const char *name)
{
    const struct named *found = NULL;
    static const char *const folders[] = {"", "train/"}; /* as `images` calls them, and as Hugging Face's table does */

    while (strncmp(name, "./", 2) == 0)
        name += 2;
    for (size_t i = 0; !found && i < sizeof folders / sizeof *folders; i++) {
        const struct wanted wanted = {folders[i], name};
        found = bsearch(&wanted, items, (size_t)count, sizeof *items, compare_wanted);
    }
    return found;
}

struct stray { /* rows that name no sample */
    int64_t count, first;
};

static bool refuse_missing(const struct data_csv *csv, const struct data_source *source, const int64_t *row, int column,
                           const struct stray *stray, struct invar_error *err)
{
    int64_t missing = 0, first = -1;
    char hint[512] = "";

    for (int64_t i = 0; i < source->count; i++)
        if (source->split[i] == INVAR_TRAIN && row[i] < 0 && missing++ == 0)
            first = i;
    if (missing == 0)
        return true;
    if (stray->count > 0)
        snprintf(hint, sizeof hint, "; line %lld names \"%.400s\", which is none of them",
                 (long long)data_csv_line(csv, stray->first), data_csv_cell(csv, stray->first, column));
    return invar_error_set(
        err, INVAR_ERROR_DATA,
        "%s: %lld training samples have no row, the first is %s: every one needs a row with its path "
        "in file_name%s",
        csv->path, (long long)missing, source->name(source, first), hint);
}

static bool match_names(const struct data_csv *csv, const struct data_source *source, int64_t *row,
                        struct invar_error *err)
{
    struct stray stray = {0};
    struct named *items = NULL;
    bool ok = false;
    int column = data_csv_column(csv, "file_name", "which says what sample a row is about", err);

    if (column < 0)
        return false;
    items = invar_alloc((size_t)source->count, sizeof *items, err);
    if (!items)
        return false;
    for (int64_t i = 0; i < source->count; i++)
        items[i] = (struct named){source->name(source, i), i};
    qsort(items, (size_t)source->count, sizeof *items, compare_named);
    for (int64_t r = 0; r < csv->rows; r++) {
        const struct named *found = find_item(items, source->count, data_csv_cell(csv, r, column));
        if (!found) {
            stray.first = stray.count++ ? stray.first : r;
        } else if (row[found->item] >= 0) {
            invar_error_set(err, INVAR_ERROR_DATA, "%s, line %lld: is about %s, as line %lld is; keep one of them",
                            csv->path, (long long)data_csv_line(csv, r), found->name,
                            (long long)data_csv_line(csv, row[found->item]));
            goto done;
        } else {
            row[found->item] = r;
        }
    }
    ok = refuse_missing(csv, source, row, column, &stray, err);
    if (ok && stray.count > 0)
        invar_log(INVAR_LOG_WARNING, "%s: %lld rows name no sample, the first stands in line %lld: \"%s\"", csv->path,
                  (long long)stray.count, (long long)data_csv_line(csv, stray.first),
                  data_csv_cell(csv, stray.first, column));
done:
    invar_free(items);
    return ok;
}

static bool match_order(const struct data_csv *csv, const struct data_source *source, const char *name, int64_t *row,
                        struct invar_error *err)
{
    int64_t samples = 0;

    for (int64_t i = 0; i < source->count; i++)
        if (is_about(source, i))
            row[i] = samples++;
    if (samples == csv->rows)
        return true;
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: %lld rows below the header for the %lld %ssamples of %s: one row a sample is "
                           "expected, in the order of the source",
                           csv->path, (long long)csv->rows, (long long)samples,
                           samples < source->count ? "training " : "", name);
}

/* ---- values as numbers ---- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool keep_names(struct data_groups *groups, const char *const *values, struct invar_error *err)
{
    size_t size = 0, at = 0;

    for (int64_t g = 0; g < groups->count; g++)
        size += strlen(values[g]) + 1;
    groups->text = invar_alloc(size, 1, err);
    groups->name = invar_alloc((size_t)groups->count, sizeof *groups->name, err);
    if (!groups->text || !groups->name)
        return false;
    for (int64_t g = 0; g < groups->count; g++) {
        groups->name[g] = at;
        at += strlen(strcpy(groups->text + at, values[g])) + 1;
    }
    return true;
}

/* Distinct values sorted by their bytes, so that the order of rows decides nothing. */
static bool number_values(struct data_groups *groups, const struct data_csv *csv, int column, const int64_t *row,
                          int64_t items, struct invar_error *err)
{
    int64_t used = 0;
    bool ok = false;
    const char **values = invar_alloc((size_t)items, sizeof *values, err);

    if (!values)
        return false;
    for (int64_t i = 0; i < items; i++)
        if (row[i] >= 0)
            values[used++] = data_csv_cell(csv, row[i], column);
    qsort(values, (size_t)used, sizeof *values, compare_text);
    for (int64_t i = 0; i < used; i++)
        if (groups->count == 0 || strcmp(values[groups->count - 1], values[i]) != 0)
            values[groups->count++] = values[i];
    if (!keep_names(groups, values, err))
        goto done;
    for (int64_t i = 0; i < items; i++) {
        groups->of[i] = -1;
        if (row[i] < 0)
            continue;
        const char *value = data_csv_cell(csv, row[i], column);
        const char **found = bsearch(&value, values, (size_t)groups->count, sizeof *values, compare_text);
        groups->of[i] = found - values;
    }
    ok = true;
done:
    invar_free(values);
    return ok;
}

static bool check_values(const struct data_csv *csv, int column, const char *name, struct invar_error *err)
{
    for (int64_t r = 0; r < csv->rows; r++)
        if (!*data_csv_cell(csv, r, column))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s, line %lld: the column \"%s\" is empty: every sample needs a group", csv->path,
                                   (long long)data_csv_line(csv, r), name);
    return true;
}

bool data_groups_constant(const char *value, const struct invar_data_options *options, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "data.group=%s: every training sample has the value \"%s\", and the probability of the only "
                           "group there is is 1, so loss and gradient would be 0: name a column that tells samples "
                           "apart",
                           options->group, value);
}

/* ---- the table ---- */

/* data.metadata, or what lies in the folder of the source. */
static bool find_table(const struct invar_data_options *options, char *path, struct invar_error *err)
{
    static const char *const places[] = {"train/metadata.csv", "metadata.csv"};
    const char *colon = strchr(options->source, ':');
    const char *folder = colon ? colon + 1 : NULL;

    if (options->metadata[0]) {
        snprintf(path, PATH_SIZE, "%s", options->metadata);
        return true;
    }
    for (size_t i = 0; folder && i < sizeof places / sizeof *places; i++) {
        if (!invar_path_join(path, PATH_SIZE, folder, places[i], err))
            return false;
        if (invar_path_exists(path))
            return true;
    }
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "data.group is \"%s\", but data.metadata is not set and there is no metadata.csv in the "
                           "folder of %s: name the table with data.metadata=FILE.csv",
                           options->group, options->source);
}

bool data_groups_read(struct data_groups *groups, const struct data_source *source,
                      const struct invar_data_options *options, struct invar_error *err)
{
    struct data_csv csv = {0};
    char path[PATH_SIZE];
    int64_t *row = NULL; /* [items], -1: none */
    bool ok = false;

    if (!find_table(options, path, err) || !data_csv_read(&csv, path, err))
        goto done;
    const int column = data_csv_column(&csv, options->group, "the one of data.group", err);
    if (column < 0 || !check_values(&csv, column, options->group, err))
        goto done;
    row = invar_alloc((size_t)source->count, sizeof *row, err);
    groups->of = invar_alloc((size_t)source->count, sizeof *groups->of, err);
    if (!row || !groups->of)
        goto done;
    for (int64_t i = 0; i < source->count; i++)
        row[i] = -1;
    if (!(source->name ? match_names(&csv, source, row, err) : match_order(&csv, source, options->source, row, err)) ||
        !number_values(groups, &csv, column, row, source->count, err))
        goto done;
    ok = groups->count != 1 || data_groups_constant(data_groups_name(groups, 0), options, err);
done:
    invar_free(row);
    data_csv_free(&csv);
    return ok;
}

void data_groups_free(struct data_groups *groups)
{
    invar_free(groups->of);
    invar_free(groups->text);
    invar_free(groups->name);
    *groups = (struct data_groups){0};
}
