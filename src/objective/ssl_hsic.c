/* SPDX-License-Identifier: Apache-2.0 */
/* SSL-HSIC [HS1]: dependence of embeddings on the identity of their sample, raised, against that on themselves, with
 * the inverse multiquadric kernel of all rows of all views, exact. */
#include "objective/wide.h"

#include <math.h>

#define DIVISORS(CHOICE) CHOICE(DIVISOR_N, "n") CHOICE(DIVISOR_UNBIASED, "n_minus_1")
enum divisor { DIVISORS(INVAR_CHOICE_CONSTANT) };

#define KERNELS(CHOICE) CHOICE(KERNEL_IMQ, "imq")
enum kernel { KERNELS(INVAR_CHOICE_CONSTANT) };

struct ssl_hsic_options {
    double scale, gamma;
    enum divisor divisor;
    enum kernel kernel;
};

#define AT(field) offsetof(struct ssl_hsic_options, field)
static const struct invar_option ssl_hsic_table[] = {
    {"kernel", INVAR_OPTION_CHOICE, AT(kernel), "imq", 0, 0, INVAR_CHOICES(KERNELS), "c / sqrt(c^2 + |a - b|^2)"},
    {"scale", INVAR_OPTION_REAL, AT(scale), "1", 1e-6, 1e6, NULL, "c; the authors learn it"},
    {"gamma", INVAR_OPTION_REAL, AT(gamma), "3", 0, 1e6, NULL, "weight of the root of hsic_zz"},
    {"divisor", INVAR_OPTION_CHOICE, AT(divisor), "n", 0, 0, INVAR_CHOICES(DIVISORS),
     "of hsic_zz: (N V)^2 or (N V - 1)^2"},
    {0},
};

static unsigned ssl_hsic_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool ssl_hsic_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "ssl_hsic needs two views of every sample or more, not %d: set views.count (or give z1 "
                               "and z2)",
                               in->views);
    return term_check_shapes(&invar_term_ssl_hsic, in, ssl_hsic_roles(options), 2, err);
}

static double divisor_of(const struct ssl_hsic_options *o, double m)
{
    return o->divisor == DIVISOR_N ? m * m : (m - 1) * (m - 1);
}

struct work {
    struct invar_matrix u, k, same, hkh, half, group;
    double *squares;
    struct invar_matrix zz, root;
};

static bool take_work(const struct invar_term_call *call, int64_t m, struct work *w, struct invar_error *err)
{
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    double *host = invar_scratch_take(call->scratch, (size_t)m, sizeof *host, err);

    w->squares = invar_device_take(call->scratch, (size_t)m, sizeof *w->squares, err);
    if (!host || !w->squares || !term_matrix(call, m, d, &w->u, err) || !term_matrix(call, m, m, &w->k, err) ||
        !term_matrix(call, m, m, &w->same, err) || !term_matrix(call, m, m, &w->hkh, err) ||
        !term_matrix(call, m, m, &w->half, err) || !term_matrix(call, m, 1, &w->group, err) ||
        !term_vector(call, 1, &w->zz, err) || !term_vector(call, 1, &w->root, err))
        return false;
    for (int64_t i = 0; i < m; i++)
        host[i] = (double)(i % n);
    invar_device_upload(call->device, w->group.data, host, (size_t)m * sizeof *host);
    return true;
}

static struct invar_matrix part_of(const struct invar_matrix *all, int v, int64_t rows)
{
    const size_t from = (size_t)(v * rows * all->cols) * invar_dtype_size(all->dtype);
    return (struct invar_matrix){all->dtype, rows, all->cols, (char *)all->data + from};
}

/* from the derivative of the loss by K, in half, to that of the rows; k^3 (-1 / (2 c^2)) is that of k by the squared
 * distance. The product is in the type of the embeddings, as the weights no longer cancel. */
static bool through_kernel(const struct invar_term_call *call, struct work *w, double c, struct invar_matrix *by_rows,
                           struct invar_error *err)
{
    const enum invar_dtype type = call->in->by[INVAR_ROLE_Z][0].dtype;
    struct invar_device *device = call->device;
    struct invar_matrix weights, rows;

    if (!invar_dense_take(call->scratch, type, w->k.rows, w->k.cols, &weights, err) ||
        !invar_dense_take(call->scratch, type, w->u.rows, w->u.cols, &rows, err) ||
        !invar_dense_take(call->scratch, type, w->u.rows, w->u.cols, by_rows, err))
        return false;
    for (int power = 0; power < 3; power++)
        invar_dense_multiply(device, &w->k, &w->half);
    invar_dense_laplacian(device, &w->half);
    invar_dense_copy(device, &w->half, &weights);
    invar_dense_copy(device, &w->u, &rows);
    invar_dense_product_own(device, false, false, -2 / (c * c), &weights, &rows, 0, by_rows);
    return true;
}

