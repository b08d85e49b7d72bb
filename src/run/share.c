/* SPDX-License-Identifier: Apache-2.0 */
/* What several processes have embedded, put together. */
#include "run/share.h"
#include "data/dataset.h"
#include "invar/memory.h"
#include "train/alike.h"

#include <string.h>

#define BLOCK ((int64_t)1 << 22) /* bytes that a process sends at once */

struct invar_run_share {
    struct invar_ranks *ranks;
    bool ended; /* all know that one of them failed, and meet no more */
};

static bool agree(struct invar_run_share *s, bool ok, struct invar_error *err)
{
    if (s->ended)
        return false;
    s->ended = !ranks_agree(s->ranks, ok, err);
    return !s->ended;
}

bool invar_run_agree(const struct invar_run *run, bool ok, struct invar_error *err)
{
    return run->share ? agree(run->share, ok, err) && ok : ok;
}

bool invar_run_leads(const struct invar_run *run)
{
    return !run->share || ranks_leads(run->share->ranks);
}

struct invar_share run_share_of(const struct invar_run *run)
{
    const struct invar_run_share *s = run->share;

    return s ? (struct invar_share){invar_ranks_count(s->ranks), invar_ranks_rank(s->ranks)} : (struct invar_share){0};
}

static bool compare(const struct invar_run *run, struct invar_error *err)
{
    const struct invar_encoder *encoder = run->encoder;
    struct invar_alike_subject subject = {"encoder", INVAR_ALIKE_BEGIN, INVAR_PRECISION_FLOAT32};

    if (encoder) {
        const size_t parameters = (size_t)encoder->net->trained_count * sizeof(float);
        const size_t statistics = (size_t)encoder->net->statistic_count * sizeof(float);
        subject.hash =
            alike_hash(alike_hash(subject.hash, encoder->parameters, parameters), encoder->statistics, statistics);
    }
    return ranks_alike(run->share->ranks, run->device, invar_dataset_info(run->dataset), &subject, err);
}

bool run_share_begin(struct invar_run *run, struct invar_ranks *ranks, bool ok, struct invar_error *err)
{
    if (!ranks)
        return ok;
    run->share = invar_alloc(1, sizeof *run->share, ok ? err : NULL);
    if (!run->share)
        return ranks_agree(ranks, false, err);
    run->share->ranks = ranks;
    if (!agree(run->share, ok, err))
        return false;
    run->share->ended = !compare(run, err); /* as found by all of them */
    return !run->share->ended;
}

/* ---- rows ---- */

/* What one has, and the room that passing it on takes. */
struct part {
    int64_t rows, pooled, left_out;
};

struct joining {
    struct invar_ranks *ranks;
    struct part *part; /* [count] */
    int count;
    char *own, *all; /* [BLOCK or a row], of every one */
    int64_t room;
};

static int64_t row_bytes(const struct invar_array *array)
{
    return (int64_t)invar_dtype_size(array->dtype) * (array->rank == 2 ? array->shape[1] : 1);
}

static bool make_array(struct invar_array *out, const struct invar_array *own, int64_t rows, struct invar_error *err)
{
    const int64_t shape[] = {rows, own->shape[1]};

    return invar_array_alloc(out, own->dtype, own->rank, shape, err);
}

static int64_t within(int64_t rows, int64_t at, int64_t most)
{
    const int64_t left = rows - at;

    return left < 0 ? 0 : left < most ? left : most;
}

/* In rounds of a block of each: those that have fewer rows send what is no row. */
static bool join(struct joining *j, const struct invar_array *own, struct invar_array *out, struct invar_error *err)
{
    const int64_t width = row_bytes(own), each = j->room / width;
    const int rank = invar_ranks_rank(j->ranks);
    int64_t most = 0;

    for (int k = 0; k < j->count; k++)
        most = j->part[k].rows > most ? j->part[k].rows : most;
    for (int64_t at = 0; at < most; at += each) {
        const size_t bytes = (size_t)(within(most, at, each) * width);
        char *to = out->data;
        memcpy(j->own, (const char *)own->data + at * width * (at < j->part[rank].rows),
               (size_t)(within(j->part[rank].rows, at, each) * width));
        if (!ranks_gather(j->ranks, j->own, bytes, j->all, err))
            return false;
        for (int k = 0; k < j->count; to += j->part[k++].rows * width)
            if (at < j->part[k].rows)
                memcpy(to + at * width, j->all + (size_t)k * bytes,
                       (size_t)(within(j->part[k].rows, at, each) * width));
    }
    return true;
}

