/* SPDX-License-Identifier: Apache-2.0 */
/* A term that keeps something from step to step, and draws: what is kept is part of a checkpoint, what is drawn is a
   function of seed and step. */
#include "training.h"

#include "invar/expert/dense.h"

/* The mean squared distance of view 1 from that of the batch before, times what is drawn, 0.5 to 1.5. */
static unsigned roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    (void)options;
    return in->views >= 1 || invar_error_set(err, INVAR_ERROR_USAGE, "drift needs a view");
}

static int64_t state_size(const void *options, const struct invar_embeddings *shapes)
{
    const struct invar_matrix *z = &shapes->by[INVAR_ROLE_Z][0];

    (void)options;
    return z->rows * z->cols;
}

static void state_init(const void *options, const struct invar_embeddings *shapes, float *state)
{
    for (int64_t i = 0; i < state_size(options, shapes); i++)
        state[i] = 0.5f;
}

static bool evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_matrix *z = &call->in->by[INVAR_ROLE_Z][0];
    const struct invar_matrix before = {INVAR_FLOAT32, z->rows, z->cols, call->state};
    struct invar_random random = invar_random_stream(call->key.seed, INVAR_RANDOM_TERM, 0, call->key.step, 0);
    const double share = (0.5 + (double)invar_random_uniform(&random)) / (double)(z->rows * z->cols);

    (void)err;
    invar_dense_distance(call->device, z, &before, 2 * call->weight * share,
                         call->gradient ? &call->gradient->by[INVAR_ROLE_Z][0] : NULL, NULL, share,
                         invar_term_part(call->sum, NULL, 1));
    invar_dense_copy(call->device, z, &before);
    return true;
}

static const struct invar_option table[] = {{0}};
static const struct invar_term_spec drift = {.name = "drift",
                                             .help = "away from the batch before",
                                             .options = table,
                                             .options_size = 1,
                                             .roles = roles,
                                             .check = check,
                                             .evaluate = evaluate,
                                             .state_size = state_size,
                                             .state_init = state_init};

static const char *const with_drift[] = {"terms={relic: {tau: 0.2}, drift: {weight: 0.5}}"};

static volatile sig_atomic_t stop;

static void stop_at_seven(void *user, const struct invar_record *record)
{
    (void)user;
    stop = record->step == 7;
}

static void resume(const char *const *overrides, int count)
{
    struct invar_error err = {0};
    struct training t = {0};

    stop = 0;
    training_open(&t, overrides, count);
    assert_ok(training_run(&t, "whole", false, NULL, NULL, NULL, &err), &err);
    assert_false(training_run(&t, "parts", false, &stop, stop_at_seven, NULL, &err));
    invar_error_clear(&err);
    assert_ok(training_run(&t, "parts", true, NULL, NULL, NULL, &err), &err);
    training_assert_same(&t, "whole", "parts");
    training_close(&t);
}

static void state_resumes_bit_for_bit(void **state)
{
    (void)state;
    resume(with_drift, 1);
}

/* Queues that are not full and that have gone round, running moments, a centre, slices drawn by step. */
static void terms_that_keep_something_resume_as_runs(void **state)
{
    static const char predictor[] = "predictor={hidden: [16], output: 8}", shorter[] = "training.epochs=2",
                      target[] = "target={enabled: true, momentum: 0.9}";
    static const char *const runs[][4] = {{"terms={moco: {queue: 48}}", shorter, predictor, target},
                                          {"terms={nnclr: {queue: 512}}", shorter, predictor},
                                          {"terms={corinfomax: {lambda_r: 0.5}}", shorter},
                                          {"terms={tico: {}}", shorter, predictor, target},
                                          {"terms={dino: {}}", shorter, target},
                                          {"terms={swav: {}}", shorter},
                                          {"terms={sigreg: {slices: 16}}", shorter},
                                          {"terms={wmse: {sub_batch: 16}}", shorter}};

    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        resume(runs[i], runs[i][3] ? 4 : runs[i][2] ? 3 : 2);
}

/* value of two steps on the same numbers from the beginning */
static void two_values(struct invar_device *device, const struct invar_objective *objective,
                       const struct invar_embeddings *in, uint64_t seed, double *values)
{
    struct invar_error err = {0};
    struct invar_evaluator *evaluator = invar_evaluator_create(objective, device, in, &err);
    struct invar_scratch *scratch = invar_device_scratch_create(device, &err);
    struct invar_ledger ledger;

    assert_ok(evaluator && invar_ledger_take(device, scratch, invar_evaluator_slots(evaluator), &ledger, &err), &err);
    for (uint64_t step = 0; step < 2; step++) {
        invar_ledger_clear(&ledger);
        assert_ok(invar_evaluator_run(evaluator, &ledger, in, NULL, NULL, (struct invar_term_key){seed, step}, &err),
                  &err);
        invar_device_read(&ledger);
        assert_ok(invar_evaluator_settle(evaluator, &values[step], NULL, &err), &err);
    }
    invar_scratch_free(scratch);
    invar_evaluator_free(evaluator);
}

static void state_and_key_are_what_a_term_sees(void **state)
{
    static const char text[] = "drift: {}\n";
    struct invar_error err = {0};
    struct invar_node *node = invar_node_parse(text, sizeof text - 1, "test", &err);
    struct invar_objective *objective = invar_objective_create(node, &err);
    struct invar_device *device = test_device_open(1, &err);
    struct invar_embeddings in = {.views = 1};
    double first[2], same[2], other[2];

    (void)state;
    in.by[INVAR_ROLE_Z][0] = (struct invar_matrix){INVAR_FLOAT32, 4, 3, invar_device_alloc(device, 12, 4, &err)};
    two_values(device, objective, &in, 1, first);
    two_values(device, objective, &in, 1, same);
    two_values(device, objective, &in, 2, other);
    assert_true(first[0] >= 0.125 && first[0] < 0.375); /* 0.25 from state_init, times what is drawn */
    assert_true(first[1] == 0);                         /* the batch before was the same */
    assert_true(same[0] == first[0] && other[0] != first[0]);
    invar_device_free(device, in.by[INVAR_ROLE_Z][0].data);
    invar_device_close(device);
    invar_objective_free(objective);
    invar_node_free(node);
}

static int add_term(void **state)
{
    (void)state;
    return invar_term_add(&drift, NULL) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_resumes_bit_for_bit),
        cmocka_unit_test(terms_that_keep_something_resume_as_runs),
        cmocka_unit_test(state_and_key_are_what_a_term_sees),
    };
    return cmocka_run_group_tests(tests, add_term, NULL);
}
