/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch norm of one tile, for vectors of LANES numbers: norm_sse.c, norm_avx2.c and norm_avx512.c include this and
 * export the table NORM_TABLE. Where a block of channels is one vector (nChw8c, nChw16c) the numbers of a channel stay
 * in registers along the pixels; else a pixel's channels are taken one vector after the other.
 */
#include "base/clones.h"
#include "device/cpu/norm_tile.h"

#include <stdint.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float vec_at __attribute__((vector_size(LANES * 4), aligned(4)));
typedef uint32_t bits __attribute__((vector_size(LANES * 4)));
typedef double wide __attribute__((vector_size(LANES * 4)));
typedef uint16_t half __attribute__((vector_size(LANES * 2)));
typedef uint16_t half_at __attribute__((vector_size(LANES * 2), aligned(2)));

/* ---- what the instruction sets call by different names ---- */

#if LANES == 16 && defined __AVX512F__
/* The fallback rounds twice where the instruction rounds once, so its bits differ from AVX2's: results are reproduced
 * on one instruction set, not across them. */
INVAR_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
INVAR_INLINE vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}
INVAR_INLINE void vec_stream(float *to, vec x)
{
    _mm512_stream_ps(to, x);
}
INVAR_INLINE void half_stream(uint16_t *to, half x)
{
    _mm256_stream_si256((__m256i *)(void *)to, (__m256i)x);
}
#define HAS_STREAM
#elif LANES == 8 && defined __AVX2__
INVAR_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
INVAR_INLINE vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}
INVAR_INLINE void vec_stream(float *to, vec x)
{
    _mm256_stream_ps(to, x);
}
INVAR_INLINE void half_stream(uint16_t *to, half x)
{
    _mm_stream_si128((__m128i *)(void *)to, (__m128i)x);
}
#define HAS_STREAM
#else
INVAR_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}
/* b where either is not a number */
INVAR_INLINE vec vec_max(vec a, vec b)
{
    const bits first = (bits)(a > b);
    return (vec)(((bits)a & first) | ((bits)b & ~first));
}
#endif

/* ---- memory: float32 or bfloat16, whole vectors or the last few channels ---- */

/* To nearest, ties to even, on the integer that a float is; a NaN gets a bit of its mantissa set that the cut leaves
 * there, or cutting could make it infinity. */
INVAR_INLINE bits round_bits(vec x)
{
    const bits raw = (bits)x, number = (bits)(x == x);
    return ((raw + 0x7fffu + ((raw >> 16) & 1u)) & number) | ((raw | 0x400000u) & ~number);
}

INVAR_INLINE vec rounded(vec x)
{
    return (vec)(round_bits(x) & 0xffff0000u);
}

/* `lanes` and `narrow` are constants wherever this is called, so that one of the branches is all that is compiled. */
INVAR_INLINE vec load(const void *x, int64_t at, int lanes, bool narrow)
{
    if (narrow) {
        half h = {0};
        if (lanes == LANES)
            h = *(const half_at *)(const void *)((const uint16_t *)x + at);
        else
            memcpy(&h, (const uint16_t *)x + at, (size_t)lanes * sizeof(uint16_t));
        return (vec)(__builtin_convertvector(h, bits) << 16);
    }
    if (lanes == LANES)
        return *(const vec_at *)(const void *)((const float *)x + at);
    vec v = {0};
    memcpy(&v, (const float *)x + at, (size_t)lanes * sizeof(float));
    return v;
}

