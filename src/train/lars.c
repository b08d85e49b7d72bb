/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LARS (`OPT` lars): momentum whose step is scaled, parameter by parameter, to trust * |p| / |g + weight_decay p|.
 * Biases and norm parameters are left out of decay and adaptation, as in the papers' settings.
 */
#include "train/optimisers.h"

#include <math.h>
#include <stddef.h>

struct lars_options {
    double momentum, weight_decay, trust;
    bool exclude_1d_from_decay, exclude_1d_from_adaptation;
};

#define FIELD(name) offsetof(struct lars_options, name)
static const struct invar_option table[] = {
    {"momentum", INVAR_OPTION_REAL, FIELD(momentum), "0.9", 0, 0.9999, NULL,
     "weight of the past in the momentum buffer"},
    {"weight_decay", INVAR_OPTION_REAL, FIELD(weight_decay), "1.5e-6", 0, 10, NULL,
     "added to the gradient, times the parameter, before adaptation"},
    {"trust", INVAR_OPTION_REAL, FIELD(trust), "0.001", 1e-9, 10, NULL,
     "step length as a fraction of the parameter's norm"},
    {"exclude_1d_from_decay", INVAR_OPTION_BOOL, FIELD(exclude_1d_from_decay), "true", 0, 0, NULL,
     "no decay on biases and norm parameters"},
    {"exclude_1d_from_adaptation", INVAR_OPTION_BOOL, FIELD(exclude_1d_from_adaptation), "true", 0, 0, NULL,
     "plain momentum on biases and norm parameters"},
    {0},
};

/* The decay goes into the gradient first, because the norm in the ratio includes it. */
static void update_one(const struct lars_options *o, struct invar_weights *weights, const struct invar_segment *s,
                       float *buffer, double lr)
{
    struct invar_device *device = weights->device;
    float *p = weights->parameters + s->offset, *g = weights->gradients + s->offset;
    double ratio = 1;

    if (o->weight_decay > 0 && !(s->one_dimensional && o->exclude_1d_from_decay))
        invar_device_add(device, g, p, o->weight_decay, s->count);
    if (!(s->one_dimensional && o->exclude_1d_from_adaptation)) {
        double p_norm = sqrt(invar_device_sum_squares(device, p, s->count));
        double g_norm = sqrt(invar_device_sum_squares(device, g, s->count));
        if (p_norm > 0 && g_norm > 0)
            ratio = o->trust * p_norm / g_norm;
    }
    invar_device_momentum(device, p, g, buffer + s->offset, s->count, lr, o->momentum, 0, ratio);
}

static void update(const void *options, struct invar_weights *weights, float *const *buffers, double lr, int64_t step)
{
    struct invar_segment s;
    int cursor = 0;

    (void)step; /* buffers start at zero, so the first step is no special case */
    while (invar_segment_next(weights->net, INVAR_SEGMENT_EACH, &cursor, &s))
        update_one(options, weights, &s, buffers[0], lr);
}

const struct invar_optimiser_spec invar_optimiser_lars = {
    .name = "lars",
    .help = "layer-wise adaptive rate scaling, for large batches",
    .options = table,
    .options_size = sizeof(struct lars_options),
    .buffers = 1,
    .update = update,
};