/* ---- samples that were left out ---- */

struct left_out {
    int64_t item;
    char why[sizeof((struct invar_error *)NULL)->message];
};

/* Each has noted its own; those of the others follow in their order. On the first, which tells of them, they are in the
 * order of one process. */
static bool leave_out(const struct joining *j, struct invar_dataset *dataset, int64_t known, int64_t most,
                      struct left_out *own, struct left_out *all, struct invar_error *err)
{
    const int rank = invar_ranks_rank(j->ranks);
    struct invar_left_out one;
    bool ok = true;

    for (int64_t i = 0; i < j->part[rank].left_out && invar_dataset_left_out(dataset, known + i, &one); i++) {
        own[i].item = one.origin.item;
        snprintf(own[i].why, sizeof own[i].why, "%s", one.why);
    }
    if (most && !ranks_gather(j->ranks, own, (size_t)most * sizeof *own, all, err))
        return false;
    for (int k = 0; k < j->count; k++)
        for (int64_t i = 0; ok && k != rank && i < j->part[k].left_out; i++)
            ok = data_dataset_bad(dataset, all[k * most + i].item, all[k * most + i].why, err);
    return ok;
}

/* ---- all of it ---- */

/* Everything that takes memory comes before the second meeting, so that from there on nobody is alone. */
static bool join_all(struct joining *j, struct invar_run_share *s, struct invar_dataset *dataset, int64_t known,
                     const struct invar_embedded *own, struct invar_embedded *out, struct invar_error *err)
{
    int64_t rows = 0, most = 0;

    for (int k = 0; k < j->count; k++) {
        rows += j->part[k].rows;
        most = j->part[k].left_out > most ? j->part[k].left_out : most;
        out->pooled += j->part[k].pooled;
    }
    j->room = row_bytes(&own->features) > BLOCK ? row_bytes(&own->features) : BLOCK;
    j->own = invar_alloc((size_t)j->room, 1, err);
    j->all = j->own ? invar_alloc((size_t)j->room, (size_t)j->count, err) : NULL;
    struct left_out *bad = invar_alloc((size_t)most * (size_t)(j->count + 1), sizeof *bad, err);
    const bool made = j->all && bad && make_array(&out->features, &own->features, rows, err) &&
                      make_array(&out->labels, &own->labels, rows, err) &&
                      make_array(&out->index, &own->index, rows, err);
    const bool ok = agree(s, made, err) && join(j, &own->features, &out->features, err) &&
                    join(j, &own->labels, &out->labels, err) && join(j, &own->index, &out->index, err) &&
                    leave_out(j, dataset, known, most, bad, bad + most, err);
    invar_free(bad);
    return ok;
}

bool run_share_rows(const struct invar_run *run, struct invar_dataset *dataset, int64_t known, bool ok,
                    struct invar_embedded *rows, struct invar_error *err)
{
    struct invar_run_share *s = run->share;
    struct invar_embedded joined = {0};

    if (!s)
        return ok;
    struct joining j = {.ranks = s->ranks, .count = invar_ranks_count(s->ranks)};
    struct part own = {0};
    bool joins = false;
    j.part = invar_alloc((size_t)j.count, sizeof *j.part, ok ? err : NULL);
    if (ok)
        own = (struct part){rows->features.shape[0], rows->pooled, invar_dataset_info(dataset)->skipped - known};
    if (agree(s, ok && j.part, err) && ranks_gather(s->ranks, &own, sizeof own, j.part, err))
        joins = join_all(&j, s, dataset, known, rows, &joined, err);
    if (ok)
        invar_embedded_free(rows);
    if (joins)
        *rows = joined;
    else
        invar_embedded_free(&joined);
    invar_free(j.part);
    invar_free(j.own);
    invar_free(j.all);
    return joins;
}

bool run_share_sum(const struct invar_run *run, bool ok, int64_t *numbers, int count, struct invar_error *err)
{
    struct invar_run_share *s = run->share;

    if (!s)
        return ok;
    const int ranks = invar_ranks_count(s->ranks);
    int64_t *all = invar_alloc((size_t)ranks * (size_t)count, sizeof *all, ok ? err : NULL);
    ok = agree(s, ok && all, err) && ranks_gather(s->ranks, numbers, (size_t)count * sizeof *numbers, all, err);
    for (int i = 0; ok && i < count; i++) {
        numbers[i] = 0;
        for (int k = 0; k < ranks; k++)
            numbers[i] += all[k * count + i];
    }
    invar_free(all);
    return ok;
}
