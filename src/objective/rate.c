/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On the smaller of d x d and N x N, which have the same determinant, by Cholesky in float64: in float32 the rounding
 * of a large eigenvalue would hide I.
 */
#include "objective/rate.h"

#include <float.h>
#include <math.h>

/*
 * a X^T X may be so large that rounding could hide I and the factorisation fail. Cholesky succeeds for a matrix of
 * diagonal up to t, smallest eigenvalue 1 and entries off by inner * epsilon relative to the diagonal while
 * n (n + inner) epsilon t < 1 (Demmel 1989). Even at 4096 x 8192 that is any t below 8e7: only embeddings that have run
 * away are treated so.
 */
double rate_limit(int64_t n, int64_t inner)
{
    return 1 / ((double)n * (double)(n + inner + 2) * DBL_EPSILON);
}

bool rate_take(struct invar_scratch *scratch, int64_t rows, int64_t cols, struct invar_rate *rate,
               struct invar_error *err)
{
    const int64_t least = cols <= rows ? cols : rows;

    rate->safe = invar_device_take(scratch, 1, sizeof *rate->safe, err);
    return rate->safe && invar_dense_take(scratch, INVAR_FLOAT64, least, least, &rate->c, err);
}

void rate_of(struct invar_device *device, const struct invar_rate *rate, const struct invar_matrix *x, double a,
             bool gradient, double factor, double *slot)
{
    const bool columns = x->cols <= x->rows;

    invar_dense_gram(device, columns, a, x, &rate->c);
    invar_dense_add_identity(device, &rate->c, rate_limit(rate->c.rows, columns ? x->rows : x->cols), rate->safe);
    invar_dense_cholesky(device, &rate->c);
    invar_dense_log_diagonal(device, &rate->c, factor, slot);
    if (gradient) {
        invar_dense_cholesky_solve(device, &rate->c, columns, x);
        invar_dense_scale_by(device, rate->safe, x);
    }
}

/* log det of a positive definite matrix [d][d] by elimination, which destroys it */
static double log_det(double *m, int64_t d)
{
    double sum = 0;

    for (int64_t k = 0; k < d; k++) {
        sum += log(m[k * d + k]);
        for (int64_t i = k + 1; i < d; i++)
            for (int64_t j = d - 1; j >= k; j--)
                m[i * d + j] -= m[i * d + k] / m[k * d + k] * m[k * d + j];
    }
    return sum;
}

double reference_rate(const double *x, int64_t n, int64_t d, double a)
{
    double *m = invar_alloc((size_t)(d * d), sizeof *m, NULL);

    if (!m)
        return (double)NAN;
    for (int64_t j = 0; j < d; j++)
        for (int64_t k = 0; k < d; k++) {
            m[j * d + k] = j == k;
            for (int64_t i = 0; i < n; i++)
                m[j * d + k] += a * x[i * d + j] * x[i * d + k];
        }
    const double rate = log_det(m, d) / 2;
    invar_free(m);
    return rate;
}
