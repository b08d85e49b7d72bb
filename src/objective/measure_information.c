/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entropy by estimator [I3]-[I5] and the bound of the mutual information [I1]. LogDet and PairDist are the terms of the
 * same names, undivided; the Gaussian entropy goes by singular values, whose rounding tells a singular covariance.
 */
#include "objective/measure.h"
#include "objective/sums.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static bool term_entropy(struct invar_device *device, struct invar_scratch *scratch, const struct invar_term_spec *term,
                         const void *options, const struct invar_matrix *z, const struct invar_matrix *gradient,
                         double *out, struct invar_error *err)
{
    struct invar_embeddings in = {.views = 1}, by_in = {.views = 1};
    const struct invar_term_call call = {.device = device,
                                         .scratch = scratch,
                                         .options = options,
                                         .in = &in,
                                         .weight = 1,
                                         .gradient = gradient ? &by_in : NULL};
    struct invar_term_value value;

    in.by[INVAR_ROLE_Z][0] = *z;
    if (gradient)
        by_in.by[INVAR_ROLE_Z][0] = *gradient;
    if (!invar_term_evaluate(term, call, &value, err))
        return false;
    *out = value.loss;
    return true;
}

/* dH/dz = Zc C^{-1} / (N - 1) */
static bool gaussian_gradient(struct invar_device *device, struct invar_scratch *scratch,
                              const struct invar_matrix *centred, const struct invar_matrix *gradient,
                              struct invar_error *err)
{
    const int64_t n = centred->rows, d = centred->cols;
    struct invar_ledger ledger;
    struct invar_matrix c;
    double *logs = measure_begin(device, scratch, &ledger, err);

    if (!logs || !invar_dense_take(scratch, INVAR_FLOAT64, d, d, &c, err))
        return false;
    invar_dense_covariance(device, centred, &c);
    invar_dense_cholesky(device, &c);
    invar_dense_log_diagonal(device, &c, 1, logs);
    if (!isfinite(measure_end(&ledger)))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the covariance of the embeddings, %lld x %lld, has no Cholesky factor: it is not "
                               "positive definite to rounding; LogDet and PairDist remain finite",
                               (long long)d, (long long)d);
    invar_dense_cholesky_solve(device, &c, true, centred);
    invar_dense_add(device, 1 / (double)(n - 1), centred, gradient);
    return true;
}

static bool gaussian(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                     const struct invar_matrix *gradient, double *out, struct invar_error *err)
{
    const int64_t n = z->rows, d = z->cols;
    struct invar_matrix centred, spent;
    double logs, noise;

    if (n <= d)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "the Gaussian entropy needs more samples than columns, not %lld x %lld: give it at least "
            "%lld samples, or take another estimator",
            (long long)n, (long long)d, (long long)d + 1);
    double *s = invar_scratch_take(scratch, (size_t)d, sizeof *s, err);
    if (!s || !invar_dense_take(scratch, INVAR_FLOAT64, n, d, &centred, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, n, d, &spent, err))
        return false;
    invar_dense_centre(device, z, &centred);
    invar_dense_copy(device, z, &spent);
    if (!measure_standardise(device, scratch, &spent, INVAR_FLOAT64, &logs, &noise, err) ||
        !invar_dense_singular_values(device, scratch, &spent, s, err))
        return false;
    int64_t rank = 0;
    while (rank < d && s[rank] > noise)
        rank++;
    if (rank < d)
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the Gaussian entropy is minus infinity: only %lld of %lld directions of the embeddings "
                               "vary; LogDet and PairDist remain finite",
                               (long long)rank, (long long)d);
    *out = logs + (double)d / 2 * (log(2 * pi) + 1 - log((double)(n - 1)));
    for (int64_t i = 0; i < d; i++)
        *out += log(s[i]);
    return !gradient || gaussian_gradient(device, scratch, &centred, gradient, err);
}

static bool logdet(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                   double beta, const struct invar_matrix *gradient, double *out, struct invar_error *err)
{
    const struct invar_logdet_options options = {.beta = beta, .divide_by = INVAR_ENTROPY_DIVIDE_NONE};

    if (!(beta > 0) || isinf(beta))
        return invar_error_set(err, INVAR_ERROR_USAGE, "beta of the LogDet entropy is %g; it must be above 0", beta);
    return term_entropy(device, scratch, &invar_term_logdet, &options, z, gradient, out, err);
}

