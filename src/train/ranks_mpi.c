/* SPDX-License-Identifier: Apache-2.0 */
/* libinvar-mpi.so: ranks over MPI. It moves bytes and computes nothing, and calls nothing of libinvar. */
#include "train/ranks.h"

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NAP_AFTER 0.05 /* seconds of a wait */

static double limit_s, patience_s;
static MPI_Comm comms[INVAR_RANKS_LANES];
static MPI_Request requests[INVAR_RANKS_LANES];

static bool fail(struct invar_error *err, const char *what, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;

    if (code != MPI_SUCCESS)
        MPI_Error_string(code, text, &length);
    err->code = INVAR_ERROR_SYSTEM;
    snprintf(err->message, sizeof err->message, "%s%s%.300s", what, *text ? ": " : "", text);
    return false;
}

/* How long to look again and again before others have the core, in seconds: most answers come within that, and a core
 * that was given away comes back a time slice later. Where processes outnumber cores, somebody else needs it now. */
static double patience(void)
{
    const char *local = getenv("OMPI_COMM_WORLD_LOCAL_SIZE");

    return local && strtol(local, NULL, 10) > sysconf(_SC_NPROCESSORS_ONLN) ? 0 : 0.005;
}

/* How long a wait has lasted, in seconds, as far as this one was there to wait: who was stopped itself has waited for
 * nobody. */
struct wait {
    double begin, last;
};

/* Lets others have the core where it may take a while, and no more than looks in where it does take one: another may
 * need the core to get there, or be writing a checkpoint. False after the limit. */
static bool wait_on(struct wait *w)
{
    const double now = MPI_Wtime(), waited = now - w->begin;

    if (waited < patience_s)
        return true;
    if (waited < NAP_AFTER)
        sched_yield();
    else
        nanosleep(&(struct timespec){0, 200000}, NULL);
    w->begin += now - w->last > 1 ? now - w->last : 0;
    w->last = now;
    return !(limit_s > 0 && now - w->begin > limit_s);
}

/* Nothing that waits may wait for ever: a process that was stopped, or cut off, never answers and is no error of MPI.
 */
static bool arrived(void *state, enum invar_ranks_lane lane, bool wait, bool *there, struct invar_error *err)
{
    struct wait w = {MPI_Wtime(), MPI_Wtime()};
    int done = 0;

    (void)state;
    while (true) {
        const int code = MPI_Test(&requests[lane], &done, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS)
            return fail(err, "another process is gone", code);
        *there = done;
        if (done || !wait)
            return true;
        if (wait_on(&w))
            continue;
        char what[200];
        snprintf(what, sizeof what,
                 "another process has been silent for %g s: look whether it was stopped or cut off, or wait longer for "
                 "it",
                 limit_s);
        return fail(err, what, MPI_SUCCESS);
    }
}

/* MPI counts in int. */
static bool start(void *state, enum invar_ranks_lane lane, enum invar_ranks_way way, const void *own, size_t bytes,
                  void *all, struct invar_error *err)
{
    const MPI_Comm comm = comms[lane];
    MPI_Request *request = &requests[lane];
    const int count = (int)bytes;
    int code = MPI_SUCCESS;

    (void)state;
    if (bytes > INT_MAX)
        return fail(err, "more than 2 GiB at once are to be sent to other processes", MPI_SUCCESS);
    switch (way) {
    case INVAR_RANKS_GATHER:
        code = MPI_Iallgather(own, count, MPI_BYTE, all, count, MPI_BYTE, comm, request);
        break;
    case INVAR_RANKS_EXCHANGE:
        code = MPI_Ialltoall(own, count, MPI_BYTE, all, count, MPI_BYTE, comm, request);
        break;
    case INVAR_RANKS_BROADCAST:
        code = MPI_Ibcast(all, count, MPI_BYTE, 0, comm, request);
        break;
    }
    return code == MPI_SUCCESS || fail(err, "MPI failed", code);
}

static void close_mpi(void *state, bool ended)
{
    (void)state;
    if (ended)
        MPI_Abort(MPI_COMM_WORLD, 1);
    else
        MPI_Finalize();
}

static const struct invar_ranks_table table = {start, arrived, close_mpi};

/* SERIALIZED: the thread that trains talks, or another in its place while it does something that takes long. */
__attribute__((visibility("default"))) bool invar_ranks_mpi_2(double timeout, struct invar_ranks_opened *out,
                                                              struct invar_error *err);
bool invar_ranks_mpi_2(double timeout, struct invar_ranks_opened *out, struct invar_error *err)
{
    int level, code, ready = 0;

    MPI_Initialized(&ready);
    if (!ready && (code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level)) != MPI_SUCCESS)
        return fail(err, "MPI cannot be started", code);
    for (int lane = 0; lane < INVAR_RANKS_LANES; lane++) {
        if ((code = MPI_Comm_dup(MPI_COMM_WORLD, &comms[lane])) != MPI_SUCCESS)
            return fail(err, "MPI cannot be started", code);
        MPI_Comm_set_errhandler(comms[lane], MPI_ERRORS_RETURN);
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN); /* of requests that belong to none of them */
    limit_s = timeout;
    patience_s = patience();
    *out = (struct invar_ranks_opened){.table = &table};
    MPI_Comm_size(MPI_COMM_WORLD, &out->count);
    MPI_Comm_rank(MPI_COMM_WORLD, &out->rank);
    return true;
}
