/* SPDX-License-Identifier: Apache-2.0 */
/* Plans in float32: gradients against finite differences, groups against plans of one group, modes against each other,
   the same bits again, threads, what is not finite. */
#include "plan_nets.h"

/* ---- finite differences ---- */

/* sum of upstream * output, the scalar whose gradient backward gives. */
static double loss(const struct planned *p, struct invar_plan *plan)
{
    struct invar_error err = {0};
    assert_ok(planned_forward(p, plan, &err), &err);
    float *output = test_device_copy(p->device, invar_plan_output(plan), p->out_count);
    const double sum = planned_dot(output, p->upstream, p->out_count);
    free(output);
    return sum;
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

#define DIRECTIONS 3
#define TOLERANCE 0.02 /* of the gradient's norm */

/* How far the two derivatives are apart: along the gradient itself (k = 0), where a wrong sign or factor shows in full,
   and along random directions with half of it mixed in, where a part that belongs elsewhere shows. Steps are small
   against the numbers they move. */
static double direction_error(const struct planned *p, struct invar_plan *plan, float *x, const float *gradient,
                              int64_t count, int k, double *found, double *expected)
{
    float *direction = invar_alloc((size_t)count, sizeof(float), NULL);
    const double norm = sqrt(planned_dot(gradient, gradient, count));
    const double size = sqrt(planned_dot(x, x, count)) + 0.1 * sqrt((double)count);
    double length, a, b;
    planned_fill(direction, count, 99, (uint64_t)k);
    length = sqrt(planned_dot(direction, direction, count));
    for (int64_t i = 0; i < count; i++) {
        const double along = norm > 0 ? (double)gradient[i] / norm : 0;
        direction[i] = (float)(k == 0 && norm > 0 ? along : (double)direction[i] / length + 0.5 * along);
    }
    a = planned_dot(gradient, direction, count);
    b = difference(p, plan, x, direction, count, 3e-4 * size);
    invar_free(direction);
    if (found)
        *found = b;
    if (expected)
        *expected = a;
    return fabs(a - b);
}

/* What has no gradient (a bias before a norm) is rounding, which is small against scale, the norm of all gradients. */
static void check_gradient(const struct planned *p, struct invar_plan *plan, float *x, const float *gradient,
                           int64_t count, double scale, const char *net, const char *what)
{
    const double norm = sqrt(planned_dot(gradient, gradient, count));
    for (int k = 0; k < DIRECTIONS; k++) {
        double found, expected;
        if (!(direction_error(p, plan, x, gradient, count, k, &found, &expected) <= TOLERANCE * norm + 1e-3 * scale))
            fail_msg("%s, %s, direction %d: %.6g by differences, %.6g by the gradient", net, what, k, found, expected);
    }
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
                check_gradient(&p, plan, p.parameters + q->offset, o.gradients + q->offset, q->count, scale,
                               nets[n].name, q->name);
        }
        outcome_free(&o);
        invar_plan_free(plan);
        planned_close(&p);
    }
}

/* A factor two, a flipped sign and a part from elsewhere fail the check above (a check that cannot fail is none). */
static bool accepts(const struct planned *p, struct invar_plan *plan, float *x, const float *gradient, int64_t count)
{
    double worst = 0;
    const double norm = sqrt(planned_dot(gradient, gradient, count));
    for (int k = 0; k < DIRECTIONS; k++)
        worst = fmax(worst, direction_error(p, plan, x, gradient, count, k, NULL, NULL));
    return worst <= TOLERANCE * norm;
}

static void test_differences_can_fail(void **state)
{
    struct planned p = open_net(0, 11);
    struct invar_plan *plan = planned_plan(&p, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32);
    struct outcome o = planned_pass(&p, plan, true);
    const struct invar_parameter *q = &p.net->parameters[0];
    float *x = p.parameters + q->offset, *gradient = o.gradients + q->offset;
    (void)state;
    assert_true(accepts(&p, plan, x, gradient, q->count));
    for (int64_t i = 0; i < q->count; i++)
        gradient[i] *= 1.1f;
    assert_false(accepts(&p, plan, x, gradient, q->count));
    for (int64_t i = 0; i < q->count; i++)
        gradient[i] /= -1.1f;
    assert_false(accepts(&p, plan, x, gradient, q->count));
    for (int64_t i = 0; i < q->count; i++)
        gradient[i] *= i % 4 ? -1.0f : 0.0f;
    assert_false(accepts(&p, plan, x, gradient, q->count));
    outcome_free(&o);
    invar_plan_free(plan);
    planned_close(&p);
}

