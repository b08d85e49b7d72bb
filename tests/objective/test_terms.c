/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terms beyond the battery: sizes of a real batch, embeddings that have collapsed or are hard on float32, presets
 * against the sums that they stand for, and what is refused.
 */
#include "device.h"
#include "matrix.h"

#define SEED 20260211

/* ---- inputs ---- */

struct inputs {
    struct invar_embeddings in, gradient;
};

static struct invar_matrix make(enum invar_dtype dtype, int64_t n, int64_t d)
{
    return matrix_make(dtype, n, d);
}

/* two views in every role: a shared part, a part of each view, and a mean that columns differ in; exact in float32 */
static struct inputs draw(enum invar_dtype dtype, int64_t n, int64_t d, double mean)
{
    struct inputs x = {.in.views = 2, .gradient.views = 2};

    for (int role = INVAR_ROLE_Z; role < INVAR_ROLE_COUNT; role++)
        for (int v = 0; v < 2; v++) {
            struct invar_random shared = invar_random_stream(SEED, INVAR_RANDOM_TEST, 0, 0, 0);
            struct invar_random own = invar_random_stream(SEED, INVAR_RANDOM_TEST, 1, (uint64_t)role, (uint32_t)v);
            x.in.by[role][v] = make(dtype, n, d);
            x.gradient.by[role][v] = make(dtype, n, d);
            for (int64_t i = 0; i < n * d; i++) {
                const float noise = 0.8f * invar_random_normal(&shared) + 0.3f * invar_random_normal(&own);
                matrix_put(&x.in.by[role][v], i, (double)(noise + (float)(mean * (double)(1 + i % d % 7))));
            }
        }
    return x;
}

static void discard(struct inputs *x)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int v = 0; v < 2; v++) {
            invar_device_free(device, x->in.by[role][v].data);
            invar_device_free(device, x->gradient.by[role][v].data);
        }
}

static struct invar_objective *objective_of(const char *yaml, struct invar_error *err)
{
    struct invar_node *node = invar_node_parse(yaml, strlen(yaml), "test.yaml", err);
    struct invar_objective *objective = node ? invar_objective_create(node, err) : NULL;

    invar_node_free(node);
    return objective;
}

/* value of a `terms:` section, with its gradient in x->gradient; values (may be NULL) by term */
static double evaluate(const char *yaml, struct inputs *x, struct invar_term_value *values)
{
    struct invar_error err = {0};
    struct invar_objective *objective = objective_of(yaml, &err);
    double loss = 0;

    if (!objective)
        fail_msg("%s", err.message);
    assert_ok(invar_objective_check(objective, &x->in, &err), &err);
    assert_ok(invar_objective_evaluate(objective, device, &x->in, &x->gradient, &loss, values, &err), &err);
    invar_objective_free(objective);
    return loss;
}

static double gradient_norm(const struct inputs *x)
{
    double sum = 0;

    for (int role = INVAR_ROLE_Z; role < INVAR_ROLE_T; role++)
        for (int v = 0; v < 2; v++)
            sum += FOUND(invar_dense_dot(device, &x->gradient.by[role][v], &x->gradient.by[role][v], 1, slot));
    return sqrt(sum);
}

static double gradient_distance(const struct inputs *x, const struct inputs *y)
{
    double sum = 0;

    for (int role = INVAR_ROLE_Z; role < INVAR_ROLE_T; role++)
        for (int v = 0; v < 2; v++) {
            const struct invar_matrix *a = &x->gradient.by[role][v], *b = &y->gradient.by[role][v];
            for (int64_t i = 0; i < a->rows * a->cols; i++)
                sum += pow(matrix_get(a, i) - matrix_get(b, i), 2);
        }
    return sqrt(sum);
}

/* ---- float32 against float64; at the size of a large batch: test_large.c ---- */

static void float32_holds_far_from_zero(void **state)
{
    static const char *const centred[] = {"barlow: {}", "covariance: {}", "logdet: {beta: 10}", "pairdist: {sigma: 8}",
                                          NULL};
    (void)state;
    /* the same float32 numbers in both types: what is lost is lost in the term */
    struct inputs narrow = draw(INVAR_FLOAT32, 96, 64, 1000), wide = draw(INVAR_FLOAT64, 96, 64, 0);

    for (int v = 0; v < 2; v++)
        invar_dense_copy(device, &narrow.in.by[INVAR_ROLE_Z][v], &wide.in.by[INVAR_ROLE_Z][v]);
    for (const char *const *yaml = centred; *yaml; yaml++) {
        assert_near(evaluate(*yaml, &narrow, NULL), evaluate(*yaml, &wide, NULL), 1e-5);
        assert_true(gradient_distance(&narrow, &wide) <= 1e-5 * gradient_norm(&wide));
    }
    discard(&narrow);
    discard(&wide);
}

