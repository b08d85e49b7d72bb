/* SPDX-License-Identifier: Apache-2.0 */

/* Gain of the whole window, uniform in dB. */

#include "view/view.h"

#include <math.h>

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample, (void)view;
    const float gain = invar_random_range(random, (float)-options->clips.loudness, (float)options->clips.loudness);
    params->loudness = (float)pow(10, (double)gain / 20);
}

static void apply(const struct view_job *job)
{
    float *wave = job->workspace->wave;
    for (int64_t i = 0; i < job->workspace->span; i++)
        wave[i] *= job->params->loudness;
}

const struct view_operation view_loudness = {"loudness", VIEW_CLIPS, 19, draw, NULL, apply, false};
