/* SPDX-License-Identifier: Apache-2.0 */
/* What plans take: memory by lifetime, devices for planning, allocations, times by kind of work; refusals. */
#include "count_allocations.h"
#include "plan_nets.h"

/* ---- memory ---- */

static size_t all_activations(const struct planned *p)
{
    size_t total = 0;
    for (int i = 1; i < p->net->layer_count; i++)
        total += (size_t)(p->batch * planned_elements(p->net->layers[i].shape)) * sizeof(float);
    return total;
}

static struct invar_plan_memory memory_of(const struct planned *p, enum invar_plan_mode mode)
{
    struct invar_plan *plan = planned_plan(p, mode, 1, INVAR_PRECISION_FLOAT32);
    struct invar_plan_memory memory;
    invar_plan_memory(plan, &memory);
    invar_plan_free(plan);
    return memory;
}

/* What no longer lives gives its place to what comes: backward fits where keeping every output alone would not, and
   without it only a few outputs live at once. */
static void test_memory(void **state)
{
    struct invar_error err = {0};
    struct invar_net *net =
        planned_encoder("{kind: resnet18, stem: small, width: 16}", (struct invar_shape){3, 3, 32, 32}, &err);
    struct planned p = planned_open(device, net, 16, 1);
    const size_t all = all_activations(&p);
    const struct invar_plan_memory training = memory_of(&p, INVAR_PLAN_TRAINING),
                                   inference = memory_of(&p, INVAR_PLAN_INFERENCE),
                                   forward = memory_of(&p, INVAR_PLAN_FORWARD);
    (void)state;
    printf("all outputs %zu; workspace: training %zu, forward %zu, inference %zu; reorders %lld\n", all,
           training.workspace, forward.workspace, inference.workspace, (long long)training.reorders);
    assert_true(training.workspace < all / 2); /* outputs of convolutions alone are kept, a third of all */
    assert_true(forward.workspace < all / 4);
    /* where the prepared weights are kept as well */
    assert_true(inference.workspace < all / 4 + inference.weights);
    assert_in_range(training.primitives, 1, 100000);
    assert_in_range(training.weights, (size_t)net->trained_count, 100 * (size_t)net->trained_count);
    /* layouts change at the input and at the flatten, not between convolutions */
    assert_true(training.reorders <= 8);
    planned_close(&p);
}

/* A device for planning counts what a plan takes as the device itself does, and runs nothing. */
static void test_planning(void **state)
{
    struct invar_error err = {0};
    struct invar_device *paper = invar_device_open_planning("cpu", invar_device_threads(device), &err);
    (void)state;
    assert_non_null(paper);
    assert_true(invar_device_is_planning(paper) && !invar_device_is_planning(device));
    for (int n = 0; n < NET_COUNT; n++)
        for (int mode = 0; mode < 3; mode++) {
            struct planned p = open_net(n, 19);
            struct invar_weights *weights = invar_weights_create(paper, p.net, true, &err);
            const struct invar_plan_options options = {.batch = p.batch,
                                                       .groups = 1,
                                                       .precision = INVAR_PRECISION_FLOAT32,
                                                       .mode = (enum invar_plan_mode)mode,
                                                       .input_gradient = mode == INVAR_PLAN_TRAINING};
            struct invar_plan *plan = invar_plan_create(weights, &options, &err);
            struct invar_plan *real = planned_plan(&p, (enum invar_plan_mode)mode, 1, INVAR_PRECISION_FLOAT32);
            struct invar_plan_memory counted, taken;
            assert_ok(plan != NULL, &err);
            invar_plan_memory(plan, &counted);
            invar_plan_memory(real, &taken);
            assert_memory_equal(&counted, &taken, sizeof taken);
            assert_false(planned_forward(&p, plan, &err));
            assert_int_equal(err.code, INVAR_ERROR_USAGE);
            invar_error_clear(&err);
            invar_plan_free(real);
            invar_plan_free(plan);
            invar_weights_free(weights);
            planned_close(&p);
        }
    invar_device_close(paper);
}

/* Far more than any machine has: described, refused where a size could not be counted. */
static void test_planning_large(void **state)
{
    struct invar_error err = {0};
    struct invar_device *paper = invar_device_open_planning("cpu", 1, &err);
    struct invar_net *net = planned_encoder("{kind: resnet50}", (struct invar_shape){3, 3, 224, 224}, &err);
    struct invar_weights *weights = invar_weights_create(paper, net, true, &err);
    struct invar_plan_options options = {
        .batch = 1 << 20, .groups = 2, .precision = INVAR_PRECISION_FLOAT32, .mode = INVAR_PLAN_TRAINING};
    struct invar_plan *plan = invar_plan_create(weights, &options, &err);
    struct invar_plan_memory memory;
    (void)state;
    assert_ok(plan != NULL, &err);
    invar_plan_memory(plan, &memory);
    assert_true(memory.workspace > (size_t)10 << 40);
    invar_plan_free(plan);
    invar_weights_free(weights);
    invar_net_free(net);

    net = planned_encoder("{kind: resnet18, stem: small, width: 4096}", (struct invar_shape){3, 3, 1024, 1024}, &err);
    assert_ok(net != NULL, &err);
    weights = invar_weights_create(paper, net, true, &err);
    assert_null(invar_plan_create(weights, &options, &err));
    assert_int_equal(err.code, INVAR_ERROR_MEMORY);
    invar_weights_free(weights);
    invar_net_free(net);
    invar_device_close(paper);
}

