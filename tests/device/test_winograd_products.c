/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution of bfloat16 maps with products of bfloat16: the kernels of this processor, and the same as any
   processor computes them. */
#define NAME portable_kernels
#define LANES 16
#define ROWS 8
#define COLUMNS 3
#define MAP_BFLOAT16 1
#define PRODUCT_BFLOAT16 1
#include "device/cpu/winograd_kernels.h"

#include "winograd_tests.h"

#include "planned.h"

/* Factors are rounded to 2^-9, and Winograd's sums take away again much of what they add: of a map of one pixel more
 * than of others, which test_errors is about. */
#define TOLERANCE 4e-2

static void test_this_processor(void **state)
{
    const struct winograd_kernels *kernels = winograd_kernels(INVAR_BFLOAT16, INVAR_BFLOAT16);
    (void)state;
    if (!kernels) {
        print_message("no products of bfloat16 on this processor\n");
        skip();
    }
    winograd_check(kernels, true, TOLERANCE);
}

static void test_any_processor(void **state)
{
    (void)state;
    winograd_check(&portable_kernels, true, TOLERANCE);
}

/* Those of the prototype that was measured: 1e-2 of the root mean square. */
static void test_errors(void **state)
{
    struct winograd w = {&portable_kernels, 2, 16, 16, 64, 64, {0}, {0}, 16, 16, 1, 2};
    struct winograd_map x = winograd_map(w.kernels, true, false, w.batch, w.in, w.height, w.width, 1);
    struct winograd_map y = winograd_map(w.kernels, true, false, w.batch, w.out, w.height, w.width, 2);
    struct winograd_map weights = winograd_map(w.kernels, false, false, w.out, w.in, 3, 3, 3);
    (void)state;
    w.read = x.strides;
    w.written = y.strides;
    winograd_check_gradient(&w, &x, &y, 1.5e-2);
    winograd_check_forward(&w, &x, &y, weights.plain, NULL, false, false, 1.5e-2);
    winograd_check_forward(&w, &x, &y, weights.plain, NULL, true, false, 1.5e-2);
    winograd_map_free(&x);
    winograd_map_free(&y);
    winograd_map_free(&weights);
}

/* Factors that bfloat16 holds exactly, and their sums: nothing is lost in pairs, whichever half and number of items. */
static void test_pairs(void **state)
{
    float items[3][LANES], at[2 * LANES] = {0};
    vector sum = {0};
    (void)state;
    for (int item = 0; item < 3; item++)
        for (int l = 0; l < LANES; l++)
            items[item][l] = (float)(1 + l + 16 * item);
    for (int item = 0; item < 3; item++)
        put(at, item, load(items[item]), true);
    for (int pair = 0; pair < 2; pair++)
        sum = multiply_add(sum, at[pair * LANES + 3], load(at + pair * LANES));
    for (int l = 0; l < LANES; l++)
        assert_true(sum[l] == items[0][3] * items[0][l] + items[1][3] * items[1][l] + items[2][3] * items[2][l]);
}

static void test_refused_in_float32(void **state)
{
    struct invar_error err = {0};
    struct invar_device *device = test_device_open(2, &err);
    struct invar_net *net = invar_net_create((struct invar_shape){3, 16, 8, 8}, &err);
    invar_net_conv2d(net, 0, "conv", 16, 3, 1, 1, false, INVAR_INIT_KAIMING_FAN_OUT, &err);
    struct planned p = planned_open(device, net, 4, 5);
    const struct invar_plan_options options = {.batch = 4,
                                               .groups = 1,
                                               .precision = INVAR_PRECISION_FLOAT32,
                                               .convolution = INVAR_CONVOLUTION_WINOGRAD_BFLOAT16,
                                               .mode = INVAR_PLAN_TRAINING};
    (void)state;
    assert_null(invar_plan_create(p.weights, &options, &err));
    assert_non_null(strstr(err.message, "winograd-bfloat16 needs precision bfloat16"));
    planned_close(&p);
    invar_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_processor), cmocka_unit_test(test_any_processor),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_pairs),          cmocka_unit_test(test_refused_in_float32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
