/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Barlow Twins [T1]: the cross-correlation C of two views, standardised over the batch, should be the identity. The sum
 * over unordered pairs of views. With fewer samples than dimensions the squares of C are had from an N x N matrix of
 * each view, at a cost linear in d.
 */
#include "objective/term.h"

#include <math.h>

enum { VARIANCE_BIASED, VARIANCE_UNBIASED };
enum { DIVISOR_N, DIVISOR_N_LESS_ONE };

struct barlow_options {
    double lambda_offdiag, eps;
    int variance, correlation_divisor;
    bool normalise_pairs;
};

#define AT(field) offsetof(struct barlow_options, field)
static const struct invar_option barlow_table[] = {
    {"lambda_offdiag", INVAR_OPTION_REAL, AT(lambda_offdiag), "0.0051", 0, 1e6, NULL,
     "weight of the off-diagonal part; the authors' code has 0.0051, the paper, solo-learn and lightly 0.005. "
     "solo-learn multiplies the whole by a scale_loss besides: use the term's weight"},
    {"eps", INVAR_OPTION_REAL, AT(eps), "1e-5", 1e-12, 1e6, NULL,
     "added to the variance; 1e-5 in the authors' code and solo-learn (batch norm)"},
    {"variance", INVAR_OPTION_CHOICE, AT(variance), "biased", 0, 0, "biased|unbiased",
     "divisor N, as in the authors' code and solo-learn, or N - 1, as in early versions of lightly"},
    {"correlation_divisor", INVAR_OPTION_CHOICE, AT(correlation_divisor), "N", 0, 0, "N|N-1",
     "C = Z1^T Z2 / N in all published codes"},
    {"normalise_pairs", INVAR_OPTION_BOOL, AT(normalise_pairs), "false", 0, 0, NULL,
     "with more than two views: divide by the number of unordered pairs"},
    {0},
};

/* what one evaluation works on */
struct work {
    struct invar_matrix s[INVAR_MAX_VIEWS], ds[INVAR_MAX_VIEWS]; /* standardised, and the gradient by it */
    double *factor[INVAR_MAX_VIEWS];                             /* device [d]: 1 / deviation */
    struct invar_matrix gram[INVAR_MAX_VIEWS];                   /* N x N of a view over the divisor, once needed */
    struct invar_matrix c;                                       /* d x d, once needed */
    double *host, *zeros;                                        /* host [d] */
    double *mean, *column;                                       /* device [d] */
};

static double variance_divisor(const struct barlow_options *o, int64_t n)
{
    return (double)(o->variance == VARIANCE_BIASED ? n : n - 1);
}

static double correlation_divisor(const struct barlow_options *o, int64_t n)
{
    return (double)(o->correlation_divisor == DIVISOR_N ? n : n - 1);
}

static double pair_factor(const struct barlow_options *o, int views)
{
    return o->normalise_pairs ? 2.0 / (views * (views - 1)) : 1;
}

static unsigned barlow_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool barlow_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "barlow needs two views of every sample or more, not %d: set views.count (or give z1 "
                               "and z2)",
                               in->views);
    return invar_term_check_shapes(&invar_term_barlow, in, barlow_roles(options), 2, err);
}

/* standardises every view; ds is zeroed where a gradient is wanted */
static bool take_standardised(struct invar_device *device, struct invar_scratch *scratch,
                              const struct barlow_options *o, const struct invar_embeddings *in,
                              const struct invar_embeddings *gradient, struct work *w, struct invar_error *err)
{
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows, d = z[0].cols;

    w->host = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
    w->zeros = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
    w->mean = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
    w->column = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
    if (!w->host || !w->zeros || !w->mean || !w->column)
        return false;
    for (int64_t j = 0; j < d; j++)
        w->zeros[j] = 0;
    for (int v = 0; v < in->views; v++) {
        w->factor[v] = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
        if (!w->factor[v] || !invar_dense_take(scratch, z[v].dtype, n, d, &w->s[v], err))
            return false;
        invar_dense_moments(device, &z[v], w->mean, w->factor[v]);
        invar_device_download(device, w->host, w->factor[v], (size_t)d * sizeof(double));
        for (int64_t j = 0; j < d; j++)
            w->host[j] = 1 / sqrt(w->host[j] / variance_divisor(o, n) + o->eps);
        invar_device_upload(device, w->factor[v], w->host, (size_t)d * sizeof(double));
        invar_dense_standardise(device, &z[v], w->mean, w->factor[v], &w->s[v], false);
        if (!invar_term_wanted(gradient, INVAR_ROLE_Z, v))
            continue;
        if (!invar_dense_take(scratch, z[v].dtype, n, d, &w->ds[v], err))
            return false;
        invar_dense_zero(device, &w->ds[v]);
    }
    return true;
}

