/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic gradient descent with momentum, Nesterov's look-ahead and coupled weight decay (`OPT` sgd). */
#include "train/optimisers.h"

#include "base/clones.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct invar_sgd_options, name)
static const struct invar_option table[] = {
    {"momentum", INVAR_OPTION_REAL, FIELD(momentum), "0.9", 0, 0.9999, NULL,
     "weight of the past in the momentum buffer"},
    {"nesterov", INVAR_OPTION_BOOL, FIELD(nesterov), "false", 0, 0, NULL, "step along gradient + momentum * buffer"},
    {"weight_decay", INVAR_OPTION_REAL, FIELD(weight_decay), "0", 0, 10, NULL,
     "added to the gradient, times the parameter"},
    {"exclude_1d_from_decay", INVAR_OPTION_BOOL, FIELD(exclude_1d_from_decay), "false", 0, 0, NULL,
     "no decay on biases and norm parameters"},
    {0},
};

static enum invar_segment_cut cut(const void *options)
{
    const struct invar_sgd_options *o = options;

    return o->exclude_1d_from_decay ? INVAR_SEGMENT_BY_KIND : INVAR_SEGMENT_WHOLE;
}

/* The first step has no past: own[0] is the part of the buffer that is kept. */
static void scalars(const void *options, double rate, int64_t step, double *own)
{
    const struct invar_sgd_options *o = options;

    (void)rate;
    own[0] = step == 1 ? 0 : o->momentum;
}

/* A step: rates and decays in float, as the loops take them. */
struct step {
    float rate, keep, decay, ahead, direct;
};

/* The rate multiplies the buffer as it leaves, not as it enters: a change of the rate acts on the whole past at once
 * (as in PyTorch, unlike the original formula), which the schedules of the papers' code assume. Without Nesterov
 * `direct` is 0 and `ahead` 1, which costs a multiplication and saves a second loop. */
INVAR_CLONES static void run(float *p, const float *g, float *buffer, int64_t from, int64_t to, struct step s)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++) {
        const float u = g[i] + s.decay * p[i];
        buffer[i] = s.keep * buffer[i] + u;
        p[i] -= s.rate * (s.direct * u + s.ahead * buffer[i]);
    }
}

static void kernel(const struct invar_update *u, int segment, int64_t from, int64_t to)
{
    const struct invar_sgd_options *o = u->options;
    const double decay = u->segments[segment].one_dimensional ? 0 : o->weight_decay;
    const struct step s = {.rate = (float)u->scalars[INVAR_SCALAR_RATE],
                           .keep = (float)u->scalars[INVAR_SCALAR_OWN],
                           .decay = (float)decay,
                           .ahead = o->nesterov ? (float)o->momentum : 1.0f,
                           .direct = o->nesterov ? 1.0f : 0.0f};

    run(u->parameters, u->gradients, u->buffers[0], from, to, s);
}

const struct invar_optimiser_spec invar_optimiser_sgd = {
    .name = "sgd",
    .help = "stochastic gradient descent with momentum",
    .options = table,
    .options_size = sizeof(struct invar_sgd_options),
    .buffers = 1,
    .cut = cut,
    .scalars = scalars,
    .kernel = kernel,
};
