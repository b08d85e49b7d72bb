/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_table.h"
#include "base/points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- room ---- */

void *json_room_take(struct json_room *room, int64_t count, size_t size)
{
    const size_t wanted = count > 0 ? (size_t)count : 1;

    if (!room->scratch)
        room->scratch = invar_scratch_create(NULL);
    void *memory = room->scratch ? invar_scratch_take(room->scratch, wanted, size, NULL) : NULL;
    if (memory)
        memset(memory, 0, wanted * size);
    else
        room->lost = true;
    return memory;
}

const char *json_room_text(struct json_room *room, const char *text)
{
    char *kept = text ? json_room_take(room, (int64_t)strlen(text) + 1, 1) : NULL;

    return kept ? strcpy(kept, text) : NULL;
}

const double *json_room_numbers(struct json_room *room, const double *value, int64_t count)
{
    double *kept = json_room_take(room, count, sizeof *kept);

    if (kept && count)
        memcpy(kept, value, (size_t)count * sizeof *kept);
    return kept;
}

const char *const *json_room_texts(struct json_room *room, const char *const *text, int64_t count)
{
    const char **kept = json_room_take(room, count, sizeof *kept);

    for (int64_t i = 0; kept && i < count; i++)
        kept[i] = json_room_text(room, text[i]);
    return kept;
}

bool json_room_whole(const struct json_room *room, const char *what, struct invar_error *err)
{
    return !room->lost ||
           invar_error_set(err, INVAR_ERROR_MEMORY,
                           "%s: there is not enough memory for all of it; free some and try again", what);
}

void json_room_free(struct json_room *room)
{
    invar_scratch_free(room->scratch);
    *room = (struct json_room){0};
}

/* ---- members ---- */

/* The table of a struct that is one member, not an object of several. */
static bool is_single(const struct json_table *table)
{
    return !table->row->name[0];
}

/* A member of any type is copied to and from what the kind says. */
#define MEMBER(type, row, object, out)                                                                                 \
    type out;                                                                                                          \
    memcpy(&out, (const char *)(object) + (row)->offset, sizeof out)

static void set(const struct json_row *row, void *object, const void *value, size_t size)
{
    memcpy((char *)object + row->offset, value, size);
}

void json_table_clear(const struct json_table *table, void *object)
{
    static const double none[2] = {(double)NAN, (double)NAN};
    const int64_t no_count = -1;
    const int no_flag = -1;

    memset(object, 0, table->size);
    for (const struct json_row *row = table->row; row->name; row++) {
        if (row->kind == JSON_NUMBER || row->kind == JSON_PAIR)
            set(row, object, none, row->kind == JSON_PAIR ? sizeof none : sizeof *none);
        else if (row->kind == JSON_COUNT)
            set(row, object, &no_count, sizeof no_count);
        else if (row->kind == JSON_FLAG)
            set(row, object, &no_flag, sizeof no_flag);
        else if (row->kind == JSON_INLINE)
            json_table_clear(row->inner, (char *)object + row->offset);
    }
}

/* ---- writing ---- */

/* A list of numbers has spaces where all is formatted. */
static void write_value(struct json_writer *w, const char *name, const char *json)
{
    if (!w->formatted || json[0] != '[') {
        json_raw(w, name, json);
        return;
    }
    json_open_array(w, name);
    char piece[64];
    for (json++; *json && *json != ']'; json += *json == ',') {
        const size_t length = strcspn(json, ",]");
        snprintf(piece, sizeof piece, "%.*s", (int)length, json);
        json_raw(w, NULL, piece);
        json += length;
    }
    json_close(w);
}

static void write_row(const struct json_row *row, const void *object, const char *name, struct json_writer *w);

/* A struct: its own rows as an object, or the one row that it is. */
static void write_struct(const struct json_table *table, const void *object, const char *name, struct json_writer *w)
{
    if (is_single(table)) {
        write_row(table->row, object, name, w);
        return;
    }
    json_open_object(w, name);
    json_table_write(table, object, w);
    json_close(w);
}

static void write_list(const struct json_row *row, const struct json_list *list, const char *name,
                       struct json_writer *w)
{
    const bool named = row->kind == JSON_NAMED;

    (named ? json_open_object : json_open_array)(w, name);
    for (int64_t i = 0; i < list->count; i++) {
        const char *item = (const char *)list->item + (size_t)i * row->inner->size;
        const char *own = NULL;
        if (named)
            memcpy(&own, item, sizeof own);
        write_struct(row->inner, item, own, w);
    }
    json_close(w);
}

