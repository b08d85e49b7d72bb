/* SPDX-License-Identifier: Apache-2.0 */
/* spatter: drops of water, shaded by the distance from their edges, or opaque mud. The steps are those that the
 * original takes through OpenCV, written out: edges, distances, equalisation and relief each round to bytes, and a drop
 * looks otherwise where one of them does not. */
#include "eval/corruption/corruption.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REACH 4
#define WEAK 50 /* thresholds of Canny's edges */
#define STRONG 150
#define FARTHEST 20.0f
#define RIM 2 /* around the map of distances */

enum { MEAN, DEVIATION, SIGMA, CUT, AMOUNT, MUD };

/* One-channel maps of the image's size. */
struct maps {
    int height, width;
    size_t count;
    uint8_t *liquid;          /* the layer, 0..255 */
    int *gx, *gy, *magnitude; /* Sobel */
    uint8_t *edge;            /* 0 no, 1 perhaps, 2 yes */
    int *queue;
    float *distance; /* with a rim */
    uint8_t *depth, *scratch;
};

/* All that Canny's detector, the distances and the shading need, from the scratch of the worker. */
static bool maps_take(struct maps *m, struct corruption_work *work, struct invar_error *err)
{
    struct invar_scratch *memory = work->memory;
    const size_t count = work->pixels;

    m->height = work->height;
    m->width = work->width;
    m->count = count;
    m->liquid = invar_scratch_take(memory, count, 1, err);
    m->gx = invar_scratch_take(memory, count, sizeof(int), err);
    m->gy = invar_scratch_take(memory, count, sizeof(int), err);
    m->magnitude = invar_scratch_take(memory, count, sizeof(int), err);
    m->edge = invar_scratch_take(memory, count, 1, err);
    m->queue = invar_scratch_take(memory, count, sizeof(int), err);
    m->distance =
        invar_scratch_take(memory, (size_t)(m->height + 2 * RIM) * (size_t)(m->width + 2 * RIM), sizeof(float), err);
    m->depth = invar_scratch_take(memory, count, 1, err);
    m->scratch = invar_scratch_take(memory, count, 1, err);
    return m->liquid && m->gx && m->gy && m->magnitude && m->edge && m->queue && m->distance && m->depth && m->scratch;
}

/* out = sum of kernel * in over 3 x 3. Whole numbers throughout: the kernels are, and what follows compares with
 * thresholds. */
static void correlate_3x3(int *out, const uint8_t *in, const struct maps *m, const int kernel[3][3],
                          enum corruption_border border)
{
    for (int y = 0; y < m->height; y++) {
        const uint8_t *row[3];
        for (int k = 0; k < 3; k++)
            row[k] = in + (ptrdiff_t)corruption_border_index(border, y + k - 1, m->height) * m->width;
        for (int x = 0; x < m->width; x++) {
            const int left = corruption_border_index(border, x - 1, m->width);
            const int right = corruption_border_index(border, x + 1, m->width);
            int sum = 0;
            for (int k = 0; k < 3; k++)
                sum += kernel[k][0] * row[k][left] + kernel[k][1] * row[k][x] + kernel[k][2] * row[k][right];
            *out++ = sum;
        }
    }
}

/* ---- edges ---- */

/* Beyond the rim there is no gradient, so that an edge along it may be one. */
static int magnitude_at(const struct maps *m, int y, int x)
{
    return y < 0 || x < 0 || y >= m->height || x >= m->width ? 0 : m->magnitude[y * m->width + x];
}

/* Whether a gradient is the largest along its direction, of the four sectors. Four directions as OpenCV has them,
 * ties on one side: the borders between sectors are at 22.5 and 67.5 degrees. */
static bool is_ridge(const struct maps *m, int y, int x)
{
    const int i = y * m->width + x, own = m->magnitude[i];
    const double across = abs(m->gx[i]), down = abs(m->gy[i]), flat = M_SQRT2 - 1; /* the tangent of 22.5 degrees */

    if (down < flat * across)
        return own > magnitude_at(m, y, x - 1) && own >= magnitude_at(m, y, x + 1);
    if (down > (flat + 2) * across)
        return own > magnitude_at(m, y - 1, x) && own >= magnitude_at(m, y + 1, x);
    const int side = (m->gx[i] < 0) == (m->gy[i] < 0) ? 1 : -1;
    return own > magnitude_at(m, y - 1, x - side) && own > magnitude_at(m, y + 1, x + side);
}

/* What is connected to a sure edge becomes one. A stack of places; each is entered once, so it has room for all. */
static void follow(struct maps *m, int queued)
{
    while (queued > 0) {
        const int i = m->queue[--queued], y = i / m->width, x = i % m->width;
        for (int at_y = y > 0 ? y - 1 : 0; at_y <= y + 1 && at_y < m->height; at_y++)
            for (int at_x = x > 0 ? x - 1 : 0; at_x <= x + 1 && at_x < m->width; at_x++) {
                const int next = at_y * m->width + at_x;
                if (m->edge[next] == 1) {
                    m->edge[next] = 2;
                    m->queue[queued++] = next;
                }
            }
    }
}

