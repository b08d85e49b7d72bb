/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TESTS_MATRIX_H
#define INVAR_TESTS_MATRIX_H

#include "invar/invar.h"

/** Number i of a matrix of either type, in rows one after the other. */
static inline double get(const struct invar_matrix *x, int64_t i)
{
    return x->dtype == INVAR_FLOAT32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
}

static inline void put(const struct invar_matrix *x, int64_t i, double value)
{
    if (x->dtype == INVAR_FLOAT32)
        ((float *)x->data)[i] = (float)value;
    else
        ((double *)x->data)[i] = value;
}

#endif
