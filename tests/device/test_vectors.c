/* SPDX-License-Identifier: Apache-2.0 */
/* Vector operations of a device against loops in double. The optimisers' own are in the golden cases and in
   train/test_optimisers. */
#include "test.h"

#include "invar/device.h"
#include "invar/random.h"

static const int64_t counts[] = {0, 1, 3, 15, 16, 17, 511, 512, 513, 1000, 70001};
#define COUNTS ((int)(sizeof counts / sizeof *counts))
#define LARGEST 70001

static struct invar_device *open_threads(int threads)
{
    struct invar_error err = {0};
    struct invar_device *device = invar_device_open("cpu", threads, &err);
    if (!device)
        fail_msg("%s", err.message);
    return device;
}

/* A vector with one more number at the end, which must stay as it is. */
static float *draw(struct invar_device *device, int64_t count, uint64_t seed)
{
    struct invar_error err = {0};
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, 0, 0);
    float *x = invar_device_alloc(device, (size_t)count + 1, sizeof *x, &err);
    assert_non_null(x);
    for (int64_t i = 0; i < count; i++)
        x[i] = invar_random_normal(&random);
    x[count] = 77;
    return x;
}

static double squares(const float *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void test_sum_squares(void **state)
{
    struct invar_device *device = open_threads(2), *one = open_threads(1);
    float *x = draw(device, LARGEST, 1);
    (void)state;
    for (int i = 0; i < COUNTS; i++) {
        const double got = invar_device_sum_squares(device, x, counts[i]),
                     again = invar_device_sum_squares(one, x, counts[i]);
        assert_true(fabs(got - squares(x, counts[i])) <= 1e-12 * got);
        assert_true(got == again);
    }
    /* in double: neither a large number nor its square loses the small ones or leaves the range */
    for (int64_t i = 0; i < LARGEST; i++)
        x[i] = i == 40000 ? 1e25f : 1e-20f;
    assert_true(invar_device_sum_squares(device, x, LARGEST) == squares(x, LARGEST));
    assert_true(isfinite(invar_device_sum_squares(device, x, LARGEST)));
    x[40000] = 1e-20f;
    assert_near(invar_device_sum_squares(device, x, LARGEST) * 1e40 / LARGEST, 1, 1e-6);
    invar_device_free(device, x);
    invar_device_close(device);
    invar_device_close(one);
}

static void test_not_finite(void **state)
{
    struct invar_device *device = open_threads(2);
    float *x = draw(device, LARGEST, 2);
    (void)state;
    for (int i = 1; i < COUNTS; i++)
        for (int k = 0; k < 3; k++) {
            const int64_t at = k == 0 ? 0 : k == 1 ? counts[i] / 2 : counts[i] - 1;
            const float kept = x[at];
            x[at] = NAN;
            assert_true(isnan(invar_device_sum_squares(device, x, counts[i])));
            x[at] = -INFINITY;
            assert_true(isinf(invar_device_sum_squares(device, x, counts[i])));
            x[at] = kept;
            assert_true(isfinite(invar_device_sum_squares(device, x, counts[i])));
        }
    invar_device_free(device, x);
    invar_device_close(device);
}

/* fill, scale, add, lerp, number by number, and nothing past the end. */
static void test_elements(void **state)
{
    struct invar_device *device = open_threads(2);
    (void)state;
    for (int i = 0; i < COUNTS; i++) {
        const int64_t count = counts[i];
        float *x = draw(device, count, 3), *y = draw(device, count, 4), *before = draw(device, count, 3);
        invar_device_scale(device, x, count, -0.3);
        for (int64_t k = 0; k < count; k++)
            assert_near(x[k], -0.3 * (double)before[k], 1e-6);
        memcpy(x, before, (size_t)count * sizeof *x);
        invar_device_add(device, x, y, 1.7, count);
        for (int64_t k = 0; k < count; k++)
            assert_near(x[k], (double)before[k] + 1.7 * (double)y[k], 1e-6);
        memcpy(x, before, (size_t)count * sizeof *x);
        invar_device_lerp(device, x, y, 0.996, count);
        for (int64_t k = 0; k < count; k++)
            assert_near(x[k], 0.996 * (double)before[k] + 0.004 * (double)y[k], 1e-6);
        invar_device_lerp(device, x, y, 0, count);
        assert_memory_equal(x, y, (size_t)count * sizeof *x);
        invar_device_lerp(device, x, before, 1, count);
        assert_memory_equal(x, y, (size_t)count * sizeof *x);
        invar_device_fill(device, x, count, 2.5f);
        for (int64_t k = 0; k < count; k++)
            assert_true(x[k] == 2.5f);
        assert_true(x[count] == 77 && y[count] == 77);
        invar_device_free(device, x);
        invar_device_free(device, y);
        invar_device_free(device, before);
    }
    invar_device_close(device);
}

/* A gradient that is not finite does not get lost on the way into the weights. */
static void test_elements_not_finite(void **state)
{
    struct invar_device *device = open_threads(1);
    float *x = draw(device, 40, 5), *y = draw(device, 40, 6);
    (void)state;
    y[20] = NAN;
    invar_device_add(device, x, y, 0.1, 40);
    assert_true(isnan(x[20]) && isfinite(x[19]) && isfinite(x[21]));
    x[20] = INFINITY;
    invar_device_scale(device, x, 40, 0.0);
    assert_true(isnan(x[20]) && x[19] == 0.0f);
    invar_device_free(device, x);
    invar_device_free(device, y);
    invar_device_close(device);
}

static void test_memory(void **state)
{
    struct invar_error err = {0};
    struct invar_device *device = open_threads(1);
    float host[5] = {1, 2, 3, 4, 5}, back[5] = {0};
    float *x = invar_device_alloc(device, 5, sizeof *x, &err);
    (void)state;
    assert_non_null(x);
    assert_int_equal((uintptr_t)x % 64, 0);
    for (int i = 0; i < 5; i++)
        assert_true(x[i] == 0.0f);
    invar_device_upload(device, x, host, sizeof host);
    invar_device_download(device, back, x, sizeof back);
    assert_memory_equal(back, host, sizeof host);
    assert_refused(invar_device_alloc(device, SIZE_MAX / 2, 4, &err), &err, INVAR_ERROR_MEMORY, "more than memory");
    invar_device_free(device, x);
    invar_device_free(device, NULL);
    invar_device_close(device);
}

/* threads 0 is all cores, and a product of matrices has a speed. */
static void test_machine(void **state)
{
    struct invar_error err = {0};
    struct invar_device *device = open_threads(0);
    double flops = 0;
    (void)state;
    assert_in_range(invar_device_threads(device), 1, 4096);
    assert_ok(invar_device_matrix_peak(device, INVAR_PRECISION_FLOAT32, 64, &flops, &err), &err);
    assert_true(flops > 1e6 && flops < 1e16);
    invar_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum_squares),         cmocka_unit_test(test_not_finite), cmocka_unit_test(test_elements),
        cmocka_unit_test(test_elements_not_finite), cmocka_unit_test(test_memory),     cmocka_unit_test(test_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
