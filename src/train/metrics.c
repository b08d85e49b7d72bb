/* SPDX-License-Identifier: Apache-2.0 */
/* What a logged step reports, and the warnings when embeddings collapse. */
#include "train/recipe.h"
#include "train/trainer.h"

#include "invar/measure.h"

#include <math.h>

/* Metrics past the room are dropped: a run must not end over a number more or less in its log. */
static void add(struct invar_record *record, const char *name, double value)
{
    if (record->count < INVAR_MAX_METRICS)
        record->metric[record->count++] = (struct invar_metric){name, value};
}

/* The same under a name made here, kept in the slot of the metric. Names live as long as the trainer, since a record
 * is handed on by reference and read until the next step. */
static void add_named(struct invar_trainer *t, struct invar_record *record, const char *term, const char *part,
                      double value)
{
    char *name = t->reported.names[record->count < INVAR_MAX_METRICS ? record->count : INVAR_MAX_METRICS - 1];

    snprintf(name, sizeof t->reported.names[0], part ? "loss/%.40s/%.40s" : "loss/%.40s", term, part);
    add(record, name, value);
}

/* The loss of a single term is the loss; parts are told all the same. */
static void add_terms(struct invar_trainer *t, struct invar_record *record)
{
    int count = invar_objective_count(t->given.recipe->objective);

    for (int i = 0; i < count; i++) {
        const char *term = invar_objective_term(t->given.recipe->objective, i)->name;
        if (count > 1)
            add_named(t, record, term, NULL, t->values[i].loss);
        for (int p = 0; p < t->values[i].count; p++)
            add_named(t, record, term, t->values[i].part[p].name, t->values[i].part[p].value);
    }
}

/* Once a run, not once a process: the flags are in checkpoints, so that a resumed run has the same log. A NaN is not
 * below any limit and is another sentence's business. */
static void warn_once(struct invar_trainer *t, bool *warned, const char *what, double value, const char *option,
                      double limit)
{
    if (*warned || value >= limit)
        return;
    *warned = true;
    invar_log(INVAR_LOG_WARNING, "step %lld: the embeddings collapse: their %s is %.4g, below training.%s %g",
              (long long)t->clock.step, what, value, option, limit);
}

/* LogDet stays finite whatever the batch, and with beta 1 it counts a direction from a deviation of about 1 on. */
static bool add_entropy(struct invar_trainer *t, struct invar_record *record, const char *name,
                        const struct invar_matrix *m, struct invar_error *err)
{
    const struct invar_entropy_options options = {.estimator = INVAR_ENTROPY_LOGDET, .beta = 1};
    double entropy;

    invar_scratch_reset(t->reported.scratch);
    if (!invar_measure_entropy(t->given.device, t->reported.scratch, m, &options, NULL, &entropy, err))
        return false;
    add(record, name, entropy);
    return true;
}

/* What grows while a network learns: information and directions, in z and in h; and how near views of a sample are.
 * Both of z and of h: objectives act on z, and h is what users keep; where z collapses onto a few directions while h
 * does not, it was the projector, and h may still be good. */
static bool add_information(struct invar_trainer *t, struct invar_record *record, struct invar_error *err)
{
    const struct invar_matrix *z = t->chain.embeddings.by[INVAR_ROLE_Z], *h = t->chain.embeddings.by[INVAR_ROLE_H];
    double rank, alignment;

    invar_scratch_reset(t->reported.scratch);
    if (!invar_measure_effective_rank(t->given.device, t->reported.scratch, z, &rank, err))
        return false;
    add(record, "effective_rank", rank);
    warn_once(t, &t->reported.warned_rank, "effective rank", rank, "collapse_rank",
              t->given.recipe->training.collapse_rank);
    if (!add_entropy(t, record, "entropy", z, err))
        return false;
    invar_scratch_reset(t->reported.scratch);
    if (t->batch.views > 1) {
        if (!invar_measure_alignment(t->given.device, t->reported.scratch, &z[0], &z[1], NULL, NULL, &alignment, err))
            return false;
        add(record, "alignment", alignment);
    }
    invar_scratch_reset(t->reported.scratch);
    if (!invar_measure_effective_rank(t->given.device, t->reported.scratch, h, &rank, err))
        return false;
    add(record, "representation_rank", rank);
    return add_entropy(t, record, "representation_entropy", h, err);
}

