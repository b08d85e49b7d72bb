/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and settings that the tests of the views share. */
#ifndef TESTS_VIEW_SUBJECT_H
#define TESTS_VIEW_SUBJECT_H

#include "test.h"
#include "invar/expert/random.h"
#include "invar/view.h"
#include "view/view.h"

/** A sample of random bytes that owns its data (free sample.data). */
static inline struct invar_sample subject_sample(int height, int width, int channels, int64_t index)
{
    const size_t size = (size_t)height * (size_t)width * (size_t)channels;
    struct invar_random random = invar_random_stream(7, INVAR_RANDOM_TEST, 0, (uint64_t)index, (uint32_t)channels);
    uint8_t *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)invar_random_below(&random, 256);
    return (struct invar_sample){INVAR_DATA_IMAGE, INVAR_UINT8, height, width, channels, data, index, -1, -1};
}

static inline void subject_free(struct invar_sample *sample)
{
    free((void *)(uintptr_t)sample->data);
    sample->data = NULL;
}

/** Sets an option by its name, as those must be that operations keep to themselves. */
static inline void subject_set(struct invar_view_options *options, const char *assignment)
{
    struct invar_error err = {0};
    if (!invar_options_set(invar_view_option_table, options, assignment, &err))
        fail_msg("%s: %s", assignment, err.message);
}

/** How solarise keeps its draw. */
struct subject_solarise {
    bool on;
    float threshold;
};
static inline struct subject_solarise *subject_solarise(struct invar_view_params *params)
{
    return (void *)params->own[VIEW_PLACE_solarise];
}

/** Settings under which a view is the standardised sample. */
static inline struct invar_view_options subject_identity(void)
{
    return (struct invar_view_options){
        .count = 2,
        .image.crop = {2, {1.0, 1.0}},
        .image.crop_aspect = {2, {0.75, 4.0 / 3.0}},
        .image.blur = {1, {0.0}},
        .image.blur_sigma = {2, {0.1, 2.0}},
        .mix = {1, {0.0}},
        .mix_share = {2, {0.5, 1.0}},
    };
}

/** The SimCLR/BYOL set of objectives.md 6.1. */
static inline struct invar_view_options subject_simclr(void)
{
    struct invar_view_options options = subject_identity();
    options.image.crop = (struct invar_real_list){2, {0.08, 1.0}};
    options.image.flip = 0.5;
    options.image.jitter = 0.8;
    options.image.brightness = 0.4;
    options.image.contrast = 0.4;
    options.image.saturation = 0.2;
    options.image.hue = 0.1;
    options.image.grayscale = 0.2;
    options.image.blur = (struct invar_real_list){2, {1.0, 0.1}};
    subject_set(&options, "solarise=[0, 0.2]");
    options.image.gain = 0.2;
    options.image.offset = 0.1;
    return options;
}

/** Mean 0 and deviation 1: the view in 0..1. */
static inline struct invar_view_output subject_output(int height, int width, int channels)
{
    struct invar_view_output output = {.height = height, .width = width, .channels = channels};
    for (int c = 0; c < 16; c++)
        output.deviation[c] = 1.0f;
    return output;
}

/** Parameters that change nothing. */
static inline struct invar_view_params subject_params(const struct invar_sample *sample)
{
    struct invar_view_params params = {
        .crop_width = (float)sample->width,
        .crop_height = (float)sample->height,
        .jitter_order = {0, 1, 2, 3},
        .brightness = 1.0f,
        .contrast = 1.0f,
        .saturation = 1.0f,
    };
    for (int c = 0; c < 16; c++)
        params.gain[c] = 1.0f;
    return params;
}

#endif
