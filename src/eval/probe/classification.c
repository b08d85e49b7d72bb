/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions beside labels [PM3] and by group [PM5]. */
#include "invar/classification.h"
#include "eval/check.h"
#include "invar/memory.h"

#include <stdlib.h>

/* The first of the largest, as argmax of NumPy and PyTorch. */
bool invar_predict(const struct invar_matrix *scores, int64_t *predictions, struct invar_error *err)
{
    if (!matrix_check(scores, "scores", err) || !matrix_check_finite(scores, "scores", err))
        return false;
    for (int64_t i = 0; i < scores->rows; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < scores->cols; c++)
            if (matrix_value(scores, i, c) > matrix_value(scores, i, best))
                best = c;
        predictions[i] = best;
    }
    return true;
}

/* ---- recall and F1 ---- */

void invar_classification_free(struct invar_classification *classification)
{
    if (!classification)
        return;
    invar_free(classification->recall);
    invar_free(classification->f1);
    invar_free(classification->confusion);
    *classification = (struct invar_classification){0};
}

/* From the confusion matrix. A class without samples has no recall, and is left out of the mean; one that was
 * predicted and never true counts in F1, as in scikit-learn. */
static void measure_classes(struct invar_classification *c)
{
    int64_t hits = 0;
    int labelled = 0, seen = 0;

    for (int k = 0; k < c->classes; k++) {
        /* Precision and recall of a class are a column and a row of one matrix, so that no second pass over the samples
         * is needed. */
        const int64_t hit = c->confusion[(int64_t)k * c->classes + k];
        int64_t labels = 0, predictions = 0;
        for (int j = 0; j < c->classes; j++) {
            labels += c->confusion[(int64_t)k * c->classes + j];
            predictions += c->confusion[(int64_t)j * c->classes + k];
        }
        hits += hit;
        c->recall[k] = labels ? (double)hit / (double)labels : 0;
        /* 2 TP / (labels + predictions) is the harmonic mean of precision and recall, and has a value where one of
         * these has none. */
        c->f1[k] = labels + predictions ? 2 * (double)hit / (double)(labels + predictions) : 0;
        labelled += labels > 0;
        seen += labels + predictions > 0;
        c->balanced_accuracy += c->recall[k];
        c->macro_f1 += c->f1[k];
    }
    c->accuracy = (double)hits / (double)c->count;
    /* At least one class has labels, as count is 1 or more, and so neither divisor is 0. */
    c->balanced_accuracy /= labelled;
    c->macro_f1 /= seen;
}

bool invar_classification_measure(const int64_t *predictions, const int64_t *labels, int64_t count, int classes,
                                  struct invar_classification *out, struct invar_error *err)
{
    struct invar_classification result = {.classes = classes, .count = count};

    if (count < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "there are no predictions; expected at least one row");
    if (!labels_check(labels, count, classes, "test samples", false, err) ||
        !labels_check(predictions, count, classes, "predictions", false, err))
        return false;
    result.recall = invar_alloc((size_t)classes, sizeof *result.recall, err);
    result.f1 = invar_alloc((size_t)classes, sizeof *result.f1, err);
    result.confusion = invar_alloc((size_t)classes, (size_t)classes * sizeof *result.confusion, err);
    if (!result.recall || !result.f1 || !result.confusion) {
        invar_classification_free(&result);
        return false;
    }
    for (int64_t i = 0; i < count; i++)
        result.confusion[labels[i] * classes + predictions[i]]++;
    measure_classes(&result);
    *out = result;
    return true;
}

/* ---- groups ---- */

void invar_group_accuracy_free(struct invar_group_accuracy *accuracy)
{
    if (!accuracy)
        return;
    invar_free(accuracy->group);
    invar_free(accuracy->samples);
    invar_free(accuracy->accuracy);
    *accuracy = (struct invar_group_accuracy){0};
}

struct member {
    int64_t group;
    bool hit;
};

static int by_group(const void *a, const void *b)
{
    const int64_t x = ((const struct member *)a)->group, y = ((const struct member *)b)->group;

    return (x > y) - (x < y);
}

/* Of members in the order of groups; out has room for a group a member. By sorting, as group numbers are any
 * integers. The worst group and the mean over groups stand beside the mean over samples, which large groups decide
 * alone. */
static void measure_groups(const struct member *member, int64_t count, struct invar_group_accuracy *out)
{
    int64_t hits = 0;

    out->worst = 1;
    for (int64_t i = 0, end; i < count; i = end) {
        const int64_t g = out->count++;
        int64_t own = 0;
        for (end = i; end < count && member[end].group == member[i].group; end++)
            own += member[end].hit;
        out->group[g] = member[i].group;
        out->samples[g] = end - i;
        out->accuracy[g] = (double)own / (double)(end - i);
        out->mean += out->accuracy[g];
        /* The first of equally bad groups, in the order of their numbers. */
        if (out->accuracy[g] < out->worst)
            out->worst = out->accuracy[g];
        hits += own;
    }
    out->mean /= (double)out->count;
    out->all = (double)hits / (double)count;
}

bool invar_group_accuracy_measure(const int64_t *predictions, const int64_t *labels, const int64_t *groups,
                                  int64_t count, struct invar_group_accuracy *out, struct invar_error *err)
{
    struct invar_group_accuracy result = {0};
    struct member *member;

    if (count < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "no sample belongs to a group; expected at least one");
    member = invar_alloc((size_t)count, sizeof *member, err);
    result.group = invar_alloc((size_t)count, sizeof *result.group, err);
    result.samples = invar_alloc((size_t)count, sizeof *result.samples, err);
    result.accuracy = invar_alloc((size_t)count, sizeof *result.accuracy, err);
    const bool ok = member && result.group && result.samples && result.accuracy;
    if (ok) {
        for (int64_t i = 0; i < count; i++)
            member[i] = (struct member){groups[i], predictions[i] == labels[i]};
        /* The order within a group is left open: what comes of it are counts. */
        qsort(member, (size_t)count, sizeof *member, by_group);
        measure_groups(member, count, &result);
        *out = result;
    } else {
        invar_group_accuracy_free(&result);
    }
    invar_free(member);
    return ok;
}
