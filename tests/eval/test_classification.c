/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of predictions beside what their definitions say word by word, and what they refuse. */
#include "test.h"

#include "invar/classification.h"
#include "invar/expert/random.h"

TEST_COVERS("measure.auroc measure.calibration measure.classification measure.group_accuracy");

enum { ROWS = 200, CLASSES = 5 };

struct data {
    double scores[ROWS * CLASSES];
    int64_t labels[ROWS];
};

/* Scores with many ties; the last class does not occur. */
static void make_data(struct data *data, uint64_t seed)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, 0, 0);

    for (int i = 0; i < ROWS; i++) {
        data->labels[i] = i % (CLASSES - 1);
        for (int c = 0; c < CLASSES; c++)
            data->scores[i * CLASSES + c] = round(2 * ((double)invar_random_normal(&random) + (c == data->labels[i])));
    }
}

static struct invar_matrix matrix_of(double *scores, int64_t rows, int64_t cols)
{
    return (struct invar_matrix){INVAR_FLOAT64, rows, cols, scores};
}

static void test_auroc_counts_pairs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct invar_error err = {0};
        struct invar_auroc auroc;
        struct data data;
        double mean = 0;
        make_data(&data, seed);
        const struct invar_matrix scores = matrix_of(data.scores, ROWS, CLASSES);
        assert_ok(invar_auroc_measure(&scores, data.labels, &auroc, &err), &err);
        assert_int_equal(auroc.count, CLASSES - 1);
        for (int c = 0; c < CLASSES - 1; c++) {
            double wins = 0, pairs = 0;
            for (int i = 0; i < ROWS; i++)
                for (int j = 0; j < ROWS; j++) {
                    if (data.labels[i] != c || data.labels[j] == c)
                        continue;
                    const double a = data.scores[i * CLASSES + c], b = data.scores[j * CLASSES + c];
                    wins += a > b ? 1 : a < b ? 0 : 0.5;
                    pairs++;
                }
            assert_int_equal(auroc.label[c], c);
            assert_near(auroc.each[c], wins / pairs, 1e-14);
            mean += wins / pairs / (CLASSES - 1);
        }
        assert_near(auroc.mean, mean, 1e-14);
        invar_auroc_free(&auroc);
    }
}

static void test_auroc_of_one_class(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_auroc auroc;
    double scores[] = {1, 2, 3, 4, 0, 1};
    const int64_t labels[] = {1, 1, 1}, strange[] = {1, 0, 2};
    struct invar_matrix matrix = matrix_of(scores, 3, 2);

    assert_refused(invar_auroc_measure(&matrix, labels, &auroc, &err), &err, INVAR_ERROR_DATA,
                   "all 3 test samples are of the class 1");
    assert_refused(invar_auroc_measure(&matrix, strange, &auroc, &err), &err, INVAR_ERROR_DATA, "label 2");
}

/* Recall, F1 and confusion by hand: class 2 is predicted and never true, class 3 neither. */
static void test_classification(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_classification result;
    const int64_t labels[] = {0, 0, 0, 1, 1, 4}, predictions[] = {0, 0, 2, 1, 0, 4};

    assert_ok(invar_classification_measure(predictions, labels, 6, CLASSES, &result, &err), &err);
    assert_near(result.accuracy, 4.0 / 6, 1e-15);
    assert_near(result.balanced_accuracy, (2.0 / 3 + 0.5 + 1) / 3, 1e-15);
    assert_near(result.macro_f1, (4.0 / 6 + 2.0 / 3 + 0 + 1) / 4, 1e-15);
    assert_near(result.recall[2], 0, 0);
    assert_near(result.f1[3], 0, 0);
    assert_int_equal(result.confusion[0 * CLASSES + 2], 1);
    invar_classification_free(&result);
    const int64_t beyond[] = {0, 0, 5, 1, 0, 4}, none[] = {0, -1, 0, 1, 1, 4};
    assert_refused(invar_classification_measure(beyond, labels, 6, CLASSES, &result, &err), &err, INVAR_ERROR_DATA,
                   "label 5");
    assert_refused(invar_classification_measure(predictions, none, 6, CLASSES, &result, &err), &err, INVAR_ERROR_DATA,
                   "no label");
    assert_refused(invar_classification_measure(predictions, labels, 0, CLASSES, &result, &err), &err, INVAR_ERROR_DATA,
                   "no predictions");
}

static void test_predictions_of_equal_scores(void **state)
{
    (void)state;
    struct invar_error err = {0};
    double scores[] = {1, 1, 0, 0, 3, 3};
    int64_t predictions[2];
    const struct invar_matrix matrix = matrix_of(scores, 2, 3);

    assert_ok(invar_predict(&matrix, predictions, &err), &err);
    assert_int_equal(predictions[0], 0);
    assert_int_equal(predictions[1], 1);
}

