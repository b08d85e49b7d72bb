/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans in bfloat16 against the same plans in float32: outputs, statistics and the direction of gradients, for every
 * kind of layer and every mode. Where the processor cannot, the sentence that says so is the test. Small enough for an
 * emulator.
 */
#include "planned.h"

static struct invar_net *small_resnet(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [16, 32], stride: 1}", (struct invar_shape){3, 3, 8, 8}, err);
}

static struct invar_net *padded(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [3, 20], stride: 1}", (struct invar_shape){3, 1, 8, 8}, err);
}

static struct invar_net *resnet18(struct invar_error *err)
{
    return planned_encoder("{kind: resnet18, stem: small, width: 16}", (struct invar_shape){3, 3, 16, 16}, err);
}

static struct invar_net *mlp(struct invar_error *err)
{
    return planned_encoder("{kind: mlp, widths: [32, 16]}", (struct invar_shape){1, 20, 0, 0}, err);
}

/* Maps and gradients that several layers share, with the float32 input among them. */
static struct invar_net *shared(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 16, 8, 8}, err);
    const int x = invar_net_relu(net, planned_conv(net, 0, "a", 16, 1, err), err);
    const int sum = invar_net_add(net, invar_net_add(net, 0, x, err), planned_conv(net, x, "b", 16, 1, err), err);
    const int both = invar_net_relu(net, invar_net_add(net, sum, x, err), err);
    const int pooled = invar_net_avgpool(net, invar_net_add(net, both, both, err), 3, err);
    const int vector = invar_net_batchnorm(net, invar_net_flatten(net, pooled, err), "norm", err);
    return planned_finish(net, invar_net_linear(net, vector, "linear", 10, true, err));
}

/* cosine: of float32's and bfloat16's gradients, at least. Deep nets amplify rounding, above all in norms over few
   numbers: PyTorch's autocast gives 0.92 to 0.95 for this resnet18. */
static const struct {
    const char *name;
    net_maker make;
    int64_t batch;
    double cosine;
} nets[] = {
    {"small-resnet [16, 32]", small_resnet, 8, 0.98},     {"small-resnet [3, 20]", padded, 4, 0.98},
    {"resnet18, width 16", resnet18, 16, 0.90},           {"mlp", mlp, 16, 0.98},
    {"every kind of layer", planned_every_kind, 4, 0.98}, {"shared maps", shared, 4, 0.98},
};

static bool failed;

/* All is compared before the program fails, so that one run tells everything. */
static void compare(const char *net, const char *what, double found, double bound, bool at_least)
{
    const bool good = at_least ? found >= bound : found <= bound;
    printf("%-24s %-36s %8.5f%s\n", net, what, found, good ? "" : "   <-- FAILED");
    fflush(stdout);
    failed = failed || !good;
}

static double cosine(const float *a, const float *b, int64_t count)
{
    const double norms = planned_dot(a, a, count) * planned_dot(b, b, count);
    return norms > 0 ? planned_dot(a, b, count) / sqrt(norms)
                     : planned_dot(a, a, count) + planned_dot(b, b, count) == 0;
}

static void compare_modes(const struct planned *p, const char *name, double bound)
{
    static const char *const modes[] = {"training", "forward", "inference"};
    for (int mode = 0; mode < 3; mode++) {
        const int64_t groups = mode == INVAR_PLAN_INFERENCE ? 1 : 2;
        struct outcome single = planned_run(p, (enum invar_plan_mode)mode, groups, INVAR_PRECISION_FLOAT32);
        struct outcome half = planned_run(p, (enum invar_plan_mode)mode, groups, INVAR_PRECISION_BFLOAT16);
        char what[64];
        snprintf(what, sizeof what, "%s: output", modes[mode]);
        compare(name, what, planned_error(half.output, single.output, p->out_count), 3e-2, false);
        snprintf(what, sizeof what, "%s: statistics", modes[mode]);
        compare(name, what, planned_error(half.statistics, single.statistics, p->net->statistic_count), 1e-2, false);
        if (mode == INVAR_PLAN_TRAINING) {
            compare(name, "gradients: cosine", cosine(half.gradients, single.gradients, p->net->trained_count), bound,
                    true);
            compare(name, "gradient of the input: cosine",
                    cosine(half.input_gradient, single.input_gradient, p->in_count), bound, true);
        }
        outcome_free(&single);
        outcome_free(&half);
    }
}

