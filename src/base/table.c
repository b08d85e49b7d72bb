/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"
#include "invar/memory.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Where name is or would stand. */
static int lower_bound(const struct table *table, const char *name)
{
    int low = 0, high = table->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(table->items[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct table_item *table_find(const struct table *table, const char *name)
{
    int i = lower_bound(table, name);
    return i < table->count && strcmp(table->items[i]->name, name) == 0 ? table->items[i] : NULL;
}

static bool make_room(struct table *table, struct invar_error *err)
{
    if (table->count < table->capacity)
        return true;
    if (table->capacity > INT_MAX / 2)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "more than %d names", table->capacity);
    int capacity = table->capacity ? table->capacity * 2 : 16;
    struct table_item **items = invar_alloc((size_t)capacity, sizeof *items, err);
    if (!items)
        return false;
    if (table->count)
        memcpy(items, table->items, (size_t)table->count * sizeof *items);
    invar_free(table->items);
    table->items = items;
    table->capacity = capacity;
    return true;
}

static void free_item(struct table_item *item)
{
    if (!item)
        return;
    invar_array_free(&item->array);
    invar_free(item->text);
    invar_free(item->name);
    invar_free(item);
}

struct table_item *table_append(struct table *table, const char *name, struct invar_error *err)
{
    if (!make_room(table, err))
        return NULL;
    struct table_item *item = invar_alloc(1, sizeof *item, err);
    if (!item)
        return NULL;
    item->name = invar_strdup(name, err);
    if (!item->name) {
        free_item(item);
        return NULL;
    }
    table->items[table->count++] = item;
    return item;
}

struct table_item *table_insert(struct table *table, const char *name, struct invar_error *err)
{
    int place = lower_bound(table, name);
    struct table_item *item = table_append(table, name, err);
    if (!item)
        return NULL;
    memmove(&table->items[place + 1], &table->items[place], (size_t)(table->count - 1 - place) * sizeof item);
    table->items[place] = item;
    return item;
}

static int compare_names(const void *a, const void *b)
{
    const struct table_item *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

const char *table_sort(struct table *table)
{
    if (table->count)
        qsort(table->items, (size_t)table->count, sizeof table->items[0], compare_names);
    for (int i = 1; i < table->count; i++)
        if (strcmp(table->items[i - 1]->name, table->items[i]->name) == 0)
            return table->items[i]->name;
    return NULL;
}

void table_free(struct table *table)
{
    for (int i = 0; i < table->count; i++)
        free_item(table->items[i]);
    invar_free(table->items);
    *table = (struct table){0};
}

struct table_item **table_ordered(const struct table *table, int (*compare)(const void *, const void *),
                                  struct invar_error *err)
{
    struct table_item **items = invar_alloc((size_t)table->count, sizeof *items, err);
    if (items && table->count) {
        memcpy(items, table->items, (size_t)table->count * sizeof *items);
        qsort(items, (size_t)table->count, sizeof *items, compare);
    }
    return items;
}
