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
    bool ok = invar_ranks_count(r) == RANKS && invar_ranks_rank(r) == k && ranks_leads(r) == (k == 0);

    for (int64_t i = 0; i < COUNT; i++)
        host[i] = number(k, i);
    invar_device_upload(device, x, host, COUNT * sizeof *host);
    ok = ok && ranks_gather(r, own, sizeof own, all, &errors[k]) &&
         ranks_gather(r, in_place, sizeof own, in_place, &errors[k]) && ranks_sum_double(r, &sum, &errors[k]);
    ranks_sum_begin(r, device, x, COUNT / 2, true);
    ranks_sum_begin(r, device, x + COUNT / 2, COUNT - COUNT / 2, true);
    ok = ok && ranks_sum_end(r, &errors[k]);
    for (int i = 0; i < 2 * RANKS; i++)
        ok = ok && all[i] == 10 * (i / 2) + i % 2 && in_place[i] == all[i];
    invar_device_download(device, host, x, COUNT * sizeof *host);
    for (int64_t i = 0; i < COUNT; i++)
        ok = ok && host[i] == (float)((double)number(0, i) + (double)number(1, i) + (double)number(2, i));
    host[7] = (float)k;
    invar_device_upload(device, x, host, COUNT * sizeof *host);
    ok = ok && ranks_broadcast_device(r, device, x, COUNT, &errors[k]);
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
    assert_int_equal(ranks_launched(&rank), 1);
    assert_ok(invar_ranks_open(&ranks, 1, &err), &err);
    assert_null(ranks);
    assert_int_equal(invar_ranks_count(NULL), 1);
    assert_int_equal(invar_ranks_rank(NULL), 0);
    assert_true(ranks_leads(NULL) && !ranks_failed(NULL));
    assert_ok(ranks_sum_double(NULL, &sum, &err) && ranks_sum_end(NULL, &err), &err);
    assert_true(sum == 3);
    assert_ok(ranks_agree(NULL, true, &err), &err);
    assert_false(ranks_agree(NULL, false, &err));
    assert_null(ranks_plan(NULL, true));
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
        assert_int_equal(ranks_launched(&rank), 4);
        assert_int_equal(rank, 3);
        setenv(names[i][1], "4", 1);
        assert_int_equal(ranks_launched(&rank), 1);
        setenv(names[i][0], "1", 1);
        setenv(names[i][1], "0", 1);
        assert_int_equal(ranks_launched(&rank), 1);
        unsetenv(names[i][0]);
        unsetenv(names[i][1]);
    }
}

/* ---- agreement ---- */

static void agree(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;
    struct invar_error none = {0}, all = {0};
    const bool well = ranks_agree(r, true, &none) && none.code == INVAR_OK;

    if (k > 0)
        invar_error_set(&errors[k], INVAR_ERROR_FILE, "x%d.png: is not there", k);
    results[k] = well && !ranks_agree(r, k == 0, &errors[k]) && !ranks_failed(r);
    invar_error_set(&all, INVAR_ERROR_NUMERIC, "the loss is not finite");
    results[k] = results[k] && !ranks_agree(r, false, &all) && strcmp(all.message, "the loss is not finite") == 0 &&
                 all.code == INVAR_ERROR_NUMERIC;
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
    results[k] = !ranks_fail(r, &why) && ranks_failed(r) && !ranks_agree(r, true, &errors[k]) &&
                 !ranks_sum_double(r, &sum, NULL);
}

static void who_failed_by_itself_asks_nobody(void **state)
{
    (void)state;
    run_on(2, break_off);
    assert_true(results[1]);
    assert_string_equal(errors[1].message, "no memory");
}

/* ---- sums beside a backward pass ---- */

#define WIDE 1024 /* more parameters behind the norm than go at once */

static struct invar_net *wide_net(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){.rank = 1, .channels = WIDE}, err);
    const int first = net ? invar_net_linear(net, 0, "first", WIDE, false, err) : -1;
    const int norm = first < 0 ? -1 : invar_net_batchnorm(net, first, "norm", err);

    if (norm >= 0 && invar_net_linear(net, norm, "last", WIDE + WIDE / 4, false, err) >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}

