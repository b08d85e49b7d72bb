/* SPDX-License-Identifier: Apache-2.0 */
/* Shape of spectra, LiDAR, class means, Jacobians and the probe bound in an inspection: each against its own formula on
 * numbers that the inspection gives elsewhere, or that are known. */
#include "eval/inspection.h"

#include "invar/measure.h"

TEST_COVERS("measure.probe_bound");

static const enum invar_inspect_section h = INVAR_INSPECT_REPRESENTATION, z = INVAR_INSPECT_EMBEDDING;

/* ---- shape ---- */

static void nesum_and_the_power_law_are_of_the_spectrum(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    struct invar_inspection *i = inspect(&b);
    for (int s = 0; s < 2; s++) {
        const struct invar_series *l = invar_inspection_series(i, s ? z : h, "eigenvalues");
        double sum = 0, x = 0, y = 0, xx = 0, xy = 0;
        for (int64_t k = 0; k < l->count; k++) {
            const double a = log((double)(k + 1)), v = log(l->value[k]);
            sum += l->value[k] / l->value[0];
            x += a / (double)l->count;
            y += v / (double)l->count;
            xx += a * a / (double)l->count;
            xy += a * v / (double)l->count;
        }
        assert_near(value(i, s ? z : h, "nesum"), sum, 1e-9);
        assert_near(value(i, s ? z : h, "alpha_req"), -(xy - x * y) / (xx - x * x), 1e-9);
        assert_true(value(i, s ? z : h, "stable_rank") >= 1);
        assert_true(value(i, s ? z : h, "two_nn") > 1);
    }
    invar_inspection_free(i);
    bench_close(&b);
}

/* ---- LiDAR ---- */

/* As many directions as there are, no more than samples less one; another number of views, another value. */
static void lidar_draws_views_of_its_own(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.options.lidar_samples = 6;
    struct invar_inspection *few = inspect(&b);
    const double six = value(few, h, "lidar"), alignment = value(few, h, "alignment");
    assert_true(six > 1 && six <= 5);
    b.options.lidar_views = 3;
    struct invar_inspection *odd = inspect(&b);
    assert_true(value(odd, h, "lidar") != six);
    assert_near(value(odd, h, "alignment"), alignment, 0);
    b.options.lidar_samples = 0;
    struct invar_inspection *none = inspect(&b);
    assert_false(invar_inspection_find(none, h, "lidar")->known);
    assert_non_null(strstr(invar_inspection_find(none, z, "lidar")->says, "lidar_samples"));
    invar_inspection_free(few);
    invar_inspection_free(odd);
    invar_inspection_free(none);
    bench_close(&b);
}

/* Views that change nothing leave the spread of samples over delta, in all directions that samples vary in. */
static void lidar_of_equal_views_is_of_the_spread_of_samples(void **state)
{
    struct bench b;
    double sum = 0, entropy = 0;
    (void)state;
    bench_open(&b, false);
    make_plain(&b);
    b.options.lidar_samples = TESTS;
    struct invar_inspection *i = inspect(&b);
    const struct invar_series *l = invar_inspection_series(i, z, "eigenvalues");
    for (int64_t k = 0; k < l->count; k++)
        sum += l->value[k];
    for (int64_t k = 0; k < l->count; k++)
        entropy -= l->value[k] / sum * log(l->value[k] / sum);
    assert_near(value(i, z, "lidar"), exp(entropy), 1e-4);
    invar_inspection_free(i);
    bench_close(&b);
}

/* ---- class means ---- */

static void the_theorem_is_above_the_loss(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    struct invar_inspection *i = inspect(&b);
    const enum invar_inspect_section s = INVAR_INSPECT_FISHER;
    const double norm = value(i, s, "norm_max"), sigma = value(i, s, "sigma_f");
    assert_true(value(i, s, "mean_top1") >= 0 && value(i, s, "mean_top1") <= 100);
    assert_true(value(i, s, "theorem2_bound") >= value(i, s, "mean_hinge"));
    assert_near(value(i, s, "theorem2_gamma"), 1 + norm * sigma * (1 + sqrt(fmax(log(norm / 0.1), 0))), 1e-9);
    /* no class varies more in a direction than all samples about their classes do in all */
    assert_true(sigma > 0 && sigma < norm);
    invar_inspection_free(i);
    bench_close(&b);
}