/* ---- groups ---- */

/* Rows [row, row + batch) of p as a batch of their own over the same weights. */
static struct planned part(const struct planned *p, int64_t row, int64_t batch)
{
    struct planned q = *p;
    q.batch = batch;
    q.in_count = p->in_count / p->batch * batch;
    q.out_count = p->out_count / p->batch * batch;
    q.input = p->input + p->in_count / p->batch * row;
    q.upstream = p->upstream + p->out_count / p->batch * row;
    q.device_input = p->device_input + p->in_count / p->batch * row;
    q.device_upstream = p->device_upstream + p->out_count / p->batch * row;
    return q;
}

/* A batch of two groups is two batches, the second going on with the running statistics of the first. */
static void test_groups(void **state)
{
    (void)state;
    for (int n = 0; n < NET_COUNT; n++) {
        struct planned p = open_net(n, 12), first = part(&p, 0, p.batch / 2),
                       second = part(&p, p.batch / 2, p.batch / 2);
        struct outcome whole = planned_run(&p, INVAR_PLAN_TRAINING, 2, INVAR_PRECISION_FLOAT32);
        struct outcome a = planned_run(&first, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32), b;
        const int64_t trained = p.net->trained_count, statistics = p.net->statistic_count;
        second.statistics = a.statistics;
        b = planned_run(&second, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32);
        for (int64_t i = 0; i < trained; i++)
            a.gradients[i] += b.gradients[i];
        assert_close(whole.output, a.output, first.out_count, 2e-5);
        assert_close(whole.output + first.out_count, b.output, second.out_count, 2e-5);
        assert_close(whole.input_gradient, a.input_gradient, first.in_count, 1e-4);
        assert_close(whole.input_gradient + first.in_count, b.input_gradient, second.in_count, 1e-4);
        assert_close(whole.gradients, a.gradients, trained, 1e-4);
        assert_close(whole.statistics, b.statistics, statistics, 1e-5);
        outcome_free(&whole);
        outcome_free(&a);
        outcome_free(&b);
        planned_close(&p);
    }
}

/* ---- modes ---- */

static void test_forward_mode(void **state)
{
    (void)state;
    for (int n = 0; n < NET_COUNT; n++) {
        struct planned p = open_net(n, 13);
        struct outcome training = planned_run(&p, INVAR_PLAN_TRAINING, 2, INVAR_PRECISION_FLOAT32);
        struct outcome forward = planned_run(&p, INVAR_PLAN_FORWARD, 2, INVAR_PRECISION_FLOAT32);
        assert_close(forward.output, training.output, p.out_count, 1e-6);
        assert_close(forward.statistics, training.statistics, p.net->statistic_count, 1e-6);
        if (p.net->statistic_count)
            assert_true(planned_error(forward.statistics, p.statistics, p.net->statistic_count) > 1e-3);
        outcome_free(&training);
        outcome_free(&forward);
        planned_close(&p);
    }
}

/* conv, norm, relu by hand in double from the running statistics; the statistics stay, and rows know nothing of each
   other. */
static void test_inference_mode(void **state)
{
    struct invar_error err = {0};
    struct invar_net *net = invar_net_create((struct invar_shape){1, 4, 0, 0}, &err);
    const int x = invar_net_linear(net, 0, "linear", 6, false, &err);
    struct planned p;
    struct outcome o;
    (void)state;
    invar_net_relu(net, invar_net_batchnorm(net, x, "norm", &err), &err);
    p = planned_open(device, net, 3, 4);
    o = planned_run(&p, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
    const float *weight = p.parameters, *scale = weight + 24, *shift = scale + 6, *mean = p.statistics,
                *variance = mean + 6;
    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 6; j++) {
            const double z = planned_dot(p.input + 4 * i, weight + 4 * j, 4);
            const double y =
                (double)scale[j] * (z - (double)mean[j]) / sqrt((double)variance[j] + 1e-5) + (double)shift[j];
            assert_near(o.output[6 * i + j], fmax(y, 0), 1e-5);
        }
    assert_memory_equal(o.statistics, p.statistics, 12 * sizeof(float));
    outcome_free(&o);
    planned_close(&p);
}

