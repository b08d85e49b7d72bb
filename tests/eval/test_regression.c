/* SPDX-License-Identifier: Apache-2.0 */
/* Labels that are numbers: measures by their definitions, and ridge regression by the equations that it must meet. */
#include "test.h"

#include "invar/memory.h"
#include "invar/expert/random.h"
#include "invar/regression.h"

#include <omp.h>

TEST_COVERS("measure.regression");

static struct invar_matrix column(const double *values, int64_t rows)
{
    return (struct invar_matrix){INVAR_FLOAT64, rows, 1, (void *)values};
}

/* ---- measures ---- */

/* The mean rank of a value by counting. */
static double rank_of(const double *value, int64_t count, int64_t at)
{
    double rank = 0.5;
    for (int64_t i = 0; i < count; i++)
        rank += value[i] < value[at] ? 1 : value[i] > value[at] ? 0 : 0.5;
    return rank;
}

static void test_spearman_counts_ranks(void **state)
{
    (void)state;
    enum { COUNT = 150 };
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, 0, 0);
    struct invar_error err = {0};

    for (int ties = 1; ties <= 40; ties += 13) {
        double a[COUNT], b[COUNT], cubed[COUNT], aa = 0, bb = 0, ab = 0, rho, again;
        for (int i = 0; i < COUNT; i++) {
            a[i] = round(ties * (double)invar_random_normal(&random));
            b[i] = round(a[i] + ties * (double)invar_random_normal(&random));
            cubed[i] = 7 + b[i] * b[i] * b[i];
        }
        for (int i = 0; i < COUNT; i++) {
            const double x = rank_of(a, COUNT, i) - (COUNT + 1) / 2.0, y = rank_of(b, COUNT, i) - (COUNT + 1) / 2.0;
            aa += x * x;
            bb += y * y;
            ab += x * y;
        }
        assert_ok(invar_spearman(a, b, COUNT, &rho, &err), &err);
        assert_near(rho, ab / sqrt(aa * bb), 1e-12);
        assert_ok(invar_spearman(a, cubed, COUNT, &again, &err), &err);
        assert_near(again, rho, 0);
    }
}

static void test_spearman_refusals(void **state)
{
    (void)state;
    struct invar_error err = {0};
    const double a[] = {1, 2, 3}, same[] = {4, 4, 4}, bad[] = {1, (double)NAN, 3};
    double rho;

    assert_refused(invar_spearman(a, same, 3, &rho, &err), &err, INVAR_ERROR_DATA, "equal");
    assert_refused(invar_spearman(bad, a, 3, &rho, &err), &err, INVAR_ERROR_NUMERIC, "row 1");
    assert_refused(invar_spearman(a, a, 1, &rho, &err), &err, INVAR_ERROR_DATA, "expected 2");
}

static void test_measures(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_regression result;
    double y[] = {1, 2, 3, 6}, p[] = {1, 3, 3, 4}, same[] = {0.1, 0.1, 0.1, 0.1};
    struct invar_matrix targets = column(y, 4), predictions = column(p, 4);

    assert_ok(invar_regression_measure(&predictions, &targets, &result, &err), &err);
    assert_near(result.r2, 1 - 5.0 / 14, 1e-15);
    assert_near(result.mse, 1.25, 1e-15);
    assert_near(result.mae, 0.75, 1e-15);
    assert_near(result.spearman, 4.5 / sqrt(5 * 4.5), 1e-15);
    invar_regression_free(&result);
    /* a constant target: 1 where it is met, else 0; it has no ranks */
    targets.data = same;
    assert_ok(invar_regression_measure(&predictions, &targets, &result, &err), &err);
    assert_near(result.r2, 0, 0);
    assert_true(isnan(result.spearman));
    invar_regression_free(&result);
    assert_ok(invar_regression_measure(&targets, &targets, &result, &err), &err);
    assert_near(result.r2, 1, 0);
    invar_regression_free(&result);
    for (int i = 0; i < 4; i++) {
        const double kept = p[i];
        p[i] = i % 2 ? (double)NAN : -(double)INFINITY;
        assert_refused(invar_regression_measure(&predictions, &targets, &result, &err), &err, INVAR_ERROR_NUMERIC,
                       "predictions");
        assert_refused(invar_regression_measure(&targets, &predictions, &result, &err), &err, INVAR_ERROR_NUMERIC,
                       "targets");
        p[i] = kept;
    }
    targets.rows = 3;
    assert_refused(invar_regression_measure(&predictions, &targets, &result, &err), &err, INVAR_ERROR_DATA, "shape");
}

static void test_neighbours_average(void **state)
{
    (void)state;
    const int64_t index[] = {2, 0};
    const double similarity[] = {0.9, 0.8}, targets[] = {10, 99, 4};

    assert_near(invar_neighbours_average(index, similarity, 2, targets, (double)INFINITY), 7, 1e-15);
    assert_near(invar_neighbours_average(index, similarity, 1, targets, 0.1), 4, 0);
    assert_near(invar_neighbours_average(index, similarity, 2, targets, 0.1), (4 * exp(1) + 10) / (exp(1) + 1), 1e-12);
    assert_near(invar_neighbours_average(index, similarity, 2, targets, 1e-4), 4, 1e-12);
}

