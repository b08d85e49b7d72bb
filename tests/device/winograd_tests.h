/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's kernels of one vector length and type of map against sums in float64. */
#ifndef INVAR_TESTS_WINOGRAD_TESTS_H
#define INVAR_TESTS_WINOGRAD_TESTS_H

#include "test.h"

#include "device/cpu/winograd_private.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>

/* Sizes that are no multiple of a tile, a register tile or a block; one pixel, one image, more threads than tiles. */
static const struct {
    int64_t batch, height, width, in, out;
} winograd_cases[] = {
    {1, 1, 1, 1, 1},  {2, 4, 4, 8, 8},    {3, 7, 7, 16, 32},  {1, 3, 9, 5, 3},    {5, 8, 6, 24, 40},
    {2, 6, 5, 33, 7}, {17, 4, 4, 64, 16}, {2, 13, 2, 16, 96}, {40, 9, 9, 16, 16}, {300, 2, 3, 8, 24},
};
#define WINOGRAD_CASES ((int)(sizeof winograd_cases / sizeof *winograd_cases))

static inline float winograd_narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A map in the order [image][channel][pixel], and the same as the kernels read it. */
struct winograd_map {
    int64_t batch, channels, height, width;
    struct winograd_strides strides;
    size_t bytes; /* of memory */
    float *plain;
    void *memory;
    bool half;
    int lanes;
};

static inline int64_t winograd_place(const struct winograd_map *m, int64_t image, int64_t channel, int64_t y, int64_t x)
{
    return image * m->strides.image + channel / m->lanes * m->strides.block + y * m->strides.row +
           x * m->strides.pixel + channel % m->lanes;
}

static inline float winograd_read(const struct winograd_map *m, int64_t place)
{
    float value;
    uint32_t bits;
    if (!m->half)
        return ((const float *)m->memory)[place];
    bits = (uint32_t)((const uint16_t *)m->memory)[place] << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void winograd_put(const struct winograd_map *m, int64_t place, float value)
{
    uint32_t bits;
    if (!m->half) {
        ((float *)m->memory)[place] = value;
        return;
    }
    memcpy(&bits, &value, sizeof bits);
    ((uint16_t *)m->memory)[place] = (uint16_t)(bits >> 16);
}

static inline struct winograd_map winograd_map(const struct winograd_kernels *k, bool half, bool last, int64_t batch,
                                               int64_t channels, int64_t height, int64_t width, uint64_t seed)
{
    const int64_t padded = (channels + k->lanes - 1) / k->lanes * k->lanes, pixels = height * width;
    struct winograd_map m = {batch, channels, height, width, {0}, 0, NULL, NULL, half, k->lanes};
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, 0, 0);
    m.strides = last ? (struct winograd_strides){pixels * padded, k->lanes, width * padded, padded}
                     : (struct winograd_strides){pixels * padded, pixels * k->lanes, width * k->lanes, k->lanes};
    m.bytes = (size_t)(batch * padded * pixels) * (half ? 2 : 4);
    m.plain = invar_alloc((size_t)(batch * channels * pixels), sizeof(float), NULL);
    m.memory = invar_alloc(m.bytes, 1, NULL);
    for (int64_t i = 0; i < batch * channels * pixels; i++) {
        const float value = invar_random_normal(&random);
        m.plain[i] = half ? winograd_narrow(value) : value;
        winograd_put(&m,
                     winograd_place(&m, i / pixels / channels, i / pixels % channels, i % pixels / width, i % width),
                     m.plain[i]);
    }
    return m;
}

static inline void winograd_map_free(struct winograd_map *m)
{
    invar_free(m->plain);
    invar_free(m->memory);
}

/* Root mean square of what differs, over that of what is expected. */
struct winograd_error {
    double difference, expected;
};

static inline void winograd_compare(struct winograd_error *error, double found, double expected)
{
    error->difference += (found - expected) * (found - expected);
    error->expected += expected * expected;
}

static inline double winograd_relative(const struct winograd_error *error)
{
    return sqrt(error->difference / (error->expected + 1e-30));
}

