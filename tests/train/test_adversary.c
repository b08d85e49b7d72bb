/* SPDX-License-Identifier: Apache-2.0 */
/* The adversary in training: gradients through perturbation and encoder, clean views that are plain, resuming, what is
   done about nothing and about NaN, ablations, refusals. */
#include "training.h"

#include "train/trainer.h"

#define PLAIN "views={count: 2, crop: [1, 1], flip: 0, jitter: 0}"
#define APLR "terms={reconstruction: {}, orthonormality: {}}"

#define VIEWMAKER                                                                                                      \
    PLAIN, "data={mean: [0], deviation: [1]}", "terms={ntxent: {tau: 0.07}}",                                          \
        "adversary={kind: viewmaker, eps: 0.05, p: 1, views: [0, 1], widths: [4, 6], noise: 2}"

static struct invar_trainer *start(struct training *t, const char *const *overrides, int count)
{
    struct invar_error err = {0};
    struct invar_record record;

    training_open(t, overrides, count);
    struct invar_trainer *trainer = training_start(t, "run", false, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    assert_ok(invar_trainer_step(trainer, &record, &err), &err); /* makes a batch; its rate is 0 */
    return trainer;
}

/* The loss of the batch, its clean views put back first. */
static double forward(struct invar_trainer *trainer, bool perturb)
{
    struct invar_error err = {0};

    invar_device_upload(trainer->given.device, trainer->batch.input, trainer->batch.host_views,
                        (size_t)trainer->batch.input_size * sizeof(float));
    if (perturb)
        assert_ok(adversary_perturb(&trainer->adversary, &trainer->batch, &trainer->clock, &trainer->ledger, &err),
                  &err);
    assert_ok(chain_forward(&trainer->chain, &trainer->batch, 0, &err), &err);
    assert_ok(invar_objective_evaluate(trainer->given.recipe->objective, trainer->given.device,
                                       &trainer->chain.embeddings, &trainer->chain.gradients, &trainer->loss,
                                       trainer->values, &err),
              &err);
    if (!trainer->adversary.ascended)
        return trainer->loss;
    double ascended = 0; /* the part of it that the generator ascends */
    for (int i = 0; i < invar_objective_count(trainer->given.recipe->objective); i++)
        if (trainer->adversary.ascended[i])
            ascended += invar_objective_weight(trainer->given.recipe->objective, i) * trainer->values[i].loss;
    return ascended;
}

/* Between the host and x, which lies on the device or there too. */
static void copy(struct invar_trainer *trainer, bool on_device, float *to, const float *from, size_t bytes, bool into_x)
{
    if (!on_device)
        memcpy(to, from, bytes);
    else if (into_x)
        invar_device_upload(trainer->given.device, to, from, bytes);
    else
        invar_device_download(trainer->given.device, to, from, bytes);
}

/* x: weights of the device, with perturb, or views of the host. Difference of the loss along a direction of x, through
 * everything that lies between. */
static double slope(struct invar_trainer *trainer, bool perturb, float *x, const double *direction, int64_t count,
                    double step)
{
    const size_t bytes = (size_t)count * sizeof *x;
    float *from = malloc(bytes), *moved = malloc(bytes);
    double loss[2];

    copy(trainer, perturb, from, x, bytes, false);
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < count; i++)
            moved[i] = (float)((double)from[i] + (side ? step : -step) * direction[i]);
        copy(trainer, perturb, x, moved, bytes, true);
        loss[side] = forward(trainer, perturb);
    }
    copy(trainer, perturb, x, from, bytes, true);
    free(from);
    free(moved);
    return (loss[1] - loss[0]) / (2 * step);
}

