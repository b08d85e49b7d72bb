/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_H
#define INVAR_EVAL_H

#include "invar/classification.h"
#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"
#include "invar/watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Measurements of frozen representations: docs/evaluation.md has the protocol and its constants. */

/** The samples of one split that could be read, in the order of the split. */
struct invar_embedded {
    struct invar_array features; /**< float32 [rows][D] */
    struct invar_array labels;   /**< int64 [rows]; -1 where there is none */
    struct invar_array index;    /**< int64 [rows]: number of the sample within its split */
    int64_t pooled;              /**< rows that are means over windows */
};
void invar_embedded_free(struct invar_embedded *embedded);
/** Keeps the rows that have a label, in their order, and returns how many had none. Whatever needs labels calls it. */
int64_t invar_embedded_keep_labelled(struct invar_embedded *embedded);

/** Whether data of a kind mean to the encoder what it was trained on; an encoder that says nothing of it takes all.
 * source is what the message calls the data. */
bool invar_embed_accepts(const struct invar_encoder *encoder, enum invar_data_kind kind, const char *source,
                         struct invar_error *err);
struct invar_embed_options {
    enum invar_precision precision;
    /** Of a clip longer than what the encoder sees, and of an image at least as large in both sides, the mean over
     * windows of that size, half a window apart, the last flush with the end. Else the plain view alone: the beginning
     * of a clip, an image resized. */
    bool windows;
    struct invar_share share;        /**< of the samples of the split; may be none of them */
    const char *what;                /**< what watch calls it; NULL: "embedding train" or "embedding test" */
    const struct invar_watch *watch; /**< may be NULL */
};
/** Samples of clips and of images that a window of an encoder spans, and how far windows are apart: along the clip, or
 * along the width. False for tables. */
bool invar_embed_window(const struct invar_dataset_info *info, const struct invar_encoder *encoder, int64_t *window,
                        int64_t *hop);
/**
 * Representations h of one split under the plain view, standardised as the encoder was trained (its own mean and
 * deviation, its own input size). The same bits whatever the number of threads that make the views. Refused: data of
 * another kind or whose channels are not those of the encoder, a split without samples, weights or representations that
 * are not finite (the array or the sample is named).
 */
bool invar_embed(struct invar_device *device, const struct invar_encoder *encoder, struct invar_dataset *dataset,
                 enum invar_split split, const struct invar_embed_options *options, struct invar_embedded *out,
                 struct invar_error *err);
/** The plain views themselves, flattened to [C*H*W]: the `input` baseline. */
bool invar_embed_input(struct invar_dataset *dataset, enum invar_split split, struct invar_embedded *out,
                       struct invar_error *err);

/** Embeddings z of some samples of a split: invar_embed with a head behind the encoder, whose output is the features;
 * of representations h where head is NULL. order: [count] numbers of samples in the split; NULL: all of it. */
bool invar_embed_head(struct invar_device *device, const struct invar_encoder *encoder, const struct invar_head *head,
                      struct invar_dataset *dataset, enum invar_split split, const int64_t *order, int64_t count,
                      struct invar_embedded *out, struct invar_error *err);

/* ---- some of the labels ---- */

struct invar_label_draw {
    int64_t per_class; /**< so many samples of every class, all of one that has fewer; 0: a fraction */
    double fraction; /**< of the samples of every class, rounded, one at least; below 1 it leaves one, of two or more */
    bool hold_out; /**< the fraction is held out: never all of a class, and nothing of one whose part is less than half
                      a sample, unless that is so of all classes, when it is one sample of each that has two */
    int64_t seed, draw;
};
/** Draws samples by class. index [count]: the drawn ones, then the others, then those without a label (-1), all
 * ascending; *drawn the number of the first. Refused: a class without samples, per_class above the largest class. */
bool invar_draw_labelled(const int64_t *labels, int64_t count, int classes, const struct invar_label_draw *how,
                         int64_t *index, int64_t *drawn, struct invar_error *err);

/* ---- multinomial logistic regression (`PROBE`) ---- */

struct invar_logreg_options {
    double l2;          /**< (l2/2) ||W||_F^2, bias free; >= 0 */
    int64_t iterations; /**< limit */
    double tolerance;   /**< converged when ||gradient||_inf falls to it */
};
struct invar_logreg_result {
    double objective, cross_entropy;
    double gradient_norm; /**< ||gradient||_inf over weight and bias, at the solution that is returned */
    int64_t iterations;
    bool converged; /**< gradient_norm <= tolerance */
};
/**
 * Minimises (1/N) sum -log softmax(W x + b)_y + (l2/2)||W||^2 by L-BFGS (`PROBE`). features: float32 or float64
 * [N][D]; float32 products, summed in double, as far as their rounding lets L-BFGS descend, then float64; labels
 * 0..classes-1; weight [classes][D] and bias [classes] hold the start and receive the solution (bias sums to 0). Not
 * converging within the limit is no error: the result says so. Refused: fewer than 2 classes, a label out of range, a
 * class without samples, a feature that is not finite (its row is named).
 */
