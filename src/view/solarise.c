/* SPDX-License-Identifier: Apache-2.0 */

/* Solarise: values from the threshold on are inverted. One or three channels only. */

#include "view/view.h"

struct options {
    struct invar_real_list probability; /* by view */
    double threshold;                   /* in 0..1 */
};
struct draws {
    bool on;
    float threshold;
};
VIEW_OWN_FITS(struct options, struct draws);

const struct invar_option view_solarise_options[] = {
    {"solarise", INVAR_OPTION_REAL_LIST, offsetof(struct options, probability), "[0]", 0, 1, NULL,
     "probability, by view; 1 or 3 channels only"},
    {"solarise_threshold", INVAR_OPTION_REAL, offsetof(struct options, threshold), "0.5", 0, 1, NULL,
     "values from here on, of 0 to 1, are inverted"},
    {0},
};

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    const struct options *own = VIEW_OWN(solarise, options);
    struct draws *drawn = VIEW_DRAW(solarise, params);

    drawn->on = (double)invar_random_uniform(random) < view_list_at(&own->probability, view) &&
                (sample->channels == 1 || sample->channels == 3);
    drawn->threshold = (float)own->threshold;
}

static bool applies(const struct view_job *job)
{
    const struct draws *drawn = VIEW_DRAWN(solarise, job->params);
    return drawn->on;
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
    const struct draws *drawn = VIEW_DRAWN(solarise, job->params);
    invert(job->image, view_pixels(job) * (size_t)job->output->channels, drawn->threshold);
}

const struct view_operation view_solarise = {"solarise", VIEW_IMAGES, 4, draw, applies, apply, true};
