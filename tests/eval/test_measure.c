/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements on known matrices, on bad input, and each against another way to the same number. */
#include "measuring.h"

TEST_COVERS("measure.alignment measure.entropy measure.fisher measure.generalisation measure.information "
            "measure.logdet_in_nats measure.normality measure.uniformity");

static const enum invar_entropy_estimator estimators[] = {
    INVAR_ENTROPY_GAUSSIAN, INVAR_ENTROPY_LOGDET, INVAR_ENTROPY_PAIRDIST_KL, INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA};

static void entropy_of_a_column_is_that_of_its_variance(void **state)
{
    struct invar_error err = {0};
    double values[] = {1, 5, 3, 3}, h; /* variance 8/3 */
    const struct invar_matrix z = matrix(values, 4, 1);

    (void)state;
    assert_ok(entropy(&z, INVAR_ENTROPY_GAUSSIAN, &h, &err), &err);
    assert_near(h, 0.5 * log(2 * M_PI * M_E * 8 / 3), 1e-14);
    assert_ok(entropy(&z, INVAR_ENTROPY_LOGDET, &h, &err), &err);
    assert_near(h, 0.5 * log(1 + 8.0 / 3), 1e-14);
}

/* scaling z by c adds d log c; a large LogDet comes near it; the two PairDist bounds are in their order */
static void entropies_agree_where_they_should(void **state)
{
    struct invar_error err = {0};
    enum { N = 200, D = 5 };
    double values[N * D], small, large, logdet, upper, lower;
    const struct invar_matrix z = matrix(values, N, D);
    const double beta = 1e6;

    (void)state;
    fill(values, N * D, 3, 1);
    assert_ok(entropy(&z, INVAR_ENTROPY_GAUSSIAN, &small, &err), &err);
    const struct invar_entropy_options sharp = {.estimator = INVAR_ENTROPY_LOGDET, .beta = beta};
    assert_ok(invar_measure_entropy(device, scratch, &z, &sharp, NULL, &logdet, &err), &err);
    assert_near(invar_measure_logdet_in_nats(logdet, D, beta), small, 1e-5);
    assert_ok(entropy(&z, INVAR_ENTROPY_PAIRDIST_KL, &upper, &err), &err);
    assert_ok(entropy(&z, INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA, &lower, &err), &err);
    assert_true(lower < upper);
    for (int i = 0; i < N * D; i++)
        values[i] *= 10;
    assert_ok(entropy(&z, INVAR_ENTROPY_GAUSSIAN, &large, &err), &err);
    assert_near(large, small + D * log(10), 1e-12);
}

static void identical_rows(void **state)
{
    struct invar_error err = {0};
    enum { N = 12, D = 3 };
    double values[N * D], h;
    const struct invar_matrix z = matrix(values, N, D);

    (void)state;
    for (int i = 0; i < N * D; i++)
        values[i] = 0.1 + i % D;
    assert_refused(entropy(&z, INVAR_ENTROPY_GAUSSIAN, &h, &err), &err, INVAR_ERROR_NUMERIC, "0 of 3 directions");
    assert_ok(entropy(&z, INVAR_ENTROPY_LOGDET, &h, &err), &err);
    assert_near(h, 0, 1e-14);
    /* one Gaussian: its own entropy */
    assert_ok(entropy(&z, INVAR_ENTROPY_PAIRDIST_KL, &h, &err), &err);
    assert_near(h, D / 2.0 * log(2 * M_PI * M_E), 1e-12);
    assert_ok(invar_measure_uniformity(device, scratch, &z, 2, NULL, &h, &err), &err);
    assert_near(h, 0, 1e-13);
    assert_ok(invar_measure_alignment(device, scratch, &z, &z, NULL, NULL, &h, &err), &err);
    assert_near(h, 0, 1e-15);
}

static void a_direction_that_does_not_vary(void **state)
{
    struct invar_error err = {0};
    enum { N = 20, D = 3 };
    double values[N * D], h;
    const struct invar_matrix z = matrix(values, N, D);

    (void)state;
    fill(values, N * D, 100, 2);
    for (int i = 0; i < N; i++)
        values[i * D + 2] = values[i * D] - 2 * values[i * D + 1];
    assert_refused(entropy(&z, INVAR_ENTROPY_GAUSSIAN, &h, &err), &err, INVAR_ERROR_NUMERIC, "2 of 3 directions");
}

