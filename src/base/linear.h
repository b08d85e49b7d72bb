/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear algebra of the host: what is fitted and measured after training, in memory of this process, whatever device
 * trained. Matrices are in rows, without padding but for what is said; sizes are below 2^31. Inside a parallel region
 * every call takes one thread, elsewhere as many as OpenMP has.
 */
#ifndef INVAR_SRC_BASE_LINEAR_H
#define INVAR_SRC_BASE_LINEAR_H

#include "invar/array.h"

/** c [m][n] = keep c + a b^T with a [m][k] and b [n][k], all float32 or all float64; rows of c are `apart` numbers from
 * each other. */
void linear_rows(enum invar_dtype dtype, int m, int n, int k, const void *a, const void *b, double keep, void *c,
                 int apart);
/** c [m][n] = keep c + a^T b with a [k][m] and b [k][n]; likewise. */
void linear_columns(enum invar_dtype dtype, int m, int n, int k, const void *a, const void *b, double keep, void *c,
                    int apart);
/** Sum of a b, and of the squares of a column of x [count][n]. */
double linear_dot(int64_t count, const double *a, const double *b);
float linear_column_squares(int count, const float *x, int n);
/** y += factor x. */
void linear_add(int64_t count, double factor, const double *x, double *y);
/** y [cols] -= a^T x with a [rows][cols]. */
void linear_subtract(int rows, int cols, const double *a, const double *x, double *y);
/** The lower triangle of c [n][n] += scale a^T a with a [k][n]. */
void linear_gram(int n, int k, float scale, const float *a, float *c);
/** x <- L^-1 x, or L^-T x, with L the lower triangle of l [n][n]. */
void linear_triangular(int n, const double *l, bool transpose, double *x);
/** The lower triangle of a [n][n] <- L with L L^T = a, of which that triangle alone is read. False where a is not
 * positive definite; a is used up then. */
bool linear_factor(int n, double *a);
/** x <- (L L^T)^-1 x. */
void linear_solve(int n, const double *l, double *x);
/** What became of a decomposition. */
enum linear_outcome { LINEAR_DONE, LINEAR_NO_MEMORY, LINEAR_FAILED };
/** x [rows][cols] = u diag(s) v, s descending [least of both], u [rows][least], v [least][cols]; x is used up. Fails
 * where values are too large. */
enum linear_outcome linear_decompose(int rows, int cols, double *x, double *s, double *u, double *v);

#endif
