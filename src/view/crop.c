/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random resized crop and horizontal flip, in one resampling. The box is drawn as torchvision does: ten attempts at a
 * uniform area and a log-uniform aspect, then the largest centred box of allowed aspect. Sampling is at half-pixel
 * centres, without antialiasing, and never reads outside the box.
 */

#include "view/view.h"

#include <math.h>

#define ATTEMPTS 10
#define CUBIC (-0.75) /* the free parameter of cubic convolution; as in PyTorch and OpenCV */

static void box_set(struct invar_view_params *params, int x, int y, int width, int height)
{
    params->crop_x = (float)x;
    params->crop_y = (float)y;
    params->crop_width = (float)width;
    params->crop_height = (float)height;
}

static void box_fallback(struct invar_view_params *params, const struct invar_sample *sample, double low, double high)
{
    const double aspect = (double)sample->width / sample->height;
    int width = sample->width, height = sample->height;

    if (aspect < low)
        height = (int)lrint(width / low);
    else if (aspect > high)
        width = (int)lrint(height * high);
    height = height < 1 ? 1 : height;
    width = width < 1 ? 1 : width;
    box_set(params, (sample->width - width) / 2, (sample->height - height) / 2, width, height);
}

static void box_draw(struct invar_view_params *params, const struct invar_view_options *options,
                     const struct invar_real_list *crop, const struct invar_sample *sample, struct invar_random *random)
{
    const double area = (double)sample->width * sample->height;
    const double low = view_list_at(&options->image.crop_aspect, 0),
                 high = view_list_at(&options->image.crop_aspect, 1);

    for (int i = 0; i < ATTEMPTS; i++) {
        const double target =
            area * (double)invar_random_range(random, (float)view_list_at(crop, 0), (float)view_list_at(crop, 1));
        const double aspect = exp((double)invar_random_range(random, (float)log(low), (float)log(high)));
        const double width = rint(sqrt(target * aspect)), height = rint(sqrt(target / aspect));
        if (!(width >= 1 && width <= sample->width && height >= 1 && height <= sample->height))
            continue;
        const int x = (int)invar_random_below(random, (uint32_t)(sample->width - (int)width + 1));
        const int y = (int)invar_random_below(random, (uint32_t)(sample->height - (int)height + 1));
        box_set(params, x, y, (int)width, (int)height);
        return;
    }
    box_fallback(params, sample, low, high);
}

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    const struct invar_real_list *crop = view < options->count ? &options->image.crop : &options->local_crop;

    params->flip = (double)invar_random_uniform(random) < options->image.flip;
    if (view_list_at(crop, 0) >= 1.0)
        box_set(params, 0, 0, sample->width, sample->height);
    else
        box_draw(params, options, crop, sample, random);
}

static void weights_make(double fraction, int taps, double *weight)
{
    if (taps == 2) {
        weight[0] = 1.0 - fraction;
        weight[1] = fraction;
        return;
    }
    for (int t = 0; t < 4; t++) {
        const double d = fabs(fraction - (t - 1));
        weight[t] = d <= 1.0 ? ((CUBIC + 2.0) * d - (CUBIC + 3.0)) * d * d + 1.0
                             : ((CUBIC * d - 5.0 * CUBIC) * d + 8.0 * CUBIC) * d - 4.0 * CUBIC;
    }
}

static void axis_make(struct view_axis *axis, int taps, double origin, double length, int size, bool flip)
{
    const double scale = length / axis->count;
    const int first = (int)origin, end = (int)ceil(origin + length);
    const int last = (end < size ? end : size) - 1;

    for (int i = 0; i < axis->count; i++) {
        const int position = flip ? axis->count - 1 - i : i;
        const double at = origin + (position + 0.5) * scale - 0.5;
        const double base = floor(at);
        double weight[VIEW_MAX_TAPS];
        weights_make(at - base, taps, weight);
        for (int t = 0; t < taps; t++) {
            const int pixel = (int)base + t - (taps / 2 - 1);
            axis->index[t * axis->count + i] = pixel < first ? first : pixel > last ? last : pixel;
            axis->weight[t * axis->count + i] = (float)weight[t];
        }
    }
}

/* Every pixel is its own: weights would be 1 and 0. Numbers that are no part of a whole would be kept in 0..1. */
static bool is_as_it_is(const struct view_job *job)
{
    const struct invar_view_params *params = job->params;
    const struct invar_sample *sample = job->sample;

    return sample->dtype != INVAR_FLOAT32 && !params->flip && sample->width == job->output->width &&
           sample->height == job->output->height && (int)params->crop_width == sample->width &&
           (int)params->crop_height == sample->height;
}

static void apply(const struct view_job *job)
{
    const struct invar_view_params *params = job->params;
    const int taps = job->output->interpolation == INVAR_BICUBIC ? 4 : 2;

    if (is_as_it_is(job)) {
        view_image_as_is(job);
        return;
    }
    axis_make(&job->workspace->rows, taps, (double)params->crop_y, (double)params->crop_height, job->sample->height,
              false);
    axis_make(&job->workspace->columns, taps, (double)params->crop_x, (double)params->crop_width, job->sample->width,
              params->flip);
    view_resample(job, taps);
}

const struct view_operation view_crop = {"crop", VIEW_IMAGES, 0, draw, NULL, apply, false};
