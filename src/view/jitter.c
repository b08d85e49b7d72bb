/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Colour jitter with torchvision's definitions: brightness multiplies, contrast blends with the mean of the grayscale
 * image, saturation blends with the grayscale image, hue turns; in a drawn order, clamped to 0..1 after each. Grayscale
 * images have brightness and contrast only.
 */

#include "view/view.h"

enum { BRIGHTNESS, CONTRAST, SATURATION, HUE, KINDS };

static float factor_draw(struct invar_random *random, double strength)
{
    const float low = strength < 1.0 ? (float)(1.0 - strength) : 0.0f;
    return invar_random_range(random, low, (float)(1.0 + strength));
}

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    int64_t order[KINDS] = {BRIGHTNESS, CONTRAST, SATURATION, HUE};
    const bool colour = sample->channels == 3;

    (void)view;
    params->jitter = (double)invar_random_uniform(random) < options->image.jitter && (colour || sample->channels == 1);
    params->brightness = factor_draw(random, options->image.brightness);
    params->contrast = factor_draw(random, options->image.contrast);
    params->saturation = factor_draw(random, options->image.saturation);
    params->hue = invar_random_range(random, (float)-options->image.hue, (float)options->image.hue);
    invar_random_shuffle(random, order, KINDS);
    for (int i = 0; i < KINDS; i++)
        params->jitter_order[i] = (uint8_t)order[i];
    if (!colour) {
        params->saturation = 1.0f;
        params->hue = 0.0f;
    }
}

VIEW_CLONES static void brightness_apply(float *image, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        image[i] = view_clamp(factor * image[i]);
}

#define CHUNK 1024 /* pixels summed in float before they join the double */

VIEW_CLONES static double gray_sum(const float *red, const float *green, const float *blue, size_t pixels)
{
    double total = 0.0;

    for (size_t start = 0; start < pixels; start += CHUNK) {
        const size_t end = pixels - start < CHUNK ? pixels : start + CHUNK;
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t i = start; i < end; i++)
            sum += view_luma(red[i], green[i], blue[i]);
        total += (double)sum;
    }
    return total;
}

VIEW_CLONES static void contrast_apply(float *image, size_t count, float factor, float mean)
{
    const float rest = (1.0f - factor) * mean;
    for (size_t i = 0; i < count; i++)
        image[i] = view_clamp(factor * image[i] + rest);
}

VIEW_CLONES static void saturation_apply(float *restrict red, float *restrict green, float *restrict blue,
                                         size_t pixels, float factor)
{
    for (size_t i = 0; i < pixels; i++) {
        const float rest = (1.0f - factor) * view_luma(red[i], green[i], blue[i]);
        red[i] = view_clamp(factor * red[i] + rest);
        green[i] = view_clamp(factor * green[i] + rest);
        blue[i] = view_clamp(factor * blue[i] + rest);
    }
}

static void kind_apply(const struct view_job *job, int kind)
{
    const struct invar_view_params *params = job->params;
    const size_t pixels = view_pixels(job), count = pixels * (size_t)job->output->channels;
    const bool colour = job->output->channels == 3;
    /* The luma of a gray image is the image: its weights add up to 1. */
    float *red = job->image, *green = colour ? red + pixels : red, *blue = colour ? green + pixels : red;

    if (kind == BRIGHTNESS && params->brightness != 1.0f)
        brightness_apply(red, count, params->brightness);
    else if (kind == CONTRAST && params->contrast != 1.0f)
        contrast_apply(red, count, params->contrast, (float)(gray_sum(red, green, blue, pixels) / (double)pixels));
    else if (kind == SATURATION && colour && params->saturation != 1.0f)
        saturation_apply(red, green, blue, pixels, params->saturation);
    else if (kind == HUE && colour && params->hue != 0.0f)
        view_hue(red, pixels, params->hue);
}

static bool applies(const struct view_job *job)
{
    return job->params->jitter;
}

static void apply(const struct view_job *job)
{
    for (int i = 0; i < KINDS; i++)
        kind_apply(job, job->params->jitter_order[i]);
}

const struct view_operation view_jitter = {"jitter", VIEW_IMAGES, 1, draw, applies, apply, false};
