/* SPDX-License-Identifier: Apache-2.0 */
/* returns.json: what is kept is read again, evaluations of other names stay, and what follows from returns. */
#include "test.h"

#include "invar/expert/env.h"
#include "invar/results.h"
#include "study/returns_results.h"

static struct invar_returns evaluation(const char *name, const double *returns, int64_t count)
{
    return (struct invar_returns){.name = name,
                                  .steps = 100000,
                                  .seed = 3,
                                  .noops = 30,
                                  .epsilon = 0.001,
                                  .returns = {count, returns},
                                  .lengths = {-1, NULL}};
}

static struct invar_env *open_env(const char *id)
{
    struct invar_error err = {0};
    struct invar_env *env = invar_env_create(id, NULL, &err);
    assert_ok(env, &err);
    return env;
}

static void test_equal_returns(void **state)
{
    (void)state;
    double returns[6];
    struct invar_env *env = open_env("catch");
    struct invar_returns one = evaluation("default", returns, 6);

    for (int i = 0; i < 6; i++)
        returns[i] = 1;
    invar_returns_complete(&one, invar_env_info(env));
    assert_true(one.mean == 1 && one.deviation == 0);
    invar_env_free(env);
}

static void test_kept_is_read(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    const double first[] = {1, -1, 1, 1}, second[] = {0.1, 1.0 / 3, -1}, third[] = {1};
    struct invar_env *env = open_env("catch");
    struct invar_returns one = evaluation("default", first, 4), other = evaluation("style=test", second, 3),
                         again = evaluation("default", third, 1);

    assert_null(invar_returns_results_read(folder, &err));
    assert_int_equal(err.code, INVAR_OK);
    invar_returns_complete(&one, invar_env_info(env));
    invar_returns_complete(&other, invar_env_info(env));
    invar_returns_complete(&again, invar_env_info(env));
    assert_true(one.mean == 0.5 && one.deviation == 1 && one.score == 75);
    assert_string_equal(one.scale, "range");
    assert_true(isnan(again.deviation));
    assert_ok(invar_returns_keep(folder, &one, &err), &err);
    assert_ok(invar_returns_keep(folder, &other, &err), &err);
    assert_ok(invar_returns_keep(folder, &again, &err), &err);
    struct invar_returns_results *read = invar_returns_results_read(folder, &err);
    assert_ok(read, &err);
    assert_int_equal(read->evaluations.count, 2);
    const struct invar_returns *found = study_returns_find(read, "style=test");
    assert_non_null(found);
    assert_int_equal(found->returns.count, 3);
    assert_memory_equal(found->returns.value, second, sizeof second);
    assert_true(found->mean == other.mean && found->epsilon == 0.001 && found->noops == 30 && found->steps == 100000);
    assert_string_equal(found->environment, "catch");
    assert_string_equal(found->version, "catch 1");
    assert_non_null(strstr(found->settings, "style: plain"));
    assert_true(study_returns_number(read, "return", &found) == 1);
    assert_true(study_returns_number(read, "score", &found) == 100);
    assert_true(study_returns_number(read, "score.style=test", &found) == other.score);
    assert_true(isnan(study_returns_number(read, "return.other", &found)) && !found);
    assert_true(isnan(study_returns_number(read, "returned", &found)));
    assert_true(isnan(study_returns_number(NULL, "return", &found)));
    invar_returns_results_free(read);
    invar_env_free(env);
    test_folder_remove(folder);
}

static void test_scores_of_games(void **state)
{
    (void)state;
    const double returns[] = {-20.7, 14.6};
    struct invar_returns atari = evaluation("default", returns, 2), none = atari;
    const struct invar_env_info pong = {.id = "gym:ALE/Pong-v5",
                                        .least = NAN,
                                        .most = NAN,
                                        .score = invar_env_score_find("gym:ALE/Pong-v5")},
                                same = {.id = "gym:My/Pong-v0", .least = NAN, .most = NAN};
    invar_returns_complete(&atari, &pong);
    assert_string_equal(atari.scale, "human");
    assert_near(atari.score, 50, 1e-12);
    invar_returns_complete(&none, &same);
    assert_null(none.scale);
    assert_true(isnan(none.score));
}

static void test_foreign_files_are_left_alone(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    const double returns[] = {1};
    const struct invar_returns one = evaluation("default", returns, 1);
    struct invar_bytes bytes;
    test_file(folder, "returns.json", "{\"eval", 6);
    assert_refused(invar_returns_keep(folder, &one, &err), &err, INVAR_ERROR_FORMAT, "returns.json");
    assert_ok(invar_file_read(&bytes, test_path(folder, "returns.json"), 100, &err), &err);
    assert_int_equal(bytes.size, 6);
    invar_bytes_free(&bytes);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_is_read),
        cmocka_unit_test(test_equal_returns),
        cmocka_unit_test(test_scores_of_games),
        cmocka_unit_test(test_foreign_files_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
