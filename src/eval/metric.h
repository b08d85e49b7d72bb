/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_METRIC_H
#define INVAR_EVAL_METRIC_H

#include "eval/check.h"

/**
 * The metric in which the probe's problem is well conditioned. With x~ = (x, 1) the block of the Hessian that belongs
 * to class c is H_c = mean p_c (1 - p_c) x~ x~^T + l2 I (the bias without l2). L-BFGS runs in v_c = L_c^T w_c with
 * L_c L_c^T close to H_c at the current weights. This is a change of variables: the penalty and the minimum stay what
 * they are.
 */
struct metric;
/** Takes second moments of the rows multiplied by scale (any unit of the features is safe), from a regular subset where
 * they are many. Where classes times squared columns are too many, all classes share one block; where columns alone
 * are, only the diagonal is used. */
struct metric *metric_create(const struct invar_matrix *features, int classes, double scale, struct invar_error *err);
void metric_free(struct metric *metric);
/** Factorises at the weights [classes][D + 1] for a strength of the penalty. */
bool metric_set(struct metric *metric, const double *weight, double l2, struct invar_error *err);
/** In place on [classes][D + 1]: v to w, and the gradient by w to that by v. */
void metric_leave(const struct metric *metric, double *weight);
void metric_pull(const struct metric *metric, double *gradient);

#endif
