/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLASSIFICATION_H
#define INVAR_CLASSIFICATION_H

#include "invar/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How good predicted classes and their probabilities are. All values are fractions, 0 to 1; docs/evaluation.md has the
 * definitions, which are those of scikit-learn ([PM2], [PM3]), of Guo et al. ([PM4]) and of WILDS ([PM5]). */

/** The class of the largest score in each row [rows][classes], the smaller one of equals. Scores that are not finite
 * are refused (the row is named). */
bool invar_predict(const struct invar_matrix *scores, int64_t *predictions, struct invar_error *err);

/** Predictions beside labels [PM3]. */
struct invar_classification {
    int classes;
    int64_t count;
    double accuracy;
    double balanced_accuracy; /**< mean recall over the classes that occur among the labels */
    double macro_f1;          /**< mean F1 over the classes that occur among labels or predictions */
    double *recall, *f1;      /**< [classes]; 0 for a class that does not occur */
    int64_t *confusion;       /**< [classes][classes], rows labels, columns predictions */
};
/** Refused: no rows, fewer than 2 classes, a label or a prediction out of 0 .. classes-1 (its row is named). */
bool invar_classification_measure(const int64_t *predictions, const int64_t *labels, int64_t count, int classes,
                                  struct invar_classification *out, struct invar_error *err);
void invar_classification_free(struct invar_classification *classification);

/** Area under the ROC curve, one class against the rest, ties counted half [PM2]. */
struct invar_auroc {
    int count;      /**< classes that have samples and are not all of them */
    int64_t *label; /**< [count] which they are, ascending */
    double *each;   /**< [count] */
    double mean;    /**< of them (macro) */
};
/** From scores or probabilities [rows][classes]: of every class only the order within its column counts. Refused:
 * labels of one class alone, which leave nothing to tell apart; otherwise as above. */
bool invar_auroc_measure(const struct invar_matrix *scores, const int64_t *labels, struct invar_auroc *out,
                         struct invar_error *err);
void invar_auroc_free(struct invar_auroc *auroc);

/** What scores are, and with it how they become probabilities. */
enum invar_score_kind {
    INVAR_SCORES_LOGITS, /**< softmax of each row */
    INVAR_SCORES_VOTES,  /**< not negative, divided by the sum of the row; a row of zeros: all classes alike */
};
/** out [rows][classes], each row of sum 1, in float64. Refused: what is not finite, negative votes. */
bool invar_probabilities(const struct invar_matrix *scores, enum invar_score_kind kind, double *out,
                         struct invar_error *err);

enum { INVAR_CALIBRATION_BINS = 15 };

/** Confidence (the largest probability) beside accuracy, by bins of equal width (b/B, (b+1)/B], 0 in the first [PM4].
 */
struct invar_calibration {
    int bins;
    double ece;         /**< sum over bins of share of samples times |accuracy - mean confidence| */
    double mce;         /**< the largest such gap of a bin that has samples */
    int64_t *count;     /**< [bins] samples */
    double *accuracy;   /**< [bins]; 0 in an empty bin */
    double *confidence; /**< [bins] mean; 0 in an empty bin */
};
/** Refused: bins < 1, probabilities outside 0..1 or rows whose sum is not 1 within 1e-3; otherwise as above. */
bool invar_calibration_measure(const struct invar_matrix *probabilities, const int64_t *labels, int bins,
                               struct invar_calibration *out, struct invar_error *err);
void invar_calibration_free(struct invar_calibration *calibration);

/** Accuracy by group [PM5]. */
struct invar_group_accuracy {
    int64_t count;           /**< groups that occur */
    int64_t *group;          /**< [count] ascending */
    int64_t *samples;        /**< [count] */
    double *accuracy;        /**< [count] */
    double all, worst, mean; /**< of all samples; of the worst group; unweighted mean over groups */
};
/** Groups are numbered by any integers. Refused: no samples. */
bool invar_group_accuracy_measure(const int64_t *predictions, const int64_t *labels, const int64_t *groups,
                                  int64_t count, struct invar_group_accuracy *out, struct invar_error *err);
void invar_group_accuracy_free(struct invar_group_accuracy *accuracy);

#ifdef __cplusplus
}
#endif

#endif