static void correlations_are_those_of_the_spaces(void **state)
{
    struct invar_error err = {0};
    enum { N = 60, D = 3 };
    double values[N * D], other[N * D], mapped[N * D], first[D], second[D];
    const struct invar_matrix z = matrix(values, N, D), y = matrix(other, N, D), w = matrix(mapped, N, D);
    struct invar_correlation a, b;

    (void)state;
    fill(values, N * D, 5, 21);
    fill(other, N * D, -5, 22);
    for (int i = 0; i < N; i++)
        other[i * D + 1] = 3 - 0.1 * values[i * D + 2];
    for (int i = 0; i < N; i++) {
        mapped[i * D] = 5 * other[i * D] + other[i * D + 1];
        mapped[i * D + 1] = 7 - other[i * D + 1] * 4;
        mapped[i * D + 2] = other[i * D + 2] - 2 * other[i * D];
    }
    assert_ok(correlate(&z, &y, first, &a, &err), &err);
    assert_ok(correlate(&z, &w, second, &b, &err), &err);
    assert_int_equal(a.count, D);
    assert_int_equal(b.directions_tilde, D);
    assert_near(first[0], 1, 1e-12);
    assert_true(first[1] < 0.9 && first[2] <= first[1]);
    for (int k = 0; k < D; k++)
        assert_near(first[k], second[k], 1e-9);
    assert_near(a.sum, first[0] + first[1] + first[2], 1e-14);
    assert_ok(correlate(&z, &z, first, &a, &err), &err);
    assert_near(a.sum, D, 1e-12);
}

/* one variable a side: the absolute value of Pearson's correlation, by hand 3 / sqrt(5 * 2) */
static void correlation_of_columns_is_pearsons(void **state)
{
    struct invar_error err = {0};
    double values[] = {1, 2, 3, 4}, other[] = {2, 1, 1, 0}, spectrum[1];
    const struct invar_matrix z = matrix(values, 4, 1), y = matrix(other, 4, 1);
    struct invar_correlation out;

    (void)state;
    assert_ok(correlate(&z, &y, spectrum, &out, &err), &err);
    assert_near(spectrum[0], 3 / sqrt(5 * 2.0), 1e-14);
}

/* directions without variance take no part, equal rows have none at all */
static void correlations_of_what_varies(void **state)
{
    struct invar_error err = {0};
    enum { N = 30, D = 4 };
    double values[N * D], other[N * D], spectrum[D];
    const struct invar_matrix z = matrix(values, N, D), y = matrix(other, N, D);
    struct invar_correlation out;

    (void)state;
    fill(values, N * D, 1, 23);
    fill(other, N * D, 1, 24);
    for (int i = 0; i < N; i++) {
        values[i * D + 3] = values[i * D] - values[i * D + 1];
        other[i * D] = 1000;
    }
    assert_ok(correlate(&z, &y, spectrum, &out, &err), &err);
    assert_int_equal(out.directions, 3);
    assert_int_equal(out.directions_tilde, 3);
    assert_int_equal(out.count, 3);
    assert_near(spectrum[3], 0, 0);
    /* unrelated: about the edge that chance alone gives, 2 sqrt(c (1 - c)) for c = 3 / 29 */
    assert_near(out.chance, 2 * sqrt(3.0 / 29 * 26 / 29), 1e-12);
    assert_true(spectrum[0] < out.chance + 0.2);
    for (int i = 0; i < N * D; i++)
        values[i] = 0.1 + i % D;
    assert_ok(correlate(&z, &y, spectrum, &out, &err), &err);
    assert_int_equal(out.directions, 0);
    assert_int_equal(out.count, 0);
    assert_near(out.sum, 0, 0);
}

