/* SPDX-License-Identifier: Apache-2.0 */
/* MMCR [MM1]: the nuclear norm of the views' mean, raised, and that of every sample's views, lowered. U V^T of a matrix
 * comes from the eigenvectors of the smaller of its two Gram matrices. */
#include "objective/wide.h"

#include <math.h>

struct mmcr_options {
    double lambda;
    bool normalise;
};

#define AT(field) offsetof(struct mmcr_options, field)
static const struct invar_option mmcr_table[] = {
    {"lambda", INVAR_OPTION_REAL, AT(lambda), "0", 0, 1e9, NULL, "of the local part; the authors' 0, lightly's 5e-3"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL, "norm() of z first"},
    {0},
};

static unsigned mmcr_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool mmcr_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_mmcr, in, mmcr_roles(options), err);
}

/* *slot += factor |mean|_*; by_mean = U V^T of its directions that are more than rounding */
static bool nuclear(const struct invar_term_call *call, const struct invar_matrix *mean, double factor, double *slot,
                    const struct invar_matrix *by_mean, struct invar_error *err)
{
    struct invar_device *device = call->device;
    const bool columns = mean->cols <= mean->rows;
    const int64_t least = columns ? mean->cols : mean->rows;
    struct invar_matrix gram, scaled, map, values;

    if (!term_matrix(call, least, least, &gram, err) || !term_matrix(call, least, least, &scaled, err) ||
        !term_matrix(call, least, least, &map, err) || !term_vector(call, least, &values, err))
        return false;
    invar_dense_gram(device, columns, 1, mean, &gram);
    double *const found[] = {values.data};
    if (!invar_dense_eigen(device, call->scratch, 1, &gram, found, err))
        return false;
    invar_dense_map(device, INVAR_MAP_SQRT, 1, 0, &values);
    invar_dense_sum(device, &values, factor, slot);
    if (!call->gradient)
        return true;
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, 0, &values);
    invar_dense_copy(device, &gram, &scaled);
    invar_dense_scale_rows(device, values.data, &scaled);
    invar_dense_mirrored(device, true, 1, &gram, &scaled, 0, &map);
    if (columns)
        invar_dense_product_own(device, false, false, 1, mean, &map, 0, by_mean);
    else
        invar_dense_product_own(device, false, false, 1, &map, mean, 0, by_mean);
    return true;
}

static bool mmcr_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct mmcr_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    double *global = invar_term_part(call->sum, "global_nuclear", -1);
    double *local = invar_term_part(call->sum, "local_nuclear", o->lambda);
    struct invar_wide z[INVAR_MAX_VIEWS];
    struct invar_matrix x[INVAR_MAX_VIEWS], dx[INVAR_MAX_VIEWS], mean, by_mean;

    if (!wide_take_views(call, INVAR_ROLE_Z, views, o->normalise, z, err) || !term_matrix(call, n, d, &mean, err) ||
        !term_matrix(call, n, d, &by_mean, err))
        return false;
    invar_dense_zero(device, &mean);
    for (int v = 0; v < views; v++) {
        invar_dense_add(device, 1.0 / views, &z[v].x, &mean);
        x[v] = z[v].x;
        dx[v] = z[v].dx;
    }
    if (!nuclear(call, &mean, 1, global, &by_mean, err))
        return false;
    for (int v = 0; v < views; v++)
        if (dx[v].data)
            invar_dense_add(device, -call->weight / views, &by_mean, &dx[v]);
    invar_dense_nuclear_rows(device, views, x, call->weight * o->lambda / (double)n, o->lambda > 0 ? dx : NULL,
                             1 / (double)n, local);
    wide_backward_views(call, INVAR_ROLE_Z, views, z);
    return true;
}

static double reference_nuclear(const double *x, int64_t rows, int64_t cols)
{
    const int64_t least = rows < cols ? rows : cols;
    double *s = invar_alloc((size_t)least, sizeof *s, NULL), sum = s ? 0 : (double)NAN;

    if (s && !reference_singular_values(x, rows, cols, s))
        sum = (double)NAN;
    for (int64_t k = 0; s && k < least; k++)
        sum += s[k];
    invar_free(s);
    return sum;
}

static bool mmcr_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct mmcr_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z->rows, d = z->cols;
    double *mean = invar_alloc((size_t)(n * d), sizeof *mean, NULL);
    double *stack = invar_alloc((size_t)(in->views * d), sizeof *stack, NULL), local = 0;

    for (int64_t i = 0; mean && stack && i < n; i++) {
        for (int v = 0; v < in->views; v++)
            for (int64_t k = 0; k < d; k++) {
                stack[v * d + k] = reference_at(&z[v], i, k) / (o->normalise ? reference_length(&z[v], i) : 1);
                mean[i * d + k] += stack[v * d + k] / in->views;
            }
        local += reference_nuclear(stack, in->views, d) / (double)n;
    }
    const double global = mean ? reference_nuclear(mean, n, d) : (double)NAN;
    *out = (struct invar_term_value){.loss = -global + o->lambda * local};
    reference_part(out, "global_nuclear", global);
    reference_part(out, "local_nuclear", local);
    invar_free(mean);
    invar_free(stack);
    return true;
}

const struct invar_term_spec invar_term_mmcr = {
    .name = "mmcr",
    .help = "nuclear norms of the views' mean and of every sample's views [MM1]",
    .options = mmcr_table,
    .options_size = sizeof(struct mmcr_options),
    .roles = mmcr_roles,
    .check = mmcr_check,
    .evaluate = mmcr_evaluate,
    .reference = mmcr_reference,
};
