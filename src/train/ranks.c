/* SPDX-License-Identifier: Apache-2.0 */
/* What ranks do together, over a table that moves bytes: whatever is computed, is computed here, in one order. */
#include "train/ranks.h"
#include "train/given.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Floats that pass through memory of the host at once: large vectors take several rounds, and the memory is bounded. */
#define ROUND ((int64_t)1 << 22)
/* Floats of sums that are on their way at once: small enough that most of a net's go while its backward pass runs,
 * large enough that what a message costs does not show. */
#define PIECE ((int64_t)1 << 20)

/*
 * When ranks share a product. Of n summands an element each core saves some n of its 10^11 operations a second, and 4
 * bytes travel, at 10 Gbit/s and through memory some 8 * 10^8 a second: with n above 256 for every core that is less.
 * What a message itself costs is little beside a hundredth of a second.
 */
#define SHARED_INNER 256.0
#define SHARED_WORK 5e8
/* Bytes of all ranks that pass at once. */
#define SHARED_ROOM ((size_t)1 << 24)

/* Sums that are made beside a step: vectors in the order in which all ranks began them, each from its end on. */
struct sums {
    struct {
        struct invar_device *device;
        float *x;
        int64_t written, left; /* floats from `written` on are there, and those from `left` on summed */
    } of[INVAR_RANKS_SUMS];
    int count, at;
    int64_t floats, part; /* of the piece that is on its way, and of each rank's part of it; floats 0: none is */
    bool back;            /* parts are summed, and on their way back to all */
    float *own, *all;     /* [PIECE and what fills up parts] */
};

struct invar_ranks {
    const struct invar_ranks_table *table;
    void *state;
    int count, rank;
    struct invar_error why; /* code set: it failed */
    bool agreed_to_end;
    float *own, *all; /* [capacity] */
    int64_t capacity;
    struct sums sums;
    struct invar_ranks_traffic traffic;
    struct invar_plan_ranks plan[2]; /* for norms of their own rows, and of all */
    struct invar_dense_ranks dense;
    double share_inner, share_work; /* of each thread */
};

int invar_ranks_count(const struct invar_ranks *r)
{
    return r ? r->count : 1;
}

int invar_ranks_rank(const struct invar_ranks *r)
{
    return r ? r->rank : 0;
}

bool ranks_leads(const struct invar_ranks *r)
{
    return invar_ranks_rank(r) == 0;
}

bool ranks_failed(const struct invar_ranks *r)
{
    return r && r->why.code != INVAR_OK;
}

bool ranks_fail(struct invar_ranks *r, const struct invar_error *err)
{
    return r ? invar_error_set(&r->why, err->code ? err->code : INVAR_ERROR_SYSTEM, "%s", err->message) : false;
}

bool ranks_agreed_to_end(const struct invar_ranks *r)
{
    return r && r->agreed_to_end;
}

/* The end of every call of the table. */
static bool done(struct invar_ranks *r, bool ok, struct invar_error *err)
{
    return ok || invar_error_set(err, r->why.code, "%s", r->why.message);
}

/* Both of them, for so many floats. */
static bool reserve(struct invar_ranks *r, int64_t floats)
{
    if (floats <= r->capacity || ranks_failed(r))
        return !ranks_failed(r);
    invar_free(r->own);
    invar_free(r->all);
    r->own = invar_alloc((size_t)floats, sizeof *r->own, &r->why);
    r->all = r->own ? invar_alloc((size_t)floats, sizeof *r->all, &r->why) : NULL;
    r->capacity = r->all ? floats : 0;
    return r->all != NULL;
}

void ranks_traffic(const struct invar_ranks *r, struct invar_ranks_traffic *out)
{
    *out = r ? r->traffic : (struct invar_ranks_traffic){0};
}

static bool start(struct invar_ranks *r, enum invar_ranks_lane lane, enum invar_ranks_way way, const void *own,
                  size_t bytes, void *all)
{
    const double begin = times_now();
    const bool sends = way != INVAR_RANKS_BROADCAST || r->rank == 0;
    const bool ok = !ranks_failed(r) && r->table->start(r->state, lane, way, own, bytes, all, &r->why);

    r->traffic.messages += sends;
    r->traffic.bytes += sends ? (int64_t)bytes * (r->count - 1) : 0;
    r->traffic.seconds += times_now() - begin;
    return ok;
}

static bool arrived(struct invar_ranks *r, enum invar_ranks_lane lane, bool wait, bool *there)
{
    const double begin = times_now();
    const bool ok = !ranks_failed(r) && r->table->arrived(r->state, lane, wait, there, &r->why);

    r->traffic.seconds += times_now() - begin;
    return ok;
}

