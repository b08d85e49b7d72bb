/* SPDX-License-Identifier: Apache-2.0 */

/* The table of operations, and the loops over those of a kind of data: draw and run. */

#include "view/view.h"

#include <stddef.h>
#include <string.h>

#define ADDRESS(name, options) &view_##name,
const struct view_operation *const view_operations[VIEW_PLACES] = {VIEW_OPERATIONS(ADDRESS)};

#define STREAMS 32 /* above the stream of any operation */
#define BLOCK 8    /* views that are neighbours in the numbers of streams */

uint32_t view_stream(uint32_t operation, int view)
{
    return (uint32_t)view % BLOCK + BLOCK * (operation + STREAMS * ((uint32_t)view / BLOCK));
}

/* A stream for each operation and view: a new operation, or an option of one, does not shift the draws of the others.
 */
void invar_view_draw(struct invar_view_params *params, const struct invar_view_options *options, uint64_t seed,
                     uint64_t epoch, const struct invar_sample *sample, int view)
{
    memset(params, 0, sizeof(*params));
    for (int i = 0; i < VIEW_PLACES; i++) {
        const struct view_operation *operation = view_operations[i];
        if (!operation->draw || !(operation->kinds & VIEW_KIND(sample->kind)))
            continue;
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_VIEW, epoch, (uint64_t)sample->index,
                                                         view_stream(operation->stream, view));
        operation->draw(params, options, sample, view, &random);
    }
}

void view_run(const struct view_job *job)
{
    for (int i = 0; i < VIEW_PLACES; i++) {
        const struct view_operation *operation = view_operations[i];
        if ((operation->kinds & VIEW_KIND(job->output->kind)) && (!operation->applies || operation->applies(job)))
            operation->apply(job);
    }
}

void view_run_plain(const struct view_job *job)
{
    view_kind_of(job->output->kind)->plain(job);
}
