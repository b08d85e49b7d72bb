/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks that share products, in one process and one after another: what is computed is computed again and again, until
 * what the others would have sent is known. A round tells one more of what each sends.
 */
#ifndef INVAR_TESTS_SHARES_H
#define INVAR_TESTS_SHARES_H

#include "device.h"

#define SHARES_RANKS 4
#define SHARES_CALLS 256

struct shares {
    struct invar_dense_ranks ranks;
    int calls; /* of what ran last */
    char *sent[SHARES_RANKS][SHARES_CALLS];
    size_t size[SHARES_CALLS]; /* bytes of each of them */
};

static inline void shares_gather(void *user, size_t bytes)
{
    struct shares *s = user;
    const int call = s->calls++;

    assert_true(call < SHARES_CALLS && bytes <= s->ranks.room);
    char **own = &s->sent[s->ranks.rank][call];
    *own = *own ? *own : calloc(1, bytes);
    memcpy(*own, s->ranks.own, bytes);
    s->size[call] = bytes;
    for (int k = 0; k < s->ranks.count; k++) {
        char *to = (char *)s->ranks.all + (size_t)k * bytes;
        if (s->sent[k][call])
            memcpy(to, s->sent[k][call], bytes);
        else
            memset(to, 0, bytes);
    }
}

static inline void shares_open(struct shares *s, int count, int64_t samples, size_t room)
{
    *s = (struct shares){.ranks = {.count = count, .samples = samples, .room = room, .gather = shares_gather}};
    s->ranks.user = s;
    s->ranks.own = calloc(1, room);
    s->ranks.all = calloc((size_t)count, room);
    assert_true(s->ranks.own && s->ranks.all);
}

static inline void shares_close(struct shares *s)
{
    for (int k = 0; k < SHARES_RANKS; k++)
        for (int call = 0; call < SHARES_CALLS; call++)
            free(s->sent[k][call]);
    free(s->ranks.own);
    free(s->ranks.all);
}

/** body(user) as one rank, with what was sent so far. */
static inline void shares_as(struct shares *s, int rank, void (*body)(void *user), void *user)
{
    s->ranks.rank = rank;
    s->calls = 0;
    invar_dense_share(device, &s->ranks);
    body(user);
    invar_dense_share(device, NULL);
}

/** As all ranks, until all is known; then shares_as does what they would. */
static inline void shares_meet(struct shares *s, void (*body)(void *user), void *user)
{
    int round = 0;

    do
        for (int rank = 0; rank < s->ranks.count; rank++)
            shares_as(s, rank, body, user);
    while (round++ < s->calls);
}

#endif
