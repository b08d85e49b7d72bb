/* SPDX-License-Identifier: Apache-2.0 */
/* Options of terms that presets (vicreg, entropy_invariance) are sums of. The fields are explained in the terms'
 * tables.
 */
#ifndef INVAR_OBJECTIVE_SUMS_H
#define INVAR_OBJECTIVE_SUMS_H

#include "objective/term.h"

#define INVAR_OVER_VIEWS(CHOICE) CHOICE(INVAR_OVER_VIEWS_SUM, "sum") CHOICE(INVAR_OVER_VIEWS_MEAN, "mean")
enum invar_over_views { INVAR_OVER_VIEWS(INVAR_CHOICE_CONSTANT) };

#define INVAR_INVARIANCE_DIVIDE(CHOICE) CHOICE(INVAR_INVARIANCE_DIVIDE_ND, "nd") CHOICE(INVAR_INVARIANCE_DIVIDE_N, "n")
enum invar_invariance_divide { INVAR_INVARIANCE_DIVIDE(INVAR_CHOICE_CONSTANT) };

struct invar_invariance_options {
    enum invar_invariance_divide divide_by;
    bool normalise, normalise_pairs;
};

struct invar_variance_options {
    double gamma, eps;
    enum invar_over_views over_views;
};

struct invar_covariance_options {
    enum invar_over_views over_views;
};

#define INVAR_ENTROPY_DIVIDE(CHOICE) CHOICE(INVAR_ENTROPY_DIVIDE_NONE, "none") CHOICE(INVAR_ENTROPY_DIVIDE_D, "d")
enum invar_entropy_divide { INVAR_ENTROPY_DIVIDE(INVAR_CHOICE_CONSTANT) };

/** Between two Gaussians. */
#define INVAR_ENTROPY_DISTANCES(CHOICE)                                                                                \
    CHOICE(INVAR_ENTROPY_KL, "kl")                                                                                     \
    CHOICE(INVAR_ENTROPY_BHATTACHARYYA, "bhattacharyya") CHOICE(INVAR_ENTROPY_CHERNOFF, "chernoff")
enum invar_entropy_distance { INVAR_ENTROPY_DISTANCES(INVAR_CHOICE_CONSTANT) };

#define INVAR_LOGDET_CONVENTIONS(CHOICE) CHOICE(INVAR_LOGDET_BETA, "beta") CHOICE(INVAR_LOGDET_RIDGE, "ridge")
enum invar_logdet_convention { INVAR_LOGDET_CONVENTIONS(INVAR_CHOICE_CONSTANT) };

struct invar_logdet_options {
    enum invar_logdet_convention convention;
    double beta, ridge;
    enum invar_entropy_divide divide_by;
    bool normalise;
    enum invar_over_views over_views;
};

struct invar_pairdist_options {
    enum invar_entropy_distance distance;
    double sigma, chernoff_alpha;
    enum invar_entropy_divide divide_by;
    bool normalise;
    enum invar_over_views over_views;
};

/** What the clean side of a reconstruction is. */
#define INVAR_RECONSTRUCTION_TARGETS(CHOICE)                                                                           \
    CHOICE(INVAR_TARGET_SAME, "same")                                                                                  \
    CHOICE(INVAR_TARGET_STOP_GRADIENT, "stop_gradient") CHOICE(INVAR_TARGET_EMA, "ema")
enum invar_reconstruction_target { INVAR_RECONSTRUCTION_TARGETS(INVAR_CHOICE_CONSTANT) };

struct invar_reconstruction_options {
    enum invar_reconstruction_target target;
    bool whiten;
    double ridge;
};

struct invar_orthonormality_options {
    bool both;
};

/** The factor of one view in a sum over `views` of them, or in their mean. */
double term_over_views(enum invar_over_views over_views, int views);

/**
 * Adds factor * (value and gradient) of `term` with these options to the call's sum, as its part `name`; inputs and
 * gradients are those of the call. With a factor of 0 the value alone is made.
 */
bool sum_add(const struct invar_term_spec *term, const struct invar_term_call *call, const void *options,
             const char *name, double factor, struct invar_error *err);
/** The same of the reference. */
bool sum_add_reference(const struct invar_term_spec *term, const void *options, const struct invar_embeddings *in,
                       const char *name, double factor, struct invar_term_value *out);

#endif
