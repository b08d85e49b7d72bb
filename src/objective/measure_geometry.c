/* SPDX-License-Identifier: Apache-2.0 */
/* Alignment and uniformity of normalised rows (`ALIGN`). */
#include "objective/measure.h"

#include <math.h>

enum { BLOCK = 256 }; /* rows of the similarity matrix that are held at a time */

/* out <- the gradient by x where scale * by_unit is that by unit = norm(x) */
static bool unit_gradient(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *unit,
                          const double *lengths, const struct invar_matrix *by_unit, double scale,
                          const struct invar_matrix *out, struct invar_error *err)
{
    struct invar_matrix by_x;

    if (!out)
        return true;
    if (!invar_dense_take(scratch, INVAR_FLOAT64, unit->rows, unit->cols, &by_x, err))
        return false;
    invar_dense_zero(device, &by_x);
    invar_dense_normalise_backward(device, unit, lengths, by_unit, scale, &by_x);
    invar_dense_copy(device, &by_x, out);
    return true;
}

bool invar_measure_alignment(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *a,
                             const struct invar_matrix *b, const struct invar_matrix *gradient_a,
                             const struct invar_matrix *gradient_b, double *out, struct invar_error *err)
{
    struct invar_matrix x, y, difference;

    if (!measure_take_pair(device, scratch, "the alignment", a, b, 1, &x, &y, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, a->rows, a->cols, &difference, err))
        return false;
    double *length_x = invar_device_take(scratch, (size_t)a->rows, sizeof *length_x, err);
    double *length_y = invar_device_take(scratch, (size_t)a->rows, sizeof *length_y, err);
    if (!length_x || !length_y)
        return false;
    invar_dense_normalise(device, &x, &x, length_x);
    invar_dense_normalise(device, &y, &y, length_y);
    invar_dense_copy(device, &x, &difference);
    invar_dense_add(device, -1, &y, &difference);
    if (!measure_dot(device, scratch, &difference, &difference, out, err))
        return false;
    *out /= (double)a->rows;
    invar_dense_scale(device, 2 / (double)a->rows, &difference);
    return unit_gradient(device, scratch, &x, length_x, &difference, 1, gradient_a, err) &&
           unit_gradient(device, scratch, &y, length_y, &difference, -1, gradient_b, err);
}

/* 1, or less for a row that norm() has clamped */
static void square_rows(const double *x, int64_t rows, int64_t cols, double *squares)
{
    for (int64_t i = 0; i < rows; i++) {
        squares[i] = 0;
        for (int64_t j = 0; j < cols; j++)
            squares[i] += x[i * cols + j] * x[i * cols + j];
    }
}

/*
 * Row i of x x^T becomes w_ij = exp(-t |x_i - x_j|^2) with - sum_j w_ij in the place of w_ii, so that its product with
 * x is the derivative of sum_j w_ij by x_i, over 2 t. Returns sum_j w_ij over j != i.
 */
static double weigh_row(double *row, const double *squares, int64_t i, int64_t n, double t)
{
    double sum = 0;

    row[i] = 0;
    for (int64_t j = 0; j < n; j++) {
        if (j == i)
            continue;
        row[j] = exp(-t * fmax(squares[i] + squares[j] - 2 * row[j], 0));
        sum += row[j];
    }
    row[i] = -sum;
    return sum;
}

/* Room for one uniformity. */
struct uniformity {
    struct invar_matrix x, by_x; /* by_x.data NULL where no gradient is wanted */
    struct invar_matrix weights; /* (block, N) */
    double *lengths, *squares, *host;
};

static bool uniformity_take(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                            bool gradient, struct uniformity *u, struct invar_error *err)
{
    const int64_t n = z->rows, block = n < BLOCK ? n : BLOCK;

    *u = (struct uniformity){0};
    if (!measure_take(device, scratch, "the uniformity", z, 2, &u->x, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, block, n, &u->weights, err) ||
        (gradient && !invar_dense_take(scratch, INVAR_FLOAT64, n, z->cols, &u->by_x, err)))
        return false;
    u->lengths = invar_device_take(scratch, (size_t)n, sizeof *u->lengths, err);
    u->squares = invar_scratch_take(scratch, (size_t)n, sizeof *u->squares, err);
    u->host =
        invar_scratch_take(scratch, (size_t)n * (size_t)(block > z->cols ? block : z->cols), sizeof *u->host, err);
    if (!u->lengths || !u->squares || !u->host)
        return false;
    invar_dense_normalise(device, &u->x, &u->x, u->lengths);
    invar_device_download(device, u->host, u->x.data, (size_t)(n * z->cols) * sizeof *u->host);
    square_rows(u->host, n, z->cols, u->squares);
    return true;
}

/* Sum over the pairs of the rows from `from` on with all others; fills by_x of these rows. */
static double weigh_block(struct invar_device *device, const struct uniformity *u, int64_t from, double t)
{
    const int64_t n = u->x.rows, d = u->x.cols, left = n - from;
    const int64_t rows = left < u->weights.rows ? left : u->weights.rows;
    const struct invar_matrix part = {INVAR_FLOAT64, rows, d, (double *)u->x.data + from * d};
    const struct invar_matrix weights = {INVAR_FLOAT64, rows, n, u->weights.data};
    double sum = 0;

    invar_dense_product(device, false, true, 1, &part, &u->x, 0, &weights);
    invar_device_download(device, u->host, weights.data, (size_t)(rows * n) * sizeof *u->host);
    for (int64_t i = 0; i < rows; i++)
        sum += weigh_row(u->host + i * n, u->squares, from + i, n, t);
    if (u->by_x.data) {
        const struct invar_matrix by_part = {INVAR_FLOAT64, rows, d, (double *)u->by_x.data + from * d};
        invar_device_upload(device, weights.data, u->host, (size_t)(rows * n) * sizeof *u->host);
        invar_dense_product(device, false, false, 1, &weights, &u->x, 0, &by_part);
    }
    return sum;
}

bool invar_measure_uniformity(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                              double t, const struct invar_matrix *gradient, double *out, struct invar_error *err)
{
    const double n = (double)z->rows;
    struct uniformity u;
    double sum = 0; /* every pair twice */

    if (!(t > 0) || isinf(t))
        return invar_error_set(err, INVAR_ERROR_USAGE, "t of the uniformity is %g; it must be above 0", t);
    if (!uniformity_take(device, scratch, z, gradient != NULL, &u, err))
        return false;
    for (int64_t from = 0; from < z->rows; from += u.weights.rows)
        sum += weigh_block(device, &u, from, t);
    *out = log(sum / (n * (n - 1)));
    if (!isfinite(*out))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the uniformity is not finite: t = %g is too large for these embeddings", t);
    return unit_gradient(device, scratch, &u.x, u.lengths, &u.by_x, 4 * t / sum, gradient, err);
}