/* |gx| + |gy| instead of the length, as OpenCV's default; thresholds are of that. */
static void find_edges(struct maps *m)
{
    static const int across[3][3] = {{-1, 0, 1}, {-2, 0, 2}, {-1, 0, 1}};
    static const int down[3][3] = {{-1, -2, -1}, {0, 0, 0}, {1, 2, 1}};
    int queued = 0;

    correlate_3x3(m->gx, m->liquid, m, across, CORRUPTION_EDGE);
    correlate_3x3(m->gy, m->liquid, m, down, CORRUPTION_EDGE);
    for (size_t i = 0; i < m->count; i++)
        m->magnitude[i] = abs(m->gx[i]) + abs(m->gy[i]);
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            const int i = y * m->width + x;
            /* Weak edges count where they hang together with a strong one: with one threshold drops would have gaps in
             * their rim, or noise would have rims. */
            m->edge[i] = m->magnitude[i] > WEAK && is_ridge(m, y, x);
            if (m->edge[i] && m->magnitude[i] > STRONG) {
                m->edge[i] = 2;
                m->queue[queued++] = i;
            }
        }
    follow(m, queued);
}

/* ---- shading ---- */

/* One pass of the 5 x 5 chamfer: from the top left with sign 1, from the bottom right with sign -1. The map has RIM
 * more pixels on every side, all of them far. */
static void chamfer(const struct maps *m, int sign)
{
    static const struct {
        int dy, dx;
        float step;
        /* The steps of OpenCV's mask of 5 x 5, which stand for the length: 1 across, 1.4 along a diagonal, 2.1969 for a
         * knight's move. Only those are here that come before the place in the order of the pass; the pass back has the
         * others. */
    } before[] = {{0, -1, 1.0f},     {-1, 0, 1.0f},    {-1, -1, 1.4f},    {-1, 1, 1.4f},
                  {-1, -2, 2.1969f}, {-1, 2, 2.1969f}, {-2, -1, 2.1969f}, {-2, 1, 2.1969f}};
    enum { STEPS = sizeof before / sizeof *before };
    const ptrdiff_t stride = m->width + 2 * RIM;
    ptrdiff_t offset[STEPS];

    for (int b = 0; b < STEPS; b++)
        offset[b] = sign * (before[b].dy * stride + before[b].dx);
    for (int k = 0; k < m->height; k++) {
        const int y = sign > 0 ? k : m->height - 1 - k;
        float *at = m->distance + (y + RIM) * stride + RIM + (sign > 0 ? 0 : m->width - 1);
        for (int x = 0; x < m->width; x++, at += sign)
            for (int b = 0; b < STEPS; b++)
                *at = fminf(*at, at[offset[b]] + before[b].step);
    }
}

/* Distances from the edges, up to FARTHEST, averaged over 3 x 3. */
static bool measure_depth(struct maps *m, struct corruption_work *work, struct invar_error *err)
{
    const ptrdiff_t stride = m->width + 2 * RIM, size = stride * (m->height + 2 * RIM);
    struct corruption_field mean = corruption_field_of(work, corruption_floats(work, m->count, err), 1);
    struct corruption_tap box[9];

    if (!mean.v)
        return false;
    for (ptrdiff_t i = 0; i < size; i++)
        m->distance[i] = FARTHEST;
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++)
            if (m->edge[y * m->width + x] == 2)
                m->distance[(y + RIM) * stride + x + RIM] = 0;
    chamfer(m, 1);
    chamfer(m, -1);
    for (int y = 0; y < m->height; y++)
        memcpy(mean.v + (ptrdiff_t)y * m->width, m->distance + (y + RIM) * stride + RIM,
               (size_t)m->width * sizeof(float));
    for (int t = 0; t < 9; t++)
        box[t] = (struct corruption_tap){t / 3 - 1, t % 3 - 1, 1.0f / 9};
    if (!corruption_correlate(work, &mean, box, 9, CORRUPTION_MIRROR, err))
        return false;
    for (size_t i = 0; i < m->count; i++)
        /* The mean of nine equal distances may lie below a whole number by rounding, and dropping the fraction would
         * make it one less. */
        m->depth[i] = (uint8_t)(mean.v[i] + 0.0001f);
    return true;
}

/* As OpenCV's equalizeHist: the lowest level that occurs becomes 0. */
static void equalise(struct maps *m)
{
    int64_t histogram[256] = {0};
    int lowest = 0;

    for (size_t i = 0; i < m->count; i++)
        histogram[m->depth[i]]++;
    while (histogram[lowest] == 0)
        lowest++;
    const int64_t rest = (int64_t)m->count - histogram[lowest];
    /* One level alone: there is nothing to spread, and the quotient would be 0 / 0. */
    if (rest == 0)
        return;
    int64_t below = 0;
    uint8_t level[256] = {0};
    for (int v = lowest + 1; v < 256; v++) {
        below += histogram[v];
        level[v] = (uint8_t)lrint(255.0 * (double)below / (double)rest);
    }
    for (size_t i = 0; i < m->count; i++)
        m->depth[i] = level[m->depth[i]];
}

