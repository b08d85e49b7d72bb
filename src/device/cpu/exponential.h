/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e^x for x up to 80; 0 below the smallest normal number, NaN of NaN. x = k ln 2 + r, e^r by its series, which is exact
 * to half a unit in the last place for |r| <= ln(2) / 2; adding ROUND leaves k in the low bits of the sum. In this form
 * loops over it become vectors, which the C library's function does not.
 */
#ifndef INVAR_SRC_DEVICE_CPU_EXPONENTIAL_H
#define INVAR_SRC_DEVICE_CPU_EXPONENTIAL_H

#include "base/clones.h"

#include <stdint.h>
#include <string.h>

/* e^r for |r| <= ln(2) / 2. Taylor's series, Horner's scheme: at ln(2) / 2 the first term left out is below half a
 * unit in the last place. */
INVAR_INLINE float series_f32(float r)
{
    return 1 +
           r * (1 + r * (1 / 2.0f +
                         r * (1 / 6.0f + r * (1 / 24.0f + r * (1 / 120.0f + r * (1 / 720.0f + r * (1 / 5040.0f)))))));
}

INVAR_INLINE double series_f64(double r)
{
    const double far =
        1 / 5040.0 +
        r * (1 / 40320.0 +
             r * (1 / 362880.0 +
                  r * (1 / 3628800.0 + r * (1 / 39916800.0 + r * (1 / 479001600.0 + r * (1 / 6227020800.0))))));
    return 1 + r * (1 + r * (1 / 2.0 + r * (1 / 6.0 + r * (1 / 24.0 + r * (1 / 120.0 + r * (1 / 720.0 + r * far))))));
}

/* ROUND leaves no bits after the point; LN2_HIGH has zeros at its end, so that its multiples are exact */
#define EXPONENTIAL(type, real, unsigned_of_its_size, ROUND, LN2_HIGH, LN2_LOW, MANTISSA, ONE_BITS, LOWEST)            \
    INVAR_INLINE real exponential_##type(real x)                                                                       \
    {                                                                                                                  \
        const real rounded = x * (real)1.44269504088896340736 + (ROUND), k = rounded - (ROUND);                        \
        const real series = series_##type((x - k * (LN2_HIGH)) - k * (real)(LN2_LOW));                                 \
        real power;                                                                                                    \
        unsigned_of_its_size bits;                                                                                     \
                                                                                                                       \
        memcpy(&bits, &rounded, sizeof bits);                                                                          \
        bits = (bits << (MANTISSA)) + (ONE_BITS);                                                                      \
        memcpy(&power, &bits, sizeof power);                                                                           \
        return x < (LOWEST) ? 0 : series * power;                                                                      \
    }
EXPONENTIAL(f32, float, uint32_t, 12582912.0f, 0.693359375f, 0.69314718055994530942 - 0.693359375, 23, 0x3f800000u,
            -87.0f)
EXPONENTIAL(f64, double, uint64_t, 6755399441055744.0, 0x1.62e42fefap-1, 0x1.cf79abc9e3b3ap-40, 52, 0x3ff0000000000000u,
            -708.0)

#endif