/* ---- ridge ---- */

enum { MOST_ROWS = 900, MOST_COLS = 700 };

struct data {
    int64_t rows, cols;
    double *x, *y; /* of MOST_ROWS and MOST_COLS */
};

/* Columns of different scale and mean, column 1 constant; targets with an offset. */
static void make_data(struct data *d, int64_t rows, int64_t cols)
{
    struct invar_random random = invar_random_stream(8, INVAR_RANDOM_TEST, 0, 0, 0);

    d->rows = rows;
    d->cols = cols;
    for (int64_t i = 0; i < rows; i++) {
        d->y[i] = 50 + (double)invar_random_normal(&random);
        for (int64_t j = 0; j < cols; j++) {
            const double z = (double)invar_random_normal(&random);
            d->x[i * cols + j] = j == 1 ? 0.1 : (double)(1 + j % 7) * z + (double)(j % 5);
            d->y[i] += j % 10 ? 0 : z;
        }
    }
}

static int set_up(void **state)
{
    static struct data data;
    struct invar_error err = {0};

    data.x = invar_alloc(MOST_ROWS * MOST_COLS, sizeof *data.x, &err);
    data.y = invar_alloc(MOST_ROWS, sizeof *data.y, &err);
    *state = &data;
    return data.x && data.y ? 0 : -1;
}

static int tear_down(void **state)
{
    struct data *data = *state;

    invar_free(data->x);
    invar_free(data->y);
    return 0;
}

static struct invar_matrix features_of(const struct data *d)
{
    return (struct invar_matrix){INVAR_FLOAT64, d->rows, d->cols, d->x};
}

static struct invar_ridge_options options_of(double alpha)
{
    struct invar_ridge_options options;

    invar_options_default(invar_ridge_option_table, &options);
    if (alpha > 0)
        options.alpha = (struct invar_real_list){1, {alpha}};
    return options;
}

/* At the solution residuals sum to 0, and Z^T residual = alpha w. */
static void check_solution(const struct data *d, const struct invar_ridge_result *result)
{
    double sum = 0, *residual = invar_alloc((size_t)d->rows, sizeof *residual, NULL);

    for (int64_t i = 0; i < d->rows; i++) {
        residual[i] = d->y[i] - result->bias;
        for (int64_t j = 0; j < d->cols; j++)
            residual[i] -= result->weight[j] * d->x[i * d->cols + j];
        sum += residual[i];
    }
    assert_near(sum, 0, 1e-7);
    for (int64_t j = 0; j < d->cols; j++) {
        double mean = 0, variance = 0, product = 0;
        for (int64_t i = 0; i < d->rows; i++)
            mean += d->x[i * d->cols + j] / (double)d->rows;
        for (int64_t i = 0; i < d->rows; i++) {
            variance += (d->x[i * d->cols + j] - mean) * (d->x[i * d->cols + j] - mean) / (double)d->rows;
            product += (d->x[i * d->cols + j] - mean) * residual[i];
        }
        if (j == 1)
            assert_near(result->weight[j], 0, 0);
        else
            assert_near(product, result->alpha * result->weight[j] * variance, 1e-7);
    }
    invar_free(residual);
}

static void test_ridge_meets_its_equations(void **state)
{
    struct data *d = *state;
    static const int64_t shapes[][2] = {{900, 40}, {300, 300}, {600, 520}, {60, 700}, {2, 3}};
    static const double alphas[] = {1e-3, 1, 1e4};

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t a = 0; a < sizeof alphas / sizeof *alphas; a++) {
            struct invar_error err = {0};
            struct invar_ridge_result result;
            const struct invar_ridge_options options = options_of(alphas[a]);
            make_data(d, shapes[s][0], shapes[s][1]);
            const struct invar_matrix x = features_of(d);
            assert_ok(invar_ridge_fit(&x, d->y, NULL, NULL, &options, &result, &err), &err);
            assert_false(result.chosen);
            check_solution(d, &result);
            invar_ridge_result_free(&result);
        }
}

/* Scale and place of a column, and rounding of features to float32, change nothing that counts. */
static void test_ridge_of_scaled_columns(void **state)
{
    struct data *d = *state;
    static const double scale[] = {1e-6, 1, 1e6}, shift[] = {0, 1e4};
    const struct invar_ridge_options options = options_of(0);
    double *plain = invar_alloc(400, sizeof *plain, NULL), alpha = 0, r2 = 0;

    for (int k = 0; k < 6; k++) {
        struct invar_error err = {0};
        struct invar_ridge_result result;
        make_data(d, 400, 30);
        for (int64_t i = 0; i < d->rows * d->cols; i++)
            d->x[i] = d->x[i] * scale[(i % d->cols + k) % 3] + shift[k % 2] * (double)(i % d->cols % 2);
        const struct invar_matrix x = features_of(d);
        assert_ok(invar_ridge_fit(&x, d->y, &x, d->y, &options, &result, &err), &err);
        assert_true(result.chosen);
        if (k == 0) {
            memcpy(plain, result.predictions, 400 * sizeof *plain);
            alpha = result.alpha;
            r2 = result.held_out_r2;
        }
        assert_near(result.alpha, alpha, 0);
        assert_near(result.held_out_r2, r2, 1e-6);
        for (int i = 0; i < 400; i++)
            assert_near(result.predictions[i], plain[i], 1e-6);
        invar_ridge_result_free(&result);
    }
    invar_free(plain);
}

