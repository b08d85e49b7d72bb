/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of a term's state: rings of rows one after the other, then the place that they have in common. */
#ifndef INVAR_OBJECTIVE_RING_H
#define INVAR_OBJECTIVE_RING_H

#include "objective/term.h"

/** Numbers of `queues` rings of (room, d) and their place. */
int64_t ring_size(int queues, int64_t room, int64_t d);
/** Ring number `queue` of the call's state. */
struct invar_matrix ring_queue(const struct invar_term_call *call, int queue, int64_t room, int64_t d);
/** {next row, rows that hold something} behind the rings. */
float *ring_place(const struct invar_term_call *call, int queues, int64_t room, int64_t d);
/** The queue in the type of the embeddings: the state itself, or a copy. */
bool ring_read(const struct invar_term_call *call, const struct invar_matrix *queue, enum invar_dtype dtype,
               struct invar_matrix *out, struct invar_error *err);

#endif
