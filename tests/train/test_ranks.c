/* SPDX-License-Identifier: Apache-2.0 */
/* What ranks do together, on ranks that are threads; and when they are refused, or end. */
#include "ranks_threads.h"
#include "training.h"
#include "train/trainer.h"

#define RANKS 3
#define COUNT ((1 << 22) + 5) /* more than passes at once */

static struct training training;
static struct crowd crowd;
static struct invar_error errors[CROWD_MOST];
static bool results[CROWD_MOST];
static int order[CROWD_MOST];

static void run_on(int count, void (*body)(struct invar_ranks *, void *))
{
    void *users[CROWD_MOST];

    memset(errors, 0, sizeof errors);
    for (int k = 0; k < CROWD_MOST; k++) {
        order[k] = k;
        users[k] = &order[k];
    }
    crowd_run(&crowd, count, body, users);
}

/* ---- moving and adding ---- */

static float number(int rank, int64_t i)
{
    return (float)((rank + 1) * 0.1) + (float)(i % 1000) * 1e-3f;
}

/* Threads must not fail a test themselves. */
static void move(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;
    struct invar_device *device = test_device_open(1, &errors[k]);
    float *x = invar_device_alloc(device, COUNT, sizeof *x, &errors[k]), *host = malloc(COUNT * sizeof *host);
    int64_t own[2] = {10 * k, 10 * k + 1}, all[2 * RANKS] = {0}, in_place[2 * RANKS] = {10 * k, 10 * k + 1};
    double sum = k + 0.5;
    bool ok = invar_ranks_count(r) == RANKS && invar_ranks_rank(r) == k && invar_ranks_leads(r) == (k == 0);

    for (int64_t i = 0; i < COUNT; i++)
        host[i] = number(k, i);
    invar_device_upload(device, x, host, COUNT * sizeof *host);
    ok = ok && invar_ranks_gather(r, own, sizeof own, all, &errors[k]) &&
         invar_ranks_gather(r, in_place, sizeof own, in_place, &errors[k]) &&
         invar_ranks_sum(r, device, x, COUNT, &errors[k]) && invar_ranks_sum_double(r, &sum, &errors[k]);
    for (int i = 0; i < 2 * RANKS; i++)
        ok = ok && all[i] == 10 * (i / 2) + i % 2 && in_place[i] == all[i];
    invar_device_download(device, host, x, COUNT * sizeof *host);
    for (int64_t i = 0; i < COUNT; i++)
        ok = ok && host[i] == (float)((double)number(0, i) + (double)number(1, i) + (double)number(2, i));
    host[7] = (float)k;
    invar_device_upload(device, x, host, COUNT * sizeof *host);
    ok = ok && invar_ranks_broadcast_device(r, device, x, COUNT, &errors[k]);
    invar_device_download(device, host, x, COUNT * sizeof *host);
    results[k] = ok && host[7] == 0 && sum == 4.5;
    free(host);
    invar_device_free(device, x);
    invar_device_close(device);
}

static void numbers_meet_in_the_order_of_ranks(void **state)
{
    (void)state;
    run_on(RANKS, move);
    for (int k = 0; k < RANKS; k++)
        if (!results[k])
            fail_msg("rank %d: %s", k, errors[k].message);
}

static void alone_there_is_nothing_to_do(void **state)
{
    struct invar_error err = {0};
    struct invar_ranks *ranks;
    double sum = 3;
    int rank;

    (void)state;
    unsetenv("OMPI_COMM_WORLD_SIZE");
    assert_int_equal(invar_ranks_launched(&rank), 1);
    assert_ok(invar_ranks_open(&ranks, 1, &err), &err);
    assert_null(ranks);
    assert_int_equal(invar_ranks_count(NULL), 1);
    assert_int_equal(invar_ranks_rank(NULL), 0);
    assert_true(invar_ranks_leads(NULL) && !invar_ranks_failed(NULL));
    assert_ok(invar_ranks_sum_double(NULL, &sum, &err), &err);
    assert_true(sum == 3);
    assert_ok(invar_ranks_agree(NULL, true, &err), &err);
    assert_false(invar_ranks_agree(NULL, false, &err));
    assert_null(invar_ranks_plan(NULL));
    invar_ranks_close(NULL);
}

