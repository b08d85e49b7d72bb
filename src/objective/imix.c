/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i-Mix in its N-pair form (arXiv 2010.08887, section 3): view 1 of sample i is mixed with that of its partner r(i),
 * own share s_i, view 2 is not. With p_i = softmax_j <norm(z1_i), norm(z2_j)> / tau, L = - (1/N) sum_i [ s_i log p_i(i)
 * + (1 - s_i) log p_i(r(i)) ]. Since log p_i(i) - log p_i(r) is a difference of logits, this is the contrast of the
 * diagonal and a linear function of the logits: <M, S> with 1 - s_i on the diagonal of M, and -(1 - s_i) at the
 * partner.
 */
#include "objective/term.h"

#include <math.h>

struct imix_options {
    double tau;
};

#define AT(field) offsetof(struct imix_options, field)
static const struct invar_option imix_table[] = {
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.2", 1e-4, 1e4, NULL, "temperature"},
    {0},
};

static unsigned imix_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z) | INVAR_ROLE_MIXTURE;
}

static bool imix_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "imix needs exactly two views of every sample, not %d: set views.count to 2 and "
                               "views.local to 0 (or give z1 and z2)",
                               in->views);
    return term_check_shapes(&invar_term_imix, in, imix_roles(options), 2, err);
}

static bool check_mixture(const struct invar_embeddings *in, int64_t n, struct invar_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        if (in->partner[i] < 0 || in->partner[i] >= n)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "imix: the partner of sample %lld is %lld where 0 to %lld are expected",
                                   (long long)i, (long long)in->partner[i], (long long)n - 1);
        if (!(in->share[i] >= 0 && in->share[i] <= 1))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "imix: the share of sample %lld is %g where 0 to 1 are expected", (long long)i,
                                   in->share[i]);
    }
    return true;
}

/* M, in device memory of the type of the logits */
static bool make_linear(struct invar_device *device, struct invar_scratch *scratch, const struct invar_embeddings *in,
                        const struct invar_matrix *linear, struct invar_error *err)
{
    const int64_t n = linear->rows;
    const bool wide = linear->dtype == INVAR_FLOAT64;
    void *host = invar_scratch_take(scratch, (size_t)(n * n), invar_dtype_size(linear->dtype), err);

    if (!host)
        return false;
    for (int64_t i = 0; i < n * n; i++) {
        const int64_t row = i / n, col = i % n;
        const double other = 1 - in->share[row];
        const double value = (col == row ? other : 0) - (col == in->partner[row] ? other : 0);
        if (wide)
            ((double *)host)[i] = value;
        else
            ((float *)host)[i] = (float)value;
    }
    invar_device_upload(device, linear->data, host, (size_t)(n * n) * invar_dtype_size(linear->dtype));
    return true;
}

static bool imix_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct imix_options *o = call->options;
    const struct invar_embeddings *in = call->in;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const struct invar_matrix *wanted[2] = {term_wanted(call->gradient, INVAR_ROLE_Z, 0),
                                            term_wanted(call->gradient, INVAR_ROLE_Z, 1)};
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const int64_t n = z[0].rows;
    const double mean = 1 / (double)n, scale = call->weight / (double)n;
    double *loss = invar_term_part(call->sum, NULL, 1);
    const struct invar_dense_contrast how = {
        .count = 1, .contrast_scale = scale, .contrast_factor = mean, .contrast_slot = loss};
    struct invar_matrix logits, linear;
    struct invar_unit unit[2];

    if (!check_mixture(in, n, err) || !unit_take(device, scratch, &z[0], true, wanted[0], &unit[0], err) ||
        !unit_take(device, scratch, &z[1], true, wanted[1], &unit[1], err) ||
        !invar_dense_take(scratch, z[0].dtype, n, n, &logits, err) ||
        !invar_dense_take(scratch, z[0].dtype, n, n, &linear, err) || !make_linear(device, scratch, in, &linear, err))
        return false;
    invar_dense_product(device, false, true, 1 / o->tau, &unit[0].y, &unit[1].y, 0, &logits);
    invar_dense_dot(device, &linear, &logits, mean, loss);
    if (!invar_dense_contrast(device, scratch, &how, &logits, err))
        return false;
    invar_dense_add(device, scale, &linear, &logits);
    for (int v = 0; v < 2; v++)
        if (wanted[v]) {
            invar_dense_product_own(device, v == 1, false, 1 / o->tau, &logits, &unit[1 - v].y, 1, &unit[v].dy);
            unit_backward(device, &unit[v], wanted[v]);
        }
    return true;
}

static bool imix_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct imix_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows;
    double loss = 0;

    for (int64_t i = 0; i < n; i++) {
        const double own = reference_dot(&z[0], i, &z[1], i, true) / o->tau;
        const double partner = reference_dot(&z[0], i, &z[1], in->partner[i], true) / o->tau;
        double sum = 0;
        for (int64_t j = 0; j < n; j++)
            sum += exp(reference_dot(&z[0], i, &z[1], j, true) / o->tau - own);
        loss += log(sum) + (1 - in->share[i]) * (own - partner);
    }
    *out = (struct invar_term_value){.loss = loss / (double)n};
    return true;
}

const struct invar_term_spec invar_term_imix = {
    .name = "imix",
    .help = "i-Mix, N-pair form: mixed view 1 against view 2, its targets mixed alike",
    .options = imix_table,
    .options_size = sizeof(struct imix_options),
    .roles = imix_roles,
    .check = imix_check,
    .evaluate = imix_evaluate,
    .reference = imix_reference,
};
