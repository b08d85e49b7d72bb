/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and the nearest of several names. */
#include "invar/memory.h"
#include "invar/options.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_LIMIT 63
#define DISTANCE_LIMIT 3

bool invar_text_printf(struct invar_text *text, struct invar_error *err, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    bool ok = length >= 0;
    size_t wanted = text->size + (ok ? (size_t)length : 0) + 1;
    if (ok && wanted > text->capacity) {
        size_t capacity = wanted < 128 ? 256 : wanted * 2;
        char *data = invar_alloc(capacity, 1, err);
        ok = data != NULL;
        if (ok) {
            if (text->size)
                memcpy(data, text->data, text->size);
            invar_free(text->data);
            text->data = data;
            text->capacity = capacity;
        }
    }
    if (ok) {
        vsnprintf(text->data + text->size, text->capacity - text->size, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
    return ok || invar_error_set(err, INVAR_ERROR_MEMORY, "text could not be formatted");
}

void invar_text_free(struct invar_text *text)
{
    invar_free(text->data);
    *text = (struct invar_text){0};
}

/* Levenshtein's distance, row by row; both at most NAME_LIMIT long. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_LIMIT + 1];
    size_t length = strlen(b);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[length];
}

const char *invar_nearest_name(const char *name, const char *const *names)
{
    const char *nearest = NULL;
    size_t best = DISTANCE_LIMIT + 1, length = strlen(name);
    if (length > NAME_LIMIT)
        return NULL;
    for (; *names; names++) {
        if (strlen(*names) > NAME_LIMIT)
            continue;
        size_t distance = edit_distance(name, *names);
        if (distance < best && 2 * distance < length) {
            best = distance;
            nearest = *names;
        }
    }
    return nearest;
}
