/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that several corruptions use, all of them sums of shifted copies of a padded image, or of two rows. The
 * inner loops stand in functions of their own, since a function is compiled for several processors and what calls it
 * is not. */
#include "eval/corruption/corruption.h"

#include "base/clones.h"
#include <math.h>
#include <string.h>

#define BLOCK 32              /* floats that are summed at a time */
#define NEGLIGIBLE 1e-8       /* a weight that moves nothing by as much as 10^-5 gray levels */
#define LEAST_BEYOND 0x1p-13f /* see corruption_bytes */

/* Eight floats to a vector, four vectors to a block: a width that is written down, so that the order of additions is
 * not left to what a compiler makes of a processor. */
typedef float lanes __attribute__((vector_size(32)));

float *corruption_floats(struct corruption_work *work, size_t count, struct invar_error *err)
{
    return invar_scratch_take(work->memory, count + BLOCK, sizeof(float), err);
}

/* Times the reciprocal, which is cheaper than a division and may miss by one rounding: on the way back LEAST_BEYOND
 * makes the same byte of it. */
INVAR_CLONES static void unpack_loop(float *restrict out, const uint8_t *restrict in, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)in[i] * (1.0f / 255.0f);
}

void corruption_unpack(float *out, const uint8_t *in, size_t count)
{
    unpack_loop(out, in, count);
}

float *corruption_values(struct corruption_work *work, struct invar_error *err)
{
    float *x = corruption_floats(work, work->values, err);
    if (x)
        corruption_unpack(x, work->in, work->values);
    return x;
}

/* Limited as a float, before the conversion: what an int cannot hold is undefined in C, and noise may take a value
 * anywhere. The fraction is dropped and not rounded, as the original does; the figures in docs/evaluation.md show the
 * half gray level that this darkens by. */
INVAR_CLONES static void bytes_loop(uint8_t *restrict out, const float *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float level = x[i] * 255.0f + LEAST_BEYOND;
        out[i] = (uint8_t)(int)(level > 255.0f ? 255.0f : level > 0.0f ? level : 0.0f);
    }
}

void corruption_bytes(uint8_t *out, const float *x, size_t count)
{
    bytes_loop(out, x, count);
}

/* The same steps as for bytes, kept as floats: where the original went through an image of bytes on its way, that
 * rounding belongs to the corruption. */
INVAR_CLONES static void truncate_loop(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float level = x[i] * 255.0f + LEAST_BEYOND;
        x[i] = (float)(int)(level > 255.0f ? 255.0f : level > 0.0f ? level : 0.0f);
    }
}

void corruption_truncate(float *x, size_t count)
{
    truncate_loop(x, count);
}

struct corruption_field corruption_field_of(const struct corruption_work *work, float *x, int channels)
{
    return (struct corruption_field){x, work->height, work->width, channels};
}

/* A side of one pixel mirrors into itself, and the period of a mirror would be 0 there. Periods and not one reflection:
 * a blur may reach beyond the image several times over where that is small. In 64 bits, since displacements are not
 * bounded. */
int corruption_border_index(enum corruption_border border, int64_t i, int count)
{
    if (i >= 0 && i < count)
        return (int)i;
    if (border == CORRUPTION_EDGE || count == 1)
        return i < 0 ? 0 : count - 1;
    const int64_t period = border == CORRUPTION_MIRROR ? 2 * (int64_t)count - 2 : 2 * (int64_t)count;
    int64_t place = i % period;
    if (place < 0)
        place += period;
    return (int)(place < count ? place : border == CORRUPTION_MIRROR ? period - place : period - 1 - place);
}

/* ---- sums of shifted copies ---- */

struct margins {
    int up, down, left, right;
};

/* How far the taps reach decides how much border a padded copy needs. */
static struct margins margins_of(const struct corruption_tap *tap, int count)
{
    struct margins m = {0};
    for (int t = 0; t < count; t++) {
        m.up = -tap[t].dy > m.up ? -tap[t].dy : m.up;
        m.down = tap[t].dy > m.down ? tap[t].dy : m.down;
        m.left = -tap[t].dx > m.left ? -tap[t].dx : m.left;
        m.right = tap[t].dx > m.right ? tap[t].dx : m.right;
    }
    return m;
}

/* With a border in place the inner loop asks nothing. */
static void pad(float *out, size_t stride, const struct corruption_field *field, const struct margins *m,
                enum corruption_border border)
{
    const size_t channels = (size_t)field->channels, row = (size_t)field->width * channels;

    for (int y = -m->up; y < field->height + m->down; y++, out += stride) {
        const float *from = field->v + (size_t)corruption_border_index(border, y, field->height) * row;
        float *to = out;
        for (int x = -m->left; x < 0; x++, to += channels)
            memcpy(to, from + (size_t)corruption_border_index(border, x, field->width) * channels,
                   channels * sizeof(float));
        memcpy(to, from, row * sizeof(float));
        to += row;
        for (int x = field->width; x < field->width + m->right; x++, to += channels)
            memcpy(to, from + (size_t)corruption_border_index(border, x, field->width) * channels,
                   channels * sizeof(float));
    }
}

