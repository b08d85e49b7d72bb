/* SPDX-License-Identifier: Apache-2.0 */
/* A NaN or Inf has turned up: where did it come from, and what is there to go back to? */
#include "train/trainer.h"

#include <math.h>

/* In the order in which a forward pass goes through them. The numbers of the nets are those of checkpoints and cannot
 * follow the flow of data. */
static const int order[INVAR_NET_ALL] = {INVAR_NET_GENERATOR, INVAR_NET_ENCODER, INVAR_NET_PROJECTOR,
                                         INVAR_NET_PREDICTOR, INVAR_NET_CLASSIFIER};

/* The ledger of the step is used up. A sum of squares is NaN or Inf exactly where an element is, or where it
 * overflows, which is no better. One wait a tensor: nothing is in a hurry once a run has failed. */
static bool all_finite(struct invar_trainer *t, const float *x, int64_t count)
{
    invar_ledger_clear(&t->ledger);
    double *slot = invar_ledger_slot(&t->ledger);
    invar_device_sum_squares(t->given.device, x, count, 1, slot);
    invar_device_read(&t->ledger);
    return isfinite(invar_ledger_value(&t->ledger, slot));
}

/* The first layer of a forward pass, in the order of computation. A plan still holds the activations of its last
 * pass, so that the origin is found without computing anything again; the first in the order of computation is the
 * cause, all behind it are consequences. */
static const char *find_layer(struct invar_trainer *t, const char **net, bool target)
{
    for (int k = 0; k < INVAR_NET_ALL; k++) {
        const int i = order[k];
        struct invar_plan *plan = target ? trainer_net(t, i)->target_plan : trainer_net(t, i)->plan;
        const char *layer = plan ? invar_plan_find_nonfinite(plan) : NULL;
        *net = trainer_net(t, i)->name;
        if (!layer && i == INVAR_NET_ENCODER && !target && t->chain.local.plan)
            layer = invar_plan_find_nonfinite(t->chain.local.plan);
        if (layer)
            return layer;
    }
    return NULL;
}

/* A backward pass runs from the last parameter to the first. */
static const char *find_gradient(struct invar_trainer *t, const char **net)
{
    for (int i = INVAR_NET_ALL - 1; i >= 0; i--) {
        const struct invar_chain_net *n = trainer_net(t, order[i]);
        *net = n->name;
        for (int k = n->net && n->weights->gradients ? n->net->parameter_count - 1 : -1; k >= 0; k--) {
            const struct invar_parameter *p = &n->net->parameters[k];
            if (p->role != INVAR_PARAMETER_STATISTIC && !all_finite(t, n->weights->gradients + p->offset, p->count))
                return p->name;
        }
    }
    return NULL;
}

static const char *find_weight(struct invar_trainer *t, const char **net, bool statistics)
{
    for (int i = 0; i < INVAR_NET_ALL; i++) {
        const struct invar_chain_net *n = trainer_net(t, order[i]);
        *net = n->name;
        for (int k = 0; n->net && k < n->net->parameter_count; k++) {
            const struct invar_parameter *p = &n->net->parameters[k];
            const float *base = statistics ? n->weights->statistics : n->weights->parameters;
            if ((p->role == INVAR_PARAMETER_STATISTIC) == statistics && !all_finite(t, base + p->offset, p->count))
                return p->name;
        }
    }
    return NULL;
}

/* "; the first ... is layer1.0.bn1 of the encoder", or nothing where all is finite. Parameters first: with one of
 * them gone every layer is, and the layer would be blamed. Running statistics last: training writes and never reads
 * them, so they are not the cause. */
static void describe_origin(struct invar_trainer *t, char *out, size_t size)
{
    const char *net = NULL, *name, *what;

    out[0] = '\0';
    if ((name = find_weight(t, &net, false)))
        what = "parameter";
    else if ((name = find_layer(t, &net, false)))
        what = "layer";
    else if ((name = find_layer(t, &net, true)))
        what = "layer of the target network";
    else if ((name = find_gradient(t, &net)))
        what = "gradient, going backwards,";
    else if ((name = find_weight(t, &net, true)))
        what = "running statistic";
    else
        return;
    snprintf(out, size, "; the first %s that is not finite is %s of the %s", what, name, net);
}

/* The number of the step counts from 1, as in metrics.jsonl: it has not been counted yet. */
bool nonfinite_error(struct invar_trainer *t, const char *found, struct invar_error *err)
{
    char origin[256], name[64], kept[INVAR_PATH_SIZE + 128];

    describe_origin(t, origin, sizeof origin);
    if (t->folder.saved >= 0) {
        checkpoint_name(name, sizeof name, t->folder.saved);
        snprintf(kept, sizeof kept, "the last good checkpoint is %s/%s", t->folder.path, name);
    } else {
        snprintf(kept, sizeof kept, "there is no checkpoint yet");
    }
    return invar_error_set(err, INVAR_ERROR_NUMERIC,
                           "step %lld: %s%s; %s: train again with a lower optimiser.lr, a longer "
                           "training.warmup or training.clip",
                           (long long)t->clock.step + 1, found, origin, kept);
}

bool nonfinite_explain(struct invar_trainer *t, const struct invar_error *own, struct invar_error *err)
{
    if (own->code == INVAR_ERROR_NUMERIC)
        return nonfinite_error(t, own->message, err);
    return invar_error_set(err, own->code, "%s", own->message);
}

bool nonfinite_check_weights(struct invar_trainer *t, struct invar_error *err)
{
    const char *net;

    if (!find_weight(t, &net, false) && !find_weight(t, &net, true))
        return true;
    return nonfinite_error(t, "the weights are not finite", err);
}
