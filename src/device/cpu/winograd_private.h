/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver (winograd.c) and the kernels of each instruction set (winograd_*.c) know of each other. */
#ifndef INVAR_SRC_DEVICE_CPU_WINOGRAD_PRIVATE_H
#define INVAR_SRC_DEVICE_CPU_WINOGRAD_PRIVATE_H

#include "device/cpu/winograd.h"

/* All transformed tensors lie as [point][block of channels][item][lane], the item being a tile or a channel: v (of
 * x), m (products), g (of the output's gradient) [points][blocks][tiles][lanes] u (of weights), du (of their
 * gradient) [points][blocks of out][in, padded][lanes] with winograd_plane numbers from point to point. v, g and u
 * may be bfloat16, which lie in pairs, a pair in the place of a float; m and du are float32. Made once for every
 * instruction set and type of map from winograd_kernels.h, and chosen when a plan is made. */
struct winograd_kernels {
    int lanes;
    int pair;    /* numbers of v, g and u in the place of one: 1, or 2 of bfloat16 */
    int rows;    /* items of one register tile: the number of tiles of a block is a multiple */
    int columns; /* blocks of one register tile, at most */

    /** v <- B^T x B of tiles [first, first + count) and blocks [block, block + blocks); v has room for `room` tiles.
     * sum_tiles: for product_tiles, else for product. */
    void (*read)(const struct winograd *w, const void *x, int64_t first, int64_t count, int64_t room, int64_t block,
                 int64_t blocks, bool sum_tiles, float *v);
    /** g <- A dy A^T of the same. */
    void (*read_gradient)(const struct winograd *w, const void *dy, int64_t first, int64_t count, int64_t room,
                          int64_t block, int64_t blocks, float *g);
    /** y <- A^T m A, then what comes after. */
    void (*write)(const struct winograd *w, const float *m, int64_t first, int64_t count, int64_t room,
                  const struct winograd_after *after, void *y);
    /** m <- v u at one point and blocks [block, block + blocks) of the output, all tiles. */
    void (*product)(const struct winograd *w, const float *v, const float *u, int64_t room, int64_t block,
                    int64_t blocks, float *m);
    /** du <- v^T g, or du + v^T g, at one point and blocks of the output, over `count` tiles. */
    void (*product_tiles)(const struct winograd *w, const float *v, const float *g, int64_t count, int64_t room,
                          int64_t block, int64_t blocks, bool add, float *du);
    /** Weights of one block of the output: u <- G w G^T; stream: past the caches. */
    void (*weights)(const struct winograd *w, const float *plain, bool transposed, int64_t block, bool stream,
                    float *u);
    /** gradient <- G^T du G of one block of the output. */
    void (*weights_gradient)(const struct winograd *w, const float *du, int64_t block, float *gradient);
};

static inline int64_t winograd_blocks(const struct winograd *w, int64_t channels)
{
    return (channels + w->kernels->lanes - 1) / w->kernels->lanes;
}

/* Points of a tile: 6x6, or 5x5. */
static inline int64_t winograd_points(const struct winograd *w)
{
    return w->stride == 2 ? 25 : 36;
}

/* Blocks of channels that a product sums over: those of the four maps one after the other. */
static inline int64_t winograd_depth(const struct winograd *w)
{
    return winograd_blocks(w, w->in) * (w->stride == 2 ? 4 : 1);
}

/* Numbers from one point of a transformed tensor to the next: an odd number of cache lines, so that the 36 places that
 * a tile is written to are not in one set of the cache. */
static inline int64_t winograd_plane(int64_t numbers)
{
    return ((numbers + 15) / 16 | 1) * 16;
}

static inline int64_t winograd_tiles(const struct winograd *w)
{
    return w->batch * ((w->height + 3) / 4) * ((w->width + 3) / 4);
}

extern const struct winograd_kernels winograd_avx2, winograd_avx512, winograd_avx512_maps, winograd_avx512bf16;

#endif
