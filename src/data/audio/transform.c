/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The even and odd numbers of a real signal are the parts of a complex one of half the size; its transform is that of
 * Stockham, which needs no reordering: stages of radix 4, 2 and whatever primes the size has, from one array to another
 * and back.
 */
#include "data/audio/transform.h"

#include "base/clones.h"
#include "invar/memory.h"

#include <math.h>

#define LANES DATA_LANES
#define MAX_STAGES 32

typedef data_lanes lanes;

/* Complex numbers by parts, [count][LANES] each. */
struct parts {
    float *re, *im;
};

struct data_transform {
    int64_t half; /* complex numbers */
    int stages, radix[MAX_STAGES];
    struct parts root;  /* [half] e^(-2 pi i k / half) */
    struct parts twist; /* [half + 1] e^(-2 pi i k / size) */
    struct parts from, to;
};

static bool parts_create(struct parts *parts, size_t count, size_t width, struct invar_error *err)
{
    parts->re = invar_alloc(count, width * sizeof(float), err);
    parts->im = parts->re ? invar_alloc(count, width * sizeof(float), err) : NULL;
    return parts->im != NULL;
}

static void parts_free(struct parts *parts)
{
    invar_free(parts->re);
    invar_free(parts->im);
}

static void make_roots(struct parts *root, int64_t count, int64_t size)
{
    for (int64_t k = 0; k < count; k++) {
        const double angle = 2 * M_PI * (double)k / (double)size;
        root->re[k] = (float)cos(angle);
        root->im[k] = (float)-sin(angle);
    }
}

static void factorise(struct data_transform *t)
{
    int64_t rest = t->half;

    for (int64_t p = 4; rest > 1; p = p == 4 ? 2 : p == 2 ? 3 : p * p > rest ? rest : p + 2)
        for (; rest % p == 0; rest /= p)
            t->radix[t->stages++] = (int)p;
}

struct data_transform *data_transform_create(int64_t size, struct invar_error *err)
{
    struct data_transform *t = invar_alloc(1, sizeof *t, err);

    if (!t)
        return NULL;
    t->half = size / 2;
    if (!parts_create(&t->root, (size_t)t->half, 1, err) || !parts_create(&t->twist, (size_t)t->half + 1, 1, err) ||
        !parts_create(&t->from, (size_t)t->half, LANES, err) || !parts_create(&t->to, (size_t)t->half, LANES, err)) {
        data_transform_free(t);
        return NULL;
    }
    make_roots(&t->root, t->half, t->half);
    make_roots(&t->twist, t->half + 1, size);
    factorise(t);
    return t;
}

void data_transform_free(struct data_transform *t)
{
    if (!t)
        return;
    parts_free(&t->root);
    parts_free(&t->twist);
    parts_free(&t->from);
    parts_free(&t->to);
    invar_free(t);
}

float *data_transform_place(struct data_transform *t, int64_t i)
{
    return (i % 2 ? t->from.im : t->from.re) + i / 2 * LANES;
}

/* One stage: n numbers stand at distance s; number q + s (k + m j) goes into q + s (p k + i), m = n / p. */
struct stage {
    const float *root_re, *root_im;
    const lanes *re, *im;
    lanes *to_re, *to_im;
    int64_t s, m;
};

/* to = w (re + i im) */
INVAR_INLINE void put(const struct stage *g, int64_t to, int64_t w, const lanes *re, const lanes *im)
{
    const float c = g->root_re[w], d = g->root_im[w];

    g->to_re[to] = c * *re - d * *im;
    g->to_im[to] = c * *im + d * *re;
}

INVAR_INLINE void butterfly_2(const struct stage *g, int64_t k, int64_t q)
{
    const int64_t a = q + g->s * k, b = a + g->s * g->m;
    const lanes re[2] = {g->re[a] + g->re[b], g->re[a] - g->re[b]};
    const lanes im[2] = {g->im[a] + g->im[b], g->im[a] - g->im[b]};

    put(g, q + g->s * 2 * k, 0, &re[0], &im[0]);
    put(g, q + g->s * (2 * k + 1), k * g->s, &re[1], &im[1]);
}