/* Along the gradient itself (sign and size), and along random ways that hold half of it. */
static void check(const char *what, struct invar_trainer *trainer, bool perturb, float *x, const double *gradient,
                  int64_t count, double step)
{
    double *direction = calloc((size_t)count, sizeof *direction), length = 0;

    for (int64_t i = 0; i < count; i++)
        length += gradient[i] * gradient[i];
    length = sqrt(length);
    assert_true(length > 0);
    for (int k = 0; k < 4; k++) {
        struct invar_random random = invar_random_stream(5, INVAR_RANDOM_TEST, 0, (uint64_t)k, 0);
        double expected = 0;
        for (int64_t i = 0; i < count; i++) {
            const double aside = (double)invar_random_normal(&random) / sqrt((double)count);
            direction[i] = k == 0 ? gradient[i] / length : 0.5 * gradient[i] / length + aside;
            expected += direction[i] * gradient[i];
        }
        const double got = slope(trainer, perturb, x, direction, count, step);
        if (!(fabs(got - expected) <= 0.02 * length))
            fail_msg("%s, way %d: slope %.6g, expected %.6g within 2 %% of %.6g", what, k, got, expected, length);
    }
    free(direction);
}

static double *widened(struct invar_device *device, const float *x, int64_t count, double factor)
{
    double *out = calloc((size_t)count, sizeof *out);
    float *copy = test_device_copy(device, x, count);

    for (int64_t i = 0; i < count; i++)
        out[i] = factor * (double)copy[i];
    free(copy);
    return out;
}

/* The generator's gradient is that of the loss by its weights, turned round: perturbation, encoder, projector, terms.
 */
static void check_gradients(const char *what, const char *const *overrides, int count)
{
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_trainer *trainer = start(&t, overrides, count);
    struct invar_chain_net *generator = &trainer->adversary.net;
    const int64_t weights = generator->net->trained_count,
                  inputs = trainer->batch.global_rows * trainer->batch.global_size;

    forward(trainer, true);
    if (trainer->adversary.ascended)
        assert_ok(invar_evaluator_run(trainer->evaluator, &trainer->ledger, &trainer->chain.embeddings,
                                      &trainer->chain.gradients, trainer->adversary.ascended,
                                      clock_key(&trainer->clock), &err),
                  &err);
    assert_ok(chain_backward(&trainer->chain, &trainer->batch, false, &err) &&
                  adversary_backward(&trainer->adversary, &trainer->chain, &trainer->batch, &err),
              &err);
    double *by_weights = widened(t.device, generator->weights->gradients, weights, -1);
    double *by_input =
        widened(t.device, invar_plan_input_gradient(trainer->chain.nets[INVAR_NET_ENCODER].plan), inputs, 1);
    check(what, trainer, true, generator->weights->parameters, by_weights, weights, 3e-4);

    /* the input as it is, perturbed, moved by hand */
    invar_device_upload(t.device, trainer->batch.input, trainer->batch.host_views,
                        (size_t)trainer->batch.input_size * sizeof(float));
    assert_ok(adversary_perturb(&trainer->adversary, &trainer->batch, &trainer->clock, &trainer->ledger, &err), &err);
    invar_device_download(t.device, trainer->batch.host_views, trainer->batch.input,
                          (size_t)trainer->batch.input_size * sizeof(float));
    /* a target is a constant to the gradient, and moves with the clean view */
    const int64_t from = trainer->given.recipe->target.enabled ? inputs / 2 : 0;
    check(what, trainer, false, trainer->batch.host_views + from, by_input + from, inputs - from, 3e-3);
    free(by_weights);
    free(by_input);
    invar_trainer_free(trainer);
    training_close(&t);
}

static void test_gradients(void **state)
{
    static const char *const l2[] = {PLAIN, APLR, "adversary={kind: auto, eps: 0.3, widths: [4, 6]}"};
    static const char *const l1[] = {PLAIN, APLR, "adversary={kind: mlp, eps: 0.3, p: 1, widths: [12]}"};
    static const char *const largest[] = {PLAIN, APLR, "adversary={kind: cnn, eps: 0.3, p: inf, widths: [4]}"};
    static const char *const both[] = {PLAIN, "terms={ntxent: {tau: 0.5}}",
                                       "adversary={kind: cnn, eps: 0.3, widths: [4, 6], views: [0, 1]}"};
    static const char *const predicted[] = {
        PLAIN, "terms={reconstruction: {target: ema}, orthonormality: {both: true}}",
        "adversary={kind: cnn, eps: 0.3, widths: [4, 6]}", "predictor={hidden: [9], output: 8}", "target.enabled=true"};
    static const char *const viewmaker[] = {VIEWMAKER};
    static const char *const some[] = {PLAIN, "terms={reconstruction: {}, orthonormality: {both: true, weight: 3}}",
                                       "adversary={kind: cnn, eps: 0.3, widths: [4, 6], terms: reconstruction}"};

    (void)state;
    check_gradients("some terms", some, 3);
    check_gradients("p 2", l2, 3);
    check_gradients("p 1", l1, 3);
    check_gradients("p inf", largest, 3);
    check_gradients("both views", both, 3);
    check_gradients("predictor and target", predicted, 5);
    check_gradients("viewmaker: tanh, clamp, instance norm", viewmaker, 4);
}

