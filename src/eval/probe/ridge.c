/* SPDX-License-Identifier: Apache-2.0 */
/* Ridge regression in float64 through the normal equations of the smaller side: columns, or rows where they are fewer.
 * Work is cut the same way whatever the number of threads, and BLAS runs inside of it on one, so that bits agree.
 * Normal equations will do, as columns of deviation 1 and a penalty keep their condition in hand; where they do not,
 * the factor fails and the user is told which strength was too weak. */
#include "base/linear.h"
#include "base/matrix.h"
#include "eval/check.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "invar/expert/random.h"
#include "invar/regression.h"
#include "invar/watch.h"

#include <math.h>
#include <omp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct invar_ridge_options, name)
const struct invar_option invar_ridge_option_table[] = {
    {"alpha", INVAR_OPTION_REAL_LIST, FIELD(alpha), "[1e5, 1e4, 1e3, 100, 10, 1, 0.1, 0.01, 1e-3]", 1e-12, 1e15, NULL,
     "strengths of the penalty to choose from, on standardised features; one value: no choice"},
    {"folds", INVAR_OPTION_INT, FIELD(folds), "5", 2, 1000, NULL,
     "parts of the training samples, each of which is held out once to choose the strength"},
    {"seed", INVAR_OPTION_INT, FIELD(seed), "1", 0, 9007199254740992.0, NULL, "of the held-out parts"},
    {NULL, INVAR_OPTION_INT, 0, NULL, 0, 0, NULL, NULL},
};

/* Two blocks of 256 x 256 doubles are a megabyte, which stays in the second cache; 64 columns are a piece of work that
 * does not depend on the number of threads. */
enum { BLOCK = 256, COLUMNS = 64 };
/* Numbers in all copies of the matrix that are factorised at once. */
static const double factor_limit = (double)(1 << 27);

/* Standardised rows of a matrix, and what one fit of them needs. */
struct fit {
    const struct invar_matrix *x;
    const double *y;
    const int64_t *index; /* [count] rows that are fitted */
    int64_t count;
    double *mean, *inverse; /* [cols]; inverse deviation, 0 of a constant column */
    double y_mean;
    bool dual;      /* fewer rows than columns */
    int64_t size;   /* of the normal equations: cols, or count where dual */
    double *normal; /* [size][size], lower */
    double *right;  /* [size] */
    int strengths;
    const double *alpha; /* [strengths] */
    double *solution;    /* [strengths][size] */
    double *weight;      /* [strengths][cols], of standardised features */
};

static void fit_free(struct fit *f)
{
    invar_free(f->mean);
    invar_free(f->inverse);
    invar_free(f->normal);
    invar_free(f->right);
    invar_free(f->solution);
    invar_free(f->weight);
}

