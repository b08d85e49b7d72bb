/* SPDX-License-Identifier: Apache-2.0 */
/* What every measurement of representations asks of its features and labels. */
#include "eval/probe/softmax.h"
#include "invar/memory.h"
#include "invar/regression.h"

#include <math.h>

/* Squares of larger values would overflow; no representation is that large. */
static const double largest = 1e100;

/* Shapes first: what comes from files of other programs may be anything. */
bool matrix_check(const struct invar_matrix *matrix, const char *what, struct invar_error *err)
{
    if (matrix->dtype != INVAR_FLOAT32 && matrix->dtype != INVAR_FLOAT64)
        return invar_error_set(err, INVAR_ERROR_DATA, "the %s are %s; they must be float32 or float64", what,
                               invar_dtype_name(matrix->dtype));
    /* Bounded, so that products of columns and classes or of two columns hold in 64 bits; no representation is as
     * wide. */
    if (matrix->cols > 1 << 24)
        return invar_error_set(err, INVAR_ERROR_DATA, "the %s have %lld columns; at most %d are possible", what,
                               (long long)matrix->cols, 1 << 24);
    if (matrix->rows < 1 || matrix->cols < 1)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the %s are empty (%lld rows of %lld values); at least one of each is needed", what,
                               (long long)matrix->rows, (long long)matrix->cols);
    return true;
}

double matrix_value(const struct invar_matrix *matrix, int64_t row, int64_t column)
{
    int64_t at = row * matrix->cols + column;
    return matrix->dtype == INVAR_FLOAT32 ? (double)((const float *)matrix->data)[at]
                                          : ((const double *)matrix->data)[at];
}

/* The first column that is not finite; cols when all are. The comparison is written so that NaN fails it. */
static int64_t find_nonfinite(const struct invar_matrix *matrix, int64_t row)
{
    int64_t j = 0;
    while (j < matrix->cols && fabs(matrix_value(matrix, row, j)) <= largest)
        j++;
    return j;
}

/* All rows are looked at before any are used: a NaN found in the middle of a fit would be blamed on the fit. */
bool matrix_check_finite(const struct invar_matrix *matrix, const char *what, struct invar_error *err)
{
    int64_t first = matrix->rows;
#pragma omp parallel for schedule(static) reduction(min : first)
    for (int64_t i = 0; i < matrix->rows; i++)
        /* The smallest row of all that were found: the message names the same one however many threads there are. */
        if (i < first && find_nonfinite(matrix, i) < matrix->cols)
            first = i;
    if (first == matrix->rows)
        return true;
    return invar_error_set(err, INVAR_ERROR_NUMERIC,
                           "row %lld of the %s holds NaN, Inf or a value beyond 1e100 (column %lld); every value must "
                           "be finite: find out what made it, or leave the row out",
                           (long long)first, what, (long long)find_nonfinite(matrix, first));
}

/* 64 parts in their order: the scale enters every penalty, and must not depend on threads. */
double matrix_scale(const struct invar_matrix *matrix)
{
    enum { CHUNKS = 64 };
    double part[CHUNKS] = {0}, sum = 0;
#pragma omp parallel for schedule(static)
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        int64_t first = matrix->rows * chunk / CHUNKS, last = matrix->rows * (chunk + 1) / CHUNKS;
        double square = 0;
        for (int64_t i = first; i < last; i++)
            for (int64_t j = 0; j < matrix->cols; j++) {
                double x = matrix_value(matrix, i, j);
                square += x * x;
            }
        part[chunk] = square;
    }
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        sum += part[chunk];
    /* Features that are all 0 have no scale, and 1 leaves them as they are: the fit then ends at the bias, which is
     * right. */
    return sum > 0 ? sqrt((double)matrix->rows * (double)matrix->cols / sum) : 1;
}

/* missing: rows without a label are passed over. Counts by class, since a class without a sample cannot be fitted,
 * and one with a label beyond the classes would be written behind the end. */
static bool check_labels(const int64_t *labels, int64_t count, int classes, const char *what, bool missing,
                         bool every_class, struct invar_error *err)
{
    bool ok = false;
    int64_t *samples = NULL;
    if (classes < 2)
        return invar_error_set(err, INVAR_ERROR_DATA, "the %s have %d classes; a classifier needs at least 2", what,
                               classes);
    samples = invar_alloc((size_t)classes, sizeof *samples, err);
    if (!samples)
        return false;
    for (int64_t i = 0; i < count; i++) {
        /* -1 alone is a label that is missing; another negative number is a mistake of whoever made the labels. */
        if (labels[i] == -1 && missing)
            continue;
        if (labels[i] == -1) {
            invar_error_set(err, INVAR_ERROR_DATA, "row %lld of the %s has no label; every row needs one", (long long)i,
                            what);
            goto done;
        }
        if (labels[i] < 0 || labels[i] >= classes) {
            invar_error_set(err, INVAR_ERROR_DATA, "row %lld of the %s has the label %lld; expected 0 to %d",
                            (long long)i, what, (long long)labels[i], classes - 1);
            goto done;
        }
        samples[labels[i]]++;
    }
    for (int c = 0; every_class && c < classes; c++)
        if (!samples[c]) {
            invar_error_set(err, INVAR_ERROR_DATA,
                            "no row of the %s has the label %d; every class 0 to %d needs at least one", what, c,
                            classes - 1);
            goto done;
        }
    ok = true;
done:
    invar_free(samples);
    return ok;
}

bool labels_check(const int64_t *labels, int64_t count, int classes, const char *what, bool every_class,
                  struct invar_error *err)
{
    return check_labels(labels, count, classes, what, false, every_class, err);
}

bool labels_check_some(const int64_t *labels, int64_t count, int classes, const char *what, struct invar_error *err)
{
    return check_labels(labels, count, classes, what, true, true, err);
}

/* A constant target has no variance to explain, and R2 would be 0 / 0. */
bool invar_targets_check(const double *targets, int64_t count, const char *what, struct invar_error *err)
{
    bool constant = true;

    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(targets[i]) <= largest))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "row %lld of the %s has the target %g; expected a finite number", (long long)i, what,
                                   targets[i]);
        constant = constant && !(targets[i] > targets[0] || targets[i] < targets[0]);
    }
    return !constant ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "all %lld %s have the same target, %g: there is nothing to predict; give a label that "
                           "varies in both splits",
                           (long long)count, what, count ? targets[0] : 0);
}