/* What the generator ascends apart changes nothing of what the encoder descends. */
static void test_apart(void **state)
{
    static const char *const overrides[][3] = {
        {PLAIN, "terms={reconstruction: {}, orthonormality: {both: true}}", "adversary={kind: cnn, widths: [4]}"},
        {PLAIN, "terms={reconstruction: {}, orthonormality: {both: true}}",
         "adversary={kind: cnn, widths: [4], terms: reconstruction}"}};
    float *encoder[2], *generator[2];
    int64_t sizes[2] = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct training t = {0};
        struct invar_trainer *trainer = start(&t, overrides[i], 3);
        const struct invar_weights *weights[] = {trainer->chain.nets[INVAR_NET_ENCODER].weights,
                                                 trainer->adversary.net.weights};
        assert_int_equal(trainer->adversary.ascended != NULL, i);
        for (int k = 0; k < 2; k++)
            sizes[k] = weights[k]->net->trained_count;
        encoder[i] = malloc((size_t)sizes[0] * sizeof(float));
        generator[i] = malloc((size_t)sizes[1] * sizeof(float));
        invar_device_download(t.device, encoder[i], weights[0]->gradients, (size_t)sizes[0] * sizeof(float));
        invar_device_download(t.device, generator[i], weights[1]->gradients, (size_t)sizes[1] * sizeof(float));
        invar_trainer_free(trainer);
        training_close(&t);
    }
    double norm = 0;
    for (int64_t i = 0; i < sizes[0]; i++) {
        assert_near(encoder[0][i], encoder[1][i], 1e-6);
        norm += fabs((double)encoder[0][i]);
    }
    assert_true(norm > 1e-3);
    assert_memory_not_equal(generator[0], generator[1], (size_t)sizes[1] * sizeof(float));
    for (int i = 0; i < 2; i++) {
        free(encoder[i]);
        free(generator[i]);
    }
}

/* Views that nothing changes are the plain view to the last bit, and the perturbation has the size that was asked for.
 */
static void test_clean_views(void **state)
{
    static const char *const overrides[] = {PLAIN, APLR, "adversary={kind: auto, eps: 0.2}"};
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_trainer *trainer = start(&t, overrides, 3);
    const size_t size = (size_t)(trainer->batch.size * trainer->batch.global_size);
    float *plain = calloc(size, sizeof *plain);

    (void)state;
    assert_ok(invar_view_maker_plain(trainer->batch.maker, trainer->batch.samples, trainer->batch.size, plain, &err),
              &err);
    assert_memory_equal(trainer->batch.host_views, plain, size * sizeof *plain);
    assert_memory_equal(trainer->batch.host_views + size, plain, size * sizeof *plain);
    assert_true(test_device_holds(t.device, trainer->batch.input, plain, size * sizeof *plain));
    assert_near(invar_perturbation_rms(trainer->adversary.perturbation), 0.2, 1e-6);
    for (int64_t i = 0; i < (int64_t)size; i++)
        assert_near(test_device_at(t.device, trainer->batch.input, (int64_t)size + i) - plain[i],
                    test_device_at(t.device, invar_perturbation_delta(trainer->adversary.perturbation), i), 1e-6);
    free(plain);
    invar_trainer_free(trainer);
    training_close(&t);
}

