/* SPDX-License-Identifier: Apache-2.0 */
/* SIGReg [SR1]-[SR3] (LeJEPA): random projections of embeddings against a standard normal distribution by their
 * characteristic functions, and the distance of views from their centre. */
#include "objective/slices.h"

#include <math.h>

#define VIEWS(CHOICE) CHOICE(VIEWS_SEPARATE, "separate") CHOICE(VIEWS_JOINED, "joined")
enum views { VIEWS(INVAR_CHOICE_CONSTANT) };

#define INVARIANCE_WEIGHTS(CHOICE) CHOICE(WEIGHT_COMPLEMENT, "complement") CHOICE(WEIGHT_ONE, "one")
enum invariance_weight { INVARIANCE_WEIGHTS(INVAR_CHOICE_CONSTANT) };

struct sigreg_options {
    double lambda, t_max;
    int64_t knots, slices, global_views;
    enum views views;
    enum invariance_weight invariance_weight;
};

#define AT(field) offsetof(struct sigreg_options, field)
static const struct invar_option sigreg_table[] = {
    {"lambda", INVAR_OPTION_REAL, AT(lambda), "0.05", 0, 1, NULL, "weight of the sketch"},
    {"knots", INVAR_OPTION_INT, AT(knots), "17", 2, 64, NULL, "points of [0, t_max] of the integral"},
    {"t_max", INVAR_OPTION_REAL, AT(t_max), "3", 1e-3, 1e3, NULL, "where the integral ends"},
    {"slices", INVAR_OPTION_INT, AT(slices), "1024", 1, 1 << 20, NULL, "random directions, drawn anew every step"},
    {"views", INVAR_OPTION_CHOICE, AT(views), "separate", 0, 0, INVAR_CHOICES(VIEWS),
     "separate: the mean of the views' sketches (the authors); joined: all rows one sample (stable-pretraining)"},
    {"global_views", INVAR_OPTION_INT, AT(global_views), "0", 0, INVAR_MAX_VIEWS, NULL,
     "views, from the first, whose mean is the centre; 0: all"},
    {"invariance_weight", INVAR_OPTION_CHOICE, AT(invariance_weight), "complement", 0, 0,
     INVAR_CHOICES(INVARIANCE_WEIGHTS),
     "weight of the invariance part: 1 - lambda (the authors), or 1 (stable-pretraining)"},
    {0},
};

static const struct invar_term_input sigreg_inputs[] = {{"slices", INVAR_ROLE_W, 0}, {0}};

static unsigned sigreg_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

/* slices where a file brings them */
static bool sigreg_reads(const void *options, enum invar_role role, int view)
{
    (void)options;
    return role != INVAR_ROLE_W || view == 0;
}

static bool sigreg_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct sigreg_options *o = options;

    if (o->global_views > in->views)
        return invar_error_set(err, INVAR_ERROR_USAGE, "sigreg: global_views is %lld but there are %d views: lower it",
                               (long long)o->global_views, in->views);
    return term_check_views(&invar_term_sigreg, in, sigreg_roles(options), err) &&
           slices_check(&invar_term_sigreg, in, err);
}

static double weight_invariance(const struct sigreg_options *o)
{
    return o->invariance_weight == WEIGHT_ONE ? 1 : 1 - o->lambda;
}

/* rows of view v of a matrix that holds all views */
static struct invar_matrix part_of(const struct invar_matrix *all, int v, int64_t rows)
{
    return (struct invar_matrix){INVAR_FLOAT64, rows, all->cols, (double *)all->data + v * rows * all->cols};
}

