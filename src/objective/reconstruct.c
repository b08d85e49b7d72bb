/* SPDX-License-Identifier: Apache-2.0 */
/* What terms share that reconstruct the input. */
#include "objective/reconstruct.h"

bool reconstruct_reads(const void *options, enum invar_role role, int view)
{
    (void)options;
    return role != INVAR_ROLE_X || view == 0;
}

bool reconstruct_check(const struct invar_term_spec *term, const void *options, const struct invar_embeddings *in,
                       struct invar_error *err)
{
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][0], *x = &in->by[INVAR_ROLE_X][0],
                              *m = &in->by[INVAR_ROLE_M][0];
    const unsigned roles = term->roles(options);

    if (!term_check_views(term, in, roles & ~INVAR_ROLE_BIT(INVAR_ROLE_X), err) ||
        !term_check_input(term, in, INVAR_ROLE_X, 0, x, z, err))
        return false;
    if (z->cols != term->width(options, x->cols))
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s: z has %lld columns where x, the plain input, has %lld, so that %lld are needed: set "
            "projector.output=-1",
            term->name, (long long)z->cols, (long long)x->cols, (long long)term->width(options, x->cols));
    if ((roles & INVAR_ROLE_BIT(INVAR_ROLE_M)) && m->cols != x->cols)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: the mask m1 has %lld columns where x has %lld", term->name,
                               (long long)m->cols, (long long)x->cols);
    return true;
}
