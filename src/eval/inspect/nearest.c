/* SPDX-License-Identifier: Apache-2.0 */
/* Distances from every row to the nearest other one, from products of blocks of rows in float64. Exact and by all
 * pairs: it is the smallest distances that the section of noise is about, and those an approximate search gets wrong
 * first. */
#include "eval/inspect/inspect.h"

#include "base/linear.h"

#include <math.h>

enum { BLOCK = 256 };

struct nearest {
    int64_t rows, cols;
    const float *x;
    double *mean, *squares;  /* of columns; |x - mean|^2 of rows */
    double *a, *b, *product; /* [BLOCK][cols] twice, [BLOCK][BLOCK] */
};

/* Less the mean, so that squares of distances lose no digits to those of the rows. */
static void load(const struct nearest *n, int64_t from, int64_t count, double *out)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < n->cols; j++)
            out[i * n->cols + j] = (double)n->x[(from + i) * n->cols + j] - n->mean[j];
}

static int64_t block_size(const struct nearest *n, int64_t from)
{
    return n->rows - from < BLOCK ? n->rows - from : BLOCK;
}

/* In float64 from float32 rows: a squared distance is what is left of three large numbers. */
static void prepare(struct nearest *n)
{
    for (int64_t i = 0; i < n->rows; i++)
        for (int64_t j = 0; j < n->cols; j++)
            n->mean[j] += (double)n->x[i * n->cols + j] / (double)n->rows;
    for (int64_t from = 0; from < n->rows; from += BLOCK) {
        const int64_t count = block_size(n, from);
        load(n, from, count, n->a);
        for (int64_t i = 0; i < count; i++)
            n->squares[from + i] = linear_dot(n->cols, n->a + i * n->cols, n->a + i * n->cols);
    }
}

/* Rows p + i of a against rows q + j of b, each of a pair with the other. Every pair of blocks once: a distance
 * counts for both of its rows. */
static void compare(const struct nearest *n, int64_t p, int64_t q, double *distance)
{
    const int64_t rows = block_size(n, p), cols = block_size(n, q);

    linear_rows(INVAR_FLOAT64, (int)rows, (int)cols, (int)n->cols, n->a, n->b, 0, n->product, BLOCK);
    for (int64_t i = 0; i < rows; i++)
        /* A row is no neighbour of its own, and within one block each pair comes once as well. */
        for (int64_t j = p == q ? i + 1 : 0; j < cols; j++) {
            /* Rounding may leave a little less than 0 of equal rows, whose root would be NaN. */
            const double square = fmax(n->squares[p + i] + n->squares[q + j] - 2 * n->product[i * BLOCK + j], 0);
            distance[p + i] = fmin(distance[p + i], square);
            distance[q + j] = fmin(distance[q + j], square);
        }
}

bool inspect_nearest(const struct invar_array *x, double *distance, struct invar_error *err)
{
    struct nearest n = {.rows = x->shape[0], .cols = x->shape[1], .x = x->data};
    bool ok = false;

    n.mean = invar_alloc((size_t)n.cols, sizeof *n.mean, err);
    n.squares = invar_alloc((size_t)n.rows, sizeof *n.squares, err);
    n.a = invar_alloc(BLOCK, (size_t)n.cols * sizeof *n.a, err);
    n.b = invar_alloc(BLOCK, (size_t)n.cols * sizeof *n.b, err);
    n.product = invar_alloc(BLOCK, BLOCK * sizeof *n.product, err);
    if (!n.mean || !n.squares || !n.a || !n.b || !n.product)
        goto done;
    prepare(&n);
    for (int64_t i = 0; i < n.rows; i++)
        distance[i] = INFINITY;
    for (int64_t p = 0; p < n.rows; p += BLOCK) {
        load(&n, p, block_size(&n, p), n.a);
        for (int64_t q = p; q < n.rows; q += BLOCK) {
            load(&n, q, block_size(&n, q), n.b);
            compare(&n, p, q, distance);
        }
    }
    for (int64_t i = 0; i < n.rows; i++)
        /* Once a row and not once a pair: squares have the order of the distances. */
        distance[i] = sqrt(distance[i]);
    ok = true;
done:
    invar_free(n.mean);
    invar_free(n.squares);
    invar_free(n.a);
    invar_free(n.b);
    invar_free(n.product);
    return ok;
}
