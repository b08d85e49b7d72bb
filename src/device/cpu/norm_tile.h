/* SPDX-License-Identifier: Apache-2.0 */
/* What norm.c and its kernels know of each other: one tile of one block of channels, or of all where there is one. */
#ifndef INVAR_SRC_DEVICE_CPU_NORM_TILE_H
#define INVAR_SRC_DEVICE_CPU_NORM_TILE_H

#include "device/cpu/norm.h"

/** `runs` times `pixels` pixels of `width` channels; run_stride numbers from run to run. */
struct norm_tile {
    int64_t offset, runs, run_stride, pixels, width;
    int64_t stride; /* from row to row of statistics, which begin at the tile's first channel */
};

/* One table an instruction set, so that the choice is made once a call and never inside a loop. */
struct norm_kernels {
    /** out [2][width]: mean, and the sum of squares around it. */
    void (*moments)(const struct norm_tile *tile, bool narrow, const void *x, double *out);
    /** stream: y is written past the caches; only for whole vectors at their alignment. */
    void (*apply)(const struct norm_tile *tile, bool narrow, const struct norm_term *terms, int count, void *y,
                  bool stream);
    /** out [2][width]: sums of dy and of dy (x - mean), where ReLU let y through. */
    void (*sums)(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics, bool relu,
                 const void *dy, double *out);
    /** dx = factor dy - (along (x - mean) + constant); coefficients: [2][stride], constant and along. */
    void (*gradient)(const struct norm_tile *tile, bool narrow, const void *x, const float *statistics, bool relu,
                     const float *coefficients, const void *dy, void *dx, bool stream);
    int lanes;
};

extern const struct norm_kernels norm_sse, norm_avx2, norm_avx512;

#endif
