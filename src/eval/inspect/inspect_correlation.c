/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical correlations of two views of the samples [A6], of h and of z, beside what a linear probe gets wrong. They
 * do not change with scale, shift or rotation of either view, so that runs whose losses leave h and z in other units
 * may be set side by side. */
#include "eval/inspect/inspect.h"
#include "invar/measure.h"

#include <stdio.h>
#include <string.h>

/* One space, and what its numbers are called. */
struct shared {
    const char *correlations, *hgr, *directions, *half, *chance;
};

static bool upload(struct invar_device *device, struct invar_scratch *scratch, const struct invar_array *from,
                   struct invar_matrix *to, struct invar_error *err)
{
    const size_t count = (size_t)(from->shape[0] * from->shape[1]);

    *to = (struct invar_matrix){INVAR_FLOAT32, from->shape[0], from->shape[1], NULL};
    to->data = invar_device_take(scratch, count, sizeof(float), err);
    if (to->data)
        invar_device_upload(device, to->data, from->data, count * sizeof(float));
    return to->data != NULL;
}

/* Chance stands beside the spectrum: with many directions and few samples unrelated views correlate highly as well. */
static void add_numbers(struct invar_findings *out, const struct shared *names, const double *values, int64_t samples,
                        const struct invar_correlation *c)
{
    char says[INVAR_FINDING_TEXT];
    int64_t half = 0;

    /* The spectrum descends, so that the first below ends the count. The sum alone does not tell a few strong
     * directions from many weak ones. */
    while (half < c->count && values[half] >= 0.5)
        half++;
    snprintf(says, sizeof says, "HGR [A6]: sum of the canonical correlations of two views; at most %lld here",
             (long long)c->count);
    inspect_add(out, names->hgr, "correlations", c->sum, says);
    snprintf(
        says, sizeof says,
        "of the first view that are more than rounding, its columns scaled to deviation 1 (second view: %lld); the "
        "others take no part",
        (long long)c->directions_tilde);
    inspect_add(out, names->directions, "directions", (double)c->directions, says);
    inspect_add(out, names->half, "correlations", (double)half, "are 0.5 or more");
    snprintf(says, sizeof says,
             "about the largest correlation of unrelated views with so many directions for %lld samples%s",
             (long long)samples,
             c->chance > 0.5 ? ": the smaller half of the spectrum says nothing, take more samples" : "");
    inspect_add(out, names->chance, "correlation", c->chance, says);
}

/* A space whose correlations cannot be had gets one line that says why; the section goes on with the other. Of the two
 * drawn views and not of the plain one: what is asked is what survives a view. */
static bool measure(struct inspect *in, const struct invar_array *views, const struct shared *names,
                    struct invar_error *err)
{
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_CORRELATION];
    const int64_t rows = views[0].shape[0], cols = views[0].shape[1], most = rows < cols ? rows : cols;
    struct invar_device *device = in->subject->device;
    struct invar_correlation correlation;
    struct invar_error why = {0};
    struct invar_matrix x, y;

    invar_scratch_reset(in->scratch);
    double *values = invar_scratch_take(in->scratch, (size_t)most, sizeof *values, err);
    if (!values || !upload(device, in->scratch, &views[0], &x, err) || !upload(device, in->scratch, &views[1], &y, err))
        return false;
    if (!invar_measure_correlation(device, in->scratch, &x, &y, values, &correlation, &why)) {
        if (!inspect_is_finding(&why))
            return invar_error_set(err, why.code, "%s", why.message);
        inspect_add_unknown(out, names->hgr, "correlations", why.message);
        return true;
    }
    add_numbers(out, names, values, rows, &correlation);
    /* No direction above rounding: the sum is 0 and said, and a spectrum without values would be none. */
    if (correlation.count == 0)
        return true;
    double *series = inspect_add_series(out, names->correlations, "correlation",
                                        "canonical correlations of two views, descending", correlation.count, err);
    for (int64_t k = 0; series && k < correlation.count; k++)
        series[k] = values[k];
    return series != NULL;
}

/* Rows with a label alone: the bound is of what such rows say. x: [2] of the views of h, label their labels. Both views
 * keep the same rows, since they are paired by position from here on. */
static int64_t keep_labelled(const struct embed_rows *rows, float *x[2], int64_t *label)
{
    const int64_t cols = rows->h[0].shape[1];
    int64_t kept = 0;

    for (int64_t i = 0; i < rows->rows; i++) {
        if (((const int64_t *)rows->labels.data)[i] < 0)
            continue;
        for (int v = 0; v < 2; v++)
            memcpy(x[v] + kept * cols, (const float *)rows->h[v].data + i * cols, (size_t)cols * sizeof(float));
        label[kept++] = ((const int64_t *)rows->labels.data)[i];
    }
    return kept;
}

