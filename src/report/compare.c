/* SPDX-License-Identifier: Apache-2.0 */
/* Runs side by side: groups of runs that differ in the seed alone, their means, and paired differences. */
#include "invar/data.h"
#include "invar/eval.h"
#include "invar/memory.h"
#include "report/compare_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

void *comparison_take(struct comparison *c, int count, size_t size, struct invar_error *err)
{
    const size_t wanted = count > 0 ? (size_t)count : 1;
    void *memory = invar_scratch_take(c->memory, wanted, size, err);
    if (memory)
        memset(memory, 0, wanted * size);
    return memory;
}

static const char *keep(struct comparison *c, struct invar_error *err, const char *format, va_list list)
{
    va_list again;
    va_copy(again, list);
    const int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length >= 0 ? comparison_take(c, length + 1, 1, err) : NULL;
    if (text)
        vsnprintf(text, (size_t)length + 1, format, list);
    return text;
}

const char *comparison_text_of(struct comparison *c, struct invar_error *err, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const char *text = keep(c, err, format, list);
    va_end(list);
    return text;
}

bool comparison_note(struct comparison *c, struct invar_error *err, const char *format, ...)
{
    va_list list;
    const char **notes = comparison_take(c, c->note_count + 1, sizeof *notes, err);
    if (!notes)
        return false;
    if (c->note_count)
        memcpy(notes, c->note, (size_t)c->note_count * sizeof *notes);
    va_start(list, format);
    notes[c->note_count] = keep(c, err, format, list);
    va_end(list);
    c->note = notes;
    return c->note[c->note_count] && ++c->note_count;
}

/* ---- means ---- */

/* The values of one seed of a group are averaged first: what varies between them is not what varies between seeds. */
struct by_seed {
    int count;
    int64_t *seed;
    double *sum;
    int *n;
    const struct comparison_value *first; /* values that are not like it are left out */
};

static bool by_seed_make(struct comparison *c, const struct comparison_group *group, struct by_seed *out,
                         struct invar_error *err)
{
    out->seed = comparison_take(c, group->run_count, sizeof *out->seed, err);
    out->sum = comparison_take(c, group->run_count, sizeof *out->sum, err);
    out->n = comparison_take(c, group->run_count, sizeof *out->n, err);
    return out->seed && out->sum && out->n;
}

static bool by_seed_read(struct comparison *c, const struct comparison_group *group, int metric, struct by_seed *out,
                         struct invar_error *err)
{
    out->count = 0;
    out->first = NULL;
    for (int r = 0; r < group->run_count; r++) {
        const struct report_run *run = c->run[group->run[r]];
        const struct comparison_value *value = &c->value[group->run[r]][metric];
        int at = 0;
        if (isnan(value->value))
            continue;
        if (!out->first)
            out->first = value;
        if (!comparison_alike(out->first, value)) {
            const char *own = comparison_apart(c, value, out->first, err),
                       *others = own ? comparison_apart(c, out->first, value, err) : NULL;
            if (!others || !comparison_note(c, err,
                                            "%s: its %s was measured on %s, that of other seeds on %s: it is left out "
                                            "of their mean",
                                            run->folder, c->metric[metric].name, own, others))
                return false;
            continue;
        }
        while (at < out->count && (out->seed[at] != run->seed || run->seed < 0))
            at++;
        if (at == out->count) {
            out->seed[out->count++] = run->seed;
            out->sum[at] = 0;
            out->n[at] = 0;
        }
        out->sum[at] += value->value;
        out->n[at]++;
    }
    return true;
}

static double seed_mean(const struct by_seed *values, int at)
{
    return values->sum[at] / values->n[at];
}

