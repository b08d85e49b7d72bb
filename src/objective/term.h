/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of terms share: the table's entries, the check of shapes, and norm() with its gradient. */
#ifndef INVAR_OBJECTIVE_TERM_H
#define INVAR_OBJECTIVE_TERM_H

#include "invar/expert/dense.h"
#include "invar/expert/objective.h"

/** Terms: one file each, and one line each here, in the order in which they are listed. */
#define INVAR_TERMS(ONE)                                                                                               \
    ONE(relic)                                                                                                         \
    ONE(ntxent)                                                                                                        \
    ONE(byol)                                                                                                          \
    ONE(barlow)                                                                                                        \
    ONE(vicreg)                                                                                                        \
    ONE(invariance)                                                                                                    \
    ONE(variance)                                                                                                      \
    ONE(covariance)                                                                                                    \
    ONE(entropy_invariance)                                                                                            \
    ONE(logdet)                                                                                                        \
    ONE(pairdist)                                                                                                      \
    ONE(imix)                                                                                                          \
    ONE(cross_entropy)                                                                                                 \
    ONE(reconstruction)                                                                                                \
    ONE(orthonormality)                                                                                                \
    ONE(aplr)                                                                                                          \
    ONE(denoising)                                                                                                     \
    ONE(vime)                                                                                                          \
    ONE(uniformity)                                                                                                    \
    ONE(koleo)                                                                                                         \
    ONE(sigreg)                                                                                                        \
    ONE(visreg)                                                                                                        \
    ONE(tcr)                                                                                                           \
    ONE(vne)                                                                                                           \
    ONE(frossl)                                                                                                        \
    ONE(mmcr)                                                                                                          \
    ONE(spectral_contrastive)                                                                                          \
    ONE(supcon)                                                                                                        \
    ONE(soft_hgr)                                                                                                      \
    ONE(mec)                                                                                                           \
    ONE(wmse)                                                                                                          \
    ONE(ssl_hsic)                                                                                                      \
    ONE(mmd)                                                                                                           \
    ONE(moco)                                                                                                          \
    ONE(nnclr)                                                                                                         \
    ONE(corinfomax)                                                                                                    \
    ONE(tico)                                                                                                          \
    ONE(dino)                                                                                                          \
    ONE(swav)
#define INVAR_TERM_DECLARED(name) extern const struct invar_term_spec invar_term_##name;
INVAR_TERMS(INVAR_TERM_DECLARED)

/**
 * Every role of the mask is there in every view (role T: in every view that has a target), rows agree everywhere,
 * columns agree among the views of a role (and between q and t), one type throughout, and at least `least` rows.
 */
bool term_check_shapes(const struct invar_term_spec *term, const struct invar_embeddings *in, unsigned roles,
                       int64_t least, struct invar_error *err);
/** One input is there, as wide as `like`, with as many rows and of the type of `first`. */
bool term_check_input(const struct invar_term_spec *term, const struct invar_embeddings *in, enum invar_role role,
                      int view, const struct invar_matrix *like, const struct invar_matrix *first,
                      struct invar_error *err);
/** How many of the views, from the first, have a target. */
int term_targets(const struct invar_embeddings *in);
/** Roles of the mask as above, for a term of single views: one view or more, two samples or more. */
bool term_check_views(const struct invar_term_spec *term, const struct invar_embeddings *in, unsigned mask,
                      struct invar_error *err);
/** "q2": what messages call an input; name[8]. */
void term_input_name(const struct invar_term_spec *term, enum invar_role role, int view, char *name, size_t size);

/** A part of a value that a reference made. */
void reference_part(struct invar_term_value *value, const char *name, double part);

/** Initial state of a term from scratch, into call->state; nothing for a term without. */
bool term_state_take(const struct invar_term_spec *term, struct invar_scratch *scratch, struct invar_term_call *call,
                     struct invar_error *err);

/** norm(x), or x itself where normalise is false, and room for the gradient by it. */
struct invar_unit {
    struct invar_matrix y, dy; /* dy.data NULL where no gradient is wanted */
    double *lengths;           /* NULL where y is x */
};
/**
 * Fills unit from x. dx: where the gradient by x belongs, NULL where none is wanted; dy is zeroed memory of scratch, or
 * dx itself where y is x: whoever fills dy adds to it.
 */
bool unit_take(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x, bool normalise,
               const struct invar_matrix *dx, struct invar_unit *unit, struct invar_error *err);
/** dx, the same as above, += the gradient by x that dy amounts to. */
void unit_backward(struct invar_device *device, const struct invar_unit *unit, const struct invar_matrix *dx);

/**
 * For the sum of squares off the diagonal of a d x d matrix C = A^T B with A and B n x d: whether it is had from two
 * n x n matrices, |C|^2 = <A A^T, B B^T>, less the squares of the diagonal. |C|^2 is no less than (trace C)^2 / n:
 * where columns are alike and d is 4/3 of n or more, a quarter of it is off the diagonal, and no digits are lost.
 */
bool term_rows_suffice(int64_t n, int64_t d);
/** A float64 matrix of one row over a vector of the device. */
struct invar_matrix term_row(double *vector, int64_t count);

/** The gradient wanted of a role and view, or NULL. */
const struct invar_matrix *term_wanted(const struct invar_embeddings *gradient, enum invar_role role, int view);

/* ---- for references: float64 on the host, slow and obvious ---- */

/** Element (i, j) of a float64 matrix. */
double reference_at(const struct invar_matrix *x, int64_t i, int64_t j);
/** max(|row i|, 1e-12). */
double reference_length(const struct invar_matrix *x, int64_t i);
/** <row i of a, row j of b>, of normalised rows on request. */
double reference_dot(const struct invar_matrix *a, int64_t i, const struct invar_matrix *b, int64_t j, bool normalise);
/** Element (j, k) of the unbiased covariance of the columns. */
double reference_covariance(const struct invar_matrix *z, int64_t j, int64_t k);

#endif
