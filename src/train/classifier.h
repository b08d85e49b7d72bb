/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_CLASSIFIER_H
#define INVAR_TRAIN_CLASSIFIER_H

#include "train/chain.h"

/** The online classifier; all NULL where the recipe has none. */
struct invar_online_classifier {
    const struct invar_given *given;
    struct invar_chain_net net;
    struct invar_objective *objective;
    struct invar_evaluator *evaluator;
    struct invar_sgd_options sgd;
    float *logits; /* host [V * all][classes], global views */
    double loss;   /* of the last step */
};

/** Net, optimiser state and objective. Refuses data without labels. After the encoder. */
bool classifier_create(struct invar_online_classifier *classifier, const struct invar_chain *chain,
                       const struct invar_batch *batch, struct invar_error *err);
void classifier_free(struct invar_online_classifier *classifier);
/** One update on the encoder's output of the step. */
bool classifier_step(struct invar_online_classifier *classifier, const struct invar_chain *chain,
                     const struct invar_batch *batch, const struct invar_clock *clock, struct invar_ledger *ledger,
                     struct invar_error *err);
/** Its loss, once the ledger has been read. */
bool classifier_settle(struct invar_online_classifier *classifier, struct invar_error *err);
/** Percent of the batch's global views that it put into their class, before the update; of those with a label, NAN
 * where none has one. */
double classifier_top1(const struct invar_online_classifier *classifier, const struct invar_batch *batch);

#endif
