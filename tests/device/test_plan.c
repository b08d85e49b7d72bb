/* SPDX-License-Identifier: Apache-2.0 */
/* Plans in float32: gradients against finite differences, groups against plans of one group, modes against each other,
   the same bits again, threads, memory, what is not finite, refusals. */
#include "planned.h"

static struct invar_device *device;

static int open_device(void **state)
{
    struct invar_error err = {0};
    (void)state;
    device = invar_device_open("cpu", 1, &err);
    if (!device)
        fprintf(stderr, "%s\n", err.message);
    return device ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    invar_device_close(device);
    return 0;
}

/* ---- nets ---- */

static struct invar_net *small_padded(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [3, 5]}", (struct invar_shape){3, 3, 9, 9}, err);
}

static struct invar_net *small_blocks(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [8, 16], stride: 1, pool: 1}",
                           (struct invar_shape){3, 1, 7, 11}, err);
}

static struct invar_net *mlp(struct invar_error *err)
{
    return planned_encoder("{kind: mlp, widths: [20, 7]}", (struct invar_shape){3, 2, 3, 4}, err);
}

static struct invar_net *same_twice(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 5, 6}, err);
    int x = planned_conv(net, 0, "a", 5, 1, err);
    x = invar_net_add(net, x, x, err);
    x = planned_conv(net, x, "b", 3, 2, err);
    return planned_finish(net, invar_net_flatten(net, invar_net_add(net, x, x, err), err));
}

/* The shortcut x is read by a convolution and by two sums, one of which reads the other. */
static struct invar_net *shortcut_thrice(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 5, 6}, err);
    const int x = invar_net_relu(net, planned_conv(net, 0, "a", 8, 1, err), err);
    const int y = planned_conv(net, x, "b", 8, 1, err);
    const int sum = invar_net_add(net, x, y, err);
    const int both = invar_net_add(net, sum, x, err);
    return planned_finish(net, invar_net_flatten(net, invar_net_relu(net, both, err), err));
}

/* The same in the other order, from the input on, without the ReLU. */
static struct invar_net *input_thrice(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 3, 4, 4}, err);
    const int y = planned_conv(net, 0, "a", 3, 1, err);
    const int sum = invar_net_add(net, y, 0, err);
    const int both = invar_net_add(net, 0, sum, err);
    return planned_finish(net, invar_net_add(net, both, sum, err));
}

/* Vectors that are read many times, by sums of sums. */
static struct invar_net *vector_sums(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){1, 6, 0, 0}, err);
    const int x = invar_net_batchnorm(net, invar_net_linear(net, 0, "a", 6, true, err), "norm", err);
    const int y = invar_net_relu(net, x, err);
    const int z = invar_net_add(net, invar_net_add(net, x, y, err), invar_net_add(net, y, x, err), err);
    return planned_finish(net, invar_net_add(net, invar_net_add(net, z, 0, err), z, err));
}

/* A map read by a flatten (which may share its memory) with a norm after it, and by a convolution. */
static struct invar_net *shared_flatten(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 3, 4, 6}, err);
    const int x = invar_net_avgpool(net, 0, 2, err);
    const int side = invar_net_batchnorm(net, invar_net_flatten(net, x, err), "norm", err);
    const int main_way = invar_net_flatten(net, planned_conv(net, x, "conv", 3, 1, err), err);
    return planned_finish(net, invar_net_add(net, side, main_way, err));
}

static struct invar_net *head(struct invar_error *err)
{
    const struct invar_head_options options = {
        .hidden = {1, {12}}, .output = 5, .bias = true, .batchnorm = true, .last_batchnorm = true};
    return invar_head_build(&options, 9, err);
}

static struct invar_net *plain_head(struct invar_error *err)
{
    const struct invar_head_options options = {.hidden = {2, {12, 10}}, .output = 5, .last_bias = true};
    return invar_head_build(&options, 9, err);
}

static struct invar_net *no_head(struct invar_error *err)
{
    const struct invar_head_options options = {.output = 0};
    return invar_head_build(&options, 9, err);
}

