/* SPDX-License-Identifier: Apache-2.0 */
#include "objective/sinkhorn.h"

#define NOTHING (-1e30) /* logarithm of the part of a sample that does not count */

/* A division by a sum is a log softmax; common factors of all numbers cancel in the next one. */
bool invar_sinkhorn(struct invar_device *device, struct invar_scratch *scratch, double epsilon, int64_t iterations,
                    const struct invar_sinkhorn_queue *queue, const struct invar_matrix *x,
                    const struct invar_matrix *p, struct invar_error *err)
{
    struct invar_matrix turned, spare;

    if (!invar_dense_take(scratch, INVAR_FLOAT64, x->cols, x->rows, &turned, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, x->cols, x->rows, &spare, err))
        return false;
    invar_dense_scale(device, 1 / epsilon, x);
    for (int64_t k = 0; k < iterations; k++) {
        if (queue->place)
            invar_dense_ring_mask(device, queue->batch, queue->room, queue->place, NOTHING, x);
        invar_dense_transpose(device, x, &turned, false);
        invar_dense_log_softmax(device, &turned, &spare);
        invar_dense_transpose(device, &turned, x, false);
        invar_dense_log_softmax(device, x, p);
    }
    return true;
}
