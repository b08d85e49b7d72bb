/* SPDX-License-Identifier: Apache-2.0 */
/* A library is a guest in its process: it leaves threads, locale, signals, environment and descriptors as they were,
   and two threads that train at once, each on a device of its own, give what either gives alone. */
#include "train/training.h"

#include "invar/eval.h"

#include <dirent.h>
#include <locale.h>
#include <omp.h>
#include <pthread.h>

extern char **environ;

struct process {
    int threads, dynamic, descriptors;
    char locale[256], environment[1 << 16];
    struct sigaction action[32];
    sigset_t mask;
};

static void look(struct process *p)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t used = 0;

    memset(p, 0, sizeof *p);
    p->threads = omp_get_max_threads();
    p->dynamic = omp_get_dynamic();
    snprintf(p->locale, sizeof p->locale, "%s", setlocale(LC_ALL, NULL));
    for (char **entry = environ; *entry && used < sizeof p->environment; entry++)
        used += (size_t)snprintf(p->environment + used, sizeof p->environment - used, "%s\n", *entry);
    for (int number = 1; number < 32; number++)
        sigaction(number, NULL, &p->action[number]);
    pthread_sigmask(SIG_SETMASK, NULL, &p->mask);
    while (folder && readdir(folder))
        p->descriptors++;
    closedir(folder);
}

static struct process before, after;

static void assert_unchanged(void)
{
    look(&after);
    assert_int_equal(after.threads, before.threads);
    assert_int_equal(after.dynamic, before.dynamic);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_string_equal(after.locale, before.locale);
    assert_string_equal(after.environment, before.environment);
    assert_memory_equal(&after.mask, &before.mask, sizeof after.mask);
    for (int number = 1; number < 32; number++)
        assert_ptr_equal((void *)(uintptr_t)after.action[number].sa_handler,
                         (void *)(uintptr_t)before.action[number].sa_handler);
}

/* Everything that a program does, on a device of two threads where OpenMP's number is another. */
static void nothing_is_changed(void **state)
{
    struct training t = {.threads = 2};
    struct invar_error err = {0};
    struct invar_encoder *encoder = NULL;
    struct invar_embedded rows = {0};
    const struct invar_embed_options how = {.precision = INVAR_PRECISION_FLOAT32};

    (void)state;
    for (int number = 3; number > 0; number -= 2) {
        omp_set_num_threads(number);
        omp_set_dynamic(number == 3);
        look(&before);
        training_open(&t, NULL, 0);
        assert_int_equal(omp_get_max_threads(), number);
        struct invar_trainer *trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
        assert_true(trainer && invar_trainer_run(trainer, &err));
        assert_ok(invar_trainer_present(trainer, &encoder, NULL, &err), &err);
        assert_ok(invar_embed(t.device, encoder, t.dataset, INVAR_TEST, &how, &rows, &err), &err);
        const struct invar_matrix x = {rows.features.dtype, rows.features.shape[0], rows.features.shape[1],
                                       rows.features.data};
        struct invar_probe_options options;
        struct invar_probe_result result = {0};
        invar_options_default(invar_probe_option_table, &options);
        assert_ok(invar_probe_fit(&x, rows.labels.data, &x, rows.labels.data, 4, &options, &result, &err), &err);
        invar_probe_result_free(&result);
        invar_embedded_free(&rows);
        invar_trainer_free(trainer);
        training_close(&t);
        assert_unchanged();
    }
}

/* One training from the recipe to the file, with all that it needs for itself. */
struct work {
    const char *recipe, *source;
    char folder[512];
    int threads;
    struct invar_error err;
    bool ok;
};

static void *train(void *argument)
{
    struct work *w = argument;
    const char *const changes[] = {w->source, training_precision,
                                   "terms={relic: {tau: 0.2}, logdet: {weight: 0.01}, vicreg: {weight: 0.1}}"};
    const struct invar_trainer_options options = {.folder = w->folder};
    struct invar_recipe *recipe = invar_recipe_load(w->recipe, changes, 3, &w->err);
    struct invar_device *device = test_device_open(w->threads, &w->err);
    struct invar_dataset *data = recipe ? invar_dataset_open(&recipe->data, &w->err) : NULL;
    struct invar_trainer *trainer =
        data && device ? invar_trainer_create(recipe, data, device, &options, &w->err) : NULL;

    w->ok = trainer && invar_trainer_run(trainer, &w->err);
    invar_trainer_free(trainer);
    invar_dataset_close(data);
    invar_device_close(device);
    invar_recipe_free(recipe);
    return NULL;
}

static void two_at_once_are_each_alone(void **state)
{
    struct training t = {0};
    char source[600], recipe[600];

    (void)state;
    training_open(&t, NULL, 0);
    snprintf(source, sizeof source, "data.source=%s", t.recipe->data.source);
    snprintf(recipe, sizeof recipe, "%s", test_path(t.folder, "tiny.yaml"));
    for (int threads = 1; threads <= 2; threads++) {
        struct work work[3];
        pthread_t thread[2];
        for (int i = 0; i < 3; i++) {
            work[i] = (struct work){.recipe = recipe, .source = source, .threads = threads};
            snprintf(work[i].folder, sizeof work[i].folder, "%s/%d-%d", t.folder, threads, i);
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, train, &work[i]), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(thread[i], NULL), 0);
        train(&work[2]);
        for (int i = 0; i < 3; i++)
            assert_ok(work[i].ok, &work[i].err);
        char name[3][32];
        for (int i = 0; i < 3; i++)
            snprintf(name[i], sizeof name[i], "%d-%d", threads, i);
        training_assert_same(&t, name[0], name[2]);
        training_assert_same(&t, name[1], name[2]);
    }
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_changed),
        cmocka_unit_test(two_at_once_are_each_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
