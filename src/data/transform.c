/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The even and odd numbers of a real signal are the parts of a complex one of half the size; its transform is that of
 * Stockham, which needs no reordering: stages of radix 4, 2 and whatever primes the size has, from one array to another
 * and back.
 */
#include "data/transform.h"

#include "base/clones.h"
#include "invar/memory.h"

#include <math.h>

#define LANES DATA_LANES
#define MAX_STAGES 32

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

static bool parts_create(struct parts *parts, size_t count, size_t lanes, struct invar_error *err)
{
    parts->re = invar_alloc(count, lanes * sizeof(float), err);
    parts->im = parts->re ? invar_alloc(count, lanes * sizeof(float), err) : NULL;
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
    const float *re, *im;
    float *to_re, *to_im;
    int64_t s, m;
};

/* to = w (re + i im) */
INVAR_INLINE void put(const struct stage *g, int64_t to, int64_t w, const float *re, const float *im)
{
    const float c = g->root_re[w], d = g->root_im[w];

    for (int l = 0; l < LANES; l++) {
        g->to_re[to * LANES + l] = c * re[l] - d * im[l];
        g->to_im[to * LANES + l] = c * im[l] + d * re[l];
    }
}

INVAR_INLINE void butterfly_2(const struct stage *g, int64_t k, int64_t q)
{
    const int64_t a = (q + g->s * k) * LANES, b = a + g->s * g->m * LANES;
    float re[2][LANES], im[2][LANES];

    for (int l = 0; l < LANES; l++) {
        re[0][l] = g->re[a + l] + g->re[b + l];
        im[0][l] = g->im[a + l] + g->im[b + l];
        re[1][l] = g->re[a + l] - g->re[b + l];
        im[1][l] = g->im[a + l] - g->im[b + l];
    }
    for (int i = 0; i < 2; i++)
        put(g, q + g->s * (2 * k + i), i * k * g->s, re[i], im[i]);
}

INVAR_INLINE void butterfly_4(const struct stage *g, int64_t k, int64_t q)
{
    const int64_t apart = g->s * g->m * LANES, a = (q + g->s * k) * LANES, b = a + apart, c = b + apart, d = c + apart;
    float re[4][LANES], im[4][LANES];

    for (int l = 0; l < LANES; l++) {
        const float sum_re = g->re[a + l] + g->re[c + l], sum_im = g->im[a + l] + g->im[c + l];
        const float less_re = g->re[a + l] - g->re[c + l], less_im = g->im[a + l] - g->im[c + l];
        const float other_re = g->re[b + l] + g->re[d + l], other_im = g->im[b + l] + g->im[d + l];
        const float away_re = g->re[b + l] - g->re[d + l], away_im = g->im[b + l] - g->im[d + l];
        re[0][l] = sum_re + other_re;
        im[0][l] = sum_im + other_im;
        re[1][l] = less_re + away_im;
        im[1][l] = less_im - away_re;
        re[2][l] = sum_re - other_re;
        im[2][l] = sum_im - other_im;
        re[3][l] = less_re - away_im;
        im[3][l] = less_im + away_re;
    }
    for (int i = 0; i < 4; i++)
        put(g, q + g->s * (4 * k + i), i * k * g->s, re[i], im[i]);
}

/* Any radix, in p^2 steps. */
INVAR_INLINE void butterfly(const struct stage *g, int64_t p, int64_t k, int64_t q)
{
    const int64_t between = g->s * g->m; /* of numbers, and of the roots of order p */

    for (int64_t i = 0; i < p; i++) {
        float re[LANES] = {0}, im[LANES] = {0};
        for (int64_t j = 0; j < p; j++) {
            const int64_t at = (q + g->s * k + between * j) * LANES, w = i * j % p * between;
            const float c = g->root_re[w], d = g->root_im[w];
            for (int l = 0; l < LANES; l++) {
                re[l] += c * g->re[at + l] - d * g->im[at + l];
                im[l] += c * g->im[at + l] + d * g->re[at + l];
            }
        }
        put(g, q + g->s * (p * k + i), i * k * g->s, re, im);
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
                                .re = t->from.re,
                                .im = t->from.im,
                                .to_re = t->to.re,
                                .to_im = t->to.im,
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
INVAR_CLONES static void powers(const float *re, const float *im, const struct parts *twist, int64_t half, float *power)
{
    for (int64_t k = 0; k <= half; k++) {
        const int64_t a = k % half * LANES, b = (half - k) % half * LANES;
        const float c = twist->re[k], d = twist->im[k];
        for (int l = 0; l < LANES; l++) {
            const float even_re = 0.5f * (re[a + l] + re[b + l]), even_im = 0.5f * (im[a + l] - im[b + l]);
            const float odd_re = 0.5f * (im[a + l] + im[b + l]), odd_im = 0.5f * (re[b + l] - re[a + l]);
            const float x = even_re + (c * odd_re - d * odd_im), y = even_im + (c * odd_im + d * odd_re);
            power[k * LANES + l] = x * x + y * y;
        }
    }
}

void data_transform_power(struct data_transform *t, float *power)
{
    transform(t);
    powers(t->from.re, t->from.im, &t->twist, t->half, power);
}
