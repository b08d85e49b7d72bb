/* SPDX-License-Identifier: Apache-2.0 */
/* The coding rate [CR1] of every view, raised, and the cosine between views (EMP-SSL [CR2]) or to targets (SimDINO
 * [CR3]), raised too. */
#include "objective/rate.h"
#include "objective/wide.h"

#include <math.h>

#define SCALES(CHOICE) CHOICE(SCALE_NONE, "none") CHOICE(SCALE_BALANCED, "balanced")
enum scale { SCALES(INVAR_CHOICE_CONSTANT) };

#define INVARIANCES(CHOICE)                                                                                            \
    CHOICE(INVARIANCE_NONE, "none") CHOICE(INVARIANCE_MEAN, "mean") CHOICE(INVARIANCE_TARGET, "target")
enum invariance { INVARIANCES(INVAR_CHOICE_CONSTANT) };

struct tcr_options {
    double eps, weight_rate, weight_invariance;
    int64_t eps_power;
    enum scale scale;
    enum invariance invariance;
};

#define AT(field) offsetof(struct tcr_options, field)
static const struct invar_option tcr_table[] = {
    {"eps", INVAR_OPTION_REAL, AT(eps), "0.2", 1e-6, 1e6, NULL, "distortion; SimDINO 0.5"},
    {"eps_power", INVAR_OPTION_INT, AT(eps_power), "1", 1, 2, NULL, "1 as in EMP-SSL's code, 2 as in its paper"},
    {"scale", INVAR_OPTION_CHOICE, AT(scale), "none", 0, 0, INVAR_CHOICES(SCALES),
     "balanced: the rate times (d + N) / (d N), as SimDINO"},
    {"invariance", INVAR_OPTION_CHOICE, AT(invariance), "none", 0, 0, INVAR_CHOICES(INVARIANCES),
     "mean: cosine of every view with the mean of all; target: of online outputs q with targets t"},
    {"weight_rate", INVAR_OPTION_REAL, AT(weight_rate), "1", 0, 1e9, NULL, "of the rate"},
    {"weight_invariance", INVAR_OPTION_REAL, AT(weight_invariance), "200", 0, 1e9, NULL, "of the cosine; SimDINO 1"},
    {0},
};

static enum invar_role online(const struct tcr_options *o)
{
    return o->invariance == INVARIANCE_TARGET ? INVAR_ROLE_Q : INVAR_ROLE_Z;
}

static unsigned tcr_roles(const void *options)
{
    const struct tcr_options *o = options;
    return INVAR_ROLE_BIT(online(o)) | (o->invariance == INVARIANCE_TARGET ? INVAR_ROLE_BIT(INVAR_ROLE_T) : 0);
}

static bool tcr_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct tcr_options *o = options;

    if (o->invariance != INVARIANCE_NONE && in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "tcr with invariance: %s needs two views of every sample or more, not %d: set "
                               "views.count",
                               o->invariance == INVARIANCE_MEAN ? "mean" : "target", in->views);
    return term_check_views(&invar_term_tcr, in, tcr_roles(options), err);
}

static double factor_of(const struct tcr_options *o, int64_t n, int64_t d)
{
    return (double)d / ((double)n * pow(o->eps, (double)o->eps_power));
}

static double scale_of(const struct tcr_options *o, int64_t n, int64_t d)
{
    return o->scale == SCALE_BALANCED ? ((double)d + (double)n) / ((double)d * (double)n) : 1;
}

/* the views whose rate counts: those that have a target, where there are targets */
static int rated(const struct tcr_options *o, const struct invar_embeddings *in)
{
    return o->invariance == INVARIANCE_TARGET ? term_targets(in) : in->views;
}

static bool add_rate(const struct invar_term_call *call, const struct invar_wide *z, double *slot,
                     struct invar_error *err)
{
    const struct tcr_options *o = call->options;
    const int views = rated(o, call->in);
    const int64_t n = z[0].x.rows, d = z[0].x.cols;
    const double a = factor_of(o, n, d), factor = scale_of(o, n, d) / views;
    struct invar_rate rate;
    struct invar_matrix x;

    if (!rate_take(call->scratch, n, d, &rate, err) || !term_matrix(call, n, d, &x, err))
        return false;
    for (int v = 0; v < views; v++) {
        invar_dense_copy(call->device, &z[v].x, &x);
        rate_of(call->device, &rate, &x, a, z[v].dx.data != NULL, factor, slot);
        if (z[v].dx.data)
            invar_dense_add(call->device, -call->weight * o->weight_rate * factor * a, &x, &z[v].dx);
    }
    return true;
}

/* mean over views and samples of the cosine of u^a with the mean of all views */
static bool add_cosine_of_mean(const struct invar_term_call *call, const struct invar_wide *z, double *slot,
                               struct invar_error *err)
{
    const struct tcr_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views;
    const int64_t n = z[0].x.rows, d = z[0].x.cols;
    const double share = 1 / ((double)n * views), scale = -call->weight * o->weight_invariance * share;
    double *lengths = invar_device_take(call->scratch, (size_t)n, sizeof *lengths, err);
    struct invar_matrix mean, by_mean, back;

