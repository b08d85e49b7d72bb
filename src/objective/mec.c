/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum entropy coding [ME1]: the coding length of online outputs together with targets, by the series of the
 * logarithm or exactly. tr (P T^T)^k = tr (T^T P)^k, so the smaller side serves. */
#include "objective/wide.h"

#include <math.h>

#define FORMS(CHOICE) CHOICE(FORM_SERIES, "series") CHOICE(FORM_EXACT, "exact")
enum form { FORMS(INVAR_CHOICE_CONSTANT) };

#define SCALES(CHOICE) CHOICE(SCALE_LAMBDA_INVERSE, "lambda_inverse") CHOICE(SCALE_MU, "mu") CHOICE(SCALE_NONE, "none")
enum scale { SCALES(INVAR_CHOICE_CONSTANT) };

struct mec_options {
    double eps;
    enum form form;
    enum scale scale;
    int64_t order;
};

#define AT(field) offsetof(struct mec_options, field)
static const struct invar_option mec_table[] = {
    {"eps", INVAR_OPTION_REAL, AT(eps), "64", 1e-6, 1e9, NULL,
     "squared distortion; the series needs d / eps times the products' spectrum below N"},
    {"form", INVAR_OPTION_CHOICE, AT(form), "series", 0, 0, INVAR_CHOICES(FORMS),
     "of the logarithm; exact: the determinant must be positive"},
    {"order", INVAR_OPTION_INT, AT(order), "4", 1, 64, NULL, "of the series"},
    {"scale", INVAR_OPTION_CHOICE, AT(scale), "lambda_inverse", 0, 0, INVAR_CHOICES(SCALES),
     "of the loss: 1 / lambda, lambda = d / (N eps), or (N + d) / 2, or 1"},
    {0},
};

static unsigned mec_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Q) | INVAR_ROLE_BIT(INVAR_ROLE_T);
}

static bool mec_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "mec needs two views of every sample or more, not %d: set views.count (or give q1 q2 "
                               "t1 t2)",
                               in->views);
    return invar_term_check_shapes(&invar_term_mec, in, mec_roles(options), 2, err);
}

static double lambda_of(const struct mec_options *o, int64_t n, int64_t d)
{
    return (double)d / ((double)n * o->eps);
}

static double scale_of(const struct mec_options *o, int64_t n, int64_t d)
{
    return o->scale == SCALE_LAMBDA_INVERSE ? 1 / lambda_of(o, n, d)
           : o->scale == SCALE_MU           ? ((double)n + (double)d) / 2
                                            : 1;
}

/* X, X^T, its powers, and the derivative of the value by X, transposed */
struct work {
    struct invar_matrix x, turned, power, other, by_x;
};

/* *slot += factor log det(I + X), or its series; by_x = the derivative, transposed */
static bool logarithm(const struct invar_term_call *call, struct work *w, double factor, double *slot,
                      struct invar_error *err)
{
    const struct mec_options *o = call->options;
    struct invar_device *device = call->device;

    if (o->form == FORM_EXACT) {
        invar_dense_copy(device, &w->x, &w->by_x);
        invar_dense_diagonal_map(device, &w->by_x, NULL, 1, 1);
        return invar_dense_inverse(device, call->scratch, &w->by_x, factor, slot, err);
    }
    invar_dense_zero(device, &w->power);
    invar_dense_diagonal_map(device, &w->power, NULL, 0, 1);
    invar_dense_zero(device, &w->by_x);
    invar_dense_transpose(device, &w->x, &w->turned, false);
    for (int64_t k = 1; k <= o->order; k++) {
        const double sign = k % 2 ? 1 : -1;
        invar_dense_add(device, sign, &w->power, &w->by_x);
        invar_dense_dot(device, &w->power, &w->turned, sign * factor / (double)k, slot); /* tr X^k */
        if (k == o->order)
            break;
        const struct invar_matrix kept = w->power;
        invar_dense_product(device, false, false, 1, &kept, &w->x, 0, &w->other);
        w->power = w->other;
        w->other = kept;
    }
    return true;
}

static bool add_pair(const struct invar_term_call *call, struct work *w, const struct invar_wide *t,
                     const struct invar_wide *p, double share, double *slot, struct invar_error *err)
{
    const struct mec_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t n = p->x.rows, d = p->x.cols;
    const bool columns = w->x.rows == d;
    const double lambda = lambda_of(o, n, d), scale = -call->weight * scale_of(o, n, d) * share * lambda;

    /* T^T P or P T^T */
    invar_dense_product(device, columns, !columns, lambda, columns ? &t->x : &p->x, columns ? &p->x : &t->x, 0, &w->x);
    if (!logarithm(call, w, share, slot, err))
        return false;
    if (!p->dx.data)
        return true;
    if (columns)
        invar_dense_product(device, false, true, scale, &t->x, &w->by_x, 1, &p->dx);
    else
        invar_dense_product(device, true, false, scale, &w->by_x, &t->x, 1, &p->dx);
    return true;
}

