/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orthonormality [A3]: |C(Z) - I|^2 / d of the clean view, or of every view. Of the d x d covariance or the N x N Gram
 * matrix G = Zc Zc^T / (N - 1), whichever is smaller: |C - I|^2 = |G - I|^2 + d - N.
 */
#include "objective/sums.h"

#define AT(field) offsetof(struct invar_orthonormality_options, field)
static const struct invar_option orthonormality_table[] = {
    {"both", INVAR_OPTION_BOOL, AT(both), "false", 0, 0, NULL,
     "of perturbed views too, as a sum; false: of view 1, the clean one, alone"},
    {0},
};

static const struct invar_term_input orthonormality_inputs[] = {
    {"z", INVAR_ROLE_Z, 0}, {"z_tilde", INVAR_ROLE_Z, 1}, {0}};

static unsigned orthonormality_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool orthonormality_reads(const void *options, enum invar_role role, int view)
{
    const struct invar_orthonormality_options *o = options;

    (void)role;
    return view == 0 || o->both;
}

static bool orthonormality_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct invar_orthonormality_options *o = options;
    struct invar_embeddings read = *in;

    if (!o->both && read.views > 1)
        read.views = 1;
    return term_check_views(&invar_term_orthonormality, &read, orthonormality_roles(options), err);
}

/* factor |C - I|^2 of z, c being side x side; wanted += 2 scale times the gradient of the square */
static void defect(struct invar_device *device, const struct invar_matrix *z, const struct invar_matrix *centred,
                   const struct invar_matrix *c, double scale, const struct invar_matrix *wanted, double factor,
                   double *slot)
{
    const double divisor = (double)(z->rows - 1);
    const bool columns = c->rows == z->cols;

    invar_dense_centre(device, z, centred);
    invar_dense_gram(device, columns, 1 / divisor, centred, c);
    invar_dense_diagonal_map(device, c, NULL, 1, -1);
    if (wanted && columns)
        invar_dense_product_own(device, false, false, 4 * scale / divisor, centred, c, 1, wanted);
    else if (wanted)
        invar_dense_product_own(device, false, false, 4 * scale / divisor, c, centred, 1, wanted);
    invar_dense_dot(device, c, c, factor, slot);
}

static bool orthonormality_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_orthonormality_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows, d = z[0].cols, side = n < d ? n : d;
    const int views = o->both ? call->in->views : 1;
    double *loss = invar_term_part(call->sum, NULL, 1);
    struct invar_matrix centred, c;

    invar_term_part_of(call->sum, NULL, NULL, 0, views * (double)(d - side) / (double)d, 1);
    if (!invar_dense_take(call->scratch, z[0].dtype, n, d, &centred, err) ||
        !invar_dense_take(call->scratch, z[0].dtype, side, side, &c, err))
        return false;
    for (int v = 0; v < views; v++)
        defect(call->device, &z[v], &centred, &c, call->weight / (double)d,
               term_wanted(call->gradient, INVAR_ROLE_Z, v), 1 / (double)d, loss);
    return true;
}

static bool orthonormality_reference(const void *options, const struct invar_embeddings *in,
                                     struct invar_term_value *out)
{
    const struct invar_orthonormality_options *o = options;
    double sum = 0;

    for (int v = 0; v < (o->both ? in->views : 1); v++) {
        const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
        for (int64_t j = 0; j < z->cols; j++)
            for (int64_t k = 0; k < z->cols; k++) {
                const double apart = reference_covariance(z, j, k) - (j == k);
                sum += apart * apart / (double)z->cols;
            }
    }
    *out = (struct invar_term_value){.loss = sum};
    return true;
}

const struct invar_term_spec invar_term_orthonormality = {
    .name = "orthonormality",
    .help = "covariance of the clean embeddings against the identity [A3]",
    .options = orthonormality_table,
    .options_size = sizeof(struct invar_orthonormality_options),
    .inputs = orthonormality_inputs,
    .roles = orthonormality_roles,
    .reads = orthonormality_reads,
    .check = orthonormality_check,
    .evaluate = orthonormality_evaluate,
    .reference = orthonormality_reference,
};
