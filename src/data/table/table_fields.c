/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of a table as fields: labels that a probe may take, conditions on which samples are held out. */
#include "data/table/table.h"

#include "invar/memory.h"
#include <math.h>
#include <string.h>

struct cells {
    const struct data_csv *csv; /* [2], the second perhaps empty */
    int at[2];                  /* the column in each, -1: not there */
};

static const char *cell_of(const struct cells *cells, int64_t item)
{
    const int file = item >= cells->csv[0].rows;
    const int64_t row = file ? item - cells->csv[0].rows : item;

    return cells->at[file] < 0 ? "" : data_csv_cell(&cells->csv[file], row, cells->at[file]);
}

static bool fill_values(struct data_field *field, const char *name, const struct cells *cells, struct data_words *words,
                        struct invar_error *err)
{
    const int64_t items = cells->csv[0].rows + cells->csv[1].rows;
    const char **values = data_words_sort(words, &cells->csv[0], err);
    bool ok = values && data_field_make(field, name, values, (int)words->count, items, err);

    for (int64_t i = 0; ok && i < items; i++)
        field->of[i] = (int32_t)*data_words_find(words, cell_of(cells, i));
    invar_free(values);
    return ok;
}

static bool fill_numbers(struct data_field *field, const struct cells *cells, const struct data_rules *rules,
                         const struct data_label *label, struct invar_error *err)
{
    const int64_t items = cells->csv[0].rows + cells->csv[1].rows;

    field->number = invar_alloc((size_t)items + 1, sizeof *field->number, err);
    for (int64_t i = 0; field->number && i < items; i++) {
        const char *cell = cell_of(cells, i);
        field->number[i] = NAN;
        if (!data_rules_missing(rules, cell))
            data_form_number(&label->form, &cells->csv[i >= cells->csv[0].rows], cell, &field->number[i]);
    }
    field->seems_number = label->seems;
    return field->number != NULL;
}

/* A column of text with more values than there may be classes has names rather than groups, and is none. */
static bool fill(struct data_fields *fields, const char *name, const struct cells *cells,
                 const struct data_rules *rules, struct invar_error *err)
{
    const int64_t items = cells->csv[0].rows + cells->csv[1].rows;
    struct data_words words = {.comma = data_csv_comma(&cells->csv[0])};
    struct data_label label = {.rules = rules, .name = name};
    struct data_field *field = &fields->field[fields->count];
    bool ok = data_label_look(&label, cells->csv, cells->at, err);

    for (int64_t i = 0; ok && i < items && words.count <= DATA_CLASS_LIMIT; i++)
        ok = data_words_add(&words, cell_of(cells, i), err) != NULL;
    const bool few = words.count <= DATA_CLASS_LIMIT;
    if (ok && (few || label.plain)) {
        fields->count++;
        ok = (few ? fill_values(field, name, cells, &words, err) : data_field_make(field, name, NULL, 0, items, err)) &&
             (!label.plain || fill_numbers(field, cells, rules, &label, err)) &&
             (field->reason = invar_strdup(label.reason, err)) != NULL;
    }
    data_words_free(&words);
    data_words_free(&label.classes);
    return ok;
}

/* By column of the file: whether it is one, and no input of numbers (NULL when memory is short). */
static bool *find_fields(const struct data_csv *csv, const struct data_schema *schema, struct invar_error *err)
{
    bool *is_field = invar_alloc((size_t)csv->columns + 1, sizeof *is_field, err);

    for (int c = 0; is_field && c < csv->columns; c++)
        is_field[c] = true;
    for (int c = 0; is_field && c < schema->count; c++) {
        const char *name = schema->column[c].name;
        const int at = data_csv_has(csv, name) ? data_csv_column(csv, name, "which it has", err) : -1;
        if (at >= 0)
            is_field[at] = schema->column[c].kind == INVAR_COLUMN_CATEGORICAL;
    }
    return is_field;
}

bool data_table_fields(struct data_fields *fields, const struct data_csv *csv, const struct data_schema *schema,
                       const struct data_rules *rules, struct invar_error *err)
{
    bool *is_field = find_fields(&csv[0], schema, err);
    bool ok = is_field && data_fields_reserve(fields, csv[0].columns, err);

    if (ok)
        fields->count = 0;
    for (int c = 0; ok && c < csv[0].columns; c++) {
        const char *name = data_csv_cell(&csv[0], -1, c);
        struct cells cells = {csv, {c, -1}};
        if (!is_field[c])
            continue;
        if (csv[1].rows > 0 && data_csv_has(&csv[1], name)) {
            cells.at[1] = data_csv_column(&csv[1], name, "which it has", err);
            ok = cells.at[1] >= 0;
        }
        ok = ok && fill(fields, name, &cells, rules, err);
    }
    invar_free(is_field);
    return ok;
}
