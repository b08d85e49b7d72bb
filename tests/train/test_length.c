/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are made longer, and data that have moved or changed, when a run is resumed. */
#include "training.h"

#include "train/trainer.h"

#include <unistd.h>

#define CONSTANT "training.warmup=0", "training.final_ratio=1"

/* The same folder with another recipe, and data from FOLDER/data. */
static void reopen(struct training *t, const char *data, const char *const *overrides, int count)
{
    struct invar_error err = {0};
    char source[700];
    const char *all[16] = {source, training_precision};

    snprintf(source, sizeof source, "data.source=idx:%s/%s", t->folder, data);
    for (int i = 0; i < count; i++)
        all[i + 2] = overrides[i];
    invar_dataset_close(t->dataset);
    invar_recipe_free(t->recipe);
    t->recipe = invar_recipe_load(test_path(t->folder, "tiny.yaml"), all, count + 2, &err);
    assert_ok(t->recipe, &err);
    t->dataset = invar_dataset_open(&t->recipe->data, &err);
    assert_ok(t->dataset, &err);
}

static bool resume(struct training *t, bool accept, struct invar_error *err)
{
    struct invar_trainer_options options = {
        .folder = test_path(t->folder, "run"), .resume = true, .accept_data = accept};
    struct invar_trainer *trainer = invar_trainer_create(t->recipe, t->dataset, t->device, &options, err);
    const bool ok = trainer && invar_trainer_run(trainer, err);

    invar_trainer_free(trainer);
    return ok;
}

/* 3 epochs resumed to 6, finished or stopped in between, are 6 epochs under a rate that does not know its length. */
static void test_constant_rate_is_exact(void **state)
{
    static const char *const target[] = {CONSTANT, "target.enabled=true", "target.schedule=constant",
                                         "target.momentum=0.8", "terms={relic: {target: true}}"};
    const char *const lengths[] = {"training.epochs=3", "training.epochs=4", "training.epochs=6"};
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, target, 0);
    for (int with_target = 0; with_target < 2; with_target++) {
        const int count = with_target ? 6 : 2;
        char whole[32], parts[32];
        snprintf(whole, sizeof whole, "whole%d", with_target);
        snprintf(parts, sizeof parts, "run%d", with_target);
        const char *all[7];
        memcpy(all, target, sizeof target);
        for (int i = 0; i < 3; i++) {
            all[count] = lengths[i];
            reopen(&t, "data", all, count + 1);
            assert_ok(training_run(&t, parts, i > 0, NULL, NULL, NULL, &err), &err);
        }
        assert_ok(training_run(&t, whole, false, NULL, NULL, NULL, &err), &err);
        training_assert_same(&t, whole, parts);
        training_assert_same_file(&t, whole, parts, "recipe.yaml");
        /* and the run with its new length is finished, without being asked for it */
        assert_ok(training_run(&t, parts, true, NULL, NULL, NULL, &err), &err);
        training_assert_same(&t, whole, parts);
    }
    training_close(&t);
}

static void stop_at_8(void *user, const struct invar_record *record)
{
    volatile sig_atomic_t *stop = user;

    *stop = record->step == 8;
}

/* A run that was stopped on the way is made longer all the same. */
static void test_stopped_run(void **state)
{
    static const char *const three[] = {CONSTANT, "training.epochs=3"}, *const six[] = {CONSTANT, "training.epochs=6"};
    struct invar_error err = {0};
    struct training t = {0};
    volatile sig_atomic_t stop = 0;

    (void)state;
    training_open(&t, three, 3);
    assert_refused(training_run(&t, "run", false, &stop, stop_at_8, (void *)(uintptr_t)&stop, &err), &err,
                   INVAR_ERROR_INTERRUPTED, "step 8 of 18");
    reopen(&t, "data", six, 3);
    assert_ok(resume(&t, false, &err), &err);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "run");
    training_assert_same_file(&t, "whole", "run", "recipe.yaml");
    training_close(&t);
}

struct curve {
    double rate[200];
    int64_t last;
};

static void keep_rate(void *user, const struct invar_record *record)
{
    struct curve *curve = user;

    if (record->count > 0)
        curve->rate[record->step] = training_metric(record, "lr");
    curve->last = record->step;
}

