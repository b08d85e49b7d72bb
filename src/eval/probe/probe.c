/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe: a strength of the penalty chosen on held-out samples, a fit on all, a measurement on the test
 * split. */
#include "eval/probe/logreg.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "invar/expert/random.h"
#include "invar/watch.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct invar_probe_options, name)
/* Strengths are a decade apart, from one that leaves almost nothing to one that hardly matters, on features whose
 * mean square is 1: the same list serves encoders of any scale. */
const struct invar_option invar_probe_option_table[] = {
    {"l2", INVAR_OPTION_REAL_LIST, FIELD(l2), "[1, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6]", 0, 1e6, NULL,
     "strengths of the penalty to choose from, on features of unit mean square; one value: no choice"},
    {"held_out", INVAR_OPTION_REAL, FIELD(held_out), "0.1", 0.001, 0.9, NULL,
     "fraction of the training samples of every class on which the strength is chosen"},
    {"iterations", INVAR_OPTION_INT, FIELD(iterations), "1000", 1, 1e6, NULL, "limit of L-BFGS iterations of a fit"},
    {"tolerance", INVAR_OPTION_REAL, FIELD(tolerance), "1e-4", 1e-12, 1, NULL,
     "largest entry of the gradient at which a fit has converged"},
    {"seed", INVAR_OPTION_INT, FIELD(seed), "1", 0, 9007199254740992.0, NULL, "of the held-out split"},
    {NULL, INVAR_OPTION_INT, 0, NULL, 0, 0, NULL, NULL},
};

/* Weaker strengths are not tried after so many in a row that were worse than the best. */
enum { PATIENCE = 2 };

/* All that one probe works with. */
struct probe {
    const struct invar_matrix *train;
    const int64_t *labels;
    const struct invar_probe_options *options;
    int classes;
    double scale;                          /* of the features, to unit mean square */
    struct preconditioner *preconditioner; /* of all training rows */
    double *weight;                        /* [classes][D + 1] */
};

/* [classes][D + 1], the bias last, into weight [classes][D] and bias [classes]. */
static void unpack(const double *packed, int classes, int64_t cols, double *weight, double *bias)
{
    for (int c = 0; c < classes; c++) {
        memcpy(weight + c * cols, packed + c * (cols + 1), (size_t)cols * sizeof *weight);
        bias[c] = packed[c * (cols + 1) + cols];
    }
}

/* Accuracy of the classifier that weight holds; whole: what its probabilities are worth, too. Scores in float32, as
 * in all probes: an accuracy that hangs on the eighth digit is none. */
static bool measure_with(int classes, const double *weight, const double *bias, const struct invar_matrix *features,
                         const int64_t *labels, bool whole, struct invar_accuracy *out, struct invar_error *err)
{
    struct invar_matrix scores = {INVAR_FLOAT32, features->rows, classes, NULL};
    bool ok = false;
    scores.data = invar_alloc((size_t)scores.rows, (size_t)classes * sizeof(float), err);
    if (scores.data)
        ok = invar_logreg_scores(features, weight, bias, classes, scores.data, err) &&
             invar_accuracy_measure(&scores, labels, out, err) &&
             (!whole || invar_accuracy_add_probabilities(out, &scores, INVAR_SCORES_LOGITS, labels, err));
    invar_free(scores.data);
    return ok;
}

/* [classes][D + 1] as a weight and a bias of their own, which the caller frees. */
static bool unpack_new(const double *packed, int classes, int64_t cols, double **weight, double **bias,
                       struct invar_error *err)
{
    *weight = invar_alloc((size_t)classes, (size_t)cols * sizeof **weight, err);
    *bias = invar_alloc((size_t)classes, sizeof **bias, err);
    if (*weight && *bias)
        unpack(packed, classes, cols, *weight, *bias);
    return *weight && *bias;
}

static bool measure(const struct probe *probe, const double *packed, const struct invar_matrix *features,
                    const int64_t *labels, struct invar_accuracy *out, struct invar_error *err)
{
    double *weight, *bias;
    bool ok = unpack_new(packed, probe->classes, features->cols, &weight, &bias, err) &&
              measure_with(probe->classes, weight, bias, features, labels, false, out, err);
    invar_free(weight);
    invar_free(bias);
    return ok;
}

/* ---- the held-out part ---- */

struct held_out {
    int64_t *index; /* [N] rows to fit, then rows held out */
    int64_t fit_count, count;
    struct invar_matrix features; /* of the rows held out, owned */
    int64_t *labels;
};

