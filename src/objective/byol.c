/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BYOL [B1]: the squared distance between the normalised online output of one view and the normalised target of
 * another, over ordered pairs of views. Targets are constants; views without a target are predictors alone.
 */
#include "objective/term.h"

struct byol_options {
    int64_t views;
    bool normalise, normalise_pairs;
};

#define AT(field) offsetof(struct byol_options, field)
static const struct invar_option byol_table[] = {
    {"views", INVAR_OPTION_INT, AT(views), "0", 0, INVAR_MAX_VIEWS, NULL, "views a sample; 0: as many as there are"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL,
     "norm() of p and t; a pair is then 2 - 2 cos, as in the paper and solo-learn (lightly's -cos / 2 a pair is a "
     "quarter of it less a constant)"},
    INVAR_RENAMED("normalize", "normalise"),
    {"normalise_pairs", INVAR_OPTION_BOOL, AT(normalise_pairs), "false", 0, 0, NULL,
     "divide by the number of ordered pairs of views; the paper and solo-learn add the two up"},
    {0},
};

static const struct invar_term_input byol_inputs[] = {
    {"p1", INVAR_ROLE_Q, 0},
    {"p2", INVAR_ROLE_Q, 1},
    {"p3", INVAR_ROLE_Q, 2},
    {"p4", INVAR_ROLE_Q, 3},
    {"p5", INVAR_ROLE_Q, 4},
    {"p6", INVAR_ROLE_Q, 5},
    {"p7", INVAR_ROLE_Q, 6},
    {"p8", INVAR_ROLE_Q, 7},
    {"p9", INVAR_ROLE_Q, 8},
    {"p10", INVAR_ROLE_Q, 9},
    {0},
};

static unsigned byol_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Q) | INVAR_ROLE_BIT(INVAR_ROLE_T);
}

static bool byol_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct byol_options *o = options;

    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "byol needs two views of every sample or more, not %d: set views.count (or give p1 p2 "
                               "t1 t2)",
                               in->views);
    if (o->views != 0 && o->views != in->views)
        return invar_error_set(err, INVAR_ERROR_USAGE, "byol: views is %lld but there are %d: set one to the other",
                               (long long)o->views, in->views);
    return term_check_shapes(&invar_term_byol, in, byol_roles(options), 2, err);
}

static double pair_factor(const struct byol_options *o, const struct invar_embeddings *in)
{
    const double n = (double)in->by[INVAR_ROLE_Q][0].rows;
    return 1 / n / (o->normalise_pairs ? term_targets(in) * (in->views - 1) : 1);
}

static bool byol_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct byol_options *o = call->options;
    const struct invar_embeddings *in = call->in, *gradient = call->gradient;
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const double factor = pair_factor(o, in);
    const int targets = term_targets(in);
    struct invar_unit q[INVAR_MAX_VIEWS], t[INVAR_MAX_VIEWS];
    double *loss = invar_term_part(call->sum, NULL, 1);

    for (int v = 0; v < in->views; v++)
        if (!unit_take(device, scratch, &in->by[INVAR_ROLE_Q][v], o->normalise, term_wanted(gradient, INVAR_ROLE_Q, v),
                       &q[v], err) ||
            (v < targets && !unit_take(device, scratch, &in->by[INVAR_ROLE_T][v], o->normalise, NULL, &t[v], err)))
            return false;
    for (int l = 0; l < in->views; l++)
        for (int k = 0; k < targets; k++)
            if (k != l)
                invar_dense_distance(device, &q[l].y, &t[k].y, 2 * call->weight * factor, &q[l].dy, NULL, factor, loss);
    for (int l = 0; l < in->views; l++)
        if (q[l].dy.data)
            unit_backward(device, &q[l], term_wanted(gradient, INVAR_ROLE_Q, l));
    return true;
}

static bool byol_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct byol_options *o = options;
    double sum = 0;

    for (int l = 0; l < in->views; l++)
        for (int k = 0; k < term_targets(in); k++) {
            const struct invar_matrix *p = &in->by[INVAR_ROLE_Q][l], *t = &in->by[INVAR_ROLE_T][k];
            for (int64_t i = 0; k != l && i < p->rows; i++)
                for (int64_t j = 0; j < p->cols; j++) {
                    const double a = reference_at(p, i, j), b = reference_at(t, i, j);
                    const double apart = o->normalise ? a / reference_length(p, i) - b / reference_length(t, i) : a - b;
                    sum += apart * apart;
                }
        }
    *out = (struct invar_term_value){.loss = pair_factor(o, in) * sum};
    return true;
}

const struct invar_term_spec invar_term_byol = {
    .name = "byol",
    .help = "BYOL, online outputs p1 p2 against targets t1 t2 of the other view [B1]",
    .options = byol_table,
    .options_size = sizeof(struct byol_options),
    .inputs = byol_inputs,
    .roles = byol_roles,
    .check = byol_check,
    .evaluate = byol_evaluate,
    .reference = byol_reference,
};
