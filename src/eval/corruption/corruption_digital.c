/* SPDX-License-Identifier: Apache-2.0 */
/* contrast, saturate, pixelate. */
#include "eval/corruption/corruption.h"

#include <math.h>
#include <string.h>

/* The mean is each channel's own, as in the original. */
static bool contrast(struct corruption_work *work, struct invar_error *err)
{
    const float factor = (float)work->setting[0];
    float *x = corruption_values(work, err);
    int64_t sum[3] = {0};

    if (!x)
        return false;
    for (size_t i = 0; i < work->values; i++)
        /* Whole numbers, whose sum is exact in any order. */
        sum[i % 3] += work->in[i];
    for (size_t i = 0; i < work->values; i++) {
        const float mean = (float)((double)sum[i % 3] / (255.0 * (double)work->pixels));
        x[i] = (x[i] - mean) * factor + mean;
    }
    corruption_bytes(work->out, x, work->values);
    return true;
}

/* A channel is V (1 - S w) with w = (V - channel) / (max - min), which does not change with S; the hue of a gray pixel
 * is red. */
static bool saturate(struct corruption_work *work, struct invar_error *err)
{
    const float factor = (float)work->setting[0], added = (float)work->setting[1];
    float *x = corruption_values(work, err);

    if (!x)
        return false;
    for (size_t i = 0; i < work->values; i += 3) {
        const float most = fmaxf(x[i], fmaxf(x[i + 1], x[i + 2])), least = fminf(x[i], fminf(x[i + 1], x[i + 2]));
        const float range = most - least;
        const float saturation = fminf(factor * (range > 0 ? range / most : 0) + added, 1);
        for (size_t c = 0; c < 3; c++) {
            const float away = range > 0 ? (most - x[i + c]) / range : c > 0;
            x[i + c] = most * (1 - saturation * away);
        }
    }
    corruption_bytes(work->out, x, work->values);
    return true;
}

/* ---- pixelate ---- */

/* Which of `cells` parts of a side a pixel's centre lies in, the upper bound included. Enlarging picks the same one. */
static int cell_of(int pixel, int side, int cells)
{
    return (int)(((2 * (int64_t)pixel + 1) * cells + 2 * (int64_t)side - 1) / (2 * (int64_t)side)) - 1;
}

/* Along one axis every run of pixels of a cell becomes its mean, rounded; `stride` bytes from one to the next.
 * Integers throughout, so that pixelated images agree to the bit with their reference. */
static void average_cells(uint8_t *line, int side, size_t stride, int cells)
{
    for (int first = 0, end; first < side; first = end) {
        const int cell = cell_of(first, side, cells);
        unsigned sum = 0, count = 0;
        for (end = first; end < side && cell_of(end, side, cells) == cell; end++, count++)
            sum += line[(size_t)end * stride];
        for (int i = first; i < end; i++)
            line[(size_t)i * stride] = (uint8_t)((2 * sum + count) / (2 * count));
    }
}

static int cells_of(int side, double part)
{
    const int cells = (int)(side * part);
    return cells > 1 ? cells : 1;
}

/* First along rows, then along columns, rounding between: so does the image library of the original, in a box filter.
 */
static bool pixelate(struct corruption_work *work, struct invar_error *err)
{
    const size_t row = 3 * (size_t)work->width;
    (void)err;

    memcpy(work->out, work->in, work->values);
    for (int y = 0; y < work->height; y++)
        for (size_t c = 0; c < 3; c++)
            average_cells(work->out + (size_t)y * row + c, work->width, 3, cells_of(work->width, work->setting[0]));
    for (size_t x = 0; x < row; x++)
        average_cells(work->out + x, work->height, row, cells_of(work->height, work->setting[0]));
    return true;
}

const struct corruption_kind corruption_contrast = {
    .apply = contrast, /* c */
    .setting = {{{0.75}, {0.5}, {0.4}, {0.3}, {0.15}}, {{0.4}, {0.3}, {0.2}, {0.1}, {0.05}}},
};
const struct corruption_kind corruption_saturate = {
    .apply = saturate, /* a, b */
    .setting = {{{0.3, 0}, {0.1, 0}, {1.5, 0}, {2, 0.1}, {2.5, 0.2}},
                {{0.3, 0}, {0.1, 0}, {2, 0}, {5, 0.1}, {20, 0.2}}},
};
const struct corruption_kind corruption_pixelate = {
    .apply = pixelate, /* f */
    .setting = {{{0.95}, {0.9}, {0.85}, {0.75}, {0.65}}, {{0.6}, {0.5}, {0.4}, {0.3}, {0.25}}},
};
