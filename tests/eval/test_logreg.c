/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "invar/eval.h"
#include "invar/expert/random.h"

#include <omp.h>

struct fitted {
    double weight[64], bias[8];
    struct invar_logreg_result result;
};

static struct invar_matrix matrix_of(const struct invar_array *array)
{
    return (struct invar_matrix){array->dtype, array->shape[0], array->shape[1], array->data};
}

static void fit_golden(const char *name, int classes, double l2, enum invar_dtype dtype, double tolerance,
                       double objective, double cross_entropy)
{
    struct invar_error err = {0};
    struct invar_array features = test_golden_as(name, "features", dtype), labels = test_golden(name, "labels");
    struct invar_array weight = test_golden(name, "out_weight"), bias = test_golden(name, "out_bias");
    struct invar_matrix matrix = matrix_of(&features);
    struct invar_logreg_options options = {
        .l2 = l2, .iterations = 500, .tolerance = dtype == INVAR_FLOAT64 ? 1e-9 : 1e-6};
    struct fitted fit = {0};
    assert_ok(invar_logreg_fit(&matrix, labels.data, classes, &options, fit.weight, fit.bias, &fit.result, &err), &err);
    assert_true(fit.result.converged);
    assert_true(fit.result.gradient_norm <= options.tolerance);
    assert_true(test_error_f64(fit.weight, weight.data, classes * matrix.cols, 1e-6) <= tolerance);
    assert_true(test_error_f64(fit.bias, bias.data, classes, 1e-6) <= tolerance);
    assert_true(fabs(fit.result.objective - objective) <= tolerance * objective);
    assert_true(fabs(fit.result.cross_entropy - cross_entropy) <= tolerance * cross_entropy);
    invar_array_free(&features);
    invar_array_free(&labels);
    invar_array_free(&weight);
    invar_array_free(&bias);
}

static void test_golden_three_classes(void **state)
{
    (void)state;
    fit_golden("logreg_three_classes", 3, 0.1, INVAR_FLOAT64, 1e-6, 0.5226729987952023, 0.40530352140489667);
    fit_golden("logreg_three_classes", 3, 0.1, INVAR_FLOAT32, 1e-3, 0.5226729987952023, 0.40530352140489667);
}

static void test_golden_two_classes(void **state)
{
    (void)state;
    fit_golden("logreg_two_classes", 2, 0.01, INVAR_FLOAT64, 1e-6, 0.12118650201764816, 0.07530471780587658);
    fit_golden("logreg_two_classes", 2, 0.01, INVAR_FLOAT32, 1e-3, 0.12118650201764816, 0.07530471780587658);
}

enum { ROWS = 700, COLS = 6, CLASSES = 3 };

/* Gaussian classes; distance 0 mixes them. */
static void make_data(double *features, int64_t *labels, double distance, uint64_t seed)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, 0, 0);
    for (int i = 0; i < ROWS; i++) {
        labels[i] = (int64_t)invar_random_below(&random, CLASSES);
        for (int j = 0; j < COLS; j++)
            features[i * COLS + j] = (double)invar_random_normal(&random) + (labels[i] == j ? distance : 0);
    }
}

static struct fitted fit_made(double *features, int64_t *labels, double l2, int64_t iterations, double tolerance)
{
    struct invar_error err = {0};
    struct invar_matrix matrix = {INVAR_FLOAT64, ROWS, COLS, features};
    struct invar_logreg_options options = {.l2 = l2, .iterations = iterations, .tolerance = tolerance};
    struct fitted fit = {0};
    assert_ok(invar_logreg_fit(&matrix, labels, CLASSES, &options, fit.weight, fit.bias, &fit.result, &err), &err);
    return fit;
}

/* The gradient of the definition, summed the obvious way, vanishes at the solution. */
static void test_stationary(void **state)
{
    (void)state;
    static double features[ROWS * COLS];
    static int64_t labels[ROWS];
    make_data(features, labels, 1, 3);
    const double l2 = 0.02;
    struct fitted fit = fit_made(features, labels, l2, 500, 1e-9);
    double gradient[CLASSES][COLS + 1] = {{0}}, sum_bias = 0;
    for (int i = 0; i < ROWS; i++) {
        double p[CLASSES], sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            p[c] = fit.bias[c];
            for (int j = 0; j < COLS; j++)
                p[c] += fit.weight[c * COLS + j] * features[i * COLS + j];
            sum += p[c] = exp(p[c]);
        }
        for (int c = 0; c < CLASSES; c++) {
            double d = (p[c] / sum - (labels[i] == c)) / ROWS;
            for (int j = 0; j < COLS; j++)
                gradient[c][j] += d * features[i * COLS + j];
            gradient[c][COLS] += d;
        }
    }
    assert_true(fit.result.converged);
    for (int c = 0; c < CLASSES; c++) {
        for (int j = 0; j < COLS; j++)
            assert_near(gradient[c][j] + l2 * fit.weight[c * COLS + j], 0, 1e-8);
        assert_near(gradient[c][COLS], 0, 1e-8);
        sum_bias += fit.bias[c];
    }
    assert_near(sum_bias, 0, 1e-12);
}

/* Without a penalty the weights of separable classes grow without end; the fit must stop and stay finite. */
static void test_separable(void **state)
{
    (void)state;
    static double features[ROWS * COLS];
    static int64_t labels[ROWS];
    make_data(features, labels, 40, 4);
    struct fitted free_fit = fit_made(features, labels, 0, 50, 0);
    assert_true(isfinite(free_fit.result.objective) && free_fit.result.cross_entropy < 1e-3);
    for (int i = 0; i < CLASSES * COLS; i++)
        assert_true(isfinite(free_fit.weight[i]));
    struct fitted fit = fit_made(features, labels, 1e-3, 500, 1e-8);
    assert_true(fit.result.converged);
    assert_true(fit.result.cross_entropy < 0.05);
}

