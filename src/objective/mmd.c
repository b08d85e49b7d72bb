/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum mean discrepancy between the embeddings of a view and a standard normal distribution [MD1], in closed form.
 */
#include "objective/sums.h"
#include "objective/wide.h"

#include <math.h>

struct mmd_options {
    double sigma;
    enum invar_over_views over_views;
};

#define AT(field) offsetof(struct mmd_options, field)
static const struct invar_option mmd_table[] = {
    {"sigma", INVAR_OPTION_REAL, AT(sigma), "1", 1e-3, 1e6, NULL,
     "of the kernel; of the order of the root of d where d is large"},
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "mean", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS), "value"},
    {0},
};

static unsigned mmd_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool mmd_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_mmd, in, mmd_roles(options), err);
}

/* what the three parts of [MD1] are made of: exponents' factors and the parts' own */
struct kernel {
    double pair, row, row_part, constant;
};

static struct kernel kernel_of(const struct mmd_options *o, int64_t d)
{
    const double s = o->sigma * o->sigma;

    return (struct kernel){1 / (2 * s), 1 / (2 * (1 + s)), -2 * pow(s / (1 + s), (double)d / 2),
                           pow(s / (2 + s), (double)d / 2)};
}

static bool mmd_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct mmd_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    const struct kernel k = kernel_of(o, d);
    const double per_view = term_over_views(o->over_views, views), rows = (double)n;
    double *loss = invar_term_part(call->sum, NULL, 1);
    const enum invar_dtype type = call->in->by[INVAR_ROLE_Z][0].dtype;
    struct invar_matrix centred, gram, squares, own;
    struct invar_matrix narrow, graph, by_centred; /* of the type of z, as its gradient is */

    invar_term_part_of(call->sum, NULL, NULL, 0, per_view * views * k.constant, 1);
    if (!term_matrix(call, n, d, &centred, err) || !term_matrix(call, n, n, &gram, err) ||
        !term_vector(call, n, &squares, err) || !term_matrix(call, n, d, &own, err) ||
        !invar_dense_take(call->scratch, type, n, d, &narrow, err) ||
        !invar_dense_take(call->scratch, type, n, n, &graph, err) ||
        !invar_dense_take(call->scratch, type, n, d, &by_centred, err))
        return false;
    for (int v = 0; v < views; v++) {
        struct invar_wide z;
        if (!wide_take(call, INVAR_ROLE_Z, v, false, &z, err))
            return false;
        invar_dense_centre(device, &z.x, &centred);
        invar_dense_gram(device, false, 1, &centred, &gram);
        invar_dense_distances(device, &gram, squares.data);
        invar_dense_map(device, INVAR_MAP_EXP, -k.pair, 0, &gram);
        invar_dense_sum(device, &gram, per_view / (rows * rows), loss);
        invar_dense_row_products(device, &z.x, &z.x, squares.data);
        invar_dense_map(device, INVAR_MAP_EXP, -k.row, 0, &squares);
        invar_dense_sum(device, &squares, per_view * k.row_part / rows, loss);
        if (!z.dx.data)
            continue;
        invar_dense_laplacian(device, &gram);
        invar_dense_copy(device, &gram, &graph);
        invar_dense_copy(device, &centred, &narrow);
        invar_dense_product_own(device, false, false, -4 * k.pair * call->weight * per_view / (rows * rows), &graph,
                                &narrow, 0, &by_centred);
        invar_dense_add(device, 1, &by_centred, &z.dx);
        invar_dense_copy(device, &z.x, &own);
        invar_dense_scale_rows(device, squares.data, &own);
        invar_dense_add(device, -2 * k.row * k.row_part * call->weight * per_view / rows, &own, &z.dx);
        wide_backward(call, INVAR_ROLE_Z, v, &z);
    }
    return true;
}

static bool mmd_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct mmd_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols;
    const double s = o->sigma * o->sigma;
    double loss = 0;

    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < n; j++) {
                double square = 0;
                for (int64_t k = 0; k < d; k++)
                    square += pow(reference_at(z, i, k) - reference_at(z, j, k), 2);
                loss += exp(-square / (2 * s)) / (double)(n * n);
            }
            loss -= 2 / (double)n * pow(s / (1 + s), (double)d / 2) *
                    exp(-reference_dot(z, i, z, i, false) / (2 * (1 + s)));
        }
        loss += pow(s / (2 + s), (double)d / 2);
    }
    *out = (struct invar_term_value){.loss = loss * term_over_views(o->over_views, in->views)};
    return true;
}

const struct invar_term_spec invar_term_mmd = {
    .name = "mmd",
    .help = "maximum mean discrepancy from a standard normal distribution [MD1]",
    .options = mmd_table,
    .options_size = sizeof(struct mmd_options),
    .roles = mmd_roles,
    .check = mmd_check,
    .evaluate = mmd_evaluate,
    .reference = mmd_reference,
};
