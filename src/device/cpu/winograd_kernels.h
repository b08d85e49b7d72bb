/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of winograd_private.h for one instruction set and one type of map: included by the file that is compiled
   for it, after NAME, MAP_BFLOAT16, LANES (numbers in a vector), ROWS and COLUMNS (of a register tile), and, for
   products of bfloat16 summed in float32, PRODUCT_BFLOAT16. */
#include "device/cpu/winograd_private.h"
#include "device/cpu/winograd_vectors.h"

/* ---- tiles ---- */

struct tile {
    int64_t at;        /* of its first output, in numbers from the start of the map */
    int64_t top, left; /* of its first output, in pixels */
    int64_t image;
};

INLINE struct tile place_tile(const struct winograd_strides *s, int64_t image, int64_t top, int64_t left)
{
    return (struct tile){image * s->image + top * s->row + left * s->pixel, top, left, image};
}

INLINE struct tile find_tile(const struct winograd *w, const struct winograd_strides *s, int64_t number)
{
    const int64_t across = (w->width + 3) / 4, in_image = (w->height + 3) / 4 * across;
    const int64_t rest = number % in_image;
    return place_tile(s, number / in_image, rest / across * 4, rest % across * 4);
}

/* Divisions would take as long as a transform. Tiles go row by row, so the next one is a comparison away. */
INLINE struct tile next_tile(const struct winograd *w, const struct winograd_strides *s, struct tile tile)
{
    if (tile.left + 4 < w->width)
        return place_tile(s, tile.image, tile.top, tile.left + 4);
    if (tile.top + 4 < w->height)
        return place_tile(s, tile.image, tile.top + 4, 0);
    return place_tile(s, tile.image + 1, 0, 0);
}

/* Outside the map, everything is read from here: a load like any other, instead of a branch in every lane. */
static const map_number no_pixel[LANES];

/* What a map's tiles of size x size become, by a transform in one dimension from `size` to `points`. The first pixel is
 * `before` pixels before the tile's; outside the map, whose sides are those here, it is 0. */
struct reading {
    struct winograd_strides strides;
    int64_t height, width;
    int size, before, points;
    bool pairs_of_tiles;
    void (*transform)(vector r[6], const vector *x);
};

/* Tiles inside the map, most of them, take the first branch; the rest asks for rows and columns once each. */
INLINE void load_pixels(const struct reading *how, const struct tile *tile, const map_number *x, vector *out)
{
    const int size = how->size, before = how->before;
    const int64_t top = tile->top - before, left = tile->left - before;
    const int64_t row = how->strides.row, pixel = how->strides.pixel;
    x += tile->at - before * (row + pixel);
    if (top >= 0 && left >= 0 && top + size <= how->height && left + size <= how->width) {
        UNROLL
        for (int i = 0; i < size; i++)
            UNROLL
        for (int j = 0; j < size; j++)
            out[i * size + j] = map_load(x + i * row + j * pixel);
        return;
    }
    bool inside[6];
    UNROLL
    for (int j = 0; j < size; j++)
        inside[j] = left + j >= 0 && left + j < how->width;
    UNROLL
    for (int i = 0; i < size; i++) {
        const bool row_inside = top + i >= 0 && top + i < how->height;
        UNROLL
        for (int j = 0; j < size; j++)
            out[i * size + j] = map_load(row_inside && inside[j] ? x + i * row + j * pixel : no_pixel);
    }
}

/* to[points][points][item] <- T x T^T. Columns, then rows, in registers and a few cache lines; the points of a tile
 * then go to planes of their own, one a point, where products find the tiles of a point side by side. */
