/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mixup of finished views, whatever their kind: a sample's view becomes s of itself and 1 - s of the same view of
 * another sample of the batch (DACL, arXiv 2011.04419; i-Mix, arXiv 2010.08887). Who is mixed, with whom and how much
 * is drawn for each sample and view, so the number of threads cannot matter; views are linear in what is standardised,
 * so mixing behind it is mixing before it.
 */

#include "view/view.h"

#include <math.h>

#define STREAM 31 /* of the operations, none has it */

/* Gamma of shape >= 1, scale 1 (Marsaglia and Tsang 2000). */
static double draw_gamma(double shape, struct invar_random *random)
{
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        const double x = (double)invar_random_normal(random), root = 1 + c * x, v = root * root * root;
        const double u = 1 - (double)invar_random_uniform(random);
        if (v > 0 && log(u) < x * x / 2 + d - d * v + d * log(v))
            return d * v;
    }
}

/* Beta(alpha, alpha) as a ratio of gammas; a shape below 1 by that of shape + 1 and a power, in logarithms, where a
 * small alpha would underflow. */
static double draw_beta(double alpha, struct invar_random *random)
{
    double power[2];

    for (int k = 0; k < 2; k++) {
        power[k] = log(draw_gamma(alpha < 1 ? alpha + 1 : alpha, random));
        if (alpha < 1)
            power[k] += log(1 - (double)invar_random_uniform(random)) / alpha;
    }
    return 1 / (1 + exp(power[1] - power[0]));
}

static double draw_share(const struct invar_view_options *options, struct invar_random *random)
{
    if (options->mix_alpha > 0) {
        const double beta = draw_beta(options->mix_alpha, random);
        return beta > 0.5 ? beta : 1 - beta;
    }
    const double low = view_list_at(&options->mix_share, 0), high = view_list_at(&options->mix_share, 1);
    return low + (high - low) * (double)invar_random_uniform(random);
}

bool view_mixes(const struct invar_view_options *options, int view)
{
    return view_list_at(&options->mix, view) > 0;
}

void view_mix_draw(const struct invar_view_options *options, uint64_t seed, uint64_t epoch,
                   const struct invar_sample *samples, int64_t count, int view, int64_t *partner, double *share)
{
    for (int64_t i = 0; i < count; i++) {
        struct invar_random random =
            invar_random_stream(seed, INVAR_RANDOM_VIEW, epoch, (uint64_t)samples[i].index, view_stream(STREAM, view));
        partner[i] = i;
        share[i] = 1;
        if (count < 2 || !((double)invar_random_uniform(&random) < view_list_at(&options->mix, view)))
            continue;
        partner[i] = invar_random_below(&random, (uint32_t)(count - 1));
        partner[i] += partner[i] >= i;
        share[i] = draw_share(options, &random);
    }
}

void view_mix(const float *plain, const int64_t *partner, const double *share, int64_t i, size_t size, float *out)
{
    const float *own = plain + (size_t)i * size, *other = plain + (size_t)partner[i] * size;
    const float s = (float)share[i];

    for (size_t k = 0; k < size; k++)
        out[k] = s * own[k] + (1.0f - s) * other[k];
}
