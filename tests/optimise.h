/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TESTS_OPTIMISE_H
#define INVAR_TESTS_OPTIMISE_H

#include "invar/train.h"

/** One update of a net by itself, as a step of training makes it. */
static inline bool optimise_once(const struct invar_optimiser_spec *spec, const void *options,
                                 const struct invar_weights *weights, float *const *buffers, double rate, int64_t step,
                                 struct invar_error *err)
{
    struct invar_optimiser *optimiser = invar_optimiser_create(spec, options, weights, buffers, err);
    double host[INVAR_SCALAR_COUNT],
        *scalars = optimiser ? invar_device_alloc(weights->device, INVAR_SCALAR_COUNT, sizeof *scalars, err) : NULL;

    if (scalars) {
        invar_optimiser_scalars(optimiser, rate, step, host);
        invar_device_upload(weights->device, scalars, host, sizeof host);
        invar_optimiser_update(optimiser, scalars);
    }
    invar_device_free(weights->device, scalars);
    invar_optimiser_free(optimiser);
    return scalars != NULL;
}

#endif
