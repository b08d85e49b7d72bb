/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of ReLIC share: options, what a row of logits is told apart from, the Euclidean forms, and the
 * multiplier that is learned. */
#ifndef INVAR_OBJECTIVE_RELIC_H
#define INVAR_OBJECTIVE_RELIC_H

#include "objective/wide.h"

#define INVAR_RELIC_PAIRS(CHOICE) CHOICE(INVAR_PAIRS_ALL, "all") CHOICE(INVAR_PAIRS_ADJACENT, "adjacent")
enum invar_relic_pairs { INVAR_RELIC_PAIRS(INVAR_CHOICE_CONSTANT) };
#define INVAR_RELIC_INVARIANCES(CHOICE)                                                                                \
    CHOICE(INVAR_INVARIANCE_KL, "kl")                                                                                  \
    CHOICE(INVAR_INVARIANCE_EUCLIDEAN, "euclidean") CHOICE(INVAR_INVARIANCE_APPENDIX_B, "appendix_b")
enum invar_relic_invariance { INVAR_RELIC_INVARIANCES(INVAR_CHOICE_CONSTANT) };
#define INVAR_EUCLIDEAN_PAIRS(CHOICE) CHOICE(INVAR_EUCLIDEAN_UNORDERED, "unordered")
enum invar_relic_euclidean_pairs { INVAR_EUCLIDEAN_PAIRS(INVAR_CHOICE_CONSTANT) };
#define INVAR_RELIC_STOPS(CHOICE) CHOICE(INVAR_STOP_NONE, "none") CHOICE(INVAR_STOP_FIRST, "first")
enum invar_relic_stop { INVAR_RELIC_STOPS(INVAR_CHOICE_CONSTANT) };

struct invar_relic_options {
    int64_t views;
    bool target, normalise;
    double tau, alpha, rho, dual_rate;
    enum invar_relic_pairs pairs;
    bool normalise_pairs;
    enum invar_relic_invariance invariance;
    enum invar_relic_euclidean_pairs euclidean_pairs;
    double bound;
    enum invar_relic_stop kl_stop_gradient;
    int64_t contrast_set;
    bool groups;
};

/* ---- what a row is told apart from (relic_contrast.c) ---- */

/** [R2] and [R3] of logits, which become their gradient: over the batch, over groups, or over a drawn contrast set. */
bool relic_contrast(const struct invar_term_call *call, struct invar_dense_contrast *how, struct invar_matrix *logits,
                    struct invar_error *err);
/**
 * [R6]: set[n][m], the contrast set of each of n samples: itself in column i modulo m, and m - 1 of the others, drawn
 * without repetition by the key. rest: [n - 1] of work space.
 */
void relic_draw(struct invar_term_key key, int64_t n, int64_t m, int64_t *rest, int64_t *set);

/* ---- Euclidean forms (relic_euclidean.c) ---- */

/** One view as the contrast sees it: norm(x), x itself, or x of length at most `bound` [R8]. */
struct invar_relic_side {
    struct invar_unit unit;
    /* bounded: float64 */
    struct invar_wide wide;
    struct invar_matrix shortened, spare;
    double *lengths;
};
bool relic_side_take(const struct invar_term_call *call, enum invar_role role, int view, bool normalise,
                     struct invar_relic_side *side, struct invar_error *err);
/** The call's gradient += the one that unit.dy amounts to; once. */
void relic_side_backward(const struct invar_term_call *call, enum invar_role role, int view,
                         const struct invar_relic_side *side);
/**
 * *slot += factor times the sum over samples and pairs of views of squared distances of h: simplified, unordered pairs
 * of norm(h); of appendix B, view 1 with each other one, bounded. scale: of it in the gradient, times *multiplier
 * (device; NULL: 1).
 */
bool relic_euclidean(const struct invar_term_call *call, double scale, const double *multiplier, double factor,
                     double *slot, struct invar_error *err);
/** How many pairs of so many views that is. */
double relic_euclidean_pairs(const struct invar_relic_options *options, int views);

/* ---- the multiplier of invariance <= rho (relic_multiplier.c) ---- */

/** The multiplier as it is before the step, device; NULL where alpha is fixed. */
bool relic_multiplier_take(const struct invar_term_call *call, double **multiplier, struct invar_error *err);
/** [R7]: multiplier (invariance - rho) into the loss, and the multiplier of the next step; invariance: the slot. */
bool relic_multiplier_step(const struct invar_term_call *call, double *multiplier, double *invariance,
                           struct invar_error *err);

#endif
