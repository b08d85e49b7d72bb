/* SPDX-License-Identifier: Apache-2.0 */
/* probe.json, inspect.json and robustness.json: written, read, and written again, they have the same bytes. */
#include "test.h"

#include "invar/study.h"
#include "study/inspect_results.h"
#include "study/probe_results.h"
#include "study/robustness_results.h"

/* What methods write, in their order: a classifier with its baseline on labels, few labels, numbers, SGD, groups of the
 * online classifier. */
static const char probe[] =
    "{\n\t\"linear\":\t{\n\t\t\"top1\":\t75.5,\n\t\t\"interval\":\t[70, 80.25],\n\t\t\"top5\":\t100,\n\t\t"
    "\"balanced_accuracy\":\t0.5,\n\t\t\"macro_f1\":\t0.25,\n\t\t\"auroc_absent\":\t\"one class\",\n\t\t\"ece\":\t0.125"
    ",\n\t\t\"per_class\":\t[50, 100],\n\t\t\"confusion\":\t[[1, 2], [3, 4]],\n\t\t\"l2\":\t0.01,\n\t\t"
    "\"held_out_count\":\t6,\n\t\t\"held_out_top1\":\t80,\n\t\t\"objective\":\t0.5,\n\t\t\"cross_entropy\":\t0.25,"
    "\n\t\t"
    "\"gradient_norm\":\t1e-07,\n\t\t\"iterations\":\t30,\n\t\t\"converged\":\ttrue,\n\t\t\"seconds\":\t0.5,\n\t\t"
    "\"data\":\t\"idx:data\",\n\t\t\"data_identity\":\t\"train=64 test=32\",\n\t\t\"train_count\":\t64,\n\t\t"
    "\"test_count\":\t32,\n\t\t\"dimensions\":\t8,\n\t\t\"classes\":\t[\"a\", \"b \\\"c\\\"\"],\n\t\t\"protocol\":\t{"
    "\n\t\t\t\"method\":\t\"linear\",\n\t\t\t\"chosen_on\":\t\"nothing\",\n\t\t\t\"chosen_on_test\":\tfalse,\n\t\t\t"
    "\"options\":\t{\n\t\t\t\t\"l2\":\t[0.01, 0.1],\n\t\t\t\t\"seed\":\t1,\n\t\t\t\t\"kind\":\t\"a, b\"\n\t\t\t}\n\t\t}"
    ",\n\t\t\"unlabelled\":\t[1, 0],\n\t\t\"training\":\t{\n\t\t\t\"steps\":\t16,\n\t\t\t\"precision\":\t\"float32\","
    "\n\t\t\t\"best_step\":\t4,\n\t\t\t\"held_out_count\":\t6,\n\t\t\t\"held_out_top1\":\t50,\n\t\t\t\"head_top1\":"
    "\t40,"
    "\n\t\t\t\"seconds\":\t1\n\t\t},\n\t\t\"pooled\":\t[2, 3],\n\t\t\"label\":\t\"x\",\n\t\t\"hold_out\":\t\"x=1\","
    "\n\t\t\"test\":\t{\n\t\t\t\"source\":\t\"idx:other\",\n\t\t\t\"split\":\t\"all\",\n\t\t\t\"samples\":\t5,\n\t\t\t"
    "\"dropped\":\t0,\n\t\t\t\"mapping\":\t{\n\t\t\t\t\"A\":\t\"a\"\n\t\t\t},\n\t\t\t\"dropped_classes\":\t[]\n\t\t}"
    ",\n\t\t\"machine\":\t{\n\t\t\t\"processor\":\t\"P\",\n\t\t\t\"engine\":\t\"E\",\n\t\t\t\"instruction_set\":"
    "\t\"I\","
    "\n\t\t\t\"precision\":\t\"float32\",\n\t\t\t\"threads\":\t2\n\t\t}\n\t},\n\t\"linear@5\":\t{\n\t\t\"top1\":\t60,"
    "\n\t\t\"interval\":\t[55, 65],\n\t\t\"labels\":\t\"5\",\n\t\t\"top1_by_draw\":\t[59, "
    "61],\n\t\t\"l2_by_draw\":\t[1,"
    " 0.1],\n\t\t\"converged\":\tfalse,\n\t\t\"train_count\":\t20,\n\t\t\"drawn_from\":\t64,\n\t\t\"test_count\":\t32,"
    "\n\t\t\"protocol\":\t{\n\t\t\t\"method\":\t\"linear\"\n\t\t}\n\t},\n\t\"number\":\t{\n\t\t\"r2\":\t0.5,\n\t\t"
    "\"mae\":\t1,\n\t\t\"mse\":\t2,\n\t\t\"spearman\":\t0.75,\n\t\t\"k\":\t5,\n\t\t\"temperature\":\t0.07,\n\t\t"
    "\"r2_by_k\":\t{\n\t\t\t\"5\":\t0.5,\n\t\t\t\"20\":\t0.25\n\t\t},\n\t\t\"label_kind\":\t\"number\"\n\t},\n\t"
    "\"sgd\":\t{\n\t\t\"top1\":\t70,\n\t\t\"best\":\t{\n\t\t\t\"epoch\":\t2,\n\t\t\t\"top1\":\t70,\n\t\t\t\"interval\":"
    "\t[60, 80],\n\t\t\t\"top5\":\t99,\n\t\t\t\"held_out_top1\":\t71,\n\t\t\t\"lr\":\t0.1,\n\t\t\t\"l2\":\t0\n\t\t},"
    "\n\t\t\"candidates\":\t3,\n\t\t\"steps\":\t12\n\t},\n\t\"online\":\t{\n\t\t\"top1\":\t70,\n\t\t\"protocol\":\t{"
    "\n\t\t\t\"method\":\t\"online\"\n\t\t},\n\t\t\"groups\":\t{\n\t\t\t\"column\":\t\"site\",\n\t\t\t"
    "\"worst_accuracy\":\t0.5,\n\t\t\t\"worst\":\t\"far\",\n\t\t\t\"worst_samples\":\t10,\n\t\t\t\"mean_over_groups\":"
    "\t0.75,\n\t\t\t\"each\":\t[{\n\t\t\t\t\t\"group\":\t\"far\",\n\t\t\t\t\t\"samples\":\t10,\n\t\t\t\t\t\"accuracy\":"
    "\t0.5\n\t\t\t\t}]\n\t\t}\n\t}\n}";

