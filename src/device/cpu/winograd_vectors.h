/* SPDX-License-Identifier: Apache-2.0 */
/* What Winograd's kernels (winograd_kernels.h) are made of: vectors and numbers of maps, the factors of products, and
   the transforms in one dimension. */
#include "base/clones.h"
#include "invar/array.h"

#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

/* Vectors may be wider than the registers (tests compute the kernels of one processor on another); they are passed to
   inlined functions alone. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL INVAR_UNROLL

typedef float vector __attribute__((vector_size(4 * LANES)));
typedef double doubles __attribute__((vector_size(8 * LANES)));
typedef int32_t integers __attribute__((vector_size(4 * LANES)));

INLINE vector load(const float *p)
{
    vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, vector v)
{
    memcpy(p, &v, sizeof v);
}

typedef uint16_t halves __attribute__((vector_size(2 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

/* bfloat16, in the lower halves of words: to nearest, ties to even; a NaN stays one. */
INLINE words narrow(vector v)
{
    const words bits = (words)v, nan = (words)(v != v);
    return (((bits + 0x7fff + (bits >> 16 & 1)) >> 16) & ~nan) | (0x7fc0 & nan);
}

INLINE void store_halves(void *p, words w)
{
    const halves h = __builtin_convertvector(w, halves);
    memcpy(p, &h, sizeof h);
}

#if MAP_BFLOAT16

typedef uint16_t map_number;

INLINE vector map_load(const map_number *p)
{
    halves h;
    memcpy(&h, p, sizeof h);
    return (vector)(__builtin_convertvector(h, words) << 16);
}

INLINE void map_store(map_number *p, vector v)
{
    store_halves(p, narrow(v));
}

#else

typedef float map_number;

INLINE vector map_load(const map_number *p)
{
    return load(p);
}

INLINE void map_store(map_number *p, vector v)
{
    store(p, v);
}

#endif

/* ---- factors of products ---- */

/*
 * What a product takes two of at once lies side by side: numbers of bfloat16 in pairs, a pair a word. The two are
 * channels where a product sums over channels, and tiles where it sums over tiles. An item is a vector of LANES
 * channels, WORDS words of memory.
 */
#if PRODUCT_BFLOAT16

#define PAIR 2

/* s + the two products of every word; as the processor does, or as any does. */
INLINE vector multiply_add(vector s, float a, vector b)
{
#ifdef __AVX512BF16__
    return (vector)_mm512_dpbf16_ps((__m512)s, (__m512bh)_mm512_set1_ps(a), (__m512bh)b);
#else
    words w;
    uint32_t pair;
    memcpy(&pair, &a, sizeof pair);
    w = (words){0} + pair;
    s += (vector)(w & 0xffff0000) * (vector)((words)b & 0xffff0000);
    return s + (vector)(w << 16) * (vector)((words)b << 16);
#endif
}

/* The item of that number among those of `to`; an even one clears its partner's half, and comes before it. */
INLINE void put(float *to, int64_t item, vector v, bool pairs_of_items)
{
    words w = narrow(v);
    if (!pairs_of_items) {
        store_halves(to + item * (LANES / PAIR), w);
        return;
    }
    to += item / PAIR * LANES;
    if (item % PAIR)
        w = (words)load(to) | w << 16;
    store(to, (vector)w);
}

#else

#define PAIR 1

INLINE vector multiply_add(vector s, float a, vector b)
{
    return s + a * b;
}

INLINE void put(float *to, int64_t item, vector v, bool pairs_of_items)
{
    (void)pairs_of_items;
    store(to + item * LANES, v);
}

#endif

#define WORDS (LANES / PAIR)

/* An item of the transformed weights, past the caches where `stream` says so and an item is a line of memory (parts of
 * lines, at 36 places at once, would be written one by one). Such stores are not ordered with others: a fence comes
 * behind the last of them. */
#if defined __AVX512F__ && LANES == 16 && !PRODUCT_BFLOAT16
INLINE void put_weights(float *to, int64_t item, vector v, bool stream)
{
    if (stream)
        _mm512_stream_ps(to + item * LANES, (__m512)v);
    else
        put(to, item, v, true);
}

INLINE void fence(void)
{
    _mm_sfence();
}
#else
INLINE void put_weights(float *to, int64_t item, vector v, bool stream)
{
    (void)stream;
    put(to, item, v, true);
}

INLINE void fence(void)
{
}
#endif

/* ---- the transforms in one dimension; a and b are the points ---- */

#define A1 0.625f
#define B1 1.5f
#define A2 (A1 * A1)
#define B2 (B1 * B1)
#define A3 (A2 * A1)
#define B3 (B2 * B1)
/* 1 / product of the differences to the other points */
#define AT_0 (1 / (A2 * B2))
#define AT_A (1 / (2 * A2 * (A2 - B2)))
#define AT_B (1 / (2 * B2 * (B2 - A2)))

/* B^T x */
INLINE void input_transform(vector r[6], const vector *x)
{
    const vector even_a = x[4] - B2 * x[2], odd_a = x[3] - B2 * x[1];
    const vector even_b = x[4] - A2 * x[2], odd_b = x[3] - A2 * x[1];
    r[0] = (x[4] - (A2 + B2) * x[2]) + (A2 * B2) * x[0];
    r[1] = even_a + A1 * odd_a;
    r[2] = even_a - A1 * odd_a;
    r[3] = even_b + B1 * odd_b;
    r[4] = even_b - B1 * odd_b;
    r[5] = (x[5] - (A2 + B2) * x[3]) + (A2 * B2) * x[1];
}

/* A^T m */
INLINE void output_transform(vector y[4], const vector m[6])
{
    const vector sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    const vector sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = (m[0] + sum_a) + sum_b;
    y[1] = A1 * difference_a + B1 * difference_b;
    y[2] = A2 * sum_a + B2 * sum_b;
    y[3] = (m[5] + A3 * difference_a) + B3 * difference_b;
}

/* A y */
INLINE void gradient_transform(vector r[6], const vector *y)
{
    const vector even_a = y[0] + A2 * y[2], odd_a = A1 * y[1] + A3 * y[3];
    const vector even_b = y[0] + B2 * y[2], odd_b = B1 * y[1] + B3 * y[3];
    r[0] = y[0];
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = y[3];
}

/* G w; in double, for it is little work and its rounding would be in every product. */
INLINE void weight_transform(doubles r[6], const doubles w[3])
{
    const double a = (double)A1, b = (double)B1, at_0 = 1 / (a * a * b * b);
    const double at_a = 1 / (2 * a * a * (a * a - b * b)), at_b = 1 / (2 * b * b * (b * b - a * a));
    const doubles even_a = w[0] + a * a * w[2], odd_a = a * w[1];
    const doubles even_b = w[0] + b * b * w[2], odd_b = b * w[1];
    r[0] = at_0 * w[0];
    r[1] = at_a * (even_a + odd_a);
    r[2] = at_a * (even_a - odd_a);
    r[3] = at_b * (even_b + odd_b);
    r[4] = at_b * (even_b - odd_b);
    r[5] = w[2];
}

/* G^T u */
INLINE void weight_gradient_transform(vector w[3], const vector u[6])
{
    const vector sum_a = AT_A * (u[1] + u[2]), sum_b = AT_B * (u[3] + u[4]);
    w[0] = (AT_0 * u[0] + sum_a) + sum_b;
    w[1] = (AT_A * A1) * (u[1] - u[2]) + (AT_B * B1) * (u[3] - u[4]);
    w[2] = (A2 * sum_a + B2 * sum_b) + u[5];
}
