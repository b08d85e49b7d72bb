/* SPDX-License-Identifier: Apache-2.0 */
/* gaussian_blur, defocus_blur, glass_blur, motion_blur, zoom_blur. */
#include "eval/corruption/corruption.h"

#include <math.h>
#include <string.h>

#define GAUSSIAN_REACH 4 /* deviations on either side */

/* At four deviations the kernel is down to 3e-4 of its middle; the edge repeats, so that the rim gets no darker. */
static bool gaussian_blur(struct corruption_work *work, struct invar_error *err)
{
    struct corruption_field x = corruption_field_of(work, corruption_values(work, err), 3);

    if (!x.v || !corruption_gaussian(work, &x, work->setting[0], GAUSSIAN_REACH, CORRUPTION_EDGE, err))
        return false;
    corruption_bytes(work->out, x.v, work->values);
    return true;
}

/* ---- defocus_blur ---- */

#define LEAST_GRID 8 /* the disk stands on a grid from -8 to 8, or as large as itself where it is larger */
#define MOST_GRID 10
#define SIDE (2 * MOST_GRID + 1)
#define SOFT 2 /* most taps of the softening on either side */

/* Weight of the softened disk at (y, x); the rim of the grid mirrors, so that a disk that touches it gains weight. */
static double disk(int y, int x, int grid, double radius, const double *soft, int reach)
{
    double sum = 0;
    for (int dy = -reach; dy <= reach; dy++)
        for (int dx = -reach; dx <= reach; dx++) {
            const int at_y = corruption_border_index(CORRUPTION_MIRROR, y + dy + grid, 2 * grid + 1) - grid;
            const int at_x = corruption_border_index(CORRUPTION_MIRROR, x + dx + grid, 2 * grid + 1) - grid;
            if (at_y * at_y + at_x * at_x <= radius * radius)
                sum += soft[dy + reach] * soft[dx + reach];
        }
    return sum;
}

/* Taps below 1e-8 are left out: no value of eight bits sees them. */
static int disk_taps(struct corruption_tap *tap, double radius, double alias)
{
    const int grid = radius <= LEAST_GRID ? LEAST_GRID : (int)radius, reach = radius <= LEAST_GRID ? 1 : SOFT;
    double soft[2 * SOFT + 1], sum = 0;
    int count = 0, pixels = 0;

    for (int t = -reach; t <= reach; t++)
        sum += soft[t + reach] = exp(-t * t / (2 * alias * alias));
    /* A row and a column of one dimension are all that softening needs, as its square is the product of both. */
    for (int t = 0; t <= 2 * reach; t++)
        soft[t] /= sum;
    for (int y = -grid; y <= grid; y++)
        for (int x = -grid; x <= grid; x++)
            /* The disk counts by whole pixels, so that its sum is 1, and a flat area keeps its level, unless it touches
             * the rim; a radius below 1 leaves one pixel, which the softening spreads. */
            pixels += y * y + x * x <= radius * radius;
    for (int y = -grid; y <= grid; y++)
        for (int x = -grid; x <= grid; x++) {
            const double weight = disk(y, x, grid, radius, soft, reach) / pixels;
            if (weight > 1e-8)
                tap[count++] = (struct corruption_tap){y, x, (float)weight};
        }
    return count;
}

static bool defocus_blur(struct corruption_work *work, struct invar_error *err)
{
    struct corruption_field x = corruption_field_of(work, corruption_values(work, err), 3);
    struct corruption_tap tap[SIDE * SIDE];
    const int count = disk_taps(tap, work->setting[0], work->setting[1]);

    if (!x.v || !corruption_correlate(work, &x, tap, count, CORRUPTION_MIRROR, err))
        return false;
    corruption_bytes(work->out, x.v, work->values);
    return true;
}

/* ---- glass_blur ---- */

/* Copies, where one would expect an exchange: so does the original, in effect. */
static void shuffle(struct corruption_work *work, int reach)
{
    uint8_t *out = work->out;

    for (int y = work->height - reach; y > reach; y--)
        for (int x = work->width - reach; x > reach; x--) {
            const int dx = (int)invar_random_below(&work->random, 2 * (uint32_t)reach) - reach;
            const int dy = (int)invar_random_below(&work->random, 2 * (uint32_t)reach) - reach;
            /* A pixel may be copied onto itself, which memcpy does not allow. The draw goes from -reach to reach - 1,
             * as that of the original does. */
            memmove(out + 3 * (y * (ptrdiff_t)work->width + x), out + 3 * ((y + dy) * (ptrdiff_t)work->width + x + dx),
                    3);
        }
}

