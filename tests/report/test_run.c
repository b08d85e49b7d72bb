/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of run folders, on whole, partial, torn and foreign ones. */
#include "test.h"

#include "base/json.h"

#include "invar/memory.h"
#include "invar/report.h"
#include "invar/expert/safetensors.h"
#include "invar/train.h"
#include "report/run.h"

static char *recipe; /* resolved, as pretraining writes it */

static int make_recipe(void **state)
{
    (void)state;
    static const char *const settings[] = {"name=simclr-x", "training.seed=7", "training.batch=100"};
    struct invar_error err = {0};
    struct invar_text text = {0};
    struct invar_recipe *loaded = invar_recipe_load("simclr-fashion-mnist", settings, 3, &err);
    if (!loaded || !invar_recipe_write(loaded, &text, &err))
        return -1;
    recipe = text.data;
    invar_recipe_free(loaded);
    return 0;
}

static int free_recipe(void **state)
{
    (void)state;
    invar_free(recipe);
    return 0;
}

static void put(const char *folder, const char *name, const char *text)
{
    test_file(folder, name, text, strlen(text));
}

static void put_encoder(const char *folder, const char *version)
{
    struct invar_error err = {0};
    struct invar_safetensors *file = invar_safetensors_create(&err);
    const int64_t shape[] = {3};
    float values[] = {1, 2, 3};
    const struct invar_array array = {INVAR_FLOAT32, 1, {shape[0]}, values};
    assert_ok(invar_safetensors_add(file, "w", &array, &err), &err);
    assert_ok(invar_safetensors_set_metadata(file, "invar.version", version, &err), &err);
    assert_ok(invar_safetensors_write(file, test_path(folder, "encoder.safetensors"), &err), &err);
    invar_safetensors_free(file);
}

static struct report_run *read_run(const char *folder)
{
    struct invar_error err = {0};
    struct report_run *run = report_run_read(folder, &err);
    assert_ok(run, &err);
    return run;
}

static void test_whole_run(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    put(folder, "recipe.yaml", recipe);
    put_encoder(folder, "0.1.0");
    put(folder, "probe.json", "{\"linear\":{\"top1\":88.5}}");
    put(folder, "inspect.json", "{\"h\":{\"effective_rank\":{\"value\":12.5}}}");
    put(folder, "metrics.jsonl",
        "{\"step\":1,\"epoch\":0.1,\"loss\":5,\"samples_per_s\":0}\n"
        "{\"step\":10,\"epoch\":1,\"loss\":null,\"effective_rank\":3,\"samples_per_s\":500}\n"
        "{\"step\":30,\"epoch\":3,\"loss\":2,\"samples_per_s\":1000}\n");
    struct report_run *run = read_run(folder);
    assert_int_equal(run->problem_count, 0);
    assert_string_equal(run->name, "simclr-x");
    assert_string_equal(run->source, "fashion-mnist");
    assert_string_equal(run->version, "0.1.0");
    assert_string_equal(run->label, strrchr(folder, '/') + 1);
    assert_true(run->finished);
    assert_int_equal(run->seed, 7);
    assert_string_equal(report_run_setting(run, "optimiser.betas"), "[0.9, 0.999]");
    assert_string_equal(report_run_setting(run, "terms.ntxent.tau"), "0.2");
    assert_null(report_run_setting(run, "terms.ntxent"));
    assert_int_equal(run->rows, 3);
    assert_string_equal(run->series[0].name, "step");
    assert_true(isnan(report_run_series(run, "loss")[1]));
    assert_true(isnan(report_run_series(run, "effective_rank")[0]));
    assert_near(report_run_last(run, "effective_rank"), 3, 0);
    assert_near(report_run_last(run, "loss"), 2, 0);
    assert_true(isnan(report_run_last(run, "nothing")));
    assert_near(run->seconds, 10 * 100 / 500.0 + 20 * 100 / 1000.0, 1e-12);
    assert_near(invar_probe_results_find(run->probe, "linear")->top1, 88.5, 0);
    assert_true(isnan(invar_probe_results_find(run->probe, "linear")->top5));
    assert_null(run->robustness);
    assert_near(invar_inspection_find(run->inspect->inspection, INVAR_INSPECT_REPRESENTATION, "effective_rank")->value,
                12.5, 0);
    report_run_free(run);
    test_folder_remove(folder);
}

/* Every file in turn torn, foreign or empty: said in one sentence, and the rest is there. */
static void test_torn_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *says;
    } broken[] = {
        {"recipe.yaml", "a: [1, 2", "recipe.yaml"},
        {"recipe.yaml", "", "holds no settings"},
        {"recipe.yaml", "just words", "is no recipe"},
        {"probe.json", "{\"linear\":", "is torn or no JSON, so it is left out"},
        {"probe.json", "[1]", "is no JSON object"},
        {"robustness.json", "", "is torn or no JSON, so it is left out"},
        {"inspect.json", "x", "is torn or no JSON, so it is left out"},
        {"probe.json", "{} {}", "is torn or no JSON, so it is left out"},
        {"metrics.jsonl", "{\"step\":1,\"loss\":4}\nhello\n{\"step\":3,\"loss\":3}\n", "line 2 is no metrics line"},
        {"encoder.safetensors", "", "torn or was not written by invar"},
        {"encoder.safetensors", "\377\377\377\377\377\377\377\377{}", "torn or was not written by invar"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        char *folder = test_folder_create();
        put(folder, "recipe.yaml", recipe);
        put(folder, "metrics.jsonl", "{\"step\":1,\"loss\":4}\n");
        put(folder, broken[i].name, broken[i].text);
        struct report_run *run = read_run(folder);
        assert_int_equal(run->problem_count, 1);
        if (!strstr(run->problem[0], broken[i].says) || !strstr(run->problem[0], broken[i].name))
            fail_msg("case %zu: \"%s\"", i, run->problem[0]);
        assert_near(report_run_last(run, "loss"), 4, 0);
        report_run_free(run);
        test_folder_remove(folder);
    }
}