/* Under cosine the rate has no step, joins the longer schedule within a tenth of what is left, and ends with it. */
static void test_cosine_is_continuous(void **state)
{
    static const char *const short_run[] = {"training.epochs=10", "training.log_interval=1"};
    static const char *const long_run[] = {"training.epochs=20", "training.log_interval=1"};
    static struct curve parts, whole;
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, short_run, 2);
    assert_ok(training_run(&t, "run", false, NULL, keep_rate, &parts, &err), &err);
    const int64_t joint = parts.last;
    reopen(&t, "data", long_run, 2);
    assert_ok(training_run(&t, "run", true, NULL, keep_rate, &parts, &err), &err);
    assert_ok(training_run(&t, "whole", false, NULL, keep_rate, &whole, &err), &err);
    assert_int_equal(parts.last, whole.last);
    assert_int_equal(whole.last, 2 * joint);
    const double peak = 5e-3;
    for (int64_t k = joint - 5; k < joint + 10; k++)
        if (!(fabs(parts.rate[k + 1] - parts.rate[k]) < 0.2 * peak))
            fail_msg("the rate jumps from %g to %g at step %d", parts.rate[k], parts.rate[k + 1], (int)k);
    for (int64_t k = joint + 1 + joint / 10; k <= whole.last; k++)
        if (!(parts.rate[k] == whole.rate[k]))
            fail_msg("step %d: rate %g, expected %g", (int)k, parts.rate[k], whole.rate[k]);
    training_close(&t);
}

static void test_refused_lengths(void **state)
{
    static const char *const two[] = {"training.epochs=2"}, *const other[] = {"training.epochs=6", "training.seed=5"};
    static const char *const steps[] = {"training.steps=20"}, *const both[] = {"training.steps=20",
                                                                               "training.epochs=9"};
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err);
    reopen(&t, "data", two, 1);
    assert_refused(resume(&t, false, &err), &err, INVAR_ERROR_USAGE, "has done 18 steps, more than the 12");
    reopen(&t, "data", other, 2);
    assert_refused(resume(&t, false, &err), &err, INVAR_ERROR_USAGE, "other settings");
    reopen(&t, "data", steps, 1);
    assert_ok(resume(&t, false, &err), &err);
    reopen(&t, "data", both, 2);
    assert_refused(resume(&t, false, &err), &err, INVAR_ERROR_USAGE, "training.steps is 20");
    training_close(&t);
}

/* Data that moved are the same data; others are refused with what differs, until they are accepted. */
static void test_identity_of_data(void **state)
{
    static const char *const four[] = {"training.epochs=4"}, *const five[] = {"training.epochs=5"};
    struct invar_error err = {0};
    struct training t = {0};
    char path[600];

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err);
    assert_int_equal(rename(test_path(t.folder, "data"), test_path(t.folder, "moved")), 0);
    reopen(&t, "moved", four, 1);
    assert_ok(resume(&t, false, &err), &err);

    struct invar_encoder *encoder = invar_encoder_read(test_path(t.folder, "run/encoder.safetensors"), &err);
    assert_ok(encoder, &err);
    assert_non_null(strstr(encoder->source.data, "moved"));
    assert_string_equal(encoder->identity.data, invar_dataset_info(t.dataset)->identity);
    invar_encoder_free(encoder);

    /* one pixel */
    snprintf(path, sizeof path, "%s/moved/train-images-idx3-ubyte", t.folder);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 1000, SEEK_SET), 0);
    assert_int_not_equal(fputc(255, file), EOF);
    assert_int_equal(fclose(file), 0);
    reopen(&t, "moved", five, 1);
    assert_refused(resume(&t, false, &err), &err, INVAR_ERROR_DATA, "differ in the contents");
    /* other counts and labels */
    snprintf(path, sizeof path, "%s/moved", t.folder);
    training_write_split(path, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 180);
    reopen(&t, "moved", five, 1);
    assert_refused(resume(&t, false, &err), &err, INVAR_ERROR_DATA, "the number of training samples (200, now 180)");
    assert_refused(resume(&t, false, &err), &err, INVAR_ERROR_DATA, "the labels");
    assert_ok(resume(&t, true, &err), &err);
    /* what was accepted is known from then on */
    assert_ok(resume(&t, false, &err), &err);
    training_close(&t);
}

static void test_identities(void **state)
{
    char text[200];

    (void)state;
    assert_true(invar_data_identity_same("train=1 test=2", "train=1 test=2 names=00", text, sizeof text));
    assert_string_equal(text, "");
    assert_false(invar_data_identity_same("train=1 test=2 names=ab", "train=1 test=20 names=ac", text, sizeof text));
    assert_string_equal(text, "the number of test samples (2, now 20), the names of files (ab, now ac)");
    assert_false(invar_data_identity_same("train=1 test=2", "train=2 test=3", text, 5));
    assert_false(invar_data_identity_same("train=1", "train=2", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_rate_is_exact), cmocka_unit_test(test_stopped_run),
        cmocka_unit_test(test_cosine_is_continuous),   cmocka_unit_test(test_refused_lengths),
        cmocka_unit_test(test_identity_of_data),       cmocka_unit_test(test_identities),
    };

    const struct CMUnitTest half[] = {cmocka_unit_test(test_constant_rate_is_exact),
                                      cmocka_unit_test(test_stopped_run)};
    const int failed = cmocka_run_group_tests_name("in float32", tests, NULL, NULL);

    return failed + (training_use_bfloat16() ? cmocka_run_group_tests_name("in bfloat16", half, NULL, NULL) : 0);
}
