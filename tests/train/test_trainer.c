/* SPDX-License-Identifier: Apache-2.0 */
/* Training runs on a small synthetic data set: that they learn, stop, resume, and refuse. */
#include "training.h"

#include "invar/expert/safetensors.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- what a run reports ---- */

struct watch {
    int records, logged;
    double first_loss, last_loss;
    struct invar_record last;
    int64_t stop_at;
    volatile sig_atomic_t stop;
};

static void watch(void *user, const struct invar_record *record)
{
    struct watch *w = user;

    w->records++;
    if (record->count > 0) {
        double loss = training_metric(record, "loss");
        if (w->logged++ == 0)
            w->first_loss = loss;
        w->last_loss = loss;
        w->last = *record;
    }
    if (record->step == w->stop_at)
        w->stop = 1;
}

static void test_learns(void **state)
{
    struct invar_error err = {0};
    struct training t = {0};
    struct watch w = {0};
    struct invar_trainer *trainer;

    (void)state;
    training_open(&t, NULL, 0);
    trainer = training_start(&t, "run", false, NULL, watch, &w, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    assert_int_equal(invar_trainer_steps_total(trainer), 18);
    assert_ok(invar_trainer_run(trainer, &err), &err);
    assert_int_equal(w.records, 18);
    assert_true(w.last_loss < 0.8 * w.first_loss);
    assert_int_equal(w.last.step, 18);
    assert_near(w.last.epoch, 3, 1e-12);
    assert_true(w.last.samples_per_s > 0);
    static const char *const names[] = {
        "loss/relic/contrast", "loss/relic/invariance",  "lr",           "gradient_norm",
        "embedding_std",       "effective_rank",         "entropy",      "alignment",
        "representation_rank", "representation_entropy", "samples_per_s"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!isfinite(training_metric(&w.last, names[i])))
            fail_msg("no %s in the last record", names[i]);
    const double alignment = training_metric(&w.last, "alignment"), rank = training_metric(&w.last, "effective_rank");
    assert_true(alignment > 0 && alignment < 2); /* 2: views of different samples */
    assert_true(rank >= 1 && rank <= 16);
    assert_true(training_metric(&w.last, "entropy") > 0);
    assert_near(training_metric(&w.last, "loss/relic/contrast") + training_metric(&w.last, "loss/relic/invariance"),
                training_metric(&w.last, "loss"), 1e-6);
    invar_trainer_free(trainer);
    assert_true(invar_path_exists(test_path(t.folder, "run/recipe.yaml")));
    assert_true(invar_path_exists(test_path(t.folder, "run/encoder.safetensors")));
    assert_true(invar_path_exists(test_path(t.folder, "run/checkpoint-00000018.safetensors")));
    assert_true(invar_path_exists(test_path(t.folder, "run/checkpoint-00000015.safetensors")));
    assert_false(invar_path_exists(test_path(t.folder, "run/checkpoint-00000010.safetensors")));
    training_close(&t);
}

/* The kept weights of one net in checkpoint and file: the target's where the recipe says so. */
static void check_projector(const char *const *overrides, int count, const char *prefix)
{
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_safetensors *checkpoint = NULL;

    training_open(&t, overrides, count);
    assert_ok(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err);
    struct invar_head *head = invar_head_read(test_path(t.folder, "run/projector.safetensors"), &err);
    if (!head)
        fail_msg("%s", err.message);
    assert_int_equal(invar_net_output(head->net).channels, 8);
    assert_ok(invar_safetensors_read(&checkpoint, test_path(t.folder, "run/checkpoint-00000018.safetensors"), &err),
              &err);
    for (int i = 0; i < head->net->parameter_count; i++) {
        const struct invar_parameter *p = &head->net->parameters[i];
        const float *base = p->role == INVAR_PARAMETER_STATISTIC ? head->statistics : head->parameters;
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        const struct invar_array *array = invar_safetensors_get(checkpoint, name);
        assert_non_null(array);
        assert_memory_equal(array->data, base + p->offset, (size_t)p->count * sizeof(float));
    }
    invar_head_free(head);
    invar_safetensors_free(checkpoint);
    training_close(&t);
}

static void test_projector(void **state)
{
    static const char *const target[] = {"target.enabled=true", "target.momentum=0.8", "target.keep=true",
                                         "terms.relic.target=true"};
    static const char *const trained[] = {"target.enabled=true", "target.momentum=0.8", "terms.relic.target=true"};

    (void)state;
    check_projector(NULL, 0, "projector.");
    check_projector(target, 4, "target.projector.");
    check_projector(trained, 3, "projector.");
}

/* A finished run without the file gets it from its last checkpoint, and keeps its encoder as it is. Where the
 * checkpoint is gone too, nothing is made up. */
static void test_projector_of_a_finished_run(void **state)
{
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_ok(training_run(&t, "older", false, NULL, NULL, NULL, &err), &err);
    assert_int_equal(unlink(test_path(t.folder, "older/projector.safetensors")), 0);
    assert_ok(training_run(&t, "older", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "older");
    assert_int_equal(unlink(test_path(t.folder, "older/projector.safetensors")), 0);
    assert_int_equal(unlink(test_path(t.folder, "older/checkpoint-00000018.safetensors")), 0);
    assert_ok(training_run(&t, "older", true, NULL, NULL, NULL, &err), &err);
    assert_false(invar_path_exists(test_path(t.folder, "older/projector.safetensors")));
    training_assert_same_file(&t, "whole", "older", "encoder.safetensors");
    training_close(&t);
}

static void test_no_projector(void **state)
{
    static const char *const overrides[] = {"projector=null"};
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, overrides, 1);
    assert_ok(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err);
    assert_true(invar_path_exists(test_path(t.folder, "run/encoder.safetensors")));
    assert_false(invar_path_exists(test_path(t.folder, "run/projector.safetensors")));
    training_close(&t);
}

/* The present weights are those that the run writes, whatever the projector: its width given, or left to the terms (as
 * dae and vime do), or none. Nobody has to ask for both. */
static void test_present(void **state)
{
    static const char *const left_to_terms[] = {"projector={output: -1}", "terms={denoising: {over: all}}",
                                                "views.blank=[0.3]"};
    static const char *const none[] = {"projector=null"};
    const struct {
        const char *const *overrides;
        int count;
        int64_t width;
    } cases[] = {{NULL, 0, 8}, {left_to_terms, 3, (int64_t)TRAINING_SIDE * TRAINING_SIDE}, {none, 1, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_error err = {0};
        struct training t = {0};
        struct invar_encoder *encoder = NULL, *again = NULL;
        struct invar_head *head = NULL;
        training_open(&t, cases[i].overrides, cases[i].count);
        struct invar_trainer *trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
        assert_ok(trainer, &err);
        assert_ok(invar_trainer_present(trainer, NULL, NULL, &err), &err);
        assert_ok(invar_trainer_present(trainer, &encoder, NULL, &err), &err);
        assert_ok(invar_trainer_run(trainer, &err), &err);
        assert_ok(invar_trainer_present(trainer, &again, &head, &err), &err);
        assert_ptr_equal(encoder, again);
        struct invar_encoder *written = invar_encoder_read(test_path(t.folder, "run/encoder.safetensors"), &err);
        assert_ok(written, &err);
        assert_memory_equal(encoder->parameters, written->parameters,
                            (size_t)encoder->net->trained_count * sizeof(float));
        invar_encoder_free(written);
        assert_int_equal(head ? invar_net_output(head->net).channels : 0, cases[i].width);
        if (head) {
            struct invar_head *file = invar_head_read(test_path(t.folder, "run/projector.safetensors"), &err);
            assert_ok(file, &err);
            assert_memory_equal(head->parameters, file->parameters, (size_t)head->net->trained_count * sizeof(float));
            assert_int_equal(head->options.output, cases[i].width);
            invar_head_free(file);
        }
        invar_trainer_replace(trainer);
        invar_trainer_free(trainer);
        training_close(&t);
    }
}

/* ---- interruption and resumption ---- */

/* Interrupted after steps 3 and 11, resumed twice: the same bytes as in one go. */
static void check_resume(const char *const *overrides, int count, int threads)
{
    struct invar_error err = {0};
    struct training t = {.threads = threads};
    struct watch w = {.stop_at = 3};

    training_open(&t, overrides, count);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_refused(training_run(&t, "parts", false, &w.stop, watch, &w, &err), &err, INVAR_ERROR_INTERRUPTED,
                   "checkpoint-00000003.safetensors: resume goes on");
    w = (struct watch){.stop_at = 11};
    assert_refused(training_run(&t, "parts", true, &w.stop, watch, &w, &err), &err, INVAR_ERROR_INTERRUPTED, "step 11");
    assert_int_equal(w.records, 8);
    assert_ok(training_run(&t, "parts", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "parts");
    training_close(&t);
}

static void test_resume_optimisers(void **state)
{
    static const char *const kinds[] = {"optimiser.kind=sgd", "optimiser.kind=adam", "optimiser.kind=adamw",
                                        "optimiser.kind=lars"};

    (void)state;
    for (int i = 0; i < 4; i++)
        check_resume(&kinds[i], 1, 1);
}

static void test_resume_target(void **state)
{
    static const char *const overrides[] = {"target.enabled=true",     "target.momentum=0.8",   "target.keep=true",
                                            "terms.relic.target=true", "predictor.hidden=[16]", "predictor.output=8"};

    (void)state;
    check_resume(overrides, 6, 2);
}

static void test_resume_mlp_ntxent(void **state)
{
    static const char *const overrides[] = {"encoder={kind: mlp, widths: [32, 16]}", "terms={ntxent: {tau: 0.3}}",
                                            "training.clip=0.5", "training.epochs=3.1"};

    (void)state;
    check_resume(overrides, 4, 1);
}

static void test_resume_local(void **state)
{
    static const char *const overrides[] = {
        "views.local=3",       "views.local_size=4",       "target.enabled=true",
        "target.momentum=0.8", "terms.relic.target=true",  "predictor.hidden=[16]",
        "predictor.output=8",  "views.blur=[1, 0.1, 0.5]", "views.local_crop=[0.1, 0.4]"};

    (void)state;
    check_resume(overrides, 9, 2);
}

static void cut_file(const char *path, double part)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, (off_t)((double)status.st_size * part)), 0);
}

