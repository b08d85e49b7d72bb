/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REGRESSION_H
#define INVAR_REGRESSION_H

#include "invar/array.h"
#include "invar/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Labels that are numbers: how good predicted ones are, and linear and neighbour regression on frozen representations.
 * docs/evaluation.md has the definitions, which are those of scikit-learn and SciPy ([PM1]). */

/** Predictions beside targets [PM1]. */
struct invar_regression {
    int64_t count, targets;
    double r2;       /**< mean over targets of 1 - sum (y - p)^2 / sum (y - mean y)^2; at most 1, may be negative */
    double mse, mae; /**< over all entries, in squared and plain units of the targets */
    double spearman; /**< mean over the targets that vary, as their predictions do; NAN where there are none */
    double *r2_each; /**< [targets]; of a target with all values equal 1 where every prediction meets it, else 0 */
};
/** Both matrices [rows][targets]. Refused: other shapes, values that are not finite or beyond 1e100 (the row is named).
 */
bool invar_regression_measure(const struct invar_matrix *predictions, const struct invar_matrix *targets,
                              struct invar_regression *out, struct invar_error *err);
void invar_regression_free(struct invar_regression *regression);
/** Correlation of ranks, equal values at the mean of their ranks. Refused: fewer than 2 values, values that are not
 * finite, all values of one side equal. */
bool invar_spearman(const double *a, const double *b, int64_t count, double *out, struct invar_error *err);

/** Refuses targets that are not finite or beyond 1e100 (the row is named), and such that are all equal. what: "test
 * samples", for messages. */
bool invar_targets_check(const double *targets, int64_t count, const char *what, struct invar_error *err);

struct invar_ridge_options {
    struct invar_real_list alpha; /**< strengths to choose from */
    int64_t folds;                /**< parts of the training rows, each of which is held out once */
    int64_t seed;                 /**< of the folds */
};
extern const struct invar_option invar_ridge_option_table[];

struct invar_ridge_result {
    int64_t train_count, test_count, dimensions;
    double alpha;         /**< chosen */
    bool chosen;          /**< of several; held_out_r2 means something only then */
    double held_out_r2;   /**< of the predictions for every row by the fit that did not see it, at the chosen alpha */
    double *weight, bias; /**< [dimensions], of features as they are */
    double *predictions;  /**< [test_count] */
    struct invar_regression test;
    double seconds;
};
/**
 * Ridge regression in float64: minimises sum_i (y_i - w z_i - b)^2 + alpha ||w||^2 over features z standardised by
 * column (mean 0 and deviation 1, divisor N, over the rows that are fitted; constant columns count as 0), b free: what
 * scikit-learn's StandardScaler and Ridge(alpha) give. alpha is the one of least squared error over the held-out rows
 * of all folds, of equals the strongest; the final fit is on all rows. Features float32 or float64 [rows][D], of which
 * the smaller of rows and D squared numbers of work space are needed. test NULL: nothing is measured. Refused: fewer
 * training rows than folds (with one alpha: than 2), targets that are not finite or all equal, features that are not
 * finite.
 */
bool invar_ridge_fit(const struct invar_matrix *train, const double *train_targets, const struct invar_matrix *test,
                     const double *test_targets, const struct invar_ridge_options *options,
                     struct invar_ridge_result *out, struct invar_error *err);
void invar_ridge_result_free(struct invar_ridge_result *result);

/** The mean of the targets of the first k neighbours of a row (invar_neighbours_find), weighted as they vote: by
 * exp(similarity / temperature); temperature INFINITY: all alike. */
double invar_neighbours_average(const int64_t *index, const double *similarity, int64_t k, const double *train_targets,
                                double temperature);

#ifdef __cplusplus
}
#endif

#endif
