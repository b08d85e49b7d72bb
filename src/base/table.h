/* SPDX-License-Identifier: Apache-2.0 */
/* Names in sorted order, each with an array or a text: what a safetensors file holds. */
#ifndef INVAR_BASE_TABLE_H
#define INVAR_BASE_TABLE_H

#include "invar/array.h"

/** Takes the next bytes. */
typedef bool table_take(void *to, const void *data, size_t size, struct invar_error *err);
/** Hands all bytes of an array, of which `which` says which, to take(to, ..), piece by piece. */
typedef bool table_give(void *user, int which, table_take *take, void *to, struct invar_error *err);

struct table_item {
    char *name;
    char *text;               /* of metadata */
    struct invar_array array; /* of a tensor */
    uint64_t begin, end;      /* of a tensor: its bytes in the data section */
    table_give *give;         /* of a tensor that lies elsewhere, and has no data here; NULL: it has */
    void *user;               /* beside give, and so is which */
    int which;
    bool half; /* of a tensor that is read: float16 there, float32 in the array */
};

/* Items are allocated one by one: a pointer to one stays good while others come. */
struct table {
    struct table_item **items;
    int count, capacity;
};

/** The item of that name, or NULL. */
struct table_item *table_find(const struct table *table, const char *name);

/** A new item at its place; the name must be new (the caller has looked). NULL with err when memory is short. */
struct table_item *table_insert(struct table *table, const char *name, struct invar_error *err);

/** A new item at the end, whatever its name; table_sort must follow. */
struct table_item *table_append(struct table *table, const char *name, struct invar_error *err);

/** Sorts by name; returns a name that stands twice, or NULL. */
const char *table_sort(struct table *table);

void table_free(struct table *table);

/** The items in another order (items of equal rank may come in any): a new array of count pointers, freed with
 * invar_free. */
struct table_item **table_ordered(const struct table *table, int (*compare)(const void *, const void *),
                                  struct invar_error *err);

#endif
