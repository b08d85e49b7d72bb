/* SPDX-License-Identifier: Apache-2.0 */
/* Log-mel spectrograms, `LOGMEL`, of several frames at once: spectra, and a sparse filter bank that makes bands. */
#include "invar/expert/logmel.h"

#include "base/elementary.h"
#include "data/audio/transform.h"
#include "invar/memory.h"
#include <math.h>
#include <string.h>

#define OFFSET 1e-6f /* under the logarithm */

/* One triangle: weight[count] from frequency number `first`. */
struct band {
    int64_t first, count;
    const float *weight;
};

struct invar_logmel {
    struct invar_logmel_options options;
    struct data_transform *transform;
    float *window;      /* [n_fft] */
    float *power;       /* [n_fft / 2 + 1][DATA_LANES] */
    struct band *bands; /* [mels] */
    float *weights;     /* of all bands: every frequency lies in two at most */
};

static double mel_of(double frequency)
{
    return 2595 * log10(1 + frequency / 700);
}

static double frequency_of(double mel)
{
    return 700 * (pow(10, mel / 2595) - 1);
}

static bool check(const struct invar_logmel_options *o, struct invar_error *err)
{
    if (!(o->rate > 0 && o->rate <= 1e9))
        return invar_error_set(err, INVAR_ERROR_USAGE, "a rate of %g samples a second makes no spectrogram", o->rate);
    if (o->n_fft < 2 || o->n_fft > 1 << 20 || o->n_fft % 2)
        return invar_error_set(err, INVAR_ERROR_USAGE, "n_fft: %lld, expected an even number from 2 to %d",
                               (long long)o->n_fft, 1 << 20);
    if (o->hop < 1 || o->hop > 1 << 20)
        return invar_error_set(err, INVAR_ERROR_USAGE, "hop: %lld, expected 1 to %d samples", (long long)o->hop,
                               1 << 20);
    if (o->mels < 1 || o->mels > o->n_fft / 2 + 1)
        return invar_error_set(err, INVAR_ERROR_USAGE, "mels: %lld, expected 1 to n_fft / 2 + 1, which is %lld",
                               (long long)o->mels, (long long)(o->n_fft / 2 + 1));
    if (!(o->f_min >= 0 && o->f_min < o->f_max && o->f_max <= o->rate / 2))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "f_min and f_max: %g to %g Hz, expected 0 <= f_min < f_max <= half the rate, %g Hz",
                               o->f_min, o->f_max, o->rate / 2);
    return true;
}

/* The triangle over low < centre < high in Hz, at frequency number k. */
static double triangle(const struct invar_logmel_options *o, const double corner[3], int64_t k)
{
    double frequency = (double)k * o->rate / (double)o->n_fft;
    double up = (frequency - corner[0]) / (corner[1] - corner[0]);
    double down = (corner[2] - frequency) / (corner[2] - corner[1]);
    return fmax(0, fmin(up, down));
}

static void make_bands(struct invar_logmel *l)
{
    const struct invar_logmel_options *o = &l->options;
    double low = mel_of(o->f_min), step = (mel_of(o->f_max) - low) / (double)(o->mels + 1);
    float *weight = l->weights;

    for (int64_t m = 0; m < o->mels; m++) {
        double corner[3];
        struct band *band = &l->bands[m];
        for (int i = 0; i < 3; i++)
            corner[i] = frequency_of(low + step * (double)(m + i));
        *band = (struct band){.weight = weight};
        for (int64_t k = 0; k <= o->n_fft / 2; k++) {
            double value = triangle(o, corner, k);
            if (!(value > 0))
                continue;
            if (band->count == 0)
                band->first = k;
            weight[band->count++] = (float)value;
        }
        weight += band->count;
    }
}