static void write_scalar(const struct json_row *row, const void *object, const char *name, struct json_writer *w)
{
    if (row->kind == JSON_NUMBER) {
        MEMBER(double, row, object, value);
        if (!isnan(value))
            json_number(w, name, value);
    } else if (row->kind == JSON_COUNT) {
        MEMBER(int64_t, row, object, value);
        if (value != -1)
            json_number(w, name, (double)value);
    } else {
        MEMBER(int, row, object, value);
        if (value >= 0)
            json_bool(w, name, value);
    }
}

static void write_row(const struct json_row *row, const void *object, const char *name, struct json_writer *w)
{
    const void *member = (const char *)object + row->offset;

    switch (row->kind) {
    case JSON_NUMBER:
    case JSON_COUNT:
    case JSON_FLAG:
        write_scalar(row, object, name, w);
        return;
    case JSON_INLINE:
        json_table_write(row->inner, member, w);
        return;
    case JSON_PAIR: {
        MEMBER(double, row, object, first);
        if (!isnan(first))
            json_numbers(w, name, member, 2);
        return;
    }
    case JSON_TEXT:
    case JSON_VALUE:
    case JSON_OBJECT: {
        MEMBER(const void *, row, object, pointer);
        if (pointer && row->kind == JSON_OBJECT)
            write_struct(row->inner, pointer, name, w);
        else if (pointer)
            (row->kind == JSON_TEXT ? json_text : write_value)(w, name, pointer);
        return;
    }
    default: {
        MEMBER(struct json_list, row, object, list);
        if (!list.item)
            return;
        if (row->kind == JSON_NUMBERS)
            json_numbers(w, name, list.item, list.count);
        else if (row->kind == JSON_TEXTS)
            json_texts(w, name, list.item, list.count);
        else
            write_list(row, &list, name, w);
    }
    }
}

void json_table_write(const struct json_table *table, const void *object, struct json_writer *w)
{
    for (const struct json_row *row = table->row; row->name; row++)
        if (!row->here || row->here(object))
            write_row(row, object, row->name, w);
}

/* ---- reading ---- */

static void read_row(const struct json_row *row, void *object, const cJSON *item, struct json_room *room);

static void read_struct(const struct json_table *table, void *object, const cJSON *item, struct json_room *room)
{
    if (!is_single(table)) {
        json_table_read(table, object, item, room);
        return;
    }
    json_table_clear(table, object);
    read_row(table->row, object, item, room);
}

/* Texts and numbers of an array; null is NAN. What is none of these is left out. */
static struct json_list read_plain(const struct json_row *row, const cJSON *array, struct json_room *room)
{
    const bool texts = row->kind == JSON_TEXTS;
    const char **text = NULL;
    double *number = NULL;
    struct json_list list = {0};
    const cJSON *item;

    if (!cJSON_IsArray(array))
        return list;
    if (texts)
        list.item = text = json_room_take(room, cJSON_GetArraySize(array), sizeof *text);
    else
        list.item = number = json_room_take(room, cJSON_GetArraySize(array), sizeof *number);
    cJSON_ArrayForEach(item, array)
    {
        if (text && cJSON_IsString(item))
            text[list.count++] = json_room_text(room, item->valuestring);
        else if (number && (cJSON_IsNumber(item) || cJSON_IsNull(item)))
            number[list.count++] = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
    }
    return list;
}

/* Items of a type that the table does not say are left out. */
static struct json_list read_list(const struct json_row *row, const cJSON *from, struct json_room *room)
{
    const bool named = row->kind == JSON_NAMED, objects = !is_single(row->inner);
    struct json_list list = {0};
    const cJSON *item;

    if (named ? !cJSON_IsObject(from) : !cJSON_IsArray(from))
        return list;
    char *at = json_room_take(room, cJSON_GetArraySize(from), row->inner->size);
    list.item = at;
    cJSON_ArrayForEach(item, from)
    {
        if (!at || (objects && !cJSON_IsObject(item)))
            continue;
        read_struct(row->inner, at, item, room);
        if (named) {
            const char *name = json_room_text(room, item->string);
            memcpy(at, &name, sizeof name);
        }
        at += row->inner->size;
        list.count++;
    }
    return list;
}

static void *read_object(const struct json_table *table, const cJSON *item, struct json_room *room)
{
    void *object = cJSON_IsObject(item) ? json_room_take(room, 1, table->size) : NULL;

    if (object)
        json_table_read(table, object, item, room);
    return object;
}

static const char *read_value(const cJSON *item, struct json_room *room)
{
    char *json = item ? json_print(item, false, "a result", NULL) : NULL;
    const char *kept = json_room_text(room, json);

    room->lost = room->lost || (item && !json);
    cJSON_free(json);
    return kept;
}