static bool pairdist(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                     enum invar_entropy_distance distance, double sigma, const struct invar_matrix *gradient,
                     double *out, struct invar_error *err)
{
    const struct invar_pairdist_options options = {
        .distance = distance, .sigma = sigma, .chernoff_alpha = 0.5, .divide_by = INVAR_ENTROPY_DIVIDE_NONE};

    if (!(sigma > 0) || isinf(sigma))
        return invar_error_set(err, INVAR_ERROR_USAGE, "sigma of the PairDist entropy is %g; it must be above 0",
                               sigma);
    if (!term_entropy(device, scratch, &invar_term_pairdist, &options, z, gradient, out, err))
        return false;
    *out += (double)z->cols / 2 * (log(2 * pi * sigma * sigma) + 1);
    return true;
}

/* z float64 and checked; gradient zeroed */
static bool entropy_of(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                       const struct invar_entropy_options *options, const struct invar_matrix *gradient, double *out,
                       struct invar_error *err)
{
    bool ok = false;

    switch (options->estimator) {
    case INVAR_ENTROPY_GAUSSIAN:
        ok = gaussian(device, scratch, z, gradient, out, err);
        break;
    case INVAR_ENTROPY_LOGDET:
        ok = logdet(device, scratch, z, options->beta, gradient, out, err);
        break;
    case INVAR_ENTROPY_PAIRDIST_KL:
    case INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA:
        ok = pairdist(device, scratch, z, options->estimator == INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA, options->sigma,
                      gradient, out, err);
        break;
    }
    if (ok && !isfinite(*out))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the entropy of the embeddings is not finite: their values are too large");
    return ok;
}

/* room for a gradient in float64, zeroed; *room is NULL where none is wanted */
static bool take_gradient(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *wanted,
                          struct invar_matrix *wide, const struct invar_matrix **room, struct invar_error *err)
{
    *room = NULL;
    if (!wanted)
        return true;
    if (!invar_dense_take(scratch, INVAR_FLOAT64, wanted->rows, wanted->cols, wide, err))
        return false;
    invar_dense_zero(device, wide);
    *room = wide;
    return true;
}

bool invar_measure_entropy(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                           const struct invar_entropy_options *options, const struct invar_matrix *gradient,
                           double *out, struct invar_error *err)
{
    struct invar_matrix x, by_x;
    const struct invar_matrix *room;

    if (!measure_take(device, scratch, "the entropy", z, 2, &x, err) ||
        !take_gradient(device, scratch, gradient, &by_x, &room, err) ||
        !entropy_of(device, scratch, &x, options, room, out, err))
        return false;
    if (gradient)
        invar_dense_copy(device, room, gradient);
    return true;
}

double invar_measure_logdet_in_nats(double entropy, int64_t d, double beta)
{
    return entropy + (double)d / 2 * (log(2 * pi / beta) + 1);
}

bool invar_measure_information(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                               const struct invar_matrix *z_prime, const struct invar_entropy_options *options,
                               const struct invar_matrix *gradient_z, const struct invar_matrix *gradient_z_prime,
                               struct invar_information *out, struct invar_error *err)
{
    struct invar_matrix x, difference, by_x;
    const struct invar_matrix *room;

    if (!measure_take_pair(device, scratch, "the information bound", z, z_prime, 2, &x, &difference, err) ||
        !take_gradient(device, scratch, gradient_z, &by_x, &room, err) ||
        !entropy_of(device, scratch, &x, options, room, &out->entropy, err))
        return false;
    const double n = (double)z->rows;
    invar_dense_add(device, -1, &x, &difference); /* z' - z */
    if (!measure_dot(device, scratch, &difference, &difference, &out->expected_log_q, err))
        return false;
    out->expected_log_q = -out->expected_log_q / (2 * n) - (double)z->cols / 2 * log(2 * pi);
    out->bound = out->entropy + out->expected_log_q;
    invar_dense_scale(device, 1 / n, &difference);
    if (gradient_z) {
        invar_dense_add(device, 1, &difference, room);
        invar_dense_copy(device, room, gradient_z);
    }
    if (gradient_z_prime) {
        invar_dense_scale(device, -1, &difference);
        invar_dense_copy(device, &difference, gradient_z_prime);
    }
    return true;
}
