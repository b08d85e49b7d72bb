/* SPDX-License-Identifier: Apache-2.0 */

/* Standardise by the channel means and deviations of the training set; always the last operation. */

#include "view/view.h"

VIEW_CLONES static void standardise(float *plane, size_t pixels, float mean, float deviation)
{
    for (size_t i = 0; i < pixels; i++)
        plane[i] = (plane[i] - mean) / deviation;
}

static void apply(const struct view_job *job)
{
    for (int c = 0; c < job->output->channels; c++)
        standardise(job->image + (size_t)c * view_pixels(job), view_pixels(job), job->output->mean[c],
                    job->output->deviation[c]);
}

const struct view_operation view_standardise = {"standardise", VIEW_IMAGES | VIEW_CLIPS, 6, NULL, NULL, apply, false};
