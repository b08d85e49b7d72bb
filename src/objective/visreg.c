/* SPDX-License-Identifier: Apache-2.0 */
/* VISReg [VR1]-[VR5]: centre, scale and, of random projections of standardised embeddings, sorted values against the
 * quantiles of a normal distribution; beside the distance of views from their centre. */
#include "objective/slices.h"

#include <math.h>
#include <stdlib.h>

struct visreg_options {
    double lambda, weight_centre, weight_scale, weight_shape, eps;
    int64_t slices, global_views;
};

#define AT(field) offsetof(struct visreg_options, field)
static const struct invar_option visreg_table[] = {
    {"lambda", INVAR_OPTION_REAL, AT(lambda), "0.9", 0, 1, NULL,
     "weight of centre, scale and shape; 1 - lambda of invariance; 0.6 for small sets"},
    {"weight_centre", INVAR_OPTION_REAL, AT(weight_centre), "1", 0, 1e9, NULL, "of the squared mean"},
    {"weight_scale", INVAR_OPTION_REAL, AT(weight_scale), "1", 0, 1e9, NULL, "of (1 - deviation)^2"},
    {"weight_shape", INVAR_OPTION_REAL, AT(weight_shape), "1", 0, 1e9, NULL, "of the distance from normal quantiles"},
    {"eps", INVAR_OPTION_REAL, AT(eps), "1e-4", 1e-12, 1, NULL, "added to the deviation that a column is divided by"},
    {"slices", INVAR_OPTION_INT, AT(slices), "4096", 1, 1 << 20, NULL, "random directions, drawn anew every step"},
    {"global_views", INVAR_OPTION_INT, AT(global_views), "0", 0, INVAR_MAX_VIEWS, NULL,
     "views, from the first, whose mean is the centre of invariance; 0: all"},
    {0},
};

static const struct invar_term_input visreg_inputs[] = {{"slices", INVAR_ROLE_W, 0}, {0}};

static unsigned visreg_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

/* slices where a file brings them */
static bool visreg_reads(const void *options, enum invar_role role, int view)
{
    (void)options;
    return role != INVAR_ROLE_W || view == 0;
}

static bool visreg_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct visreg_options *o = options;

    if (o->global_views > in->views)
        return invar_error_set(err, INVAR_ERROR_USAGE, "visreg: global_views is %lld but there are %d views: lower it",
                               (long long)o->global_views, in->views);
    return term_check_views(&invar_term_visreg, in, visreg_roles(options), err) &&
           slices_check(&invar_term_visreg, in, err);
}

/* Phi^{-1}(p) by Newton's method on erfc from a rough start: exact to rounding */
static double normal_quantile(double p)
{
    if (p > 0.5)
        return -normal_quantile(1 - p);
    const double t = sqrt(-2 * log(p));
    double x = -(t - (2.515517 + 0.802853 * t + 0.010328 * t * t) /
                         (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t));
    for (int i = 0; i < 4; i++)
        x -= (0.5 * erfc(-x / sqrt(2)) - p) * sqrt(2 * acos(-1)) * exp(x * x / 2);
    return x;
}

/* room for one view, and what all views share */
struct work {
    struct invar_matrix narrow_slices, narrow_p, narrow_dy; /* of the type of z, as its gradient is */
    struct invar_matrix slices, y, dy, p, values, mean, square, deviation, spare;
    double *quantiles; /* device [N] */
    double *centre, *scale, *shape;
};

