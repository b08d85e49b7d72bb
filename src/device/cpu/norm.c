/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm: maps cut into tiles, tiles among threads, sums of tiles put together in double in the order of tiles. */
#include "device/cpu/isa.h"
#include "device/cpu/norm_tile.h"

#include <math.h>
#include <omp.h>

#define TILE 8192        /* numbers, about: half a first-level cache, since sums read twice */
#define SMALL 16384      /* numbers for which threads do not pay */
#define TABLE_CHANNELS 8 /* of sums put together at once */
#define STREAM (4 << 20) /* bytes from which on what is written will not be in the cache when it is read */

/* By processor at run time, so that one build runs everywhere; bfloat16 itself is integer work here and needs no
 * AVX512BF16. */
static const struct norm_kernels *kernels(void)
{
    const enum isa isa = cpu_isa();
    return isa >= ISA_AVX512 ? &norm_avx512 : isa >= ISA_AVX2 ? &norm_avx2 : &norm_sse;
}

/* How a map is cut: where all channels lie side by side, a group is one run of pixels. Tiles follow each other as in
   memory. */
struct tiling {
    int64_t groups, rows, pixels; /* rows of a group, pixels of a row */
    int64_t blocks, width, stride;
    int64_t tile_rows, tile_pixels;
    int64_t down, along; /* tiles of a group, of a row */
    int64_t count;
};

static int64_t ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Tiles depend on the shape alone, never on threads: sums of tiles are put together in their order, which makes bits
 * independent of threads. Parts of one row, or several whole rows: never the end of one and the beginning of the
 * next. */