/* What the step waits for. */
static bool move(struct invar_ranks *r, enum invar_ranks_way way, const void *own, size_t bytes, void *all)
{
    bool there;

    return start(r, INVAR_RANKS_STEP, way, own, bytes, all) && arrived(r, INVAR_RANKS_STEP, true, &there);
}

bool ranks_gather(struct invar_ranks *r, const void *own, size_t bytes, void *all, struct invar_error *err)
{
    if (!r) {
        memmove(all, own, bytes);
        return true;
    }
    if (own == all) { /* no transport reads where it writes */
        if (!reserve(r, (int64_t)(bytes / sizeof *r->own) + 1))
            return done(r, false, err);
        own = memcpy(r->own, own, bytes);
    }
    return done(r, move(r, INVAR_RANKS_GATHER, own, bytes, all), err);
}

/* Who has no memory for it fails for good, and ends the others, as these wait. */
const void *ranks_gather_all(struct invar_ranks *r, const void *own, size_t bytes, struct invar_error *err)
{
    if (!reserve(r, (int64_t)(bytes / sizeof *r->all + 1) * r->count)) {
        done(r, false, err);
        return NULL;
    }
    return ranks_gather(r, own, bytes, r->all, err) ? r->all : NULL;
}

bool ranks_broadcast(struct invar_ranks *r, void *x, size_t bytes, struct invar_error *err)
{
    return !r || done(r, move(r, INVAR_RANKS_BROADCAST, NULL, bytes, x), err);
}

bool ranks_broadcast_text(struct invar_ranks *r, struct invar_text *text, struct invar_error *err)
{
    size_t size = text->size;

    if (!r)
        return true;
    if (!ranks_broadcast(r, &size, sizeof size, err))
        return false;
    char *copy = invar_alloc(size + 1, 1, err);
    if (copy && text->size)
        memcpy(copy, text->data, size);
    const bool ok =
        copy && ranks_broadcast(r, copy, size, err) && (ranks_leads(r) || invar_text_printf(text, err, "%s", copy));
    invar_free(copy);
    return ok;
}

/* ---- sums beside the step ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The next piece, if it is written: every rank gets the part of it that it is to sum. */
static bool send_piece(struct invar_ranks *r)
{
    struct sums *s = &r->sums;
    const int64_t floats = s->at < s->count ? smaller(PIECE, s->of[s->at].left) : 0;

    if (floats == 0 || s->of[s->at].left - floats < s->of[s->at].written)
        return true;
    s->floats = floats;
    s->part = (floats + r->count - 1) / r->count;
    s->back = false;
    invar_device_download(s->of[s->at].device, s->own, s->of[s->at].x + s->of[s->at].left - floats,
                          (size_t)floats * sizeof *s->own);
    memset(s->own + floats, 0, (size_t)(s->part * r->count - floats) * sizeof *s->own);
    return start(r, INVAR_RANKS_BESIDE, INVAR_RANKS_EXCHANGE, s->own, (size_t)s->part * sizeof *s->own, s->all);
}

/* Every rank sums a part of its own, of all ranks in their order, and hands it to all: twice the vector passes through
 * each, however many they are. In double, so that the order matters to the last bit alone. */
static bool send_back(struct invar_ranks *r)
{
    struct sums *s = &r->sums;

    for (int64_t i = 0; i < s->part; i++) {
        double sum = 0;
        for (int k = 0; k < r->count; k++)
            sum += (double)s->all[k * s->part + i];
        s->own[i] = (float)sum;
    }
    s->back = true;
    return start(r, INVAR_RANKS_BESIDE, INVAR_RANKS_GATHER, s->own, (size_t)s->part * sizeof *s->own, s->all);
}

static void keep_piece(struct sums *s)
{
    s->of[s->at].left -= s->floats;
    invar_device_upload(s->of[s->at].device, s->of[s->at].x + s->of[s->at].left, s->all,
                        (size_t)s->floats * sizeof *s->all);
    s->floats = 0;
    s->at += s->of[s->at].left == 0;
}

/* As far as there is something written and nothing to wait for; wait: to the end. What failed shows at the end of the
 * sums. */
static void go_on(struct invar_ranks *r, bool wait)
{
    struct sums *s = &r->sums;
    bool there = true, ok = true;

    while (ok && there && s->at < s->count) {
        if (s->floats == 0 && (!send_piece(r) || s->floats == 0))
            return;
        ok = arrived(r, INVAR_RANKS_BESIDE, wait, &there);
        if (ok && there && !s->back)
            ok = send_back(r);
        else if (ok && there)
            keep_piece(s);
    }
}

