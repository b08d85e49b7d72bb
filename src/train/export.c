/* SPDX-License-Identifier: Apache-2.0 */
/* The present weights of a run on the host, for whoever looks at them, or changes them, before it has ended. */
#include "train/trainer.h"

static bool create_head(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_chain_net *n = &t->nets[INVAR_NET_PROJECTOR];
    const int64_t width = t->nets[INVAR_NET_ENCODER].width;
    struct invar_head *head = invar_alloc(1, sizeof *head, err);

    if (!head)
        return false;
    t->head = head;
    head->options = t->recipe->projector;
    snprintf(head->recipe, sizeof head->recipe, "%.127s", t->recipe->name);
    head->net = invar_head_build(&head->options, width, err);
    head->parameters = invar_alloc((size_t)n->net->trained_count, sizeof(float), err);
    head->statistics = invar_alloc((size_t)n->net->statistic_count + 1, sizeof(float), err);
    return head->net && head->parameters && head->statistics;
}

bool invar_trainer_present(struct invar_trainer *t, struct invar_encoder **encoder, struct invar_head **projector,
                           struct invar_error *err)
{
    const struct invar_chain_net *n = &t->nets[INVAR_NET_PROJECTOR];

    if (!invar_nonfinite_check_weights(t, err) || (n->net && !t->head && !create_head(t, err)))
        return false;
    invar_chain_download(t, INVAR_NET_ENCODER, t->encoder->parameters, t->encoder->statistics);
    if (n->net)
        invar_chain_download(t, INVAR_NET_PROJECTOR, t->head->parameters, t->head->statistics);
    *encoder = t->encoder;
    *projector = t->head;
    return true;
}

void invar_trainer_replace(struct invar_trainer *t)
{
    invar_chain_upload(t, INVAR_NET_ENCODER, t->encoder->parameters, t->encoder->statistics);
    if (t->head)
        invar_chain_upload(t, INVAR_NET_PROJECTOR, t->head->parameters, t->head->statistics);
}
