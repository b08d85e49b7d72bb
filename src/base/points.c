/* SPDX-License-Identifier: Apache-2.0 */
#include "base/points.h"

#include <pthread.h>

static locale_t plain;

static void make(void)
{
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Where it cannot be had, uselocale(0) changes nothing. */
locale_t points_take(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make);
    return uselocale(plain);
}
