/* SPDX-License-Identifier: Apache-2.0 */
/* (1/2) log det(I + a X^T X) of a float64 matrix X, with its gradient: LogDet [I3] and the coding rate [CR1]. */
#ifndef INVAR_OBJECTIVE_RATE_H
#define INVAR_OBJECTIVE_RATE_H

#include "objective/term.h"

struct invar_rate {
    struct invar_matrix c; /* the smaller of a X^T X and a X X^T, then I + that, then its factor */
    double *safe;          /* device: 1, or what embeddings that have run away are scaled by */
};
/** Room for matrices of this shape. */
bool rate_take(struct invar_scratch *scratch, int64_t rows, int64_t cols, struct invar_rate *rate,
               struct invar_error *err);
/** *slot += factor times the value; on request x becomes its gradient over a. */
void rate_of(struct invar_device *device, const struct invar_rate *rate, const struct invar_matrix *x, double a,
             bool gradient, double factor, double *slot);
/** The largest diagonal of an n x n sum of I and a product of `inner` terms whose factorisation cannot fail. */
double rate_limit(int64_t n, int64_t inner);
/** The value of rows [n][d] by elimination, for references; NaN without memory. */
double reference_rate(const double *x, int64_t n, int64_t d, double a);

#endif
