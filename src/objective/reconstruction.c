/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latent reconstruction [A2]: the mean square of w(z~) - z, where view 1 is the clean sample and every other view one
 * that was perturbed. With `whiten` both sides are centred and multiplied by one factor first, that of the clean side
 * [A5]; float64 then, as the factor is.
 */
#include "objective/sums.h"
#include "objective/whiten.h"

#include <math.h>

#define LEAST_RIDGE 1e-12 /* of a clean side that has no variance at all */

#define AT(field) offsetof(struct invar_reconstruction_options, field)
static const struct invar_option reconstruction_table[] = {
    {"target", INVAR_OPTION_CHOICE, AT(target), "same", 0, 0, INVAR_CHOICES(INVAR_RECONSTRUCTION_TARGETS),
     "same: gradient through both sides; stop_gradient: the clean side is a constant; ema: it is the target network's"},
    {"whiten", INVAR_OPTION_BOOL, AT(whiten), "false", 0, 0, NULL,
     "both sides times the inverse Cholesky factor of the clean side's covariance, instead of orthonormality [A5]"},
    {"ridge", INVAR_OPTION_REAL, AT(ridge), "1e-6", 0, 1, NULL,
     "of whiten: added to the covariance's diagonal, as a part of the mean variance; above 1e-6 embeddings tend to "
     "collapse"},
    {0},
};

static const struct invar_term_input reconstruction_inputs[] = {
    {"z", INVAR_ROLE_Z, 0}, {"z_tilde", INVAR_ROLE_Q, 1}, {"z_target", INVAR_ROLE_T, 0}, {0}};

static enum invar_role clean_role(const struct invar_reconstruction_options *o)
{
    return o->target == INVAR_TARGET_EMA ? INVAR_ROLE_T : INVAR_ROLE_Z;
}

static unsigned reconstruction_roles(const void *options)
{
    return INVAR_ROLE_BIT(INVAR_ROLE_Q) | INVAR_ROLE_BIT(clean_role(options));
}

static bool reconstruction_reads(const void *options, enum invar_role role, int view)
{
    (void)options;
    return (role == INVAR_ROLE_Q) == (view > 0);
}

static bool reconstruction_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct invar_reconstruction_options *o = options;
    const enum invar_role role = clean_role(o);
    const struct invar_matrix *clean = &in->by[role][0];

    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "reconstruction needs two views of every sample or more, not %d: set views.count=2, of "
                               "which the second is perturbed (or give z and z_tilde)",
                               in->views);
    if (!term_check_input(&invar_term_reconstruction, in, role, 0, clean, clean, err))
        return false;
    for (int v = 1; v < in->views; v++)
        if (!term_check_input(&invar_term_reconstruction, in, INVAR_ROLE_Q, v, clean, clean, err))
            return false;
    if (clean->rows < 2)
        return invar_error_set(err, INVAR_ERROR_DATA, "reconstruction needs at least 2 samples in a batch, not %lld",
                               (long long)clean->rows);
    if (o->whiten && o->ridge == 0 && clean->rows <= clean->cols)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "reconstruction: whiten of %lld samples in %lld dimensions has no factor: set ridge "
                               "above 0, or give more samples than dimensions",
                               (long long)clean->rows, (long long)clean->cols);
    return true;
}

static double factor_of(const struct invar_embeddings *in, const struct invar_matrix *clean)
{
    return 1 / (double)(in->views - 1) / (double)clean->rows / (double)clean->cols;
}

/* ---- whitened ---- */

struct whitened {
    struct invar_whitening w;
    struct invar_matrix clean, other, by_clean, by_other; /* N x d, float64 */
};

static bool whitened_take(struct invar_scratch *scratch, const struct invar_matrix *z, struct whitened *x,
                          struct invar_error *err)
{
    struct invar_matrix *const rooms[] = {&x->clean, &x->other, &x->by_clean, &x->by_other};

    for (int i = 0; i < 4; i++)
        if (!invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->cols, rooms[i], err))
            return false;
    return whitening_take(scratch, z->rows, z->cols, &x->w, err);
}

/* Where the clean side is not finite, the factor is NaN, and so is the loss. */
static bool evaluate_whitened(const struct invar_term_call *call, double factor, double scale,
                              const struct invar_matrix *const *wanted, double *loss, struct invar_error *err)
{
    const struct invar_reconstruction_options *o = call->options;
    const struct invar_matrix *z = &call->in->by[clean_role(o)][0];
    struct invar_device *device = call->device;
    struct whitened x;

    if (!whitened_take(call->scratch, z, &x, err))
        return false;
    whitening_factor(device, &x.w, z, LEAST_RIDGE, o->ridge);
    whitening_apply(device, &x.w, NULL, &x.clean);
    invar_dense_zero(device, &x.by_clean);
    for (int v = 1; v < call->in->views; v++) {
        whitening_apply(device, &x.w, &call->in->by[INVAR_ROLE_Q][v], &x.other);
        invar_dense_zero(device, &x.by_other);
        invar_dense_distance(device, &x.other, &x.clean, scale, &x.by_other, &x.by_clean, factor, loss);
        whitening_backward(device, &x.w, &x.other, &x.by_other, wanted[0] != NULL);
        if (wanted[v])
            invar_dense_add(device, 1, &x.by_other, wanted[v]);
    }
    if (!wanted[0])
        return true;
    if (!whitening_own_backward(device, call->scratch, &x.w, &x.clean, &x.by_clean, err))
        return false;
    invar_dense_add(device, 1, &x.by_clean, wanted[0]);
    return true;
}

