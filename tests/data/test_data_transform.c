/* SPDX-License-Identifier: Apache-2.0 */
/* Fourier transforms of several signals at once against the sum in double, for sizes of every kind of factor. */
#include "test.h"

#include "data/audio/transform.h"
#include "invar/expert/random.h"

#include <stdlib.h>

static double power_of(const float *signal, int64_t size, int64_t k)
{
    double re = 0, im = 0;
    for (int64_t i = 0; i < size; i++) {
        const double angle = 2 * M_PI * (double)(i * k % size) / (double)size;
        re += (double)signal[i] * cos(angle);
        im -= (double)signal[i] * sin(angle);
    }
    return re * re + im * im;
}

static void powers_are_those_of_the_sum(void **state)
{
    static const int64_t sizes[] = {2, 4, 6, 8, 10, 14, 16, 18, 50, 98, 120, 202, 210, 242, 400, 512, 1024};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t size = sizes[s];
        struct invar_error err = {0};
        struct data_transform *transform = data_transform_create(size, &err);
        float *signal = calloc((size_t)size * DATA_LANES, sizeof *signal);
        float *power = calloc((size_t)(size / 2 + 1) * DATA_LANES, sizeof *power);
        struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, (uint64_t)size, 0);
        assert_ok(transform, &err);
        for (int again = 0; again < 2; again++) {
            invar_random_normals(&random, signal, size * DATA_LANES);
            for (int64_t i = 0; i < size; i++)
                for (int l = 0; l < DATA_LANES; l++)
                    data_transform_place(transform, i)[l] = signal[l * size + i];
            data_transform_power(transform, power);
            for (int64_t k = 0; k <= size / 2; k++)
                for (int l = 0; l < DATA_LANES; l++)
                    assert_near((double)power[k * DATA_LANES + l], power_of(signal + l * size, size, k),
                                3e-6 * (double)size);
        }
        data_transform_free(transform);
        free(signal);
        free(power);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(powers_are_those_of_the_sum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
