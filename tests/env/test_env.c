/* SPDX-License-Identifier: Apache-2.0 */
/* Environments in C: what each gives, the same episode for the same seed, states that are saved and restored. */
#include "test.h"

#include "env/preprocess.h"
#include "invar/expert/env.h"
#include "invar/expert/random.h"

TEST_COVERS("env.catch env.recall");

static struct invar_env *open_env(const char *id, const char *settings)
{
    struct invar_error err = {0};
    struct invar_node *node = settings ? invar_node_parse(settings, strlen(settings), "test", &err) : NULL;
    struct invar_env *env = invar_env_create(id, node, &err);
    invar_node_free(node);
    assert_ok(env != NULL, &err);
    return env;
}

/* Plays an episode at random and folds all it gives into one number; from its step `from` on, where it stands already.
 */
static uint32_t play(struct invar_env *env, uint64_t seed, uint64_t episode, int from)
{
    const struct invar_env_info *info = invar_env_info(env);
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, episode, 0);
    struct invar_env_step step = {0};
    struct invar_error err = {0};
    uint32_t sum = 0;

    if (from == 0)
        assert_ok(invar_env_reset(env, seed, 0, episode, &step, &err), &err);
    for (int t = 0; !step.terminated && !step.truncated; t++) {
        const int action = (int)invar_random_below(&random, (uint32_t)info->actions);
        if (t < from)
            continue;
        assert_ok(invar_env_step(env, action, &step, &err), &err);
        sum = invar_crc32(sum, step.observation, (size_t)info->size);
        sum = invar_crc32(sum, &step.reward, sizeof step.reward);
    }
    return sum;
}

static const char *const all[][2] = {
    {"catch", NULL}, {"catch", "{style: train, gray: true}"}, {"catch", "{style: test, distractors: 8}"}};
enum { ALL = sizeof all / sizeof *all };

static void test_info_fits(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        struct invar_env *env = open_env(all[i][0], all[i][1]);
        const struct invar_env_info *info = invar_env_info(env);
        int64_t count = info->shape[0];
        for (int k = 1; k < info->rank; k++)
            count *= info->shape[k];
        assert_int_equal(count * (int64_t)invar_dtype_size(info->dtype), info->size);
        assert_int_equal(info->stack * info->frame_size, info->size);
        assert_string_equal(info->id, all[i][0]);
        assert_true(info->actions > 1 && info->names[info->actions - 1] && info->saves && info->version);
        invar_env_free(env);
    }
}

static void test_episode_is_function_of_seed(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        struct invar_env *env = open_env(all[i][0], all[i][1]), *other = open_env(all[i][0], all[i][1]);
        const uint32_t first = play(env, 3, 7, 0);
        assert_int_equal(play(other, 3, 7, 0), first);
        bool differs = false, seed_differs = false;
        for (uint64_t episode = 8; episode < 18; episode++) {
            differs |= play(env, 3, episode, 0) != first;
            seed_differs |= play(env, 4 + episode, 7, 0) != first;
        }
        assert_true(differs && seed_differs);
        invar_env_free(env);
        invar_env_free(other);
    }
}

static void test_saved_goes_on(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        struct invar_env *env = open_env(all[i][0], all[i][1]), *other = open_env(all[i][0], all[i][1]);
        struct invar_random random = invar_random_stream(5, INVAR_RANDOM_TEST, 0, 2, 0);
        struct invar_env_step step, again;
        struct invar_bytes saved;
        struct invar_error err = {0};
        assert_ok(invar_env_reset(env, 5, 0, 2, &step, &err), &err);
        for (int t = 0; t < 4; t++)
            assert_ok(invar_env_step(env, (int)invar_random_below(&random, (uint32_t)invar_env_info(env)->actions),
                                     &step, &err),
                      &err);
        assert_ok(invar_env_save(env, &saved, &err), &err);
        assert_ok(invar_env_restore(other, saved.data, saved.size, &again, &err), &err);
        assert_memory_equal(again.observation, step.observation, (size_t)invar_env_info(env)->size);
        assert_int_equal(play(other, 5, 2, 4), play(env, 5, 2, 4));
        invar_bytes_free(&saved);
        invar_env_free(env);
        invar_env_free(other);
    }
}

