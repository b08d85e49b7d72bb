/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements of embeddings: deviation, effective rank (RankMe), spectra. All in float64 whatever the input. */
#include "objective/measure.h"
#include "objective/term.h"

#include <math.h>
#include <string.h>

static bool check_rows(const char *what, const struct invar_matrix *z, int64_t least, struct invar_error *err)
{
    if (z->rows < least || z->cols < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s needs at least %lld rows and a column, not %lld x %lld", what,
                               (long long)least, (long long)z->rows, (long long)z->cols);
    return true;
}

static bool refuse(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                   struct invar_error *err)
{
    struct invar_matrix wide;

    if (!invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->cols, &wide, err))
        return false;
    invar_dense_copy(device, z, &wide);
    return measure_refuse(device, scratch, "the deviation of embeddings", &wide, err);
}

bool invar_measure_deviation(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                             double *out, struct invar_error *err)
{
    const size_t cols = (size_t)z->cols;

    if (!check_rows("the deviation of embeddings", z, 2, err))
        return false;
    double *mean = invar_device_take(scratch, cols, sizeof *mean, err);
    double *squares = invar_device_take(scratch, cols, sizeof *squares, err);
    double *host = invar_scratch_take(scratch, cols, sizeof *host, err);
    if (!mean || !squares || !host)
        return false;
    invar_dense_moments(device, z, mean, squares);
    invar_device_download(device, host, squares, cols * sizeof *host);
    *out = 0;
    for (size_t j = 0; j < cols; j++)
        *out += sqrt(host[j] / (double)(z->rows - 1)) / (double)cols;
    return isfinite(*out) || refuse(device, scratch, z, err);
}

/* singular values of z, or of z less its column means */
static bool singular_values(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                            bool centred, double *values, struct invar_error *err)
{
    struct invar_matrix wide;

    if (!invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->cols, &wide, err))
        return false;
    invar_dense_copy(device, z, &wide);
    if (centred)
        invar_dense_centre(device, &wide, &wide);
    return invar_dense_singular_values(device, scratch, &wide, values, err);
}

double measure_rank_of(const double *s, int64_t count)
{
    double sum = 0, entropy = 0;

    for (int64_t i = 0; i < count; i++)
        sum += s[i];
    for (int64_t i = 0; i < count; i++)
        if (s[i] > 0)
            entropy -= s[i] / sum * log(s[i] / sum);
    return sum > 0 ? exp(entropy) : 0;
}

bool invar_measure_effective_rank(struct invar_device *device, struct invar_scratch *scratch,
                                  const struct invar_matrix *z, double *out, struct invar_error *err)
{
    const int64_t count = z->rows < z->cols ? z->rows : z->cols;

    if (!check_rows("the effective rank", z, 1, err))
        return false;
    double *s = invar_scratch_take(scratch, (size_t)count, sizeof *s, err);
    if (!s || !singular_values(device, scratch, z, false, s, err))
        return false;
    *out = measure_rank_of(s, count);
    return true;
}

bool invar_measure_spectrum(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                            double *singular, double *covariance, struct invar_error *err)
{
    const int64_t count = z->rows < z->cols ? z->rows : z->cols;

    if (!check_rows("the spectrum of embeddings", z, covariance ? 2 : 1, err))
        return false;
    if (singular && !singular_values(device, scratch, z, false, singular, err))
        return false;
    if (!covariance)
        return true;
    memset(covariance, 0, (size_t)z->cols * sizeof *covariance);
    if (!singular_values(device, scratch, z, true, covariance, err))
        return false;
    /* eigenvalues of Zc^T Zc / (N - 1) without forming it, which would cost half the digits of the small ones */
    for (int64_t i = 0; i < count; i++)
        covariance[i] *= covariance[i] / (double)(z->rows - 1);
    return true;
}
