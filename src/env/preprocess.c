/* SPDX-License-Identifier: Apache-2.0 */
#include "env/preprocess.h"

#include "base/clones.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

#define TILE 16 /* a side of what is transposed at once */

/* The pixels of one side that a pixel of the new side covers, and the share of each. OpenCV's sums are float32, along
 * rows first, then over rows, in this order; an exact mean would round half of the ties the other way. */
struct area {
    int *first, *count; /* [to] */
    float *share;       /* [to][most] */
    int most;
};

struct env_preprocess {
    struct env_picture picture;
    struct area across, down;
    int rows, columns; /* of the screen, in whole tiles; what fills them is read and comes to nothing */
    uint8_t *plane;    /* [rows][columns] */
    uint8_t *turned;   /* [columns][rows] */
    float *column;     /* [rows] */
    float *narrow;     /* [height][to_width] */
    float *sum;        /* [to_width] */
};

static void area_free(struct area *area)
{
    invar_free(area->first);
    invar_free(area->count);
    invar_free(area->share);
}

static bool area_create(struct area *area, int from, int to, struct invar_error *err)
{
    const double scale = (double)from / to;

    area->most = (int)ceil(scale) + 2;
    area->first = invar_alloc((size_t)to, sizeof *area->first, err);
    area->count = invar_alloc((size_t)to, sizeof *area->count, err);
    area->share = invar_alloc((size_t)to * (size_t)area->most, sizeof *area->share, err);
    if (!area->first || !area->count || !area->share)
        return false;
    for (int i = 0; i < to; i++) {
        const double begin = i * scale, end = fmin(begin + scale, from), whole = fmin(scale, from - begin);
        area->first[i] = -1;
        for (int k = (int)floor(begin); k < from && k < end; k++) {
            const double covered = fmin(k + 1, end) - fmax(k, begin);
            if (covered <= 1e-3)
                continue;
            if (area->first[i] < 0)
                area->first[i] = k;
            area->share[(size_t)i * (size_t)area->most + (size_t)area->count[i]++] = (float)(covered / whole);
        }
        if (area->count[i] == 0) { /* of one that is much smaller: the pixel that holds its middle */
            area->first[i] = (int)fmin((i + 0.5) * scale, from - 1);
            area->share[(size_t)i * (size_t)area->most] = 1;
            area->count[i] = 1;
        }
    }
    return true;
}

int env_preprocess_planes(const struct env_picture *picture)
{
    return picture->gray ? 1 : picture->channels;
}

struct env_preprocess *env_preprocess_create(const struct env_picture *picture, struct invar_error *err)
{
    struct env_preprocess *p = invar_alloc(1, sizeof *p, err);

    if (!p)
        return NULL;
    p->picture = *picture;
    p->rows = (picture->height + TILE - 1) / TILE * TILE;
    p->columns = (picture->width + TILE - 1) / TILE * TILE;
    p->plane = invar_alloc((size_t)p->rows, (size_t)p->columns, err);
    p->turned = invar_alloc((size_t)p->rows, (size_t)p->columns, err);
    p->column = invar_alloc((size_t)p->rows, sizeof *p->column, err);
    p->narrow = invar_alloc((size_t)picture->height * (size_t)picture->to_width, sizeof *p->narrow, err);
    p->sum = invar_alloc((size_t)picture->to_width, sizeof *p->sum, err);
    if (p->plane && p->turned && p->column && p->narrow && p->sum &&
        area_create(&p->across, picture->width, picture->to_width, err) &&
        area_create(&p->down, picture->height, picture->to_height, err))
        return p;
    env_preprocess_free(p);
    return NULL;
}

void env_preprocess_free(struct env_preprocess *preprocess)
{
    if (!preprocess)
        return;
    area_free(&preprocess->across);
    area_free(&preprocess->down);
    invar_free(preprocess->plane);
    invar_free(preprocess->turned);
    invar_free(preprocess->column);
    invar_free(preprocess->narrow);
    invar_free(preprocess->sum);
    invar_free(preprocess);
}

typedef uint8_t bytes __attribute__((vector_size(TILE), aligned(1), may_alias));

/* Rows and columns of a tile change places: four times, each row and the one half a tile below are put together, byte
 * by byte. */
