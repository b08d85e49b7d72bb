/* SPDX-License-Identifier: Apache-2.0 */
/* csv:FILE: rows of a table as numbers, by the columns found in its training rows or those that an encoder knows. */
#include "data/table/table.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct table {
    struct data_source *source;
    const struct invar_data_options *options;
    struct data_rules rules;
    struct data_csv csv[2]; /* by split where there is a file of test rows, else the first alone */
    int label[2];           /* number of the label column, -1: none */
    struct data_label kind;
    struct data_schema *schema;
    int *at[2];                /* by column of the schema: its number in the file, -1: not needed */
    struct data_form *form[2]; /* by column of the schema: how its numbers read in the file */
};

/* ---- options ---- */

bool data_rules_make(struct data_rules *rules, const struct invar_data_options *options, struct invar_error *err)
{
    *rules = (struct data_rules){.options = options};
    if (!data_names_make(&rules->missing, options->csv.missing, err) ||
        !data_names_make(&rules->categorical, options->csv.categorical, err) ||
        !data_names_make(&rules->numeric, options->csv.numeric, err) ||
        !data_names_make(&rules->ignore, options->csv.ignore, err))
        return false;
    for (int i = 0; i < rules->missing.count; i++) {
        rules->empty_missing = rules->empty_missing || strcmp(rules->missing.name[i], "empty") == 0;
        rules->begins[(unsigned char)rules->missing.name[i][0]] = true;
    }
    return true;
}

void data_rules_free(struct data_rules *rules)
{
    data_names_free(&rules->missing);
    data_names_free(&rules->categorical);
    data_names_free(&rules->numeric);
    data_names_free(&rules->ignore);
}

bool data_rules_missing(const struct data_rules *rules, const char *text)
{
    if (!*text)
        return rules->empty_missing;
    if (!rules->begins[(unsigned char)*text])
        return false;
    for (int i = 0; i < rules->missing.count; i++)
        if (strcmp(rules->missing.name[i], text) == 0)
            return true;
    return false;
}

static bool find_separator(const char *text, char *separator, struct invar_error *err)
{
    *separator = strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0 ? '\t' : text[0];
    if (*separator == '\t' || !text[0] || (!text[1] && !strchr("\"\r\n", text[0]) && (unsigned char)text[0] < 0x80))
        return true;
    return invar_error_set(err, INVAR_ERROR_USAGE, "data.separator: \"%s\", expected one character such as ; or tab",
                           text);
}

/* ---- files and labels ---- */

/* What the columns of a file must be called: those that an encoder sees, or those of the training rows. */
static bool want_names(struct table *t, int which, const char ***names, struct invar_error *err)
{
    const int most = t->schema ? t->schema->count : which ? t->csv[0].columns : 0;
    struct data_csv *csv = &t->csv[which];

    *names = invar_alloc((size_t)most + 1, sizeof **names, err);
    for (int c = 0; *names && c < most; c++)
        if (!t->schema || t->schema->column[c].places > 0)
            (*names)[csv->wanted_count++] = t->schema ? t->schema->column[c].name : data_csv_cell(&t->csv[0], -1, c);
    csv->wanted = *names;
    return *names != NULL;
}

/* Rows of separators alone, as spreadsheets leave them at the end. */
static void tell_empty(const struct data_csv *csv)
{
    int64_t rows = 0, first = 0;

    for (int64_t row = csv->rows - 1; row >= 0; row--) {
        int c = 0;
        while (c < csv->columns && !*data_csv_cell(csv, row, c))
            c++;
        rows += c == csv->columns;
        first = c == csv->columns ? row : first;
    }
    if (rows)
        invar_log(INVAR_LOG_WARNING,
                  "%s, line %lld: %lld rows have no value in any column, and are samples as the others",
                  data_csv_file(csv, first), (long long)data_csv_line(csv, first), (long long)rows);
}

static bool read_file(struct table *t, int which, const char *path, struct invar_error *err)
{
    struct data_csv *csv = &t->csv[which];
    const struct invar_data_options *o = t->options;
    const char **names = NULL;
    char separator;

    t->label[which] = -1;
    csv->limit = data_memory_limit(o);
    const bool ok = find_separator(o->csv.separator, &separator, err) && want_names(t, which, &names, err) &&
                    data_shards_find(&t->source->shards[which], path, err) &&
                    data_csv_read_parts(csv, path, &t->source->shards[which], separator, o->csv.header, err);
    csv->wanted = NULL;
    csv->wanted_count = 0;
    invar_free(names);
    if (!ok)
        return false;
    data_marks_find(csv, &t->rules);
    tell_empty(csv);
    if (!o->label[0] || (t->source->columns && !data_csv_has(csv, o->label)))
        return true;
    t->label[which] = data_csv_column(csv, o->label, "the one of data.label", err);
    return t->label[which] >= 0;
}

