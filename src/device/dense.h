/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dense operations of a device, one line each. The functions of invar/expert/dense.h, the entries of a backend, and
 * whatever stands between the two are made from this list: DO(name, parameters, arguments) for what only computes,
 * ANSWER(type, name, ...) for what answers, DEFAULT(name, ...) for what a backend may leave to a default in dense.c.
 */
#ifndef INVAR_SRC_DEVICE_DENSE_H
#define INVAR_SRC_DEVICE_DENSE_H

#include "invar/expert/dense.h"

/* parameters that many have */
#define DENSE_AT struct invar_device *device
#define DENSE_IN const struct invar_matrix
#define DENSE_SUM double factor, double *slot

/* clang-format off */
#define DENSE_LIST(DO, ANSWER, DEFAULT)                                                                                \
    DO(zero, (DENSE_AT, DENSE_IN *x), (device, x))                                                                     \
    DO(affine, (DENSE_AT, double factor, double shift, DENSE_IN *x), (device, factor, shift, x))                       \
    DO(copy, (DENSE_AT, DENSE_IN *from, DENSE_IN *to), (device, from, to))                                             \
    DO(scale, (DENSE_AT, double factor, DENSE_IN *x), (device, factor, x))                                             \
    DO(add, (DENSE_AT, double scale, DENSE_IN *x, DENSE_IN *y), (device, scale, x, y))                                 \
    DO(transpose, (DENSE_AT, DENSE_IN *x, DENSE_IN *y, bool add), (device, x, y, add))                                 \
    DO(symmetrise, (DENSE_AT, DENSE_IN *x), (device, x))                                                               \
    DO(dot, (DENSE_AT, DENSE_IN *a, DENSE_IN *b, DENSE_SUM), (device, a, b, factor, slot))                             \
    DO(distance, (DENSE_AT, DENSE_IN *a, DENSE_IN *b, double scale, DENSE_IN *da, DENSE_IN *db, DENSE_SUM),            \
        (device, a, b, scale, da, db, factor, slot))                                                                   \
    DO(diagonal_map, (DENSE_AT, DENSE_IN *x, const double *values, double factor, double shift), (device, x,           \
        values, factor, shift))                                                                                        \
    DO(diagonal_add, (DENSE_AT, DENSE_IN *x, double shift, double share), (device, x, shift, share))                   \
    DO(product, (DENSE_AT, bool transpose_a, bool transpose_b, double scale, DENSE_IN *a, DENSE_IN *b, double          \
        keep, DENSE_IN *c), (device, transpose_a, transpose_b, scale, a, b, keep, c))                                  \
    DO(product_own, (DENSE_AT, bool transpose_a, bool transpose_b, double scale, DENSE_IN *a, DENSE_IN *b, double      \
        keep, DENSE_IN *c), (device, transpose_a, transpose_b, scale, a, b, keep, c))                                  \
    DO(mirrored, (DENSE_AT, bool transpose, double scale, DENSE_IN *a, DENSE_IN *b, double keep, DENSE_IN *c),         \
        (device, transpose, scale, a, b, keep, c))                                                                     \
    DO(gram, (DENSE_AT, bool transpose, double scale, DENSE_IN *a, DENSE_IN *c), (device, transpose, scale, a,         \
        c))                                                                                                            \
    DO(normalise, (DENSE_AT, DENSE_IN *x, DENSE_IN *y, double *lengths), (device, x, y, lengths))                      \
    DO(normalise_backward, (DENSE_AT, DENSE_IN *y, const double *lengths, DENSE_IN *dy, double scale, DENSE_IN         \
        *dx), (device, y, lengths, dy, scale, dx))                                                                     \
    ANSWER(bool, contrast, (DENSE_AT, struct invar_scratch *scratch, const struct invar_dense_contrast *how,           \
        DENSE_IN *logits, struct invar_error *err), (device, scratch, how, logits, err))                               \
    ANSWER(bool, group, (DENSE_AT, struct invar_scratch *scratch, DENSE_IN *x, const int64_t *group, DENSE_IN          \
        *grouped, struct invar_error *err), (device, scratch, x, group, grouped, err))                                 \
    DO(ungroup, (DENSE_AT, DENSE_IN *grouped, DENSE_IN *gradient, const int64_t *group, DENSE_IN *x), (device,         \
        grouped, gradient, group, x))                                                                                  \
    DO(project, (DENSE_AT, enum invar_ball ball, double eps, DENSE_IN *raw, const uint8_t *mask, DENSE_IN              \
        *delta, double *norms), (device, ball, eps, raw, mask, delta, norms))                                          \
    DO(project_backward, (DENSE_AT, enum invar_ball ball, double eps, DENSE_IN *raw, const uint8_t *mask, const        \
        double *norms, DENSE_IN *upstream, double scale, DENSE_IN *out), (device, ball, eps, raw, mask, norms,         \
        upstream, scale, out))                                                                                         \
    DO(centre, (DENSE_AT, DENSE_IN *x, DENSE_IN *y), (device, x, y))                                                   \
    DO(moments, (DENSE_AT, DENSE_IN *x, double *mean, double *squares), (device, x, mean, squares))                    \
    ANSWER(bool, even, (DENSE_AT, const double *values, int64_t count, double share), (device, values, count, share))  \
    DO(column_products, (DENSE_AT, DENSE_IN *x, DENSE_IN *y, double *products), (device, x, y, products))              \
    DO(standardise, (DENSE_AT, DENSE_IN *x, const double *mean, const double *factor, DENSE_IN *y, bool add),          \
        (device, x, mean, factor, y, add))                                                                             \
    DO(rsqrt_of_squares, (DENSE_AT, double *values, int64_t count, double divisor, double constant), (device,          \
        values, count, divisor, constant))                                                                             \
    DO(hinge, (DENSE_AT, double *values, int64_t count, double divisor, double constant, double margin, double         \
        scale, DENSE_SUM), (device, values, count, divisor, constant, margin, scale, factor, slot))                    \
    DO(standardise_backward, (DENSE_AT, DENSE_IN *y, const double *factor, double divisor, DENSE_IN *dy, double        \
        scale, DENSE_IN *dx), (device, y, factor, divisor, dy, scale, dx))                                             \
    DO(columns_put, (DENSE_AT, DENSE_IN *x, DENSE_IN *y, int64_t first), (device, x, y, first))                        \
    DO(columns_take, (DENSE_AT, DENSE_IN *y, int64_t first, DENSE_IN *x), (device, y, first, x))                       \
    DO(columns_distance, (DENSE_AT, DENSE_IN *z, int64_t first, DENSE_IN *x, DENSE_IN *mask, double scale,             \
        DENSE_IN *dz, DENSE_SUM), (device, z, first, x, mask, scale, dz, factor, slot))                                \
    DO(columns_bernoulli, (DENSE_AT, DENSE_IN *z, int64_t first, DENSE_IN *m, double scale, DENSE_IN *dz,              \
        DENSE_SUM), (device, z, first, m, scale, dz, factor, slot))                                                    \
    ANSWER(bool, pair_kernel, (DENSE_AT, struct invar_scratch *scratch, DENSE_IN *gram, double scale, DENSE_SUM,       \
        struct invar_error *err), (device, scratch, gram, scale, factor, slot, err))                                   \
    DO(cholesky, (DENSE_AT, DENSE_IN *a), (device, a))                                                                 \
    DO(log_diagonal, (DENSE_AT, DENSE_IN *x, DENSE_SUM), (device, x, factor, slot))                                    \
    DO(add_identity, (DENSE_AT, DENSE_IN *x, double limit, double *safe), (device, x, limit, safe))                    \
    DO(scale_by, (DENSE_AT, const double *factor, DENSE_IN *x), (device, factor, x))                                   \
    DO(cholesky_solve, (DENSE_AT, DENSE_IN *l, bool right, DENSE_IN *b), (device, l, right, b))                        \
    DO(triangular_solve, (DENSE_AT, DENSE_IN *l, bool transpose, DENSE_IN *b), (device, l, transpose, b))              \
    DO(map, (DENSE_AT, enum invar_dense_map f, double factor, double shift, DENSE_IN *x), (device, f, factor,          \
        shift, x))                                                                                                     \
    DO(multiply, (DENSE_AT, DENSE_IN *x, DENSE_IN *y), (device, x, y))                                                 \
    DO(sum, (DENSE_AT, DENSE_IN *x, DENSE_SUM), (device, x, factor, slot))                                             \
    DO(row_products, (DENSE_AT, DENSE_IN *x, DENSE_IN *y, double *products), (device, x, y, products))                 \
    DO(scale_rows, (DENSE_AT, const double *factors, DENSE_IN *x), (device, factors, x))                               \
    DO(shorten, (DENSE_AT, double limit, DENSE_IN *x, DENSE_IN *y, double *lengths), (device, limit, x, y, lengths))   \
    DO(shorten_backward, (DENSE_AT, double limit, DENSE_IN *y, const double *lengths, DENSE_IN *dy, DENSE_IN *dx),     \
        (device, limit, y, lengths, dy, dx))                                                                           \
    DO(log_softmax, (DENSE_AT, DENSE_IN *x, DENSE_IN *p), (device, x, p))                                              \
    ANSWER(bool, soft_contrast, (DENSE_AT, struct invar_scratch *scratch, const struct invar_dense_soft *how,          \
        DENSE_IN *logits, struct invar_error *err), (device, scratch, how, logits, err))                               \
    ANSWER(bool, distil, (DENSE_AT, struct invar_scratch *scratch, const struct invar_dense_distil *how, struct        \
        invar_error *err), (device, scratch, how, err))                                                                \
    DO(distances, (DENSE_AT, DENSE_IN *gram, double *squares), (device, gram, squares))                                \
    DO(laplacian, (DENSE_AT, DENSE_IN *w), (device, w))                                                                \
    DO(same_group, (DENSE_AT, DENSE_IN *group, DENSE_IN *x), (device, group, x))                                       \
    DO(nearest, (DENSE_AT, DENSE_IN *x, DENSE_IN *distances, DENSE_IN *index), (device, x, distances, index))          \
    DO(largest, (DENSE_AT, DENSE_IN *x, const float *live, DENSE_IN *index), (device, x, live, index))                 \
    DO(gather, (DENSE_AT, DENSE_IN *table, DENSE_IN *index, DENSE_IN *y), (device, table, index, y))                   \
    DO(scatter_add, (DENSE_AT, double scale, DENSE_IN *x, DENSE_IN *index, DENSE_IN *y), (device, scale, x, index, y)) \
    DO(normals, (DENSE_AT, uint64_t seed, uint64_t step, DENSE_IN *x), (device, seed, step, x))                        \
    DO(sketch, (DENSE_AT, int knots, double t_max, double scale, DENSE_IN *x, double *values), (device, knots,         \
        t_max, scale, x, values))                                                                                      \
    ANSWER(bool, sorted_distance, (DENSE_AT, struct invar_scratch *scratch, const double *targets, double scale,       \
        DENSE_IN *x, double *values, struct invar_error *err), (device, scratch, targets, scale, x, values, err))      \
    ANSWER(bool, eigen, (DENSE_AT, struct invar_scratch *scratch, int count, DENSE_IN *x, double *const *values,       \
        struct invar_error *err), (device, scratch, count, x, values, err))                                            \
    ANSWER(bool, inverse, (DENSE_AT, struct invar_scratch *scratch, DENSE_IN *x, DENSE_SUM, struct invar_error *err),  \
        (device, scratch, x, factor, slot, err))                                                                       \
    DO(nuclear_rows, (DENSE_AT, int count, DENSE_IN *x, double scale, DENSE_IN *dx, DENSE_SUM), (device, count, x,     \
        scale, dx, factor, slot))                                                                                      \
    DO(ring_write, (DENSE_AT, DENSE_IN *x, const float *place, DENSE_IN *queue), (device, x, place, queue))            \
    DO(ring_advance, (DENSE_AT, int64_t rows, int64_t room, float *place), (device, rows, room, place))                \
    ANSWER(bool, sinkhorn, (DENSE_AT, struct invar_scratch *scratch, double epsilon, int64_t iterations, DENSE_IN      \
        *x, int64_t room, const float *place, DENSE_IN *p, struct invar_error *err), (device, scratch, epsilon,        \
        iterations, x, room, place, p, err))                                                                           \
    ANSWER(bool, singular_values, (DENSE_AT, struct invar_scratch *scratch, DENSE_IN *x, double *values, struct        \
        invar_error *err), (device, scratch, x, values, err))                                                          \
    ANSWER(bool, left_vectors, (DENSE_AT, struct invar_scratch *scratch, DENSE_IN *x, double *values, DENSE_IN         \
        *u, struct invar_error *err), (device, scratch, x, values, u, err))                                            \
    DEFAULT(covariance, (DENSE_AT, DENSE_IN *centred, DENSE_IN *c), (device, centred, c))
/* clang-format on */

#define DENSE_ENTRY(name, parameters, arguments) void(*name) parameters;
#define DENSE_ANSWER_ENTRY(type, name, parameters, arguments) type(*name) parameters;
/** What a backend has of them; an entry with a default may be NULL. */
struct dense_entries {
    DENSE_LIST(DENSE_ENTRY, DENSE_ANSWER_ENTRY, DENSE_ENTRY)
};

#endif
