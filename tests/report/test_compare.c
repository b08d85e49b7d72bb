/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons of runs: groups, means and paired differences against figures worked out by hand, and every gap. */
#include "test.h"

#include "invar/eval.h"
#include "invar/memory.h"
#include "invar/train.h"
#include "report/compare.h"

#define MAX_RUNS 16

struct fixture {
    char *folder;
    int count;
    struct report_run *run[MAX_RUNS];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = test_folder_create();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < f->count; i++)
        report_run_free(f->run[i]);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

/* A run folder from a recipe with settings (NULL-ended); probe NULL: none. */
static void add_run(struct fixture *f, const char *label, const char *base, int seed, const char *const *settings,
                    const char *probe)
{
    struct invar_error err = {0};
    struct invar_text text = {0};
    char seed_text[64], folder[512];
    const char *all[8] = {seed_text};
    int count = 1;
    snprintf(seed_text, sizeof seed_text, "training.seed=%d", seed);
    for (; settings && *settings; settings++)
        all[count++] = *settings;
    snprintf(folder, sizeof folder, "%.400s/%.100s", f->folder, label);
    assert_ok(invar_folder_create(folder, &err), &err);
    struct invar_recipe *recipe = invar_recipe_load(base, all, count, &err);
    assert_ok(recipe, &err);
    assert_ok(invar_recipe_write(recipe, &text, &err), &err);
    test_file(folder, "recipe.yaml", text.data, text.size);
    if (probe)
        test_file(folder, "probe.json", probe, strlen(probe));
    f->run[f->count] = report_run_read(folder, &err);
    assert_ok(f->run[f->count], &err);
    f->count++;
    invar_text_free(&text);
    invar_recipe_free(recipe);
}

static const char *linear(double top1, const char *data)
{
    static char text[256];
    snprintf(text, sizeof text,
             "{\"linear\":{\"top1\":%g,\"top5\":99.5,\"data\":\"%s\",\"test_count\":100},\"note\":\"x\"}", top1, data);
    return text;
}

static struct comparison compare(const struct fixture *f, const struct comparison_options *options)
{
    struct invar_error err = {0};
    struct comparison c;
    assert_ok(comparison_make(&c, f->run, f->count, options, &err), &err);
    return c;
}

static bool has_note(const struct comparison *c, const char *text)
{
    for (int i = 0; i < c->note_count; i++)
        if (strstr(c->note[i], text))
            return true;
    return false;
}

static int metric_at(const struct comparison *c, const char *name)
{
    for (int m = 0; m < c->metric_count; m++)
        if (strcmp(c->metric[m].name, name) == 0)
            return m;
    fail_msg("no metric %s", name);
    return -1;
}

