/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution of bfloat16 maps with float32 products: the kernels of this processor, and the same as any
   processor computes them. */
#define NAME portable_kernels
#define LANES 16
#define ROWS 8
#define COLUMNS 3
#define MAP_BFLOAT16 1
#define PRODUCT_BFLOAT16 0
#include "device/cpu/winograd_kernels.h"

#include "winograd_tests.h"

static void test_this_processor(void **state)
{
    const struct winograd_kernels *kernels = winograd_kernels(INVAR_BFLOAT16, INVAR_FLOAT32);
    (void)state;
    if (!kernels) {
        print_message("no kernels for this processor's instruction set\n");
        skip();
    }
    winograd_check(kernels, true, 3e-6);
}

static void test_sixteen_lanes(void **state)
{
    (void)state;
    winograd_check(&portable_kernels, true, 3e-6);
}

static void test_rounding(void **state)
{
    const float in[LANES] = {1.0f,  1.00390625f, 1.01171875f, -2.5f, 0.0f, -0.0f, INFINITY, -INFINITY,
                             3e38f, NAN,         1e-40f,      7.0f,  8.0f, 9.0f,  10.0f,    11.0f};
    uint16_t out[LANES];
    (void)state;
    map_store(out, load(in));
    const vector back = map_load(out);
    for (int i = 0; i < LANES; i++)
        assert_true(i == 9 ? back[i] != back[i] : back[i] == (isinf(in[i]) ? in[i] : winograd_narrow(in[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_processor),
        cmocka_unit_test(test_sixteen_lanes),
        cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
