/* SPDX-License-Identifier: Apache-2.0 */
/* The covariance term of VICReg [V3]: squared covariances between different columns of a view, summed over the views.
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

static bool covariance_evaluate(struct invar_device *device, struct invar_scratch *scratch, const void *options,
                                const struct invar_embeddings *in, double weight,
                                const struct invar_embeddings *gradient, struct invar_term_value *out,
                                struct invar_error *err)
{
    const struct invar_covariance_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows, d = z[0].cols;
    const double factor = invar_over_views(o->over_views, in->views) / (double)d;
    struct invar_matrix centred, c;
    double sum = 0;

    double *zeros = invar_scratch_take(scratch, (size_t)d, sizeof *zeros, err);
    if (!zeros || !invar_dense_take(scratch, z[0].dtype, n, d, &centred, err) ||
        !invar_dense_take(scratch, z[0].dtype, d, d, &c, err))
        return false;
    for (int64_t j = 0; j < d; j++)
        zeros[j] = 0;
    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *wanted = invar_term_wanted(gradient, INVAR_ROLE_Z, v);
        invar_dense_centre(device, &z[v], &centred);
        invar_dense_covariance(device, &centred, &c);
        invar_dense_set_diagonal(device, &c, zeros);
        sum += invar_dense_dot(device, &c, &c);
        /* the columns of the product have mean 0 as those of centred have: nothing is left to subtract */
        if (wanted)
            invar_dense_product(device, false, false, 4 * weight * factor / (double)(n - 1), &centred, &c, 1, wanted);
    }
    *out = (struct invar_term_value){.loss = factor * sum};
    return true;
}

static double reference_covariance(const struct invar_matrix *z, int64_t j, int64_t k)
{
    double mean[2] = {0}, sum = 0;

    for (int64_t i = 0; i < z->rows; i++) {
        mean[0] += invar_reference_at(z, i, j) / (double)z->rows;
        mean[1] += invar_reference_at(z, i, k) / (double)z->rows;
    }
    for (int64_t i = 0; i < z->rows; i++)
        sum += (invar_reference_at(z, i, j) - mean[0]) * (invar_reference_at(z, i, k) - mean[1]);
    return sum / (double)(z->rows - 1);
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