INVAR_INLINE void butterfly_4(const struct stage *g, int64_t k, int64_t q)
{
    const int64_t apart = g->s * g->m, a = q + g->s * k, b = a + apart, c = b + apart, d = c + apart;
    const lanes sum_re = g->re[a] + g->re[c], sum_im = g->im[a] + g->im[c];
    const lanes less_re = g->re[a] - g->re[c], less_im = g->im[a] - g->im[c];
    const lanes other_re = g->re[b] + g->re[d], other_im = g->im[b] + g->im[d];
    const lanes away_re = g->re[b] - g->re[d], away_im = g->im[b] - g->im[d];
    const lanes re[4] = {sum_re + other_re, less_re + away_im, sum_re - other_re, less_re - away_im};
    const lanes im[4] = {sum_im + other_im, less_im - away_re, sum_im - other_im, less_im + away_re};

    put(g, q + g->s * 4 * k, 0, &re[0], &im[0]);
    put(g, q + g->s * (4 * k + 1), k * g->s, &re[1], &im[1]);
    put(g, q + g->s * (4 * k + 2), 2 * k * g->s, &re[2], &im[2]);
    put(g, q + g->s * (4 * k + 3), 3 * k * g->s, &re[3], &im[3]);
}

/* Any radix, in p^2 steps. */
INVAR_INLINE void butterfly(const struct stage *g, int64_t p, int64_t k, int64_t q)
{
    const int64_t between = g->s * g->m; /* of numbers, and of the roots of order p */

    for (int64_t i = 0; i < p; i++) {
        lanes re = {0}, im = {0};
        for (int64_t j = 0; j < p; j++) {
            const int64_t at = q + g->s * k + between * j, w = i * j % p * between;
            const float c = g->root_re[w], d = g->root_im[w];
            re += c * g->re[at] - d * g->im[at];
            im += c * g->im[at] + d * g->re[at];
        }
        put(g, q + g->s * (p * k + i), i * k * g->s, &re, &im);
    }
}

INVAR_CLONES static void run(const struct stage *g, int64_t p)
{
    for (int64_t k = 0; k < g->m; k++)
        for (int64_t q = 0; q < g->s; q++)
            if (p == 4)
                butterfly_4(g, k, q);
            else if (p == 2)
                butterfly_2(g, k, q);
            else
                butterfly(g, p, k, q);
}

static void transform(struct data_transform *t)
{
    int64_t s = 1;

    for (int i = 0; i < t->stages; i++) {
        const struct parts swap = t->from;
        const struct stage g = {.root_re = t->root.re,
                                .root_im = t->root.im,
                                .re = (const lanes *)t->from.re,
                                .im = (const lanes *)t->from.im,
                                .to_re = (lanes *)t->to.re,
                                .to_im = (lanes *)t->to.im,
                                .s = s,
                                .m = t->half / s / t->radix[i]};
        run(&g, t->radix[i]);
        t->from = t->to;
        t->to = swap;
        s *= t->radix[i];
    }
}

/* X_k = E_k + e^(-2 pi i k / size) O_k, of even and odd numbers: E = (Z_k + Z*_(half - k)) / 2, O = (Z_k - Z*_(half -
 * k)) / 2i. */
INVAR_CLONES static void powers(const lanes *re, const lanes *im, const struct parts *twist, int64_t half, lanes *power)
{
    for (int64_t k = 0; k <= half; k++) {
        const int64_t a = k % half, b = (half - k) % half;
        const float c = 0.5f * twist->re[k], d = 0.5f * twist->im[k];
        const lanes even_re = 0.5f * (re[a] + re[b]), even_im = 0.5f * (im[a] - im[b]);
        const lanes odd_re = im[a] + im[b], odd_im = re[b] - re[a];
        const lanes x = even_re + (c * odd_re - d * odd_im), y = even_im + (c * odd_im + d * odd_re);
        power[k] = x * x + y * y;
    }
}

void data_transform_power(struct data_transform *t, float *power)
{
    transform(t);
    powers((const lanes *)t->from.re, (const lanes *)t->from.im, &t->twist, t->half, (lanes *)power);
}
