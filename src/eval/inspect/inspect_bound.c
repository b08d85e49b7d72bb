/* SPDX-License-Identifier: Apache-2.0 */
/* The generalisation bound [I6] of a least-squares head on h: the samples it is taken on, and its terms. */
#include "eval/inspect/inspect.h"
#include "invar/eval.h"
#include "invar/measure.h"
#include "invar/expert/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Training samples by their part in the bound, each in the order of the split. */
struct draw {
    int64_t *labelled, *unlabelled;
    int64_t n, m;
};

static void draw_free(struct draw *draw)
{
    invar_free(draw->labelled);
    invar_free(draw->unlabelled);
}

/* quota[c] of n labelled samples, by the shares of the classes; they sum to n. Rounded cumulatively, so that quotas
 * sum to n whatever the shares are. */
static void share(const int64_t *count, int classes, int64_t total, int64_t n, int64_t *quota)
{
    int64_t before = 0, given = 0;

    for (int c = 0; c < classes; c++) {
        before += count[c];
        const int64_t upto = (int64_t)llround((double)n * (double)before / (double)total);
        quota[c] = upto - given;
        given = upto;
    }
}

enum { UNUSED, LABELLED, UNLABELLED };

/* Goes through shuffled samples: each class fills its quota, what is left over is unlabelled. One walk in shuffled
 * order, whose first samples of a class are labelled ones. */
static void assign(const int64_t *shuffled, const int64_t *labels, int64_t count, int64_t *quota, int64_t unlabelled,
                   unsigned char *part)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = shuffled[i], label = labels[sample];
        /* A sample without a label can be neither fitted on nor, as Y_U of [I6] asks for labels, stand among the
         * pairs. */
        if (label < 0)
            continue;
        if (quota[label] > 0) {
            quota[label]--;
            part[sample] = LABELLED;
        } else if (unlabelled > 0) {
            unlabelled--;
            part[sample] = UNLABELLED;
        }
    }
}

static int64_t collect(const unsigned char *part, int64_t count, unsigned char wanted, int64_t *out)
{
    int64_t found = 0;

    for (int64_t i = 0; i < count; i++)
        if (part[i] == wanted)
            out[found++] = i;
    return found;
}

/* Labels of the training samples; of numbers all are of one class, where there is one. Targets that are numbers have
 * no classes to balance: all samples that have one are alike. */
static int64_t *take_labels(const struct inspect *in, int64_t total, struct invar_error *err)
{
    const int64_t *labels = invar_dataset_labels(in->subject->dataset, INVAR_TRAIN);
    const double *targets = invar_dataset_targets(in->subject->dataset, INVAR_TRAIN);
    int64_t *out = invar_alloc((size_t)total + 1, sizeof *out, err);

    for (int64_t i = 0; out && i < total; i++)
        /* All in class 0, so that one drawing of quotas serves numbers and classes. */
        out[i] = !targets ? labels[i] : isnan(targets[i]) ? -1 : 0;
    return out;
}

/* Labelled samples of the head and pairs of the invariance must be different ones: the bound is about samples the
 * head has not seen. */
static bool draw_samples(const struct inspect *in, struct draw *draw, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(in->subject->dataset);
    const int64_t total = info->count[INVAR_TRAIN];
    const int classes = info->label_number ? 1 : info->classes;
    int64_t *labels = take_labels(in, total, err);
    /* A stream of its own, by the epoch that only this section uses: what the probe holds out with the same seed is
     * another draw. */
    struct invar_random random =
        invar_random_stream((uint64_t)in->options->seed, INVAR_RANDOM_SPLIT, INSPECT_EPOCH_UNLABELLED, 0, 0);
    int64_t *shuffled = invar_alloc((size_t)total + 1, sizeof *shuffled, err);
    int64_t *count = invar_alloc((size_t)classes, sizeof *count, err), known = 0;
    int64_t *quota = invar_alloc((size_t)classes, sizeof *quota, err);
    unsigned char *part = invar_alloc((size_t)total + 1, sizeof *part, err);

    draw->labelled = invar_alloc((size_t)total + 1, sizeof *draw->labelled, err);
    draw->unlabelled = invar_alloc((size_t)total + 1, sizeof *draw->unlabelled, err);
    const bool ok = labels && shuffled && count && quota && part && draw->labelled && draw->unlabelled;
    if (ok) {
        for (int64_t i = 0; i < total; i++) {
            shuffled[i] = i;
            if (labels[i] >= 0)
                count[labels[i]]++, known++;
        }
        invar_random_shuffle(&random, shuffled, total);
        /* Half of a small split is left for the pairs. */
        share(count, classes, known ? known : 1, in->options->labelled < known / 2 ? in->options->labelled : known / 2,
              quota);
        assign(shuffled, labels, total, quota, in->options->unlabelled, part);
        /* In the order of the split, as no term depends on it; which samples they are was the shuffle's part. */
        draw->n = collect(part, total, LABELLED, draw->labelled);
        draw->m = collect(part, total, UNLABELLED, draw->unlabelled);
    }
    invar_free(labels);
    invar_free(shuffled);
    invar_free(count);
    invar_free(quota);
    invar_free(part);
    return ok;
}