static void test_inference_rows(void **state)
{
    (void)state;
    for (int n = 0; n < NET_COUNT; n++) {
        struct planned p = open_net(n, 14), last = part(&p, p.batch - 1, 1);
        struct outcome all = planned_run(&p, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
        struct outcome one = planned_run(&last, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
        assert_close(one.output, all.output + p.out_count - last.out_count, last.out_count, 1e-5);
        assert_memory_equal(all.statistics, p.statistics, (size_t)p.net->statistic_count * sizeof(float));
        outcome_free(&all);
        outcome_free(&one);
        planned_close(&p);
    }
}

/* ---- the same bits; threads ---- */

static void assert_same_bits(const struct planned *p, const struct outcome *a, const struct outcome *b)
{
    assert_memory_equal(a->output, b->output, (size_t)p->out_count * sizeof(float));
    assert_memory_equal(a->gradients, b->gradients, (size_t)p->net->trained_count * sizeof(float));
    assert_memory_equal(a->input_gradient, b->input_gradient, (size_t)p->in_count * sizeof(float));
    assert_memory_equal(a->statistics, b->statistics, (size_t)p->net->statistic_count * sizeof(float));
}

/* The same plan again, and another plan. Between the two passes another input goes through. */
/* Where it was asked for, a second backward pass finds what the forward pass left. */
static void test_backward_again(void **state)
{
    (void)state;
    for (int n = 0; n < NET_COUNT; n++) {
        struct planned p = open_net(n, 17);
        const struct invar_plan_options options = {.batch = p.batch,
                                                   .groups = 1,
                                                   .precision = INVAR_PRECISION_FLOAT32,
                                                   .convolution = planned_convolution,
                                                   .mode = INVAR_PLAN_TRAINING,
                                                   .input_gradient = true,
                                                   .repeat = true};
        struct invar_error err = {0};
        struct invar_plan *plan = invar_plan_create(p.weights, &options, &err);
        assert_ok(plan != NULL, &err);
        struct outcome once = planned_run(&p, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32);
        struct outcome again = planned_pass(&p, plan, true);
        assert_same_bits(&p, &once, &again);
        for (int64_t i = 0; i < p.out_count; i++)
            p.upstream[i] = -2 * p.upstream[i];
        assert_ok(planned_backward(&p, plan, &err), &err);
        for (int64_t i = 0; i < p.out_count; i++)
            p.upstream[i] /= -2;
        assert_ok(planned_backward(&p, plan, &err), &err);
        planned_download(&p, again.gradients, p.weights->gradients, p.net->trained_count);
        planned_download(&p, again.input_gradient, invar_plan_input_gradient(plan), p.in_count);
        assert_same_bits(&p, &once, &again);
        outcome_free(&once);
        outcome_free(&again);
        invar_plan_free(plan);
        planned_close(&p);
    }
}

static void test_repeated(void **state)
{
    (void)state;
    for (int n = 0; n < NET_COUNT; n++) {
        struct invar_error err = {0};
        struct planned p = open_net(n, 15);
        struct invar_plan *plan = planned_plan(&p, INVAR_PLAN_TRAINING, 2, INVAR_PRECISION_FLOAT32);
        struct outcome first = planned_pass(&p, plan, true), second, third;
        assert_ok(invar_plan_forward(plan, nets[n].make == no_head ? p.device_upstream : p.device_input, &err), &err);
        second = planned_pass(&p, plan, true);
        third = planned_run(&p, INVAR_PLAN_TRAINING, 2, INVAR_PRECISION_FLOAT32);
        assert_same_bits(&p, &first, &second);
        assert_same_bits(&p, &first, &third);
        outcome_free(&first);
        outcome_free(&second);
        outcome_free(&third);
        invar_plan_free(plan);
        planned_close(&p);
    }
}

/* Devices of one and of two threads, both open: each plan keeps to its own. */
static void test_threads(void **state)
{
    struct invar_error err = {0};
    struct invar_device *one = device, *two = test_device_open(2, &err);
    (void)state;
    assert_non_null(two);
    assert_int_equal(invar_device_threads(two), 2);
    for (int n = 0; n < NET_COUNT; n++) {
        struct planned p = open_net(n, 16), q;
        struct outcome a, b;
        device = two;
        q = open_net(n, 16);
        device = one;
        a = planned_run(&p, INVAR_PLAN_TRAINING, 2, INVAR_PRECISION_FLOAT32);
        b = planned_run(&q, INVAR_PLAN_TRAINING, 2, INVAR_PRECISION_FLOAT32);
        assert_close(b.output, a.output, p.out_count, 1e-5);
        assert_close(b.gradients, a.gradients, p.net->trained_count, 1e-5);
        assert_close(b.input_gradient, a.input_gradient, p.in_count, 1e-5);
        assert_close(b.statistics, a.statistics, p.net->statistic_count, 1e-5);
        outcome_free(&a);
        outcome_free(&b);
        planned_close(&p);
        planned_close(&q);
    }
    invar_device_close(two);
}

/* ---- values that no golden case has ---- */

static void test_upsample_values(void **state)
{
    struct invar_error err = {0};
    (void)state;
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 3, 4}, &err);
    assert_int_equal(invar_net_upsample(net, 0, 7, 8, &err), 1);
    struct planned p = planned_open(device, net, 1, 4);
    struct outcome o = planned_run(&p, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32);
    for (int64_t c = 0; c < 2; c++)
        for (int64_t y = 0; y < 7; y++)
            for (int64_t x = 0; x < 8; x++) {
                const int64_t from_y = (2 * y + 1) * 3 / 14, from_x = x / 2; /* floor((y + 1/2) 3 / 7) */
                assert_true(o.output[(c * 7 + y) * 8 + x] == p.input[(c * 3 + from_y) * 4 + from_x]);
            }
    outcome_free(&o);
    planned_close(&p);
}

