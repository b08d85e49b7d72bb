/* SPDX-License-Identifier: Apache-2.0 */
/* What ranks do together, over a table that moves bytes: whatever is computed, is computed here, in one order. */
#include "train/ranks.h"

#include <stdio.h>
#include <string.h>

/* Floats that pass through memory of the host at once: large vectors take several rounds, and the memory is bounded. */
#define ROUND ((int64_t)1 << 22)

struct invar_ranks {
    const struct invar_ranks_table *table;
    void *state;
    int count, rank;
    struct invar_error why; /* code set: it failed */
    float *own, *all;       /* [capacity] */
    int64_t capacity;
    struct invar_plan_ranks plan;
};

int invar_ranks_count(const struct invar_ranks *r)
{
    return r ? r->count : 1;
}

int invar_ranks_rank(const struct invar_ranks *r)
{
    return r ? r->rank : 0;
}

bool invar_ranks_leads(const struct invar_ranks *r)
{
    return invar_ranks_rank(r) == 0;
}

bool invar_ranks_failed(const struct invar_ranks *r)
{
    return r && r->why.code != INVAR_OK;
}

bool invar_ranks_fail(struct invar_ranks *r, const struct invar_error *err)
{
    return r ? invar_error_set(&r->why, err->code ? err->code : INVAR_ERROR_SYSTEM, "%s", err->message) : false;
}

/* The end of every call of the table. */
static bool done(struct invar_ranks *r, bool ok, struct invar_error *err)
{
    return ok || invar_error_set(err, r->why.code, "%s", r->why.message);
}

/* Both of them, for so many floats. */
static bool reserve(struct invar_ranks *r, int64_t floats)
{
    if (floats <= r->capacity || invar_ranks_failed(r))
        return !invar_ranks_failed(r);
    invar_free(r->own);
    invar_free(r->all);
    r->own = invar_alloc((size_t)floats, sizeof *r->own, &r->why);
    r->all = r->own ? invar_alloc((size_t)floats, sizeof *r->all, &r->why) : NULL;
    r->capacity = r->all ? floats : 0;
    return r->all != NULL;
}

bool invar_ranks_gather(struct invar_ranks *r, const void *own, size_t bytes, void *all, struct invar_error *err)
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
    return done(r, !invar_ranks_failed(r) && r->table->gather(r->state, own, bytes, all, &r->why), err);
}

bool invar_ranks_broadcast(struct invar_ranks *r, void *x, size_t bytes, struct invar_error *err)
{
    return !r || done(r, !invar_ranks_failed(r) && r->table->broadcast(r->state, x, bytes, &r->why), err);
}

bool invar_ranks_broadcast_text(struct invar_ranks *r, struct invar_text *text, struct invar_error *err)
{
    size_t size = text->size;

    if (!r)
        return true;
    if (!invar_ranks_broadcast(r, &size, sizeof size, err))
        return false;
    char *copy = invar_alloc(size + 1, 1, err);
    if (copy && text->size)
        memcpy(copy, text->data, size);
    const bool ok = copy && invar_ranks_broadcast(r, copy, size, err) &&
                    (invar_ranks_leads(r) || invar_text_printf(text, err, "%s", copy));
    invar_free(copy);
    return ok;
}

/* Statistics are read by the next operation of a plan, which has no way to fail: a rank that is gone shows at the next
 * agreement. */
static void gather_statistics(void *user, const double *own, int64_t count, double *all)
{
    struct invar_ranks *r = user;

    invar_ranks_gather(r, own, (size_t)count * sizeof *own, all, NULL);
}

const struct invar_plan_ranks *invar_ranks_plan(const struct invar_ranks *r)
{
    return r ? &r->plan : NULL;
}

struct invar_ranks *invar_ranks_create(const struct invar_ranks_table *table, void *state, int count, int rank,
                                       struct invar_error *err)
{
    struct invar_ranks *r = invar_alloc(1, sizeof *r, err);

    if (!r) {
        table->close(state, true);
        return NULL;
    }
    *r = (struct invar_ranks){
        .table = table, .state = state, .count = count, .rank = rank, .plan = {count, rank, gather_statistics, r}};
    return r;
}

void invar_ranks_close(struct invar_ranks *r)
{
    if (!r)
        return;
    r->table->close(r->state, invar_ranks_failed(r));
    invar_free(r->own);
    invar_free(r->all);
    invar_free(r);
}

