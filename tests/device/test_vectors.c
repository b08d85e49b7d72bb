/* SPDX-License-Identifier: Apache-2.0 */
/* Vector operations of a device against loops in double. The optimisers' own are in the golden cases and in
   train/test_optimisers. */
#include "test.h"

#include "invar/device.h"
#include "invar/expert/random.h"

static const int64_t counts[] = {0, 1, 3, 15, 16, 17, 511, 512, 513, 1000, 70001};
#define COUNTS ((int)(sizeof counts / sizeof *counts))
#define LARGEST 70001

static struct invar_device *open_threads(int threads)
{
    struct invar_error err = {0};
    struct invar_device *device = test_device_open(threads, &err);
    if (!device)
        fail_msg("%s", err.message);
    return device;
}

/* A vector with one more number at the end, which must stay as it is. */
static float *draw_host(int64_t count, uint64_t seed)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, 0, 0);
    float *x = malloc(((size_t)count + 1) * sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = invar_random_normal(&random);
    x[count] = 77;
    return x;
}

static float *to_device(struct invar_device *device, const float *host, int64_t count)
{
    float *x = invar_device_alloc(device, (size_t)count + 1, sizeof *x, NULL);
    assert_non_null(x);
    invar_device_upload(device, x, host, ((size_t)count + 1) * sizeof *x);
    return x;
}

static void put(struct invar_device *device, float *x, int64_t i, float value)
{
    invar_device_upload(device, x + i, &value, sizeof value);
}

static double sum_of_squares(struct invar_device *device, const float *x, int64_t count)
{
    double *slot = invar_device_alloc(device, 1, sizeof *slot, NULL), found;
    invar_device_sum_squares(device, x, count, 0.5, slot);
    invar_device_sum_squares(device, x, count, 0.5, slot); /* they add up */
    invar_device_download(device, &found, slot, sizeof found);
    invar_device_free(device, slot);
    return found;
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
    float *host = draw_host(LARGEST, 1), *x = to_device(device, host, LARGEST), *y = to_device(one, host, LARGEST);
    (void)state;
    for (int i = 0; i < COUNTS; i++) {
        const double got = sum_of_squares(device, x, counts[i]);
        assert_true(fabs(got - squares(host, counts[i])) <= 1e-12 * got);
        assert_true(got == sum_of_squares(one, y, counts[i]));
    }
    /* in double: neither a large number nor its square loses the small ones or leaves the range */
    for (int64_t i = 0; i < LARGEST; i++)
        host[i] = i == 40000 ? 1e25f : 1e-20f;
    invar_device_upload(device, x, host, LARGEST * sizeof *x);
    assert_true(sum_of_squares(device, x, LARGEST) == squares(host, LARGEST));
    put(device, x, 40000, 1e-20f);
    assert_near(sum_of_squares(device, x, LARGEST) * 1e40 / LARGEST, 1, 1e-6);
    free(host);
    invar_device_free(device, x);
    invar_device_free(one, y);
    invar_device_close(device);
    invar_device_close(one);
}