INLINE void transform_tile(const struct reading *how, const vector *x, int64_t item, float *to, int64_t point)
{
    vector half[36] = {{0}}; /* rows of five are read as six */
    UNROLL
    for (int j = 0; j < how->size; j++) {
        vector column[6] = {{0}}, r[6];
        UNROLL
        for (int i = 0; i < how->size; i++)
            column[i] = x[i * how->size + j];
        how->transform(r, column);
        UNROLL
        for (int i = 0; i < how->points; i++)
            half[i * how->size + j] = r[i];
    }
    UNROLL
    for (int i = 0; i < how->points; i++) {
        vector r[6];
        how->transform(r, half + i * how->size);
        UNROLL
        for (int j = 0; j < how->points; j++)
            put(to + (i * how->points + j) * point, item, r[j], how->pairs_of_tiles);
    }
}

/* One block of channels, which is the block `to` of what comes out. */
INLINE void transform_tiles(const struct winograd *w, const struct reading *how, const map_number *map, int64_t first,
                            int64_t count, float *to, int64_t point)
{
    struct tile tile = find_tile(w, &how->strides, first);
    for (int64_t t = 0; t < count; t++, tile = next_tile(w, &how->strides, tile)) {
        vector x[36];
        load_pixels(how, &tile, map, x);
        transform_tile(how, x, t, to, point);
    }
}

/* Rows of one parity, and columns of one: a map of their own. A convolution of stride 2 is the sum of four of stride
 * 1, one by parity of rows and columns, with 2x2 taps at most. */
static void read_every_other(const struct winograd *w, const map_number *map, int64_t first, int64_t count, int row,
                             int column, float *to, int64_t point)
{
    const struct winograd_strides *s = &w->read;
    const struct reading how = {.strides = {s->image, s->block, 2 * s->row, 2 * s->pixel},
                                .height = (w->read_height - row + 1) / 2,
                                .width = (w->read_width - column + 1) / 2,
                                .size = 5,
                                .before = 1,
                                .points = 5,
                                .transform = input_transform};
    transform_tiles(w, &how, map + row * s->row + column * s->pixel, first, count, to, point);
}

/* Blocks behind the last of `in` are those of the other parities, where the stride is 2. */
static void read_tiles(const struct winograd *w, const void *map, int64_t first, int64_t count, int64_t room,
                       int64_t block, int64_t blocks, bool sum_tiles, float *v)
{
    const int64_t point = winograd_plane(winograd_depth(w) * room * WORDS), in = winograd_blocks(w, w->in);
    const struct reading how = {w->read, w->read_height, w->read_width, 6, 1, 6, sum_tiles, input_transform};
    for (int64_t b = block; b < block + blocks; b++) {
        const map_number *from = (const map_number *)map + b % in * w->read.block;
        float *to = v + b * room * WORDS;
        if (w->stride == 2)
            read_every_other(w, from, first, count, (int)(b / in) / 2, (int)(b / in) % 2, to, point);
        else
            transform_tiles(w, &how, from, first, count, to, point);
    }
}

static void read_gradient_tiles(const struct winograd *w, const void *map, int64_t first, int64_t count, int64_t room,
                                int64_t block, int64_t blocks, float *g)
{
    const int64_t point = winograd_plane(winograd_blocks(w, w->out) * room * WORDS);
    const struct reading how = {w->written, w->height, w->width, 4, 0, 6, true, gradient_transform};
    for (int64_t b = block; b < block + blocks; b++)
        transform_tiles(w, &how, (const map_number *)map + b * w->written.block, first, count, g + b * room * WORDS,
                        point);
}

/* The pixels of a tile that lie within the map. Bias, sum and ReLU while the tile is in registers. The ReLU masks
 * where v < 0 and so passes NaN, which max would not in either order of operands for all instruction sets. */
INLINE void write_pixels(const struct winograd *w, const struct tile *tile, const vector *y, vector bias,
                         const map_number *sum, bool relu, map_number *out)
{
    const int64_t rows = w->height - tile->top, columns = w->width - tile->left;
    const int64_t row = w->written.row, pixel = w->written.pixel;
    UNROLL
    for (int i = 0; i < 4; i++)
        UNROLL
    for (int j = 0; j < 4; j++) {
        const int64_t at = tile->at + i * row + j * pixel;
        vector v = y[i * 4 + j] + bias;
        if (i >= rows || j >= columns)
            continue;
        if (sum)
            v += map_load(sum + at);
        if (relu)
            v = (vector)((integers)v & ~(integers)(v < 0)); /* keeps NaN */
        map_store(out + at, v);
    }
}

