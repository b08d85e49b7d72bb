/* SPDX-License-Identifier: Apache-2.0 */
/* What the columns of a table mean, as a struct and as the JSON text that travels with an encoder. */
#include "data/table/table.h"
#include "base/json.h"
#include "base/json_write.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH_LIMIT 65536

void data_schema_free(struct data_schema *schema)
{
    if (!schema)
        return;
    for (int c = 0; schema->column && schema->words && c < schema->count; c++) {
        struct invar_column *column = &schema->column[c];
        for (int k = 0; column->category && k < column->categories; k++)
            invar_free(column->category[k]);
        invar_free(column->category);
        invar_free(column->name);
        data_words_free(&schema->words[c]);
    }
    for (int k = 0; schema->class_names && k < schema->classes; k++)
        invar_free(schema->class_names[k]);
    invar_free(schema->class_names);
    invar_free(schema->column);
    invar_free(schema->words);
    invar_free(schema->form);
    invar_free(schema->label);
    invar_free(schema->label_reason);
    invar_free(schema);
}

bool data_schema_reserve(struct data_schema *schema, int columns, struct invar_error *err)
{
    schema->column = invar_alloc((size_t)columns + 1, sizeof *schema->column, err);
    schema->words = invar_alloc((size_t)columns + 1, sizeof *schema->words, err);
    schema->form = invar_alloc((size_t)columns + 1, sizeof *schema->form, err);
    return schema->column && schema->words && schema->form;
}

static int places(const struct invar_column *column)
{
    switch (column->kind) {
    case INVAR_COLUMN_NUMERIC:
        return column->indicator ? 2 : 1;
    case INVAR_COLUMN_CATEGORICAL:
        return column->categories + 2;
    case INVAR_COLUMN_CONSTANT:
    default:
        return 0;
    }
}

bool data_schema_arrange(struct data_schema *schema, struct invar_error *err)
{
    schema->width = 0;
    for (int c = 0; c < schema->count; c++) {
        struct invar_column *column = &schema->column[c];
        column->first = schema->width;
        column->places = places(column);
        schema->width += column->places;
        if (schema->width > WIDTH_LIMIT)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "the columns up to \"%s\" become more than %d numbers a row: leave columns out with "
                                   "data.ignore, or give fewer categories a place with data.categories",
                                   column->name, WIDTH_LIMIT);
        schema->words[c].comma = schema->comma;
        for (int k = 0; k < column->categories; k++) {
            int64_t *place = data_words_add(&schema->words[c], column->category[k], err);
            if (!place)
                return false;
            *place = k;
        }
    }
    return schema->width > 0 || invar_error_set(err, INVAR_ERROR_DATA,
                                                "there is no column to learn from: all are the label, ignored, or the "
                                                "same in every training row");
}

/* ---- JSON ---- */

static const char *const kinds[] = {[INVAR_COLUMN_NUMERIC] = "numeric",
                                    [INVAR_COLUMN_CATEGORICAL] = "categorical",
                                    [INVAR_COLUMN_CONSTANT] = "constant"};

/* Nothing for plain numbers. */
static void put_form(struct json_writer *w, const char *name, const struct data_form *form)
{
    if (!form->date && !form->decimal)
        return;
    json_open_object(w, name);
    if (form->date) {
        json_bool(w, "date", true);
    } else {
        json_text(w, "thousands", (char[]){form->thousands, '\0'});
        json_text(w, "decimal", (char[]){form->decimal, '\0'});
        json_text(w, "unit", form->unit);
    }
    json_close(w);
}

static void put_column(struct json_writer *w, const struct invar_column *column, const struct data_form *form)
{
    json_open_object(w, NULL);
    json_text(w, "name", column->name);
    json_text(w, "kind", kinds[column->kind]);
    if (column->kind == INVAR_COLUMN_NUMERIC) {
        json_number(w, "mean", column->mean);
        json_number(w, "deviation", column->deviation);
        json_bool(w, "missing", column->indicator);
        put_form(w, "read", form);
    }
    if (column->kind == INVAR_COLUMN_CATEGORICAL)
        json_texts(w, "categories", (const char *const *)column->category, column->categories);
    json_close(w);
}

