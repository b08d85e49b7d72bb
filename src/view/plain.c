/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The plain view of evaluation: the shorter side resized with antialiasing, the centre cropped, standardised. A
 * triangle filter whose half width is the scale, at least one pixel, cut off at the image's edge and normalised
 * (torchvision's antialiased bilinear), or Keys' cubic with a = -1/2 of twice that width (its bicubic). Source rows are
 * taken in order and added to the output rows they belong to, so that the work space depends on the output only;
 * weights are computed where they are used, since their number does not.
 */

#include "view/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

VIEW_INLINE float span_weight(const struct view_span *span, int k)
{
    const float apart = fabsf((float)k - span->centre) * span->inverse, weight = 1.0f - apart;

    if (!span->cubic)
        return weight > 0.0f ? weight * span->norm : 0.0f;
    if (apart < 1.0f)
        return ((1.5f * apart - 2.5f) * apart * apart + 1.0f) * span->norm;
    return apart < 2.0f ? (((-0.5f * apart + 2.5f) * apart - 4.0f) * apart + 2.0f) * span->norm : 0.0f;
}

/* Positions first .. first + count - 1 of a side of `size` pixels that is resized to `resized`. */
static void spans_make(struct view_span *spans, int count, int first, int size, int resized, bool cubic)
{
    const double scale = (double)size / resized, unit = scale > 1.0 ? scale : 1.0, support = cubic ? 2.0 * unit : unit;

    for (int i = 0; i < count; i++) {
        const double centre = (first + i + 0.5) * scale;
        const double low = centre - support + 0.5, high = centre + support + 0.5;
        const int start = low > 0.0 ? (int)low : 0, end = high < size ? (int)high : size;
        double sum = 0.0;
        spans[i] =
            (struct view_span){start, end - start, (float)(centre - 0.5 - start), (float)(1.0 / unit), 1.0f, cubic};
        for (int k = 0; k < end - start; k++)
            sum += (double)span_weight(&spans[i], k);
        spans[i].norm = (float)(1.0 / sum);
    }
}

VIEW_INLINE void line_sum(const void *row, enum invar_dtype dtype, int channels, const struct view_span *spans,
                          int width, float *line)
{
    for (int x = 0; x < width; x++) {
        size_t pixel = (size_t)spans[x].start * (size_t)channels;
        float sum[VIEW_MAX_CHANNELS] = {0};
        for (int k = 0; k < spans[x].count; k++, pixel += (size_t)channels) {
            const float weight = span_weight(&spans[x], k);
            for (int c = 0; c < channels; c++)
                sum[c] += weight * view_number(row, dtype, pixel + (size_t)c);
        }
        for (int c = 0; c < channels; c++)
            line[c * width + x] = sum[c];
    }
}

/* Sums of a known number of channels stay in registers. */
VIEW_INLINE void line_of(const void *row, enum invar_dtype dtype, int channels, const struct view_span *spans,
                         int width, float *line)
{
    if (channels == 1)
        line_sum(row, dtype, 1, spans, width, line);
    else if (channels == 3)
        line_sum(row, dtype, 3, spans, width, line);
    else
        line_sum(row, dtype, channels, spans, width, line);
}

/* line[channels][width] */
static void line_make(const struct invar_sample *sample, int y, const struct view_span *spans, int width, float *line)
{
    const void *row = view_row(sample, y);

    if (sample->dtype == INVAR_UINT8)
        line_of(row, INVAR_UINT8, sample->channels, spans, width, line);
    else if (sample->dtype == INVAR_UINT16)
        line_of(row, INVAR_UINT16, sample->channels, spans, width, line);
    else
        line_of(row, INVAR_FLOAT32, sample->channels, spans, width, line);
}

VIEW_CLONES static void line_add(float *restrict out, const float *restrict line, float weight, int width)
{
    for (int x = 0; x < width; x++)
        out[x] += weight * line[x];
}

VIEW_CLONES static void to_unit(float *image, size_t count, float whole)
{
    for (size_t i = 0; i < count; i++)
        image[i] /= whole;
}

static void resize(const struct view_job *job)
{
    const struct invar_sample *sample = job->sample;
    const int height = job->output->height, width = job->output->width, channels = job->output->channels;
    const struct view_span *rows = job->workspace->row_spans;
    float *line = job->workspace->lines;
    int first = 0;

    memset(job->image, 0, view_pixels(job) * (size_t)channels * sizeof(float));
    for (int source = rows[0].start; source < rows[height - 1].start + rows[height - 1].count; source++) {
        line_make(sample, source, job->workspace->column_spans, width, line);
        while (rows[first].start + rows[first].count <= source)
            first++;
        for (int y = first; y < height && rows[y].start <= source; y++)
            for (int c = 0; c < channels; c++)
                line_add(job->image + ((size_t)c * (size_t)height + (size_t)y) * (size_t)width, line + c * width,
                         span_weight(&rows[y], source - rows[y].start), width);
    }
    to_unit(job->image, view_pixels(job) * (size_t)channels, view_whole(sample->dtype));
    if (rows->cubic) /* overshoots at edges, which an image cannot */
        for (size_t i = 0; i < view_pixels(job) * (size_t)channels; i++)
            job->image[i] = view_clamp(job->image[i]);
}

VIEW_INLINE void convert_of(const struct view_job *job, enum invar_dtype dtype)
{
    const void *data = job->sample->data;
    const size_t pixels = view_pixels(job), channels = (size_t)job->output->channels;

    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++)
            job->image[c * pixels + i] = view_number(data, dtype, i * channels + c) / view_whole(dtype);
}