struct messages {
    int warnings;
    char last[1024];
};

static void keep_message(void *user, enum invar_log_level level, const char *message)
{
    struct messages *m = user;

    if (level != INVAR_LOG_WARNING)
        return;
    m->warnings++;
    snprintf(m->last, sizeof m->last, "%s", message);
}

/* The last checkpoint torn, then both, and then the encoder lost as well: always the same end. */
static void test_torn_checkpoint(void **state)
{
    struct invar_error err = {0};
    struct training t = {0};
    struct watch w = {.stop_at = 12};
    struct messages m = {0};

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_refused(training_run(&t, "torn", false, &w.stop, watch, &w, &err), &err, INVAR_ERROR_INTERRUPTED, "step 12");
    cut_file(test_path(t.folder, "torn/checkpoint-00000012.safetensors"), 0.7);
    invar_log_set_sink(keep_message, &m);
    w = (struct watch){.stop_at = 13};
    assert_refused(training_run(&t, "torn", true, &w.stop, watch, &w, &err), &err, INVAR_ERROR_INTERRUPTED, "step 13");
    assert_int_equal(w.records, 3);
    assert_int_equal(m.warnings, 1);
    assert_non_null(strstr(m.last, "checkpoint-00000012"));
    assert_false(invar_path_exists(test_path(t.folder, "torn/checkpoint-00000012.safetensors")));
    cut_file(test_path(t.folder, "torn/checkpoint-00000013.safetensors"), 0.01);
    cut_file(test_path(t.folder, "torn/checkpoint-00000010.safetensors"), 0);
    w = (struct watch){0};
    assert_ok(training_run(&t, "torn", true, NULL, watch, &w, &err), &err);
    assert_int_equal(w.records, 18);
    assert_int_equal(m.warnings, 3);
    training_assert_same(&t, "whole", "torn");
    assert_int_equal(unlink(test_path(t.folder, "torn/encoder.safetensors")), 0);
    assert_ok(training_run(&t, "torn", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "torn");
    invar_log_set_sink(NULL, NULL);
    training_close(&t);
}

/* ---- the folder ---- */

static void test_folder_rules(void **state)
{
    static const char other[] = "name: other\n";
    struct invar_error err = {0};
    struct training t = {0};
    struct watch w = {0};

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(invar_folder_create(test_path(t.folder, "empty"), &err), &err);
    assert_ok(training_run(&t, "empty", false, NULL, NULL, NULL, &err), &err);
    assert_refused(training_run(&t, "empty", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE, "is not empty");
    assert_ok(training_run(&t, "empty", true, NULL, watch, &w, &err), &err);
    assert_int_equal(w.records, 0);

    t.recipe->training.seed++;
    assert_refused(training_run(&t, "empty", true, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "\"  seed: 0\", here it would be \"  seed: 1\"");
    t.recipe->training.seed--;

    assert_ok(invar_folder_create(test_path(t.folder, "foreign"), &err), &err);
    test_file(t.folder, "foreign/notes.txt", "x", 1);
    assert_refused(training_run(&t, "foreign", true, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "is not the folder of a run");
    test_file(t.folder, "foreign/recipe.yaml", other, strlen(other));
    assert_refused(training_run(&t, "foreign", true, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE, "line 1 of its");
    assert_refused(training_run(&t, "tiny.yaml", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_FILE,
                   "cannot be used as a run folder");
    training_close(&t);
}

/* What a killed process may leave: a folder with half a recipe.yaml, then one with a recipe.yaml alone. */
static void test_resume_from_nothing(void **state)
{
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_trainer *trainer;

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_ok(invar_folder_create(test_path(t.folder, "half"), &err), &err);
    test_file(t.folder, "half/recipe.yaml.tmp-1", "x", 1);
    assert_refused(training_run(&t, "half", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE, "is not empty");
    trainer = training_start(&t, "half", true, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    invar_trainer_free(trainer);
    assert_false(invar_path_exists(test_path(t.folder, "half/recipe.yaml.tmp-1")));
    assert_ok(training_run(&t, "half", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "half");
    assert_ok(training_run(&t, "absent", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "absent");
    training_close(&t);
}

/* While one trainer has the folder another is refused, and changes nothing there. */
static void test_folder_is_held(void **state)
{
    struct invar_error err = {0};
    struct training t = {0};
    struct invar_trainer *trainer;

    (void)state;
    training_open(&t, NULL, 0);
    trainer = training_start(&t, "held", false, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    test_file(t.folder, "held/checkpoint-00000001.safetensors.tmp-1", "x", 1);
    assert_refused(training_run(&t, "held", true, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "another process is training in it");
    assert_true(invar_path_exists(test_path(t.folder, "held/checkpoint-00000001.safetensors.tmp-1")));
    invar_trainer_free(trainer);
    assert_ok(training_run(&t, "held", true, NULL, NULL, NULL, &err), &err);
    training_close(&t);
}

/* ---- what stops a run ---- */

static void test_not_a_number(void **state)
{
    static const char *const overrides[] = {"optimiser.kind=sgd", "optimiser.lr=1e30", "training.warmup=0",
                                            "training.checkpoint_interval=1"};
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, overrides, 4);
    assert_false(training_run(&t, "run", false, NULL, NULL, NULL, &err));
    assert_int_equal(err.code, INVAR_ERROR_NUMERIC);
    assert_non_null(strstr(err.message, "step "));
    assert_non_null(strstr(err.message, "not finite is "));
    assert_non_null(strstr(err.message, " of the encoder"));
    assert_non_null(strstr(err.message, "checkpoint"));
    assert_false(invar_path_exists(test_path(t.folder, "run/encoder.safetensors")));
    training_close(&t);
}

static void test_batch_too_large(void **state)
{
    static const char *const overrides[] = {"training.batch=201"};
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, overrides, 1);
    assert_refused(training_run(&t, "run", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "training.batch is 201, but idx:");
    assert_false(invar_path_exists(test_path(t.folder, "run")));
    training_close(&t);
}

static void test_collapse_warnings(void **state)
{
    static const char *const overrides[] = {"training.collapse_deviation=1000", "training.collapse_rank=1000"};
    struct invar_error err = {0};
    struct training t = {0};
    struct watch w = {.stop_at = 6};
    struct messages m = {0};

    (void)state;
    training_open(&t, overrides, 2);
    invar_log_set_sink(keep_message, &m);
    assert_refused(training_run(&t, "run", false, &w.stop, watch, &w, &err), &err, INVAR_ERROR_INTERRUPTED, "step 6");
    assert_int_equal(m.warnings, 2);
    assert_non_null(strstr(m.last, "step 1: the embeddings collapse: their effective rank"));
    assert_ok(training_run(&t, "run", true, NULL, NULL, NULL, &err), &err);
    assert_int_equal(m.warnings, 2);
    invar_log_set_sink(NULL, NULL);
    training_close(&t);
}

static void test_slow_target(void **state)
{
    static const char *const overrides[] = {"target.enabled=true", "terms.relic.target=true"};
    struct invar_error err = {0};
    struct training t = {0};
    struct messages m = {0};

    (void)state;
    training_open(&t, overrides, 2);
    invar_log_set_sink(keep_message, &m);
    invar_trainer_free(training_start(&t, "run", false, NULL, NULL, NULL, &err));
    assert_int_equal(m.warnings, 1);
    assert_non_null(strstr(m.last, "target.momentum 0.996 averages over 250 steps"));
    invar_log_set_sink(NULL, NULL);
    training_close(&t);
}

static int share_warnings(const char *terms, struct messages *m)
{
    const char *overrides[] = {terms};
    struct invar_error err = {0};
    struct training t = {0};

    *m = (struct messages){0};
    training_open(&t, overrides, 1);
    invar_log_set_sink(keep_message, m);
    invar_trainer_free(training_start(&t, "run", false, NULL, NULL, NULL, &err));
    invar_log_set_sink(NULL, NULL);
    training_close(&t);
    return m->warnings;
}

/* LogDet with VICReg's weight of the invariance collapses: said before the first step, with what to set. */
static void test_collapsing_share(void **state)
{
    struct messages m;

    (void)state;
    assert_int_equal(share_warnings("terms={entropy_invariance: {beta: 10, weight_invariance: 25}}", &m), 1);
    assert_non_null(strstr(m.last, "LogDet's share r is 0.4, and below 2"));
    assert_non_null(strstr(m.last, "raise beta or terms.entropy_invariance.weight_entropy, or lower "
                                   "terms.entropy_invariance.weight_invariance, here to 5 or less"));
    assert_int_equal(share_warnings("terms={invariance: {weight: 8}, logdet: {weight: -1, beta: 10}}", &m), 1);
    assert_non_null(strstr(m.last, "r is 1.25"));
    assert_non_null(strstr(m.last, "terms.logdet.weight, or lower terms.invariance.weight, here to 5 or less"));
    assert_int_equal(share_warnings("terms={invariance: {weight: 5}, logdet: {weight: -1, beta: 10}}", &m), 0);
    assert_int_equal(share_warnings("terms={entropy_invariance: {beta: 10}}", &m), 0);
    assert_int_equal(share_warnings("terms={vicreg: {}}", &m), 0);
}

/* A run from another's encoder starts with its weights; a file of another net is refused and no folder is made. */
static void test_init(void **state)
{
    struct invar_error err = {0};
    struct training t = {0};

    (void)state;
    training_open(&t, NULL, 0);
    assert_ok(training_run(&t, "first", false, NULL, NULL, NULL, &err), &err);
    snprintf(t.recipe->init, sizeof t.recipe->init, "%s", test_path(t.folder, "first/encoder.safetensors"));
    t.recipe->rate.lr = 0;
    assert_ok(training_run(&t, "second", false, NULL, NULL, NULL, &err), &err);
    struct invar_encoder *a = invar_encoder_read(test_path(t.folder, "first/encoder.safetensors"), &err);
    struct invar_encoder *b = invar_encoder_read(test_path(t.folder, "second/encoder.safetensors"), &err);
    assert_true(a && b);
    assert_memory_equal(a->parameters, b->parameters, (size_t)a->net->trained_count * sizeof(float));
    invar_encoder_free(a);
    invar_encoder_free(b);
    snprintf(t.recipe->init, sizeof t.recipe->init, "%s", test_path(t.folder, "first/checkpoint-00000018.safetensors"));
    assert_refused(training_run(&t, "third", false, NULL, NULL, NULL, &err), &err, INVAR_ERROR_FORMAT, "has no array");
    assert_false(invar_path_exists(test_path(t.folder, "third")));
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_projector),
        cmocka_unit_test(test_projector_of_a_finished_run),
        cmocka_unit_test(test_no_projector),
        cmocka_unit_test(test_present),
        cmocka_unit_test(test_resume_optimisers),
        cmocka_unit_test(test_resume_target),
        cmocka_unit_test(test_resume_mlp_ntxent),
        cmocka_unit_test(test_resume_local),
        cmocka_unit_test(test_torn_checkpoint),
        cmocka_unit_test(test_folder_rules),
        cmocka_unit_test(test_resume_from_nothing),
        cmocka_unit_test(test_folder_is_held),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_batch_too_large),
        cmocka_unit_test(test_collapse_warnings),
        cmocka_unit_test(test_slow_target),
        cmocka_unit_test(test_collapsing_share),
        cmocka_unit_test(test_init),
    };
    const struct CMUnitTest half[] = {cmocka_unit_test(test_learns),
                                      cmocka_unit_test(test_present),
                                      cmocka_unit_test(test_resume_optimisers),
                                      cmocka_unit_test(test_resume_target),
                                      cmocka_unit_test(test_resume_mlp_ntxent),
                                      cmocka_unit_test(test_resume_local)};
    const int failed = cmocka_run_group_tests_name("in float32", tests, NULL, NULL);

    return failed + (training_use_bfloat16() ? cmocka_run_group_tests_name("in bfloat16", half, NULL, NULL) : 0);
}
