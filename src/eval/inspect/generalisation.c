/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generalisation bound of a minimum-norm linear head [I6]. P Y is the residual Y - U U^T Y, U an orthonormal basis
 * of the feature columns from an economy decomposition: |P Y| from a difference of squares would lose what is small.
 * For the same reason there are no normal equations: they have the square of the condition, and the rank that the bound
 * is about would be lost in it.
 */
#include "base/linear.h"
#include "base/matrix.h"
#include "eval/check.h"
#include "invar/measure.h"
#include "invar/memory.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* features = u diag(s) v diag(size), by rows; only the first `rank` directions are above rounding */
struct decomposition {
    int rows, cols, least, rank;
    double *u;    /* [rows][least] */
    double *s;    /* [least] descending */
    double *v;    /* [cols][least] */
    double *size; /* [cols] of the columns; 1 where they were taken as they are */
};

static void decomposition_free(struct decomposition *d)
{
    invar_free(d->u);
    invar_free(d->s);
    invar_free(d->v);
    invar_free(d->size);
}

/* The lengths of the columns, 1 of one that is 0. Around the largest entry, so that squares neither overflow nor
 * vanish. */
static void measure_columns(const struct invar_matrix *x, double *size)
{
    for (int64_t j = 0; j < x->cols; j++) {
        double largest = 0, sum = 0;
        for (int64_t i = 0; i < x->rows; i++)
            largest = fmax(largest, fabs(matrix_value(x, i, j)));
        for (int64_t i = 0; i < x->rows && largest > 0; i++)
            sum += pow(matrix_value(x, i, j) / largest, 2);
        size[j] = largest > 0 ? largest * sqrt(sum) : 1;
    }
}

/* scaled: of columns of length 1, so that the rank does not depend on their scale. Rank by NumPy's rule, larger side
 * times epsilon times the largest singular value, on columns of length 1: a feature in other units is not a direction
 * less. */
static bool decompose(const struct invar_matrix *features, const char *what, bool scaled, struct decomposition *d,
                      struct invar_error *err)
{
    const int64_t least = features->rows < features->cols ? features->rows : features->cols;
    double *x = NULL, *turned = NULL;
    bool ok = false;

    *d = (struct decomposition){.rows = (int)features->rows, .cols = (int)features->cols, .least = (int)least};
    x = invar_alloc((size_t)features->rows, (size_t)features->cols * sizeof *x, err);
    turned = invar_alloc((size_t)features->cols, (size_t)least * sizeof *turned, err);
    d->u = invar_alloc((size_t)features->rows, (size_t)least * sizeof *d->u, err);
    d->v = invar_alloc((size_t)features->cols, (size_t)least * sizeof *d->v, err);
    d->s = invar_alloc((size_t)least, sizeof *d->s, err);
    d->size = invar_alloc((size_t)features->cols, sizeof *d->size, err);
    if (!x || !turned || !d->u || !d->v || !d->s || !d->size)
        goto done;
    for (int64_t j = 0; j < features->cols; j++)
        d->size[j] = 1;
    if (scaled)
        measure_columns(features, d->size);
    for (int64_t i = 0; i < features->rows; i++)
        for (int64_t j = 0; j < features->cols; j++)
            x[i * features->cols + j] = matrix_value(features, i, j) / d->size[j];
    const enum linear_outcome outcome = linear_decompose(d->rows, d->cols, x, d->s, d->u, turned);
    if (outcome != LINEAR_DONE) {
        if (outcome == LINEAR_NO_MEMORY)
            invar_error_set(err, INVAR_ERROR_MEMORY,
                            "there is not enough memory for the singular value decomposition of the %s", what);
        else
            invar_error_set(err, INVAR_ERROR_NUMERIC,
                            "the %s have no singular value decomposition: their values are too large", what);
        goto done;
    }
    for (int64_t j = 0; j < features->cols; j++)
        for (int64_t k = 0; k < least; k++)
            d->v[j * least + k] = turned[k * features->cols + j];
    /* Relative to the largest singular value, as rounding is; of features that are all 0 no direction is above it, and
     * the head is 0. */
    const double larger = (double)(features->rows > features->cols ? features->rows : features->cols);
    while (d->rank < d->least && d->s[d->rank] > larger * DBL_EPSILON * d->s[0])
        d->rank++;
    ok = true;
done:
    invar_free(x);
    invar_free(turned);
    return ok;
}

/* Y: one-hot labels, or one column of targets. */
struct wanted {
    int cols;
    const int64_t *labels; /* NULL: targets */
    const double *targets;
};

static struct wanted wanted_of(const struct invar_generalisation_data *data, const int64_t *labels,
                               const double *targets)
{
    return data->classes ? (struct wanted){data->classes, labels, NULL} : (struct wanted){1, NULL, targets};
}

