/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic frost: smooth noise at sizes from one pixel to hundreds and bright branching needles, mixed so that mean,
 * deviation and autocorrelation are near those of the pictures that the original draws from. Nothing of them is here
 * but these figures.
 */
#include "eval/corruption/corruption.h"

#include <math.h>
#include <string.h>

#define OCTAVES 9 /* sides of the lattice 1, 2, 4, .. 256 pixels */
#define SEED 20190326

static const struct texture {
    int height, width;
    double mean[3], deviation[3];
    double needles, octave[OCTAVES]; /* shares of the variance */
} textures[CORRUPTION_TEXTURES] = {
    {600, 900, {78, 149, 166}, {27, 17, 15}, 0.25, {0.05, 0.05, 0, 0, 0.05, 0.14, 0.11, 0.13, 0.22}},
    {315, 560, {201, 205, 215}, {21, 22, 23}, 0.25, {0, 0, 0.04, 0.05, 0, 0, 0, 0.08, 0.58}},
    {350, 527, {138, 153, 165}, {29, 29, 30}, 0.25, {0.05, 0.18, 0, 0.05, 0, 0.02, 0.04, 0.2, 0.21}},
    {495, 660, {112, 123, 135}, {44, 43, 42}, 0.25, {0.01, 0.18, 0.06, 0.15, 0.07, 0.04, 0.01, 0.09, 0.14}},
};

/* Cubic B-splines have no overshoot and continuous curvature: ice has no lattice. */
static void spline(float weight[4], float part)
{
    const float rest = 1 - part;
    weight[0] = rest * rest * rest / 6;
    weight[1] = (4 - 6 * part * part + 3 * part * part * part) / 6;
    weight[2] = (4 - 6 * rest * rest + 3 * rest * rest * rest) / 6;
    weight[3] = part * part * part / 6;
}

/* map = lattice noise between whose points a cubic B-spline lies */
static bool fill_octave(float *map, const struct texture *t, int side, struct invar_random *random,
                        struct invar_error *err)
{
    const int columns = t->width / side + 4, rows = t->height / side + 4;
    float *lattice = invar_alloc((size_t)rows * (size_t)columns, sizeof *lattice, err);

    if (!lattice)
        return false;
    for (int i = 0; i < rows * columns; i++)
        lattice[i] = invar_random_normal(random);
    for (int y = 0; y < t->height; y++) {
        float down[4];
        spline(down, (float)(y % side) / (float)side);
        for (int x = 0; x < t->width; x++) {
            const float *from = lattice + (ptrdiff_t)(y / side) * columns + x / side;
            float across[4], sum = 0;
            spline(across, (float)(x % side) / (float)side);
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++)
                    sum += down[i] * across[j] * from[i * columns + j];
            map[(ptrdiff_t)y * t->width + x] = sum;
        }
    }
    invar_free(lattice);
    return true;
}

/* ---- needles ---- */

struct needle {
    float y, x, angle, length, light;
};

/* A line that fades towards its tip, with shorter ones at 60 degrees from it. Branches at 60 degrees, as ice crystals
 * have; each starts from what is left of its stem's length and light. */
static void grow(float *map, const struct texture *t, struct needle n, int depth, struct invar_random *random)
{
    const float dy = sinf(n.angle), dx = cosf(n.angle);
    float next = invar_random_range(random, 2, 9);

    for (float along = 0; along < n.length; along++) {
        const int y = (int)lrintf(n.y + along * dy), x = (int)lrintf(n.x + along * dx);
        const float light = n.light * (1 - 0.7f * along / n.length);
        if (y >= 0 && x >= 0 && y < t->height && x < t->width)
            map[y * t->width + x] = fmaxf(map[y * t->width + x], light);
        if (depth == 0 || along < next)
            continue;
        next = along + invar_random_range(random, 3, 9);
        const float side = invar_random_uniform(random) < 0.5f ? -1 : 1;
        const struct needle branch = {n.y + along * dy, n.x + along * dx, n.angle + side * (float)(M_PI / 3),
                                      0.5f * (n.length - along), 0.8f * light};
        grow(map, t, branch, depth - 1, random);
    }
}

/* One needle in five hundred pixels; where they cross, the brighter one is seen. */
static void scatter(float *map, const struct texture *t, struct invar_random *random)
{
    const int count = t->height * t->width / 500;

    memset(map, 0, (size_t)t->height * (size_t)t->width * sizeof *map);
    for (int i = 0; i < count; i++) {
        const struct needle n = {invar_random_range(random, 0, (float)t->height),
                                 invar_random_range(random, 0, (float)t->width),
                                 invar_random_range(random, 0, (float)(2 * M_PI)), invar_random_range(random, 8, 45),
                                 invar_random_range(random, 0.4f, 1)};
        grow(map, t, n, 2, random);
    }
}

/* ---- the whole ---- */

/* In two passes and in double: half a million floats around a mean would lose digits of the deviation otherwise. */
static void moments(const float *map, size_t count, double *mean, double *deviation)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)map[i];
    *mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        square += ((double)map[i] - *mean) * ((double)map[i] - *mean);
    *deviation = sqrt(square / (double)count);
}

/* map += the layer, with mean 0 and that variance. Layers are independent, so their variances add up to 1. */
static void add_layer(float *map, const float *layer, size_t count, double share)
{
    double mean, deviation;
    moments(layer, count, &mean, &deviation);
    for (size_t i = 0; i < count; i++)
        map[i] += (float)(sqrt(share) * ((double)layer[i] - mean) / deviation);
}

static void colour(uint8_t *pixels, const float *map, size_t count, const struct texture *t)
{
    double mean, deviation;
    moments(map, count, &mean, &deviation);
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 3; c++) {
            /* The channels share one map and have their own mean and deviation: ice is gray with a tint, not three
             * patterns. */
            const double level = t->mean[c] + t->deviation[c] * ((double)map[i] - mean) / deviation;
            pixels[3 * i + (size_t)c] = (uint8_t)lrint(fmin(fmax(level, 0), 255));
        }
}

/* From a seed of its own: the textures are the same in all runs, as the benchmark's pictures are. */
bool corruption_frost_texture(struct corruption_picture *picture, int number, struct invar_error *err)
{
    const struct texture *t = &textures[number];
    const size_t count = (size_t)t->height * (size_t)t->width;
    struct invar_random random = invar_random_stream(SEED, INVAR_RANDOM_CORRUPTION, 0, (uint64_t)number, 0);
    float *map = invar_alloc(count, sizeof *map, err);
    float *layer = invar_alloc(count, sizeof *layer, err);
    bool ok = map && layer;

    picture->height = t->height;
    picture->width = t->width;
    picture->pixels = ok ? invar_alloc(count, 3, err) : NULL;
    ok = picture->pixels != NULL;
    for (int k = 0; ok && k < OCTAVES; k++) {
        ok = fill_octave(layer, t, 1 << k, &random, err);
        if (ok)
            add_layer(map, layer, count, t->octave[k]);
    }
    if (ok) {
        scatter(layer, t, &random);
        add_layer(map, layer, count, t->needles);
        colour(picture->pixels, map, count, t);
    }
    invar_free(map);
    invar_free(layer);
    return ok;
}
