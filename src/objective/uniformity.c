/* SPDX-License-Identifier: Apache-2.0 */
/* Alignment and uniformity on the sphere [U1]-[U3], trained. log of a mean of numbers near 1 goes through expm1. */
#include "objective/wide.h"

#include <math.h>

struct uniformity_options {
    double t, weight_alignment, weight_uniformity;
    int64_t alignment_exponent;
    bool normalise;
};

#define AT(field) offsetof(struct uniformity_options, field)
static const struct invar_option uniformity_table[] = {
    {"t", INVAR_OPTION_REAL, AT(t), "2", 1e-6, 1e6, NULL, "of exp(-t |z_i - z_j|^2); the authors' 2, lightly's 1"},
    {"alignment_exponent", INVAR_OPTION_INT, AT(alignment_exponent), "2", 1, 2, NULL,
     "of the distance between two views of a sample"},
    {"weight_alignment", INVAR_OPTION_REAL, AT(weight_alignment), "1", 0, 1e9, NULL, "of the alignment part"},
    {"weight_uniformity", INVAR_OPTION_REAL, AT(weight_uniformity), "1", 0, 1e9, NULL, "of the uniformity part"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL, "norm() of z first"},
    {0},
};

static unsigned uniformity_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool uniformity_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_uniformity, in, uniformity_roles(options), err);
}

/* the distance itself, not squared; its derivative at 0 is 0 */
static bool add_lengths(const struct invar_term_call *call, const struct invar_wide *a, const struct invar_wide *b,
                        double scale, double factor, double *slot, struct invar_error *err)
{
    struct invar_device *device = call->device;
    const int64_t n = a->x.rows;
    struct invar_matrix apart, length;

    if (!term_matrix(call, n, a->x.cols, &apart, err) || !term_vector(call, n, &length, err))
        return false;
    invar_dense_copy(device, &a->x, &apart);
    invar_dense_add(device, -1, &b->x, &apart);
    invar_dense_row_products(device, &apart, &apart, length.data);
    invar_dense_map(device, INVAR_MAP_SQRT, 1, 0, &length);
    invar_dense_sum(device, &length, factor, slot);
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, 0, &length);
    invar_dense_scale_rows(device, length.data, &apart);
    if (a->dx.data)
        invar_dense_add(device, scale, &apart, &a->dx);
    if (b->dx.data)
        invar_dense_add(device, -scale, &apart, &b->dx);
    return true;
}

static bool add_alignment(const struct invar_term_call *call, const struct invar_wide *z, double *slot,
                          struct invar_error *err)
{
    const struct uniformity_options *o = call->options;
    const int views = call->in->views;
    const double factor = 2.0 / (views * (views - 1)) / (double)z[0].x.rows;
    const double scale = call->weight * o->weight_alignment * factor;

    for (int a = 0; a < views; a++)
        for (int b = a + 1; b < views; b++)
            if (o->alignment_exponent == 2)
                invar_dense_distance(call->device, &z[a].x, &z[b].x, 2 * scale, &z[a].dx, &z[b].dx, factor, slot);
            else if (!add_lengths(call, &z[a], &z[b], scale, factor, slot, err))
                return false;
    return true;
}

/* Below it exp(-t d^2) is near 1 on the sphere, and its distance from 1 is what counts; above, that distance would lose
 * the digits of a small mean. */
#define SMALL_T 0.25

/* room for one view */
struct work {
    struct invar_matrix centred, kernel, squares, mean, spare;
    struct invar_matrix narrow, graph, by_centred; /* of the type of z, as its gradient is */
};

