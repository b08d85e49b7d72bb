/* SPDX-License-Identifier: Apache-2.0 */
#include "base/human.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *human_bytes(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, unit && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return out;
}

const char *human_duration(double seconds, char *out, size_t size)
{
    if (!(seconds >= 0 && seconds < 1e9)) {
        snprintf(out, size, "?");
    } else if (seconds < 60) {
        snprintf(out, size, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    } else {
        long whole = lround(seconds);
        if (whole < 3600)
            snprintf(out, size, "%ld min %02ld s", whole / 60, whole % 60);
        else
            snprintf(out, size, "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
    }
    return out;
}

/* Where a name of that many bytes may end without cutting a character. */
static int whole_characters(const char *name, int length)
{
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    return length;
}

const char *human_name(const char *name)
{
    enum { LONGEST = 120, KEPT = 80, PLACES = 8 };
    static _Thread_local char places[PLACES][LONGEST];
    static _Thread_local unsigned turn;
    const size_t length = strlen(name);
    if (length < LONGEST)
        return name;
    char *out = places[turn++ % PLACES];
    snprintf(out, LONGEST, "%.*s... (%zu bytes)", whole_characters(name, KEPT), name, length);
    return out;
}
