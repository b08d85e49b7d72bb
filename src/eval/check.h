/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_CHECK_H
#define INVAR_EVAL_CHECK_H

#include "invar/array.h"

/** Refuses another dtype than float32 and float64, and an empty matrix; what: "training features". */
bool matrix_check(const struct invar_matrix *matrix, const char *what, struct invar_error *err);
/** Refuses a value that is not finite (or beyond 1e100) and names its row. */
bool matrix_check_finite(const struct invar_matrix *matrix, const char *what, struct invar_error *err);
/** Refuses labels outside 0..classes-1 (and names the row), and, when every_class, a class without samples. */
bool labels_check(const int64_t *labels, int64_t count, int classes, const char *what, bool every_class,
                  struct invar_error *err);
/** The same where rows may lack a label (-1) and every class must have one. */
bool labels_check_some(const int64_t *labels, int64_t count, int classes, const char *what, struct invar_error *err);

double matrix_value(const struct invar_matrix *matrix, int64_t row, int64_t column);
/** The factor that gives the matrix unit mean square over all entries; 1 for zeros. The same bits whatever the number
 * of threads. */
double matrix_scale(const struct invar_matrix *matrix);

#endif