bool invar_logreg_fit(const struct invar_matrix *features, const int64_t *labels, int classes,
                      const struct invar_logreg_options *options, double *weight, double *bias,
                      struct invar_logreg_result *result, struct invar_error *err);
/** out[N][classes] = W x + b. */
bool invar_logreg_scores(const struct invar_matrix *features, const double *weight, const double *bias, int classes,
                         float *out, struct invar_error *err);

/* ---- accuracy ---- */

struct invar_accuracy {
    int classes;
    int64_t count;
    double top1, top5;  /**< percent; top5 of fewer than 5 classes is 100 */
    double low, high;   /**< 95 % interval of top1 (Wilson), percent */
    double *per_class;  /**< [classes] percent; 0 for a class without samples (its row of confusion is 0) */
    int64_t *confusion; /**< [classes][classes], rows true, columns predicted */
    double balanced_accuracy, macro_f1; /**< 0..1 [PM3] */
    double auroc, ece;                  /**< 0..1 [PM2], [PM4]; NAN until invar_accuracy_add_probabilities */
    int64_t *predictions, *labels;      /**< [count] */
    int64_t *index; /**< [count] numbers of the samples within their split, where it is known; else NULL */
};
/** From scores [samples][classes], labels 0..classes-1; equal scores go to the smaller class. Scores that are not
 * finite are refused. */
bool invar_accuracy_measure(const struct invar_matrix *scores, const int64_t *labels, struct invar_accuracy *out,
                            struct invar_error *err);
/** Sets auroc and ece from the same scores as probabilities; auroc stays NAN where all samples are of one class. */
bool invar_accuracy_add_probabilities(struct invar_accuracy *accuracy, const struct invar_matrix *scores,
                                      enum invar_score_kind kind, const int64_t *labels, struct invar_error *err);
/** Copies index [count] of what was measured. */
bool invar_accuracy_add_index(struct invar_accuracy *accuracy, const int64_t *index, struct invar_error *err);
void invar_accuracy_free(struct invar_accuracy *accuracy);
/** Wilson score interval of hits out of count at 95 %, as fractions; count >= 1. */
void invar_wilson_interval(int64_t hits, int64_t count, double *low, double *high);
/** 97.5 % point of Student's t: a 95 % interval of a mean is mean +- this * deviation / sqrt(n), degrees = n - 1. NAN
 * for degrees < 1. */
double invar_student_95(int64_t degrees);

/* ---- linear probe ---- */

struct invar_probe_options {
    struct invar_real_list
        l2;             /**< strengths tried on the held-out part; they apply to features scaled to unit mean
                           square: all features by one factor, so that the mean of x^2 over rows and columns is 1 */
    double held_out;    /**< fraction of the training set */
    int64_t iterations; /**< limit of every fit */
    double tolerance;   /**< of the final fit, on the scaled features */
    int64_t seed;       /**< of the held-out split */
};
extern const struct invar_option invar_probe_option_table[];

struct invar_probe_result {
    int64_t train_count, test_count, dimensions;
    struct invar_accuracy test;
    double l2;                      /**< chosen */
    int64_t held_out_count;         /**< 0 when only one strength was given: nothing to choose */
    double held_out_top1;           /**< percent, at the chosen strength */
    struct invar_logreg_result fit; /**< the final one, on all training samples and on scaled features */
    double *weight, *bias;          /**< the classifier, [classes][dimensions] and [classes], of features as they are */
    double seconds;
};
/**
 * Chooses the strength of the penalty on a stratified held-out part of the training samples, fits all of them at that
 * strength and measures on the test samples; test NULL: nothing is measured. Labels as in invar_logreg_fit.
 */
bool invar_probe_fit(const struct invar_matrix *train, const int64_t *train_labels, const struct invar_matrix *test,
                     const int64_t *test_labels, int classes, const struct invar_probe_options *options,
                     struct invar_probe_result *out, struct invar_error *err);
void invar_probe_result_free(struct invar_probe_result *result);

/* ---- nearest neighbours (`KNN`) ---- */

struct invar_neighbours_options {
    struct invar_int_list k; /**< numbers of neighbours */
    double temperature;
};
extern const struct invar_option invar_neighbours_option_table[];

/** The min(k, N) training rows of largest cosine similarity, nearest first (equal ones: smaller index first):
 * index[test rows][k], similarity[test rows][k], where k is already <= the training rows. */
bool invar_neighbours_find(const struct invar_matrix *train, const struct invar_matrix *test, int64_t k, int64_t *index,
                           double *similarity, struct invar_error *err);
/** scores[classes] of one test row from its first k neighbours: sum of exp(similarity / temperature) by class. */
void invar_neighbours_vote(const int64_t *index, const double *similarity, int64_t k, const int64_t *train_labels,
                           int classes, double temperature, double *scores);
/** Both for all test rows. predictions[test rows]: the largest score, the smaller class if equal. scores[test][classes]
 * may be NULL. */
bool invar_neighbours(const struct invar_matrix *train, const int64_t *train_labels, const struct invar_matrix *test,
                      int classes, int64_t k, double temperature, int64_t *predictions, double *scores,
                      struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