static struct tiling tiling(const struct norm_shape *s)
{
    struct tiling t = {
        s->groups, s->form.rows / s->groups, s->form.pixels, s->form.blocks, s->form.width, s->stride, 1, 1, 1, 1, 1};
    if (t.blocks == 1) {
        t.pixels *= t.rows;
        t.rows = 1;
    }
    const int64_t pixels = at_least(TILE / t.width, 64); /* of a tile: few would leave many sums */
    t.tile_pixels = ceiling(t.pixels, ceiling(t.pixels, pixels));
    t.along = ceiling(t.pixels, t.tile_pixels);
    const int64_t rows = t.along > 1 ? 1 : at_least(pixels / t.pixels, 1);
    t.tile_rows = ceiling(t.rows, ceiling(t.rows, rows));
    t.down = ceiling(t.rows, t.tile_rows);
    t.count = t.groups * t.down * t.blocks * t.along;
    return t;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Tile number i, its group, and where its channels begin. From a number to a place by divisions, once a tile of
 * thousands of numbers, so that loops over tiles are flat and threads can take any of them. */
static struct norm_tile tile_at(const struct tiling *t, int64_t i, int64_t *group, int64_t *channel)
{
    const int64_t along = i % t->along, block = i / t->along % t->blocks;
    const int64_t down = i / t->along / t->blocks % t->down;
    const int64_t row = t->pixels * t->width * t->blocks; /* numbers */
    *group = i / t->along / t->blocks / t->down;
    *channel = block * t->width;
    return (struct norm_tile){.offset = (*group * t->rows + down * t->tile_rows) * row +
                                        (block * t->pixels + along * t->tile_pixels) * t->width,
                              .runs = smaller(t->tile_rows, t->rows - down * t->tile_rows),
                              .run_stride = row,
                              .pixels = smaller(t->tile_pixels, t->pixels - along * t->tile_pixels),
                              .width = t->width,
                              .stride = t->stride};
}

/* A thread's own tiles, the same in every pass over a map: a store to what another core has read waits for that core.
 * Passes that write go from the last to the first: what was read last is read first, while the cache has it. */
struct stretch {
    int64_t first, end;
};

static struct stretch own_tiles(const struct tiling *t)
{
    const int me = omp_get_thread_num(), threads = omp_get_num_threads();
    return (struct stretch){t->count * me / threads, t->count * (me + 1) / threads};
}

/* Numbers of x that a group has of each channel. */
static double count_of(const struct tiling *t)
{
    return (double)(t->rows * t->pixels);
}

/* With those that other ranks have, as many each. */
static double count_everywhere(const struct norm_shape *s, const struct tiling *t)
{
    return count_of(t) * (s->ranks ? s->ranks->count : 1);
}

/* With those that fill up blocks: they are read and written too. */
static int64_t numbers(const struct tiling *t)
{
    return t->groups * t->rows * t->pixels * t->blocks * t->width;
}

size_t norm_statistics_bytes(const struct norm_shape *shape)
{
    return (size_t)(shape->groups * NORM_ROWS * shape->stride) * sizeof(float);
}

/* Two numbers a channel of each group. */
static int64_t sums_of(const struct norm_shape *s)
{
    return s->groups * 2 * s->stride;
}

/* Two numbers a tile and channel, coefficients [groups][2][stride] for norm_backward, and where there are ranks their
 * sums [1 + ranks][groups][2][stride], this one's first. All as doubles, but for the coefficients. */
size_t norm_scratch_bytes(const struct norm_shape *shape)
{
    const struct tiling t = tiling(shape);
    const int64_t shared = shape->ranks ? (1 + shape->ranks->count) * sums_of(shape) : 0;
    return (size_t)(t.count * 2 * t.width + sums_of(shape) + shared) * sizeof(double);
}

/* What this rank has of a channel: two numbers `stride` apart. */
static double *own_sums(const struct norm_shape *s, const struct tiling *t, double *scratch)
{
    return scratch + t->count * 2 * t->width + sums_of(s);
}

/* Behind it come those of all ranks. One thread's work, that which trains: what ranks talk by may be known to it alone.
 */
static void share_sums(const struct norm_shape *s, double *own)
{
    s->ranks->gather(s->ranks->user, own, sums_of(s), own + sums_of(s));
}

/* ---- putting tiles together ---- */

/* Part number `part` of the channels of all groups: up to TABLE_CHANNELS of one block. */
struct part {
    int64_t group, block, first, channels;
};

static int64_t parts_of(const struct tiling *t)
{
    return t->groups * t->blocks * ceiling(t->width, TABLE_CHANNELS);
}

/* A few channels at a time keep the sums of all tiles in registers, and give threads pieces where channels are few. */
static struct part part_at(const struct tiling *t, int64_t i)
{
    const int64_t slices = ceiling(t->width, TABLE_CHANNELS), first = i % slices * TABLE_CHANNELS;
    return (struct part){i / slices / t->blocks, i / slices % t->blocks, first,
                         smaller(TABLE_CHANNELS, t->width - first)};
}

/* Sum of both numbers of each tile, the first times `weighted` ? the tile's size : 1. In double: a group may have a
 * hundred thousand pixels a channel, and a float sum of them has five digits. */
static void add_tiles(const struct tiling *t, const struct part *p, const double *table, bool weighted,
                      double a[TABLE_CHANNELS], double b[TABLE_CHANNELS])
{
    for (int64_t k = 0; k < t->down * t->along; k++) {
        const int64_t down = k / t->along, along = k % t->along;
        int64_t group, channel;
        const int64_t i = ((p->group * t->down + down) * t->blocks + p->block) * t->along + along;
        const struct norm_tile tile = tile_at(t, i, &group, &channel);
        const double *of = table + i * 2 * t->width + p->first;
        const double size = weighted ? (double)(tile.runs * tile.pixels) : 1.0;
        for (int64_t j = 0; j < p->channels; j++) {
            a[j] += size * of[j];
            b[j] += of[t->width + j];
        }
    }
}

/* The squares around each tile's mean, and those of the tiles' means around the whole one. The second pass over the
 * tiles' means, with the whole mean known: no number of tiles makes it less exact. */
static void add_means(const struct tiling *t, const struct part *p, const double *table,
                      const double mean[TABLE_CHANNELS], double squares[TABLE_CHANNELS])
{
    for (int64_t k = 0; k < t->down * t->along; k++) {
        const int64_t down = k / t->along, along = k % t->along;
        int64_t group, channel;
        const int64_t i = ((p->group * t->down + down) * t->blocks + p->block) * t->along + along;
        const struct norm_tile tile = tile_at(t, i, &group, &channel);
        const double *of = table + i * 2 * t->width + p->first, size = (double)(tile.runs * tile.pixels);
        for (int64_t j = 0; j < p->channels; j++)
            squares[j] += size * (of[j] - mean[j]) * (of[j] - mean[j]);
    }
}

/* Where the channels of a part lie in vectors [groups][rows][stride]. */
static int64_t place_of(const struct tiling *t, const struct part *p, int64_t rows)
{
    return p->group * rows * t->stride + p->block * t->width + p->first;
}

/* Squares around the tiles' means, then those of the means around the whole one (Chan, Golub and LeVeque): no
 * cancellation however far the mean is from 0. */
static void moments_of(const struct tiling *t, const struct part *p, const double *table, double mean[TABLE_CHANNELS],
                       double squares[TABLE_CHANNELS])
{
    add_tiles(t, p, table, true, mean, squares);
    for (int64_t j = 0; j < p->channels; j++)
        mean[j] /= count_of(t);
    add_means(t, p, table, mean, squares);
}

/* Moments of the same channels over all ranks, in their order, by the same formula: all have as many rows. */
static void moments_of_ranks(const struct norm_shape *s, const struct tiling *t, const struct part *p,
                             const double *all, double mean[TABLE_CHANNELS], double squares[TABLE_CHANNELS])
{
    const double *of = all + place_of(t, p, 2);
    for (int k = 0; k < s->ranks->count; k++)
        for (int64_t j = 0; j < p->channels; j++)
            mean[j] += of[k * sums_of(s) + j] / s->ranks->count;
    for (int k = 0; k < s->ranks->count; k++)
        for (int64_t j = 0; j < p->channels; j++) {
            const double away = of[k * sums_of(s) + j] - mean[j];
            squares[j] += of[k * sums_of(s) + s->stride + j] + count_of(t) * away * away;
        }
}

/* Channels that only fill up a block get 0 in all rows, so that they stay 0 in the output. */
static void finish_statistics(const struct norm_shape *s, const struct tiling *t, const struct part *p,
                              const struct norm_parameters *parameters, const double mean[TABLE_CHANNELS],
                              const double squares[TABLE_CHANNELS], float *statistics)
{
    float *of = statistics + place_of(t, p, NORM_ROWS);
    for (int64_t j = 0; j < p->channels; j++) {
        const int64_t channel = p->block * t->width + p->first + j;
        const bool real = channel < s->channels;
        const double variance = squares[j] < 0 ? 0 : squares[j] / count_everywhere(s, t); /* NaN stays */
        const double inverse = 1.0 / sqrt(variance + parameters->epsilon);
        of[NORM_MEAN * s->stride + j] = real ? (float)mean[j] : 0.0f;
        of[NORM_VARIANCE * s->stride + j] = real ? (float)variance : 0.0f;
        of[NORM_INVERSE * s->stride + j] = real ? (float)inverse : 0.0f;
        of[NORM_FACTOR * s->stride + j] = real ? (float)(inverse * (double)parameters->scale[channel]) : 0.0f;
        of[NORM_SHIFT * s->stride + j] = real ? parameters->shift[channel] : 0.0f;
    }
}

/* Two numbers a channel of this rank, for the others: of the forward pass mean and squares around it, of the backward
 * pass the sums of the gradient and of its product with the input. In double, so that what all make of them together is
 * no less exact than what one rank would make of all rows. */
static void keep_sums(const struct norm_shape *s, const struct tiling *t, const struct part *p,
                      const double a[TABLE_CHANNELS], const double b[TABLE_CHANNELS], double *own)
{
    double *of = own + place_of(t, p, 2);
    for (int64_t j = 0; j < p->channels; j++) {
        of[j] = a[j];
        of[s->stride + j] = b[j];
    }
}

/* One parallel region with two loops: the second needs every tile of the first, and waking threads twice would cost
 * as much as a small map. */
void norm_statistics(const struct norm_shape *shape, const void *x, const struct norm_parameters *p, float *statistics,
                     double *scratch)
{
    const struct norm_kernels *k = kernels();
    const struct tiling t = tiling(shape);
    double *own = own_sums(shape, &t, scratch);
#pragma omp parallel if (numbers(&t) > SMALL)
    {
        const struct stretch mine = own_tiles(&t);
        for (int64_t i = mine.first; i < mine.end; i++) {
            int64_t group, channel;
            const struct norm_tile tile = tile_at(&t, i, &group, &channel);
            k->moments(&tile, shape->half, x, scratch + i * 2 * t.width);
        }
#pragma omp barrier
#pragma omp for schedule(static)
        for (int64_t i = 0; i < parts_of(&t); i++) {
            const struct part part = part_at(&t, i);
            double mean[TABLE_CHANNELS] = {0}, squares[TABLE_CHANNELS] = {0};
            moments_of(&t, &part, scratch, mean, squares);
            if (shape->ranks)
                keep_sums(shape, &t, &part, mean, squares, own);
            else
                finish_statistics(shape, &t, &part, p, mean, squares, statistics);
        }
    }
    if (!shape->ranks)
        return;
    share_sums(shape, own);
    for (int64_t i = 0; i < parts_of(&t); i++) {
        const struct part part = part_at(&t, i);
        double mean[TABLE_CHANNELS] = {0}, squares[TABLE_CHANNELS] = {0};
        moments_of_ranks(shape, &t, &part, own + sums_of(shape), mean, squares);
        finish_statistics(shape, &t, &part, p, mean, squares, statistics);
    }
}

/* ---- maps ---- */

/* Statistics of a channel lie `stride` apart by kind, which kernels add themselves. */
static const float *at_group(const struct norm_shape *shape, const float *statistics, int64_t group, int64_t channel)
{
    return statistics ? statistics + group * NORM_ROWS * shape->stride + channel : NULL;
}

/* Compared with a limit that stands for the last cache: what is written past it comes back from memory in any case. */
static size_t map_bytes(const struct norm_shape *shape, const struct tiling *t)
{
    return (size_t)numbers(t) * (shape->half ? sizeof(uint16_t) : sizeof(float));
}

/* Streaming past the cache pays where the output is too large to be there when it is read; never where it overwrites
 * an input, which is in the cache already. */
void norm_apply(const struct norm_shape *shape, const struct norm_term *terms, int count, void *y)
{
    const struct norm_kernels *k = kernels();
    const struct tiling t = tiling(shape);
    bool stream = map_bytes(shape, &t) >= STREAM;
    for (int i = 0; i < count; i++)
        stream = stream && terms[i].x != y;
#pragma omp parallel if (numbers(&t) > SMALL)
    {
        const struct stretch mine = own_tiles(&t);
        for (int64_t i = mine.end - 1; i >= mine.first; i--) {
            int64_t group, channel;
            const struct norm_tile tile = tile_at(&t, i, &group, &channel);
            struct norm_term here[NORM_TERMS];
            for (int n = 0; n < count; n++) {
                here[n] = terms[n];
                here[n].statistics = at_group(shape, terms[n].statistics, group, channel);
            }
            k->apply(&tile, shape->half, here, count, y, stream);
        }
    }
}

/* dx = factor (dy - mean(dy) - xhat mean(dy xhat)) with xhat = (x - mean) inverse. Means over a group and channel; xhat
 * is not stored anywhere, so its factor 1 / deviation comes in here, squared in the coefficient that multiplies
 * (x - mean). */
static void finish_coefficients(const struct norm_shape *s, const struct tiling *t, const struct part *p,
                                const float *statistics, const double a[TABLE_CHANNELS], const double b[TABLE_CHANNELS],
                                float *coefficients)
{
    const float *of = at_group(s, statistics, p->group, p->block * t->width + p->first);
    float *out = coefficients + place_of(t, p, 2);
    for (int64_t j = 0; j < p->channels; j++) {
        const double inverse = (double)of[NORM_INVERSE * s->stride + j];
        const double factor = (double)of[NORM_FACTOR * s->stride + j];
        out[j] = (float)(factor * a[j] / count_everywhere(s, t));
        out[s->stride + j] = (float)(factor * inverse * inverse * b[j] / count_everywhere(s, t));
    }
}

/* Leaves the gradients of scale and shift of this group, by the rows that are here, in place of the part's first tile.
 */
static void finish_sums(const struct norm_shape *s, const struct tiling *t, const struct part *p,
                        const float *statistics, double *table, float *coefficients, double *own)
{
    double a[TABLE_CHANNELS] = {0}, b[TABLE_CHANNELS] = {0};
    const float *of = at_group(s, statistics, p->group, p->block * t->width + p->first);
    double *first = table + (p->group * t->down * t->blocks + p->block) * t->along * 2 * t->width + p->first;
    add_tiles(t, p, table, false, a, b);
    if (s->ranks)
        keep_sums(s, t, p, a, b, own);
    else
        finish_coefficients(s, t, p, statistics, a, b, coefficients);
    for (int64_t j = 0; j < p->channels; j++) {
        first[j] = a[j];
        first[t->width + j] = (double)of[NORM_INVERSE * s->stride + j] * b[j];
    }
}

/* The sums of all ranks, in their order. Coefficients are of all rows, so that what flows back to the input is the
 * gradient of the loss of all ranks; the gradients of scale and shift stay those of the rows here, as those of all
 * other parameters do, which are summed once the pass is done. */
static void share_coefficients(const struct norm_shape *s, const struct tiling *t, const float *statistics,
                               float *coefficients, double *own)
{
    share_sums(s, own);
    for (int64_t i = 0; i < parts_of(t); i++) {
        const struct part part = part_at(t, i);
        const double *of = own + sums_of(s) + place_of(t, &part, 2);
        double a[TABLE_CHANNELS] = {0}, b[TABLE_CHANNELS] = {0};
        for (int k = 0; k < s->ranks->count; k++)
            for (int64_t j = 0; j < part.channels; j++) {
                a[j] += of[k * sums_of(s) + j];
                b[j] += of[k * sums_of(s) + s->stride + j];
            }
        finish_coefficients(s, t, &part, statistics, a, b, coefficients);
    }
}

/* Scale and shift are shared by all views, whose gradients add up, in the order of groups. */
static void add_groups(const struct norm_shape *s, const struct tiling *t, const double *table, float *scale,
                       float *shift)
{
    for (int64_t channel = 0; channel < s->channels; channel++) {
        const int64_t block = channel / t->width, place = channel % t->width;
        double a = 0.0, b = 0.0;
        for (int64_t group = 0; group < t->groups; group++) {
            const double *first = table + (group * t->down * t->blocks + block) * t->along * 2 * t->width + place;
            a += first[0];
            b += first[t->width];
        }
        shift[channel] = (float)a;
        scale[channel] = (float)b;
    }
}

/* The gradients of scale and shift are one thread's work while the others go on (nowait) to the maps, which do not
 * read them. */
void norm_backward(const struct norm_shape *shape, const void *x, const float *statistics, bool relu, const void *dy,
                   void *dx, float *scale_gradient, float *shift_gradient, double *scratch)
{
    const struct norm_kernels *k = kernels();
    const struct tiling t = tiling(shape);
    const bool stream = dx != dy && dx != x && map_bytes(shape, &t) >= STREAM;
    float *coefficients = (float *)(void *)(scratch + t.count * 2 * t.width);
    double *own = own_sums(shape, &t, scratch);
#pragma omp parallel if (numbers(&t) > SMALL)
    {
        const struct stretch mine = own_tiles(&t);
        for (int64_t i = mine.first; i < mine.end; i++) {
            int64_t group, channel;
            const struct norm_tile tile = tile_at(&t, i, &group, &channel);
            k->sums(&tile, shape->half, x, at_group(shape, statistics, group, channel), relu, dy,
                    scratch + i * 2 * t.width);
        }
#pragma omp barrier
#pragma omp for schedule(static)
        for (int64_t i = 0; i < parts_of(&t); i++) {
            const struct part part = part_at(&t, i);
            finish_sums(shape, &t, &part, statistics, scratch, coefficients, own);
        }
        if (shape->ranks) {
#pragma omp master
            share_coefficients(shape, &t, statistics, coefficients, own);
#pragma omp barrier
        }
#pragma omp single nowait
        add_groups(shape, &t, scratch, scale_gradient, shift_gradient);
        for (int64_t i = mine.end - 1; i >= mine.first; i--) {
            int64_t group, channel;
            const struct norm_tile tile = tile_at(&t, i, &group, &channel);
            k->gradient(&tile, shape->half, x, at_group(shape, statistics, group, channel), relu,
                        coefficients + group * 2 * shape->stride + channel, dy, dx, stream);
        }
    }
}
