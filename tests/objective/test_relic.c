/* SPDX-License-Identifier: Apache-2.0 */
/* ReLIC beyond one evaluation: what is drawn for a contrast set, the multiplier from step to step, and what does not
 * fit. */
#include "battery.h"

#include "objective/relic.h"

enum { N = 7, M = 4 };

static bool holds(const int64_t *set, int64_t who)
{
    bool found = false;
    for (int j = 0; j < M; j++)
        found = found || set[j] == who;
    return found;
}

static void a_contrast_set_is_drawn_evenly(void **state)
{
    enum { STEPS = 4000 };
    int64_t rest[N], set[N * M];
    int often[N][N] = {{0}};

    (void)state;
    for (uint64_t step = 0; step < STEPS; step++) {
        relic_draw((struct invar_term_key){3, step}, N, M, rest, set);
        for (int64_t i = 0; i < N; i++) {
            assert_int_equal(set[i * M + i % M], i);
            for (int64_t who = 0; who < N; who++)
                often[i][who] += holds(set + i * M, who);
        }
    }
    for (int64_t i = 0; i < N; i++) {
        int members = 0;
        for (int64_t who = 0; who < N; who++) {
            members += often[i][who]; /* M a step, so that none is drawn twice */
            if (who != i)             /* half of the others: 5 deviations */
                assert_true(abs(often[i][who] - STEPS / 2) < 5 * sqrt(STEPS) / 2);
        }
        assert_int_equal(members, M * STEPS);
    }
}

static void the_draw_is_that_of_the_key(void **state)
{
    int64_t rest[N], first[N * M], again[N * M];

    (void)state;
    relic_draw((struct invar_term_key){3, 5}, N, M, rest, first);
    relic_draw((struct invar_term_key){3, 5}, N, M, rest, again);
    assert_memory_equal(first, again, sizeof first);
    relic_draw((struct invar_term_key){3, 6}, N, M, rest, again);
    assert_memory_not_equal(first, again, sizeof first);
    relic_draw((struct invar_term_key){4, 5}, N, M, rest, again);
    assert_memory_not_equal(first, again, sizeof first);
}

static void the_whole_batch_may_be_the_set(void **state)
{
    static const struct variant all = {"relic", 2, {"alpha=2"}, false, true, 0};
    static const struct variant drawn = {"relic", 2, {"alpha=2", "contrast_set=7"}, false, true, 0};
    struct bench a = open_bench(&all, INVAR_FLOAT64, N, 5), b = open_bench(&drawn, INVAR_FLOAT64, N, 5);
    const struct invar_term_value expected = evaluate(&a, 1, true), got = evaluate(&b, 1, true);

    (void)state;
    expect_values(&b, &got, &expected, 1e-12);
    for (int view = 0; view < 2; view++)
        for (int64_t i = 0; i < size_of(&a.in.by[INVAR_ROLE_Z][view]); i++)
            expect(&b, "an element of the gradient", matrix_get(&b.gradient.by[INVAR_ROLE_Z][view], i),
                   matrix_get(&a.gradient.by[INVAR_ROLE_Z][view], i), 1e-12);
    close_bench(&a);
    close_bench(&b);
}

/* two members: the contrast of a pair is below log 2 of equal rows, whatever the batch */
static void a_smaller_set_is_easier(void **state)
{
    static const struct variant few = {"relic", 2, {"contrast_set=2", "tau=1e4"}, false, true, 0};
    static const struct variant many = {"relic", 2, {"tau=1e4"}, false, true, 0};
    struct bench a = open_bench(&few, INVAR_FLOAT64, 64, 5), b = open_bench(&many, INVAR_FLOAT64, 64, 5);

    (void)state;
    expect(&a, "the contrast of two", evaluate(&a, 1, false).part[0].value, 2 * log(2), 1e-3);
    expect(&b, "the contrast of 64", evaluate(&b, 1, false).part[0].value, 2 * log(64), 1e-3);
    close_bench(&a);
    close_bench(&b);
}

/* One step with the multiplier `at`: the value, and the multiplier after it. */
static float step_from(struct bench *b, float at, struct invar_term_value *value)
{
    struct invar_term_call call = call_of(b, 1, true);
    struct invar_error err = {0};
    float after;

    call.state = invar_device_alloc(device, 1, sizeof *call.state, &err);
    assert_ok(call.state != NULL, &err);
    invar_device_upload(device, call.state, &at, sizeof at);
    zero_gradient(b);
    invar_scratch_reset(b->scratch);
    assert_ok(invar_term_evaluate(b->term, call, value, &err), &err);
    invar_device_download(device, &after, call.state, sizeof after);
    invar_device_free(device, call.state);
    return after;
}

static void check_multiplier(const struct variant *learned, const struct variant *fixed, double rho, double rate)
{
    struct bench b = open_bench(learned, INVAR_FLOAT64, N, 5), f = open_bench(fixed, INVAR_FLOAT64, N, 5);
    const enum invar_role role = b.in.by[INVAR_ROLE_H][0].data ? INVAR_ROLE_H : INVAR_ROLE_Z;
    struct invar_term_value value;
    const float after = step_from(&b, 3, &value);
    const struct invar_term_value expected = evaluate(&f, 1, true);
    const double invariance = expected.part[1].value;

    assert_true(invariance > rho);
    expect(&b, "the loss", value.loss, expected.loss - 3 * rho, 1e-12 * expected.loss);
    expect(&b, "the part multiplier", value.part[2].value, 3, 0);
    expect(&b, "the next multiplier", (double)after, 3 + rate * (invariance - rho), 1e-6);
    for (int view = 0; view < b.in.views; view++)
        for (int64_t i = 0; i < size_of(&b.in.by[role][view]); i++)
            expect(&b, "an element of the gradient", matrix_get(&b.gradient.by[role][view], i),
                   matrix_get(&f.gradient.by[role][view], i), 1e-12 * norm_of_gradient(&f));
    close_bench(&b);
    close_bench(&f);
}

