/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NT-Xent [S1]: the 2N normalised embeddings of both views are one list; every row tells its other view from all rows
 * but itself. One product of 2N x 2N logits, symmetric, so that its gradient needs one product more.
 */
#include "objective/term.h"

#include <math.h>

#define REDUCTIONS(CHOICE) CHOICE(REDUCTION_MEAN_2N, "mean_2n")
enum reduction { REDUCTIONS(INVAR_CHOICE_CONSTANT) };

struct ntxent_options {
    double tau;
    enum reduction reduction;
};

#define AT(field) offsetof(struct ntxent_options, field)
static const struct invar_option ntxent_table[] = {
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.5", 1e-4, 1e4, NULL, "temperature"},
    {"reduction", INVAR_OPTION_CHOICE, AT(reduction), "mean_2n", 0, 0, INVAR_CHOICES(REDUCTIONS),
     "mean over the 2N rows"},
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
    return invar_term_check_shapes(&invar_term_ntxent, in, ntxent_roles(options), 2, err);
}

/* rows of view v of a matrix that holds both views */
static struct invar_matrix half(const struct invar_matrix *both, int v)
{
    struct invar_matrix part = *both;

    part.rows /= 2;
    part.data = (char *)both->data + (size_t)v * (size_t)(part.rows * part.cols) * invar_dtype_size(part.dtype);
    return part;
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
    if (!invar_dense_contrast(device, scratch, &how, &logits, err))
        return false;
    if (call->gradient) {
        invar_dense_symmetrise(device, &logits);
        invar_dense_product(device, false, false, 1 / o->tau, &logits, &unit, 0, &by_unit);
    }
    for (int v = 0; v < 2; v++) {
        const struct invar_matrix rows = half(&unit, v), by_rows = half(&by_unit, v);
        const struct invar_matrix *wanted = invar_term_wanted(call->gradient, INVAR_ROLE_Z, v);
        if (wanted)
            invar_dense_normalise_backward(device, &rows, lengths + v * n, &by_rows, 1, wanted);
    }
    return true;
}

static bool ntxent_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct ntxent_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows;
    double loss = 0;

    for (int64_t i = 0; i < 2 * n; i++) {
        const double match = invar_reference_dot(&z[i / n], i % n, &z[1 - i / n], i % n, true) / o->tau;
        double sum = 0;
        for (int64_t j = 0; j < 2 * n; j++)
            if (j != i)
                sum += exp(invar_reference_dot(&z[i / n], i % n, &z[j / n], j % n, true) / o->tau - match);
        loss += log(sum);
    }
    *out = (struct invar_term_value){.loss = loss / (double)(2 * n)};
    return true;
}

const struct invar_term_spec invar_term_ntxent = {
    .name = "ntxent",
    .help = "NT-Xent, the loss of SimCLR [S1]",
    .options = ntxent_table,
    .options_size = sizeof(struct ntxent_options),
    .roles = ntxent_roles,
    .check = ntxent_check,
    .evaluate = ntxent_evaluate,
    .reference = ntxent_reference,
};
