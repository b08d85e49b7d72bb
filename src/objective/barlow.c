/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Barlow Twins [T1]: the cross-correlation C of two views, standardised over the batch, should be the identity. The sum
 * over unordered pairs of views. With fewer samples than dimensions the squares of C are had from an N x N matrix of
 * each view, at a cost linear in d.
 */
#include "objective/term.h"

#include <math.h>

#define VARIANCES(CHOICE) CHOICE(VARIANCE_BIASED, "biased") CHOICE(VARIANCE_UNBIASED, "unbiased")
enum variance { VARIANCES(INVAR_CHOICE_CONSTANT) };
#define DIVISORS(CHOICE) CHOICE(DIVISOR_N, "N") CHOICE(DIVISOR_N_LESS_ONE, "N-1")
enum divisor { DIVISORS(INVAR_CHOICE_CONSTANT) };

struct barlow_options {
    double lambda_offdiag, eps;
    enum variance variance;
    enum divisor correlation_divisor;
    bool normalise_pairs;
};

#define AT(field) offsetof(struct barlow_options, field)
static const struct invar_option barlow_table[] = {
    {"lambda_offdiag", INVAR_OPTION_REAL, AT(lambda_offdiag), "0.0051", 0, 1e6, NULL,
     "weight of the off-diagonal part; the authors' code has 0.0051, the paper, solo-learn and lightly 0.005. "
     "solo-learn multiplies the whole by a scale_loss besides: use the term's weight"},
    {"eps", INVAR_OPTION_REAL, AT(eps), "1e-5", 1e-12, 1e6, NULL,
     "added to the variance; 1e-5 in the authors' code and solo-learn (batch norm)"},
    {"variance", INVAR_OPTION_CHOICE, AT(variance), "biased", 0, 0, INVAR_CHOICES(VARIANCES),
     "divisor N, as in the authors' code and solo-learn, or N - 1, as in early versions of lightly"},
    {"correlation_divisor", INVAR_OPTION_CHOICE, AT(correlation_divisor), "N", 0, 0, INVAR_CHOICES(DIVISORS),
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
    double *mean, *column, *ones;                                /* device [d]; column: the diagonal of C */
    double *on, *off;                                            /* slots */
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
    return term_check_shapes(&invar_term_barlow, in, barlow_roles(options), 2, err);
}

/* standardises every view; ds is zeroed where a gradient is wanted */
static bool take_standardised(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct barlow_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows, d = z[0].cols;

    w->mean = invar_device_take(call->scratch, (size_t)d, sizeof(double), err);
    w->column = invar_device_take(call->scratch, (size_t)d, sizeof(double), err);
    w->ones = invar_device_take(call->scratch, (size_t)d, sizeof(double), err);
    if (!w->mean || !w->column || !w->ones)
        return false;
    const struct invar_matrix ones = term_row(w->ones, d);
    invar_dense_zero(call->device, &ones);
    invar_dense_affine(call->device, 1, 1, &ones);
    for (int v = 0; v < call->in->views; v++) {
        w->factor[v] = invar_device_take(call->scratch, (size_t)d, sizeof(double), err);
        if (!w->factor[v] || !invar_dense_take(call->scratch, z[v].dtype, n, d, &w->s[v], err))
            return false;
        invar_dense_moments(call->device, &z[v], w->mean, w->factor[v]);
        invar_dense_rsqrt_of_squares(call->device, w->factor[v], d, variance_divisor(o, n), o->eps);
        invar_dense_standardise(call->device, &z[v], w->mean, w->factor[v], &w->s[v], false);
        if (!term_wanted(call->gradient, INVAR_ROLE_Z, v))
            continue;
        if (!invar_dense_take(call->scratch, z[v].dtype, n, d, &w->ds[v], err))
            return false;
        invar_dense_zero(call->device, &w->ds[v]);
    }
    return true;
}

/* the d x d way: the off-diagonal part, with weight times the whole gradient into ds; w->c becomes the gradient by C */
static bool by_columns(const struct invar_term_call *call, struct work *w, int a, int b, double factor,
                       struct invar_error *err)
{
    const struct barlow_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t d = w->s[a].cols;
    const double divisor = correlation_divisor(o, w->s[a].rows), scale = 2 * call->weight * factor;

    if (!w->c.data && !invar_dense_take(call->scratch, w->s[a].dtype, d, d, &w->c, err))
        return false;
    invar_dense_product(device, true, false, 1 / divisor, &w->s[a], &w->s[b], 0, &w->c);
    invar_dense_diagonal_map(device, &w->c, NULL, 0, 0);
    invar_dense_dot(device, &w->c, &w->c, factor, w->off);
    if (!w->ds[a].data && !w->ds[b].data)
        return true;
    invar_dense_scale(device, scale * o->lambda_offdiag, &w->c);
    invar_dense_diagonal_map(device, &w->c, w->column, scale, -scale);
    if (w->ds[a].data)
        invar_dense_product(device, false, true, 1 / divisor, &w->s[b], &w->c, 1, &w->ds[a]);
    if (w->ds[b].data)
        invar_dense_product(device, false, false, 1 / divisor, &w->s[a], &w->c, 1, &w->ds[b]);
    return true;
}

/* gradient of one view of a pair the N x N way; w->column holds that of the diagonal over the divisor, less what the
 * product adds to it */
static void rows_backward(const struct invar_term_call *call, struct work *w, int own, int other, double scale)
{
    const struct barlow_options *o = call->options;
    const double divisor = correlation_divisor(o, w->s[own].rows);

    if (!w->ds[own].data)
        return;
    invar_dense_product(call->device, false, false, scale * o->lambda_offdiag / divisor, &w->gram[other], &w->s[own], 1,
                        &w->ds[own]);
    invar_dense_standardise(call->device, &w->s[other], w->mean, w->column, &w->ds[own], true);
}

/* the N x N way: as by_columns; w->column becomes what rows_backward reads, w->mean 0 */
static bool by_rows(const struct invar_term_call *call, struct work *w, int a, int b, double factor,
                    struct invar_error *err)
{
    const struct barlow_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t n = w->s[a].rows, d = w->s[a].cols;
    const double divisor = correlation_divisor(o, n), scale = 2 * call->weight * factor;
    const struct invar_matrix diagonal = term_row(w->column, d), mean = term_row(w->mean, d);

    for (int v = a; v <= b; v += b - a) {
        if (w->gram[v].data)
            continue;
        if (!invar_dense_take(call->scratch, w->s[v].dtype, n, n, &w->gram[v], err))
            return false;
        invar_dense_gram(device, false, 1 / divisor, &w->s[v], &w->gram[v]);
    }
    invar_dense_dot(device, &w->gram[a], &w->gram[b], factor, w->off);
    invar_dense_dot(device, &diagonal, &diagonal, -factor, w->off);
    invar_dense_affine(device, scale * (1 - o->lambda_offdiag) / divisor, -scale / divisor, &diagonal);
    invar_dense_zero(device, &mean);
    rows_backward(call, w, a, b, scale);
    rows_backward(call, w, b, a, scale);
    return true;
}

/* both parts of views a and b, with weight times the gradient into ds */
static bool add_pair(const struct invar_term_call *call, struct work *w, int a, int b, double factor,
                     struct invar_error *err)
{
    const int64_t n = w->s[a].rows, d = w->s[a].cols;
    const struct invar_matrix diagonal = term_row(w->column, d), ones = term_row(w->ones, d);

    invar_dense_column_products(call->device, &w->s[a], &w->s[b], w->column);
    invar_dense_scale(call->device, 1 / correlation_divisor(call->options, n), &diagonal);
    invar_dense_distance(call->device, &ones, &diagonal, 0, NULL, NULL, factor, w->on);
    return term_rows_suffice(n, d) ? by_rows(call, w, a, b, factor, err) : by_columns(call, w, a, b, factor, err);
}

static bool barlow_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct barlow_options *o = call->options;
    const int views = call->in->views;
    struct work w = {.on = invar_term_part(call->sum, "on_diagonal", 1)};

    w.off = invar_term_part(call->sum, "off_diagonal", o->lambda_offdiag);
    if (!take_standardised(call, &w, err))
        return false;
    for (int a = 0; a < views; a++)
        for (int b = a + 1; b < views; b++)
            if (!add_pair(call, &w, a, b, pair_factor(o, views), err))
                return false;
    for (int v = 0; v < views; v++)
        if (w.ds[v].data)
            invar_dense_standardise_backward(call->device, &w.s[v], w.factor[v], variance_divisor(o, w.s[v].rows),
                                             &w.ds[v], 1, term_wanted(call->gradient, INVAR_ROLE_Z, v));
    return true;
}

