/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_SOFTMAX_H
#define INVAR_EVAL_SOFTMAX_H

#include "invar/array.h"

/** Some rows of a labelled matrix, borrowed. */
struct labelled_rows {
    const struct invar_matrix *features; /* [N][D] */
    const int64_t *labels;               /* [N], 0 .. classes-1 */
    const int64_t *index;                /* [count] rows in use; NULL: the first count rows */
    int64_t count;
};

/** The mean cross entropy of a linear softmax classifier over rows and its gradient, with all work space. */
struct softmax_loss;
struct softmax_loss *softmax_loss_create(const struct labelled_rows *rows, int classes, struct invar_error *err);
void softmax_loss_free(struct softmax_loss *loss);
/** weight and gradient: [classes][D + 1], the last column is the bias. The bits do not depend on the number of
 * threads. */
double softmax_loss_evaluate(struct softmax_loss *loss, const double *weight, double *gradient);

/** Refuses a value that is not finite and names its row; what: "training features". */
bool matrix_check_finite(const struct invar_matrix *matrix, const char *what, struct invar_error *err);
/** Refuses labels outside 0..classes-1 (and names the row), and, when every_class, a class without samples. */
bool labels_check(const int64_t *labels, int64_t count, int classes, const char *what, bool every_class,
                  struct invar_error *err);
/** Refuses another dtype than float32 and float64, and an empty matrix. */
bool matrix_check(const struct invar_matrix *matrix, const char *what, struct invar_error *err);

#endif