static inline double winograd_pixel(const struct winograd_map *m, int64_t image, int64_t channel, int64_t y, int64_t x)
{
    const bool inside = y >= 0 && y < m->height && x >= 0 && x < m->width;
    return inside ? (double)m->plain[((image * m->channels + channel) * m->height + y) * m->width + x] : 0;
}

static inline double winograd_sum(const struct winograd_map *x, const float *weights, bool transposed, int64_t out,
                                  int64_t image, int64_t channel, int64_t top, int64_t left)
{
    double sum = 0;
    for (int64_t in = 0; in < x->channels; in++)
        for (int i = 0; i < 9; i++) {
            const float w =
                transposed ? weights[(in * out + channel) * 9 + 8 - i] : weights[(channel * x->channels + in) * 9 + i];
            sum += (double)w * winograd_pixel(x, image, in, top + i / 3 - 1, left + i % 3 - 1);
        }
    return sum;
}

/* y = relu(conv(x) + bias + y) where `after`, else conv(x). */
static inline void winograd_check_forward(const struct winograd *w, const struct winograd_map *x,
                                          const struct winograd_map *y, const float *weights, const float *bias,
                                          bool transposed, bool after, double tolerance)
{
    struct winograd_error error = {0};
    float *u = invar_alloc(winograd_weight_bytes(w), 1, NULL),
          *scratch = invar_alloc(winograd_scratch_bytes(w), 1, NULL);
    const struct winograd_after all = {bias, y->memory, true}, none = {0};
    winograd_weights(w, weights, transposed, u);
    winograd_forward(w, x->memory, u, after ? &all : &none, y->memory, scratch);
    for (int64_t n = 0; n < y->batch; n++)
        for (int64_t c = 0; c < y->channels; c++)
            for (int64_t i = 0; i < y->height * y->width; i++) {
                const int64_t top = i / y->width, left = i % y->width;
                double expected =
                    winograd_sum(x, weights, transposed, y->channels, n, c, w->stride * top, w->stride * left);
                if (after)
                    expected = fmax(0, expected + (double)bias[c] + winograd_pixel(y, n, c, top, left));
                winograd_compare(&error, (double)winograd_read(y, winograd_place(y, n, c, top, left)), expected);
            }
    if (!(winograd_relative(&error) <= tolerance))
        fail_msg("forward%s%s, %d lanes, %lld x %lld x %lld, %lld to %lld: error %.3g", transposed ? " transposed" : "",
                 after ? " with bias, sum and ReLU" : "", w->kernels->lanes, (long long)w->batch, (long long)w->height,
                 (long long)w->width, (long long)w->in, (long long)w->out, winograd_relative(&error));
    invar_free(u);
    invar_free(scratch);
}

static inline double winograd_gradient(const struct winograd_map *x, const struct winograd_map *dy, int64_t out,
                                       int64_t in, int i)
{
    double sum = 0;
    for (int64_t n = 0; n < x->batch; n++)
        for (int64_t p = 0; p < x->height * x->width; p++) {
            const int64_t top = p / x->width, left = p % x->width;
            sum += winograd_pixel(dy, n, out, top, left) * winograd_pixel(x, n, in, top + i / 3 - 1, left + i % 3 - 1);
        }
    return sum;
}

static inline void winograd_check_gradient(const struct winograd *w, const struct winograd_map *x,
                                           const struct winograd_map *dy, double tolerance)
{
    struct winograd_error error = {0};
    const size_t count = (size_t)(w->in * w->out * 9);
    float *scratch = invar_alloc(winograd_gradient_bytes(w), 1, NULL), *again = invar_alloc(count, sizeof(float), NULL);
    float *gradient = invar_alloc(count, sizeof(float), NULL);
    struct winograd other = *w;
    winograd_backward_weights(w, x->memory, dy->memory, gradient, scratch);
    for (int64_t i = 0; i < (int64_t)count; i++)
        winograd_compare(&error, (double)gradient[i],
                         winograd_gradient(x, dy, i / 9 / w->in, i / 9 % w->in, (int)(i % 9)));
    if (!(winograd_relative(&error) <= tolerance))
        fail_msg("gradient, %d lanes, %lld x %lld x %lld, %lld to %lld: error %.3g", w->kernels->lanes,
                 (long long)w->batch, (long long)w->height, (long long)w->width, (long long)w->in, (long long)w->out,
                 winograd_relative(&error));
    other.threads = 1;
    winograd_backward_weights(&other, x->memory, dy->memory, again, scratch);
    assert_memory_equal(gradient, again, count * sizeof(float));
    invar_free(scratch);
    invar_free(again);
    invar_free(gradient);
}

