/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of embeddings into an entropy term and of its gradient back. Both in float64: a determinant multiplies d
 * eigenvalues that may span many orders, and distances between near neighbours are differences of large products.
 */
#include "objective/entropy.h"

bool invar_entropy_take(struct invar_scratch *scratch, const struct invar_matrix *x, bool normalize, bool gradient,
                        struct invar_entropy_room *room, struct invar_error *err)
{
    *room = (struct invar_entropy_room){.normalize = normalize};
    room->lengths = invar_scratch_take(scratch, (size_t)x->rows, sizeof *room->lengths, err);
    return room->lengths && invar_dense_take(scratch, INVAR_FLOAT64, x->rows, x->cols, &room->z, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, x->rows, x->cols, &room->centred, err) &&
           (!gradient || (invar_dense_take(scratch, INVAR_FLOAT64, x->rows, x->cols, &room->by_z, err) &&
                          invar_dense_take(scratch, x->dtype, x->rows, x->cols, &room->narrow, err)));
}

void invar_entropy_load(struct invar_device *device, const struct invar_entropy_room *room,
                        const struct invar_matrix *x)
{
    invar_dense_copy(device, x, &room->z);
    if (room->normalize)
        invar_dense_normalise(device, &room->z, &room->z, room->lengths);
    invar_dense_centre(device, &room->z, &room->centred);
}

void invar_entropy_store(struct invar_device *device, const struct invar_entropy_room *room, double weight,
                         const struct invar_matrix *dx)
{
    const struct invar_matrix *by_x = &room->by_z;

    if (room->normalize) {
        by_x = &room->centred;
        invar_dense_zero(device, by_x);
        invar_dense_normalise_backward(device, &room->z, room->lengths, &room->by_z, 1, by_x);
    }
    invar_dense_copy(device, by_x, &room->narrow);
    invar_dense_add(device, weight, &room->narrow, dx);
}
