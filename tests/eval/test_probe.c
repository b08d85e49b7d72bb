/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "invar/eval.h"
#include "invar/options.h"
#include "invar/expert/random.h"

TEST_COVERS("measure.accuracy");

static void test_wilson(void **state)
{
    (void)state;
    double low, high;
    /* Values of the textbook formula, computed independently. */
    invar_wilson_interval(8, 10, &low, &high);
    assert_near(low, 0.4901624715, 1e-9);
    assert_near(high, 0.9433178485, 1e-9);
    invar_wilson_interval(0, 20, &low, &high);
    assert_true(low == 0);
    assert_near(high, 0.1611251581, 1e-9);
    invar_wilson_interval(20, 20, &low, &high);
    assert_near(low, 0.8388748419, 1e-9);
    assert_true(high == 1);
    invar_wilson_interval(8800, 10000, &low, &high);
    assert_near(low, 0.8734845029, 1e-9);
    assert_near(high, 0.8862236583, 1e-9);
}

static void test_accuracy(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_accuracy accuracy;
    /* Seven classes; class 6 has no sample; the second row is a tie of 2 and 5, which goes to 2. */
    float scores[5 * 7] = {9, 1, 2, 3, 4, 5, 6, /* 0 first */
                           0, 0, 7, 0, 0, 7, 0, /* true 5: second */
                           7, 6, 5, 4, 3, 2, 1, /* true 5: sixth */
                           0, 9, 0, 0, 0, 0, 0, /* true 1: first */
                           5, 4, 3, 2, 1, 0, 0 /* true 4: fifth */};
    int64_t labels[] = {0, 5, 5, 1, 4};
    struct invar_matrix matrix = {INVAR_FLOAT32, 5, 7, scores};
    assert_ok(invar_accuracy_measure(&matrix, labels, &accuracy, &err), &err);
    assert_near(accuracy.top1, 40, 1e-12);
    assert_near(accuracy.top5, 80, 1e-12);
    assert_true(accuracy.low < 40 && accuracy.high > 40);
    int64_t sum = 0;
    for (int i = 0; i < 49; i++)
        sum += accuracy.confusion[i];
    assert_int_equal(sum, 5);
    assert_int_equal(accuracy.confusion[5 * 7 + 2], 1);
    assert_int_equal(accuracy.confusion[5 * 7 + 0], 1);
    assert_int_equal(accuracy.confusion[0], 1);
    assert_near(accuracy.per_class[0], 100, 0);
    assert_near(accuracy.per_class[5], 0, 0);
    assert_near(accuracy.per_class[6], 0, 0);
    /* classes 3 and 6 do not occur; 0, 1 and 2 are predicted, 5 is true twice */
    assert_near(accuracy.balanced_accuracy, 2.0 / 4, 1e-15);
    assert_near(accuracy.macro_f1, (2.0 / 4 + 1 + 0 + 0 + 0) / 5, 1e-15);
    assert_int_equal(accuracy.predictions[1], 2);
    assert_true(isnan(accuracy.auroc) && isnan(accuracy.ece));
    assert_ok(invar_accuracy_add_probabilities(&accuracy, &matrix, INVAR_SCORES_LOGITS, labels, &err), &err);
    assert_true(accuracy.auroc >= 0 && accuracy.auroc <= 1 && accuracy.ece > 0 && accuracy.ece < 1);
    int64_t same[] = {5, 5, 5, 5, 5};
    assert_ok(invar_accuracy_add_probabilities(&accuracy, &matrix, INVAR_SCORES_LOGITS, same, &err), &err);
    assert_true(isnan(accuracy.auroc) && accuracy.ece > 0);
    invar_accuracy_free(&accuracy);
    labels[3] = 7;
    assert_refused(invar_accuracy_measure(&matrix, labels, &accuracy, &err), &err, INVAR_ERROR_DATA, "label 7");
    labels[3] = 1;
    scores[20] = NAN;
    assert_refused(invar_accuracy_measure(&matrix, labels, &accuracy, &err), &err, INVAR_ERROR_NUMERIC, "row 2");
}

enum { TRAIN = 900, TEST = 300, COLS = 12, CLASSES = 4 };

struct data {
    float train[TRAIN * COLS], test[TEST * COLS];
    int64_t train_labels[TRAIN], test_labels[TEST];
};

static void make_split(float *features, int64_t *labels, int count, float distance, struct invar_random *random)
{
    for (int i = 0; i < count; i++) {
        labels[i] = i % CLASSES;
        for (int j = 0; j < COLS; j++)
            features[i * COLS + j] = invar_random_normal(random) + (labels[i] == j ? distance : 0);
    }
}

