/* SPDX-License-Identifier: Apache-2.0 */
/* gaussian_noise, impulse_noise, speckle_noise: every value on its own. */
#include "eval/corruption/corruption.h"

#include <math.h>

/* Box and Muller, in pairs: the number of words drawn depends on the count alone, so that nothing else shifts. */
void corruption_normals(struct corruption_work *work, float *out, size_t count, double mean, double deviation)
{
    const float mu = (float)mean, sd = (float)deviation;

    for (size_t i = 0; i < count; i += 2) {
        /* The uniform number is in (0, 1] and not in [0, 1): the logarithm of 0 would be infinite noise. */
        const float radius = sd * sqrtf(-2.0f * logf(((float)invar_random_bits(&work->random) + 1.0f) * 0x1p-32f));
        float sine, cosine;
        sincosf(invar_random_uniform(&work->random) * 6.28318530717958648f, &sine, &cosine);
        out[i] = mu + radius * cosine;
        if (i + 1 < count)
            out[i + 1] = mu + radius * sine;
    }
}

/* Normal noise on every value, scaled: by the value itself. Speckle is the same noise, in proportion to the value. A
 * draw a value and not a pixel: channels are hit on their own, so that gray images, whose three are averaged, come out
 * with less noise. */
static bool add_normals(struct corruption_work *work, bool scaled, struct invar_error *err)
{
    float *x = corruption_values(work, err);
    float *noise = x ? corruption_floats(work, work->values, err) : NULL;

    if (!noise)
        return false;
    corruption_normals(work, noise, work->values, 0, work->setting[0]);
    for (size_t i = 0; i < work->values; i++)
        x[i] += scaled ? x[i] * noise[i] : noise[i];
    corruption_bytes(work->out, x, work->values);
    return true;
}

static bool gaussian_noise(struct corruption_work *work, struct invar_error *err)
{
    return add_normals(work, false, err);
}

static bool speckle_noise(struct corruption_work *work, struct invar_error *err)
{
    return add_normals(work, true, err);
}

/* One word decides whether a value is hit and by what. */
static bool impulse_noise(struct corruption_work *work, struct invar_error *err)
{
    /* In double, which holds all words of 32 bits and the threshold exactly. */
    const double hit = work->setting[0] * 0x1p32;
    (void)err;

    for (size_t i = 0; i < work->values; i++) {
        const double word = invar_random_bits(&work->random);
        /* Bytes to bytes, so that values that are not hit stay as they are to the bit. */
        work->out[i] = word >= hit ? work->in[i] : word < hit / 2 ? 255 : 0;
    }
    return true;
}

const struct corruption_kind corruption_gaussian_noise = {
    .apply = gaussian_noise, /* sd */
    .setting = {{{0.04}, {0.06}, {0.08}, {0.09}, {0.10}}, {{0.08}, {0.12}, {0.18}, {0.26}, {0.38}}},
};
const struct corruption_kind corruption_impulse_noise = {
    .apply = impulse_noise, /* p */
    .setting = {{{0.01}, {0.02}, {0.03}, {0.05}, {0.07}}, {{0.03}, {0.06}, {0.09}, {0.17}, {0.27}}},
};
const struct corruption_kind corruption_speckle_noise = {
    .apply = speckle_noise, /* sd */
    .setting = {{{0.06}, {0.1}, {0.12}, {0.16}, {0.2}}, {{0.15}, {0.2}, {0.35}, {0.45}, {0.6}}},
};