static void test_ridge_is_the_same_on_any_number_of_threads(void **state)
{
    struct data *d = *state;
    static const int64_t shapes[][2] = {{800, 300}, {200, 600}};
    const int before = omp_get_max_threads();

    for (int s = 0; s < 2; s++) {
        double weight[700];
        const struct invar_ridge_options options = options_of(0);
        make_data(d, shapes[s][0], shapes[s][1]);
        const struct invar_matrix x = features_of(d);
        for (int threads = 1; threads <= 5; threads += 2) {
            struct invar_error err = {0};
            struct invar_ridge_result result;
            omp_set_num_threads(threads);
            assert_ok(invar_ridge_fit(&x, d->y, NULL, NULL, &options, &result, &err), &err);
            if (threads == 1)
                memcpy(weight, result.weight, (size_t)d->cols * sizeof *weight);
            assert_memory_equal(result.weight, weight, (size_t)d->cols * sizeof *weight);
            invar_ridge_result_free(&result);
        }
    }
    omp_set_num_threads(before);
}

/* Noise alone wants the strongest penalty, and as many columns as rows a strong one; a line wants hardly any. */
static void test_ridge_chooses(void **state)
{
    struct data *d = *state;
    struct invar_error err = {0};
    struct invar_ridge_result result;
    const struct invar_ridge_options options = options_of(0);

    make_data(d, 500, 20);
    const struct invar_matrix x = features_of(d);
    for (int i = 0; i < 500; i++)
        d->y[i] = 3 * d->x[i * 20 + 4] - d->x[i * 20 + 7];
    assert_ok(invar_ridge_fit(&x, d->y, &x, d->y, &options, &result, &err), &err);
    assert_near(result.alpha, 1e-3, 0);
    assert_near(result.held_out_r2, 1, 1e-6);
    assert_near(result.test.r2, 1, 1e-9);
    assert_near(result.weight[4], 3, 1e-4);
    invar_ridge_result_free(&result);
    struct invar_random random = invar_random_stream(9, INVAR_RANDOM_TEST, 0, 0, 0);
    for (int i = 0; i < 500; i++)
        d->y[i] = (double)invar_random_normal(&random);
    assert_ok(invar_ridge_fit(&x, d->y, NULL, NULL, &options, &result, &err), &err);
    assert_true(result.alpha >= 1e3);
    invar_ridge_result_free(&result);
}

static void test_ridge_refusals(void **state)
{
    struct data *d = *state;
    struct invar_error err = {0};
    struct invar_ridge_result result;
    struct invar_ridge_options options = options_of(0);

    make_data(d, 50, 6);
    struct invar_matrix x = features_of(d);
    const double kept = d->y[7];
    d->y[7] = (double)NAN;
    assert_refused(invar_ridge_fit(&x, d->y, NULL, NULL, &options, &result, &err), &err, INVAR_ERROR_DATA, "row 7");
    d->y[7] = kept;
    double same[50];
    for (int i = 0; i < 50; i++)
        same[i] = 0.1;
    assert_refused(invar_ridge_fit(&x, same, NULL, NULL, &options, &result, &err), &err, INVAR_ERROR_DATA,
                   "all 50 training samples have the same target, 0.1");
    assert_refused(invar_ridge_fit(&x, d->y, &x, same, &options, &result, &err), &err, INVAR_ERROR_DATA,
                   "test samples");
    d->x[20] = (double)INFINITY;
    assert_refused(invar_ridge_fit(&x, d->y, NULL, NULL, &options, &result, &err), &err, INVAR_ERROR_NUMERIC, "row 3");
    d->x[20] = 0;
    x.rows = 4;
    assert_refused(invar_ridge_fit(&x, d->y, NULL, NULL, &options, &result, &err), &err, INVAR_ERROR_DATA, "folds");
    options.alpha.count = 0;
    assert_refused(invar_ridge_fit(&x, d->y, NULL, NULL, &options, &result, &err), &err, INVAR_ERROR_USAGE, "alpha");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spearman_counts_ranks),
        cmocka_unit_test(test_spearman_refusals),
        cmocka_unit_test(test_measures),
        cmocka_unit_test(test_neighbours_average),
        cmocka_unit_test(test_ridge_meets_its_equations),
        cmocka_unit_test(test_ridge_of_scaled_columns),
        cmocka_unit_test(test_ridge_is_the_same_on_any_number_of_threads),
        cmocka_unit_test(test_ridge_chooses),
        cmocka_unit_test(test_ridge_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
