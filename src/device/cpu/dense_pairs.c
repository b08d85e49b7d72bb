/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of elements and rows, distances between rows, rows by number, and rings of rows. */
/*
 * Distances come from products: |z_i - z_j|^2 = |z_i|^2 + |z_j|^2 - 2 <z_i, z_j>, one Gram matrix in place of N^2
 * passes over rows. What is lost by cancellation is of the order of the squares themselves, so terms centre rows first,
 * which changes no distance, and whoever needs more (nearest) looks at the differences of the few rows that come into
 * question.
 *
 * The gradient of a function of all distances, with w_ij its derivative by |z_i - z_j|^2 over ordered pairs and w
 * symmetric, is 4 sum_j w_ij (z_i - z_j) = 4 (diag(w 1) - w) z: one more product, of the graph's Laplacian.
 *
 * A queue is a ring of rows with the next place to write and the number of rows that hold something beside it, all of
 * it device memory: where a step writes, and how much of the queue counts, is never known to the host, so that no step
 * waits for it. Places are float32, exact up to 2^24 rows.
 */
#include "device/cpu/dense.h"

#include "base/clones.h"
#include "device/cpu/exponential.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define SMALL_WORK 16384 /* elements below which threads cost more than they bring */

static double get(const struct invar_matrix *x, int64_t at)
{
    return x->dtype == INVAR_FLOAT32 ? (double)((const float *)x->data)[at] : ((const double *)x->data)[at];
}

static void put(const struct invar_matrix *x, int64_t at, double value)
{
    if (x->dtype == INVAR_FLOAT32)
        ((float *)x->data)[at] = (float)value;
    else
        ((double *)x->data)[at] = value;
}

/* ---- elements ---- */

/* The C library's functions: these matrices are N x N at most, beside products of N x N x d, and their exact ends (a
 * logarithm of 0, a root of 0) are what terms rely on. */
static double value_of(enum invar_dense_map f, double x)
{
    switch (f) {
    case INVAR_MAP_EXP:
        return exp(x);
    case INVAR_MAP_EXPM1:
        return expm1(x);
    case INVAR_MAP_LOG:
        return log(x);
    case INVAR_MAP_LOG_OR_0:
        return x == 0 ? 0 : log(x);
    case INVAR_MAP_LOG1P:
        return log1p(x);
    case INVAR_MAP_SQRT:
        return sqrt(x);
    case INVAR_MAP_RSQRT:
        return x == 0 ? 0 : 1 / sqrt(x);
    case INVAR_MAP_RECIPROCAL:
        return x == 0 ? 0 : 1 / x;
    case INVAR_MAP_TANH:
        return tanh(x);
    case INVAR_MAP_CLAMP: /* a comparison that NaN passes through */
        return x < 0 ? 0 : x > 1 ? 1 : x;
    case INVAR_MAP_INSIDE:
        return x > 0 && x < 1;
    }
    return (double)NAN;
}

#define MAP_BLOCK 4096

/* The one function of whole N x N matrices that takes longer than going through them: by vectors, as far as
 * exponential.h goes. */
INVAR_CLONES static bool exponentials(double factor, double shift, double *values, int64_t count)
{
    double most = shift;

#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < count; i++) {
        const double x = factor * values[i] + shift;
        most = x > most ? x : most;
    }
    if (most > 80)
        return false;
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        values[i] = exponential_f64(factor * values[i] + shift);
    return true;
}

static void map_block(enum invar_dense_map f, double factor, double shift, double *values, int64_t count)
{
    if (f == INVAR_MAP_EXP && exponentials(factor, shift, values, count))
        return;
    for (int64_t i = 0; i < count; i++)
        values[i] = value_of(f, factor * values[i] + shift);
}

void cpu_dense_map(struct invar_device *device, enum invar_dense_map f, double factor, double shift,
                   const struct invar_matrix *x)
{
    const int64_t count = x->rows * x->cols;
    double *values = x->data;

#pragma omp parallel for num_threads(invar_device_threads(device)) if (count > SMALL_WORK)
    for (int64_t from = 0; from < count; from += MAP_BLOCK)
        map_block(f, factor, shift, values + from, count - from < MAP_BLOCK ? count - from : MAP_BLOCK);
}