struct invar_logmel *invar_logmel_create(const struct invar_logmel_options *options, struct invar_error *err)
{
    struct invar_logmel *l = check(options, err) ? invar_alloc(1, sizeof *l, err) : NULL;
    if (!l)
        return NULL;
    size_t size = (size_t)options->n_fft, bins = size / 2 + 1;
    l->options = *options;
    l->window = invar_alloc(size, sizeof *l->window, err);
    l->power = invar_alloc(bins, DATA_LANES * sizeof *l->power, err);
    l->bands = invar_alloc((size_t)options->mels, sizeof *l->bands, err);
    l->weights = invar_alloc(2 * bins, sizeof *l->weights, err);
    l->transform = data_transform_create(options->n_fft, err);
    if (!l->window || !l->power || !l->bands || !l->weights || !l->transform) {
        invar_logmel_free(l);
        return NULL;
    }
    for (size_t i = 0; i < size; i++)
        l->window[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * (double)i / (double)size));
    make_bands(l);
    return l;
}

void invar_logmel_free(struct invar_logmel *l)
{
    if (!l)
        return;
    data_transform_free(l->transform);
    invar_free(l->window);
    invar_free(l->power);
    invar_free(l->bands);
    invar_free(l->weights);
    invar_free(l);
}

int64_t invar_logmel_frames(const struct invar_logmel_options *options, int64_t samples)
{
    return samples < options->n_fft ? 0 : 1 + (samples - options->n_fft) / options->hop;
}

int64_t invar_logmel_span(const struct invar_logmel_options *options, int64_t frames)
{
    return options->n_fft + (frames - 1) * options->hop;
}

int64_t invar_logmel_empty(const struct invar_logmel *l)
{
    int64_t empty = 0;
    for (int64_t m = 0; m < l->options.mels; m++)
        empty += l->bands[m].count == 0;
    return empty;
}

void invar_logmel_window(const float *clip, int64_t samples, int64_t start, int64_t count, float *out)
{
    int64_t from = start > 0 ? start : 0, to = start + count < samples ? start + count : samples;

    memset(out, 0, (size_t)count * sizeof *out);
    if (from < to)
        memcpy(out + (from - start), clip + from, (size_t)(to - from) * sizeof *out);
}

/* Frames number t .. t + DATA_LANES - 1 under the window; the last one again where there are no more. */
static void load(struct invar_logmel *l, const float *signal, int64_t t, int64_t frames)
{
    const float *from[DATA_LANES];

    for (int k = 0; k < DATA_LANES; k++)
        from[k] = signal + (t + k < frames ? t + k : frames - 1) * l->options.hop;
    for (int64_t i = 0; i < l->options.n_fft; i++) {
        float *place = data_transform_place(l->transform, i);
        for (int k = 0; k < DATA_LANES; k++)
            place[k] = l->window[i] * from[k][i];
    }
}

INVAR_CLONES static void log_band(const struct band *band, const data_lanes *power, float out[DATA_LANES])
{
    data_lanes sum = {0};

    for (int64_t k = 0; k < band->count; k++)
        sum += band->weight[k] * power[band->first + k];
    for (int i = 0; i < DATA_LANES; i++)
        out[i] = invar_log_f32(sum[i] + OFFSET);
}

void invar_logmel_apply(struct invar_logmel *l, const float *signal, int64_t samples, int64_t frame_stride,
                        int64_t mel_stride, float *out)
{
    const int64_t frames = invar_logmel_frames(&l->options, samples);

    for (int64_t t = 0; t < frames; t += DATA_LANES) {
        const int64_t some = frames - t < DATA_LANES ? frames - t : DATA_LANES;
        load(l, signal, t, frames);
        data_transform_power(l->transform, l->power);
        for (int64_t m = 0; m < l->options.mels; m++) {
            float value[DATA_LANES];
            log_band(&l->bands[m], (const data_lanes *)l->power, value);
            for (int64_t k = 0; k < some; k++)
                out[(t + k) * frame_stride + m * mel_stride] = value[k];
        }
    }
}
