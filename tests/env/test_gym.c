/* SPDX-License-Identifier: Apache-2.0 */
/* gym:ID against children that misbehave, which are this program itself: a child is started as `PROGRAM -u -`, and what
 * it does is the ID that it is asked for. No Python is needed. */
#include "test.h"

#include "invar/expert/env.h"
#include "invar/watch.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TEST_COVERS("env.gym");

/* ---- the child ---- */

struct command {
    uint32_t what;
    int32_t argument;
    uint64_t value;
};
struct answer {
    uint32_t failed, flags;
    int32_t lives, frames;
    double reward;
    uint64_t size;
};
enum { HELLO = 1, MAP, RESET, STEP, SAVE, RESTORE, PICTURE };

static const char *id;

static bool is(const char *name)
{
    return strcmp(id, name) == 0;
}

static void take(void *out, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t count = read(3, (char *)out + done, size - done);
        if (count <= 0)
            _exit(0);
        done += (size_t)count;
    }
}

static void give(const void *data, size_t size)
{
    if (size && write(3, data, size) != (ssize_t)size)
        _exit(9);
}

static void reply(struct answer answer, const void *behind)
{
    give(&answer, sizeof answer);
    give(behind, answer.size);
}

/* What a good child says of itself, with one member changed by those that lie. */
static void greet(void)
{
    static const char *const lies[][2] = {{"lie-protocol", "\"protocol\": 2"},
                                          {"lie-shape", "\"shape\": [2, -3, 3]"},
                                          {"lie-nan-shape", "\"shape\": [2, null, 3]"},
                                          {"lie-rank", "\"shape\": [2, 2, 2, 2]"},
                                          {"lie-size", "\"shape\": [16384, 16384, 16384]"},
                                          {"lie-dtype", "\"dtype\": \"int7\""},
                                          {"lie-actions", "\"names\": []"},
                                          {"lie-lives", "\"lives\": -1"},
                                          {"lie-skip", "\"skip\": 0"},
                                          {"lie-picture", "\"picture\": [1e9, 1e9]"},
                                          {"lie-nothing", "\"version\": 7"},
                                          {"floats", "\"dtype\": \"float32\", \"shape\": [5], \"picture\": [0, 0]"},
                                          {"stacked", "\"atari\": true"},
                                          {"pong", "\"atari\": true"}};
    char text[1024];
    const char *lie = "";

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        if (is(lies[i][0]))
            lie = lies[i][1];
    /* of a member that comes twice the first counts */
    snprintf(text, sizeof text,
             "{%s%s\"protocol\": 1, \"version\": \"fake 1\", \"names\": [\"a\", \"b\"], \"lives\": 3, \"saves\": true, "
             "\"limit\": 100, \"picture\": [2, 4], \"pool\": false, \"atari\": false, \"shape\": [2, 4, 3], "
             "\"dtype\": \"uint8\", \"skip\": 1}",
             lie, *lie ? ", " : "");
    if (is("lie-json"))
        snprintf(text, sizeof text, "{\"protocol\": 1");
    reply((struct answer){.size = strlen(text)}, text);
}

static void misbehave(uint32_t what)
{
    static char line[1 << 16];

    if ((is("dies") && what == HELLO) || (is("dies-at-step") && what == STEP)) {
        fprintf(stderr, "Traceback\nKaboomError: the game is over\n\n");
        _exit(3);
    }
    if (is("crashes") && what == STEP)
        raise(SIGKILL);
    if (is("leaves-a-child") && what == STEP) { /* that has all that it had, the socket too */
        if (fork() == 0)
            for (;;)
                pause();
        _exit(5);
    }
    if ((is("hangs") && what == HELLO) || (is("hangs-at-step") && what == STEP))
        pause();
    if (is("chatty")) {
        memset(line, 'x', sizeof line);
        for (int i = 0; i < 20; i++)
            fwrite(line, 1, sizeof line, stderr);
    }
    if (is("shrinks") && what == STEP && ftruncate(4, 0) == 0)
        _exit(7);
    if (is("lie-huge") && what == STEP)
        reply((struct answer){.size = UINT64_MAX}, "");
    if (is("lie-text") && what == STEP)
        reply((struct answer){.failed = 1, .size = 1 << 20}, "");
    if (is("lie-half") && what == STEP) {
        give("half", 4);
        _exit(0);
    }
    if (is("refuses") && what == HELLO) {
        const char *why = "there is no such thing; type pip install thing";
        reply((struct answer){.failed = 1, .size = strlen(why)}, why);
    }
}

