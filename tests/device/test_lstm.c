/* SPDX-License-Identifier: Apache-2.0 */
/* LSTMs over the steps of a plan: steps one by one are the same as together, gradients through time against finite
   differences, states in and out, and what is refused. Values are golden (lstm_small). */
#include "planned.h"

#define SEQUENCES 3
#define STEPS 4
#define WIDTH 5
#define HIDDEN 6
#define STATE (2 * HIDDEN)

static struct invar_device *device;

static int open_device(void **state)
{
    struct invar_error err = {0};
    (void)state;
    device = test_device_open(1, &err);
    return device ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    invar_device_close(device);
    return 0;
}

static struct invar_net *recurrent(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){1, WIDTH, 0, 0}, err);
    return planned_finish(net, invar_net_lstm(net, 0, "lstm", HIDDEN, err));
}

static struct invar_plan *make_plan(const struct planned *p, enum invar_plan_mode mode, int64_t rows, int64_t steps)
{
    struct invar_error err = {0};
    const struct invar_plan_options options = {.batch = rows,
                                               .groups = 1,
                                               .precision = INVAR_PRECISION_FLOAT32,
                                               .mode = mode,
                                               .steps = steps,
                                               .input_gradient = mode == INVAR_PLAN_TRAINING};
    struct invar_plan *plan = invar_plan_create(p->weights, &options, &err);
    assert_ok(plan != NULL, &err);
    return plan;
}

/* A state that is not 0 before the first step. */
static void begin(struct invar_plan *plan, float scale)
{
    float state[SEQUENCES * STATE];
    for (int i = 0; i < SEQUENCES * STATE; i++)
        state[i] = scale * (float)((i * 7) % 5 - 2);
    invar_device_upload(device, invar_plan_state(plan), state, sizeof state);
}

static void end(struct invar_plan *plan, float *state)
{
    invar_device_download(device, state, invar_plan_state(plan) + SEQUENCES * STATE, SEQUENCES * STATE * sizeof(float));
}

/* All steps together against one step after the other, whose state is handed on. */
static void test_steps(void **state)
{
    struct invar_error err = {0};
    struct planned p = planned_open(device, recurrent(&err), SEQUENCES * STEPS, 3);
    struct invar_plan *all = make_plan(&p, INVAR_PLAN_TRAINING, p.batch, STEPS),
                      *one = make_plan(&p, INVAR_PLAN_INFERENCE, SEQUENCES, 0);
    float last[SEQUENCES * STATE], again[SEQUENCES * STATE];
    (void)state;

    begin(all, 0.2f);
    assert_ok(planned_forward(&p, all, &err), &err);
    float *together = test_device_copy(device, invar_plan_output(all), p.out_count);
    end(all, last);
    begin(one, 0.2f);
    for (int64_t t = 0; t < STEPS; t++) {
        assert_ok(invar_plan_forward(one, p.device_input + t * SEQUENCES * WIDTH, &err), &err);
        float *apart = test_device_copy(device, invar_plan_output(one), SEQUENCES * HIDDEN);
        assert_close(apart, together + t * SEQUENCES * HIDDEN, SEQUENCES * HIDDEN, 1e-6);
        free(apart);
        end(one, again);
        invar_device_upload(device, invar_plan_state(one), again, sizeof again);
    }
    assert_close(again, last, SEQUENCES * STATE, 1e-6);
    begin(all, 0); /* another beginning is another output */
    assert_ok(planned_forward(&p, all, &err), &err);
    float *zero = test_device_copy(device, invar_plan_output(all), p.out_count);
    assert_true(planned_error(zero, together, p.out_count) > 1e-2);
    free(zero);
    free(together);
    invar_plan_free(all);
    invar_plan_free(one);
    planned_close(&p);
}

static double loss(const struct planned *p, struct invar_plan *plan)
{
    struct invar_error err = {0};
    assert_ok(planned_forward(p, plan, &err), &err);
    float *y = test_device_copy(device, invar_plan_output(plan), p->out_count);
    const double sum = planned_dot(y, p->upstream, p->out_count);
    free(y);
    return sum;
}

static void check(const struct planned *p, struct invar_plan *plan, float *x, const float *gradient, int64_t count)
{
    for (int64_t i = 0; i < count; i += 1 + count / 7) {
        const float kept = x[i];
        x[i] = kept + 1e-2f;
        const double up = loss(p, plan);
        x[i] = kept - 1e-2f;
        const double down = loss(p, plan);
        x[i] = kept;
        assert_near(gradient[i], (up - down) / 2e-2, 2e-3 + 2e-3 * fabs((double)gradient[i]));
    }
}

static void test_differences(void **state)
{
    struct invar_error err = {0};
    struct planned p = planned_open(device, recurrent(&err), SEQUENCES * STEPS, 5);
    struct invar_plan *plan = make_plan(&p, INVAR_PLAN_TRAINING, p.batch, STEPS);
    (void)state;
    begin(plan, 0.3f);
    struct outcome o = planned_pass(&p, plan, true);
    check(&p, plan, p.input, o.input_gradient, p.in_count);
    for (int i = 0; i < p.net->parameter_count; i++) {
        const struct invar_parameter *q = &p.net->parameters[i];
        check(&p, plan, p.parameters + q->offset, o.gradients + q->offset, q->count);
    }
    outcome_free(&o);
    invar_plan_free(plan);
    planned_close(&p);
}

static void test_refused(void **state)
{
    struct invar_error err = {0};
    struct planned p = planned_open(device, recurrent(&err), SEQUENCES * STEPS, 3);
    const struct invar_plan_options options = {.batch = 12, .groups = 1, .steps = 5, .mode = INVAR_PLAN_INFERENCE};
    (void)state;
    assert_null(invar_plan_create(p.weights, &options, &err));
    assert_non_null(strstr(err.message, "12 rows cannot be sequences of 5 steps"));
    planned_close(&p);
    invar_error_clear(&err);
    struct invar_net *net = invar_net_create((struct invar_shape){1, 4, 0, 0}, &err);
    assert_int_equal(invar_net_state(net), 0);
    const int x = invar_net_lstm(net, 0, "a", 3, &err);
    assert_int_equal(invar_net_state(net), 6);
    assert_int_equal(invar_net_duel(net, x, x, &err), -1);
    assert_non_null(strstr(err.message, "expected to be one number"));
    invar_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_differences),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