/* ---- values against references where the battery does not go ---- */

static void expect_reference(const char *name, const char *assignment, int64_t n, int64_t d)
{
    struct invar_error err = {0};
    const struct invar_term_spec *term = invar_term_find(name, &err);
    struct inputs x = draw(INVAR_FLOAT64, n, d, 0);
    struct invar_term_value got, expected;
    void *options = calloc(1, term->options_size);

    invar_scratch_reset(scratch);
    invar_options_default(term->options, options);
    assert_ok(invar_options_set(term->options, options, assignment, &err), &err);
    const struct invar_term_call call = {
        .device = device, .scratch = scratch, .options = options, .in = &x.in, .weight = 1, .gradient = NULL};
    assert_ok(invar_term_evaluate(term, call, &got, &err), &err);
    assert_true(matrix_reference(term, options, &x.in, &expected));
    for (int k = 0; k < got.count; k++)
        assert_near(got.part[k].value, expected.part[k].value, 1e-12);
    free(options);
    discard(&x);
}

static void determinants_of_both_sides_agree(void **state)
{
    (void)state;
    for (int64_t n = 2; n < 40; n += 9)
        for (int64_t d = 1; d < 40; d += 13) {
            expect_reference("logdet", "beta=7", n, d);
            expect_reference("pairdist", "sigma=3", n, d);
        }
}

/* where one column has nearly all of the variance the covariances of the others must not drown in it */
static void expect_covariances(int64_t n, int64_t d, double dominance)
{
    struct inputs narrow = draw(INVAR_FLOAT32, n, d, 0), wide = draw(INVAR_FLOAT64, n, d, 0);

    for (int v = 0; v < 2; v++) {
        const struct invar_matrix *z = &narrow.in.by[INVAR_ROLE_Z][v];
        for (int64_t i = 0; i < n; i++)
            matrix_put(z, i * d + 5, dominance * matrix_get(z, i * d + 5));
        invar_dense_copy(device, z, &wide.in.by[INVAR_ROLE_Z][v]);
    }
    assert_near(evaluate("covariance:", &narrow, NULL), evaluate("covariance:", &wide, NULL), 1e-5);
    for (int v = 0; v < 2; v++)
        for (int64_t i = 0; i < n; i++) {
            const double got = matrix_get(&narrow.gradient.by[INVAR_ROLE_Z][v], i * d + 5);
            const double expected = matrix_get(&wide.gradient.by[INVAR_ROLE_Z][v], i * d + 5);
            assert_true(fabs(got - expected) <= 1e-5 * gradient_norm(&wide));
        }
    discard(&narrow);
    discard(&wide);
}

/* by columns and by rows */
static void covariances_beside_a_dominant_column(void **state)
{
    (void)state;
    for (int64_t d = 20; d <= 96; d += 19)
        for (double dominance = 1; dominance <= 1e4; dominance *= 10)
            expect_covariances(24, d, dominance);
}

/* ---- embeddings that have collapsed ---- */

enum collapse { EQUAL_ROWS, ZERO, ONE_DIRECTION, TWO_CLUSTERS, ONE_OUTLIER, HUGE_DIRECTION, COLLAPSES };

static double collapsed(enum collapse kind, int64_t i, int64_t j, double noise)
{
    switch (kind) {
    case EQUAL_ROWS:
        return 3 + (double)j;
    case ONE_DIRECTION:
        return (double)(i % 5) * (double)(1 + j);
    case TWO_CLUSTERS:
        return i % 2 ? 1e3 : -1e3;
    case ONE_OUTLIER:
        return i == 1 ? 1e6 : noise;
    case HUGE_DIRECTION:
        return 1e12 * (double)(i - 3) * (double)(1 + j % 3) + noise;
    default:
        return 0;
    }
}

static void collapse_all(struct inputs *x, enum collapse kind)
{
    for (int v = 0; v < 2; v++) {
        const struct invar_matrix *z = &x->in.by[INVAR_ROLE_Z][v];
        for (int64_t i = 0; i < z->rows * z->cols; i++)
            matrix_put(z, i, collapsed(kind, i / z->cols, i % z->cols, matrix_get(z, i)));
    }
}

/* A Cholesky that fails would fail here: fewer samples than dimensions, equal rows, one direction, one outlier, for
 * betas from nearly nothing to more than float64 can tell from I. */