static bool ssl_hsic_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct ssl_hsic_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, m = views * n;
    const double rows = (double)m, pairs = rows * (views - 1), zz_share = 1 / divisor_of(o, rows), c = o->scale;
    double *loss = invar_term_part(call->sum, NULL, o->gamma), *zy = invar_term_part(call->sum, "hsic_zy", -1);
    double *zz = invar_term_part(call->sum, "hsic_zz", 0);
    struct invar_wide z[INVAR_MAX_VIEWS];
    struct invar_matrix by_rows;
    struct work w;

    if (!take_work(call, m, &w, err) || !wide_take_views(call, INVAR_ROLE_Z, views, true, z, err))
        return false;
    for (int v = 0; v < views; v++) {
        const struct invar_matrix own = part_of(&w.u, v, n);
        invar_dense_copy(device, &z[v].x, &own);
    }
    invar_dense_gram(device, false, 1, &w.u, &w.k);
    invar_dense_distances(device, &w.k, w.squares);
    invar_dense_map(device, INVAR_MAP_RSQRT, 1 / (c * c), 1, &w.k);
    invar_dense_same_group(device, &w.group, &w.same);
    invar_dense_dot(device, &w.same, &w.k, 1 / pairs, zy);
    invar_dense_sum(device, &w.k, -1 / (rows * rows), zy);
    invar_dense_centre(device, &w.k, &w.half);
    invar_dense_transpose(device, &w.half, &w.hkh, false);
    invar_dense_centre(device, &w.hkh, &w.hkh);
    invar_dense_dot(device, &w.hkh, &w.hkh, zz_share, w.zz.data);
    invar_dense_sum(device, &w.zz, 1, zz);
    term_add_map(device, INVAR_MAP_SQRT, 1, 0, &w.zz, &w.root, 1, loss);
    if (!call->gradient)
        return true;
    /* d loss / d K = gamma HKH zz_share / sqrt(zz) - same / pairs + 1 / rows^2; no derivative of the root at 0 */
    invar_dense_map(device, INVAR_MAP_RSQRT, 1, 0, &w.zz);
    invar_dense_copy(device, &w.hkh, &w.half);
    invar_dense_scale(device, o->gamma * zz_share * call->weight, &w.half);
    invar_dense_scale_by(device, w.zz.data, &w.half);
    invar_dense_add(device, -call->weight / pairs, &w.same, &w.half);
    invar_dense_affine(device, 1, call->weight / (rows * rows), &w.half);
    if (!through_kernel(call, &w, c, &by_rows, err))
        return false;
    for (int v = 0; v < views; v++) {
        const struct invar_matrix own = part_of(&by_rows, v, n);
        if (z[v].dx.data)
            invar_dense_add(device, 1, &own, &z[v].dx);
    }
    wide_backward_views(call, INVAR_ROLE_Z, views, z);
    return true;
}

static double reference_kernel(const struct ssl_hsic_options *o, const struct invar_embeddings *in, int64_t i,
                               int64_t j)
{
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z->rows;
    double square = 0;

    for (int64_t k = 0; k < z->cols; k++)
        square += pow(reference_at(&z[i / n], i % n, k) / reference_length(&z[i / n], i % n) -
                          reference_at(&z[j / n], j % n, k) / reference_length(&z[j / n], j % n),
                      2);
    return o->scale / sqrt(o->scale * o->scale + square);
}

static bool ssl_hsic_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct ssl_hsic_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, m = in->views * n;
    double *k = invar_alloc((size_t)(m * m), sizeof *k, NULL), *mean = invar_alloc((size_t)m, sizeof *mean, NULL);
    double all = 0, zy = 0, zz = 0;

    for (int64_t i = 0; k && mean && i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            k[i * m + j] = reference_kernel(o, in, i, j);
            mean[i] += k[i * m + j] / (double)m;
            all += k[i * m + j] / (double)(m * m);
            zy += i != j && i % n == j % n ? k[i * m + j] / (double)(m * (in->views - 1)) : 0;
        }
    for (int64_t i = 0; k && mean && i < m * m; i++)
        zz += pow(k[i] - mean[i / m] - mean[i % m] + all, 2) / divisor_of(o, (double)m);
    const bool ok = k && mean;
    invar_free(k);
    invar_free(mean);
    zy -= all;
    *out = (struct invar_term_value){.loss = o->gamma * sqrt(zz) - zy};
    reference_part(out, "hsic_zy", zy);
    reference_part(out, "hsic_zz", zz);
    return ok;
}

const struct invar_term_spec invar_term_ssl_hsic = {
    .name = "ssl_hsic",
    .help = "dependence on the sample against dependence on itself [HS1]",
    .options = ssl_hsic_table,
    .options_size = sizeof(struct ssl_hsic_options),
    .roles = ssl_hsic_roles,
    .check = ssl_hsic_check,
    .evaluate = ssl_hsic_evaluate,
    .reference = ssl_hsic_reference,
};
