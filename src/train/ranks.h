/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_RANKS_H
#define INVAR_TRAIN_RANKS_H

#include "invar/expert/dense.h"
#include "invar/train.h"

/*
 * Ranks: processes that make the steps of one run together, each with its rows of every batch. All call the same
 * functions here in the same order. Sums are made in the order of ranks, so that the same number of ranks gives the
 * same bits, on every rank. NULL stands for a process that trains alone: it is rank 0 of 1, and calls do nothing.
 */

/** Ways that bytes go: all[count][bytes] becomes the `own` of every rank; or what every rank has for this one, each of
 * whose own[count][bytes] is for another; or, without own, all[bytes] that of rank 0. */
enum invar_ranks_way { INVAR_RANKS_GATHER, INVAR_RANKS_EXCHANGE, INVAR_RANKS_BROADCAST };
/** What is on its way: one thing that the step waits for, and beside it one of sums that are made while it goes on. */
enum invar_ranks_lane { INVAR_RANKS_STEP, INVAR_RANKS_BESIDE, INVAR_RANKS_LANES };

/** What moves bytes between ranks: one table a transport. Lanes do not wait for each other; in a lane all ranks start
 * the same things in the same order. False with err: a rank is gone, or was silent too long. */
struct invar_ranks_table {
    /** Memory stays as it is until it has arrived. */
    bool (*start)(void *state, enum invar_ranks_lane lane, enum invar_ranks_way way, const void *own, size_t bytes,
                  void *all, struct invar_error *err);
    /** Whether it has arrived; wait: until it has. */
    bool (*arrived)(void *state, enum invar_ranks_lane lane, bool wait, bool *arrived, struct invar_error *err);
    /** Leaves, together with all others; ended: ends the other processes, which may be waiting for this one. */
    void (*close)(void *state, bool ended);
};
/** Ranks over a transport, whose state belongs to them from then on; also where NULL is returned. */
struct invar_ranks *ranks_create(const struct invar_ranks_table *table, void *state, int count, int rank,
                                 struct invar_error *err);

/** A transport that was opened, as libinvar-mpi.so gives it. */
struct invar_ranks_opened {
    const struct invar_ranks_table *table;
    void *state;
    int count, rank;
};
/** The one function of libinvar-mpi.so, by this name. timeout: seconds after which a silent rank is given up. */
#define INVAR_RANKS_OPEN "invar_ranks_mpi_2"
typedef bool ranks_opener(double timeout, struct invar_ranks_opened *out, struct invar_error *err);

/** How many processes a launcher (mpirun, srun) started, of which this is number *rank; 1 without one. */
int ranks_launched(int *rank);
/** Whether this one writes, and shows progress. */
bool ranks_leads(const struct invar_ranks *ranks);

/** all[count][bytes]: the `own` of every rank. */
bool ranks_gather(struct invar_ranks *ranks, const void *own, size_t bytes, void *all, struct invar_error *err);
/** The same into memory that nobody has to get, and that holds it until the next call here; NULL: it failed. */
const void *ranks_gather_all(struct invar_ranks *ranks, const void *own, size_t bytes, struct invar_error *err);
/** The same of floats in memory of the device. */
bool ranks_gather_device(struct invar_ranks *ranks, struct invar_device *device, const float *own, int64_t count,
                         float *all, struct invar_error *err);
/** The same of floats of the host, into memory of the device. */
bool ranks_gather_host(struct invar_ranks *ranks, struct invar_device *device, const float *own, int64_t count,
                       float *all, struct invar_error *err);
/**
 * x[count], in memory of the device, becomes the sum over ranks by ranks_sum_end, in pieces from its end on,
 * while other things go on. written: it is there; else a backward pass over ranks_plan writes it, which comes
 * before the next such call. At most INVAR_RANKS_SUMS before an end.
 */
#define INVAR_RANKS_SUMS 8
void ranks_sum_begin(struct invar_ranks *ranks, struct invar_device *device, float *x, int64_t count, bool written);
bool ranks_sum_end(struct invar_ranks *ranks, struct invar_error *err);
/** One number of the host becomes the sum over ranks. */
bool ranks_sum_double(struct invar_ranks *ranks, double *x, struct invar_error *err);
/** x[bytes] of rank 0 becomes that of all. */
bool ranks_broadcast(struct invar_ranks *ranks, void *x, size_t bytes, struct invar_error *err);
/** The same of floats in memory of the device. */
bool ranks_broadcast_device(struct invar_ranks *ranks, struct invar_device *device, float *x, int64_t count,
                            struct invar_error *err);
/** The text of rank 0, others being empty, becomes that of all. */
bool ranks_broadcast_text(struct invar_ranks *ranks, struct invar_text *text, struct invar_error *err);
/** Whether all ranks are well: ok, else err has this one's sentence. False everywhere, with the sentence of the first
 * rank that is not. */
bool ranks_agree(struct invar_ranks *ranks, bool ok, struct invar_error *err);
/** Whether the last agreement was that one has failed: all know, and end by themselves. */
bool ranks_agreed_to_end(const struct invar_ranks *ranks);
/** Whether this one failed where others may be waiting for it: from then on all calls fail with that sentence, and
 * nobody is asked. */
bool ranks_failed(const struct invar_ranks *ranks);
/** It did. Always false. */
bool ranks_fail(struct invar_ranks *ranks, const struct invar_error *err);
/** What this rank has sent since it began, and for how long it sent or waited. */
struct invar_ranks_traffic {
    int64_t messages, bytes; /**< bytes for other ranks, to each as many as there are for it */
    double seconds;
};
void ranks_traffic(const struct invar_ranks *ranks, struct invar_ranks_traffic *out);
/** What a plan tells, and with norms asks, other ranks; NULL alone. */
const struct invar_plan_ranks *ranks_plan(const struct invar_ranks *ranks, bool norms);

/** What a device is to know to share its products of `samples` samples a view (invar_dense_share); NULL alone, and
 * where memory for it is wanting, which then has failed. */
const struct invar_dense_ranks *ranks_dense(struct invar_ranks *ranks, const struct invar_device *device,
                                            int64_t samples);
/** Products of fewer summands an element, or multiply-adds, for each thread are not shared: for tests, whose products
 * are small. */
void ranks_share_from(struct invar_ranks *ranks, double inner, double work);

/** Rank 0 does work that may take long, as writing a file does, and shows the others that it is there until it is done.
 * Whether it could, on all of them: false with its sentence. */
bool ranks_lead(struct invar_ranks *ranks, bool (*work)(void *user, struct invar_error *err), void *user,
                struct invar_error *err);

#endif
