/* SPDX-License-Identifier: Apache-2.0 */
/* Terms of spectra, kernels and covariances work in float64: what they sum cancels, and rounding of a float32 product
 * would show in small eigenvalues and distances. */
#include "objective/wide.h"

#include <math.h>

bool wide_take(const struct invar_term_call *call, enum invar_role role, int view, bool normalise, struct invar_wide *w,
               struct invar_error *err)
{
    const struct invar_matrix *x = &call->in->by[role][view];
    const bool wanted = term_wanted(call->gradient, role, view) != NULL;

    *w = (struct invar_wide){0};
    if (!term_matrix(call, x->rows, x->cols, &w->x, err) ||
        (wanted && !term_matrix(call, x->rows, x->cols, &w->dx, err)) ||
        (wanted && normalise && !term_matrix(call, x->rows, x->cols, &w->spare, err)))
        return false;
    invar_dense_copy(call->device, x, &w->x);
    if (wanted)
        invar_dense_zero(call->device, &w->dx);
    if (!normalise)
        return true;
    w->lengths = invar_device_take(call->scratch, (size_t)x->rows, sizeof *w->lengths, err);
    if (w->lengths)
        invar_dense_normalise(call->device, &w->x, &w->x, w->lengths);
    return w->lengths != NULL;
}

bool wide_take_views(const struct invar_term_call *call, enum invar_role role, int views, bool normalise,
                     struct invar_wide *w, struct invar_error *err)
{
    for (int v = 0; v < views; v++)
        if (!wide_take(call, role, v, normalise, &w[v], err))
            return false;
    return true;
}

void wide_backward(const struct invar_term_call *call, enum invar_role role, int view, const struct invar_wide *w)
{
    const struct invar_matrix *dx = term_wanted(call->gradient, role, view);

    if (!dx)
        return;
    if (!w->lengths) {
        invar_dense_add(call->device, 1, &w->dx, dx);
        return;
    }
    invar_dense_zero(call->device, &w->spare);
    invar_dense_normalise_backward(call->device, &w->x, w->lengths, &w->dx, 1, &w->spare);
    invar_dense_add(call->device, 1, &w->spare, dx);
}

void wide_backward_views(const struct invar_term_call *call, enum invar_role role, int views,
                         const struct invar_wide *w)
{
    for (int v = 0; v < views; v++)
        wide_backward(call, role, v, &w[v]);
}

bool term_vector(const struct invar_term_call *call, int64_t count, struct invar_matrix *out, struct invar_error *err)
{
    if (!term_matrix(call, 1, count, out, err))
        return false;
    invar_dense_zero(call->device, out);
    return true;
}

bool term_matrix(const struct invar_term_call *call, int64_t rows, int64_t cols, struct invar_matrix *out,
                 struct invar_error *err)
{
    return invar_dense_take(call->scratch, INVAR_FLOAT64, rows, cols, out, err);
}

void term_add_map(struct invar_device *device, enum invar_dense_map f, double scale, double shift,
                  const struct invar_matrix *number, const struct invar_matrix *spare, double factor, double *slot)
{
    invar_dense_copy(device, number, spare);
    invar_dense_map(device, f, scale, shift, spare);
    invar_dense_sum(device, spare, factor, slot);
}

double *reference_rows(const struct invar_matrix *x, bool normalise)
{
    double *rows = invar_alloc((size_t)(x->rows * x->cols), sizeof *rows, NULL);

    for (int64_t i = 0; rows && i < x->rows; i++)
        for (int64_t j = 0; j < x->cols; j++)
            rows[i * x->cols + j] = reference_at(x, i, j) / (normalise ? reference_length(x, i) : 1);
    return rows;
}

/* one-sided Jacobi on the m shorter sides: rows of length n become orthogonal */
static void make_orthogonal(double *a, int64_t m, int64_t n)
{
    for (int sweep = 0; sweep < 60; sweep++)
        for (int64_t p = 0; p < m; p++)
            for (int64_t q = p + 1; q < m; q++) {
                double x = 0, y = 0, along = 0;
                for (int64_t k = 0; k < n; k++) {
                    x += a[p * n + k] * a[p * n + k];
                    y += a[q * n + k] * a[q * n + k];
                    along += a[p * n + k] * a[q * n + k];
                }
                if (!(fabs(along) > 1e-16 * sqrt(x * y)))
                    continue;
                const double theta = (y - x) / (2 * along);
                const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
                const double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int64_t k = 0; k < n; k++) {
                    const double left = a[p * n + k], right = a[q * n + k];
                    a[p * n + k] = c * left - s * right;
                    a[q * n + k] = s * left + c * right;
                }
            }
}

bool reference_singular_values(const double *x, int64_t rows, int64_t cols, double *values)
{
    const int64_t m = rows < cols ? rows : cols, n = rows < cols ? cols : rows;
    double *a = invar_alloc((size_t)(m * n), sizeof *a, NULL);

    if (!a)
        return false;
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++)
            a[i * n + k] = rows < cols ? x[i * cols + k] : x[k * cols + i];
    make_orthogonal(a, m, n);
    for (int64_t i = 0; i < m; i++) {
        values[i] = 0;
        for (int64_t k = 0; k < n; k++)
            values[i] += a[i * n + k] * a[i * n + k];
        values[i] = sqrt(values[i]);
    }
    invar_free(a);
    return true;
}