/* Open MPI, MPICH and srun; of a launcher that says nonsense nothing is believed. */
static void launchers_are_known_by_their_environment(void **state)
{
    static const char *const names[][2] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                                           {"PMI_SIZE", "PMI_RANK"},
                                           {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};
    int rank;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        setenv(names[i][0], "4", 1);
        setenv(names[i][1], "3", 1);
        assert_int_equal(invar_ranks_launched(&rank), 4);
        assert_int_equal(rank, 3);
        setenv(names[i][1], "4", 1);
        assert_int_equal(invar_ranks_launched(&rank), 1);
        setenv(names[i][0], "1", 1);
        setenv(names[i][1], "0", 1);
        assert_int_equal(invar_ranks_launched(&rank), 1);
        unsetenv(names[i][0]);
        unsetenv(names[i][1]);
    }
}

/* ---- agreement ---- */

static void agree(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;
    struct invar_error none = {0}, all = {0};
    const bool well = invar_ranks_agree(r, true, &none) && none.code == INVAR_OK;

    if (k > 0)
        invar_error_set(&errors[k], INVAR_ERROR_FILE, "x%d.png: is not there", k);
    results[k] = well && !invar_ranks_agree(r, k == 0, &errors[k]) && !invar_ranks_failed(r);
    invar_error_set(&all, INVAR_ERROR_NUMERIC, "the loss is not finite");
    results[k] = results[k] && !invar_ranks_agree(r, false, &all) &&
                 strcmp(all.message, "the loss is not finite") == 0 && all.code == INVAR_ERROR_NUMERIC;
}

static void all_say_what_the_first_has_to_say(void **state)
{
    (void)state;
    run_on(RANKS, agree);
    for (int k = 0; k < RANKS; k++) {
        assert_true(results[k]);
        assert_string_equal(errors[k].message, "process 2 of 3: x1.png: is not there");
        assert_int_equal(errors[k].code, INVAR_ERROR_FILE);
    }
}

/* After that nobody is asked any more, or this would wait for ever. */
static void break_off(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;
    struct invar_error why = {0};
    double sum = 1;

    invar_error_set(&why, INVAR_ERROR_MEMORY, "no memory");
    if (k == 0)
        return;
    results[k] = !invar_ranks_fail(r, &why) && invar_ranks_failed(r) && !invar_ranks_agree(r, true, &errors[k]) &&
                 !invar_ranks_sum_double(r, &sum, NULL);
}

static void who_failed_by_itself_asks_nobody(void **state)
{
    (void)state;
    run_on(2, break_off);
    assert_true(results[1]);
    assert_string_equal(errors[1].message, "no memory");
}

/* ---- trainers ---- */

static const char *steps = "training.steps=12", *logged = "training.log_interval=2",
                  *measured = "training.measure_interval=4";
static const char *change[CROWD_MOST]; /* what rank k has beside tiny.yaml */
static int threads[CROWD_MOST];
static char recipe_file[1024], folders[2][1024], *folder_of_rank0;
static bool resuming;
static bool (*report)(void *, const struct invar_record *, struct invar_error *);

static void train(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;
    const char *settings[] = {NULL, training_precision, steps, logged, measured, change[k]};
    char source[600];
    struct invar_trainer_options options = {
        .ranks = r, .folder = folder_of_rank0, .resume = resuming, .report = report, .user = user};

    snprintf(source, sizeof source, "data.source=%s", training.recipe->data.source);
    settings[0] = source;
    struct invar_recipe *recipe = invar_recipe_load(recipe_file, settings, change[k] ? 6 : 5, &errors[k]);
    struct invar_dataset *dataset = recipe ? invar_dataset_open(&recipe->data, &errors[k]) : NULL;
    struct invar_device *device = dataset ? test_device_open(threads[k] ? threads[k] : 1, &errors[k]) : NULL;
    struct invar_trainer *t = device ? invar_trainer_create(recipe, dataset, device, &options, &errors[k]) : NULL;

    results[k] = t && invar_trainer_run(t, &errors[k]);
    invar_trainer_free(t);
    invar_device_close(device);
    invar_dataset_close(dataset);
    invar_recipe_free(recipe);
}

static void all_are_refused(int count, const char *sentence)
{
    run_on(count, train);
    for (int k = 0; k < count; k++) {
        assert_false(results[k]);
        if (!strstr(errors[k].message, sentence))
            fail_msg("rank %d says \"%s\", expected \"%s\"", k, errors[k].message, sentence);
    }
    memset(change, 0, sizeof change);
    memset(threads, 0, sizeof threads);
}

static void ranks_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    folder_of_rank0 = NULL;
    resuming = false;
    report = NULL;
    all_are_refused(3, "training.batch is 32, which 3 processes cannot share evenly");
    change[1] = "optimiser.lr=2e-3";
    all_are_refused(2, "process 2 has another recipe than process 1");
    threads[1] = 2;
    all_are_refused(2, "process 2 has 2 threads, process 1 has 1");
}

