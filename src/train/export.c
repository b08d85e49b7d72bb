/* SPDX-License-Identifier: Apache-2.0 */
/* The present weights of a run on the host, for whoever looks at them, or changes them, before it has ended. */
#include "train/trainer.h"

/* As it was built: its width may have been left to the terms. Whole, or NULL. A net of its own: the trainer's has its
 * weights on the device, and this one is for whoever computes elsewhere. */
static struct invar_head *create_head(const struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_chain_net *n = &t->chain.nets[INVAR_NET_PROJECTOR];
    struct invar_head *head = invar_alloc(1, sizeof *head, err);

    if (!head)
        return NULL;
    head->options = n->head;
    snprintf(head->recipe, sizeof head->recipe, "%.127s", t->given.recipe->name);
    head->net = invar_head_build(&head->options, t->chain.nets[INVAR_NET_ENCODER].width, err);
    head->parameters = head->net ? invar_alloc((size_t)n->net->trained_count, sizeof(float), err) : NULL;
    head->statistics = head->parameters ? invar_alloc((size_t)n->net->statistic_count + 1, sizeof(float), err) : NULL;
    if (head->statistics)
        return head;
    invar_head_free(head);
    return NULL;
}

/* Both copies are kept up to date whoever asks for which: invar_trainer_replace uploads both. */
bool invar_trainer_present(struct invar_trainer *t, struct invar_encoder **encoder, struct invar_head **projector,
                           struct invar_error *err)
{
    const bool has_head = t->chain.nets[INVAR_NET_PROJECTOR].net != NULL;

    if (!nonfinite_check_weights(t, err))
        return false;
    if (projector && has_head && !t->head && !(t->head = create_head(t, err)))
        return false;
    weights_download(trainer_kept(t, INVAR_NET_ENCODER), t->chain.encoder->parameters, t->chain.encoder->statistics);
    if (t->head)
        weights_download(trainer_kept(t, INVAR_NET_PROJECTOR), t->head->parameters, t->head->statistics);
    if (encoder)
        *encoder = t->chain.encoder;
    if (projector)
        *projector = t->head;
    return true;
}

/* Buffers of the optimiser stay: they belong to the path that training took, which a caller who changes weights goes
 * on along. */
void invar_trainer_replace(struct invar_trainer *t)
{
    const struct invar_chain_net *nets = t->chain.nets;

    weights_upload(nets[INVAR_NET_ENCODER].weights, t->chain.encoder->parameters, t->chain.encoder->statistics);
    if (t->head)
        weights_upload(nets[INVAR_NET_PROJECTOR].weights, t->head->parameters, t->head->statistics);
}
