/* SPDX-License-Identifier: Apache-2.0 */
/* What terms share that reconstruct the input: one plain input for all views, and widths that follow from it. */
#ifndef INVAR_OBJECTIVE_RECONSTRUCT_H
#define INVAR_OBJECTIVE_RECONSTRUCT_H

#include "objective/term.h"

/** Of role X the first view alone: what all views were made of. */
bool reconstruct_reads(const void *options, enum invar_role role, int view);
/** Roles as the term names them, z as wide as its width() of x says, m as wide as x; two samples or more. */
bool reconstruct_check(const struct invar_term_spec *term, const void *options, const struct invar_embeddings *in,
                       struct invar_error *err);

#endif
