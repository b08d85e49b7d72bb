/* SPDX-License-Identifier: Apache-2.0 */
/* What every measurement of representations asks of its features and labels. */
#include "eval/softmax.h"
#include "invar/memory.h"

#include <inttypes.h>
#include <math.h>

bool matrix_check(const struct invar_matrix *matrix, const char *what, struct invar_error *err)
{
    if (matrix->dtype != INVAR_FLOAT32 && matrix->dtype != INVAR_FLOAT64)
        return invar_error_set(err, INVAR_ERROR_DATA, "the %s are %s; they must be float32 or float64", what,
                               invar_dtype_name(matrix->dtype));
    if (matrix->rows < 1 || matrix->cols < 1)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the %s are empty (%" PRId64 " rows of %" PRId64
                               " values); at least one of each is needed",
                               what, matrix->rows, matrix->cols);
    return true;
}

static bool row_is_finite(const struct invar_matrix *matrix, int64_t row, int64_t *column)
{
    const float *f = (const float *)matrix->data + row * matrix->cols;
    const double *d = (const double *)matrix->data + row * matrix->cols;
    for (int64_t j = 0; j < matrix->cols; ++j) {
        bool finite = matrix->dtype == INVAR_FLOAT32 ? isfinite(f[j]) : isfinite(d[j]);
        if (!finite) {
            *column = j;
            return false;
        }
    }
    return true;
}

bool matrix_check_finite(const struct invar_matrix *matrix, const char *what, struct invar_error *err)
{
    int64_t first = matrix->rows, column = 0;
#pragma omp parallel for schedule(static) reduction(min : first)
    for (int64_t i = 0; i < matrix->rows; ++i) {
        int64_t j = 0;
        if (i < first && !row_is_finite(matrix, i, &j))
            first = i;
    }
    if (first == matrix->rows)
        return true;
    row_is_finite(matrix, first, &column);
    return invar_error_set(err, INVAR_ERROR_NUMERIC,
                           "row %" PRId64 " of the %s holds NaN or Inf (column %" PRId64
                           "); every value must be finite: find out what made it, or leave the row out",
                           first, what, column);
}

bool labels_check(const int64_t *labels, int64_t count, int classes, const char *what, bool every_class,
                  struct invar_error *err)
{
    bool ok = false;
    int64_t *samples = NULL;
    if (classes < 2)
        return invar_error_set(err, INVAR_ERROR_DATA, "the %s have %d classes; a classifier needs at least 2", what,
                               classes);
    samples = invar_alloc((size_t)classes, sizeof *samples, err);
    if (!samples)
        return false;
    for (int64_t i = 0; i < count; ++i) {
        if (labels[i] == -1) {
            invar_error_set(err, INVAR_ERROR_DATA, "row %" PRId64 " of the %s has no label; every row needs one", i,
                            what);
            goto done;
        }
        if (labels[i] < 0 || labels[i] >= classes) {
            invar_error_set(err, INVAR_ERROR_DATA,
                            "row %" PRId64 " of the %s has the label %" PRId64 "; expected 0 to %d", i, what, labels[i],
                            classes - 1);
            goto done;
        }
        ++samples[labels[i]];
    }
    for (int c = 0; every_class && c < classes; ++c)
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
