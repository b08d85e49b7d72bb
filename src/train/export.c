/* SPDX-License-Identifier: Apache-2.0 */
/* The present weights of a run on the host, for whoever looks at them, or changes them, before it has ended. */
#include "train/trainer.h"

/* As it was built: its width may have been left to the terms. Whole, or NULL. */
static struct invar_head *create_head(const struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_chain_net *n = &t->nets[INVAR_NET_PROJECTOR];
    struct invar_head *head = invar_alloc(1, sizeof *head, err);

    if (!head)
        return NULL;
    head->options = n->head;
    snprintf(head->recipe, sizeof head->recipe, "%.127s", t->recipe->name);
    head->net = invar_head_build(&head->options, t->nets[INVAR_NET_ENCODER].width, err);
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
    const bool has_head = t->nets[INVAR_NET_PROJECTOR].net != NULL;

    if (!invar_nonfinite_check_weights(t, err))
        return false;
    if (projector && has_head && !t->head && !(t->head = create_head(t, err)))
        return false;
    invar_chain_download(t, INVAR_NET_ENCODER, t->encoder->parameters, t->encoder->statistics);
    if (t->head)
        invar_chain_download(t, INVAR_NET_PROJECTOR, t->head->parameters, t->head->statistics);
    if (encoder)
        *encoder = t->encoder;
    if (projector)
        *projector = t->head;
    return true;
}

void invar_trainer_replace(struct invar_trainer *t)
{
    invar_chain_upload(t, INVAR_NET_ENCODER, t->encoder->parameters, t->encoder->statistics);
    if (t->head)
        invar_chain_upload(t, INVAR_NET_PROJECTOR, t->head->parameters, t->head->statistics);
}
