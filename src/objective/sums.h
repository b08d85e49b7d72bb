/* SPDX-License-Identifier: Apache-2.0 */
/* Options of terms that presets (vicreg, entropy_invariance) are sums of. The fields are explained in the terms'
 * tables.
 */
#ifndef INVAR_OBJECTIVE_SUMS_H
#define INVAR_OBJECTIVE_SUMS_H

#include "objective/term.h"

enum { INVAR_OVER_VIEWS_SUM, INVAR_OVER_VIEWS_MEAN };

struct invar_invariance_options {
    int divide_by;
    bool normalise, normalise_pairs;
};

struct invar_variance_options {
    double gamma, eps;
    int over_views;
};

struct invar_covariance_options {
    int over_views;
};

enum { INVAR_ENTROPY_DIVIDE_NONE, INVAR_ENTROPY_DIVIDE_D };

struct invar_logdet_options {
    double beta;
    int divide_by;
    bool normalise;
    int over_views;
};

struct invar_pairdist_options {
    int distance;
    double sigma, chernoff_alpha;
    int divide_by;
    bool normalise;
    int over_views;
};

enum { INVAR_TARGET_SAME, INVAR_TARGET_STOP_GRADIENT, INVAR_TARGET_EMA };

struct invar_reconstruction_options {
    int target;
    bool whiten;
    double ridge;
};

struct invar_orthonormality_options {
    bool both;
};

/** The factor of one view in a sum over `views` of them, or in their mean. */
double invar_over_views(int over_views, int views);

/**
 * Adds factor * (value and gradient) of `term` with these options to the call's sum, as its part `name`; inputs and
 * gradients are those of the call. With a factor of 0 the value alone is made.
 */
bool invar_sum_add(const struct invar_term_spec *term, const struct invar_term_call *call, const void *options,
                   const char *name, double factor, struct invar_error *err);
/** The same of the reference. */
bool invar_sum_add_reference(const struct invar_term_spec *term, const void *options, const struct invar_embeddings *in,
                             const char *name, double factor, struct invar_term_value *out);

#endif
