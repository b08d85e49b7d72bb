/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layer-wise rates. What an update adds to a parameter is proportional to the rate in every optimiser of the table, so
 * that a smaller rate is a part of the way from the parameters before the update to those after it.
 */
#include "train/chain.h"

#include <math.h>
#include <string.h>

/* Length of "layer3" in "layer3.0.conv1.weight"; 0 where there is no such part, as in "conv1.weight". Stages are told
 * by torchvision's names, which encoders of this library keep, so that nothing has to be declared twice. The stem
 * ("conv1.weight", one dot) has no stage of its own and goes with the first. */
static size_t stage_name(const char *name)
{
    const char *dot = strchr(name, '.');
    const char *second = dot ? strchr(dot + 1, '.') : NULL;

    return second ? (size_t)(dot - name) : 0;
}

int invar_net_stages(const struct invar_net *net, int *stage)
{
    const char *last = NULL;
    int at = 0;

    for (int i = 0; i < net->parameter_count; i++) {
        const char *name = net->parameters[i].name;
        const size_t length = stage_name(name);
        const bool same = last ? length == stage_name(last) && strncmp(name, last, length) == 0 : true;
        if (!same)
            at++;
        last = name;
        if (stage)
            stage[i] = at;
    }
    return net->parameter_count ? at + 1 : 0;
}

/* Stages count from the output: the last has decay^1; heads, which are new, have the rate itself. */
bool layers_create(struct invar_chain *c, struct invar_error *err)
{
    const struct invar_net *net = c->nets[INVAR_NET_ENCODER].net;
    const double decay = c->given->options.layer_decay;
    int *stage, stages;

    if (decay == 0 || invar_device_is_planning(c->given->device))
        return true;
    if (!(decay > 0 && decay <= 1))
        return invar_error_set(err, INVAR_ERROR_USAGE, "the decay of rates by layer is %g; expected above 0 up to 1",
                               decay);
    stage = invar_alloc((size_t)net->parameter_count, sizeof *stage, err);
    c->layers.rate = stage ? invar_alloc((size_t)net->parameter_count, sizeof *c->layers.rate, err) : NULL;
    c->layers.before =
        c->layers.rate ? invar_device_alloc(c->given->device, (size_t)net->trained_count, sizeof *c->layers.before, err)
                       : NULL;
    if (c->layers.before) {
        stages = invar_net_stages(net, stage);
        for (int i = 0; i < net->parameter_count; i++)
            c->layers.rate[i] = pow(decay, stages - stage[i]);
    }
    invar_free(stage);
    return c->layers.before != NULL;
}

void layers_free(struct invar_chain *c)
{
    invar_free(c->layers.rate);
    invar_device_free(c->given->device, c->layers.before);
}

/* A copy by lerp with m = 0: the device has no other that both ends lie on. */
void layers_keep(const struct invar_chain *c)
{
    const struct invar_chain_net *n = &c->nets[INVAR_NET_ENCODER];

    if (c->layers.before)
        invar_device_lerp(c->given->device, c->layers.before, n->weights->parameters, 0, n->net->trained_count);
}

void layers_scale(const struct invar_chain *c)
{
    const struct invar_chain_net *n = &c->nets[INVAR_NET_ENCODER];

    for (int i = 0; c->layers.before && i < n->net->parameter_count; i++) {
        const struct invar_parameter *p = &n->net->parameters[i];
        if (p->role != INVAR_PARAMETER_STATISTIC)
            invar_device_lerp(c->given->device, n->weights->parameters + p->offset, c->layers.before + p->offset,
                              c->layers.rate[i], p->count);
    }
}
