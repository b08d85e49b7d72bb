/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_ADVERSARY_H
#define INVAR_TRAIN_ADVERSARY_H

#include "invar/expert/perturbation.h"
#include "train/chain.h"

/** Who perturbs views; all NULL where the recipe has none. */
struct invar_adversary {
    const struct invar_given *given;
    struct invar_chain_net net; /* the generator; net NULL for noise */
    struct invar_perturbation *perturbation;
    bool *ascended;        /* [terms] where the generator ascends some alone, else NULL */
    const double *found;   /* slot: whether the perturbation is finite */
    const double *squares; /* slot of the gradients' */
    double gradient_norm;  /* of the last step */
};

/** Generator and perturbation. After the encoder. */
bool adversary_create(struct invar_adversary *adversary, const struct invar_chain *chain,
                      const struct invar_batch *batch, struct invar_error *err);
void adversary_free(struct invar_adversary *adversary);
/** Perturbs the views of batch->input that the recipe names; batch->host_views keeps the clean ones. */
bool adversary_perturb(struct invar_adversary *adversary, const struct invar_batch *batch,
                       const struct invar_clock *clock, struct invar_ledger *ledger, struct invar_error *err);
/** The views of batch->input that it perturbed are clean again. */
void adversary_restore(const struct invar_adversary *adversary, const struct invar_batch *batch);
/** The generator's gradient, from that of the encoder's input. After chain_backward. */
bool adversary_backward(const struct invar_adversary *adversary, const struct invar_chain *chain,
                        const struct invar_batch *batch, struct invar_error *err);
/** Root mean square of the perturbations of the last step, over all ranks. */
bool adversary_rms(const struct invar_adversary *adversary, double *rms, struct invar_error *err);
/** Gradient norm and one step. */
void adversary_update(struct invar_adversary *adversary, const struct invar_clock *clock, struct invar_ledger *ledger);

#endif
