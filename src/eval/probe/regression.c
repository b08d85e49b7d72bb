/* SPDX-License-Identifier: Apache-2.0 */
/* Predicted numbers beside true ones [PM1], and the correlation of their ranks. By the definitions of scikit-learn and
 * SciPy, so that tables of other programs may stand beside. */
#include "invar/regression.h"
#include "base/matrix.h"
#include "eval/check.h"
#include "invar/memory.h"

#include <math.h>
#include <stdlib.h>

/* ---- Spearman ---- */

struct ranked {
    double value;
    int64_t at;
};

static int by_value(const void *a, const void *b)
{
    const double x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;

    return (x > y) - (x < y);
}

/* Twice the ranks, less count + 1, which is their mean: whole numbers. False where all values are equal. Equal values
 * share the mean of their ranks. Twice the rank keeps halves out of the sums. */
static bool centred_ranks(const double *value, int64_t count, struct ranked *room, double *out)
{
    for (int64_t i = 0; i < count; i++)
        room[i] = (struct ranked){value[i], i};
    qsort(room, (size_t)count, sizeof *room, by_value);
    for (int64_t i = 0, end; i < count; i = end) {
        /* Ranks i + 1 to end of equal values have the mean (i + end + 1) / 2; twice that less count + 1 is what is
         * stored. */
        for (end = i; end < count && !(room[end].value > room[i].value); end++)
            ;
        for (int64_t k = i; k < end; k++)
            out[room[k].at] = (double)(i + end - count);
    }
    return room[count - 1].value > room[0].value;
}

/* NAN where one side is constant. Pearson's correlation of the ranks, which holds with ties as well. */
static bool spearman(const double *a, const double *b, int64_t count, double *out, struct invar_error *err)
{
    struct ranked *room = invar_alloc((size_t)count, sizeof *room, err);
    double *x = invar_alloc((size_t)count, sizeof *x, err), *y = invar_alloc((size_t)count, sizeof *y, err);
    double xx = 0, yy = 0, xy = 0;
    const bool ok = room && x && y;

    *out = NAN;
    if (ok && centred_ranks(a, count, room, x) && centred_ranks(b, count, room, y)) {
        for (int64_t i = 0; i < count; i++) {
            xx += x[i] * x[i];
            yy += y[i] * y[i];
            xy += x[i] * y[i];
        }
        /* Two roots instead of one of the product, which is large; rounding may step past 1, which no correlation
         * does. */
        *out = fmax(-1, fmin(1, xy / sqrt(xx) / sqrt(yy)));
    }
    invar_free(room);
    invar_free(x);
    invar_free(y);
    return ok;
}

bool invar_spearman(const double *a, const double *b, int64_t count, double *out, struct invar_error *err)
{
    if (count < 2)
        return invar_error_set(err, INVAR_ERROR_DATA, "ranks of %lld values are compared; expected 2 or more",
                               (long long)count);
    const struct invar_matrix first = matrix_over(INVAR_FLOAT64, count, 1, a),
                              second = matrix_over(INVAR_FLOAT64, count, 1, b);
    if (!matrix_check_finite(&first, "first values", err) || !matrix_check_finite(&second, "second values", err) ||
        !spearman(a, b, count, out, err))
        return false;
    return !isnan(*out) || invar_error_set(err, INVAR_ERROR_DATA,
                                           "all %lld values of one side are equal, so they have no ranks to "
                                           "compare",
                                           (long long)count);
}

/* ---- all measures ---- */

void invar_regression_free(struct invar_regression *regression)
{
    if (!regression)
        return;
    invar_free(regression->r2_each);
    *regression = (struct invar_regression){0};
}

static void copy_column(const struct invar_matrix *matrix, int64_t column, double *out)
{
    for (int64_t i = 0; i < matrix->rows; i++)
        out[i] = matrix_value(matrix, i, column);
}

/* Of a constant target scikit-learn says 1 where it is met and 0 elsewhere; the same here, so that tables agree.
 * Constant by its values and not by its variance, which rounding of the mean leaves above 0. In two passes, since sums
 * of squares lose the variance of targets that lie far from 0. */
static double r2_of(const double *p, const double *y, int64_t count)
{
    double mean = 0, residual = 0, total = 0;
    bool constant = true;

    for (int64_t i = 0; i < count; i++)
        mean += y[i] / (double)count;
    for (int64_t i = 0; i < count; i++) {
        residual += (y[i] - p[i]) * (y[i] - p[i]);
        total += (y[i] - mean) * (y[i] - mean);
        constant = constant && !(y[i] > y[0] || y[i] < y[0]);
    }
    if (constant || !(total > 0))
        return residual > 0 ? 0 : 1;
    return 1 - residual / total;
}

/* p and y: [rows], room for a column of each. Target by target, means over them: one with a large unit does not drown
 * the others. */
static bool measure_targets(const struct invar_matrix *predictions, const struct invar_matrix *targets, double *p,
                            double *y, struct invar_regression *out, struct invar_error *err)
{
    const double entries = (double)targets->rows * (double)targets->cols;
    int64_t ranked = 0;
    double sum = 0;

    for (int64_t t = 0; t < targets->cols; t++) {
        double rho;
        copy_column(predictions, t, p);
        copy_column(targets, t, y);
        if (!spearman(p, y, targets->rows, &rho, err))
            return false;
        out->r2_each[t] = r2_of(p, y, targets->rows);
        out->r2 += out->r2_each[t] / (double)targets->cols;
        for (int64_t i = 0; i < targets->rows; i++) {
            /* Over all entries, unlike R2: squared and absolute errors keep the unit of the label, which says what they
             * are worth. */
            out->mse += (y[i] - p[i]) * (y[i] - p[i]) / entries;
            out->mae += fabs(y[i] - p[i]) / entries;
        }
        /* Of targets that have no ranks to compare, none is made up: the mean is over the others, and NaN where there
         * are none. */
        sum += isnan(rho) ? 0 : rho;
        ranked += !isnan(rho);
    }
    out->spearman = ranked ? sum / (double)ranked : NAN;
    return true;
}

bool invar_regression_measure(const struct invar_matrix *predictions, const struct invar_matrix *targets,
                              struct invar_regression *out, struct invar_error *err)
{
    struct invar_regression result = {.count = targets->rows, .targets = targets->cols};
    double *p, *y;

    if (!matrix_check(predictions, "predictions", err) || !matrix_check(targets, "targets", err))
        return false;
    if (predictions->rows != targets->rows || predictions->cols != targets->cols)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%lld x %lld predictions and %lld x %lld targets; both must have the same shape",
                               (long long)predictions->rows, (long long)predictions->cols, (long long)targets->rows,
                               (long long)targets->cols);
    if (!matrix_check_finite(predictions, "predictions", err) || !matrix_check_finite(targets, "targets", err))
        return false;
    p = invar_alloc((size_t)targets->rows, sizeof *p, err);
    y = invar_alloc((size_t)targets->rows, sizeof *y, err);
    result.r2_each = invar_alloc((size_t)targets->cols, sizeof *result.r2_each, err);
    const bool ok = p && y && result.r2_each && measure_targets(predictions, targets, p, y, &result, err);
    if (ok)
        *out = result;
    else
        invar_regression_free(&result);
    invar_free(p);
    invar_free(y);
    return ok;
}