static _Noreturn void fake(void)
{
    static char asked[4096];
    static uint8_t *memory;
    uint64_t state = 0;

    for (;;) {
        struct command command;
        struct answer answer = {.lives = 3, .frames = 1};
        take(&command, sizeof command);
        if (command.what == HELLO || command.what == RESTORE)
            take(asked, command.value);
        if (command.what == HELLO) {
            const char *at = strstr(asked, "\"id\":");
            id = strdup(strchr(at + 5, '"') + 1);
            *strchr(id, '"') = 0;
        }
        misbehave(command.what);
        switch (command.what) {
        case HELLO:
            greet();
            continue;
        case MAP:
            memory = mmap(NULL, command.value, PROT_READ | PROT_WRITE, MAP_SHARED, 4, 0);
            break;
        case RESET:
            state = command.value % 100;
            break;
        case STEP:
            state = state * 7 + (uint64_t)command.argument + 1;
            answer.reward = is("nan") ? NAN : (double)state;
            answer.flags = is("lie-flags") ? 12 : state % 11 == 0;
            answer.lives = is("lie-step") ? -5 : 3;
            break;
        case SAVE:
            reply((struct answer){.size = sizeof state}, &state);
            continue;
        case RESTORE:
            memcpy(&state, asked, sizeof state);
            break;
        default:
            break;
        }
        if (command.what == PICTURE)
            memset(memory + 48, 9, 24);
        else if (is("floats"))
            ((float *)(void *)memory)[2] = command.what == STEP ? INFINITY : 1.5f;
        else if (memory)
            for (int i = 0; i < 24; i++)
                memory[i] = (uint8_t)(state + (uint64_t)i);
        reply(answer, "");
    }
}

/* ---- the tests ---- */

static struct invar_env *try_env(const char *name, const char *settings, struct invar_error *err)
{
    char text[256], full[64];
    snprintf(text, sizeof text, "{timeout: 5%s%s}", settings ? ", " : "", settings ? settings : "");
    snprintf(full, sizeof full, "gym:%s", name);
    struct invar_node *node = invar_node_parse(text, strlen(text), "test", err);
    struct invar_env *env = invar_env_create(full, node, err);
    invar_node_free(node);
    return env;
}