static char *kept(const char *folder, const char *name)
{
    struct invar_error err = {0};
    struct invar_bytes bytes = {0};

    assert_ok(invar_file_read(&bytes, test_path(folder, name), 1 << 20, &err), &err);
    char *text = invar_alloc(bytes.size + 1, 1, &err);
    memcpy(text, bytes.data, bytes.size);
    invar_bytes_free(&bytes);
    return text;
}

static void test_probe(void **state)
{
    struct invar_error err = {0};
    char *folder = test_folder_create();
    const struct invar_probed *of;

    (void)state;
    test_file(folder, "probe.json", probe, strlen(probe));
    struct invar_probe_results *results = invar_probe_results_read(folder, &err);
    assert_ok(results, &err);
    assert_int_equal(results->count, 5);
    const struct invar_probed *linear = invar_probe_results_find(results, "linear");
    assert_near(linear->confusion.row[1].value[0], 3, 0);
    assert_string_equal(linear->classes.text[1], "b \"c\"");
    assert_string_equal(linear->protocol->options.item[2].text, "\"a, b\"");
    assert_string_equal(linear->test->mapping.item[0].text, "a");
    assert_int_equal(linear->machine->threads, 2);
    assert_int_equal(invar_probe_results_find(results, "online")->groups->each[0].samples, 10);
    assert_near(study_probe_results_number(results, "number.r2_by_k.20", &of), 0.25, 0);
    assert_string_equal(of->name, "number");
    assert_near(study_probe_results_number(results, "linear@5", &of), 60, 0);
    assert_near(study_probe_results_number(results, "linear.protocol.options.seed", &of), 1, 0);
    /* over what is there, in an order of its own: what was there first goes behind */
    test_file(folder, "probe.json", "{\"other\": 1, \"sgd\": 2}", 22);
    assert_ok(study_probe_results_keep(results, folder, &err), &err);
    char *text = kept(folder, "probe.json");
    assert_int_equal(strncmp(text, "{\n\t\"other\":\t1,\n\t\"linear\"", 22), 0);
    assert_string_equal(strstr(text, "\t\"linear\""), strstr(probe, "\t\"linear\""));
    invar_free(text);
    invar_probe_results_free(results);
    test_folder_remove(folder);
}

static const char robustness[] =
    "{\n\t\"format\":\t1,\n\t\"protocol\":\t{\n\t\t\"data\":\t\"idx:data\",\n\t\t\"images\":\t32,\n\t\t\"height\":\t16,"
    "\n\t\t\"width\":\t16,\n\t\t\"channels\":\t1,\n\t\t\"severities\":\t[1, 3],\n\t\t\"table\":\t\"32\",\n\t\t\"seed\":"
    "\t0,\n\t\t\"frost\":\t\"synthetic\",\n\t\t\"frost_pictures\":\t0,\n\t\t\"precision\":\t\"float32\",\n\t\t"
    "\"version\":\t\"0\"\n\t},\n\t\"reference\":\t{\n\t\t\"name\":\t\"a\",\n\t\t\"clean\":\t25\n\t},\n\t\"probe\":\t{"
    "\n\t\t\"train_count\":\t64,\n\t\t\"l2\":\t0.1,\n\t\t\"converged\":\ttrue\n\t},\n\t\"clean\":\t{\n\t\t\"error\":"
    "\t50,"
    "\n\t\t\"count\":\t32\n\t},\n\t\"corruptions\":\t{\n\t\t\"fog\":\t{\n\t\t\t\"family\":\t\"weather\",\n\t\t\t"
    "\"extra\":\tfalse,\n\t\t\t\"error\":\t[50, 60],\n\t\t\t\"mean_error\":\t55,\n\t\t\t\"CE\":\t110\n\t\t}\n\t},\n\t"
    "\"mean_error\":\t55,\n\t\"mCE\":\t110,\n\t\"images_per_s\":\t1000,\n\t\"seconds\":\t1,\n\t\"baselines\":\t{\n\t\t"
    "\"random\":\t{\n\t\t\t\"clean\":\t{\n\t\t\t\t\"error\":\t70,\n\t\t\t\t\"count\":\t32\n\t\t\t},\n\t\t\t"
    "\"corruptions\":\t{\n\t\t\t}\n\t\t}\n\t},\n\t\"machine\":\t{\n\t\t\"threads\":\t1\n\t}\n}";

