/* SPDX-License-Identifier: Apache-2.0 */
/* Soft-HGR [A7]: the correlation of two centred sides less half the trace of the product of their covariances, on the
 * smaller of d x d and N x N. */
#include "objective/term.h"

#include <math.h>

#define DIVISORS(CHOICE) CHOICE(DIVISOR_UNBIASED, "N-1") CHOICE(DIVISOR_N, "N")
enum divisor { DIVISORS(INVAR_CHOICE_CONSTANT) };

struct soft_hgr_options {
    enum divisor divisor;
};

#define AT(field) offsetof(struct soft_hgr_options, field)
static const struct invar_option soft_hgr_table[] = {
    {"divisor", INVAR_OPTION_CHOICE, AT(divisor), "N-1", 0, 0, INVAR_CHOICES(DIVISORS),
     "of the mean and of the covariances"},
    {0},
};

static const struct invar_term_input soft_hgr_inputs[] = {{"z", INVAR_ROLE_Z, 0}, {"z_tilde", INVAR_ROLE_Z, 1}, {0}};

static unsigned soft_hgr_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool soft_hgr_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "soft_hgr needs exactly two views of every sample, not %d: set views.count to 2 and "
                               "views.local to 0 (or give z and z_tilde)",
                               in->views);
    return term_check_shapes(&invar_term_soft_hgr, in, soft_hgr_roles(options), 2, err);
}

static double divisor_of(const struct soft_hgr_options *o, int64_t n)
{
    return (double)(o->divisor == DIVISOR_N ? n : n - 1);
}

/* tr(cov f cov g) = <F^T F, G^T G> = |F G^T|^2, over the divisor squared; columns of its gradient have mean 0 as they
 * are */
static bool add_trace(const struct invar_term_call *call, const struct invar_matrix *x, double divisor, double *slot,
                      struct invar_error *err)
{
    struct invar_device *device = call->device;
    const int64_t n = x[0].rows, d = x[0].cols, least = d > n ? n : d;
    const double share = 1 / (divisor * divisor);
    struct invar_matrix c[2];

    for (int v = 0; v < (d > n ? 1 : 2); v++)
        if (!invar_dense_take(call->scratch, x[v].dtype, least, least, &c[v], err))
            return false;
    if (d > n)
        invar_dense_product(device, false, true, 1, &x[0], &x[1], 0, &c[0]);
    for (int v = 0; v < 2 && d <= n; v++)
        invar_dense_gram(device, true, 1, &x[v], &c[v]);
    invar_dense_dot(device, &c[0], &c[d > n ? 0 : 1], share, slot);
    for (int v = 0; v < 2; v++) {
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        if (!wanted)
            continue;
        invar_dense_add(device, -call->weight / divisor, &x[1 - v], wanted);
        if (d > n)
            invar_dense_product_own(device, v == 1, false, call->weight * share, &c[0], &x[1 - v], 1, wanted);
        else
            invar_dense_product_own(device, false, false, call->weight * share, &x[v], &c[1 - v], 1, wanted);
    }
    return true;
}

static bool soft_hgr_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    struct invar_device *device = call->device;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const double divisor = divisor_of(call->options, z[0].rows);
    double *correlation = invar_ledger_slot(call->sum->ledger), *trace = invar_ledger_slot(call->sum->ledger);
    struct invar_matrix x[2];

    invar_term_part_of(call->sum, NULL, correlation, -1, 0, 1);
    invar_term_part_of(call->sum, NULL, trace, 0.5, 0, 1);
    invar_term_part_of(call->sum, "soft_hgr", correlation, 1, 0, 0);
    invar_term_part_of(call->sum, "soft_hgr", trace, -0.5, 0, 0);
    invar_term_part_of(call->sum, "correlation", correlation, 1, 0, 0);
    invar_term_part_of(call->sum, "trace", trace, 1, 0, 0);
    for (int v = 0; v < 2; v++) {
        if (!invar_dense_take(call->scratch, z[v].dtype, z[v].rows, z[v].cols, &x[v], err))
            return false;
        invar_dense_centre(device, &z[v], &x[v]);
    }
    invar_dense_dot(device, &x[0], &x[1], 1 / divisor, correlation);
    return add_trace(call, x, divisor, trace, err);
}

static bool soft_hgr_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z->rows, d = z->cols;
    const double divisor = divisor_of(options, n), unbiased = (double)(n - 1) / divisor;
    double correlation = 0, trace = 0;

    for (int64_t j = 0; j < d; j++) {
        double mean[2] = {0};
        for (int64_t i = 0; i < n; i++)
            for (int v = 0; v < 2; v++)
                mean[v] += reference_at(&z[v], i, j) / (double)n;
        for (int64_t i = 0; i < n; i++)
            correlation += (reference_at(&z[0], i, j) - mean[0]) * (reference_at(&z[1], i, j) - mean[1]) / divisor;
        for (int64_t k = 0; k < d; k++)
            trace += reference_covariance(&z[0], j, k) * reference_covariance(&z[1], k, j) * unbiased * unbiased;
    }
    *out = (struct invar_term_value){.loss = trace / 2 - correlation};
    reference_part(out, "soft_hgr", correlation - trace / 2);
    reference_part(out, "correlation", correlation);
    reference_part(out, "trace", trace);
    return true;
}

const struct invar_term_spec invar_term_soft_hgr = {
    .name = "soft_hgr",
    .help = "maximal correlation of two views without whitening [A7]",
    .options = soft_hgr_table,
    .options_size = sizeof(struct soft_hgr_options),
    .inputs = soft_hgr_inputs,
    .roles = soft_hgr_roles,
    .check = soft_hgr_check,
    .evaluate = soft_hgr_evaluate,
    .reference = soft_hgr_reference,
};
