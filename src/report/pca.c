/* SPDX-License-Identifier: Apache-2.0 */
/* Principal components by the singular values of the centred points. */
#include "report/pca.h"

#include "invar/expert/dense.h"

#include <math.h>
#include <string.h>

/* Column k of u [rows][cols], scaled by its singular value and turned round where its largest entry is negative. */
static void put_component(const double *u, int64_t rows, int64_t cols, int64_t k, double value, int64_t components,
                          float *out)
{
    double largest = 0;

    for (int64_t i = 0; i < rows; i++)
        if (fabs(u[i * cols + k]) > fabs(largest))
            largest = u[i * cols + k];
    const double scale = largest < 0 ? -value : value;
    for (int64_t i = 0; i < rows; i++)
        out[i * components + k] = (float)(scale * u[i * cols + k]);
}

bool pca_map(struct invar_device *device, const float *points, int64_t rows, int64_t cols, int64_t components,
             float *out, double *share, struct invar_error *err)
{
    const int64_t rank = rows < cols ? rows : cols;
    struct invar_scratch *scratch = invar_device_scratch_create(device, err);
    struct invar_matrix from, x, u;
    double *values = scratch ? invar_alloc((size_t)rank + 1, sizeof *values, err) : NULL;
    double *vectors = values ? invar_alloc((size_t)rows + 1, ((size_t)rank + 1) * sizeof *vectors, err) : NULL;
    double total = 0;
    bool ok = false;

    memset(out, 0, (size_t)(rows * components) * sizeof *out);
    if (!vectors || !invar_dense_take(scratch, INVAR_FLOAT32, rows, cols, &from, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, rows, cols, &x, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, rows, rank, &u, err))
        goto done;
    invar_device_upload(device, from.data, points, (size_t)(rows * cols) * sizeof *points);
    invar_dense_copy(device, &from, &x);
    invar_dense_centre(device, &x, &x);
    if (!invar_dense_left_vectors(device, scratch, &x, values, &u, err))
        goto done;
    invar_device_download(device, vectors, u.data, (size_t)(rows * rank) * sizeof *vectors);
    for (int64_t k = 0; k < rank; k++)
        total += values[k] * values[k];
    for (int64_t k = 0; k < components; k++) {
        if (share)
            share[k] = k < rank && total > 0 ? values[k] * values[k] / total : 0;
        if (k < rank)
            put_component(vectors, rows, rank, k, values[k], components, out);
    }
    ok = true;
done:
    invar_free(vectors);
    invar_free(values);
    invar_scratch_free(scratch);
    return ok;
}
