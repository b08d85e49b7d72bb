/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical correlations of encoders made by hand, and what an adversary does to them. */
#include "eval/inspection.h"

#include <math.h>

/* The sum is that of the spectrum, z is a linear map of h and has no more of it, equal views correlate fully. */
static void test_correlations(void **state)
{
    static const enum invar_inspect_section s = INVAR_INSPECT_CORRELATION;
    const double probe_error = 12.5;
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.subject.no_probe_error = "nobody asked";
    struct invar_inspection *i = inspect(&b);
    const struct invar_series *h = invar_inspection_series(i, s, "h_correlations"),
                              *z = invar_inspection_series(i, s, "z_correlations");
    double sum = 0;
    assert_int_equal(h->count, H);
    assert_int_equal(z->count, Z);
    for (int64_t k = 0; k < h->count; k++) {
        sum += h->value[k];
        assert_true(k == 0 || h->value[k] <= h->value[k - 1]);
    }
    assert_near(value(i, s, "h_hgr"), sum, 1e-12);
    assert_true(value(i, s, "z_hgr") <= sum + 1e-6);
    assert_int_equal(value(i, s, "h_directions"), H);
    assert_false(invar_inspection_find(i, s, "probe_error")->known);
    assert_string_equal(invar_inspection_find(i, s, "probe_error")->says, "nobody asked");
    invar_inspection_free(i);

    b.subject.probe_error = &probe_error;
    make_plain(&b);
    i = inspect(&b);
    assert_near(value(i, s, "h_hgr"), H, 1e-6);
    assert_near(value(i, s, "probe_error"), probe_error, 0);
    invar_inspection_free(i);
    bench_close(&b);
}

/* What scale the encoder gives to an output, from 2^-20 to 2^20, and where it lies is no matter to its correlations. */
static void test_scaled_outputs(void **state)
{
    static const enum invar_inspect_section s = INVAR_INSPECT_CORRELATION;
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.subject.projector = NULL;
    struct invar_inspection *i = inspect(&b);
    const double before = value(i, s, "h_hgr");
    invar_inspection_free(i);
    for (int64_t j = 0; j < H; j++) {
        const float scale = (float)ldexp(1, (int)(j * 40 / (H - 1)) - 20);
        for (int64_t k = 0; k < INPUT; k++)
            b.encoder->parameters[j * INPUT + k] *= scale;
        b.encoder->parameters[H * INPUT + j] *= scale;
    }
    i = inspect(&b);
    assert_int_equal(value(i, s, "h_directions"), H);
    assert_near(value(i, s, "h_hgr"), before, 1e-6);
    invar_inspection_free(i);
    bench_close(&b);
}

static struct invar_perturber *perturber_open(const struct bench *b, int64_t batch, int view)
{
    struct invar_error err = {0};
    const struct invar_perturber_options options = {
        .kind = "noise", .eps = 0.5, .ball = INVAR_BALL_2, .views = {1, {view}}, .batch = batch};
    struct invar_perturber *perturber =
        invar_perturber_open(b->device, b->encoder, invar_dataset_info(b->dataset), &options, &err);
    assert_ok(perturber, &err);
    return perturber;
}

/* Views that would be alike differ by what the adversary adds to one of them, and the result says so. */
static void test_perturbed_correlations(void **state)
{
    static const enum invar_inspect_section s = INVAR_INSPECT_CORRELATION;
    struct bench b;
    (void)state;
    bench_open(&b, false);
    make_plain(&b);
    struct invar_inspection *i = inspect(&b);
    assert_string_equal(i->perturbed, "");
    invar_inspection_free(i);

    b.subject.perturber = perturber_open(&b, 16, 1);
    i = inspect(&b);
    assert_string_equal(i->perturbed, "of the two drawn views the second is perturbed by the run's adversary (random "
                                      "noise, eps 0.5, p 2)");
    const double h = value(i, s, "h_hgr");
    assert_true(h > 1 && h < 0.99 * H);
    assert_true(value(i, INVAR_INSPECT_REPRESENTATION, "alignment") > 1e-3);
    invar_inspection_free(i);
    invar_perturber_close(b.subject.perturber);

    b.subject.perturber = perturber_open(&b, 40, 1); /* however many at a time */
    i = inspect(&b);
    assert_true(value(i, s, "h_hgr") == h);
    invar_inspection_free(i);
    invar_perturber_close(b.subject.perturber);

    b.subject.perturber = perturber_open(&b, 40, 2);
    i = inspect(&b);
    assert_near(value(i, s, "h_hgr"), H, 1e-6);
    assert_non_null(strstr(i->perturbed, "neither"));
    invar_inspection_free(i);
    invar_perturber_close(b.subject.perturber);
    bench_close(&b);
}

static void test_perturbed_samples(void **state)
{
    struct bench b;
    struct invar_perturbed seen;
    struct invar_error err = {0};
    (void)state;
    bench_open(&b, false);
    struct invar_perturber *perturber = perturber_open(&b, 16, 1);
    assert_ok(invar_perturber_show(perturber, b.encoder, b.dataset, INVAR_TEST, 5, 3, &seen, &err), &err);
    assert_int_equal(seen.clean.shape[0], 5);
    assert_int_equal(seen.clean.shape[1], INPUT);
    assert_int_equal(((int64_t *)seen.index.data)[4], 4);
    assert_near(seen.rms, 0.5, 1e-5);
    invar_perturbed_free(&seen);
    invar_perturber_close(perturber);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_correlations),
        cmocka_unit_test(test_scaled_outputs),
        cmocka_unit_test(test_perturbed_correlations),
        cmocka_unit_test(test_perturbed_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
