/* SPDX-License-Identifier: Apache-2.0 */
/* One step, and the loop over all of them. */
#include "train/recipe.h"
#include "train/trainer.h"

#include "base/threads.h"

#include <math.h>

/* chosen: [terms] those that are evaluated; NULL: all. */
static bool evaluate(struct invar_trainer *t, const bool *chosen, struct invar_error *err)
{
    double clock = times_now();

    invar_dense_share(t->given.device, ranks_dense(t->given.options.ranks, t->given.device, t->batch.all));
    const bool ok = invar_evaluator_run(t->evaluator, &t->ledger, &t->chain.embeddings, &t->chain.gradients, chosen,
                                        clock_key(&t->clock), err);
    invar_dense_share(t->given.device, NULL);

    times_lap(&t->times, INVAR_WORK_LOSS, &clock);
    return ok;
}

/* What a slot of squares found is finite, and its root is *norm. No slot: there was nothing to sum, as without an
 * adversary. */
static bool settle_norm(struct invar_trainer *t, const double *slot, double *norm, const char *what,
                        struct invar_error *err)
{
    *norm = slot ? sqrt(invar_ledger_value(&t->ledger, slot)) : 0;
    return isfinite(*norm) || nonfinite_error(t, what, err);
}

static bool settle_perturbation(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_error own = {0};

    return !t->adversary.found || isfinite(invar_ledger_value(&t->ledger, t->adversary.found)) ||
           invar_perturbation_check(t->adversary.perturbation, t->batch.samples, &own) ||
           nonfinite_explain(t, &own, err);
}

/* The one wait of a step. Where anything found is not finite, no update has been made of it. In the order of the
 * data, so that the first sentence is about the cause: a perturbation that is not finite makes everything behind it
 * so. */
static bool settle(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_error own = {0};

    invar_device_read(&t->ledger);
    if (!settle_perturbation(t, err))
        return false;
    if (!invar_evaluator_settle(t->evaluator, &t->loss, t->values, &own))
        return nonfinite_explain(t, &own, err);
    return settle_norm(t, t->chain.squares, &t->chain.gradient_norm, "the gradient is not finite", err) &&
           settle_norm(t, t->adversary.squares, &t->adversary.gradient_norm,
                       "the gradient of the generator is not finite", err) &&
           (classifier_settle(&t->classifier, &own) || nonfinite_explain(t, &own, err));
}

/* What terms and measurements read in the step to come. */
static unsigned roles_of(const struct invar_trainer *t)
{
    return invar_objective_roles(t->given.recipe->objective) | metrics_roles(t);
}

static bool sum_generator(struct invar_trainer *t, struct invar_error *err)
{
    if (adversary_trained(t->given.recipe))
        shared_sum(&t->given, &t->adversary.net, true);
    return ranks_sum_end(t->given.options.ranks, err);
}

/* Gradients of some terms, or of all (NULL), through all nets; with `ascend` on to the generator. learns: the nets are
 * to learn from them, so that they are summed over ranks; what an adversary's own pass leaves there is written over. */
static bool descend(struct invar_trainer *t, const bool *terms, bool ascend, bool learns, struct invar_error *err)
{
    return evaluate(t, terms, err) && chain_backward(&t->chain, &t->batch, learns, err) &&
           (!ascend || adversary_backward(&t->adversary, &t->chain, &t->batch, err));
}

/* All steps of the generator on this batch but the last, which the encoder's pass serves. What one found is read by the
 * update's guard alone; a generator that went wrong is told of by the next one's perturbation. */
static bool ascend_more(struct invar_trainer *t, struct invar_error *err)
{
    for (int64_t i = 1; i < t->given.recipe->adversary.steps && t->adversary.perturbation; i++) {
        if (!adversary_perturb(&t->adversary, &t->batch, &t->clock, &t->ledger, err) ||
            !chain_forward(&t->chain, &t->batch, invar_objective_roles(t->given.recipe->objective), err) ||
            !descend(t, t->adversary.ascended, true, false, err) || !sum_generator(t, err))
            return false;
        adversary_update(&t->adversary, &t->clock, &t->ledger);
        invar_ledger_clear(&t->ledger);
        adversary_restore(&t->adversary, &t->batch);
    }
    return true;
}

/* The order is data flow. Where an adversary ascends some terms alone, their gradient goes through the nets first, for
 * the perturbation's sake; the backward pass of the whole objective then writes over what that left in the gradients of
 * the nets. The classifier comes last: it reads h of this step's forward pass, and nothing of the encoder depends on
 * it. */
