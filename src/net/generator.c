/* SPDX-License-Identifier: Apache-2.0 */
/* The table of generators, and how one is chosen and built. */
#include "net/generator.h"

#include "base/names.h"

#include <string.h>

#define LISTED(name) &invar_generator_##name,
static const struct invar_generator_spec *const generators[] = {INVAR_GENERATORS(LISTED) NULL};

const struct invar_generator_spec *const *invar_generator_list(void)
{
    return generators;
}

const struct invar_generator_spec *invar_generator_find(const char *name, struct invar_shape sample,
                                                        struct invar_error *err)
{
    if (strcmp(name, "auto") == 0)
        return sample.rank == 3 ? &invar_generator_cnn : &invar_generator_mlp;
    return names_find(NAMES_POINTERS("generator", generators), "adversary.kind", name, err);
}

struct invar_net *invar_generator_build(const struct invar_generator_spec *spec,
                                        const struct invar_generator_options *options, struct invar_shape sample,
                                        struct invar_error *err)
{
    struct invar_generator_options resolved = *options;

    if (resolved.widths.count == 0)
        resolved.widths = spec->widths;
    if (resolved.noise == 0)
        resolved.noise = spec->noise;
    return spec->build(&resolved, sample, err);
}
