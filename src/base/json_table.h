/* SPDX-License-Identifier: Apache-2.0 */
/* Structs as JSON objects, both ways from one table: a row a member, in the order in which the file has them. What is
 * not there is NAN (numbers), -1 (counts and flags) or NULL (all else): it is neither written nor demanded. */
#ifndef BASE_JSON_TABLE_H
#define BASE_JSON_TABLE_H

#include "base/json.h"
#include "base/json_write.h"
#include "invar/memory.h"

#include <stddef.h>

enum json_kind {
    JSON_NUMBER,  /* double */
    JSON_COUNT,   /* int64_t */
    JSON_FLAG,    /* int: 1 true, 0 false */
    JSON_TEXT,    /* const char * */
    JSON_VALUE,   /* const char *: a scalar, or a list of them, as JSON on one line */
    JSON_PAIR,    /* double[2]; the first one NAN: none */
    JSON_NUMBERS, /* struct json_list of double */
    JSON_TEXTS,   /* struct json_list of const char * */
    JSON_OBJECT,  /* a pointer to a struct of the table `inner` */
    JSON_INLINE,  /* such a struct itself, whose members are among those of this object */
    JSON_LIST,    /* struct json_list of such structs: an array */
    JSON_NAMED    /* the same: an object with an item each, whose name the struct begins with */
};

/** What every {count, pointer} of the structs is. */
struct json_list {
    int64_t count;
    const void *item;
};

struct json_table;
struct json_row {
    const char *name; /**< "": not a member of an object, but all that an item is; of JSON_INLINE any */
    enum json_kind kind;
    size_t offset;
    const struct json_table *inner;
    /** Written here only where it says so: for members that stand elsewhere in some files; NULL: always. */
    bool (*here)(const void *object);
};
struct json_table {
    size_t size;
    const struct json_row *row; /**< ended by one without a name: {0} */
};

/** A table, its rows, a row with a table of its own, and one that is written only where `here` says so. */
#define JSON_TABLE(table, type, ...)                                                                                   \
    static const struct json_row table##_rows[] = {__VA_ARGS__, {0}};                                                  \
    static const struct json_table table = {sizeof(type), table##_rows}
#define JSON_ROW(type, kind, member)                                                                                   \
    {                                                                                                                  \
#member, JSON_##kind, offsetof(type, member), NULL, NULL                                                       \
    }
#define JSON_ROW_OF(type, kind, member, table)                                                                         \
    {                                                                                                                  \
#member, JSON_##kind, offsetof(type, member), &(table), NULL                                                   \
    }

/** Where what is read or copied is kept, until it is freed. A zeroed one is empty. */
struct json_room {
    struct invar_scratch *scratch;
    bool lost; /**< memory was short: what was asked for is NULL */
};
void *json_room_take(struct json_room *room, int64_t count, size_t size);
const char *json_room_text(struct json_room *room, const char *text);
const double *json_room_numbers(struct json_room *room, const double *value, int64_t count);
const char *const *json_room_texts(struct json_room *room, const char *const *text, int64_t count);
/** Nothing was lost; else false with err. */
bool json_room_whole(const struct json_room *room, const char *what, struct invar_error *err)
    __attribute__((warn_unused_result));
void json_room_free(struct json_room *room);

/** All members absent. */
void json_table_clear(const struct json_table *table, void *object);
/** The members, into an object that is open. */
void json_table_write(const struct json_table *table, const void *object, struct json_writer *w);
/** Members of another type than the table says count as absent, others are passed over. */
void json_table_read(const struct json_table *table, void *object, const cJSON *from, struct json_room *room);
/** A number by its path, names joined with dots (a name may hold dots itself); an object stands for its member `leaf`.
 * NAN where there is none. */
double json_table_number(const struct json_table *table, const void *object, const char *path, const char *leaf);

#endif
