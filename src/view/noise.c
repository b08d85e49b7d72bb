/* SPDX-License-Identifier: Apache-2.0 */

/* White noise at a random ratio to the power of the window. */

#include "view/view.h"

#include <math.h>

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample, (void)view;
    params->noise = invar_random_uniform(random) < (float)options->clips.noise;
    params->noise_snr = invar_random_range(random, (float)view_list_at(&options->clips.noise_snr, 0),
                                           (float)view_list_at(&options->clips.noise_snr, 1));
    params->noise_key[0] = invar_random_bits(random);
    params->noise_key[1] = invar_random_bits(random);
}

static bool applies(const struct view_job *job)
{
    return job->params->noise;
}

static void apply(const struct view_job *job)
{
    const uint64_t seed = (uint64_t)job->params->noise_key[1] << 32 | job->params->noise_key[0];
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_NOISE, 0, 0, 0);
    float *wave = job->workspace->wave;
    const double power = view_power(wave, job->workspace->span);
    const float deviation = (float)sqrt(power * pow(10, -(double)job->params->noise_snr / 10));

    if (deviation > 0.0f)
        view_add_normals(&random, deviation, wave, (size_t)job->workspace->span);
}

const struct view_operation view_noise = {"noise", VIEW_CLIPS, 18, draw, applies, apply, false};
