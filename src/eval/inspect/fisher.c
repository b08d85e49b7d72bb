/* SPDX-License-Identifier: Apache-2.0 */
/* Fisher ratios of classes [R5], with the scatter of a class from two passes, never from pairs of samples. On the host
 * and in float64, since the ratios divide by a scatter that good representations make small. */
#include "eval/check.h"
#include "invar/measure.h"
#include "invar/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    /* Without subtraction, which could overflow: ids may be any numbers. */
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int compare_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All classes of the data, before any is left out. Ids may be any numbers, of gaps and of 10^12 too: they are found by
 * bisection in the sorted list, not by index. */
struct classes {
    int64_t count;
    int64_t *ids;     /* [count] ascending */
    int64_t *members; /* [count] */
    double *means;    /* [count][D] */
    double *scatter;  /* [count] sum |f - mean|^2 */
};

static void classes_free(struct classes *classes)
{
    invar_free(classes->ids);
    invar_free(classes->members);
    invar_free(classes->means);
    invar_free(classes->scatter);
}

/* Labels below 0 are none and are not found. */
static int64_t class_of(const struct classes *classes, int64_t label)
{
    const int64_t *found = bsearch(&label, classes->ids, (size_t)classes->count, sizeof *classes->ids, compare_ids);
    return found ? found - classes->ids : -1;
}

/* Sorted and each once, so that bisection finds them. */
static bool find_ids(struct classes *classes, const int64_t *labels, int64_t rows, struct invar_error *err)
{
    int64_t kept = 0;
    classes->ids = invar_alloc((size_t)rows, sizeof *classes->ids, err);
    if (!classes->ids)
        return false;
    for (int64_t i = 0; i < rows; i++)
        if (labels[i] >= 0)
            classes->ids[kept++] = labels[i];
    qsort(classes->ids, (size_t)kept, sizeof *classes->ids, compare_ids);
    for (int64_t i = 0; i < kept; i++)
        if (!i || classes->ids[i] != classes->ids[classes->count - 1])
            classes->ids[classes->count++] = classes->ids[i];
    return true;
}

/* Two passes: sum |f|^2 - n |mean|^2 loses all its digits where features lie far from the origin beside their spread,
 * which is what a collapse looks like. */
static bool measure_classes(struct classes *classes, const struct invar_matrix *features, const int64_t *labels,
                            struct invar_error *err)
{
    const int64_t cols = features->cols;
    const size_t count = classes->count ? (size_t)classes->count : 1;
    classes->members = invar_alloc(count, sizeof *classes->members, err);
    classes->means = invar_alloc(count, (size_t)cols * sizeof *classes->means, err);
    classes->scatter = invar_alloc(count, sizeof *classes->scatter, err);
    if (!classes->members || !classes->means || !classes->scatter)
        return false;
    for (int64_t i = 0; i < features->rows; i++) {
        const int64_t k = class_of(classes, labels[i]);
        if (k < 0)
            continue;
        classes->members[k]++;
        for (int64_t j = 0; j < cols; j++)
            classes->means[k * cols + j] += matrix_value(features, i, j);
    }
    for (int64_t k = 0; k < classes->count; k++)
        for (int64_t j = 0; j < cols; j++)
            classes->means[k * cols + j] /= (double)classes->members[k];
    for (int64_t i = 0; i < features->rows; i++) {
        const int64_t k = class_of(classes, labels[i]);
        for (int64_t j = 0; k >= 0 && j < cols; j++) {
            const double difference = matrix_value(features, i, j) - classes->means[k * cols + j];
            classes->scatter[k] += difference * difference;
        }
    }
    return true;
}

/* Rounding of the mean leaves a little scatter among equal samples. */
static bool is_collapsed(const struct classes *classes, int64_t k, int64_t cols)
{
    double square = 0;
    for (int64_t j = 0; j < cols; j++)
        square += classes->means[k * cols + j] * classes->means[k * cols + j];
    /* 1e-28 is the square of 1e-14, some roundings of a double; the comparison takes NaN for collapsed. */
    return !(classes->scatter[k] > 1e-28 * (double)classes->members[k] * square);
}

/* Moves the classes that have ratios to the front and counts the others. A class of one sample has no scatter, one of
 * equal samples has scatter 0, and the ratio of either would be infinite: they are counted and left out. */
