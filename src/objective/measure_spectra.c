/* SPDX-License-Identifier: Apache-2.0 */
/* Spectra of embeddings: LiDAR, the power law of alpha-ReQ, stable rank and NESum. */
#include "objective/measure.h"

#include <math.h>

/* singular values of z, less its column means on request; host [min(N, d)] */
static double *take_singular(struct invar_device *device, struct invar_scratch *scratch, const char *what,
                             const struct invar_matrix *z, bool centre, struct invar_error *err)
{
    const int64_t count = z->rows < z->cols ? z->rows : z->cols;
    double *s = invar_scratch_take(scratch, (size_t)count, sizeof *s, err);
    struct invar_matrix wide;

    if (!s || !measure_take(device, scratch, what, z, 2, &wide, err))
        return NULL;
    if (centre)
        invar_dense_centre(device, &wide, &wide);
    return invar_dense_singular_values(device, scratch, &wide, s, err) ? s : NULL;
}

double measure_sum_over_first(const double *values, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += values[0] > 0 ? values[i] / values[0] : 0;
    return sum;
}

bool invar_measure_stable_rank(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               bool centre, double *out, struct invar_error *err)
{
    const int64_t count = z->rows < z->cols ? z->rows : z->cols;
    double *s = take_singular(device, scratch, "the stable rank", z, centre, err);

    for (int64_t i = count - 1; s && i >= 0; i--)
        s[i] = s[0] > 0 ? s[i] / s[0] * (s[i] / s[0]) : 0;
    *out = s ? measure_sum_over_first(s, count) : 0;
    return s != NULL;
}

/* the weighted line y = intercept - alpha x */
static bool fit(const double *l, int64_t first, int64_t last, const struct invar_power_law_options *o,
                struct invar_power_law *out)
{
    double sums[5] = {0}; /* of w, w x, w y, w x x, w x y */

    for (int64_t i = first; i <= last; i++) {
        const double x = log((double)i), y = log(l[i - 1]), w = o->inverse_rank ? 1 / (double)i : 1;
        sums[0] += w;
        sums[1] += w * x;
        sums[2] += w * y;
    }
    for (int64_t i = first; i <= last; i++) {
        const double x = log((double)i) - sums[1] / sums[0], w = o->inverse_rank ? 1 / (double)i : 1;
        sums[3] += w * x * x;
        sums[4] += w * x * (log(l[i - 1]) - sums[2] / sums[0]);
    }
    out->ranks = last - first + 1;
    out->alpha = -sums[4] / sums[3];
    out->intercept = (sums[2] + out->alpha * sums[1]) / sums[0];
    return isfinite(out->alpha);
}

bool measure_power_law_of(const double *l, int64_t count, const struct invar_power_law_options *options,
                          struct invar_power_law *out, struct invar_error *err)
{
    int64_t last = options->last > 0 && options->last < count ? options->last : count;

    while (last > 0 && !(l[last - 1] > options->threshold * l[0]))
        last--;
    return (last > options->first && fit(l, options->first, last, options, out)) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "the power law of a spectrum needs two eigenvalues above its threshold from rank %lld on: "
                           "there are %lld",
                           (long long)options->first, (long long)last);
}

bool invar_measure_power_law(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                             const struct invar_power_law_options *options, struct invar_power_law *out,
                             struct invar_error *err)
{
    const int64_t count = z->rows < z->cols ? z->rows : z->cols;
    double *l = take_singular(device, scratch, "the power law of a spectrum", z, options->centre, err);

    for (int64_t i = 0; l && i < count; i++)
        l[i] *= l[i] / (double)(options->centre ? z->rows - 1 : z->rows);
    return l && measure_power_law_of(l, count, options, out, err);
}

/* rows of means of the views of every sample, and in z what is left */
static void split(double *z, double *means, int64_t samples, int64_t views, int64_t d)
{
    for (int64_t i = 0; i < samples; i++)
        for (int64_t j = 0; j < d; j++) {
            double mean = 0;
            for (int64_t v = 0; v < views; v++)
                mean += z[(i * views + v) * d + j] / (double)views;
            for (int64_t v = 0; v < views; v++)
                z[(i * views + v) * d + j] -= mean;
            means[i * d + j] = mean;
        }
}

/* of S_w^{-1/2} S_b S_w^{-1/2}: squares of the singular values of centred means times L^{-T}, S_w = L L^T */
static bool between_over_within(struct invar_device *device, struct invar_scratch *scratch,
                                const struct invar_matrix *rest, const struct invar_matrix *means, double delta,
                                double *values, struct invar_error *err)
{
    const int64_t count = means->rows < means->cols ? means->rows : means->cols;
    struct invar_matrix within;

    if (!invar_dense_take(scratch, INVAR_FLOAT64, rest->cols, rest->cols, &within, err))
        return false;
    invar_dense_gram(device, true, 1 / (double)(rest->rows - means->rows), rest, &within);
    invar_dense_diagonal_map(device, &within, NULL, 1, delta);
    invar_dense_cholesky(device, &within);
    invar_dense_centre(device, means, means);
    invar_dense_triangular_solve(device, &within, true, means);
    if (!invar_dense_singular_values(device, scratch, means, values, err))
        return false;
    for (int64_t k = 0; k < count; k++)
        values[k] *= values[k] / (double)(means->rows - 1);
    for (int64_t k = count; k < rest->cols; k++)
        values[k] = 0;
    return true;
}

bool invar_measure_lidar(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                         int64_t views, double delta, double eps, double *eigenvalues, double *out,
                         struct invar_error *err)
{
    const int64_t d = z->cols, samples = views > 0 ? z->rows / views : 0;
    const size_t count = (size_t)(z->rows * d);
    double *values = invar_scratch_take(scratch, (size_t)d, sizeof *values, err), sum = 0, entropy = 0;
    struct invar_matrix wide, means;

    if (views < 2 || samples < 2 || samples * views != z->rows)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "LiDAR needs two samples or more with two views or more each, one after the other: %lld "
                               "rows are not that of %lld views",
                               (long long)z->rows, (long long)views);
    double *host = invar_scratch_take(scratch, count, sizeof *host, err);
    double *host_means = invar_scratch_take(scratch, (size_t)(samples * d), sizeof *host, err);
    if (!values || !host || !host_means || !measure_take(device, scratch, "LiDAR", z, 4, &wide, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, samples, d, &means, err))
        return false;
    invar_device_download(device, host, wide.data, count * sizeof *host);
    split(host, host_means, samples, views, d);
    invar_device_upload(device, wide.data, host, count * sizeof *host);
    invar_device_upload(device, means.data, host_means, (size_t)(samples * d) * sizeof *host);
    if (!between_over_within(device, scratch, &wide, &means, delta, values, err))
        return false;
    for (int64_t k = 0; k < d; k++)
        sum += values[k];
    for (int64_t k = 0; k < d; k++) {
        const double p = sum > 0 ? values[k] / sum + eps : 0;
        entropy -= p > 0 ? p * log(p) : 0;
        if (eigenvalues)
            eigenvalues[k] = values[k];
    }
    *out = sum > 0 ? exp(entropy) : 0;
    return true;
}
