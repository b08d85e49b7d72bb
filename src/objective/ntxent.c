/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NT-Xent [S1]: the 2N normalised embeddings of both views are one list; every row tells its other view from all rows
 * but itself. One product of 2N x 2N logits, symmetric, so that its gradient needs one product more. Decoupled [S2],
 * the match is left out of the sum; weighted [S3], its logit has a factor that is less for matches that are alike.
 */
#include "objective/term.h"

#include <math.h>

#define REDUCTIONS(CHOICE) CHOICE(REDUCTION_MEAN_2N, "mean_2n")
enum reduction { REDUCTIONS(INVAR_CHOICE_CONSTANT) };

struct ntxent_options {
    double tau, dclw_sigma;
    enum reduction reduction;
    bool positive_in_denominator;
};

#define AT(field) offsetof(struct ntxent_options, field)
static const struct invar_option ntxent_table[] = {
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.5", 1e-4, 1e4, NULL, "temperature"},
    {"reduction", INVAR_OPTION_CHOICE, AT(reduction), "mean_2n", 0, 0, INVAR_CHOICES(REDUCTIONS),
     "mean over the 2N rows"},
    {"positive_in_denominator", INVAR_OPTION_BOOL, AT(positive_in_denominator), "true", 0, 0, NULL,
     "false: decoupled (DCL), the other view is none of those that it is told from"},
    {"dclw_sigma", INVAR_OPTION_REAL, AT(dclw_sigma), "0", 0, 1e6, NULL,
     "above 0: von Mises-Fisher weights of matches (DCLW, 0.5 in the paper)"},
    {0},
};

static unsigned ntxent_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool ntxent_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "ntxent needs exactly two views of every sample, not %d: set views.count to 2 and "
                               "views.local to 0 (or give z1 and z2)",
                               in->views);
    return term_check_shapes(&invar_term_ntxent, in, ntxent_roles(options), 2, err);
}

/* rows of view v of a matrix that holds both views */
static struct invar_matrix half(const struct invar_matrix *both, int v)
{
    struct invar_matrix part = *both;

    part.rows /= 2;
    part.data = (char *)both->data + (size_t)v * (size_t)(part.rows * part.cols) * invar_dtype_size(part.dtype);
    return part;
}

/* [S3]: w_i = 2 - N softmax_i(<u1_i, u2_i> / sigma), twice; constants of the step */
static bool take_weights(const struct invar_term_call *call, const struct invar_matrix *unit, double **weights,
                         struct invar_error *err)
{
    const struct ntxent_options *o = call->options;
    const struct invar_matrix u = half(unit, 0), v = half(unit, 1);
    double *both = invar_device_take(call->scratch, (size_t)unit->rows, sizeof *both, err);
    double *share = invar_device_take(call->scratch, (size_t)u.rows, sizeof *share, err);

    if (!both || !share)
        return false;
    const struct invar_matrix logits = term_row(both, u.rows), p = term_row(share, u.rows);
    const struct invar_matrix again = term_row(both + u.rows, u.rows);
    invar_dense_row_products(call->device, &u, &v, both);
    invar_dense_scale(call->device, 1 / o->dclw_sigma, &logits);
    invar_dense_log_softmax(call->device, &logits, &p);
    invar_dense_affine(call->device, -(double)u.rows, 2, &p);
    invar_dense_copy(call->device, &p, &logits);
    invar_dense_copy(call->device, &p, &again);
    *weights = both;
    return true;
}

/* values and gradient of logits of the decoupled or weighted forms */
static bool decoupled(const struct invar_term_call *call, const struct invar_matrix *unit,
                      const struct invar_matrix *logits, const struct invar_dense_contrast *plain,
                      struct invar_error *err)
{
    const struct ntxent_options *o = call->options;
    double *weights = NULL;

