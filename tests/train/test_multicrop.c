/* SPDX-License-Identifier: Apache-2.0 */
/* Local views in training: gradients through both sizes of the encoder, running statistics, learning, refusals. */
#include "training.h"

#include "train/trainer.h"

#define LOCAL "views.local=3", "views.local_size=4", "views.local_crop=[0.2, 0.6]"
/* the encoder's gradient comes from a head */
static const char *const own_targets[] = {LOCAL};
/* from a head and from a term that reads h */
static const char *const both[] = {LOCAL, "terms={relic: {invariance: euclidean, normalise_pairs: true}, vicreg: {}}"};
/* from a predictor; targets are of global views */
static const char *const target[] = {LOCAL,
                                     "target.enabled=true",
                                     "target.momentum=0.8",
                                     "terms={relic: {target: true, tau: 0.3}, byol: {}}",
                                     "predictor.hidden=[16]",
                                     "predictor.output=8"};
/* from a term alone: z is h */
static const char *const no_head[] = {LOCAL, "projector=null", "terms={vicreg: {}}"};

static const struct {
    const char *const *overrides;
    int count;
} settings[] = {{own_targets, 3}, {both, 4}, {target, 8}, {no_head, 5}};

static struct invar_trainer *start(struct training *t, const char *name)
{
    struct invar_error err = {0};
    struct invar_trainer *trainer = training_start(t, name, false, NULL, NULL, NULL, &err);

    if (!trainer)
        fail_msg("%s", err.message);
    return trainer;
}

static double forward(struct invar_trainer *trainer)
{
    struct invar_error err = {0};

    assert_ok(chain_forward(&trainer->chain, &trainer->batch, 0, &err), &err);
    assert_ok(invar_objective_evaluate(trainer->given.recipe->objective, trainer->given.device,
                                       &trainer->chain.embeddings, &trainer->chain.gradients, &trainer->loss,
                                       trainer->values, &err),
              &err);
    return trainer->loss;
}

/* The loss with the encoder's parameters moved by a step along a direction. */
static double loss_at(struct invar_trainer *trainer, const float *from, const double *direction, double step)
{
    const struct invar_weights *w = trainer->chain.nets[INVAR_NET_ENCODER].weights;

    float *moved = malloc((size_t)w->net->trained_count * sizeof *moved);

    for (int64_t i = 0; i < w->net->trained_count; i++)
        moved[i] = (float)((double)from[i] + step * direction[i]);
    invar_device_upload(trainer->given.device, w->parameters, moved, (size_t)w->net->trained_count * sizeof *moved);
    free(moved);
    return forward(trainer);
}

static void expect_slope(const char *what, int setting, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("setting %d, %s: slope %.8g, expected %.8g within %.2g", setting, what, got, expected, tolerance);
}

/* Along the gradient, along its local part, and along single weights: what finite differences of the loss say. */
static void test_gradient(void **state)
{
    struct invar_error err = {0};

    (void)state;
    for (int s = 0; s < 4; s++) {
        struct training t = {0};
        struct invar_record record;
        training_open(&t, settings[s].overrides, settings[s].count);
        struct invar_trainer *trainer = start(&t, "run");
        const struct invar_chain_net *n = &trainer->chain.nets[INVAR_NET_ENCODER];
        const size_t count = (size_t)n->net->trained_count;
        float *from = calloc(count, sizeof *from);
        double *gradient = calloc(count, sizeof *gradient), *local = calloc(count, sizeof *local);
        double *direction = calloc(count, sizeof *direction), squares = 0, local_squares = 0, both_ways = 0;

        assert_ok(invar_trainer_step(trainer, &record, &err), &err); /* makes a batch; its rate is 0 */
        forward(trainer);
        assert_ok(chain_backward(&trainer->chain, &trainer->batch, false, &err), &err);
        for (size_t i = 0; i < count; i++) {
            from[i] = test_device_at(t.device, n->weights->parameters, (int64_t)i);
            gradient[i] = (double)test_device_at(t.device, n->weights->gradients, (int64_t)i);
            local[i] = (double)test_device_at(t.device, trainer->chain.local.weights->gradients, (int64_t)i);
            squares += gradient[i] * gradient[i];
            local_squares += local[i] * local[i];
            both_ways += gradient[i] * local[i];
        }
        const double length = sqrt(squares), local_length = sqrt(local_squares), step = 3e-4;
        assert_true(local_length > 0.05 * length);
        for (size_t i = 0; i < count; i++)
            direction[i] = gradient[i] / length;
        expect_slope("the gradient", s,
                     (loss_at(trainer, from, direction, step) - loss_at(trainer, from, direction, -step)) / (2 * step),
                     length, 5e-3 * length);
        for (size_t i = 0; i < count; i++)
            direction[i] = local[i] / local_length;
        expect_slope("the part of local views", s,
                     (loss_at(trainer, from, direction, step) - loss_at(trainer, from, direction, -step)) / (2 * step),
                     both_ways / local_length, 5e-3 * length);
        for (size_t k = 0; k < 5; k++) {
            const size_t i = k * (count - 1) / 4;
            memset(direction, 0, count * sizeof *direction);
            direction[i] = 1;
            expect_slope("one weight", s,
                         (loss_at(trainer, from, direction, step) - loss_at(trainer, from, direction, -step)) /
                             (2 * step),
                         gradient[i], 5e-3 * length);
        }
        free(from);
        free(gradient);
        free(local);
        free(direction);
        invar_trainer_free(trainer);
        training_close(&t);
    }
}

