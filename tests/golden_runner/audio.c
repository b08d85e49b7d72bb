/* SPDX-License-Identifier: Apache-2.0 */
/* Log-mel spectrograms, which there are in float32 only. */
#include "golden_runner/golden.h"

static bool run_logmel(struct golden_case *c, struct invar_error *err)
{
    const struct invar_logmel_options options = {.rate = golden_real(c, "sample_rate", 0),
                                                 .n_fft = (int64_t)golden_real(c, "n_fft", 0),
                                                 .hop = (int64_t)golden_real(c, "hop", 0),
                                                 .mels = (int64_t)golden_real(c, "n_mels", 0),
                                                 .f_min = golden_real(c, "f_min", 0),
                                                 .f_max = golden_real(c, "f_max", 0)};
    struct invar_logmel *logmel = invar_logmel_create(&options, err);
    struct invar_matrix signal = {0};
    float *out = NULL;
    bool ok = false;

    golden_fixed(c, "window", "\"hann_periodic\"");
    golden_fixed(c, "power", "2");
    golden_fixed(c, "mel_scale", "\"htk\"");
    golden_fixed(c, "mel_norm", "\"none\"");
    golden_fixed(c, "centre", "false");
    golden_fixed(c, "log", "\"natural\"");
    golden_fixed(c, "log_offset", "1e-6");
    if (golden_real(c, "win_length", (double)options.n_fft) != (double)options.n_fft)
        golden_fail(c, "the option win_length must be n_fft");
    if (!logmel || !golden_matrix(c, "signal", &signal))
        goto done;
    int64_t samples = signal.rows * signal.cols, frames = invar_logmel_frames(&options, samples);
    out = invar_alloc((size_t)(frames * options.mels), sizeof *out, err);
    if (!out)
        goto done;
    invar_logmel_apply(logmel, signal.data, samples, options.mels, 1, out);
    golden_give_data(c, "logmel", false, INVAR_FLOAT32, out, frames * options.mels);
    ok = true;
done:
    invar_logmel_free(logmel);
    invar_free(signal.data);
    invar_free(out);
    return ok;
}

const struct golden_kind golden_audio[] = {{"logmel", GOLDEN_F32, run_logmel}, {0}};