/* by [rank][columns of Y] = U^T Y. One-hot labels add a row of U each: no matrix of labels is made. */
static void project_labels(const struct decomposition *d, const struct wanted *y, double *by)
{
    memset(by, 0, (size_t)d->least * (size_t)y->cols * sizeof *by);
    for (int64_t i = 0; i < d->rows; i++)
        for (int64_t k = 0; k < d->rank; k++)
            by[k * y->cols + (y->labels ? y->labels[i] : 0)] +=
                d->u[i * d->least + k] * (y->labels ? 1 : y->targets[i]);
}

/* |Y - U U^T Y|_F. Row by row, Y - U U^T Y, and squares of that: the difference of two norms would have no digits
 * where the fit is good. */
static double residual_norm(const struct decomposition *d, const struct wanted *y, const double *by, double *row)
{
    const int classes = y->cols;
    double sum = 0;

    for (int64_t i = 0; i < d->rows; i++) {
        memset(row, 0, (size_t)classes * sizeof *row);
        row[y->labels ? y->labels[i] : 0] = y->labels ? 1 : y->targets[i];
        if (d->rank)
            linear_subtract(d->rank, classes, by, d->u + i * d->least, row);
        for (int c = 0; c < classes; c++)
            sum += row[c] * row[c];
    }
    return sqrt(sum);
}

/* head [classes][D] = (V S^+ U^T Y)^T. The pseudoinverse without directions at the level of rounding, which would be
 * all of the head otherwise. */
static void fit_head(const struct decomposition *d, int classes, const double *by, double *head)
{
    for (int c = 0; c < classes; c++)
        for (int64_t j = 0; j < d->cols; j++) {
            double sum = 0;
            for (int64_t k = 0; k < d->rank; k++)
                sum += d->v[j * d->least + k] / d->s[k] * by[k * classes + c];
            head[(int64_t)c * d->cols + j] = sum / d->size[j];
        }
}

/*
 * Decomposes, and gives |P Y|, the rank, and the head on request. The first two do not depend on the scale of a column;
 * nor does the head, unless several solve the problem: the shortest of them is that of the features as they are.
 */
static bool measure_part(const struct invar_matrix *features, const struct wanted *y, const char *what, double *norm,
                         int64_t *rank, double *head, struct invar_error *err)
{
    const int classes = y->cols;
    struct decomposition d;
    double *by = NULL, *row = NULL;
    bool ok = decompose(features, what, true, &d, err);

    if (ok) {
        by = invar_alloc((size_t)d.least, (size_t)classes * sizeof *by, err);
        row = invar_alloc((size_t)classes, sizeof *row, err);
        ok = by && row;
    }
    if (ok) {
        project_labels(&d, y, by);
        *norm = residual_norm(&d, y, by, row);
        *rank = d.rank;
        /* Lengths of columns change which of several heads is the shortest: that one is looked for among the features
         * as they are, while norm and rank stay those of scaled columns. */
        if (head && d.rank < d.cols) {
            decomposition_free(&d);
            ok = decompose(features, what, false, &d, err);
            if (ok)
                project_labels(&d, y, by);
        }
        if (head && ok)
            fit_head(&d, classes, by, head);
    }
    decomposition_free(&d);
    invar_free(by);
    invar_free(row);
    return ok;
}

/* No bias, as the theorem has none. */
static double apply_head(const double *head, int64_t c, const double *x, int64_t cols)
{
    return linear_dot(cols, head + c * cols, x);
}

/* Both by pairs: the distance in h, and that of the head's outputs, which the first bounds with the head's norm. */
static void measure_invariance(const struct invar_generalisation_data *data, double *difference,
                               struct invar_generalisation *out)
{
    const int64_t m = data->plus.rows, cols = data->plus.cols;

    for (int64_t i = 0; i < m; i++) {
        double square = 0, scaled = 0;
        for (int64_t j = 0; j < cols; j++) {
            difference[j] = matrix_value(&data->plus, i, j) - matrix_value(&data->plus_plus, i, j);
            square += difference[j] * difference[j];
        }
        for (int c = 0; c < (data->classes ? data->classes : 1); c++)
            scaled += pow(apply_head(out->head, c, difference, cols), 2);
        /* The mean of lengths and not of squares, as [I6] has it. */
        out->invariance += sqrt(square) / (double)m;
        out->invariance_scaled += sqrt(scaled) / (double)m;
    }
}

/* The error of the bound, the mean length of w h - y, beside an accuracy, which people can read. */
static void measure_test(const struct invar_generalisation_data *data, double *x, struct invar_generalisation *out)
{
    const int64_t tests = data->test.rows, cols = data->test.cols;
    const struct wanted y = wanted_of(data, data->y_test, data->t_test);

    if (!y.labels)
        out->test_accuracy = NAN;
    for (int64_t i = 0; i < tests; i++) {
        double square = 0, largest = -INFINITY;
        int best = 0;
        for (int64_t j = 0; j < cols; j++)
            x[j] = matrix_value(&data->test, i, j);
        for (int c = 0; c < y.cols; c++) {
            const double score = apply_head(out->head, c, x, cols);
            const double error = score - (y.labels ? y.labels[i] == c : y.targets[i]);
            square += error * error;
            if (score > largest) {
                largest = score;
                best = c;
            }
        }
        out->test_error += sqrt(square) / (double)tests;
        if (y.labels)
            out->test_accuracy += 100 * (double)(y.labels[i] == best) / (double)tests;
    }
}