/* Streaming wants whole, aligned vectors, which blocked layouts have; callers ask for it there alone. */
INVAR_INLINE void store(void *y, int64_t at, vec v, int lanes, bool narrow, bool stream)
{
#ifndef HAS_STREAM
    stream = false;
#endif
    if (narrow) {
        const half h = __builtin_convertvector(round_bits(v) >> 16, half);
        uint16_t *to = (uint16_t *)y + at;
#ifdef HAS_STREAM
        if (stream)
            half_stream(to, h);
#endif
        if (!stream && lanes == LANES)
            *(half_at *)(void *)to = h;
        else if (!stream)
            memcpy(to, &h, (size_t)lanes * sizeof *to);
        return;
    }
    float *to = (float *)y + at;
#ifdef HAS_STREAM
    if (stream)
        vec_stream(to, v);
#endif
    if (!stream && lanes == LANES)
        *(vec_at *)(void *)to = v;
    else if (!stream)
        memcpy(to, &v, (size_t)lanes * sizeof *to);
}

/* Streamed stores are not ordered with others: the next operation, perhaps on another core, must see them. */
INVAR_INLINE void fence(bool stream)
{
#ifdef HAS_STREAM
    if (stream)
        _mm_sfence();
#else
    (void)stream;
#endif
}

/* ---- sums over a tile ---- */

/* Sums side by side, for the adder's latency: of neighbouring vectors of channels, or of pixels of one vector. Moments
 * have four vectors of doubles a sum, for which 16 registers suffice twice. */
#define SUMS 4
#define MOMENTS (LANES == 16 ? 4 : 2)

/* Where sum number k reads, `pixel` pixels into a run. */
INVAR_INLINE int64_t place(const struct norm_tile *tile, int64_t run, int64_t pixel, int64_t channel, int k, int across)
{
    return tile->offset + run * tile->run_stride + (pixel + k / across) * tile->width + channel + k % across * LANES;
}

/* Across channels the sums are of different ones and stay apart. */
INVAR_INLINE void fold(vec s[SUMS], int across)
{
    if (across == 1)
        s[0] = (s[0] + s[1]) + (s[2] + s[3]);
}

struct channels {
    int64_t first;
    int lanes, across; /* constants, both */
};

/* Calls f(k, at) for every vector of the tile, with the sum k of `sums` that it belongs to. */
#define EACH_VECTOR(tile, c, sums, f)                                                                                  \
    for (int64_t run = 0; run < (tile)->runs; run++) {                                                                 \
        int64_t pixel = 0;                                                                                             \
        for (; pixel + (sums) / (c).across <= (tile)->pixels; pixel += (sums) / (c).across)                            \
            for (int k = 0; k < (sums); k++)                                                                           \
                f(k, place(tile, run, pixel, (c).first, k, (c).across));                                               \
        for (; pixel < (tile)->pixels; pixel++)                                                                        \
            for (int k = 0; k < (c).across; k++)                                                                       \
                f(k, place(tile, run, pixel, (c).first, k, (c).across));                                               \
    }

/* The first `lanes` numbers of both into out [2][width]. */
INVAR_INLINE void put(vec a, vec b, int lanes, const struct norm_tile *tile, int64_t channel, double *out)
{
    float first[LANES], second[LANES];
    memcpy(first, &a, sizeof first);
    memcpy(second, &b, sizeof second);
    for (int i = 0; i < lanes; i++) {
        out[channel + i] = (double)first[i];
        out[channel + tile->width + i] = (double)second[i];
    }
}

/* A vector in double, each half by itself. */
struct wide_vector {
    wide half[2];
};

/* By name where there is an instruction for it: compilers convert in vectors half as wide, which takes half as long
 * again. */
INVAR_INLINE struct wide_vector widened(vec v)
{
#if LANES == 16 && defined __AVX512F__
    return (struct wide_vector){
        {_mm512_cvtps_pd(_mm512_castps512_ps256(v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))}};
#elif LANES == 8 && defined __AVX2__
    return (struct wide_vector){
        {_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))}};
#elif LANES == 4 && defined __SSE2__
    return (struct wide_vector){{_mm_cvtps_pd(v), _mm_cvtps_pd(_mm_movehl_ps(v, v))}};
#else
    struct wide_vector w;
    for (int i = 0; i < LANES; i++)
        w.half[i / (LANES / 2)][i % (LANES / 2)] = (double)v[i];
    return w;
