/* SPDX-License-Identifier: Apache-2.0 */
/* What every measurement of embeddings asks of them. */
#include "objective/measure.h"

#include <float.h>
#include <math.h>

double *measure_begin(struct invar_device *device, struct invar_scratch *scratch, struct invar_ledger *ledger,
                      struct invar_error *err)
{
    return invar_ledger_take(device, scratch, 1, ledger, err) ? invar_ledger_slot(ledger) : NULL;
}

double measure_end(struct invar_ledger *ledger)
{
    invar_device_read(ledger);
    return invar_ledger_value(ledger, ledger->slots);
}

bool measure_dot(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *a,
                 const struct invar_matrix *b, double *out, struct invar_error *err)
{
    struct invar_ledger ledger;
    double *slot = measure_begin(device, scratch, &ledger, err);

    if (!slot)
        return false;
    invar_dense_dot(device, a, b, 1, slot);
    *out = measure_end(&ledger);
    return true;
}

/* the first row with a value that is not finite; rows where all are */
static int64_t find_nonfinite(const double *values, int64_t rows, int64_t cols)
{
    int64_t i = 0;

    while (i < rows * cols && isfinite(values[i]))
        i++;
    return i / cols;
}

bool measure_refuse(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                    const struct invar_matrix *wide, struct invar_error *err)
{
    const size_t count = (size_t)(wide->rows * wide->cols);
    double *host = invar_scratch_take(scratch, count, sizeof *host, err);

    if (!host)
        return false;
    invar_device_download(device, host, wide->data, count * sizeof *host);
    const int64_t row = find_nonfinite(host, wide->rows, wide->cols);
    if (row == wide->rows)
        return invar_error_set(err, INVAR_ERROR_NUMERIC, "%s: the squares of the embeddings overflow", what);
    return invar_error_set(err, INVAR_ERROR_NUMERIC,
                           "%s: row %lld of the embeddings holds NaN or Inf; find out what made it, or leave it out",
                           what, (long long)row);
}

bool measure_take(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                  const struct invar_matrix *z, int64_t least, struct invar_matrix *out, struct invar_error *err)
{
    if (z->rows < least || z->cols < 1)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s needs at least %lld rows and a column, not %lld x %lld: give it more samples", what,
                               (long long)least, (long long)z->rows, (long long)z->cols);
    double squares;
    if (!invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->cols, out, err))
        return false;
    invar_dense_copy(device, z, out);
    if (!measure_dot(device, scratch, out, out, &squares, err))
        return false;
    return isfinite(squares) || measure_refuse(device, scratch, what, out, err);
}

bool measure_take_pair(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                       const struct invar_matrix *a, const struct invar_matrix *b, int64_t least,
                       struct invar_matrix *out_a, struct invar_matrix *out_b, struct invar_error *err)
{
    if (a->rows != b->rows || a->cols != b->cols)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s needs two views of the same samples, not %lld x %lld and %lld x %lld", what,
                               (long long)a->rows, (long long)a->cols, (long long)b->rows, (long long)b->cols);
    return measure_take(device, scratch, what, a, least, out_a, err) &&
           measure_take(device, scratch, what, b, least, out_b, err);
}

bool measure_standardise(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                         enum invar_dtype dtype, double *logs, double *noise, struct invar_error *err)
{
    const double epsilon = dtype == INVAR_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
    const double rounding = fmax(epsilon, (double)z->rows * DBL_EPSILON);
    const size_t cols = (size_t)z->cols, bytes = cols * sizeof(double);
    double *mean = invar_device_take(scratch, cols, sizeof *mean, err);
    double *squares = invar_device_take(scratch, cols, sizeof *squares, err);
    double *centre = invar_scratch_take(scratch, cols, sizeof *centre, err);
    double *factor = invar_scratch_take(scratch, cols, sizeof *factor, err);
    double sizes = 0, sum = 0;

    if (!mean || !squares || !centre || !factor)
        return false;
    invar_dense_moments(device, z, mean, squares);
    invar_device_download(device, centre, mean, bytes);
    invar_device_download(device, factor, squares, bytes);
    for (size_t j = 0; j < cols; j++) {
        const double variance = factor[j] / (double)z->rows, size = centre[j] * centre[j] + variance;
        const bool varies = variance > rounding * rounding * size;
        factor[j] = varies ? 1 / sqrt(variance) : 0;
        sizes += varies ? size / variance : 0;
        sum += varies ? log(variance) / 2 : 0;
    }
    *noise = rounding * sqrt(sizes * (double)z->rows);
    if (logs)
        *logs = sum;
    invar_device_upload(device, squares, factor, bytes);
    invar_dense_standardise(device, z, mean, squares, z, false);
    return true;
}
