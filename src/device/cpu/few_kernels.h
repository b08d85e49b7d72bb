/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of few_add in registers, of which there are at least 16, for vectors of LANES numbers (isa.h): eight to ten at a
 * time, as fewer wait for each other. */
#include "base/clones.h"
#include "device/cpu/few.h"

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#define MOST 9 /* weights at once */

/* rows, side and vectors are constants where this is inlined, so that each sum is a register within a map. */
INVAR_INLINE void add(const struct few_plane *plane, const struct few_gradient *gradient, int rows, int side,
                      int vectors, float *sum, int64_t apart)
{
    const float *from[2] = {gradient->channels[0], gradient->channels[1]};
    vec sums[2][MOST] = {0};

    for (int64_t y = 0; y < plane->height; y++) {
        const float *at = plane->pixels + y * plane->stride * plane->wide;
        for (int64_t x = 0; x < plane->width; x++, at += plane->stride) {
            vec g[2];
            for (int v = 0; v < vectors; v++) {
                g[v] = *(const vec *)from[v];
                from[v] += gradient->step;
            }
            INVAR_UNROLL
            for (int t = 0; t < rows * side; t++)
                for (int v = 0; v < vectors; v++)
                    sums[v][t] += at[t / side * plane->wide + t % side] * g[v];
        }
    }
    for (int v = 0; v < vectors; v++)
        for (int t = 0; t < rows * side; t++)
            *(vec *)(sum + v * apart + t * LANES) += sums[v][t];
}

#define ADD(name, rows, side, vectors)                                                                                 \
    static void name(const struct few_plane *plane, const struct few_gradient *gradient, float *sum, int64_t apart)    \
    {                                                                                                                  \
        add(plane, gradient, rows, side, vectors, sum, apart);                                                         \
    }
ADD(add_3, 3, 3, 1)
ADD(add_5, 1, 5, 1)
ADD(add_5_two, 1, 5, 2)
ADD(add_8, 1, 8, 1)

const struct few_kernels FEW_TABLE = {.lanes = LANES,
                                      .sides = {{.side = 3, .rows = 3, .add = add_3},
                                                {.side = 5, .rows = 1, .add = add_5, .add_two = add_5_two},
                                                {.side = 8, .rows = 1, .add = add_8}}};
