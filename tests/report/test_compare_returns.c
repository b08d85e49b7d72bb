/* SPDX-License-Identifier: Apache-2.0 */
/* Agents side by side: arms over games, figures worked out by hand, and what cannot be compared. */
#include "test.h"

#include "invar/expert/env.h"
#include "invar/results.h"
#include "report/compare.h"

enum { MOST = 72 };
static char *folder;
static struct report_run *runs[MOST];
static int run_count;

/* How the next run is made and played. */
static const char *settings = "";
static const char *metrics; /* metrics.jsonl; NULL: none */
static double epsilon;
static int trained;
static int64_t played_seed;

static int setup(void **state)
{
    (void)state;
    folder = test_folder_create();
    run_count = 0;
    settings = "";
    metrics = NULL;
    epsilon = 0;
    played_seed = 0;
    trained = 2;
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
    const struct invar_env_info info = {.id = id,
                                        .version = "v",
                                        .settings = settings,
                                        .least = strcmp(id, "catch") == 0 ? -1 : (double)NAN,
                                        .most = 1,
                                        .score = invar_env_score_find(id)};
    char path[600], recipe[512];
    struct invar_error err = {0};
    snprintf(path, sizeof path, "%.400s/%.100s-%d-%d", folder, name, seed, run_count);
    assert_ok(invar_folder_create(path, &err), &err);
    snprintf(recipe, sizeof recipe,
             "name: %s\nenv:\n  id: %s\n%s%s%sagent:\n  loss: %s\ntraining:\n  steps: 2\n  seed: %d\n", name, id,
             *settings ? "  " : "", settings, *settings ? "\n" : "", name, seed);
    test_file(path, "recipe.yaml", recipe, strlen(recipe));
    test_file(path, "agent.safetensors", "x", 1);
    if (metrics)
        test_file(path, "metrics.jsonl", metrics, strlen(metrics));
    struct invar_returns evaluation = {
        .name = "default", .steps = trained, .seed = played_seed, .epsilon = epsilon, .returns = {1, &returned}};
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

static bool has_note(const struct comparison *c, const char *text)
{
    bool found = false;
    for (int i = 0; i < c->note_count; i++)
        found |= strstr(c->note[i], text) != NULL;
    return found;
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
    assert_false(has_note(&c, "2 steps"));
    assert_true(!c.score[1].scaled && c.score[1].gain.value == 100 && isnan(c.score[1].gain.low));
    comparison_free(&c);
    trained = 1;
    add_run("none", "gym:ALE/Pong-v5", 0, 1, NAN);
    c = compare();
    assert_true(has_note(&c, "its returns (default) are those after 1 of 2 steps"));
    assert_int_equal(c.score_count, 0);
    assert_true(has_note(&c, "some have no scale"));
    comparison_free(&c);
}

/* Scores of other protocols are shown, apart, and no figure mixes them; the reason is the true one. */
static void test_other_protocols(void **state)
{
    (void)state;
    for (int seed = 0; seed < 3; seed++) {
        add_run("none", "catch", seed, 0.9, NAN);
        epsilon = 0.5;
        played_seed = 5;
        add_run("drq", "catch", seed, 0.1, NAN);
        epsilon = 0;
        played_seed = 0;
    }
    struct comparison c = compare();
    assert_int_equal(c.score_count, 2);
    assert_string_equal(c.score[0].evaluation, "default (epsilon 0, seed 0)");
    assert_string_equal(c.score[1].evaluation, "default (epsilon 0.5, seed 5)");
    assert_string_equal(c.score[1].arm, "drq");
    assert_near(c.score[1].iqm.value, 55, 1e-9);
    assert_true(isnan(c.score[1].gain.value) && isnan(c.score[1].improvement.value));
    assert_false(has_note(&c, "no seed is shared"));
    assert_true(has_note(&c, "drq: no difference to none is taken of return, score, which were measured otherwise "
                             "(return: epsilon 0.5, seed 5 here, epsilon 0, seed 0 there)"));
    assert_true(has_note(&c, "returns of evaluation default were not all played alike"));
    assert_true(has_note(&c, "drq and none have no evaluation in common"));
    comparison_free(&c);
    /* within one arm too */
    epsilon = 0.5;
    add_run("none", "catch", 3, -1, NAN);
    epsilon = 0;
    c = compare();
    assert_int_equal(c.score_count, 3);
    assert_true(c.score[0].runs == 3 && c.score[0].iqm.value == 95);
    assert_true(has_note(&c, "its return was measured on epsilon 0.5, that of other seeds on epsilon 0"));
    comparison_free(&c);
}

/* Variants of one environment are arms of their own; where they are played alike, they are compared. */
static void test_variants(void **state)
{
    (void)state;
    const char *const styles[] = {"style: plain", "style: train"};
    for (int seed = 0; seed < 6; seed++) {
        settings = styles[seed / 3];
        add_run("none", "catch", seed % 3, seed < 3 ? 0.9 : 0.1, NAN);
    }
    settings = "style: plain";
    for (int seed = 0; seed < 2; seed++)
        add_run("drq", "catch", seed, 0.5, NAN);
    struct comparison c = compare();
    settings = "";
    assert_int_equal(c.score_count, 3);
    assert_string_equal(c.score[0].arm, "none style=plain");
    assert_string_equal(c.score[1].arm, "drq");
    assert_near(c.score[1].gain.value, -20, 1e-9); /* 75 and 75 less 95 and 95: the third seed has no pair */
    assert_string_equal(c.score[2].arm, "none style=train");
    assert_true(c.score[0].runs == 3 && c.score[2].runs == 3 && isnan(c.score[2].gain.value));
    assert_false(has_note(&c, "no seed is shared"));
    assert_true(has_note(&c, "(return: style train here, style plain there)"));
    comparison_free(&c);
}

/* Options that decide nothing keep no runs apart, nor does what a run of one seed was made twice. */
static void test_indifferent_and_repeated(void **state)
{
    (void)state;
    for (int seed = 0; seed < 2; seed++) {
        settings = seed ? "timeout: 60" : "timeout: 5";
        add_run("none", "catch", seed, 0.8, NAN);
        add_run("drq", "catch", seed, 0.6 + 0.2 * seed, NAN);
    }
    add_run("none", "catch", 0, 0.4, NAN);
    settings = "";
    struct comparison c = compare();
    assert_int_equal(c.group_count, 2);
    assert_int_equal(c.score_count, 2);
    assert_true(c.score[0].runs == 2);
    assert_near(c.score[0].iqm.value, 85, 1e-9); /* of 80, the mean of 90 and 70, and 90 */
    assert_near(c.score[1].gain.value, 0, 1e-9); /* 80 less 80 and 90 less 90 */
    assert_false(has_note(&c, "measured otherwise"));
    assert_false(has_note(&c, "in common"));
    assert_true(has_note(&c, "their mean counts as one seed"));
    comparison_free(&c);
}

/* Numbers of training in one game say nothing beside those in another. */
static void test_metrics_of_training(void **state)
{
    (void)state;
    static const char *const names[] = {"charts/episodic_return", "losses/td_loss", "losses/q_values"};
    static const struct comparison_options options = {.metric = names, .metric_count = 3};
    struct comparison c;
    struct invar_error err = {0};
    metrics = "{\"step\":2,\"charts/episodic_return\":0.5,\"losses/td_loss\":0.25,\"losses/q_values\":1}\n";
    add_run("none", "catch", 0, 0.5, NAN);
    add_run("relic", "recall", 0, 0.5, NAN);
    add_run("drq", "catch", 0, 0.5, NAN);
    assert_ok(comparison_make(&c, runs, run_count, &options, &err), &err);
    assert_int_equal(c.group[1].difference[0].n, 0);
    assert_int_equal(c.group[2].difference[0].n, 1);
    assert_true(c.metric[1].better == -1 && c.metric[2].better == 0);
    assert_string_equal(c.metric[1].unit, "");
    comparison_free(&c);
}

/* However many arms there are, each has its row. */
static void test_many_arms(void **state)
{
    (void)state;
    for (int arm = 0; arm < MOST; arm++) {
        char name[16];
        snprintf(name, sizeof name, "arm-%d", arm);
        add_run(name, "catch", 0, arm % 2, NAN);
    }
    struct comparison c = compare();
    assert_int_equal(c.score_count, MOST);
    comparison_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_arms_over_games, setup, teardown),
        cmocka_unit_test_setup_teardown(test_evaluations_and_seeds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_has_no_scale, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_protocols, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_indifferent_and_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics_of_training, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_arms, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
