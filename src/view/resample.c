/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Separable resampling of an interleaved image into planar floats. Source rows that an output row needs are
 * resampled along x into a line each and kept while neighbouring output rows need them too; lines are then blended.
 * Reading is scalar (the pixels lie anywhere), everything after it vectorises, and the work space depends on the output
 * only.
 */

#include "view/view.h"

#include <string.h>

/* Three channels are read as one 32-bit word, whose fourth byte belongs to the next pixel and is masked later. The last
 * row of the image has no next pixel at its end. */
VIEW_INLINE void read_rgb(const uint8_t *row, const int32_t *index, int width, bool last, uint32_t *packed)
{
    if (last) {
        for (int x = 0; x < width; x++) {
            const uint8_t *pixel = row + 3 * (size_t)index[x];
            packed[x] = (uint32_t)pixel[0] | (uint32_t)pixel[1] << 8 | (uint32_t)pixel[2] << 16;
        }
        return;
    }
    for (int x = 0; x < width; x++)
        memcpy(&packed[x], row + 3 * (size_t)index[x], sizeof(*packed));
}

VIEW_INLINE void read_channel(const uint8_t *row, const int32_t *index, int width, int channels, uint32_t *packed)
{
    for (int x = 0; x < width; x++)
        packed[x] = row[(size_t)channels * (size_t)index[x]];
}

VIEW_INLINE void blend_pixels(const uint32_t *packed, const float *weight, int width, int taps, int shift,
                              float *restrict line)
{
    for (int x = 0; x < width; x++) {
        float sum = 0.0f;
        for (int t = 0; t < taps; t++)
            sum += weight[t * width + x] * (float)(int32_t)(packed[t * width + x] >> shift & 255u);
        line[x] = sum;
    }
}

/* The same of numbers that are not bytes. */
VIEW_INLINE void blend_wide(const void *row, enum invar_dtype dtype, const struct view_axis *columns, int channels,
                            int taps, float *restrict line)
{
    const int width = columns->count;

    for (int c = 0; c < channels; c++)
        for (int x = 0; x < width; x++) {
            float sum = 0.0f;
            for (int t = 0; t < taps; t++) {
                const size_t pixel = (size_t)columns->index[t * width + x];
                sum += columns->weight[t * width + x] * view_number(row, dtype, pixel * (size_t)channels + (size_t)c);
            }
            line[c * width + x] = sum;
        }
}

/* line[channels][width] of source row y. */
VIEW_INLINE void line_make(const struct view_job *job, int y, int taps, float *line)
{
    const struct view_axis *columns = &job->workspace->columns;
    const struct invar_sample *sample = job->sample;
    const int width = columns->count, channels = sample->channels;
    const uint8_t *row = view_row(sample, y);
    uint32_t *packed = job->workspace->packed;

    if (sample->dtype == INVAR_UINT16) {
        blend_wide(row, INVAR_UINT16, columns, channels, taps, line);
        return;
    }
    if (sample->dtype == INVAR_FLOAT32) {
        blend_wide(row, INVAR_FLOAT32, columns, channels, taps, line);
        return;
    }
    if (channels == 3) {
        for (int t = 0; t < taps; t++)
            read_rgb(row, columns->index + t * width, width, y == sample->height - 1, packed + t * width);
        for (int c = 0; c < 3; c++)
            blend_pixels(packed, columns->weight, width, taps, 8 * c, line + c * width);
        return;
    }
    for (int c = 0; c < channels; c++) {
        for (int t = 0; t < taps; t++)
            read_channel(row + c, columns->index + t * width, width, channels, packed + t * width);
        blend_pixels(packed, columns->weight, width, taps, 0, line + c * width);
    }
}

/* Cubic weights overshoot: back into 0..1. */
VIEW_INLINE void blend_lines(const float *const *line, const float *weight, int width, int taps, float whole,
                             float *restrict out)
{
    for (int x = 0; x < width; x++) {
        float sum = 0.0f;
        for (int t = 0; t < taps; t++)
            sum += weight[t] * line[t][x];
        out[x] = view_clamp(sum / whole);
    }
}

VIEW_INLINE void resample(const struct view_job *job, int taps)
{
    const struct view_axis *rows = &job->workspace->rows;
    const int width = job->output->width, height = job->output->height, channels = job->output->channels;
    const size_t line_size = (size_t)width * (size_t)channels;
    int held[VIEW_MAX_TAPS] = {-1, -1, -1, -1};

    for (int y = 0; y < height; y++) {
        const float *line[VIEW_MAX_TAPS];
        float weight[VIEW_MAX_TAPS];
        /* The rows of one output row are neighbours, so that their remainders differ where they do. */
        for (int t = 0; t < taps; t++) {
            const int source = rows->index[t * height + y], slot = source % taps;
            float *lines = job->workspace->lines + (size_t)slot * line_size;
            if (held[slot] != source)
                line_make(job, source, taps, lines);
            held[slot] = source;
            line[t] = lines;
            weight[t] = rows->weight[t * height + y];
        }
        for (int c = 0; c < channels; c++) {
            blend_lines(line, weight, width, taps, view_whole(job->sample->dtype),
                        job->image + ((size_t)c * (size_t)height + (size_t)y) * (size_t)width);
            for (int t = 0; t < taps; t++)
                line[t] += width;
        }
    }
}

VIEW_CLONES static void resample_bilinear(const struct view_job *job)
{
    resample(job, 2);
}

VIEW_CLONES static void resample_bicubic(const struct view_job *job)
{
    resample(job, 4);
}

void view_resample(const struct view_job *job, int taps)
{
    if (taps == 2)
        resample_bilinear(job);
    else
        resample_bicubic(job);
}
