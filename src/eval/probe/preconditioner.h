/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_PRECONDITIONER_H
#define INVAR_EVAL_PRECONDITIONER_H

#include "eval/check.h"

/**
 * The change of variables in which the probe's problem is well conditioned. With x~ = (x, 1) the block of the Hessian
 * that belongs to class c is H_c = mean p_c (1 - p_c) x~ x~^T + l2 I (the bias without l2). L-BFGS runs in v_c = L_c^T
 * w_c with L_c L_c^T close to H_c at the current weights. This is a change of variables: the penalty and the minimum
 * stay what they are.
 */
struct preconditioner;
/** Takes second moments of the rows multiplied by scale (any unit of the features is safe), from a regular subset where
 * they are many. Where classes times squared columns are too many, all classes share one block; where columns alone
 * are, only the diagonal is used. */
struct preconditioner *preconditioner_create(const struct invar_matrix *features, int classes, double scale,
                                             struct invar_error *err);
void preconditioner_free(struct preconditioner *preconditioner);
/** Factorises at the weights [classes][D + 1] for a strength of the penalty. */
bool preconditioner_set(struct preconditioner *preconditioner, const double *weight, double l2,
                        struct invar_error *err);
/** In place on [classes][D + 1]: v to w, and the gradient by w to that by v. */
void preconditioner_leave(const struct preconditioner *preconditioner, double *weight);
void preconditioner_pull(const struct preconditioner *preconditioner, double *gradient);

#endif
