/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The covariance term of VICReg [V3]: squared covariances between different columns of a view, summed over the views.
 * The squares of all entries of C = Zc^T Zc / (N - 1) add up to those of the N x N matrix G = Zc Zc^T / (N - 1): with
 * fewer samples than dimensions that one is made, at a cost linear in d.
 */
#include "objective/sums.h"

#include <math.h>

#define AT(field) offsetof(struct invar_covariance_options, field)
static const struct invar_option covariance_table[] = {
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, "sum|mean",
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
    return invar_term_check_views(&invar_term_covariance, in, covariance_roles(options), err);
}

/* what one view works on; side: d, or N where that is the smaller */
struct work {
    struct invar_matrix centred, c; /* side x side */
    double *mean, *squares;         /* device [d]; squares becomes variances, then factors */
    double *host;                   /* host [d] */
};

/* the d x d way: the sum of squares off the diagonal, and scale times its gradient */
static double by_columns(struct invar_device *device, struct work *w, double scale, const struct invar_matrix *wanted)
{
    const int64_t d = w->c.rows;

    invar_dense_covariance(device, &w->centred, &w->c);
    for (int64_t j = 0; j < d; j++)
        w->host[j] = 0;
    invar_dense_set_diagonal(device, &w->c, w->host);
    /* the columns of the product have mean 0 as those of centred have: nothing is left to subtract */
    if (wanted)
        invar_dense_product(device, false, false, 4 * scale / (double)(w->centred.rows - 1), &w->centred, &w->c, 1,
                            wanted);
    return invar_dense_dot(device, &w->c, &w->c);
}

/* the N x N way; host holds the variances */
static double by_rows(struct invar_device *device, struct work *w, double scale, const struct invar_matrix *wanted)
{
    const int64_t n = w->centred.rows, d = w->centred.cols;
    double diagonal = 0;

    for (int64_t j = 0; j < d; j++) {
        diagonal += w->host[j] * w->host[j];
        w->host[j] *= -4 * scale / (double)(n - 1);
    }
    invar_dense_gram(device, false, 1 / (double)(n - 1), &w->centred, &w->c);
    if (wanted) {
        invar_device_upload(device, w->squares, w->host, (size_t)d * sizeof *w->host);
        invar_dense_product(device, false, false, 4 * scale / (double)(n - 1), &w->c, &w->centred, 1, wanted);
        invar_dense_standardise(device, &w->centred, w->mean, w->squares, wanted, true);
    }
    return invar_dense_dot(device, &w->c, &w->c) - diagonal;
}

/* one view in w->centred: as by_columns */
static bool one_view(struct invar_device *device, struct invar_scratch *scratch, struct work *w, double scale,
                     const struct invar_matrix *wanted, double *out, struct invar_error *err)
{
    const int64_t n = w->centred.rows, d = w->centred.cols;
    bool rows = false;

    if (n < d) {
        invar_dense_moments(device, &w->centred, w->mean, w->squares);
        invar_device_download(device, w->host, w->squares, (size_t)d * sizeof *w->host);
        for (int64_t j = 0; j < d; j++)
            w->host[j] /= (double)(n - 1);
        rows = invar_term_rows_suffice(w->host, n, d);
    }
    const int64_t side = rows ? n : d;
    if (w->c.rows != side && !invar_dense_take(scratch, w->centred.dtype, side, side, &w->c, err))
        return false;
    *out = rows ? by_rows(device, w, scale, wanted) : by_columns(device, w, scale, wanted);
    return true;
}

static bool covariance_evaluate(struct invar_device *device, struct invar_scratch *scratch, const void *options,
                                const struct invar_embeddings *in, double weight,
                                const struct invar_embeddings *gradient, struct invar_term_value *out,
                                struct invar_error *err)
{
    const struct invar_covariance_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows, d = z[0].cols;
    const double factor = invar_over_views(o->over_views, in->views) / (double)d;
    struct work w = {0};
    double sum = 0;

    w.mean = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
    w.squares = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
    w.host = invar_scratch_take(scratch, (size_t)d, sizeof(double), err);
    if (!w.mean || !w.squares || !w.host || !invar_dense_take(scratch, z[0].dtype, n, d, &w.centred, err))
        return false;
    for (int v = 0; v < in->views; v++) {
        double part;
        invar_dense_centre(device, &z[v], &w.centred);
        if (!one_view(device, scratch, &w, weight * factor, invar_term_wanted(gradient, INVAR_ROLE_Z, v), &part, err))
            return false;
        sum += part;
    }
    *out = (struct invar_term_value){.loss = factor * sum};
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
                sum += j == k ? 0 : pow(invar_reference_covariance(z, j, k), 2) / (double)z->cols;
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