static void collapsed_embeddings_have_an_entropy(void **state)
{
    static const char *const yaml[] = {"logdet: {}",
                                       "logdet: {beta: 1e-9}",
                                       "logdet: {beta: 1e9, divide_by: none}",
                                       "logdet: {normalise: true}",
                                       "logdet: {normalise: true, beta: 1e9}",
                                       "entropy_invariance: {weight_invariance: 0, beta: 1e9}",
                                       "pairdist: {}",
                                       "pairdist: {normalise: true, sigma: 1e-3}",
                                       "pairdist: {sigma: 1e-9}",
                                       "pairdist: {sigma: 1e9, distance: bhattacharyya}"};
    static const int64_t shapes[][2] = {{8, 64}, {64, 8}, {2, 300}, {33, 33}, {2, 1}};
    static const enum invar_dtype types[] = {INVAR_FLOAT32, INVAR_FLOAT64};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int t = 0; t < 2; t++)
            for (int kind = 0; kind < COLLAPSES; kind++) {
                struct inputs x = draw(types[t], shapes[s][0], shapes[s][1], 0);
                collapse_all(&x, (enum collapse)kind);
                for (size_t k = 0; k < sizeof yaml / sizeof *yaml; k++) {
                    const double entropy = evaluate(yaml[k], &x, NULL);
                    assert_true(isfinite(entropy) && isfinite(gradient_norm(&x)));
                    if (kind <= ZERO && !(fabs(entropy) < 1e-6))
                        fail_msg("%s of equal rows is %g, expected 0", yaml[k], entropy);
                }
                discard(&x);
            }
}

/* The same at the size of a large batch, on either side of the determinant. */
static void large_collapsed_batches_have_an_entropy(void **state)
{
    static const int64_t shapes[][2] = {{512, 1024}, {1024, 512}};
    static const enum collapse kinds[] = {EQUAL_ROWS, ONE_DIRECTION, HUGE_DIRECTION};

    (void)state;
    for (int s = 0; s < 2; s++)
        for (int k = 0; k < 3; k++) {
            struct inputs x = draw(k % 2 ? INVAR_FLOAT64 : INVAR_FLOAT32, shapes[s][0], shapes[s][1], 0);
            collapse_all(&x, kinds[k]);
            const double entropy = evaluate("logdet: {beta: 1e9}", &x, NULL);
            assert_true(isfinite(entropy) && isfinite(gradient_norm(&x)));
            assert_true(kinds[k] == EQUAL_ROWS ? entropy == 0 : entropy > 0);
            discard(&x);
        }
}

/* ---- groups ---- */

/* All samples of one group: nothing to tell apart, so exactly nothing, for any embeddings. */
static void a_single_group_is_nothing(void **state)
{
    static const int64_t same[6] = {7, 7, 7, 7, 7, 7};

    (void)state;
    for (int t = 0; t < 2; t++) {
        struct inputs x = draw(t ? INVAR_FLOAT64 : INVAR_FLOAT32, 6, 5, 1);
        x.in.groups = same;
        assert_true(evaluate("relic: {groups: true}", &x, NULL) == 0);
        assert_true(gradient_norm(&x) == 0);
        discard(&x);
    }
}

/* ---- labels and mixtures ---- */

static void expect_refused(const char *yaml, const struct inputs *x, const char *part)
{
    struct invar_error err = {0};
    struct invar_node *node = invar_node_parse(yaml, strlen(yaml), "test.yaml", &err);
    struct invar_objective *objective = invar_objective_create(node, &err);
    double loss;

    assert_ok(objective && invar_objective_check(objective, &x->in, &err), &err);
    assert_refused(invar_objective_evaluate(objective, device, &x->in, NULL, &loss, NULL, &err), &err, INVAR_ERROR_DATA,
                   part);
    invar_objective_free(objective);
    invar_node_free(node);
}

/* a label that has no column */
static void labels_without_a_class_are_refused(void **state)
{
    int64_t labels[6] = {0, 4, 2, 5, 1, 1};
    struct inputs x = draw(INVAR_FLOAT32, 6, 5, 1);

    (void)state;
    x.in.labels = labels;
    expect_refused("cross_entropy: {}", &x, "sample 3 of the batch has the label 5 where 0 to 4, or -1 for none");
    labels[3] = 3;
    assert_true(evaluate("cross_entropy: {}", &x, NULL) > 0);
    discard(&x);
}

