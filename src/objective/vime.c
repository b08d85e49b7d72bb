/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VIME's pretext tasks (NeurIPS 2020): which columns were corrupted, by binary cross-entropy of the first half of z as
 * logits, and what stood there, by the squared error of the second half.
 */
#include "objective/reconstruct.h"

#include <math.h>

struct vime_options {
    double alpha;
};

static const struct invar_option vime_table[] = {
    {"alpha", INVAR_OPTION_REAL, offsetof(struct vime_options, alpha), "2", 0, 1e6, NULL,
     "weight of the values beside the mask; 2 as in the authors' code"},
    {0},
};

static unsigned vime_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z) | INVAR_ROLE_BIT(INVAR_ROLE_X) | INVAR_ROLE_BIT(INVAR_ROLE_M);
}

static int64_t vime_width(const void *options, int64_t input)
{
    (void)options;
    return 2 * input;
}

static bool vime_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return reconstruct_check(&invar_term_vime, options, in, err);
}

static bool vime_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct vime_options *o = call->options;
    const struct invar_embeddings *in = call->in;
    const struct invar_matrix *x = &in->by[INVAR_ROLE_X][0];
    const double share = 1.0 / in->views, scale = call->weight * share;
    double *mask = invar_term_part(call->sum, "mask", 1), *value = invar_term_part(call->sum, "value", o->alpha);

    (void)err;
    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
        const struct invar_matrix *dz = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        invar_dense_columns_bernoulli(call->device, z, 0, &in->by[INVAR_ROLE_M][v], scale, dz, share, mask);
        invar_dense_columns_distance(call->device, z, x->cols, x, NULL, 2 * scale * o->alpha, dz, share, value);
    }
    return true;
}

static bool vime_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct vime_options *o = options;
    const struct invar_matrix *x = &in->by[INVAR_ROLE_X][0];
    const double count = (double)(x->rows * x->cols) * in->views;
    double mask = 0, value = 0;

    for (int v = 0; v < in->views; v++)
        for (int64_t i = 0; i < x->rows; i++)
            for (int64_t j = 0; j < x->cols; j++) {
                const double logit = reference_at(&in->by[INVAR_ROLE_Z][v], i, j);
                const double m = reference_at(&in->by[INVAR_ROLE_M][v], i, j);
                const double apart = reference_at(&in->by[INVAR_ROLE_Z][v], i, x->cols + j) - reference_at(x, i, j);
                mask += m * log(1 + exp(-logit)) + (1 - m) * log(1 + exp(logit));
                value += apart * apart;
            }
    *out = (struct invar_term_value){.loss = mask / count + o->alpha * value / count};
    reference_part(out, "mask", mask / count);
    reference_part(out, "value", value / count);
    return true;
}

const struct invar_term_spec invar_term_vime = {
    .name = "vime",
    .help = "which columns of a table were corrupted, and what stood there (VIME)",
    .options = vime_table,
    .options_size = sizeof(struct vime_options),
    .roles = vime_roles,
    .reads = reconstruct_reads,
    .width = vime_width,
    .check = vime_check,
    .evaluate = vime_evaluate,
    .reference = vime_reference,
};