/* A bias of fewer channels than a vector is read into zeros, as what lies behind it is somebody else's. */
INLINE vector load_bias(const float *bias, int64_t channels)
{
    float part[LANES] = {0};
    if (bias)
        memcpy(part, bias, (size_t)(channels < LANES ? channels : LANES) * sizeof *bias);
    return load(part);
}

/* points: in one dimension. Transforms back from the points in one dimension and then the other; five points where
 * the stride is 2. */
INLINE void write_points(const struct winograd *w, const float *m, int64_t first, int64_t count, int64_t room,
                         const struct winograd_after *after, int points, void *y)
{
    const int64_t blocks = winograd_blocks(w, w->out), point = winograd_plane(blocks * room * LANES);
    const struct tile start = find_tile(w, &w->written, first);
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t channel = b * LANES, offset = b * w->written.block;
        const vector bias = load_bias(after->bias ? after->bias + channel : NULL, w->out - channel);
        const map_number *sum = after->sum ? (const map_number *)after->sum + offset : NULL;
        struct tile tile = start;
        for (int64_t t = 0; t < count; t++, tile = next_tile(w, &w->written, tile)) {
            const float *from = m + (b * room + t) * LANES;
            vector half[24] = {{0}}, out[16];
            UNROLL
            for (int j = 0; j < points; j++) {
                vector column[6] = {{0}}, r[4];
                UNROLL
                for (int i = 0; i < points; i++)
                    column[i] = load(from + (i * points + j) * point);
                output_transform(r, column);
                UNROLL
                for (int i = 0; i < 4; i++)
                    half[i * 6 + j] = r[i];
            }
            UNROLL
            for (int i = 0; i < 4; i++)
                output_transform(out + i * 4, half + i * 6);
            write_pixels(w, &tile, out, bias, sum, after->relu, (map_number *)y + offset);
        }
    }
}

static void write_tiles(const struct winograd *w, const float *m, int64_t first, int64_t count, int64_t room,
                        const struct winograd_after *after, void *y)
{
    if (w->stride == 2)
        write_points(w, m, first, count, room, after, 5, y);
    else
        write_points(w, m, first, count, room, after, 6, y);
}

/* ---- products: ROWS items times up to COLUMNS blocks in registers ---- */

/* A sum in float32 errs by the length of its chain, so chains are short: so many channels, or the tiles of a block, and
   then their sums. It is also what stays in the first cache. */
#define CHAIN 16

/* Sums leave their registers once a chain: to memory in the first cache, not to the output map. */
INLINE void add_up(vector s[ROWS][COLUMNS], int columns, bool add, float *c, int64_t c_block)
{
    UNROLL
    for (int i = 0; i < ROWS; i++)
        UNROLL
    for (int j = 0; j < columns; j++) {
        float *to = c + j * c_block + i * LANES;
        store(to, add ? load(to) + s[i][j] : s[i][j]);
    }
}

/* c[ROWS][columns] (+)= a[depth blocks of LANES][ROWS] b[columns][depth]: a's items lie LANES apart within a block.
 * ROWS x COLUMNS sums, COLUMNS loaded vectors and one broadcast fill the registers, and every loaded number is used
 * ROWS or COLUMNS times. The loops are unrolled wholly, as an index into registers must be a constant. */
INLINE void multiply(const float *a, int64_t a_block, const float *b, int64_t b_block, int64_t depth, int columns,
                     bool add, float *c, int64_t c_block)
{
    vector s[ROWS][COLUMNS] = {{{0}}};
    for (int64_t k = 0; k < depth; k++, a += a_block)
        for (int l = 0; l < WORDS; l++, b += LANES) {
            vector column[COLUMNS];
            UNROLL
            for (int j = 0; j < columns; j++)
                column[j] = load(b + j * b_block);
            UNROLL
            for (int i = 0; i < ROWS; i++)
                UNROLL
            for (int j = 0; j < columns; j++)
                s[i][j] = multiply_add(s[i][j], a[i * WORDS + l], column[j]);
        }
    add_up(s, columns, add, c, c_block);
}

