/* SPDX-License-Identifier: Apache-2.0 */
/* Hard whitening [A5], float64: one factor of a clean matrix, applied to as many matrices as there are. */
#ifndef INVAR_OBJECTIVE_WHITEN_H
#define INVAR_OBJECTIVE_WHITEN_H

#include "objective/term.h"

struct invar_whitening {
    struct invar_matrix centred; /* N x d: Zc, whose covariance is factorised */
    struct invar_matrix factor;  /* d x d: L, L L^T = C(Z) + (ridge + share tr C(Z) / d) I */
    struct invar_matrix through; /* d x d: H, what the factor receives */
    double share, *trace;
};
/** Room for an N x d matrix. */
bool whitening_take(struct invar_scratch *scratch, int64_t rows, int64_t cols, struct invar_whitening *w,
                    struct invar_error *err);
/** The factor of z (of any type), NaN where there is none. ridge is added to the diagonal as it is, share as a part of
 * the mean variance. */
void whitening_factor(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *z,
                      double ridge, double share);
/** y = (x less its column means) L^{-T}; y float64. x NULL: of the matrix that the factor is of. */
void whitening_apply(struct invar_device *device, const struct invar_whitening *w, const struct invar_matrix *x,
                     const struct invar_matrix *y);
/** dy, the gradient by y of another matrix, becomes that by x for a constant factor; what the factor receives is kept
 * for the call below (keep) or forgotten. */
void whitening_backward(struct invar_device *device, struct invar_whitening *w, const struct invar_matrix *y,
                        const struct invar_matrix *dy, bool keep);
/** The same for the matrix that the factor is of, whose dy becomes the gradient by it, with all that came through the
 * factor. Last and once: the whitening is used up. */
bool whitening_own_backward(struct invar_device *device, struct invar_scratch *scratch, struct invar_whitening *w,
                            const struct invar_matrix *y, const struct invar_matrix *dy, struct invar_error *err);

#endif
