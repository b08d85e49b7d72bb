/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small steps between products: diagonals and vectors of columns. One thread each, as all of them together are less
 * than a product; they are operations of the device so that nothing has to come back to the host between two products.
 */
#include "device/cpu/dense.h"

#include <math.h>

static double get(const struct invar_matrix *x, int64_t at)
{
    return x->dtype == INVAR_FLOAT32 ? (double)((const float *)x->data)[at] : ((const double *)x->data)[at];
}

static void put(const struct invar_matrix *x, int64_t at, double value)
{
    if (x->dtype == INVAR_FLOAT32)
        ((float *)x->data)[at] = (float)value;
    else
        ((double *)x->data)[at] = value;
}

void cpu_dense_affine(struct invar_device *device, double factor, double shift, const struct invar_matrix *x)
{
    (void)device;
    for (int64_t i = 0; i < x->rows * x->cols; i++)
        put(x, i, factor * get(x, i) + shift);
}

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
        put(x, at, factor * (values ? values[i] : get(x, at)) + shift);
}

void cpu_dense_diagonal_add(struct invar_device *device, const struct invar_matrix *x, double shift, double share)
{
    double mean = 0;

    (void)device;
    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        mean += get(x, at) / (double)x->rows;
    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        put(x, at, get(x, at) + (shift + share * mean));
}

void cpu_dense_mirror_half(struct invar_device *device, const struct invar_matrix *x)
{
    const int64_t n = x->rows;

    (void)device;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            const double half = -0.5 * get(x, i * n + j);
            put(x, i * n + j, half);
            put(x, j * n + i, half);
        }
}

void cpu_dense_log_diagonal(struct invar_device *device, const struct invar_matrix *x, double factor, double *slot)
{
    double sum = 0;

    (void)device;
    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        sum += log(get(x, at));
    *slot += factor * sum;
}

void cpu_dense_add_identity(struct invar_device *device, const struct invar_matrix *x, double limit, double *safe)
{
    double largest = 0;

    for (int64_t i = 0, at = 0; i < x->rows; i++, at += x->cols + 1)
        if (!(get(x, at) <= largest)) /* a NaN is the largest */
            largest = get(x, at);
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