static struct invar_env *open_env(const char *name, const char *settings)
{
    struct invar_error err = {0};
    struct invar_env *env = try_env(name, settings, &err);
    assert_ok(env, &err);
    return env;
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static int before;

/* Nothing is left behind: no child, no zombie, no descriptor. */
static int nothing_left(void **state)
{
    (void)state;
    return waitpid(-1, NULL, WNOHANG) != -1 || descriptors() != before;
}

static void test_good_child(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_env *env = open_env("good", NULL), *other = open_env("good", "timeout: 6");
    const struct invar_env_info *info = invar_env_info(env);
    struct invar_env_step step, again;
    struct invar_bytes saved;
    uint8_t rgb[24];

    assert_string_equal(info->version, "fake 1");
    assert_true(info->dtype == INVAR_UINT8 && info->rank == 3 && info->shape[0] == 3 && info->shape[1] == 2 &&
                info->shape[2] == 4 && info->actions == 2 && info->lives == 3 && info->limit == 100);
    assert_ok(invar_env_reset(env, 1, 0, 0, &step, &err), &err);
    const uint8_t *seen = step.observation;
    for (int i = 0; i < 24; i++) /* planes of what the child has as pixels */
        assert_int_equal((uint8_t)(seen[i] - seen[0]), i % 8 * 3 + i / 8);
    assert_ok(invar_env_picture(env, rgb, &err), &err);
    assert_int_equal(rgb[23], 9);
    assert_ok(invar_env_step(env, 1, &step, &err), &err);
    assert_ok(invar_env_save(env, &saved, &err), &err);
    assert_ok(invar_env_restore(other, saved.data, saved.size, &again, &err), &err);
    for (int i = 0; i < 3 && !step.terminated; i++) {
        assert_ok(invar_env_step(env, 0, &step, &err), &err);
        assert_ok(invar_env_step(other, 0, &again, &err), &err);
        assert_true(step.reward == again.reward && step.terminated == again.terminated);
        assert_memory_equal(step.observation, again.observation, 24);
    }
    invar_bytes_free(&saved);
    invar_env_free(env);
    invar_env_free(other);
}

static void test_options_of_observations(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_env *env = open_env("good", "gray: yes, stack: 3, size: 2");
    const struct invar_env_info *info = invar_env_info(env);
    struct invar_env_step step;
    uint8_t newest[4];

    assert_true(info->shape[0] == 3 && info->shape[1] == 2 && info->shape[2] == 2 && info->stack == 3);
    assert_ok(invar_env_reset(env, 1, 0, 0, &step, &err), &err);
    const uint8_t *seen = step.observation;
    assert_memory_equal(seen, seen + 8, 4);
    memcpy(newest, step.frame, 4);
    assert_ok(invar_env_step(env, 1, &step, &err), &err);
    assert_memory_equal((const uint8_t *)step.observation + 4, newest, 4);
    assert_memory_not_equal(step.frame, newest, 4);
    invar_env_free(env);

    env = open_env("stacked", NULL); /* a child that says it is Atari */
    assert_true(invar_env_info(env)->stack == 4 && invar_env_info(env)->shape[1] == 84);
    invar_env_free(env);
    env = open_env("pong", NULL);
    assert_ptr_equal(invar_env_info(env)->score, invar_env_score_find("pong"));
    invar_env_free(env);
    assert_refused(try_env("good", "noops: 30", &err), &err, INVAR_ERROR_USAGE, "env.noops");
    assert_refused(try_env("floats", "size: 84", &err), &err, INVAR_ERROR_USAGE, "env.size");
}

static void test_children_that_fail_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *id, *says;
        enum invar_error_code code;
    } cases[] = {
        {"dies", "ended with status 3; the last it said was \"KaboomError: the game is over\"", INVAR_ERROR_SYSTEM},
        {"refuses", "gym:refuses: there is no such thing; type pip install thing", INVAR_ERROR_USAGE},
        {"lie-protocol", "another protocol", INVAR_ERROR_DATA},
        {"lie-shape", "observation without a size", INVAR_ERROR_DATA},
        {"lie-nan-shape", "cannot be", INVAR_ERROR_DATA},
        {"lie-rank", "type or rank", INVAR_ERROR_DATA},
        {"lie-size", "more than 256 MiB", INVAR_ERROR_DATA},
        {"lie-dtype", "type or rank", INVAR_ERROR_DATA},
        {"lie-actions", "actions below 1", INVAR_ERROR_DATA},
        {"lie-lives", "lives, limit or skip", INVAR_ERROR_DATA},
        {"lie-skip", "lives, limit or skip", INVAR_ERROR_DATA},
        {"lie-picture", "picture without a size", INVAR_ERROR_DATA},
        {"lie-nothing", "not all of it", INVAR_ERROR_DATA},
        {"lie-json", "is torn or no JSON", INVAR_ERROR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_error err = {0};
        assert_refused(try_env(cases[i].id, NULL, &err), &err, cases[i].code, cases[i].says);
    }
}

static void test_children_that_fail_later(void **state)
{
    (void)state;
    static const struct {
        const char *id, *says;
        enum invar_error_code code;
    } cases[] = {
        {"dies-at-step", "KaboomError", INVAR_ERROR_SYSTEM},
        {"crashes", "by signal 9", INVAR_ERROR_SYSTEM},
        {"lie-half", "ended with status 0, and said nothing", INVAR_ERROR_SYSTEM},
        {"lie-huge", "broke the protocol", INVAR_ERROR_DATA},
        {"lie-text", "broke the protocol", INVAR_ERROR_DATA},
        {"lie-flags", "broke the protocol", INVAR_ERROR_DATA},
        {"lie-step", "broke the protocol", INVAR_ERROR_DATA},
        {"nan", "reward that is not finite", INVAR_ERROR_NUMERIC},
        {"floats", "number that is not finite", INVAR_ERROR_NUMERIC},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_error err = {0};
        struct invar_env *env = open_env(cases[i].id, NULL);
        struct invar_env_step step;
        assert_ok(invar_env_reset(env, 1, 0, 0, &step, &err), &err);
        assert_refused(invar_env_step(env, 0, &step, &err), &err, cases[i].code, cases[i].says);
        assert_refused(invar_env_step(env, 0, &step, &err), &err, INVAR_ERROR_USAGE, "reset");
        if (cases[i].code == INVAR_ERROR_SYSTEM) /* and says so again, without a SIGPIPE */
            assert_refused(invar_env_reset(env, 1, 0, 0, &step, &err), &err, INVAR_ERROR_SYSTEM, cases[i].says);
        invar_env_free(env);
    }
}

