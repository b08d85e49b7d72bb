/* SPDX-License-Identifier: Apache-2.0 */
/* Fisher ratios of the classes [R5] as a distribution: quantiles and a histogram over ordered pairs. A mean would hide
 * the few pairs that are hard to tell apart, which decide what a linear classifier gets wrong. */
#include "eval/inspect/inspect.h"
#include "invar/measure.h"

#include <math.h>
#include <string.h>

enum { BINS = 12 };

/* Bins of equal width in the logarithm of the ratio, between the smallest that is not 0 and the largest; ratios of 0,
 * of classes with the same mean, are in the first. In logarithms, because ratios of well and badly told classes
 * differ by orders of magnitude. */
static bool add_histogram(struct invar_findings *out, const struct invar_fisher *fisher, struct invar_error *err)
{
    const int64_t n = fisher->classes;
    double low = fisher->max;
    double *edges =
        inspect_add_series(out, "edges", "ratio", "of the bins of the histogram, equal in logarithm", BINS + 1, err);
    double *counts =
        edges ? inspect_add_series(out, "counts", "pairs", "ordered pairs of classes in each bin", BINS, err) : NULL;
    if (!counts)
        return false;
    for (int64_t i = 0; i < n * n; i++)
        if (i / n != i % n && fisher->ratios[i] > 0 && fisher->ratios[i] < low)
            low = fisher->ratios[i];
    const double width = low > 0 ? log(fisher->max / low) / BINS : 0;
    for (int b = 0; b <= BINS; b++)
        /* The last edge is the largest ratio itself: exp and log give it back but for rounding, and it would lie
         * outside. */
        edges[b] = b < BINS ? low * exp(b * width) : fisher->max;
    for (int64_t i = 0; i < n * n; i++) {
        if (i / n == i % n)
            continue;
        const double at = width > 0 && fisher->ratios[i] > low ? log(fisher->ratios[i] / low) / width : 0;
        /* The largest ratio stands on the edge and belongs to the last bin. */
        counts[at < BINS ? (int)at : BINS - 1] += 1;
    }
    return true;
}

static bool add(struct invar_findings *out, const struct invar_fisher *fisher, struct invar_error *err)
{
    inspect_add(out, "fisher_min", "ratio", fisher->min, "the pair of classes that is hardest to tell apart");
    inspect_add(out, "fisher_quartile1", "ratio", fisher->quartile1,
                "a quarter of the ordered pairs of classes is below");
    inspect_add(out, "fisher_median", "ratio", fisher->median,
                "squared distance of class means over the sum of squared distances within the first class");
    inspect_add(out, "fisher_quartile3", "ratio", fisher->quartile3, "three quarters are below");
    inspect_add(out, "fisher_max", "ratio", fisher->max, "the pair that is easiest to tell apart");
    inspect_add(out, "fisher_single", "classes", fisher->single, "left out: one sample only");
    inspect_add(out, "fisher_collapsed", "classes", fisher->collapsed, "left out: all their samples coincide");
    return add_histogram(out, fisher, err);
}

/* On h alone, under the plain view: it is what a classifier will see. */
bool inspect_fisher(struct inspect *in, struct invar_error *err)
{
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_FISHER];
    const struct invar_array *h = &in->plain.h[0];
    const struct invar_matrix features = {INVAR_FLOAT32, h->shape[0], h->shape[1], h->data};
    struct invar_fisher fisher;
    struct invar_error why = {0};

    if (invar_dataset_info(in->subject->dataset)->label_number)
        return inspect_absent(out, "the label is a number, and these are of classes: data.label_kind=class makes them");
    if (invar_dataset_info(in->subject->dataset)->classes < 1)
        return inspect_absent(out, "the data have no labels");
    if (!invar_measure_fisher(&features, in->plain.labels.data, &fisher, &why))
        return inspect_is_finding(&why) ? inspect_absent(out, why.message)
                                        : invar_error_set(err, why.code, "%s", why.message);
    const bool ok = add(out, &fisher, err) && inspect_means(in, err);
    invar_fisher_free(&fisher);
    return ok;
}
