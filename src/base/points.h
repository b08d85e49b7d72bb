/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_POINTS_H
#define BASE_POINTS_H

#include <locale.h>

/* Numbers in files have points. A caller may have set a locale that has commas (as GTK does), and strtod and printf
   follow it: where they read or write a file's numbers, the calling thread has the locale C for that long. */
locale_t points_take(void);

static inline void points_back(const locale_t *had)
{
    uselocale(*had);
}

/** Until the end of the block numbers of the calling thread have points. */
#define NUMBERS_HAVE_POINTS() __attribute__((cleanup(points_back), unused)) const locale_t points_had = points_take()

#endif