/* Noise is fresh at every step, and the same again for the same step. */
static void test_noise(void **state)
{
    static const char *const overrides[] = {PLAIN, APLR, "adversary={kind: noise, eps: 0.2}"};
    struct training t = {0};
    struct invar_trainer *trainer = start(&t, overrides, 3);
    const size_t bytes = (size_t)(trainer->batch.size * trainer->batch.global_size) * sizeof(float);
    float *first = malloc(bytes);

    (void)state;
    assert_null(trainer->adversary.net.net);
    forward(trainer, true);
    invar_device_download(t.device, first, invar_perturbation_delta(trainer->adversary.perturbation), bytes);
    forward(trainer, true);
    assert_true(test_device_holds(t.device, invar_perturbation_delta(trainer->adversary.perturbation), first, bytes));
    trainer->clock.step += trainer->clock.steps_per_epoch;
    forward(trainer, true);
    assert_false(test_device_holds(t.device, invar_perturbation_delta(trainer->adversary.perturbation), first, bytes));
    free(first);
    invar_trainer_free(trainer);
    training_close(&t);
}

/* A generator that puts out nothing perturbs nothing and learns nothing; one that puts out NaN stops the run. */
static void test_nothing_and_nan(void **state)
{
    static const char *const overrides[] = {PLAIN, APLR, "adversary={kind: auto, eps: 0.2, widths: [4, 6]}"};
    struct invar_error err = {0};
    struct invar_record record;
    struct training t = {0};
    struct invar_trainer *trainer = start(&t, overrides, 3);
    struct invar_chain_net *generator = &trainer->adversary.net;
    const struct invar_net *net = generator->net;
    float *out = generator->weights->parameters + net->parameters[net->parameter_count - 2].offset;
    const int64_t count = net->trained_count - net->parameters[net->parameter_count - 2].offset;

    (void)state;
    assert_string_equal(net->parameters[net->parameter_count - 2].name, "out.weight");
    invar_device_fill(t.device, out, count, 0);
    forward(trainer, true);
    assert_true(test_device_holds(t.device, trainer->batch.input, trainer->batch.host_views,
                                  (size_t)trainer->batch.input_size * sizeof(float)));
    assert_ok(chain_backward(&trainer->chain, &trainer->batch, false, &err), &err);
    assert_ok(adversary_backward(&trainer->adversary, &trainer->chain, &trainer->batch, &err), &err);
    for (int64_t i = 0; i < net->trained_count; i++)
        assert_true(test_device_at(t.device, generator->weights->gradients, i) == 0);
    const float bad = NAN;
    invar_device_upload(t.device, out, &bad, sizeof bad);
    assert_refused(invar_trainer_step(trainer, &record, &err), &err, INVAR_ERROR_NUMERIC,
                   "out.weight of the generator");
    assert_true(test_device_holds(t.device, trainer->batch.input, trainer->batch.host_views,
                                  (size_t)trainer->batch.input_size * sizeof(float)));
    invar_trainer_free(trainer);
    training_close(&t);
}

/* ---- runs ---- */

static void stop_at_seven(void *user, const struct invar_record *record)
{
    if (record->step == 7)
        *(volatile sig_atomic_t *)user = 1;
}

