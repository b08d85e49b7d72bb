/* SPDX-License-Identifier: Apache-2.0 */
/* The online classifier: its update against one by hand, an encoder that does not notice it, what it learns, resuming,
   refusals. */
#include "training.h"

#include "train/trainer.h"

#include <math.h>

enum { CLASSES = 4 };

static struct invar_trainer *start(struct training *t, const char *const *overrides, int count)
{
    struct invar_error err = {0};

    training_open(t, overrides, count);
    struct invar_trainer *trainer = training_start(t, "run", false, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    return trainer;
}

static void softmax(const float *h, const float *weight, const float *bias, int64_t width, double *out)
{
    double sum = 0;

    for (int c = 0; c < CLASSES; c++) {
        out[c] = bias[c];
        for (int64_t j = 0; j < width; j++)
            out[c] += (double)weight[c * width + j] * h[j];
        out[c] = exp(out[c]);
        sum += out[c];
    }
    for (int c = 0; c < CLASSES; c++)
        out[c] /= sum;
}

/* The gradient of the mean cross-entropy over rows, weight and then bias, and that mean. */
static double by_hand(const struct invar_trainer *trainer, const float *parameters, double *gradient)
{
    const int64_t width = trainer->chain.nets[INVAR_NET_ENCODER].width, rows = trainer->batch.global_rows;
    float *outputs =
        test_device_copy(trainer->given.device, trainer->chain.nets[INVAR_NET_ENCODER].output, rows * width);
    double loss = 0, p[CLASSES];

    memset(gradient, 0, (size_t)(CLASSES * (width + 1)) * sizeof *gradient);
    for (int64_t i = 0; i < rows; i++) {
        const float *h = outputs + i * width;
        const int64_t label = trainer->batch.samples[i % trainer->batch.size].label;
        softmax(h, parameters, parameters + CLASSES * width, width, p);
        loss -= log(p[label]) / (double)rows;
        for (int c = 0; c < CLASSES; c++) {
            const double d = (p[c] - (c == label)) / (double)rows;
            for (int64_t j = 0; j < width; j++)
                gradient[c * width + j] += d * h[j];
            gradient[CLASSES * width + c] += d;
        }
    }
    free(outputs);
    return loss;
}

/* A step is p - rate (gradient + decay p) without momentum, at a rate that follows the encoder's. */
static void test_update(void **state)
{
    static const char *const overrides[] = {"classifier={enabled: true, lr: 0.5, momentum: 0, weight_decay: 0.01}"};
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_record record;

    (void)state;
    struct invar_trainer *trainer = start(&t, overrides, 1);
    const struct invar_chain_net *n = &trainer->classifier.net;
    const size_t count = (size_t)n->net->trained_count;
    float *before = malloc(count * sizeof *before);
    double *gradient = malloc(count * sizeof *gradient);
    assert_int_equal(count, CLASSES * (trainer->chain.nets[INVAR_NET_ENCODER].width + 1));
    for (int step = 0; step < 5; step++) {
        invar_device_download(t.device, before, n->weights->parameters, count * sizeof *before);
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
        assert_near(trainer->classifier.loss, by_hand(trainer, before, gradient), 1e-5);
        const double rate = 0.5 * trainer->clock.rate / trainer->clock.peak;
        for (size_t i = 0; i < count; i++)
            assert_near(test_device_at(t.device, n->weights->parameters, (int64_t)i),
                        before[i] - rate * (gradient[i] + 0.01 * before[i]), 1e-5);
    }
    free(before);
    free(gradient);
    invar_trainer_free(trainer);
    training_close(&t);
}

static void test_encoder_unchanged(void **state)
{
    static const char *const with[] = {"classifier.enabled=true"};
    struct invar_error err = {0};
    struct training t = {0}, other = {0};

    (void)state;
    training_open(&t, NULL, 0);
    training_open(&other, with, 1);
    assert_ok(training_run(&t, "without", false, NULL, NULL, NULL, &err), &err);
    struct invar_recipe *plain = t.recipe;
    t.recipe = other.recipe; /* the data of the first: where they lie is in the file */
    memcpy(t.recipe->data.source, plain->data.source, sizeof plain->data.source);
    assert_ok(training_run(&t, "with", false, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "without", "with");
    t.recipe = plain;
    training_close(&other);
    training_close(&t);
}

static void keep_last(void *user, const struct invar_record *record)
{
    if (record->count > 0)
        *(struct invar_record *)user = *record;
}

/* Blobs are told apart; local views and a target network are no obstacle; the run is reported and counted. */
static void test_learns(void **state)
{
    static const char *const overrides[] = {"classifier.enabled=true", "views.local=1", "views.local_size=4",
                                            "views.local_crop=[0.2, 0.4]", "training.epochs=8"};
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_record last = {0};
    struct invar_trainer_plan plan;

    (void)state;
    training_open(&t, overrides, 5);
    struct invar_trainer *trainer = training_start(&t, "run", false, NULL, keep_last, &last, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    assert_ok(invar_trainer_run(trainer, &err), &err);
    assert_true(training_metric(&last, "classifier/top1") > 75);
    assert_true(training_metric(&last, "classifier/loss") < 0.8);
    assert_ok(invar_trainer_describe(trainer, &plan, &err), &err);
    int64_t parameters = 0;
    for (int i = 0; i < INVAR_NET_ALL; i++)
        parameters += trainer_net(trainer, i)->net ? trainer_net(trainer, i)->net->trained_count : 0;
    assert_int_equal(plan.parameters, parameters);
    struct invar_head *head = invar_head_read(test_path(t.folder, "run/classifier.safetensors"), &err);
    if (!head)
        fail_msg("%s", err.message);
    assert_int_equal(head->options.output, CLASSES);
    assert_true(test_device_holds(t.device, trainer->classifier.net.weights->parameters, head->parameters,
                                  (size_t)head->net->trained_count * sizeof(float)));
    invar_head_free(head);
    invar_trainer_free(trainer);
    training_close(&t);
}

static void stop_at_seven(void *user, const struct invar_record *record)
{
    if (record->step == 7)
        *(volatile sig_atomic_t *)user = 1;
}

static void test_resume(void **state)
{
    static const char *const overrides[] = {"classifier.enabled=true"};
    struct invar_error err = {0};
    struct training t = {.threads = 2};
    volatile sig_atomic_t stop = 0;

    (void)state;
    training_open(&t, overrides, 1);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_refused(training_run(&t, "parts", false, &stop, stop_at_seven, (void *)(uintptr_t)&stop, &err), &err,
                   INVAR_ERROR_INTERRUPTED, "step 7");
    assert_ok(training_run(&t, "parts", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "parts");
    training_assert_same_file(&t, "whole", "parts", "classifier.safetensors");
    training_close(&t);
}

static void test_not_finite(void **state)
{
    static const char *const overrides[] = {"classifier.enabled=true"};
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_record record;

    (void)state;
    struct invar_trainer *trainer = start(&t, overrides, 1);
    const float bad = NAN;
    invar_device_upload(t.device, trainer->classifier.net.weights->parameters + 3, &bad, sizeof bad);
    assert_refused(invar_trainer_step(trainer, &record, &err), &err, INVAR_ERROR_NUMERIC, "of the classifier");
    invar_trainer_free(trainer);
    training_close(&t);
}

static void test_refused(void **state)
{
    static const char *const keep[] = {"classifier.enabled=true", "target={enabled: true, keep: true}"};
    static const char *const overrides[] = {"classifier.enabled=true"};
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, overrides, 1);
    assert_null(invar_recipe_load(test_path(t.folder, "tiny.yaml"), keep, 2, &err));
    assert_non_null(strstr(err.message, "classifier.enabled is true"));
    invar_dataset_close(t.dataset);
    char path[600];
    snprintf(path, sizeof path, "%s", test_path(t.folder, "data/train-labels-idx1-ubyte"));
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s", test_path(t.folder, "data/t10k-labels-idx1-ubyte"));
    assert_int_equal(unlink(path), 0);
    t.dataset = invar_dataset_open(&t.recipe->data, &err);
    if (!t.dataset)
        fail_msg("%s", err.message);
    err = (struct invar_error){0};
    assert_refused(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_DATA,
                   "online classifier needs labels");
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update), cmocka_unit_test(test_encoder_unchanged), cmocka_unit_test(test_learns),
        cmocka_unit_test(test_resume), cmocka_unit_test(test_not_finite),        cmocka_unit_test(test_refused),
    };
    const struct CMUnitTest half[] = {cmocka_unit_test(test_encoder_unchanged), cmocka_unit_test(test_resume)};
    const int failed = cmocka_run_group_tests_name("in float32", tests, NULL, NULL);

    return failed + (training_use_bfloat16() ? cmocka_run_group_tests_name("in bfloat16", half, NULL, NULL) : 0);
}
