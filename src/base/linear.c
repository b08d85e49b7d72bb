/* SPDX-License-Identifier: Apache-2.0 */
/* OpenBLAS and LAPACK: nothing else but src/device/cpu includes their headers. */
#include "base/linear.h"

#include <cblas.h>
#include <lapacke.h>

void linear_rows(enum invar_dtype dtype, int m, int n, int k, const void *a, const void *b, double keep, void *c,
                 int apart)
{
    if (dtype == INVAR_FLOAT32)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, a, k, b, k, (float)keep, c, apart);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, a, k, b, k, keep, c, apart);
}

void linear_columns(enum invar_dtype dtype, int m, int n, int k, const void *a, const void *b, double keep, void *c,
                    int apart)
{
    if (dtype == INVAR_FLOAT32)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1, a, m, b, n, (float)keep, c, apart);
    else
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1, a, m, b, n, keep, c, apart);
}

double linear_dot(int64_t count, const double *a, const double *b)
{
    return cblas_ddot((int)count, a, 1, b, 1);
}

float linear_column_squares(int count, const float *x, int n)
{
    return cblas_sdot(count, x, n, x, n);
}

void linear_add(int64_t count, double factor, const double *x, double *y)
{
    cblas_daxpy((int)count, factor, x, 1, y, 1);
}

void linear_subtract(int rows, int cols, const double *a, const double *x, double *y)
{
    cblas_dgemv(CblasRowMajor, CblasTrans, rows, cols, -1, a, cols, x, 1, 1, y, 1);
}

void linear_gram(int n, int k, float scale, const float *a, float *c)
{
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, n, k, scale, a, n, 1, c, n);
}

void linear_triangular(int n, const double *l, bool transpose, double *x)
{
    cblas_dtrsv(CblasRowMajor, CblasLower, transpose ? CblasTrans : CblasNoTrans, CblasNonUnit, n, l, n, x, 1);
}

/* The lower triangle by rows is the upper one by columns, which LAPACK takes without a copy. */
bool linear_factor(int n, double *a)
{
    return LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', n, a, n) == 0;
}

void linear_solve(int n, const double *l, double *x)
{
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', n, 1, l, n, x, n);
}

enum linear_outcome linear_decompose(int rows, int cols, double *x, double *s, double *u, double *v)
{
    const int least = rows < cols ? rows : cols;
    /* By columns x is its transpose v^T s u^T, so that u^T by columns is u by rows, and v^T by columns v by rows. */
    const lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', cols, rows, x, cols, s, v, cols, u, least);

    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return LINEAR_NO_MEMORY;
    return info ? LINEAR_FAILED : LINEAR_DONE;
}
