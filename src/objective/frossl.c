/* SPDX-License-Identifier: Apache-2.0 */
/* FroSSL [FR1], [FR2]: columns of unit length, the Frobenius norm of their normalised Gram matrix on its smaller side,
 * and the distance of views from their mean. Columns are rows of the transposed matrices here. */
#include "objective/wide.h"

#include <math.h>

struct frossl_options {
    bool centre;
    double weight_invariance;
};

#define AT(field) offsetof(struct frossl_options, field)
static const struct invar_option frossl_table[] = {
    {"centre", INVAR_OPTION_BOOL, AT(centre), "false", 0, 0, NULL,
     "subtract column means first: the authors' two-view form; false: their multi-view one"},
    {"weight_invariance", INVAR_OPTION_REAL, AT(weight_invariance), "1", 0, 1e9, NULL, "of the distance between views"},
    {0},
};

static unsigned frossl_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool frossl_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_frossl, in, frossl_roles(options), err);
}

/* a view: W^T with unit rows, its lengths and gradient, (d, N) */
struct columns {
    struct invar_matrix w, dw;
    double *lengths;
};

static bool take_columns(const struct invar_term_call *call, struct invar_wide *z, struct columns *c,
                         struct invar_error *err)
{
    const struct frossl_options *o = call->options;
    const int64_t n = z->x.rows, d = z->x.cols;

    c->lengths = invar_device_take(call->scratch, (size_t)d, sizeof *c->lengths, err);
    if (!c->lengths || !term_matrix(call, d, n, &c->w, err) || !term_matrix(call, d, n, &c->dw, err))
        return false;
    if (o->centre)
        invar_dense_centre(call->device, &z->x, &z->x);
    invar_dense_transpose(call->device, &z->x, &c->w, false);
    invar_dense_normalise(call->device, &c->w, &c->w, c->lengths);
    invar_dense_zero(call->device, &c->dw);
    return true;
}

/* log |P|^2 = log |G|^2 - 2 log tr G, G the Gram matrix; the trace is the number of columns that are not 0 */
static bool add_norm(const struct invar_term_call *call, const struct columns *c, double scale, double *slot,
                     struct invar_error *err)
{
    struct invar_device *device = call->device;
    const bool rows = c->w.rows <= c->w.cols;
    const int64_t least = rows ? c->w.rows : c->w.cols;
    const enum invar_dtype type = call->in->by[INVAR_ROLE_Z][0].dtype;
    struct invar_matrix gram, square, spare;
    struct invar_matrix map, w, by_w; /* of the type of z, as its gradient is */

    if (!invar_dense_take(call->scratch, type, least, least, &map, err) ||
        !invar_dense_take(call->scratch, type, c->w.rows, c->w.cols, &w, err) ||
        !invar_dense_take(call->scratch, type, c->w.rows, c->w.cols, &by_w, err) ||
        !term_matrix(call, least, least, &gram, err) || !term_vector(call, 1, &square, err) ||
        !term_vector(call, 1, &spare, err))
        return false;
    invar_dense_dot(device, &c->w, &c->w, 1, square.data);
    term_add_map(device, INVAR_MAP_LOG_OR_0, 1, 0, &square, &spare, -2, slot);
    invar_dense_gram(device, !rows, 1, &c->w, &gram);
    invar_dense_zero(device, &square);
    invar_dense_dot(device, &gram, &gram, 1, square.data);
    term_add_map(device, INVAR_MAP_LOG_OR_0, 1, 0, &square, &spare, 1, slot);
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, 0, &square);
    invar_dense_scale_by(device, square.data, &gram);
    invar_dense_copy(device, &gram, &map);
    invar_dense_copy(device, &c->w, &w);
    if (rows)
        invar_dense_product(device, false, false, 4 * scale, &map, &w, 0, &by_w);
    else
        invar_dense_product(device, false, false, 4 * scale, &w, &map, 0, &by_w);
    invar_dense_add(device, 1, &by_w, &c->dw);
    return true;
}

