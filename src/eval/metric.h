/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_METRIC_H
#define INVAR_EVAL_METRIC_H

#include "eval/check.h"

/**
 * The metric in which the probe's problem is well conditioned. With x~ = (x, 1) the Hessian of the cross entropy is
 * bounded by a multiple of G = mean x~ x~^T, so that L-BFGS runs in v = L^T w with L L^T = curvature G + l2 I (the
 * bias without l2). This is a change of variables: the penalty and the minimum stay what they are.
 */
struct metric;
/** Takes G from the rows (a regular subset where they are many) multiplied by scale (any unit of the features is safe).
 * Above a limit of columns only the diagonal is used. */
struct metric *metric_create(const struct invar_matrix *features, double scale, struct invar_error *err);
void metric_free(struct metric *metric);
/** Factorises for a strength of the penalty. */
bool metric_set(struct metric *metric, double l2, struct invar_error *err);
/** In place on [count][D + 1]: w to v, v to w, and the gradient by w to that by v. */
void metric_enter(const struct metric *metric, double *weight, int count);
void metric_leave(const struct metric *metric, double *weight, int count);
void metric_pull(const struct metric *metric, double *gradient, int count);

#endif
