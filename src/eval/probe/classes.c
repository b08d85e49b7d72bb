/* SPDX-License-Identifier: Apache-2.0 */
/* Which class of other data is which of one's own: by name. */
#include "data/fields.h"
#include "data/table/csv.h"
#include "invar/robustness.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The name of a class, or its number. */
static const char *name_of(const struct invar_dataset_info *info, int class, char *room, size_t size)
{
    if (info->class_names)
        return info->class_names[class];
    snprintf(room, size, "%d", class);
    return room;
}

/* Bytes above 127 are parts of UTF-8 letters; they have to agree as they are. */
static bool counts(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 128;
}

/* Equal but for capitals and whatever is neither letter nor digit. */
static bool alike(const char *a, const char *b)
{
    bool any = false;

    for (;; a++, b++) {
        while (*a && !counts(*a))
            a++;
        while (*b && !counts(*b))
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return any;
        any = true;
    }
}

/* Of numbers signs and points count: -1 is not 1. */
static bool corresponds(const char *a, const char *b)
{
    const struct data_csv csv = {.separator = ';'};
    double x, y;

    return data_csv_number(&csv, a, &x) && data_csv_number(&csv, b, &y) ? data_value_same(a, b) : alike(a, b);
}

/* An exact name first; a similar one only if it is the only one, since two candidates are a guess. */
static int find(const struct invar_dataset_info *own, const char *name)
{
    char room[16];
    int found = -1, found_count = 0;

    for (int c = 0; c < own->classes; c++) {
        const char *mine = name_of(own, c, room, sizeof room);
        if (strcmp(mine, name) == 0)
            return c;
        if (corresponds(mine, name)) {
            found = c;
            found_count++;
        }
    }
    return found_count == 1 ? found : -1;
}

void invar_classes_match(const struct invar_dataset_info *own, const struct invar_dataset_info *other, int *map)
{
    char room[16];

    for (int c = 0; c < other->classes; c++)
        /* Several classes of the other data may have one and the same here, since a map goes one way. */
        map[c] = find(own, name_of(other, c, room, sizeof room));
}