/* c[ROWS][columns] (+)= sum over items a[item][ROWS] b[item][columns]. */
INLINE void multiply_tiles(const float *a, const float *b, int64_t b_block, int64_t items, int columns, bool add,
                           float *c, int64_t c_block)
{
    vector s[ROWS][COLUMNS] = {{{0}}};
    for (int64_t t = 0; t < items; t += PAIR, a += LANES, b += LANES) {
        vector column[COLUMNS];
        UNROLL
        for (int j = 0; j < columns; j++)
            column[j] = load(b + j * b_block);
        UNROLL
        for (int i = 0; i < ROWS; i++)
            UNROLL
        for (int j = 0; j < columns; j++)
            s[i][j] = multiply_add(s[i][j], a[i], column[j]);
    }
    add_up(s, columns, add, c, c_block);
}

/* The depth in chains; within a chain all items, so that the weights of a chain stay in the first cache while items
 * pass. */
INLINE void product_columns(const float *v, const float *u, int64_t room, int64_t depth, int columns, float *m)
{
    const int64_t block = room * WORDS, b_block = depth * LANES * WORDS, step = CHAIN / LANES;
    for (int64_t k = 0; k < depth; k += step)
        for (int64_t t = 0; t < room; t += ROWS)
            multiply(v + k * block + t * WORDS, block, u + k * LANES * WORDS, b_block,
                     depth - k < step ? depth - k : step, columns, k > 0, m + t * LANES, room * LANES);
}

/* Blocks of the next register tile: two and two rather than three and one, whose few sums would wait for each other. */
INLINE int64_t columns_of(int64_t left)
{
    return left == 4 ? 2 : left < COLUMNS ? left : COLUMNS;
}

/* Constants 3, 2 and 1 make three copies of the loop. */
static void product(const struct winograd *w, const float *v, const float *u, int64_t room, int64_t block,
                    int64_t blocks, float *m)
{
    const int64_t depth = winograd_depth(w), end = block + blocks;
    for (int64_t b = block, columns; b < end; b += columns) {
        const float *from = u + b * depth * LANES * WORDS;
        float *to = m + b * room * LANES;
        columns = columns_of(end - b);
        if (columns == 3)
            product_columns(v, from, room, depth, 3, to);
        else if (columns == 2)
            product_columns(v, from, room, depth, 2, to);
        else
            product_columns(v, from, room, depth, 1, to);
    }
}

INLINE void product_tile_columns(const float *v, const float *g, int64_t count, int64_t room, int64_t depth,
                                 int columns, bool add, float *du)
{
    const int64_t block = room * WORDS, c_block = depth * LANES * LANES;
    for (int64_t k = 0; k < depth; k++)
        for (int l = 0; l < LANES; l += ROWS)
            multiply_tiles(v + k * block + l, g, block, count, columns, add, du + (k * LANES + l) * LANES, c_block);
}

static void product_tiles(const struct winograd *w, const float *v, const float *g, int64_t count, int64_t room,
                          int64_t block, int64_t blocks, bool add, float *du)
{
    const int64_t depth = winograd_blocks(w, w->in), end = block + blocks;
    for (int64_t b = block, columns; b < end; b += columns) {
        const float *from = g + b * room * WORDS;
        float *to = du + b * depth * LANES * LANES;
        columns = columns_of(end - b);
        if (columns == 3)
            product_tile_columns(v, from, count, room, depth, 3, add, to);
        else if (columns == 2)
            product_tile_columns(v, from, count, room, depth, 2, add, to);
        else
            product_tile_columns(v, from, count, room, depth, 1, add, to);
    }
}

/* ---- weights ---- */

/* The place of weight [out][in] in what the caller has: [out][in][9], or [in][out][9]. Taps of a pair of channels lie
 * together, nine floats, in either order of the channels. */
