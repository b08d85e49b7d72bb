/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch norm of maps and vectors by groups of rows, each with its own statistics, with the ReLU and the sum that often
 * follow. What a norm makes is not kept: it is computed wherever it is read, from the norm's input and statistics,
 * always to the same bits. Sums are taken over tiles of a size that the shape alone says, so that threads never change
 * the bits. norm.c cuts maps into tiles, norm_kernels.h computes them.
 */
#ifndef INVAR_SRC_DEVICE_CPU_NORM_H
#define INVAR_SRC_DEVICE_CPU_NORM_H

#include "device/cpu/onednn.h"
#include "invar/device.h"

/** Statistics of a group: rows of `stride` numbers, one a channel; what fills up the last block of channels is zero. */
enum norm_row { NORM_MEAN, NORM_VARIANCE, NORM_INVERSE, NORM_FACTOR, NORM_SHIFT, NORM_ROWS };

struct norm_shape {
    struct form form;
    int64_t groups, channels;
    int64_t stride;                       /* channels in whole blocks of 16 */
    bool half;                            /* bfloat16 maps */
    const struct invar_plan_ranks *ranks; /* NULL: the rows are all there are */
};

/** inverse = 1 / sqrt(variance + epsilon), factor = scale inverse: y = (x - mean) factor + shift. */
struct norm_parameters {
    const float *scale, *shift; /* [channels] */
    double epsilon;
};

#define NORM_TERMS 4

/** A sum, term by term: x itself or its norm is added to what came before; then ReLU; then rounding to bfloat16. */
struct norm_term {
    const void *x;
    const float *statistics; /* NULL: x itself */
    bool relu, rounded;
};

/** Numbers that norm_statistics takes, and scratch memory that it and norm_backward need. */
size_t norm_statistics_bytes(const struct norm_shape *shape);
size_t norm_scratch_bytes(const struct norm_shape *shape);

/** Statistics [groups][NORM_ROWS][stride] of x. The variance is the biased one. */
void norm_statistics(const struct norm_shape *shape, const void *x, const struct norm_parameters *p, float *statistics,
                     double *scratch);
/** y may be the x of a term. */
void norm_apply(const struct norm_shape *shape, const struct norm_term *terms, int count, void *y);
/** From the gradient dy of y = (x - mean) factor + shift, or of ReLU(y), those of x (dx may be dy), and the sums over
 * groups of those of scale and shift. */
void norm_backward(const struct norm_shape *shape, const void *x, const float *statistics, bool relu, const void *dy,
                   void *dx, float *scale_gradient, float *shift_gradient, double *scratch);

#endif