/* The encoder's gradient of the first batch, and its loss, in a precision. */
static float *gradient_in(const char *precision, int setting, double *loss, int64_t *count)
{
    struct training t = {0};
    struct invar_error err = {0};
    struct invar_record record;
    const char *const before = training_precision;

    training_precision = precision;
    training_open(&t, settings[setting].overrides, settings[setting].count);
    training_precision = before;
    struct invar_trainer *trainer = start(&t, "run");
    const struct invar_weights *w = trainer->chain.nets[INVAR_NET_ENCODER].weights;
    assert_ok(invar_trainer_step(trainer, &record, &err), &err); /* its rate is 0 */
    *loss = forward(trainer);
    assert_ok(chain_backward(&trainer->chain, &trainer->batch, false, &err), &err);
    *count = w->net->trained_count;
    float *gradient = test_device_copy(t.device, w->gradients, *count);
    invar_trainer_free(trainer);
    training_close(&t);
    return gradient;
}

/* In bfloat16 it points where float32's does: loss within 2 %, cosine 0.9 or more, length within 20 %. (Rounding the
 * weights and the input alone makes 0.2 %, 0.993 and 1.3 %.) */
static void test_gradient_of_bfloat16(void **state)
{
    (void)state;
    for (int s = 0; s < 4; s++) {
        double exact_loss, half_loss, product = 0, exact_squares = 0, half_squares = 0;
        int64_t count;
        float *exact = gradient_in("training.precision=float32", s, &exact_loss, &count);
        float *half = gradient_in("training.precision=bfloat16", s, &half_loss, &count);
        for (int64_t i = 0; i < count; i++) {
            product += (double)exact[i] * (double)half[i];
            exact_squares += (double)exact[i] * (double)exact[i];
            half_squares += (double)half[i] * (double)half[i];
        }
        const double cosine = product / sqrt(exact_squares * half_squares), ratio = sqrt(half_squares / exact_squares);
        print_message("setting %d: loss %g and %g, cosine %.4f, lengths 1 to %.4f\n", s, exact_loss, half_loss, cosine,
                      ratio);
        assert_true(fabs(half_loss - exact_loss) <= 0.02 * exact_loss);
        assert_true(cosine >= 0.9);
        assert_true(ratio >= 0.8 && ratio <= 1.2);
        free(exact);
        free(half);
    }
}

/* What the optimiser gets is the gradient of global views and that of local views, added. */
static void test_gradients_add_up(void **state)
{
    struct training t = {.threads = 2};
    struct invar_error err = {0};
    struct invar_record record;

    (void)state;
    training_open(&t, own_targets, 3);
    struct invar_trainer *trainer = start(&t, "run");
    const struct invar_chain_net *n = &trainer->chain.nets[INVAR_NET_ENCODER],
                                 *head = &trainer->chain.nets[INVAR_NET_PROJECTOR];
    const int64_t count = n->net->trained_count;
    float *sum = calloc((size_t)count, sizeof *sum);

    assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    forward(trainer);
    assert_ok(chain_backward(&trainer->chain, &trainer->batch, false, &err), &err);
    invar_device_download(t.device, sum, n->weights->gradients, (size_t)count * sizeof *sum);
    forward(trainer);
    assert_ok(invar_plan_backward(head->plan, head->output_gradient, &err), &err);
    assert_ok(invar_plan_backward(n->plan, invar_plan_input_gradient(head->plan), &err), &err);
    for (int64_t i = 0; i < count; i++)
        assert_true(sum[i] == test_device_at(t.device, n->weights->gradients, i) +
                                  test_device_at(t.device, trainer->chain.local.weights->gradients, i));
    free(sum);
    invar_trainer_free(trainer);
    training_close(&t);
}

