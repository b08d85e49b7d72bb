/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cpu-guarded is for: a host that touches memory of the device dies, whatever was done with it before, and one
 * that keeps to upload, download and operations does not. Each trespass is a child of its own.
 */
#include "test.h"

#include "invar/device.h"
#include "invar/expert/dense.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 4096 /* several pages of float32 */

static struct invar_device *device;

static int open_guarded(void **state)
{
    (void)state;
    device = invar_device_open("cpu-guarded", 2, NULL);
    return device ? 0 : -1;
}

static int close_guarded(void **state)
{
    (void)state;
    invar_device_close(device);
    return 0;
}

static float *numbers(void)
{
    float *x = invar_device_alloc(device, COUNT, sizeof *x, NULL);
    assert_non_null(x);
    return x;
}

/* In the order of the names of `trespasses`. x and y are memory of the device, x used in every way before. */
enum trespass { NOTHING, READ, READ_LAST, WRITE, READ_FREED, UPLOAD_FROM, DOWNLOAD_TO, TRESPASSES };

static const char *const trespasses[TRESPASSES] = {"nothing",
                                                   "a read",
                                                   "a read of the last number",
                                                   "a write",
                                                   "a read of freed memory",
                                                   "an upload from the device",
                                                   "a download to the device"};

static void do_it(enum trespass what, float *x, float *y)
{
    volatile float *direct = x;
    float found = 0;

    switch (what) {
    case READ:
        found = direct[0];
        break;
    case READ_LAST:
        found = direct[COUNT - 1];
        break;
    case WRITE:
        direct[COUNT / 2] = 1;
        break;
    case READ_FREED:
        invar_device_free(device, x);
        found = direct[0];
        break;
    case UPLOAD_FROM:
        invar_device_upload(device, y, x, COUNT * sizeof *x);
        break;
    case DOWNLOAD_TO:
        invar_device_download(device, y, x, COUNT * sizeof *x);
        break;
    default:
        break;
    }
    (void)found;
}

/* The signal that ended a child which did this, 0 where it came back. */
static int ended_by(enum trespass what, float *x, float *y)
{
    int status = 0;
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* not cmocka's, nor a sanitizer's */
        do_it(what, x, y);
        _exit(0);
    }
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void expect_all_but_nothing_to_end(float *x, float *y)
{
    for (int what = 0; what < TRESPASSES; what++) {
        const int found = ended_by((enum trespass)what, x, y), expected = what == NOTHING ? 0 : SIGSEGV;
        if (found != expected)
            fail_msg("%s: signal %d, expected %d", trespasses[what], found, expected);
    }
}

static void the_host_cannot_reach_memory(void **state)
{
    float *x = numbers(), *y = numbers();

    (void)state;
    expect_all_but_nothing_to_end(x, y); /* fresh */

    float *host = calloc(COUNT, sizeof *host);
    assert_non_null(host);
    invar_device_upload(device, x, host, COUNT * sizeof *x);
    invar_device_upload(device, x + 1, host, sizeof *x);
    expect_all_but_nothing_to_end(x, y); /* written */
    invar_device_download(device, host, x, COUNT * sizeof *x);
    invar_device_download(device, host, x + COUNT - 1, sizeof *x);
    expect_all_but_nothing_to_end(x, y); /* read */

    const struct invar_matrix m = {.dtype = INVAR_FLOAT32, .rows = 1, .cols = COUNT, .data = x};
    invar_dense_affine(device, 0, 3, &m);
    expect_all_but_nothing_to_end(x, y); /* computed with */
    free(host);
    invar_device_free(device, x);
    invar_device_free(device, y);
}

/* What was given out again after another was freed. */
static void reused_memory_is_closed_and_zero(void **state)
{
    float *x = numbers(), *y = numbers(), value = 1;

    (void)state;
    invar_device_upload(device, x, &value, sizeof value);
    invar_device_free(device, x);
    float *again = numbers();
    assert_ptr_equal(again, x);
    invar_device_download(device, &value, again, sizeof value);
    assert_true(value == 0);
    expect_all_but_nothing_to_end(again, y);
    invar_device_free(device, again);
    invar_device_free(device, y);
}

/* Operations and copies see the same numbers. */
static void operations_see_what_was_uploaded(void **state)
{
    float *x = numbers(), host[COUNT];
    const struct invar_matrix m = {.dtype = INVAR_FLOAT32, .rows = 8, .cols = COUNT / 8, .data = x};

    (void)state;
    for (int i = 0; i < COUNT; i++)
        host[i] = (float)i;
    invar_device_upload(device, x, host, sizeof host);
    invar_dense_affine(device, 2, 1, &m);
    invar_device_download(device, host, x, sizeof host);
    for (int i = 0; i < COUNT; i++)
        assert_true(host[i] == (float)(2 * i + 1));
    invar_device_free(device, x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_cannot_reach_memory),
        cmocka_unit_test(reused_memory_is_closed_and_zero),
        cmocka_unit_test(operations_see_what_was_uploaded),
    };
    return cmocka_run_group_tests(tests, open_guarded, close_guarded);
}
