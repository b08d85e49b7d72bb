/* SPDX-License-Identifier: Apache-2.0 */

/* The table of view operations, in the order of objectives.md 6.1, and the two loops over it: draw and run. */

#include "view/view.h"

#include <stddef.h>
#include <string.h>

const struct view_operation *const view_operations[] = {
    &view_crop, &view_jitter, &view_gain, &view_grayscale, &view_blur, &view_solarise, &view_standardise, NULL,
};

#define STREAMS 32 /* above the stream of any operation */
#define BLOCK 8    /* views that are neighbours in the numbers of streams */

/* A stream for each operation and view: a new operation, or an option of one, does not shift the draws of the others.
 */
void invar_view_draw(struct invar_view_params *params, const struct invar_view_options *options, uint64_t seed,
                     uint64_t epoch, const struct invar_sample *sample, int view)
{
    memset(params, 0, sizeof(*params));
    for (int i = 0; view_operations[i]; i++) {
        const struct view_operation *operation = view_operations[i];
        if (!operation->draw)
            continue;
        const uint32_t stream =
            (uint32_t)view % BLOCK + BLOCK * (operation->stream + STREAMS * ((uint32_t)view / BLOCK));
        struct invar_random random =
            invar_random_stream(seed, INVAR_RANDOM_VIEW, epoch, (uint64_t)sample->index, stream);
        operation->draw(params, options, sample, view, &random);
    }
}

void view_run(const struct view_job *job)
{
    for (int i = 0; view_operations[i]; i++)
        if (!view_operations[i]->applies || view_operations[i]->applies(job))
            view_operations[i]->apply(job);
}
