/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hard whitening [A5]: Y = Zc L^{-T} with L L^T = C(Z) + ridge I. With G the gradient by Y and S = G^T Y summed over
 * all that was whitened by the factor, the gradient by L L^T is L^{-T} H L^{-1}, where H is -S/2 below and on the
 * diagonal and symmetric; from there on it is that of a covariance.
 */
#include "objective/whiten.h"

bool invar_whitening_take(struct invar_scratch *scratch, int64_t rows, int64_t cols, struct invar_whitening *w,
                          struct invar_error *err)
{
    *w = (struct invar_whitening){0};
    w->host = invar_scratch_take(scratch, (size_t)(cols * cols), sizeof *w->host, err);
    return w->host && invar_dense_take(scratch, INVAR_FLOAT64, rows, cols, &w->centred, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->factor, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->sum, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->transposed, err);
}

static double add_to_diagonal(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *x,
                              double ridge, double share)
{
    double mean = 0;

    invar_dense_diagonal(device, x, w->host);
    for (int64_t i = 0; i < x->rows; i++)
        mean += w->host[i] / (double)x->rows;
    for (int64_t i = 0; i < x->rows; i++)
        w->host[i] += ridge + share * mean;
    invar_dense_set_diagonal(device, x, w->host);
    return mean;
}

bool invar_whitening_factor(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *z,
                            double ridge, double share, struct invar_error *err)
{
    w->share = share;
    invar_dense_copy(device, z, &w->centred);
    invar_dense_centre(device, &w->centred, &w->centred);
    invar_dense_covariance(device, &w->centred, &w->factor);
    add_to_diagonal(device, w, &w->factor, ridge, share);
    invar_dense_zero(device, &w->sum);
    return invar_dense_cholesky(device, &w->factor, err);
}

void invar_whitening_apply(struct invar_device *device, const struct invar_whitening *w, const struct invar_matrix *x,
                           const struct invar_matrix *y)
{
    invar_dense_copy(device, x, y);
    invar_dense_centre(device, y, y);
    invar_dense_triangular_solve(device, &w->factor, true, y);
}

void invar_whitening_backward(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *y,
                              const struct invar_matrix *dy, bool keep)
{
    if (keep)
        invar_dense_product(device, true, false, 1, dy, y, 1, &w->sum);
    invar_dense_triangular_solve(device, &w->factor, false, dy);
    invar_dense_centre(device, dy, dy);
}

void invar_whitening_factor_backward(struct invar_device *device, struct invar_whitening *w,
                                     const struct invar_matrix *dx)
{
    const int64_t d = w->sum.rows;
    const size_t bytes = (size_t)(d * d) * sizeof *w->host;

    invar_device_download(device, w->host, w->sum.data, bytes);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++)
            w->host[i * d + j] = w->host[j * d + i] = -0.5 * w->host[i * d + j];
    invar_device_upload(device, w->sum.data, w->host, bytes);
    invar_dense_triangular_solve(device, &w->factor, false, &w->sum);
    invar_dense_transpose(device, &w->sum, &w->transposed, false);
    invar_dense_triangular_solve(device, &w->factor, false, &w->transposed);
    /* the ridge that follows the mean variance has a gradient too */
    add_to_diagonal(device, w, &w->transposed, 0, w->share);
    invar_dense_product(device, false, false, 2 / (double)(dx->rows - 1), &w->centred, &w->transposed, 1, dx);
}