static bool take_work(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct visreg_options *o = call->options;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    const int64_t many = slices_count(call->in, o->slices);
    const enum invar_dtype type = call->in->by[INVAR_ROLE_Z][0].dtype;
    double *host = invar_scratch_take(call->scratch, (size_t)n, sizeof *host, err);

    w->quantiles = invar_device_take(call->scratch, (size_t)n, sizeof *host, err);
    if (!host || !w->quantiles || !slices_take(call, o->slices, &w->slices, err) ||
        !term_matrix(call, n, d, &w->y, err) || !term_matrix(call, n, d, &w->dy, err) ||
        !term_matrix(call, n, many, &w->p, err) || !term_vector(call, many, &w->values, err) ||
        !term_vector(call, d, &w->mean, err) || !term_vector(call, d, &w->square, err) ||
        !term_vector(call, d, &w->deviation, err) || !term_vector(call, d, &w->spare, err) ||
        !invar_dense_take(call->scratch, type, many, d, &w->narrow_slices, err) ||
        !invar_dense_take(call->scratch, type, n, many, &w->narrow_p, err) ||
        !invar_dense_take(call->scratch, type, n, d, &w->narrow_dy, err))
        return false;
    invar_dense_copy(call->device, &w->slices, &w->narrow_slices);
    for (int64_t i = 0; i < n; i++)
        host[i] = normal_quantile((double)(i + 1) / (double)(n + 1));
    invar_device_upload(call->device, w->quantiles, host, (size_t)n * sizeof *host);
    return true;
}

/* [VR1], [VR2]; factor 1 / (d V). dx_ij += a_j + b_j y_ij in the centred y: a = 2 mean / N, b = 2 (s - 1) / (s N). What
 * goes to every row alike, a, is left in w->square for shape_of, which adds to all of dx anyway: divided by its factor
 * 1 / (s + eps), with the sign of a mean that is taken off. */
static void centre_and_scale(const struct invar_term_call *call, struct work *w, const struct invar_wide *z,
                             double factor)
{
    const struct visreg_options *o = call->options;
    struct invar_device *device = call->device;
    const double n = (double)z->x.rows, weight = call->weight * o->lambda * factor;

    invar_dense_dot(device, &w->mean, &w->mean, factor, w->centre);
    invar_dense_copy(device, &w->deviation, &w->spare);
    invar_dense_affine(device, 1, -1, &w->spare);
    invar_dense_dot(device, &w->spare, &w->spare, factor, w->scale);
    if (!z->dx.data)
        return;
    invar_dense_copy(device, &w->deviation, &w->square);
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, 0, &w->square);
    invar_dense_multiply(device, &w->spare, &w->square);
    invar_dense_scale(device, 2 * weight * o->weight_scale / n, &w->square);
    invar_dense_standardise(device, &z->x, w->mean.data, w->square.data, &z->dx, true);
    invar_dense_copy(device, &w->deviation, &w->square);
    invar_dense_affine(device, 1, o->eps, &w->square);
    invar_dense_multiply(device, &w->mean, &w->square);
    invar_dense_scale(device, -2 * weight * o->weight_centre / n, &w->square);
}

/* [VR3], [VR4]; the deviation is a constant. The gradient by y is centred as that by p is. */
static bool shape_of(const struct invar_term_call *call, struct work *w, const struct invar_wide *z, double factor,
                     struct invar_error *err)
{
    const struct visreg_options *o = call->options;
    struct invar_device *device = call->device;
    const double share = factor / ((double)z->x.rows * (double)w->slices.rows);

    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, o->eps, &w->deviation);
    invar_dense_standardise(device, &z->x, w->mean.data, w->deviation.data, &w->y, false);
    invar_dense_product(device, false, true, 1, &w->y, &w->slices, 0, &w->p);
    if (!invar_dense_sorted_distance(device, call->scratch, w->quantiles,
                                     call->weight * o->lambda * o->weight_shape * share, &w->p, w->values.data, err))
        return false;
    invar_dense_sum(device, &w->values, share, w->shape);
    if (!z->dx.data)
        return true;
    invar_dense_centre(device, &w->p, &w->p);
    invar_dense_copy(device, &w->p, &w->narrow_p);
    invar_dense_product(device, false, false, 1, &w->narrow_p, &w->narrow_slices, 0, &w->narrow_dy);
    invar_dense_copy(device, &w->narrow_dy, &w->dy);
    invar_dense_standardise(device, &w->dy, w->square.data, w->deviation.data, &z->dx, true);
    return true;
}

