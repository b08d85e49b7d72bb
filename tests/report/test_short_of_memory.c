/* SPDX-License-Identifier: Apache-2.0 */
/* Functions whose every allocation fails in turn: each says so, or does all of its work. */
#include "count_allocations.h"

#include "invar/eval.h"
#include "invar/report.h"

#if COUNTS_ALLOCATIONS
enum { MOST = 100000 };

static const char recipe[] = "name: r\ndata:\n  source: idx:data\n  mean: [0.5, 0.25]\nterms:\n  relic:\n    tau: 0.2\n"
                             "training:\n  seed: 3\n  batch: 16\n";

static void test_settings_of_a_run(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    struct invar_metrics *metrics = invar_metrics_open(folder, 0, &err);
    assert_ok(metrics, &err);
    long failed = 0, k = 0;
    do {
        invar_error_clear(&err);
        allocations_own = 0;
        allocations_fail = ++k;
        const bool ok = invar_metrics_settings(metrics, recipe, &err);
        allocations_fail = 0;
        if (!ok)
            assert_int_equal(err.code, INVAR_ERROR_MEMORY);
        failed += !ok;
    } while (allocations_own >= k && k < MOST);
    assert_true(failed > 20 && k < MOST);
    invar_metrics_close(metrics);
    test_folder_remove(folder);
}

/* Two classes that overlap, so that the fit takes some steps. */
static void test_logistic_regression(void **state)
{
    (void)state;
    enum { ROWS = 24, COLS = 3, CLASSES = 2 };
    double data[ROWS * COLS], weight[CLASSES * COLS], bias[CLASSES], right = 0;
    int64_t labels[ROWS];
    struct invar_logreg_options options;
    struct invar_error err = {0};
    for (int i = 0; i < ROWS; i++) {
        labels[i] = i % CLASSES;
        for (int c = 0; c < COLS; c++)
            data[i * COLS + c] = sin(1.7 * i + c) + (c == 0 ? 0.3 * (double)labels[i] : 0);
    }
    const struct invar_matrix features = {.dtype = INVAR_FLOAT64, .rows = ROWS, .cols = COLS, .data = data};
    memset(&options, 0, sizeof options);
    options.l2 = 0.01;
    options.tolerance = 1e-8;
    options.iterations = 200;
    long failed = 0, k = -1;
    do {
        struct invar_logreg_result result = {0};
        memset(weight, 0, sizeof weight);
        memset(bias, 0, sizeof bias);
        invar_error_clear(&err);
        allocations_own = 0;
        allocations_fail = ++k;
        const bool ok = invar_logreg_fit(&features, labels, CLASSES, &options, weight, bias, &result, &err);
        allocations_fail = 0;
        if (k == 0)
            right = result.objective; /* undisturbed */
        if (!ok)
            assert_int_equal(err.code, INVAR_ERROR_MEMORY);
        else
            assert_true(result.objective == right);
        failed += !ok;
    } while ((k == 0 || allocations_own >= k) && k < MOST);
    assert_true(failed > 5 && k < MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings_of_a_run),
                                       cmocka_unit_test(test_logistic_regression)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 0; /* AddressSanitizer has an allocator of its own */
}
#endif
