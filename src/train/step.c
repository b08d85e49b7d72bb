/* SPDX-License-Identifier: Apache-2.0 */
/* One step, and the loop over all of them. */
#include "train/trainer.h"

#include "invar/expert/random.h"
#include "base/threads.h"

#include <math.h>

/* The order of an epoch is a function of seed and epoch, so a resumed run only has to skip what it has seen. */
static bool start_epoch(struct invar_trainer *t, int64_t epoch, struct invar_error *err)
{
    int64_t seen = (t->step - epoch * t->steps_per_epoch) * t->batch;
    struct invar_random random =
        invar_random_stream((uint64_t)t->recipe->training.seed, INVAR_RANDOM_ORDER, (uint64_t)epoch, 0, 0);

    for (int64_t i = 0; i < t->sample_count; i++)
        t->order[i] = t->options.samples ? t->options.samples[i] : i;
    invar_random_shuffle(&random, t->order, t->sample_count);
    t->order_epoch = epoch;
    return invar_loader_start(t->loader, t->order + seen, t->steps_per_epoch * t->batch - seen, err);
}

/* Data, then views, then the adversary's perturbation: each reads what the one before it made. The clock is read
 * between them, as which of them is the bottleneck is the first question of a slow run. */
static bool make_batch(struct invar_trainer *t, struct invar_error *err)
{
    int64_t epoch = t->step / t->steps_per_epoch, got = 0;
    double clock = invar_trainer_clock();

    if (epoch != t->order_epoch && !start_epoch(t, epoch, err))
        return false;
    if (!invar_loader_next(t->loader, t->samples, &got, err))
        return false;
    if (got != t->batch)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: a batch of %lld samples is expected, %lld are left",
                               invar_dataset_info(t->dataset)->source, (long long)t->batch, (long long)got);
    invar_groups_fill(t);
    invar_trainer_lap(t, INVAR_WORK_DATA, &clock);
    if (!invar_view_maker_batch(t->maker, t->samples, t->batch, (uint64_t)t->recipe->training.seed, (uint64_t)epoch,
                                t->host_views, err))
        return false;
    invar_labels_fill(t);
    if (!invar_plain_fill(t, err))
        return false;
    invar_device_upload(t->device, t->input, t->host_views, (size_t)t->input_size * sizeof(float));
    invar_trainer_lap(t, INVAR_WORK_VIEWS, &clock);
    return invar_adversary_perturb(t, err);
}

struct invar_term_key invar_trainer_key(const struct invar_trainer *t)
{
    return (struct invar_term_key){(uint64_t)t->recipe->training.seed, (uint64_t)t->step};
}

static bool evaluate(struct invar_trainer *t, struct invar_error *err)
{
    double clock = invar_trainer_clock();
    bool ok =
        invar_evaluator_run(t->evaluator, &t->ledger, &t->embeddings, &t->gradients, NULL, invar_trainer_key(t), err);

    invar_trainer_lap(t, INVAR_WORK_LOSS, &clock);
    return ok;
}

/* What a slot of squares found is finite, and its root is *norm. */
static bool settle_norm(struct invar_trainer *t, const double *slot, double *norm, const char *what,
                        struct invar_error *err)
{
    *norm = slot ? sqrt(invar_ledger_value(&t->ledger, slot)) : 0;
    return isfinite(*norm) || invar_nonfinite_error(t, what, err);
}

static bool settle_perturbation(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_error own = {0};

    return !t->slots.perturbation || isfinite(invar_ledger_value(&t->ledger, t->slots.perturbation)) ||
           invar_perturbation_check(t->perturbation, t->samples, &own) || invar_nonfinite_explain(t, &own, err);
}

/* The one wait of a step. Where anything found is not finite, no update has been made of it. */
static bool settle(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_error own = {0};

    invar_device_read(&t->ledger);
    if (!settle_perturbation(t, err))
        return false;
    if (!invar_evaluator_settle(t->evaluator, &t->loss, t->values, &own))
        return invar_nonfinite_explain(t, &own, err);
    return settle_norm(t, t->slots.squares, &t->gradient_norm, "the gradient is not finite", err) &&
           settle_norm(t, t->slots.generator_squares, &t->generator_norm, "the gradient of the generator is not finite",
                       err) &&
           invar_classifier_settle(t, err);
}

static bool compute(struct invar_trainer *t, struct invar_error *err)
{
    if (!invar_chain_forward(t, err) || !invar_adversary_backward_apart(t, err) || !evaluate(t, err) ||
        !invar_chain_backward(t, err) || !invar_adversary_backward(t, err))
        return false;
    invar_chain_update(t);
    invar_adversary_update(t);
    return invar_classifier_step(t, err);
}

/* The order is data flow. Where an adversary ascends some terms alone, their gradient goes through the nets first, for
 * the perturbation's sake; the backward pass of the whole objective then writes over what that left in the gradients of
 * the nets. The classifier comes last: it reads h of this step's forward pass, and nothing of the encoder depends on
 * it. */
bool invar_trainer_step(struct invar_trainer *t, struct invar_record *record, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(t->device));
    double begin = invar_trainer_clock(), clock;

    if (t->step >= t->total)
        return invar_error_set(err, INVAR_ERROR_USAGE, "the run has no step left: all %lld are done",
                               (long long)t->total);
    invar_ledger_clear(&t->ledger);
    t->slots = (struct invar_trainer_slots){0};
    if (!make_batch(t, err) || !compute(t, err) || !settle(t, err))
        return false;
    t->step++;
    clock = invar_trainer_clock();
    if (!invar_metrics_collect(t, record, err))
        return false;
    invar_trainer_lap(t, INVAR_WORK_MEASURE, &clock);
    t->total_seconds += clock - begin;
    t->calls++;
    return true;
}

/* ---- the loop ---- */

static bool checkpoint_due(const struct invar_trainer *t)
{
    int64_t interval = t->recipe->training.checkpoint_interval;

    return t->step == t->total || t->step % (interval > 0 ? interval : t->steps_per_epoch) == 0;
}

/* Ctrl-C loses nothing: what was done since the last checkpoint is saved first. */
static bool interrupted(struct invar_trainer *t, struct invar_error *err)
{
    char name[64];

    if (t->folder && t->step > 0 && t->saved != t->step && !invar_checkpoint_write(t, err))
        return false;
    if (t->saved < 0)
        return invar_error_set(err, INVAR_ERROR_INTERRUPTED, "interrupted after step %lld of %lld; nothing was saved",
                               (long long)t->step, (long long)t->total);
    invar_checkpoint_name(name, sizeof name, t->saved);
    return invar_error_set(err, INVAR_ERROR_INTERRUPTED,
                           "interrupted after step %lld of %lld; saved in %s/%s: --resume goes on", (long long)t->step,
                           (long long)t->total, t->folder, name);
}

/* An interruption after the last step is none: the run is whole, and what is left is to write its results. */
bool invar_trainer_run(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_record record;

    while (t->step < t->total) {
        struct invar_error why = {0};
        if (!invar_trainer_step(t, &record, err))
            return false;
        if (t->options.report && !t->options.report(t->options.user, &record, &why) &&
            (why.code != INVAR_ERROR_INTERRUPTED || t->step < t->total))
            return why.code == INVAR_ERROR_INTERRUPTED ? interrupted(t, err)
                                                       : invar_error_set(err, why.code, "%s", why.message);
        if (t->folder && checkpoint_due(t) && !invar_checkpoint_write(t, err))
            return false;
    }
    return !t->folder || invar_checkpoint_finish(t, err);
}
