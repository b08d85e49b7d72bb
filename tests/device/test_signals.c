/* SPDX-License-Identifier: Apache-2.0 */
/* Signals while a plan computes: a handler runs on the stack of the thread that it interrupts, never on what oneDNN's
   products take for one (src/device/cpu/signals.h). */
#include "planned.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define INTERVAL 200000L /* ns */
#define SIGNALS 1000
#define OTHER_STACK (64UL << 20)

static uintptr_t stack_low, stack_high;
static pthread_t computes;
static volatile sig_atomic_t count, off_stack;

/* Runs on a stack of its own in the thread that computes, so that what it looks for does no harm. Another thread has
 * its stack right below what pthread_self() points to. */
static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    count = count + 1;
#ifdef __x86_64__
    const ucontext_t *at = context;
    const pthread_t self = pthread_self();
    const bool first = pthread_equal(self, computes);
    const uintptr_t top = (uintptr_t)at->uc_mcontext.gregs[REG_RSP];
    const uintptr_t low = first ? stack_low : (uintptr_t)self - OTHER_STACK,
                    high = first ? stack_high : (uintptr_t)self;
    if (top < low || top > high)
        off_stack = off_stack + 1;
#else
    (void)context;
#endif
}

static timer_t begin_signals(void)
{
    static char other_stack[1 << 16];
    const stack_t other = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    const struct itimerspec every = {{0, INTERVAL}, {0, INTERVAL}};
    pthread_attr_t attributes;
    void *low;
    size_t size;
    timer_t timer;
    computes = pthread_self();
    assert_int_equal(pthread_getattr_np(computes, &attributes), 0);
    assert_int_equal(pthread_attr_getstack(&attributes, &low, &size), 0);
    pthread_attr_destroy(&attributes);
    stack_low = (uintptr_t)low;
    stack_high = stack_low + size;
    count = off_stack = 0;
    assert_int_equal(sigaltstack(&other, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &every, NULL), 0);
    return timer;
}

static void check_threads(int threads)
{
    struct invar_error err = {0};
    struct invar_device *device = test_device_open(threads, &err);
    struct invar_net *net = planned_encoder("{kind: mlp, widths: [256, 256]}", (struct invar_shape){1, 64, 1, 1}, &err);
    struct planned p = planned_open(device, net, 256, 5);
    const struct invar_plan_options options = {
        .batch = 256, .groups = 1, .precision = INVAR_PRECISION_FLOAT32, .mode = INVAR_PLAN_TRAINING};
    struct invar_plan *plan = invar_plan_create(p.weights, &options, &err);
    assert_ok(plan != NULL, &err);
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
#pragma omp parallel num_threads(threads)
    (void)pthread_self(); /* a team that the caller has made, which takes signals */
    const timer_t timer = begin_signals();
    while (count < SIGNALS) {
        struct outcome o = planned_pass(&p, plan, true);
        outcome_free(&o);
    }
    timer_delete(timer);
    signal(SIGALRM, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int s = 1; s < NSIG; s++) /* the caller's mask is what it was */
        assert_int_equal(sigismember(&after, s), sigismember(&before, s));
    assert_int_equal(off_stack, 0);
    invar_plan_free(plan);
    planned_close(&p);
    invar_device_close(device);
}

static void one_thread(void **state)
{
    (void)state;
    check_threads(1);
}

/* And again with more, after fewer: OpenMP ends threads that a team has no use for, and makes them anew. */
static void several_threads(void **state)
{
    (void)state;
    check_threads(3);
    check_threads(2);
    check_threads(4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread),
        cmocka_unit_test(several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
