/* SPDX-License-Identifier: Apache-2.0 */

/* The operations of images, in the order of objectives.md 6.1, and the loops over those of any kind: draw and run. */

#include "view/view.h"

#include <stddef.h>
#include <string.h>

const struct view_operation *const view_image_operations[] = {
    &view_crop,     &view_jitter,      &view_gain,  &view_grayscale,       &view_blur,
    &view_solarise, &view_standardise, &view_blank, &view_noise_deviation, NULL,
};

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
    const struct view_operation *const *operations = view_kind_of(sample->kind)->operations;

    memset(params, 0, sizeof(*params));
    for (int i = 0; operations[i]; i++) {
        const struct view_operation *operation = operations[i];
        if (!operation->draw)
            continue;
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_VIEW, epoch, (uint64_t)sample->index,
                                                         view_stream(operation->stream, view));
        operation->draw(params, options, sample, view, &random);
    }
}

void view_run(const struct view_job *job)
{
    const struct view_operation *const *operations = view_kind_of(job->output->kind)->operations;

    for (int i = 0; operations[i]; i++)
        if (!operations[i]->applies || operations[i]->applies(job))
            operations[i]->apply(job);
}

void view_run_plain(const struct view_job *job)
{
    view_kind_of(job->output->kind)->plain(job);
}