#endif
}

/* In double, around the tile's first number, from which no mean is far enough for squares to cancel: what comes out is
 * exact beyond a float, and the same float however rows are shared out among tiles, and among ranks. That decides
 * whether ranks compute what one process does: what comes behind a norm has the same bits then, and no ReLU near 0
 * falls to another side. One pass over what the cache may not hold makes it no slower than two in float. */
INVAR_INLINE void moments_of(const struct norm_tile *tile, struct channels c, bool narrow, const void *x, double *out)
{
    struct wide_vector around[MOMENTS], sum[MOMENTS] = {{{{0}}}}, squares[MOMENTS] = {{{{0}}}};
    const double count = (double)(tile->runs * tile->pixels);
    for (int k = 0; k < MOMENTS; k++)
        around[k] = widened(load(x, tile->offset + c.first + k % c.across * LANES, c.lanes, narrow));
#define ADD(k, at)                                                                                                     \
    do {                                                                                                               \
        const struct wide_vector v = widened(load(x, at, c.lanes, narrow));                                            \
        for (int h = 0; h < 2; h++) {                                                                                  \
            const wide d = v.half[h] - around[k].half[h];                                                              \
            sum[k].half[h] += d;                                                                                       \
            squares[k].half[h] += d * d;                                                                               \
        }                                                                                                              \
    } while (0)
    EACH_VECTOR(tile, c, MOMENTS, ADD)
#undef ADD
    for (int k = c.across; k < MOMENTS; k++)
        for (int h = 0; h < 2; h++) {
            sum[0].half[h] += sum[k].half[h];
            squares[0].half[h] += squares[k].half[h];
        }
    for (int k = 0; k < c.across; k++) {
        double first[LANES], second[LANES], from[LANES];
        memcpy(first, &sum[k], sizeof first);
        memcpy(second, &squares[k], sizeof second);
        memcpy(from, &around[k], sizeof from);
        for (int i = 0; i < c.lanes; i++) {
            const int64_t channel = c.first + k * LANES + i;
            out[channel] = from[i] + first[i] / count;
            out[tile->width + channel] = second[i] - first[i] * first[i] / count;
        }
    }
}

/* Statistics of one vector of channels. */
struct norm_vector {
    vec mean, factor, shift;
};

/* Three numbers a channel that everything else follows from. */
INVAR_INLINE struct norm_vector norm_vector(const float *statistics, int64_t stride, int64_t channel, int lanes)
{
    return (struct norm_vector){load(statistics + NORM_MEAN * stride, channel, lanes, false),
                                load(statistics + NORM_FACTOR * stride, channel, lanes, false),
                                load(statistics + NORM_SHIFT * stride, channel, lanes, false)};
}

/* The one way to y: what is computed again has the same bits. Forward, once more before the backward pass, and for
 * the mask of a ReLU: one fused operation, so that all three agree. */
INVAR_INLINE vec normed(vec x, const struct norm_vector *n)
{
    return vec_fma(x - n->mean, n->factor, n->shift);
}

/* dy where ReLU let y through. ReLU's mask is made again from x, instead of being kept or read from the output: it is
 * the same comparison on the same bits. */
INVAR_INLINE vec passed(vec dy, vec x, const struct norm_vector *n, bool relu)
{
    return relu ? (vec)((bits)dy & (bits)(normed(x, n) > 0.0f)) : dy;
}

/* sum of dy, and sum of dy (x - mean): all that the gradients of x, scale and shift need. In float within a tile:
 * nothing turns over by the last bit of a gradient. */
