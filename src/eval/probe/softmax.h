/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_SOFTMAX_H
#define INVAR_EVAL_SOFTMAX_H

#include "eval/check.h"

/** Some rows of a labelled matrix, borrowed. */
struct labelled_rows {
    const struct invar_matrix *features; /* [N][D] */
    const int64_t *labels;               /* [N], 0 .. classes-1 */
    const int64_t *index;                /* [count] rows in use; NULL: the first count rows */
    int64_t count;
};

/** The mean cross entropy of a linear softmax classifier over rows and its gradient, with all work space. */
struct softmax_loss;
/** precision: that of the products; FLOAT64 for float32 features converts them block by block. */
struct softmax_loss *softmax_loss_create(const struct labelled_rows *rows, int classes, enum invar_dtype precision,
                                         struct invar_error *err);
void softmax_loss_free(struct softmax_loss *loss);
/** weight and gradient: [classes][D + 1], the last column is the bias. The bits do not depend on the number of
 * threads. */
double softmax_loss_evaluate(struct softmax_loss *loss, const double *weight, double *gradient);

#endif