/* ---- splits ---- */

static bool take_rows(struct data_source *source, const char *text, struct invar_error *err)
{
    char *end = NULL;
    const bool last = strncmp(text, "last:", 5) == 0, every = strncmp(text, "every:", 6) == 0;
    const long long n = last || every ? strtoll(strchr(text, ':') + 1, &end, 10) : 0;

    if (!end || *end || n < (every ? 2 : 1) || n >= source->count)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "data.test_rows: \"%s\", expected last:N or every:K, with N (or K, from 2) below the %lld "
            "rows there are",
            text, (long long)source->count);
    for (int64_t i = 0; i < source->count; i++)
        if (last ? i >= source->count - n : i % n == n - 1)
            source->split[i] = INVAR_TEST;
    return true;
}

bool data_table_split(struct data_source *source, const struct invar_data_options *o, int64_t first_rows,
                      struct invar_error *err)
{
    source->has_test = true;
    if (o->test[0] && o->test_rows[0])
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "data.test and data.test_rows both say what the test split is; leave one out");
    for (int64_t i = first_rows; i < source->count; i++)
        source->split[i] = INVAR_TEST;
    source->divided = !o->test[0];
    if (o->test[0])
        return true;
    return o->test_rows[0] ? take_rows(source, o->test_rows, err)
                           : data_source_split(source, o->test_fraction, (uint64_t)o->split_seed, err);
}

/* ---- the columns of a file against those of the schema ---- */

struct differences {
    char text[400];
    int count;
};

static void add_difference(struct differences *list, const char *name)
{
    const size_t used = strlen(list->text);

    if (list->count++ < 12 && used + strlen(name) + 8 < sizeof list->text)
        snprintf(list->text + used, sizeof list->text - used, "%s\"%s\"", used ? ", " : "", name);
}

static bool refuse_columns(const struct data_csv *csv, const struct differences *lacking,
                           const struct differences *beside, struct invar_error *err)
{
    char first[480] = "", second[480] = "";

    if (lacking->count)
        snprintf(first, sizeof first, " it lacks %s%s", lacking->text, lacking->count > 12 ? ", ..." : "");
    if (beside->count)
        snprintf(second, sizeof second, "%s it also has %s%s", lacking->count ? ";" : "", beside->text,
                 beside->count > 12 ? ", ..." : "");
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: its columns are not those of the training data:%s%s (data.ignore leaves columns out)",
                           csv->path, first, second);
}

/* By name, whatever the order; columns that mean nothing may be missing. */
static bool match_columns(struct table *t, int which, struct invar_error *err)
{
    const struct data_csv *csv = &t->csv[which];
    const struct data_schema *schema = t->schema;
    struct differences lacking = {0}, beside = {0};
    bool *known = invar_alloc((size_t)csv->columns + 1, sizeof *known, err); /* columns of the schema */

    t->at[which] = invar_alloc((size_t)schema->count + 1, sizeof(int), err);
    bool ok = known && t->at[which];
    for (int c = 0; ok && c < schema->count; c++) {
        const struct invar_column *column = &schema->column[c];
        t->at[which][c] = -1;
        if (!data_csv_has(csv, column->name)) {
            if (column->places > 0)
                add_difference(&lacking, column->name);
            continue;
        }
        const int at = data_csv_column(csv, column->name, "which it has", err);
        ok = at >= 0;
        if (ok)
            known[at] = true;
        if (column->places > 0)
            t->at[which][c] = at;
    }
    for (int c = 0; ok && c < csv->columns; c++) {
        const char *name = data_csv_cell(csv, -1, c);
        if (!known[c] && c != t->label[which] && strcmp(name, schema->label) != 0 && !(c == 0 && csv->row_names) &&
            !data_names_match(&t->rules.ignore, name))
            add_difference(&beside, name);
    }
    invar_free(known);
    return ok && ((lacking.count == 0 && beside.count == 0) || refuse_columns(csv, &lacking, &beside, err));
}

/* ---- numbers ---- */

/* Of a column whose numbers are all small the decimals are decimals. */
static bool may_be_thousands(const struct invar_column *column)
{
    return !(fabs(column->mean) + 10 * column->deviation < 1000);
}

