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
    return invar_dense_take(scratch, INVAR_FLOAT64, rows, cols, &w->centred, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->factor, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->sum, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->transposed, err);
}

void invar_whitening_factor(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *z,
                            double ridge, double share)
{
    w->share = share;
    invar_dense_copy(device, z, &w->centred);
    invar_dense_centre(device, &w->centred, &w->centred);
    invar_dense_covariance(device, &w->centred, &w->factor);
    invar_dense_diagonal_add(device, &w->factor, ridge, share);
    invar_dense_zero(device, &w->sum);
    invar_dense_cholesky(device, &w->factor);
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
    invar_dense_mirror_half(device, &w->sum);
    invar_dense_triangular_solve(device, &w->factor, false, &w->sum);
    invar_dense_transpose(device, &w->sum, &w->transposed, false);
    invar_dense_triangular_solve(device, &w->factor, false, &w->transposed);
    /* the ridge that follows the mean variance has a gradient too */
    invar_dense_diagonal_add(device, &w->transposed, 0, w->share);
    invar_dense_product(device, false, false, 2 / (double)(dx->rows - 1), &w->centred, &w->transposed, 1, dx);
}