/* the d x d way: the off-diagonal part, with weight times the whole gradient into ds; w->c becomes the gradient by C.
 * The host holds the diagonal of C. */
static bool by_columns(struct invar_device *device, struct invar_scratch *scratch, const struct barlow_options *o,
                       struct work *w, int a, int b, double weight, double *off, struct invar_error *err)
{
    const int64_t d = w->s[a].cols;
    const double divisor = correlation_divisor(o, w->s[a].rows);

    if (!w->c.data && !invar_dense_take(scratch, w->s[a].dtype, d, d, &w->c, err))
        return false;
    invar_dense_product(device, true, false, 1 / divisor, &w->s[a], &w->s[b], 0, &w->c);
    invar_dense_set_diagonal(device, &w->c, w->zeros);
    *off += invar_dense_dot(device, &w->c, &w->c);
    if (!w->ds[a].data && !w->ds[b].data)
        return true;
    for (int64_t j = 0; j < d; j++)
        w->host[j] = -2 * weight * (1 - w->host[j]);
    invar_dense_scale(device, 2 * weight * o->lambda_offdiag, &w->c);
    invar_dense_set_diagonal(device, &w->c, w->host);
    if (w->ds[a].data)
        invar_dense_product(device, false, true, 1 / divisor, &w->s[b], &w->c, 1, &w->ds[a]);
    if (w->ds[b].data)
        invar_dense_product(device, false, false, 1 / divisor, &w->s[a], &w->c, 1, &w->ds[b]);
    return true;
}

/* gradient of one view of a pair the N x N way; w->column holds that of the diagonal over the divisor, less what the
 * product adds to it */
static void rows_backward(struct invar_device *device, const struct barlow_options *o, struct work *w, int own,
                          int other, double weight)
{
    const double divisor = correlation_divisor(o, w->s[own].rows);

    if (!w->ds[own].data)
        return;
    invar_dense_product(device, false, false, 2 * weight * o->lambda_offdiag / divisor, &w->gram[other], &w->s[own], 1,
                        &w->ds[own]);
    invar_dense_standardise(device, &w->s[other], w->mean, w->column, &w->ds[own], true);
}

/* the N x N way: as by_columns */
static bool by_rows(struct invar_device *device, struct invar_scratch *scratch, const struct barlow_options *o,
                    struct work *w, int a, int b, double weight, double *off, struct invar_error *err)
{
    const int64_t n = w->s[a].rows, d = w->s[a].cols;
    const double divisor = correlation_divisor(o, n);

    for (int v = a; v <= b; v += b - a) {
        if (w->gram[v].data)
            continue;
        if (!invar_dense_take(scratch, w->s[v].dtype, n, n, &w->gram[v], err))
            return false;
        invar_dense_gram(device, false, 1 / divisor, &w->s[v], &w->gram[v]);
    }
    *off += invar_dense_dot(device, &w->gram[a], &w->gram[b]);
    for (int64_t j = 0; j < d; j++) {
        *off -= w->host[j] * w->host[j];
        w->host[j] = -2 * weight * (1 - w->host[j] + o->lambda_offdiag * w->host[j]) / divisor;
    }
    invar_device_upload(device, w->column, w->host, (size_t)d * sizeof(double));
    invar_device_upload(device, w->mean, w->zeros, (size_t)d * sizeof(double));
    rows_backward(device, o, w, a, b, weight);
    rows_backward(device, o, w, b, a, weight);
    return true;
}

/* both parts of views a and b, with weight times the gradient into ds */
static bool add_pair(struct invar_device *device, struct invar_scratch *scratch, const struct barlow_options *o,
                     struct work *w, int a, int b, double weight, double *on, double *off, struct invar_error *err)
{
    const int64_t n = w->s[a].rows, d = w->s[a].cols;