static void too_few_samples(void **state)
{
    struct invar_error err = {0};
    double values[] = {1, 2, 3, 4, 5, 7, 1, 2, 4}, h;
    const struct invar_matrix one = matrix(values, 1, 3), square = matrix(values, 3, 3), two = matrix(values, 2, 3);
    struct invar_information information;
    const struct invar_entropy_options options = {.estimator = INVAR_ENTROPY_LOGDET, .beta = 1};

    (void)state;
    for (size_t i = 0; i < sizeof estimators / sizeof *estimators; i++)
        assert_refused(entropy(&one, estimators[i], &h, &err), &err, INVAR_ERROR_DATA, "at least 2 rows");
    assert_refused(entropy(&square, INVAR_ENTROPY_GAUSSIAN, &h, &err), &err, INVAR_ERROR_DATA, "at least 4 samples");
    assert_ok(entropy(&square, INVAR_ENTROPY_LOGDET, &h, &err), &err);
    assert_refused(invar_measure_uniformity(device, scratch, &one, 2, NULL, &h, &err), &err, INVAR_ERROR_DATA,
                   "at least 2 rows");
    assert_refused(invar_measure_information(device, scratch, &square, &two, &options, NULL, NULL, &information, &err),
                   &err, INVAR_ERROR_DATA, "two views");
    assert_refused(invar_measure_alignment(device, scratch, &square, &two, NULL, NULL, &h, &err), &err,
                   INVAR_ERROR_DATA, "two views");
}

/* pairs as the formula has them, over several blocks of rows */
static void uniformity_in_blocks_is_that_of_pairs(void **state)
{
    struct invar_error err = {0};
    enum { N = 600, D = 3 };
    static double values[N * D];
    const struct invar_matrix z = matrix(values, N, D);
    double got, sum = 0;

    (void)state;
    fill(values, N * D, 0.5, 5);
    assert_ok(invar_measure_uniformity(device, scratch, &z, 2, NULL, &got, &err), &err);
    for (int i = 0; i < N; i++) {
        double length = sqrt(pow(values[i * D], 2) + pow(values[i * D + 1], 2) + pow(values[i * D + 2], 2));
        for (int j = 0; j < D; j++)
            values[i * D + j] /= length;
        for (int k = 0; k < i; k++) {
            double square = 0;
            for (int j = 0; j < D; j++)
                square += pow(values[i * D + j] - values[k * D + j], 2);
            sum += exp(-2 * square);
        }
    }
    assert_near(got, log(sum / (N * (N - 1) / 2.0)), 1e-12);
}