static void test_not_finite(void **state)
{
    struct invar_device *device = open_threads(2);
    float *host = draw_host(LARGEST, 2), *x = to_device(device, host, LARGEST);
    (void)state;
    for (int i = 1; i < COUNTS; i++)
        for (int k = 0; k < 3; k++) {
            const int64_t at = k == 0 ? 0 : k == 1 ? counts[i] / 2 : counts[i] - 1;
            put(device, x, at, NAN);
            assert_true(isnan(sum_of_squares(device, x, counts[i])));
            put(device, x, at, -INFINITY);
            assert_true(isinf(sum_of_squares(device, x, counts[i])));
            put(device, x, at, host[at]);
            assert_true(isfinite(sum_of_squares(device, x, counts[i])));
        }
    free(host);
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
        const size_t bytes = ((size_t)count + 1) * sizeof(float);
        float *before = draw_host(count, 3), *other = draw_host(count, 4), *got = malloc(bytes);
        float *x = to_device(device, before, count), *y = to_device(device, other, count);
        invar_device_scale(device, x, count, -0.3);
        invar_device_download(device, got, x, bytes);
        for (int64_t k = 0; k < count; k++)
            assert_near(got[k], -0.3 * (double)before[k], 1e-6);
        invar_device_upload(device, x, before, bytes);
        invar_device_add(device, x, y, 1.7, count);
        invar_device_download(device, got, x, bytes);
        for (int64_t k = 0; k < count; k++)
            assert_near(got[k], (double)before[k] + 1.7 * (double)other[k], 1e-6);
        invar_device_upload(device, x, before, bytes);
        invar_device_lerp(device, x, y, 0.996, count);
        invar_device_download(device, got, x, bytes);
        for (int64_t k = 0; k < count; k++)
            assert_near(got[k], 0.996 * (double)before[k] + 0.004 * (double)other[k], 1e-6);
        invar_device_lerp(device, x, y, 0, count);
        invar_device_download(device, got, x, bytes);
        assert_memory_equal(got, other, bytes);
        invar_device_upload(device, y, before, bytes);
        invar_device_lerp(device, x, y, 1, count);
        invar_device_download(device, got, x, bytes);
        assert_memory_equal(got, other, bytes);
        invar_device_fill(device, x, count, 2.5f);
        invar_device_download(device, got, x, bytes);
        for (int64_t k = 0; k < count; k++)
            assert_true(got[k] == 2.5f);
        assert_true(got[count] == 77);
        invar_device_free(device, x);
        invar_device_free(device, y);
        free(before);
        free(other);
        free(got);
    }
    invar_device_close(device);
}

/* A gradient that is not finite does not get lost on the way into the weights. */
static void test_elements_not_finite(void **state)
{
    struct invar_device *device = open_threads(1);
    float *host = draw_host(40, 5), *x = to_device(device, host, 40), *y = to_device(device, host, 40);
    (void)state;
    put(device, y, 20, NAN);
    invar_device_add(device, x, y, 0.1, 40);
    for (int i = 19; i < 22; i++)
        assert_true(isnan(test_device_at(device, x, i)) == (i == 20));
    put(device, x, 20, INFINITY);
    invar_device_scale(device, x, 40, 0.0);
    assert_true(isnan(test_device_at(device, x, 20)) && test_device_at(device, x, 19) == 0.0f);
    free(host);
    invar_device_free(device, x);
    invar_device_free(device, y);
    invar_device_close(device);
}

/* What is found decides: anything that is not finite, and nothing is written. */
static void test_decisions(void **state)
{
    struct invar_device *device = open_threads(1);
    const double slots[] = {1, 25, (double)NAN, -(double)INFINITY};
    double *found = invar_device_alloc(device, 4, sizeof *found, NULL), got[INVAR_SCALAR_COUNT] = {0};
    double *scalars = invar_device_alloc(device, INVAR_SCALAR_COUNT, sizeof *scalars, NULL);
    float *host = draw_host(40, 5), *x = to_device(device, host, 40), *y = to_device(device, host, 40);
    (void)state;
    invar_device_upload(device, found, slots, sizeof slots);
    for (int count = 1; count <= 4; count++) {
        got[INVAR_SCALAR_FOLLOW] = 0.5;
        invar_device_upload(device, scalars, got, sizeof got);
        invar_device_decide(device, found, count, found + 1, count == 1 ? 2.5 : count == 2 ? 6 : 0, scalars);
        invar_device_download(device, got, scalars, sizeof got);
        assert_true(got[INVAR_SCALAR_GO] == (count <= 2));
        assert_true(got[INVAR_SCALAR_CLIP] == (count == 1 ? 0.5 : 1));
        invar_device_fill(device, x, 40, 2);
        invar_device_fill(device, y, 40, 4);
        invar_device_follow(device, x, y, scalars, 40);
        assert_true(test_device_at(device, x, 39) == (count <= 2 ? 3 : 2));
    }
    free(host);
    invar_device_free(device, x);
    invar_device_free(device, y);
    invar_device_free(device, found);
    invar_device_free(device, scalars);
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
        assert_true(test_device_at(device, x, i) == 0.0f);
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
        cmocka_unit_test(test_decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