static void read_scalar(const struct json_row *row, void *object, const cJSON *item)
{
    const double number = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
    const int flag = cJSON_IsBool(item) ? cJSON_IsTrue(item) : -1;
    const int64_t count = fabs(number) < 9e15 ? (int64_t)number : -1;

    if (row->kind == JSON_NUMBER)
        set(row, object, &number, sizeof number);
    else if (row->kind == JSON_COUNT)
        set(row, object, &count, sizeof count);
    else
        set(row, object, &flag, sizeof flag);
}

static void read_row(const struct json_row *row, void *object, const cJSON *item, struct json_room *room)
{
    struct json_list list;
    const void *pointer;

    switch (row->kind) {
    case JSON_NUMBER:
    case JSON_COUNT:
    case JSON_FLAG:
        read_scalar(row, object, item);
        return;
    case JSON_TEXT:
    case JSON_VALUE:
    case JSON_OBJECT:
        pointer = row->kind == JSON_OBJECT  ? read_object(row->inner, item, room)
                  : row->kind == JSON_VALUE ? read_value(item, room)
                                            : json_room_text(room, cJSON_GetStringValue(item));
        set(row, object, &pointer, sizeof pointer);
        return;
    case JSON_PAIR:
        list = read_plain(row, item, room);
        if (list.item && list.count == 2)
            set(row, object, list.item, 2 * sizeof(double));
        return;
    case JSON_NUMBERS:
    case JSON_TEXTS:
        list = read_plain(row, item, room);
        set(row, object, &list, sizeof list);
        return;
    default:
        list = read_list(row, item, room);
        set(row, object, &list, sizeof list);
    }
}

void json_table_read(const struct json_table *table, void *object, const cJSON *from, struct json_room *room)
{
    json_table_clear(table, object);
    for (const struct json_row *row = table->row; row->name; row++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, row->name);
        if (row->kind == JSON_INLINE)
            json_table_read(row->inner, (char *)object + row->offset, from, room);
        else if (item)
            read_row(row, object, item, room);
    }
}

/* ---- finding ---- */

static double number_of(const struct json_row *row, const void *object, const char *leaf)
{
    if (row->kind == JSON_NUMBER) {
        MEMBER(double, row, object, value);
        return value;
    }
    if (row->kind == JSON_COUNT) {
        MEMBER(int64_t, row, object, value);
        return value == -1 ? (double)NAN : (double)value;
    }
    if (row->kind == JSON_OBJECT) {
        MEMBER(const void *, row, object, inner);
        return inner ? json_table_number(row->inner, inner, leaf, "") : (double)NAN;
    }
    if (row->kind == JSON_VALUE) {
        NUMBERS_HAVE_POINTS();
        MEMBER(const char *, row, object, text);
        char *end = NULL;
        const double value = text ? strtod(text, &end) : (double)NAN;
        return text && end != text && !*end ? value : (double)NAN;
    }
    return (double)NAN;
}

/* What a path says behind a name: the item itself, something in it, or nothing of it: NULL. */
static const char *behind(const char *path, const char *name)
{
    const size_t length = strlen(name);

    return strncmp(path, name, length) == 0 && (path[length] == '.' || !path[length]) ? path + length : NULL;
}

static double number_in(const struct json_table *table, const void *object, const char *rest, const char *leaf)
{
    if (is_single(table))
        return *rest ? (double)NAN : number_of(table->row, object, leaf);
    return json_table_number(table, object, *rest ? rest + 1 : leaf, *rest ? leaf : "");
}

static double number_named(const struct json_row *row, const void *object, const char *path, const char *leaf)
{
    MEMBER(struct json_list, row, object, list);
    double found = (double)NAN;

    for (int64_t i = 0; isnan(found) && i < list.count; i++) {
        const char *item = (const char *)list.item + (size_t)i * row->inner->size, *name, *rest;
        memcpy(&name, item, sizeof name);
        rest = name ? behind(path, name) : NULL;
        if (rest)
            found = number_in(row->inner, item, rest, leaf);
    }
    return found;
}

double json_table_number(const struct json_table *table, const void *object, const char *path, const char *leaf)
{
    double found = (double)NAN;

    for (const struct json_row *row = table->row; isnan(found) && row->name; row++) {
        const char *rest = behind(path, row->name);
        if (row->kind == JSON_INLINE) {
            found = json_table_number(row->inner, (const char *)object + row->offset, path, leaf);
        } else if (rest && !*rest) {
            found = number_of(row, object, leaf);
        } else if (rest && row->kind == JSON_NAMED) {
            found = number_named(row, object, rest + 1, leaf);
        } else if (rest && row->kind == JSON_OBJECT) {
            MEMBER(const void *, row, object, inner);
            if (inner)
                found = json_table_number(row->inner, inner, rest + 1, leaf);
        }
    }
    return found;
}
