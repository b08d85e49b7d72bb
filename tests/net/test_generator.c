/* SPDX-License-Identifier: Apache-2.0 */
/* Generators: what goes in and out of any shape, defaults, refusals. */
#include "test.h"

#include "invar/expert/net.h"

TEST_COVERS("generator.cnn generator.mlp generator.viewmaker");

static int64_t elements(struct invar_shape shape)
{
    return shape.channels * shape.height * shape.width;
}

static void check(const char *kind, struct invar_shape sample, int64_t noise, int64_t wanted_noise)
{
    struct invar_error err = {0};
    const struct invar_generator_options options = {.noise = noise, .blocks = 1};
    const struct invar_generator_spec *spec = invar_generator_find(kind, sample, &err);
    assert_non_null(spec);
    struct invar_net *net = invar_generator_build(spec, &options, sample, &err);
    if (!net)
        fail_msg("%s: %s", kind, err.message);
    assert_int_equal(elements(invar_net_output(net)), elements(sample));
    assert_int_equal(elements(invar_net_input(net)) - elements(sample), wanted_noise);
    invar_net_free(net);
}

static void test_shapes(void **state)
{
    (void)state;
    check("auto", (struct invar_shape){3, 1, 28, 28}, 0, 28 * 28);
    check("cnn", (struct invar_shape){3, 3, 32, 32}, 2, 2 * 32 * 32);
    check("cnn", (struct invar_shape){3, 1, 40, 64}, 1, 40 * 64);
    check("viewmaker", (struct invar_shape){3, 3, 32, 32}, 4, 4 * 32 * 32);
    for (int64_t height = 4; height < 10; height++)
        for (int64_t width = 4; width < 40; width += 7)
            check("cnn", (struct invar_shape){3, 2, height, width}, 0, height * width);
    check("auto", (struct invar_shape){1, 16, 1, 1}, 0, 16);
    check("auto", (struct invar_shape){1, 40, 1, 1}, 0, 40);
    check("mlp", (struct invar_shape){1, 1, 1, 1}, 3, 3);
    check("mlp", (struct invar_shape){3, 2, 3, 5}, 3, 3);
}

static void test_refused(void **state)
{
    struct invar_error err = {0};
    const struct invar_generator_options options = {.blocks = 1};
    const struct invar_shape vector = {1, 8, 1, 1}, small = {3, 1, 3, 9};
    (void)state;
    assert_refused(invar_generator_find("unet", vector, &err), &err, INVAR_ERROR_USAGE, "no generator \"unet\"");
    const struct invar_generator_spec *cnn = invar_generator_find("cnn", vector, &err);
    assert_refused(invar_generator_build(cnn, &options, vector, &err), &err, INVAR_ERROR_USAGE, "adversary.kind=mlp");
    assert_refused(invar_generator_build(cnn, &options, small, &err), &err, INVAR_ERROR_USAGE, "at least 4 x 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
