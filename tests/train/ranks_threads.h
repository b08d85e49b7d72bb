/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks that are threads of one process: what `mpirun` starts, for tests without it. */
#ifndef INVAR_TESTS_RANKS_THREADS_H
#define INVAR_TESTS_RANKS_THREADS_H

#include "test.h"
#include "train/ranks.h"

#include <pthread.h>

#define CROWD_MOST 8

struct crowd {
    int count;
    pthread_barrier_t barrier;
    const void *shown[CROWD_MOST];
    int64_t calls[INVAR_RANKS_LANES];         /* of rank 0 */
    int64_t beside_before[INVAR_RANKS_LANES]; /* of the last call of a lane: how many there had been beside the step */
    struct invar_ranks_traffic traffic;       /* of rank 0 */
};
struct crowd_member {
    struct crowd *crowd;
    int rank;
    void (*body)(struct invar_ranks *ranks, void *user);
    void *user;
};

/* As soon as it is started, since all ranks start the same. all[k] <- what rank k shows of it for this one. */
static inline bool crowd_start(void *state, enum invar_ranks_lane lane, enum invar_ranks_way way, const void *own,
                               size_t bytes, void *all, struct invar_error *err)
{
    const struct crowd_member *m = state;
    struct crowd *c = m->crowd;

    (void)err;
    c->shown[m->rank] = way == INVAR_RANKS_BROADCAST ? all : own;
    if (m->rank == 0) {
        c->calls[lane]++;
        c->beside_before[lane] = c->calls[INVAR_RANKS_BESIDE];
    }
    pthread_barrier_wait(&c->barrier);
    if (way == INVAR_RANKS_BROADCAST && m->rank > 0)
        memcpy(all, c->shown[0], bytes);
    for (int k = 0; k < c->count && way != INVAR_RANKS_BROADCAST; k++)
        memcpy((char *)all + (size_t)k * bytes,
               (const char *)c->shown[k] + (way == INVAR_RANKS_EXCHANGE ? (size_t)m->rank * bytes : 0), bytes);
    pthread_barrier_wait(&c->barrier);
    return true;
}

static inline bool crowd_arrived(void *state, enum invar_ranks_lane lane, bool wait, bool *there,
                                 struct invar_error *err)
{
    (void)state, (void)lane, (void)wait, (void)err;
    return *there = true;
}

static inline void crowd_close(void *state, bool ended)
{
    (void)state, (void)ended;
}

static const struct invar_ranks_table crowd_table = {crowd_start, crowd_arrived, crowd_close};

static inline void *crowd_begin(void *user)
{
    struct crowd_member *m = user;
    struct invar_error err = {0};
    struct invar_ranks *ranks = ranks_create(&crowd_table, m, m->crowd->count, m->rank, &err);

    m->body(ranks, m->user);
    if (m->rank == 0)
        ranks_traffic(ranks, &m->crowd->traffic);
    invar_ranks_close(ranks);
    return NULL;
}

/** body(ranks, users[k]) in `count` threads, all of which have ended when it returns. */
static inline void crowd_run(struct crowd *c, int count, void (*body)(struct invar_ranks *ranks, void *user),
                             void *const *users)
{
    struct crowd_member members[CROWD_MOST];
    pthread_t threads[CROWD_MOST];

    *c = (struct crowd){.count = count};
    assert_int_equal(pthread_barrier_init(&c->barrier, NULL, (unsigned)count), 0);
    for (int k = 0; k < count; k++) {
        members[k] = (struct crowd_member){c, k, body, users[k]};
        assert_int_equal(pthread_create(&threads[k], NULL, crowd_begin, &members[k]), 0);
    }
    for (int k = 0; k < count; k++)
        pthread_join(threads[k], NULL);
    pthread_barrier_destroy(&c->barrier);
}

#endif
