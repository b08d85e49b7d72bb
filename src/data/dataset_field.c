/* SPDX-License-Identifier: Apache-2.0 */
/* What else is known of every sample: a field of the source, or a column of its metadata. */
#include "data/dataset.h"

#include "invar/memory.h"
#include <string.h>

void invar_field_free(struct invar_field *field)
{
    for (int64_t v = 0; field->value && v < field->values; v++)
        invar_free(field->value[v]);
    invar_free(field->value);
    invar_free(field->of[INVAR_TRAIN]);
    invar_free(field->of[INVAR_TEST]);
    *field = (struct invar_field){0};
}

static bool field_alloc(const struct invar_dataset *dataset, int64_t values, struct invar_field *out,
                        struct invar_error *err)
{
    out->value = invar_alloc((size_t)values + 1, sizeof *out->value, err);
    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++)
        out->of[split] = invar_alloc((size_t)dataset->info.count[split] + 1, sizeof *out->of[split], err);
    return out->value && out->of[INVAR_TRAIN] && out->of[INVAR_TEST];
}

static bool add_value(struct invar_field *out, const char *value, struct invar_error *err)
{
    out->value[out->values] = invar_strdup(value, err);
    return out->value[out->values] && ++out->values;
}

static bool from_field(const struct invar_dataset *dataset, const struct data_field *field, struct invar_field *out,
                       struct invar_error *err)
{
    bool ok = field_alloc(dataset, field->values, out, err);

    for (int v = 0; ok && v < field->values; v++)
        ok = add_value(out, field->value[v], err);
    for (int split = INVAR_TRAIN; ok && split <= INVAR_TEST; split++)
        for (int64_t n = 0; n < dataset->info.count[split]; n++)
            out->of[split][n] = field->of[dataset->items[split][n]];
    return ok;
}

static bool from_groups(const struct invar_dataset *dataset, const struct data_groups *groups, struct invar_field *out,
                        struct invar_error *err)
{
    bool ok = field_alloc(dataset, groups->count, out, err);

    for (int64_t g = 0; ok && g < groups->count; g++)
        ok = add_value(out, data_groups_name(groups, g), err);
    for (int split = INVAR_TRAIN; ok && split <= INVAR_TEST; split++)
        for (int64_t n = 0; n < dataset->info.count[split]; n++)
            out->of[split][n] = groups->of[dataset->items[split][n]];
    return ok;
}

/* A column of the table of metadata; no_table: there is none. */
static bool from_metadata(const struct invar_dataset *dataset, const char *name, const char *key,
                          struct invar_field *out, bool *no_table, struct invar_error *err)
{
    struct invar_data_options options = dataset->options;
    struct data_groups groups = {0};
    struct invar_error why = {0};
    bool ok = false;

    if (snprintf(options.group, sizeof options.group, "%s", name) >= (int)sizeof options.group)
        return invar_error_set(err, INVAR_ERROR_USAGE, "the name of a column is longer than %zu characters",
                               sizeof options.group - 1);
    if (data_groups_read(&groups, &dataset->source, &options, &why))
        ok = from_groups(dataset, &groups, out, err);
    else if (why.code == INVAR_ERROR_USAGE && !options.metadata[0])
        *no_table = true;
    else
        invar_error_set(err, why.code, "%s %s: %s", key, name, why.message);
    data_groups_free(&groups);
    return ok;
}

bool invar_dataset_field(const struct invar_dataset *dataset, const char *name, const char *key,
                         struct invar_field *out, struct invar_error *err)
{
    const struct data_source *source = &dataset->source;
    struct invar_field field = {0};
    const bool grouped = dataset->refinement.count && strcmp(name, dataset->options.group) == 0;
    bool no_table = data_fields_look(&source->fields, name, strlen(name)) || (!grouped && !source->name), ok = false;

    if (!no_table)
        ok = grouped ? from_groups(dataset, &dataset->refinement, &field, err)
                     : from_metadata(dataset, name, key, &field, &no_table, err);
    if (no_table) {
        const struct data_field *found = data_fields_find(&source->fields, name, strlen(name), key, err);
        ok = found && from_field(dataset, found, &field, err);
    }
    if (ok)
        *out = field;
    else
        invar_field_free(&field);
    return ok;
}
