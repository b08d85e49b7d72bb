/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (`OPT` adam): moments of the gradient with bias correction; weight decay, when asked for, is coupled. */
#include "train/optimisers.h"

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

bool invar_adam_check(const void *options, struct invar_error *err)
{
    const struct invar_adam_options *o = options;

    if (o->betas.count != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE, "optimiser.betas: two numbers are expected, there are %d",
                               o->betas.count);
    return true;
}

static void update(const void *options, struct invar_weights *weights, float *const *buffers, double lr, int64_t step)
{
    const struct invar_adam_options *o = options;
    enum invar_segment_cut cut = o->exclude_1d_from_decay ? INVAR_SEGMENT_BY_KIND : INVAR_SEGMENT_WHOLE;
    struct invar_segment s;
    int cursor = 0;

    while (o->weight_decay > 0 && invar_segment_next(weights->net, cut, &cursor, &s)) {
        if (!s.one_dimensional)
            invar_device_add(weights->device, weights->gradients + s.offset, weights->parameters + s.offset,
                             o->weight_decay, s.count);
    }
    invar_device_adam(weights->device, weights->parameters, weights->gradients, buffers[0], buffers[1],
                      weights->net->trained_count, lr, o->betas.value[0], o->betas.value[1], o->eps, 0, step);
}

const struct invar_optimiser_spec invar_optimiser_adam = {
    .name = "adam",
    .help = "Adam",
    .options = table,
    .options_size = sizeof(struct invar_adam_options),
    .buffers = 2,
    .check = invar_adam_check,
    .update = update,
};