/* ---- Jacobians ---- */

/* Of an affine encoder the Jacobian form is exact, and many draws come near to it at every level. */
static void draws_agree_with_the_jacobian_of_an_affine_map(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.options.noise_samples = 2;
    b.options.jacobian_samples = 1;
    b.options.noise_draws = 20000;
    b.options.noise_levels = (struct invar_real_list){2, {0.3, 3}};
    struct invar_inspection *i = inspect(&b);
    const struct invar_series *drawn = invar_inspection_series(i, INVAR_INSPECT_NOISE, "h_conditional_sampled");
    const struct invar_series *j = invar_inspection_series(i, INVAR_INSPECT_NOISE, "h_conditional_jacobian");
    for (int k = 0; k < 2; k++)
        assert_near(drawn->value[k] / j->value[k], 1, 0.01);
    assert_true(j->value[1] > 1.5 * j->value[0]);
    assert_non_null(invar_inspection_series(i, INVAR_INSPECT_NOISE, "z_conditional_jacobian"));
    b.options.jacobian_samples = 0;
    struct invar_inspection *none = inspect(&b);
    assert_null(invar_inspection_series(none, INVAR_INSPECT_NOISE, "h_conditional_jacobian"));
    invar_inspection_free(i);
    invar_inspection_free(none);
    bench_close(&b);
}

/* ---- probe bound ---- */

enum { ROWS = 300, COLS = 4, CLASSES = 2 };

/* Directions 0 and 1 are shared by the views, 2 and 3 are each view's own; the label is the sign of direction k. */
static struct invar_probe_bound bound_of(int k, int rows, struct invar_error *err)
{
    float a[ROWS * COLS], b[ROWS * COLS];
    int64_t labels[ROWS];
    struct invar_probe_bound out = {0};
    struct invar_device *device = test_device_open(1, err);
    struct invar_scratch *scratch = invar_device_scratch_create(device, err);
    struct invar_random random = invar_random_stream(7, INVAR_RANDOM_NOISE, 0, 0, 0);
    struct invar_matrix x[2];

    for (int i = 0; i < ROWS * COLS; i++) {
        a[i] = invar_random_normal(&random) > 0 ? 1 : -1;
        b[i] = i % COLS < 2 ? a[i] : invar_random_normal(&random) > 0 ? 1 : -1;
    }
    for (int i = 0; i < ROWS; i++)
        labels[i] = a[i * COLS + k] > 0;
    for (int v = 0; v < 2; v++) {
        const size_t size = (size_t)rows * COLS * sizeof(float);
        x[v] = (struct invar_matrix){INVAR_FLOAT32, rows, COLS, invar_device_alloc(device, size, 1, err)};
        invar_device_upload(device, x[v].data, v ? b : a, size);
    }
    invar_measure_probe_bound(device, scratch, &x[0], &x[1], labels, CLASSES, &out, err);
    invar_device_free(device, x[0].data);
    invar_device_free(device, x[1].data);
    invar_scratch_free(scratch);
    invar_device_close(device);
    return out;
}

static void a_label_of_shared_directions_is_bounded_by_0(void **state)
{
    struct invar_error err = {0};
    (void)state;
    const struct invar_probe_bound shared = bound_of(0, ROWS, &err), own = bound_of(3, ROWS, &err);
    assert_true(!err.code);
    assert_near(shared.variance, 0.5, 0.01);
    assert_near(shared.held, shared.variance, 1e-6);
    assert_near(shared.error, 0, 1e-3);
    /* held by h, but not by what the views share */
    assert_near(own.held, own.variance, 1e-6);
    assert_true(own.error > 90 && own.error <= 100);
    bound_of(0, COLS, &err);
    assert_true(err.code == INVAR_ERROR_DATA && strstr(err.message, "more of them than directions"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesum_and_the_power_law_are_of_the_spectrum),
        cmocka_unit_test(lidar_draws_views_of_its_own),
        cmocka_unit_test(lidar_of_equal_views_is_of_the_spread_of_samples),
        cmocka_unit_test(the_theorem_is_above_the_loss),
        cmocka_unit_test(draws_agree_with_the_jacobian_of_an_affine_map),
        cmocka_unit_test(a_label_of_shared_directions_is_bounded_by_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
