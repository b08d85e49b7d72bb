/* SPDX-License-Identifier: Apache-2.0 */
/* Inference with norms, sums and ReLUs taken into convolutions and linear layers: the same numbers as layer by layer,
   and never those of weights that are no longer there. */
#include "plan_nets.h"

#include "device/cpu/plan.h"

/* ---- nets that plan_nets.h has not ---- */

static struct invar_net *residual(const char *text, struct invar_error *err)
{
    return planned_encoder(text, (struct invar_shape){3, 3, 16, 12}, err);
}

static struct invar_net *basic(struct invar_error *err)
{
    return residual("{kind: resnet18, stem: small, width: 8}", err);
}

static struct invar_net *bottlenecks(struct invar_error *err)
{
    return residual("{kind: resnet50, stem: small, width: 8}", err);
}

/* Linear layers with a bias, a norm, and a summand from before; a norm without ReLU; a ReLU without norm. */
static struct invar_net *vectors(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){1, 7, 0, 0}, err);
    const int x = invar_net_relu(net, invar_net_linear(net, 0, "a", 20, true, err), err);
    const int y = invar_net_batchnorm(net, invar_net_linear(net, x, "b", 20, true, err), "bn", err);
    const int z = invar_net_batchnorm(net, invar_net_linear(net, y, "c", 20, true, err), "cn", err);
    const int sum = invar_net_relu(net, invar_net_add(net, x, z, err), err);
    return planned_finish(net, invar_net_linear(net, sum, "d", 3, false, err));
}

/* The summand is read once more behind the sum, is the convolution's own input, or is the net's. */
static struct invar_net *not_to_be_written(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 8, 6, 5}, err);
    const int a = invar_net_relu(net, planned_conv(net, 0, "a", 8, 1, err), err);
    const int b = invar_net_batchnorm(net, planned_conv(net, a, "b", 8, 1, err), "bn", err);
    const int c = invar_net_relu(net, invar_net_add(net, a, b, err), err);
    const int d = invar_net_add(net, planned_conv(net, c, "d", 8, 1, err), a, err);
    const int e = invar_net_relu(net, invar_net_add(net, planned_conv(net, d, "e", 8, 1, err), d, err), err);
    const int f = invar_net_add(net, 0, planned_conv(net, e, "f", 8, 1, err), err);
    return planned_finish(net, invar_net_flatten(net, invar_net_avgpool(net, f, 2, err), err));
}

static const struct {
    const char *name;
    net_maker make;
    int64_t batch;
    int norms;    /* that stay */
    double bound; /* of the error; layer by layer, resnet50 is 8e-6 apart: 53 norms of drawn weights */
} folding[] = {
    {"resnet18", basic, 5, 0, 5e-6},
    {"resnet50", bottlenecks, 24, 0, 3e-5},
    {"linear layers", vectors, 6, 0, 1e-6},
    {"summands that are needed", not_to_be_written, 4, 0, 1e-6},
    {"small-resnet [3, 5]", small_padded, 4, 0, 1e-6},
    {"a map shared by flatten and convolution", shared_flatten, 8, 1, 1e-6},
};
#define FOLDING ((int)(sizeof folding / sizeof *folding))

/* ---- the same numbers ---- */

/* Rows of a batch under each norm, as the whole batch is one group. */
static double pixels(const struct planned *p, int layer)
{
    const struct invar_shape shape = p->net->layers[layer].shape;
    return (double)(p->batch * (shape.rank == 3 ? shape.height * shape.width : 1));
}

/* Running statistics become exactly those of the batch: momentum 1, and the variance biased again. */
static struct outcome run_with_batch_statistics(struct planned *p)
{
    for (int i = 0; i < p->net->layer_count; i++)
        p->net->layers[i].momentum = 1;
    struct outcome o = planned_run(p, INVAR_PLAN_FORWARD, 1, INVAR_PRECISION_FLOAT32);
    memcpy(p->statistics, o.statistics, (size_t)p->net->statistic_count * sizeof(float));
    for (int i = 0; i < p->net->layer_count; i++) {
        if (p->net->layers[i].kind != INVAR_LAYER_BATCHNORM)
            continue;
        const struct invar_parameter *variance = &p->net->parameters[p->net->layers[i].parameter[3]];
        const double n = pixels(p, i);
        for (int64_t k = 0; k < variance->count; k++)
            p->statistics[variance->offset + k] = (float)((double)p->statistics[variance->offset + k] * (n - 1) / n);
    }
    return o;
}