static bool visreg_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct visreg_options *o = call->options;
    const int views = call->in->views;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    double *invariance = invar_term_part(call->sum, "invariance", 1 - o->lambda);
    struct work w = {.centre = invar_term_part(call->sum, "centre", o->lambda * o->weight_centre)};
    struct invar_wide z[INVAR_MAX_VIEWS];

    w.scale = invar_term_part(call->sum, "scale", o->lambda * o->weight_scale);
    w.shape = invar_term_part(call->sum, "shape", o->lambda * o->weight_shape);
    if (!wide_take_views(call, INVAR_ROLE_Z, views, false, z, err) || !take_work(call, &w, err) ||
        !spread_add(call, z, o->global_views, call->weight * (1 - o->lambda), 1, invariance, err))
        return false;
    for (int v = 0; v < views; v++) {
        invar_dense_moments(call->device, &z[v].x, w.mean.data, w.deviation.data);
        invar_dense_map(call->device, INVAR_MAP_SQRT, 1 / (double)n, 0, &w.deviation);
        centre_and_scale(call, &w, &z[v], 1 / ((double)d * views));
        if (!shape_of(call, &w, &z[v], 1.0 / views, err))
            return false;
    }
    wide_backward_views(call, INVAR_ROLE_Z, views, z);
    return true;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool visreg_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct visreg_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols;
    const int64_t many = slices_count(in, o->slices);
    double *slices = reference_slices(in, o->slices), *p = invar_alloc((size_t)n, sizeof *p, NULL);
    double centre = 0, scale = 0, shape = 0;
    const double invariance = reference_spread_of_views(in, o->global_views);

    for (int v = 0; slices && p && v < in->views; v++) {
        double *y = reference_rows(&in->by[INVAR_ROLE_Z][v], false);
        for (int64_t j = 0; y && j < d; j++) {
            double mean = 0, square = 0;
            for (int64_t i = 0; i < n; i++)
                mean += y[i * d + j] / (double)n;
            for (int64_t i = 0; i < n; i++)
                square += pow(y[i * d + j] - mean, 2) / (double)n;
            for (int64_t i = 0; i < n; i++)
                y[i * d + j] = (y[i * d + j] - mean) / (sqrt(square) + o->eps);
            centre += mean * mean / (double)d / in->views;
            scale += pow(1 - sqrt(square), 2) / (double)d / in->views;
        }
        for (int64_t s = 0; y && s < many; s++) {
            for (int64_t i = 0; i < n; i++) {
                p[i] = 0;
                for (int64_t j = 0; j < d; j++)
                    p[i] += y[i * d + j] * slices[s * d + j];
            }
            qsort(p, (size_t)n, sizeof *p, by_value);
            for (int64_t i = 0; i < n; i++)
                shape +=
                    pow(p[i] - normal_quantile((double)(i + 1) / (double)(n + 1)), 2) / (double)(n * many) / in->views;
        }
        invar_free(y);
    }
    *out = (struct invar_term_value){
        .loss = (1 - o->lambda) * invariance +
                o->lambda * (o->weight_centre * centre + o->weight_scale * scale + o->weight_shape * shape)};
    reference_part(out, "invariance", invariance);
    reference_part(out, "centre", centre);
    reference_part(out, "scale", scale);
    reference_part(out, "shape", shape);
    const bool ok = slices && p;
    invar_free(slices);
    invar_free(p);
    return ok;
}

const struct invar_term_spec invar_term_visreg = {
    .name = "visreg",
    .help = "centre, scale and sketched shape of a Gaussian, and invariance [VR5]",
    .options = visreg_table,
    .options_size = sizeof(struct visreg_options),
    .inputs = visreg_inputs,
    .roles = visreg_roles,
    .reads = visreg_reads,
    .check = visreg_check,
    .evaluate = visreg_evaluate,
    .reference = visreg_reference,
};
