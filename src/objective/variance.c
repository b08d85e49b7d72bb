/* SPDX-License-Identifier: Apache-2.0 */
/* The variance term of VICReg [V2]: a hinge that keeps the deviation of every column of every view above gamma. */
#include "objective/sums.h"

#include <math.h>

#define AT(field) offsetof(struct invar_variance_options, field)
static const struct invar_option variance_table[] = {
    {"gamma", INVAR_OPTION_REAL, AT(gamma), "1", 0, 1e6, NULL, "deviation below which a column costs something"},
    {"eps", INVAR_OPTION_REAL, AT(eps), "1e-4", 1e-12, 1e6, NULL,
     "added to the (unbiased) variance inside the root; 1e-4 everywhere"},
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "mean", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS),
     "mean: half of the sum of two views, as in the codes of the authors and lightly; sum: as in the paper and "
     "solo-learn, whose weight of 25 is 50 here"},
    {0},
};

static unsigned variance_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool variance_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_variance, in, variance_roles(options), err);
}

static bool variance_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_variance_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const int64_t d = z[0].cols;
    const double divisor = (double)(z[0].rows - 1);
    const double factor = term_over_views(o->over_views, call->in->views) / (double)d;
    double *loss = invar_term_part(call->sum, NULL, 1);

    double *mean = invar_device_take(call->scratch, (size_t)d, sizeof *mean, err);
    double *columns = invar_device_take(call->scratch, (size_t)d, sizeof *columns, err);
    if (!mean || !columns)
        return false;
    for (int v = 0; v < call->in->views; v++) {
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        invar_dense_moments(call->device, &z[v], mean, columns);
        invar_dense_hinge(call->device, columns, d, divisor, o->eps, o->gamma, -call->weight * factor / divisor, factor,
                          loss);
        if (wanted)
            invar_dense_standardise(call->device, &z[v], mean, columns, wanted, true);
    }
    return true;
}

static bool variance_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_variance_options *o = options;
    double sum = 0;

    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
        for (int64_t j = 0; j < z->cols; j++) {
            double mean = 0, square = 0;
            for (int64_t i = 0; i < z->rows; i++)
                mean += reference_at(z, i, j) / (double)z->rows;
            for (int64_t i = 0; i < z->rows; i++)
                square += pow(reference_at(z, i, j) - mean, 2) / (double)(z->rows - 1);
            sum += fmax(0, o->gamma - sqrt(square + o->eps)) / (double)z->cols;
        }
    }
    *out = (struct invar_term_value){.loss = sum / (o->over_views == INVAR_OVER_VIEWS_MEAN ? in->views : 1)};
    return true;
}

const struct invar_term_spec invar_term_variance = {
    .name = "variance",
    .help = "hinge on the deviation of every column [V2]",
    .options = variance_table,
    .options_size = sizeof(struct invar_variance_options),
    .roles = variance_roles,
    .check = variance_check,
    .evaluate = variance_evaluate,
    .reference = variance_reference,
};
