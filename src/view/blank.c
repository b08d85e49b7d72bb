/* SPDX-License-Identifier: Apache-2.0 */

/* Columns of tables that are emptied: a number becomes the mean, which is 0, a category none. */

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
    return job->params->blank > 0.0f && job->output->table;
}

static void apply(const struct view_job *job)
{
    const struct invar_table *table = job->output->table;
    struct invar_random random = view_keyed(job->params->blank_key);

    for (int c = 0; c < table->count; c++)
        if (invar_random_uniform(&random) < job->params->blank && table->column[c].places > 0)
            view_column_set(job, &table->column[c], NULL);
}

const struct view_operation view_blank = {"blank", 25, draw, applies, apply};
