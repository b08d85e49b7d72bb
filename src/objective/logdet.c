/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LogDet entropy [I3] of every view, (1/2) log det(I + beta C(Z)), or in the ridge form (1/2) log det(C(Z) + ridge
 * I): the same with beta = 1 / ridge, less a constant.
 */
#include "objective/entropy.h"
#include "objective/rate.h"
#include "objective/sums.h"
#include "objective/wide.h"

#include <math.h>

#define AT(field) offsetof(struct invar_logdet_options, field)
static const struct invar_option logdet_table[] = {
    {"convention", INVAR_OPTION_CHOICE, AT(convention), "beta", 0, 0, INVAR_CHOICES(INVAR_LOGDET_CONVENTIONS),
     "beta: log det(I + beta C); ridge: log det(C + ridge I), the same gradient with beta = 1 / ridge"},
    {"beta", INVAR_OPTION_REAL, AT(beta), "1", 1e-9, 1e9, NULL,
     "factor of C, the inverse of a noise variance; with a share r = beta * weight / weight of the invariance below 2 "
     "embeddings tend to collapse"},
    {"ridge", INVAR_OPTION_REAL, AT(ridge), "1e-3", 1e-9, 1e9, NULL, "of convention: ridge, in units of C"},
    {"divide_by", INVAR_OPTION_CHOICE, AT(divide_by), "d", 0, 0, INVAR_CHOICES(INVAR_ENTROPY_DIVIDE),
     "d: the loss does not grow with the width of z; none: the measurement in nats"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "false", 0, 0, NULL,
     "norm() of z first; true beside SimCLR or BYOL, whose own terms do so"},
    INVAR_RENAMED("normalize", "normalise"),
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS),
     "value and parts: sum as in [I2]"},
    {0},
};

static unsigned logdet_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool logdet_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_logdet, in, logdet_roles(options), err);
}

/* factor of C, and what the entropy of a view has besides (1/2) log det(I + factor C) */
static double beta_of(const struct invar_logdet_options *o)
{
    return o->convention == INVAR_LOGDET_RIDGE ? 1 / o->ridge : o->beta;
}

static double constant_of(const struct invar_logdet_options *o, int64_t d)
{
    return o->convention == INVAR_LOGDET_RIDGE ? (double)d / 2 * log(o->ridge) : 0;
}

static double loss_divisor(const struct invar_logdet_options *o, int64_t d)
{
    return o->divide_by == INVAR_ENTROPY_DIVIDE_D ? (double)d : 1;
}

static bool logdet_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_logdet_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const double per_view = term_over_views(o->over_views, call->in->views);
    const double share = 1 / loss_divisor(o, z[0].cols), by_beta = beta_of(o) / (double)(z[0].rows - 1);
    const double constant = per_view * call->in->views * constant_of(o, z[0].cols);
    double *logs = invar_ledger_slot(call->sum->ledger);
    struct invar_entropy_room room;
    struct invar_rate rate;

    invar_term_part_of(call->sum, "entropy", logs, 1, constant, 0);
    invar_term_part_of(call->sum, "entropy_loss", logs, share, share * constant, 1);
    if (!entropy_take(call->scratch, &z[0], o->normalise, call->gradient != NULL, &room, err) ||
        !rate_take(call->scratch, z[0].rows, z[0].cols, &rate, err))
        return false;
    for (int v = 0; v < call->in->views; v++) {
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        entropy_load(call->device, &room, &z[v]);
        rate_of(call->device, &rate, &room.centred, by_beta, wanted != NULL, per_view, logs);
        if (wanted)
            entropy_store(call->device, &room, call->weight * per_view * share * by_beta, &room.centred, wanted);
    }
    return true;
}

static bool logdet_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_logdet_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols;
    double sum = 0;

    for (int v = 0; v < in->views; v++) {
        double *x = reference_rows(&in->by[INVAR_ROLE_Z][v], o->normalise);
        for (int64_t j = 0; x && j < d; j++) {
            double mean = 0;
            for (int64_t i = 0; i < n; i++)
                mean += x[i * d + j] / (double)n;
            for (int64_t i = 0; i < n; i++)
                x[i * d + j] -= mean;
        }
        sum += x ? reference_rate(x, n, d, beta_of(o) / (double)(n - 1)) + constant_of(o, d) : (double)NAN;
        invar_free(x);
    }
    sum *= term_over_views(o->over_views, in->views);
    *out = (struct invar_term_value){.loss = sum / loss_divisor(o, d)};
    reference_part(out, "entropy", sum);
    reference_part(out, "entropy_loss", out->loss);
    return isfinite(sum);
}

const struct invar_term_spec invar_term_logdet = {
    .name = "logdet",
    .help = "LogDet entropy of every view [I3]; a recipe raises it with a negative weight",
    .options = logdet_table,
    .options_size = sizeof(struct invar_logdet_options),
    .roles = logdet_roles,
    .check = logdet_check,
    .evaluate = logdet_evaluate,
    .reference = logdet_reference,
};
