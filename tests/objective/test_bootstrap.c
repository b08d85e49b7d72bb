/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of scores by task and their intervals: against ones worked out by hand, and against what is drawn from a
 * distribution whose figure is known. */
#include "test.h"

#include "invar/expert/random.h"
#include "invar/measure.h"

TEST_COVERS("measure.iqm measure.improvement measure.gain");

static const double a0[] = {1, 2, 3, 10}, a1[] = {4, 8}, b0[] = {0, 2}, b1[] = {9, 8, 1};
static const int64_t a_runs[] = {4, 2}, b_runs[] = {2, 3};
static const double *const a_score[] = {a0, a1}, *const b_score[] = {b0, b1};
static const struct invar_scores a = {2, a_runs, a_score}, b = {2, b_runs, b_score};

static void test_by_hand(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_interval out;
    const int64_t pairs[] = {2};
    const double x[] = {3, 5}, y[] = {1, 4}, *const xs[] = {x}, *const ys[] = {y};
    const struct invar_scores p = {1, pairs, xs}, q = {1, pairs, ys};

    assert_ok(invar_measure_iqm(&a, 200, 0, &out, &err), &err); /* 1 [2 3 4 8] 10 */
    assert_near(out.value, 4.25, 1e-12);
    assert_true(out.low < out.value && out.value < out.high);
    assert_ok(invar_measure_improvement(&a, &b, 200, 0, &out, &err), &err);
    /* of task 0 7 1/2 of 8 pairs, of task 1 4 vs 9 8 1 and 8 vs 9 8 1: 1 + 1 1/2 of 6 */
    assert_near(out.value, (6.5 / 8 + 2.5 / 6) / 2, 1e-12);
    assert_ok(invar_measure_gain(&p, &q, 2000, 0, &out, &err), &err);
    assert_true(out.value == 1.5 && out.low == 1 && out.high == 2); /* pairs: 2 and 1, always drawn together */
}

static void test_same_draws_for_the_same_seed(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_interval one, again, other;
    assert_ok(invar_measure_iqm(&a, 100, 5, &one, &err), &err);
    assert_ok(invar_measure_iqm(&a, 100, 5, &again, &err), &err);
    assert_ok(invar_measure_improvement(&a, &b, 100, 6, &other, &err), &err);
    assert_memory_equal(&one, &again, sizeof one);
    bool differs = false;
    for (uint64_t seed = 6; seed < 16; seed++) {
        assert_ok(invar_measure_iqm(&a, 100, seed, &other, &err), &err);
        assert_true(other.value == one.value);
        differs |= other.low != one.low || other.high != one.high;
    }
    assert_true(differs);
}

static void test_one_run_has_no_interval(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_interval out;
    const int64_t runs[] = {1, 1};
    const struct invar_scores single = {2, runs, a_score};
    assert_ok(invar_measure_iqm(&single, 100, 0, &out, &err), &err);
    assert_true(out.value == 2.5 && isnan(out.low) && isnan(out.high));
}

/* Of 300 tables of 5 runs of 6 tasks that are drawn, the interval of the gain holds the true one about as often as it
 * says: that of a bootstrap over 5 runs a task is a little too narrow. */
static void test_intervals_hold_the_truth(void **state)
{
    (void)state;
    enum { TABLES = 300, TASKS = 6, RUNS = 5 };
    struct invar_error err = {0};
    int holds = 0, improves = 0;
    for (int k = 0; k < TABLES; k++) {
        struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, (uint64_t)k, 0);
        double x[TASKS][RUNS], y[TASKS][RUNS];
        const double *xs[TASKS], *ys[TASKS];
        int64_t runs[TASKS];
        struct invar_interval out;
        for (int t = 0; t < TASKS; t++) {
            for (int i = 0; i < RUNS; i++) {
                y[t][i] = 10 * t + (double)invar_random_normal(&random);
                x[t][i] = 10 * t + 0.5 + (double)invar_random_normal(&random);
            }
            xs[t] = x[t], ys[t] = y[t], runs[t] = RUNS;
        }
        const struct invar_scores p = {TASKS, runs, xs}, q = {TASKS, runs, ys};
        assert_ok(invar_measure_gain(&p, &q, 300, (uint64_t)k, &out, &err), &err);
        holds += out.low <= 0.5 && 0.5 <= out.high;
        assert_ok(invar_measure_improvement(&p, &q, 300, (uint64_t)k, &out, &err), &err);
        improves += out.low <= 0.6382 && 0.6382 <= out.high; /* Phi(0.5 / sqrt 2) */
    }
    assert_in_range(holds, TABLES * 84 / 100, TABLES * 97 / 100);
    assert_in_range(improves, TABLES * 84 / 100, TABLES * 98 / 100);
}

static void test_what_cannot_be_measured(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_interval out;
    const int64_t none[] = {4, 0};
    const double nan[] = {1, NAN}, *const bad[] = {nan};
    const struct invar_scores empty = {0, NULL, NULL}, lacking = {2, none, a_score}, first = {1, a_runs, a_score},
                              wrong = {1, b_runs, bad};
    assert_refused(invar_measure_iqm(&empty, 10, 0, &out, &err), &err, INVAR_ERROR_DATA, "empty");
    assert_refused(invar_measure_iqm(&lacking, 10, 0, &out, &err), &err, INVAR_ERROR_DATA, "task 2 has no run");
    assert_refused(invar_measure_iqm(&wrong, 10, 0, &out, &err), &err, INVAR_ERROR_NUMERIC, "score 2 of task 1");
    assert_refused(invar_measure_improvement(&a, &first, 10, 0, &out, &err), &err, INVAR_ERROR_DATA, "2 tasks");
    assert_refused(invar_measure_gain(&a, &b, 10, 0, &out, &err), &err, INVAR_ERROR_DATA, "no pairs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_same_draws_for_the_same_seed),
        cmocka_unit_test(test_one_run_has_no_interval),
        cmocka_unit_test(test_intervals_hold_the_truth),
        cmocka_unit_test(test_what_cannot_be_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