/* of count values */
static struct comparison_mean mean_of(const double *value, int count)
{
    struct comparison_mean out = {.n = count, .mean = NAN, .half = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += value[i];
    if (count > 0)
        out.mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (value[i] - out.mean) * (value[i] - out.mean);
    if (count > 1)
        out.half = invar_student_95(count - 1) * sqrt(squares / (count - 1) / count);
    return out;
}

/* Of one metric: the mean of a group, and its difference to the base over the seeds that both have. */
static bool average(struct comparison *c, struct comparison_group *group, int metric, struct by_seed *own,
                    struct by_seed *base, double *work, struct invar_error *err)
{
    int shared = 0;
    if (!by_seed_read(c, group, metric, own, err))
        return false;
    for (int i = 0; i < own->count; i++)
        work[i] = seed_mean(own, i);
    group->mean[metric] = mean_of(work, own->count);
    for (int i = 0; i < own->count; i++)
        for (int k = 0; k < base->count; k++)
            if (own->seed[i] >= 0 && own->seed[i] == base->seed[k] && comparison_alike(own->first, base->first))
                work[shared++] = seed_mean(own, i) - seed_mean(base, k);
    group->difference[metric] = mean_of(work, shared);
    return true;
}

/* The metrics of a group that are not to be subtracted from the base's, in one sentence. */
struct unlike {
    struct invar_text names;
    const char *metric, *own, *base; /* of the first */
};

static bool add_unlike(struct comparison *c, struct unlike *unlike, const struct comparison_metric *metric,
                       const struct by_seed *own, const struct by_seed *base, struct invar_error *err)
{
    /* agents in other games are told apart by scores over games */
    if (!own->count || !base->count || comparison_alike(own->first, base->first) ||
        ((strncmp(metric->name, "return", 6) == 0 || strncmp(metric->name, "score", 5) == 0) &&
         strcmp(own->first->basis, base->first->basis) != 0))
        return true;
    if (!unlike->metric) {
        unlike->metric = metric->name;
        unlike->own = comparison_apart(c, own->first, base->first, err);
        unlike->base = comparison_apart(c, base->first, own->first, err);
    }
    if (!unlike->own || !unlike->base)
        return false;
    return invar_text_printf(&unlike->names, err, "%s%s", unlike->names.size ? ", " : "", metric->name);
}

static bool average_group(struct comparison *c, struct comparison_group *group, struct by_seed *base, double *work,
                          struct invar_error *err)
{
    struct by_seed own = {0};
    struct unlike unlike = {0};
    bool ok = by_seed_make(c, group, &own, err);
    for (int m = 0; ok && m < c->metric_count; m++) {
        const int notes = c->note_count;
        ok = by_seed_read(c, &c->group[c->base], m, base, err);
        c->note_count = notes; /* the base says its own once, as a group */
        ok =
            ok && average(c, group, m, &own, base, work, err) && add_unlike(c, &unlike, &c->metric[m], &own, base, err);
    }
    if (ok && unlike.metric)
        ok = comparison_note(c, err,
                             "%s: no difference to %s is taken of %s, which were measured otherwise (%s: %s here, %s "
                             "there)",
                             group->name, c->group[c->base].name, unlike.names.data, unlike.metric, unlike.own,
                             unlike.base);
    invar_text_free(&unlike.names);
    return ok;
}

bool comparison_average(struct comparison *c, struct invar_error *err)
{
    struct comparison_group *base_group = &c->group[c->base];
    struct by_seed base = {0};
    double *work = comparison_take(c, c->run_count, sizeof *work, err);
    if (!work || !by_seed_make(c, base_group, &base, err))
        return false;
    for (int g = 0; g < c->group_count; g++) {
        struct comparison_group *group = &c->group[g];
        group->mean = comparison_take(c, c->metric_count, sizeof *group->mean, err);
        group->difference = comparison_take(c, c->metric_count, sizeof *group->difference, err);
        if (!group->mean || !group->difference || !average_group(c, group, &base, work, err))
            return false;
    }
    return true;
}

bool comparison_clear(const struct comparison_mean *mean)
{
    return mean->n > 1 && fabs(mean->mean) > mean->half;
}

/* ---- base, order ---- */

static bool is_name_of(const char *text, const struct report_run *run)
{
    return strcmp(text, run->folder) == 0 || strcmp(text, run->label) == 0 || strcmp(text, run->name) == 0;
}

static bool find_base(struct comparison *c, const char *text, struct invar_error *err)
{
    for (int g = 0; text && g < c->group_count; g++)
        if (strcmp(text, c->group[g].name) == 0) {
            c->base = g;
            return true;
        }
    for (int g = 0; text && g < c->group_count; g++)
        for (int r = 0; r < c->group[g].run_count; r++)
            if (is_name_of(text, c->run[c->group[g].run[r]])) {
                c->base = g;
                return true;
            }
    if (!text)
        return true;
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "base is \"%s\", which is none of the runs given, nor their name; give one of them, for "
                           "example %s",
                           text, c->group[0].name);
}