void cpu_dense_multiply(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y)
{
    const int64_t count = x->rows * x->cols;
    const double *from = x->data;
    double *to = y->data;

#pragma omp parallel for simd num_threads(invar_device_threads(device)) if (count > SMALL_WORK)
    for (int64_t i = 0; i < count; i++)
        to[i] *= from[i];
}

/* One thread: a sum that every number of threads makes in the same order. */
void cpu_dense_sum(struct invar_device *device, const struct invar_matrix *x, double factor, double *slot)
{
    const double *values = x->data;
    double sum = 0;

    (void)device;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < x->rows * x->cols; i++)
        sum += values[i];
    *slot += factor * sum;
}

/* ---- rows ---- */

INVAR_CLONES double cpu_dense_row_product(const double *a, const double *b, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < count; k++)
        sum += a[k] * b[k];
    return sum;
}

/* float32 rows, whose products are exact in double */
INVAR_CLONES static double narrow_row_product(const float *a, const float *b, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < count; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

/* Of rows of one type, which is what terms have; of others, or of sums alone, element by element. */
static double product_of_row(const struct invar_matrix *x, const struct invar_matrix *y, int64_t i)
{
    const int64_t from = i * x->cols;
    double sum = 0;

    if (y && x->dtype == INVAR_FLOAT64 && y->dtype == INVAR_FLOAT64)
        return cpu_dense_row_product((const double *)x->data + from, (const double *)y->data + from, x->cols);
    if (y && x->dtype == INVAR_FLOAT32 && y->dtype == INVAR_FLOAT32)
        return narrow_row_product((const float *)x->data + from, (const float *)y->data + from, x->cols);
    for (int64_t at = from; at < from + x->cols; at++)
        sum += get(x, at) * (y ? get(y, at) : 1);
    return sum;
}

void cpu_dense_row_products(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                            double *products)
{
#pragma omp parallel for num_threads(invar_device_threads(device)) if (x->rows * x->cols > SMALL_WORK)
    for (int64_t i = 0; i < x->rows; i++)
        products[i] = product_of_row(x, y, i);
}

#define SCALED(type)                                                                                                   \
    INVAR_CLONES static void scaled_##type(double factor, type *x, int64_t count)                                      \
    {                                                                                                                  \
        _Pragma("omp simd") for (int64_t j = 0; j < count; j++) x[j] = (type)(factor * (double)x[j]);                  \
    }
SCALED(float)
SCALED(double)

void cpu_dense_scale_rows(struct invar_device *device, const double *factors, const struct invar_matrix *x)
{
#pragma omp parallel for num_threads(invar_device_threads(device)) if (x->rows * x->cols > SMALL_WORK)
    for (int64_t i = 0; i < x->rows; i++)
        if (x->dtype == INVAR_FLOAT32)
            scaled_float(factors[i], (float *)x->data + i * x->cols, x->cols);
        else
            scaled_double(factors[i], (double *)x->data + i * x->cols, x->cols);
}

/* ---- distances between rows ---- */

/* Rounding may make a distance of near rows negative; that of a row to itself is exactly 0, or no number. */
#define DISTANCES(type)                                                                                                \
    INVAR_CLONES static void distances_##type(double own, const double *squares, type *x, int64_t n)                   \
    {                                                                                                                  \
        _Pragma("omp simd") for (int64_t j = 0; j < n; j++)                                                            \
        {                                                                                                              \
            const double apart = own + squares[j] - 2 * (double)x[j];                                                  \
            x[j] = (type)(apart < 0 ? 0 : apart); /* a NaN goes through */                                             \
        }                                                                                                              \
    }
DISTANCES(float)
DISTANCES(double)

void cpu_dense_distances(struct invar_device *device, const struct invar_matrix *gram, double *squares)
{
    const int64_t n = gram->rows;

    for (int64_t i = 0; i < n; i++)
        squares[i] = get(gram, i * (n + 1));
#pragma omp parallel for num_threads(invar_device_threads(device)) if (n * n > SMALL_WORK)
    for (int64_t i = 0; i < n; i++)
        if (gram->dtype == INVAR_FLOAT32)
            distances_float(squares[i], squares, (float *)gram->data + i * n, n);
        else
            distances_double(squares[i], squares, (double *)gram->data + i * n, n);
}

/* The diagonal takes no part: a row is at no distance from itself whatever it is. */
void cpu_dense_laplacian(struct invar_device *device, const struct invar_matrix *w)
{
    const int64_t n = w->rows;
    double *x = w->data;

#pragma omp parallel for num_threads(invar_device_threads(device)) if (n * n > SMALL_WORK)
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        x[i * (n + 1)] = 0;
        for (int64_t j = 0; j < n; j++) {
            sum += x[i * n + j];
            x[i * n + j] = -x[i * n + j];
        }
        x[i * (n + 1)] = sum;
    }
}

