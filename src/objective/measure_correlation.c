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

/* ---- what a label shares with them ---- */

/* out (columns of u, classes) <- u^T (Y less its column means), Y one-hot: u's columns have mean 0, which centres Y.
 * *variance: mean |y - mean|^2. */
static bool project(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *u,
                    const int64_t *labels, int classes, struct invar_matrix *out, double *variance,
                    struct invar_error *err)
{
    const int64_t n = u->rows;
    const size_t count = (size_t)(n * classes);
    double *host = invar_scratch_take(scratch, count, sizeof *host, err);
    struct invar_matrix y;

    if (!host || !invar_dense_take(scratch, INVAR_FLOAT64, n, classes, &y, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, u->cols, classes, out, err))
        return false;
    for (int64_t i = 0; i < n * classes; i++)
        host[i] = labels[i / classes] == i % classes;
    *variance = 1;
    for (int c = 0; c < classes; c++) {
        double share = 0;
        for (int64_t i = 0; i < n; i++)
            share += host[i * classes + c] / (double)n;
        *variance -= share * share;
    }
    invar_device_upload(device, y.data, host, count * sizeof *host);
    invar_dense_product(device, true, false, 1, u, &y, 0, out);
    return true;
}

/* |row k|^2 / n of a device matrix, host [rows] */
static double *row_squares(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                           int64_t n, struct invar_error *err)
{
    double *host = invar_scratch_take(scratch, (size_t)(x->rows * x->cols), sizeof *host, err);
    double *squares = invar_scratch_take(scratch, (size_t)x->rows, sizeof *squares, err);

    if (!host || !squares)
        return NULL;
    invar_device_download(device, host, x->data, (size_t)(x->rows * x->cols) * sizeof *host);
    for (int64_t k = 0; k < x->rows; k++) {
        squares[k] = 0;
        for (int64_t j = 0; j < x->cols; j++)
            squares[k] += host[k * x->cols + j] * host[k * x->cols + j] / (double)n;
    }
    return squares;
}

/* What chance gives to every one of r directions of n samples is taken off. */
static double less_chance(double square, double chance)
{
    return fmax(square - chance, 0);
}

bool invar_measure_probe_bound(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               const struct invar_matrix *z_tilde, const int64_t *labels, int classes,
                               struct invar_probe_bound *out, struct invar_error *err)
{
    struct invar_matrix x, y, product, vectors, by_direction, by_correlation;
    struct side a, b;
    double variance, rest;

    if (!measure_take_pair(device, scratch, "the probe bound", z, z_tilde, 2, &x, &y, err) ||
        !decompose(device, scratch, &x, z->dtype, &a, err) || !decompose(device, scratch, &y, z_tilde->dtype, &b, err))
        return false;
    if (a.directions < 1 || b.directions < 1 || z->rows <= a.directions + 1)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the probe bound needs samples that differ, and more of them than directions: there are "
                               "%lld for %lld directions",
                               (long long)z->rows, (long long)a.directions);
    const int64_t count = a.directions < b.directions ? a.directions : b.directions;
    double *rho = invar_scratch_take(scratch, (size_t)count, sizeof *rho, err);
    if (!rho || !pack(device, scratch, &a.u, z->rows, a.directions, err) ||
        !pack(device, scratch, &b.u, z->rows, b.directions, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, a.directions, b.directions, &product, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, a.directions, count, &vectors, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, count, classes, &by_correlation, err) ||
        !project(device, scratch, &a.u, labels, classes, &by_direction, &variance, err))
        return false;
    invar_dense_product(device, true, false, 1, &a.u, &b.u, 0, &product);
    if (!invar_dense_left_vectors(device, scratch, &product, rho, &vectors, err))
        return false;
    invar_dense_product(device, true, false, 1, &vectors, &by_direction, 0, &by_correlation);
    const double *held = row_squares(device, scratch, &by_direction, z->rows, err);
    const double *shared = row_squares(device, scratch, &by_correlation, z->rows, err);
    if (!held || !shared)
        return false;
    rest = variance;
    for (int64_t k = 0; k < a.directions; k++)
        rest -= held[k];
    const double chance = fmax(rest, 0) / (double)(z->rows - a.directions - 1);
    *out = (struct invar_probe_bound){.variance = variance};
    /* of all at once: which directions span z is for no one to say */
    out->held = less_chance(variance - rest, chance * (double)a.directions);
    for (int64_t k = 0; k < count; k++)
        out->shared += fmin(rho[k] * rho[k], 1) * less_chance(shared[k], chance);
    out->error = fmin(200 * fmax(variance - out->shared, 0), 100);
    return isfinite(out->error) || measure_refuse(device, scratch, "the probe bound", &x, err);
}