static bool any_comma(char *const *texts, int count)
{
    const struct data_csv form = {.separator = ';'};
    double value;

    for (int k = 0; k < count; k++)
        if (strchr(texts[k], ',') && data_csv_number(&form, texts[k], &value))
            return true;
    return false;
}

/* Whether it matters that a comma may be the decimal point. */
static bool has_comma(const struct data_schema *schema)
{
    bool any = any_comma(schema->class_names, schema->classes);
    for (int c = 0; c < schema->count && !any; c++)
        any = any_comma(schema->column[c].category, schema->column[c].categories);
    return schema->comma && any;
}

char *data_schema_write(const struct data_schema *schema, struct invar_error *err)
{
    struct json_writer w = {0};

    json_open_object(&w, NULL);
    json_text(&w, "label", schema->label);
    if (schema->label_number)
        json_text(&w, "label_kind", "number");
    if (has_comma(schema))
        json_bool(&w, "decimal_comma", true);
    put_form(&w, "label_read", &schema->label_form);
    json_texts(&w, "classes", (const char *const *)schema->class_names, schema->classes);
    json_open_array(&w, "columns");
    for (int c = 0; c < schema->count; c++)
        put_column(&w, &schema->column[c], &schema->form[c]);
    json_close(&w);
    json_close(&w);
    char *text = json_written(&w, "the columns of the table", err) ? invar_strdup(w.text.data, err) : NULL;
    json_writer_free(&w);
    return text;
}

/* Strings of an array, copied; *count grows as they are made, so that what is half made can be freed. */
static bool read_strings(const cJSON *array, char ***texts, int *count, struct invar_error *err)
{
    const cJSON *item;

    if (!cJSON_IsArray(array))
        return false;
    *texts = invar_alloc((size_t)cJSON_GetArraySize(array) + 1, sizeof **texts, err);
    if (!*texts)
        return false;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item) || !((*texts)[*count] = invar_strdup(item->valuestring, err)))
            return false;
        (*count)++;
    }
    return true;
}

static bool read_form(const cJSON *object, const char *key, struct data_form *form)
{
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(object, key);
    const char *thousands = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "thousands"));
    const char *decimal = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "decimal"));
    const char *unit = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "unit"));

    form->date = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(entry, "date"));
    if (!entry || form->date)
        return true;
    if (!thousands || !decimal || !unit || strlen(thousands) != 1 || strlen(decimal) != 1 || !data_form_known(unit))
        return false;
    form->thousands = *thousands;
    form->decimal = *decimal;
    strcpy(form->unit, unit);
    return true;
}

static bool read_column(const cJSON *object, struct invar_column *column, struct data_form *form,
                        struct invar_error *err)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(object, "name");
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(object, "kind");
    const cJSON *mean = cJSON_GetObjectItemCaseSensitive(object, "mean");
    const cJSON *deviation = cJSON_GetObjectItemCaseSensitive(object, "deviation");

    if (!cJSON_IsString(name) || !cJSON_IsString(kind) || !(column->name = invar_strdup(name->valuestring, err)))
        return false;
    for (int k = 0; k < 3; k++) {
        if (strcmp(kind->valuestring, kinds[k]) != 0)
            continue;
        column->kind = (enum invar_column_kind)k;
        if (column->kind == INVAR_COLUMN_CATEGORICAL)
            return read_strings(cJSON_GetObjectItemCaseSensitive(object, "categories"), &column->category,
                                &column->categories, err);
        if (column->kind == INVAR_COLUMN_CONSTANT)
            return true;
        if (!cJSON_IsNumber(mean) || !cJSON_IsNumber(deviation) || !read_form(object, "read", form))
            return false;
        data_form_describe(form, column->read, sizeof column->read);
        column->mean = mean->valuedouble;
        column->deviation = deviation->valuedouble;
        column->indicator = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "missing"));
        return isfinite(column->mean) && column->deviation > 0 && isfinite(column->deviation);
    }
    return false;
}