/* A constant column has inverse 0, and so takes no part. */
static double scaled(const struct fit *f, int64_t row, int64_t column)
{
    return (matrix_value(f->x, row, column) - f->mean[column]) * f->inverse[column];
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- standardisation ---- */

/* Of the columns first .. last - 1; sums in the order of rows. Two passes, as a deviation from sums of squares would
 * be rounding where a column's mean is large. */
static void scale_columns(const struct fit *f, int64_t first, int64_t last)
{
    double variance[COLUMNS] = {0};
    const double n = (double)f->count;

    for (int64_t i = 0; i < f->count; i++)
        for (int64_t j = first; j < last; j++)
            f->mean[j] += matrix_value(f->x, f->index[i], j);
    for (int64_t j = first; j < last; j++)
        f->mean[j] /= n;
    for (int64_t i = 0; i < f->count; i++)
        for (int64_t j = first; j < last; j++) {
            const double d = matrix_value(f->x, f->index[i], j) - f->mean[j];
            /* The divisor is N, as StandardScaler has it, or no alpha would mean the same there. */
            variance[j - first] += d * d / n;
        }
    for (int64_t j = first; j < last; j++) { /* what rounding of the mean alone would leave is no variance */
        /* scikit-learn's rule for constant columns: a column that is constant but for rounding would be blown up to
         * deviation 1. */
        const double rounding = n * fabs(f->mean[j]) * 0x1p-52;
        const double v = variance[j - first];
        f->inverse[j] = v > n * 0x1p-52 * v + rounding * rounding ? 1 / sqrt(v) : 0;
    }
}

/* The target is centred and not scaled: R2 and the choice of a strength do not depend on its unit. */
static void standardise(struct fit *f)
{
#pragma omp parallel for schedule(static)
    for (int64_t first = 0; first < f->x->cols; first += COLUMNS)
        scale_columns(f, first, least(first + COLUMNS, f->x->cols));
    for (int64_t i = 0; i < f->count; i++)
        f->y_mean += f->y[f->index[i]];
    f->y_mean /= (double)f->count;
}

/* ---- the normal equations ---- */

/* Standardised numbers of a block: out[rows][cols]. */
static void load(const struct fit *f, int64_t row, int64_t rows, int64_t column, int64_t cols, double *out)
{
    const double *mean = f->mean + column, *inverse = f->inverse + column;

    for (int64_t i = 0; i < rows; i++, out += cols) {
        const int64_t at = f->index[row + i] * f->x->cols + column;
        if (f->x->dtype == INVAR_FLOAT32) {
            const float *x = (const float *)f->x->data + at;
            for (int64_t j = 0; j < cols; j++)
                out[j] = ((double)x[j] - mean[j]) * inverse[j];
        } else {
            const double *x = (const double *)f->x->data + at;
            for (int64_t j = 0; j < cols; j++)
                out[j] = (x[j] - mean[j]) * inverse[j];
        }
    }
}

/* The part of Z^T Z, or of Z Z^T, whose rows begin at p and columns at q. room: two blocks. Standardised on the way
 * from memory into a block, so that no standardised copy of the features exists; a block of each side stays in the
 * cache. */
static void multiply_tile(const struct fit *f, int64_t p, int64_t q, double *room)
{
    double *a = room, *b = room + BLOCK * BLOCK, *out = f->normal + p * f->size + q;
    const int64_t height = least(BLOCK, f->size - p), width = least(BLOCK, f->size - q);
    const int64_t inner = f->dual ? f->x->cols : f->count;

    for (int64_t k = 0; k < inner; k += BLOCK) {
        const int64_t depth = least(BLOCK, inner - k);
        if (f->dual) {
            load(f, p, height, k, depth, a);
            load(f, q, width, k, depth, b);
            linear_rows(INVAR_FLOAT64, (int)height, (int)width, (int)depth, a, b, 1, out, (int)f->size);
        } else {
            load(f, k, depth, p, height, a);
            load(f, k, depth, q, width, b);
            linear_columns(INVAR_FLOAT64, (int)height, (int)width, (int)depth, a, b, 1, out, (int)f->size);
        }
    }
}

/* Z^T (y - mean y), or y - mean y itself. A piece of columns a thread: sums over rows are then in one order. */
static void fill_right(const struct fit *f)
{
#pragma omp parallel for schedule(static)
    for (int64_t first = 0; first < f->size; first += COLUMNS) {
        const int64_t last = least(first + COLUMNS, f->size);
        for (int64_t j = first; f->dual && j < last; j++)
            f->right[j] = f->y[f->index[j]] - f->y_mean;
        for (int64_t i = 0; !f->dual && i < f->count; i++)
            for (int64_t j = first; j < last; j++)
                f->right[j] += scaled(f, f->index[i], j) * (f->y[f->index[i]] - f->y_mean);
    }
}

/* The lower triangle of tiles, as the matrix is symmetric; tiles are unequal in work at the edges, hence dynamic. */
static bool form(struct fit *f, struct invar_error *err)
{
    const int64_t blocks = (f->size + BLOCK - 1) / BLOCK, tiles = blocks * (blocks + 1) / 2;
    /* A team of two at least: within a team BLAS runs on one thread, and so cuts its sums the same way whatever the
     * number of threads is. */
    const int threads = omp_get_max_threads() < 2 ? 2 : omp_get_max_threads();
    double *room = invar_alloc((size_t)threads, 2 * BLOCK * BLOCK * sizeof *room, err);

    if (!room)
        return false;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t tile = 0; tile < tiles; tile++) {
        int64_t p = 0;
        /* Counted and not by a root, which may round to the wrong row of tiles. */
        while ((p + 1) * (p + 2) / 2 <= tile)
            p++;
        multiply_tile(f, p * BLOCK, (tile - p * (p + 1) / 2) * BLOCK,
                      room + (int64_t)omp_get_thread_num() * 2 * BLOCK * BLOCK);
    }
    fill_right(f);
    invar_free(room);
    return true;
}

/* solution[strength], of the matrix with alpha on its diagonal; copy: room for it. A copy, because the factor
 * overwrites it and the next strength needs the matrix again. */