/* Running statistics, of the projector too, are those of global views: the same with and without local ones. */
static void test_statistics(void **state)
{
    static const char *const other[] = {"training.seed=0"};
    struct invar_error err = {0};
    struct invar_record record;
    float kept[2][256];

    (void)state;
    for (int with = 0; with < 2; with++) {
        struct training t = {0};
        training_open(&t, with ? own_targets : other, with ? 3 : 1);
        struct invar_trainer *trainer = start(&t, "run");
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
        for (int i = INVAR_NET_ENCODER; i <= INVAR_NET_PROJECTOR; i++) {
            const struct invar_weights *w = trainer->chain.nets[i].weights;
            assert_in_range(w->net->statistic_count, 1, 256);
            for (int64_t k = 0; k < w->net->statistic_count && with; k++)
                assert_near(test_device_at(t.device, w->statistics, k), kept[i][k],
                            1e-6 * (1 + fabs((double)kept[i][k])));
            invar_device_download(t.device, kept[i], w->statistics, (size_t)w->net->statistic_count * sizeof(float));
        }
        invar_trainer_free(trainer);
        training_close(&t);
    }
}

static void keep_ends(void *user, const struct invar_record *record)
{
    double *loss = user;

    if (record->count > 0)
        loss[record->step > 1] = training_metric(record, "loss");
}

static void test_learns(void **state)
{
    static const double parts[] = {0.9, 0.9, 0.9, 0.9};
    struct invar_error err = {0};

    (void)state;
    for (int s = 0; s < 4; s++) {
        struct training t = {0};
        double loss[2] = {NAN, NAN};
        training_open(&t, settings[s].overrides, settings[s].count);
        assert_ok(training_run(&t, "run", false, NULL, keep_ends, loss, &err), &err);
        if (!(loss[1] < parts[s] * loss[0]))
            fail_msg("setting %d: loss %g, then %g", s, loss[0], loss[1]);
        training_close(&t);
    }
}

/* A plan with local views counts their operations and memory. */
static void test_description(void **state)
{
    static const char *const other[] = {"training.seed=0"};
    struct invar_trainer_plan plan[2];
    struct invar_error err = {0};

    (void)state;
    for (int with = 0; with < 2; with++) {
        struct training t = {0};
        training_open(&t, with ? own_targets : other, with ? 3 : 1);
        struct invar_trainer *trainer = start(&t, "run");
        assert_ok(invar_trainer_describe(trainer, &plan[with], &err), &err);
        invar_trainer_free(trainer);
        training_close(&t);
    }
    assert_int_equal(plan[1].parameters, plan[0].parameters);
    assert_true(plan[1].operations_per_step > 1.25 * plan[0].operations_per_step);
    assert_true(plan[1].workspace_bytes > plan[0].workspace_bytes);
    assert_true(plan[1].weight_bytes > plan[0].weight_bytes);
    assert_int_equal(plan[1].input_bytes - plan[0].input_bytes, 2 * sizeof(float) * 3 * 32 * 4 * 4);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *a, *b, *message;
    } cases[] = {
        {"views.local_size=2", "name=x", "average pool to 2 x 2: the map is only 1 x 1"},
        {"views.local_size=9", "name=x", "views.local_size: 9 is larger than the 8 x 8"},
        {"encoder={kind: mlp, widths: [32, 16]}", "views.local_size=4", "cannot take local views of 4 pixels"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const overrides[] = {"views.local=2", cases[i].a, cases[i].b};
        struct training t = {0};
        struct invar_error err = {0};
        training_open(&t, overrides, 3);
        assert_refused(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE,
                       cases[i].message);
        assert_false(invar_path_exists(test_path(t.folder, "run")));
        training_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient), cmocka_unit_test(test_gradients_add_up), cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_learns),   cmocka_unit_test(test_description),      cmocka_unit_test(test_refusals),
    };
    const struct CMUnitTest half[] = {cmocka_unit_test(test_gradient_of_bfloat16),
                                      cmocka_unit_test(test_gradients_add_up), cmocka_unit_test(test_statistics),
                                      cmocka_unit_test(test_learns)};
    const int failed = cmocka_run_group_tests_name("in float32", tests, NULL, NULL);

    return failed + (training_use_bfloat16() ? cmocka_run_group_tests_name("in bfloat16", half, NULL, NULL) : 0);
}