static void test_foreign_states_are_refused(void **state)
{
    (void)state;
    struct invar_env *env = open_env("catch", NULL), *other = open_env("catch", "{style: train}");
    struct invar_bytes saved;
    struct invar_env_step step;
    struct invar_error err = {0};
    assert_refused(invar_env_save(env, &saved, &err), &err, INVAR_ERROR_USAGE, "no episode was begun");
    assert_ok(invar_env_reset(env, 0, 0, 0, &step, &err), &err);
    assert_ok(invar_env_save(env, &saved, &err), &err);
    assert_refused(invar_env_restore(other, saved.data, saved.size, NULL, &err), &err, INVAR_ERROR_FORMAT,
                   "another environment, version or setting");
    for (size_t size = 0; size < saved.size; size += 97)
        assert_refused(invar_env_restore(env, saved.data, size, NULL, &err), &err, INVAR_ERROR_FORMAT,
                       "no saved state");
    for (size_t at = 0; at < saved.size; at += 61) {
        saved.data[at] ^= 1;
        assert_refused(invar_env_restore(env, saved.data, saved.size, NULL, &err), &err, INVAR_ERROR_FORMAT,
                       "no saved state");
        saved.data[at] ^= 1;
    }
    assert_ok(invar_env_restore(env, saved.data, saved.size, NULL, &err), &err);
    invar_bytes_free(&saved);
    invar_env_free(env);
    invar_env_free(other);
}

static void test_wrong_use_is_refused(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_env_step step;
    assert_refused(invar_env_create("katch", NULL, &err), &err, INVAR_ERROR_USAGE, "did you mean \"catch\"?");
    assert_refused(invar_env_create("catch:3", NULL, &err), &err, INVAR_ERROR_USAGE, "write catch");
    struct invar_node *node = invar_node_parse("stile: train", 12, "test", &err);
    assert_refused(invar_env_create("catch", node, &err), &err, INVAR_ERROR_USAGE, "env.stile");
    invar_node_free(node);
    struct invar_env *env = open_env("catch", "{id: catch}");
    assert_refused(invar_env_step(env, 0, &step, &err), &err, INVAR_ERROR_USAGE, "reset");
    assert_ok(invar_env_reset(env, 0, 0, 0, &step, &err), &err);
    assert_refused(invar_env_step(env, 3, &step, &err), &err, INVAR_ERROR_USAGE, "no action 3");
    while (!step.terminated)
        assert_ok(invar_env_step(env, 1, &step, &err), &err);
    assert_refused(invar_env_step(env, 0, &step, &err), &err, INVAR_ERROR_USAGE, "reset");
    invar_env_free(env);
    invar_env_free(NULL);
}

/* ---- catch ---- */

/* Column of the first pixel of a row of white on black that is lit, or -1. */
static int lit(const uint8_t *frame, int row)
{
    for (int x = 0; x < 24; x++)
        if (frame[row * 24 + x] == 255)
            return x;
    return -1;
}

/* Who looks can always catch: the pixels say where ball and paddle are. */
static void test_catch_is_won_by_looking(void **state)
{
    (void)state;
    struct invar_env *env = open_env("catch", "{gray: true}");
    struct invar_error err = {0};
    for (uint64_t episode = 0; episode < 200; episode++) {
        struct invar_env_step step;
        assert_ok(invar_env_reset(env, 1, 0, episode, &step, &err), &err);
        for (int row = 0; !step.terminated; row += 2) {
            const int ball = lit(step.frame, row), paddle = lit(step.frame, 23) + 2;
            assert_true(ball >= 0 && paddle >= 2);
            assert_ok(invar_env_step(env, ball < paddle ? 0 : ball > paddle ? 2 : 1, &step, &err), &err);
        }
        assert_true(step.reward == 1);
    }
    invar_env_free(env);
}

