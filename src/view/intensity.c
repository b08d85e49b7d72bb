/* SPDX-License-Identifier: Apache-2.0 */

/* All channels times one factor, 1 + strength x a normal number that is kept within two deviations (ReLIC's agents). */

#include "view/view.h"

struct options {
    double strength;
};
struct draws {
    bool on;
    float factor;
};
VIEW_OWN_FITS(struct options, struct draws);

const struct invar_option view_intensity_options[] = {
    {"intensity", INVAR_OPTION_REAL, offsetof(struct options, strength), "0", 0, 0.5, NULL,
     "images, strength s: all channels times 1 + s n, n normal and kept in -2 to 2"},
    {0},
};

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    const struct options *own = VIEW_OWN(intensity, options);
    struct draws *drawn = VIEW_DRAW(intensity, params);
    const float normal = invar_random_normal(random);

    (void)sample, (void)view;
    drawn->on = own->strength > 0;
    drawn->factor = 1.0f + (float)own->strength * (normal < -2.0f ? -2.0f : normal > 2.0f ? 2.0f : normal);
}

static bool applies(const struct view_job *job)
{
    const struct draws *drawn = VIEW_DRAWN(intensity, job->params);
    return drawn->on;
}

VIEW_CLONES static void scale(float *image, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        image[i] *= factor;
}

static void apply(const struct view_job *job)
{
    const struct draws *drawn = VIEW_DRAWN(intensity, job->params);
    scale(job->image, view_pixels(job) * (size_t)job->output->channels, drawn->factor);
}

const struct view_operation view_intensity = {"intensity", VIEW_IMAGES, 8, draw, applies, apply, false};
