/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SGD_PROBE_H
#define INVAR_SGD_PROBE_H

#include "invar/eval.h"
#include "invar/view.h"
#include "invar/watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The linear probe as papers and other code train it: stochastic gradient descent with momentum on views of the
 * training samples that are drawn anew in every epoch, the encoder frozen. docs/evaluation.md has the protocol.
 */

/** Of the rate: down to 0 at the end, or times gamma at every milestone. */
#define INVAR_PROBE_SCHEDULES(CHOICE)                                                                                  \
    CHOICE(INVAR_PROBE_COSINE, "cosine") CHOICE(INVAR_PROBE_STEP, "step") CHOICE(INVAR_PROBE_CONSTANT, "constant")
enum invar_probe_schedule { INVAR_PROBE_SCHEDULES(INVAR_CHOICE_CONSTANT) };
/** Auto: crop and flip of images, nothing of all else; run: the views of the run. */
#define INVAR_PROBE_AUGMENTS(CHOICE)                                                                                   \
    CHOICE(INVAR_PROBE_AUTO, "auto")                                                                                   \
    CHOICE(INVAR_PROBE_CROP_FLIP, "crop_flip") CHOICE(INVAR_PROBE_RUN, "run") CHOICE(INVAR_PROBE_NONE, "none")
enum invar_probe_augment { INVAR_PROBE_AUGMENTS(INVAR_CHOICE_CONSTANT) };
/** What rate, strength and best epoch are chosen on. */
#define INVAR_PROBE_CHOOSES(CHOICE) CHOICE(INVAR_PROBE_HELD_OUT, "held_out") CHOICE(INVAR_PROBE_TEST, "test")
enum invar_probe_choose { INVAR_PROBE_CHOOSES(INVAR_CHOICE_CONSTANT) };
/** Which state is the result. */
#define INVAR_PROBE_REPORTS(CHOICE) CHOICE(INVAR_PROBE_LAST, "last") CHOICE(INVAR_PROBE_BEST, "best")
enum invar_probe_report { INVAR_PROBE_REPORTS(INVAR_CHOICE_CONSTANT) };

/** What the classifier sees of training samples. */
struct invar_probe_views {
    enum invar_probe_augment augment;
    struct invar_real_list crop; /**< [low, high] area fraction */
    double flip;                 /**< probability */
};
/** Sets *drawn to one view a sample; run: views of the run, NULL where they are not known. *plain: nothing is drawn.
 * Refused: `run` without the run's views; options that do not fit the data. */
bool invar_probe_views_resolve(const struct invar_probe_views *views, const struct invar_dataset_info *info,
                               const struct invar_view_options *run, struct invar_view_options *drawn, bool *plain,
                               struct invar_error *err);

struct invar_sgd_probe_options {
    int64_t epochs, batch;
    struct invar_real_list lr; /**< peak rates to choose from, before scaling */
    enum invar_rate_scaling lr_scaling;
    struct invar_real_list l2; /**< strengths to choose from, (l2/2) ||W||_F^2, bias free */
    double momentum;
    bool nesterov;
    enum invar_probe_schedule schedule;
    struct invar_int_list milestones;
    double gamma;   /**< of schedule step: the rate is multiplied by it at every milestone */
    int64_t warmup; /**< epochs */
    struct invar_probe_views views;
    double held_out; /**< fraction of every class of the training samples */
    enum invar_probe_choose choose;
    enum invar_probe_report report;
    int64_t seed; /**< of the held-out part, initial weights, order and views */
};
extern const struct invar_option invar_sgd_probe_option_table[];

struct invar_sgd_probe_work {
    struct invar_device *device;
    const struct invar_encoder *encoder;
    struct invar_dataset *dataset;
    const struct invar_view_options *run; /**< views of the run; NULL: not known */
    const struct invar_watch *watch;      /**< told after every batch, with the best accuracy so far; may be NULL */
};

/** The classifier after one of the epochs. */
struct invar_sgd_probe_state {
    int64_t epoch;        /**< from 1 */
    double lr, l2;        /**< chosen, lr before scaling */
    double held_out_top1; /**< percent, of the classifier that did not see the held-out part; -1 without one */
    struct invar_accuracy test;
};
struct invar_sgd_probe_result {
    int64_t train_count, test_count, dimensions, held_out_count, batch, steps;
    int64_t candidates; /**< rates times strengths */
    bool plain;         /**< training samples were seen plainly */
    struct invar_sgd_probe_state last, best;
    double seconds;
};
/**
 * Every candidate (rate and strength) is trained twice on the same batches, at once: on all training samples, and
 * without those of the held-out part, where it is measured after every epoch. `last` is the one of all samples whose
 * twin was best after the last epoch; `best` that of the best epoch of any; of equals the earlier epoch and the earlier
 * candidate. With choose test the test samples take the place of the held-out ones. A last batch that is not full is
 * left out; a batch above the number of training samples becomes it.
 */
bool invar_sgd_probe(const struct invar_sgd_probe_work *work, const struct invar_sgd_probe_options *options,
                     struct invar_sgd_probe_result *out, struct invar_error *err);
void invar_sgd_probe_result_free(struct invar_sgd_probe_result *result);

#ifdef __cplusplus
}
#endif

#endif