INLINE int64_t weight_place(const struct winograd *w, bool transposed, int64_t out, int64_t in)
{
    return (transposed ? in * w->out + out : out * w->in + in) * 9;
}

/* Taps [3][3] of one pair of channels; of stride 2, those that see rows and columns of one parity: the first and the
 * last where it is odd, the middle one in the second place where it is even. */
INLINE float tap(const float *from, int stride, bool transposed, int64_t parity, int i, int j)
{
    static const int places[2][3] = {{-1, 1, -1}, {0, 2, -1}};
    if (stride == 1)
        return from[transposed ? 8 - (i * 3 + j) : i * 3 + j];
    const int row = places[parity / 2][i], column = places[parity % 2][j];
    return row < 0 || column < 0 ? 0 : from[row * 3 + column];
}

/* Both directions of a convolution: transposed is that of the gradient, whose taps are turned round. */
static void transform_weights(const struct winograd *w, const float *plain, bool transposed, int64_t block, bool stream,
                              float *u)
{
    const int64_t in = winograd_blocks(w, w->in) * LANES, depth = winograd_depth(w) * LANES,
                  point = winograd_plane(winograd_blocks(w, w->out) * depth * WORDS);
    const int points = w->stride == 2 ? 5 : 6;
    for (int64_t k = 0; k < depth; k++) {
        float part[9][LANES] = {{0}};
        doubles g[9], half[18];
        for (int l = 0; l < LANES && block * LANES + l < w->out && k % in < w->in; l++) {
            const float *from = plain + weight_place(w, transposed, block * LANES + l, k % in);
            for (int i = 0; i < 9; i++)
                part[i][l] = tap(from, w->stride, transposed, k / in, i / 3, i % 3);
        }
        for (int i = 0; i < 9; i++)
            g[i] = __builtin_convertvector(load(part[i]), doubles);
        for (int j = 0; j < 3; j++) {
            const doubles column[3] = {g[j], g[3 + j], g[6 + j]};
            doubles r[6];
            weight_transform(r, column);
            for (int i = 0; i < 6; i++)
                half[i * 3 + j] = r[i];
        }
        for (int i = 0; i < points; i++) {
            doubles r[6];
            weight_transform(r, half + i * 3);
            for (int j = 0; j < points; j++)
                put_weights(u + (i * points + j) * point + block * depth * WORDS, k,
                            __builtin_convertvector(r[j], vector), stream);
        }
    }
    if (stream)
        fence();
}

/* The transpose of the weights' transform: gradients of the points become those of the taps. */
static void transform_weights_gradient(const struct winograd *w, const float *du, int64_t block, float *gradient)
{
    const int64_t depth = winograd_blocks(w, w->in) * LANES,
                  point = winograd_plane(winograd_blocks(w, w->out) * depth * LANES);
    for (int64_t k = 0; k < w->in; k++) {
        const float *from = du + (block * depth + k) * LANES;
        vector half[18], g[9];
        for (int j = 0; j < 6; j++) {
            vector column[6], r[3];
            for (int i = 0; i < 6; i++)
                column[i] = load(from + (i * 6 + j) * point);
            weight_gradient_transform(r, column);
            for (int i = 0; i < 3; i++)
                half[i * 6 + j] = r[i];
        }
        for (int i = 0; i < 3; i++)
            weight_gradient_transform(g + i * 3, half + i * 6);
        for (int l = 0; l < LANES && block * LANES + l < w->out; l++)
            for (int i = 0; i < 9; i++)
                gradient[weight_place(w, false, block * LANES + l, k) + i] = g[i][l];
    }
}

const struct winograd_kernels NAME = {
    .lanes = LANES,
    .pair = PAIR,
    .rows = ROWS,
    .columns = COLUMNS,
    .read = read_tiles,
    .read_gradient = read_gradient_tiles,
    .write = write_tiles,
    .product = product,
    .product_tiles = product_tiles,
    .weights = transform_weights,
    .weights_gradient = transform_weights_gradient,
};
