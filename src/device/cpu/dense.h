/* SPDX-License-Identifier: Apache-2.0 */
/* The dense operations of the cpu: cpu_dense_NAME, entries of its backend. */
#ifndef INVAR_SRC_DEVICE_CPU_DENSE_H
#define INVAR_SRC_DEVICE_CPU_DENSE_H

#include "device/dense.h"

#define CPU_DENSE(name, parameters, arguments) void cpu_dense_##name parameters;
#define CPU_DENSE_ANSWER(type, name, parameters, arguments) type cpu_dense_##name parameters;
#define CPU_DENSE_LEFT(name, parameters, arguments)
DENSE_LIST(CPU_DENSE, CPU_DENSE_ANSWER, CPU_DENSE_LEFT)

/* Element `at` in double, whatever the type. For operations that memory bounds, or that are small: a choice for every
 * element costs less than a second copy of the loop; where it does not, a loop is made of dense_kernels.h twice. */
static inline double cpu_dense_get(const struct invar_matrix *x, int64_t at)
{
    return x->dtype == INVAR_FLOAT32 ? (double)((const float *)x->data)[at] : ((const double *)x->data)[at];
}
static inline void cpu_dense_put(const struct invar_matrix *x, int64_t at, double value)
{
    if (x->dtype == INVAR_FLOAT32)
        ((float *)x->data)[at] = (float)value;
    else
        ((double *)x->data)[at] = value;
}

/* The sum of a[k] b[k], in an order of the processor's (dense_pairs.c). */
double cpu_dense_row_product(const double *a, const double *b, int64_t count);

#endif
