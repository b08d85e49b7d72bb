/* SPDX-License-Identifier: Apache-2.0 */
/* VICReg [V4]: the weighted sum of the terms invariance, variance and covariance, each a part. */
#include "objective/sums.h"

struct vicreg_options {
    double lambda, mu, nu;
    struct invar_invariance_options invariance;
    struct invar_variance_options variance;
    struct invar_covariance_options covariance;
};

#define AT(field) offsetof(struct vicreg_options, field)
static const struct invar_option vicreg_table[] = {
    {"lambda", INVAR_OPTION_REAL, AT(lambda), "25", 0, 1e9, NULL, "weight of the invariance part"},
    {"mu", INVAR_OPTION_REAL, AT(mu), "25", 0, 1e9, NULL, "weight of the variance part"},
    {"nu", INVAR_OPTION_REAL, AT(nu), "1", 0, 1e9, NULL, "weight of the covariance part"},
    {"gamma", INVAR_OPTION_REAL, AT(variance.gamma), "1", 0, 1e6, NULL,
     "deviation below which a column costs something"},
    {"eps", INVAR_OPTION_REAL, AT(variance.eps), "1e-4", 1e-12, 1e6, NULL, "added to the variance inside the root"},
    {"variance_over_views", INVAR_OPTION_CHOICE, AT(variance.over_views), "mean", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS),
     "mean: half of the sum of two views, as in the codes of the authors and lightly; sum: as in the paper and "
     "solo-learn, whose mu of 25 is 50 here"},
    {"covariance_over_views", INVAR_OPTION_CHOICE, AT(covariance.over_views), "sum", 0, 0,
     INVAR_CHOICES(INVAR_OVER_VIEWS), "sum: as in the paper and all published codes"},
    {"divide_by", INVAR_OPTION_CHOICE, AT(invariance.divide_by), "nd", 0, 0, INVAR_CHOICES(INVAR_INVARIANCE_DIVIDE),
     "of the invariance part: nd as in all published codes; n, the sum over dimensions, as in the paper"},
    {"normalise_pairs", INVAR_OPTION_BOOL, AT(invariance.normalise_pairs), "false", 0, 0, NULL,
     "with more than two views: divide the invariance part by the number of unordered pairs"},
    {0},
};

static unsigned vicreg_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool vicreg_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct vicreg_options *o = options;

    if (o->lambda == 0 && o->mu == 0 && o->nu == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "vicreg: lambda, mu and nu are all 0, so nothing would be trained: set one of them");
    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "vicreg needs two views of every sample or more, not %d: set views.count (or give z1 "
                               "and z2)",
                               in->views);
    return term_check_shapes(&invar_term_vicreg, in, vicreg_roles(options), 2, err);
}

static bool vicreg_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct vicreg_options *o = call->options;

    return sum_add(&invar_term_invariance, call, &o->invariance, "invariance", o->lambda, err) &&
           sum_add(&invar_term_variance, call, &o->variance, "variance", o->mu, err) &&
           sum_add(&invar_term_covariance, call, &o->covariance, "covariance", o->nu, err);
}

static bool vicreg_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct vicreg_options *o = options;

    *out = (struct invar_term_value){0};
    return sum_add_reference(&invar_term_invariance, &o->invariance, in, "invariance", o->lambda, out) &&
           sum_add_reference(&invar_term_variance, &o->variance, in, "variance", o->mu, out) &&
           sum_add_reference(&invar_term_covariance, &o->covariance, in, "covariance", o->nu, out);
}

const struct invar_term_spec invar_term_vicreg = {
    .name = "vicreg",
    .help = "VICReg, the sum of invariance, variance and covariance [V4]",
    .options = vicreg_table,
    .options_size = sizeof(struct vicreg_options),
    .roles = vicreg_roles,
    .check = vicreg_check,
    .evaluate = vicreg_evaluate,
    .reference = vicreg_reference,
};