/* Whether group a is to stand behind b: groups without a value are last. */
static bool behind(const struct comparison *c, int metric, const struct comparison_group *a,
                   const struct comparison_group *b)
{
    const double x = a->mean[metric].mean, y = b->mean[metric].mean;
    if (isnan(x) || isnan(y))
        return isnan(x) && !isnan(y);
    return c->metric[metric].better < 0 ? x > y : x < y;
}

static bool sort_groups(struct comparison *c, const char *name, struct invar_error *err)
{
    const char *base = c->group[c->base].name;
    struct report_run **run = comparison_take(c, c->run_count, sizeof *run, err);
    struct comparison_value **value = comparison_take(c, c->run_count, sizeof *value, err);
    int metric = 0, count = 0;
    if (!run || !value)
        return false;
    while (strcmp(c->metric[metric].name, name) != 0) /* comparison_measure made sure that it is there */
        metric++;
    for (int i = 1; i < c->group_count; i++) {
        const struct comparison_group moved = c->group[i];
        int at = i;
        for (; at > 0 && behind(c, metric, &c->group[at - 1], &moved); at--)
            c->group[at] = c->group[at - 1];
        c->group[at] = moved;
    }
    for (int g = 0; g < c->group_count; g++) {
        if (c->group[g].name == base)
            c->base = g;
        for (int r = 0; r < c->group[g].run_count; r++) {
            run[count] = c->run[c->group[g].run[r]];
            value[count] = c->value[c->group[g].run[r]];
            c->group[g].run[r] = count++;
        }
    }
    c->run = run;
    c->value = value;
    return true;
}

/* ---- what the numbers cannot say ---- */

/* Whether any other group has a seed of the base's. */
static bool shares_seed(const struct comparison *c)
{
    const struct comparison_group *base = &c->group[c->base];
    bool found = false;

    for (int g = 0; g < c->group_count; g++)
        for (int i = 0; g != c->base && i < c->group[g].run_count; i++)
            for (int k = 0; k < base->run_count; k++)
                found |=
                    c->run[base->run[k]]->seed >= 0 && c->run[base->run[k]]->seed == c->run[c->group[g].run[i]]->seed;
    return found;
}

static bool note_seeds(struct comparison *c, struct invar_error *err)
{
    int most = 0, shared = 0;
    for (int g = 0; g < c->group_count; g++) {
        const struct comparison_group *group = &c->group[g];
        for (int i = 0; i < group->run_count; i++)
            for (int k = 0; k < i; k++)
                if (c->run[group->run[i]]->seed >= 0 && c->run[group->run[i]]->seed == c->run[group->run[k]]->seed) {
                    if (!comparison_note(c, err,
                                         "%s and %s have the same seed and the same recipe: their mean counts "
                                         "as one seed",
                                         c->run[group->run[k]]->folder, c->run[group->run[i]]->folder))
                        return false;
                    k = i;
                }
        for (int m = 0; m < c->metric_count; m++) {
            most = group->mean[m].n > most ? group->mean[m].n : most;
            if (g != c->base && group->difference[m].n > shared)
                shared = group->difference[m].n;
        }
    }
    if (most == 1 && !comparison_note(c, err,
                                      "one seed of each: how much seeds differ is not known, so there are no "
                                      "intervals, and a difference may be chance; train more with "
                                      "training.seed=1, 2, ..."))
        return false;
    if (most > 1 && c->group_count > 1 && shared == 0 && !shares_seed(c))
        return comparison_note(c, err, "no seed is shared with %s, so there are no paired differences",
                               c->group[c->base].name);
    return true;
}

/* A run that was made longer, or that goes on, may have been played before. */
static bool note_steps(struct comparison *c, const struct report_run *run, struct invar_error *err)
{
    const char *text = report_run_setting(run, "training.steps");
    const long long steps = text ? strtoll(text, NULL, 10) : 0;

    for (int64_t i = 0; run->returns && i < run->returns->evaluations.count; i++) {
        const struct invar_returns *returns = &run->returns->evaluations.item[i];
        if (returns->steps >= 0 && returns->steps < steps)
            return comparison_note(c, err, "%s: its returns (%s) are those after %lld of %lld steps", run->folder,
                                   returns->name, (long long)returns->steps, steps);
    }
    return true;
}

