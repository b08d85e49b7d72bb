/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Gaussian blur: a separable kernel of odd size, about a tenth of the shorter side or as given, weights exp(-x^2 / (2
 * sigma^2)) that add up to 1, borders reflected without repeating the edge (as torchvision). The kernel is symmetric,
 * so that each pair of taps costs one product.
 */

#include "view/view.h"

#include <math.h>
#include <string.h>

#define BLOCK 32         /* sums held in registers */
#define NEGLIGIBLE 1e-9f /* a tap below this cannot change a float sum of values in 0..1 */

int view_blur_kernel(const struct invar_view_output *output)
{
    const int kernel = (output->height < output->width ? output->height : output->width) / 10 | 1;
    return output->blur_kernel > 0 ? output->blur_kernel : kernel < 3 ? 3 : kernel;
}

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    const double probability = view_list_at(&options->image.blur, view);
    const bool blur = (double)invar_random_uniform(random) < probability;

    (void)sample;
    if (blur)
        params->blur_sigma = invar_random_range(random, (float)view_list_at(&options->image.blur_sigma, 0),
                                                (float)view_list_at(&options->image.blur_sigma, 1));
}

static bool applies(const struct view_job *job)
{
    return job->params->blur_sigma > 0.0f;
}

/* weight[0 .. radius]; returns the radius beyond which weights are negligible. */
static int weights_make(float *weight, int radius, double sigma)
{
    double sum = 1.0;

    for (int i = 1; i <= radius; i++)
        sum += 2.0 * exp(-0.5 * (i / sigma) * (i / sigma));
    for (int i = 0; i <= radius; i++)
        weight[i] = (float)(exp(-0.5 * (i / sigma) * (i / sigma)) / sum);
    while (radius > 0 && weight[radius] < NEGLIGIBLE)
        radius--;
    return radius;
}

/* Mirrors at the edges as often as it takes: a kernel may be wider than a tiny image. */
static int reflect(int i, int size)
{
    if (size == 1)
        return 0;
    while (i < 0 || i >= size)
        i = i < 0 ? -i : 2 * (size - 1) - i;
    return i;
}

/* out[x] = sum over taps of weight * in[x + tap]; `in` has radius values before and after. */
VIEW_INLINE void row_blur(const float *in, const float *weight, int radius, int width, float *restrict out)
{
    int x = 0;

    for (; x + BLOCK <= width; x += BLOCK) {
        float sum[BLOCK];
        for (int i = 0; i < BLOCK; i++)
            sum[i] = weight[0] * in[x + i];
        for (int r = 1; r <= radius; r++)
            for (int i = 0; i < BLOCK; i++)
                sum[i] += weight[r] * (in[x + i - r] + in[x + i + r]);
        memcpy(out + x, sum, sizeof(sum));
    }
    for (; x < width; x++) {
        float sum = weight[0] * in[x];
        for (int r = 1; r <= radius; r++)
            sum += weight[r] * (in[x - r] + in[x + r]);
        out[x] = sum;
    }
}

VIEW_INLINE void column_blur(const float *plane, int y, int height, const float *weight, int radius, int width,
                             float *restrict out)
{
    const float *centre = plane + (size_t)y * (size_t)width;

    for (int x = 0; x < width; x++)
        out[x] = weight[0] * centre[x];
    for (int r = 1; r <= radius; r++) {
        const float *above = plane + (size_t)reflect(y - r, height) * (size_t)width;
        const float *below = plane + (size_t)reflect(y + r, height) * (size_t)width;
        for (int x = 0; x < width; x++)
            out[x] += weight[r] * (above[x] + below[x]);
    }
}

VIEW_CLONES static void plane_blur(float *image, float *plane, float *padded, const float *weight, int radius,
                                   int height, int width)
{
    for (int y = 0; y < height; y++) {
        const float *row = image + (size_t)y * (size_t)width;
        memcpy(padded + radius, row, (size_t)width * sizeof(float));
        for (int r = 1; r <= radius; r++) {
            padded[radius - r] = row[reflect(-r, width)];
            padded[radius + width - 1 + r] = row[reflect(width - 1 + r, width)];
        }
        row_blur(padded + radius, weight, radius, width, plane + (size_t)y * (size_t)width);
    }
    for (int y = 0; y < height; y++)
        column_blur(plane, y, height, weight, radius, width, image + (size_t)y * (size_t)width);
}

static void apply(const struct view_job *job)
{
    struct invar_view_workspace *workspace = job->workspace;
    const int height = job->output->height, width = job->output->width;
    const int radius =
        weights_make(workspace->blur_weight, workspace->blur_kernel / 2, (double)job->params->blur_sigma);

    for (int c = 0; c < job->output->channels; c++)
        plane_blur(job->image + (size_t)c * view_pixels(job), workspace->plane, workspace->padded,
                   workspace->blur_weight, radius, height, width);
}

const struct view_operation view_blur = {"blur", VIEW_IMAGES, 3, draw, applies, apply, false};