static bool check_targets(const double *targets, int64_t count, const char *what, struct invar_error *err)
{
    const struct invar_matrix matrix = matrix_over(INVAR_FLOAT64, count, 1, targets);
    char name[96];

    snprintf(name, sizeof name, "targets of the %s", what);
    return matrix_check_finite(&matrix, name, err);
}

/* y NULL: second views. */
static bool check_part(const struct invar_matrix *features, const struct wanted *y, int64_t cols, const char *what,
                       struct invar_error *err)
{
    if (!matrix_check(features, what, err) || !matrix_check_finite(features, what, err))
        return false;
    /* LAPACK counts in ints. */
    if (features->cols != cols || features->rows > INT32_MAX)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the %s are %lld x %lld; expected %lld columns, as in the others, and at most %d rows",
                               what, (long long)features->rows, (long long)features->cols, (long long)cols, INT32_MAX);
    if (!y)
        return true;
    return y->labels ? labels_check(y->labels, features->rows, y->cols, what, false, err)
                     : check_targets(y->targets, features->rows, what, err);
}

static bool check(const struct invar_generalisation_data *data, struct invar_error *err)
{
    const int64_t cols = data->plus.cols;

    const struct wanted unlabelled = wanted_of(data, data->y_unlabelled, data->t_unlabelled);
    const struct wanted labelled = wanted_of(data, data->y_labelled, data->t_labelled);
    const struct wanted test = wanted_of(data, data->y_test, data->t_test);

    if (data->classes == 1 || data->classes < 0 || (!data->classes && !data->t_labelled))
        return invar_error_set(err, INVAR_ERROR_DATA, "the generalisation bound needs at least 2 classes, not %d",
                               data->classes);
    if (!check_part(&data->plus, &unlabelled, cols, "unlabelled features", err) ||
        !check_part(&data->plus_plus, NULL, cols, "second views of the unlabelled features", err) ||
        !check_part(&data->labelled, &labelled, cols, "labelled features", err) ||
        !check_part(&data->test, &test, cols, "test features", err))
        return false;
    if (data->plus.rows != data->plus_plus.rows)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the generalisation bound needs two views of the same samples, not %lld and %lld rows",
                               (long long)data->plus.rows, (long long)data->plus_plus.rows);
    return true;
}

/* Q(m, n, delta), which depends on numbers of samples and on what one is willing to risk, is left to the reader. */
bool invar_measure_generalisation(const struct invar_generalisation_data *data, struct invar_generalisation *out,
                                  struct invar_error *err)
{
    const struct wanted unlabelled = wanted_of(data, data->y_unlabelled, data->t_unlabelled);
    const struct wanted labelled = wanted_of(data, data->y_labelled, data->t_labelled);
    double *row = NULL;
    bool ok = false;

    *out = (struct invar_generalisation){0};
    if (!check(data, err))
        return false;
    row = invar_alloc((size_t)data->plus.cols, sizeof *row, err);
    out->head = invar_alloc((size_t)labelled.cols, (size_t)data->plus.cols * sizeof *out->head, err);
    if (!row || !out->head ||
        !measure_part(&data->plus, &unlabelled, "unlabelled features", &out->unlabelled_norm, &out->unlabelled_rank,
                      NULL, err) ||
        !measure_part(&data->labelled, &labelled, "labelled features", &out->labelled_norm, &out->labelled_rank,
                      out->head, err))
        goto done;
    measure_invariance(data, row, out);
    measure_test(data, row, out);
    /* The factors of [I6]: |P Y| is a root of a sum over samples, and over sqrt(n) the root of a mean, so that both
     * terms are lengths like the first. The 2 is the theorem's. */
    out->unlabelled_term = 2 / sqrt((double)data->plus.rows) * out->unlabelled_norm;
    out->labelled_term = out->labelled_norm / sqrt((double)data->labelled.rows);
    out->sum_without_q = out->invariance + out->unlabelled_term + out->labelled_term;
    out->sum_scaled_without_q = out->invariance_scaled + out->unlabelled_term + out->labelled_term;
    ok = true;
done:
    invar_free(row);
    if (!ok)
        invar_generalisation_free(out);
    return ok;
}

void invar_generalisation_free(struct invar_generalisation *generalisation)
{
    if (!generalisation)
        return;
    invar_free(generalisation->head);
    *generalisation = (struct invar_generalisation){0};
}
