/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hard whitening [A5]: Y = Zc L^{-T} with L L^T = C(Z) + ridge I. With G the gradient by Y and S = G^T Y summed over
 * all that was whitened by the factor, the gradient by L L^T is L^{-T} H L^{-1}, where H is -S/2 below and on the
 * diagonal and symmetric; from there on it is that of a covariance, 2 / (N - 1) Zc L^{-T} H L^{-1}. As Zc L^{-T} is Y,
 * that is one product with H, and the same solution by L serves it and the gradient of a constant factor.
 */
#include "objective/whiten.h"

bool whitening_take(struct invar_scratch *scratch, int64_t rows, int64_t cols, struct invar_whitening *w,
                    struct invar_error *err)
{
    *w = (struct invar_whitening){.trace = invar_device_take(scratch, 1, sizeof *w->trace, err)};
    return w->trace && invar_dense_take(scratch, INVAR_FLOAT64, rows, cols, &w->centred, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->factor, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, cols, cols, &w->through, err);
}

void whitening_factor(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *z,
                      double ridge, double share)
{
    w->share = share;
    invar_dense_copy(device, z, &w->centred);
    invar_dense_centre(device, &w->centred, &w->centred);
    invar_dense_covariance(device, &w->centred, &w->factor);
    invar_dense_diagonal_add(device, &w->factor, ridge, share);
    invar_dense_zero(device, &w->through);
    invar_dense_cholesky(device, &w->factor);
}

void whitening_apply(struct invar_device *device, const struct invar_whitening *w, const struct invar_matrix *x,
                     const struct invar_matrix *y)
{
    invar_dense_copy(device, x ? x : &w->centred, y);
    if (x)
        invar_dense_centre(device, y, y);
    invar_dense_triangular_solve(device, &w->factor, true, y);
}

void whitening_backward(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *y,
                        const struct invar_matrix *dy, bool keep)
{
    if (keep)
        invar_dense_mirrored(device, true, -0.5, y, dy, 1, &w->through);
    invar_dense_triangular_solve(device, &w->factor, false, dy);
    invar_dense_centre(device, dy, dy);
}

/* The ridge that follows the mean variance has a gradient too: share tr(L^{-T} H L^{-1}) / d on the diagonal, the trace
 * as the product of L^{-1} and H L^{-1}. */
static bool add_share(struct invar_device *device, struct invar_scratch *scratch, struct invar_whitening *w,
                      double scale, const struct invar_matrix *dx, struct invar_error *err)
{
    const struct invar_matrix trace = term_row(w->trace, 1);
    const int64_t d = w->factor.rows;
    struct invar_matrix inverse;

    if (!invar_dense_take(scratch, INVAR_FLOAT64, d, d, &inverse, err))
        return false;
    invar_dense_zero(device, &inverse);
    invar_dense_diagonal_map(device, &inverse, NULL, 0, 1);
    invar_dense_triangular_solve(device, &w->factor, false, &inverse);
    invar_dense_triangular_solve(device, &w->factor, false, &w->through);
    invar_dense_zero(device, &trace);
    invar_dense_dot(device, &inverse, &w->through, scale * w->share / (double)d, w->trace);
    invar_dense_scale_by(device, w->trace, &w->centred);
    invar_dense_add(device, 1, &w->centred, dx);
    return true;
}

bool whitening_own_backward(struct invar_device *device, struct invar_scratch *scratch, struct invar_whitening *w,
                            const struct invar_matrix *y, const struct invar_matrix *dy, struct invar_error *err)
{
    const double scale = 2 / (double)(y->rows - 1);

    invar_dense_mirrored(device, true, -0.5, y, dy, 1, &w->through);
    invar_dense_product(device, false, false, scale, y, &w->through, 1, dy);
    whitening_backward(device, w, y, dy, false);
    return w->share == 0 || add_share(device, scratch, w, scale, dy, err);
}
