/* SPDX-License-Identifier: Apache-2.0 */
/* snow, fog, brightness. */
#include "eval/corruption/corruption.h"

#include <math.h>
#include <string.h>

/* ---- snow ---- */

enum { SNOW_MEAN, SNOW_DEVIATION, SNOW_ZOOM, SNOW_CUT, SNOW_RADIUS, SNOW_SIGMA, SNOW_KEEP };

/* Flakes, 0..1, one channel. Noise, enlarged, cut off below, and streaked along one direction: what is left of it are
 * flakes in motion. */
static bool flakes(struct corruption_work *work, struct corruption_field *layer, struct invar_error *err)
{
    const double *s = work->setting;
    float *noise = corruption_floats(work, work->pixels, err);
    float *large = noise ? corruption_floats(work, work->pixels, err) : NULL;

    if (!large)
        return false;
    corruption_normals(work, noise, work->pixels, s[SNOW_MEAN], s[SNOW_DEVIATION]);
    /* The enlargement is added, as zoom_blur adds many of them: from 0 it is the layer itself. */
    memset(large, 0, work->pixels * sizeof *large);
    *layer = corruption_field_of(work, noise, 1);
    if (!corruption_zoom(work, layer, s[SNOW_ZOOM], large, err))
        return false;
    for (size_t i = 0; i < work->pixels; i++)
        large[i] = large[i] < (float)s[SNOW_CUT] ? 0 : large[i];
    /* As bytes, which is what the streak works on; flakes are whole gray levels before they are smeared. */
    corruption_truncate(large, work->pixels);
    layer->v = large;
    const double theta = (double)invar_random_range(&work->random, -135, -45);
    if (!corruption_streak(work, layer, s[SNOW_RADIUS], s[SNOW_SIGMA], theta, err))
        return false;
    for (size_t i = 0; i < work->pixels; i++)
        layer->v[i] *= 1.0f / 255.0f;
    return true;
}

/* The layer once as it is and once turned by half a turn, as the original adds them: flakes fall from both corners. */
static bool snow(struct corruption_work *work, struct invar_error *err)
{
    const float keep = (float)work->setting[SNOW_KEEP];
    struct corruption_field layer;
    float *x = corruption_values(work, err);

    if (!x || !flakes(work, &layer, err))
        return false;
    for (size_t i = 0; i < work->pixels; i++) {
        float *rgb = x + 3 * i;
        /* The weights are those of luma: the scene is whitened by how bright it looks. The larger of both is kept, so
         * that snow takes no light away. */
        const float white = 1.5f * (0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]) + 0.5f;
        const float flake = layer.v[i] + layer.v[work->pixels - 1 - i];
        for (int c = 0; c < 3; c++)
            rgb[c] = keep * rgb[c] + (1 - keep) * (rgb[c] > white ? rgb[c] : white) + flake;
    }
    corruption_bytes(work->out, x, work->values);
    return true;
}

/* ---- fog ---- */

struct plasma {
    float *v; /* [side][side] */
    int side; /* a power of two */
    float noise;
    struct invar_random *random;
};

/* Around the edges: the map is a torus, whose side is a power of two. */
static float *at(const struct plasma *p, int y, int x)
{
    return p->v + (size_t)(y & (p->side - 1)) * (size_t)p->side + (x & (p->side - 1));
}

/* The mean of four neighbours, and noise that gets finer from level to level. */
static void settle(struct plasma *p, int y, int x, float sum)
{
    *at(p, y, x) = sum / 4 + p->noise * invar_random_range(p->random, -1, 1);
}

/* One level: the centres of the cells of that side, then the middles of their edges across and down. Diamonds, then
 * squares: each point is the mean of four that are known by then. */
static void refine(struct plasma *p, int step)
{
    const int half = step / 2;

    for (int y = 0; y < p->side; y += step)
        for (int x = 0; x < p->side; x += step)
            settle(p, y + half, x + half,
                   *at(p, y, x) + *at(p, y + step, x) + *at(p, y, x + step) + *at(p, y + step, x + step));
    for (int y = 0; y < p->side; y += step)
        for (int x = 0; x < p->side; x += step)
            settle(p, y, x + half,
                   *at(p, y, x) + *at(p, y, x + step) + *at(p, y - half, x + half) + *at(p, y + half, x + half));
    for (int y = 0; y < p->side; y += step)
        for (int x = 0; x < p->side; x += step)
            settle(p, y + half, x,
                   *at(p, y, x) + *at(p, y + step, x) + *at(p, y + half, x - half) + *at(p, y + half, x + half));
}