/* The bits of a forward pass do not depend on the number of threads. */
static inline void winograd_check_threads(const struct winograd *w, const struct winograd_map *x,
                                          struct winograd_map *y, const float *weights)
{
    struct winograd other = *w;
    const struct winograd_after none = {0};
    void *first = invar_alloc(y->bytes, 1, NULL);
    other.threads = 1;
    winograd_check_forward(&other, x, y, weights, NULL, false, false, 1);
    memcpy(first, y->memory, y->bytes);
    float *u = invar_alloc(winograd_weight_bytes(w), 1, NULL),
          *scratch = invar_alloc(winograd_scratch_bytes(w), 1, NULL);
    winograd_weights(w, weights, false, u);
    winograd_forward(w, x->memory, u, &none, y->memory, scratch);
    assert_memory_equal(first, y->memory, y->bytes);
    invar_free(first);
    invar_free(u);
    invar_free(scratch);
}

/* Stride 2, from sides that are odd and even. */
static inline void winograd_check_strided(const struct winograd *like, bool narrow, bool last, const float *weights,
                                          const float *bias, double tolerance)
{
    for (int odd = 0; odd < 4; odd++) {
        struct winograd w = *like;
        w.stride = 2;
        w.read_height = 2 * w.height - odd / 2;
        w.read_width = 2 * w.width - odd % 2;
        struct winograd_map x =
            winograd_map(w.kernels, narrow, last, w.batch, w.in, w.read_height, w.read_width, 5 + (uint64_t)odd);
        struct winograd_map y = winograd_map(w.kernels, narrow, last, w.batch, w.out, w.height, w.width, 2);
        w.read = x.strides;
        winograd_check_forward(&w, &x, &y, weights, bias, false, true, tolerance);
        winograd_check_threads(&w, &x, &y, weights);
        winograd_map_free(&x);
        winograd_map_free(&y);
    }
}

/** narrow: bfloat16 maps, so the output is rounded to 2^-9. products: what errors of the products come to. */
static inline void winograd_check(const struct winograd_kernels *kernels, bool narrow, double products)
{
    const double tolerance = narrow && products < 3e-3 ? 3e-3 : products;
    for (int i = 0; i < WINOGRAD_CASES; i++)
        for (int last = 0; last < 2; last++) {
            struct winograd w = {.kernels = kernels,
                                 .batch = winograd_cases[i].batch,
                                 .height = winograd_cases[i].height,
                                 .width = winograd_cases[i].width,
                                 .in = winograd_cases[i].in,
                                 .out = winograd_cases[i].out,
                                 .read_height = winograd_cases[i].height,
                                 .read_width = winograd_cases[i].width,
                                 .stride = 1,
                                 .threads = 3};
            struct winograd_map x = winograd_map(kernels, narrow, last, w.batch, w.in, w.height, w.width, 1);
            struct winograd_map y = winograd_map(kernels, narrow, last, w.batch, w.out, w.height, w.width, 2);
            struct winograd_map weights = winograd_map(kernels, false, false, w.out, w.in, 3, 3, 3);
            struct winograd_map bias = winograd_map(kernels, false, false, 1, w.out, 1, 1, 4);
            w.read = x.strides;
            w.written = y.strides;
            winograd_check_gradient(&w, &x, &y, products);
            winograd_check_forward(&w, &x, &y, weights.plain, bias.plain, false, true, tolerance);
            winograd_check_forward(&w, &x, &y, weights.plain, NULL, false, false, tolerance);
            winograd_check_forward(&w, &x, &y, weights.plain, NULL, true, false, tolerance);
            winograd_check_threads(&w, &x, &y, weights.plain);
            winograd_map_free(&x);
            winograd_check_strided(&w, narrow, last, weights.plain, bias.plain, tolerance);
            winograd_map_free(&y);
            winograd_map_free(&weights);
            winograd_map_free(&bias);
        }
}

#endif
