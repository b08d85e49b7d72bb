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
    return term_check_shapes(&invar_term_mec, in, mec_roles(options), 2, err);
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

/* X, X^T, its powers, and the derivative of the value by X, transposed; float64 for the exact form alone */
struct work {
    struct invar_matrix x, turned, power, other, by_x, exact;
};

/* *slot += factor log det(I + X); by_x = the derivative, transposed */
static bool exact_logarithm(const struct invar_term_call *call, struct work *w, double factor, double *slot,
                            struct invar_error *err)
{
    invar_dense_copy(call->device, &w->x, &w->exact);
    invar_dense_diagonal_map(call->device, &w->exact, NULL, 1, 1);
    if (!invar_dense_inverse(call->device, call->scratch, &w->exact, factor, slot, err))
        return false;
    invar_dense_copy(call->device, &w->exact, &w->by_x);
    return true;
}

/* the same of its series */
static void logarithm(const struct invar_term_call *call, struct work *w, double factor, double *slot)
{
    const struct mec_options *o = call->options;
    struct invar_device *device = call->device;

    invar_dense_zero(device, &w->by_x);
    invar_dense_diagonal_map(device, &w->by_x, NULL, 0, 1);
    invar_dense_transpose(device, &w->x, &w->turned, false);
    invar_dense_dot(device, &w->by_x, &w->turned, factor, slot); /* tr X */
    invar_dense_copy(device, &w->x, &w->power);
    for (int64_t k = 2; k <= o->order; k++) {
        const double sign = k % 2 ? 1 : -1;
        const struct invar_matrix kept = w->power;
        invar_dense_add(device, sign, &kept, &w->by_x);
        invar_dense_dot(device, &kept, &w->turned, sign * factor / (double)k, slot); /* tr X^k */
        if (k == o->order)
            break;
        invar_dense_product(device, false, false, 1, &kept, &w->x, 0, &w->other);
        w->power = w->other;
        w->other = kept;
    }
}

static bool add_pair(const struct invar_term_call *call, struct work *w, const struct invar_unit *t,
                     const struct invar_unit *p, double share, double *slot, struct invar_error *err)
{
    const struct mec_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t n = p->y.rows, d = p->y.cols;
    const bool columns = w->x.rows == d;
    const double lambda = lambda_of(o, n, d), scale = -call->weight * scale_of(o, n, d) * share * lambda;

    /* T^T P or P T^T */
    invar_dense_product(device, columns, !columns, lambda, columns ? &t->y : &p->y, columns ? &p->y : &t->y, 0, &w->x);
    if (o->form == FORM_EXACT && !exact_logarithm(call, w, share, slot, err))
        return false;
    if (o->form == FORM_SERIES)
        logarithm(call, w, share, slot);
    if (!p->dy.data)
        return true;
    if (columns)
        invar_dense_product_own(device, false, true, scale, &t->y, &w->by_x, 1, &p->dy);
    else
        invar_dense_product_own(device, true, false, scale, &w->by_x, &t->y, 1, &p->dy);
    return true;
}

static bool take_work(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct mec_options *o = call->options;
    const struct invar_matrix *q = &call->in->by[INVAR_ROLE_Q][0];
    const int64_t least = q->rows < q->cols ? q->rows : q->cols;
    struct invar_matrix *const own[] = {&w->x, &w->turned, &w->power, &w->other, &w->by_x};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!invar_dense_take(call->scratch, q->dtype, least, least, own[i], err))
            return false;
    return o->form != FORM_EXACT || invar_dense_take(call->scratch, INVAR_FLOAT64, least, least, &w->exact, err);
}

static bool mec_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct mec_options *o = call->options;
    const int views = call->in->views, targets = term_targets(call->in);
    const struct invar_matrix *in = call->in->by[INVAR_ROLE_Q];
    const int64_t n = in->rows, d = in->cols;
    double *m = invar_ledger_slot(call->sum->ledger);
    struct invar_unit q[INVAR_MAX_VIEWS], t[INVAR_MAX_VIEWS];
    struct work w;

    invar_term_part_of(call->sum, NULL, m, -scale_of(o, n, d), 0, 1);
    invar_term_part_of(call->sum, "coding_length", m, ((double)n + (double)d) / 2, 0, 0);
    if (!take_work(call, &w, err))
        return false;
    for (int v = 0; v < views; v++)
        if (!unit_take(call->device, call->scratch, &in[v], true, term_wanted(call->gradient, INVAR_ROLE_Q, v), &q[v],
                       err) ||
            (v < targets &&
             !unit_take(call->device, call->scratch, &call->in->by[INVAR_ROLE_T][v], true, NULL, &t[v], err)))
            return false;
    const double share = 1 / ((double)n * targets * (views - 1));
    for (int a = 0; a < views; a++)
        for (int b = 0; b < targets; b++)
            if (a != b && !add_pair(call, &w, &t[b], &q[a], share, m, err))
                return false;
    for (int v = 0; v < views; v++)
        if (q[v].dy.data)
            unit_backward(call->device, &q[v], term_wanted(call->gradient, INVAR_ROLE_Q, v));
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
    const int targets = term_targets(in);
    const int64_t n = in->by[INVAR_ROLE_Q][0].rows, d = in->by[INVAR_ROLE_Q][0].cols;
    double *x = invar_alloc((size_t)(d * d), sizeof *x, NULL), m = 0;

    for (int a = 0; x && a < in->views; a++)
        for (int b = 0; b < targets; b++) {
            double *p = reference_rows(&in->by[INVAR_ROLE_Q][a], true);
            double *t = reference_rows(&in->by[INVAR_ROLE_T][b], true);
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
    reference_part(out, "coding_length", ((double)n + (double)d) / 2 * m);
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
