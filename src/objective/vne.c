/* SPDX-License-Identifier: Apache-2.0 */
/* The von Neumann entropy [VN1] of every view, from the eigenvalues of the smaller of U^T U / N and U U^T / N. A value
 * of 0 adds nothing, and its direction has no gradient. */
#include "objective/sums.h"
#include "objective/wide.h"

#include <math.h>

struct vne_options {
    bool normalise;
    enum invar_over_views over_views;
};

#define AT(field) offsetof(struct vne_options, field)
static const struct invar_option vne_table[] = {
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL,
     "norm() of z first; false: Z^T Z / |Z|^2 in place of U^T U / N"},
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS), "value"},
    {0},
};

static unsigned vne_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool vne_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_vne, in, vne_roles(options), err);
}

/* one view; its Gram matrix becomes the eigenvectors */
struct view {
    struct invar_matrix x, gram, values, trace;
    double *lengths; /* of the rows of z, with normalise alone */
};

/*
 * What views share, one after the other. Eigenvectors and values are found in float64; what the gradient then takes of
 * them is products of the type of the embeddings.
 */
struct work {
    struct view view[INVAR_MAX_VIEWS];
    struct invar_matrix vectors, scaled, map, x, dx, spare, ones, entropy;
};

/* The trace is a constant where rows have length 1. */
static bool take_view(const struct invar_term_call *call, int v, struct view *view, struct invar_error *err)
{
    const struct vne_options *o = call->options;
    struct invar_device *device = call->device;
    const struct invar_matrix *z = &call->in->by[INVAR_ROLE_Z][v];
    const int64_t least = z->rows < z->cols ? z->rows : z->cols;

    view->lengths = NULL;
    if (!term_matrix(call, z->rows, z->cols, &view->x, err) || !term_matrix(call, least, least, &view->gram, err) ||
        !term_vector(call, least, &view->values, err) || !term_vector(call, 1, &view->trace, err))
        return false;
    invar_dense_copy(device, z, &view->x);
    if (o->normalise) {
        view->lengths = invar_device_take(call->scratch, (size_t)z->rows, sizeof *view->lengths, err);
        if (!view->lengths)
            return false;
        invar_dense_normalise(device, &view->x, &view->x, view->lengths);
        invar_dense_affine(device, 0, (double)z->rows, &view->trace);
    } else {
        invar_dense_dot(device, &view->x, &view->x, 1, view->trace.data);
    }
    invar_dense_gram(device, least == z->cols, 1, &view->x, &view->gram);
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, 0, &view->trace);
    invar_dense_scale_by(device, view->trace.data, &view->gram);
    return true;
}

static bool take_work(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const int views = call->in->views;
    const struct invar_matrix *z = &call->in->by[INVAR_ROLE_Z][0];
    struct invar_scratch *scratch = call->scratch;
    struct invar_matrix grams[INVAR_MAX_VIEWS];
    double *values[INVAR_MAX_VIEWS];

    for (int v = 0; v < views; v++) {
        if (!take_view(call, v, &w->view[v], err))
            return false;
        grams[v] = w->view[v].gram;
        values[v] = w->view[v].values.data;
    }
    const int64_t least = grams[0].rows;
    if (!term_vector(call, least, &w->spare, err) || !term_vector(call, least, &w->ones, err) ||
        !term_vector(call, 1, &w->entropy, err))
        return false;
    if (call->gradient && (!invar_dense_take(scratch, z->dtype, least, least, &w->vectors, err) ||
                           !invar_dense_take(scratch, z->dtype, least, least, &w->scaled, err) ||
                           !invar_dense_take(scratch, z->dtype, least, least, &w->map, err) ||
                           !invar_dense_take(scratch, z->dtype, z->rows, z->cols, &w->x, err) ||
                           !invar_dense_take(scratch, z->dtype, z->rows, z->cols, &w->dx, err)))
        return false;
    return invar_dense_eigen(call->device, scratch, views, grams, values, err);
}

/*
 * With p = l / t, t the trace: entropy = - sum p log p, and its derivative by l is - (log p + entropy) / t. Where t is
 * a constant it is - (log p + 1) / t, which differs by what points along the rows, and those have length 1.
 */
static void add_view(const struct invar_term_call *call, struct work *w, int v, double factor, double *slot)
{
    struct invar_device *device = call->device;
    const struct view *view = &w->view[v];
    const struct invar_matrix *by_z = term_wanted(call->gradient, INVAR_ROLE_Z, v);

    invar_dense_copy(device, &view->values, &w->spare);
    invar_dense_map(device, INVAR_MAP_LOG_OR_0, 1, 0, &w->spare);
    invar_dense_zero(device, &w->entropy);
    invar_dense_dot(device, &view->values, &w->spare, -1, w->entropy.data);
    invar_dense_sum(device, &w->entropy, factor, slot);
    if (!by_z)
        return;
    invar_dense_affine(device, 0, 1, &w->ones);
    invar_dense_scale_by(device, w->entropy.data, &w->ones);
    invar_dense_add(device, 1, &w->ones, &w->spare);
    invar_dense_scale_by(device, view->trace.data, &w->spare);
    invar_dense_copy(device, &view->gram, &w->vectors);
    invar_dense_copy(device, &w->vectors, &w->scaled);
    invar_dense_scale_rows(device, w->spare.data, &w->scaled);
    invar_dense_mirrored(device, true, -2 * call->weight * factor, &w->vectors, &w->scaled, 0, &w->map);
    invar_dense_copy(device, &view->x, &w->x);
    if (w->map.rows == w->x.cols)
        invar_dense_product_own(device, false, false, 1, &w->x, &w->map, 0, &w->dx);
    else
        invar_dense_product_own(device, false, false, 1, &w->map, &w->x, 0, &w->dx);
    if (view->lengths)
        invar_dense_normalise_backward(device, &w->x, view->lengths, &w->dx, 1, by_z);
    else
        invar_dense_add(device, 1, &w->dx, by_z);
}

static bool vne_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct vne_options *o = call->options;
    const double per_view = term_over_views(o->over_views, call->in->views);
    double *entropy = invar_term_part(call->sum, "entropy", 1);
    struct work w;

    if (!take_work(call, &w, err))
        return false;
    for (int v = 0; v < call->in->views; v++)
        add_view(call, &w, v, per_view, entropy);
    return true;
}

static bool vne_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct vne_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z->rows, d = z->cols, least = n < d ? n : d;
    double *s = invar_alloc((size_t)least, sizeof *s, NULL), entropy = 0;

    for (int v = 0; s && v < in->views; v++) {
        double *x = reference_rows(&z[v], o->normalise), trace = 0;
        for (int64_t i = 0; x && i < n * d; i++)
            trace += o->normalise ? (double)n / (double)(n * d) : x[i] * x[i];
        if (!x || !reference_singular_values(x, n, d, s))
            entropy = (double)NAN;
        for (int64_t k = 0; k < least; k++)
            if (s[k] > 0)
                entropy -= s[k] * s[k] / trace * log(s[k] * s[k] / trace);
        invar_free(x);
    }
    *out = (struct invar_term_value){.loss = entropy * term_over_views(o->over_views, in->views)};
    reference_part(out, "entropy", out->loss);
    invar_free(s);
    return true;
}

const struct invar_term_spec invar_term_vne = {
    .name = "vne",
    .help = "von Neumann entropy of every view [VN1]; a recipe raises it with a negative weight",
    .options = vne_table,
    .options_size = sizeof(struct vne_options),
    .roles = vne_roles,
    .check = vne_check,
    .evaluate = vne_evaluate,
    .reference = vne_reference,
};
