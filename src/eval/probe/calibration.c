/* SPDX-License-Identifier: Apache-2.0 */
/* Probabilities from scores, and how well confidence agrees with accuracy [PM4]. The value depends on the bins, so that
 * another number of them is another measure: 15 of equal width, as in Guo et al. (arXiv 1706.04599). */
#include "eval/check.h"
#include "invar/classification.h"
#include "invar/memory.h"

#include <math.h>

/* ---- probabilities ---- */

/* Around the largest score, as the exponential of a large one is infinite. In float64: probabilities near 1 would be
 * equal in float32, and AUROC counts equal ones half. */
static void softmax(const struct invar_matrix *scores, int64_t row, double *out)
{
    double most = -INFINITY, sum = 0;

    for (int64_t c = 0; c < scores->cols; c++)
        most = fmax(most, matrix_value(scores, row, c));
    for (int64_t c = 0; c < scores->cols; c++)
        sum += out[c] = exp(matrix_value(scores, row, c) - most);
    for (int64_t c = 0; c < scores->cols; c++)
        out[c] /= sum;
}

/* -1, or the column of a negative vote. Votes have no softmax: they are shares already, but for their sum. Without any
 * vote all classes are as likely, since 0 for each would be no distribution. The comparison refuses NaN too. */
static int64_t share(const struct invar_matrix *scores, int64_t row, double *out)
{
    double sum = 0;

    for (int64_t c = 0; c < scores->cols; c++) {
        const double vote = matrix_value(scores, row, c);
        if (!(vote >= 0))
            return c;
        sum += vote;
    }
    for (int64_t c = 0; c < scores->cols; c++)
        out[c] = sum > 0 ? matrix_value(scores, row, c) / sum : 1 / (double)scores->cols;
    return -1;
}

bool invar_probabilities(const struct invar_matrix *scores, enum invar_score_kind kind, double *out,
                         struct invar_error *err)
{
    if (!matrix_check(scores, "scores", err) || !matrix_check_finite(scores, "scores", err))
        return false;
    for (int64_t i = 0; i < scores->rows; i++) {
        double *row = out + i * scores->cols;
        if (kind == INVAR_SCORES_LOGITS) {
            softmax(scores, i, row);
            continue;
        }
        const int64_t negative = share(scores, i, row);
        if (negative >= 0)
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "row %lld of the votes holds %g (column %lld); expected 0 or more", (long long)i,
                                   matrix_value(scores, i, negative), (long long)negative);
    }
    return true;
}

/* ---- calibration ---- */

void invar_calibration_free(struct invar_calibration *calibration)
{
    if (!calibration)
        return;
    invar_free(calibration->count);
    invar_free(calibration->accuracy);
    invar_free(calibration->confidence);
    *calibration = (struct invar_calibration){0};
}

/* Sums may be off by what rounding to a few digits leaves: tables of other programs are probabilities too. */
static bool check_rows(const struct invar_matrix *p, struct invar_error *err)
{
    for (int64_t i = 0; i < p->rows; i++) {
        double sum = 0;
        bool within = true;
        for (int64_t c = 0; c < p->cols; c++) {
            const double value = matrix_value(p, i, c);
            within = within && value >= 0 && value <= 1;
            sum += value;
        }
        if (!within || !(fabs(sum - 1) <= 1e-3))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "row %lld of the probabilities has the sum %g%s; expected numbers from 0 to 1 "
                                   "with the sum 1",
                                   (long long)i, sum, within ? "" : " and numbers outside 0 to 1");
    }
    return true;
}

/* b/B < p <= (b+1)/B, by the quotients themselves: a product with B would round some borders to the other side. Bins
 * are open below, as in the paper that ECE is from; a confidence of exactly 0.7 belongs to the seventh of ten. */
static int bin_of(double p, int bins)
{
    int b = (int)(p * bins);

    /* A probability of 1 is in the last bin, which is closed above. */
    b = b < bins ? b : bins - 1;
    while (b > 0 && p <= (double)b / bins)
        b--;
    while (b < bins - 1 && p > (double)(b + 1) / bins)
        b++;
    return b;
}

/* By the confidence of the prediction alone: bins of equal width, those without samples left out. Accuracy and
 * confidence are sums first and means later, so that a bin is not averaged twice; bins count by their samples in ECE,
 * as a gap in a bin of three samples is mostly chance. mce is the largest gap and does not weigh. */
static void fill_bins(const struct invar_matrix *p, const int64_t *labels, struct invar_calibration *out)
{
    for (int64_t i = 0; i < p->rows; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < p->cols; c++)
            if (matrix_value(p, i, c) > matrix_value(p, i, best))
                best = c;
        const double confidence = matrix_value(p, i, best);
        const int b = bin_of(confidence, out->bins);
        out->count[b]++;
        out->accuracy[b] += best == labels[i];
        out->confidence[b] += confidence;
    }
    for (int b = 0; b < out->bins; b++) {
        const double n = (double)out->count[b];
        if (!out->count[b])
            continue;
        out->accuracy[b] /= n;
        out->confidence[b] /= n;
        const double gap = fabs(out->accuracy[b] - out->confidence[b]);
        out->ece += n / (double)p->rows * gap;
        out->mce = fmax(out->mce, gap);
    }
}

bool invar_calibration_measure(const struct invar_matrix *probabilities, const int64_t *labels, int bins,
                               struct invar_calibration *out, struct invar_error *err)
{
    struct invar_calibration result = {.bins = bins};

    if (bins < 1)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%d bins are asked for; expected at least 1", bins);
    if (!matrix_check(probabilities, "probabilities", err) ||
        !matrix_check_finite(probabilities, "probabilities", err) || !check_rows(probabilities, err) ||
        !labels_check(labels, probabilities->rows, (int)probabilities->cols, "test samples", false, err))
        return false;
    result.count = invar_alloc((size_t)bins, sizeof *result.count, err);
    result.accuracy = invar_alloc((size_t)bins, sizeof *result.accuracy, err);
    result.confidence = invar_alloc((size_t)bins, sizeof *result.confidence, err);
    if (!result.count || !result.accuracy || !result.confidence) {
        invar_calibration_free(&result);
        return false;
    }
    fill_bins(probabilities, labels, &result);
    *out = result;
    return true;
}
