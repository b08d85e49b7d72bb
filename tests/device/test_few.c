/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of first convolutions of few channels against sums in double, and which kernels make them. */
#include "planned.h"

#include "device/cpu/isa.h"
#include "device/cpu/plan.h"

static const struct first {
    int64_t channels, height, width, out, kernel, stride, padding, batch;
    bool bias;
    enum isa own; /* from this on by plan_few.c; ISA_SSE: never */
} firsts[] = {
    {4, 84, 84, 32, 5, 5, 0, 32, true, ISA_AVX2},  /* the data-efficient encoder's */
    {4, 84, 84, 32, 8, 4, 0, 3, true, ISA_AVX2},   /* the nature encoder's */
    {4, 84, 84, 32, 8, 4, 2, 3, true, ISA_AVX512}, /* with DrQ's paddings; with AVX2 the library's */
    {1, 28, 28, 16, 3, 1, 1, 19, false, ISA_AVX2}, /* the quickstart's */
    {1, 17, 23, 40, 3, 2, 1, 17, true, ISA_AVX2},  /* three vectors of 16, or five of 8 */
    {2, 21, 19, 48, 5, 2, 2, 5, true, ISA_AVX2},   /* with AVX-512 a pair and one */
    {4, 16, 33, 16, 8, 3, 0, 16, false, ISA_AVX2}, /* pixels on the right and below that no window reads */
    {2, 9, 9, 12, 3, 1, 1, 1, true, ISA_AVX2},     /* channels that fill no vector */
    {3, 20, 20, 16, 5, 5, 0, 4, true, ISA_SSE},    /* the library has kernels of three */
    {4, 20, 20, 16, 7, 1, 3, 4, true, ISA_SSE},    /* no window of this side */
};

/* ReLU behind it, so that the gradient comes in the layout that the convolution chose. */
static struct invar_net *net_of(const struct first *f, struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, f->channels, f->height, f->width}, err);
    const int x = invar_net_conv2d(net, 0, "conv", f->out, f->kernel, f->stride, f->padding, f->bias,
                                   INVAR_INIT_KAIMING_FAN_OUT, err);
    return planned_finish(net, invar_net_flatten(net, invar_net_relu(net, x, err), err));
}

/* What the gradient of weight (o, c, y, x) sums over: gradient [batch][out][rows][cols] where the output is above 0. */
static double weight_sum(const struct planned *p, const struct first *f, const float *output, int64_t o, int64_t c,
                         int64_t y, int64_t x)
{
    const struct invar_shape shape = p->net->layers[1].shape;
    double sum = 0;

    for (int64_t n = 0; n < f->batch; n++)
        for (int64_t i = 0; i < shape.height; i++)
            for (int64_t j = 0; j < shape.width; j++) {
                const int64_t at = ((n * f->out + o) * shape.height + i) * shape.width + j;
                const int64_t row = i * f->stride + y - f->padding, col = j * f->stride + x - f->padding;
                if (output[at] > 0 && row >= 0 && row < f->height && col >= 0 && col < f->width)
                    sum += (double)p->upstream[at] *
                           (c < 0 ? 1 : (double)p->input[((n * f->channels + c) * f->height + row) * f->width + col]);
            }
    return sum;
}

/* Of the bias where c is below 0: there every window counts, so nothing lies outside. */
static double bias_sum(const struct planned *p, const struct first *f, const float *output, int64_t o)
{
    const struct first inside = {f->channels, f->height, f->width, f->out, 1, 0, 0, f->batch, true, ISA_AVX2};

    return weight_sum(p, &inside, output, o, -1, 0, 0);
}

static bool is_own(const struct invar_plan *plan)
{
    const struct cpu_plan *own = (const struct cpu_plan *)plan;

    for (int i = 0; i < own->operation_count; i++)
        if (own->operations[i].work == WORK_CONV_BACKWARD_WEIGHTS)
            return own->operations[i].run != NULL;
    fail_msg("a plan without gradients of weights");
    return false;
}

static void test_sums(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        const struct first *f = &firsts[i];
        struct invar_error err = {0};
        struct invar_device *device = test_device_open(2, &err);
        assert_ok(device != NULL, &err);
        struct planned p = planned_open(device, net_of(f, &err), f->batch, 5 + i);
        struct invar_plan *plan = planned_plan(&p, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32);
        struct outcome o = planned_pass(&p, plan, true);
        float *expected = invar_alloc((size_t)p.net->trained_count, sizeof(float), &err), *at = expected;

        for (int64_t out = 0; out < f->out; out++)
            for (int64_t c = 0; c < f->channels; c++)
                for (int64_t y = 0; y < f->kernel; y++)
                    for (int64_t x = 0; x < f->kernel; x++)
                        *at++ = (float)weight_sum(&p, f, o.output, out, c, y, x);
        const int64_t weights = at - expected;
        for (int64_t out = 0; f->bias && out < f->out; out++)
            *at++ = (float)bias_sum(&p, f, o.output, out);
        assert_int_equal(at - expected, p.net->trained_count);
        assert_close(o.gradients, expected, weights, 1e-5);
        assert_close(o.gradients + weights, expected + weights, p.net->trained_count - weights, 1e-5);
        if (cpu_isa() >= ISA_AVX2)
            assert_int_equal(is_own(plan), f->own > ISA_SSE && cpu_isa() >= f->own);
        invar_free(expected);
        outcome_free(&o);
        invar_plan_free(plan);
        planned_close(&p);
        invar_device_close(device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