static void held_out_free(struct held_out *part)
{
    invar_free(part->index);
    invar_free(part->features.data);
    invar_free(part->labels);
}

/* In every class the first round(fraction * samples) of a shuffled order are held out, but never all of them. By
 * class, so that the share of classes is the same in both parts; a class of one sample is never held out. */
static bool held_out_draw(struct held_out *part, const struct probe *probe, struct invar_error *err)
{
    int64_t rows = probe->train->rows, fit = 0, held = 0;
    int64_t *order = invar_alloc((size_t)rows, sizeof *order, err);
    int64_t *quota = invar_alloc((size_t)probe->classes, sizeof *quota, err);
    part->index = invar_alloc((size_t)rows, sizeof *part->index, err);
    bool ok = order && quota && part->index;
    if (ok) {
        struct invar_random random = invar_random_stream((uint64_t)probe->options->seed, INVAR_RANDOM_SPLIT, 0, 0, 0);
        for (int64_t i = 0; i < rows; i++) {
            order[i] = i;
            quota[probe->labels[i]]++;
        }
        for (int c = 0; c < probe->classes; c++) {
            int64_t wanted = llround(probe->options->held_out * (double)quota[c]);
            quota[c] = wanted < quota[c] ? wanted : quota[c] - 1;
        }
        invar_random_shuffle(&random, order, rows);
        for (int64_t i = 0; i < rows; i++) {
            if (quota[probe->labels[order[i]]]-- > 0)
                /* One array from both ends: the rows to fit are its beginning, which is what labelled_rows takes, and
                 * those held out need no array of their own. */
                part->index[rows - 1 - held++] = order[i];
            else
                part->index[fit++] = order[i];
        }
        part->fit_count = fit;
        part->count = held;
    }
    invar_free(order);
    invar_free(quota);
    return ok;
}

/* Held-out rows are copied, as a product wants them side by side; those that are fitted are reached by their numbers.
 */
static bool held_out_create(struct held_out *part, const struct probe *probe, struct invar_error *err)
{
    const struct invar_matrix *train = probe->train;
    size_t bytes = (size_t)train->cols * invar_dtype_size(train->dtype);
    if (!held_out_draw(part, probe, err))
        return false;
    if (!part->count)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%lld training samples of %d classes are too few to hold out a fraction of %g; "
                               "give one strength (l2=VALUE) or more samples",
                               (long long)train->rows, probe->classes, probe->options->held_out);
    part->features = *train;
    part->features.rows = part->count;
    part->features.data = invar_alloc((size_t)part->count, bytes, err);
    part->labels = invar_alloc((size_t)part->count, sizeof *part->labels, err);
    if (!part->features.data || !part->labels)
        return false;
    for (int64_t i = 0; i < part->count; i++) {
        int64_t row = part->index[part->fit_count + i];
        memcpy((char *)part->features.data + (size_t)i * bytes, (const char *)train->data + (size_t)row * bytes, bytes);
        part->labels[i] = probe->labels[row];
    }
    return true;
}

/* ---- choice ---- */

