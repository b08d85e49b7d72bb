/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of measurements share: a device, scratch, and numbers that are the same in every run. */
#ifndef INVAR_TESTS_MEASURING_H
#define INVAR_TESTS_MEASURING_H

#include "device.h"

/* the same numbers in every run, about normal, of the given mean */
static inline void fill(double *x, int64_t count, double mean, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; k < 12; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            sum += (double)(seed >> 11) / 9007199254740992.0;
        }
        x[i] = mean + sum - 6;
    }
}

static inline struct invar_matrix matrix(double *data, int64_t rows, int64_t cols)
{
    return (struct invar_matrix){INVAR_FLOAT64, rows, cols, data};
}

static inline bool entropy(const struct invar_matrix *z, enum invar_entropy_estimator estimator, double *out,
                           struct invar_error *err)
{
    const struct invar_entropy_options options = {.estimator = estimator, .beta = 1, .sigma = 1};
    invar_scratch_reset(scratch);
    return invar_measure_entropy(device, scratch, z, &options, NULL, out, err);
}

static inline bool correlate(const struct invar_matrix *z, const struct invar_matrix *other, double *spectrum,
                             struct invar_correlation *out, struct invar_error *err)
{
    invar_scratch_reset(scratch);
    return invar_measure_correlation(device, scratch, z, other, spectrum, out, err);
}

/* any invertible map of one side changes nothing; a direction in common has correlation 1, others less */

#endif