/* ---- features ---- */

struct parts {
    struct embed_rows labelled, pairs, test;
};

static void parts_free(struct parts *parts)
{
    embed_rows_free(&parts->labelled);
    embed_rows_free(&parts->pairs);
    embed_rows_free(&parts->test);
}

/* Test rows are those of the other sections where these are of the test split. The plain samples of the other
 * sections, where these are of the test split, are not embedded once more. */
static bool embed_test(struct inspect *in, struct embed_rows *out, struct invar_error *err)
{
    struct pass_options pass = {.split = INVAR_TEST};
    int64_t *order = inspect_spaced(invar_dataset_info(in->subject->dataset)->count[INVAR_TEST], in->options->samples,
                                    &pass.count, err);

    pass.order = order;
    const bool ok = order && inspect_embed(in, "test samples", &pass, 0, false, out, err);
    invar_free(order);
    return ok;
}

static bool embed_parts(struct inspect *in, const struct draw *draw, struct parts *parts, struct invar_error *err)
{
    struct pass_options pass = {.split = INVAR_TRAIN, .order = draw->labelled, .count = draw->n};

    if (!inspect_embed(in, "labelled samples", &pass, 0, false, &parts->labelled, err))
        return false;
    pass = (struct pass_options){.split = INVAR_TRAIN, .order = draw->unlabelled, .count = draw->m};
    return inspect_embed_pairs(in, "unlabelled pairs", &pass, INSPECT_EPOCH_UNLABELLED, false, &parts->pairs, err) &&
           (in->subject->split == INVAR_TEST || embed_test(in, &parts->test, err));
}

static struct invar_matrix matrix_of(const struct invar_array *array)
{
    return (struct invar_matrix){INVAR_FLOAT32, array->shape[0], array->shape[1], array->data};
}

/* Samples without a label cannot be scored: a copy of the others, which the caller frees. targets: of all samples of
 * the split, NULL where labels are classes; *taken those of the rows that are kept. */
static bool take_labelled(const struct embed_rows *rows, const double *targets, struct invar_embedded *out,
                          double **taken, struct invar_error *err)
{
    const struct invar_array *h = &rows->h[0];
    const int64_t *index = rows->index.data;
    const size_t size = (size_t)invar_array_count(h) * invar_dtype_size(h->dtype);
    int64_t *labels, kept = 0;

    *taken = invar_alloc((size_t)rows->rows + 1, sizeof **taken, err);
    if (!*taken || !invar_array_alloc(&out->features, h->dtype, h->rank, h->shape, err) ||
        !invar_array_alloc(&out->labels, rows->labels.dtype, rows->labels.rank, rows->labels.shape, err))
        return false;
    memcpy(out->features.data, h->data, size);
    memcpy(out->labels.data, rows->labels.data, (size_t)rows->rows * sizeof(int64_t));
    labels = out->labels.data;
    for (int64_t i = 0; targets && i < rows->rows; i++) {
        labels[i] = isnan(targets[index[i]]) ? -1 : 0;
        if (labels[i] == 0)
            (*taken)[kept++] = targets[index[i]];
    }
    invar_embedded_keep_labelled(out);
    return true;
}

