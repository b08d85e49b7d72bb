/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_MEASURE_H
#define INVAR_MEASURE_H

#include "invar/array.h"
#include "invar/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Numbers that explain embeddings and representations, beside the three of objective.h: information, geometry, classes
 * and the generalisation bound. All are computed in float64 whatever the type of what they measure. A row that holds
 * NaN or Inf is an error (INVAR_ERROR_NUMERIC) that names it; too few rows are INVAR_ERROR_DATA.
 */

/* ---- information, in nats: device matrices (N, d), work space from scratch ---- */

enum invar_entropy_estimator {
    INVAR_ENTROPY_GAUSSIAN,              /**< [I5] */
    INVAR_ENTROPY_LOGDET,                /**< [I3], not divided by d */
    INVAR_ENTROPY_PAIRDIST_KL,           /**< [I4], an upper bound of the mixture's entropy; with its constant */
    INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA /**< [I4], a lower bound; with its constant */
};
struct invar_entropy_options {
    enum invar_entropy_estimator estimator;
    double beta;  /**< of LOGDET, above 0 */
    double sigma; /**< of PAIRDIST_*: deviation of every Gaussian in units of z, above 0 */
};
/**
 * The entropy of z, N >= 2. gradient (may be NULL) receives its derivative by z: device, shape and type of z. GAUSSIAN
 * takes singular values of z, needs N > d, and refuses a covariance that is singular to rounding (INVAR_ERROR_NUMERIC),
 * whose entropy would be minus infinity. PAIRDIST_* takes N * N numbers of scratch.
 */
bool invar_measure_entropy(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                           const struct invar_entropy_options *options, const struct invar_matrix *gradient,
                           double *out, struct invar_error *err);
/** LOGDET of d columns on the scale of GAUSSIAN: [I3] + (d/2) log(2 pi e / beta), which no longer depends on beta where
 * beta C is large beside I. */
double invar_measure_logdet_in_nats(double entropy, int64_t d, double beta);

/** [I1]: bound = entropy + expected_log_q. */
struct invar_information {
    double entropy;        /**< H(Z) by the estimator */
    double expected_log_q; /**< E log N(z; z', I) = -(1/2) mean |z - z'|^2 - (d/2) log(2 pi) */
    double bound;          /**< of I(Z; X') from below, where the entropy is exact */
};
/** z and z_prime: two views of the same samples. gradient_z, gradient_z_prime: of the bound, as above, may be NULL. */
bool invar_measure_information(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               const struct invar_matrix *z_prime, const struct invar_entropy_options *options,
                               const struct invar_matrix *gradient_z, const struct invar_matrix *gradient_z_prime,
                               struct invar_information *out, struct invar_error *err);

/* ---- geometry of normalised rows (`ALIGN`) ---- */

/** (1/N) sum |norm(a_i) - norm(b_i)|^2, in 0 .. 4. gradient_a, gradient_b: as above, may be NULL. */
bool invar_measure_alignment(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *a,
                             const struct invar_matrix *b, const struct invar_matrix *gradient_a,
                             const struct invar_matrix *gradient_b, double *out, struct invar_error *err);
/** log of the mean over pairs i < j of exp(-t |norm(z_i) - norm(z_j)|^2): 0 for equal rows, more negative the more
 * evenly rows cover the sphere. N >= 2. gradient: as above, may be NULL. */
bool invar_measure_uniformity(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                              double t, const struct invar_matrix *gradient, double *out, struct invar_error *err);

/* ---- what two views share [A6] ---- */

struct invar_correlation {
    int64_t directions, directions_tilde; /**< of z and of z_tilde that count (below) */
    int64_t count;                        /**< of correlations: the smaller of the two; 0 where all rows coincide */
    double sum;                           /**< HGR: of the correlations */
    double chance; /**< about the largest correlation that unrelated Gaussians would show, from the number of directions
                      for a sample (Wachter 1980); near 1 the spectrum says nothing: give more samples */
};
/**
 * Canonical correlations of two views of N >= 2 samples: singular values of C(Z)^{-1/2} C(Z, Z~) C(Z~)^{-1/2} without
 * a ridge; correlations: host [min(N, d)] descending in 0 .. 1, zeros behind the first count. They do not depend on
 * scale, shift or order of the columns, nor on a rotation. Directions count that are more than rounding: with columns
 * of deviation 1, those of a deviation above 1e-5 (float32) or 1e-10 (float64) of the largest.
 */