static const struct {
    const char *name;
    net_maker make;
    int64_t batch;
} nets[] = {
    {"small-resnet [3, 5]", small_padded, 4},
    {"small-resnet [8, 16], batch 2", small_blocks, 2},
    {"mlp", mlp, 16},
    {"every kind of layer", planned_every_kind, 6},
    {"an add of the same layer", same_twice, 2},
    {"a shortcut used three times", shortcut_thrice, 2},
    {"the input used three times", input_thrice, 2},
    {"sums of sums of vectors", vector_sums, 12},
    {"a map shared by flatten and convolution", shared_flatten, 8},
    {"head with a last norm", head, 12},
    {"head without norms", plain_head, 6},
    {"no head", no_head, 4},
};
#define NET_COUNT ((int)(sizeof nets / sizeof *nets))

static struct planned open_net(int number, uint64_t seed)
{
    struct invar_error err = {0};
    struct invar_net *net = nets[number].make(&err);
    if (!net)
        fail_msg("%s: %s", nets[number].name, err.message);
    return planned_open(device, net, nets[number].batch, seed);
}

/* ---- finite differences ---- */

/* sum of upstream * output, the scalar whose gradient backward gives. */
static double loss(const struct planned *p, struct invar_plan *plan)
{
    struct invar_error err = {0};
    assert_ok(invar_plan_forward(plan, p->input, &err), &err);
    return planned_dot(invar_plan_output(plan), p->upstream, p->out_count);
}

/* Central difference of the loss when x moves by +-step along direction. */
static double difference(const struct planned *p, struct invar_plan *plan, float *x, const float *direction,
                         int64_t count, double step)
{
    float *kept = invar_alloc((size_t)count, sizeof(float), NULL);
    double value[2];
    memcpy(kept, x, (size_t)count * sizeof(float));
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < count; i++)
            x[i] = kept[i] + (float)((side ? step : -step) * (double)direction[i]);
        value[side] = loss(p, plan);
    }
    memcpy(x, kept, (size_t)count * sizeof(float));
    invar_free(kept);
    return (value[1] - value[0]) / (2 * step);
}

/* Along the gradient itself, where a wrong sign or factor shows in full, and along random directions with half of it
   mixed in, where a part that belongs elsewhere shows. Steps are small against the numbers they move. What has no
   gradient (a bias before a norm) is rounding, which is small against scale, the norm of all gradients. */
static void check_gradient(const struct planned *p, struct invar_plan *plan, float *x, const float *gradient,
                           int64_t count, double scale, const char *net, const char *what)
{
    float *direction = invar_alloc((size_t)count, sizeof(float), NULL);
    const double norm = sqrt(planned_dot(gradient, gradient, count));
    const double size = sqrt(planned_dot(x, x, count)) + 0.1 * sqrt((double)count);
    for (int k = 0; k < 3; k++) {
        double length;
        planned_fill(direction, count, 99, (uint64_t)k);
        length = sqrt(planned_dot(direction, direction, count));
        for (int64_t i = 0; i < count; i++) {
            const double along = norm > 0 ? (double)gradient[i] / norm : 0;
            direction[i] = (float)(k == 0 && norm > 0 ? along : (double)direction[i] / length + 0.5 * along);
        }
        const double expected = planned_dot(gradient, direction, count);
        const double found = difference(p, plan, x, direction, count, 3e-4 * size);
        if (!(fabs(found - expected) <= 0.02 * norm + 1e-3 * scale))
            fail_msg("%s, %s, direction %d: %.6g by differences, %.6g by the gradient", net, what, k, found, expected);
    }
    invar_free(direction);
}

static void test_differences(void **state)
{
    (void)state;
    for (int n = 0; n < NET_COUNT; n++) {
        struct planned p = open_net(n, 11);
        struct invar_plan *plan = planned_plan(&p, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32);
        struct outcome o = planned_pass(&p, plan, true);
        const double scale = sqrt(planned_dot(o.gradients, o.gradients, p.net->trained_count)) +
                             sqrt(planned_dot(o.input_gradient, o.input_gradient, p.in_count));
        check_gradient(&p, plan, p.input, o.input_gradient, p.in_count, scale, nets[n].name, "input");
        for (int i = 0; i < p.net->parameter_count; i++) {
            const struct invar_parameter *q = &p.net->parameters[i];
            if (q->role != INVAR_PARAMETER_STATISTIC)
                check_gradient(&p, plan, p.weights->parameters + q->offset, o.gradients + q->offset, q->count, scale,
                               nets[n].name, q->name);
        }
        outcome_free(&o);
        invar_plan_free(plan);
        planned_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