static void test_line_being_written(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    put(folder, "metrics.jsonl", "{\"step\":1,\"loss\":4}\n{\"step\":2,\"lo");
    struct report_run *run = read_run(folder);
    assert_int_equal(run->problem_count, 0);
    assert_int_equal(run->rows, 1);
    assert_string_equal(run->name, run->label);
    assert_int_equal(run->seed, -1);
    assert_string_equal(run->source, "");
    assert_false(run->finished);
    assert_true(isnan(run->seconds));
    report_run_free(run);
    test_folder_remove(folder);
}

static void test_other_version(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    put_encoder(folder, "9.8.7");
    struct report_run *run = read_run(folder);
    assert_int_equal(run->problem_count, 1);
    assert_non_null(strstr(run->problem[0], "version 9.8.7"));
    assert_string_equal(run->version, "9.8.7");
    report_run_free(run);
    test_folder_remove(folder);
}

/* A recipe of an older version gets the defaults of today; one that this version refuses is shown as it stands. */
static void test_other_recipes(void **state)
{
    (void)state;
    static const char older[] =
        "data:\n  source: fashion-mnist\nencoder:\n  kind: small-resnet\nterms:\n  ntxent:\n    tau: "
        "0.3\noptimiser:\n  kind: adamw\n  lr: 0.01\ntraining:\n  seed: 2\n";
    static const char newer[] = "data:\n  source: fashion-mnist\n  colour_space: lab\ntraining:\n  seed: 3\n";
    char *folder = test_folder_create();
    put(folder, "recipe.yaml", older);
    struct report_run *run = read_run(folder);
    assert_int_equal(run->problem_count, 0);
    assert_true(run->defaulted > 20);
    assert_string_equal(report_run_setting(run, "terms.ntxent.tau"), "0.3");
    assert_string_equal(report_run_setting(run, "target.enabled"), "false");
    assert_int_equal(run->seed, 2);
    report_run_free(run);
    put(folder, "recipe.yaml", newer);
    run = read_run(folder);
    assert_int_equal(run->problem_count, 1);
    assert_non_null(strstr(run->problem[0], "colour_space"));
    assert_string_equal(report_run_setting(run, "data.colour_space"), "lab");
    assert_null(report_run_setting(run, "target.enabled"));
    assert_int_equal(run->seed, 3);
    report_run_free(run);
    test_folder_remove(folder);
}

static void test_no_run(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    assert_refused(report_run_read(folder, &err), &err, INVAR_ERROR_FORMAT, "is no run");
    put(folder, "probe.json", "{}");
    assert_refused(report_run_read(folder, &err), &err, INVAR_ERROR_FORMAT, "is no run");
    assert_refused(report_run_read(test_path(folder, "none"), &err), &err, INVAR_ERROR_FILE, "no such folder");
    assert_refused(report_run_read(test_path(folder, "probe.json"), &err), &err, INVAR_ERROR_FILE, "no such folder");
    test_folder_remove(folder);
}

/* Many keys once and many short lines after them are few bytes, and would be much memory: keys x lines. */
static void test_metrics_have_a_budget(void **state)
{
    (void)state;
    enum { KEYS = 999, LINES = 17000 };
    struct invar_error err = {0};
    struct invar_text text = {0};
    char *folder = test_folder_create();
    put(folder, "recipe.yaml", recipe);
    assert_ok(invar_text_printf(&text, &err, "{\"step\":1"), &err);
    for (int i = 0; i < KEYS; i++)
        assert_ok(invar_text_printf(&text, &err, ",\"k%d\":%d", i, i), &err);
    for (int i = 0; i < LINES; i++)
        assert_ok(invar_text_printf(&text, &err, "%s", i ? "{\"step\":2}\n" : "}\n"), &err);
    put(folder, "metrics.jsonl", text.data);
    struct report_run *run = read_run(folder);
    assert_int_equal(run->problem_count, 1);
    assert_non_null(strstr(run->problem[0], "keys x lines"));
    assert_in_range(run->rows, 16000, 16777);
    assert_near(report_run_last(run, "k998"), 998, 0);
    report_run_free(run);
    test_folder_remove(folder);
    invar_text_free(&text);
}

/* A file of results that would be more memory than any has. */
static void test_results_have_a_budget(void **state)
{
    (void)state;
    const size_t size = JSON_MOST_VALUES * 2 + 64;
    char *text = malloc(size), *folder = test_folder_create();
    assert_non_null(text);
    memcpy(text, "{\"a\":[0", 7);
    for (size_t i = 7; i < size - 3; i += 2)
        memcpy(text + i, ",0", 2);
    memcpy(text + size - 4, " ]}", 4);
    put(folder, "recipe.yaml", recipe);
    put(folder, "probe.json", text);
    struct report_run *run = read_run(folder);
    assert_int_equal(run->problem_count, 1);
    assert_non_null(strstr(run->problem[0], "values, the most that are expected here, so it is left out"));
    assert_null(run->probe);
    report_run_free(run);
    test_folder_remove(folder);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_run),
        cmocka_unit_test(test_torn_files),
        cmocka_unit_test(test_metrics_have_a_budget),
        cmocka_unit_test(test_results_have_a_budget),
        cmocka_unit_test(test_line_being_written),
        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_no_run),
        cmocka_unit_test(test_other_recipes),
    };
    return cmocka_run_group_tests(tests, make_recipe, free_recipe);
}
