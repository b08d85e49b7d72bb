/* SPDX-License-Identifier: Apache-2.0 */
#include "objective/slices.h"

#include "invar/expert/random.h"

#include <math.h>

int64_t slices_count(const struct invar_embeddings *in, int64_t count)
{
    return in->by[INVAR_ROLE_W][0].rows > 0 ? in->by[INVAR_ROLE_W][0].cols : count;
}

bool slices_check(const struct invar_term_spec *term, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct invar_matrix *slices = &in->by[INVAR_ROLE_W][0], *z = &in->by[INVAR_ROLE_Z][0];

    return slices->rows <= 0 || (slices->rows == z->cols && slices->dtype == z->dtype) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: slices have %lld rows where z has %lld columns: give one row a "
                           "column, of one type",
                           term->name, (long long)slices->rows, (long long)z->cols);
}

bool slices_take(const struct invar_term_call *call, int64_t count, struct invar_matrix *out, struct invar_error *err)
{
    const struct invar_matrix *given = &call->in->by[INVAR_ROLE_W][0];
    const int64_t d = call->in->by[INVAR_ROLE_Z][0].cols, many = slices_count(call->in, count);
    double *lengths = invar_device_take(call->scratch, (size_t)many, sizeof *lengths, err);
    struct invar_matrix wide;

    if (!lengths || !term_matrix(call, many, d, out, err) || !term_matrix(call, d, many, &wide, err))
        return false;
    if (given->data) {
        invar_dense_copy(call->device, given, &wide);
        invar_dense_transpose(call->device, &wide, out, false);
    } else {
        invar_dense_normals(call->device, call->key.seed, call->key.step, out);
    }
    invar_dense_normalise(call->device, out, out, lengths);
    return true;
}

bool spread_add(const struct invar_term_call *call, const struct invar_wide *z, int64_t global_views, double scale,
                double factor, double *slot, struct invar_error *err)
{
    struct invar_device *device = call->device;
    const int views = call->in->views, global = global_views ? (int)global_views : views;
    const double share = 1 / ((double)views * (double)z[0].x.rows * (double)z[0].x.cols);
    struct invar_matrix centre, sum;

    if (!term_matrix(call, z[0].x.rows, z[0].x.cols, &centre, err) ||
        !term_matrix(call, z[0].x.rows, z[0].x.cols, &sum, err))
        return false;
    invar_dense_zero(device, &centre);
    invar_dense_zero(device, &sum);
    for (int v = 0; v < global; v++)
        invar_dense_add(device, 1.0 / global, &z[v].x, &centre);
    for (int v = 0; v < views; v++)
        invar_dense_distance(device, &z[v].x, &centre, 2 * scale * share, &z[v].dx, &sum, factor * share, slot);
    /* sum has become the gradient by the centre */
    for (int v = 0; v < global && global < views; v++)
        if (z[v].dx.data)
            invar_dense_add(device, 1.0 / global, &sum, &z[v].dx);
    return true;
}

double *reference_slices(const struct invar_embeddings *in, int64_t count)
{
    const struct invar_matrix *given = &in->by[INVAR_ROLE_W][0];
    const int64_t d = in->by[INVAR_ROLE_Z][0].cols, many = slices_count(in, count);
    double *slices = invar_alloc((size_t)(many * d), sizeof *slices, NULL);

    for (int64_t s = 0; slices && s < many; s++) {
        struct invar_random random = invar_random_stream(0, INVAR_RANDOM_TERM, (uint64_t)s, 0, 0);
        double square = 0;
        for (int64_t j = 0; j < d; j++) {
            slices[s * d + j] = given->rows > 0 ? reference_at(given, j, s) : (double)invar_random_normal(&random);
            square += slices[s * d + j] * slices[s * d + j];
        }
        for (int64_t j = 0; j < d; j++)
            slices[s * d + j] /= sqrt(square);
    }
    return slices;
}

double reference_spread_of_views(const struct invar_embeddings *in, int64_t global_views)
{
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int global = global_views ? (int)global_views : in->views;
    double sum = 0;

    for (int64_t i = 0; i < z[0].rows; i++)
        for (int64_t j = 0; j < z[0].cols; j++) {
            double centre = 0;
            for (int v = 0; v < global; v++)
                centre += reference_at(&z[v], i, j) / global;
            for (int v = 0; v < in->views; v++)
                sum += pow(reference_at(&z[v], i, j) - centre, 2);
        }
    return sum / ((double)in->views * (double)z[0].rows * (double)z[0].cols);
}
