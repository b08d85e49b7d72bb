/* SPDX-License-Identifier: Apache-2.0 */
/* What a term finds on its way to its value. */
#include "golden_runner/golden.h"

#include <stdlib.h>
#include <string.h>

static void give_index(struct golden_case *c, const char *name, const struct invar_matrix *index)
{
    int64_t *whole = malloc(sizeof *whole * (size_t)index->rows);

    for (int64_t i = 0; whole && i < index->rows; i++)
        whole[i] = (int64_t)((const double *)index->data)[i];
    if (whole)
        golden_give_integers(c, name, whole, index->rows);
    free(whole);
}

static bool give_koleo(struct golden_case *c, const struct invar_embeddings *in, struct invar_scratch *scratch,
                       struct invar_error *err)
{
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][0];
    struct invar_matrix x, gram, index;
    double *row = invar_device_take(scratch, (size_t)z->rows, sizeof *row, err);

    if (!row || !invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->cols, &x, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->rows, &gram, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, z->rows, 1, &index, err))
        return false;
    invar_dense_copy(c->device, z, &x);
    if (golden_flag(c, "normalise"))
        invar_dense_normalise(c->device, &x, &x, row);
    invar_dense_gram(c->device, false, 1, &x, &gram);
    invar_dense_distances(c->device, &gram, row);
    invar_dense_nearest(c->device, &x, &gram, &index);
    give_index(c, "neighbours", &index);
    return true;
}

bool golden_give_beside(struct golden_case *c, const struct invar_term_spec *term, const void *options,
                        const struct invar_embeddings *in, const float *state, struct invar_scratch *scratch,
                        struct invar_error *err)
{
    (void)options;
    (void)state;
    return strcmp(term->name, "koleo") != 0 || give_koleo(c, in, scratch, err);
}
