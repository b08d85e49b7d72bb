/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products that several processes make together (struct invar_dense_ranks): each its rows of c, which then all get from
 * all. What travels is c, or its triangle, of which each element is worth `inner` multiply-adds: products of few are
 * made by each. All ranks decide so by the same numbers.
 *
 * Of a triangle row i goes with row n - 1 - i, so that all pairs are as long, and every rank's share is as much work:
 *
 *     rank 0  # # # # # # # #      Ranks of 2, n = 8: each has two pairs, of 9 elements each. Rows of a rank are two
 *     rank 0    # # # # # # #      stretches, one from above and one from below, which meet in the middle for the last.
 *     rank 1      # # # # # #
 *     rank 1        # # # # #
 *     rank 1          # # # #
 *     rank 1            # # #
 *     rank 0              # #
 *     rank 0                #
 *
 * What a rank made stays where it is in c, and what others made is copied to its place: all have the same bits.
 */
#include "device/backend.h"
#include "device/cpu/dense_products.h"

#include <string.h>

/* What a rank has of the units that are shared out: rows of c, or pairs of rows of its triangle. */
struct strip {
    int64_t units, each, first, last; /* of all, at most of each rank, and this rank's: first .. last - 1 */
    size_t bytes;                     /* of a unit */
};

/* As many for each rank, but for the last ones, which may have fewer or none. */
static struct strip share_out(const struct invar_dense_ranks *r, int64_t units, int64_t elements, enum invar_dtype type)
{
    const int64_t each = (units + r->count - 1) / r->count, first = r->rank * each;

    return (struct strip){.units = units,
                          .each = each,
                          .first = first < units ? first : units,
                          .last = first + each < units ? first + each : units,
                          .bytes = (size_t)elements * invar_dtype_size(type)};
}

/* A unit has to fit into what is sent at once. */
static bool pays(const struct invar_dense_ranks *r, const struct strip *s, double inner, double work)
{
    return inner >= r->inner && work >= r->work && s->units >= r->count && s->bytes <= r->room;
}

/* One unit between c and memory of its own, there and back. */
static void copy_unit(const struct invar_matrix *c, bool triangle, int64_t unit, char *packed, bool back)
{
    const size_t size = invar_dtype_size(c->dtype);
    const int64_t n = c->cols, rows[] = {unit, n - 1 - unit};

    for (int i = 0; i < (triangle && rows[1] > unit ? 2 : 1); i++) {
        const int64_t from = triangle ? rows[i] : 0;
        char *at = (char *)c->data + (size_t)(rows[i] * n + from) * size;
        const size_t bytes = (size_t)(n - from) * size;
        memcpy(back ? at : packed, back ? packed : at, bytes);
        packed += bytes;
    }
}

/* As many units of each rank at a time as there is room for. */
static void gather(const struct invar_dense_ranks *r, const struct strip *s, const struct invar_matrix *c,
                   bool triangle)
{
    const int64_t most = (int64_t)(r->room / s->bytes);

    for (int64_t at = 0; at < s->each; at += most) {
        const int64_t count = at + most < s->each ? most : s->each - at;
        for (int64_t i = 0; i < count && s->first + at + i < s->last; i++)
            copy_unit(c, triangle, s->first + at + i, (char *)r->own + (size_t)i * s->bytes, false);
        r->gather(r->user, (size_t)count * s->bytes);
        for (int k = 0; k < r->count; k++)
            for (int64_t i = 0; i < count && at + i < s->each && k * s->each + at + i < s->units; i++)
                if (k != r->rank)
                    copy_unit(c, triangle, k * s->each + at + i, (char *)r->all + (size_t)(k * count + i) * s->bytes,
                              true);
    }
}

/* Rows of c are whole in memory, so a strip is one stretch of it. */
bool dense_shared_product(struct invar_device *device, const struct dense_product *p)
{
    const struct invar_dense_ranks *r = device->ranks;
    const struct strip s = share_out(r, p->c->rows, p->c->cols, p->c->dtype);
    const double inner = (double)(p->transpose_a ? p->a->rows : p->a->cols);

    if (!pays(r, &s, inner, inner * (double)p->c->rows * (double)p->c->cols))
        return false;
    dense_product_rows(device, p, s.first, s.last - s.first);
    gather(r, &s, p->c, false);
    return true;
}

/* Below the diagonal nothing is sent: every rank mirrors the whole, which is memory's work alone. */
bool dense_shared_triangle(struct invar_device *device, const struct dense_product *p)
{
    const struct invar_dense_ranks *r = device->ranks;
    const int64_t n = p->c->rows;
    const struct strip s = share_out(r, (n + 1) / 2, n + 1, p->c->dtype);
    const double inner = (double)(p->transpose_a ? p->a->rows : p->a->cols);
    /* the row in the middle of an odd number has no other */
    const int64_t below = n - s.last > s.last ? n - s.last : s.last;

    if (!pays(r, &s, inner, inner * (double)n * (double)n / 2))
        return false;
    dense_triangle_rows(device, p, s.first, s.last, DENSE_TRIANGLE_MADE);
    dense_triangle_rows(device, p, below, n - s.first, DENSE_TRIANGLE_MADE);
    gather(r, &s, p->c, true);
    dense_triangle_rows(device, p, 0, n, DENSE_TRIANGLE_MIRRORED);
    return true;
}

/* c <- keep c of some of its rows. */
static void keep_rows(const struct dense_product *p, int64_t first, int64_t rows)
{
    const int64_t from = first * p->c->cols, count = rows * p->c->cols;

    if (p->keep == 1)
        return;
    if (p->keep == 0) {
        const size_t size = invar_dtype_size(p->c->dtype);
        memset((char *)p->c->data + (size_t)from * size, 0, (size_t)count * size);
        return;
    }
    for (int64_t i = from; i < from + count; i++)
        cpu_dense_put(p->c, i, p->keep * cpu_dense_get(p->c, i));
}

/* Own samples of each view. Rows that are not those of all samples are made whole. */
void cpu_dense_product_own(struct invar_device *device, bool transpose_a, bool transpose_b, double scale,
                           const struct invar_matrix *a, const struct invar_matrix *b, double keep,
                           const struct invar_matrix *c)
{
    const struct dense_product p = {transpose_a, transpose_b, scale, a, b, keep, c};
    const struct invar_dense_ranks *r = device->ranks;

    if (!r || c->rows % r->samples != 0) {
        dense_product_rows(device, &p, 0, c->rows);
        return;
    }
    const int64_t own = r->samples / r->count, before = r->rank * own, behind = r->samples - before - own;
    for (int64_t view = 0; view < c->rows; view += r->samples) {
        keep_rows(&p, view, before);
        dense_product_rows(device, &p, view + before, own);
        keep_rows(&p, view + before + own, behind);
    }
}