INVAR_INLINE void sums_of(const struct norm_tile *tile, struct channels c, bool narrow, const void *x,
                          const float *statistics, bool relu, const void *dy, double *out)
{
    struct norm_vector n[SUMS];
    vec first[SUMS] = {{0}}, second[SUMS] = {{0}};
    for (int k = 0; k < c.across; k++)
        n[k] = norm_vector(statistics, tile->stride, c.first + k * LANES, c.lanes);
#define ADD(k, at)                                                                                                     \
    do {                                                                                                               \
        const vec v = load(x, at, c.lanes, narrow);                                                                    \
        const vec g = passed(load(dy, at, c.lanes, narrow), v, &n[k % c.across], relu);                                \
        first[k] += g;                                                                                                 \
        second[k] = vec_fma(g, v - n[k % c.across].mean, second[k]);                                                   \
    } while (0)
    EACH_VECTOR(tile, c, SUMS, ADD)
#undef ADD
    fold(first, c.across);
    fold(second, c.across);
    for (int k = 0; k < c.across; k++)
        put(first[k], second[k], c.lanes, tile, c.first + k * LANES, out);
}

/* Calls OF(tile, channels, ..) with constants: for `sums` vectors at once, for one, for what is left of one. */
#define EACH_CHANNEL(OF, sums, tile, ...)                                                                              \
    do {                                                                                                               \
        int64_t at = 0;                                                                                                \
        for (; at + (sums)*LANES <= (tile)->width; at += (sums)*LANES)                                                 \
            OF(tile, ((struct channels){at, LANES, sums}), __VA_ARGS__);                                               \
        for (; at + LANES <= (tile)->width; at += LANES)                                                               \
            OF(tile, ((struct channels){at, LANES, 1}), __VA_ARGS__);                                                  \
        if (at < (tile)->width)                                                                                        \
            OF(tile, ((struct channels){at, (int)(((tile)->width - at) % LANES), 1}), __VA_ARGS__);                    \
    } while (0)

/* Constants for the compiler: one copy of the loop for every case, none of which asks inside. */
static void moments(const struct norm_tile *tile, bool narrow, const void *x, double *out)
{
    if (narrow)
        EACH_CHANNEL(moments_of, MOMENTS, tile, true, x, out);
    else
        EACH_CHANNEL(moments_of, MOMENTS, tile, false, x, out);
}

/* Four combinations, each compiled by itself. */
static void sums(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics, bool relu,
                 const void *dy, double *out)
{
    if (narrow && relu)
        EACH_CHANNEL(sums_of, SUMS, tile, true, x, statistics, true, dy, out);
    else if (narrow)
        EACH_CHANNEL(sums_of, SUMS, tile, true, x, statistics, false, dy, out);
    else if (relu)
        EACH_CHANNEL(sums_of, SUMS, tile, false, x, statistics, true, dy, out);
    else
        EACH_CHANNEL(sums_of, SUMS, tile, false, x, statistics, false, dy, out);
}

/* ---- maps from maps ---- */

/* Adds a term to the sum so far; n: its statistics, if it is a norm. The ReLU has 0 as the first operand of max:
 * where the sum is NaN, the second one is the result, and NaN goes on. */
INVAR_INLINE vec term_added(const struct norm_term *term, const struct norm_vector *n, vec sum, bool first, int64_t at,
                            int lanes, bool narrow)
{
    vec v = load(term->x, at, lanes, narrow);
    if (term->statistics)
        v = normed(v, n);
    v = first ? v : sum + v;
    if (term->relu)
        v = vec_max((vec){0}, v);
    return term->rounded ? rounded(v) : v;
}

/* One vector a pixel: its numbers stay in registers. The terms are copied to the stack, or the compiler would have to
 * read them anew after every store. */
