/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices for the tests of dense operations. */
#ifndef INVAR_TESTS_DENSE_TESTS_H
#define INVAR_TESTS_DENSE_TESTS_H

#include "device.h"
#include "matrix.h"

static inline struct invar_matrix make(enum invar_dtype dtype, int64_t rows, int64_t cols)
{
    struct invar_matrix x;
    struct invar_error err = {0};
    assert_ok(invar_dense_take(scratch, dtype, rows, cols, &x, &err), &err);
    return x;
}

static inline double get(const struct invar_matrix *x, int64_t i, int64_t j)
{
    return matrix_get(x, i * x->cols + j);
}

static inline void put(const struct invar_matrix *x, int64_t i, int64_t j, double value)
{
    matrix_put(x, i * x->cols + j, value);
}

/* A vector of doubles on the device, and its number j. */
static inline double *vector(int64_t count)
{
    return make(INVAR_FLOAT64, 1, count).data;
}

static inline double at(const double *x, int64_t j)
{
    double value;

    invar_device_download(device, &value, x + j, sizeof value);
    return value;
}

static inline struct invar_matrix draw(enum invar_dtype dtype, int64_t rows, int64_t cols, uint64_t index)
{
    struct invar_matrix x = make(dtype, rows, cols);
    struct invar_random random = invar_random_stream(7, INVAR_RANDOM_TEST, 0, index, 0);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            put(&x, i, j, (double)invar_random_normal(&random));
    return x;
}

static inline double tolerance(const struct invar_matrix *x)
{
    return x->dtype == INVAR_FLOAT32 ? 2e-6 : 1e-13;
}

static const enum invar_dtype types[] = {INVAR_FLOAT32, INVAR_FLOAT64};
#define EACH_TYPE(type) for (const enum invar_dtype *type = types; type < types + 2; type++)

static inline int reset(void **state)
{
    (void)state;
    invar_scratch_reset(scratch);
    return 0;
}

#endif
