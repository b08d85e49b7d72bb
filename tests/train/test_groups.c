/* SPDX-License-Identifier: Apache-2.0 */
/* Refinement groups in training: from a column of a table into the loss of every batch. */
#include "training.h"

#include "train/trainer.h"

/* A trainer after its first step, with groups by that column (NULL: without). */
static struct invar_trainer *first_step(struct training *t, const char *column)
{
    struct invar_error err = {0};
    struct invar_record record;
    char group[64];
    const char *overrides[] = {group, "terms.relic.groups=true"};

    snprintf(group, sizeof group, "data.group=%s", column ? column : "");
    training_open(t, overrides, column ? 2 : 0);
    struct invar_trainer *trainer = training_start(t, "run", false, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    return trainer;
}

static double first_loss(const char *column, double *contrast)
{
    struct training t = {0};
    struct invar_trainer *trainer = first_step(&t, column);
    double loss = trainer->loss;

    *contrast = trainer->values[0].part[0].value;
    invar_trainer_free(trainer);
    training_close(&t);
    return loss;
}

/* p of a group is at least that of the own match in it [R3]; with all ids distinct nothing changes. */
static void test_groups_matter(void **state)
{
    double plain, sessions, own, contrast[3];

    (void)state;
    plain = first_loss(NULL, &contrast[0]);
    sessions = first_loss("session", &contrast[1]);
    own = first_loss("own", &contrast[2]);
    assert_true(contrast[1] < 0.8 * contrast[0]);
    assert_true(fabs(sessions - plain) > 0.1);
    assert_near(own, plain, 1e-6);
    assert_near(contrast[2], contrast[0], 1e-6);
}

/* The loss of later steps is that of the very samples: reference [R3] with the table's groups of their numbers. */
static void test_groups_are_those_of_the_samples(void **state)
{
    struct invar_error err = {0};
    struct invar_record record;
    struct training t = {0};
    struct invar_trainer *trainer = first_step(&t, "session");
    const struct invar_term_spec *relic = invar_objective_term(t.recipe->objective, 0);
    struct invar_embeddings wide = {.views = 2};
    struct invar_term_value expected;
    double values[2][32 * 8];
    int64_t groups[32];

    (void)state;
    for (int step = 0; step < 8; step++) { /* into the second epoch, whose order is another */
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
        for (int i = 0; i < 32; i++)
            groups[i] = training_session(trainer->batch.samples[i].index);
        for (int v = 0; v < 2; v++) {
            const struct invar_matrix *z = &trainer->chain.embeddings.by[INVAR_ROLE_Z][v];
            assert_true(z->rows == 32 && z->cols == 8);
            for (int i = 0; i < 32 * 8; i++)
                values[v][i] = (double)test_device_at(t.device, z->data, i);
            wide.by[INVAR_ROLE_Z][v] = (struct invar_matrix){INVAR_FLOAT64, 32, 8, values[v]};
        }
        wide.groups = groups;
        assert_true(relic->reference(invar_objective_options(t.recipe->objective, 0), &wide, &expected));
        assert_near(trainer->loss, expected.loss, 1e-5);
    }
    invar_trainer_free(trainer);
    training_close(&t);
}

/* Trained to the end, and a resumed run ends with the same bytes. */
static void stop_early(void *user, const struct invar_record *record)
{
    *(volatile sig_atomic_t *)user = record->step == 7;
}

static void test_resume(void **state)
{
    static const char *const overrides[] = {"data.group=session", "terms.relic.groups=true", "training.epochs=2"};
    struct invar_error err = {0};
    struct training t = {0};
    volatile sig_atomic_t stop = 0;

    (void)state;
    training_open(&t, overrides, 3);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_refused(training_run(&t, "parts", false, &stop, stop_early, (void *)&stop, &err), &err,
                   INVAR_ERROR_INTERRUPTED, "step 7");
    assert_ok(training_run(&t, "parts", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "parts");
    /* what is kept of the data is what probing needs, which is no table */
    struct invar_encoder *encoder = invar_encoder_read(test_path(t.folder, "whole/encoder.safetensors"), &err);
    assert_non_null(encoder);
    assert_null(strstr(encoder->source.data, "session"));
    invar_encoder_free(encoder);
    training_close(&t);
}

struct warnings {
    int count;
    char last[1024];
};

static void keep_warning(void *user, enum invar_log_level level, const char *message)
{
    struct warnings *w = user;

    if (level == INVAR_LOG_WARNING && ++w->count)
        snprintf(w->last, sizeof w->last, "%s", message);
}

/* one sample against 199: the chance that a batch of 32 lacks it is 168 / 200 */
static void test_batch_too_small_for_groups(void **state)
{
    const char *overrides[] = {"data.group=rare", "terms.relic.groups=true", "training.batch=32"};
    struct invar_error err = {0};
    struct warnings w = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, overrides, 3);
    assert_refused(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "training.batch is 32, and 84 % of such batches would hold a single group of data.group=rare");
    assert_false(invar_path_exists(test_path(t.folder, "run")));
    training_close(&t);
    t = (struct training){0};
    overrides[2] = "training.batch=150";
    invar_log_set_sink(keep_warning, &w);
    training_open(&t, overrides, 3);
    assert_ok(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err); /* such batches give 0, not NaN */
    invar_log_set_sink(NULL, NULL);
    assert_true(w.count >= 1);
    assert_non_null(strstr(w.last, "25 % of the batches of 150"));
    training_close(&t);
}

/* A data set that was opened with other options than the recipe's. */
static void test_dataset_without_groups(void **state)
{
    struct invar_error err = {0};
    struct training t = {0}, other = {0};
    const char *overrides[] = {"data.group=session", "terms.relic.groups=true"};

    (void)state;
    training_open(&t, overrides, 2);
    training_open(&other, NULL, 0);
    struct invar_trainer_options options = {0};
    assert_refused(invar_trainer_create(t.recipe, other.dataset, t.device, &options, &err) != NULL, &err,
                   INVAR_ERROR_DATA, "was opened without refinement groups");
    training_close(&t);
    training_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_matter),
        cmocka_unit_test(test_groups_are_those_of_the_samples),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_batch_too_small_for_groups),
        cmocka_unit_test(test_dataset_without_groups),
    };
    const struct CMUnitTest half[] = {cmocka_unit_test(test_resume)};
    const int failed = cmocka_run_group_tests_name("in float32", tests, NULL, NULL);

    return failed + (training_use_bfloat16() ? cmocka_run_group_tests_name("in bfloat16", half, NULL, NULL) : 0);
}