/* ---- floats of the device ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool invar_ranks_gather_host(struct invar_ranks *r, struct invar_device *device, const float *own, int64_t count,
                             float *all, struct invar_error *err)
{
    const size_t bytes = (size_t)count * sizeof *own;

    if (!reserve(r, count * r->count))
        return done(r, false, err);
    if (!invar_ranks_gather(r, own, bytes, r->all, err))
        return false;
    invar_device_upload(device, all, r->all, bytes * (size_t)r->count);
    return true;
}

bool invar_ranks_gather_device(struct invar_ranks *r, struct invar_device *device, const float *own, int64_t count,
                               float *all, struct invar_error *err)
{
    if (!reserve(r, count * r->count))
        return done(r, false, err);
    invar_device_download(device, r->own, own, (size_t)count * sizeof *own);
    return invar_ranks_gather_host(r, device, r->own, count, all, err);
}

bool invar_ranks_broadcast_device(struct invar_ranks *r, struct invar_device *device, float *x, int64_t count,
                                  struct invar_error *err)
{
    if (!reserve(r, smaller(count, ROUND)))
        return done(r, false, err);
    for (int64_t at = 0; at < count; at += ROUND) {
        const size_t bytes = (size_t)smaller(ROUND, count - at) * sizeof *x;
        invar_device_download(device, r->own, x + at, bytes);
        if (!invar_ranks_broadcast(r, r->own, bytes, err))
            return false;
        invar_device_upload(device, x + at, r->own, bytes);
    }
    return true;
}

/* Every rank sums a part of its own, of all ranks in their order, and hands it to all: twice the vector passes through
 * each, however many they are. In double, so that the order matters to the last bit alone. */
static bool sum_round(struct invar_ranks *r, int64_t part, struct invar_error *err)
{
    const size_t bytes = (size_t)part * sizeof *r->own;

    if (!done(r, !invar_ranks_failed(r) && r->table->exchange(r->state, r->own, bytes, r->all, &r->why), err))
        return false;
    for (int64_t i = 0; i < part; i++) {
        double sum = 0;
        for (int k = 0; k < r->count; k++)
            sum += (double)r->all[k * part + i];
        r->own[i] = (float)sum;
    }
    return invar_ranks_gather(r, r->own, bytes, r->all, err);
}

bool invar_ranks_sum(struct invar_ranks *r, struct invar_device *device, float *x, int64_t count,
                     struct invar_error *err)
{
    if (!r)
        return true;
    for (int64_t at = 0; at < count; at += ROUND) {
        const int64_t floats = smaller(ROUND, count - at), part = (floats + r->count - 1) / r->count;
        const size_t bytes = (size_t)floats * sizeof *x;
        if (!reserve(r, part * r->count))
            return done(r, false, err);
        invar_device_download(device, r->own, x + at, bytes);
        memset(r->own + floats, 0, (size_t)(part * r->count - floats) * sizeof *x);
        if (!sum_round(r, part, err))
            return false;
        invar_device_upload(device, x + at, r->all, bytes);
    }
    return true;
}

bool invar_ranks_sum_double(struct invar_ranks *r, double *x, struct invar_error *err)
{
    const double own = *x;
    double *all;

    if (!r)
        return true;
    if (!reserve(r, 2 * r->count))
        return done(r, false, err);
    all = (double *)(void *)r->all;
    if (!invar_ranks_gather(r, &own, sizeof own, all, err))
        return false;
    *x = 0;
    for (int k = 0; k < r->count; k++)
        *x += all[k];
    return true;
}

/* ---- agreement ---- */

/* What a rank has to say: who speaks first is the lowest that has something, and all then say the same. */
static bool first_sentence(struct invar_ranks *r, const struct invar_error *own, int first, struct invar_error *err)
{
    struct invar_error *all = invar_alloc((size_t)r->count, sizeof *all, err);
    bool ok = all && invar_ranks_gather(r, own, sizeof *own, all, err);

    if (ok && first == 0)
        ok = invar_error_set(err, all[0].code, "%s", all[0].message);
    else if (ok)
        ok = invar_error_set(err, all[first].code, "process %d of %d: %.900s", first + 1, r->count, all[first].message);
    invar_free(all);
    return ok;
}

bool invar_ranks_agree(struct invar_ranks *r, bool ok, struct invar_error *err)
{
    struct invar_error own = {0};
    int32_t well = ok, *all;
    int first = 0;

    if (!r)
        return ok;
    if (!ok) {
        own = err && err->code ? *err : (struct invar_error){INVAR_ERROR_SYSTEM, "it failed"};
        invar_error_clear(err);
    }
    if (!reserve(r, r->count))
        return done(r, false, err);
    all = (int32_t *)(void *)r->all;
    if (!invar_ranks_gather(r, &well, sizeof well, all, err))
        return false;
    while (first < r->count && all[first])
        first++;
    return first == r->count || first_sentence(r, &own, first, err);
}
