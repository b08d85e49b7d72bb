/* SPDX-License-Identifier: Apache-2.0 */

/* Noise on the numeric columns of a table, in units of their deviation; one-hot places and indicators stay. */

#include "view/view.h"

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample;
    params->noise_deviation = (float)view_list_at(&options->noise_deviation, view);
    params->noise_deviation_key[0] = invar_random_bits(random);
    params->noise_deviation_key[1] = invar_random_bits(random);
}

static bool applies(const struct view_job *job)
{
    return job->params->noise_deviation > 0.0f && job->output->table;
}

static void apply(const struct view_job *job)
{
    const struct invar_table *table = job->output->table;
    struct invar_random random = view_keyed(job->params->noise_deviation_key);

    for (int c = 0; c < table->count; c++)
        if (table->column[c].kind == INVAR_COLUMN_NUMERIC)
            job->image[table->column[c].first] += job->params->noise_deviation * invar_random_normal(&random);
}

const struct view_operation view_noise_deviation = {"noise_deviation", 26, draw, applies, apply};