static void check_against_layers(struct planned *p, const char *name, double bound)
{
    struct outcome layers = run_with_batch_statistics(p);
    struct outcome folded = planned_run(p, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
    const double error = planned_error(folded.output, layers.output, p->out_count);
    printf("%-40s %.1e\n", name, error);
    assert_true(error < bound);
    outcome_free(&layers);
    outcome_free(&folded);
}

static void test_numbers(void **state)
{
    (void)state;
    for (int n = 0; n < FOLDING; n++) {
        struct invar_error err = {0};
        struct planned p = planned_open(device, folding[n].make(&err), folding[n].batch, 31);
        check_against_layers(&p, folding[n].name, folding[n].bound);
        planned_close(&p);
    }
    for (int n = 0; n < NET_COUNT; n++) {
        struct planned p = open_net(n, 32);
        check_against_layers(&p, nets[n].name, 1e-6);
        planned_close(&p);
    }
}

/* No pass for a norm is left where a convolution or linear layer stands before it. */
static void test_norms_are_gone(void **state)
{
    (void)state;
    for (int n = 0; n < FOLDING; n++) {
        struct invar_error err = {0};
        struct planned p = planned_open(device, folding[n].make(&err), folding[n].batch, 33);
        struct invar_plan *plan = planned_plan(&p, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
        const struct cpu_plan *cpu = (const struct cpu_plan *)plan;
        int norms = 0;
        for (int i = 0; i < cpu->operation_count; i++)
            norms += cpu->operations[i].work == WORK_NORM_FORWARD;
        assert_int_equal(norms, folding[n].norms);
        invar_plan_free(plan);
        planned_close(&p);
    }
}

/* ---- weights that change ---- */

static void check_fresh(const struct planned *p, struct invar_plan *plan)
{
    struct outcome used = planned_pass(p, plan, false);
    struct outcome fresh = planned_run(p, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
    assert_memory_equal(used.output, fresh.output, (size_t)p->out_count * sizeof(float));
    outcome_free(&used);
    outcome_free(&fresh);
}

/* Whatever array changes, by one number, and whoever writes it: the next pass sees it, and so does the one after. */
static void test_changed_weights(void **state)
{
    (void)state;
    for (int n = 0; n < FOLDING; n++) {
        struct invar_error err = {0};
        struct planned p = planned_open(device, folding[n].make(&err), folding[n].batch, 34);
        struct invar_plan *plan = planned_plan(&p, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
        int changed = 0, tried = 0;
        check_fresh(&p, plan);
        for (int i = 0; i < p.net->parameter_count; i += n < 2 ? 7 : 1) {
            const struct invar_parameter *q = &p.net->parameters[i];
            float *base = q->role == INVAR_PARAMETER_STATISTIC ? p.statistics : p.parameters;
            struct outcome before = planned_pass(&p, plan, false);
            base[q->offset + q->count / 2] += 0.75f;
            struct outcome after = planned_pass(&p, plan, false);
            changed += memcmp(before.output, after.output, (size_t)p.out_count * sizeof(float)) != 0;
            tried++;
            outcome_free(&before);
            outcome_free(&after);
            check_fresh(&p, plan);
        }
        assert_true(changed > tried / 2); /* some numbers stand before a ReLU that is off */
        invar_plan_free(plan);
        planned_close(&p);
    }
}

/* For the same weights the work on them is done once. */
static void test_once(void **state)
{
    struct invar_error err = {0};
    struct planned p = planned_open(device, basic(&err), 4, 35);
    const struct invar_plan_options options = {
        .batch = 4, .groups = 1, .precision = INVAR_PRECISION_FLOAT32, .mode = INVAR_PLAN_INFERENCE, .profile = true};
    struct invar_plan *plan = invar_plan_create(p.weights, &options, &err);
    const struct cpu_plan *cpu = (const struct cpu_plan *)plan;
    (void)state;
    assert_ok(plan != NULL, &err);
    for (int i = 0; i < 3; i++)
        assert_ok(planned_forward(&p, plan, &err), &err);
    const int64_t once = cpu->calls[WORK_WEIGHT_REORDER];
    assert_true(once > 0);
    p.parameters[0] += 1;
    for (int i = 0; i < 3; i++)
        assert_ok(planned_forward(&p, plan, &err), &err);
    assert_int_equal(cpu->calls[WORK_WEIGHT_REORDER], 2 * once);
    assert_null(invar_plan_find_nonfinite(plan));
    p.parameters[p.net->parameters[0].offset] = NAN;
    assert_ok(planned_forward(&p, plan, &err), &err);
    assert_string_equal(invar_plan_find_nonfinite(plan), "conv1");
    invar_plan_free(plan);
    planned_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_norms_are_gone),
        cmocka_unit_test(test_changed_weights),
        cmocka_unit_test(test_once),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
