/* SPDX-License-Identifier: Apache-2.0 */
/* After its first step a run allocates nothing. */
#include "count_allocations.h"
#include "training.h"

/* Over epochs' ends and measurements. */
static void check_steps(const char *const *overrides, int count)
{
    struct invar_error err = {0};
    struct invar_record record;
    struct training t = {.threads = 2};
    struct invar_trainer *trainer;

    training_open(&t, overrides, count);
    trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    for (int64_t step = 1; step < invar_trainer_steps_total(trainer); step++) {
        long own_before = allocations_own, live_before = allocations_live;
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
        if (allocations_own != own_before)
            fail_msg("step %lld allocated %ld times, the last time in %s", (long long)step + 1,
                     allocations_own - own_before, allocations_by);
        if (allocations_live > live_before)
            fail_msg("step %lld kept %ld blocks", (long long)step + 1, allocations_live - live_before);
    }
    invar_trainer_free(trainer);
    training_close(&t);
}

static void test_counter(void **state)
{
    long own_before = allocations_own, live_before = allocations_live;
    void *volatile memory = malloc(10);

    (void)state;
    assert_int_equal(allocations_own - own_before, COUNTS_ALLOCATIONS);
    assert_int_equal(allocations_live - live_before, COUNTS_ALLOCATIONS);
    free(memory);
    assert_int_equal(allocations_live, live_before);
}

static void test_convolutional(void **state)
{
    static const char *const overrides[] = {"training.epochs=1.4"};

    (void)state;
    check_steps(overrides, 1);
}

static void test_target(void **state)
{
    static const char *const overrides[] = {"encoder={kind: mlp, widths: [32, 16]}",
                                            "target.enabled=true",
                                            "target.momentum=0.8",
                                            "terms.relic.target=true",
                                            "predictor.hidden=[16]",
                                            "predictor.output=8",
                                            "training.clip=0.1",
                                            "optimiser.kind=lars",
                                            "training.epochs=1.4"};

    (void)state;
    check_steps(overrides, 9);
}

static void test_local(void **state)
{
    static const char *const overrides[] = {"views.local=3", "views.local_size=4", "training.epochs=1.4",
                                            "terms={relic: {invariance: euclidean}, vicreg: {}}"};

    (void)state;
    check_steps(overrides, 4);
}

/* every other term at once; batch 32 above and below the width of the embeddings */
static void test_terms(void **state)
{
    static const char *const widths[][2] = {{"projector.output=8", "predictor.output=8"},
                                            {"projector.output=48", "predictor.output=48"}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const overrides[] = {
            "encoder={kind: mlp, widths: [32, 16]}",
            "target.enabled=true",
            "target.momentum=0.8",
            "terms={byol: {}, barlow: {}, vicreg: {}, entropy_invariance: {normalise: true}, ntxent: {}, "
            "logdet: {weight: -1}, pairdist: {weight: -1}}",
            "predictor.hidden=[16]",
            widths[i][0],
            widths[i][1],
            "training.epochs=1.4",
        };
        check_steps(overrides, 8);
    }
}

/* batches differ in their number of groups */
static void test_groups(void **state)
{
    static const char *const overrides[] = {"encoder={kind: mlp, widths: [32, 16]}", "terms.relic.groups=true",
                                            "data.group=session", "training.epochs=3", "training.batch=8"};

    (void)state;
    check_steps(overrides, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter), cmocka_unit_test(test_convolutional), cmocka_unit_test(test_target),
        cmocka_unit_test(test_terms),   cmocka_unit_test(test_groups),        cmocka_unit_test(test_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