/* Between the two blurs pixels are bytes, as in the original: rounding there is part of the corruption. */
static bool glass_blur(struct corruption_work *work, struct invar_error *err)
{
    const double sigma = work->setting[0];
    const int reach = (int)work->setting[1], rounds = (int)work->setting[2];
    struct corruption_field x = corruption_field_of(work, corruption_values(work, err), 3);

    if (!x.v || !corruption_gaussian(work, &x, sigma, GAUSSIAN_REACH, CORRUPTION_EDGE, err))
        return false;
    corruption_bytes(work->out, x.v, work->values);
    for (int round = 0; round < rounds; round++)
        shuffle(work, reach);
    corruption_unpack(x.v, work->out, work->values);
    if (!corruption_gaussian(work, &x, sigma, GAUSSIAN_REACH, CORRUPTION_EDGE, err))
        return false;
    corruption_bytes(work->out, x.v, work->values);
    return true;
}

/* ---- motion_blur, zoom_blur ---- */

/* Values are truncated and not rounded, as in the original, which wrote them as bytes. */
static bool motion_blur(struct corruption_work *work, struct invar_error *err)
{
    const double theta = (double)invar_random_range(&work->random, -45, 45);
    float *x = corruption_floats(work, work->values, err);
    struct corruption_field field = corruption_field_of(work, x, 3);

    if (!x)
        return false;
    for (size_t i = 0; i < work->values; i++)
        /* As bytes and not in 0 to 1: the streak takes and truncates values of 0 to 255. */
        x[i] = work->in[i];
    if (!corruption_streak(work, &field, work->setting[0], work->setting[1], theta, err))
        return false;
    for (size_t i = 0; i < work->values; i++)
        work->out[i] = (uint8_t)field.v[i];
    return true;
}

/* The factors are what floating-point stepping gives in the original: the difference of the first two, times i. */
static bool zoom_blur(struct corruption_work *work, struct invar_error *err)
{
    const double step = (1 + work->setting[0]) - 1;
    const int factors = (int)work->setting[1];
    struct corruption_field x = corruption_field_of(work, corruption_values(work, err), 3);
    float *sum = x.v ? corruption_floats(work, work->values, err) : NULL;

    if (!sum)
        return false;
    for (size_t i = 0; i < work->values; i++)
        sum[i] = 2 * x.v[i]; /* the image itself, and the factor 1 */
    for (int i = 1; i < factors; i++)
        if (!corruption_zoom(work, &x, 1 + i * step, sum, err))
            return false;
    for (size_t i = 0; i < work->values; i++)
        sum[i] *= 1 / (float)(factors + 1);
    corruption_bytes(work->out, sum, work->values);
    return true;
}

const struct corruption_kind corruption_gaussian_blur = {
    .apply = gaussian_blur, /* sigma */
    .setting = {{{0.4}, {0.6}, {0.7}, {0.8}, {1}}, {{1}, {2}, {3}, {4}, {6}}},
};
const struct corruption_kind corruption_defocus_blur = {
    .apply = defocus_blur, /* R, alias */
    .setting = {{{0.3, 0.4}, {0.4, 0.5}, {0.5, 0.6}, {1, 0.2}, {1.5, 0.1}},
                {{3, 0.1}, {4, 0.5}, {6, 0.5}, {8, 0.5}, {10, 0.5}}},
};
const struct corruption_kind corruption_glass_blur = {
    .apply = glass_blur, /* sigma, d, rounds */
    .whole = 1 << 1 | 1 << 2,
    .setting = {{{0.05, 1, 1}, {0.25, 1, 1}, {0.4, 1, 1}, {0.25, 1, 2}, {0.4, 1, 2}},
                {{0.7, 1, 2}, {0.9, 2, 1}, {1, 2, 3}, {1.1, 3, 2}, {1.5, 4, 2}}},
};
const struct corruption_kind corruption_motion_blur = {
    .apply = motion_blur, /* r, sigma */
    .setting = {{{6, 1}, {6, 1.5}, {6, 2}, {8, 2}, {9, 2.5}}, {{10, 3}, {15, 5}, {15, 8}, {15, 12}, {20, 15}}},
};
const struct corruption_kind corruption_zoom_blur = {
    .apply = zoom_blur, /* step, number of factors */
    .whole = 1 << 1,
    .setting = {{{0.01, 7}, {0.01, 12}, {0.01, 16}, {0.01, 21}, {0.01, 26}},
                {{0.01, 12}, {0.01, 16}, {0.02, 11}, {0.02, 13}, {0.03, 11}}},
};