INVAR_INLINE void add_block(lanes *sum, float weight, const float *from)
{
    lanes value;
    memcpy(&value, from, sizeof value);
    *sum += weight * value;
}

/* Reads and writes whole blocks: the fields have room behind them, and the next row overwrites what is too much. Four
 * sums side by side hide the latency of the additions; taps are the inner loop, since a block of the output then
 * stays in registers. */
INVAR_CLONES static void sum_row(float *restrict out, const float *restrict in, const ptrdiff_t *offset,
                                 const float *weight, int taps, size_t count)
{
    for (size_t i = 0; i < count; i += BLOCK) {
        lanes a = {0}, b = {0}, c = {0}, d = {0};
        for (int t = 0; t < taps; t++) {
            const float *from = in + (ptrdiff_t)i + offset[t];
            add_block(&a, weight[t], from);
            add_block(&b, weight[t], from + 8);
            add_block(&c, weight[t], from + 16);
            add_block(&d, weight[t], from + 24);
        }
        memcpy(out + i, &a, sizeof a);
        memcpy(out + i + 8, &b, sizeof b);
        memcpy(out + i + 16, &c, sizeof c);
        memcpy(out + i + 24, &d, sizeof d);
    }
}

bool corruption_correlate(struct corruption_work *work, struct corruption_field *field,
                          const struct corruption_tap *tap, int count, enum corruption_border border,
                          struct invar_error *err)
{
    const struct margins m = margins_of(tap, count);
    const size_t channels = (size_t)field->channels, row = (size_t)field->width * channels;
    const size_t stride = row + (size_t)(m.left + m.right) * channels;
    const size_t rows = (size_t)field->height;
    /* Out of place: every value reads neighbours that would have been overwritten. */
    float *padded = corruption_floats(work, stride * (rows + (size_t)(m.up + m.down)), err);
    float *out = padded ? corruption_floats(work, row * rows, err) : NULL;
    float *weight = out ? corruption_floats(work, (size_t)count, err) : NULL;
    ptrdiff_t *offset = weight ? invar_scratch_take(work->memory, (size_t)count, sizeof *offset, err) : NULL;

    if (!offset)
        return false;
    pad(padded, stride, field, &m, border);
    for (int t = 0; t < count; t++) {
        weight[t] = tap[t].weight;
        /* Worked out once, so that a tap is an offset and a weight for all rows: a shift by a pixel is one of all its
         * channels. */
        offset[t] = (tap[t].dy + m.up) * (ptrdiff_t)stride + (tap[t].dx + m.left) * (ptrdiff_t)channels;
    }
    for (size_t y = 0; y < rows; y++)
        sum_row(out + y * row, padded + y * stride, offset, weight, count, row);
    field->v = out;
    return true;
}

/* Two passes of one dimension: 2 n taps instead of n^2. */
bool corruption_gaussian(struct corruption_work *work, struct corruption_field *field, double sigma, double reach,
                         enum corruption_border border, struct invar_error *err)
{
    const int radius = (int)floor(reach * sigma + 0.5), count = 2 * radius + 1;
    struct corruption_tap *tap = invar_scratch_take(work->memory, (size_t)count, sizeof *tap, err);
    double sum = 0;

    if (!tap)
        return false;
    /* A deviation so small has one tap, whose weight is 1: the image as it is. */
    if (radius == 0)
        return true;
    for (int t = -radius; t <= radius; t++)
        sum += exp(-t * (double)t / (2 * sigma * sigma));
    for (int t = -radius; t <= radius; t++)
        /* By their sum and not by the integral of the density, so that flat areas stay as they are however few taps
         * there are. */
        tap[t + radius] = (struct corruption_tap){0, t, (float)(exp(-t * (double)t / (2 * sigma * sigma)) / sum)};
    if (!corruption_correlate(work, field, tap, count, border, err))
        return false;
    for (int t = 0; t < count; t++)
        tap[t] = (struct corruption_tap){tap[t].dx, 0, tap[t].weight};
    return corruption_correlate(work, field, tap, count, border, err);
}

/* Shifts are rounded to whole pixels, as in the original's motion blur. */
bool corruption_streak(struct corruption_work *work, struct corruption_field *field, double radius, double sigma,
                       double theta, struct invar_error *err)
{
    const int count = 2 * (int)ceil(radius) + 1;
    /* One-sided, from the pixel on: so are the streaks of the original. */
    const double along = cos(theta * (M_PI / 180)), down = sin(theta * (M_PI / 180));
    struct corruption_tap *tap = invar_scratch_take(work->memory, (size_t)count, sizeof *tap, err);
    const size_t size = (size_t)field->height * (size_t)field->width * (size_t)field->channels;
    double sum = 0;
    int used = 0;

    if (!tap)
        return false;
    for (int i = 0; i < count; i++)
        sum += exp(-i * (double)i / (2 * sigma * sigma));
    for (int i = 0; i < count; i++) {
        /* The weights have the division by 255 in them: truncation takes values of 0 to 1, and the field has those of
         * bytes. What is left out is still in the sum, which it changes by less than a gray level can show. */
        const double weight = exp(-i * (double)i / (2 * sigma * sigma)) / sum;
        if (weight > NEGLIGIBLE)
            tap[used++] =
                (struct corruption_tap){(int)ceil(i * down - 0.5), (int)ceil(i * along - 0.5), (float)(weight / 255)};
    }
    if (!corruption_correlate(work, field, tap, used, CORRUPTION_EDGE, err))
        return false;
    corruption_truncate(field->v, size);
    return true;
}