static void fisher_leaves_out_classes_without_scatter(void **state)
{
    struct invar_error err = {0};
    double values[] = {0, 0, 2, 0, 10, 1, 10, 3, 7, 7, 5, 5, 5, 5, 9, 9};
    const int64_t labels[] = {4, 4, 2, 2, 9, 7, 7, -1};
    const int64_t all_single[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const struct invar_matrix x = matrix(values, 8, 2);
    struct invar_fisher fisher;

    (void)state;
    assert_ok(invar_measure_fisher(&x, labels, &fisher, &err), &err);
    assert_int_equal(fisher.classes, 2);
    assert_true(fisher.ids[0] == 2 && fisher.ids[1] == 4);
    assert_int_equal(fisher.single, 1);
    assert_int_equal(fisher.collapsed, 1);
    assert_int_equal(fisher.skipped, 1);
    /* means (10, 2) and (1, 0); the ordered pairs of a class are 2 x 2^2 */
    assert_near(fisher.ratios[1], 85.0 / 8, 1e-14);
    assert_true(fisher.ratios[0] == 0);
    invar_fisher_free(&fisher);
    assert_refused(invar_measure_fisher(&x, all_single, &fisher, &err), &err, INVAR_ERROR_DATA, "8 with one sample");
}

static void normality_of_bad_samples(void **state)
{
    struct invar_error err = {0};
    double x[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    struct invar_normality out;

    (void)state;
    assert_refused(invar_measure_normality(x, 7, &out, &err), &err, INVAR_ERROR_DATA, "at least 8");
    assert_refused(invar_measure_normality(x, 8, &out, &err), &err, INVAR_ERROR_NUMERIC, "equal");
    x[5] = NAN;
    assert_refused(invar_measure_normality(x, 8, &out, &err), &err, INVAR_ERROR_NUMERIC, "value 5");
}

enum { M = 40, LABELLED = 10, TESTS = 6, DIMENSIONS = 4 };
struct bound {
    double plus[M * DIMENSIONS], plus_plus[M * DIMENSIONS], labelled[LABELLED * DIMENSIONS], test[TESTS * DIMENSIONS];
    int64_t y[M];
    struct invar_generalisation_data data;
};

static void make_bound(struct bound *b)
{
    fill(b->plus, M * DIMENSIONS, 0.2, 6);
    fill(b->plus_plus, M * DIMENSIONS, 0.2, 7);
    fill(b->labelled, LABELLED * DIMENSIONS, 0.2, 8);
    fill(b->test, TESTS * DIMENSIONS, 0.2, 9);
    for (int i = 0; i < M; i++)
        b->y[i] = i % 3;
    b->data = (struct invar_generalisation_data){.classes = 3,
                                                 .plus = matrix(b->plus, M, DIMENSIONS),
                                                 .plus_plus = matrix(b->plus_plus, M, DIMENSIONS),
                                                 .y_unlabelled = b->y,
                                                 .labelled = matrix(b->labelled, LABELLED, DIMENSIONS),
                                                 .y_labelled = b->y,
                                                 .test = matrix(b->test, TESTS, DIMENSIONS),
                                                 .y_test = b->y};
}

/* fewer samples than features: the head fits them, so that the labelled term is 0; and f -> c f leaves the scaled form
 * alone */
static void bound_with_few_samples_and_scaled_features(void **state)
{
    struct invar_error err = {0};
    struct bound b;
    struct invar_generalisation one, ten;

    (void)state;
    make_bound(&b);
    b.data.labelled.rows = 3;
    assert_ok(invar_measure_generalisation(&b.data, &one, &err), &err);
    assert_near(one.labelled_norm, 0, 1e-13);
    assert_true(one.labelled_rank == 3 && one.unlabelled_rank == DIMENSIONS);
    double *const parts[] = {b.plus, b.plus_plus, b.labelled, b.test};
    const int counts[] = {M, M, LABELLED, TESTS};
    for (int p = 0; p < 4; p++)
        for (int i = 0; i < counts[p] * DIMENSIONS; i++)
            parts[p][i] *= 10;
    assert_ok(invar_measure_generalisation(&b.data, &ten, &err), &err);
    assert_near(ten.invariance, 10 * one.invariance, 1e-12);
    assert_near(ten.invariance_scaled, one.invariance_scaled, 1e-12);
    assert_near(ten.sum_scaled_without_q, one.sum_scaled_without_q, 1e-12);
    assert_near(ten.test_error, one.test_error, 1e-12);
    invar_generalisation_free(&one);
    invar_generalisation_free(&ten);
}

/* features that are all zero: rank 0, a head of zeros, |P Y| = |Y| */
static void bound_of_collapsed_features(void **state)
{
    struct invar_error err = {0};
    struct bound b;
    struct invar_generalisation out;

    (void)state;
    make_bound(&b);
    memset(b.plus, 0, sizeof b.plus);
    memset(b.labelled, 0, sizeof b.labelled);
    assert_ok(invar_measure_generalisation(&b.data, &out, &err), &err);
    assert_true(out.unlabelled_rank == 0 && out.labelled_rank == 0 && out.head[0] == 0);
    assert_near(out.unlabelled_term, 2, 1e-14);
    assert_near(out.labelled_term, 1, 1e-14);
    assert_near(out.test_error, 1, 1e-14);
    invar_generalisation_free(&out);
}

/* Targets that are the columns of one-hot labels: the squares of their norms add up to that of the labels, and their
 * heads are its rows; twice the target is twice of everything. */
static void bound_of_targets(void **state)
{
    struct invar_error err = {0};
    struct bound b;
    struct invar_generalisation all, one, twice;
    double t[M], unlabelled = 0, labelled = 0, error = 0;

    (void)state;
    make_bound(&b);
    assert_ok(invar_measure_generalisation(&b.data, &all, &err), &err);
    b.data.classes = 0;
    b.data.t_unlabelled = b.data.t_labelled = b.data.t_test = t;
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < M; i++)
            t[i] = b.y[i] == c;
        assert_ok(invar_measure_generalisation(&b.data, &one, &err), &err);
        unlabelled += one.unlabelled_norm * one.unlabelled_norm;
        labelled += one.labelled_norm * one.labelled_norm;
        for (int j = 0; j < DIMENSIONS; j++)
            assert_near(one.head[j], all.head[c * DIMENSIONS + j], 1e-12);
        error = 0;
        for (int i = 0; i < TESTS; i++) {
            double score = -t[i];
            for (int j = 0; j < DIMENSIONS; j++)
                score += one.head[j] * b.test[i * DIMENSIONS + j];
            error += fabs(score) / TESTS;
        }
        assert_near(one.test_error, error, 1e-12);
        assert_true(isnan(one.test_accuracy));
        for (int i = 0; i < M; i++)
            t[i] *= 2;
        assert_ok(invar_measure_generalisation(&b.data, &twice, &err), &err);
        assert_near(twice.test_error, 2 * one.test_error, 1e-12);
        assert_near(twice.labelled_term, 2 * one.labelled_term, 1e-12);
        assert_near(twice.invariance_scaled, 2 * one.invariance_scaled, 1e-12);
        invar_generalisation_free(&one);
        invar_generalisation_free(&twice);
    }
    assert_near(sqrt(unlabelled), all.unlabelled_norm, 1e-12);
    assert_near(sqrt(labelled), all.labelled_norm, 1e-12);
    invar_generalisation_free(&all);
    t[4] = NAN;
    assert_refused(invar_measure_generalisation(&b.data, &one, &err), &err, INVAR_ERROR_NUMERIC,
                   "row 4 of the targets");
    b.data.t_labelled = NULL;
    assert_refused(invar_measure_generalisation(&b.data, &one, &err), &err, INVAR_ERROR_DATA, "2 classes");
}

