/* SPDX-License-Identifier: Apache-2.0 */
/* The invariance term of VICReg [V1]: the squared distance between the embeddings of two views of a sample, over
 * unordered pairs of views. Also the E log q of [I1] up to factor and constant. */
#include "objective/sums.h"

#define AT(field) offsetof(struct invar_invariance_options, field)
static const struct invar_option invariance_table[] = {
    {"divide_by", INVAR_OPTION_CHOICE, AT(divide_by), "nd", 0, 0, INVAR_CHOICES(INVAR_INVARIANCE_DIVIDE),
     "nd: mean over samples and dimensions, as in the codes of the authors, solo-learn and lightly; n: mean over "
     "samples "
     "of the sum over dimensions, as VICReg's paper has it"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "false", 0, 0, NULL, "norm() of z first; VICReg has none"},
    INVAR_RENAMED("normalize", "normalise"),
    {"normalise_pairs", INVAR_OPTION_BOOL, AT(normalise_pairs), "false", 0, 0, NULL,
     "with more than two views: divide by the number of unordered pairs"},
    {0},
};

static unsigned invariance_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool invariance_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "invariance needs two views of every sample or more, not %d: set views.count (or give "
                               "z1 and z2)",
                               in->views);
    return term_check_shapes(&invar_term_invariance, in, invariance_roles(options), 2, err);
}

static double pair_factor(const struct invar_invariance_options *o, const struct invar_embeddings *in)
{
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][0];
    const double pairs = o->normalise_pairs ? in->views * (in->views - 1) / 2.0 : 1;
    return 1 / pairs / (double)z->rows / (o->divide_by == INVAR_INVARIANCE_DIVIDE_ND ? (double)z->cols : 1);
}

static bool invariance_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_invariance_options *o = call->options;
    const struct invar_embeddings *in = call->in, *gradient = call->gradient;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    struct invar_device *device = call->device;
    const double factor = pair_factor(o, in), scale = 2 * call->weight * factor;
    struct invar_unit unit[INVAR_MAX_VIEWS];
    double *loss = invar_term_part(call->sum, NULL, 1);

    for (int v = 0; v < in->views; v++)
        if (!unit_take(device, call->scratch, &z[v], o->normalise, term_wanted(gradient, INVAR_ROLE_Z, v), &unit[v],
                       err))
            return false;
    for (int a = 0; a < in->views; a++)
        for (int b = a + 1; b < in->views; b++)
            invar_dense_distance(device, &unit[a].y, &unit[b].y, scale, &unit[a].dy, &unit[b].dy, factor, loss);
    for (int v = 0; v < in->views; v++)
        if (unit[v].dy.data)
            unit_backward(device, &unit[v], term_wanted(gradient, INVAR_ROLE_Z, v));
    return true;
}

static bool invariance_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_invariance_options *o = options;
    double sum = 0;

    for (int a = 0; a < in->views; a++)
        for (int b = a + 1; b < in->views; b++) {
            const struct invar_matrix *x = &in->by[INVAR_ROLE_Z][a], *y = &in->by[INVAR_ROLE_Z][b];
            for (int64_t i = 0; i < x->rows; i++)
                for (int64_t j = 0; j < x->cols; j++) {
                    const double apart = reference_at(x, i, j) / (o->normalise ? reference_length(x, i) : 1) -
                                         reference_at(y, i, j) / (o->normalise ? reference_length(y, i) : 1);
                    sum += apart * apart;
                }
        }
    *out = (struct invar_term_value){.loss = pair_factor(o, in) * sum};
    return true;
}

const struct invar_term_spec invar_term_invariance = {
    .name = "invariance",
    .help = "squared distance between the embeddings of two views [V1]",
    .options = invariance_table,
    .options_size = sizeof(struct invar_invariance_options),
    .roles = invariance_roles,
    .check = invariance_check,
    .evaluate = invariance_evaluate,
    .reference = invariance_reference,
};