/* Against tables of the distribution, to all the digits they give. */
static void test_student(void **state)
{
    (void)state;
    static const struct {
        int64_t degrees;
        double point;
    } known[] = {{1, 12.7062047362},   {2, 4.3026527297},     {3, 3.1824463053},  {4, 2.7764451052},
                 {5, 2.5705818356},    {9, 2.2621571628},     {30, 2.0422724563}, {99, 1.9842169516},
                 {1000, 1.9623390808}, {100000, 1.9599639845}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_near(invar_student_95(known[i].degrees), known[i].point, 1e-9);
    assert_true(isnan(invar_student_95(0)));
}

/* Seeds 0, 1, 2 of one recipe, 2, 1, 3 of another: the differences are of seeds 1 and 2. */
static void test_means_and_differences(void **state)
{
    struct fixture *f = *state;
    const char *const other[] = {"terms.ntxent.tau=0.5", NULL};
    const double first[] = {80, 82, 87}, second[] = {90, 84, 70};
    const int seeds[] = {2, 1, 3};
    for (int i = 0; i < 3; i++) {
        char label[16];
        snprintf(label, sizeof label, "a%d", i);
        add_run(f, label, "simclr-fashion-mnist", i, NULL, linear(first[i], "d"));
        snprintf(label, sizeof label, "b%d", i);
        add_run(f, label, "simclr-fashion-mnist", seeds[i], other, linear(second[i], "d"));
    }
    const struct comparison_options options = {0};
    struct comparison c = compare(f, &options);
    const int m = metric_at(&c, "linear");
    assert_int_equal(c.group_count, 2);
    assert_string_equal(c.group[0].name, "simclr-fashion-mnist tau=0.2");
    assert_string_equal(c.group[1].name, "simclr-fashion-mnist tau=0.5");
    assert_int_equal(c.key_count, 1);
    assert_string_equal(c.key[0], "terms.ntxent.tau");
    assert_int_equal(c.group[0].mean[m].n, 3);
    assert_near(c.group[0].mean[m].mean, 83, 1e-12);
    /* squares 9 + 1 + 16 = 26: deviation sqrt(13), of the mean sqrt(13 / 3) */
    assert_near(c.group[0].mean[m].half, 4.3026527297 * sqrt(13 / 3.0), 1e-9);
    /* 84 - 82 and 90 - 87: mean 2.5, deviation sqrt(0.5) */
    assert_int_equal(c.group[1].difference[m].n, 2);
    assert_near(c.group[1].difference[m].mean, 2.5, 1e-12);
    assert_near(c.group[1].difference[m].half, 12.7062047362 * 0.5, 1e-9);
    assert_near(c.group[0].difference[m].mean, 0, 0);
    comparison_free(&c);
}

static void test_one_seed(void **state)
{
    struct fixture *f = *state;
    struct invar_error err = {0};
    struct invar_text text = {0};
    add_run(f, "a", "simclr-fashion-mnist", 0, NULL, linear(80, "d"));
    add_run(f, "b", "relic-fashion-mnist", 0, NULL, linear(81.5, "d"));
    const struct comparison_options options = {.base = "b"};
    struct comparison c = compare(f, &options);
    const int m = metric_at(&c, "linear");
    assert_int_equal(c.base, 1);
    assert_true(isnan(c.group[0].mean[m].half));
    assert_near(c.group[0].difference[m].mean, -1.5, 1e-12);
    assert_true(isnan(c.group[0].difference[m].half));
    assert_true(has_note(&c, "one seed of each"));
    assert_ok(comparison_text(&c, 80, &text, &err), &err);
    assert_non_null(strstr(text.data, "-1.50"));
    assert_null(strstr(text.data, "nan"));
    assert_null(strstr(text.data, "+-"));
    invar_text_free(&text);
    comparison_free(&c);
}

/* Two runs of one seed count as one; other data are not subtracted; a run without a probe says so. */
static void test_what_cannot_be_compared(void **state)
{
    struct fixture *f = *state;
    const char *const cifar[] = {"data.source=cifar10:/x", NULL};
    add_run(f, "a0", "simclr-fashion-mnist", 0, NULL, linear(80, "d"));
    add_run(f, "a0again", "simclr-fashion-mnist", 0, NULL, linear(84, "d"));
    add_run(f, "a1", "simclr-fashion-mnist", 1, NULL, linear(90, "d"));
    add_run(f, "a2", "simclr-fashion-mnist", 2, NULL, linear(10, "elsewhere"));
    add_run(f, "b0", "relic-fashion-mnist", 0, NULL, NULL);
    add_run(f, "c0", "simclr-fashion-mnist", 0, cifar, linear(50, "cifar"));
    const struct comparison_options options = {0};
    struct comparison c = compare(f, &options);
    const int m = metric_at(&c, "linear");
    assert_int_equal(c.group_count, 3);
    assert_int_equal(c.group[0].mean[m].n, 2);
    assert_near(c.group[0].mean[m].mean, (82 + 90) / 2.0, 1e-12);
    assert_true(has_note(&c, "the same seed and the same recipe"));
    assert_true(has_note(&c, "was measured on elsewhere, test_count 100, that of other seeds on d, test_count 100"));
    assert_int_equal(c.group[1].mean[m].n, 0);
    assert_true(has_note(&c, "b0 has no results of a probe"));
    assert_int_equal(c.group[2].mean[m].n, 1);
    assert_int_equal(c.group[2].difference[m].n, 0);
    assert_true(has_note(&c, "no difference to simclr-fashion-mnist source="));
    assert_true(has_note(&c, "different data"));
    assert_true(has_note(&c, "training has not ended"));
    comparison_free(&c);
}

static void test_sort_and_metrics(void **state)
{
    struct fixture *f = *state;
    struct invar_error err = {0};
    const char *const names[] = {"linear.top5", "linear"};
    add_run(f, "a", "simclr-fashion-mnist", 0, NULL, linear(80, "d"));
    add_run(f, "b", "relic-fashion-mnist", 0, NULL, linear(90, "d"));
    add_run(f, "c", "byol-fashion-mnist", 0, NULL, linear(85, "d"));
    struct comparison_options options = {.base = "a", .sort = "linear", .metric_count = 2, .metric = names};
    struct comparison c = compare(f, &options);
    assert_int_equal(c.metric_count, 2);
    assert_near(c.value[0][0].value, 99.5, 0);
    assert_string_equal(c.value[0][0].basis, "d, test_count 100");
    assert_string_equal(c.run[0]->label, "b");
    assert_string_equal(c.run[1]->label, "c");
    assert_string_equal(c.run[2]->label, "a");
    assert_int_equal(c.base, 2);
    assert_int_equal(c.group[0].run[0], 0);
    assert_near(c.group[0].difference[1].mean, 10, 1e-12);
    comparison_free(&c);
    options.base = "nobody";
    assert_refused(comparison_make(&c, f->run, f->count, &options, &err), &err, INVAR_ERROR_USAGE, "base is");
    options = (struct comparison_options){.sort = "beauty"};
    assert_refused(comparison_make(&c, f->run, f->count, &options, &err), &err, INVAR_ERROR_USAGE, "sort");
    const char *const wrong[] = {"linar"};
    options = (struct comparison_options){.metric_count = 1, .metric = wrong};
    assert_refused(comparison_make(&c, f->run, f->count, &options, &err), &err, INVAR_ERROR_USAGE, "they have linear");
}

/* Other options of a probe are another number; a probe of before options were written agrees with all. */
static void test_protocols(void **state)
{
    struct fixture *f = *state;
    const struct comparison_options options = {0};
    const char *const recipes[] = {"simclr-fashion-mnist", "relic-fashion-mnist", "byol-fashion-mnist"};
    const char *const protocols[] = {
        "\"protocol\":{\"method\":\"linear\",\"options\":{\"l2\":[1],\"seed\":1}},",
        "\"protocol\":{\"method\":\"linear\",\"chosen_on_test\":true,\"options\":{\"l2\":[2]}},", ""};
    for (int i = 0; i < 3; i++) {
        char probe[256];
        snprintf(probe, sizeof probe, "{\"linear\":{\"top1\":%d,%s\"data\":\"d\"}}", 80 + i, protocols[i]);
        add_run(f, recipes[i], recipes[i], 0, NULL, probe);
    }
    struct comparison c = compare(f, &options);
    const int m = metric_at(&c, "linear");
    assert_int_equal(c.group[1].difference[m].n, 0);
    assert_int_equal(c.group[2].difference[m].n, 1);
    assert_true(has_note(&c, "(linear: l2 [2] here, l2 [1] there)"));
    assert_true(has_note(&c, "linear was chosen on the test split"));
    comparison_free(&c);
}

/* What `invar robustness` leaves; errors are better when smaller. */
static void test_robustness(void **state)
{
    struct fixture *f = *state;
    static const char results[] =
        "{\"format\":1,\"seconds\":9,\"protocol\":{\"data\":\"d\"},\"clean\":{\"error\":11.5},\"corruptions\":{\"fog\":"
        "{\"error\":[1,2,3,4,5],\"CE\":80}},\"mean_error\":30,\"mCE\":70,\"mrCE_19\":60}";
    struct invar_error err = {0};
    add_run(f, "a", "simclr-fashion-mnist", 0, NULL, linear(80, "d"));
    test_file(f->run[0]->folder, "robustness.json", results, strlen(results));
    report_run_free(f->run[0]);
    f->run[0] = report_run_read(test_path(f->folder, "a"), &err);
    assert_ok(f->run[0], &err);
    add_run(f, "b", "relic-fashion-mnist", 0, NULL, linear(90, "d"));
    struct comparison_options options = {0};
    struct comparison c = compare(f, &options);
    assert_near(c.value[0][metric_at(&c, "clean.error")].value, 11.5, 0);
    assert_near(c.value[0][metric_at(&c, "mCE")].value, 70, 0);
    assert_near(c.value[0][metric_at(&c, "mrCE_19")].value, 60, 0);
    assert_int_equal(c.metric[metric_at(&c, "mCE")].better, -1);
    assert_int_equal(c.metric[metric_at(&c, "mean_error")].better, -1);
    assert_string_equal(c.metric[metric_at(&c, "mean_error")].unit, "%");
    assert_string_equal(c.metric[metric_at(&c, "clean.error")].unit, "%");
    for (int m = 0; m < c.metric_count; m++)
        assert_string_not_equal(c.metric[m].name, "format");
    assert_true(has_note(&c, "b has no robustness.json"));
    comparison_free(&c);
    const char *const fog[] = {"corruptions.fog.CE"};
    options = (struct comparison_options){.metric_count = 1, .metric = fog};
    c = compare(f, &options);
    assert_near(c.value[0][0].value, 80, 0);
    assert_true(isnan(c.value[1][0].value));
    comparison_free(&c);
}

/* No line of the text is wider than the terminal, and every format has every group. */
static void test_formats(void **state)
{
    struct fixture *f = *state;
    struct invar_error err = {0};
    const char *const recipes[] = {"simclr-fashion-mnist", "relic-fashion-mnist", "byol-fashion-mnist",
                                   "vicreg-logdet-fashion-mnist"};
    for (int i = 0; i < 8; i++) {
        char label[32];
        snprintf(label, sizeof label, "%s%d", i == 3 ? "odd|,\"" : "run-", i);
        add_run(f, label, recipes[i / 2], i % 2, NULL, linear(80 + i + 0.25 * (i % 2), "d"));
    }
    const struct comparison_options options = {0};
    struct comparison c = compare(f, &options);
    struct invar_text text = {0}, csv = {0}, markdown = {0};
    assert_ok(comparison_text(&c, 60, &text, &err), &err);
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 60 && !strstr(line, f->folder))
            fail_msg("%zu characters: %s", strlen(line), line);
    assert_ok(comparison_csv(&c, &csv, &err), &err);
    assert_non_null(strstr(csv.data, "\"\""));
    assert_non_null(strstr(csv.data, "\ndifference,relic-fashion-mnist,,,2,2,2,2,"));
    assert_non_null(strstr(csv.data, "linear,linear low,linear high,linear n"));
    assert_ok(comparison_markdown(&c, &markdown, &err), &err);
    assert_non_null(strstr(markdown.data, "| odd\\|,\"3 | 1 | 83.25 |"));
    struct json_writer w = {0};
    comparison_json(&c, &w);
    assert_ok(json_written(&w, "a comparison", &err), &err);
    cJSON *root = cJSON_Parse(w.text.data);
    json_writer_free(&w);
    const cJSON *groups = cJSON_GetObjectItem(root, "groups");
    assert_int_equal(cJSON_GetArraySize(groups), 4);
    const cJSON *means = cJSON_GetObjectItem(cJSON_GetArrayItem(groups, 1), "means");
    assert_near(cJSON_GetObjectItem(cJSON_GetObjectItem(means, "linear"), "mean")->valuedouble, 82.625, 1e-12);
    cJSON_Delete(root);
    invar_text_free(&text);
    invar_text_free(&csv);
    invar_text_free(&markdown);
    comparison_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_student),
        cmocka_unit_test_setup_teardown(test_means_and_differences, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_seed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_compared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sort_and_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_protocols, setup, teardown),
        cmocka_unit_test_setup_teardown(test_robustness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
