/* SPDX-License-Identifier: Apache-2.0 */
/* The multiplier of ReLIC's constraint [R7], which the term keeps from step to step. It is a number of the device: the
 * step that reads it is enqueued before anybody knows it. */
#include "objective/relic.h"

bool relic_multiplier_take(const struct invar_term_call *call, double **multiplier, struct invar_error *err)
{
    const struct invar_relic_options *o = call->options;
    const struct invar_matrix kept = {INVAR_FLOAT32, 1, 1, call->state};
    struct invar_matrix now;

    *multiplier = NULL;
    if (o->rho == 0)
        return true;
    if (!term_matrix(call, 1, 1, &now, err))
        return false;
    invar_dense_copy(call->device, &kept, &now);
    *multiplier = now.data;
    return true;
}

/* x <- max(0, x), as (x + |x|) / 2 */
static void clamp(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *spare)
{
    invar_dense_copy(device, x, spare);
    invar_dense_multiply(device, x, spare);
    invar_dense_map(device, INVAR_MAP_SQRT, 1, 0, spare);
    invar_dense_add(device, 1, spare, x);
    invar_dense_scale(device, 0.5, x);
}

bool relic_multiplier_step(const struct invar_term_call *call, double *multiplier, double *invariance,
                           struct invar_error *err)
{
    const struct invar_relic_options *o = call->options;
    const struct invar_matrix now = term_row(multiplier, 1), found = term_row(invariance, 1);
    const struct invar_matrix kept = {INVAR_FLOAT32, 1, 1, call->state};
    struct invar_matrix excess, spare;

    if (!term_matrix(call, 1, 1, &excess, err) || !term_matrix(call, 1, 1, &spare, err))
        return false;
    invar_dense_copy(call->device, &found, &excess);
    invar_dense_affine(call->device, 1, -o->rho, &excess);
    invar_dense_dot(call->device, &now, &excess, 1, invar_term_part(call->sum, NULL, 1));
    invar_dense_sum(call->device, &now, 1, invar_term_part(call->sum, "multiplier", 0));
    invar_dense_scale(call->device, o->dual_rate, &excess);
    invar_dense_add(call->device, 1, &now, &excess);
    clamp(call->device, &excess, &spare);
    invar_dense_copy(call->device, &excess, &kept);
    return true;
}
