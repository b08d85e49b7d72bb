/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_OBJECTIVE_MEASURE_H
#define INVAR_OBJECTIVE_MEASURE_H

#include "invar/expert/dense.h"
#include "invar/measure.h"

/** A float64 copy of z in scratch; at least `least` rows and a column, and every value finite, or a sentence that says
 * which is not. what: "the entropy". */
bool measure_take(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                  const struct invar_matrix *z, int64_t least, struct invar_matrix *out, struct invar_error *err);
/** The same of two views, whose shapes must agree. */
bool measure_take_pair(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                       const struct invar_matrix *a, const struct invar_matrix *b, int64_t least,
                       struct invar_matrix *out_a, struct invar_matrix *out_b, struct invar_error *err);
/**
 * z, float64, becomes its standardised columns (divisor N), so that which directions are more than rounding does not
 * depend on the scale of a column. One that varies no more than its own rounding becomes 0. dtype: what the numbers
 * came in. *logs (may be NULL): sum of the logarithms of the deviations; *noise: what that rounding can amount to, a
 * bound of any singular value of it.
 */
bool measure_standardise(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                         enum invar_dtype dtype, double *logs, double *noise, struct invar_error *err);
/** What a reduction finds, waited for: its slot from measure_begin, its value by measure_end. */
double *measure_begin(struct invar_device *device, struct invar_scratch *scratch, struct invar_ledger *ledger,
                      struct invar_error *err);
double measure_end(struct invar_ledger *ledger);
/** Sum over all elements of a * b into *out. */
bool measure_dot(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *a,
                 const struct invar_matrix *b, double *out, struct invar_error *err);
/** RankMe of singular values. */
double measure_rank_of(const double *singular, int64_t count);
/** [NE1] of eigenvalues, [NE2] of squares of singular values, descending: their sum over the first; 0 where that is 0.
 */
double measure_sum_over_first(const double *values, int64_t count);
/** [AR1] of eigenvalues, descending. */
bool measure_power_law_of(const double *eigenvalues, int64_t count, const struct invar_power_law_options *options,
                          struct invar_power_law *out, struct invar_error *err);
/** The sentence about a float64 matrix that gave a number that is not finite. Always false. */
bool measure_refuse(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                    const struct invar_matrix *wide, struct invar_error *err);

#endif