/* As shares of the labels' variance, since that depends on how many classes there are and how even they are. Twice the
 * mean residual bounds the error: where the largest output is wrong, the residual is at least 1/2. */
static void add_bound(struct invar_findings *out, const struct invar_probe_bound *bound)
{
    inspect_add(out, "label_held", "share", bound->held / bound->variance,
                "of the variance of the labels that a linear map of h explains");
    inspect_add(out, "label_shared", "share", bound->shared / bound->variance,
                "the same with every canonical direction weighted by its squared correlation");
    inspect_add(
        out, "probe_bound", "percent", bound->error,
        "a linear probe of what the two views share errs less: 200 times the labels' variance that is not shared");
}

/* On h alone, as probes are fitted on h; z may well have thrown away what a label needs. */
static bool measure_bound(struct inspect *in, struct invar_error *err)
{
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_CORRELATION];
    const struct embed_rows *rows = &in->drawn;
    const size_t count = (size_t)(rows->rows * rows->h[0].shape[1]);
    struct invar_device *device = in->subject->device;
    struct invar_probe_bound bound;
    struct invar_error why = {0};
    struct invar_matrix views[2];
    float *x[2];

    invar_scratch_reset(in->scratch);
    int64_t *label = invar_scratch_take(in->scratch, (size_t)rows->rows, sizeof *label, err);
    for (int v = 0; v < 2; v++)
        x[v] = invar_scratch_take(in->scratch, count, sizeof(float), err);
    if (!label || !x[0] || !x[1])
        return false;
    const int64_t kept = keep_labelled(rows, x, label);
    for (int v = 0; v < 2; v++) {
        const struct invar_array part = {
            .dtype = INVAR_FLOAT32, .rank = 2, .shape = {kept, rows->h[0].shape[1]}, .data = x[v]};
        if (!upload(device, in->scratch, &part, &views[v], err))
            return false;
    }
    if (invar_measure_probe_bound(device, in->scratch, &views[0], &views[1], label,
                                  invar_dataset_info(in->subject->dataset)->classes, &bound, &why)) {
        add_bound(out, &bound);
        return true;
    }
    inspect_add_unknown(out, "probe_bound", "percent", why.message);
    return inspect_is_finding(&why) || invar_error_set(err, why.code, "%s", why.message);
}

/* The bound is of one-hot labels and needs two classes: where it cannot be had the section says why, and keeps the
 * correlations, which need no labels. */
static bool add_probe_bound(struct inspect *in, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(in->subject->dataset);
    const char *why = info->label_number   ? "the label is a number, and the bound is of classes"
                      : info->classes < 2  ? "the data have no labels of two classes or more"
                      : in->drawn.rows < 2 ? "there are too few samples"
                                           : NULL;

    if (!why)
        return measure_bound(in, err);
    inspect_add_unknown(&in->out->section[INVAR_INSPECT_CORRELATION], "probe_bound", "percent", why);
    return true;
}

/* The measured error beside the bound, from probe.json where it is of the same data. It may be below: the bound is of
 * least squares on these samples, the probe is logistic regression measured on the test split. */
static void add_probe_error(const struct inspect *in)
{
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_CORRELATION];

    if (in->subject->probe_error)
        inspect_add(out, "probe_error", "percent", *in->subject->probe_error,
                    "of the linear probe on h: what a label shares with directions of small correlation it can lose");
    else
        inspect_add_unknown(out, "probe_error", "percent",
                            in->subject->no_probe_error ? in->subject->no_probe_error : "there is no linear probe");
}

bool inspect_correlation(struct inspect *in, struct invar_error *err)
{
    static const struct shared h = {"h_correlations", "h_hgr", "h_directions", "h_half", "h_chance"},
                               z = {"z_correlations", "z_hgr", "z_directions", "z_half", "z_chance"};
    const int64_t stages = in->subject->projector ? 2 : 1;

    if (in->drawn.rows < 1)
        return inspect_absent(&in->out->section[INVAR_INSPECT_CORRELATION],
                              "the views of the run are not known, so there are no two of them to compare");
    if (!inspect_tell(in, "correlations", 0, stages, err) || !measure(in, in->drawn.h, &h, err) ||
        !inspect_tell(in, "correlations", 1, stages, err) ||
        (in->subject->projector && !measure(in, in->drawn.z, &z, err)) ||
        !inspect_tell(in, "correlations", stages, stages, err) || !add_probe_bound(in, err))
        return false;
    add_probe_error(in);
    return true;
}
