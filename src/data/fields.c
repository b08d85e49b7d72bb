/* SPDX-License-Identifier: Apache-2.0 */
/* Fields: text about every item, as numbers of distinct values, and conditions on them. */
#include "data/fields.h"
#include "data/list.h"

#include "base/names.h"
#include "invar/memory.h"
#include "invar/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool data_fields_reserve(struct data_fields *fields, int count, struct invar_error *err)
{
    fields->field = invar_alloc((size_t)count + 1, sizeof *fields->field, err);
    fields->count = fields->field ? count : 0;
    return fields->field != NULL;
}

void data_fields_free(struct data_fields *fields)
{
    for (int i = 0; i < fields->count; i++) {
        struct data_field *field = &fields->field[i];
        for (int v = 0; field->value && v < field->values; v++)
            invar_free(field->value[v]);
        invar_free(field->value);
        invar_free(field->of);
        invar_free(field->number);
        invar_free(field->reason);
        invar_free(field->name);
    }
    invar_free(fields->field);
    *fields = (struct data_fields){0};
}

struct cell {
    char *text; /* in form C */
    int64_t item;
};

static int in_order(const void *a, const void *b)
{
    return strcmp(((const struct cell *)a)->text, ((const struct cell *)b)->text);
}

bool data_field_fill(struct data_field *field, const char *name, const char *const *text, int64_t items,
                     struct invar_error *err)
{
    struct cell *cells = invar_alloc((size_t)items + 1, sizeof *cells, err);
    bool ok = false;

    field->name = invar_strdup(name, err);
    field->of = invar_alloc((size_t)items + 1, sizeof *field->of, err);
    field->value = invar_alloc((size_t)items + 1, sizeof *field->value, err);
    if (!cells || !field->name || !field->of || !field->value)
        goto done;
    for (int64_t i = 0; i < items; i++) {
        cells[i] = (struct cell){data_nfc(text[i], strlen(text[i]), err), i};
        if (!cells[i].text)
            goto done;
    }
    qsort(cells, (size_t)items, sizeof *cells, in_order);
    for (int64_t i = 0; i < items; i++) {
        if (i == 0 || strcmp(cells[i].text, cells[i - 1].text) != 0) {
            field->value[field->values] = invar_strdup(cells[i].text, err);
            if (!field->value[field->values])
                goto done;
            field->values++;
        }
        field->of[cells[i].item] = field->values - 1;
    }
    field->items = items;
    ok = true;
done:
    for (int64_t i = 0; cells && i < items; i++)
        invar_free(cells[i].text);
    invar_free(cells);
    return ok;
}

bool data_field_make(struct data_field *field, const char *name, const char *const *value, int values, int64_t items,
                     struct invar_error *err)
{
    field->name = invar_strdup(name, err);
    field->of = invar_alloc((size_t)items + 1, sizeof *field->of, err);
    field->value = invar_alloc((size_t)values + 1, sizeof *field->value, err);
    if (!field->name || !field->of || !field->value)
        return false;
    field->items = items;
    for (; field->values < values; field->values++)
        if (!(field->value[field->values] = invar_strdup(value[field->values], err)))
            return false;
    return true;
}

const struct data_field *data_fields_look(const struct data_fields *fields, const char *name, size_t length)
{
    return names_look(NAMES_ROWS("field", fields->field), name, length);
}

const struct data_field *data_fields_find(const struct data_fields *fields, const char *name, size_t length,
                                          const char *key, struct invar_error *err)
{
    const struct data_field *found = data_fields_look(fields, name, length);
    char given[INVAR_TEXT_SIZE];

    if (found)
        return found;
    snprintf(given, sizeof given, "%.*s", (int)length, name);
    if (fields->count)
        return names_find(NAMES_ROWS("field", fields->field), key, given, err);
    invar_error_set(err, INVAR_ERROR_USAGE,
                    "%s: \"%s\" is not known: nothing says more of these samples than their place; fields are parts of "
                    "the names of clips (data.pattern) and columns of tables (label, categories, ignored ones)",
                    key, given);
    return NULL;
}

static bool whole_number(const char *text, size_t length, long long *out)
{
    char copy[24], *end;
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *out = strtoll(copy, &end, 10);
    return !*end && copy[0] != ' ' && copy[0] != '+';
}

/* A..B; false when the item is no range. */
static bool read_range(const char *item, size_t length, long long *low, long long *high)
{
    const char *dots = memmem(item, length, "..", 2);
    return dots && whole_number(item, (size_t)(dots - item), low) &&
           whole_number(dots + 2, length - (size_t)(dots - item) - 2, high);
}

/* Marks the values that an item of the list names; false when there are none. */
static bool choose(struct data_condition *condition, const char *item, size_t length)
{
    const struct data_field *field = condition->field;
    long long low = 0, high = 0, number;
    bool range = read_range(item, length, &low, &high), any = false;

    char *text = data_nfc(item, length, NULL);
    for (int v = 0; v < field->values; v++) {
        const char *value = field->value[v];
        bool meets = range ? whole_number(value, strlen(value), &number) && number >= low && number <= high
                           : text && data_value_same(value, text);
        condition->chosen[v] = condition->chosen[v] || meets;
        any = any || meets;
    }
    invar_free(text);
    return any;
}

bool data_condition_read(struct data_condition *condition, const struct data_fields *fields, const char *text,
                         const char *key, struct invar_error *err)
{
    const char *equals = strchr(text, '=');
    char hint[NAMES_HINT_SIZE];

    *condition = (struct data_condition){0};
    if (!equals || equals == text)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: \"%s\" is no condition, expected FIELD=VALUE,VALUE,.. or FIELD=FIRST..LAST", key,
                               text);
    condition->field = data_fields_find(fields, text, (size_t)(equals - text), key, err);
    if (!condition->field)
        return false;
    if (condition->field->values == 0 && condition->field->number)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: \"%s\" has too many different numbers for a condition; name another field", key,
                               condition->field->name);
    condition->chosen = invar_alloc((size_t)condition->field->values + 1, sizeof *condition->chosen, err);
    if (!condition->chosen)
        return false;
    for (const char *item = equals + 1;; item += strcspn(item, ",") + 1) {
        size_t length = strcspn(item, ",");
        if (!choose(condition, item, length)) {
            char *copy = strndup(item, length);
            names_hint(hint, NAMES_TEXTS("value", condition->field->value), copy ? copy : "");
            invar_error_set(err, INVAR_ERROR_USAGE, "%s: no sample has %s \"%.*s\"%s", key, condition->field->name,
                            (int)length, item, hint);
            free(copy);
            data_condition_free(condition);
            return false;
        }
        if (!item[length])
            return true;
    }
}

void data_condition_free(struct data_condition *condition)
{
    invar_free(condition->chosen);
    *condition = (struct data_condition){0};
}
