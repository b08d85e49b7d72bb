/* SPDX-License-Identifier: Apache-2.0 */
/* Agents side by side: arms over games, figures worked out by hand, and what cannot be compared. */
#include "test.h"

#include "invar/expert/env.h"
#include "invar/results.h"
#include "report/compare.h"

enum { MOST = 16 };
static char *folder;
static struct report_run *runs[MOST];
static int run_count;

static int setup(void **state)
{
    (void)state;
    folder = test_folder_create();
    run_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < run_count; i++)
        report_run_free(runs[i]);
    test_folder_remove(folder);
    return 0;
}

/* A run of an agent: its recipe as resolved, and one episode of a return for every evaluation. */
static void add_run(const char *name, const char *id, int seed, double returned, double unseen)
{
    const struct invar_env_info info = {
        .id = id, .version = "v", .settings = "", .least = strcmp(id, "catch") == 0 ? -1 : (double)NAN, .most = 1};
    char path[600], recipe[512];
    struct invar_error err = {0};
    snprintf(path, sizeof path, "%.400s/%.100s-%d-%d", folder, name, seed, run_count);
    assert_ok(invar_folder_create(path, &err), &err);
    snprintf(recipe, sizeof recipe, "name: %s\nenv:\n  id: %s\nagent:\n  loss: %s\ntraining:\n  seed: %d\n", name, id,
             name, seed);
    test_file(path, "recipe.yaml", recipe, strlen(recipe));
    test_file(path, "agent.safetensors", "x", 1);
    struct invar_returns evaluation = {.name = "default", .steps = 1, .returns = {1, &returned}};
    invar_returns_complete(&evaluation, &info);
    assert_ok(invar_returns_keep(path, &evaluation, &err), &err);
    if (!isnan(unseen)) {
        evaluation.name = "unseen";
        evaluation.returns.value = &unseen;
        invar_returns_complete(&evaluation, &info);
        assert_ok(invar_returns_keep(path, &evaluation, &err), &err);
    }
    runs[run_count] = report_run_read(path, &err);
    assert_ok(runs[run_count++], &err);
}

static struct comparison compare(void)
{
    static const struct comparison_options options;
    struct comparison c;
    struct invar_error err = {0};
    assert_ok(comparison_make(&c, runs, run_count, &options, &err), &err);
    return c;
}

/* Pong and Breakout, three seeds of each: half of the way and all of it. */
static void test_arms_over_games(void **state)
{
    (void)state;
    for (int seed = 0; seed < 3; seed++) {
        add_run("none", "gym:ALE/Pong-v5", seed, -20.7 + 0.353 * (40 + seed), NAN);
        add_run("none", "gym:ALE/Breakout-v5", seed, 1.7 + 0.288 * (60 + seed), NAN);
        add_run("relic", "gym:ALE/Pong-v5", seed, -20.7 + 0.353 * (50 + seed), NAN);
        add_run("relic", "gym:ALE/Breakout-v5", seed, 1.7 + 0.288 * (60 + 2 * seed), NAN);
    }
    struct comparison c = compare();
    assert_int_equal(c.group_count, 4);
    assert_int_equal(c.score_count, 2);
    const struct comparison_score *none = &c.score[0], *relic = &c.score[1];
    assert_string_equal(none->arm, "none");
    assert_string_equal(relic->arm, "relic");
    assert_true(none->games == 2 && none->runs == 6 && none->scaled && isnan(none->gain.value));
    assert_near(none->iqm.value, (41 + 42 + 60 + 61) / 4.0, 1e-9); /* 40 [41 42 60 61] 62 */
    assert_near(relic->iqm.value, (51 + 52 + 60 + 62) / 4.0, 1e-9);
    assert_near(relic->improvement.value, (1 + 6.0 / 9) / 2, 1e-9); /* 60 62 64 above 60 61 62: 1/2 + 2 1/2 + 3 */
    assert_near(relic->gain.value, (10 + 1) / 2.0, 1e-9);
    assert_true(relic->gain.low > 0 && relic->gain.high < 6.5);
    struct invar_text text = {0};
    struct invar_error err = {0};
    assert_ok(comparison_text(&c, 200, &text, &err), &err);
    assert_non_null(strstr(text.data, "scores over games"));
    assert_non_null(strstr(text.data, "+5.50 ("));
    assert_null(strstr(text.data, "results of a probe"));
    assert_null(strstr(text.data, "not ended"));
    invar_text_free(&text);
    struct json_writer w = {0};
    comparison_json(&c, &w);
    assert_ok(json_written(&w, "a comparison", &err), &err);
    assert_non_null(strstr(w.text.data, "\"told_apart\":true"));
    json_writer_free(&w);
    comparison_free(&c);
}

/* Two evaluations of one environment; seeds that only one arm has make no pairs. */
static void test_evaluations_and_seeds(void **state)
{
    (void)state;
    for (int seed = 0; seed < 4; seed++) {
        add_run("none", "catch", seed, 0.8 + 0.05 * seed, -0.2 + 0.1 * seed);
        add_run("relic", "catch", seed + 2, 0.8 + 0.05 * seed, 0);
    }
    struct comparison c = compare();
    assert_int_equal(c.score_count, 4);
    assert_string_equal(c.score[2].evaluation, "unseen");
    assert_near(c.score[0].iqm.value, 93.75, 1e-9); /* of 90 92.5 95 97.5 */
    assert_near(c.score[1].gain.value, -5, 1e-9);   /* seeds 2 and 3: 90 92.5 less 95 97.5 */
    assert_near(c.score[3].gain.value, -2.5, 1e-9); /* 50 50 less 50 55 */
    assert_true(c.score[3].gain.low <= -5 + 1e-9 && c.score[3].gain.high >= -1e-9);
    comparison_free(&c);
}

static void test_what_has_no_scale(void **state)
{
    (void)state;
    add_run("none", "gym:CartPole-v1", 0, 100, NAN);
    add_run("relic", "gym:CartPole-v1", 0, 200, NAN);
    struct comparison c = compare();
    assert_int_equal(c.score_count, 2);
    assert_true(!c.score[1].scaled && c.score[1].gain.value == 100 && isnan(c.score[1].gain.low));
    comparison_free(&c);
    add_run("none", "gym:ALE/Pong-v5", 0, 1, NAN);
    c = compare();
    assert_int_equal(c.score_count, 0);
    bool noted = false;
    for (int i = 0; i < c.note_count; i++)
        noted |= strstr(c.note[i], "some have no scale") != NULL;
    assert_true(noted);
    comparison_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_arms_over_games, setup, teardown),
        cmocka_unit_test_setup_teardown(test_evaluations_and_seeds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_has_no_scale, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
