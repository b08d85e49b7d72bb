/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run killed with SIGKILL at random moments, ten times, can always be resumed and ends like an uninterrupted one.
 * Training happens in child processes alone, because OpenMP does not survive a fork once it has started threads.
 */
#include "training.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const overrides[] = {"training.epochs=10", "training.checkpoint_interval=2"};

static struct training shared;

/* Trains in a child; its process id. */
static pid_t train_in_child(const char *name)
{
    pid_t child = fork();

    if (child == 0) {
        struct invar_error err = {0};
        shared.device = test_device_open(1, &err);
        bool ok = shared.device && training_run(&shared, name, true, NULL, NULL, NULL, &err);
        if (!ok)
            fprintf(stderr, "%s\n", err.message);
        _exit(ok ? 0 : 1);
    }
    assert_true(child > 0);
    return child;
}

static void finish(const char *name)
{
    int status = 0;
    pid_t child = train_in_child(name);

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void test_killed_at_random(void **state)
{
    struct invar_random random = invar_random_stream(11, INVAR_RANDOM_TEST, 0, 0, 0);
    double begin = seconds(), whole;
    int killed = 0;

    (void)state;
    finish("whole");
    whole = seconds() - begin;
    for (int i = 0; i < 10; i++) {
        int status = 0;
        pid_t child = train_in_child("killed");
        usleep((useconds_t)(1e6 * whole * (double)invar_random_range(&random, 0.02f, 0.4f)));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
    assert_true(killed > 0);
    finish("killed");
    training_assert_same(&shared, "whole", "killed");
}

static int set_up(void **state)
{
    (void)state;
    shared.no_device = true;
    training_open(&shared, overrides, 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    training_close(&shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_at_random)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
