/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logarithm and cosine of float without a call or a branch, so that loops over them become vectors, which the C
 * library's functions do not. Polynomials of Cephes; errors below two units in the last place.
 */
#ifndef INVAR_SRC_BASE_ELEMENTARY_H
#define INVAR_SRC_BASE_ELEMENTARY_H

#include "base/clones.h"

#include <stdint.h>
#include <string.h>

#define ELEMENTARY_ROOT_HALF 0x3f3504f3 /* bits of sqrt(1/2) */
#define ELEMENTARY_MANTISSA 23

/* log(x) for 0 < x < Inf that is not denormal; NaN of NaN and Inf. */
INVAR_INLINE float invar_log_f32(float x)
{
    int32_t bits, exponent;
    float m;

    memcpy(&bits, &x, sizeof bits);
    exponent = (bits - ELEMENTARY_ROOT_HALF) >> ELEMENTARY_MANTISSA;
    bits -= (int32_t)((uint32_t)exponent << ELEMENTARY_MANTISSA);
    memcpy(&m, &bits, sizeof m);
    m -= 1.0f; /* x = 2^exponent (1 + m) */
    const float e = (float)exponent, z = m * m;
    const float series =
        ((((((((7.0376836292e-2f * m - 1.1514610310e-1f) * m + 1.1676998740e-1f) * m - 1.2420140846e-1f) * m +
             1.4249322787e-1f) *
                m -
            1.6668057665e-1f) *
               m +
           2.0000714765e-1f) *
              m -
          2.4999993993e-1f) *
             m +
         3.3333331174e-1f) *
        m * z;
    return e * 0.693359375f + (m + (series - e * 2.12194440e-4f - 0.5f * z)) + (x - x);
}

/* cos(2 pi u) for 0 <= u < 1: sine or cosine of what is left of the nearest quarter turn. */
INVAR_INLINE float invar_cos_turns_f32(float u)
{
    const float quarters = 4.0f * u, nearest = (quarters + 12582912.0f) - 12582912.0f; /* no bits after the point */
    const float r = (quarters - nearest) * 1.57079632679489662f, z = r * r;
    const float sine = r + r * z * ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f);
    const float cosine =
        1.0f - 0.5f * z + z * z * ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f);
    const uint32_t turn = (uint32_t)(int32_t)nearest, odd = 0u - (turn & 1u);
    uint32_t s, c;
    float out;

    memcpy(&s, &sine, sizeof s);
    memcpy(&c, &cosine, sizeof c);
    s = ((s & odd) | (c & ~odd)) ^ (((turn + 1u) & 2u) << 30);
    memcpy(&out, &s, sizeof out);
    return out;
}

#endif