/* ---- enlargement ---- */

/* Which two of a side's pixels an output pixel lies between. */
struct between {
    int first, second;
    float part; /* of the second */
};

/* The block in the middle, its size and its place, follow the rounding of the original's calls one by one. */
static void zoom_places(struct between *place, int *first, int *count, int side, double factor)
{
    const int block = (int)ceil(side / factor), start = (side - block) / 2;
    const int enlarged = (int)rint(block * factor), cut = enlarged > side ? (enlarged - side) / 2 : 0;

    for (int i = 0; i < side; i++) {
        /* The corners of the block fall on the corners of what it is enlarged to, so that the last pixel is the last
         * and not half a pixel before it; the bound is for the rounding of the quotient. */
        double at = enlarged > 1 ? (double)(i + cut) * (block - 1) / (enlarged - 1) : 0;
        at = at < block - 1 ? at : block - 1;
        const int low = (int)at;
        place[i] = (struct between){low, low + 1 < block ? low + 1 : low, (float)(at - low)};
    }
    *first = start;
    *count = block;
}

/* The rows of the block, each made as wide as the field. */
static void zoom_across(float *restrict out, const struct corruption_field *field, const struct between *place, int top,
                        int rows, int left)
{
    const size_t channels = (size_t)field->channels, row = (size_t)field->width * channels;

    for (int y = 0; y < rows; y++, out += row) {
        const float *in = field->v + (size_t)(top + y) * row + (size_t)left * channels;
        for (int x = 0; x < field->width; x++) {
            const float *a = in + (size_t)place[x].first * channels, *b = in + (size_t)place[x].second * channels;
            for (size_t c = 0; c < channels; c++)
                out[(size_t)x * channels + c] = a[c] + place[x].part * (b[c] - a[c]);
        }
    }
}

INVAR_CLONES static void add_between(float *restrict out, const float *restrict a, const float *restrict b, float part,
                                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] += a[i] + part * (b[i] - a[i]);
}

/* Columns first, over the rows of the block alone; then rows, added to the sum as they are made. */
bool corruption_zoom(struct corruption_work *work, const struct corruption_field *field, double factor, float *out,
                     struct invar_error *err)
{
    const size_t row = (size_t)field->width * (size_t)field->channels;
    struct between *across = invar_scratch_take(work->memory, (size_t)field->width, sizeof *across, err);
    struct between *down = across ? invar_scratch_take(work->memory, (size_t)field->height, sizeof *down, err) : NULL;
    int left = 0, top = 0, columns = 0, rows = 0;

    if (!down)
        return false;
    zoom_places(across, &left, &columns, field->width, factor);
    zoom_places(down, &top, &rows, field->height, factor);
    float *wide = corruption_floats(work, row * (size_t)rows, err);
    if (!wide)
        return false;
    zoom_across(wide, field, across, top, rows, left);
    for (int y = 0; y < field->height; y++)
        add_between(out + (size_t)y * row, wide + (size_t)down[y].first * row, wide + (size_t)down[y].second * row,
                    down[y].part, row);
    return true;
}

void corruption_sample(const struct corruption_field *field, double y, double x, enum corruption_border border,
                       float *out)
{
    /* Far outside, the integers of the border rule must still hold the place. */
    const double limit = 1e9;
    const double at_y = y > -limit ? (y < limit ? y : limit) : -limit;
    const double at_x = x > -limit ? (x < limit ? x : limit) : -limit;
    const double top = floor(at_y), left = floor(at_x);
    const float down = (float)(at_y - top), right = (float)(at_x - left);
    const ptrdiff_t channels = field->channels, stride = field->width * channels;
    const float *upper = field->v + corruption_border_index(border, (int64_t)top, field->height) * stride;
    const float *lower = field->v + corruption_border_index(border, (int64_t)top + 1, field->height) * stride;
    const ptrdiff_t x0 = corruption_border_index(border, (int64_t)left, field->width) * channels;
    const ptrdiff_t x1 = corruption_border_index(border, (int64_t)left + 1, field->width) * channels;

    for (ptrdiff_t c = 0; c < channels; c++) {
        const float above = upper[x0 + c] + right * (upper[x1 + c] - upper[x0 + c]);
        const float below = lower[x0 + c] + right * (lower[x1 + c] - lower[x0 + c]);
        out[c] = above + down * (below - above);
    }
}