    invar_dense_column_products(device, &w->s[a], &w->s[b], w->column);
    invar_device_download(device, w->host, w->column, (size_t)d * sizeof(double));
    for (int64_t j = 0; j < d; j++) {
        w->host[j] /= correlation_divisor(o, n);
        *on += (1 - w->host[j]) * (1 - w->host[j]);
    }
    return invar_term_rows_suffice(w->host, n, d) ? by_rows(device, scratch, o, w, a, b, weight, off, err)
                                                  : by_columns(device, scratch, o, w, a, b, weight, off, err);
}

static void give(const struct barlow_options *o, double factor, double on, double off, struct invar_term_value *out)
{
    *out = (struct invar_term_value){.loss = factor * (on + o->lambda_offdiag * off)};
    invar_term_part(out, "on_diagonal", factor * on);
    invar_term_part(out, "off_diagonal", factor * off);
}

static bool barlow_evaluate(struct invar_device *device, struct invar_scratch *scratch, const void *options,
                            const struct invar_embeddings *in, double weight, const struct invar_embeddings *gradient,
                            struct invar_term_value *out, struct invar_error *err)
{
    const struct barlow_options *o = options;
    const double factor = pair_factor(o, in->views);
    struct work w = {0};
    double on = 0, off = 0;

    if (!take_standardised(device, scratch, o, in, gradient, &w, err))
        return false;
    for (int a = 0; a < in->views; a++)
        for (int b = a + 1; b < in->views; b++)
            if (!add_pair(device, scratch, o, &w, a, b, weight * factor, &on, &off, err))
                return false;
    for (int v = 0; v < in->views; v++)
        if (w.ds[v].data)
            invar_dense_standardise_backward(device, &w.s[v], w.factor[v], variance_divisor(o, w.s[v].rows), &w.ds[v],
                                             1, invar_term_wanted(gradient, INVAR_ROLE_Z, v));
    give(o, factor, on, off, out);
    return true;
}

/* ---- reference ---- */

static void reference_column(const struct barlow_options *o, const struct invar_matrix *z, int64_t j, double *mean,
                             double *deviation)
{
    double square = 0;

    *mean = 0;
    for (int64_t i = 0; i < z->rows; i++)
        *mean += invar_reference_at(z, i, j) / (double)z->rows;
    for (int64_t i = 0; i < z->rows; i++)
        square += pow(invar_reference_at(z, i, j) - *mean, 2);
    *deviation = sqrt(square / variance_divisor(o, z->rows) + o->eps);
}

static double reference_correlation(const struct barlow_options *o, const struct invar_matrix *x,
                                    const struct invar_matrix *y, int64_t j, int64_t k)
{
    double mean[2], deviation[2], sum = 0;

    reference_column(o, x, j, &mean[0], &deviation[0]);
    reference_column(o, y, k, &mean[1], &deviation[1]);
    for (int64_t i = 0; i < x->rows; i++)
        sum += (invar_reference_at(x, i, j) - mean[0]) * (invar_reference_at(y, i, k) - mean[1]);
    return sum / deviation[0] / deviation[1] / correlation_divisor(o, x->rows);
}

static bool barlow_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct barlow_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    double on = 0, off = 0;

    for (int a = 0; a < in->views; a++)
        for (int b = a + 1; b < in->views; b++)
            for (int64_t j = 0; j < z[0].cols; j++)
                for (int64_t k = 0; k < z[0].cols; k++) {
                    const double c = reference_correlation(o, &z[a], &z[b], j, k);
                    if (j == k)
                        on += (1 - c) * (1 - c);
                    else
                        off += c * c;
                }
    give(o, pair_factor(o, in->views), on, off, out);
    return true;
}

const struct invar_term_spec invar_term_barlow = {
    .name = "barlow",
    .help = "Barlow Twins, the cross-correlation of two views against the identity [T1]",
    .options = barlow_table,
    .options_size = sizeof(struct barlow_options),
    .roles = barlow_roles,
    .check = barlow_check,
    .evaluate = barlow_evaluate,
    .reference = barlow_reference,
};
