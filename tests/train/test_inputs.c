/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at what the networks see: the right views, and a run that is the same for it, bit for bit. */
#include "training.h"

#include "invar/report.h"

enum { COUNT = 5, SIZE = TRAINING_SIDE * TRAINING_SIDE, LOCAL_SIZE = 16 };

static const char *const settings[] = {"views.local=1",       "views.local_size=4", "adversary.kind=noise",
                                       "adversary.views=[1]", "adversary.eps=0.2",  "training.epochs=1"};

static double difference(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    return sum / count;
}

static void test_views(void **state)
{
    (void)state;
    struct training t = {0};
    struct invar_error err = {0};
    struct invar_record record;
    float clean[COUNT * SIZE], first[COUNT * SIZE], second[COUNT * SIZE], perturbed[COUNT * SIZE], same[COUNT * SIZE];
    float local[COUNT * LOCAL_SIZE];
    training_open(&t, settings, 6);
    struct invar_trainer *trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
    assert_ok(trainer, &err);
    assert_refused(invar_trainer_view(trainer, 0, false, COUNT, first, &err), &err, INVAR_ERROR_USAGE, "no batch");
    assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    assert_int_equal(invar_trainer_views(trainer), 3);
    assert_int_equal(invar_trainer_view_shape(trainer, INVAR_VIEW_CLEAN).height, TRAINING_SIDE);
    assert_int_equal(invar_trainer_view_shape(trainer, 1).width, TRAINING_SIDE);
    assert_int_equal(invar_trainer_view_shape(trainer, 2).width, 4);
    assert_false(invar_trainer_view_perturbed(trainer, 0));
    assert_true(invar_trainer_view_perturbed(trainer, 1));
    assert_ok(invar_trainer_view(trainer, INVAR_VIEW_CLEAN, false, COUNT, clean, &err), &err);
    assert_ok(invar_trainer_view(trainer, 0, false, COUNT, first, &err), &err);
    assert_ok(invar_trainer_view(trainer, 0, true, COUNT, same, &err), &err);
    assert_ok(invar_trainer_view(trainer, 1, false, COUNT, second, &err), &err);
    assert_ok(invar_trainer_view(trainer, 1, true, COUNT, perturbed, &err), &err);
    assert_ok(invar_trainer_view(trainer, 2, false, COUNT, local, &err), &err);
    assert_memory_equal(first, same, sizeof first);
    assert_true(difference(clean, first, COUNT * SIZE) > 0.05);
    assert_true(difference(first, second, COUNT * SIZE) > 0.05);
    double squares = 0; /* the RMS of what noise adds is eps */
    for (int i = 0; i < COUNT * SIZE; i++)
        squares += pow((double)perturbed[i] - (double)second[i], 2);
    assert_near(sqrt(squares / (COUNT * SIZE)), 0.2, 1e-5);
    for (int i = 0; i < COUNT * LOCAL_SIZE; i++)
        assert_true(isfinite(local[i]));
    assert_refused(invar_trainer_view(trainer, 0, false, 33, first, &err), &err, INVAR_ERROR_USAGE, "33 samples");
    invar_trainer_free(trainer);
    training_close(&t);
}

struct watch {
    struct invar_trainer *trainer;
    struct invar_metrics *metrics;
    const struct invar_dataset_info *info;
};

static void look(void *user, const struct invar_record *record)
{
    struct watch *w = user;
    struct invar_error err = {0};
    assert_ok(invar_metrics_views(w->metrics, w->trainer, w->info, 32, record->step, &err), &err);
}

/* Pictures of every step change nothing. */
static void test_looking_changes_nothing(void **state)
{
    (void)state;
    struct training t = {0};
    struct invar_error err = {0};
    struct watch w = {0};
    training_open(&t, settings, 6);
    assert_ok(training_run(&t, "unseen", false, NULL, NULL, NULL, &err), &err);
    w.trainer = training_start(&t, "seen", false, NULL, look, &w, &err);
    assert_ok(w.trainer, &err);
    w.info = invar_dataset_info(t.dataset);
    w.metrics = invar_metrics_open(test_path(t.folder, "seen"), 0, &err);
    assert_ok(w.metrics, &err);
    assert_ok(invar_trainer_run(w.trainer, &err), &err);
    invar_metrics_close(w.metrics);
    invar_trainer_free(w.trainer);
    training_assert_same_file(&t, "unseen", "seen", "encoder.safetensors");
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_looking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
