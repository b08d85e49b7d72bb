/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of a term in float64, normalised on request, with the way of their gradient back; and small device numbers. */
#ifndef INVAR_OBJECTIVE_WIDE_H
#define INVAR_OBJECTIVE_WIDE_H

#include "objective/term.h"

struct invar_wide {
    struct invar_matrix x, dx; /* float64; dx zeroed, its data NULL where no gradient is wanted */
    /* with normalise alone */
    double *lengths;
    struct invar_matrix spare;
};
/** Fills w from an input of the call. */
bool wide_take(const struct invar_term_call *call, enum invar_role role, int view, bool normalise, struct invar_wide *w,
               struct invar_error *err);
/** The same of views 0 .. views - 1. */
bool wide_take_views(const struct invar_term_call *call, enum invar_role role, int views, bool normalise,
                     struct invar_wide *w, struct invar_error *err);
/** The call's gradient += the one that dx, weight included, amounts to; once. */
void wide_backward(const struct invar_term_call *call, enum invar_role role, int view, const struct invar_wide *w);
void wide_backward_views(const struct invar_term_call *call, enum invar_role role, int views,
                         const struct invar_wide *w);

/** A zeroed vector of the device as a float64 matrix of one row; data is double. */
bool term_vector(const struct invar_term_call *call, int64_t count, struct invar_matrix *out, struct invar_error *err);
/** A float64 matrix of the call's scratch, not zeroed. */
bool term_matrix(const struct invar_term_call *call, int64_t rows, int64_t cols, struct invar_matrix *out,
                 struct invar_error *err);
/** *slot += factor f(scale *number + shift) of a number of the device. */
void term_add_map(struct invar_device *device, enum invar_dense_map f, double scale, double shift,
                  const struct invar_matrix *number, const struct invar_matrix *spare, double factor, double *slot);

/** For references: rows [N][d] of an input, normalised on request; free with invar_free. */
double *reference_rows(const struct invar_matrix *x, bool normalise);
/** For references: singular values [min(rows, cols)] of rows [rows][cols], in no order, by rotations of pairs of rows;
 * false without memory. */
bool reference_singular_values(const double *x, int64_t rows, int64_t cols, double *values);

#endif