static void turn_tile(const uint8_t *from, size_t step, uint8_t *to, size_t to_step)
{
    bytes rows[TILE], next[TILE];

    for (size_t i = 0; i < TILE; i++)
        rows[i] = *(const bytes *)(from + i * step);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < TILE / 2; i++) {
            const bytes a = rows[i], b = rows[i + TILE / 2];
            next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            next[2 * i + 1] =
                __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(rows, next, sizeof rows);
    }
    for (size_t i = 0; i < TILE; i++)
        *(bytes *)(to + i * to_step) = rows[i];
}

/* sum <- the weighted sum of `count` columns, which are `rows` bytes apart. */
INVAR_CLONES static void add_columns(const uint8_t *from, int count, int rows, const float *share, float *sum)
{
    for (int y = 0; y < rows; y++)
        sum[y] = (float)from[y] * share[0];
    for (int k = 1; k < count; k++)
        for (int y = 0; y < rows; y++)
            sum[y] += (float)from[(size_t)k * (size_t)rows + (size_t)y] * share[k];
}

/* Every row to the new width. Many rows at a time, so as columns, in which their pixels lie side by side. */
static void squeeze(struct env_preprocess *p)
{
    const size_t rows = (size_t)p->rows, columns = (size_t)p->columns, to = (size_t)p->picture.to_width;

    for (size_t y = 0; y < rows; y += TILE)
        for (size_t x = 0; x < columns; x += TILE)
            turn_tile(p->plane + y * columns + x, columns, p->turned + x * rows + y, rows);
    for (size_t x = 0; x < to; x++) {
        add_columns(p->turned + (size_t)p->across.first[x] * rows, p->across.count[x], p->rows,
                    p->across.share + x * (size_t)p->across.most, p->column);
        for (size_t y = 0; y < (size_t)p->picture.height; y++)
            p->narrow[y * to + x] = p->column[y];
    }
}

/* One new row, rounded, halves to even. */
INVAR_CLONES static void add_rows(const float *from, int count, int width, const float *share, float *sum, uint8_t *out)
{
    for (int x = 0; x < width; x++)
        sum[x] = from[x] * share[0];
    for (int k = 1; k < count; k++)
        for (int x = 0; x < width; x++)
            sum[x] += from[(size_t)k * (size_t)width + (size_t)x] * share[k];
    for (int x = 0; x < width; x++) {
        const float rounded = rintf(sum[x]);
        out[x] = (uint8_t)(int)(rounded < 255 ? rounded : 255);
    }
}

static void stack_rows(struct env_preprocess *p, uint8_t *out)
{
    const size_t to = (size_t)p->picture.to_width;

    for (size_t y = 0; y < (size_t)p->picture.to_height; y++)
        add_rows(p->narrow + (size_t)p->down.first[y] * to, p->down.count[y], p->picture.to_width,
                 p->down.share + y * (size_t)p->down.most, p->sum, out + y * to);
}

/* One plane of a screen, whose rows then lie `step` bytes apart. */
static void take_plane(const struct env_picture *picture, const uint8_t *screen, int channel, uint8_t *plane,
                       size_t step)
{
    const size_t width = (size_t)picture->width, channels = (size_t)picture->channels;

    for (size_t y = 0; y < (size_t)picture->height; y++, plane += step, screen += width * channels) {
        if (channels == 1)
            memcpy(plane, screen, width);
        for (size_t x = 0; picture->gray && x < width; x++) {
            const uint8_t *from = screen + 3 * x;
            plane[x] = (uint8_t)((77 * from[0] + 151 * from[1] + 28 * from[2] + 128) >> 8);
        }
        for (size_t x = 0; !picture->gray && channels > 1 && x < width; x++)
            plane[x] = screen[x * channels + (size_t)channel];
    }
}

void env_preprocess_apply(struct env_preprocess *p, const uint8_t *screen, uint8_t *out)
{
    const struct env_picture *picture = &p->picture;
    const size_t made = (size_t)picture->to_height * (size_t)picture->to_width;
    const bool same = picture->height == picture->to_height && picture->width == picture->to_width;

    for (int c = 0; c < env_preprocess_planes(picture); c++, out += made) {
        take_plane(picture, screen, c, same ? out : p->plane, (size_t)(same ? picture->width : p->columns));
        if (!same) {
            squeeze(p);
            stack_rows(p, out);
        }
    }
}

void env_screen_most(uint8_t *screen, const uint8_t *before, size_t size)
{
    for (size_t i = 0; i < size; i++)
        screen[i] = screen[i] > before[i] ? screen[i] : before[i];
}