static bool solve(const struct fit *f, int strength, double *copy)
{
    const int64_t n = f->size;
    double *solution = f->solution + strength * n;

    for (int64_t i = 0; i < n; i++) {
        memcpy(copy + i * n, f->normal + i * n, (size_t)(i + 1) * sizeof *copy);
        /* On the diagonal of Z^T Z or of Z Z^T alike: (Z^T Z + a I)^-1 Z^T = Z^T (Z Z^T + a I)^-1, which is why the
         * smaller of both may be taken. The sums are not divided by N, so that alpha is that of scikit-learn's
         * Ridge. */
        copy[i * n + i] += f->alpha[strength];
    }
    memcpy(solution, f->right, (size_t)n * sizeof *solution);
    /* Cholesky, as the matrix is positive definite for every alpha above 0 but for rounding, which is what the error is
     * about. */
    if (!linear_factor((int)n, copy))
        return false;
    linear_solve((int)n, copy, solution);
    return true;
}

/* Strengths in parallel as far as their copies fit; beyond that, one after the other. */
static bool solve_all(const struct fit *f, struct invar_error *err)
{
    const double square = (double)f->size * (double)f->size;
    const int most = omp_get_max_threads() < f->strengths ? omp_get_max_threads() : f->strengths;
    const int fitting = square * most > factor_limit ? (int)fmax(1, factor_limit / square) : most;
    const int threads = fitting < 2 ? 2 : fitting; /* inside a team of two BLAS runs on one thread */
    double *copy = invar_alloc((size_t)fitting, (size_t)f->size * (size_t)f->size * sizeof *copy, err);
    int singular = -1;

    if (!copy)
        return false;
#pragma omp parallel num_threads(threads)
    {
        const int own = omp_get_thread_num();
        const int working = omp_get_num_threads() < fitting ? omp_get_num_threads() : fitting;
        /* By number of thread and not as they come: each has a copy to itself. */
        for (int s = own; own < working && s < f->strengths; s += working)
            if (!solve(f, s, copy + (int64_t)own * f->size * f->size))
#pragma omp critical(ridge_singular)
                singular = s;
    }
    invar_free(copy);
    return singular < 0 || invar_error_set(err, INVAR_ERROR_NUMERIC,
                                           "alpha=%g is too weak for these features: the equations of the fit cannot "
                                           "be solved to float64; give stronger ones",
                                           f->alpha[singular]);
}

/* Weights of standardised features: the solution, or Z^T times it. */
static void fill_weights(const struct fit *f)
{
#pragma omp parallel for schedule(static)
    for (int64_t first = 0; first < f->x->cols; first += COLUMNS) {
        const int64_t cols = least(COLUMNS, f->x->cols - first);
        double z[COLUMNS];
        for (int s = 0; !f->dual && s < f->strengths; s++)
            memcpy(f->weight + s * f->x->cols + first, f->solution + s * f->size + first, (size_t)cols * sizeof *z);
        for (int64_t i = 0; f->dual && i < f->count; i++) {
            load(f, i, 1, first, cols, z);
            for (int s = 0; s < f->strengths; s++)
                linear_add(cols, f->solution[s * f->size + i], z, f->weight + s * f->x->cols + first);
        }
    }
}

/* Fits the rows of index at every strength. A zeroed fit may be freed. Fewer rows than columns are solved in the
 * space of rows (the dual): the same solution, from the smaller matrix. */
static bool fit_rows(struct fit *f, struct invar_error *err)
{
    f->dual = f->count < f->x->cols;
    f->size = f->dual ? f->count : f->x->cols;
    f->mean = invar_alloc((size_t)f->x->cols, sizeof *f->mean, err);
    f->inverse = invar_alloc((size_t)f->x->cols, sizeof *f->inverse, err);
    f->normal = invar_alloc((size_t)f->size, (size_t)f->size * sizeof *f->normal, err);
    f->right = invar_alloc((size_t)f->size, sizeof *f->right, err);
    f->solution = invar_alloc((size_t)f->strengths, (size_t)f->size * sizeof *f->solution, err);
    f->weight = invar_alloc((size_t)f->strengths, (size_t)f->x->cols * sizeof *f->weight, err);
    if (!f->mean || !f->inverse || !f->normal || !f->right || !f->solution || !f->weight)
        return false;
    standardise(f);
    if (!form(f, err) || !solve_all(f, err))
        return false;
    fill_weights(f);
    return true;
}

/* ---- choice ---- */