static bool sigreg_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct sigreg_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views, samples = o->views == VIEWS_JOINED ? 1 : views;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, many = slices_count(call->in, o->slices);
    const double share = 1 / ((double)many * samples), wi = weight_invariance(o);
    double *sketch = invar_term_part(call->sum, "sigreg", o->lambda);
    double *invariance = invar_term_part(call->sum, "invariance", wi);
    struct invar_wide z[INVAR_MAX_VIEWS];
    struct invar_matrix slices, all, values;

    if (!wide_take_views(call, INVAR_ROLE_Z, views, false, z, err) || !slices_take(call, o->slices, &slices, err) ||
        !term_matrix(call, views * n, many, &all, err) || !term_vector(call, many, &values, err))
        return false;
    for (int v = 0; v < views; v++) {
        const struct invar_matrix rows = part_of(&all, v, n);
        invar_dense_product(device, false, true, 1, &z[v].x, &slices, 0, &rows);
    }
    for (int k = 0; k < samples; k++) {
        const struct invar_matrix rows = part_of(&all, k, views * n / samples);
        invar_dense_sketch(device, (int)o->knots, o->t_max, call->weight * o->lambda * share, &rows, values.data);
        invar_dense_sum(device, &values, share, sketch);
    }
    for (int v = 0; v < views; v++) {
        const struct invar_matrix rows = part_of(&all, v, n);
        if (z[v].dx.data)
            invar_dense_product_own(device, false, false, 1, &rows, &slices, 1, &z[v].dx);
    }
    if (!spread_add(call, z, o->global_views, call->weight * wi, 1, invariance, err))
        return false;
    wide_backward_views(call, INVAR_ROLE_Z, views, z);
    return true;
}

/* [SR1] of views first .. last along one direction, by the trapezoidal rule over both halves of the line */
static double reference_sketch(const struct sigreg_options *o, const struct invar_embeddings *in, int first, int last,
                               const double *slice)
{
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols;
    const double rows = (double)n * (last - first + 1), step = o->t_max / (double)(o->knots - 1);
    double sum = 0;

    for (int64_t k = 0; k < o->knots; k++) {
        const double t = step * (double)k, normal = exp(-t * t / 2);
        double real = 0, imaginary = 0;
        for (int v = first; v <= last; v++)
            for (int64_t i = 0; i < n; i++) {
                double x = 0;
                for (int64_t j = 0; j < d; j++)
                    x += reference_at(&in->by[INVAR_ROLE_Z][v], i, j) * slice[j];
                real += cos(t * x) / rows;
                imaginary += sin(t * x) / rows;
            }
        sum +=
            (k == 0 || k == o->knots - 1 ? step : 2 * step) * normal * (pow(real - normal, 2) + imaginary * imaginary);
    }
    return rows * sum;
}

static bool sigreg_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct sigreg_options *o = options;
    const int64_t many = slices_count(in, o->slices), d = in->by[INVAR_ROLE_Z][0].cols;
    double *slices = reference_slices(in, o->slices), sketch = 0;
    const double invariance = reference_spread_of_views(in, o->global_views);

    for (int64_t s = 0; slices && s < many; s++)
        if (o->views == VIEWS_JOINED)
            sketch += reference_sketch(o, in, 0, in->views - 1, slices + s * d) / (double)many;
        else
            for (int v = 0; v < in->views; v++)
                sketch += reference_sketch(o, in, v, v, slices + s * d) / (double)many / in->views;
    *out = (struct invar_term_value){.loss = o->lambda * sketch + weight_invariance(o) * invariance};
    reference_part(out, "sigreg", sketch);
    reference_part(out, "invariance", invariance);
    const bool ok = slices != NULL;
    invar_free(slices);
    return ok;
}

const struct invar_term_spec invar_term_sigreg = {
    .name = "sigreg",
    .help = "sketched isotropic Gaussian and invariance, the loss of LeJEPA [SR3]",
    .options = sigreg_table,
    .options_size = sizeof(struct sigreg_options),
    .inputs = sigreg_inputs,
    .roles = sigreg_roles,
    .reads = sigreg_reads,
    .check = sigreg_check,
    .evaluate = sigreg_evaluate,
    .reference = sigreg_reference,
};