static bool stop_second(void *user, const struct invar_record *record, struct invar_error *err)
{
    return *(const int *)user != 1 || record->step < 7 ||
           invar_error_set(err, INVAR_ERROR_INTERRUPTED, "the test ends the run");
}

/* The same number of ranks: the same files. The one that is interrupted is not the one that writes. */
static void a_run_of_ranks_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    resuming = false;
    report = NULL;
    snprintf(folders[0], sizeof folders[0], "%s/whole", training.folder);
    snprintf(folders[1], sizeof folders[1], "%s/parts", training.folder);
    folder_of_rank0 = folders[0];
    run_on(2, train);
    for (int k = 0; k < 2; k++)
        if (!results[k])
            fail_msg("rank %d: %s", k, errors[k].message);
    folder_of_rank0 = folders[1];
    report = stop_second;
    run_on(2, train);
    for (int k = 0; k < 2; k++) {
        assert_false(results[k]);
        assert_int_equal(errors[k].code, INVAR_ERROR_INTERRUPTED);
        assert_non_null(strstr(errors[k].message, "interrupted after step 7 of 12; saved in"));
    }
    report = NULL;
    resuming = true;
    run_on(2, train);
    assert_true(results[0] && results[1]);
    training_assert_same(&training, "whole", "parts");
}

/* ---- what travels ---- */

/* Bytes and calls of a plain step, which is neither logged nor the end of an epoch, of rank 0 in a crowd. */
static void count_step(int count, int64_t *bytes, int64_t *calls)
{
    static const char *const lengths[] = {"training.steps=5", "training.steps=4"};

    logged = "training.log_interval=100";
    measured = "training.measure_interval=100";
    for (int i = 0; i < 2; i++) {
        steps = lengths[i];
        run_on(count, train);
        for (int k = 0; k < count; k++)
            if (!results[k])
                fail_msg("rank %d: %s", k, errors[k].message);
        *bytes = i ? *bytes - crowd.bytes : crowd.bytes;
        *calls = i ? *calls - crowd.calls : crowd.calls;
    }
}

/* As docs/ranks.md has it, and nothing else but three agreements of four bytes: batch norms, in strides of 16 channels;
 * z of two views; gradients of encoder and projector, padded to as many for each. */
static void a_step_sends_what_the_document_says(void **state)
{
    struct invar_error err = {0};
    struct invar_trainer *t = training_start(&training, "counted", false, NULL, NULL, NULL, &err);

    (void)state;
    assert_ok(t, &err);
    folder_of_rank0 = NULL;
    resuming = false;
    report = NULL;
    for (int ranks = 2; ranks <= 4; ranks += 2) {
        const int64_t others = ranks - 1;
        int64_t bytes = 0, calls = 0, expected = 3 * 4 * others, expected_calls = 3 + 2, norms = 0;
        for (int i = 0; i < INVAR_NET_COUNT; i++) {
            const struct invar_net *net = t->chain.nets[i].net;
            const int64_t part = net ? (net->trained_count + ranks - 1) / ranks : 0;
            for (int k = 0; net && k < net->layer_count; k++)
                if (net->layers[k].kind == INVAR_LAYER_BATCHNORM) {
                    norms += (net->layers[k].shape.channels + 15) / 16 * 16;
                    expected_calls += 2;
                }
            expected += 2 * part * 4 * others;
            expected_calls += net ? 2 : 0;
        }
        expected += 2 * 16 * 2 * norms * others + 2 * (32 / ranks) * 8 * 4 * others;
        count_step(ranks, &bytes, &calls);
        assert_int_equal(bytes, expected);
        assert_int_equal(calls, expected_calls);
    }
    invar_trainer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_meet_in_the_order_of_ranks),
                                       cmocka_unit_test(alone_there_is_nothing_to_do),
                                       cmocka_unit_test(launchers_are_known_by_their_environment),
                                       cmocka_unit_test(all_say_what_the_first_has_to_say),
                                       cmocka_unit_test(who_failed_by_itself_asks_nobody),
                                       cmocka_unit_test(ranks_that_do_not_fit_are_refused),
                                       cmocka_unit_test(a_run_of_ranks_goes_on_to_the_same_bits),
                                       cmocka_unit_test(a_step_sends_what_the_document_says)};

    training_open(&training, NULL, 0);
    snprintf(recipe_file, sizeof recipe_file, "%s/tiny.yaml", training.folder);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    training_close(&training);
    return failed;
}