bool invar_measure_correlation(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               const struct invar_matrix *z_tilde, double *correlations, struct invar_correlation *out,
                               struct invar_error *err);

/**
 * What a label can lose with directions of small correlation. y one-hot, phi_k the canonical variates of z: a
 * least-squares probe has the residual E|y - Ey|^2 - sum_k |E y phi_k|^2, and one that reads the other view through
 * what the two share E|y - Ey|^2 - sum_k rho_k^2 |E y phi_k|^2. A wrong largest output has a residual of 1/2 at least,
 * so that twice the latter bounds the error of such a probe; what chance gives to a direction is taken off.
 */
struct invar_probe_bound {
    double variance; /**< E|y - Ey|^2 */
    double held;     /**< of it by all directions of z, 0 .. variance */
    double shared;   /**< of it with every direction weighted by rho^2 */
    double error;    /**< 200 (variance - shared), percent, at most 100 */
};
/** labels: host [N], 0 .. classes - 1. Needs more samples than directions (INVAR_ERROR_DATA). */
bool invar_measure_probe_bound(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               const struct invar_matrix *z_tilde, const int64_t *labels, int classes,
                               struct invar_probe_bound *out, struct invar_error *err);

/* ---- classes [R5]: host matrices ---- */

struct invar_fisher {
    int classes;     /**< that have ratios */
    int64_t *ids;    /**< [classes] ascending */
    double *ratios;  /**< [classes][classes], row class in the denominator, diagonal 0 */
    int single;      /**< classes left out: one sample only */
    int collapsed;   /**< classes left out: all samples equal, so that the ratio would be infinite */
    int64_t skipped; /**< samples left out: label below 0, which means none */
    double min, quartile1, median, quartile3, max; /**< over ordered pairs of classes */
};
/** features (N, D), labels [N] any values. Fewer than two classes with ratios: INVAR_ERROR_DATA. */
bool invar_measure_fisher(const struct invar_matrix *features, const int64_t *labels, struct invar_fisher *out,
                          struct invar_error *err);
void invar_fisher_free(struct invar_fisher *fisher);

/* ---- normality of a sample (`K2`) ---- */

struct invar_normality {
    double skewness, kurtosis;     /**< biased; kurtosis of a normal is 3 */
    double z_skewness, z_kurtosis; /**< standard normal where the sample is */
    double k2;                     /**< D'Agostino-Pearson: sum of their squares */
    double p_value;                /**< exp(-k2 / 2) */
};
/** x: host [count], count >= 8, not all equal (INVAR_ERROR_NUMERIC). */
bool invar_measure_normality(const double *x, int64_t count, struct invar_normality *out, struct invar_error *err);

/* ---- generalisation bound of a linear head [I6]: host matrices ---- */

/** Features (samples, D) and labels 0 .. classes - 1, or, with classes 0, targets in their place, which the head then
 * predicts; it has no bias, so they are best centred. */
struct invar_generalisation_data {
    int classes;
    struct invar_matrix plus, plus_plus; /**< (m, D): two views of the unlabelled samples */
    const int64_t *y_unlabelled;         /**< [m] a diagnostic: the bound needs what such samples lack */
    struct invar_matrix labelled;        /**< (n, D) */
    const int64_t *y_labelled;
    struct invar_matrix test; /**< (tests, D) */
    const int64_t *y_test;
    const double *t_unlabelled, *t_labelled, *t_test; /**< as y_..., of classes 0 alone */
};
struct invar_generalisation {
    double invariance;                      /**< I = mean |f+ - f++|, scales with f */
    double invariance_scaled;               /**< I_w = mean |w (f+ - f++)|, does not */
    double unlabelled_norm, labelled_norm;  /**< |P_U Y_U|_F, |P_S Y_S|_F */
    double unlabelled_term;                 /**< (2 / sqrt m) unlabelled_norm */
    double labelled_term;                   /**< (1 / sqrt n) labelled_norm */
    double sum_without_q;                   /**< invariance + both terms; Q(m, n, delta) is left out */
    double sum_scaled_without_q;            /**< the same with invariance_scaled */
    double test_error;                      /**< mean |w f - y| of that head over the test samples */
    double test_accuracy;                   /**< percent, largest output of the head; NAN of targets */
    int64_t unlabelled_rank, labelled_rank; /**< of the features, to rounding */
    double *head;                           /**< [classes, or 1][D] minimum-norm least squares, no bias */
};
/** Economy singular value decompositions; takes about 2 m D numbers. */
bool invar_measure_generalisation(const struct invar_generalisation_data *data, struct invar_generalisation *out,
                                  struct invar_error *err);