static bool mec_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct mec_options *o = call->options;
    const int views = call->in->views, targets = invar_term_targets(call->in);
    const int64_t n = call->in->by[INVAR_ROLE_Q][0].rows, d = call->in->by[INVAR_ROLE_Q][0].cols;
    const int64_t least = n < d ? n : d;
    double *m = invar_ledger_slot(call->sum->ledger);
    struct invar_wide q[INVAR_MAX_VIEWS], t[INVAR_MAX_VIEWS];
    struct work w;

    invar_term_part_of(call->sum, NULL, m, -scale_of(o, n, d), 0, 1);
    invar_term_part_of(call->sum, "coding_length", m, ((double)n + (double)d) / 2, 0, 0);
    if (!invar_wide_take_views(call, INVAR_ROLE_Q, views, true, q, err) ||
        !invar_wide_take_views(call, INVAR_ROLE_T, targets, true, t, err) ||
        !invar_term_matrix(call, least, least, &w.x, err) || !invar_term_matrix(call, least, least, &w.other, err) ||
        !invar_term_matrix(call, least, least, &w.power, err) ||
        !invar_term_matrix(call, least, least, &w.turned, err) || !invar_term_matrix(call, least, least, &w.by_x, err))
        return false;
    const double share = 1 / ((double)n * targets * (views - 1));
    for (int a = 0; a < views; a++)
        for (int b = 0; b < targets; b++)
            if (a != b && !add_pair(call, &w, &t[b], &q[a], share, m, err))
                return false;
    invar_wide_backward_views(call, INVAR_ROLE_Q, views, q);
    return true;
}

/* log det(I + X) by elimination, or its series; X [d][d] */
static double reference_logarithm(const struct mec_options *o, const double *x, int64_t d)
{
    double *m = invar_alloc((size_t)(d * d), sizeof *m, NULL), *next = invar_alloc((size_t)(d * d), sizeof *m, NULL),
           sum = 0;

    for (int64_t i = 0; m && i < d * d; i++)
        m[i] = o->form == FORM_EXACT ? x[i] + (i % (d + 1) == 0) : x[i];
    for (int64_t k = 0; m && o->form == FORM_EXACT && k < d; k++) {
        sum += log(m[k * (d + 1)]);
        for (int64_t i = k + 1; i < d; i++)
            for (int64_t j = d - 1; j >= k; j--)
                m[i * d + j] -= m[i * d + k] / m[k * (d + 1)] * m[k * d + j];
    }
    for (int64_t k = 1; m && next && o->form == FORM_SERIES && k <= o->order; k++) {
        for (int64_t i = 0; i < d; i++)
            sum += (k % 2 ? 1 : -1) * m[i * (d + 1)] / (double)k;
        for (int64_t i = 0; i < d * d; i++) {
            next[i] = 0;
            for (int64_t j = 0; j < d; j++)
                next[i] += m[i / d * d + j] * x[j * d + i % d];
        }
        double *other = m;
        m = next;
        next = other;
    }
    invar_free(m);
    invar_free(next);
    return sum;
}

static bool mec_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct mec_options *o = options;
    const int targets = invar_term_targets(in);
    const int64_t n = in->by[INVAR_ROLE_Q][0].rows, d = in->by[INVAR_ROLE_Q][0].cols;
    double *x = invar_alloc((size_t)(d * d), sizeof *x, NULL), m = 0;

    for (int a = 0; x && a < in->views; a++)
        for (int b = 0; b < targets; b++) {
            double *p = invar_reference_rows(&in->by[INVAR_ROLE_Q][a], true);
            double *t = invar_reference_rows(&in->by[INVAR_ROLE_T][b], true);
            for (int64_t j = 0; a != b && j < d * d; j++) {
                x[j] = 0;
                for (int64_t i = 0; i < n; i++)
                    x[j] += lambda_of(o, n, d) * t[i * d + j / d] * p[i * d + j % d];
            }
            m += a != b ? reference_logarithm(o, x, d) / ((double)n * targets * (in->views - 1)) : 0;
            invar_free(p);
            invar_free(t);
        }
    invar_free(x);
    *out = (struct invar_term_value){.loss = -scale_of(o, n, d) * m};
    invar_reference_part(out, "coding_length", ((double)n + (double)d) / 2 * m);
    return true;
}

const struct invar_term_spec invar_term_mec = {
    .name = "mec",
    .help = "maximum entropy coding of outputs and targets [ME1]",
    .options = mec_table,
    .options_size = sizeof(struct mec_options),
    .roles = mec_roles,
    .check = mec_check,
    .evaluate = mec_evaluate,
    .reference = mec_reference,
};
