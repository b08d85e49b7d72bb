/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks that begin, and stay, at one place. Each has the whole of the parameters, the optimiser's buffers and what
 * terms keep, and makes the same updates of the same numbers: they are the same bits as long as recipe, data and the
 * way of computing are.
 */
#include "train/trainer.h"

#include "invar/version.h"

#include <string.h>

/* ---- before the first step ---- */

/* What all must have alike. Of one size in every version. */
struct introduction {
    char version[32], engine[32], instruction_set[32];
    int64_t threads, samples;
    uint64_t recipe, data;
    char rest[384];
};

/* FNV-1a of bytes. */
static uint64_t hash(uint64_t so_far, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++)
        so_far = (so_far ^ at[i]) * 0x100000001b3u;
    return so_far;
}

static uint64_t hash_text(const char *text)
{
    return hash(0xcbf29ce484222325u, text ? text : "", text ? strlen(text) : 0);
}

/* An identity is of what the files hold, so that data may lie elsewhere on another machine. */
static bool introduce(const struct invar_trainer *t, struct introduction *own, struct invar_error *err)
{
    const struct invar_dataset_info *info = t->given.info;
    struct invar_machine machine;

    if (!invar_device_machine(t->given.device, t->given.recipe->training.precision, &machine, err))
        return false;
    *own = (struct introduction){.version = INVAR_VERSION,
                                 .threads = machine.threads,
                                 .samples = info->count[INVAR_TRAIN],
                                 .recipe = hash_text(t->folder.recipe.data),
                                 .data = hash_text(info->identity)};
    memcpy(own->engine, machine.engine, sizeof own->engine);
    memcpy(own->instruction_set, machine.instruction_set, sizeof own->instruction_set);
    return true;
}

/* The first thing that differs between rank k and the first. */
static bool differs(const struct introduction *first, const struct introduction *other, int k, struct invar_error *err)
{
    const int process = k + 1;

    if (strncmp(first->version, other->version, sizeof first->version) != 0)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "process %d runs version %.31s of invar, process 1 %.31s: install one version everywhere", process,
            other->version, first->version);
    if (first->recipe != other->recipe)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "process %d has another recipe than process 1: give all the same one", process);
    if (first->samples != other->samples || first->data != other->data)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "process %d has other data than process 1 (%lld training samples, %lld there): give all "
                               "the same files",
                               process, (long long)other->samples, (long long)first->samples);
    if (strncmp(first->engine, other->engine, sizeof first->engine) != 0 ||
        strncmp(first->instruction_set, other->instruction_set, sizeof first->instruction_set) != 0)
        return invar_error_set(err, INVAR_ERROR_DEVICE,
                               "process %d computes by %.31s with %.31s, process 1 by %.31s with %.31s, and their "
                               "parameters would part: set ONEDNN_MAX_CPU_ISA to what all of them have",
                               process, other->engine, other->instruction_set, first->engine, first->instruction_set);
    if (first->threads != other->threads)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "process %d has %lld threads, process 1 has %lld: give all the same number", process,
                               (long long)other->threads, (long long)first->threads);
    return true;
}

/* Before anything is written: a run that is refused leaves no folder. All find the same difference, as all have the
 * same introductions. */
bool invar_together_compare(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_ranks *ranks = t->given.options.ranks;
    struct introduction own = {0}, *all;

    if (!ranks)
        return true;
    if (!invar_ranks_agree(ranks, introduce(t, &own, err), err))
        return false;
    all = invar_alloc((size_t)invar_ranks_count(ranks), sizeof *all, err);
    bool ok = all && invar_ranks_gather(ranks, &own, sizeof own, all, err);
    for (int k = 1; ok && k < invar_ranks_count(ranks); k++)
        ok = differs(&all[0], &all[k], k, err);
    invar_free(all);
    return ok;
}

/* ---- what rank 0 has becomes that of all ---- */

/* In the order of the nets, which is the same everywhere: each call is one of all ranks. */
static bool hand_on(struct invar_trainer *t, float *x, int64_t count, struct invar_error *err)
{
    return invar_ranks_broadcast_device(t->given.options.ranks, t->given.device, x, count, err);
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
        if (invar_trainer_net(t, i)->net && !hand_on_net(t, invar_trainer_net(t, i), err))
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
bool invar_together_begin(struct invar_trainer *t, struct invar_error *err)
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
    if (!invar_ranks_broadcast(t->given.options.ranks, &begin, sizeof begin, err))
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
    *out = hash_text("");
    for (int i = 0; i < INVAR_NET_ALL; i++) {
        const struct invar_chain_net *n = invar_trainer_net(t, i);
        const size_t bytes = n->net ? (size_t)n->net->trained_count * sizeof(float) : 0;
        if (bytes == 0)
            continue;
        float *host = invar_alloc(bytes, 1, err);
        if (!host)
            return false;
        invar_device_download(t->given.device, host, n->weights->parameters, bytes);
        *out = hash(*out, host, bytes);
        invar_free(host);
    }
    return true;
}

bool invar_together_stay(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_ranks *ranks = t->given.options.ranks;
    uint64_t own = 0, *all;
    int other = 0;

    if (!ranks)
        return true;
    if (!invar_ranks_agree(ranks, hash_weights(t, &own, err), err))
        return false;
    all = invar_alloc((size_t)invar_ranks_count(ranks), sizeof *all, err);
    bool ok = all && invar_ranks_gather(ranks, &own, sizeof own, all, err);
    for (int k = 1; ok && k < invar_ranks_count(ranks) && other == 0; k++)
        other = all[k] != all[0] ? k : 0;
    invar_free(all);
    if (!ok || other == 0)
        return ok;
    invar_log(INVAR_LOG_WARNING,
              "step %lld: the parameters of process %d have parted from those of process 1, as they do on processors "
              "that round in different ways: all go on with the latter",
              (long long)t->clock.step, other + 1);
    return hand_on_all(t, err);
}