/* What is behind the norm is summed before the norm's own backward pass asks the others; and all of it is the sum. */
static void sum_beside(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;
    struct invar_error *err = &errors[k];
    struct invar_device *device = test_device_open(1, err);
    struct invar_net *net = wide_net(err);
    struct invar_weights *w = net ? invar_weights_create(device, net, true, err) : NULL;
    const struct invar_plan_options options = {
        .batch = 2, .groups = 1, .mode = INVAR_PLAN_TRAINING, .ranks = ranks_plan(r, true)};
    struct invar_plan *plan = w ? invar_plan_create(w, &options, err) : NULL;
    const int64_t count = net ? net->trained_count : 0;
    float *host = calloc((size_t)count + 4 * WIDE, sizeof *host), *x = host + count;
    float *input = invar_device_alloc(device, 4 * WIDE, sizeof *input, err), first = 0, last = 0;

    invar_net_initialise(net, 1, 1, host, x);
    invar_device_upload(device, w->parameters, host, (size_t)count * sizeof *host);
    for (int i = 0; i < 4 * WIDE; i++)
        x[i] = (float)((i * 37 + k * 11) % 100) * 0.01f;
    invar_device_upload(device, input, x, 4 * WIDE * sizeof *x);
    bool ok = plan && invar_plan_forward(plan, input, err);
    ranks_sum_begin(r, device, w->gradients, count, false);
    ok = ok && invar_plan_backward(plan, input, err);
    results[k] = ok && ranks_sum_end(r, err);
    const int64_t summed = crowd.beside_before[INVAR_RANKS_STEP];
    results[k] = results[k] && (k > 0 || summed >= 2);
    invar_device_download(device, host, w->gradients, (size_t)count * sizeof *host);
    ok = ok && invar_plan_forward(plan, input, err) && invar_plan_backward(plan, input, err);
    for (int i = 0; i < 2; i++) { /* an element of each end, by itself and summed */
        double sum = 0;
        invar_device_download(device, &first, w->gradients + (i ? count - 1 : 0), sizeof first);
        sum = (double)first;
        ok = ok && ranks_sum_double(r, &sum, err);
        last = host[i ? count - 1 : 0];
        results[k] = results[k] && ok && last != 0 && last == (float)sum;
    }
    free(host);
    invar_device_free(device, input);
    invar_plan_free(plan);
    invar_weights_free(w);
    invar_net_free(net);
    invar_device_close(device);
}

static void sums_are_made_while_the_backward_pass_goes_on(void **state)
{
    (void)state;
    run_on(2, sum_beside);
    for (int k = 0; k < 2; k++)
        if (!results[k])
            fail_msg("rank %d: %s; %lld calls before the norm's", k, errors[k].message,
                     (long long)crowd.beside_before[INVAR_RANKS_STEP]);
}

/* ---- trainers ---- */

static const char *steps = "training.steps=12", *logged = "training.log_interval=2",
                  *measured = "training.measure_interval=4", *norms = "training.sync_norm=true";
static const char *change[CROWD_MOST]; /* what rank k has beside tiny.yaml */
static int threads[CROWD_MOST];
static char recipe_file[1024], folders[2][1024], *folder_of_rank0;
static bool resuming;
static bool (*report)(void *, const struct invar_record *, struct invar_error *);

static void train(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;
    const char *settings[] = {NULL, training_precision, steps, logged, measured, norms, change[k]};
    char source[600];
    struct invar_trainer_options options = {
        .ranks = r, .folder = folder_of_rank0, .resume = resuming, .report = report, .user = user};

    snprintf(source, sizeof source, "data.source=%s", training.recipe->data.source);
    settings[0] = source;
    struct invar_recipe *recipe = invar_recipe_load(recipe_file, settings, change[k] ? 7 : 6, &errors[k]);
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
static void goes_on(const char *whole, const char *parts)
{
    resuming = false;
    report = NULL;
    snprintf(folders[0], sizeof folders[0], "%s/%s", training.folder, whole);
    snprintf(folders[1], sizeof folders[1], "%s/%s", training.folder, parts);
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
    training_assert_same(&training, whole, parts);
}

static void a_run_of_ranks_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    goes_on("whole", "parts");
}

/* Norms of their own rows: running statistics are those of the first, and others than those of common norms. */
static void ranks_may_keep_norms_to_themselves(void **state)
{
    char common[1100], own[1100];
    struct invar_error err = {0};
    struct invar_safetensors *a = NULL, *b = NULL;

    (void)state;
    norms = "training.sync_norm=false";
    goes_on("whole-apart", "parts-apart");
    norms = "training.sync_norm=true";
    snprintf(common, sizeof common, "%s/whole/encoder.safetensors", training.folder);
    snprintf(own, sizeof own, "%s/whole-apart/encoder.safetensors", training.folder);
    assert_ok(invar_safetensors_read(&a, common, &err) && invar_safetensors_read(&b, own, &err), &err);
    int found = 0;
    for (int i = 0; i < invar_safetensors_count(a); i++) {
        const char *name = invar_safetensors_name(a, i);
        const struct invar_array *x = invar_safetensors_get(a, name), *y = invar_safetensors_get(b, name);
        if (!strstr(name, "running_mean"))
            continue;
        found++;
        assert_memory_not_equal(x->data, y->data, (size_t)x->shape[0] * sizeof(float));
    }
    assert_true(found > 0);
    invar_safetensors_free(a);
    invar_safetensors_free(b);
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
        *bytes = i ? *bytes - crowd.traffic.bytes : crowd.traffic.bytes;
        *calls = i ? *calls - crowd.traffic.messages : crowd.traffic.messages;
    }
}