INVAR_INLINE void apply_block(const struct norm_tile *tile, bool narrow, const struct norm_term *given, int count,
                              void *y, bool stream)
{
    struct norm_vector n[NORM_TERMS];
    struct norm_term terms[NORM_TERMS];
    memcpy(terms, given, (size_t)count * sizeof *terms);
    for (int i = 0; i < count; i++)
        n[i] = terms[i].statistics ? norm_vector(terms[i].statistics, tile->stride, 0, LANES)
                                   : (struct norm_vector){{0}, {0}, {0}};
    for (int64_t run = 0; run < tile->runs; run++) {
        const int64_t begin = tile->offset + run * tile->run_stride, end = begin + tile->pixels * LANES;
        for (int64_t at = begin; at < end; at += LANES) {
            vec v = {0};
            for (int i = 0; i < count; i++)
                v = term_added(&terms[i], &n[i], v, i == 0, at, LANES, narrow);
            store(y, at, v, LANES, narrow, stream);
        }
    }
}

/* Not streamed: the last channels of a pixel need not fill a vector, and a partial stream costs more than it saves. */
INVAR_INLINE void apply_channels(const struct norm_tile *tile, bool narrow, const struct norm_term *terms, int count,
                                 int64_t begin, int64_t channel, int lanes, void *y)
{
    vec v = {0};
    for (int i = 0; i < count; i++) {
        struct norm_vector n = {{0}, {0}, {0}};
        if (terms[i].statistics)
            n = norm_vector(terms[i].statistics, tile->stride, channel, lanes);
        v = term_added(&terms[i], &n, v, i == 0, begin + channel, lanes, narrow);
    }
    store(y, begin + channel, v, lanes, narrow, false);
}

/* Channels last: statistics are loaded anew at every pixel, from the first cache, as they do not fit into registers. */
INVAR_INLINE void apply_pixels(const struct norm_tile *tile, bool narrow, const struct norm_term *terms, int count,
                               void *y)
{
    for (int64_t run = 0; run < tile->runs; run++)
        for (int64_t pixel = 0; pixel < tile->pixels; pixel++) {
            const int64_t begin = tile->offset + run * tile->run_stride + pixel * tile->width;
            int64_t channel = 0;
            for (; channel + LANES <= tile->width; channel += LANES)
                apply_channels(tile, narrow, terms, count, begin, channel, LANES, y);
            if (channel < tile->width)
                apply_channels(tile, narrow, terms, count, begin, channel, (int)((tile->width - channel) % LANES), y);
        }
}

INVAR_INLINE void apply_count(const struct norm_tile *tile, bool narrow, const struct norm_term *terms, int count,
                              void *y, bool stream)
{
    if (tile->width == LANES)
        apply_block(tile, narrow, terms, count, y, stream);
    else
        apply_pixels(tile, narrow, terms, count, y);
}

INVAR_INLINE void apply_typed(const struct norm_tile *tile, bool narrow, const struct norm_term *terms, int count,
                              void *y, bool stream)
{
    if (count == 1)
        apply_count(tile, narrow, terms, 1, y, stream);
    else if (count == 2)
        apply_count(tile, narrow, terms, 2, y, stream);
    else if (count == 3)
        apply_count(tile, narrow, terms, 3, y, stream);
    else
        apply_count(tile, narrow, terms, 4, y, stream);
}

/* The count of terms is a constant as well: a residual block has two or three, and a loop over a variable would keep
 * them in memory. */
static void apply(const struct norm_tile *tile, bool narrow, const struct norm_term *terms, int count, void *y,
                  bool stream)
{
    stream = stream && tile->width == LANES;
    if (narrow && stream)
        apply_typed(tile, true, terms, count, y, true);
    else if (narrow)
        apply_typed(tile, true, terms, count, y, false);
    else if (stream)
        apply_typed(tile, false, terms, count, y, true);
    else
        apply_typed(tile, false, terms, count, y, false);
    fence(stream);
}

struct gradient_vector {
    struct norm_vector n;
    vec constant, along;
};

/* Coefficients of a group are floats in the scratch memory, after they were put together in double. */
INVAR_INLINE struct gradient_vector gradient_vector(const struct norm_tile *tile, const float *statistics,
                                                    const float *coefficients, int64_t channel, int lanes)
{
    return (struct gradient_vector){norm_vector(statistics, tile->stride, channel, lanes),
                                    load(coefficients, channel, lanes, false),
                                    load(coefficients + tile->stride, channel, lanes, false)};
}