/* What happens is the same in every style; how it looks is not, and no style for testing is one for training. */
static void test_catch_styles_change_looks_alone(void **state)
{
    (void)state;
    static const char *const sets[] = {"{style: plain}", "{style: train}", "{style: test}"};
    struct invar_error err = {0};
    uint8_t picture[3][24 * 24 * 3];
    for (uint64_t episode = 0; episode < 20; episode++) {
        double reward[3] = {0};
        for (int i = 0; i < 3; i++) {
            struct invar_env *env = open_env("catch", sets[i]);
            struct invar_env_step step;
            assert_ok(invar_env_reset(env, 1, 0, episode, &step, &err), &err);
            assert_ok(invar_env_picture(env, picture[i], &err), &err);
            while (!step.terminated)
                assert_ok(invar_env_step(env, (int)(episode % 3), &step, &err), &err);
            reward[i] = step.reward;
            invar_env_free(env);
        }
        assert_true(reward[0] == reward[1] && reward[0] == reward[2]);
        assert_memory_not_equal(picture[0], picture[1], sizeof picture[0]);
        assert_memory_not_equal(picture[1], picture[2], sizeof picture[0]);
    }
}

/* ---- recall ---- */

/* Who remembers the first observation always wins; who looks at the last alone sees the same for every cue. */
static void test_recall_needs_the_first_observation(void **state)
{
    (void)state;
    struct invar_env *env = open_env("recall", "{cues: 4, delay: 5}");
    struct invar_error err = {0};
    int seen[4] = {0}, won = 0;
    for (uint64_t episode = 0; episode < 100; episode++) {
        static const float signal[5] = {0, 0, 0, 0, 1};
        struct invar_env_step step;
        assert_ok(invar_env_reset(env, 1, 0, episode, &step, &err), &err);
        int cue = 0, steps = 0;
        while (((const float *)step.observation)[cue] != 1)
            cue++;
        assert_true(cue < 4);
        seen[cue]++;
        while (memcmp(step.observation, signal, sizeof signal) != 0) {
            assert_ok(invar_env_step(env, (int)(episode % 4), &step, &err), &err);
            assert_true(step.reward == 0 && !step.terminated && steps++ < 6);
        }
        const int action = episode < 50 ? cue : 0;
        assert_ok(invar_env_step(env, action, &step, &err), &err);
        assert_true(step.terminated && step.reward == (action == cue));
        won += step.reward == 1;
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3] && won >= 50 && won < 80);
    assert_refused(invar_env_picture(env, (uint8_t[1]){0}, &err), &err, INVAR_ERROR_USAGE, "no picture");
    invar_env_free(env);
}

/* Every pixel of a much larger picture is one of those that there are. */
static void test_small_screens_grow(void **state)
{
    (void)state;
    static const int sizes[] = {3, 84, 1000, 1023, 1024};
    const uint8_t screen[4] = {10, 10, 250, 250};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int turned = 0; turned < 2; turned++) {
            const struct env_picture picture = {turned ? 2 : 1, turned ? 1 : 2, 1, false, sizes[s], sizes[s]};
            struct invar_error err = {0};
            struct env_preprocess *p = env_preprocess_create(&picture, &err);
            uint8_t *out = invar_alloc((size_t)sizes[s], (size_t)sizes[s], &err);
            assert_true(p && out);
            env_preprocess_apply(p, screen + 1, out);
            for (int y = 0; y < sizes[s]; y++)
                for (int x = 0; x < sizes[s]; x++) {
                    const int along = 2 * (turned ? y : x) + 1, got = out[y * sizes[s] + x];
                    if (along == sizes[s]) /* the middle one, of both */
                        assert_in_range(got, 10, 250);
                    else
                        assert_int_equal(got, along < sizes[s] ? 10 : 250);
                }
            env_preprocess_free(p);
            invar_free(out);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info_fits),
        cmocka_unit_test(test_episode_is_function_of_seed),
        cmocka_unit_test(test_saved_goes_on),
        cmocka_unit_test(test_foreign_states_are_refused),
        cmocka_unit_test(test_wrong_use_is_refused),
        cmocka_unit_test(test_catch_is_won_by_looking),
        cmocka_unit_test(test_catch_styles_change_looks_alone),
        cmocka_unit_test(test_recall_needs_the_first_observation),
        cmocka_unit_test(test_small_screens_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
