/* SPDX-License-Identifier: Apache-2.0 */
/* TiCo [TI1]: online outputs of view 1 towards targets of view 2, and away from directions of a running second moment.
 */
#include "objective/wide.h"

#include <math.h>

struct tico_options {
    double beta, rho;
    bool covariance_stop_gradient;
};

#define AT(field) offsetof(struct tico_options, field)
static const struct invar_option tico_table[] = {
    {"beta", INVAR_OPTION_REAL, AT(beta), "0.9", 0, 1, NULL, "share of the past in the second moment"},
    {"rho", INVAR_OPTION_REAL, AT(rho), "8", 0, 1e6, NULL, "weight of the contrast part; 20 is found too"},
    {"covariance_stop_gradient", INVAR_OPTION_BOOL, AT(covariance_stop_gradient), "false", 0, 0, NULL,
     "true: no gradient through the new part of the second moment (lightly)"},
    {0},
};

static unsigned tico_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Q) | INVAR_ROLE_BIT(INVAR_ROLE_T);
}

static bool tico_reads(const void *options, enum invar_role role, int view)
{
    (void)options;
    return view == (role == INVAR_ROLE_Q ? 0 : 1);
}

static bool tico_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct invar_matrix *q = &in->by[INVAR_ROLE_Q][0];

    (void)options;
    if (in->views != 2 || term_targets(in) != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "tico needs exactly two views of every sample, both with a target, not %d and %d: set "
                               "views.count to 2 and views.local to 0",
                               in->views, term_targets(in));
    return term_check_input(&invar_term_tico, in, INVAR_ROLE_Q, 0, q, q, err) &&
           term_check_input(&invar_term_tico, in, INVAR_ROLE_T, 1, q, q, err) &&
           (q->rows >= 2 ||
            invar_error_set(err, INVAR_ERROR_DATA, "tico needs at least 2 samples in a batch, not %lld: give more",
                            (long long)q->rows));
}

static int64_t tico_state_size(const void *options, const struct invar_embeddings *shapes)
{
    (void)options;
    return shapes->by[INVAR_ROLE_Q][0].cols * shapes->by[INVAR_ROLE_Q][0].cols;
}

static bool tico_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct tico_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t d = call->in->by[INVAR_ROLE_Q][0].cols;
    const double n = (double)call->in->by[INVAR_ROLE_Q][0].rows;
    const struct invar_matrix kept = {INVAR_FLOAT32, d, d, call->state};
    double *invariance = invar_ledger_slot(call->sum->ledger); /* less 1 */
    invar_term_part_of(call->sum, "invariance", invariance, 1, 1, 1);
    double *contrast = invar_term_part(call->sum, "contrast", o->rho);
    struct invar_wide q, t;
    struct invar_matrix b, c;

    if (!wide_take(call, INVAR_ROLE_Q, 0, true, &q, err) || !wide_take(call, INVAR_ROLE_T, 1, true, &t, err) ||
        !term_matrix(call, d, d, &b, err) || !term_matrix(call, d, d, &c, err))
        return false;
    invar_dense_dot(device, &q.x, &t.x, -1 / n, invariance);
    invar_dense_gram(device, true, 1 / n, &q.x, &b);
    invar_dense_copy(device, &kept, &c);
    invar_dense_scale(device, o->beta, &c);
    invar_dense_add(device, 1 - o->beta, &b, &c);
    invar_dense_copy(device, &c, &kept);
    invar_dense_dot(device, &b, &c, 1, contrast); /* (1/N) sum u^T C u */
    if (!q.dx.data)
        return true;
    if (!o->covariance_stop_gradient)
        invar_dense_add(device, 1 - o->beta, &b, &c);
    invar_dense_add(device, -call->weight / n, &t.x, &q.dx);
    invar_dense_product_own(device, false, false, 2 * call->weight * o->rho / n, &q.x, &c, 1, &q.dx);
    wide_backward(call, INVAR_ROLE_Q, 0, &q);
    return true;
}

/* of the first step, whose past is 0 */
static bool tico_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct tico_options *o = options;
    const struct invar_matrix *q = &in->by[INVAR_ROLE_Q][0], *t = &in->by[INVAR_ROLE_T][1];
    const double n = (double)q->rows;
    double invariance = 1, contrast = 0;

    for (int64_t i = 0; i < q->rows; i++) {
        invariance -= reference_dot(q, i, t, i, true) / n;
        for (int64_t j = 0; j < q->rows; j++)
            contrast += (1 - o->beta) * pow(reference_dot(q, i, q, j, true), 2) / (n * n);
    }
    *out = (struct invar_term_value){.loss = invariance + o->rho * contrast};
    reference_part(out, "invariance", invariance);
    reference_part(out, "contrast", contrast);
    return true;
}

const struct invar_term_spec invar_term_tico = {
    .name = "tico",
    .help = "towards targets, away from a running second moment [TI1]",
    .options = tico_table,
    .options_size = sizeof(struct tico_options),
    .reads = tico_reads,
    .roles = tico_roles,
    .check = tico_check,
    .evaluate = tico_evaluate,
    .state_size = tico_state_size,
    .reference = tico_reference,
};
