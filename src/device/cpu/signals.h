/* SPDX-License-Identifier: Apache-2.0 */
/* No signal is delivered to a thread that runs an operation of oneDNN: its products of float32 point the stack register
   into the heap for as long as they take (to 3.11; its issue 4845), and what the kernel lays on that stack for a
   handler, whoever's it is, overwrites what lies there. A signal waits for the end of the operation, or goes to another
   thread of the process. */
#ifndef INVAR_SRC_DEVICE_CPU_SIGNALS_H
#define INVAR_SRC_DEVICE_CPU_SIGNALS_H

#include <omp.h>
#include <pthread.h>
#include <signal.h>

/* All but those that an instruction itself raises: a fault that waits is one without end. */
static inline void signals_hold(sigset_t *before)
{
    static const int of_instructions[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t held;
    sigfillset(&held);
    for (unsigned i = 0; i < sizeof of_instructions / sizeof *of_instructions; i++)
        sigdelset(&held, of_instructions[i]);
    pthread_sigmask(SIG_BLOCK, &held, before);
}

static inline void signals_release(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* OpenMP's threads for good: they compute and do nothing else. Asked anew wherever operations follow, since a team may
 * have been made smaller and larger again, and its new threads have the caller's mask. */
static inline void signals_hold_team(int threads)
{
    if (threads == 1)
        return;
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() > 0) {
        static _Thread_local int is_held;
        sigset_t before;
        if (!is_held)
            signals_hold(&before);
        is_held = 1;
    }
}

#endif
