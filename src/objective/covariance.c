/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The covariance term of VICReg [V3]: squared covariances between different columns of a view, summed over the views.
 * The squares of all entries of C = Zc^T Zc / (N - 1) add up to those of the N x N matrix G = Zc Zc^T / (N - 1): where
 * there are fewer samples than dimensions that one costs less. What is off the diagonal is then a difference, which
 * loses digits where a few columns have nearly all of the variance: |C|^2 is no less than (trace C)^2 / N, and where
 * that is 4/3 of the diagonal's squares a quarter of it is off the diagonal.
 */
#include "objective/sums.h"

#include <math.h>

#define AT(field) offsetof(struct invar_covariance_options, field)
static const struct invar_option covariance_table[] = {
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS),
     "sum: as in the paper and in the codes of the authors, solo-learn and lightly"},
    {0},
};

static unsigned covariance_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool covariance_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_covariance, in, covariance_roles(options), err);
}

/* what one view works on */
struct work {
    struct invar_matrix centred, c; /* c: d x d, or N x N where that is enough */
    double *mean, *squares;         /* device [d]; squares becomes variances, then factors */
    double *loss;                   /* slot */
};

/* the d x d way: factor times the sum of squares off the diagonal, and scale times its gradient */
static void by_columns(struct invar_device *device, struct work *w, double factor, double scale,
                       const struct invar_matrix *wanted)
{
    invar_dense_covariance(device, &w->centred, &w->c);
    invar_dense_diagonal_map(device, &w->c, NULL, 0, 0);
    /* the columns of the product have mean 0 as those of centred have: nothing is left to subtract */
    if (wanted)
        invar_dense_product_own(device, false, false, 4 * scale / (double)(w->centred.rows - 1), &w->centred, &w->c, 1,
                                wanted);
    invar_dense_dot(device, &w->c, &w->c, factor, w->loss);
}

/* the N x N way; squares are those of the columns of centred */
static void by_rows(struct invar_device *device, struct work *w, double factor, double scale,
                    const struct invar_matrix *wanted)
{
    const double divisor = (double)(w->centred.rows - 1);
    const struct invar_matrix variances = term_row(w->squares, w->centred.cols);

    invar_dense_scale(device, 1 / divisor, &variances);
    invar_dense_gram(device, false, 1 / divisor, &w->centred, &w->c);
    invar_dense_dot(device, &w->c, &w->c, factor, w->loss);
    invar_dense_dot(device, &variances, &variances, -factor, w->loss);
    if (wanted) {
        invar_dense_scale(device, -4 * scale / divisor, &variances);
        invar_dense_product_own(device, false, false, 4 * scale / divisor, &w->c, &w->centred, 1, wanted);
        invar_dense_standardise(device, &w->centred, w->mean, w->squares, wanted, true);
    }
}

static bool take_work(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows, d = z[0].cols;
    struct invar_scratch *scratch = call->scratch;

    w->mean = invar_device_take(scratch, (size_t)d, sizeof(double), err);
    w->squares = invar_device_take(scratch, (size_t)d, sizeof(double), err);
    return w->mean && w->squares && invar_dense_take(scratch, z[0].dtype, n, d, &w->centred, err);
}

/* Asked for every view of every step: what the columns are like may change. */
static bool rows_suffice(struct invar_device *device, struct work *w)
{
    const int64_t n = w->centred.rows, d = w->centred.cols;

    if (n >= d)
        return false;
    invar_dense_moments(device, &w->centred, w->mean, w->squares);
    return invar_dense_even(device, w->squares, d, 0.75 / (double)n);
}

/* One view in w->centred. The d x d matrix may be much the larger of both, and is taken where it is made. */
static bool one_view(const struct invar_term_call *call, struct work *w, double factor,
                     const struct invar_matrix *wanted, struct invar_error *err)
{
    const bool rows = rows_suffice(call->device, w);
    const int64_t side = rows ? w->centred.rows : w->centred.cols;

    if (w->c.rows != side && !invar_dense_take(call->scratch, w->centred.dtype, side, side, &w->c, err))
        return false;
    (rows ? by_rows : by_columns)(call->device, w, factor, call->weight * factor, wanted);
    return true;
}

static bool covariance_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_covariance_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const double factor = term_over_views(o->over_views, call->in->views) / (double)z[0].cols;
    struct work w = {.loss = invar_term_part(call->sum, NULL, 1)};

    if (!take_work(call, &w, err))
        return false;
    for (int v = 0; v < call->in->views; v++) {
        invar_dense_centre(call->device, &z[v], &w.centred);
        if (!one_view(call, &w, factor, term_wanted(call->gradient, INVAR_ROLE_Z, v), err))
            return false;
    }
    return true;
}

static bool covariance_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_covariance_options *o = options;
    double sum = 0;

    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
        for (int64_t j = 0; j < z->cols; j++)
            for (int64_t k = 0; k < z->cols; k++)
                sum += j == k ? 0 : pow(reference_covariance(z, j, k), 2) / (double)z->cols;
    }
    *out = (struct invar_term_value){.loss = sum / (o->over_views == INVAR_OVER_VIEWS_MEAN ? in->views : 1)};
    return true;
}

const struct invar_term_spec invar_term_covariance = {
    .name = "covariance",
    .help = "squared covariances between different columns [V3]",
    .options = covariance_table,
    .options_size = sizeof(struct invar_covariance_options),
    .roles = covariance_roles,
    .check = covariance_check,
    .evaluate = covariance_evaluate,
    .reference = covariance_reference,
};