static void check_resume(const char *const *overrides, int count, bool generator)
{
    struct invar_error err = {0};
    struct training t = {.threads = 2};
    volatile sig_atomic_t stop = 0;

    training_open(&t, overrides, count);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_refused(training_run(&t, "parts", false, &stop, stop_at_seven, (void *)(uintptr_t)&stop, &err), &err,
                   INVAR_ERROR_INTERRUPTED, "step 7");
    assert_ok(training_run(&t, "parts", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "parts");
    if (generator)
        training_assert_same_file(&t, "whole", "parts", "generator.safetensors");
    training_close(&t);
}

static void test_resume(void **state)
{
    static const char *const trained[] = {PLAIN, APLR, "adversary={kind: auto, eps: 0.3}"};
    static const char *const frozen[] = {PLAIN, APLR, "adversary={kind: mlp, eps: 0.3, frozen: true}"};
    static const char *const apart[] = {PLAIN, "terms={reconstruction: {}, orthonormality: {both: true}}",
                                        "adversary={kind: auto, eps: 0.3, widths: [4], terms: reconstruction}"};
    static const char *const noise[] = {PLAIN, APLR, "adversary={kind: noise, eps: 0.3}"};
    static const char *const viewmaker[] = {VIEWMAKER, "projector={output: 8}", "training.steps=9"};
    static const char *const steps[] = {PLAIN, APLR, "adversary={kind: auto, eps: 0.3, widths: [4], steps: 3}"};

    (void)state;
    check_resume(trained, 3, true);
    check_resume(steps, 3, true);
    check_resume(viewmaker, 6, true);
    check_resume(apart, 3, true);
    check_resume(frozen, 3, true);
    check_resume(noise, 3, false);
}

/* The reconstruction that the encoder faces in its first step. */
static double first_reconstruction(const char *adversary)
{
    const char *const overrides[] = {PLAIN, APLR, adversary, "training.warmup=0"};
    struct invar_error err = {0};
    struct invar_record record;
    struct training t = {0};
    double found = NAN;

    training_open(&t, overrides, 4);
    struct invar_trainer *trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
    assert_ok(trainer, &err);
    assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    for (int i = 0; i < record.count; i++)
        if (strcmp(record.metric[i].name, "loss/reconstruction") == 0)
            found = record.metric[i].value;
    invar_trainer_free(trainer);
    training_close(&t);
    return found;
}

/* On the same weights and the same noise, a generator that has made more steps is harder. */
static void test_steps(void **state)
{
    (void)state;
    const double one = first_reconstruction("adversary={kind: auto, eps: 0.3, widths: [4], lr: 0.01}");
    const double three = first_reconstruction("adversary={kind: auto, eps: 0.3, widths: [4], lr: 0.01, steps: 3}");
    const double six = first_reconstruction("adversary={kind: auto, eps: 0.3, widths: [4], lr: 0.01, steps: 6}");
    assert_true(one > 0 && three > one && six > three);
}

/* Views stay pixels, move by the budget at most (the clamp takes from it), and not all alike. */
static void test_viewmaker(void **state)
{
    static const char *const overrides[] = {VIEWMAKER};
    struct training t = {0};
    (void)state;
    struct invar_trainer *trainer = start(&t, overrides, 4);
    const int64_t count = trainer->batch.input_size, half = count / 2;
    float *x = malloc((size_t)count * sizeof *x);
    double moved = 0;
    int clamped = 0;

    invar_device_download(t.device, x, trainer->batch.input, (size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++) {
        assert_true(x[i] >= 0 && x[i] <= 1);
        clamped += x[i] == 0 || x[i] == 1;
        moved += fabs((double)x[i] - (double)trainer->batch.host_views[i]) / (double)count;
    }
    assert_true(moved > 0.02 && moved <= 0.05 + 1e-6);
    assert_true(clamped > 0);
    assert_memory_not_equal(x, x + half, (size_t)half * sizeof *x);
    free(x);
    invar_trainer_free(trainer);
    training_close(&t);
}

struct watch {
    struct invar_record last;
    int logged;
};

static void watch(void *user, const struct invar_record *record)
{
    struct watch *w = user;

    if (record->count > 0) {
        w->last = *record;
        w->logged++;
    }
}

/* The generator changes when it learns and stays when it is frozen; a run reports what it does. */
static void test_reports(void **state)
{
    static const char *const overrides[] = {PLAIN, APLR, "adversary={kind: auto, eps: 0.3}"};
    struct invar_error err = {0};
    struct training t = {0};
    struct watch w = {0};

    (void)state;
    training_open(&t, overrides, 3);
    struct invar_trainer *trainer = training_start(&t, "run", false, NULL, watch, &w, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    const struct invar_chain_net *generator = &trainer->adversary.net;
    float *before = malloc((size_t)generator->net->trained_count * sizeof *before);
    struct invar_trainer_plan plan;
    const size_t bytes = (size_t)generator->net->trained_count * sizeof *before;
    invar_device_download(t.device, before, generator->weights->parameters, bytes);
    assert_ok(invar_trainer_run(trainer, &err), &err);
    assert_false(test_device_holds(t.device, generator->weights->parameters, before, bytes));
    assert_near(training_metric(&w.last, "perturbation_rms"), 0.3, 1e-5);
    assert_true(training_metric(&w.last, "generator_gradient_norm") > 0);
    assert_true(training_metric(&w.last, "loss/reconstruction") > 0);
    assert_true(training_metric(&w.last, "loss/orthonormality") > 0);
    assert_true(isfinite(training_metric(&w.last, "effective_rank")));
    assert_ok(invar_trainer_describe(trainer, &plan, &err), &err);
    int64_t parameters = 0;
    for (int i = 0; i < INVAR_NET_ALL; i++)
        parameters += trainer_net(trainer, i)->net ? trainer_net(trainer, i)->net->trained_count : 0;
    assert_int_equal(plan.parameters, parameters);
    free(before);
    invar_trainer_free(trainer);
    training_close(&t);
}

static void test_refused(void **state)
{
    static const struct {
        const char *overrides[3], *text;
    } cases[] = {
        {{APLR, "adversary.kind=unet", NULL}, "there is no generator \"unet\""},
        {{APLR, "adversary={kind: auto, views: [2]}", NULL}, "names view 2, but views.count is 2"},
        {{APLR, "adversary={kind: auto, views: [1, 1]}", NULL}, "names view 1 twice"},
        {{APLR, "adversary={kind: auto, views: []}", NULL}, "adversary.views is empty"},
        {{APLR, "adversary={kind: auto, views: [0]}", NULL}, "takes for the clean one"},
        {{APLR, "adversary={kind: auto, terms: ntxent}", NULL}, "names ntxent, which is not among terms"},
        {{APLR, "adversary={kind: auto, terms: orthonormality}", NULL}, "no term of adversary.terms reads"},
        {{"terms={orthonormality: {}}", "adversary.kind=auto", NULL}, "no term reads a perturbed view"},
        {{APLR, "adversary={kind: auto, p: 3}", NULL}, "adversary.p"},
        {{APLR, "adversary={kind: auto, eps: -1}", NULL}, "adversary.eps"},
        {{APLR, "adversary={kind: auto, eps: 0}", NULL}, "expected a number from 1e-09 to 1000 or auto, found 0"},
        {{APLR, "adversary={kind: auto, steps: 0}", NULL}, "adversary.steps"},
        {{APLR, "adversary={kind: viewmaker}", NULL}, "works on pixels of 0 to 1"},
        {{APLR, "adversary={kind: noise, steps: 3}", NULL}, "no generator is trained"},
        {{"terms={reconstruction: {}, corinfomax: {}}", "adversary={kind: auto, steps: 3}", NULL},
         "terms.corinfomax keeps something"},
        {{APLR, "adversary={kind: auto, epsilon: 0.1}", NULL}, "adversary.epsilon"},
        {{"terms={aplr: {predictor: linear}}", "adversary.kind=auto", NULL}, "reads files of weights"},
        {{APLR, "views.count=1", NULL}, "reconstruction needs two views"},
    };
    struct invar_error err = {0};
    char *folder = test_folder_create();
    const char *path = test_file(folder, "tiny.yaml", training_recipe, sizeof training_recipe - 1);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(invar_recipe_load(path, cases[i].overrides, 2, &err), &err, INVAR_ERROR_USAGE, cases[i].text);
    static const char *const named[] = {APLR, "adversary={kind: auto, terms: 'reconstruction'}"};
    struct invar_recipe *recipe = invar_recipe_load(path, named, 2, &err);
    if (!recipe)
        fail_msg("%s", err.message);
    invar_recipe_free(recipe);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_apart),           cmocka_unit_test(test_clean_views),
        cmocka_unit_test(test_noise),     cmocka_unit_test(test_nothing_and_nan), cmocka_unit_test(test_resume),
        cmocka_unit_test(test_reports),   cmocka_unit_test(test_refused),         cmocka_unit_test(test_steps),
        cmocka_unit_test(test_viewmaker),
    };
    const struct CMUnitTest half[] = {cmocka_unit_test(test_resume)};
    const int failed = cmocka_run_group_tests_name("in float32", tests, NULL, NULL);

    return failed + (training_use_bfloat16() ? cmocka_run_group_tests_name("in bfloat16", half, NULL, NULL) : 0);
}