/* Numbers read as in the training rows, but for what points and commas are in the file. */
static bool choose_forms(struct table *t, int which, struct invar_error *err)
{
    const struct data_schema *schema = t->schema;
    const struct data_csv *csv = &t->csv[which];

    t->form[which] = invar_alloc((size_t)schema->count + 1, sizeof *t->form[which], err);
    if (!t->form[which])
        return false;
    for (int c = 0; c < schema->count; c++) {
        const struct invar_column *column = &schema->column[c];
        struct data_form *form = &t->form[which][c];
        *form = schema->form[c];
        if (column->kind != INVAR_COLUMN_NUMERIC || (which == 0 && !t->source->columns))
            continue;
        const enum data_marks_say say = data_marks_say(csv, &t->rules, t->at[which][c], form);
        if (say != DATA_MARKS_UNCLEAR || may_be_thousands(column))
            data_marks_tell(say, csv, column->name);
    }
    return true;
}

static bool encode_number(const struct data_csv *csv, int64_t row, const struct invar_column *column,
                          const struct data_form *form, const char *cell, float *out, struct invar_error *err)
{
    double value;

    if (!data_form_number(form, csv, cell, &value))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s, line %lld: \"%s\" in column \"%s\", which is one of %s; add it to data.missing "
                               "or correct it",
                               data_csv_file(csv, row), (long long)data_csv_line(csv, row), cell, column->name,
                               column->read[0] ? column->read : "numbers");
    *out = (float)((value - column->mean) / column->deviation);
    return isfinite(*out) ||
           invar_error_set(err, INVAR_ERROR_DATA, "%s, line %lld: %s in column \"%s\" is too large a number",
                           data_csv_file(csv, row), (long long)data_csv_line(csv, row), cell, column->name);
}

static bool encode_cell(struct table *t, const struct data_csv *csv, int64_t row, int c, const char *cell,
                        enum invar_split split, float *out, struct invar_error *err)
{
    struct invar_column *column = &t->schema->column[c];
    const bool missing = data_rules_missing(&t->rules, cell);

    column->missing[split] += missing;
    if (column->kind == INVAR_COLUMN_NUMERIC) {
        if (!missing)
            return encode_number(csv, row, column, &t->form[csv == &t->csv[1]][c], cell, out, err);
        if (column->indicator)
            out[1] = 1;
        return true;
    }
    const int64_t *place = missing ? NULL : data_words_find(&t->schema->words[c], cell);
    column->unseen[split] += !missing && !place;
    out[place ? *place : column->categories + !missing] = 1;
    return true;
}

static bool encode_rows(struct table *t, int which, int64_t first, float *rows, struct invar_error *err)
{
    const struct data_csv *csv = &t->csv[which];
    const size_t width = (size_t)t->schema->width;

    for (int64_t row = 0; row < csv->rows; row++) {
        float *out = rows + (size_t)(first + row) * width;
        const enum invar_split split = (enum invar_split)t->source->split[first + row];
        for (int c = 0; c < t->schema->count; c++) {
            const struct invar_column *column = &t->schema->column[c];
            if (column->places > 0 &&
                !encode_cell(t, csv, row, c, data_csv_cell(csv, row, t->at[which][c]), split, out + column->first, err))
                return false;
        }
        t->source->pixels[first + row] = (const uint8_t *)out;
    }
    return true;
}

static bool encode(struct table *t, struct invar_error *err)
{
    struct data_source *source = t->source;
    size_t numbers, bytes;

    if (!invar_size_multiply((size_t)source->count, (size_t)t->schema->width, &numbers) ||
        !invar_size_multiply(numbers, sizeof(float), &bytes) || bytes > data_memory_limit(t->options))
        return invar_error_set(err, INVAR_ERROR_MEMORY,
                               "%s: %lld rows of %d numbers take more than data.memory_limit=%lld MiB: raise it, or "
                               "leave columns out with data.ignore",
                               t->csv[0].path, (long long)source->count, t->schema->width,
                               (long long)t->options->memory_limit);
    source->held[0].data = invar_alloc(bytes, 1, err);
    source->held[0].size = bytes;
    if (!source->held[0].data)
        return false;
    float *rows = (float *)(void *)source->held[0].data;
    source->table.rows = rows;
    source->height = source->width = 1;
    source->channels = t->schema->width;
    if (!encode_rows(t, 0, 0, rows, err) || (t->options->test[0] && !encode_rows(t, 1, t->csv[0].rows, rows, err)))
        return false;
    if (source->columns || t->options->test[0]) /* a drawn test split has rare ones by chance */
        data_schema_tell(t->schema, t->csv[!source->columns].path, source->columns != NULL);
    return true;
}