void ranks_sum_begin(struct invar_ranks *r, struct invar_device *device, float *x, int64_t count, bool written)
{
    if (!r || count == 0 || ranks_failed(r))
        return;
    struct sums *s = &r->sums;
    const size_t most = (size_t)(PIECE + r->count);
    if (!s->all && (!(s->own = invar_alloc(most, sizeof *s->own, &r->why)) ||
                    !(s->all = invar_alloc(most, sizeof *s->all, &r->why))))
        return;
    s->of[s->count].device = device;
    s->of[s->count].x = x;
    s->of[s->count].left = count;
    s->of[s->count++].written = written ? 0 : count;
    go_on(r, false);
}

bool ranks_sum_end(struct invar_ranks *r, struct invar_error *err)
{
    if (!r)
        return true;
    go_on(r, true);
    r->sums.count = r->sums.at = 0;
    return done(r, !ranks_failed(r), err);
}

/* A backward pass of which nothing is to be summed tells nobody. */
static void gradients_written(void *user, int64_t from)
{
    struct invar_ranks *r = user;
    struct sums *s = &r->sums;

    if (s->count == 0)
        return;
    if (from < s->of[s->count - 1].written)
        s->of[s->count - 1].written = from;
    go_on(r, false);
}

/* ---- plans ---- */

/* Statistics are read by the next operation of a plan, which has no way to fail: a rank that is gone shows at the next
 * agreement. */
static void gather_statistics(void *user, const double *own, int64_t count, double *all)
{
    struct invar_ranks *r = user;

    ranks_gather(r, own, (size_t)count * sizeof *own, all, NULL);
}

const struct invar_plan_ranks *ranks_plan(const struct invar_ranks *r, bool norms)
{
    return r ? &r->plan[norms] : NULL;
}

/* ---- dense products ---- */

static void gather_products(void *user, size_t bytes)
{
    struct invar_ranks *r = user;

    ranks_gather(r, r->dense.own, bytes, r->dense.all, NULL);
}

void ranks_share_from(struct invar_ranks *r, double inner, double work)
{
    if (r) {
        r->share_inner = inner;
        r->share_work = work;
    }
}

const struct invar_dense_ranks *ranks_dense(struct invar_ranks *r, const struct invar_device *device, int64_t samples)
{
    if (!r || ranks_failed(r))
        return NULL;
    struct invar_dense_ranks *d = &r->dense;
    d->samples = samples;
    d->inner = r->share_inner * invar_device_threads(device);
    d->work = r->share_work * invar_device_threads(device);
    if (!d->all &&
        (!(d->own = invar_alloc(d->room, 1, &r->why)) || !(d->all = invar_alloc(d->room, (size_t)r->count, &r->why))))
        return NULL;
    return d;
}

struct invar_ranks *ranks_create(const struct invar_ranks_table *table, void *state, int count, int rank,
                                 struct invar_error *err)
{
    struct invar_ranks *r = invar_alloc(1, sizeof *r, err);

    if (!r) {
        table->close(state, true);
        return NULL;
    }
    *r = (struct invar_ranks){
        .table = table,
        .state = state,
        .count = count,
        .rank = rank,
        .plan = {{count, rank, NULL, gradients_written, r}, {count, rank, gather_statistics, gradients_written, r}},
        .dense =
            {.count = count, .rank = rank, .room = SHARED_ROOM / (size_t)count, .gather = gather_products, .user = r},
        .share_inner = SHARED_INNER,
        .share_work = SHARED_WORK};
    return r;
}

void invar_ranks_close(struct invar_ranks *r)
{
    if (!r)
        return;
    r->table->close(r->state, ranks_failed(r));
    invar_free(r->own);
    invar_free(r->all);
    invar_free(r->sums.own);
    invar_free(r->sums.all);
    invar_free(r->dense.own);
    invar_free(r->dense.all);
    invar_free(r);
}

/* ---- floats of the device ---- */

bool ranks_gather_host(struct invar_ranks *r, struct invar_device *device, const float *own, int64_t count, float *all,
                       struct invar_error *err)
{
    const size_t bytes = (size_t)count * sizeof *own;

    if (!reserve(r, count * r->count))
        return done(r, false, err);
    if (!ranks_gather(r, own, bytes, r->all, err))
        return false;
    invar_device_upload(device, all, r->all, bytes * (size_t)r->count);
    return true;
}