/* ---- reference ---- */

static void reference_column(const struct barlow_options *o, const struct invar_matrix *z, int64_t j, double *mean,
                             double *deviation)
{
    double square = 0;

    *mean = 0;
    for (int64_t i = 0; i < z->rows; i++)
        *mean += reference_at(z, i, j) / (double)z->rows;
    for (int64_t i = 0; i < z->rows; i++)
        square += pow(reference_at(z, i, j) - *mean, 2);
    *deviation = sqrt(square / variance_divisor(o, z->rows) + o->eps);
}

static double reference_correlation(const struct barlow_options *o, const struct invar_matrix *x,
                                    const struct invar_matrix *y, int64_t j, int64_t k)
{
    double mean[2], deviation[2], sum = 0;

    reference_column(o, x, j, &mean[0], &deviation[0]);
    reference_column(o, y, k, &mean[1], &deviation[1]);
    for (int64_t i = 0; i < x->rows; i++)
        sum += (reference_at(x, i, j) - mean[0]) * (reference_at(y, i, k) - mean[1]);
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
    on *= pair_factor(o, in->views);
    off *= pair_factor(o, in->views);
    *out = (struct invar_term_value){.loss = on + o->lambda_offdiag * off};
    reference_part(out, "on_diagonal", on);
    reference_part(out, "off_diagonal", off);
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