/* After the first forward and backward pass a plan allocates nothing. */
static void test_allocations(void **state)
{
    (void)state;
    for (int n = 0; n < NET_COUNT; n++)
        for (int mode = 0; mode < 3; mode++) {
            struct invar_error err = {0};
            struct planned p = open_net(n, 19);
            struct invar_plan *plan = planned_plan(&p, (enum invar_plan_mode)mode, 1, INVAR_PRECISION_FLOAT32);
            long own = 0, live = 0;
            for (int step = 0; step < 4; step++) {
                if (step == 1) {
                    own = allocations_own;
                    live = allocations_live;
                }
                assert_ok(planned_forward(&p, plan, &err), &err);
                if (mode == INVAR_PLAN_TRAINING)
                    assert_ok(planned_backward(&p, plan, &err), &err);
            }
            if (allocations_own != own || allocations_live > live)
                fail_msg("%s, mode %d: %ld allocations, %ld blocks kept", nets[n].name, mode, allocations_own - own,
                         allocations_live - live);
            invar_plan_free(plan);
            planned_close(&p);
        }
}

/* ---- profile ---- */

static void test_profile(void **state)
{
    static const char *const expected[] = {"conv forward", "conv backward data", "conv backward weights",
                                           "norm forward", "norm backward"};
    struct planned p = open_net(0, 20);
    struct invar_plan_options options = {.batch = p.batch, .groups = 1, .mode = INVAR_PLAN_TRAINING};
    (void)state;
    for (int profiled = 0; profiled < 2; profiled++) {
        struct invar_error err = {0};
        struct invar_profile_entry entries[32];
        struct invar_plan *plan;
        int count, found = 0;
        options.profile = profiled;
        plan = invar_plan_create(p.weights, &options, &err);
        assert_non_null(plan);
        assert_ok(planned_forward(&p, plan, &err), &err);
        assert_ok(planned_backward(&p, plan, &err), &err);
        count = invar_plan_profile(plan, entries, 32);
        assert_in_range(count, 5, 31);
        for (int i = 0; i < count; i++) {
            assert_true(entries[i].seconds >= 0 && (profiled || (entries[i].seconds == 0 && entries[i].calls == 0)));
            for (int k = 0; k < 5; k++)
                found += strcmp(entries[i].name, expected[k]) == 0 && (entries[i].calls > 0) == profiled;
        }
        assert_int_equal(found, 5);
        assert_int_equal(invar_plan_profile(plan, entries, 2), 2);
        invar_plan_free(plan);
    }
    planned_close(&p);
}

/* ---- refusals ---- */

static void test_refused(void **state)
{
    static const int64_t batches[][2] = {{5, 2}, {0, 1}, {4, 0}, {-4, 2}, {4, -2}, {4, 8}, {INT64_MAX, 1}};
    struct invar_error err = {0};
    struct planned p = open_net(0, 18);
    struct invar_weights *without = invar_weights_create(device, p.net, false, &err);
    struct invar_plan *plan;
    struct invar_plan_options options = {.mode = INVAR_PLAN_TRAINING};
    (void)state;
    assert_null(without->gradients);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        options.batch = batches[i][0];
        options.groups = batches[i][1];
        assert_refused(invar_plan_create(p.weights, &options, &err), &err, INVAR_ERROR_USAGE, "plan: a batch of");
    }
    options.batch = 4;
    options.groups = 2;
    assert_refused(invar_plan_create(without, &options, &err), &err, INVAR_ERROR_USAGE, "weights with gradients");
    options.mode = INVAR_PLAN_INFERENCE;
    options.input_gradient = true;
    assert_refused(invar_plan_create(p.weights, &options, &err), &err, INVAR_ERROR_USAGE, "gradient of its input");
    options.input_gradient = false;
    plan = invar_plan_create(without, &options, &err);
    assert_non_null(plan);
    assert_ok(planned_forward(&p, plan, &err), &err);
    assert_null(invar_plan_input_gradient(plan));
    assert_refused(planned_backward(&p, plan, &err), &err, INVAR_ERROR_USAGE, "only a training plan");
    invar_plan_free(plan);
    plan = planned_plan(&p, INVAR_PLAN_TRAINING, 1, INVAR_PRECISION_FLOAT32);
    assert_refused(planned_backward(&p, plan, &err), &err, INVAR_ERROR_USAGE, "a forward pass before it");
    assert_ok(planned_forward(&p, plan, &err), &err);
    assert_ok(planned_backward(&p, plan, &err), &err);
    assert_refused(planned_backward(&p, plan, &err), &err, INVAR_ERROR_USAGE, "a forward pass before it");
    invar_plan_free(plan);
    invar_plan_free(NULL);
    invar_weights_free(without);
    invar_weights_free(NULL);
    planned_close(&p);
}

static void test_devices(void **state)
{
    struct invar_error err = {0};
    (void)state;
    assert_refused(invar_device_open("tpu", 1, &err), &err, INVAR_ERROR_USAGE, "device \"tpu\"");
    assert_refused(test_device_open(-1, &err), &err, INVAR_ERROR_USAGE, "threads -1");
    assert_refused(test_device_open(5000, &err), &err, INVAR_ERROR_USAGE, "threads 5000");
    assert_memory_equal(invar_device_name(device), "cpu", 3); /* or cpu-guarded */
    assert_int_equal(invar_device_threads(device), 1);
    assert_non_null(strstr(invar_device_describe(device), "oneDNN"));
    invar_device_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_planning), cmocka_unit_test(test_planning_large),
        cmocka_unit_test(test_allocations), cmocka_unit_test(test_profile),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_devices),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
