/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is emptied of a finished view: columns of a table, whose numbers become the mean, which is 0, and categories
 * none; places of an image or a spectrogram, in all channels.
 */

#include "view/view.h"

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample;
    params->blank = (float)view_list_at(&options->blank, view);
    params->blank_key[0] = invar_random_bits(random);
    params->blank_key[1] = invar_random_bits(random);
}

static bool applies(const struct view_job *job)
{
    return job->params->blank > 0.0f;
}

static void blank_columns(const struct view_job *job, const struct invar_table *table, struct invar_random random)
{
    for (int c = 0; c < table->count; c++)
        if (invar_random_uniform(&random) < job->params->blank && table->column[c].places > 0)
            view_column_set(job, &table->column[c], NULL);
}

static void blank_places(const struct view_job *job, struct invar_random random)
{
    const size_t pixels = view_pixels(job);

    for (size_t i = 0; i < pixels; i++) {
        if (invar_random_uniform(&random) >= job->params->blank)
            continue;
        for (size_t k = i; k < pixels * (size_t)job->output->channels; k += pixels) {
            job->image[k] = 0.0f;
            if (job->mask)
                job->mask[k] = 1.0f;
        }
    }
}

static void apply(const struct view_job *job)
{
    const struct invar_random random = view_keyed(job->params->blank_key);

    if (job->output->table)
        blank_columns(job, job->output->table, random);
    else
        blank_places(job, random);
}

const struct view_operation view_blank = {"blank", VIEW_IMAGES | VIEW_CLIPS | VIEW_TABLES, 25, draw, applies, apply,
                                          false};