VIEW_CLONES void view_image_as_is(const struct view_job *job)
{
    if (job->sample->dtype == INVAR_UINT8)
        convert_of(job, INVAR_UINT8);
    else if (job->sample->dtype == INVAR_UINT16)
        convert_of(job, INVAR_UINT16);
    else
        convert_of(job, INVAR_FLOAT32);
}

void view_image_plain(const struct view_job *job)
{
    const int64_t height = job->output->height, width = job->output->width;
    const int64_t from_height = job->sample->height, from_width = job->sample->width;

    if (height == from_height && width == from_width) {
        view_image_as_is(job);
    } else {
        /* The side that is tight after scaling fits exactly, the other is truncated, as torchvision has it. */
        const int64_t shorter = height < width ? height : width, wanted = job->output->plain.resize;
        const int64_t side = wanted ? wanted : shorter, fit_height = height * side / shorter;
        const int64_t fit_width = width * side / shorter;
        const bool tight_width = fit_width * from_height >= fit_height * from_width;
        const bool cubic = job->output->plain.interpolation == INVAR_BICUBIC;
        const int64_t new_height = tight_width ? fit_width * from_height / from_width : fit_height;
        const int64_t new_width = tight_width ? fit_width : fit_height * from_width / from_height;
        spans_make(job->workspace->row_spans, (int)height, (int)lrint((double)(new_height - height) / 2.0),
                   (int)from_height, (int)new_height, cubic);
        spans_make(job->workspace->column_spans, (int)width, (int)lrint((double)(new_width - width) / 2.0),
                   (int)from_width, (int)new_width, cubic);
        resize(job);
    }
    view_standardise.apply(job);
}

bool invar_plain_view_read(struct invar_plain_view *plain, const char *text, struct invar_error *err)
{
    char *end = NULL;
    const long long resize = text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : 0;
    const char *name = end ? end + (*end == ',') : text;
    const bool cubic = strcmp(name, "bicubic") == 0, linear = strcmp(name, "bilinear") == 0 || (end && !*end);

    *plain = (struct invar_plain_view){resize, cubic ? INVAR_BICUBIC : INVAR_BILINEAR};
    return ((cubic || linear) && resize >= 0 && resize <= 65536 && (!end || !*end || *end == ',')) ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "the plain view is \"%s\"; expected pixels of the shorter side, an interpolation (bilinear, "
                           "bicubic), or both, as in 256,bicubic",
                           text);
}