    if (!lengths || !term_matrix(call, n, d, &mean, err) || !term_matrix(call, n, d, &by_mean, err) ||
        !term_matrix(call, n, d, &back, err))
        return false;
    invar_dense_zero(device, &mean);
    invar_dense_zero(device, &by_mean);
    invar_dense_zero(device, &back);
    for (int v = 0; v < views; v++) {
        invar_dense_add(device, 1.0 / views, &z[v].x, &mean);
        invar_dense_add(device, scale, &z[v].x, &by_mean);
    }
    invar_dense_normalise(device, &mean, &mean, lengths);
    invar_dense_normalise_backward(device, &mean, lengths, &by_mean, 1.0 / views, &back);
    for (int v = 0; v < views; v++) {
        invar_dense_dot(device, &z[v].x, &mean, share, slot);
        if (!z[v].dx.data)
            continue;
        invar_dense_add(device, scale, &mean, &z[v].dx);
        invar_dense_add(device, 1, &back, &z[v].dx);
    }
    return true;
}

static bool add_cosine_to_targets(const struct invar_term_call *call, const struct invar_wide *q, double *slot,
                                  struct invar_error *err)
{
    const struct tcr_options *o = call->options;
    const int views = call->in->views, targets = term_targets(call->in);
    const double share = 1 / ((double)q[0].x.rows * targets * (views - 1));
    struct invar_wide t;

    for (int a = 0; a < targets; a++) {
        if (!wide_take(call, INVAR_ROLE_T, a, true, &t, err))
            return false;
        for (int b = 0; b < views; b++) {
            if (a == b)
                continue;
            invar_dense_dot(call->device, &t.x, &q[b].x, share, slot);
            if (q[b].dx.data)
                invar_dense_add(call->device, -call->weight * o->weight_invariance * share, &t.x, &q[b].dx);
        }
    }
    return true;
}

static bool tcr_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct tcr_options *o = call->options;
    const int views = call->in->views;
    double *rate = invar_term_part(call->sum, "rate", -o->weight_rate);
    double *similarity =
        o->invariance == INVARIANCE_NONE ? NULL : invar_term_part(call->sum, "similarity", -o->weight_invariance);
    struct invar_wide z[INVAR_MAX_VIEWS];

    if (!wide_take_views(call, online(o), views, true, z, err) || !add_rate(call, z, rate, err) ||
        (o->invariance == INVARIANCE_MEAN && !add_cosine_of_mean(call, z, similarity, err)) ||
        (o->invariance == INVARIANCE_TARGET && !add_cosine_to_targets(call, z, similarity, err)))
        return false;
    wide_backward_views(call, online(o), views, z);
    return true;
}

static double reference_similarity(const struct tcr_options *o, const struct invar_embeddings *in)
{
    const struct invar_matrix *z = in->by[online(o)];
    const int64_t n = z[0].rows, d = z[0].cols;
    const int targets = rated(o, in);
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        for (int a = 0; a < targets; a++)
            for (int b = 0; b < in->views; b++) {
                if (o->invariance == INVARIANCE_TARGET && a != b)
                    sum += reference_dot(&in->by[INVAR_ROLE_T][a], i, &z[b], i, true) /
                           ((double)n * targets * (in->views - 1));
                if (o->invariance != INVARIANCE_MEAN || b > 0)
                    continue;
                double square = 0, along = 0;
                for (int64_t k = 0; k < d; k++) {
                    double mean = 0;
                    for (int v = 0; v < in->views; v++)
                        mean += reference_at(&z[v], i, k) / reference_length(&z[v], i) / in->views;
                    square += mean * mean;
                    along += mean * reference_at(&z[a], i, k) / reference_length(&z[a], i);
                }
                sum += along / sqrt(square) / ((double)n * in->views);
            }
    return sum;
}

static bool tcr_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct tcr_options *o = options;
    const struct invar_matrix *z = in->by[online(o)];
    const double similarity = reference_similarity(o, in);
    double rate = 0;

    for (int v = 0; v < rated(o, in); v++) {
        double *x = reference_rows(&z[v], true);
        rate += reference_rate(x, z->rows, z->cols, factor_of(o, z->rows, z->cols)) * scale_of(o, z->rows, z->cols) /
                rated(o, in);
        invar_free(x);
    }
    *out = (struct invar_term_value){.loss = -o->weight_rate * rate - o->weight_invariance * similarity};
    reference_part(out, "rate", rate);
    if (o->invariance != INVARIANCE_NONE)
        reference_part(out, "similarity", similarity);
    return true;
}

const struct invar_term_spec invar_term_tcr = {
    .name = "tcr",
    .help = "coding rate and cosine, the losses of EMP-SSL and SimDINO [CR2], [CR3]",
    .options = tcr_table,
    .options_size = sizeof(struct tcr_options),
    .roles = tcr_roles,
    .check = tcr_check,
    .evaluate = tcr_evaluate,
    .reference = tcr_reference,
};
