/* SPDX-License-Identifier: Apache-2.0 */
/* Inference in slices of the batch: the numbers of the whole batch, the same bits on any number of threads, weights as
   they are, and the first layer that is not finite in whichever slice it is. */
#include "planned.h"

#include "device/cpu/plan.h"

#define BATCH 48

static struct invar_net *small_net(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [16, 24], pool: 2}", (struct invar_shape){3, 2, 14, 13}, err);
}

struct sliced {
    struct invar_device *device;
    struct planned p;
    struct invar_plan *plan;
};

static struct sliced open_sliced(int threads)
{
    struct invar_error err = {0};
    struct sliced s = {.device = test_device_open(threads, &err)};
    assert_ok(s.device != NULL, &err);
    s.p = planned_open(s.device, small_net(&err), BATCH, 1);
    s.plan = planned_plan(&s.p, INVAR_PLAN_INFERENCE, 1, INVAR_PRECISION_FLOAT32);
    return s;
}

static void close_sliced(struct sliced *s)
{
    invar_plan_free(s->plan);
    planned_close(&s->p);
    invar_device_close(s->device);
}

static int64_t slices_of(const struct invar_plan *plan)
{
    const struct cpu_plan *own = (const struct cpu_plan *)plan;
    return own->rows / own->options.batch;
}

/* A plan that keeps times runs layer by layer over the whole batch. */
static struct outcome whole(const struct planned *p)
{
    struct invar_error err = {0};
    const struct invar_plan_options options = {.batch = BATCH,
                                               .groups = 1,
                                               .mode = INVAR_PLAN_INFERENCE,
                                               .precision = INVAR_PRECISION_FLOAT32,
                                               .profile = true};
    struct invar_plan *plan = invar_plan_create(p->weights, &options, &err);
    assert_ok(plan != NULL, &err);
    assert_int_equal(slices_of(plan), 1);
    struct outcome o = planned_pass(p, plan, false);
    invar_plan_free(plan);
    return o;
}

static void test_numbers(void **state)
{
    float *first = NULL;
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        struct sliced s = open_sliced(threads);
        assert_true(slices_of(s.plan) >= threads);
        struct outcome wanted = whole(&s.p), got = planned_pass(&s.p, s.plan, false);
        const size_t bytes = (size_t)s.p.out_count * sizeof(float);
        assert_true(planned_error(got.output, wanted.output, s.p.out_count) < 1e-6);
        if (first && slices_of(s.plan) > 1)
            assert_memory_equal(first, got.output, bytes);
        if (!first && slices_of(s.plan) > 1) {
            first = invar_alloc(bytes, 1, NULL);
            memcpy(first, got.output, bytes);
        }
        outcome_free(&wanted);
        outcome_free(&got);
        close_sliced(&s);
    }
    assert_non_null(first);
    invar_free(first);
}

/* What is kept of the weights is made anew, for all threads. */
static void test_other_weights(void **state)
{
    struct sliced s = open_sliced(3);
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct outcome got = planned_pass(&s.p, s.plan, false), wanted = whole(&s.p);
        assert_true(planned_error(got.output, wanted.output, s.p.out_count) < 1e-6);
        outcome_free(&got);
        outcome_free(&wanted);
        invar_device_scale(s.device, s.p.weights->parameters, s.p.net->trained_count, 1.25);
    }
    close_sliced(&s);
}

static void set_number(const struct sliced *s, float *at, float value)
{
    invar_device_upload(s->device, at, &value, sizeof value);
}

static void test_nonfinite(void **state)
{
    struct invar_error err = {0};
    struct sliced s = open_sliced(3);
    (void)state;
    assert_null(invar_plan_find_nonfinite(s.plan));
    assert_ok(invar_plan_forward(s.plan, s.p.input, &err), &err);
    assert_null(invar_plan_find_nonfinite(s.plan));
    set_number(&s, s.p.input + s.p.in_count - 1, INFINITY);
    assert_ok(invar_plan_forward(s.plan, s.p.input, &err), &err);
    assert_string_equal(invar_plan_find_nonfinite(s.plan), s.p.net->layers[0].name);
    set_number(&s, s.p.input + s.p.in_count - 1, 0);
    set_number(&s, s.p.weights->parameters + s.p.net->trained_count - 1, NAN);
    assert_ok(invar_plan_forward(s.plan, s.p.input, &err), &err);
    assert_non_null(invar_plan_find_nonfinite(s.plan));
    close_sliced(&s);
}

/* A device for planning counts what all threads take. */
static void test_memory(void **state)
{
    struct invar_error err = {0};
    struct sliced s = open_sliced(3);
    struct invar_device *paper = invar_device_open_planning("cpu", 3, &err);
    struct invar_weights *weights = paper ? invar_weights_create(paper, s.p.net, true, &err) : NULL;
    const struct invar_plan_options options = {
        .batch = BATCH, .groups = 1, .mode = INVAR_PLAN_INFERENCE, .precision = INVAR_PRECISION_FLOAT32};
    struct invar_plan *plan = weights ? invar_plan_create(weights, &options, &err) : NULL;
    struct invar_plan_memory counted, taken;
    (void)state;
    assert_ok(plan != NULL, &err);
    invar_plan_memory(plan, &counted);
    invar_plan_memory(s.plan, &taken);
    assert_memory_equal(&counted, &taken, sizeof taken);
    invar_plan_free(plan);
    invar_weights_free(weights);
    invar_device_close(paper);
    close_sliced(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_other_weights),
                                       cmocka_unit_test(test_nonfinite), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
