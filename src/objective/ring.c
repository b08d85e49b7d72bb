/* SPDX-License-Identifier: Apache-2.0 */
#include "objective/ring.h"

int64_t ring_size(int queues, int64_t room, int64_t d)
{
    return queues * room * d + 2;
}

struct invar_matrix ring_queue(const struct invar_term_call *call, int queue, int64_t room, int64_t d)
{
    return (struct invar_matrix){INVAR_FLOAT32, room, d, call->state + queue * room * d};
}

float *ring_place(const struct invar_term_call *call, int queues, int64_t room, int64_t d)
{
    return call->state + queues * room * d;
}

bool ring_read(const struct invar_term_call *call, const struct invar_matrix *queue, enum invar_dtype dtype,
               struct invar_matrix *out, struct invar_error *err)
{
    *out = *queue;
    if (dtype == INVAR_FLOAT32)
        return true;
    if (!invar_dense_take(call->scratch, dtype, queue->rows, queue->cols, out, err))
        return false;
    invar_dense_copy(call->device, queue, out);
    return true;
}