static bool note_problems(struct comparison *c, struct invar_error *err)
{
    bool any_robust = false;
    for (int r = 0; r < c->run_count; r++)
        any_robust |= c->run[r]->robustness != NULL;
    for (int r = 0; r < c->run_count; r++) {
        const struct report_run *run = c->run[r];
        for (int i = 0; i < run->problem_count; i++)
            if (!comparison_note(c, err, "%s", run->problem[i]))
                return false;
        if (!run->finished && !run->agent &&
            !comparison_note(c, err, "%s has no encoder.safetensors: its training has not ended", run->folder))
            return false;
        if (!run->finished && run->agent &&
            !comparison_note(c, err, "%s has no agent.safetensors: its training has not ended", run->folder))
            return false;
        if (!run->recipe &&
            !comparison_note(c, err, "%s has no recipe, so it belongs to no group and has no seed", run->folder))
            return false;
        if (run->agent && !run->returns && !comparison_note(c, err, "%s has no returns.json", run->folder))
            return false;
        if (run->agent && !note_steps(c, run, err))
            return false;
        if (!run->agent && !run->probe && !comparison_note(c, err, "%s has no results of a probe", run->folder))
            return false;
        if (any_robust && !run->robustness &&
            !comparison_note(c, err, "%s has no robustness.json, which others here have", run->folder))
            return false;
    }
    return true;
}

static bool note_older(struct comparison *c, struct invar_error *err)
{
    int older = 0, most = 0;
    for (int r = 0; r < c->run_count; r++) {
        older += c->run[r]->defaulted > 0;
        most = c->run[r]->defaulted > most ? c->run[r]->defaulted : most;
    }
    return !older || comparison_note(c, err,
                                     "%d of %d runs were made before some options (up to %d) existed: the defaults of "
                                     "this version stand for them",
                                     older, c->run_count, most);
}

/* Presets of other codes may choose on the test split; whoever reads the table is to know. */
static bool note_choices(struct comparison *c, struct invar_error *err)
{
    for (int r = 0; r < c->run_count; r++) {
        const struct invar_probe_results *probe = c->run[r]->probe;
        for (int64_t i = 0; probe && i < probe->count; i++) {
            const struct invar_probed_protocol *protocol = probe->item[i].protocol;
            if (protocol && protocol->chosen_on_test == 1 &&
                !comparison_note(c, err, "%s: %s was chosen on the test split, as its protocol does", c->run[r]->folder,
                                 probe->item[i].name))
                return false;
        }
    }
    return true;
}

static bool note_data(struct comparison *c, struct invar_error *err)
{
    char difference[256];

    for (int r = 1; r < c->run_count; r++)
        if (strcmp(c->run[r]->source, c->run[0]->source) == 0 &&
            !invar_data_identity_same(c->run[0]->identity, c->run[r]->identity, difference, sizeof difference))
            return comparison_note(c, err,
                                   "%s had other contents when %s was trained than when %s was: they differ in %s: "
                                   "numbers of different data are no comparison of methods",
                                   c->run[r]->source, c->run[r]->folder, c->run[0]->folder, difference);
    for (int r = 1; r < c->run_count; r++)
        if (strcmp(c->run[r]->source, c->run[0]->source) != 0)
            return comparison_note(c, err,
                                   "the runs are of different data (%s and %s): numbers of different data are "
                                   "no comparison of methods",
                                   c->run[0]->source, c->run[r]->source);
    return true;
}

bool comparison_make(struct comparison *out, struct report_run *const *runs, int count,
                     const struct comparison_options *options, struct invar_error *err)
{
    *out = (struct comparison){.run_count = count,
                               .memory = invar_scratch_create(err),
                               .given = runs,
                               .cka = options->cka,
                               .cka_samples = options->cka_samples};
    out->run = out->memory ? comparison_take(out, count, sizeof(struct report_run *), err) : NULL;
    if (!out->run)
        goto failed;
    memcpy(out->run, runs, (size_t)count * sizeof(struct report_run *));
    if (!note_problems(out, err) || !note_older(out, err) || !note_choices(out, err) || !note_data(out, err) ||
        !comparison_machines(out, err) || !comparison_labels(out, err) || !comparison_form_groups(out, err) ||
        !comparison_measure(out, options, err) || !find_base(out, options->base, err) ||
        !comparison_average(out, err) || !note_seeds(out, err) || !comparison_scores(out, err) ||
        (options->sort && !sort_groups(out, options->sort, err)) || (options->choose && !comparison_choose(out, err)))
        goto failed;
    return true;
failed:
    comparison_free(out);
    return false;
}

void comparison_free(struct comparison *comparison)
{
    invar_scratch_free(comparison->memory);
    *comparison = (struct comparison){0};
}
