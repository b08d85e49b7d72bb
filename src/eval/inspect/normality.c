/* SPDX-License-Identifier: Apache-2.0 */
/* D'Agostino and Pearson's K2 (`K2`): how far skewness and kurtosis of a sample are from those of a normal. */
#include "invar/measure.h"

#include <math.h>

/* Z of skewness: D'Agostino 1970. */
static double z_of_skewness(double skewness, double n)
{
    const double y = skewness * sqrt((n + 1) * (n + 3) / (6 * (n - 2)));
    const double beta = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9));
    const double w2 = -1 + sqrt(2 * (beta - 1));
    const double delta = 1 / sqrt(log(w2) / 2), alpha = sqrt(2 / (w2 - 1));
    /* asinh stands for the printed log(x + sqrt(x^2 + 1)), which loses all digits where x is negative and large. */
    return delta * asinh(y / alpha);
}

/* Z of kurtosis: Anscombe and Glynn 1983. */
static double z_of_kurtosis(double kurtosis, double n)
{
    const double mean = 3 * (n - 1) / (n + 1);
    const double variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) * (n + 1) * (n + 3) * (n + 5));
    const double x = (kurtosis - mean) / sqrt(variance);
    const double root_beta =
        6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)));
    const double a = 6 + 8 / root_beta * (2 / root_beta + sqrt(1 + 4 / (root_beta * root_beta)));
    const double denominator = 1 + x * sqrt(2 / (a - 4));
    /* cbrt and not pow: the denominator may be negative, and its third root is then too. */
    return (1 - 2 / (9 * a) - cbrt((1 - 2 / a) / denominator)) / sqrt(2 / (9 * a));
}

/* Moments around the mean in a second pass. Below 8 values the approximations of both Z are undefined or far off. */
bool invar_measure_normality(const double *x, int64_t count, struct invar_normality *out, struct invar_error *err)
{
    const double n = (double)count;
    double mean = 0, m2 = 0, m3 = 0, m4 = 0, largest = 0;

    if (count < 8)
        return invar_error_set(err, INVAR_ERROR_DATA, "the test of normality needs at least 8 values, not %lld",
                               (long long)count);
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(x[i]))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "value %lld of the sample is NaN or Inf; the test of normality needs finite ones",
                                   (long long)i);
        mean += x[i] / n;
        largest = fmax(largest, fabs(x[i]));
    }
    for (int64_t i = 0; i < count; i++) {
        const double d = x[i] - mean;
        /* The divisor is n, as in SciPy's normaltest: both Z are made for these moments and not for unbiased ones. */
        m2 += d * d / n;
        m3 += d * d * d / n;
        m4 += d * d * d * d / n;
    }
    /* Relative to the values, as rounding is: equal values are not quite equal behind a network. The second test is for
     * values so small that the square of their variance, a divisor, would be 0. */
    if (!(sqrt(m2) > 1e-14 * largest) || !(m2 * m2 > 0))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "all values of the sample are equal; the test of normality needs some that differ");
    out->skewness = m3 / (m2 * sqrt(m2));
    out->kurtosis = m4 / (m2 * m2);
    out->z_skewness = z_of_skewness(out->skewness, n);
    out->z_kurtosis = z_of_kurtosis(out->kurtosis, n);
    out->k2 = out->z_skewness * out->z_skewness + out->z_kurtosis * out->z_kurtosis;
    /* The upper tail of chi-squared with two degrees of freedom, exactly: no table and no approximation. */
    out->p_value = exp(-out->k2 / 2);
    if (!isfinite(out->k2))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the moments of the sample overflow: its values are too large");
    return true;
}
