/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The image moved by whole pixels, what comes in being copies of its border: the random crop of an image that was
 * padded by as much on each side (DrQ, Yarats et al. 2021; ReLIC's agents pad by 4).
 */

#include "view/view.h"

#include <string.h>

struct options {
    int64_t pixels;
};
struct draws {
    int down, right; /* of the window over the padded image */
};
VIEW_OWN_FITS(struct options, struct draws);

const struct invar_option view_shift_options[] = {
    {"shift", INVAR_OPTION_INT, offsetof(struct options, pixels), "0", 0, 1024, NULL,
     "images: moved by up to so many pixels each way, the border copied"},
    {0},
};

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    const struct options *own = VIEW_OWN(shift, options);
    struct draws *drawn = VIEW_DRAW(shift, params);
    const uint32_t places = 2 * (uint32_t)own->pixels + 1;

    (void)sample, (void)view;
    drawn->down = (int)invar_random_below(random, places) - (int)own->pixels;
    drawn->right = (int)invar_random_below(random, places) - (int)own->pixels;
}

static bool applies(const struct view_job *job)
{
    const struct draws *drawn = VIEW_DRAWN(shift, job->params);
    return drawn->down != 0 || drawn->right != 0;
}

/* out may be in */
static void row_shift(const float *in, int width, int right, float *out)
{
    const int by = right < -width ? -width : right > width ? width : right;
    const int kept = width - (by < 0 ? -by : by);
    const float border = by > 0 ? in[width - 1] : in[0];

    memmove(out + (by < 0 ? -by : 0), in + (by > 0 ? by : 0), (size_t)kept * sizeof *out);
    for (int x = 0; x < width - kept; x++)
        out[by > 0 ? kept + x : x] = border;
}

/* In the order in which no row is overwritten before it was read for the last time. */
static void plane_shift(float *plane, int height, int width, const struct draws *drawn)
{
    for (int i = 0; i < height; i++) {
        const int y = drawn->down > 0 ? i : height - 1 - i, from = y + drawn->down;
        const int row = from < 0 ? 0 : from >= height ? height - 1 : from;
        row_shift(plane + (size_t)row * (size_t)width, width, drawn->right, plane + (size_t)y * (size_t)width);
    }
}

static void apply(const struct view_job *job)
{
    for (int c = 0; c < job->output->channels; c++)
        plane_shift(job->image + (size_t)c * view_pixels(job), job->output->height, job->output->width,
                    VIEW_DRAWN(shift, job->params));
}

const struct view_operation view_shift = {"shift", VIEW_IMAGES, 7, draw, applies, apply, false};