/* What the head is to predict where the label is a number: by part, less the mean of the labelled samples, in units of
 * their deviation, since the head has no bias and the terms no unit of their own. */
struct targets {
    double *unlabelled, *labelled, *test; /* NULL: labels are classes */
};

static void targets_free(struct targets *targets)
{
    invar_free(targets->unlabelled);
    invar_free(targets->labelled);
    invar_free(targets->test);
}

static bool pick(const double *all, const struct embed_rows *rows, double **out, struct invar_error *err)
{
    const int64_t *index = rows->index.data;

    *out = invar_alloc((size_t)rows->rows + 1, sizeof **out, err);
    for (int64_t i = 0; *out && i < rows->rows; i++)
        (*out)[i] = all[index[i]];
    return *out != NULL;
}

/* By the labelled samples alone: the others are what the head is judged by. */
static void standardise(struct targets *t, int64_t unlabelled, int64_t labelled, int64_t test)
{
    double mean = 0, square = 0, deviation;

    for (int64_t i = 0; i < labelled; i++)
        mean += t->labelled[i] / (double)labelled;
    for (int64_t i = 0; i < labelled; i++)
        square += (t->labelled[i] - mean) * (t->labelled[i] - mean) / (double)labelled;
    /* Equal labels have no deviation: any unit will do, and 1 leaves them as they are. */
    deviation = square > 0 ? sqrt(square) : 1;
    for (int64_t i = 0; i < unlabelled; i++)
        t->unlabelled[i] = (t->unlabelled[i] - mean) / deviation;
    for (int64_t i = 0; i < labelled; i++)
        t->labelled[i] = (t->labelled[i] - mean) / deviation;
    for (int64_t i = 0; i < test; i++)
        t->test[i] = (t->test[i] - mean) / deviation;
}

/* ---- numbers ---- */

/* The scale-free form beside the one of the paper: I grows with the scale of h, and a bound that can be made small by
 * dividing h says little. */
static void add(struct invar_findings *out, const struct invar_generalisation *g, int64_t n, int64_t m, bool number)
{
    inspect_add(out, "labelled", "samples", (double)n, "n, training samples that the head was fitted on");
    inspect_add(out, "unlabelled", "pairs", (double)m, "m, pairs of views of further training samples");
    inspect_add(out, "labelled_rank", "directions", (double)g->labelled_rank,
                "of the labelled features; where it reaches n the head fits its samples without a residual");
    inspect_add(out, "unlabelled_rank", "directions", (double)g->unlabelled_rank, "of the features of the pairs");
    /* I and I_w side by side, each said to be which: as printed in [I6] the first term scales with f and the others do
     * not. */
    inspect_add(out, "invariance", "units of h", g->invariance,
                "I: mean distance of two views of a sample; grows with the scale of h");
    inspect_add(out, "invariance_scaled", "length", g->invariance_scaled,
                "I_w: the same of the head's outputs; free of the scale of h");
    inspect_add(out, "unlabelled_norm", "length", g->unlabelled_norm,
                "|P_U Y_U|: labels off the features of the pairs");
    inspect_add(out, "labelled_norm", "length", g->labelled_norm, "|P_S Y_S|: labels off the labelled features");
    inspect_add(out, "unlabelled_term", "length", g->unlabelled_term, "2 / sqrt(m) |P_U Y_U|");
    inspect_add(out, "labelled_term", "length", g->labelled_term, "1 / sqrt(n) |P_S Y_S|");
    inspect_add(out, "sum", "length", g->sum_without_q, "I + both terms, Q(m, n, delta) left out");
    inspect_add(out, "sum_scaled", "length", g->sum_scaled_without_q, "I_w + both terms: the scale-free form");
    inspect_add(out, "test_error", "length", g->test_error,
                number ? "measured: mean |w h - y| of the same head on the test split, y in deviations of the label"
                       : "measured: mean |w h - y| of the same head on the test split, y one-hot");
    if (!number)
        inspect_add(out, "test_accuracy", "percent", g->test_accuracy, "measured: of the same head, no bias");
    /* Less than 1 is no contradiction: Q(m, n, delta) is left out, and it is what makes a bound of the sum. */
    if (g->test_error > 0)
        inspect_add(out, "sum_scaled_over_error", "ratio", g->sum_scaled_without_q / g->test_error,
                    "how loose the scale-free form is; below 1 it needs Q to be a bound");
}

