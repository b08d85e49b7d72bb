/* SPDX-License-Identifier: Apache-2.0 */
/* Training on labels, on a part of the samples, on mixed views; and the present weights of a run. */
#include "training.h"

#include "invar/eval.h"

#define HEAD "projector={hidden: [], output: 4}"
#define LABELS "terms={cross_entropy: {}}"

/* Only the samples that are named are seen, for as many steps as all of them would get. */
static void some_samples_alone_are_seen(void **state)
{
    static const char *const overrides[] = {HEAD,
                                            LABELS,
                                            "training.epochs=6",
                                            "training.batch=8",
                                            "optimiser.lr=2e-2",
                                            "views={count: 1, crop: [1, 1], flip: 0, jitter: 0}"};
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_record record;
    int64_t samples[50];
    (void)state;
    training_open(&t, overrides, 6);
    for (int i = 0; i < 50; i++)
        samples[i] = 4 * i; /* class 0 alone */
    struct invar_trainer_options options = {.samples = samples, .sample_count = 50};
    struct invar_trainer *trainer = invar_trainer_create(t.recipe, t.dataset, t.device, &options, &err);
    assert_ok(trainer, &err);
    assert_int_equal(invar_trainer_steps_total(trainer), 6 * (200 / 8));
    for (int64_t i = 0; i < invar_trainer_steps_total(trainer); i++)
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    /* who has seen one class says that class of everything */
    struct invar_encoder *encoder;
    struct invar_head *head;
    struct invar_embedded z;
    struct invar_accuracy accuracy;
    assert_ok(invar_trainer_present(trainer, &encoder, &head, &err), &err);
    assert_ok(invar_embed_head(t.device, encoder, head, t.dataset, INVAR_TEST, NULL, 0, &z, &err), &err);
    const struct invar_matrix scores = {INVAR_FLOAT32, z.features.shape[0], z.features.shape[1], z.features.data};
    assert_int_equal(scores.cols, 4);
    assert_ok(invar_accuracy_measure(&scores, z.labels.data, &accuracy, &err), &err);
    for (int c = 0; c < 4; c++)
        assert_near(accuracy.per_class[c], c == 0 ? 100 : 0, 0);
    invar_accuracy_free(&accuracy);
    invar_embedded_free(&z);
    invar_trainer_free(trainer);

    options.sample_count = 7;
    assert_refused(invar_trainer_create(t.recipe, t.dataset, t.device, &options, &err), &err, INVAR_ERROR_USAGE,
                   "7 training samples to be used");
    training_close(&t);
}

/* With all labels the classes are learned; and what is present at the end is what the files hold. */
static void labels_are_learned(void **state)
{
    static const char *const overrides[] = {HEAD, LABELS, "training.epochs=8", "optimiser.lr=2e-2"};
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_encoder *encoder, *written;
    struct invar_head *head;
    struct invar_embedded z;
    struct invar_accuracy accuracy;
    (void)state;
    training_open(&t, overrides, 4);
    struct invar_trainer *trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
    assert_ok(trainer && invar_trainer_run(trainer, &err), &err);
    assert_ok(invar_trainer_present(trainer, &encoder, &head, &err), &err);
    written = invar_encoder_read(test_path(t.folder, "run/encoder.safetensors"), &err);
    assert_ok(written, &err);
    assert_memory_equal(written->parameters, encoder->parameters, (size_t)encoder->net->trained_count * sizeof(float));
    invar_encoder_free(written);
    static const int64_t order[] = {3, 1, 8};
    assert_ok(invar_embed_head(t.device, encoder, head, t.dataset, INVAR_TRAIN, order, 3, &z, &err), &err);
    for (int i = 0; i < 3; i++)
        assert_int_equal(((const int64_t *)z.labels.data)[i], order[i] % 4);
    invar_embedded_free(&z);
    assert_ok(invar_embed_head(t.device, encoder, head, t.dataset, INVAR_TEST, NULL, 0, &z, &err), &err);
    const struct invar_matrix scores = {INVAR_FLOAT32, z.features.shape[0], z.features.shape[1], z.features.data};
    assert_ok(invar_accuracy_measure(&scores, z.labels.data, &accuracy, &err), &err);
    assert_true(accuracy.top1 > 80);
    invar_accuracy_free(&accuracy);
    invar_embedded_free(&z);
    invar_trainer_free(trainer);
    training_close(&t);
}

static void refuse(const char *const *overrides, int count, enum invar_error_code code, const char *part)
{
    struct invar_error err = {0};
    struct training t = {0};

    training_open(&t, overrides, count);
    assert_refused(training_start(&t, "run", false, NULL, NULL, NULL, &err), &err, code, part);
    training_close(&t);
}

static void heads_that_are_too_narrow_are_refused(void **state)
{
    static const char *const narrow[] = {"projector={hidden: [], output: 3}", LABELS};
    (void)state;
    refuse(narrow, 2, INVAR_ERROR_USAGE, "projector.output=4");
}

/* imix trains, and reads what the batch at hand was mixed of: two runs agree to the last bit */
static void mixtures_reach_their_term(void **state)
{
    static const char *const overrides[] = {"terms={imix: {tau: 0.2}}", "views.mix=[1, 0]", "views.mix_alpha=1"};
    struct invar_error err = {0};
    struct training t = {0};
    (void)state;
    training_open(&t, overrides, 3);
    assert_ok(training_run(&t, "one", false, NULL, NULL, NULL, &err), &err);
    assert_ok(training_run(&t, "two", false, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "one", "two");
    training_close(&t);
}

static void mixtures_that_nobody_makes_are_refused(void **state)
{
    static const char *const bad[] = {"views.mix=[0]", "views.mix=[1]", "views.mix=[1, 0.5]", "views.mix=[0, 0]"};
    struct invar_error err = {0};
    char *folder = test_folder_create();
    const char *path = test_file(folder, "tiny.yaml", training_recipe, sizeof training_recipe - 1);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const overrides[] = {"terms={imix: {}}", bad[i]};
        assert_refused(invar_recipe_load(path, overrides, 2, &err), &err, INVAR_ERROR_USAGE, "views.mix=[1, 0]");
    }
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_samples_alone_are_seen),
        cmocka_unit_test(labels_are_learned),
        cmocka_unit_test(heads_that_are_too_narrow_are_refused),
        cmocka_unit_test(mixtures_reach_their_term),
        cmocka_unit_test(mixtures_that_nobody_makes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