static void make_data(struct data *data, float distance)
{
    struct invar_random random = invar_random_stream(21, INVAR_RANDOM_TEST, 0, 0, 0);
    make_split(data->train, data->train_labels, TRAIN, distance, &random);
    make_split(data->test, data->test_labels, TEST, distance, &random);
}

static bool probe(struct data *data, const struct invar_probe_options *options, struct invar_probe_result *result,
                  struct invar_error *err)
{
    struct invar_matrix train = {INVAR_FLOAT32, TRAIN, COLS, data->train};
    struct invar_matrix test = {INVAR_FLOAT32, TEST, COLS, data->test};
    return invar_probe_fit(&train, data->train_labels, &test, data->test_labels, CLASSES, options, result, err);
}

static struct invar_probe_options defaults(void)
{
    struct invar_probe_options options;
    invar_options_default(invar_probe_option_table, &options);
    return options;
}

static void test_probe_separable(void **state)
{
    (void)state;
    static struct data data;
    struct invar_error err = {0};
    struct invar_probe_options options = defaults();
    struct invar_probe_result result, again;
    make_data(&data, 12);
    assert_ok(probe(&data, &options, &result, &err), &err);
    assert_near(result.test.top1, 100, 0);
    assert_true(result.fit.converged);
    assert_true(result.fit.gradient_norm <= options.tolerance);
    assert_int_equal(result.train_count, TRAIN);
    assert_int_equal(result.test_count, TEST);
    assert_int_equal(result.dimensions, COLS);
    assert_int_equal(result.held_out_count, 92); /* round(22.5) of each of four classes */
    assert_ok(probe(&data, &options, &again, &err), &err);
    assert_memory_equal(&result.fit, &again.fit, sizeof result.fit);
    invar_probe_result_free(&result);
    invar_probe_result_free(&again);
}

/* The penalty refers to features of unit mean square: their unit changes nothing. */
static void test_probe_ignores_unit(void **state)
{
    (void)state;
    static struct data data;
    struct invar_error err = {0};
    struct invar_probe_options options = defaults();
    struct invar_probe_result result, scaled;
    make_data(&data, 1.5F);
    assert_ok(probe(&data, &options, &result, &err), &err);
    assert_true(result.test.top1 > 50 && result.test.top1 < 95);
    for (int i = 0; i < TRAIN * COLS; i++)
        data.train[i] *= 1024;
    for (int i = 0; i < TEST * COLS; i++)
        data.test[i] *= 1024;
    assert_ok(probe(&data, &options, &scaled, &err), &err);
    assert_near(scaled.l2, result.l2, 0);
    assert_near(scaled.test.top1, result.test.top1, 0);
    assert_near(scaled.fit.objective, result.fit.objective, 1e-5);
    invar_probe_result_free(&result);
    invar_probe_result_free(&scaled);
}

/* The classifier that is handed out is the one that was measured, and is the same where nothing is measured. */
static void test_probe_classifier(void **state)
{
    (void)state;
    static struct data data;
    static float scores[TEST * CLASSES];
    struct invar_error err = {0};
    struct invar_probe_options options = defaults();
    struct invar_probe_result result, unmeasured;
    struct invar_accuracy accuracy;
    make_data(&data, 1.5F);
    const struct invar_matrix train = {INVAR_FLOAT32, TRAIN, COLS, data.train};
    const struct invar_matrix test = {INVAR_FLOAT32, TEST, COLS, data.test};
    const struct invar_matrix out = {INVAR_FLOAT32, TEST, CLASSES, scores};
    assert_ok(probe(&data, &options, &result, &err), &err);
    assert_ok(invar_probe_fit(&train, data.train_labels, NULL, NULL, CLASSES, &options, &unmeasured, &err), &err);
    assert_int_equal(unmeasured.test_count, 0);
    assert_memory_equal(result.weight, unmeasured.weight, sizeof(double) * CLASSES * COLS);
    assert_memory_equal(result.bias, unmeasured.bias, sizeof(double) * CLASSES);
    assert_ok(invar_logreg_scores(&test, unmeasured.weight, unmeasured.bias, CLASSES, scores, &err), &err);
    assert_ok(invar_accuracy_measure(&out, data.test_labels, &accuracy, &err), &err);
    assert_near(accuracy.top1, result.test.top1, 0);
    invar_accuracy_free(&accuracy);
    invar_probe_result_free(&result);
    invar_probe_result_free(&unmeasured);
}

