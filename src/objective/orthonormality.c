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
    return invar_term_check_views(&invar_term_orthonormality, &read, orthonormality_roles(options), err);
}

/* room for one view */
struct work {
    struct invar_matrix centred, c; /* c: side x side */
    double *host;
};

/* |C - I|^2 of z; wanted += 2 scale times its gradient */
static double defect(struct invar_device *device, struct work *w, const struct invar_matrix *z, double scale,
                     const struct invar_matrix *wanted)
{
    const int64_t n = z->rows, d = z->cols, side = w->c.rows;
    const bool columns = side == d;

    invar_dense_centre(device, z, &w->centred);
    invar_dense_gram(device, columns, 1 / (double)(n - 1), &w->centred, &w->c);
    invar_dense_diagonal(device, &w->c, w->host);
    for (int64_t i = 0; i < side; i++)
        w->host[i] -= 1;
    invar_dense_set_diagonal(device, &w->c, w->host);
    if (wanted && columns)
        invar_dense_product(device, false, false, 4 * scale / (double)(n - 1), &w->centred, &w->c, 1, wanted);
    else if (wanted)
        invar_dense_product(device, false, false, 4 * scale / (double)(n - 1), &w->c, &w->centred, 1, wanted);
    return invar_dense_dot(device, &w->c, &w->c) + (double)(d - side);
}

static bool orthonormality_evaluate(struct invar_device *device, struct invar_scratch *scratch, const void *options,
                                    const struct invar_embeddings *in, double weight,
                                    const struct invar_embeddings *gradient, struct invar_term_value *out,
                                    struct invar_error *err)
{
    const struct invar_orthonormality_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows, d = z[0].cols, side = n < d ? n : d;
    struct work w = {0};
    double sum = 0;

    w.host = invar_scratch_take(scratch, (size_t)side, sizeof *w.host, err);
    if (!w.host || !invar_dense_take(scratch, z[0].dtype, n, d, &w.centred, err) ||
        !invar_dense_take(scratch, z[0].dtype, side, side, &w.c, err))
        return false;
    for (int v = 0; v < (o->both ? in->views : 1); v++)
        sum += defect(device, &w, &z[v], weight / (double)d, invar_term_wanted(gradient, INVAR_ROLE_Z, v));
    *out = (struct invar_term_value){.loss = sum / (double)d};
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
                const double apart = invar_reference_covariance(z, j, k) - (j == k);
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
