/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_OBJECTIVE_MEASURE_H
#define INVAR_OBJECTIVE_MEASURE_H

#include "invar/dense.h"
#include "invar/measure.h"

/** A float64 copy of z in scratch; at least `least` rows and a column, and every value finite, or a sentence that says
 * which is not. what: "the entropy". */
bool measure_take(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                  const struct invar_matrix *z, int64_t least, struct invar_matrix *out, struct invar_error *err);
/** The same of two views, whose shapes must agree. */
bool measure_take_pair(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                       const struct invar_matrix *a, const struct invar_matrix *b, int64_t least,
                       struct invar_matrix *out_a, struct invar_matrix *out_b, struct invar_error *err);
/** The sentence about a float64 matrix that gave a number that is not finite. Always false. */
bool measure_refuse(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                    const struct invar_matrix *wide, struct invar_error *err);

#endif
