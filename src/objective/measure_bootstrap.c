/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of scores by task with intervals of the stratified bootstrap [SB1], [PI1]. */
#include "invar/expert/random.h"
#include "invar/measure.h"
#include "invar/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Scores that were drawn, of tasks one after the other. */
struct drawn {
    const struct invar_scores *of;
    double *score;
};

static int64_t count_of(const struct invar_scores *scores)
{
    int64_t count = 0;

    for (int64_t t = 0; t < scores->tasks; t++)
        count += scores->runs[t];
    return count;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- figures of what was drawn; they may change its order ---- */

static double iqm(struct drawn *x, const struct drawn *unused)
{
    const int64_t count = count_of(x->of), cut = count / 4;
    double sum = 0;

    (void)unused;
    qsort(x->score, (size_t)count, sizeof *x->score, by_value);
    for (int64_t i = cut; i < count - cut; i++)
        sum += x->score[i];
    return sum / (double)(count - 2 * cut);
}

static double improvement(struct drawn *x, const struct drawn *y)
{
    const double *a = x->score, *b = y->score;
    double sum = 0;

    for (int64_t t = 0; t < x->of->tasks; t++) {
        const int64_t n = x->of->runs[t], m = y->of->runs[t];
        double above = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < m; k++)
                above += (a[i] > b[k]) + (a[i] == b[k]) / 2.0;
        sum += above / (double)(n * m);
        a += n;
        b += m;
    }
    return sum / (double)x->of->tasks;
}

static double gain(struct drawn *x, const struct drawn *y)
{
    const int64_t count = count_of(x->of);
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += x->score[i] - y->score[i];
    return sum / (double)count;
}

/* ---- draws ---- */

/* random NULL: all runs once, in their order. */
static void draw(struct drawn *drawn, struct invar_random *random)
{
    double *out = drawn->score;

    for (int64_t t = 0; t < drawn->of->tasks; t++)
        for (int64_t i = 0; i < drawn->of->runs[t]; i++) {
            const int64_t from = random ? invar_random_below(random, (uint32_t)drawn->of->runs[t]) : i;
            *out++ = drawn->of->score[t][from];
        }
}

static double quantile(const double *sorted, int64_t count, double q)
{
    const double at = q * (double)(count - 1);
    const int64_t below = (int64_t)at, above = below + 1 < count ? below + 1 : below;

    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

static bool check(const struct invar_scores *scores, bool *spread, struct invar_error *err)
{
    if (scores->tasks < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "a table of scores is empty: give one score or more");
    for (int64_t t = 0; t < scores->tasks; t++) {
        if (scores->runs[t] < 1 || scores->runs[t] > INT32_MAX)
            return invar_error_set(err, INVAR_ERROR_DATA, "task %lld has no run", (long long)t + 1);
        *spread |= scores->runs[t] > 1;
        for (int64_t i = 0; i < scores->runs[t]; i++)
            if (!isfinite(scores->score[t][i]))
                return invar_error_set(err, INVAR_ERROR_NUMERIC, "score %lld of task %lld is not finite",
                                       (long long)i + 1, (long long)t + 1);
    }
    return true;
}

/* y NULL: a figure of x alone. together: run i of x and run i of y are drawn as one. */
static bool measure(double (*figure)(struct drawn *, const struct drawn *), const struct invar_scores *x,
                    const struct invar_scores *y, bool together, int64_t resamples, uint64_t seed,
                    struct invar_interval *out, struct invar_error *err)
{
    struct drawn a = {.of = x}, b = {.of = y ? y : x};
    double *value = NULL;
    bool spread = false, ok = false;

    *out = (struct invar_interval){NAN, NAN, NAN};
    if (!check(x, &spread, err) || (y && !check(y, &spread, err)))
        return false;
    if (y && y->tasks != x->tasks)
        return invar_error_set(err, INVAR_ERROR_DATA, "scores of %lld tasks cannot be held against those of %lld",
                               (long long)x->tasks, (long long)y->tasks);
    for (int64_t t = 0; together && t < x->tasks; t++)
        if (x->runs[t] != y->runs[t])
            return invar_error_set(err, INVAR_ERROR_DATA, "task %lld has %lld runs and %lld, which are no pairs",
                                   (long long)t + 1, (long long)x->runs[t], (long long)y->runs[t]);
    a.score = invar_alloc((size_t)count_of(x), sizeof *a.score, err);
    b.score = invar_alloc((size_t)count_of(b.of), sizeof *b.score, err);
    value = invar_alloc((size_t)resamples + 1, sizeof *value, err);
    if (!a.score || !b.score || !value)
        goto done;
    draw(&a, NULL);
    draw(&b, NULL);
    out->value = figure(&a, &b);
    for (int64_t r = 0; spread && r < resamples; r++) {
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_RESAMPLE, 0, (uint64_t)r, 0), same = random;
        draw(&a, &random);
        draw(&b, together ? &same : &random);
        value[r] = figure(&a, &b);
    }
    if (spread && resamples > 0) {
        qsort(value, (size_t)resamples, sizeof *value, by_value);
        out->low = quantile(value, resamples, 0.025);
        out->high = quantile(value, resamples, 0.975);
    }
    ok = true;
done:
    invar_free(a.score);
    invar_free(b.score);
    invar_free(value);
    return ok;
}

bool invar_measure_iqm(const struct invar_scores *scores, int64_t resamples, uint64_t seed, struct invar_interval *out,
                       struct invar_error *err)
{
    return measure(iqm, scores, NULL, false, resamples, seed, out, err);
}

bool invar_measure_improvement(const struct invar_scores *x, const struct invar_scores *y, int64_t resamples,
                               uint64_t seed, struct invar_interval *out, struct invar_error *err)
{
    return measure(improvement, x, y, false, resamples, seed, out, err);
}

bool invar_measure_gain(const struct invar_scores *x, const struct invar_scores *y, int64_t resamples, uint64_t seed,
                        struct invar_interval *out, struct invar_error *err)
{
    return measure(gain, x, y, true, resamples, seed, out, err);
}
