/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LARS (`OPT` lars): momentum whose step is scaled, parameter by parameter, to trust * |p| / |g + weight_decay p|.
 * Biases and norm parameters are left out of decay and adaptation, as in the papers' settings. Of the family descended
 * from PyTorch Lightning Bolts: trust * |p| / (|g| + weight_decay |p| + 1e-8), and a limit on the resulting rate.
 */
#include "train/optimisers.h"

#include <math.h>
#include <stddef.h>

struct lars_options {
    double momentum, weight_decay, trust;
    bool exclude_1d_from_decay, exclude_1d_from_adaptation, clip;
    int norm;
};

enum { NORM_TOGETHER, NORM_APART };

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
    {"norm", INVAR_OPTION_CHOICE, FIELD(norm), "together", 0, 0, "together|apart",
     "below the ratio: the norm of gradient plus decay (BYOL, VICReg), or the sum of their norms and 1e-8 "
     "(solo-learn)"},
    {"clip", INVAR_OPTION_BOOL, FIELD(clip), "false", 0, 0, NULL,
     "the step is min(rate, ratio) instead of rate * ratio: solo-learn's clip_lr"},
    {0},
};

static double norm_of(struct invar_weights *weights, const float *x, const struct invar_segment *s)
{
    return sqrt(invar_device_sum_squares(weights->device, x, s->count));
}

/* With clip the step is min(rate, ratio) times the gradient: the rate limits, it no longer multiplies. */
static double limited(const struct lars_options *o, double ratio, double lr)
{
    return !o->clip ? ratio : lr > 0 && ratio < lr ? ratio / lr : 1;
}

/* The decay goes into the gradient before the norm in the ratio is taken, or after. */
static void update_one(const struct lars_options *o, struct invar_weights *weights, const struct invar_segment *s,
                       float *buffer, double lr)
{
    struct invar_device *device = weights->device;
    float *p = weights->parameters + s->offset, *g = weights->gradients + s->offset;
    bool decays = o->weight_decay > 0 && !(s->one_dimensional && o->exclude_1d_from_decay);
    bool adapts = !(s->one_dimensional && o->exclude_1d_from_adaptation);
    double ratio = 1, p_norm = adapts ? norm_of(weights, p, s) : 0, below = 0;

    if (adapts && o->norm == NORM_APART)
        below = norm_of(weights, g, s);
    if (decays)
        invar_device_add(device, g, p, o->weight_decay, s->count);
    if (adapts && o->norm == NORM_TOGETHER)
        below = norm_of(weights, g, s);
    if (p_norm > 0 && below > 0) {
        if (o->norm == NORM_APART)
            below += (decays ? o->weight_decay : 0) * p_norm + 1e-8;
        ratio = limited(o, o->trust * p_norm / below, lr);
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