/* As docs/ranks.md has it, and nothing else but three agreements of four bytes: batch norms, in strides of 16 channels,
 * unless each has its own; z of two views; gradients of encoder and projector, padded to as many for each. */
static void check_step(const struct invar_trainer *t, int ranks, bool common)
{
    const int64_t others = ranks - 1;
    int64_t bytes = 0, calls = 0, expected = 3 * 4 * others, expected_calls = 3 + 2, channels = 0;

    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        const struct invar_net *net = t->chain.nets[i].net;
        const int64_t part = net ? (net->trained_count + ranks - 1) / ranks : 0;
        for (int k = 0; net && k < net->layer_count && common; k++)
            if (net->layers[k].kind == INVAR_LAYER_BATCHNORM) {
                channels += (net->layers[k].shape.channels + 15) / 16 * 16;
                expected_calls += 2;
            }
        expected += 2 * part * 4 * others;
        expected_calls += net ? 2 : 0;
    }
    expected += 2 * 16 * 2 * channels * others + 2 * (32 / ranks) * 8 * 4 * others;
    norms = common ? "training.sync_norm=true" : "training.sync_norm=false";
    count_step(ranks, &bytes, &calls);
    assert_int_equal(bytes, expected);
    assert_int_equal(calls, expected_calls);
    assert_true(crowd.traffic.seconds > 0 && isfinite(crowd.traffic.seconds));
}

static void a_step_sends_what_the_document_says(void **state)
{
    struct invar_error err = {0};
    struct invar_trainer *t = training_start(&training, "counted", false, NULL, NULL, NULL, &err);

    (void)state;
    assert_ok(t, &err);
    folder_of_rank0 = NULL;
    resuming = false;
    report = NULL;
    check_step(t, 2, true);
    check_step(t, 4, true);
    check_step(t, 4, false);
    check_step(t, 2, true);
    invar_trainer_free(t);
}

/* ---- what one does while the others wait ---- */

static int worked[CROWD_MOST];

static bool take_long(void *user, struct invar_error *err)
{
    const int k = *(const int *)user;

    worked[k]++;
    nanosleep(&(struct timespec){1, 300000000}, NULL);
    return worked[k] == 1 || invar_error_set(err, INVAR_ERROR_FILE, "disk full");
}

/* The second time it fails. */
static void lead(struct invar_ranks *r, void *user)
{
    const int k = *(const int *)user;

    results[k] = ranks_lead(r, take_long, user, &errors[k]) && !ranks_lead(r, take_long, user, &errors[k]) &&
                 errors[k].code == INVAR_ERROR_FILE;
}

/* Two signs of life in 1.3 seconds, then that it is done, and an agreement; with a sentence where it fails. */
static void the_first_shows_that_it_is_there(void **state)
{
    struct invar_error err = {0};

    (void)state;
    run_on(RANKS, lead);
    for (int k = 0; k < RANKS; k++) {
        assert_true(results[k]);
        assert_int_equal(worked[k], k == 0 ? 2 : 0);
        assert_string_equal(errors[k].message, "disk full");
    }
    assert_true(crowd.traffic.messages >= 2 * (2 + 2) + 1 - 2 && crowd.traffic.messages <= 2 * (2 + 2) + 1);
    worked[0] = 0;
    assert_ok(ranks_lead(NULL, take_long, &order[0], &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_meet_in_the_order_of_ranks),
                                       cmocka_unit_test(alone_there_is_nothing_to_do),
                                       cmocka_unit_test(launchers_are_known_by_their_environment),
                                       cmocka_unit_test(all_say_what_the_first_has_to_say),
                                       cmocka_unit_test(who_failed_by_itself_asks_nobody),
                                       cmocka_unit_test(sums_are_made_while_the_backward_pass_goes_on),
                                       cmocka_unit_test(ranks_that_do_not_fit_are_refused),
                                       cmocka_unit_test(a_run_of_ranks_goes_on_to_the_same_bits),
                                       cmocka_unit_test(ranks_may_keep_norms_to_themselves),
                                       cmocka_unit_test(a_step_sends_what_the_document_says),
                                       cmocka_unit_test(the_first_shows_that_it_is_there)};

    training_open(&training, NULL, 0);
    snprintf(recipe_file, sizeof recipe_file, "%s/tiny.yaml", training.folder);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    training_close(&training);
    return failed;
}
