/* SPDX-License-Identifier: Apache-2.0 */
/* CorInfoMax [CI1]: log det of running covariances of two views, raised, and the distance between them. The gradient
 * goes through the new part of mean and covariance. float64; state between steps is float32. */
#include "objective/rate.h"
#include "objective/wide.h"

#include <math.h>

struct corinfomax_options {
    double lambda_r, lambda_mu, eps, weight_invariance;
    bool normalise;
};

#define AT(field) offsetof(struct corinfomax_options, field)
static const struct invar_option corinfomax_table[] = {
    {"lambda_r", INVAR_OPTION_REAL, AT(lambda_r), "0.01", 0, 1, NULL, "share of the past in the covariance"},
    {"lambda_mu", INVAR_OPTION_REAL, AT(lambda_mu), "0.01", 0, 1, NULL, "share of the past in the mean"},
    {"eps", INVAR_OPTION_REAL, AT(eps), "1e-8", 1e-12, 1, NULL, "added to the diagonal"},
    {"weight_invariance", INVAR_OPTION_REAL, AT(weight_invariance), "250", 0, 1e9, NULL,
     "of the distance: CIFAR-10 250, CIFAR-100 1000, ImageNet-100 500, ImageNet 2000"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL,
     "norm() of z first, as in every command of the authors' README"},
    {0},
};

static unsigned corinfomax_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool corinfomax_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "corinfomax needs exactly two views of every sample, not %d: set views.count to 2 and "
                               "views.local to 0 (or give z1 and z2)",
                               in->views);
    return term_check_shapes(&invar_term_corinfomax, in, corinfomax_roles(options), 2, err);
}

/* r1, mu1, r2, mu2 */
static int64_t corinfomax_state_size(const void *options, const struct invar_embeddings *shapes)
{
    const int64_t d = shapes->by[INVAR_ROLE_Z][0].cols;

    (void)options;
    return 2 * (d * d + d);
}

static void corinfomax_state_init(const void *options, const struct invar_embeddings *shapes, float *state)
{
    const int64_t d = shapes->by[INVAR_ROLE_Z][0].cols;

    (void)options;
    for (int v = 0; v < 2; v++)
        for (int64_t j = 0; j < d; j++)
            state[v * (d * d + d) + j * (d + 1)] = 1;
}

/* - (1/d) log det(R + eps I) of a view, with new state */
static bool add_spread(const struct invar_term_call *call, int v, const struct invar_wide *z, double *slot,
                       struct invar_error *err)
{
    const struct corinfomax_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t n = z->x.rows, d = z->x.cols;
    const double new_r = (1 - o->lambda_r) / (double)n;
    float *state = call->state + v * (d * d + d);
    const struct invar_matrix kept_r = {INVAR_FLOAT32, d, d, state}, kept_mu = {INVAR_FLOAT32, 1, d, state + d * d};
    double *safe = invar_device_take(call->scratch, 1, sizeof *safe, err);
    struct invar_matrix r, mu, mean, ones, away;

    if (!safe || !term_matrix(call, d, d, &r, err) || !term_vector(call, d, &mu, err) ||
        !term_vector(call, d, &mean, err) || !term_vector(call, d, &ones, err) || !term_matrix(call, n, d, &away, err))
        return false;
    invar_dense_copy(device, &kept_mu, &mu);
    invar_dense_scale(device, o->lambda_mu, &mu);
    invar_dense_moments(device, &z->x, mean.data, ones.data);
    invar_dense_add(device, 1 - o->lambda_mu, &mean, &mu);
    invar_dense_zero(device, &ones);
    invar_dense_affine(device, 1, 1, &ones);
    invar_dense_standardise(device, &z->x, mu.data, ones.data, &away, false);
    /* R / eps: log det(R + eps I) less d log eps, which is a constant of the loss */
    invar_dense_gram(device, true, new_r / o->eps, &away, &r);
    invar_dense_add(device, o->lambda_r / o->eps, &kept_r, &r);
    invar_dense_copy(device, &r, &kept_r);
    invar_dense_scale(device, o->eps, &kept_r);
    invar_dense_copy(device, &mu, &kept_mu);
    invar_dense_add_identity(device, &r, rate_limit(d, n), safe);
    invar_dense_cholesky(device, &r);
    invar_dense_log_diagonal(device, &r, -2 / (double)d, slot);
    if (!z->dx.data)
        return true;
    /* by z - mu: 2 new_r (z - mu) dR, and less its column means as far as mu follows z */
    invar_dense_cholesky_solve(device, &r, true, &away);
    invar_dense_scale(device, -2 * new_r * call->weight / (double)d / o->eps, &away);
    invar_dense_scale_by(device, safe, &away);
    invar_dense_add(device, o->lambda_mu, &away, &z->dx);
    invar_dense_centre(device, &away, &away);
    invar_dense_add(device, 1 - o->lambda_mu, &away, &z->dx);
    return true;
}

