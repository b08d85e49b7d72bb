/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_MATRIX_H
#define INVAR_BASE_MATRIX_H

#include "invar/array.h"

/** A matrix over memory of somebody else that is only read: the one place where const goes, as matrices carry none.
 * Hand it on as `const struct invar_matrix *` alone. */
static inline struct invar_matrix matrix_over(enum invar_dtype dtype, int64_t rows, int64_t cols, const void *data)
{
    return (struct invar_matrix){.dtype = dtype, .rows = rows, .cols = cols, .data = (void *)(uintptr_t)data};
}

#endif
