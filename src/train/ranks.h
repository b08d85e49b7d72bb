/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_RANKS_H
#define INVAR_TRAIN_RANKS_H

#include "invar/train.h"

/*
 * Ranks: processes that make the steps of one run together, each with its rows of every batch. All call the same
 * functions here in the same order. Sums are made in the order of ranks, so that the same number of ranks gives the
 * same bits, on every rank. NULL stands for a process that trains alone: it is rank 0 of 1, and calls do nothing.
 */

/** What moves bytes between ranks: one table a transport. False with err: a rank is gone, or was silent too long. */
struct invar_ranks_table {
    /** all[count][bytes]: the `own` of every rank. */
    bool (*gather)(void *state, const void *own, size_t bytes, void *all, struct invar_error *err);
    /** from[r][bytes] is what rank r has for this one in its to[count][bytes]. */
    bool (*exchange)(void *state, const void *to, size_t bytes, void *from, struct invar_error *err);
    /** x[bytes] of rank 0 becomes that of all. */
    bool (*broadcast)(void *state, void *x, size_t bytes, struct invar_error *err);
    /** Leaves, together with all others; ended: ends the other processes, which may be waiting for this one. */
    void (*close)(void *state, bool ended);
};
/** Ranks over a transport, whose state belongs to them from then on; also where NULL is returned. */
struct invar_ranks *invar_ranks_create(const struct invar_ranks_table *table, void *state, int count, int rank,
                                       struct invar_error *err);

/** A transport that was opened, as libinvar-mpi.so gives it. */
struct invar_ranks_opened {
    const struct invar_ranks_table *table;
    void *state;
    int count, rank;
};
/** The one function of libinvar-mpi.so, by this name. timeout: seconds after which a silent rank is given up. */
#define INVAR_RANKS_OPEN "invar_ranks_mpi_1"
typedef bool invar_ranks_opener(double timeout, struct invar_ranks_opened *out, struct invar_error *err);

/** How many processes a launcher (mpirun, srun) started, of which this is number *rank; 1 without one. */
int invar_ranks_launched(int *rank);
/** Whether this one writes, and shows progress. */
bool invar_ranks_leads(const struct invar_ranks *ranks);

/** all[count][bytes]: the `own` of every rank. */
bool invar_ranks_gather(struct invar_ranks *ranks, const void *own, size_t bytes, void *all, struct invar_error *err);
/** The same of floats in memory of the device. */
bool invar_ranks_gather_device(struct invar_ranks *ranks, struct invar_device *device, const float *own, int64_t count,
                               float *all, struct invar_error *err);
/** The same of floats of the host, into memory of the device. */
bool invar_ranks_gather_host(struct invar_ranks *ranks, struct invar_device *device, const float *own, int64_t count,
                             float *all, struct invar_error *err);
/** x[count], in memory of the device, becomes the sum over ranks. */
bool invar_ranks_sum(struct invar_ranks *ranks, struct invar_device *device, float *x, int64_t count,
                     struct invar_error *err);
/** The same of one number of the host. */
bool invar_ranks_sum_double(struct invar_ranks *ranks, double *x, struct invar_error *err);
/** x[bytes] of rank 0 becomes that of all. */
bool invar_ranks_broadcast(struct invar_ranks *ranks, void *x, size_t bytes, struct invar_error *err);
/** The same of floats in memory of the device. */
bool invar_ranks_broadcast_device(struct invar_ranks *ranks, struct invar_device *device, float *x, int64_t count,
                                  struct invar_error *err);
/** The text of rank 0, others being empty, becomes that of all. */
bool invar_ranks_broadcast_text(struct invar_ranks *ranks, struct invar_text *text, struct invar_error *err);
/** Whether all ranks are well: ok, else err has this one's sentence. False everywhere, with the sentence of the first
 * rank that is not. */
bool invar_ranks_agree(struct invar_ranks *ranks, bool ok, struct invar_error *err);
/** Whether this one failed where others may be waiting for it: from then on all calls fail with that sentence, and
 * nobody is asked. */
bool invar_ranks_failed(const struct invar_ranks *ranks);
/** It did. Always false. */
bool invar_ranks_fail(struct invar_ranks *ranks, const struct invar_error *err);
/** How a plan puts its batch statistics together with those of other ranks; NULL alone. */
const struct invar_plan_ranks *invar_ranks_plan(const struct invar_ranks *ranks);

#endif
