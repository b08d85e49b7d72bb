/* SPDX-License-Identifier: Apache-2.0 */
/* The dimension that two nearest neighbours tell, and linear CKA of two matrices. */
#include "objective/measure.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* |a - b|^2, in lanes that a compiler may take side by side */
static double square_distance(const double *a, const double *b, int64_t d)
{
    enum { LANES = 8 };
    double lane[LANES] = {0}, sum = 0;
    int64_t k = 0;

    for (; k + LANES <= d; k += LANES)
        for (int i = 0; i < LANES; i++)
            lane[i] += (a[k + i] - b[k + i]) * (a[k + i] - b[k + i]);
    for (; k < d; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    for (int i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

/* log of the distance to the second neighbour over that to the first; below 0 where the first is equal */
static double log_ratio(const double *x, int64_t i, int64_t n, int64_t d)
{
    double first = (double)INFINITY, second = (double)INFINITY;

    for (int64_t j = 0; j < n; j++) {
        if (j == i)
            continue;
        const double square = square_distance(x + i * d, x + j * d, d);
        if (square < first) {
            second = first;
            first = square;
        } else if (square < second) {
            second = square;
        }
    }
    return first > 0 ? log(second / first) / 2 : -1;
}

bool invar_measure_two_nn(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                          double discard, struct invar_two_nn *out, struct invar_error *err)
{
    const size_t count = (size_t)(z->rows * z->cols);
    struct invar_matrix wide;
    double along = 0, square = 0, sum = 0;
    int64_t n = 0;

    if (!measure_take(device, scratch, "the dimension by two neighbours", z, 3, &wide, err))
        return false;
    double *x = invar_scratch_take(scratch, count, sizeof *x, err);
    double *logs = invar_scratch_take(scratch, (size_t)z->rows, sizeof *logs, err);
    if (!x || !logs)
        return false;
    invar_device_download(device, x, wide.data, count * sizeof *x);
    for (int64_t i = 0; i < z->rows; i++) {
        logs[n] = log_ratio(x, i, z->rows, z->cols);
        n += logs[n] >= 0;
    }
    qsort(logs, (size_t)n, sizeof *logs, by_value);
    const int64_t used = discard < 0 ? n : (int64_t)floor((double)n * (1 - discard));
    for (int64_t i = 0; i < used; i++) {
        sum += logs[i];
        square += logs[i] * logs[i];
        along += discard < 0 ? 0 : -log1p(-(double)(i + 1) / (double)n) * logs[i];
    }
    *out = (struct invar_two_nn){discard < 0 ? (double)n / sum : along / square, used, z->rows - n};
    return isfinite(out->dimension) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "the dimension by two neighbours needs rows that differ: %lld of %lld have an equal one",
                           (long long)out->left_out, (long long)z->rows);
}

/* [CK2] from two Gram matrices whose diagonals are 0 */
static double unbiased(const double *k, const double *l, int64_t n)
{
    const double m = (double)n;
    double trace = 0, all_k = 0, all_l = 0, across = 0;

    for (int64_t i = 0; i < n; i++) {
        double row_k = 0, row_l = 0;
        for (int64_t j = 0; j < n; j++) {
            trace += k[i * n + j] * l[i * n + j];
            row_k += k[i * n + j];
            row_l += l[i * n + j];
        }
        all_k += row_k;
        all_l += row_l;
        across += row_k * row_l;
    }
    return (trace + all_k * all_l / ((m - 1) * (m - 2)) - 2 * across / (m - 2)) / (m * (m - 3));
}

static bool cka_unbiased(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                         const struct invar_matrix *y, struct invar_cka *out, struct invar_error *err)
{
    const int64_t n = x->rows;
    const struct invar_matrix *sides[2] = {x, y};
    double *host[2];

    for (int s = 0; s < 2; s++) {
        struct invar_matrix gram;
        host[s] = invar_scratch_take(scratch, (size_t)(n * n), sizeof(double), err);
        if (!host[s] || !invar_dense_take(scratch, INVAR_FLOAT64, n, n, &gram, err))
            return false;
        invar_dense_gram(device, false, 1, sides[s], &gram);
        invar_dense_diagonal_map(device, &gram, NULL, 0, 0);
        invar_device_download(device, host[s], gram.data, (size_t)(n * n) * sizeof(double));
    }
    *out = (struct invar_cka){.hsic_xy = unbiased(host[0], host[1], n),
                              .hsic_xx = unbiased(host[0], host[0], n),
                              .hsic_yy = unbiased(host[1], host[1], n)};
    return true;
}

/* |X^T Y|_F^2 of centred matrices, over (N - 1)^2 */
static bool biased(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                   const struct invar_matrix *y, double *out, struct invar_error *err)
{
    struct invar_matrix c;

    if (!invar_dense_take(scratch, INVAR_FLOAT64, x->cols, y->cols, &c, err))
        return false;
    invar_dense_product(device, true, false, 1 / (double)(x->rows - 1), x, y, 0, &c);
    return measure_dot(device, scratch, &c, &c, out, err);
}

bool invar_measure_cka(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                       const struct invar_matrix *y, bool is_unbiased, struct invar_cka *out, struct invar_error *err)
{
    struct invar_matrix a, b;

    if (x->rows != y->rows)
        return invar_error_set(err, INVAR_ERROR_DATA, "CKA compares the same samples: %lld rows are not %lld",
                               (long long)x->rows, (long long)y->rows);
    if (!measure_take(device, scratch, "CKA", x, 4, &a, err) || !measure_take(device, scratch, "CKA", y, 4, &b, err))
        return false;
    invar_dense_centre(device, &a, &a);
    invar_dense_centre(device, &b, &b);
    *out = (struct invar_cka){0};
    if (is_unbiased ? !cka_unbiased(device, scratch, &a, &b, out, err)
                    : !biased(device, scratch, &a, &b, &out->hsic_xy, err) ||
                          !biased(device, scratch, &a, &a, &out->hsic_xx, err) ||
                          !biased(device, scratch, &b, &b, &out->hsic_yy, err))
        return false;
    out->cka = out->hsic_xy / sqrt(out->hsic_xx * out->hsic_yy);
    return isfinite(out->cka) || invar_error_set(err, INVAR_ERROR_DATA, "CKA needs rows that differ on both sides");
}
