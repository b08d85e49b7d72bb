/* SPDX-License-Identifier: Apache-2.0 */

/* One view of one sample: the work space, the checks, and the two public ways to make it. */

#include "invar/memory.h"
#include "view/view.h"

#include <math.h>

static bool output_check(const struct invar_view_output *output, struct invar_error *err)
{
    if (output->channels < 1 || output->channels > VIEW_MAX_CHANNELS)
        return invar_error_set(err, INVAR_ERROR_USAGE, "views of %d channels cannot be made; give 1 to %d channels",
                               output->channels, VIEW_MAX_CHANNELS);
    if (output->height < 1 || output->width < 1 || output->height > INT32_MAX / 64 || output->width > INT32_MAX / 64)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "views of %d x %d pixels cannot be made; set data.size to at least 1", output->height,
                               output->width);
    for (int c = 0; c < output->channels; c++)
        if (!isfinite(output->mean[c]) || !(output->deviation[c] > 0.0f) || !isfinite(output->deviation[c]))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "channel %d cannot be standardised by mean %g and deviation %g; the deviation must "
                                   "be above 0",
                                   c, (double)output->mean[c], (double)output->deviation[c]);
    return true;
}

static bool axis_create(struct view_axis *axis, int count, struct invar_error *err)
{
    axis->count = count;
    axis->index = invar_alloc(VIEW_MAX_TAPS * (size_t)count, sizeof(*axis->index), err);
    axis->weight = invar_alloc(VIEW_MAX_TAPS * (size_t)count, sizeof(*axis->weight), err);
    return axis->index && axis->weight;
}

/* Sampling tables, spans and scratch of images. */
static bool image_workspace(struct invar_view_workspace *workspace, const struct invar_view_output *output,
                            struct invar_error *err)
{
    const size_t height = (size_t)output->height, width = (size_t)output->width, channels = (size_t)output->channels;
    const size_t kernel = (size_t)view_blur_kernel(output);
    size_t pixels;

    if (!invar_size_multiply(height, width, &pixels))
        return invar_error_set(err, INVAR_ERROR_MEMORY,
                               "views of %d x %d pixels are too large; set a smaller data.size", output->height,
                               output->width);
    workspace->blur_kernel = (int)kernel;
    if (!axis_create(&workspace->rows, output->height, err) || !axis_create(&workspace->columns, output->width, err))
        return false;
    workspace->row_spans = invar_alloc(height, sizeof(struct view_span), err);
    workspace->column_spans = invar_alloc(width, sizeof(struct view_span), err);
    workspace->lines = invar_alloc(VIEW_MAX_TAPS * channels * width, sizeof(float), err);
    workspace->packed = invar_alloc(VIEW_MAX_TAPS * width, sizeof(uint32_t), err);
    workspace->plane = invar_alloc(pixels, sizeof(float), err);
    workspace->padded = invar_alloc(width + kernel, sizeof(float), err);
    workspace->blur_weight = invar_alloc(kernel / 2 + 1, sizeof(float), err);
    return workspace->row_spans && workspace->column_spans && workspace->lines && workspace->packed &&
           workspace->plane && workspace->padded && workspace->blur_weight;
}

struct invar_view_workspace *invar_view_workspace_create(const struct invar_view_output *output,
                                                         struct invar_error *err)
{
    const struct view_kind *kind = view_kind_of(output->kind);
    struct invar_view_workspace *workspace =
        kind->output_check(output, err) ? invar_alloc(1, sizeof(*workspace), err) : NULL;
    if (!workspace)
        return NULL;
    workspace->height = output->height;
    workspace->width = output->width;
    workspace->channels = output->channels;
    if (kind->workspace(workspace, output, err))
        return workspace;
    invar_view_workspace_free(workspace);
    return NULL;
}

