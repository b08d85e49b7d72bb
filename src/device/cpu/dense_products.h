/* SPDX-License-Identifier: Apache-2.0 */
/* Products of the cpu by rows of what they make: of one process, and of several that share them (dense_shared.c). */
#ifndef INVAR_SRC_DEVICE_CPU_DENSE_PRODUCTS_H
#define INVAR_SRC_DEVICE_CPU_DENSE_PRODUCTS_H

#include "device/cpu/dense.h"

/** c = scale op(a) op(b) + keep c; of a triangle op(b) is op(a) transposed once more. */
struct dense_product {
    bool transpose_a, transpose_b;
    double scale;
    const struct invar_matrix *a, *b;
    double keep;
    const struct invar_matrix *c;
};
/** `rows` rows of c from `first` on. */
void dense_product_rows(struct invar_device *device, const struct dense_product *p, int64_t first, int64_t rows);

/** Of rows first .. last - 1: what stands on and above the diagonal of c is made, or copied to below it, or both. */
enum dense_triangle { DENSE_TRIANGLE_MADE, DENSE_TRIANGLE_MIRRORED, DENSE_TRIANGLE_BOTH };
void dense_triangle_rows(struct invar_device *device, const struct dense_product *p, int64_t first, int64_t last,
                         enum dense_triangle what);

/** Whether the ranks of the device make it together, which they then have. */
bool dense_shared_product(struct invar_device *device, const struct dense_product *p);
bool dense_shared_triangle(struct invar_device *device, const struct dense_product *p);

#endif
