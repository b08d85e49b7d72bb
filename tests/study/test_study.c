/* SPDX-License-Identifier: Apache-2.0 */
/* A run from C alone: trained into a whole folder, opened with its data, measured, inspected; and what is refused. */
#include "train/training.h"

#include "invar/metrics.h"
#include "invar/study.h"

/* One finished run for all tests. */
static struct training bed;
static char folder[512];

/* Lines of a file. */
static int count_lines(const char *path)
{
    struct invar_error err = {0};
    struct invar_bytes bytes = {0};
    int lines = 0;

    assert_ok(invar_file_read(&bytes, path, 1 << 24, &err), &err);
    for (size_t i = 0; i < bytes.size; i++)
        lines += bytes.data[i] == '\n';
    invar_bytes_free(&bytes);
    return lines;
}

static bool never(void *user, const struct invar_record *record, struct invar_error *err)
{
    return record->step < *(const int64_t *)user ||
           invar_error_set(err, INVAR_ERROR_INTERRUPTED, "the test ends the run");
}

static bool train(const char *name, bool resume, int64_t *stop_at, struct invar_error *err)
{
    char path[512];
    struct invar_trainer_options options = {
        .folder = path, .resume = resume, .report = stop_at ? never : NULL, .user = stop_at};

    snprintf(path, sizeof path, "%s", test_path(bed.folder, name));
    struct invar_recorder *recorder = invar_recorder_create(bed.recipe, bed.dataset, &options, err);
    struct invar_trainer *trainer =
        recorder ? invar_trainer_create(bed.recipe, bed.dataset, bed.device, &options, err) : NULL;
    const bool ok = trainer && invar_recorder_run(recorder, trainer, err);
    invar_trainer_free(trainer);
    invar_recorder_free(recorder);
    return ok;
}

static int open_bed(void **state)
{
    struct invar_error err = {0};

    (void)state;
    training_open(&bed, NULL, 0);
    assert_ok(train("run", false, NULL, &err), &err);
    snprintf(folder, sizeof folder, "%s", test_path(bed.folder, "run"));
    return 0;
}

static int close_bed(void **state)
{
    (void)state;
    training_close(&bed);
    return 0;
}

/* 18 steps, logged at the first and every second one; a run that was ended on the way and goes on leaves the same rows.
 */
static void test_recorder(void **state)
{
    struct invar_error err = {0};
    int64_t stop_at = 7;
    char rows[512];

    (void)state;
    const int lines = count_lines(test_path(bed.folder, "run/metrics.jsonl"));
    assert_true(lines >= 9);
    assert_refused(train("parts", false, &stop_at, &err), &err, INVAR_ERROR_INTERRUPTED, "after step 7");
    assert_ok(train("parts", true, NULL, &err), &err);
    snprintf(rows, sizeof rows, "%s", test_path(bed.folder, "parts/metrics.jsonl"));
    assert_int_equal(count_lines(rows), lines);
    training_assert_same(&bed, "run", "parts");
}

static struct invar_probe_results *probe(const struct invar_probe_request *request, const struct invar_watch *watch,
                                         struct invar_error *err)
{
    const struct invar_run_options options = {.threads = 1, .watch = watch};
    struct invar_probe *wanted = invar_probe_create(request, err);
    struct invar_probe_results *results = NULL;
    struct invar_run run = {0};

    if (wanted && invar_run_open(&run, folder, &options, err))
        invar_probe_run(wanted, &run, &results, err);
    invar_run_close(&run);
    invar_probe_free(wanted);
    return results;
}

