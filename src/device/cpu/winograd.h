/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolutions of padding 1 by Winograd's F(4x4, 3x3): a tile of 4x4 outputs from 6x6 inputs with 36
   multiplications a pair of channels where the sum itself takes 144.

   With the transforms B, G, A (points 0, +-5/8, +-3/2, infinity, whose errors are smaller than those of 0, +-1, +-2):

       forward           y  = A^T [(G w G^T) . (B^T x B)] A        (a product of matrices for each of the 36 points)
       backward data     the forward pass of the output's gradient with the weights flipped and transposed
       backward weights  dw = G^T [sum over tiles (B^T x B) . (A dy A^T)] G

   With stride 2 (forward alone) the pixels of odd and even rows and columns are four maps, each with two taps or one a
   dimension: F(4x4, 2x2) over four times as many channels takes 100 multiplications where the sum takes 144. Its points
   are the same without infinity.

   Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. Maps are float32 or bfloat16, in
   blocks of `lanes` channels or channels-last; weights and sums are float32, products too or of bfloat16. The bits of a
   result do not depend on the number of threads. */
#ifndef INVAR_SRC_DEVICE_CPU_WINOGRAD_H
#define INVAR_SRC_DEVICE_CPU_WINOGRAD_H

#include "invar/array.h"

/** Where the pixels of a map are, in numbers from one to the next; a block is `lanes` channels side by side. */
struct winograd_strides {
    int64_t image, block, row, pixel;
};

struct winograd_kernels;

/** One convolution. The map read and the map written may lie differently. */
struct winograd {
    const struct winograd_kernels *kernels;
    int64_t batch, height, width;
    int64_t in, out; /* channels */
    struct winograd_strides read, written;
    int64_t read_height, read_width; /* of the map that is read; height and width are those of the output */
    int stride;                      /* 1 or 2 */
    int threads;
};

/** What is done to an output before it is stored; what is NULL or false is left out. */
struct winograd_after {
    const float *bias; /* [out] */
    const void *sum;   /* a map that lies as the output does, and may be the output */
    bool relu;
};

/** The kernels of this processor for maps and products of those types, or NULL where there are none. */
const struct winograd_kernels *winograd_kernels(enum invar_dtype maps, enum invar_dtype products);
/** Channels in a block. */
int winograd_lanes(const struct winograd_kernels *kernels);

/** Bytes of transformed weights. */
size_t winograd_weight_bytes(const struct winograd *w);
/** Bytes of the scratch memory of a forward pass, of a backward pass to the weights. Aligned to 64. */
size_t winograd_scratch_bytes(const struct winograd *w);
size_t winograd_gradient_bytes(const struct winograd *w);

/** Transforms weights [out][in][3][3]; transposed: weights [in][out][3][3] flipped in height and width, for the pass
 * back to the data. transformed: aligned to 64 bytes. */
void winograd_weights(const struct winograd *w, const float *plain, bool transposed, float *transformed);
void winograd_forward(const struct winograd *w, const void *x, const float *transformed,
                      const struct winograd_after *after, void *y, float *scratch);
/** gradient [out][in][3][3] is written. `read` is of x, `written` of the output's gradient. */
void winograd_backward_weights(const struct winograd *w, const void *x, const void *dy, float *gradient,
                               float *scratch);

#endif