/* Descending. */
static int stronger(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The preconditioner is of all rows, though a fit on nine tenths of them uses it: it only shapes the steps. */
static bool fit(const struct probe *probe, const struct labelled_rows *rows, double l2, double *weight,
                struct invar_logreg_result *result, struct invar_error *err)
{
    struct invar_logreg_options options = {
        .l2 = l2, .iterations = probe->options->iterations, .tolerance = probe->options->tolerance};
    return logreg_minimise(rows, probe->classes, probe->preconditioner, probe->scale, &options, weight, result, err);
}

/* From the strongest to the weakest, each started from the one before; the stronger of equals wins. Warm starts make
 * weak penalties, whose fits are long, a few steps from their neighbour. Patience ends the list early: behind the
 * best strength accuracy falls, and the weakest fits are the slowest. */
static bool choose(struct probe *probe, struct invar_probe_result *out, struct invar_error *err)
{
    bool ok = false;
    size_t size = (size_t)(probe->classes * (probe->train->cols + 1));
    struct invar_real_list list = probe->options->l2;
    struct held_out part = {0};
    double *weight = invar_alloc(size, sizeof *weight, err);
    if (!weight || !held_out_create(&part, probe, err))
        goto done;
    /* A copy is sorted: the caller's options are reported as they were given. */
    qsort(list.value, (size_t)list.count, sizeof list.value[0], stronger);
    struct labelled_rows rows = {probe->train, probe->labels, part.index, part.fit_count};
    out->held_out_top1 = -1;
    for (int i = 0, worse = 0; i < list.count && worse < PATIENCE; i++) {
        struct invar_accuracy accuracy;
        struct invar_logreg_result result;
        if (!fit(probe, &rows, list.value[i], weight, &result, err) ||
            !measure(probe, weight, &part.features, part.labels, &accuracy, err))
            goto done;
        invar_log(INVAR_LOG_DEBUG, "probe: l2 %g: held-out top-1 %.2f %%, %lld iterations, gradient %.1e",
                  list.value[i], accuracy.top1, (long long)result.iterations, result.gradient_norm);
        /* Strictly, and from the strongest on: of equals the stronger one stays, as a weaker penalty has to earn its
         * place. */
        if (accuracy.top1 > out->held_out_top1) {
            out->held_out_top1 = accuracy.top1;
            out->l2 = list.value[i];
            /* The final fit starts from here: of the same strength on nine tenths of the rows, it is a few steps from
             * the end. */
            memcpy(probe->weight, weight, size * sizeof *weight);
            worse = 0;
        } else {
            worse++;
        }
        invar_accuracy_free(&accuracy);
    }
    out->held_out_count = part.count;
    ok = true;
done:
    held_out_free(&part);
    invar_free(weight);
    return ok;
}

/* Before anything is allocated: what a user can get wrong is told in a moment. */
static bool check(const struct invar_matrix *train, const int64_t *train_labels, const struct invar_matrix *test,
                  const int64_t *test_labels, int classes, const struct invar_probe_options *options,
                  struct invar_error *err)
{
    if (!matrix_check(train, "training features", err) || (test && !matrix_check(test, "test features", err)))
        return false;
    if (options->l2.count < 1)
        return invar_error_set(err, INVAR_ERROR_USAGE, "l2 is empty; give at least one strength of the penalty");
    if (!labels_check(train_labels, train->rows, classes, "training samples", true, err) ||
        !matrix_check_finite(train, "training features", err))
        return false;
    if (!test)
        return true;
    if (train->cols != test->cols || train->dtype != test->dtype)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the training features have %lld columns of %s, the test features %lld of %s; both must "
                               "come from the same encoder",
                               (long long)train->cols, invar_dtype_name(train->dtype), (long long)test->cols,
                               invar_dtype_name(test->dtype));
    /* Classes that the test split lacks are no error: accuracy is of the samples that are there. */
    return labels_check(test_labels, test->rows, classes, "test samples", false, err) &&
           matrix_check_finite(test, "test features", err);
}

/* The chosen strength is fitted once more, on all training rows: a tenth more data is worth a fit. */
bool invar_probe_fit(const struct invar_matrix *train, const int64_t *train_labels, const struct invar_matrix *test,
                     const int64_t *test_labels, int classes, const struct invar_probe_options *options,
                     struct invar_probe_result *out, struct invar_error *err)
{
    bool ok = false;
    double started = invar_seconds();
    struct invar_probe_result result = {.l2 = options->l2.value[0]};
    struct probe probe = {.train = train, .labels = train_labels, .options = options, .classes = classes};
    struct labelled_rows rows = {train, train_labels, NULL, train->rows};
    if (!check(train, train_labels, test, test_labels, classes, options, err))
        return false;
    /* Of all training rows, for the fits on nine tenths of them too: a strength must mean the same where it is chosen
     * and where it is used. */
    probe.scale = matrix_scale(train);
    probe.preconditioner = preconditioner_create(train, classes, probe.scale, err);
    probe.weight = invar_alloc((size_t)classes, (size_t)(train->cols + 1) * sizeof *probe.weight, err);
    if (!probe.preconditioner || !probe.weight || (options->l2.count > 1 && !choose(&probe, &result, err)) ||
        !fit(&probe, &rows, result.l2, probe.weight, &result.fit, err) ||
        !unpack_new(probe.weight, classes, train->cols, &result.weight, &result.bias, err) ||
        (test && !measure_with(classes, result.weight, result.bias, test, test_labels, true, &result.test, err)))
        goto done;
    result.train_count = train->rows;
    result.test_count = test ? test->rows : 0;
    result.dimensions = train->cols;
    result.seconds = invar_seconds() - started;
    *out = result;
    ok = true;
done:
    if (!ok)
        invar_probe_result_free(&result);
    preconditioner_free(probe.preconditioner);
    invar_free(probe.weight);
    return ok;
}

void invar_probe_result_free(struct invar_probe_result *result)
{
    if (!result)
        return;
    invar_accuracy_free(&result->test);
    invar_free(result->weight);
    invar_free(result->bias);
    result->weight = result->bias = NULL;
}