static void test_an_end_is_seen_at_once(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_env *env = open_env("leaves-a-child", "timeout: 60");
    struct invar_env_step step;
    assert_ok(invar_env_reset(env, 1, 0, 0, &step, &err), &err);
    const double begun = invar_seconds();
    assert_refused(invar_env_step(env, 0, &step, &err), &err, INVAR_ERROR_SYSTEM, "its process ended with status 5");
    assert_true(invar_seconds() - begun < 10);
    invar_env_free(env);
}

static void test_children_that_hang(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_env_step step;
    double begun = invar_seconds();
    struct invar_node *node = invar_node_parse("timeout: 0.5", 12, "test", &err);
    assert_refused(invar_env_create("gym:hangs", node, &err), &err, INVAR_ERROR_SYSTEM, "no answer for 0.5 s");
    assert_true(invar_seconds() - begun < 4);
    struct invar_env *env = invar_env_create("gym:hangs-at-step", node, &err);
    assert_ok(env, &err);
    assert_ok(invar_env_reset(env, 1, 0, 0, &step, &err), &err);
    assert_refused(invar_env_step(env, 0, &step, &err), &err, INVAR_ERROR_SYSTEM, "raise env.timeout");
    invar_env_free(env);
    begun = invar_seconds();
    env = invar_env_create("gym:good", node, &err); /* a free does not wait for the timeout */
    assert_ok(env, &err);
    invar_env_free(env);
    assert_true(invar_seconds() - begun < 0.5);
    invar_node_free(node);
}

/* A child that says a lot is heard, and does not wait for us; one that cuts the shared memory cannot. */
static void test_children_that_do_too_much(void **state)
{
    (void)state;
    static const char *const names[] = {"chatty", "shrinks"};
    for (int i = 0; i < 2; i++) {
        struct invar_error err = {0};
        struct invar_env *env = open_env(names[i], NULL);
        struct invar_env_step step;
        assert_ok(invar_env_reset(env, 1, 0, 0, &step, &err), &err);
        assert_ok(invar_env_step(env, 0, &step, &err), &err);
        assert_int_equal(step.lives, 3);
        invar_env_free(env);
    }
}

static void test_programs_that_are_no_python(void **state)
{
    (void)state;
    struct invar_error err = {0};
    assert_refused(try_env("x", "python: /nowhere/python3", &err), &err, INVAR_ERROR_USAGE,
                   "there is no program \"/nowhere/python3\"; install Python");
    assert_refused(try_env("x", "python: /etc/passwd", &err), &err, INVAR_ERROR_SYSTEM, "cannot be run");
    assert_refused(try_env("x", "python: \"true\"", &err), &err, INVAR_ERROR_SYSTEM, "ended with status 0");
    assert_refused(invar_env_create("gym", NULL, &err), &err, INVAR_ERROR_USAGE, "write gym:ID");
}

/* What a program has to do with signals is its own: one that ignores SIGCHLD, or blocks all signals. */
static void test_signals_stay_the_callers(void **state)
{
    (void)state;
    sigset_t all, old;
    struct sigaction was;
    struct invar_error err = {0};
    signal(SIGCHLD, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    struct invar_env *env = open_env("crashes", NULL);
    struct invar_env_step step;
    assert_ok(invar_env_reset(env, 1, 0, 0, &step, &err), &err);
    assert_refused(invar_env_step(env, 0, &step, &err), &err, INVAR_ERROR_SYSTEM, "its process ended");
    invar_env_free(env);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(sigaction(SIGCHLD, NULL, &was), 0);
    assert_true(was.sa_handler == SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-u") == 0)
        fake();
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return 1;
    self[length] = 0;
    setenv("INVAR_PYTHON", self, 1);
    before = descriptors();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_good_child, nothing_left),
        cmocka_unit_test_teardown(test_options_of_observations, nothing_left),
        cmocka_unit_test_teardown(test_children_that_fail_at_once, nothing_left),
        cmocka_unit_test_teardown(test_children_that_fail_later, nothing_left),
        cmocka_unit_test_teardown(test_an_end_is_seen_at_once, nothing_left),
        cmocka_unit_test_teardown(test_children_that_hang, nothing_left),
        cmocka_unit_test_teardown(test_children_that_do_too_much, nothing_left),
        cmocka_unit_test_teardown(test_programs_that_are_no_python, nothing_left),
        cmocka_unit_test_teardown(test_signals_stay_the_callers, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