static bool corinfomax_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct corinfomax_options *o = call->options;
    double *spread = invar_term_part(call->sum, "spread", 1);
    invar_term_part_of(call->sum, "spread", NULL, 0, -2 * log(o->eps), 1);
    double *invariance = invar_term_part(call->sum, "invariance", o->weight_invariance);
    struct invar_wide z[2];

    if (!wide_take_views(call, INVAR_ROLE_Z, 2, o->normalise, z, err))
        return false;
    const double share = 1 / ((double)z[0].x.rows * (double)z[0].x.cols);
    invar_dense_distance(call->device, &z[0].x, &z[1].x, 2 * call->weight * o->weight_invariance * share, &z[0].dx,
                         &z[1].dx, share, invariance);
    for (int v = 0; v < 2; v++)
        if (!add_spread(call, v, &z[v], spread, err))
            return false;
    wide_backward_views(call, INVAR_ROLE_Z, 2, z);
    return true;
}

/* of the first step, whose past is I and 0 */
static double reference_spread(const struct corinfomax_options *o, const struct invar_matrix *z)
{
    const int64_t n = z->rows, d = z->cols;
    double *x = reference_rows(z, o->normalise), *m = invar_alloc((size_t)(d * d), sizeof *m, NULL), sum = 0;

    for (int64_t j = 0; x && j < d; j++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (1 - o->lambda_mu) * x[i * d + j] / (double)n;
        for (int64_t i = 0; i < n; i++)
            x[i * d + j] -= mean;
    }
    for (int64_t j = 0; x && m && j < d * d; j++) {
        m[j] = j % (d + 1) == 0 ? o->lambda_r + o->eps : 0;
        for (int64_t i = 0; i < n; i++)
            m[j] += (1 - o->lambda_r) * x[i * d + j / d] * x[i * d + j % d] / (double)n;
    }
    for (int64_t k = 0; m && k < d; k++) {
        sum -= log(m[k * (d + 1)]) / (double)d;
        for (int64_t i = k + 1; i < d; i++)
            for (int64_t j = d - 1; j >= k; j--)
                m[i * d + j] -= m[i * d + k] / m[k * (d + 1)] * m[k * d + j];
    }
    invar_free(x);
    invar_free(m);
    return sum;
}

static bool corinfomax_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct corinfomax_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const double spread = reference_spread(o, &z[0]) + reference_spread(o, &z[1]);
    double invariance = 0;

    for (int64_t i = 0; i < z->rows; i++)
        for (int64_t j = 0; j < z->cols; j++)
            invariance += pow(reference_at(&z[0], i, j) / (o->normalise ? reference_length(&z[0], i) : 1) -
                                  reference_at(&z[1], i, j) / (o->normalise ? reference_length(&z[1], i) : 1),
                              2) /
                          (double)(z->rows * z->cols);
    *out = (struct invar_term_value){.loss = spread + o->weight_invariance * invariance};
    reference_part(out, "spread", spread);
    reference_part(out, "invariance", invariance);
    return true;
}

const struct invar_term_spec invar_term_corinfomax = {
    .name = "corinfomax",
    .help = "log det of running covariances, and invariance [CI1]",
    .options = corinfomax_table,
    .options_size = sizeof(struct corinfomax_options),
    .roles = corinfomax_roles,
    .check = corinfomax_check,
    .evaluate = corinfomax_evaluate,
    .state_size = corinfomax_state_size,
    .state_init = corinfomax_state_init,
    .reference = corinfomax_reference,
};