static void test_iteration_limit(void **state)
{
    (void)state;
    static double features[ROWS * COLS];
    static int64_t labels[ROWS];
    make_data(features, labels, 1, 5);
    struct fitted fit = fit_made(features, labels, 1e-6, 2, 1e-10);
    assert_int_equal(fit.result.iterations, 2);
    assert_false(fit.result.converged);
    assert_true(fit.result.gradient_norm > 1e-10);
}

/* Constant, repeated and enormous columns leave a singular or badly scaled problem. */
static void test_degenerate_columns(void **state)
{
    (void)state;
    static double features[ROWS * COLS];
    static int64_t labels[ROWS];
    make_data(features, labels, 2, 6);
    for (int i = 0; i < ROWS; i++) {
        features[i * COLS + 3] = 0;
        features[i * COLS + 4] = features[i * COLS];
        features[i * COLS + 5] = 7;
    }
    struct fitted fit = fit_made(features, labels, 1e-4, 500, 1e-8);
    assert_true(fit.result.converged);
    assert_near(fit.weight[3], 0, 1e-9);
    assert_near(fit.weight[0], fit.weight[4], 1e-3);
    double objective = fit.result.objective;
    for (int i = 0; i < ROWS * COLS; i++)
        features[i] *= 1e20;
    fit = fit_made(features, labels, 1e-4 * 1e40, 500, 1e12);
    assert_near(fit.result.objective, objective, 1e-6);
}

static void test_all_zero_features(void **state)
{
    (void)state;
    static double features[ROWS * COLS];
    static int64_t labels[ROWS];
    for (int i = 0; i < ROWS; i++)
        labels[i] = i % 7 == 0 ? 0 : i % 7 < 3 ? 1 : 2;
    struct fitted fit = fit_made(features, labels, 0.1, 200, 1e-9);
    assert_near(fit.bias[1] - fit.bias[0], log(2), 1e-6);
    assert_near(fit.bias[2] - fit.bias[0], log(4), 1e-6);
}

static void test_threads_do_not_change_bits(void **state)
{
    (void)state;
    static double features[ROWS * COLS];
    static int64_t labels[ROWS];
    make_data(features, labels, 1, 7);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    struct fitted one = fit_made(features, labels, 1e-3, 100, 1e-7);
    omp_set_num_threads(3);
    struct fitted three = fit_made(features, labels, 1e-3, 100, 1e-7);
    omp_set_num_threads(threads);
    assert_memory_equal(one.weight, three.weight, sizeof one.weight);
    assert_memory_equal(one.bias, three.bias, sizeof one.bias);
}

static void test_scores(void **state)
{
    (void)state;
    struct invar_error err = {0};
    double values[] = {1, 2, 3, -1}, weight[] = {1, 0, 0, 1, 2, 2}, bias[] = {0.5, 0, -1};
    float narrow[] = {1, 2, 3, -1}, out[6];
    struct invar_matrix wide = {INVAR_FLOAT64, 2, 2, values}, single = {INVAR_FLOAT32, 2, 2, narrow};
    const float expected[] = {1.5F, 2, 5, 3.5F, -1, 3};
    assert_ok(invar_logreg_scores(&wide, weight, bias, 3, out, &err), &err);
    assert_memory_equal(out, expected, sizeof out);
    assert_ok(invar_logreg_scores(&single, weight, bias, 3, out, &err), &err);
    assert_memory_equal(out, expected, sizeof out);
}

static void refuse(double *features, int64_t *labels, int64_t rows, int classes, enum invar_error_code code,
                   const char *text)
{
    struct invar_error err = {0};
    struct invar_matrix matrix = {INVAR_FLOAT64, rows, 2, features};
    struct invar_logreg_options options = {.l2 = 0.1, .iterations = 10, .tolerance = 1e-6};
    struct fitted fit = {0};
    assert_refused(invar_logreg_fit(&matrix, labels, classes, &options, fit.weight, fit.bias, &fit.result, &err), &err,
                   code, text);
}

static void test_refusals(void **state)
{
    (void)state;
    double features[] = {1, 2, 3, 4, 5, 6, 7, 8};
    int64_t labels[] = {0, 1, 0, 1};
    refuse(features, labels, 4, 1, INVAR_ERROR_DATA, "at least 2");
    refuse(features, labels, 0, 2, INVAR_ERROR_DATA, "empty");
    refuse(features, labels, 4, 3, INVAR_ERROR_DATA, "has the label 2");
    labels[2] = 2;
    refuse(features, labels, 4, 2, INVAR_ERROR_DATA, "row 2 of the training features has the label 2; expected 0 to 1");
    labels[2] = -1;
    refuse(features, labels, 4, 2, INVAR_ERROR_DATA, "row 2 of the training features has no label");
    labels[2] = INT64_MIN;
    refuse(features, labels, 4, 2, INVAR_ERROR_DATA, "row 2");
    labels[2] = 0;
    features[7] = NAN;
    refuse(features, labels, 4, 2, INVAR_ERROR_NUMERIC, "row 3 of the training features holds NaN");
    features[3] = -INFINITY;
    refuse(features, labels, 4, 2, INVAR_ERROR_NUMERIC, "row 1 of the training features holds NaN, Inf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_three_classes),
        cmocka_unit_test(test_golden_two_classes),
        cmocka_unit_test(test_stationary),
        cmocka_unit_test(test_separable),
        cmocka_unit_test(test_iteration_limit),
        cmocka_unit_test(test_degenerate_columns),
        cmocka_unit_test(test_all_zero_features),
        cmocka_unit_test(test_threads_do_not_change_bits),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
