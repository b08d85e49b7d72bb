/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LARS (`OPT` lars): momentum whose step is scaled, parameter by parameter, to trust * |p| / |g + weight_decay p|.
 * Biases and norm parameters are left out of decay and adaptation, as in the papers' settings. Of the family descended
 * from PyTorch Lightning Bolts: trust * |p| / (|g| + weight_decay |p| + 1e-8), and a limit on the resulting rate.
 */
#include "train/optimisers.h"

#include "base/clones.h"

#include <math.h>
#include <stddef.h>

#define NORMS(CHOICE) CHOICE(NORM_TOGETHER, "together") CHOICE(NORM_APART, "apart")
enum norm { NORMS(INVAR_CHOICE_CONSTANT) };

struct lars_options {
    double momentum, weight_decay, trust;
    bool exclude_1d_from_decay, exclude_1d_from_adaptation, clip;
    enum norm norm;
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
    {"norm", INVAR_OPTION_CHOICE, FIELD(norm), "together", 0, 0, INVAR_CHOICES(NORMS),
     "below the ratio: the norm of gradient plus decay (BYOL, VICReg), or the sum of their norms and 1e-8 "
     "(solo-learn)"},
    {"clip", INVAR_OPTION_BOOL, FIELD(clip), "false", 0, 0, NULL,
     "the step is min(rate, ratio) instead of rate * ratio: solo-learn's clip_lr"},
    {0},
};

static bool decays(const struct lars_options *o, const struct invar_segment *s)
{
    return o->weight_decay > 0 && !(s->one_dimensional && o->exclude_1d_from_decay);
}

/* The ratio is a parameter's own, so every parameter is a segment; its two norms are sums on the device. */
static enum invar_segment_cut cut(const void *options)
{
    (void)options;
    return INVAR_SEGMENT_EACH;
}

/* The decay goes into the gradient before the norm in the ratio is taken, or after. */
static double norm_decay(const void *options, const struct invar_segment *segment)
{
    const struct lars_options *o = options;

    return o->norm == NORM_TOGETHER && decays(o, segment) ? o->weight_decay : 0;
}

/* With clip the step is min(rate, ratio) times the gradient: the rate limits, it no longer multiplies. */
static double limited(const struct lars_options *o, double ratio, double lr)
{
    return !o->clip ? ratio : lr > 0 && ratio < lr ? ratio / lr : 1;
}

/* A parameter that is all 0, or that has no gradient, has no direction to scale by: the ratio is 1, so that biases
 * that begin at 0 can leave it. */
static double ratio_of(const struct invar_update *u, int segment)
{
    const struct lars_options *o = u->options;
    const struct invar_segment *s = &u->segments[segment];
    const double p_norm = sqrt(u->norms[2 * segment]);
    double below = sqrt(u->norms[2 * segment + 1]);

    if ((s->one_dimensional && o->exclude_1d_from_adaptation) || !(p_norm > 0 && below > 0))
        return 1;
    if (o->norm == NORM_APART)
        below += (decays(o, s) ? o->weight_decay : 0) * p_norm + 1e-8;
    return limited(o, o->trust * p_norm / below, u->scalars[INVAR_SCALAR_RATE]);
}

/* A step in float, as the loop takes it. Buffers start at zero, so the first step is no special case. */
struct step {
    float rate, keep, decay, trust;
};

INVAR_CLONES static void run(float *p, const float *g, float *buffer, int64_t from, int64_t to, struct step s)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++) {
        buffer[i] = s.keep * buffer[i] + s.trust * (g[i] + s.decay * p[i]);
        p[i] -= s.rate * buffer[i];
    }
}

static void kernel(const struct invar_update *u, int segment, int64_t from, int64_t to)
{
    const struct lars_options *o = u->options;
    const struct step s = {.rate = (float)u->scalars[INVAR_SCALAR_RATE],
                           .keep = (float)o->momentum,
                           .decay = decays(o, &u->segments[segment]) ? (float)o->weight_decay : 0.0f,
                           .trust = (float)ratio_of(u, segment)};

    run(u->parameters, u->gradients, u->buffers[0], from, to, s);
}

const struct invar_optimiser_spec invar_optimiser_lars = {
    .name = "lars",
    .help = "layer-wise adaptive rate scaling, for large batches",
    .options = table,
    .options_size = sizeof(struct lars_options),
    .buffers = 1,
    .cut = cut,
    .norm_decay = norm_decay,
    .kernel = kernel,
};
