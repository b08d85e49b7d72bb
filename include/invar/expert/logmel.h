/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_LOGMEL_H
#define INVAR_LOGMEL_H

#include "invar/error.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Log-mel spectrograms (`LOGMEL`, tests/golden/README.md): frame t is samples [t * hop, t * hop + n_fft) under a
 * periodic Hann window, nothing centred or padded; power |X_k|²; triangles of peak 1 between mels + 2 points equally
 * spaced on the HTK mel scale from f_min to f_max; log(mel + 1e-6).
 */
struct invar_logmel_options {
    double rate;   /**< samples a second */
    int64_t n_fft; /**< samples of a frame, even */
    int64_t hop;   /**< samples between the beginnings of frames */
    int64_t mels;
    double f_min, f_max; /**< Hz; f_max at most rate / 2 */
};

/** A plan, a window and a filter bank; one thread at a time may use it. NULL with err set for constants that do not fit
 * each other. */
struct invar_logmel;
struct invar_logmel *invar_logmel_create(const struct invar_logmel_options *options, struct invar_error *err);
void invar_logmel_free(struct invar_logmel *logmel);

/** 1 + floor((samples - n_fft) / hop); 0 when samples < n_fft. */
int64_t invar_logmel_frames(const struct invar_logmel_options *options, int64_t samples);
/** Samples under so many frames: n_fft + (frames - 1) * hop. */
int64_t invar_logmel_span(const struct invar_logmel_options *options, int64_t frames);
/** Bands that hold no frequency of the transform and so are log(1e-6) whatever the signal: more n_fft or fewer mels are
 * wanted. */
int64_t invar_logmel_empty(const struct invar_logmel *logmel);

/** clip[start .. start + count) into out[count]; what lies outside of clip[samples] is silence. */
void invar_logmel_window(const float *clip, int64_t samples, int64_t start, int64_t count, float *out);
/** All frames of signal[samples]; value m of frame t goes to out[t * frame_stride + m * mel_stride]: (mels, 1) makes
 * [frames][mels], (1, frames) makes [mels][frames]. */
void invar_logmel_apply(struct invar_logmel *logmel, const float *signal, int64_t samples, int64_t frame_stride,
                        int64_t mel_stride, float *out);

#ifdef __cplusplus
}
#endif

#endif
