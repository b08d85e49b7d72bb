/* SPDX-License-Identifier: Apache-2.0 */
/* What the sketched terms share: random directions, and the distance of views from the centre of some of them [SR2]. */
#ifndef INVAR_OBJECTIVE_SLICES_H
#define INVAR_OBJECTIVE_SLICES_H

#include "objective/wide.h"

/** Unit directions as rows (count, d): those of input W (d, count) where a file brings it, drawn from the call's key
 * otherwise. */
bool slices_take(const struct invar_term_call *call, int64_t count, struct invar_matrix *out, struct invar_error *err);
/** How many there are: as W says, or `count`. */
int64_t slices_count(const struct invar_embeddings *in, int64_t count);
/** W, where it is there, has as many rows as z has columns. */
bool slices_check(const struct invar_term_spec *term, const struct invar_embeddings *in, struct invar_error *err);
/** *slot += factor * [SR2] of the views, dx += scale * its gradient; global_views 0: all. */
bool spread_add(const struct invar_term_call *call, const struct invar_wide *z, int64_t global_views, double scale,
                double factor, double *slot, struct invar_error *err);
/** For references: the same directions for the key 0, [count][d], and the same distance. */
double *reference_slices(const struct invar_embeddings *in, int64_t count);
double reference_spread_of_views(const struct invar_embeddings *in, int64_t global_views);

#endif