void invar_generalisation_free(struct invar_generalisation *generalisation);

/* ---- spectra and neighbours of one matrix, and likeness of two (device matrices (N, d)) ---- */

/** LiDAR [LD1] of views views a sample, one after the other: z has samples * views rows, two of each at least. delta:
 * added to the diagonal of the scatter within samples; eps: to every share. eigenvalues (may be NULL): host [d],
 * descending. */
bool invar_measure_lidar(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                         int64_t views, double delta, double eps, double *eigenvalues, double *out,
                         struct invar_error *err);

/** alpha-ReQ [AR1]: which eigenvalues, from 1, the line goes through, and how. The authors' code: 4, 100, true. */
struct invar_power_law_options {
    int64_t first, last; /**< last 0: all */
    bool inverse_rank;   /**< weights 1 / rank */
    bool centre;         /**< eigenvalues of C(Z); false: of Z^T Z / N */
    double threshold;    /**< least share of the largest eigenvalue */
};
struct invar_power_law {
    double alpha, intercept; /**< log eigenvalue = intercept - alpha log rank */
    int64_t ranks;           /**< how many there are in the line */
};
bool invar_measure_power_law(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                             const struct invar_power_law_options *options, struct invar_power_law *out,
                             struct invar_error *err);

/** |Z|_F^2 / |Z|_2^2 [NE2], of Z less its column means on request, where it is NESum [NE1]; 0 of a Z that is 0. */
bool invar_measure_stable_rank(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               bool centre, double *out, struct invar_error *err);

/** Two nearest neighbours [TN1]: dimension by a line through the origin without the last `discard` of the points, or,
 * with discard below 0, by maximum likelihood. */
struct invar_two_nn {
    double dimension;
    int64_t used, left_out; /**< left out: points that have an equal one */
};
bool invar_measure_two_nn(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                          double discard, struct invar_two_nn *out, struct invar_error *err);

/** Linear CKA of two matrices of the same samples [CK1], unbiased [CK2] on request (N >= 4). */
struct invar_cka {
    double cka, hsic_xy, hsic_xx, hsic_yy;
};
bool invar_measure_cka(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                       const struct invar_matrix *y, bool unbiased, struct invar_cka *out, struct invar_error *err);

/* ---- tables of scores (host) ---- */

/** [HN1]: scores of games against a person and random play, in percent. */
struct invar_human_normalised {
    double capped_mean, mean, median;
    int64_t superhuman; /**< games above 100 */
};
/** normalised: host [games]; percentiles: host [count], of games below; cap in percent. */
bool invar_measure_human_normalised(const double *score, const double *human, const double *random, int64_t games,
                                    double cap, const double *below, int64_t count, double *percentiles,
                                    double *normalised, struct invar_human_normalised *out, struct invar_error *err);
/** [IQ1] of scores [runs][tasks]. */
struct invar_interquartile {
    double iqm, mean, median, optimality_gap;
};
bool invar_measure_interquartile(const double *scores, int64_t runs, int64_t tasks, double trim, double gamma,
                                 struct invar_interquartile *out, struct invar_error *err);

/** Scores of runs by task; tasks may have different numbers of runs, each at least one. */
struct invar_scores {
    int64_t tasks;
    const int64_t *runs;        /**< [tasks] */
    const double *const *score; /**< [tasks][runs of the task] */
};
/** A figure with the 95 % interval of the stratified bootstrap [SB1]: `resamples` times the runs of every task are
 * drawn anew with replacement, as told by seed. low and high are NAN where no task has two runs. */
struct invar_interval {
    double value, low, high;
};
/** The mean of the middle half of all scores. */
bool invar_measure_iqm(const struct invar_scores *scores, int64_t resamples, uint64_t seed, struct invar_interval *out,
                       struct invar_error *err);
/** Probability of improvement [PI1]: that a run of x is above one of y on the same task, on average over tasks; equal
 * ones count half. */
bool invar_measure_improvement(const struct invar_scores *x, const struct invar_scores *y, int64_t resamples,
                               uint64_t seed, struct invar_interval *out, struct invar_error *err);
/** Mean of x - y, run i of a task with run i of it (the same numbers of runs in both), which are drawn together. */
bool invar_measure_gain(const struct invar_scores *x, const struct invar_scores *y, int64_t resamples, uint64_t seed,
                        struct invar_interval *out, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