static int stronger(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Predictions for rows that the fit did not see: out[strengths][rows of x], at their places. Standardised by the
 * fit's own means and deviations: those of the held-out rows are not known to it. */
static void predict_rows(struct fit *f, const int64_t *index, int64_t count, double *out)
{
    f->index = index;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        double z[BLOCK];
        for (int s = 0; s < f->strengths; s++)
            /* The intercept of centred columns is the mean of the targets; it bears no penalty. */
            out[s * f->x->rows + index[i]] = f->y_mean;
        for (int64_t first = 0; first < f->x->cols; first += BLOCK) {
            const int64_t cols = least(BLOCK, f->x->cols - first);
            load(f, i, 1, first, cols, z);
            for (int s = 0; s < f->strengths; s++)
                out[s * f->x->rows + index[i]] += linear_dot(cols, z, f->weight + s * f->x->cols + first);
        }
    }
}

/* order [rows]: shuffled; rows[..]: room for those that are fitted. Folds are stretches of one shuffled order; every
 * row is predicted by the fit that has not seen it. */
static bool predict_fold(const struct invar_matrix *x, const double *y, const struct invar_ridge_options *options,
                         int64_t fold, const int64_t *order, int64_t *rows, double *out, struct invar_error *err)
{
    /* Lengths differ by one row at most, and every row is in exactly one stretch. */
    const int64_t first = x->rows * fold / options->folds, last = x->rows * (fold + 1) / options->folds;
    struct fit f = {.x = x,
                    .y = y,
                    .index = rows,
                    .count = x->rows - (last - first),
                    .alpha = options->alpha.value,
                    .strengths = options->alpha.count};

    memcpy(rows, order, (size_t)first * sizeof *rows);
    memcpy(rows + first, order + last, (size_t)(x->rows - last) * sizeof *rows);
    const bool ok = fit_rows(&f, err);
    if (ok)
        predict_rows(&f, order + first, last - first, out);
    fit_free(&f);
    return ok;
}

/* The strongest of those with the least squared error. One measurement over all folds together and not a mean over
 * folds: R2 of a small fold is mostly noise of its variance. */
static bool pick(const struct invar_matrix *x, const double *y, const struct invar_ridge_options *options,
                 const double *predictions, struct invar_ridge_result *out, struct invar_error *err)
{
    const struct invar_matrix targets = matrix_over(INVAR_FLOAT64, x->rows, 1, y);
    double best = INFINITY;

    for (int s = 0; s < options->alpha.count; s++) {
        const struct invar_matrix p = matrix_over(INVAR_FLOAT64, x->rows, 1, predictions + s * x->rows);
        struct invar_regression measured;
        if (!invar_regression_measure(&p, &targets, &measured, err))
            return false;
        invar_log(INVAR_LOG_DEBUG, "ridge: alpha %g: held-out R2 %.4f", options->alpha.value[s], measured.r2);
        /* Strictly, and strengths come from the strongest on: of equals the stronger stays. */
        if (measured.mse < best) {
            best = measured.mse;
            out->alpha = options->alpha.value[s];
            out->held_out_r2 = measured.r2;
        }
        invar_regression_free(&measured);
    }
    out->chosen = true;
    return true;
}

static bool choose(const struct invar_matrix *x, const double *y, const struct invar_ridge_options *options,
                   struct invar_ridge_result *out, struct invar_error *err)
{
    struct invar_random random = invar_random_stream((uint64_t)options->seed, INVAR_RANDOM_SPLIT, 0, 0, 0);
    int64_t *order = invar_alloc((size_t)x->rows, sizeof *order, err);
    int64_t *rows = invar_alloc((size_t)x->rows, sizeof *rows, err);
    double *predictions = invar_alloc((size_t)options->alpha.count, (size_t)x->rows * sizeof *predictions, err);
    bool ok = order && rows && predictions;

    for (int64_t i = 0; ok && i < x->rows; i++)
        order[i] = i;
    if (ok)
        invar_random_shuffle(&random, order, x->rows);
    for (int64_t fold = 0; ok && fold < options->folds; fold++)
        ok = predict_fold(x, y, options, fold, order, rows, predictions, err);
    ok = ok && pick(x, y, options, predictions, out, err);
    invar_free(order);
    invar_free(rows);
    invar_free(predictions);
    return ok;
}

/* ---- the whole ---- */

/* Weights and bias for features as they are. Given back for features as they are: whoever applies the weights needs
 * no means. */