bool ranks_gather_device(struct invar_ranks *r, struct invar_device *device, const float *own, int64_t count,
                         float *all, struct invar_error *err)
{
    if (!reserve(r, count * r->count))
        return done(r, false, err);
    invar_device_download(device, r->own, own, (size_t)count * sizeof *own);
    return ranks_gather_host(r, device, r->own, count, all, err);
}

bool ranks_broadcast_device(struct invar_ranks *r, struct invar_device *device, float *x, int64_t count,
                            struct invar_error *err)
{
    if (!reserve(r, smaller(count, ROUND)))
        return done(r, false, err);
    for (int64_t at = 0; at < count; at += ROUND) {
        const size_t bytes = (size_t)smaller(ROUND, count - at) * sizeof *x;
        invar_device_download(device, r->own, x + at, bytes);
        if (!ranks_broadcast(r, r->own, bytes, err))
            return false;
        invar_device_upload(device, x + at, r->own, bytes);
    }
    return true;
}

bool ranks_sum_double(struct invar_ranks *r, double *x, struct invar_error *err)
{
    const double own = *x, *all;

    if (!r)
        return true;
    all = ranks_gather_all(r, &own, sizeof own, err);
    *x = 0;
    for (int k = 0; all && k < r->count; k++)
        *x += all[k];
    return all != NULL;
}

/* ---- agreement ---- */

/* What a rank has to say: who speaks first is the lowest that has something, and all then say the same. */
static bool first_sentence(struct invar_ranks *r, const struct invar_error *own, int first, struct invar_error *err)
{
    const struct invar_error *all = ranks_gather_all(r, own, sizeof *own, err);

    r->agreed_to_end = all != NULL;
    if (!all && own->code) /* no memory left even to say so together */
        invar_error_set(err, own->code, "%s", own->message);
    else if (all && first == 0)
        invar_error_set(err, all[0].code, "%s", all[0].message);
    else if (all)
        invar_error_set(err, all[first].code, "process %d of %d: %.900s", first + 1, r->count, all[first].message);
    return false;
}

bool ranks_agree(struct invar_ranks *r, bool ok, struct invar_error *err)
{
    struct invar_error own = {0};
    const int32_t well = ok, *all;
    int first = 0;

    if (!r)
        return ok;
    if (!ok) {
        own = err && err->code ? *err : (struct invar_error){INVAR_ERROR_SYSTEM, "it failed"};
        invar_error_clear(err);
    }
    all = ranks_gather_all(r, &well, sizeof well, err);
    if (!all)
        return false;
    while (first < r->count && all[first])
        first++;
    return first == r->count || first_sentence(r, &own, first, err);
}

/* ---- what one does while the others wait ---- */

#define BEAT 0.5 /* seconds: some in the shortest time that a rank can be given */

struct heart {
    struct invar_ranks *ranks;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;
};

static bool say(struct invar_ranks *r, int32_t *busy)
{
    return move(r, INVAR_RANKS_BROADCAST, NULL, sizeof *busy, busy);
}

/* Beside the work, since what takes long there may be one call of the system. While it runs it is the only one that
 * talks to other ranks. */
static void *beat(void *user)
{
    struct heart *h = user;
    int32_t busy = 1;

    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        const int64_t next = (int64_t)until.tv_nsec + (int64_t)(BEAT * 1e9);
        until.tv_sec += next / 1000000000;
        until.tv_nsec = next % 1000000000;
        if (pthread_cond_timedwait(&h->stop, &h->lock, &until) == ETIMEDOUT && !say(h->ranks, &busy))
            break;
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* Without a thread there is no sign of life, and it has to be done within the time that a rank may be silent. */
static bool work_and_beat(struct invar_ranks *r, bool (*work)(void *user, struct invar_error *err), void *user,
                          struct invar_error *err)
{
    struct heart h = {.ranks = r, .lock = PTHREAD_MUTEX_INITIALIZER, .stop = PTHREAD_COND_INITIALIZER};
    const bool beats = pthread_create(&h.thread, NULL, beat, &h) == 0;
    const bool ok = work(user, err);

    if (beats) {
        pthread_mutex_lock(&h.lock);
        h.stopping = true;
        pthread_cond_signal(&h.stop);
        pthread_mutex_unlock(&h.lock);
        pthread_join(h.thread, NULL);
    }
    return ok;
}

bool ranks_lead(struct invar_ranks *r, bool (*work)(void *user, struct invar_error *err), void *user,
                struct invar_error *err)
{
    int32_t busy = 0;
    bool ok = true;

    if (!r)
        return work(user, err);
    if (r->rank == 0) {
        ok = work_and_beat(r, work, user, err);
        say(r, &busy);
    } else
        while (say(r, &busy) && busy)
            ;
    return ranks_agree(r, ok, err);
}
