/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_H
#define INVAR_EVAL_H

#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"

/** Representations h of one split under the plain view: out is a new float32 array [count][D]. Progress: called now and
 * then, may be NULL. */
bool invar_embed(struct invar_device *device, const struct invar_encoder *encoder, struct invar_dataset *dataset,
                 enum invar_split split, enum invar_precision precision,
                 void (*progress)(void *user, int64_t done, int64_t total), void *user, struct invar_array *out,
                 struct invar_error *err);
/** The plain views themselves, flattened: the `input` baseline. */
bool invar_embed_input(struct invar_dataset *dataset, enum invar_split split, struct invar_array *out,
                       struct invar_error *err);

/* ---- multinomial logistic regression (`PROBE`) ---- */

struct invar_logreg_options {
    double l2;          /**< (l2/2) ||W||_F^2, bias free */
    int64_t iterations; /**< limit */
    double tolerance;   /**< stop when ||gradient||_inf falls below */
};
struct invar_logreg_result {
    double objective, cross_entropy, gradient_norm;
    int64_t iterations;
    bool converged;
};
/**
 * Minimises (1/N) sum -log softmax(W x + b)_y + (l2/2)||W||^2 by L-BFGS. features: float32 or float64 [N][D]; labels
 * 0..classes-1; weight [classes][D] and bias [classes] hold the start and receive the solution (bias sums to 0).
 */
bool invar_logreg_fit(const struct invar_matrix *features, const int64_t *labels, int classes,
                      const struct invar_logreg_options *options, double *weight, double *bias,
                      struct invar_logreg_result *result, struct invar_error *err);
/** out[N][classes] = W x + b. */
bool invar_logreg_scores(const struct invar_matrix *features, const double *weight, const double *bias, int classes,
                         float *out, struct invar_error *err);

/* ---- linear probe ---- */

struct invar_probe_options {
    struct invar_real_list l2; /**< strengths tried on the held-out part, on features scaled to unit mean square */
    double held_out;           /**< fraction of the training set, 0.1 */
    int64_t iterations;
    double tolerance;
    int64_t seed;
};
extern const struct invar_option invar_probe_option_table[];

struct invar_probe_result {
    int classes;
    int64_t train_count, test_count;
    double top1, top5;  /**< percent of the test split */
    double low, high;   /**< 95 % interval of top1 (Wilson), percent */
    double *per_class;  /**< [classes] percent; NaN never: a class without test samples is reported as 0 with count 0 */
    int64_t *confusion; /**< [classes][classes], rows true, columns predicted */
    double l2;          /**< chosen */
    double held_out_top1; /**< at the chosen strength */
    struct invar_logreg_result fit;
    double seconds;
};
bool invar_probe_fit(const struct invar_matrix *train, const int64_t *train_labels, const struct invar_matrix *test,
                     const int64_t *test_labels, int classes, const struct invar_probe_options *options,
                     struct invar_probe_result *out, struct invar_error *err);
void invar_probe_result_free(struct invar_probe_result *result);

/* ---- nearest neighbours (`KNN`) ---- */

/** Cosine similarity, min(k, N) neighbours, weights exp(sim / temperature). scores[test][classes] may be NULL. */
bool invar_neighbours(const struct invar_matrix *train, const int64_t *train_labels, const struct invar_matrix *test,
                      int classes, int64_t k, double temperature, int64_t *predictions, double *scores,
                      struct invar_error *err);

#endif