/* Rows without a label change neither the value, which is the mean of the others, nor have they a gradient. */
static void samples_without_a_label_have_no_part(void **state)
{
    int64_t labels[6] = {0, -1, -1, 4, 2, -1}; /* three of them */
    struct inputs x = draw(INVAR_FLOAT32, 6, 5, 1);
    double expected = 0;

    (void)state;
    x.in.labels = labels;
    for (int i = 0; i < 12; i++) {
        const struct invar_matrix *z = &x.in.by[INVAR_ROLE_Z][i / 6];
        const int64_t label = labels[i % 6], row = i % 6 * 5;
        double sum = 0;
        for (int c = 0; label >= 0 && c < 5; c++)
            sum += exp(matrix_get(z, row + c) - matrix_get(z, row + label));
        expected += label >= 0 ? log(sum) / 6 : 0;
    }
    assert_true(fabs(evaluate("cross_entropy: {}", &x, NULL) - expected) <= 1e-5 * expected);
    for (int c = 0; c < 5; c++)
        matrix_put(&x.in.by[INVAR_ROLE_Z][0], 5 + c, 7); /* row 1 says nothing */
    assert_true(fabs(evaluate("cross_entropy: {}", &x, NULL) - expected) <= 1e-5 * expected);
    for (int i = 0; i < 6; i++)
        labels[i] = -1;
    assert_true(evaluate("cross_entropy: {}", &x, NULL) == 0);
    discard(&x);
}

/* the wrong mixture is refused; that of every sample with itself leaves the contrast of view 1 with view 2 */
static void mixtures_that_are_none_are_refused(void **state)
{
    int64_t partner[6] = {0, 1, 2, 3, 4, 6};
    double share[6] = {0.5, 0.6, 0.7, 0.8, 0.9, 1};
    struct inputs x = draw(INVAR_FLOAT64, 6, 5, 1);

    (void)state;
    x.in.partner = partner;
    x.in.share = share;
    expect_refused("imix: {}", &x, "the partner of sample 5 is 6 where 0 to 5 are expected");
    partner[5] = -1;
    expect_refused("imix: {}", &x, "the partner of sample 5 is -1");
    partner[5] = 5;
    share[1] = 1.5;
    expect_refused("imix: {}", &x, "the share of sample 1 is 1.5 where 0 to 1 are expected");
    share[1] = (double)NAN;
    expect_refused("imix: {}", &x, "the share of sample 1");
    share[1] = 0;
    const double own = evaluate("imix: {tau: 0.3}", &x, NULL);
    for (int i = 0; i < 6; i++) {
        partner[i] = (i + 1) % 6;
        share[i] = 1;
    }
    assert_near(evaluate("imix: {tau: 0.3}", &x, NULL), own, 1e-13);
    discard(&x);
}

/* ---- presets ---- */

static void expect_equal(const char *preset, const char *sum)
{
    struct inputs x = draw(INVAR_FLOAT64, 24, 12, 0.5), y = draw(INVAR_FLOAT64, 24, 12, 0.5);
    const double a = evaluate(preset, &x, NULL), b = evaluate(sum, &y, NULL);

    assert_near(a, b, 1e-12);
    assert_true(gradient_distance(&x, &y) <= 1e-12 * gradient_norm(&y));
    discard(&x);
    discard(&y);
}

static void presets_are_the_sums_they_stand_for(void **state)
{
    (void)state;
    expect_equal("vicreg: {gamma: 1.1, eps: 1e-3}",
                 "invariance: {weight: 25}\nvariance: {weight: 25, gamma: 1.1, eps: 1e-3}\ncovariance: {weight: 1}");
    expect_equal("vicreg: {mu: 12.5, variance_over_views: sum}", "vicreg: {mu: 25}");
    expect_equal("entropy_invariance: {beta: 10, weight_invariance: 5}",
                 "logdet: {weight: -1, beta: 10}\ninvariance: {weight: 5}");
    expect_equal("entropy_invariance: {entropy: pairdist, sigma: 2, weight_entropy: 3, weight_invariance: 0.5}",
                 "pairdist: {weight: -3, sigma: 2}\ninvariance: {weight: 0.5}");
}

static void conventions_differ_by_their_factors(void **state)
{
    struct inputs x = draw(INVAR_FLOAT64, 24, 12, 0);

    (void)state;
    assert_near(evaluate("invariance: {divide_by: n}", &x, NULL), 12 * evaluate("invariance:", &x, NULL), 1e-12);
    assert_near(evaluate("variance: {over_views: sum}", &x, NULL), 2 * evaluate("variance:", &x, NULL), 1e-12);
    assert_near(evaluate("logdet: {divide_by: none}", &x, NULL), 12 * evaluate("logdet:", &x, NULL), 1e-12);
    assert_near(evaluate("byol: {normalise_pairs: true}", &x, NULL), evaluate("byol:", &x, NULL) / 2, 1e-12);
    assert_near(evaluate("pairdist: {distance: chernoff, chernoff_alpha: 0.5}", &x, NULL),
                evaluate("pairdist: {distance: bhattacharyya}", &x, NULL), 1e-12);
    discard(&x);
}

