/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy of scores: top-1, top-5, by class, confusion matrix, Wilson interval; balanced accuracy, F1, AUROC, ECE.
 * Top-1, ranks and confusion come from one pass over the scores, and so from one rule for equal ones. */
#include "eval/check.h"
#include "invar/eval.h"
#include "invar/memory.h"

#include <math.h>

/* Wilson's and not p +- z sqrt(p (1 - p) / n), which says nothing at all where no or every answer was right, and
 * leaves 0 to 1 near either. At the ends the formula is exact but for rounding, which the comparisons take out. */
void invar_wilson_interval(int64_t hits, int64_t count, double *low, double *high)
{
    const double z = 1.959963984540054; /* 97.5 % quantile of the normal distribution */
    double n = (double)count, p = (double)hits / n;
    double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = hits == 0 ? 0 : centre - half;
    *high = hits == count ? 1 : centre + half;
}

void invar_accuracy_free(struct invar_accuracy *accuracy)
{
    if (!accuracy)
        return;
    invar_free(accuracy->per_class);
    invar_free(accuracy->confusion);
    invar_free(accuracy->predictions);
    invar_free(accuracy->labels);
    invar_free(accuracy->index);
    *accuracy = (struct invar_accuracy){0};
}

/* The class of the largest score, and how many classes come before the true one. Of equal scores the smaller class,
 * in the prediction and in the rank alike, so that top-1 is the share of rank 0. */
static int predict(const struct invar_matrix *scores, int64_t row, int64_t label, int *rank)
{
    int best = 0, before = 0, classes = (int)scores->cols;
    double own = matrix_value(scores, row, label);
    for (int c = 0; c < classes; c++) {
        double score = matrix_value(scores, row, c);
        if (score > matrix_value(scores, row, best))
            best = c;
        before += score > own || (score == own && c < label);
    }
    *rank = before;
    return best;
}

/* From the predictions, by the same function that measures those of other programs: one definition of balanced
 * accuracy and F1. */
static bool add_class_means(struct invar_accuracy *accuracy, const int64_t *labels, struct invar_error *err)
{
    struct invar_classification measured;

    if (!invar_classification_measure(accuracy->predictions, labels, accuracy->count, accuracy->classes, &measured,
                                      err))
        return false;
    accuracy->balanced_accuracy = measured.balanced_accuracy;
    accuracy->macro_f1 = measured.macro_f1;
    invar_classification_free(&measured);
    return true;
}

/* Percent outside, shares inside: what people read is percent, and so are results.csv and the tables of papers. */
bool invar_accuracy_measure(const struct invar_matrix *scores, const int64_t *labels, struct invar_accuracy *out,
                            struct invar_error *err)
{
    /* AUROC and ECE are NaN until somebody asks for them: 0 would be a value. */
    struct invar_accuracy result = {.classes = (int)scores->cols, .count = scores->rows, .auroc = NAN, .ece = NAN};
    int64_t hits = 0, hits5 = 0;
    int classes = result.classes;
    if (!matrix_check(scores, "scores", err) || !matrix_check_finite(scores, "scores", err) ||
        !labels_check(labels, scores->rows, classes, "test samples", false, err))
        return false;
    result.per_class = invar_alloc((size_t)classes, sizeof *result.per_class, err);
    result.confusion = invar_alloc((size_t)classes, (size_t)classes * sizeof *result.confusion, err);
    result.predictions = invar_alloc((size_t)result.count, sizeof *result.predictions, err);
    result.labels = invar_alloc((size_t)result.count, sizeof *result.labels, err);
    if (!result.per_class || !result.confusion || !result.predictions || !result.labels) {
        invar_accuracy_free(&result);
        return false;
    }
    for (int64_t i = 0; i < scores->rows; i++) {
        int rank = 0, predicted = predict(scores, i, labels[i], &rank);
        /* Rows are the true class, columns the predicted one: a row divided by its sum is what becomes of a class. */
        result.confusion[labels[i] * classes + predicted]++;
        result.predictions[i] = predicted;
        result.labels[i] = labels[i];
        hits += rank == 0;
        /* With fewer than five classes every rank is below 5 and top-5 is 100, as docs/evaluation.md has it. */
        hits5 += rank < 5;
    }
    for (int c = 0; c < classes; c++) {
        const int64_t *row = result.confusion + (int64_t)c * classes;
        int64_t samples = 0;
        for (int k = 0; k < classes; k++)
            samples += row[k];
        result.per_class[c] = samples ? 100 * (double)row[c] / (double)samples : 0;
    }
    result.top1 = 100 * (double)hits / (double)scores->rows;
    result.top5 = 100 * (double)hits5 / (double)scores->rows;
    invar_wilson_interval(hits, scores->rows, &result.low, &result.high);
    result.low *= 100;
    result.high *= 100;
    if (!add_class_means(&result, labels, err)) {
        invar_accuracy_free(&result);
        return false;
    }
    *out = result;
    return true;
}

/* AUROC of one class is 0 / 0; a test split that has only one is small, not wrong, and gets no number. */
static bool several_classes(const int64_t *labels, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (labels[i] != labels[0])
            return true;
    return false;
}

/* Apart from the accuracy, as it costs a sort a class: a choice of strengths by accuracy does without. */
bool invar_accuracy_add_probabilities(struct invar_accuracy *accuracy, const struct invar_matrix *scores,
                                      enum invar_score_kind kind, const int64_t *labels, struct invar_error *err)
{
    const size_t row = (size_t)scores->cols * sizeof(double);
    struct invar_matrix p = {INVAR_FLOAT64, scores->rows, scores->cols, invar_alloc((size_t)scores->rows, row, err)};
    struct invar_calibration calibration = {0};
    struct invar_auroc auroc = {0};
    bool ok = p.data && invar_probabilities(scores, kind, p.data, err) &&
              invar_calibration_measure(&p, labels, INVAR_CALIBRATION_BINS, &calibration, err);

    accuracy->ece = ok ? calibration.ece : NAN;
    accuracy->auroc = NAN;
    if (ok && several_classes(labels, scores->rows)) {
        ok = invar_auroc_measure(&p, labels, &auroc, err);
        accuracy->auroc = ok ? auroc.mean : NAN;
    }
    invar_calibration_free(&calibration);
    invar_auroc_free(&auroc);
    invar_free(p.data);
    return ok;
}

/* Samples by their number in the split, without which predictions could not be joined with a column of groups: rows
 * without a label were left out of them. */
bool invar_accuracy_add_index(struct invar_accuracy *accuracy, const int64_t *index, struct invar_error *err)
{
    int64_t *copy = invar_alloc((size_t)accuracy->count, sizeof *copy, err);

    for (int64_t i = 0; copy && i < accuracy->count; i++)
        copy[i] = index[i];
    invar_free(accuracy->index);
    accuracy->index = copy;
    return copy != NULL;
}
