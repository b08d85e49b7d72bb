/* SPDX-License-Identifier: Apache-2.0 */
/* Fields from file names, by a pattern. */
#include "data/pattern.h"

#include "invar/memory.h"
#include <stdio.h>
#include <string.h>

static bool refuse(const char *text, const char *why, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "data.pattern: \"%s\" %s; expected names in braces with text between them, such as "
                           "{digit}_{speaker}_{index}",
                           text, why);
}

static size_t name_length(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
}

static bool has_name(const struct data_pattern *pattern, const char *name, size_t length)
{
    for (int i = 0; i < pattern->count; i++)
        if (pattern->name[i].length == length && memcmp(pattern->name[i].text, name, length) == 0)
            return true;
    return false;
}

bool data_pattern_read(struct data_pattern *pattern, const char *text, struct invar_error *err)
{
    const char *at = text;

    *pattern = (struct data_pattern){.head = {text, strcspn(text, "{}")}};
    at += pattern->head.length;
    while (*at) {
        int i = pattern->count;
        size_t length = *at == '{' ? name_length(at + 1) : 0;
        if (length == 0 || at[length + 1] != '}')
            return refuse(text, "has a brace without its partner, or no name in it", err);
        if (i == DATA_MAX_FIELDS)
            return refuse(text, "has more than 16 fields", err);
        if (has_name(pattern, at + 1, length))
            return refuse(text, "has a field twice", err);
        pattern->name[i].text = at + 1;
        pattern->name[i].length = length;
        at += length + 2;
        pattern->after[i].text = at;
        pattern->after[i].length = strcspn(at, "{}");
        at += pattern->after[i].length;
        if (pattern->after[i].length == 0 && *at)
            return refuse(text, "has two fields without text between them", err);
        pattern->count++;
    }
    return pattern->count > 0 || refuse(text, "has no field", err);
}

/* name[length] taken apart: every field is the shortest text that the pattern allows, the last one ends with it. */
static bool match(const struct data_pattern *pattern, const char *name, size_t length, const char **begin, size_t *size)
{
    const char *at = name, *end = name + length;

    if (length < pattern->head.length || memcmp(name, pattern->head.text, pattern->head.length) != 0)
        return false;
    at += pattern->head.length;
    for (int i = 0; i < pattern->count; i++) {
        size_t after = pattern->after[i].length, left = (size_t)(end - at);
        const char *stop;
        if (left <= after)
            return false;
        if (i == pattern->count - 1)
            stop = memcmp(end - after, pattern->after[i].text, after) == 0 ? end - after : NULL;
        else
            stop = memmem(at + 1, left - 1, pattern->after[i].text, after);
        if (!stop)
            return false;
        begin[i] = at;
        size[i] = (size_t)(stop - at);
        at = stop + after;
    }
    return true;
}

/* File name without folders and ending. */
static const char *stem(const char *path, size_t *length)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    *length = dot ? (size_t)(dot - name) : strlen(name);
    return name;
}

struct parts {
    const char *begin[DATA_MAX_FIELDS];
    size_t size[DATA_MAX_FIELDS];
};

static bool match_all(const struct data_pattern *pattern, const char *text, const char *const *names, int64_t count,
                      struct parts *parts, size_t *bytes, struct invar_error *err)
{
    *bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t length;
        const char *name = stem(names[i], &length);
        if (!match(pattern, name, length, parts[i].begin, parts[i].size))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s: its name does not fit data.pattern \"%s\"; rename it, or give another pattern",
                                   names[i], text);
        *bytes += length + DATA_MAX_FIELDS;
    }
    return true;
}

bool data_pattern_fields(const char *pattern, const char *const *names, int64_t count, struct data_fields *fields,
                         struct invar_error *err)
{
    struct data_pattern read;
    struct parts *parts = NULL;
    const char **values = NULL;
    char *text = NULL;
    size_t bytes;
    bool ok = false;

    if (!data_pattern_read(&read, pattern, err) || !data_fields_reserve(fields, read.count, err))
        return false;
    parts = invar_alloc((size_t)count + 1, sizeof *parts, err);
    values = invar_alloc((size_t)count + 1, sizeof *values, err);
    if (!parts || !values || !match_all(&read, pattern, names, count, parts, &bytes, err))
        goto done;
    text = invar_alloc(bytes + 1, 1, err);
    if (!text)
        goto done;
    for (int f = 0; f < read.count; f++) {
        char name[256], *to = text;
        snprintf(name, sizeof name, "%.*s", (int)read.name[f].length, read.name[f].text);
        for (int64_t i = 0; i < count; i++) {
            memcpy(to, parts[i].begin[f], parts[i].size[f]);
            to[parts[i].size[f]] = '\0';
            values[i] = to;
            to += parts[i].size[f] + 1;
        }
        if (!data_field_fill(&fields->field[f], name, values, count, err))
            goto done;
    }
    ok = true;
done:
    invar_free(parts);
    invar_free(values);
    invar_free(text);
    return ok;
}
