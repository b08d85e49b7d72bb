/* SPDX-License-Identifier: Apache-2.0 */

/* The table of view operations, in the order of objectives.md 6.1, and the two loops over it: draw and run. */

#include "view/view.h"

#include <stddef.h>
#include <string.h>

const struct view_operation *const view_operations[] = {
    &view_crop, &view_jitter, &view_gain, &view_grayscale, &view_blur, &view_solarise, &view_standardise, NULL,
};

/* A stream for each operation: a new operation, or an option of one, does not shift the draws of the others. */
void invar_view_draw(struct invar_view_params *params, const struct invar_view_options *options, uint64_t seed,
                     uint64_t epoch, const struct invar_sample *sample, int view)
{
    memset(params, 0, sizeof(*params));
    for (int i = 0; view_operations[i]; i++) {
        const struct view_operation *operation = view_operations[i];
        if (!operation->draw)
            continue;
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_VIEW, epoch, (uint64_t)sample->index,
                                                         (uint32_t)view + INVAR_MAX_VIEWS * operation->stream);
        operation->draw(params, options, sample, view, &random);
    }
}

void view_run(const struct view_job *job)
{
    for (int i = 0; view_operations[i]; i++)
        if (!view_operations[i]->applies || view_operations[i]->applies(job))
            view_operations[i]->apply(job);
}