/* The same call gives the same bits. */
static void compare_again(const struct planned *p, const char *name)
{
    struct invar_plan *plan = planned_plan(p, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_BFLOAT16);
    struct outcome first = planned_pass(p, plan, true), second = planned_pass(p, plan, true);
    const size_t trained = (size_t)p->net->trained_count * sizeof(float);
    const bool same = memcmp(first.output, second.output, (size_t)p->out_count * sizeof(float)) == 0 &&
                      memcmp(first.gradients, second.gradients, trained) == 0 &&
                      memcmp(first.input_gradient, second.input_gradient, (size_t)p->in_count * sizeof(float)) == 0;
    compare(name, "the same bits again", same, 1, true);
    outcome_free(&first);
    outcome_free(&second);
    invar_plan_free(plan);
}

static void test_against_float32(void **state)
{
    struct invar_device *device = *state;
    enum invar_precision precision;
    if (!invar_device_precision(device, INVAR_PRECISION_BFLOAT16, &precision, NULL)) {
        printf("%s: plans in bfloat16 are not tested\n", invar_device_describe(device));
        skip();
    }
    failed = false;
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++) {
        struct invar_error err = {0};
        struct invar_net *net = nets[n].make(&err);
        if (!net)
            fail_msg("%s: %s", nets[n].name, err.message);
        struct planned p = planned_open(device, net, nets[n].batch, 5);
        compare_modes(&p, nets[n].name, nets[n].cosine);
        compare_again(&p, nets[n].name);
        planned_close(&p);
    }
    assert_false(failed);
}

/* AUTO never fails; BFLOAT16 is given, or refused with a sentence, and a plan says the same. */
static void test_precision(void **state)
{
    struct invar_device *device = *state;
    struct invar_error err = {0};
    enum invar_precision automatic = INVAR_PRECISION_AUTO, asked = INVAR_PRECISION_AUTO;
    struct planned p = planned_open(device, mlp(&err), 4, 1);
    const struct invar_plan_options options = {
        .batch = 4, .groups = 1, .precision = INVAR_PRECISION_BFLOAT16, .mode = INVAR_PLAN_INFERENCE};
    assert_ok(invar_device_precision(device, INVAR_PRECISION_AUTO, &automatic, &err), &err);
    printf("%s; auto is %s\n", invar_device_describe(device),
           automatic == INVAR_PRECISION_BFLOAT16 ? "bfloat16" : "float32");
    if (invar_device_precision(device, INVAR_PRECISION_BFLOAT16, &asked, &err)) {
        assert_int_equal(asked, INVAR_PRECISION_BFLOAT16);
    } else {
        assert_int_equal(err.code, INVAR_ERROR_USAGE);
        assert_non_null(strstr(err.message, "precision bfloat16: this processor cannot"));
        assert_non_null(strstr(err.message, "use float32 or auto"));
        assert_int_equal(automatic, INVAR_PRECISION_FLOAT32);
        assert_non_null(strstr(invar_device_describe(device), "no bfloat16"));
        invar_error_clear(&err);
        assert_refused(invar_plan_create(p.weights, &options, &err), &err, INVAR_ERROR_USAGE, "precision bfloat16");
    }
    planned_close(&p);
}

static int open_device(void **state)
{
    struct invar_error err = {0};
    *state = test_device_open(1, &err);
    if (!*state)
        fprintf(stderr, "%s\n", err.message);
    return *state ? 0 : -1;
}

static int close_device(void **state)
{
    invar_device_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_against_float32),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
