/* SPDX-License-Identifier: Apache-2.0 */
/* Whitening MSE [WM1]: views, or sub-batches of them, whitened one by one, and the distance between whitened views. */
#include "objective/wide.h"
#include "objective/whiten.h"

#include "invar/expert/random.h"

#include <math.h>

struct wmse_options {
    double shrink;
    int64_t sub_batch;
    bool normalise;
};

#define AT(field) offsetof(struct wmse_options, field)
static const struct invar_option wmse_table[] = {
    {"shrink", INVAR_OPTION_REAL, AT(shrink), "0", 0, 0.999, NULL,
     "(1 - shrink) C + shrink I is whitened; 0 needs more samples than dimensions"},
    {"sub_batch", INVAR_OPTION_INT, AT(sub_batch), "0", 0, 1 << 24, NULL,
     "samples that are whitened together, drawn anew every step; 0: the whole batch; the authors take twice the width"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL,
     "norm() of whitened rows; false: the mean over dimensions instead"},
    {0},
};

static const struct invar_term_input wmse_inputs[] = {{"order", INVAR_ROLE_W, 0}, {0}};

static unsigned wmse_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

/* an order where a file brings them */
static bool wmse_reads(const void *options, enum invar_role role, int view)
{
    (void)options;
    return role != INVAR_ROLE_W || view == 0;
}

static int64_t together(const struct wmse_options *o, int64_t n)
{
    return o->sub_batch ? o->sub_batch : n;
}

static bool wmse_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct wmse_options *o = options;
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][0];

    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "wmse needs two views of every sample or more, not %d: set views.count (or give z1 and "
                               "z2)",
                               in->views);
    if (!term_check_shapes(&invar_term_wmse, in, wmse_roles(options), 2, err))
        return false;
    if (o->sub_batch == 1 || z->rows % together(o, z->rows) != 0)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "wmse: sub_batch %lld does not divide the %lld samples of a batch: choose one that does",
                               (long long)o->sub_batch, (long long)z->rows);
    if (o->shrink == 0 && together(o, z->rows) <= z->cols)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "wmse: %lld samples cannot be whitened in %lld dimensions: set shrink above 0, or give "
                               "more samples",
                               (long long)together(o, z->rows), (long long)z->cols);
    return true;
}

/* which sample stands where: a permutation, as an index */
static bool take_order(const struct invar_term_call *call, int64_t n, struct invar_matrix *order,
                       struct invar_error *err)
{
    const struct invar_matrix *given = &call->in->by[INVAR_ROLE_W][0];
    int64_t *drawn = invar_scratch_take(call->scratch, (size_t)n, sizeof *drawn, err);
    double *host = invar_scratch_take(call->scratch, (size_t)n, sizeof *host, err);

    if (!drawn || !host || !term_matrix(call, n, 1, order, err))
        return false;
    if (given->data) {
        invar_dense_copy(call->device, given, order);
        return true;
    }
    struct invar_random random = invar_random_stream(call->key.seed, INVAR_RANDOM_TERM, 0, call->key.step, 0);
    for (int64_t i = 0; i < n; i++)
        drawn[i] = i;
    invar_random_shuffle(&random, drawn, n);
    for (int64_t i = 0; i < n; i++)
        host[i] = (double)drawn[i];
    invar_device_upload(call->device, order->data, host, (size_t)n * sizeof *host);
    return true;
}

static struct invar_matrix rows_of(const struct invar_matrix *all, int64_t from, int64_t count)
{
    return (struct invar_matrix){INVAR_FLOAT64, count, all->cols, (double *)all->data + from * all->cols};
}

/* one view: rows in the order, whitened in y */
struct view {
    struct invar_wide z;
    struct invar_matrix x, y, dy;
    double *lengths;
    struct invar_whitening *whitening; /* one a sub-batch */
};

static bool take_view(const struct invar_term_call *call, int v, const struct invar_matrix *order, struct view *view,
                      struct invar_error *err)
{
    const struct wmse_options *o = call->options;
    const int64_t n = call->in->by[INVAR_ROLE_Z][v].rows, d = call->in->by[INVAR_ROLE_Z][v].cols, b = together(o, n);

    view->lengths = invar_device_take(call->scratch, (size_t)n, sizeof *view->lengths, err);
    view->whitening = invar_scratch_take(call->scratch, (size_t)(n / b), sizeof *view->whitening, err);
    if (!view->lengths || !view->whitening || !wide_take(call, INVAR_ROLE_Z, v, false, &view->z, err) ||
        !term_matrix(call, n, d, &view->x, err) || !term_matrix(call, n, d, &view->y, err) ||
        !term_matrix(call, n, d, &view->dy, err))
        return false;
    invar_dense_zero(call->device, &view->dy);
    if (o->sub_batch)
        invar_dense_gather(call->device, &view->z.x, order, &view->x);
    else
        invar_dense_copy(call->device, &view->z.x, &view->x);
    for (int64_t k = 0; k < n / b; k++) {
        const struct invar_matrix from = rows_of(&view->x, k * b, b), to = rows_of(&view->y, k * b, b);
        if (!whitening_take(call->scratch, b, d, &view->whitening[k], err))
            return false;
        whitening_factor(call->device, &view->whitening[k], &from, o->shrink / (1 - o->shrink), 0);
        whitening_apply(call->device, &view->whitening[k], NULL, &to);
    }
    /* of (1 - shrink) (C + ridge I) */
    invar_dense_scale(call->device, 1 / sqrt(1 - o->shrink), &view->y);
    return true;
}

