/* SPDX-License-Identifier: Apache-2.0 */
/* Spectral contrast [SC1]: rows longer than sqrt(mu) are shortened; matching views attract, all others of the other
 * view repel by the square of their product. */
#include "objective/term.h"

#include <math.h>

struct spectral_contrastive_options {
    double mu;
};

#define AT(field) offsetof(struct spectral_contrastive_options, field)
static const struct invar_option spectral_contrastive_table[] = {
    {"mu", INVAR_OPTION_REAL, AT(mu), "1", 1e-6, 1e6, NULL,
     "largest squared length of a row; the loss is divided by it, as in the authors' code"},
    {0},
};

static unsigned spectral_contrastive_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool spectral_contrastive_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "spectral_contrastive needs exactly two views of every sample, not %d: set views.count "
                               "to 2 and views.local to 0 (or give z1 and z2)",
                               in->views);
    return term_check_shapes(&invar_term_spectral_contrastive, in, spectral_contrastive_roles(options), 2, err);
}

static bool spectral_contrastive_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct spectral_contrastive_options *o = call->options;
    struct invar_device *device = call->device;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const double n = (double)z[0].rows, attract = -2 / (o->mu * n), repel = 1 / (o->mu * n * (n - 1));
    double *attraction = invar_term_part(call->sum, "attraction", 1);
    double *repulsion = invar_term_part(call->sum, "repulsion", 1);
    struct invar_matrix x[2], by_x, s;
    double *lengths[2];

    if (!invar_dense_take(call->scratch, z[0].dtype, z[0].rows, z[0].rows, &s, err) ||
        !invar_dense_take(call->scratch, z[0].dtype, z[0].rows, z[0].cols, &by_x, err))
        return false;
    for (int v = 0; v < 2; v++) {
        lengths[v] = invar_device_take(call->scratch, (size_t)z[v].rows, sizeof(double), err);
        if (!lengths[v] || !invar_dense_take(call->scratch, z[v].dtype, z[v].rows, z[v].cols, &x[v], err))
            return false;
        invar_dense_shorten(device, sqrt(o->mu), &z[v], &x[v], lengths[v]);
    }
    invar_dense_dot(device, &x[0], &x[1], attract, attraction);
    invar_dense_product(device, false, true, 1, &x[0], &x[1], 0, &s);
    invar_dense_diagonal_map(device, &s, NULL, 0, 0);
    invar_dense_dot(device, &s, &s, repel, repulsion);
    for (int v = 0; v < 2; v++) {
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        if (!wanted)
            continue;
        invar_dense_copy(device, &x[1 - v], &by_x);
        invar_dense_product_own(device, v == 1, false, call->weight * 2 * repel, &s, &x[1 - v], call->weight * attract,
                                &by_x);
        invar_dense_shorten_backward(device, sqrt(o->mu), &x[v], lengths[v], &by_x, wanted);
    }
    return true;
}

static bool spectral_contrastive_reference(const void *options, const struct invar_embeddings *in,
                                           struct invar_term_value *out)
{
    const struct spectral_contrastive_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const double n = (double)z->rows;
    double attraction = 0, repulsion = 0;

    for (int64_t i = 0; i < z->rows; i++)
        for (int64_t j = 0; j < z->rows; j++) {
            const double left = fmax(1, reference_length(&z[0], i) / sqrt(o->mu));
            const double right = fmax(1, reference_length(&z[1], j) / sqrt(o->mu));
            const double along = reference_dot(&z[0], i, &z[1], j, false) / left / right;
            if (i == j)
                attraction -= 2 / n * along / o->mu;
            else
                repulsion += along * along / (n * (n - 1)) / o->mu;
        }
    *out = (struct invar_term_value){.loss = attraction + repulsion};
    reference_part(out, "attraction", attraction);
    reference_part(out, "repulsion", repulsion);
    return true;
}

const struct invar_term_spec invar_term_spectral_contrastive = {
    .name = "spectral_contrastive",
    .help = "spectral contrast of two views [SC1]",
    .options = spectral_contrastive_table,
    .options_size = sizeof(struct spectral_contrastive_options),
    .roles = spectral_contrastive_roles,
    .check = spectral_contrastive_check,
    .evaluate = spectral_contrastive_evaluate,
    .reference = spectral_contrastive_reference,
};