/* Embeddings of the first view: both views of a sample in one matrix would count it twice. */
static bool add_measurements(struct invar_trainer *t, struct invar_record *record, bool all, struct invar_error *err)
{
    double deviation;

    invar_scratch_reset(t->reported.scratch);
    if (!invar_measure_deviation(t->given.device, t->reported.scratch, &t->chain.embeddings.by[INVAR_ROLE_Z][0],
                                 &deviation, err))
        return false;
    add(record, "embedding_std", deviation);
    warn_once(t, &t->reported.warned_deviation, "standard deviation", deviation, "collapse_deviation",
              t->given.recipe->training.collapse_deviation);
    return !all || add_information(t, record, err);
}

/* The rate of the last window of logged steps; the first step of a process, which makes primitives, is left out.
 * Measuring between logged steps averages over steps with and without measurements as they come. */
static void measure_rate(struct invar_trainer *t, bool logged)
{
    double now = times_now();

    if (t->times.window_step < 0) {
        t->times.window_start = now;
        t->times.window_step = t->clock.step;
    } else if (t->clock.step > t->times.window_step && (logged || t->times.step_seconds == 0)) {
        t->times.step_seconds = (now - t->times.window_start) / (double)(t->clock.step - t->times.window_step);
        if (logged) {
            t->times.window_start = now;
            t->times.window_step = t->clock.step;
        }
    }
}

/* Step from 1: whether it is logged, and measured. Asked before the step too, as ranks gather what is measured. */
static bool is_logged(const struct invar_trainer *t, int64_t step, bool *measured)
{
    const struct invar_training_options *o = &t->given.recipe->training;

    *measured = step == 1 || step == t->clock.total || step % o->measure_interval == 0;
    return *measured || step % o->log_interval == 0;
}

unsigned metrics_roles(const struct invar_trainer *t)
{
    bool measured;
    const bool logged = is_logged(t, t->clock.step + 1, &measured);

    return (logged ? INVAR_ROLE_BIT(INVAR_ROLE_Z) : 0) | (measured ? INVAR_ROLE_BIT(INVAR_ROLE_H) : 0);
}

/* Ranks and entropies take singular values of z and h, which is why measurements have an interval of their own. */
bool metrics_collect(struct invar_trainer *t, struct invar_record *record, struct invar_error *err)
{
    bool measured;
    const bool logged = is_logged(t, t->clock.step, &measured);

    measure_rate(t, logged);
    *record = (struct invar_record){
        .step = t->clock.step,
        .total_steps = t->clock.total,
        .epoch = (double)t->clock.step / (double)t->clock.steps_per_epoch,
        .epochs = (double)t->clock.total / (double)t->clock.steps_per_epoch,
        .samples_per_s = t->times.step_seconds > 0 ? (double)t->batch.all / t->times.step_seconds : 0,
        .remaining_s = t->times.step_seconds * (double)(t->clock.total - t->clock.step),
    };
    if (!logged)
        return true;
    add(record, "loss", t->loss);
    add_terms(t, record);
    const double top1 = t->classifier.objective ? classifier_top1(&t->classifier, &t->batch) : (double)NAN;
    if (!isnan(top1)) { /* a batch without any label measures nothing */
        add(record, "classifier/top1", top1);
        add(record, "classifier/loss", t->classifier.loss);
    }
    add(record, "lr", t->clock.rate);
    add(record, "gradient_norm", t->chain.gradient_norm);
    if (t->given.recipe->target.enabled)
        add(record, "target_momentum", t->clock.momentum);
    double rms;
    if (t->adversary.perturbation && !adversary_rms(&t->adversary, &rms, err))
        return false;
    if (t->adversary.perturbation)
        add(record, "perturbation_rms", rms);
    if (adversary_trained(t->given.recipe))
        add(record, "generator_gradient_norm", t->adversary.gradient_norm);
    if (!add_measurements(t, record, measured, err))
        return false;
    add(record, "samples_per_s", record->samples_per_s);
    return true;
}
