/* SPDX-License-Identifier: Apache-2.0 */
/* The table of optimisers, and the walk over parameters that they share. */
#include "train/optimisers.h"

#include <string.h>

static const struct invar_optimiser_spec *const optimisers[] = {
    &invar_optimiser_sgd, &invar_optimiser_adam, &invar_optimiser_adamw, &invar_optimiser_lars, NULL,
};

const struct invar_optimiser_spec *const *invar_optimiser_list(void)
{
    return optimisers;
}

const struct invar_optimiser_spec *invar_optimiser_find(const char *name, struct invar_error *err)
{
    for (int i = 0; optimisers[i]; i++)
        if (strcmp(optimisers[i]->name, name) == 0)
            return optimisers[i];
    invar_error_set(err, INVAR_ERROR_USAGE, "optimiser.kind: %s is not known: choose sgd, adam, adamw or lars", name);
    return NULL;
}

bool invar_segment_next(const struct invar_net *net, enum invar_segment_cut cut, int *cursor, struct invar_segment *out)
{
    int i = *cursor;
    bool found = false;

    if (cut == INVAR_SEGMENT_WHOLE) {
        *out = (struct invar_segment){.offset = 0, .count = net->trained_count, .one_dimensional = false};
        *cursor = 1;
        return i == 0;
    }
    for (; i < net->parameter_count; i++) {
        const struct invar_parameter *p = &net->parameters[i];
        bool one = p->role == INVAR_PARAMETER_BIAS || p->role == INVAR_PARAMETER_NORM;
        if (p->role == INVAR_PARAMETER_STATISTIC)
            continue;
        if (found &&
            (cut == INVAR_SEGMENT_EACH || one != out->one_dimensional || p->offset != out->offset + out->count))
            break;
        if (found)
            out->count += p->count;
        else
            *out = (struct invar_segment){.offset = p->offset, .count = p->count, .one_dimensional = one};
        found = true;
    }
    *cursor = i;
    return found;
}
