/* SPDX-License-Identifier: Apache-2.0 */

/* Background: a window of another clip of the batch, at a random ratio of powers. Silence has no power to compare. */

#include "view/view.h"

#include <math.h>

#define SILENCE 1e-12 /* mean square below which a clip is silent */

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample, (void)view;
    params->background = invar_random_uniform(random) < (float)options->clips.background;
    params->background_partner = invar_random_uniform(random);
    params->background_place = invar_random_uniform(random);
    params->background_snr = invar_random_range(random, (float)view_list_at(&options->clips.background_snr, 0),
                                                (float)view_list_at(&options->clips.background_snr, 1));
}

static bool applies(const struct view_job *job)
{
    return job->params->background && job->batch_count > 1;
}

static void apply(const struct view_job *job)
{
    const int64_t others = job->batch_count - 1, span = job->workspace->span;
    const int64_t step = 1 + (int64_t)((double)job->params->background_partner * (double)others);
    const struct invar_sample *partner = &job->batch[(job->place + step) % job->batch_count];
    float *wave = job->workspace->wave, *other = job->workspace->other;

    view_window(job, partner, job->params->background_place, 0.0f, other);
    const double power = view_power(wave, span), beside = view_power(other, span);
    if (!(power > SILENCE && beside > SILENCE))
        return;
    const float factor = (float)sqrt(power / beside * pow(10, -(double)job->params->background_snr / 10));
    for (int64_t i = 0; i < span; i++)
        wave[i] += factor * other[i];
}

const struct view_operation view_background = {"background", VIEW_CLIPS, 17, draw, applies, apply, false};
