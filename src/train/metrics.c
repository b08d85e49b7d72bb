/* SPDX-License-Identifier: Apache-2.0 */
/* What a logged step reports, and the warnings when embeddings collapse. */
#include "train/trainer.h"

static void add(struct invar_record *record, const char *name, double value)
{
    if (record->count < INVAR_MAX_METRICS)
        record->metric[record->count++] = (struct invar_metric){name, value};
}

/* The same under a name made here, kept in the slot of the metric. */
static void add_named(struct invar_trainer *t, struct invar_record *record, const char *term, const char *part,
                      double value)
{
    char *name = t->names[record->count < INVAR_MAX_METRICS ? record->count : INVAR_MAX_METRICS - 1];

    snprintf(name, sizeof t->names[0], part ? "loss/%.40s/%.40s" : "loss/%.40s", term, part);
    add(record, name, value);
}

static void add_terms(struct invar_trainer *t, struct invar_record *record)
{
    int count = invar_objective_count(t->recipe->objective);

    for (int i = 0; i < count; i++) {
        const char *term = invar_objective_term(t->recipe->objective, i)->name;
        if (count > 1)
            add_named(t, record, term, NULL, t->values[i].loss);
        for (int p = 0; p < t->values[i].count; p++)
            add_named(t, record, term, t->values[i].part[p].name, t->values[i].part[p].value);
    }
}

static void warn_once(struct invar_trainer *t, bool *warned, const char *what, double value, const char *option,
                      double limit)
{
    if (*warned || value >= limit)
        return;
    *warned = true;
    invar_log(INVAR_LOG_WARNING, "step %lld: the embeddings collapse: their %s is %.4g, below training.%s %g",
              (long long)t->step, what, value, option, limit);
}

/* Embeddings of the first view: both views of a sample in one matrix would count it twice. */
static bool add_measurements(struct invar_trainer *t, struct invar_record *record, bool rank, struct invar_error *err)
{
    const struct invar_training_options *o = &t->recipe->training;
    const struct invar_matrix *z = &t->embeddings.by[INVAR_ROLE_Z][0];
    double deviation, effective_rank;

    invar_scratch_reset(t->scratch);
    if (!invar_measure_deviation(t->device, t->scratch, z, &deviation, err))
        return false;
    add(record, "embedding_std", deviation);
    warn_once(t, &t->warned_deviation, "standard deviation", deviation, "collapse_deviation", o->collapse_deviation);
    if (!rank)
        return true;
    if (!invar_measure_effective_rank(t->device, t->scratch, z, &effective_rank, err))
        return false;
    add(record, "effective_rank", effective_rank);
    warn_once(t, &t->warned_rank, "effective rank", effective_rank, "collapse_rank", o->collapse_rank);
    return true;
}

/* The rate of the last window of logged steps; the first step of a process, which makes primitives, is left out. */
static void measure_rate(struct invar_trainer *t, bool logged)
{
    double now = invar_trainer_clock();

    if (t->window_step < 0) {
        t->window_start = now;
        t->window_step = t->step;
    } else if (t->step > t->window_step && (logged || t->step_seconds == 0)) {
        t->step_seconds = (now - t->window_start) / (double)(t->step - t->window_step);
        if (logged) {
            t->window_start = now;
            t->window_step = t->step;
        }
    }
}

bool invar_metrics_collect(struct invar_trainer *t, struct invar_record *record, struct invar_error *err)
{
    const struct invar_training_options *o = &t->recipe->training;
    bool edge = t->step == 1 || t->step == t->total;
    bool rank = edge || t->step % o->measure_interval == 0;
    bool logged = rank || t->step % o->log_interval == 0;

    measure_rate(t, logged);
    *record = (struct invar_record){
        .step = t->step,
        .total_steps = t->total,
        .epoch = (double)t->step / (double)t->steps_per_epoch,
        .epochs = (double)t->total / (double)t->steps_per_epoch,
        .samples_per_s = t->step_seconds > 0 ? (double)t->batch / t->step_seconds : 0,
        .remaining_s = t->step_seconds * (double)(t->total - t->step),
    };
    if (!logged)
        return true;
    add(record, "loss", t->loss);
    add_terms(t, record);
    add(record, "lr", t->rate);
    add(record, "gradient_norm", t->gradient_norm);
    if (t->recipe->target.enabled)
        add(record, "target_momentum", t->target_momentum);
    if (!add_measurements(t, record, rank, err))
        return false;
    add(record, "samples_per_s", record->samples_per_s);
    return true;
}
