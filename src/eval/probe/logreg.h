/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_LOGREG_H
#define INVAR_EVAL_LOGREG_H

#include "eval/probe/preconditioner.h"
#include "eval/probe/softmax.h"
#include "invar/eval.h"

/**
 * invar_logreg_fit on some rows (already checked) with a preconditioner that may serve several fits. weight [classes][D
 * + 1], the bias last. The penalty, the tolerance and the reported gradient refer to features multiplied by `scale`.
 */
bool logreg_minimise(const struct labelled_rows *rows, int classes, struct preconditioner *preconditioner, double scale,
                     const struct invar_logreg_options *options, double *weight, struct invar_logreg_result *result,
                     struct invar_error *err);

#endif
