/* SPDX-License-Identifier: Apache-2.0 */
/* What the entropy terms share: one view at a time in float64, normalised on request and centred. */
#ifndef INVAR_OBJECTIVE_ENTROPY_H
#define INVAR_OBJECTIVE_ENTROPY_H

#include "objective/term.h"

/** Room for one view; the next one uses it again. */
struct invar_entropy_room {
    bool normalise;
    struct invar_matrix centred; /* (N, d) float64 */
    /* with normalise alone */
    struct invar_matrix unit;  /* (N, d) float64: norm(z) */
    struct invar_matrix spare; /* (N, d) float64, where a gradient is wanted */
    double *lengths;
};
/** Takes the room for matrices like x, with that of a gradient on request. */
bool entropy_take(struct invar_scratch *scratch, const struct invar_matrix *x, bool normalise, bool gradient,
                  struct invar_entropy_room *room, struct invar_error *err);
/** Fills room->centred from x. */
void entropy_load(struct invar_device *device, const struct invar_entropy_room *room, const struct invar_matrix *x);
/** dx += weight * the gradient that by_centred, (N, d) with columns of mean 0, amounts to: float64, room->centred
 * perhaps, or in the type of dx. Overwrites the room. */
void entropy_store(struct invar_device *device, const struct invar_entropy_room *room, double weight,
                   const struct invar_matrix *by_centred, const struct invar_matrix *dx);

#endif
