/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic gradient descent with momentum, Nesterov's look-ahead and coupled weight decay (`OPT` sgd). */
#include "train/optimisers.h"

#include <stddef.h>

struct sgd_options {
    double momentum, weight_decay;
    bool nesterov, exclude_1d_from_decay;
};

#define FIELD(name) offsetof(struct sgd_options, name)
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

static void update(const void *options, struct invar_weights *weights, float *const *buffers, double lr, int64_t step)
{
    const struct sgd_options *o = options;
    enum invar_segment_cut cut = o->exclude_1d_from_decay ? INVAR_SEGMENT_BY_KIND : INVAR_SEGMENT_WHOLE;
    struct invar_segment s;
    int cursor = 0;

    while (invar_segment_next(weights->net, cut, &cursor, &s)) {
        double decay = s.one_dimensional ? 0 : o->weight_decay;
        invar_device_sgd(weights->device, weights->parameters + s.offset, weights->gradients + s.offset,
                         buffers[0] + s.offset, s.count, lr, o->momentum, o->nesterov, decay, step == 1);
    }
}

const struct invar_optimiser_spec invar_optimiser_sgd = {
    .name = "sgd",
    .help = "stochastic gradient descent with momentum",
    .options = table,
    .options_size = sizeof(struct sgd_options),
    .buffers = 1,
    .update = update,
};
