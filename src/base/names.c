/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of named things: one way to find in them, and one sentence where there is nothing of that name. */
#include "base/names.h"
#include "invar/options.h"
#include <stdio.h>
#include <string.h>

#define NAME_LIMIT 63
#define DISTANCE_LIMIT 3

/* Name of row i, or NULL past the last. */
static const char *name_at(const struct names *names, size_t i, const void **row)
{
    const char *at = names->rows;

    *row = NULL;
    if (!at)
        return NULL;
    at += i * (names->stride ? names->stride : sizeof(void *));
    if (names->stride)
        *row = at;
    else
        memcpy(row, at, sizeof *row);
    return *row ? *(const char *const *)*row : NULL;
}

const void *names_look(struct names names, const char *name, size_t length)
{
    const void *row;

    for (size_t i = 0;; i++) {
        const char *own = name_at(&names, i, &row);
        if (!own)
            return NULL;
        if (strlen(own) == length && memcmp(own, name, length) == 0)
            return row;
    }
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

static const char *nearest_of(const struct names *names, const char *name)
{
    const char *nearest = NULL, *own;
    const void *row;
    size_t best = DISTANCE_LIMIT + 1, length = strlen(name);

    for (size_t i = 0; length <= NAME_LIMIT && (own = name_at(names, i, &row)); i++) {
        const size_t distance = strlen(own) > NAME_LIMIT ? best : edit_distance(name, own);
        if (distance < best && 2 * distance < length) {
            best = distance;
            nearest = own;
        }
    }
    return nearest;
}

const char *invar_nearest_name(const char *name, const char *const *names)
{
    return nearest_of(&NAMES_TEXTS("", names), name);
}

static size_t count_names(const struct names *names)
{
    const void *row;
    size_t count = 0;

    while (name_at(names, count, &row))
        count++;
    return count;
}

#define ROOM_FOR_THE_REST 24 /* " and N more" */

void names_hint(char out[NAMES_HINT_SIZE], struct names names, const char *name)
{
    const char *nearest = nearest_of(&names, name), *own;
    const void *row;
    size_t used;

    if (nearest) {
        snprintf(out, NAMES_HINT_SIZE, "; did you mean \"%s\"?", nearest);
        return;
    }
    const size_t count = count_names(&names);
    used = (size_t)snprintf(out, NAMES_HINT_SIZE, "; known are: %s", count ? "" : "none");
    for (size_t i = 0; i < count; i++) {
        own = name_at(&names, i, &row);
        if (used + strlen(own) + ROOM_FOR_THE_REST >= NAMES_HINT_SIZE) {
            snprintf(out + used, NAMES_HINT_SIZE - used, " and %zu more", count - i);
            return;
        }
        used += (size_t)snprintf(out + used, NAMES_HINT_SIZE - used, "%s%s", i ? ", " : "", own);
    }
}

const void *names_find(struct names names, const char *key, const char *name, struct invar_error *err)
{
    const void *row = names_look(names, name, strlen(name));
    char hint[NAMES_HINT_SIZE];

    if (row)
        return row;
    names_hint(hint, names, name);
    invar_error_set(err, INVAR_ERROR_USAGE, "%s%sthere is no %s \"%.80s\"%s", key ? key : "", key ? ": " : "",
                    names.what, name, hint);
    return NULL;
}