static bool fit_all(const struct invar_matrix *x, const double *y, struct invar_ridge_result *out,
                    struct invar_error *err)
{
    int64_t *rows = invar_alloc((size_t)x->rows, sizeof *rows, err);
    struct fit f = {.x = x, .y = y, .index = rows, .count = x->rows, .alpha = &out->alpha, .strengths = 1};
    bool ok = false;

    out->weight = invar_alloc((size_t)x->cols, sizeof *out->weight, err);
    if (!rows || !out->weight)
        goto done;
    for (int64_t i = 0; i < x->rows; i++)
        rows[i] = i;
    if (!fit_rows(&f, err))
        goto done;
    out->bias = f.y_mean;
    for (int64_t j = 0; j < x->cols; j++) {
        /* w z = w (x - mean) / deviation, so the means go into the bias; a constant column has the weight 0. */
        out->weight[j] = f.weight[j] * f.inverse[j];
        out->bias -= out->weight[j] * f.mean[j];
    }
    ok = true;
done:
    fit_free(&f);
    invar_free(rows);
    return ok;
}

static bool measure(const struct invar_matrix *x, const double *y, struct invar_ridge_result *out,
                    struct invar_error *err)
{
    const struct invar_matrix targets = matrix_over(INVAR_FLOAT64, x->rows, 1, y);

    out->test_count = x->rows;
    out->predictions = invar_alloc((size_t)x->rows, sizeof *out->predictions, err);
    if (!out->predictions)
        return false;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < x->rows; i++) {
        double sum = out->bias;
        for (int64_t j = 0; j < x->cols; j++)
            sum += out->weight[j] * matrix_value(x, i, j);
        out->predictions[i] = sum;
    }
    const struct invar_matrix p = {INVAR_FLOAT64, x->rows, 1, out->predictions};
    return invar_regression_measure(&p, &targets, &out->test, err);
}

static bool check(const struct invar_matrix *train, const double *train_targets, const struct invar_matrix *test,
                  const double *test_targets, const struct invar_ridge_options *options, struct invar_error *err)
{
    /* Every fold needs a row, or the choice would be made by fewer folds than were asked for; with one strength a line
     * needs two rows. */
    const int64_t needed = options->alpha.count > 1 && options->folds > 2 ? options->folds : 2;

    if (!matrix_check(train, "training features", err) || (test && !matrix_check(test, "test features", err)))
        return false;
    if (options->alpha.count < 1)
        return invar_error_set(err, INVAR_ERROR_USAGE, "alpha is empty; give at least one strength of the penalty");
    if (train->rows < needed)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%lld training samples have a target, and %lld are needed: give more, fewer folds, or "
                               "one strength (alpha=VALUE)",
                               (long long)train->rows, (long long)needed);
    if (test && (train->cols != test->cols || train->dtype != test->dtype))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the training features have %lld columns of %s, the test features %lld of %s; both must "
                               "come from the same encoder",
                               (long long)train->cols, invar_dtype_name(train->dtype), (long long)test->cols,
                               invar_dtype_name(test->dtype));
    return matrix_check_finite(train, "training features", err) &&
           invar_targets_check(train_targets, train->rows, "training samples", err) &&
           (!test || (matrix_check_finite(test, "test features", err) &&
                      invar_targets_check(test_targets, test->rows, "test samples", err)));
}

bool invar_ridge_fit(const struct invar_matrix *train, const double *train_targets, const struct invar_matrix *test,
                     const double *test_targets, const struct invar_ridge_options *options,
                     struct invar_ridge_result *out, struct invar_error *err)
{
    const double started = invar_seconds();
    struct invar_ridge_options sorted = *options;
    struct invar_ridge_result result = {.train_count = train->rows, .dimensions = train->cols};

    if (!check(train, train_targets, test, test_targets, options, err))
        return false;
    qsort(sorted.alpha.value, (size_t)sorted.alpha.count, sizeof sorted.alpha.value[0], stronger);
    result.alpha = sorted.alpha.value[0];
    if ((sorted.alpha.count > 1 && !choose(train, train_targets, &sorted, &result, err)) ||
        !fit_all(train, train_targets, &result, err) || (test && !measure(test, test_targets, &result, err))) {
        invar_ridge_result_free(&result);
        return false;
    }
    result.seconds = invar_seconds() - started;
    *out = result;
    return true;
}

void invar_ridge_result_free(struct invar_ridge_result *result)
{
    if (!result)
        return;
    invar_free(result->weight);
    invar_free(result->predictions);
    invar_regression_free(&result->test);
    result->weight = result->predictions = NULL;
}
