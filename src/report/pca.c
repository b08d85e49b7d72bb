/* SPDX-License-Identifier: Apache-2.0 */
/* Principal components by the singular values of the centred points. */
#include "report/pca.h"

#include "invar/dense.h"

#include <math.h>
#include <string.h>

/* Column k of u, scaled by its singular value and turned round where its largest entry is negative. */
static void put_component(const struct invar_matrix *u, int64_t k, double value, int64_t components, float *out)
{
    const double *data = u->data;
    double largest = 0;

    for (int64_t i = 0; i < u->rows; i++)
        if (fabs(data[i * u->cols + k]) > fabs(largest))
            largest = data[i * u->cols + k];
    const double scale = largest < 0 ? -value : value;
    for (int64_t i = 0; i < u->rows; i++)
        out[i * components + k] = (float)(scale * data[i * u->cols + k]);
}

bool pca_map(struct invar_device *device, const float *points, int64_t rows, int64_t cols, int64_t components,
             float *out, double *share, struct invar_error *err)
{
    const struct invar_matrix from = {INVAR_FLOAT32, rows, cols, (void *)(uintptr_t)points};
    const int64_t rank = rows < cols ? rows : cols;
    struct invar_scratch *scratch = invar_scratch_create(err);
    struct invar_matrix x, u;
    double *values = scratch ? invar_alloc((size_t)rank + 1, sizeof *values, err) : NULL;
    double total = 0;
    bool ok = false;

    memset(out, 0, (size_t)(rows * components) * sizeof *out);
    if (!values || !invar_dense_take(scratch, INVAR_FLOAT64, rows, cols, &x, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, rows, rank, &u, err))
        goto done;
    invar_dense_copy(device, &from, &x);
    invar_dense_centre(device, &x, &x);
    if (!invar_dense_left_vectors(device, scratch, &x, values, &u, err))
        goto done;
    for (int64_t k = 0; k < rank; k++)
        total += values[k] * values[k];
    for (int64_t k = 0; k < components; k++) {
        if (share)
            share[k] = k < rank && total > 0 ? values[k] * values[k] / total : 0;
        if (k < rank)
            put_component(&u, k, values[k], components, out);
    }
    ok = true;
done:
    invar_free(values);
    invar_scratch_free(scratch);
    return ok;
}
