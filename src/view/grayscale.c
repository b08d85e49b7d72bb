/* SPDX-License-Identifier: Apache-2.0 */

/* Random grayscale: every channel becomes 0.299 R + 0.587 G + 0.114 B. Three channels only. */

#include "view/view.h"

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)view;
    params->grayscale = (double)invar_random_uniform(random) < options->image.grayscale && sample->channels == 3;
}

static bool applies(const struct view_job *job)
{
    return job->params->grayscale && job->output->channels == 3;
}

VIEW_CLONES static void gray(float *restrict red, float *restrict green, float *restrict blue, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++)
        red[i] = green[i] = blue[i] = view_luma(red[i], green[i], blue[i]);
}

static void apply(const struct view_job *job)
{
    const size_t pixels = view_pixels(job);
    gray(job->image, job->image + pixels, job->image + 2 * pixels, pixels);
}

const struct view_operation view_grayscale = {"grayscale", VIEW_IMAGES, 2, draw, applies, apply, false};
