/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TESTS_MATRIX_H
#define INVAR_TESTS_MATRIX_H

#include "device.h"

/** Number i of a matrix of either type, in rows one after the other. */
static inline double matrix_get(const struct invar_matrix *x, int64_t i)
{
    float narrow;
    double wide;

    if (x->dtype == INVAR_FLOAT64) {
        invar_device_download(device, &wide, (const double *)x->data + i, sizeof wide);
        return wide;
    }
    invar_device_download(device, &narrow, (const float *)x->data + i, sizeof narrow);
    return (double)narrow;
}

static inline void matrix_put(const struct invar_matrix *x, int64_t i, double value)
{
    const float narrow = (float)value;

    if (x->dtype == INVAR_FLOAT64)
        invar_device_upload(device, (double *)x->data + i, &value, sizeof value);
    else
        invar_device_upload(device, (float *)x->data + i, &narrow, sizeof narrow);
}

/** A zeroed matrix of the device; its data is given back with invar_device_free. */
static inline struct invar_matrix matrix_make(enum invar_dtype dtype, int64_t rows, int64_t cols)
{
    return (struct invar_matrix){.dtype = dtype,
                                 .rows = rows,
                                 .cols = cols,
                                 .data =
                                     invar_device_alloc(device, (size_t)(rows * cols), invar_dtype_size(dtype), NULL)};
}

/** What the reference of a term makes of inputs of the device, which it reads on the host. */
static inline bool matrix_reference(const struct invar_term_spec *term, const void *options,
                                    const struct invar_embeddings *in, struct invar_term_value *value)
{
    struct invar_embeddings host = *in;

    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < INVAR_MAX_VIEWS; view++) {
            struct invar_matrix *x = &host.by[role][view];
            const size_t bytes = (size_t)(x->rows * x->cols) * invar_dtype_size(x->dtype);
            if (!x->data)
                continue;
            x->data = malloc(bytes);
            invar_device_download(device, x->data, in->by[role][view].data, bytes);
        }
    const bool ok = term->reference(options, &host, value);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < INVAR_MAX_VIEWS; view++)
            free(host.by[role][view].data);
    return ok;
}

#endif