/* ---- all of it ---- */

static void close_schema(void *state)
{
    data_schema_free(state);
}

bool data_table_publish(struct data_source *source, struct data_schema *schema, const char *reason,
                        struct invar_error *err)
{
    source->state = schema;
    source->close = close_schema;
    source->table.count = schema->count;
    source->table.column = schema->column;
    source->table.label = schema->label;
    invar_free(schema->label_reason);
    if (!(schema->label_reason = invar_strdup(reason, err)))
        return false;
    source->table.label_reason = schema->label_reason;
    source->table.schema = source->schema = data_schema_write(schema, err);
    return source->schema != NULL;
}

bool data_schema_keep_label(struct data_schema *schema, const struct data_label *label,
                            const struct data_source *source, struct invar_error *err)
{
    schema->label_number = label->number;
    if (label->number)
        schema->label_form = label->form;
    schema->class_names = invar_alloc((size_t)source->classes + 1, sizeof *schema->class_names, err);
    for (int k = 0; schema->class_names && k < source->classes; k++) {
        schema->class_names[k] = invar_strdup(source->class_names[k], err);
        if (!schema->class_names[k])
            return false;
        schema->classes++;
    }
    return schema->class_names != NULL;
}

static bool find_schema(struct table *t, struct invar_error *err)
{
    if (t->source->columns)
        return true;
    t->schema = data_schema_detect(&t->csv[0], &t->rules, t->source->split, t->label[0], err);
    return t->schema && data_schema_keep_label(t->schema, &t->kind, t->source, err);
}

/* Where rows stand in their files, for whoever asks what a sample is. */
static bool keep_places(struct table *t, struct invar_error *err)
{
    struct data_source *source = t->source;

    source->line = invar_alloc((size_t)source->count + 1, sizeof *source->line, err);
    source->part = invar_alloc((size_t)(t->csv[0].parts + t->csv[1].parts), sizeof *source->part, err);
    if (!source->line || !source->part)
        return false;
    int64_t first = 0;
    for (int which = 0; which < 2; first += t->csv[which++].rows) {
        const struct data_csv *csv = &t->csv[which];
        for (int64_t row = 0; row < csv->rows; row++)
            source->line[first + row] = data_csv_line(csv, row);
        for (int p = 0; p < csv->parts; p++)
            source->part[source->parts++] = (struct data_part){csv->part[p].path, first + csv->part[p].first};
    }
    return true;
}

static bool open_table(struct table *t, const char *path, struct invar_error *err)
{
    struct data_source *source = t->source;
    const bool test = t->options->test[0] != '\0';

    if (source->columns && !(t->schema = data_schema_read(source->columns, err)))
        return false;
    if (!data_rules_make(&t->rules, t->options, err) || !read_file(t, 0, path, err) ||
        (test && !read_file(t, 1, t->options->test, err)) ||
        !data_source_reserve(source, t->csv[0].rows + t->csv[1].rows, true, err) || !keep_places(t, err))
        return false;
    t->kind.rules = &t->rules;
    t->kind.name = t->options->label;
    t->kind.schema = t->schema && strcmp(t->schema->label, t->options->label) == 0 ? t->schema : NULL;
    t->kind.own_classes = source->own_classes;
    if (t->label[0] >= 0 && !data_label_find(&t->kind, &t->csv[0], t->label[0], source, err))
        return false;
    return data_label_read(&t->kind, &t->csv[0], t->label[0], 0, source, err) &&
           (!test || data_label_read(&t->kind, &t->csv[1], t->label[1], t->csv[0].rows, source, err)) &&
           data_table_split(source, t->options, t->csv[0].rows, err) && find_schema(t, err) &&
           match_columns(t, 0, err) && choose_forms(t, 0, err) &&
           (!test || (match_columns(t, 1, err) && choose_forms(t, 1, err))) && encode(t, err) &&
           data_table_fields(&source->fields, t->csv, t->schema, &t->rules, err) &&
           data_table_publish(source, t->schema, t->kind.reason, err);
}

bool data_table_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                     struct invar_error *err)
{
    struct table t = {.source = source, .options = options, .label = {-1, -1}};

    const bool ok = open_table(&t, path, err);
    if (source->state != t.schema)
        data_schema_free(t.schema);
    for (int i = 0; i < 2; i++) {
        data_csv_free(&t.csv[i]);
        invar_free(t.at[i]);
        invar_free(t.form[i]);
    }
    data_words_free(&t.kind.classes);
    data_rules_free(&t.rules);
    return ok;
}
