/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of scores: against human play [HN1], and between runs and tasks [IQ1]. */
#include "invar/measure.h"
#include "invar/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* position q (count - 1) of sorted values, linear between two */
static double quantile(const double *sorted, int64_t count, double q)
{
    const double at = q * (double)(count - 1);
    const int64_t below = (int64_t)floor(at), above = below + 1 < count ? below + 1 : below;

    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

static double *sorted_copy(const double *x, int64_t count, struct invar_error *err)
{
    double *sorted = count > 0 ? invar_alloc((size_t)count, sizeof *sorted, err) : NULL;

    if (count <= 0)
        invar_error_set(err, INVAR_ERROR_DATA, "a table of scores is empty: give one score or more");
    if (sorted) {
        memcpy(sorted, x, (size_t)count * sizeof *sorted);
        qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    }
    return sorted;
}

bool invar_measure_human_normalised(const double *score, const double *human, const double *random, int64_t games,
                                    double cap, const double *below, int64_t count, double *percentiles,
                                    double *normalised, struct invar_human_normalised *out, struct invar_error *err)
{
    *out = (struct invar_human_normalised){0};
    for (int64_t g = 0; g < games; g++) {
        const double n = 100 * (score[g] - random[g]) / (human[g] - random[g]);
        if (!isfinite(n))
            return invar_error_set(err, INVAR_ERROR_DATA, "game %lld has no score between random and human play",
                                   (long long)g + 1);
        normalised[g] = n;
        out->mean += n / (double)games;
        out->capped_mean += fmin(fmax(n, 0), cap) / (double)games;
        out->superhuman += n > 100;
    }
    double *sorted = sorted_copy(normalised, games, err);
    if (!sorted)
        return false;
    out->median = quantile(sorted, games, 0.5);
    for (int64_t k = 0; k < count; k++)
        percentiles[k] = quantile(sorted, games, below[k] / 100);
    invar_free(sorted);
    return true;
}

bool invar_measure_interquartile(const double *scores, int64_t runs, int64_t tasks, double trim, double gamma,
                                 struct invar_interquartile *out, struct invar_error *err)
{
    const int64_t count = runs * tasks, cut = (int64_t)floor(trim * (double)count);
    double *sorted = sorted_copy(scores, count, err);
    double *means = sorted ? invar_alloc((size_t)tasks, sizeof *means, err) : NULL;

    *out = (struct invar_interquartile){.optimality_gap = gamma};
    for (int64_t i = 0; means && i < count; i++) {
        means[i % tasks] += scores[i] / (double)runs;
        out->mean += scores[i] / (double)count;
        out->optimality_gap -= fmin(scores[i], gamma) / (double)count;
        out->iqm += i >= cut && i < count - cut ? sorted[i] / (double)(count - 2 * cut) : 0;
    }
    if (means) {
        qsort(means, (size_t)tasks, sizeof *means, by_value);
        out->median = quantile(means, tasks, 0.5);
    }
    const bool ok = means != NULL;
    invar_free(sorted);
    invar_free(means);
    return ok;
}
