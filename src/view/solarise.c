/* SPDX-License-Identifier: Apache-2.0 */

/* Solarise: values from the threshold on are inverted. One or three channels only. */

#include "view/view.h"

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    params->solarise = (double)invar_random_uniform(random) < view_list_at(&options->image.solarise, view) &&
                       (sample->channels == 1 || sample->channels == 3);
}

static bool applies(const struct view_job *job)
{
    return job->params->solarise;
}

VIEW_CLONES static void invert(float *image, size_t count, float threshold)
{
    for (size_t i = 0; i < count; i++) {
        const float inverse = 1.0f - image[i];
        image[i] = image[i] >= threshold ? inverse : image[i];
    }
}

static void apply(const struct view_job *job)
{
    invert(job->image, view_pixels(job) * (size_t)job->output->channels, (float)job->output->solarise_threshold);
}

const struct view_operation view_solarise = {"solarise", 4, draw, applies, apply};