/* What the measure refuses (ranks that do not fit, NaN) is a finding: the section says so and stays without numbers. */
static bool measure_on(struct inspect *in, const struct parts *parts, const struct invar_embedded *test,
                       const struct targets *targets, struct invar_error *err)
{
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_BOUND];
    const struct invar_generalisation_data data = {
        .classes = invar_dataset_info(in->subject->dataset)->classes,
        .plus = matrix_of(&parts->pairs.h[0]),
        .plus_plus = matrix_of(&parts->pairs.h[1]),
        .y_unlabelled = parts->pairs.labels.data,
        .labelled = matrix_of(&parts->labelled.h[0]),
        .y_labelled = parts->labelled.labels.data,
        .test = matrix_of(&test->features),
        .y_test = test->labels.data,
        .t_unlabelled = targets->unlabelled,
        .t_labelled = targets->labelled,
        .t_test = targets->test,
    };
    struct invar_generalisation g;
    struct invar_error why = {0};

    /* The terms could be had without, but a bound that stands beside no measured error says nothing. */
    if (test->labels.shape[0] < 1)
        return inspect_absent(out, "no sample of the test split has a label");
    if (!invar_measure_generalisation(&data, &g, &why))
        return inspect_is_finding(&why) ? inspect_absent(out, why.message)
                                        : invar_error_set(err, why.code, "%s", why.message);
    add(out, &g, data.labelled.rows, data.plus.rows, targets->labelled != NULL);
    invar_generalisation_free(&g);
    return true;
}

static bool measure(struct inspect *in, const struct parts *parts, struct invar_error *err)
{
    /* Where the other sections look at the test split its rows are there already, and the same samples are measured. */
    const struct embed_rows *test = in->subject->split == INVAR_TEST ? &in->plain : &parts->test;
    const double *train_targets = invar_dataset_targets(in->subject->dataset, INVAR_TRAIN);
    const double *test_targets = invar_dataset_targets(in->subject->dataset, INVAR_TEST);
    struct invar_embedded labelled = {0};
    struct targets targets = {0};
    double *taken = NULL;
    bool ok = take_labelled(test, test_targets, &labelled, &taken, err);

    if (ok && train_targets) {
        ok = pick(train_targets, &parts->pairs, &targets.unlabelled, err) &&
             pick(train_targets, &parts->labelled, &targets.labelled, err);
        targets.test = taken;
        taken = NULL;
    }
    if (ok && train_targets)
        standardise(&targets, parts->pairs.rows, parts->labelled.rows, labelled.labels.shape[0]);
    ok = ok && measure_on(in, parts, &labelled, &targets, err);
    targets_free(&targets);
    invar_free(taken);
    invar_embedded_free(&labelled);
    return ok;
}

/* Every precondition in words of its own, in the order in which users can do something about it. */
bool inspect_bound(struct inspect *in, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(in->subject->dataset);
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_BOUND];
    struct draw draw = {0};
    struct parts parts = {0};
    bool ok;

    if (in->options->labelled < 1)
        return inspect_absent(out, "labelled is 0");
    if (info->classes < 2 && !info->label_number)
        return inspect_absent(out, "the bound needs labels of two classes or more, which the data do not have");
    if (!inspect_has_pairs(in))
        return inspect_absent(out, in->subject->encoder
                                       ? "the bound needs pairs of views, and the views of the run are not known"
                                       : "the bound needs h of two views of the samples, and that of one is given");
    if (info->count[INVAR_TEST] < 1)
        return inspect_absent(out, "the data have no test split to measure the error on");
    ok = draw_samples(in, &draw, err);
    if (ok && (draw.n < 1 || draw.m < 1))
        inspect_absent(out, "the training split has too few labelled samples");
    else
        ok = ok && embed_parts(in, &draw, &parts, err) && measure(in, &parts, err);
    draw_free(&draw);
    parts_free(&parts);
    return ok;
}
