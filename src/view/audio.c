/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Clips: a window of the waveform, what is done to it, its log-mel spectrogram, what is done to that;
 * objectives.md 6.2. The plain view is the beginning of the clip, silence behind its end.
 */

#include "invar/memory.h"
#include "view/view.h"

#include <math.h>

static bool output_check(const struct invar_view_output *output, struct invar_error *err)
{
    if (output->channels != 1 || output->height != output->logmel.mels || output->width < 1)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "views of clips have 1 channel and %lld mels, %d x %d x %d was asked for: set data.mels=%d",
            (long long)output->logmel.mels, output->channels, output->height, output->width, output->height);
    if (isfinite(output->mean[0]) && output->deviation[0] > 0.0f && isfinite(output->deviation[0]))
        return true;
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "spectrograms cannot be standardised by mean %g and deviation %g; the deviation must be "
                           "above 0",
                           (double)output->mean[0], (double)output->deviation[0]);
}

static bool sample_check(const struct invar_view_output *output, const struct invar_sample *sample,
                         struct invar_error *err)
{
    (void)output;
    if (sample->data && sample->dtype == INVAR_FLOAT32 && sample->height == 1 && sample->channels == 1 &&
        sample->width >= 1)
        return true;
    return invar_error_set(err, INVAR_ERROR_DATA, "clip %lld: %d x %d numbers of type %s make no waveform of float32",
                           (long long)sample->index, sample->height, sample->width, invar_dtype_name(sample->dtype));
}

static bool workspace(struct invar_view_workspace *space, const struct invar_view_output *output,
                      struct invar_error *err)
{
    space->span = invar_logmel_span(&output->logmel, output->width);
    space->logmel = invar_logmel_create(&output->logmel, err);
    if (!space->logmel)
        return false;
    space->wave = invar_alloc((size_t)space->span, sizeof(float), err);
    space->other = invar_alloc((size_t)space->span, sizeof(float), err);
    return space->wave && space->other;
}

void view_window(const struct view_job *job, const struct invar_sample *clip, float place, float shift, float *out)
{
    const int64_t span = job->workspace->span, rest = clip->width > span ? clip->width - span : 0;
    const double start = floor((double)place * (double)rest) + round((double)shift * (double)span);

    invar_logmel_window(clip->data, clip->width, (int64_t)start, span, out);
}

double view_power(const float *wave, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)wave[i] * (double)wave[i];
    return sum / (double)count;
}

static void plain(const struct view_job *job)
{
    view_window(job, job->sample, 0.0f, 0.0f, job->workspace->wave);
    view_spectrogram.apply(job);
    view_standardise.apply(job);
}

const struct view_kind view_kind_audio = {plain, output_check, sample_check, workspace};