    if (o->dclw_sigma > 0 && !take_weights(call, unit, &weights, err))
        return false;
    const struct invar_dense_soft how = {.shift = plain->shift,
                                         .weight = weights,
                                         .exclude_match = !o->positive_in_denominator,
                                         .exclude_diagonal = true,
                                         .scale = plain->contrast_scale,
                                         .factor = plain->contrast_factor,
                                         .slot = plain->contrast_slot};
    return invar_dense_soft_contrast(call->device, call->scratch, &how, logits, err);
}

static bool ntxent_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct ntxent_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const int64_t n = z[0].rows;
    const struct invar_dense_contrast how = {.count = 1,
                                             .shift = n,
                                             .exclude_diagonal = true,
                                             .contrast_scale = call->weight / (double)(2 * n),
                                             .contrast_factor = 1 / (double)(2 * n),
                                             .contrast_slot = invar_term_part(call->sum, NULL, 1)};
    struct invar_matrix unit, logits, by_unit;

    double *lengths = invar_device_take(scratch, (size_t)(2 * n), sizeof *lengths, err);
    if (!lengths || !invar_dense_take(scratch, z[0].dtype, 2 * n, z[0].cols, &unit, err) ||
        !invar_dense_take(scratch, z[0].dtype, 2 * n, 2 * n, &logits, err) ||
        !invar_dense_take(scratch, z[0].dtype, 2 * n, z[0].cols, &by_unit, err))
        return false;
    for (int v = 0; v < 2; v++) {
        const struct invar_matrix rows = half(&unit, v);
        invar_dense_normalise(device, &z[v], &rows, lengths + v * n);
    }
    invar_dense_gram(device, false, 1 / o->tau, &unit, &logits);
    if (o->positive_in_denominator && o->dclw_sigma == 0 ? !invar_dense_contrast(device, scratch, &how, &logits, err)
                                                         : !decoupled(call, &unit, &logits, &how, err))
        return false;
    if (call->gradient) {
        invar_dense_symmetrise(device, &logits);
        invar_dense_product_own(device, false, false, 1 / o->tau, &logits, &unit, 0, &by_unit);
    }
    for (int v = 0; v < 2; v++) {
        const struct invar_matrix rows = half(&unit, v), by_rows = half(&by_unit, v);
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        if (wanted)
            invar_dense_normalise_backward(device, &rows, lengths + v * n, &by_rows, 1, wanted);
    }
    return true;
}

static double reference_weight(const struct ntxent_options *o, const struct invar_matrix *z, int64_t i)
{
    const double own = reference_dot(&z[0], i, &z[1], i, true);
    double sum = 0;

    for (int64_t j = 0; j < z->rows; j++)
        sum += exp((reference_dot(&z[0], j, &z[1], j, true) - own) / o->dclw_sigma);
    return 2 - (double)z->rows / sum;
}

static bool ntxent_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct ntxent_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows;
    double loss = 0;

    for (int64_t i = 0; i < 2 * n; i++) {
        const double match = reference_dot(&z[i / n], i % n, &z[1 - i / n], i % n, true) / o->tau;
        double sum = 0;
        for (int64_t j = 0; j < 2 * n; j++)
            if (j != i && (o->positive_in_denominator || j % n != i % n))
                sum += exp(reference_dot(&z[i / n], i % n, &z[j / n], j % n, true) / o->tau - match);
        loss += log(sum) + (o->dclw_sigma > 0 ? match * (1 - reference_weight(o, z, i % n)) : 0);
    }
    *out = (struct invar_term_value){.loss = loss / (double)(2 * n)};
    return true;
}

const struct invar_term_spec invar_term_ntxent = {
    .name = "ntxent",
    .help = "NT-Xent, the loss of SimCLR [S1], decoupled (DCL) [S2] or weighted (DCLW) [S3] too",
    .options = ntxent_table,
    .options_size = sizeof(struct ntxent_options),
    .roles = ntxent_roles,
    .check = ntxent_check,
    .evaluate = ntxent_evaluate,
    .reference = ntxent_reference,
};