static bool read_schema(const cJSON *root, struct data_schema *schema, struct invar_error *err)
{
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(root, "label");
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(root, "label_kind");
    const cJSON *columns = cJSON_GetObjectItemCaseSensitive(root, "columns"), *item;

    if (!cJSON_IsString(label) || !cJSON_IsArray(columns) || !(schema->label = invar_strdup(label->valuestring, err)) ||
        !read_strings(cJSON_GetObjectItemCaseSensitive(root, "classes"), &schema->class_names, &schema->classes, err))
        return false;
    schema->comma = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "decimal_comma"));
    schema->label_number = cJSON_IsString(kind) && strcmp(kind->valuestring, "number") == 0;
    if (!data_schema_reserve(schema, cJSON_GetArraySize(columns), err))
        return false;
    if (!read_form(root, "label_read", &schema->label_form))
        return false;
    cJSON_ArrayForEach(item, columns)
    {
        const int c = schema->count++;
        if (!read_column(item, &schema->column[c], &schema->form[c], err))
            return false;
    }
    return data_schema_arrange(schema, err);
}

struct data_schema *data_schema_read(const char *text, struct invar_error *err)
{
    struct data_schema *schema = invar_alloc(1, sizeof *schema, err);
    struct invar_error why = {0};
    cJSON *root =
        schema ? json_parse(text, strlen(text), JSON_MOST_VALUES, "the columns of the encoder", "", &why) : NULL;

    if (root && read_schema(root, schema, &why)) {
        cJSON_Delete(root);
        return schema;
    }
    if (why.code == INVAR_ERROR_MEMORY)
        invar_error_set(err, why.code, "%s", why.message);
    else if (schema)
        invar_error_set(err, INVAR_ERROR_FORMAT,
                        "the columns that the encoder's metadata invar.columns describe cannot be read: the file is "
                        "damaged or from another version");
    cJSON_Delete(root);
    data_schema_free(schema);
    return NULL;
}

void invar_table_place_name(char *out, size_t size, const struct invar_table *table, int64_t place)
{
    snprintf(out, size, "%lld", (long long)place);
    for (int k = 0; table && k < table->count; k++) {
        const struct invar_column *column = &table->column[k];
        const int64_t at = place - column->first;
        const bool category = column->kind == INVAR_COLUMN_CATEGORICAL;
        if (at < 0 || at >= column->places)
            continue;
        if (category && at < column->categories)
            snprintf(out, size, "%.40s=%.40s", column->name, column->category[at]);
        else if (category)
            snprintf(out, size, "%.60s %s", column->name, at == column->categories ? "missing" : "other");
        else
            snprintf(out, size, "%.60s%s", column->name, at > 0 ? " missing" : "");
        return;
    }
}

/* Cells of a column as no training row had them: of a category that has no place, or without a number. Where training
 * rows here are among those of another category, that place was trained. */
static int64_t count_strange(const struct invar_column *column, bool numbers, bool known)
{
    const int64_t *cells = numbers ? column->missing : column->unseen;

    if (numbers && (column->kind != INVAR_COLUMN_NUMERIC || column->indicator))
        return 0;
    return known ? cells[INVAR_TRAIN] + cells[INVAR_TEST] : cells[INVAR_TRAIN] ? 0 : cells[INVAR_TEST];
}

static void tell_strange(const struct data_schema *schema, const char *path, bool numbers, bool known)
{
    char names[400] = "";
    int columns = 0;
    int64_t cells = 0;

    for (int c = 0; c < schema->count; c++) {
        const struct invar_column *column = &schema->column[c];
        const int64_t strange = count_strange(column, numbers, known);
        const size_t used = strlen(names);
        if (strange == 0)
            continue;
        cells += strange;
        if (columns++ < 12 && used + strlen(column->name) + 40 < sizeof names)
            snprintf(names + used, sizeof names - used, "%s\"%s\" (%lld)", used ? ", " : "", column->name,
                     (long long)strange);
    }
    if (cells && numbers)
        invar_log(
            INVAR_LOG_WARNING,
            "%s: %lld cells have no value, where all training rows have one, in %d columns: %s%s; the mean of the "
            "training rows stands for them",
            path, (long long)cells, columns, names, columns > 12 ? ", ..." : "");
    else if (cells)
        invar_log(INVAR_LOG_WARNING,
                  "%s: %lld cells have a category that has no place of its own because training did not see it, or not "
                  "often, in %d columns: %s%s; check how it is spelled",
                  path, (long long)cells, columns, names, columns > 12 ? ", ..." : "");
}

void data_schema_tell(const struct data_schema *schema, const char *path, bool known)
{
    tell_strange(schema, path, false, known);
    tell_strange(schema, path, true, known);
}
