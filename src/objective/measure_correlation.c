/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical correlations [A6]. With Zc = U S V^T, Zc (Zc^T Zc)^{-1/2} spans what U does, so the singular values of
 * U^T U~ are those of C(Z)^{-1/2} C(Z, Z~) C(Z~)^{-1/2}, and no covariance is formed, which would cost half the digits
 * of directions that hardly vary.
 */
#include "objective/measure.h"

#include <math.h>

/*
 * Canonical correlations do not change with the scale of a column, so columns are standardised before it is decided
 * which directions count: those whose deviation is above this share of the largest. Below it is the rounding of what
 * the numbers were computed in.
 */
static double least_deviation(enum invar_dtype dtype)
{
    return dtype == INVAR_FLOAT32 ? 1e-5 : 1e-10;
}

/* Left singular vectors of a standardised view, and how many of them count. */
struct side {
    struct invar_matrix u; /* (N, min(N, d)) */
    int64_t directions;
};

static bool decompose(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                      enum invar_dtype dtype, struct side *side, struct invar_error *err)
{
    const int64_t n = z->rows, least = n < z->cols ? n : z->cols;
    const double share = least_deviation(dtype);
    double noise;

    double *s = invar_scratch_take(scratch, (size_t)least, sizeof *s, err);
    if (!s || !invar_dense_take(scratch, INVAR_FLOAT64, n, least, &side->u, err) ||
        !measure_standardise(device, scratch, z, dtype, NULL, &noise, err) ||
        !invar_dense_left_vectors(device, scratch, z, s, &side->u, err))
        return false;
    side->directions = 0;
    while (side->directions < least && s[side->directions] > fmax(noise, share * s[0]))
        side->directions++;
    return true;
}

/* The rows and columns of a device matrix that count, packed, in its own memory. */
static bool pack(struct invar_device *device, struct invar_scratch *scratch, struct invar_matrix *x, int64_t rows,
                 int64_t cols, struct invar_error *err)
{
    double *host = invar_scratch_take(scratch, (size_t)(x->rows * x->cols), sizeof *host, err);

    if (!host)
        return false;
    invar_device_download(device, host, x->data, (size_t)(x->rows * x->cols) * sizeof *host);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            host[i * cols + j] = host[i * x->cols + j];
    x->rows = rows;
    x->cols = cols;
    invar_device_upload(device, x->data, host, (size_t)(rows * cols) * sizeof *host);
    return true;
}

/* The largest correlation of independent Gaussians of many samples, from their shares of directions (Wachter's law). */
static double by_chance(double a, double b)
{
    const double root = sqrt(a * (1 - b)) + sqrt(b * (1 - a));
    return a + b < 1 ? fmin(root, 1) : 1;
}

bool invar_measure_correlation(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               const struct invar_matrix *z_tilde, double *correlations, struct invar_correlation *out,
                               struct invar_error *err)
{
    const int64_t most = z->rows < z->cols ? z->rows : z->cols;
    struct invar_matrix x, y, product;
    struct side a, b;

    if (!measure_take_pair(device, scratch, "the canonical correlation", z, z_tilde, 2, &x, &y, err) ||
        !decompose(device, scratch, &x, z->dtype, &a, err) ||
        !decompose(device, scratch, &y, z_tilde->dtype, &b, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, most, most, &product, err))
        return false;
    *out = (struct invar_correlation){.directions = a.directions, .directions_tilde = b.directions};
    for (int64_t k = 0; k < most; k++)
        correlations[k] = 0;
    out->count = a.directions < b.directions ? a.directions : b.directions;
    if (out->count == 0)
        return true;
    invar_dense_product(device, true, false, 1, &a.u, &b.u, 0, &product);
    if (!pack(device, scratch, &product, a.directions, b.directions, err) ||
        !invar_dense_singular_values(device, scratch, &product, correlations, err))
        return false;
    for (int64_t k = 0; k < out->count; k++)
        out->sum += correlations[k] = fmin(correlations[k], 1);
    out->chance = by_chance((double)a.directions / (double)(z->rows - 1), (double)b.directions / (double)(z->rows - 1));
    return true;
}