/* [U2] of a view; scale: of its gradient */
static void add_uniformity(struct invar_device *device, const struct work *w, const struct invar_wide *z, double t,
                           double scale, double factor, double *slot)
{
    const double n = (double)z->x.rows, pairs = n * (n - 1);
    const bool small = t < SMALL_T;

    invar_dense_centre(device, &z->x, &w->centred); /* equal rows are then exactly so */
    invar_dense_gram(device, false, 1, &w->centred, &w->kernel);
    invar_dense_distances(device, &w->kernel, w->squares.data);
    invar_dense_map(device, small ? INVAR_MAP_EXPM1 : INVAR_MAP_EXP, -t, 0, &w->kernel);
    invar_dense_diagonal_map(device, &w->kernel, NULL, 0, 0); /* no pair */
    invar_dense_zero(device, &w->mean);
    invar_dense_sum(device, &w->kernel, 1 / pairs, w->mean.data);
    term_add_map(device, small ? INVAR_MAP_LOG1P : INVAR_MAP_LOG, 1, 0, &w->mean, &w->spare, factor, slot);
    if (!z->dx.data)
        return;
    if (small)
        invar_dense_affine(device, 1, 1, &w->kernel);
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, small, &w->mean);
    invar_dense_scale_by(device, w->mean.data, &w->kernel);
    invar_dense_laplacian(device, &w->kernel);
    invar_dense_copy(device, &w->kernel, &w->graph);
    invar_dense_copy(device, &w->centred, &w->narrow);
    invar_dense_product_own(device, false, false, -4 * t * scale / pairs, &w->graph, &w->narrow, 0, &w->by_centred);
    invar_dense_add(device, 1, &w->by_centred, &z->dx);
}

static bool uniformity_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct uniformity_options *o = call->options;
    const int views = call->in->views;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    const enum invar_dtype type = call->in->by[INVAR_ROLE_Z][0].dtype;
    double *alignment = invar_term_part(call->sum, "alignment", o->weight_alignment);
    double *uniformity = invar_term_part(call->sum, "uniformity", o->weight_uniformity);
    struct invar_wide z[INVAR_MAX_VIEWS];
    struct work w;

    if (!wide_take_views(call, INVAR_ROLE_Z, views, o->normalise, z, err) ||
        !term_matrix(call, n, d, &w.centred, err) || !term_matrix(call, n, n, &w.kernel, err) ||
        !term_vector(call, n, &w.squares, err) || !term_vector(call, 1, &w.mean, err) ||
        !term_vector(call, 1, &w.spare, err) || !invar_dense_take(call->scratch, type, n, d, &w.narrow, err) ||
        !invar_dense_take(call->scratch, type, n, n, &w.graph, err) ||
        !invar_dense_take(call->scratch, type, n, d, &w.by_centred, err) || !add_alignment(call, z, alignment, err))
        return false;
    for (int v = 0; v < views; v++)
        add_uniformity(call->device, &w, &z[v], o->t, call->weight * o->weight_uniformity / views, 1.0 / views,
                       uniformity);
    wide_backward_views(call, INVAR_ROLE_Z, views, z);
    return true;
}

static double reference_square(const struct invar_matrix *a, int64_t i, const struct invar_matrix *b, int64_t j,
                               bool normalise)
{
    const double left = normalise ? reference_length(a, i) : 1, right = normalise ? reference_length(b, j) : 1;
    double sum = 0;

    for (int64_t k = 0; k < a->cols; k++)
        sum += pow(reference_at(a, i, k) / left - reference_at(b, j, k) / right, 2);
    return sum;
}

static bool uniformity_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct uniformity_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows;
    double alignment = 0, uniformity = 0;

    for (int a = 0; a < in->views; a++) {
        for (int b = 0; b < a; b++)
            for (int64_t i = 0; i < n; i++)
                alignment +=
                    pow(reference_square(&z[a], i, &z[b], i, o->normalise), (double)o->alignment_exponent / 2) /
                    (double)n * 2 / (in->views * (in->views - 1));
        double mean = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++)
                mean += exp(-o->t * reference_square(&z[a], i, &z[a], j, o->normalise)) * 2 / (double)(n * (n - 1));
        uniformity += log(mean) / in->views;
    }
    *out = (struct invar_term_value){.loss = o->weight_alignment * alignment + o->weight_uniformity * uniformity};
    reference_part(out, "alignment", alignment);
    reference_part(out, "uniformity", uniformity);
    return true;
}

const struct invar_term_spec invar_term_uniformity = {
    .name = "uniformity",
    .help = "alignment and uniformity on the sphere [U3]",
    .options = uniformity_table,
    .options_size = sizeof(struct uniformity_options),
    .roles = uniformity_roles,
    .check = uniformity_check,
    .evaluate = uniformity_evaluate,
    .reference = uniformity_reference,
};
