/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution over blocks of tiles, shared out over threads: sizes, places and order. What depends on the
 * instruction set stands in winograd_kernels.h. */
#include "device/cpu/isa.h"
#include "device/cpu/winograd_private.h"

#include <omp.h>

/* A block of tiles stays within a core's own cache as far as it can; where the weights do not fit any cache, more tiles
   share what is read of them. */
#define OWN_CACHE (400 << 10)
#define SHARED_CACHE (12 << 20)
#define TILES_OF_LARGE_WEIGHTS 64
#define LEAST_TILES 16

/* NULL where the processor has less than AVX2, or no kernels for that type of map: oneDNN's convolutions are then
 * taken, so that every processor computes everything. */
const struct winograd_kernels *winograd_kernels(enum invar_dtype maps, enum invar_dtype products)
{
    const enum isa isa = cpu_isa();
    if (products == INVAR_BFLOAT16)
        return maps == INVAR_BFLOAT16 && isa >= ISA_AVX512BF16 ? &winograd_avx512bf16 : NULL;
    if (maps == INVAR_BFLOAT16)
        return isa >= ISA_AVX512 ? &winograd_avx512_maps : NULL;
    return isa >= ISA_AVX512 ? &winograd_avx512 : isa >= ISA_AVX2 ? &winograd_avx2 : NULL;
}

int winograd_lanes(const struct winograd_kernels *kernels)
{
    return kernels->lanes;
}