/* factor (dy - mean(dy) - xhat mean(dy xhat)), multiplied out into two fused operations; constant and along have been
 * made per channel. */
INVAR_INLINE vec gradient_at(const struct gradient_vector *k, const void *x, const void *dy, int64_t at, int lanes,
                             bool narrow, bool relu)
{
    const vec v = load(x, at, lanes, narrow), g = passed(load(dy, at, lanes, narrow), v, &k->n, relu);
    return vec_fma(k->n.factor, g, -vec_fma(v - k->n.mean, k->along, k->constant));
}

INVAR_INLINE void gradient_block(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics,
                                 bool relu, const float *coefficients, const void *dy, void *dx, bool stream)
{
    const struct gradient_vector k = gradient_vector(tile, statistics, coefficients, 0, LANES);
    for (int64_t run = 0; run < tile->runs; run++) {
        const int64_t begin = tile->offset + run * tile->run_stride, end = begin + tile->pixels * LANES;
        for (int64_t at = begin; at < end; at += LANES)
            store(dx, at, gradient_at(&k, x, dy, at, LANES, narrow, relu), LANES, narrow, stream);
    }
}

INVAR_INLINE void gradient_channels(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics,
                                    bool relu, const float *coefficients, int64_t begin, int64_t channel, int lanes,
                                    const void *dy, void *dx)
{
    const struct gradient_vector k = gradient_vector(tile, statistics, coefficients, channel, lanes);
    store(dx, begin + channel, gradient_at(&k, x, dy, begin + channel, lanes, narrow, relu), lanes, narrow, false);
}

/* Whole vectors of channels, then what is left of one. */
INVAR_INLINE void gradient_pixels(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics,
                                  bool relu, const float *coefficients, const void *dy, void *dx)
{
    for (int64_t run = 0; run < tile->runs; run++)
        for (int64_t pixel = 0; pixel < tile->pixels; pixel++) {
            const int64_t begin = tile->offset + run * tile->run_stride + pixel * tile->width;
            int64_t channel = 0;
            for (; channel + LANES <= tile->width; channel += LANES)
                gradient_channels(tile, narrow, x, statistics, relu, coefficients, begin, channel, LANES, dy, dx);
            if (channel < tile->width)
                gradient_channels(tile, narrow, x, statistics, relu, coefficients, begin, channel,
                                  (int)((tile->width - channel) % LANES), dy, dx);
        }
}

INVAR_INLINE void gradient_typed(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics,
                                 bool relu, const float *coefficients, const void *dy, void *dx, bool stream)
{
    if (tile->width != LANES)
        gradient_pixels(tile, narrow, x, statistics, relu, coefficients, dy, dx);
    else if (stream)
        gradient_block(tile, narrow, x, statistics, relu, coefficients, dy, dx, true);
    else
        gradient_block(tile, narrow, x, statistics, relu, coefficients, dy, dx, false);
}

/* As `apply`: streamed only where the width is a vector's, and fenced at the end. */
static void gradient(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics, bool relu,
                     const float *coefficients, const void *dy, void *dx, bool stream)
{
    stream = stream && tile->width == LANES;
    if (narrow && relu)
        gradient_typed(tile, true, x, statistics, true, coefficients, dy, dx, stream);
    else if (narrow)
        gradient_typed(tile, true, x, statistics, false, coefficients, dy, dx, stream);
    else if (relu)
        gradient_typed(tile, false, x, statistics, true, coefficients, dy, dx, stream);
    else
        gradient_typed(tile, false, x, statistics, false, coefficients, dy, dx, stream);
    fence(stream);
}

const struct norm_kernels NORM_TABLE = {moments, apply, sums, gradient, LANES};