/* A confidence on a border belongs to the bin below it, 0 and 1 to the outer ones. */
static void test_borders_of_bins(void **state)
{
    (void)state;
    for (int bins = 1; bins <= 40; bins++)
        for (int b = (bins + 1) / 2; b <= bins; b++) {
            struct invar_error err = {0};
            struct invar_calibration result;
            const double p = (double)b / bins;
            double row[] = {p, 1 - p};
            const int64_t label = 0;
            const struct invar_matrix matrix = matrix_of(row, 1, 2);
            assert_ok(invar_calibration_measure(&matrix, &label, bins, &result, &err), &err);
            assert_int_equal(result.count[b - 1], 1);
            assert_near(result.ece, 1 - p, 1e-15);
            assert_near(result.mce, 1 - p, 1e-15);
            invar_calibration_free(&result);
        }
}

static void test_probabilities(void **state)
{
    (void)state;
    struct invar_error err = {0};
    double logits[] = {1000, 1001, -1e9, 0, 0, 0}, votes[] = {1, 3, 0, 0, 0, 0}, out[6];
    struct invar_matrix matrix = matrix_of(logits, 2, 3);
    const double e = exp(1);

    assert_ok(invar_probabilities(&matrix, INVAR_SCORES_LOGITS, out, &err), &err);
    assert_near(out[0], 1 / (1 + e), 1e-15);
    assert_near(out[2], 0, 0);
    assert_near(out[5], 1.0 / 3, 1e-15);
    matrix.data = votes;
    assert_ok(invar_probabilities(&matrix, INVAR_SCORES_VOTES, out, &err), &err);
    assert_near(out[1], 0.75, 0);
    assert_near(out[4], 1.0 / 3, 1e-15);
    votes[2] = -1;
    assert_refused(invar_probabilities(&matrix, INVAR_SCORES_VOTES, out, &err), &err, INVAR_ERROR_NUMERIC, "row 0");
}

static void test_groups(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_group_accuracy result;
    const int64_t labels[] = {0, 1, 0, 1, 0, 1}, predictions[] = {0, 1, 1, 1, 0, 0}, groups[] = {7, -1, 7, 7, -1, 3};

    assert_ok(invar_group_accuracy_measure(predictions, labels, groups, 6, &result, &err), &err);
    assert_int_equal(result.count, 3);
    assert_int_equal(result.group[0], -1);
    assert_int_equal(result.samples[2], 3);
    assert_near(result.accuracy[0], 1, 0);
    assert_near(result.worst, 0, 0);
    assert_near(result.all, 4.0 / 6, 1e-15);
    assert_near(result.mean, (1 + 0 + 2.0 / 3) / 3, 1e-15);
    invar_group_accuracy_free(&result);
    assert_refused(invar_group_accuracy_measure(predictions, labels, groups, 0, &result, &err), &err, INVAR_ERROR_DATA,
                   "group");
}

/* Wherever it stands, whichever measure: NaN is refused by its row. */
static void test_nan(void **state)
{
    (void)state;
    for (int place = 0; place < 6; place++) {
        struct invar_error err = {0};
        double scores[] = {0.5, 0.5, 0.25, 0.75, 1, 0}, out[6];
        const int64_t labels[] = {0, 1, 0};
        int64_t predictions[3];
        struct invar_auroc auroc;
        struct invar_calibration calibration;
        const struct invar_matrix matrix = matrix_of(scores, 3, 2);
        char row[16];
        scores[place] = place % 3 ? (double)NAN : (double)INFINITY;
        snprintf(row, sizeof row, "row %d", place / 2);
        assert_refused(invar_predict(&matrix, predictions, &err), &err, INVAR_ERROR_NUMERIC, row);
        assert_refused(invar_auroc_measure(&matrix, labels, &auroc, &err), &err, INVAR_ERROR_NUMERIC, row);
        assert_refused(invar_probabilities(&matrix, INVAR_SCORES_LOGITS, out, &err), &err, INVAR_ERROR_NUMERIC, row);
        assert_refused(invar_probabilities(&matrix, INVAR_SCORES_VOTES, out, &err), &err, INVAR_ERROR_NUMERIC, row);
        assert_refused(invar_calibration_measure(&matrix, labels, 15, &calibration, &err), &err, INVAR_ERROR_NUMERIC,
                       row);
    }
}

static void test_what_is_no_probability(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_calibration result;
    double sum[] = {0.5, 0.4}, beyond[] = {1.5, -0.5};
    const int64_t label = 0;
    struct invar_matrix matrix = matrix_of(sum, 1, 2);

    assert_refused(invar_calibration_measure(&matrix, &label, 15, &result, &err), &err, INVAR_ERROR_NUMERIC, "sum 0.9");
    matrix.data = beyond;
    assert_refused(invar_calibration_measure(&matrix, &label, 15, &result, &err), &err, INVAR_ERROR_NUMERIC,
                   "outside 0 to 1");
    assert_refused(invar_calibration_measure(&matrix, &label, 0, &result, &err), &err, INVAR_ERROR_USAGE, "0 bins");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auroc_counts_pairs),
        cmocka_unit_test(test_auroc_of_one_class),
        cmocka_unit_test(test_classification),
        cmocka_unit_test(test_predictions_of_equal_scores),
        cmocka_unit_test(test_borders_of_bins),
        cmocka_unit_test(test_probabilities),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_what_is_no_probability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
