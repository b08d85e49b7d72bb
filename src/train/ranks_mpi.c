/* SPDX-License-Identifier: Apache-2.0 */
/* libinvar-mpi.so: ranks over MPI. It moves bytes and computes nothing, and calls nothing of libinvar. */
#include "train/ranks.h"

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static double limit_s, patience_s;

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

/* Nothing that waits may wait for ever: a process that was stopped, or cut off, never answers and is no error of MPI.
 * Who was stopped itself has waited for nobody. */
static bool finish(MPI_Request *request, int started, struct invar_error *err)
{
    double begin = MPI_Wtime(), last = begin;
    int done = 0;

    if (started != MPI_SUCCESS)
        return fail(err, "MPI failed", started);
    while (!done) {
        const int code = MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS)
            return fail(err, "another process is gone", code);
        const double now = MPI_Wtime();
        if (done || now - begin < patience_s)
            continue;
        sched_yield();
        begin += now - last > 1 ? now - last : 0;
        last = now;
        if (limit_s > 0 && now - begin > limit_s) {
            char what[200];
            snprintf(what, sizeof what,
                     "another process has been silent for %g s: look whether it was stopped or cut off, or wait "
                     "longer for it",
                     limit_s);
            return fail(err, what, MPI_SUCCESS);
        }
    }
    return true;
}

/* MPI counts in int. */
static bool fits(size_t bytes, struct invar_error *err)
{
    return bytes <= INT_MAX || fail(err, "more than 2 GiB at once are to be sent to other processes", MPI_SUCCESS);
}

static bool gather(void *state, const void *own, size_t bytes, void *all, struct invar_error *err)
{
    MPI_Request request;

    (void)state;
    return fits(bytes, err) &&
           finish(&request,
                  MPI_Iallgather(own, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD, &request), err);
}

static bool exchange(void *state, const void *to, size_t bytes, void *from, struct invar_error *err)
{
    MPI_Request request;

    (void)state;
    return fits(bytes, err) &&
           finish(&request,
                  MPI_Ialltoall(to, (int)bytes, MPI_BYTE, from, (int)bytes, MPI_BYTE, MPI_COMM_WORLD, &request), err);
}

static bool broadcast(void *state, void *x, size_t bytes, struct invar_error *err)
{
    MPI_Request request;

    (void)state;
    return fits(bytes, err) && finish(&request, MPI_Ibcast(x, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD, &request), err);
}

static void close_mpi(void *state, bool ended)
{
    (void)state;
    if (ended)
        MPI_Abort(MPI_COMM_WORLD, 1);
    else
        MPI_Finalize();
}

static const struct invar_ranks_table table = {gather, exchange, broadcast, close_mpi};

/* FUNNELED: the thread that trains is the only one that talks. */
__attribute__((visibility("default"))) bool invar_ranks_mpi_1(double timeout, struct invar_ranks_opened *out,
                                                              struct invar_error *err);
bool invar_ranks_mpi_1(double timeout, struct invar_ranks_opened *out, struct invar_error *err)
{
    int level, code, ready = 0;

    MPI_Initialized(&ready);
    if (!ready && (code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level)) != MPI_SUCCESS)
        return fail(err, "MPI cannot be started", code);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    limit_s = timeout;
    patience_s = patience();
    *out = (struct invar_ranks_opened){.table = &table};
    MPI_Comm_size(MPI_COMM_WORLD, &out->count);
    MPI_Comm_rank(MPI_COMM_WORLD, &out->rank);
    return true;
}
