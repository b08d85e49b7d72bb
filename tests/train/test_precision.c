/* SPDX-License-Identifier: Apache-2.0 */
/* Training in every precision that the processor has: which it was is said, the loss falls in each, and both start from
 * the same loss within what bfloat16 rounds, 1 % of it; representations of one encoder agree within 5 % of their
 * length. */
#include "training.h"

#include "invar/eval.h"

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
    assert_near(half[0], exact[0], 0.01 * exact[0]);
    assert_true(half[1] < 0.9 * half[0]);
}

static void test_embeds_in_each(void **state)
{
    struct invar_error err = {0};
    struct training t = {0};
    const struct invar_embed_options single = {.precision = INVAR_PRECISION_FLOAT32};
    const struct invar_embed_options narrow = {.precision = INVAR_PRECISION_BFLOAT16};
    struct invar_embedded exact, half;
    enum invar_precision used;
    double apart = 0, squares = 0;

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err);
    struct invar_encoder *encoder = invar_encoder_read(test_path(t.folder, "run/encoder.safetensors"), &err);
    assert_ok(encoder, &err);
    assert_ok(invar_embed(t.device, encoder, t.dataset, INVAR_TEST, &single, &exact, &err), &err);
    const bool has = invar_device_precision(t.device, INVAR_PRECISION_BFLOAT16, &used, NULL);
    const bool ok = invar_embed(t.device, encoder, t.dataset, INVAR_TEST, &narrow, &half, &err);
    print_message("embedded in float32%s\n", has ? " and bfloat16" : "; bfloat16 is refused here");
    if (!has) {
        assert_refused(ok, &err, INVAR_ERROR_USAGE, "precision bfloat16");
    } else {
        assert_ok(ok, &err);
        const float *a = exact.features.data, *b = half.features.data;
        for (int64_t i = 0; i < exact.features.shape[0] * exact.features.shape[1]; i++) {
            apart += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
            squares += (double)a[i] * (double)a[i];
        }
        assert_true(sqrt(apart) <= 0.05 * sqrt(squares));
        invar_embedded_free(&half);
    }
    invar_embedded_free(&exact);
    invar_encoder_free(encoder);
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns_in_each), cmocka_unit_test(test_embeds_in_each)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
