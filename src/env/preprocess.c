/* SPDX-License-Identifier: Apache-2.0 */
#include "env/preprocess.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

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
    uint8_t *plane; /* [height][width] */
    float *narrow;  /* [height][to_width] */
    float *sum;     /* [to_width] */
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
    const size_t height = (size_t)picture->height;

    if (!p)
        return NULL;
    p->picture = *picture;
    p->plane = invar_alloc(height, (size_t)picture->width, err);
    p->narrow = invar_alloc(height * (size_t)picture->to_width, sizeof *p->narrow, err);
    p->sum = invar_alloc((size_t)picture->to_width, sizeof *p->sum, err);
    if (p->plane && p->narrow && p->sum && area_create(&p->across, picture->width, picture->to_width, err) &&
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
    invar_free(preprocess->narrow);
    invar_free(preprocess->sum);
    invar_free(preprocess);
}

/* Every row to the new width. */
static void squeeze(struct env_preprocess *p, const uint8_t *plane)
{
    const int width = p->picture.width, to = p->picture.to_width, most = p->across.most;

    for (int y = 0; y < p->picture.height; y++) {
        const uint8_t *row = plane + (size_t)y * (size_t)width;
        float *out = p->narrow + (size_t)y * (size_t)to;
        for (int x = 0; x < to; x++) {
            const float *share = p->across.share + (size_t)x * (size_t)most;
            const uint8_t *from = row + p->across.first[x];
            float sum = 0;
            for (int k = 0; k < p->across.count[x]; k++)
                sum += (float)from[k] * share[k];
            out[x] = sum;
        }
    }
}

/* The new rows of those, rounded, halves to even. */
static void stack_rows(struct env_preprocess *p, uint8_t *out)
{
    const int to = p->picture.to_width;

    for (int y = 0; y < p->picture.to_height; y++) {
        const float *share = p->down.share + (size_t)y * (size_t)p->down.most;
        for (int k = 0; k < p->down.count[y]; k++) {
            const float *row = p->narrow + (size_t)(p->down.first[y] + k) * (size_t)to;
            for (int x = 0; x < to; x++)
                p->sum[x] = k == 0 ? row[x] * share[k] : p->sum[x] + row[x] * share[k];
        }
        for (int x = 0; x < to; x++)
            out[(size_t)y * (size_t)to + (size_t)x] = (uint8_t)fminf(rintf(p->sum[x]), 255);
    }
}

void env_preprocess_apply(struct env_preprocess *p, const uint8_t *screen, uint8_t *out)
{
    const struct env_picture *picture = &p->picture;
    const size_t pixels = (size_t)picture->height * (size_t)picture->width, channels = (size_t)picture->channels;
    const size_t made = (size_t)picture->to_height * (size_t)picture->to_width;
    const bool same = picture->height == picture->to_height && picture->width == picture->to_width;

    for (int c = 0; c < env_preprocess_planes(picture); c++) {
        uint8_t *plane = same ? out + (size_t)c * made : p->plane;
        const uint8_t *from = screen + c;
        for (size_t i = 0; picture->gray && i < pixels; i++, from += 3)
            plane[i] = (uint8_t)((77 * from[0] + 151 * from[1] + 28 * from[2] + 128) >> 8);
        for (size_t i = 0; !picture->gray && i < pixels; i++)
            plane[i] = from[i * channels];
        if (!same) {
            squeeze(p, plane);
            stack_rows(p, out + (size_t)c * made);
        }
    }
}

void env_screen_most(uint8_t *screen, const uint8_t *before, size_t size)
{
    for (size_t i = 0; i < size; i++)
        screen[i] = screen[i] > before[i] ? screen[i] : before[i];
}