/* What is given back is what is kept, and blobs are told apart better than by chance. */
static void test_probe(void **state)
{
    static const char *const baselines[] = {"random"}, *const settings[] = {"l2=0.01"};
    const struct invar_probe_request request = {
        .baselines = baselines, .baseline_count = 1, .settings = settings, .setting_count = 1};
    struct invar_error err = {0};
    struct invar_text text = {0};
    struct invar_bytes kept = {0};

    (void)state;
    struct invar_probe_results *results = probe(&request, NULL, &err);
    assert_ok(results, &err);
    assert_int_equal(results->count, 2);
    const struct invar_probed *linear = invar_probe_results_find(results, "linear");
    assert_true(linear->top1 > 50 && linear->interval[0] < linear->top1 && linear->interval[1] >= linear->top1);
    assert_string_equal(linear->protocol->method, "linear");
    assert_int_equal(linear->protocol->options.count,
                     invar_probe_results_find(results, "random")->protocol->options.count);
    assert_null(invar_probe_results_find(results, "lin"));
    assert_true(isnan(linear->r2) && linear->steps == -1 && !linear->groups);
    assert_ok(invar_probe_results_write(results, &text, &err), &err);
    assert_non_null(strstr(text.data, "\"random\""));
    assert_ok(invar_file_read(&kept, test_path(folder, "probe.json"), 1 << 20, &err), &err);
    assert_non_null(strstr((const char *)kept.data, "\"machine\""));
    invar_bytes_free(&kept);
    invar_text_free(&text);
    invar_probe_results_free(results);
}

static bool enough(void *user, const struct invar_progress *progress)
{
    int *left = user;

    assert_true(progress->what && progress->unit && progress->done >= 0 && progress->done <= progress->total);
    return --*left > 0;
}

/* A watch is told, and ends the work where it says so. */
static void test_watch(void **state)
{
    const struct invar_probe_request request = {0};
    struct invar_error err = {0};
    int left = 1000;
    const struct invar_watch watch = {enough, &left};

    (void)state;
    struct invar_probe_results *results = probe(&request, &watch, &err);
    assert_ok(results, &err);
    assert_true(left < 1000);
    invar_probe_results_free(results);
    left = 1;
    assert_refused(probe(&request, &watch, &err), &err, INVAR_ERROR_INTERRUPTED, "embedding train");
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {"no_such=1"}, *const few[] = {"0"};
    struct invar_error err = {0};
    struct invar_run run = {0};
    const struct invar_run_options options = {.threads = 1};

    (void)state;
    assert_refused(probe(&(struct invar_probe_request){.method = "lineer"}, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "lineer");
    assert_refused(probe(&(struct invar_probe_request){.preset = "lightly-linea"}, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "lightly-linear");
    assert_refused(probe(&(struct invar_probe_request){.settings = wrong, .setting_count = 1}, NULL, &err), &err,
                   INVAR_ERROR_USAGE, "no_such");
    assert_refused(probe(&(struct invar_probe_request){.labels = few, .label_count = 1}, NULL, &err), &err,
                   INVAR_ERROR_USAGE, "labels");
    assert_refused(probe(&(struct invar_probe_request){.label = "colour"}, NULL, &err), &err, INVAR_ERROR_USAGE,
                   "colour");
    assert_refused(invar_run_open(&run, test_path(bed.folder, "data"), &options, &err), &err, INVAR_ERROR_FILE,
                   "encoder.safetensors");
    invar_run_close(&run);
    assert_refused(invar_run_recipe(test_path(bed.folder, "data"), NULL, 0, &err), &err, INVAR_ERROR_FILE,
                   "recipe.yaml");
}

/* The inspection knows the error of the probe before it. */
static void test_inspect(void **state)
{
    const struct invar_run_options options = {.threads = 1};
    struct invar_inspect_options how;
    struct invar_error err = {0};
    struct invar_run run = {0};

    (void)state;
    invar_options_default(invar_inspect_option_table, &how);
    how.noise_samples = 0;
    assert_ok(invar_run_open(&run, folder, &options, &err), &err);
    assert_int_equal(invar_run_width(&run), 32);
    struct invar_inspect_results *results = invar_inspect_run(&run, NULL, INVAR_TEST, &how, &err);
    assert_ok(results, &err);
    assert_int_equal(results->inspection->samples, 40);
    assert_true(results->inspection->h_width > 0);
    assert_int_equal(results->options.noise_samples, 0);
    invar_inspect_results_free(results);
    invar_run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorder), cmocka_unit_test(test_probe),
                                       cmocka_unit_test(test_watch), cmocka_unit_test(test_inspect),
                                       cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, open_bed, close_bed);
}
