/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution in float32: the kernels of this processor, and those of 16 lanes as any processor computes
   them; the size of its errors beside those of the direct convolution. */
#define NAME portable_kernels
#define LANES 16
#define ROWS 8
#define COLUMNS 3
#define MAP_BFLOAT16 0
#define PRODUCT_BFLOAT16 0
#include "device/cpu/winograd_kernels.h"

#include "winograd_tests.h"

#include "planned.h"

static void test_this_processor(void **state)
{
    const struct winograd_kernels *kernels = winograd_kernels(INVAR_FLOAT32, INVAR_FLOAT32);
    (void)state;
    if (!kernels) {
        print_message("no kernels for this processor's instruction set\n");
        skip();
    }
    winograd_check(kernels, false, 3e-6);
}

static void test_sixteen_lanes(void **state)
{
    (void)state;
    winograd_check(&portable_kernels, false, 3e-6);
}

/* Weights too large for any cache are stored past it, to the same bits. */
static void test_streamed_weights(void **state)
{
    const struct winograd_kernels *kernels = winograd_kernels(INVAR_FLOAT32, INVAR_FLOAT32);
    (void)state;
    if (!kernels)
        skip();
    const struct winograd w = {
        .kernels = kernels, .batch = 1, .height = 4, .width = 4, .in = 320, .out = 320, .threads = 2};
    const size_t count = (size_t)(w.in * w.out * 9), bytes = winograd_weight_bytes(&w);
    float *plain = invar_alloc(count, sizeof *plain, NULL);
    float *streamed = invar_alloc(bytes, 1, NULL), *stored = invar_alloc(bytes, 1, NULL);
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, 0, 0);
    for (size_t i = 0; i < count; i++)
        plain[i] = invar_random_normal(&random);
    for (int transposed = 0; transposed < 2; transposed++) {
        winograd_weights(&w, plain, transposed, streamed);
        for (int64_t block = 0; block < winograd_blocks(&w, w.out); block++)
            kernels->weights(&w, plain, transposed, block, false, stored);
        assert_memory_equal(streamed, stored, bytes);
    }
    invar_free(plain);
    invar_free(streamed);
    invar_free(stored);
}

/* ---- errors ---- */

struct errors {
    double output, weights, input;
};

/* Root mean square of the errors of one convolution [channels] -> [channels] of a plan, over the result's. */
static struct errors errors_of(enum invar_convolution convolution, int64_t channels, int64_t side)
{
    struct invar_error err = {0};
    struct invar_device *device = test_device_open(2, &err);
    struct invar_net *net = invar_net_create((struct invar_shape){3, channels, side, side}, &err);
    invar_net_conv2d(net, 0, "conv", channels, 3, 1, 1, false, INVAR_INIT_KAIMING_FAN_OUT, &err);
    struct planned p = planned_open(device, net, 4, 5);
    const struct invar_plan_options options = {.batch = 4,
                                               .groups = 1,
                                               .precision = INVAR_PRECISION_FLOAT32,
                                               .convolution = convolution,
                                               .mode = INVAR_PLAN_TRAINING,
                                               .input_gradient = true};
    struct invar_plan *plan = invar_plan_create(p.weights, &options, &err);
    assert_ok(plan != NULL, &err);
    for (int64_t i = 0; i < p.in_count; i++) /* maps as they come out of a ReLU */
        p.input[i] = p.input[i] > 0 ? p.input[i] : 0;
    struct outcome o = planned_pass(&p, plan, true);
    struct winograd_map x = {4, channels, side, side, {0}, 0, p.input, NULL, false, 1};
    struct winograd_map dy = x;
    struct winograd_error output = {0}, weights = {0}, input = {0};
    dy.plain = p.upstream;
    for (int64_t i = 0; i < p.out_count; i += 5) { /* all rows and columns: no side is a multiple of 5 */
        const int64_t pixel = i % (side * side), c = i / (side * side) % channels, n = i / (side * side) / channels;
        winograd_compare(&output, (double)o.output[i],
                         winograd_sum(&x, p.parameters, false, channels, n, c, pixel / side, pixel % side));
        winograd_compare(&input, (double)o.input_gradient[i],
                         winograd_sum(&dy, p.parameters, true, channels, n, c, pixel / side, pixel % side));
    }
    for (int64_t i = 0; i < net->trained_count; i += 61)
        winograd_compare(&weights, (double)o.gradients[i],
                         winograd_gradient(&x, &dy, i / 9 / channels, i / 9 % channels, (int)(i % 9)));
    outcome_free(&o);
    invar_plan_free(plan);
    planned_close(&p);
    invar_device_close(device);
    return (struct errors){winograd_relative(&output), winograd_relative(&weights), winograd_relative(&input)};
}

/* Errors in float32 are no more than four times those of the direct convolution. */
static void test_errors(void **state)
{
    static const int64_t sizes[][2] = {{16, 14}, {64, 32}, {128, 16}, {256, 8}, {128, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct errors direct = errors_of(INVAR_CONVOLUTION_DIRECT, sizes[i][0], sizes[i][1]);
        const struct errors winograd = errors_of(INVAR_CONVOLUTION_WINOGRAD, sizes[i][0], sizes[i][1]);
        print_message("%lld channels, %lld x %lld: direct %.2e %.2e %.2e, Winograd %.2e %.2e %.2e\n",
                      (long long)sizes[i][0], (long long)sizes[i][1], (long long)sizes[i][1], direct.output,
                      direct.weights, direct.input, winograd.output, winograd.weights, winograd.input);
        assert_true(winograd.output <= 4 * direct.output);
        assert_true(winograd.weights <= 4 * direct.weights);
        assert_true(winograd.input <= 4 * direct.input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_processor),
        cmocka_unit_test(test_sixteen_lanes),
        cmocka_unit_test(test_streamed_weights),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
