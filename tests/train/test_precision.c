/* SPDX-License-Identifier: Apache-2.0 */
/* Training in every precision that the processor has: which it was is said, the loss falls in each, and both start from
 * the same loss within what bfloat16 rounds. */
#include "training.h"

static void keep_ends(void *user, const struct invar_record *record)
{
    double *loss = user;

    if (record->count > 0)
        loss[record->step > 1] = training_metric(record, "loss");
}

/* false: the processor has it not */
static bool train_in(const char *precision, enum invar_precision wanted, double loss[2])
{
    char setting[64];
    const char *const overrides[] = {setting, "views.local=1", "views.local_size=4"};
    struct invar_error err = {0};
    struct training t = {0};
    enum invar_precision got;

    snprintf(setting, sizeof setting, "training.precision=%s", precision);
    training_open(&t, overrides, 3);
    const bool has = invar_device_precision(t.device, wanted, &got, &err);
    print_message("%s: %s\n", precision, has ? invar_device_describe(t.device) : err.message);
    if (has)
        assert_int_equal(got, wanted);
    else
        assert_refused(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE, "bfloat16");
    if (has)
        assert_ok(training_run(&t, "run", false, NULL, keep_ends, loss, &err), &err);
    training_close(&t);
    return has;
}

static void test_learns_in_each(void **state)
{
    double exact[2] = {NAN, NAN}, half[2] = {NAN, NAN};

    (void)state;
    assert_true(train_in("float32", INVAR_PRECISION_FLOAT32, exact));
    assert_true(exact[1] < 0.9 * exact[0]);
    if (!train_in("bfloat16", INVAR_PRECISION_BFLOAT16, half))
        return;
    assert_near(half[0], exact[0], 0.05);
    assert_true(half[1] < 0.9 * half[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns_in_each)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