static void bound_of_bad_input(void **state)
{
    struct invar_error err = {0};
    struct bound b;
    struct invar_generalisation out;

    (void)state;
    make_bound(&b);
    b.labelled[2 * DIMENSIONS] = NAN;
    assert_refused(invar_measure_generalisation(&b.data, &out, &err), &err, INVAR_ERROR_NUMERIC, "row 2");
    make_bound(&b);
    b.y[5] = 3;
    assert_refused(invar_measure_generalisation(&b.data, &out, &err), &err, INVAR_ERROR_DATA, "5");
    make_bound(&b);
    b.data.plus_plus.rows = M - 1;
    assert_refused(invar_measure_generalisation(&b.data, &out, &err), &err, INVAR_ERROR_DATA, "two views");
    make_bound(&b);
    b.data.test.cols = 2;
    assert_refused(invar_measure_generalisation(&b.data, &out, &err), &err, INVAR_ERROR_DATA, "columns");
    make_bound(&b);
    b.data.classes = 1;
    assert_refused(invar_measure_generalisation(&b.data, &out, &err), &err, INVAR_ERROR_DATA, "2 classes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entropy_of_a_column_is_that_of_its_variance),
        cmocka_unit_test(entropies_agree_where_they_should),
        cmocka_unit_test(identical_rows),
        cmocka_unit_test(a_direction_that_does_not_vary),
        cmocka_unit_test(correlations_are_those_of_the_spaces),
        cmocka_unit_test(correlation_of_columns_is_pearsons),
        cmocka_unit_test(correlations_of_what_varies),
        cmocka_unit_test(too_few_samples),
        cmocka_unit_test(uniformity_in_blocks_is_that_of_pairs),
        cmocka_unit_test(fisher_leaves_out_classes_without_scatter),
        cmocka_unit_test(normality_of_bad_samples),
        cmocka_unit_test(bound_with_few_samples_and_scaled_features),
        cmocka_unit_test(bound_of_collapsed_features),
        cmocka_unit_test(bound_of_targets),
        cmocka_unit_test(bound_of_bad_input),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
