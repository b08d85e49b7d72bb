/* SPDX-License-Identifier: Apache-2.0 */
/* What plan_few.c and its kernels know of each other: one channel of one map, and a vector or two of output channels.
 */
#ifndef INVAR_SRC_DEVICE_CPU_FEW_H
#define INVAR_SRC_DEVICE_CPU_FEW_H

#include <stdint.h>

/** One channel with its border, and what lies over it: rows of `wide` pixels, windows `stride` apart. */
struct few_plane {
    const float *pixels;
    int64_t wide, stride, height, width; /* height and width: of the output */
};

/** The gradient of one or two vectors of channels, whose pixels are `step` numbers apart. */
struct few_gradient {
    const float *channels[2];
    int64_t step;
};

/** sum[vectors][rows side][lanes], whose vectors are `apart` numbers apart, += over all pixels, what some rows of the
 * window read there times the gradient. */
typedef void few_add(const struct few_plane *plane, const struct few_gradient *gradient, float *sum, int64_t apart);

/** Windows of one side; add: of one vector, add_two: of two at once, or NULL. */
struct few_side {
    int64_t side, rows; /* rows of the window at once */
    few_add *add, *add_two;
};

/** One table an instruction set; sides end with one of 0. */
struct few_kernels {
    int64_t lanes;
    struct few_side sides[4];
};

extern const struct few_kernels few_sse, few_avx2, few_avx512;

#endif