static void test_robustness(void **state)
{
    struct invar_error err = {0};
    char *folder = test_folder_create();

    (void)state;
    assert_null(invar_robustness_results_read(folder, &err));
    assert_int_equal(err.code, INVAR_OK);
    test_file(folder, "robustness.json", robustness, strlen(robustness));
    struct invar_robustness_results *results = invar_robustness_results_read(folder, &err);
    assert_ok(results, &err);
    assert_near(results->run.corruptions.item[0].error.value[1], 60, 0);
    assert_true(isnan(results->run.corruptions.item[0].rce));
    assert_string_equal(results->baselines.item[0].name, "random");
    assert_near(study_robustness_results_number(results, "corruptions.fog.CE"), 110, 0);
    assert_near(study_robustness_results_number(results, "baselines.random.clean"), 70, 0);
    assert_ok(study_robustness_results_keep(results, folder, &err), &err);
    char *text = kept(folder, "robustness.json");
    assert_string_equal(text, robustness);
    invar_free(text);
    invar_robustness_results_free(results);
    test_file(folder, "robustness.json", "[]", 2);
    assert_refused(invar_robustness_results_read(folder, &err), &err, INVAR_ERROR_FORMAT, "no JSON object");
    test_folder_remove(folder);
}

static const char inspect[] = "{\n\t\"data\":\t\"idx:data\",\n\t\"split\":\t\"test\",\n\t\"samples\":\t32,"
                              "\n\t\"labelled\":\t30,\n\t\"h_width\":\t8,"
                              "\n\t\"z_width\":\tnull,\n\t\"options\":\t{";

static void test_inspect(void **state)
{
    struct invar_error err = {0};
    char *folder = test_folder_create();
    static const double values[] = {2, NAN, 0.5};
    struct invar_inspect_options options;
    struct invar_inspection *made = invar_alloc(1, sizeof *made, &err);

    (void)state;
    invar_options_default(invar_inspect_option_table, &options);
    options.samples = 77;
    made->samples = 32;
    made->labelled = 30;
    made->h_width = 8;
    invar_inspection_name(made);
    strcpy(made->section[INVAR_INSPECT_EMBEDDING].absent, "there is no projector");
    struct invar_findings *h = &made->section[INVAR_INSPECT_REPRESENTATION];
    h->present = true;
    h->count = 2;
    h->finding[0] = (struct invar_finding){"effective_rank", "directions", true, 3.5, "of 8"};
    h->finding[1] = (struct invar_finding){"entropy", "nats", false, 0, "too few samples"};
    h->series_count = 1;
    h->series[0] =
        (struct invar_series){"eigenvalues", "", "of the covariance", 3, invar_alloc(3, sizeof(double), &err)};
    memcpy(h->series[0].value, values, sizeof values);
    made->warning_count = 1;
    made->warning[0] = (struct invar_finding){.name = "rank", .says = "few directions"};

    struct invar_inspect_results *results = study_inspect_results_create(made, &options, &err);
    assert_ok(results, &err);
    results->data = "idx:data";
    results->split = "test";
    assert_ok(study_inspect_results_keep(results, folder, &err), &err);
    char *first = kept(folder, "inspect.json");
    assert_int_equal(strncmp(first, inspect, strlen(inspect)), 0);

    struct invar_inspect_results *back = invar_inspect_results_read(folder, &err);
    assert_ok(back, &err);
    assert_int_equal(back->options.samples, 77);
    assert_near(invar_inspection_find(back->inspection, INVAR_INSPECT_REPRESENTATION, "effective_rank")->value, 3.5, 0);
    assert_null(invar_inspection_find(back->inspection, INVAR_INSPECT_EMBEDDING, "effective_rank"));
    assert_near(study_inspect_results_number(back, "h.effective_rank.value"), 3.5, 0);
    assert_near(study_inspect_results_number(back, "labelled"), 30, 0);
    assert_true(isnan(study_inspect_results_number(back, "h.entropy")));
    assert_true(isnan(study_inspect_results_number(back, "z_width")));
    assert_int_equal(back->inspection->section[INVAR_INSPECT_REPRESENTATION].series[0].count, 3);
    assert_ok(study_inspect_results_keep(back, folder, &err), &err);
    char *second = kept(folder, "inspect.json");
    assert_string_equal(first, second);
    invar_free(first);
    invar_free(second);
    invar_inspect_results_free(back);
    invar_inspect_results_free(results);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_probe), cmocka_unit_test(test_robustness),
                                       cmocka_unit_test(test_inspect)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