static bool store_view(const struct invar_term_call *call, int v, struct view *view, const struct invar_matrix *order,
                       const struct invar_matrix *unit, const struct invar_matrix *spare, struct invar_error *err)
{
    const struct wmse_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t n = view->x.rows, b = together(o, n);

    if (!view->z.dx.data)
        return true;
    if (o->normalise) {
        invar_dense_zero(device, spare);
        invar_dense_normalise_backward(device, unit, view->lengths, &view->dy, 1, spare);
        invar_dense_copy(device, spare, &view->dy);
    }
    /* the whitening's own output and its gradient */
    invar_dense_scale(device, sqrt(1 - o->shrink), &view->y);
    invar_dense_scale(device, 1 / sqrt(1 - o->shrink), &view->dy);
    for (int64_t k = 0; k < n / b; k++) {
        const struct invar_matrix y = rows_of(&view->y, k * b, b), dy = rows_of(&view->dy, k * b, b);
        if (!whitening_own_backward(device, call->scratch, &view->whitening[k], &y, &dy, err))
            return false;
    }
    if (o->sub_batch)
        invar_dense_scatter_add(device, 1, &view->dy, order, &view->z.dx);
    else
        invar_dense_add(device, 1, &view->dy, &view->z.dx);
    wide_backward(call, INVAR_ROLE_Z, v, &view->z);
    return true;
}

static bool wmse_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct wmse_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    const double share = 2.0 / (views * (views - 1)) / (double)n / (o->normalise ? 1 : (double)d);
    double *loss = invar_term_part(call->sum, NULL, 1);
    struct view view[INVAR_MAX_VIEWS];
    struct invar_matrix unit[INVAR_MAX_VIEWS], order, spare;

    if (!take_order(call, n, &order, err) || !term_matrix(call, n, d, &spare, err))
        return false;
    for (int v = 0; v < views; v++) {
        if (!take_view(call, v, &order, &view[v], err) || !term_matrix(call, n, d, &unit[v], err))
            return false;
        invar_dense_copy(device, &view[v].y, &unit[v]);
        if (o->normalise)
            invar_dense_normalise(device, &unit[v], &unit[v], view[v].lengths);
    }
    for (int a = 0; a < views; a++)
        for (int b = a + 1; b < views; b++)
            invar_dense_distance(device, &unit[a], &unit[b], 2 * call->weight * share, &view[a].dy, &view[b].dy, share,
                                 loss);
    for (int v = 0; v < views; v++)
        if (!store_view(call, v, &view[v], &order, &unit[v], &spare, err))
            return false;
    return true;
}

/* rows of x [n][d] that order names from `from` on, `count` of them, whitened into y */
static void reference_whiten(const struct wmse_options *o, const double *x, const double *order, int64_t count,
                             int64_t d, double *y, double *l)
{
    for (int64_t j = 0; j < d; j++) {
        double mean = 0;
        for (int64_t i = 0; i < count; i++)
            mean += x[(int64_t)order[i] * d + j] / (double)count;
        for (int64_t i = 0; i < count; i++)
            y[i * d + j] = x[(int64_t)order[i] * d + j] - mean;
    }
    for (int64_t j = 0; j < d; j++)
        for (int64_t k = 0; k <= j; k++) {
            double c = j == k ? o->shrink : 0;
            for (int64_t i = 0; i < count; i++)
                c += (1 - o->shrink) * y[i * d + j] * y[i * d + k] / (double)(count - 1);
            for (int64_t m = 0; m < k; m++)
                c -= l[j * d + m] * l[k * d + m];
            l[j * d + k] = j == k ? sqrt(c) : c / l[k * d + k];
        }
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < d; j++) {
            for (int64_t k = 0; k < j; k++)
                y[i * d + j] -= l[j * d + k] * y[i * d + k];
            y[i * d + j] /= l[j * d + j];
        }
}

static bool wmse_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct wmse_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols, size = together(o, n);
    double *order = invar_alloc((size_t)n, sizeof *order, NULL), *l = invar_alloc((size_t)(d * d), sizeof *l, NULL);
    double *y = invar_alloc((size_t)(in->views * n * d), sizeof *y, NULL), loss = 0;

    for (int64_t i = 0; order && i < n; i++) /* the references draw no order: of the whole batch none is needed */
        order[i] = in->by[INVAR_ROLE_W][0].rows > 0 ? reference_at(&in->by[INVAR_ROLE_W][0], i, 0) : (double)i;
    for (int v = 0; order && l && y && v < in->views; v++) {
        double *x = reference_rows(&in->by[INVAR_ROLE_Z][v], false);
        for (int64_t k = 0; x && k < n; k += size)
            reference_whiten(o, x, order + k, size, d, y + (v * n + k) * d, l);
        invar_free(x);
        for (int64_t i = v * n; o->normalise && i < (v + 1) * n; i++) {
            double square = 0;
            for (int64_t j = 0; j < d; j++)
                square += y[i * d + j] * y[i * d + j];
            for (int64_t j = 0; j < d; j++)
                y[i * d + j] /= fmax(sqrt(square), 1e-12);
        }
        for (int a = 0; a < v; a++)
            for (int64_t i = 0; i < n * d; i++)
                loss += pow(y[v * n * d + i] - y[a * n * d + i], 2) * 2 / (in->views * (in->views - 1)) / (double)n /
                        (o->normalise ? 1 : (double)d);
    }
    invar_free(order);
    invar_free(l);
    invar_free(y);
    *out = (struct invar_term_value){.loss = loss};
    return true;
}

const struct invar_term_spec invar_term_wmse = {
    .name = "wmse",
    .help = "distance between whitened views [WM1]",
    .options = wmse_table,
    .options_size = sizeof(struct wmse_options),
    .inputs = wmse_inputs,
    .roles = wmse_roles,
    .reads = wmse_reads,
    .check = wmse_check,
    .evaluate = wmse_evaluate,
    .reference = wmse_reference,
};