/* Groups are compared as numbers, which hold every integer that a label can be. */
void cpu_dense_same_group(struct invar_device *device, const struct invar_matrix *group, const struct invar_matrix *x)
{
#pragma omp parallel for num_threads(invar_device_threads(device)) if (x->rows * x->cols > SMALL_WORK)
    for (int64_t i = 0; i < x->rows; i++)
        for (int64_t j = 0; j < x->cols; j++)
            put(x, i * x->cols + j, i != j && get(group, i) == get(group, j));
}

INVAR_CLONES static double apart(const double *a, const double *b, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < count; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sum;
}

/* What products say is off by rounding of the squares: whatever is so near may be the nearest. */
/* The first pass finds the least distance that products give, the second looks at all rows within the slack of it. */
static int64_t nearest_to(const struct invar_matrix *x, const struct invar_matrix *distances, int64_t i, double slack)
{
    const double *rows = x->data;
    const int64_t from = i * x->rows;
    double least = (double)INFINITY, found = (double)INFINITY;
    int64_t at = -1;

    for (int64_t j = 0; j < x->rows; j++) {
        const double far = get(distances, from + j);
        if (j != i && isnan(far))
            return j;
        if (j != i && far < least)
            least = far;
    }
    for (int64_t j = 0; j < x->rows; j++) {
        if (j == i || get(distances, from + j) > least + slack)
            continue;
        const double exact = apart(rows + i * x->cols, rows + j * x->cols, x->cols);
        if (exact < found || at < 0) {
            found = exact;
            at = j;
        }
    }
    return at;
}

/*
 * Two rows that are equal to the bit must be found so, and the first of them, which products alone do not give: a block
 * of a product may round otherwise than its neighbour. Distances by products of inner length d are off by 2 d roundings
 * of the largest square; of centred rows, which float32 ones are, that is no more than the largest distance.
 */
void cpu_dense_nearest(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *distances,
                       const struct invar_matrix *index)
{
    const int64_t n = x->rows;
    const bool narrow = distances->dtype == INVAR_FLOAT32;
    const double *rows = x->data, rounding = narrow ? 4 * (double)FLT_EPSILON : 16 * DBL_EPSILON;
    double largest = 0;

    for (int64_t i = 0; i < (narrow ? n * n : n); i++) {
        const double size = narrow ? (double)((const float *)distances->data)[i]
                                   : cpu_dense_row_product(rows + i * x->cols, rows + i * x->cols, x->cols);
        largest = size > largest ? size : largest;
    }
    const double slack = (double)(x->cols + 8) * rounding * largest;
#pragma omp parallel for num_threads(invar_device_threads(device)) if (n * n > SMALL_WORK)
    for (int64_t i = 0; i < n; i++)
        put(index, i, (double)nearest_to(x, distances, i, slack));
}

/* ---- rows by number ---- */

/* The first of the largest; a NaN is larger than nothing, and nothing is larger than one that comes first. Two passes
 * that become vectors in the place of one that does not. */
#define FIRST_LARGEST(type)                                                                                            \
    INVAR_CLONES static int64_t first_largest_##type(const type *x, int64_t count)                                     \
    {                                                                                                                  \
        type most = x[0];                                                                                              \
        int64_t at = 0;                                                                                                \
                                                                                                                       \
        if (isnan(most))                                                                                               \
            return 0;                                                                                                  \
        _Pragma("omp simd reduction(max : most)") for (int64_t j = 0; j < count; j++) most =                           \
            x[j] > most ? x[j] : most;                                                                                 \
        while (x[at] != most)                                                                                          \
            at++;                                                                                                      \
        return at;                                                                                                     \
    }
