/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Columns of tables that are changed whole, in all their places: SCARF's corruption by draws from the empirical
 * marginal of the training rows, and blanks. A draw is made for every column whether it is used or not, so that the
 * columns before it decide nothing.
 */

#include "view/view.h"

#include <string.h>

struct invar_random view_keyed(const uint32_t key[2])
{
    return invar_random_stream((uint64_t)key[0] << 32 | key[1], INVAR_RANDOM_VIEW, 0, 0, 0);
}

static bool any(const struct invar_real_list *list)
{
    for (int i = 0; i < list->count; i++)
        if (list->value[i] > 0.0)
            return true;
    return false;
}

bool view_masks(const struct invar_view_options *options)
{
    return any(&options->table.corrupt) || any(&options->blank);
}

void view_column_set(const struct view_job *job, const struct invar_column *column, const float *value)
{
    float *out = job->image + column->first;
    const size_t size = (size_t)column->places * sizeof *out;
    bool differs = false;

    for (int p = 0; p < column->places; p++) {
        const float now = value ? value[p] : 0.0f;
        differs = differs || now != out[p];
    }
    if (!differs)
        return;
    if (value)
        memcpy(out, value, size);
    else
        memset(out, 0, size);
    for (int p = 0; job->mask && p < column->places; p++)
        job->mask[column->first + p] = 1.0f;
}

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample;
    params->corrupt = (float)view_list_at(&options->table.corrupt, view);
    params->corrupt_key[0] = invar_random_bits(random);
    params->corrupt_key[1] = invar_random_bits(random);
}

static bool applies(const struct view_job *job)
{
    return job->params->corrupt > 0.0f && job->output->table && job->output->table->count_train > 0;
}

static void apply(const struct view_job *job)
{
    const struct invar_table *table = job->output->table;
    struct invar_random random = view_keyed(job->params->corrupt_key);

    for (int c = 0; c < table->count; c++) {
        const struct invar_column *column = &table->column[c];
        const bool chosen = invar_random_uniform(&random) < job->params->corrupt;
        /* The rows that there can be are fewer than 2^31: a file has at most 2 GiB. */
        const int64_t row = table->item[invar_random_below(&random, (uint32_t)table->count_train)];
        if (chosen && column->places > 0)
            view_column_set(job, column, table->rows + row * job->output->channels + column->first);
    }
}

const struct view_operation view_corrupt = {"corrupt", VIEW_TABLES, 24, draw, applies, apply, false};
