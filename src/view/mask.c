/* SPDX-License-Identifier: Apache-2.0 */

/* Masks along time and along frequency (SpecAugment): runs of frames or of bands become the mean, which standardised is
 * 0. A width is uniform from 0 to the largest, a place uniform where it fits. */

#include "view/view.h"

static void draw_masks(struct invar_view_mask *masks, int count, double largest, struct invar_random *random)
{
    for (int i = 0; i < count; i++) {
        masks[i].width = (float)largest * invar_random_uniform(random);
        masks[i].place = invar_random_uniform(random);
    }
}

static void draw_time(struct invar_view_params *params, const struct invar_view_options *options,
                      const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample, (void)view;
    params->time_masks = (int)options->clips.time_masks;
    draw_masks(params->time_mask, params->time_masks, options->clips.time_mask, random);
}

static void draw_frequency(struct invar_view_params *params, const struct invar_view_options *options,
                           const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample, (void)view;
    params->frequency_masks = (int)options->clips.frequency_masks;
    draw_masks(params->frequency_mask, params->frequency_masks, options->clips.frequency_mask, random);
}

/* The run of a mask on a side of so many places. */
static void run_of(const struct invar_view_mask *mask, int side, int *first, int *count)
{
    *count = (int)(mask->width * (float)side + 0.5f);
    *count = *count < side ? *count : side;
    *first = (int)(mask->place * (float)(side - *count + 1));
    *first = *first < side - *count ? *first : side - *count;
}

/* Rows [row, row + rows) x columns [column, column + columns). */
static void fill(const struct view_job *job, int row, int rows, int column, int columns)
{
    for (int y = row; y < row + rows; y++)
        for (int x = column; x < column + columns; x++)
            job->image[(size_t)y * (size_t)job->output->width + (size_t)x] = job->output->mean[0];
}

static void apply_time(const struct view_job *job)
{
    for (int i = 0; i < job->params->time_masks; i++) {
        int first, count;
        run_of(&job->params->time_mask[i], job->output->width, &first, &count);
        fill(job, 0, job->output->height, first, count);
    }
}

static void apply_frequency(const struct view_job *job)
{
    for (int i = 0; i < job->params->frequency_masks; i++) {
        int first, count;
        run_of(&job->params->frequency_mask[i], job->output->height, &first, &count);
        fill(job, first, count, 0, job->output->width);
    }
}

const struct view_operation view_time_mask = {"time_mask", VIEW_CLIPS, 20, draw_time, NULL, apply_time, false};
const struct view_operation view_frequency_mask = {"frequency_mask", VIEW_CLIPS, 21, draw_frequency, NULL,
                                                   apply_frequency,  false};