static void leave_out(struct classes *classes, int64_t cols, struct invar_fisher *out)
{
    int64_t kept = 0;
    for (int64_t k = 0; k < classes->count; k++) {
        if (classes->members[k] < 2) {
            out->single++;
        } else if (is_collapsed(classes, k, cols)) {
            out->collapsed++;
        } else {
            classes->ids[kept] = classes->ids[k];
            classes->members[kept] = classes->members[k];
            classes->scatter[kept] = classes->scatter[k];
            /* To the front and in place, where source and target are the same until a class was left out. */
            memmove(classes->means + kept * cols, classes->means + k * cols, (size_t)cols * sizeof *classes->means);
            kept++;
        }
    }
    classes->count = kept;
}

/* Linear between neighbours, as NumPy's default and as inspect_quantile: quartiles of one report must agree. */
static double quantile(const double *sorted, int64_t count, double q)
{
    const double position = q * (double)(count - 1);
    const int64_t below = (int64_t)position;
    const int64_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (position - (double)below) * (sorted[above] - sorted[below]);
}

/* Ordered pairs: the ratio divides by the scatter of the first class alone, so that both directions count. */
static bool summarise(struct invar_fisher *out, struct invar_error *err)
{
    const int64_t n = out->classes, count = n * (n - 1);
    double *sorted = invar_alloc((size_t)count, sizeof *sorted, err);
    if (!sorted)
        return false;
    for (int64_t i = 0, at = 0; i < n * n; i++)
        if (i / n != i % n)
            sorted[at++] = out->ratios[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_reals);
    out->min = sorted[0];
    out->quartile1 = quantile(sorted, count, 0.25);
    out->median = quantile(sorted, count, 0.5);
    out->quartile3 = quantile(sorted, count, 0.75);
    out->max = sorted[count - 1];
    invar_free(sorted);
    return true;
}

/* 2^14 classes are a quarter of a billion pairs, two gigabytes of ratios; beyond that the distribution is not worth
 * it. */
static bool fill_ratios(const struct classes *classes, int64_t cols, struct invar_fisher *out, struct invar_error *err)
{
    const int64_t n = classes->count;
    if (n < 2)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "Fisher ratios need two classes with two different samples each; there are %lld, beside "
                               "%d with one sample and %d whose samples are all equal",
                               (long long)n, out->single, out->collapsed);
    if (n > 1 << 14)
        return invar_error_set(err, INVAR_ERROR_DATA, "Fisher ratios of %lld classes are too many pairs; at most %d",
                               (long long)n, 1 << 14);
    out->classes = (int)n;
    out->ids = invar_alloc((size_t)n, sizeof *out->ids, err);
    out->ratios = invar_alloc((size_t)(n * n), sizeof *out->ratios, err);
    if (!out->ids || !out->ratios)
        return false;
    memcpy(out->ids, classes->ids, (size_t)n * sizeof *out->ids);
    for (int64_t k = 0; k < n; k++)
        for (int64_t l = 0; l < n; l++) {
            double square = 0;
            for (int64_t j = 0; j < cols; j++) {
                /* The difference first and then its square: means of good features are far apart, those of a collapse
                 * are not, and products would lose the latter. */
                const double difference = classes->means[k * cols + j] - classes->means[l * cols + j];
                square += difference * difference;
            }
            /* The sum over all pairs of a class is 2 |C_k| times its scatter [R5], which takes one pass over its
             * samples; pairs would take the square of them. */
            out->ratios[k * n + l] = square / (2 * (double)classes->members[k] * classes->scatter[k]);
        }
    return summarise(out, err);
}

bool invar_measure_fisher(const struct invar_matrix *features, const int64_t *labels, struct invar_fisher *out,
                          struct invar_error *err)
{
    struct classes classes = {0};
    bool ok = false;
    *out = (struct invar_fisher){0};
    if (!matrix_check(features, "features", err) || !matrix_check_finite(features, "features", err) ||
        !find_ids(&classes, labels, features->rows, err) || !measure_classes(&classes, features, labels, err))
        goto done;
    for (int64_t i = 0; i < features->rows; i++)
        out->skipped += labels[i] < 0;
    leave_out(&classes, features->cols, out);
    ok = fill_ratios(&classes, features->cols, out, err);
done:
    classes_free(&classes);
    if (!ok)
        invar_fisher_free(out);
    return ok;
}

void invar_fisher_free(struct invar_fisher *fisher)
{
    if (!fisher)
        return;
    invar_free(fisher->ids);
    invar_free(fisher->ratios);
    *fisher = (struct invar_fisher){0};
}
