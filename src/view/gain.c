/* SPDX-License-Identifier: Apache-2.0 */

/* A gain and an offset for each channel, for data whose channels are not colours (neither 1 nor 3 of them). */

#include "view/view.h"

static bool wanted(int channels)
{
    return channels != 1 && channels != 3;
}

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)view;
    for (int c = 0; c < VIEW_MAX_CHANNELS; c++)
        params->gain[c] = 1.0f;
    if (!wanted(sample->channels))
        return;
    for (int c = 0; c < sample->channels && c < VIEW_MAX_CHANNELS; c++) {
        params->gain[c] =
            invar_random_range(random, (float)(1.0 - options->image.gain), (float)(1.0 + options->image.gain));
        params->offset[c] = invar_random_range(random, (float)-options->image.offset, (float)options->image.offset);
    }
}

static bool applies(const struct view_job *job)
{
    return wanted(job->output->channels);
}

VIEW_CLONES static void scale(float *plane, size_t pixels, float gain, float offset)
{
    for (size_t i = 0; i < pixels; i++)
        plane[i] = gain * plane[i] + offset;
}

static void apply(const struct view_job *job)
{
    for (int c = 0; c < job->output->channels; c++)
        scale(job->image + (size_t)c * view_pixels(job), view_pixels(job), job->params->gain[c],
              job->params->offset[c]);
}

const struct view_operation view_gain = {"gain", VIEW_IMAGES, 5, draw, applies, apply, false};
