/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "invar/eval.h"
#include "invar/expert/random.h"

static struct invar_matrix matrix_of(const struct invar_array *array)
{
    return (struct invar_matrix){array->dtype, array->shape[0], array->shape[1], array->data};
}

static void golden(const char *name, int64_t k, double temperature, int classes, enum invar_dtype dtype,
                   double tolerance)
{
    struct invar_error err = {0};
    struct invar_array train = test_golden_as(name, "train", dtype), test = test_golden_as(name, "test", dtype);
    struct invar_array labels = test_golden(name, "labels"), scores = test_golden(name, "out_scores");
    struct invar_array predictions = test_golden(name, "out_predictions");
    struct invar_matrix train_matrix = matrix_of(&train), test_matrix = matrix_of(&test);
    int64_t got[64];
    double got_scores[64 * 4];
    assert_ok(
        invar_neighbours(&train_matrix, labels.data, &test_matrix, classes, k, temperature, got, got_scores, &err),
        &err);
    assert_memory_equal(got, predictions.data, (size_t)test_matrix.rows * sizeof got[0]);
    assert_true(test_error_f64(got_scores, scores.data, test_matrix.rows * classes, 1e-6) <= tolerance);
    invar_array_free(&train);
    invar_array_free(&test);
    invar_array_free(&labels);
    invar_array_free(&scores);
    invar_array_free(&predictions);
}

static void test_golden_cases(void **state)
{
    (void)state;
    golden("knn_k5", 5, 0.07, 3, INVAR_FLOAT64, 1e-10);
    golden("knn_k5", 5, 0.07, 3, INVAR_FLOAT32, 1e-5);
    golden("knn_k20", 20, 0.5, 4, INVAR_FLOAT64, 1e-10);
    golden("knn_k20", 20, 0.5, 4, INVAR_FLOAT32, 1e-5);
}

/* More rows than a block of either side, against every similarity sorted. */
static void test_blocks_against_sorting(void **state)
{
    (void)state;
    enum { TRAIN = 4500, TEST = 150, COLS = 5, K = 7 };
    struct invar_error err = {0};
    static double train[TRAIN * COLS], test[TEST * COLS], similarity[TEST * K];
    static int64_t index[TEST * K];
    struct invar_random random = invar_random_stream(11, INVAR_RANDOM_TEST, 0, 0, 0);
    for (int i = 0; i < TRAIN * COLS; i++)
        train[i] = (double)invar_random_normal(&random);
    for (int i = 0; i < TEST * COLS; i++)
        test[i] = (double)invar_random_normal(&random);
    struct invar_matrix a = {INVAR_FLOAT64, TRAIN, COLS, train}, b = {INVAR_FLOAT64, TEST, COLS, test};
    assert_ok(invar_neighbours_find(&a, &b, K, index, similarity, &err), &err);
    for (int t = 0; t < TEST; t++) {
        for (int n = 0; n < K; n++) {
            const double *x = test + t * COLS, *y = train + index[t * K + n] * COLS;
            double xy = 0, xx = 0, yy = 0;
            for (int j = 0; j < COLS; j++)
                xy += x[j] * y[j], xx += x[j] * x[j], yy += y[j] * y[j];
            assert_near(similarity[t * K + n], xy / sqrt(xx * yy), 1e-12);
            assert_true(n == 0 || similarity[t * K + n] <= similarity[t * K + n - 1]);
        }
        int nearer = 0;
        for (int i = 0; i < TRAIN; i++) {
            double xy = 0, xx = 0, yy = 0;
            for (int j = 0; j < COLS; j++) {
                double x = test[t * COLS + j], y = train[i * COLS + j];
                xy += x * y, xx += x * x, yy += y * y;
            }
            nearer += xy / sqrt(xx * yy) > similarity[t * K + K - 1] + 1e-12;
        }
        assert_int_equal(nearer, K - 1);
    }
}

static void test_ties_and_zero_rows(void **state)
{
    (void)state;
    struct invar_error err = {0};
    float train[] = {1, 0, 1, 0, 0, 0, 1, 0}, test[] = {2, 0, 0, 0};
    int64_t labels[] = {1, 0, 2, 2}, index[4], predictions[2];
    double similarity[4], scores[6];
    struct invar_matrix a = {INVAR_FLOAT32, 4, 2, train}, b = {INVAR_FLOAT32, 2, 2, test};
    assert_ok(invar_neighbours_find(&a, &b, 2, index, similarity, &err), &err);
    assert_int_equal(index[0], 0);
    assert_int_equal(index[1], 1);
    assert_near(similarity[2], 0, 0);
    /* k beyond the training rows means all of them; equal scores go to the smaller class */
    assert_ok(invar_neighbours(&a, labels, &b, 3, 100, 1, predictions, scores, &err), &err);
    assert_int_equal(predictions[0], 2);
    assert_near(scores[2], exp(1) + 1, 1e-12);
    assert_ok(invar_neighbours(&a, labels, &b, 3, 2, 1, predictions, NULL, &err), &err);
    assert_int_equal(predictions[0], 0);
}

static void test_refusals(void **state)
{
    (void)state;
    struct invar_error err = {0};
    float train[] = {1, 0, 0, 1}, test[] = {1, 1};
    int64_t labels[] = {0, 1}, predictions[1], index[2];
    double similarity[2];
    struct invar_matrix a = {INVAR_FLOAT32, 2, 2, train}, b = {INVAR_FLOAT32, 1, 2, test};
    assert_refused(invar_neighbours(&a, labels, &b, 2, 0, 1, predictions, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "0 neighbours");
    assert_refused(invar_neighbours(&a, labels, &b, 2, 1, 0, predictions, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "temperature");
    assert_refused(invar_neighbours_find(&a, &b, 3, index, similarity, &err), &err, INVAR_ERROR_USAGE, "1 to 2");
    b.cols = 1;
    assert_refused(invar_neighbours(&a, labels, &b, 2, 1, 1, predictions, NULL, &err), &err, INVAR_ERROR_DATA,
                   "2 columns");
    b.cols = 2;
    labels[1] = 5;
    assert_refused(invar_neighbours(&a, labels, &b, 2, 1, 1, predictions, NULL, &err), &err, INVAR_ERROR_DATA,
                   "label 5");
    labels[1] = 1;
    test[1] = NAN;
    assert_refused(invar_neighbours(&a, labels, &b, 2, 1, 1, predictions, NULL, &err), &err, INVAR_ERROR_NUMERIC,
                   "row 0 of the test features");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_cases),
        cmocka_unit_test(test_blocks_against_sorting),
        cmocka_unit_test(test_ties_and_zero_rows),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