static void store(const struct invar_term_call *call, struct invar_wide *z, const struct columns *c,
                  const struct invar_matrix *spare)
{
    const struct frossl_options *o = call->options;
    struct invar_device *device = call->device;

    if (!z->dx.data)
        return;
    invar_dense_zero(device, spare);
    invar_dense_normalise_backward(device, &c->w, c->lengths, &c->dw, 1, spare);
    invar_dense_transpose(device, spare, &z->dx, true);
    if (o->centre)
        invar_dense_centre(device, &z->dx, &z->dx);
}

static bool frossl_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct frossl_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views;
    double *regularisation = invar_term_part(call->sum, "regularisation", 1);
    double *invariance = invar_term_part(call->sum, "invariance", o->weight_invariance);
    struct invar_wide z[INVAR_MAX_VIEWS];
    struct columns c[INVAR_MAX_VIEWS];
    struct invar_matrix mean;

    if (!wide_take_views(call, INVAR_ROLE_Z, views, false, z, err))
        return false;
    for (int v = 0; v < views; v++)
        if (!take_columns(call, &z[v], &c[v], err) || !add_norm(call, &c[v], call->weight, regularisation, err))
            return false;
    /* (V / N) sum_a |W_a - mean|^2, whose gradient through the mean is 0 */
    const double factor = views / (double)z[0].x.rows;
    if (!term_matrix(call, c[0].w.rows, c[0].w.cols, &mean, err))
        return false;
    invar_dense_zero(device, &mean);
    for (int v = 0; v < views; v++)
        invar_dense_add(device, 1.0 / views, &c[v].w, &mean);
    for (int v = 0; v < views; v++)
        invar_dense_distance(device, &c[v].w, &mean, 2 * call->weight * o->weight_invariance * factor, &c[v].dw, NULL,
                             factor, invariance);
    for (int v = 0; v < views; v++)
        store(call, &z[v], &c[v], &mean);
    wide_backward_views(call, INVAR_ROLE_Z, views, z);
    return true;
}

/* W of a view, [N][d] */
static double *reference_columns(const struct frossl_options *o, const struct invar_matrix *z)
{
    double *x = reference_rows(z, false);

    for (int64_t j = 0; x && j < z->cols; j++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; o->centre && i < z->rows; i++)
            mean += x[i * z->cols + j] / (double)z->rows;
        for (int64_t i = 0; i < z->rows; i++) {
            x[i * z->cols + j] -= mean;
            square += x[i * z->cols + j] * x[i * z->cols + j];
        }
        for (int64_t i = 0; i < z->rows; i++)
            x[i * z->cols + j] /= fmax(sqrt(square), 1e-12);
    }
    return x;
}

static bool frossl_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct frossl_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z->rows, d = z->cols;
    double *w[INVAR_MAX_VIEWS], regularisation = 0, invariance = 0;

    for (int v = 0; v < in->views; v++)
        w[v] = reference_columns(o, &z[v]);
    for (int v = 0; v < in->views; v++) {
        double square = 0, trace = 0;
        for (int64_t j = 0; j < d; j++)
            for (int64_t k = 0; k < d; k++) {
                double sum = 0;
                for (int64_t i = 0; i < n; i++)
                    sum += w[v][i * d + j] * w[v][i * d + k];
                square += sum * sum;
                trace += j == k ? sum : 0;
            }
        regularisation += log(square / trace / trace);
        for (int64_t i = 0; i < n * d; i++) {
            double mean = 0;
            for (int a = 0; a < in->views; a++)
                mean += w[a][i] / in->views;
            invariance += pow(w[v][i] - mean, 2) * in->views / (double)n;
        }
    }
    for (int v = 0; v < in->views; v++)
        invar_free(w[v]);
    *out = (struct invar_term_value){.loss = regularisation + o->weight_invariance * invariance};
    reference_part(out, "regularisation", regularisation);
    reference_part(out, "invariance", invariance);
    return true;
}

const struct invar_term_spec invar_term_frossl = {
    .name = "frossl",
    .help = "Frobenius norm of every view's normalised Gram matrix, and invariance [FR2]",
    .options = frossl_table,
    .options_size = sizeof(struct frossl_options),
    .roles = frossl_roles,
    .check = frossl_check,
    .evaluate = frossl_evaluate,
    .reference = frossl_reference,
};
