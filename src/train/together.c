/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks that begin, and stay, at one place. Each has the whole of the parameters, the optimiser's buffers and what
 * terms keep, and makes the same updates of the same numbers: they are the same bits as long as recipe, data and the
 * way of computing are.
 */
#include "train/trainer.h"

#include "train/alike.h"

/* ---- before the first step ---- */

/* Before anything is written: a run that is refused leaves no folder. */
bool together_compare(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_alike_subject subject = {
        "recipe", alike_hash(INVAR_ALIKE_BEGIN, t->folder.recipe.data, t->folder.recipe.size),
        t->given.recipe->training.precision};

    return ranks_alike(t->given.options.ranks, t->given.device, t->given.info, &subject, err);
}

/* ---- what rank 0 has becomes that of all ---- */

/* In the order of the nets, which is the same everywhere: each call is one of all ranks. */
static bool hand_on(struct invar_trainer *t, float *x, int64_t count, struct invar_error *err)
{
    return ranks_broadcast_device(t->given.options.ranks, t->given.device, x, count, err);
}

static bool hand_on_weights(struct invar_trainer *t, const struct invar_weights *w, struct invar_error *err)
{
    return !w || (hand_on(t, w->parameters, w->net->trained_count, err) &&
                  hand_on(t, w->statistics, w->net->statistic_count, err));
}

static bool hand_on_net(struct invar_trainer *t, const struct invar_chain_net *n, struct invar_error *err)
{
    bool ok = hand_on_weights(t, n->weights, err) && hand_on_weights(t, n->target_weights, err);

    for (int b = 0; ok && b < n->buffer_count; b++)
        ok = hand_on(t, n->buffers[b], n->net->trained_count, err);
    return ok;
}

static bool hand_on_all(struct invar_trainer *t, struct invar_error *err)
{
    for (int i = 0; i < INVAR_NET_ALL; i++)
        if (trainer_net(t, i)->net && !hand_on_net(t, trainer_net(t, i), err))
            return false;
    for (int i = 0; i < invar_objective_count(t->given.recipe->objective); i++) {
        int64_t count;
        float *state = invar_evaluator_state(t->evaluator, i, &count);
        if (count > 0 && !hand_on(t, state, count, err))
            return false;
    }
    return true;
}

/* Rank 0 alone has read the folder: where the run goes on from there, whether it has ended, and at which rate. */
bool together_begin(struct invar_trainer *t, struct invar_error *err)
{
    struct {
        int64_t step;
        struct invar_joined joined;
        bool extended, finished, warned_deviation, warned_rank;
    } begin = {
        t->clock.step,          t->clock.joined, t->clock.extended, t->folder.finished, t->reported.warned_deviation,
        t->reported.warned_rank};

    if (!t->given.options.ranks)
        return true;
    if (!ranks_broadcast(t->given.options.ranks, &begin, sizeof begin, err))
        return false;
    t->clock.step = begin.step;
    t->clock.joined = begin.joined;
    t->clock.extended = begin.extended;
    t->folder.finished = begin.finished;
    t->reported.warned_deviation = begin.warned_deviation;
    t->reported.warned_rank = begin.warned_rank;
    return hand_on_all(t, err);
}

/* ---- at checkpoints ---- */

/* Parameters alone: a buffer or a queue that parts moves them in the next step. One net at a time passes through the
 * host, as it does into a checkpoint. */
static bool hash_weights(struct invar_trainer *t, uint64_t *out, struct invar_error *err)
{
    *out = INVAR_ALIKE_BEGIN;
    for (int i = 0; i < INVAR_NET_ALL; i++) {
        const struct invar_chain_net *n = trainer_net(t, i);
        const size_t bytes = n->net ? (size_t)n->net->trained_count * sizeof(float) : 0;
        if (bytes == 0)
            continue;
        float *host = invar_alloc(bytes, 1, err);
        if (!host)
            return false;
        invar_device_download(t->given.device, host, n->weights->parameters, bytes);
        *out = alike_hash(*out, host, bytes);
        invar_free(host);
    }
    return true;
}

bool together_stay(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_ranks *ranks = t->given.options.ranks;
    uint64_t own = 0;
    const uint64_t *all;
    int other = 0;

    if (!ranks)
        return true;
    if (!ranks_agree(ranks, hash_weights(t, &own, err), err))
        return false;
    if (!(all = ranks_gather_all(ranks, &own, sizeof own, err)))
        return false;
    for (int k = 1; k < invar_ranks_count(ranks) && other == 0; k++)
        other = all[k] != all[0] ? k : 0;
    if (other == 0)
        return true;
    invar_log(INVAR_LOG_WARNING,
              "step %lld: the parameters of process %d have parted from those of process 1, as they do on processors "
              "that round in different ways: all go on with the latter",
              (long long)t->clock.step, other + 1);
    return hand_on_all(t, err);
}
