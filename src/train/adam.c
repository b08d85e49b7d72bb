/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (`OPT` adam): moments of the gradient with bias correction; weight decay, when asked for, is coupled. */
#include "train/optimisers.h"

#include "base/clones.h"

#include <math.h>
#include <stddef.h>

#define FIELD(name) offsetof(struct invar_adam_options, name)
static const struct invar_option table[] = {
    {"betas", INVAR_OPTION_REAL_LIST, FIELD(betas), "[0.9, 0.999]", 0, 0.9999999, NULL,
     "decay of the first and second moment"},
    {"eps", INVAR_OPTION_REAL, FIELD(eps), "1e-8", 0, 1, NULL, "added to the root of the second moment"},
    {"weight_decay", INVAR_OPTION_REAL, FIELD(weight_decay), "0", 0, 10, NULL,
     "coupled: added to the gradient, times the parameter"},
    {"exclude_1d_from_decay", INVAR_OPTION_BOOL, FIELD(exclude_1d_from_decay), "false", 0, 0, NULL,
     "no decay on biases and norm parameters"},
    {0},
};

/* A recipe's list may have any length; the table knows the range of its numbers, not how many they must be. */
bool adam_check(const void *options, struct invar_error *err)
{
    const struct invar_adam_options *o = options;

    if (o->betas.count != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE, "optimiser.betas: two numbers are expected, there are %d",
                               o->betas.count);
    return true;
}

/* One segment for the whole net where decay is the same everywhere: one loop over a long vector, with no ends of
 * short segments in which lanes idle. */
enum invar_segment_cut adam_cut(const void *options)
{
    const struct invar_adam_options *o = options;

    return o->exclude_1d_from_decay ? INVAR_SEGMENT_BY_KIND : INVAR_SEGMENT_WHOLE;
}

/* Both corrections of the bias are folded into two factors on the host, in double: beta2 is so near 1 that 1 -
 * beta2^t in float would lose three of its seven digits in the first step. The step is then rate / (1 - beta1^t) * m
 * / (sqrt(v) / sqrt(1 - beta2^t) + eps): eps stands beside the corrected root, as in PyTorch, so that the first steps
 * are comparable. */
void adam_scalars(const void *options, double rate, int64_t step, double *own)
{
    const struct invar_adam_options *o = options;

    own[0] = rate / (1.0 - pow(o->betas.value[0], (double)step));
    own[1] = 1.0 / sqrt(1.0 - pow(o->betas.value[1], (double)step));
}

/* A step in float, as the loop takes it. */
struct step {
    float b1, b2, c1, c2, keep, epsilon, rate, root, coupled;
};

/* All in float, each number by itself, so that the same bits come from every number of threads. 1 - beta comes from
 * double (c1, c2): in float, 1 - 0.999f is off in the fifth digit. */
INVAR_CLONES static void run(float *p, const float *g, float *m, float *v, int64_t from, int64_t to, struct step s)
{
#pragma omp simd
    for (int64_t i = from; i < to; i++) {
        const float u = g[i] + s.coupled * p[i];
        m[i] = s.b1 * m[i] + s.c1 * u;
        v[i] = s.b2 * v[i] + s.c2 * u * u;
        p[i] = s.keep * p[i] - s.rate * m[i] / (sqrtf(v[i]) * s.root + s.epsilon);
    }
}

void adam_step(const struct invar_update *u, int64_t from, int64_t to, double coupled, double decoupled)
{
    const struct invar_adam_options *o = u->options;
    const double *scalars = u->scalars;
    const struct step s = {.b1 = (float)o->betas.value[0],
                           .b2 = (float)o->betas.value[1],
                           .c1 = (float)(1.0 - o->betas.value[0]),
                           .c2 = (float)(1.0 - o->betas.value[1]),
                           .keep = (float)(1.0 - scalars[INVAR_SCALAR_RATE] * decoupled),
                           .epsilon = (float)o->eps,
                           .rate = (float)scalars[INVAR_SCALAR_OWN],
                           .root = (float)scalars[INVAR_SCALAR_OWN + 1],
                           .coupled = (float)coupled};

    run(u->parameters, u->gradients, u->buffers[0], u->buffers[1], from, to, s);
}

/* Coupled decay is part of u, so it goes through both moments: parameters with large gradients decay less. That is
 * Adam with L2, not AdamW. */
static void kernel(const struct invar_update *u, int segment, int64_t from, int64_t to)
{
    const struct invar_adam_options *o = u->options;

    adam_step(u, from, to, u->segments[segment].one_dimensional ? 0 : o->weight_decay, 0);
}

const struct invar_optimiser_spec invar_optimiser_adam = {
    .name = "adam",
    .help = "Adam",
    .options = table,
    .options_size = sizeof(struct invar_adam_options),
    .buffers = 2,
    .check = adam_check,
    .cut = adam_cut,
    .scalars = adam_scalars,
    .kernel = kernel,
};