static bool compute(struct invar_trainer *t, struct invar_error *err)
{
    const bool *apart = t->adversary.ascended;

    if (!ascend_more(t, err) || !adversary_perturb(&t->adversary, &t->batch, &t->clock, &t->ledger, err) ||
        !chain_forward(&t->chain, &t->batch, roles_of(t), err) || (apart && !descend(t, apart, true, false, err)) ||
        !descend(t, NULL, !apart, true, err) || !sum_generator(t, err))
        return false;
    chain_update(&t->chain, &t->clock, &t->ledger);
    adversary_update(&t->adversary, &t->clock, &t->ledger);
    return classifier_step(&t->classifier, &t->chain, &t->batch, &t->clock, &t->ledger, err);
}

/* Other ranks may be waiting for this one by now. */
static bool broken(struct invar_trainer *t, const struct invar_error *own, struct invar_error *err)
{
    ranks_fail(t->given.options.ranks, own);
    return invar_error_set(err, own->code, "%s", own->message);
}

bool invar_trainer_step(struct invar_trainer *t, struct invar_record *record, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(t->given.device));
    struct invar_error own = {0};
    double begin = times_now(), clock;

    if (t->clock.step >= t->clock.total)
        return invar_error_set(err, INVAR_ERROR_USAGE, "the run has no step left: all %lld are done",
                               (long long)t->clock.total);
    invar_ledger_clear(&t->ledger);
    clock_set(&t->clock);
    if (!batch_fill(&t->batch, &t->clock, err))
        return false;
    if (!compute(t, &own))
        return broken(t, &own, err);
    if (!ranks_agree(t->given.options.ranks, settle(t, err), err))
        return false;
    t->clock.step++;
    clock = times_now();
    if (!metrics_collect(t, record, &own))
        return broken(t, &own, err);
    times_lap(&t->times, INVAR_WORK_MEASURE, &clock);
    t->times.total += clock - begin;
    t->times.calls++;
    return true;
}

/* ---- the loop ---- */

/* The last step always: encoder.safetensors is written from weights that a checkpoint has too. */
static bool checkpoint_due(const struct invar_trainer *t)
{
    int64_t interval = t->given.recipe->training.checkpoint_interval;

    return t->clock.step == t->clock.total || t->clock.step % (interval > 0 ? interval : t->clock.steps_per_epoch) == 0;
}

static bool write_checkpoint(void *user, struct invar_error *err)
{
    struct invar_trainer *t = user;

    return !t->folder.path || checkpoint_write(t, err);
}

static bool write_results(void *user, struct invar_error *err)
{
    struct invar_trainer *t = user;

    return !t->folder.path || checkpoint_finish(t, err);
}

/* Ctrl-C loses nothing: what was done since the last checkpoint is saved first. The step that was interrupted counts:
 * it was made and reported. */
static bool interrupted(void *user, struct invar_error *err)
{
    struct invar_trainer *t = user;
    char name[64];

    if (t->folder.path && t->clock.step > 0 && t->folder.saved != t->clock.step && !checkpoint_write(t, err))
        return false;
    if (t->folder.saved < 0)
        return invar_error_set(err, INVAR_ERROR_INTERRUPTED, "interrupted after step %lld of %lld; nothing was saved",
                               (long long)t->clock.step, (long long)t->clock.total);
    checkpoint_name(name, sizeof name, t->folder.saved);
    return invar_error_set(err, INVAR_ERROR_INTERRUPTED,
                           "interrupted after step %lld of %lld; saved in %s/%s: resume goes on",
                           (long long)t->clock.step, (long long)t->clock.total, t->folder.path, name);
}

/* Tells of a step, and whether to go on. An interruption after the last step is none: the run is whole, and what is
 * left is to write its results. */
static bool report(struct invar_trainer *t, const struct invar_record *record, struct invar_error *why)
{
    if (!t->given.options.report || t->given.options.report(t->given.options.user, record, why))
        return true;
    if (why->code != INVAR_ERROR_INTERRUPTED || t->clock.step < t->clock.total)
        return false;
    invar_error_clear(why);
    return true;
}

/* One rank that is interrupted ends all, at the same step. */
bool invar_trainer_run(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_ranks *ranks = t->given.options.ranks;
    struct invar_record record;

    while (t->clock.step < t->clock.total) {
        struct invar_error why = {0};
        if (!invar_trainer_step(t, &record, err))
            return false;
        if (!ranks_agree(ranks, report(t, &record, &why), &why))
            return why.code == INVAR_ERROR_INTERRUPTED ? ranks_lead(ranks, interrupted, t, err)
                                                       : invar_error_set(err, why.code, "%s", why.message);
        if (checkpoint_due(t) &&
            (!ranks_agree(ranks, together_stay(t, err), err) || !ranks_lead(ranks, write_checkpoint, t, err)))
            return false;
    }
    return ranks_lead(ranks, write_results, t, err);
}