/* ---- the term ---- */

static bool reconstruction_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_reconstruction_options *o = call->options;
    const struct invar_embeddings *in = call->in;
    const struct invar_matrix *z = &in->by[clean_role(o)][0];
    const double factor = factor_of(in, z), scale = 2 * call->weight * factor;
    const struct invar_matrix *wanted[INVAR_MAX_VIEWS] = {NULL}; /* of the clean side, then of q2, q3, ... */
    double *loss = invar_term_part(call->sum, NULL, 1);

    if (o->target == INVAR_TARGET_SAME)
        wanted[0] = term_wanted(call->gradient, INVAR_ROLE_Z, 0);
    for (int v = 1; v < in->views; v++)
        wanted[v] = term_wanted(call->gradient, INVAR_ROLE_Q, v);
    if (o->whiten)
        return evaluate_whitened(call, factor, scale, wanted, loss, err);
    for (int v = 1; v < in->views; v++)
        invar_dense_distance(call->device, &in->by[INVAR_ROLE_Q][v], z, scale, wanted[v], wanted[0], factor, loss);
    return true;
}

/* ---- reference ---- */

static double centred_at(const struct invar_matrix *x, int64_t i, int64_t j)
{
    double mean = 0;

    for (int64_t k = 0; k < x->rows; k++)
        mean += reference_at(x, k, j) / (double)x->rows;
    return reference_at(x, i, j) - mean;
}

/* L of C(z) + ridge, row after row; l [d][d] */
static void reference_factor(const struct invar_matrix *z, double share, double *l)
{
    const int64_t n = z->rows, d = z->cols;
    double mean = 0;

    for (int64_t j = 0; j < d; j++)
        for (int64_t k = 0; k < d; k++) {
            l[j * d + k] = 0;
            for (int64_t i = 0; i < n; i++)
                l[j * d + k] += centred_at(z, i, j) * centred_at(z, i, k) / (double)(n - 1);
            mean += j == k ? l[j * d + k] / (double)d : 0;
        }
    for (int64_t j = 0; j < d; j++)
        l[j * d + j] += LEAST_RIDGE + share * mean;
    for (int64_t j = 0; j < d; j++)
        for (int64_t k = 0; k < d; k++) {
            for (int64_t m = 0; m < (j < k ? j : k); m++)
                l[j * d + k] -= l[j * d + m] * l[k * d + m];
            l[j * d + k] = k > j ? 0 : k == j ? sqrt(l[j * d + j]) : l[j * d + k] / l[k * d + k];
        }
}

/* y [n][d] = centred x times L^{-T}, by substitution */
static void reference_whiten(const struct invar_matrix *x, const double *l, double *y)
{
    const int64_t d = x->cols;

    for (int64_t i = 0; i < x->rows; i++)
        for (int64_t j = 0; j < d; j++) {
            y[i * d + j] = centred_at(x, i, j);
            for (int64_t k = 0; k < j; k++)
                y[i * d + j] -= l[j * d + k] * y[i * d + k];
            y[i * d + j] /= l[j * d + j];
        }
}

static bool reconstruction_reference(const void *options, const struct invar_embeddings *in,
                                     struct invar_term_value *out)
{
    const struct invar_reconstruction_options *o = options;
    const struct invar_matrix *z = &in->by[clean_role(o)][0];
    const int64_t n = z->rows, d = z->cols;
    double *l = invar_alloc((size_t)(d * d), sizeof *l, NULL), *a = invar_alloc((size_t)(n * d), sizeof *a, NULL);
    double *b = invar_alloc((size_t)(n * d), sizeof *b, NULL), sum = 0;
    const bool ok = l && a && b;

    if (ok && o->whiten) {
        reference_factor(z, o->ridge, l);
        reference_whiten(z, l, a);
    }
    for (int v = 1; ok && v < in->views; v++) {
        const struct invar_matrix *q = &in->by[INVAR_ROLE_Q][v];
        if (o->whiten)
            reference_whiten(q, l, b);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++) {
                const double apart =
                    o->whiten ? b[i * d + j] - a[i * d + j] : reference_at(q, i, j) - reference_at(z, i, j);
                sum += apart * apart;
            }
    }
    *out = (struct invar_term_value){.loss = factor_of(in, z) * sum};
    invar_free(l);
    invar_free(a);
    invar_free(b);
    return ok;
}

const struct invar_term_spec invar_term_reconstruction = {
    .name = "reconstruction",
    .help = "prediction from a perturbed view against the clean embedding [A2], hard whitening [A5]",
    .options = reconstruction_table,
    .options_size = sizeof(struct invar_reconstruction_options),
    .inputs = reconstruction_inputs,
    .roles = reconstruction_roles,
    .reads = reconstruction_reads,
    .check = reconstruction_check,
    .evaluate = reconstruction_evaluate,
    .reference = reconstruction_reference,
};
