/* SPDX-License-Identifier: Apache-2.0 */

/* Rows of tables: the source has standardised them, so that a view begins with the numbers as they are. */

#include "view/view.h"

#include <string.h>

static bool output_check(const struct invar_view_output *output, struct invar_error *err)
{
    if (output->channels >= 1 && output->height == 1 && output->width == 1)
        return true;
    return invar_error_set(err, INVAR_ERROR_USAGE, "views of rows have one number a column, %d x %d x %d was asked for",
                           output->channels, output->height, output->width);
}

static bool sample_check(const struct invar_view_output *output, const struct invar_sample *sample,
                         struct invar_error *err)
{
    if (sample->data && sample->dtype == INVAR_FLOAT32 && sample->channels == output->channels)
        return true;
    return invar_error_set(err, INVAR_ERROR_DATA, "row %lld: has %d numbers of type %s, %d of float32 are expected",
                           (long long)sample->index, sample->channels, invar_dtype_name(sample->dtype),
                           output->channels);
}

static bool workspace(struct invar_view_workspace *space, const struct invar_view_output *output,
                      struct invar_error *err)
{
    (void)space, (void)output, (void)err;
    return true;
}

static void copy(const struct view_job *job)
{
    memcpy(job->image, job->sample->data, (size_t)job->output->channels * sizeof(float));
}

const struct view_operation view_copy = {.name = "copy", .kinds = VIEW_TABLES, .apply = copy};

const struct view_kind view_kind_table = {copy, output_check, sample_check, workspace};
