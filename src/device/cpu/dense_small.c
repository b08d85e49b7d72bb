/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small steps between products: diagonals and vectors of columns. One thread each, as all of them together are less
 * than a product; they are operations of the device so that nothing has to come back to the host between two products.
 */
#include "device/cpu/dense.h"

#include <math.h>
#include <string.h>

void cpu_dense_affine(struct invar_device *device, double factor, double shift, const struct invar_matrix *x)
{
    (void)device;
    for (int64_t i = 0; i < x->rows * x->cols; i++)
        cpu_dense_put(x, i, factor * cpu_dense_get(x, i) + shift);
}

/* A factor of 1 is the common case (no clip), and a pass over all gradients is worth a comparison. */
void cpu_dense_scale_by(struct invar_device *device, const double *factor, const struct invar_matrix *x)
{
    if (*factor != 1)
        cpu_dense_scale(device, *factor, x);
}

void cpu_dense_diagonal_map(struct invar_device *device, const struct invar_matrix *x, const double *values,
                            double factor, double shift)
{
    (void)device;
    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        cpu_dense_put(x, at, factor * (values ? values[i] : cpu_dense_get(x, at)) + shift);
}

/* share is of the mean of the diagonal: a ridge in units of the matrix, so that the same option serves embeddings of
 * any scale. */
void cpu_dense_diagonal_add(struct invar_device *device, const struct invar_matrix *x, double shift, double share)
{
    double mean = 0;

    (void)device;
    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        mean += cpu_dense_get(x, at) / (double)x->rows;
    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        cpu_dense_put(x, at, cpu_dense_get(x, at) + (shift + share * mean));
}

/* Half of the log-determinant of what was factorised. A spoiled factor is NaN here, and so is its slot. */
void cpu_dense_log_diagonal(struct invar_device *device, const struct invar_matrix *x, double factor, double *slot)
{
    double sum = 0;

    (void)device;
    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        sum += log(cpu_dense_get(x, at));
    *slot += factor * sum;
}

/* Where entries of the matrix are far above 1 the identity would be lost in rounding; scaled down by a number that is
 * kept, it is not, and the caller puts the scale back into the logarithm. */
void cpu_dense_add_identity(struct invar_device *device, const struct invar_matrix *x, double limit, double *safe)
{
    double largest = 0;

    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        if (!(cpu_dense_get(x, at) <= largest)) /* a NaN is the largest */
            largest = cpu_dense_get(x, at);
    *safe = largest > limit ? limit / largest : 1;
    cpu_dense_scale_by(device, safe, x);
    cpu_dense_diagonal_map(device, x, NULL, 1, 1);
}

void cpu_dense_rsqrt_of_squares(struct invar_device *device, double *values, int64_t count, double divisor,
                                double constant)
{
    (void)device;
    for (int64_t j = 0; j < count; j++)
        values[j] = 1 / sqrt(values[j] / divisor + constant);
}

/* Value and derivative by the column's squares in one pass, which variance terms need both of. */
void cpu_dense_hinge(struct invar_device *device, double *values, int64_t count, double divisor, double constant,
                     double margin, double scale, double factor, double *slot)
{
    double sum = 0;

    (void)device;
    for (int64_t j = 0; j < count; j++) {
        const double deviation = sqrt(values[j] / divisor + constant);
        const bool open = !(deviation >= margin); /* a NaN goes through */
        sum += open ? margin - deviation : 0;
        values[j] = open ? scale / deviation : 0;
    }
    *slot += factor * sum;
}

/* Rows of vectors that stand side by side, as what a network reads from several others. */
void cpu_dense_columns_put(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                           int64_t first)
{
    (void)device;
    for (int64_t i = 0; i < x->rows; i++)
        memcpy((float *)y->data + i * y->cols + first, (const float *)x->data + i * x->cols,
               (size_t)x->cols * sizeof(float));
}

void cpu_dense_columns_take(struct invar_device *device, const struct invar_matrix *y, int64_t first,
                            const struct invar_matrix *x)
{
    (void)device;
    for (int64_t i = 0; i < x->rows; i++)
        memcpy((float *)x->data + i * x->cols, (const float *)y->data + i * y->cols + first,
               (size_t)x->cols * sizeof(float));
}