FIRST_LARGEST(float)
FIRST_LARGEST(double)

/* live is read here and not by the host, which does not know how full a queue is. */
void cpu_dense_largest(struct invar_device *device, const struct invar_matrix *x, const float *live,
                       const struct invar_matrix *index)
{
    const int64_t cols = live ? (int64_t)*live : x->cols;

#pragma omp parallel for num_threads(invar_device_threads(device)) if (x->rows * x->cols > SMALL_WORK)
    for (int64_t i = 0; i < x->rows; i++) {
        int64_t at = -1;
        if (cols > 0)
            at = x->dtype == INVAR_FLOAT32 ? first_largest_float((const float *)x->data + i * x->cols, cols)
                                           : first_largest_double((const double *)x->data + i * x->cols, cols);
        put(index, i, (double)at);
    }
}

/* Both types may meet: a queue is float32 while a step in float64 reads it. */
void cpu_dense_gather(struct invar_device *device, const struct invar_matrix *table, const struct invar_matrix *index,
                      const struct invar_matrix *y)
{
#pragma omp parallel for num_threads(invar_device_threads(device)) if (y->rows * y->cols > SMALL_WORK)
    for (int64_t i = 0; i < y->rows; i++) {
        const int64_t from = (int64_t)get(index, i);
        const size_t size = invar_dtype_size(y->dtype) * (size_t)y->cols;
        if (from >= 0 && table->dtype == y->dtype)
            memcpy((char *)y->data + (size_t)i * size, (const char *)table->data + (size_t)from * size, size);
        for (int64_t j = 0; from >= 0 && table->dtype != y->dtype && j < y->cols; j++)
            put(y, i * y->cols + j, get(table, from * y->cols + j));
    }
}

INVAR_CLONES static void add_row(double scale, const double *x, double *y, int64_t count)
{
#pragma omp simd
    for (int64_t j = 0; j < count; j++)
        y[j] += scale * x[j];
}

/* In order of rows, columns shared out: several may go to one place, and the bits must not depend on who came first. */
void cpu_dense_scatter_add(struct invar_device *device, double scale, const struct invar_matrix *x,
                           const struct invar_matrix *index, const struct invar_matrix *y)
{
    const int64_t cols = x->cols;
    const int threads = invar_device_threads(device);
    const bool wide = x->dtype == INVAR_FLOAT64 && y->dtype == INVAR_FLOAT64;

#pragma omp parallel for schedule(static, 1) num_threads(threads) if (x->rows * cols > SMALL_WORK)
    for (int me = 0; me < threads; me++) {
        const int64_t from = cols * me / threads, until = cols * (me + 1) / threads;
        for (int64_t i = 0; i < x->rows; i++) {
            const int64_t to = (int64_t)get(index, i);
            if (to >= 0 && wide)
                add_row(scale, (const double *)x->data + i * cols + from, (double *)y->data + to * cols + from,
                        until - from);
            for (int64_t j = from; to >= 0 && !wide && j < until; j++)
                put(y, to * cols + j, get(y, to * cols + j) + scale * get(x, i * cols + j));
        }
    }
}

/* ---- rings ---- */

/* Of more rows than there is room for the last stay, as if they were written one after the other. */
void cpu_dense_ring_write(struct invar_device *device, const struct invar_matrix *x, const float *place,
                          const struct invar_matrix *queue)
{
    const int64_t room = queue->rows, first = x->rows > room ? x->rows - room : 0;

    (void)device;
    for (int64_t i = first; i < x->rows; i++) {
        const int64_t to = ((int64_t)place[0] + i) % room;
        for (int64_t j = 0; j < x->cols; j++)
            put(queue, to * x->cols + j, get(x, i * x->cols + j));
    }
}

void cpu_dense_ring_advance(struct invar_device *device, int64_t rows, int64_t room, float *place)
{
    const int64_t count = (int64_t)place[1] + rows;

    (void)device;
    place[0] = (float)(((int64_t)place[0] + rows) % room);
    place[1] = (float)(count < room ? count : room);
}