/* alpha is what the multiplier is at first alone: with 3 in the state, alpha 3 is what it is like */
static void a_multiplier_weighs_what_is_above_rho(void **state)
{
    static const struct variant kl[] = {{"relic", 2, {"rho=0.2", "dual_rate=0.5", "alpha=9"}, false, true, 0},
                                        {"relic", 2, {"alpha=3"}, false, true, 0}};
    static const struct variant simplified[] = {
        {"relic", 2, {"rho=0.2", "dual_rate=0.5", "invariance=euclidean"}, false, true, 0},
        {"relic", 2, {"alpha=3", "invariance=euclidean"}, false, true, 0}};
    static const struct variant printed[] = {
        {"relic", 3, {"rho=0.2", "dual_rate=0.5", "invariance=appendix_b", "tau=1"}, false, false, 0},
        {"relic", 3, {"alpha=3", "invariance=appendix_b", "tau=1"}, false, false, 0}};

    (void)state;
    check_multiplier(&kl[0], &kl[1], 0.2, 0.5);
    check_multiplier(&simplified[0], &simplified[1], 0.2, 0.5);
    check_multiplier(&printed[0], &printed[1], 0.2, 0.5);
}

static void a_multiplier_stays_above_zero(void **state)
{
    static const struct variant slack = {"relic", 2, {"rho=1e5", "dual_rate=0.5"}, false, true, 0};
    struct bench b = open_bench(&slack, INVAR_FLOAT64, N, 5);
    struct invar_term_value value;

    (void)state;
    assert_true(step_from(&b, 3, &value) == 0);
    assert_true(step_from(&b, 0, &value) == 0);
    expect(&b, "the loss without a multiplier", value.loss, value.part[0].value, 0);
    close_bench(&b);
}

/* Appendix B is the logistic loss of f(x^l)^T (f(x_i^k) - f(x_m^k)), written as it is printed. */
static void appendix_b_is_the_logistic_loss(void **state)
{
    static const struct variant printed = {"relic", 3,     {"invariance=appendix_b", "tau=1", "bound=100"},
                                           false,   false, 0};
    struct bench b = open_bench(&printed, INVAR_FLOAT64, N, 5);
    const struct invar_matrix *h = b.in.by[INVAR_ROLE_H];
    double loss = 0, apart = 0;

    (void)state;
    for (int64_t i = 0; i < N; i++)
        for (int way = 0; way < 2; way++) {
            const struct invar_matrix *l = &h[1 + way], *k = &h[2 - way];
            double sum = 0;
            for (int64_t m = 0; m < N; m++) {
                double margin = 0;
                for (int64_t j = 0; j < h->cols; j++)
                    margin += matrix_get(l, i * h->cols + j) *
                              (matrix_get(k, i * h->cols + j) - matrix_get(k, m * h->cols + j));
                sum += m == i ? 0 : exp(-margin);
            }
            loss += log1p(sum) / N;
            for (int64_t j = 0; j < h->cols; j++)
                apart += pow(matrix_get(&h[0], i * h->cols + j) - matrix_get(l, i * h->cols + j), 2) / N;
        }
    const struct invar_term_value value = evaluate(&b, 1, false);
    expect(&b, "contrast", value.part[0].value, loss, 1e-12);
    expect(&b, "invariance", value.part[1].value, apart, 1e-12);
    close_bench(&b);
}

static void what_does_not_fit_is_refused(void **state)
{
    static const struct {
        struct variant variant;
        enum invar_error_code code;
        const char *says;
    } bad[] = {
        {{"relic", 2, {"contrast_set=8"}, false, true, 0}, INVAR_ERROR_USAGE, "choose 2 to 7, or 0"},
        {{"relic", 2, {"contrast_set=1"}, false, true, 0}, INVAR_ERROR_USAGE, "a contrast_set of 1 in a batch of 7"},
        {{"relic", 2, {"contrast_set=3", "groups=true"}, false, true, 0}, INVAR_ERROR_USAGE, "contrast_set=0"},
        {{"relic", 2, {"invariance=appendix_b"}, false, true, 0}, INVAR_ERROR_USAGE, "views.count=3"},
        {{"relic", 3, {"invariance=appendix_b", "target=true"}, false, true, 0}, INVAR_ERROR_USAGE, "target=false"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct bench b = open_bench(&bad[k].variant, INVAR_FLOAT64, N, 5);
        struct invar_error err = {0};
        assert_refused(b.term->check(b.options, &b.in, &err), &err, bad[k].code, bad[k].says);
        close_bench(&b);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    static const char *const bad[] = {"rho=-1",          "rho=nan",           "dual_rate=-0.1",    "bound=0",
                                      "contrast_set=-2", "contrast_set=many", "invariance=printed"};
    const struct invar_term_spec *relic = invar_term_find("relic", NULL);
    struct invar_relic_options options;

    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct invar_error err = {0};
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(bad[k], "="), bad[k]);
        invar_options_default(relic->options, &options);
        assert_refused(invar_options_set(relic->options, &options, bad[k], &err), &err, INVAR_ERROR_USAGE, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contrast_set_is_drawn_evenly),        cmocka_unit_test(the_draw_is_that_of_the_key),
        cmocka_unit_test(the_whole_batch_may_be_the_set),        cmocka_unit_test(a_smaller_set_is_easier),
        cmocka_unit_test(a_multiplier_weighs_what_is_above_rho), cmocka_unit_test(a_multiplier_stays_above_zero),
        cmocka_unit_test(appendix_b_is_the_logistic_loss),       cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