/* A map of 0..1; of a single point, 0. As large as the next power of two, of which the image takes the corner. */
static bool plasma(struct corruption_work *work, struct plasma *p, double decay, struct invar_error *err)
{
    double amplitude = 100;

    p->side = 1;
    while (p->side < work->height || p->side < work->width)
        p->side *= 2;
    p->random = &work->random;
    const size_t size = (size_t)p->side * (size_t)p->side;
    p->v = corruption_floats(work, size, err);
    if (!p->v)
        return false;
    p->v[0] = 0;
    for (int step = p->side; step >= 2; step /= 2, amplitude /= decay) {
        /* Only the ratio from level to level matters, since the map is brought to 0..1 at the end: it is the square of
         * the decay, and the larger that is, the smoother the fog. */
        p->noise = (float)(amplitude * amplitude);
        refine(p, step);
    }
    float least = p->v[0], most = p->v[0];
    for (size_t i = 1; i < size; i++) {
        least = p->v[i] < least ? p->v[i] : least;
        most = p->v[i] > most ? p->v[i] : most;
    }
    /* A map of one point has no range, and its fog is none. */
    const float scale = most > least ? 1 / (most - least) : 0;
    for (size_t i = 0; i < size; i++)
        p->v[i] = (p->v[i] - least) * scale;
    return true;
}

/* Scaled so that the brightest value stays: contrast is lost, not brightness gained. */
static bool fog(struct corruption_work *work, struct invar_error *err)
{
    const float amount = (float)work->setting[0];
    struct plasma map;
    float *x = corruption_values(work, err);
    uint8_t most = 0;

    if (!x || !plasma(work, &map, work->setting[1], err))
        return false;
    for (size_t i = 0; i < work->values; i++)
        most = work->in[i] > most ? work->in[i] : most;
    /* An image that is black all over stays black, as the scale is 0 then; amount is above 0, so that it is never 0 /
     * 0. */
    const float largest = (float)most / 255, scale = largest / (largest + amount);
    for (int row = 0, i = 0; row < work->height; row++)
        for (int column = 0; column < work->width; column++)
            for (int c = 0; c < 3; c++, i++)
                x[i] = (x[i] + amount * *at(&map, row, column)) * scale;
    corruption_bytes(work->out, x, work->values);
    return true;
}

/* ---- brightness ---- */

/* Value of HSV is the largest of the three: they are raised in proportion, and so keep their hue. */
static bool brightness(struct corruption_work *work, struct invar_error *err)
{
    const float added = (float)work->setting[0];
    float *x = corruption_values(work, err);

    if (!x)
        return false;
    for (size_t i = 0; i < work->values; i += 3) {
        const float value = fmaxf(x[i], fmaxf(x[i + 1], x[i + 2]));
        /* Limited here and not at the end, or a bright colour would lose its hue: its largest channel would be cut, the
         * others not. */
        const float raised = fminf(value + added, 1);
        for (size_t c = 0; c < 3; c++)
            /* Black has neither hue nor proportion and becomes gray. */
            x[i + c] = value > 0 ? x[i + c] * (raised / value) : raised;
    }
    corruption_bytes(work->out, x, work->values);
    return true;
}

const struct corruption_kind corruption_snow = {
    .apply = snow, /* mu, sd, z, cut, r, sigma, keep */
    .setting = {{{0.1, 0.2, 1, 0.6, 8, 3, 0.95},
                 {0.1, 0.2, 1, 0.5, 10, 4, 0.9},
                 {0.15, 0.3, 1.75, 0.55, 10, 4, 0.9},
                 {0.25, 0.3, 2.25, 0.6, 12, 6, 0.85},
                 {0.3, 0.3, 1.25, 0.65, 14, 12, 0.8}},
                {{0.1, 0.3, 3, 0.5, 10, 4, 0.8},
                 {0.2, 0.3, 2, 0.5, 12, 4, 0.7},
                 {0.55, 0.3, 4, 0.9, 12, 8, 0.7},
                 {0.55, 0.3, 4.5, 0.85, 12, 8, 0.65},
                 {0.55, 0.3, 2.5, 0.85, 12, 12, 0.55}}},
};
const struct corruption_kind corruption_fog = {
    .apply = fog, /* c, decay */
    .setting = {{{0.2, 3}, {0.5, 3}, {0.75, 2.5}, {1, 2}, {1.5, 1.75}},
                {{1.5, 2}, {2, 2}, {2.5, 1.7}, {2.5, 1.5}, {3, 1.4}}},
};
const struct corruption_kind corruption_brightness = {
    .apply = brightness, /* b */
    .setting = {{{0.05}, {0.1}, {0.15}, {0.2}, {0.3}}, {{0.1}, {0.2}, {0.3}, {0.4}, {0.5}}},
};
