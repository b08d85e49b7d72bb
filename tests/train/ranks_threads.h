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
    int64_t calls, bytes; /* of rank 0 */
};
struct crowd_member {
    struct crowd *crowd;
    int rank;
    void (*body)(struct invar_ranks *ranks, void *user);
    void *user;
};

/* all[k] <- stretch number `at` of what rank k shows; at < 0: all of it. */
static inline bool crowd_read(void *state, const void *own, int at, size_t bytes, void *all)
{
    const struct crowd_member *m = state;
    struct crowd *c = m->crowd;

    c->shown[m->rank] = own;
    if (m->rank == 0) {
        c->calls++;
        c->bytes += (int64_t)bytes * (c->count - 1);
    }
    pthread_barrier_wait(&c->barrier);
    for (int k = 0; k < c->count; k++)
        memcpy((char *)all + (size_t)k * bytes, (const char *)c->shown[k] + (size_t)(at < 0 ? 0 : at) * bytes, bytes);
    pthread_barrier_wait(&c->barrier);
    return true;
}

static inline bool crowd_gather(void *state, const void *own, size_t bytes, void *all, struct invar_error *err)
{
    (void)err;
    return crowd_read(state, own, -1, bytes, all);
}

static inline bool crowd_exchange(void *state, const void *to, size_t bytes, void *from, struct invar_error *err)
{
    (void)err;
    return crowd_read(state, to, ((struct crowd_member *)state)->rank, bytes, from);
}

static inline bool crowd_broadcast(void *state, void *x, size_t bytes, struct invar_error *err)
{
    const struct crowd_member *m = state;

    (void)err;
    m->crowd->shown[m->rank] = x;
    pthread_barrier_wait(&m->crowd->barrier);
    if (m->rank > 0)
        memcpy(x, m->crowd->shown[0], bytes);
    pthread_barrier_wait(&m->crowd->barrier);
    return true;
}

static inline void crowd_close(void *state, bool ended)
{
    (void)state, (void)ended;
}

static const struct invar_ranks_table crowd_table = {crowd_gather, crowd_exchange, crowd_broadcast, crowd_close};

static inline void *crowd_start(void *user)
{
    struct crowd_member *m = user;
    struct invar_error err = {0};
    struct invar_ranks *ranks = invar_ranks_create(&crowd_table, m, m->crowd->count, m->rank, &err);

    m->body(ranks, m->user);
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
        assert_int_equal(pthread_create(&threads[k], NULL, crowd_start, &members[k]), 0);
    }
    for (int k = 0; k < count; k++)
        pthread_join(threads[k], NULL);
    pthread_barrier_destroy(&c->barrier);
}

#endif
