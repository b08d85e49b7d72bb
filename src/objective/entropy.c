/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of embeddings into an entropy term and of its gradient back. Both in float64: a determinant multiplies d
 * eigenvalues that may span many orders, and distances between near neighbours are differences of large products.
 */
#include "objective/entropy.h"

bool entropy_take(struct invar_scratch *scratch, const struct invar_matrix *x, bool normalise, bool gradient,
                  struct invar_entropy_room *room, struct invar_error *err)
{
    *room = (struct invar_entropy_room){.normalise = normalise};
    if (!invar_dense_take(scratch, INVAR_FLOAT64, x->rows, x->cols, &room->centred, err))
        return false;
    if (!normalise)
        return true;
    room->lengths = invar_device_take(scratch, (size_t)x->rows, sizeof *room->lengths, err);
    return room->lengths && invar_dense_take(scratch, INVAR_FLOAT64, x->rows, x->cols, &room->unit, err) &&
           (!gradient || invar_dense_take(scratch, INVAR_FLOAT64, x->rows, x->cols, &room->spare, err));
}

void entropy_load(struct invar_device *device, const struct invar_entropy_room *room, const struct invar_matrix *x)
{
    const struct invar_matrix *wide = room->normalise ? &room->unit : &room->centred;

    invar_dense_copy(device, x, wide);
    if (room->normalise)
        invar_dense_normalise(device, wide, wide, room->lengths);
    invar_dense_centre(device, wide, &room->centred);
}

void entropy_store(struct invar_device *device, const struct invar_entropy_room *room, double weight,
                   const struct invar_matrix *by_centred, const struct invar_matrix *dx)
{
    if (!room->normalise) {
        invar_dense_add(device, weight, by_centred, dx);
        return;
    }
    const struct invar_matrix *wide = by_centred;
    if (by_centred->dtype != INVAR_FLOAT64) {
        invar_dense_copy(device, by_centred, &room->centred);
        wide = &room->centred;
    }
    invar_dense_zero(device, &room->spare);
    invar_dense_normalise_backward(device, &room->unit, room->lengths, wide, weight, &room->spare);
    invar_dense_add(device, 1, &room->spare, dx);
}
