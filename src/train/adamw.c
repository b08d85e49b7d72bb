/* SPDX-License-Identifier: Apache-2.0 */
/* AdamW (`OPT` adamw): Adam with decoupled weight decay, p *= 1 - lr * weight_decay. */
#include "train/optimisers.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct invar_adam_options, name)
static const struct invar_option table[] = {
    {"betas", INVAR_OPTION_REAL_LIST, FIELD(betas), "[0.9, 0.999]", 0, 0.9999999, NULL,
     "decay of the first and second moment"},
    {"eps", INVAR_OPTION_REAL, FIELD(eps), "1e-8", 0, 1, NULL, "added to the root of the second moment"},
    {"weight_decay", INVAR_OPTION_REAL, FIELD(weight_decay), "0.01", 0, 10, NULL,
     "decoupled: parameters shrink by lr times this at every step"},
    {"exclude_1d_from_decay", INVAR_OPTION_BOOL, FIELD(exclude_1d_from_decay), "false", 0, 0, NULL,
     "no decay on biases and norm parameters"},
    {0},
};

/* The decay is taken off the parameter itself before the step, at the rate of the schedule without Adam's
 * corrections, so that it is the same for all parameters and dies away with the rate. */
static void kernel(const struct invar_update *u, int segment, int64_t from, int64_t to)
{
    const struct invar_adam_options *o = u->options;

    adam_step(u, from, to, 0, u->segments[segment].one_dimensional ? 0 : o->weight_decay);
}

const struct invar_optimiser_spec invar_optimiser_adamw = {
    .name = "adamw",
    .help = "Adam with decoupled weight decay",
    .options = table,
    .options_size = sizeof(struct invar_adam_options),
    .buffers = 2,
    .check = adam_check,
    .cut = adam_cut,
    .scalars = adam_scalars,
    .kernel = kernel,
};