/* Light from one corner, then smoothed: what makes drops look round. */
static void emboss(struct maps *m)
{
    static const int slope[3][3] = {{-2, -1, 0}, {-1, 1, 1}, {0, 1, 2}};
    static const int box[3][3] = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}};

    correlate_3x3(m->gx, m->depth, m, slope, CORRUPTION_MIRROR);
    for (size_t i = 0; i < m->count; i++)
        m->scratch[i] = (uint8_t)(m->gx[i] < 0 ? 0 : m->gx[i] > 255 ? 255 : m->gx[i]);
    correlate_3x3(m->gx, m->scratch, m, box, CORRUPTION_MIRROR);
    for (size_t i = 0; i < m->count; i++)
        /* The mean of nine, rounded: (2 x + 9) / 18 does it in whole numbers, and a ninth has no halves. */
        m->depth[i] = (uint8_t)((2 * m->gx[i] + 9) / 18);
}

/* ---- the two kinds ---- */

/* layer becomes the share of water at each pixel. */
static bool water(struct corruption_work *work, float *layer, struct invar_error *err)
{
    struct maps m;
    int most = 0;

    if (!maps_take(&m, work, err))
        return false;
    for (size_t i = 0; i < m.count; i++)
        m.liquid[i] = (uint8_t)(int)(layer[i] * 255); /* wraps above 1, as the original does */
    find_edges(&m);
    if (!measure_depth(&m, work, err))
        return false;
    equalise(&m);
    emboss(&m);
    for (size_t i = 0; i < m.count; i++) {
        m.gx[i] = m.liquid[i] * m.depth[i];
        most = m.gx[i] > most ? m.gx[i] : most;
    }
    /* The brightest spot of the layer gets the amount, so that the strength does not depend on how much liquid was
     * drawn. */
    const float scale = most > 0 ? (float)work->setting[AMOUNT] / (float)most : 0;
    for (size_t i = 0; i < m.count; i++)
        layer[i] = (float)m.gx[i] * scale;
    return true;
}

/* Opaque where it is thick; below 0.8 of it there is none, as in the original. */
static bool mud(struct corruption_work *work, struct corruption_field *layer, struct invar_error *err)
{
    for (size_t i = 0; i < work->pixels; i++)
        layer->v[i] = layer->v[i] > (float)work->setting[CUT];
    if (!corruption_gaussian(work, layer, work->setting[AMOUNT], REACH, CORRUPTION_EDGE, err))
        return false;
    for (size_t i = 0; i < work->pixels; i++)
        layer->v[i] = layer->v[i] < 0.8f ? 0 : layer->v[i];
    return true;
}

static bool spatter(struct corruption_work *work, struct invar_error *err)
{
    static const float colour[2][3] = {{175 / 255.0f, 238 / 255.0f, 238 / 255.0f},
                                       {63 / 255.0f, 42 / 255.0f, 20 / 255.0f}};
    const double *s = work->setting;
    const bool muddy = s[MUD] > 0;
    float *x = corruption_values(work, err);
    float *noise = x ? corruption_floats(work, work->pixels, err) : NULL;
    struct corruption_field layer = corruption_field_of(work, noise, 1);

    if (!noise)
        return false;
    corruption_normals(work, noise, work->pixels, s[MEAN], s[DEVIATION]);
    if (!corruption_gaussian(work, &layer, s[SIGMA], REACH, CORRUPTION_EDGE, err))
        return false;
    for (size_t i = 0; i < work->pixels; i++)
        layer.v[i] = layer.v[i] < (float)s[CUT] ? 0 : layer.v[i];
    if (muddy ? !mud(work, &layer, err) : !water(work, layer.v, err))
        return false;
    for (size_t i = 0; i < work->pixels; i++)
        for (size_t c = 0; c < 3; c++) {
            /* Mud takes the place of what is behind it; water lets it through and adds its own light. */
            const float clean = x[3 * i + c] * (muddy ? 1 - layer.v[i] : 1);
            x[3 * i + c] = clean + layer.v[i] * colour[muddy][c];
        }
    corruption_bytes(work->out, x, work->values);
    return true;
}

const struct corruption_kind corruption_spatter = {
    .apply = spatter, /* mu, sd, s, cut, k, mud */
    .setting = {{{0.62, 0.1, 0.7, 0.7, 0.5, 0},
                 {0.65, 0.1, 0.8, 0.7, 0.5, 0},
                 {0.65, 0.3, 1, 0.69, 0.5, 0},
                 {0.65, 0.1, 0.7, 0.69, 0.6, 1},
                 {0.65, 0.1, 0.5, 0.68, 0.6, 1}},
                {{0.65, 0.3, 4, 0.69, 0.6, 0},
                 {0.65, 0.3, 3, 0.68, 0.6, 0},
                 {0.65, 0.3, 2, 0.68, 0.5, 0},
                 {0.65, 0.3, 1, 0.65, 1.5, 1},
                 {0.67, 0.4, 1, 0.65, 1.5, 1}}},
};