static int64_t minimum(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t maximum(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t round_up(int64_t count, int64_t unit)
{
    return (count + unit - 1) / unit * unit;
}

/* Channels fill whole vectors; what is too much is 0 in the weights and is not written. */
static int64_t channels_padded(const struct winograd *w, int64_t channels)
{
    return winograd_blocks(w, channels) * w->kernels->lanes;
}

static int64_t depth_padded(const struct winograd *w)
{
    return winograd_depth(w) * w->kernels->lanes;
}

/* Numbers from point to point of what is multiplied. */
static int64_t factor_plane(const struct winograd *w, int64_t numbers)
{
    return winograd_plane(numbers / w->kernels->pair);
}

size_t winograd_weight_bytes(const struct winograd *w)
{
    return (size_t)(winograd_points(w) * factor_plane(w, depth_padded(w) * channels_padded(w, w->out))) * sizeof(float);
}

/* Tiles that one thread takes at a time in a forward pass; every thread shall have some. What a block of tiles takes
 * is its transformed input and its products at all points; half as much again of the cache is left to weights that
 * stream through. Whole register tiles, since a part of one costs as much as all of it. */
static int64_t forward_room(const struct winograd *w)
{
    const int64_t channels = depth_padded(w) + channels_padded(w, w->out);
    int64_t room = OWN_CACHE / ((int64_t)sizeof(float) * winograd_points(w) * channels);
    if (winograd_weight_bytes(w) > SHARED_CACHE)
        room = maximum(room, TILES_OF_LARGE_WEIGHTS);
    room = minimum(maximum(room, LEAST_TILES), maximum(winograd_tiles(w) / w->threads, 1));
    return round_up(room, w->kernels->rows);
}

static int64_t forward_numbers(const struct winograd *w)
{
    const int64_t room = forward_room(w);
    return winograd_points(w) *
           (factor_plane(w, room * depth_padded(w)) + winograd_plane(room * channels_padded(w, w->out)));
}

size_t winograd_scratch_bytes(const struct winograd *w)
{
    return (size_t)(w->threads * forward_numbers(w)) * sizeof(float);
}

void winograd_weights(const struct winograd *w, const float *plain, bool transposed, float *transformed)
{
    const int64_t blocks = winograd_blocks(w, w->out);
    const bool stream = winograd_weight_bytes(w) > SHARED_CACHE; /* no cache would have them when they are read */
#pragma omp parallel for schedule(dynamic) num_threads(w->threads)
    for (int64_t block = 0; block < blocks; block++)
        w->kernels->weights(w, plain, transposed, block, stream, transformed);
}

static void forward_block(const struct winograd *w, const void *x, const float *u, int64_t first, int64_t count,
                          const struct winograd_after *after, void *y, float *scratch)
{
    const int64_t room = forward_room(w), in = depth_padded(w), out = channels_padded(w, w->out);
    const int64_t blocks = winograd_blocks(w, w->out), u_plane = factor_plane(w, in * out);
    const int64_t v_plane = factor_plane(w, room * in), m_plane = winograd_plane(room * out);
    float *v = scratch, *m = v + winograd_points(w) * v_plane;
    w->kernels->read(w, x, first, count, room, 0, winograd_depth(w), false, v);
    for (int64_t point = 0; point < winograd_points(w); point++)
        w->kernels->product(w, v + point * v_plane, u + point * u_plane, room, 0, blocks, m + point * m_plane);
    w->kernels->write(w, m, first, count, room, after, y);
}

void winograd_forward(const struct winograd *w, const void *x, const float *transformed,
                      const struct winograd_after *after, void *y, float *scratch)
{
    const int64_t tiles = winograd_tiles(w), room = forward_room(w), blocks = (tiles + room - 1) / room;
    const int64_t numbers = forward_numbers(w);
#pragma omp parallel for schedule(dynamic) num_threads(w->threads)
    for (int64_t block = 0; block < blocks; block++)
        forward_block(w, x, transformed, block * room, minimum(room, tiles - block * room), after, y,
                      scratch + omp_get_thread_num() * numbers);
}

/* ---- backward to the weights: a block of tiles for all threads, which share out first its transforms, then the
   products; every number of the result is summed in the order of the tiles ---- */

static int64_t gradient_room(const struct winograd *w)
{
    const int64_t channels = depth_padded(w) + channels_padded(w, w->out);
    const int64_t fits = SHARED_CACHE / ((int64_t)sizeof(float) * winograd_points(w) * channels);
    return minimum(round_up(minimum(maximum(fits, 128), 256), w->kernels->rows),
                   round_up(winograd_tiles(w), w->kernels->rows));
}

size_t winograd_gradient_bytes(const struct winograd *w)
{
    const int64_t room = gradient_room(w), in = depth_padded(w), out = channels_padded(w, w->out);
    const int64_t planes = factor_plane(w, room * in) + factor_plane(w, room * out) + winograd_plane(in * out);
    return (size_t)(winograd_points(w) * planes) * sizeof(float);
}

/* One block of channels of x or of the output's gradient. */
static void read_share(const struct winograd *w, const void *x, const void *dy, int64_t first, int64_t count,
                       int64_t room, int64_t share, float *v, float *g)
{
    const int64_t in = winograd_blocks(w, w->in);
    if (share < in)
        w->kernels->read(w, x, first, count, room, share, 1, true, v);
    else
        w->kernels->read_gradient(w, dy, first, count, room, share - in, 1, g);
}

/* Tiles of a piece, then all points of the piece, and so on: what the transforms make of a piece stays in the cache
 * that threads share until the products have read it. The sum over pieces goes on in du, in their order. */
void winograd_backward_weights(const struct winograd *w, const void *x, const void *dy, float *gradient, float *scratch)
{
    const int64_t tiles = winograd_tiles(w), room = gradient_room(w);
    const int64_t in = depth_padded(w), out = channels_padded(w, w->out);
    const int64_t in_blocks = winograd_blocks(w, w->in), out_blocks = winograd_blocks(w, w->out);
    const int64_t v_plane = factor_plane(w, room * in), g_plane = factor_plane(w, room * out);
    const int64_t u_plane = winograd_plane(in * out);
    float *v = scratch, *g = v + winograd_points(w) * v_plane, *du = g + winograd_points(w) * g_plane;
#pragma omp parallel num_threads(w->threads)
    {
        for (int64_t first = 0; first < tiles; first += room) {
            const int64_t count = minimum(room, tiles - first);
#pragma omp for schedule(dynamic)
            for (int64_t share = 0; share < in_blocks + out_blocks; share++)
                read_share(w, x, dy, first, count, room, share, v, g);
#pragma omp for schedule(dynamic)
            for (int64_t point = 0; point < winograd_points(w); point++)
                w->kernels->product_tiles(w, v + point * v_plane, g + point * g_plane, count, room, 0, out_blocks,
                                          first > 0, du + point * u_plane);
        }
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < out_blocks; block++)
            w->kernels->weights_gradient(w, du, block, gradient);
    }
}
