/* SPDX-License-Identifier: Apache-2.0 */
/* Sinkhorn-Knopp [SW1] on logarithms, which any scores keep finite. */
#ifndef INVAR_OBJECTIVE_SINKHORN_H
#define INVAR_OBJECTIVE_SINKHORN_H

#include "objective/term.h"

/** Rows of a queue among the samples: those from `batch` on, which count where it is full; place NULL: none. */
struct invar_sinkhorn_queue {
    int64_t batch, room;
    const float *place;
};
/** p = assignments of scores x [B][K], both float64, rows that sum to 1; x is destroyed. Scratch: 2 B K numbers. */
bool invar_sinkhorn(struct invar_device *device, struct invar_scratch *scratch, double epsilon, int64_t iterations,
                    const struct invar_sinkhorn_queue *queue, const struct invar_matrix *x,
                    const struct invar_matrix *p, struct invar_error *err);

#endif