/* ---- what is not finite ---- */

static float *values_of(const struct planned *p, const char *name)
{
    for (int i = 0; i < p->net->parameter_count; i++)
        if (strcmp(p->net->parameters[i].name, name) == 0)
            return p->parameters + p->net->parameters[i].offset;
    fail_msg("no parameter %s", name);
    return NULL;
}

static void check_nonfinite(const struct planned *p, float *where, float value, const char *layer)
{
    struct invar_error err = {0};
    for (int mode = 0; mode < 3; mode++) {
        struct invar_plan *plan = planned_plan(p, (enum invar_plan_mode)mode, 1, INVAR_PRECISION_FLOAT32);
        const float kept = *where;
        const char *found;
        assert_null(invar_plan_find_nonfinite(plan));
        assert_ok(planned_forward(p, plan, &err), &err);
        assert_null(invar_plan_find_nonfinite(plan));
        *where = value;
        assert_ok(planned_forward(p, plan, &err), &err);
        found = invar_plan_find_nonfinite(plan);
        assert_non_null(found);
        assert_string_equal(found, layer);
        *where = kept;
        invar_plan_free(plan);
    }
}

static void test_find_nonfinite(void **state)
{
    struct planned p = open_net(0, 17), q = open_net(3, 17);
    (void)state;
    check_nonfinite(&p, p.input + p.in_count - 1, NAN, "input");
    check_nonfinite(&p, p.input, INFINITY, "input");
    check_nonfinite(&p, values_of(&p, "conv1.weight"), NAN, "conv1");
    /* a fused ReLU makes zero of NaN, so Inf; NaN in a weight is for the trainer to find */
    check_nonfinite(&p, values_of(&p, "bn1.bias"), INFINITY, "bn1");
    check_nonfinite(&p, values_of(&p, "layer1.0.bn2.weight") + 2, INFINITY, "layer1.0.bn2");
    check_nonfinite(&p, values_of(&p, "layer2.0.conv2.weight"), NAN, "layer2.0.conv2");
    check_nonfinite(&p, values_of(&p, "layer2.0.downsample.0.weight") + 1, -INFINITY, "layer2.0.downsample.0");
    check_nonfinite(&q, values_of(&q, "conv2.bias"), NAN, "conv2");
    check_nonfinite(&q, values_of(&q, "linear1.weight"), NAN, "linear1");
    check_nonfinite(&q, values_of(&q, "norm2.weight"), NAN, "norm2");
    check_nonfinite(&q, values_of(&q, "linear2.weight"), NAN, "linear2");
    planned_close(&p);
    planned_close(&q);
}

/* Everything once more with each way to compute a convolution. */
static int run_all(const char *name, enum invar_convolution convolution)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),     cmocka_unit_test(test_differences_can_fail),
        cmocka_unit_test(test_groups),          cmocka_unit_test(test_forward_mode),
        cmocka_unit_test(test_inference_mode),  cmocka_unit_test(test_inference_rows),
        cmocka_unit_test(test_backward_again),  cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_threads),         cmocka_unit_test(test_find_nonfinite),
        cmocka_unit_test(test_upsample_values),
    };
    planned_convolution = convolution;
    return cmocka_run_group_tests_name(name, tests, open_device, close_device);
}

int main(void)
{
    return run_all("convolution: auto", INVAR_CONVOLUTION_AUTO) +
           run_all("convolution: direct", INVAR_CONVOLUTION_DIRECT) +
           run_all("convolution: winograd", INVAR_CONVOLUTION_WINOGRAD);
}
