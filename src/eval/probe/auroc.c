/* SPDX-License-Identifier: Apache-2.0 */
/* Area under the ROC curve [PM2], from ranks: exact, whatever the scores. */
#include "eval/check.h"
#include "invar/classification.h"
#include "invar/memory.h"

#include <omp.h>
#include <stdlib.h>

struct scored {
    double score;
    bool positive;
};

/* Without subtraction: differences of doubles do not fit an int, and a NaN has been refused before. */
static int by_score(const void *a, const void *b)
{
    const double x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;

    return (x > y) - (x < y);
}

/* Pairs in which the positive has the larger score, equal ones half, over all pairs. The area is the share of pairs
 * in the right order (Mann and Whitney), so it is counted from one sorted list, exactly, with runs of equal scores at
 * half: no thresholds, no trapezia. */
static double area(struct scored *sample, int64_t count)
{
    int64_t positives = 0, negatives = 0;
    /* Doubled, so that the halves of equal scores are whole numbers and the sum is exact. */
    double wins = 0; /* twice; whole numbers below 2^53 */

    qsort(sample, (size_t)count, sizeof *sample, by_score);
    for (int64_t i = 0, end; i < count; i = end) {
        int64_t positive = 0;
        /* A run of equal scores is counted at once: negatives before it lose to all of its positives, those within it
         * to half of them, in whatever order the sort has left them. */
        for (end = i; end < count && !(sample[end].score > sample[i].score); end++)
            positive += sample[end].positive;
        const int64_t negative = end - i - positive;
        wins += (double)positive * (2 * (double)negatives + (double)negative);
        positives += positive;
        negatives += negative;
    }
    /* The classes without samples on either side were left out before, so that neither factor is 0. */
    return wins / (2 * (double)positives * (double)negatives);
}

/* Classes that have samples, but not all of them. One class against the rest: it needs samples on both sides. Classes
 * that the test split lacks are left out of the mean. */
static bool find_classes(const int64_t *labels, int64_t count, int classes, struct invar_auroc *out,
                         struct invar_error *err)
{
    int64_t *samples = invar_alloc((size_t)classes, sizeof *samples, err);
    int64_t only = 0;

    out->label = invar_alloc((size_t)classes, sizeof *out->label, err);
    out->each = invar_alloc((size_t)classes, sizeof *out->each, err);
    const bool ok = samples && out->label && out->each;
    for (int64_t i = 0; ok && i < count; i++)
        samples[labels[i]]++;
    for (int c = 0; ok && c < classes; c++) {
        /* Known for the message: of a test split of one class users ask which. */
        if (samples[c] == count)
            only = c;
        else if (samples[c])
            out->label[out->count++] = c;
    }
    invar_free(samples);
    if (ok && !out->count)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "all %lld test samples are of the class %lld: AUROC needs samples of two classes at least",
            (long long)count, (long long)only);
    return ok;
}

void invar_auroc_free(struct invar_auroc *auroc)
{
    if (!auroc)
        return;
    invar_free(auroc->label);
    invar_free(auroc->each);
    *auroc = (struct invar_auroc){0};
}

/* A class a thread; means are added in the order of classes afterwards, so the bits do not depend on threads. */
static bool measure_each(const struct invar_matrix *scores, const int64_t *labels, struct invar_auroc *out,
                         struct invar_error *err)
{
    const int most = omp_get_max_threads(), threads = most < out->count ? most : out->count;
    struct scored *room = invar_alloc((size_t)threads * (size_t)scores->rows, sizeof *room, err);

    if (!room)
        return false;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < out->count; k++) {
        struct scored *sample = room + omp_get_thread_num() * scores->rows;
        for (int64_t i = 0; i < scores->rows; i++)
            sample[i] = (struct scored){matrix_value(scores, i, out->label[k]), labels[i] == out->label[k]};
        out->each[k] = area(sample, scores->rows);
    }
    for (int k = 0; k < out->count; k++)
        out->mean += out->each[k] / out->count;
    invar_free(room);
    return true;
}

bool invar_auroc_measure(const struct invar_matrix *scores, const int64_t *labels, struct invar_auroc *out,
                         struct invar_error *err)
{
    struct invar_auroc result = {0};

    if (!matrix_check(scores, "scores", err) || !matrix_check_finite(scores, "scores", err) ||
        !labels_check(labels, scores->rows, (int)scores->cols, "test samples", false, err))
        return false;
    if (!find_classes(labels, scores->rows, (int)scores->cols, &result, err) ||
        !measure_each(scores, labels, &result, err)) {
        invar_auroc_free(&result);
        return false;
    }
    *out = result;
    return true;
}