/* ---- what is refused ---- */

static void values_that_are_not_finite_are_reported(void **state)
{
    static const char *const every_term[] = {"byol:",
                                             "barlow:",
                                             "invariance:",
                                             "variance:",
                                             "covariance:",
                                             "vicreg:",
                                             "logdet:",
                                             "pairdist:",
                                             "pairdist: {normalise: true}",
                                             "entropy_invariance:",
                                             NULL};
    static const double bad[] = {(double)NAN, (double)INFINITY};
    struct inputs x = draw(INVAR_FLOAT32, 8, 12, 0);

    (void)state;
    for (int k = 0; k < 2; k++) {
        for (int role = INVAR_ROLE_Z; role < INVAR_ROLE_COUNT; role++)
            matrix_put(&x.in.by[role][1], 17, bad[k]);
        for (const char *const *yaml = every_term; *yaml; yaml++) {
            struct invar_error err = {0};
            struct invar_objective *objective = objective_of(*yaml, &err);
            char name[32];
            double loss;
            snprintf(name, sizeof name, "%.*s", (int)strcspn(*yaml, ":"), *yaml);
            assert_non_null(objective);
            assert_refused(invar_objective_evaluate(objective, device, &x.in, &x.gradient, &loss, NULL, &err), &err,
                           INVAR_ERROR_NUMERIC, name);
            invar_objective_free(objective);
        }
    }
    discard(&x);
}

static void weights_that_are_all_zero_are_refused(void **state)
{
    static const char *const checked[] = {"vicreg: {lambda: 0, mu: 0, nu: 0}",
                                          "entropy_invariance: {weight_entropy: 0, weight_invariance: 0}"};
    struct inputs x = draw(INVAR_FLOAT32, 4, 4, 0);
    struct invar_error err = {0};

    (void)state;
    assert_refused(objective_of("logdet: {weight: 0}\ninvariance: {weight: 0}", &err) != NULL, &err, INVAR_ERROR_USAGE,
                   "every term has weight 0");
    for (int k = 0; k < 2; k++) {
        struct invar_objective *objective = objective_of(checked[k], &err);
        assert_non_null(objective);
        assert_refused(invar_objective_check(objective, &x.in, &err), &err, INVAR_ERROR_USAGE, "nothing would");
        invar_objective_free(objective);
    }
    discard(&x);
}

static void numbers_of_views_are_checked(void **state)
{
    static const char *const two[] = {"byol:", "barlow:", "invariance:", "vicreg:", "entropy_invariance:"};
    static const char *const one[] = {"logdet:", "pairdist:", "variance:", "covariance:"};
    struct inputs x = draw(INVAR_FLOAT32, 4, 4, 0);
    struct invar_error err = {0};

    (void)state;
    for (int k = 0; k < 5; k++) {
        struct invar_objective *objective = objective_of(two[k], &err);
        x.in.views = 1;
        assert_refused(invar_objective_check(objective, &x.in, &err), &err, INVAR_ERROR_USAGE, "two views");
        invar_objective_free(objective);
    }
    for (int k = 0; k < 4; k++) {
        struct invar_objective *objective = objective_of(one[k], &err);
        x.in.views = 1;
        assert_ok(invar_objective_check(objective, &x.in, &err), &err);
        x.in.views = 0;
        assert_refused(invar_objective_check(objective, &x.in, &err), &err, INVAR_ERROR_USAGE, "one view");
        invar_objective_free(objective);
    }
    discard(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_holds_far_from_zero),
        cmocka_unit_test(determinants_of_both_sides_agree),
        cmocka_unit_test(covariances_beside_a_dominant_column),
        cmocka_unit_test(collapsed_embeddings_have_an_entropy),
        cmocka_unit_test(large_collapsed_batches_have_an_entropy),
        cmocka_unit_test(a_single_group_is_nothing),
        cmocka_unit_test(labels_without_a_class_are_refused),
        cmocka_unit_test(samples_without_a_label_have_no_part),
        cmocka_unit_test(mixtures_that_are_none_are_refused),
        cmocka_unit_test(presets_are_the_sums_they_stand_for),
        cmocka_unit_test(conventions_differ_by_their_factors),
        cmocka_unit_test(values_that_are_not_finite_are_reported),
        cmocka_unit_test(weights_that_are_all_zero_are_refused),
        cmocka_unit_test(numbers_of_views_are_checked),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