void invar_view_workspace_free(struct invar_view_workspace *workspace)
{
    if (!workspace)
        return;
    invar_free(workspace->rows.index);
    invar_free(workspace->rows.weight);
    invar_free(workspace->columns.index);
    invar_free(workspace->columns.weight);
    invar_free(workspace->row_spans);
    invar_free(workspace->column_spans);
    invar_free(workspace->lines);
    invar_free(workspace->packed);
    invar_free(workspace->plane);
    invar_free(workspace->padded);
    invar_free(workspace->blur_weight);
    invar_logmel_free(workspace->logmel);
    invar_free(workspace->wave);
    invar_free(workspace->other);
    invar_free(workspace);
}

static bool image_sample_check(const struct invar_view_output *output, const struct invar_sample *sample,
                               struct invar_error *err)
{
    const long long index = (long long)sample->index;

    if (sample->dtype != INVAR_UINT8 && sample->dtype != INVAR_UINT16 && sample->dtype != INVAR_FLOAT32)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "sample %lld: has type %s, but image views need uint8, uint16 or float32", index,
                               invar_dtype_name(sample->dtype));
    if (sample->channels != output->channels)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "sample %lld: has %d channels, but views of %d were asked for; set data.channels to "
                               "convert all samples",
                               index, sample->channels, output->channels);
    if (!sample->data || sample->height < 1 || sample->width < 1 || sample->width > INT32_MAX / VIEW_MAX_CHANNELS ||
        sample->height > INT32_MAX / VIEW_MAX_CHANNELS)
        return invar_error_set(err, INVAR_ERROR_DATA, "sample %lld: %d x %d pixels make no image", index,
                               sample->height, sample->width);
    return true;
}

const struct view_kind view_kind_image = {view_image_plain, output_check, image_sample_check, image_workspace};

bool view_sample_check(const struct invar_view_output *output, const struct invar_sample *sample,
                       struct invar_error *err)
{
    if (sample->kind != output->kind)
        return invar_error_set(err, INVAR_ERROR_DATA, "sample %lld: is of another kind of data than the views",
                               (long long)sample->index);
    return view_kind_of(output->kind)->sample_check(output, sample, err);
}

static bool workspace_check(const struct invar_view_workspace *workspace, const struct invar_view_output *output,
                            struct invar_error *err)
{
    if (workspace->height == output->height && workspace->width == output->width &&
        workspace->channels == output->channels)
        return true;
    return invar_error_set(
        err, INVAR_ERROR_USAGE, "the work space is for views of %d x %d x %d, but %d x %d x %d were asked for",
        workspace->channels, workspace->height, workspace->width, output->channels, output->height, output->width);
}

static bool params_check(const struct invar_view_params *params, const struct invar_sample *sample,
                         struct invar_error *err)
{
    const float right = params->crop_x + params->crop_width, bottom = params->crop_y + params->crop_height;

    if (params->crop_x >= 0.0f && params->crop_y >= 0.0f && params->crop_width >= 1.0f && params->crop_height >= 1.0f &&
        right <= (float)sample->width && bottom <= (float)sample->height)
        return true;
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "sample %lld: the crop box %g, %g, %g x %g is not inside its %d x %d pixels",
                           (long long)sample->index, (double)params->crop_x, (double)params->crop_y,
                           (double)params->crop_width, (double)params->crop_height, sample->width, sample->height);
}

bool invar_view_apply(const struct invar_view_params *params, const struct invar_view_output *output,
                      const struct invar_sample *sample, struct invar_view_workspace *workspace, float *out,
                      struct invar_error *err)
{
    const struct view_job job = {params, output, sample, workspace, out, sample, 1, 0, NULL};

    if (!workspace_check(workspace, output, err) || !view_sample_check(output, sample, err) ||
        (sample->kind == INVAR_DATA_IMAGE && !params_check(params, sample, err)))
        return false;
    view_run(&job);
    return true;
}

bool invar_view_plain(const struct invar_view_output *output, const struct invar_sample *sample,
                      struct invar_view_workspace *workspace, float *out, struct invar_error *err)
{
    const struct view_job job = {NULL, output, sample, workspace, out, sample, 1, 0, NULL};

    if (!workspace_check(workspace, output, err) || !view_sample_check(output, sample, err))
        return false;
    view_run_plain(&job);
    return true;
}