static void test_probe_one_strength(void **state)
{
    (void)state;
    static struct data data;
    struct invar_error err = {0};
    struct invar_probe_options options = defaults();
    struct invar_probe_result result;
    assert_ok(invar_options_set(invar_probe_option_table, &options, "l2=0.5", &err), &err);
    make_data(&data, 3);
    assert_ok(probe(&data, &options, &result, &err), &err);
    assert_near(result.l2, 0.5, 0);
    assert_int_equal(result.held_out_count, 0);
    invar_probe_result_free(&result);
}

static void test_probe_refusals(void **state)
{
    (void)state;
    static struct data data;
    struct invar_error err = {0};
    struct invar_probe_options options = defaults();
    struct invar_probe_result result;
    make_data(&data, 3);
    data.test_labels[17] = -1;
    assert_refused(probe(&data, &options, &result, &err), &err, INVAR_ERROR_DATA, "row 17 of the test samples has no");
    data.test_labels[17] = 0;
    for (int i = 0; i < TRAIN; i++)
        data.train_labels[i] = i % 3;
    assert_refused(probe(&data, &options, &result, &err), &err, INVAR_ERROR_DATA, "has the label 3");
    make_data(&data, 3);
    data.test[5 * COLS] = INFINITY;
    assert_refused(probe(&data, &options, &result, &err), &err, INVAR_ERROR_NUMERIC, "row 5 of the test features");
    make_data(&data, 3);
    struct invar_matrix few = {INVAR_FLOAT32, 4, COLS, data.train};
    assert_refused(invar_probe_fit(&few, data.train_labels, &few, data.train_labels, CLASSES, &options, &result, &err),
                   &err, INVAR_ERROR_DATA, "too few");
}

/* So many of every class, each row once, the rest behind them; another draw differs, the same one does not. */
static void test_draws_by_class(void **state)
{
    enum { COUNT = 100, BY_CLASS = 3 };
    struct invar_error err = {0};
    int64_t labels[COUNT], index[COUNT], again[COUNT], drawn, others;
    struct invar_label_draw how = {.per_class = BY_CLASS, .seed = 5, .draw = 1};
    (void)state;
    for (int i = 0; i < COUNT; i++)
        labels[i] = i < 60 ? 0 : i < 95 ? 1 : 2; /* 60, 35, 5 */
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, index, &drawn, &err), &err);
    assert_int_equal(drawn, 3 * BY_CLASS);
    int seen[COUNT] = {0}, of[3] = {0};
    for (int i = 0; i < COUNT; i++) {
        seen[index[i]]++;
        of[labels[index[i]]] += i < drawn;
        assert_true(i == 0 || i == drawn || index[i] > index[i - 1]);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    for (int c = 0; c < 3; c++)
        assert_int_equal(of[c], BY_CLASS);
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, again, &drawn, &err), &err);
    assert_memory_equal(index, again, sizeof index);
    how.draw = 2;
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, again, &drawn, &err), &err);
    assert_memory_not_equal(index, again, sizeof index);

    how = (struct invar_label_draw){.fraction = 0.1};
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, index, &drawn, &err), &err);
    assert_int_equal(drawn, 6 + 4 + 1);
    how.fraction = 0.001; /* one at least */
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, index, &drawn, &err), &err);
    assert_int_equal(drawn, 3);
    how.fraction = 0.99; /* one is left */
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, index, &drawn, &err), &err);
    assert_int_equal(drawn, 59 + 34 + 4);
    how = (struct invar_label_draw){.per_class = 6}; /* all of the third class */
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, index, &drawn, &err), &err);
    assert_int_equal(drawn, 6 + 6 + 5);
    how.per_class = 61;
    assert_refused(invar_draw_labelled(labels, COUNT, 3, &how, index, &others, &err), &err, INVAR_ERROR_DATA,
                   "largest class has 60 samples");
    labels[7] = -2;
    assert_refused(invar_draw_labelled(labels, COUNT, 3, &how, index, &others, &err), &err, INVAR_ERROR_DATA, "row 7");
    labels[7] = -1; /* no label: drawn by nobody, and last */
    how = (struct invar_label_draw){.fraction = 1};
    assert_ok(invar_draw_labelled(labels, COUNT, 3, &how, index, &drawn, &err), &err);
    assert_int_equal(drawn, COUNT - 1);
    assert_int_equal(index[COUNT - 1], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_by_class),     cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_accuracy),           cmocka_unit_test(test_probe_separable),
        cmocka_unit_test(test_probe_ignores_unit), cmocka_unit_test(test_probe_classifier),
        cmocka_unit_test(test_probe_one_strength), cmocka_unit_test(test_probe_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
