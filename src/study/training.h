/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_TRAINING_H
#define INVAR_STUDY_TRAINING_H

#include "invar/run.h"

/** How an encoder is trained on labels: what the supervised baseline and fine-tuning share. */
struct study_training_plan {
    const char *what;       /**< for messages: "supervised baseline" */
    const int64_t *samples; /**< [count] training samples whose labels may be used; NULL: all */
    int64_t count;
    double held_out;    /**< fraction of every class of those that is not trained on */
    bool on_test;       /**< nothing is held out: the best state is chosen on the test split */
    int64_t seed;       /**< of the held-out part */
    int64_t looks;      /**< how often the state is measured, the last time at the end */
    int64_t patience;   /**< looks in a row without a better one after which training stops; 0: never */
    double layer_decay; /**< as in invar_trainer_options */
    bool probe_head;    /**< the head starts as the linear probe of the encoder before training, not fresh */
};

/** The state after a step. */
struct study_training_state {
    int64_t step;
    double held_out_top1;       /**< percent, of the head; on the test split with on_test */
    struct invar_accuracy test; /**< of the head */
};

/** An encoder with a linear head that was trained on labels. */
struct study_training {
    struct study_training_plan plan;
    struct invar_recipe *recipe;
    struct invar_trainer *trainer;
    const struct invar_encoder *encoder; /**< the trainer's, in the best state */
    int64_t *index;                      /**< held-out training samples, then those that are trained on */
    int64_t held_out, trained_on;
    struct study_training_state best, last;
    double seconds;
};

/** The run's recipe with the labels in the place of its objective: one linear layer a class behind the encoder, whose
 * weights are fresh; nothing in the views that would make labels wrong. */
struct invar_recipe *study_training_recipe(const struct invar_run *run, const char *const *overrides, int count,
                                           struct invar_error *err);
/** Trains for the steps of the recipe, which it takes. NULL with err (INVAR_ERROR_INTERRUPTED where the watch of the
 * run ends it). */
struct study_training *study_training_run(struct invar_run *run, struct invar_recipe *recipe,
                                          const struct study_training_plan *plan, struct invar_error *err);
void study_training_free(struct study_training *training);

#endif
