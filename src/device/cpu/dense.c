/* SPDX-License-Identifier: Apache-2.0 */
/* Elements, rows and columns of dense.h on the processor: OpenMP over rows, one kernel text for both types. */
#include "device/cpu/dense.h"

#include "base/clones.h"
#include "device/cpu/exponential.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define SHORTEST 1e-12   /* of norm() */
#define SMALL_WORK 16384 /* elements below which threads cost more than they bring */
#define TILE 64          /* side of a block that fits the first cache, or most of it */
#define BLOCKS 64        /* sums are made of this many parts, whatever the number of threads */
#define CACHED 2048      /* elements of two or three arrays that are gone through twice and stay in the first cache */
#define COLUMNS 512      /* at most so many neighbours at a time: their sums stay in the first cache */

/* The first blocks are not larger than the last by more than one, and where they begin depends on the count alone:
 * sums are put together block by block, so their bits do not depend on the number of threads. */
static int64_t block_start(int block, int64_t count)
{
    return count / BLOCKS * block + (count % BLOCKS) * block / BLOCKS;
}

/* columns of one piece of work: enough pieces for all threads, whole cache lines. A cache line holds 16 floats: two
 * threads that write into one line would pass it to and fro. */
static int64_t columns_at_once(int threads, int64_t cols)
{
    const int64_t share = (cols / threads + 15) / 16 * 16;
    return share < 16 ? 16 : share > COLUMNS ? COLUMNS : share;
}

#define REAL float
#define NAME(x) x##_f32
#include "dense_kernels.h"

#define REAL double
#define NAME(x) x##_f64
#include "dense_kernels.h"

static bool is_f32(const struct invar_matrix *x)
{
    return x->dtype == INVAR_FLOAT32;
}

static int64_t count_of(const struct invar_matrix *x)
{
    return x->rows * x->cols;
}

/* Below so many bytes one thread is done before another would have begun. */
void cpu_dense_zero(struct invar_device *device, const struct invar_matrix *x)
{
    const int threads = invar_device_threads(device);
    const int64_t bytes = count_of(x) * (int64_t)invar_dtype_size(x->dtype);
#pragma omp parallel for num_threads(threads) if (bytes > SMALL_WORK * 16)
    for (int k = 0; k < BLOCKS; k++) {
        const int64_t from = block_start(k, bytes);
        memset((char *)x->data + from, 0, (size_t)(block_start(k + 1, bytes) - from));
    }
}

/* Types meet in two places: embeddings are float32, statistics of them float64 (log-determinants of float32
 * covariances lose their smallest directions). */
INVAR_CLONES static void widen(double factor, bool add, const float *x, double *y, int64_t count)
{
    if (add)
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] += factor * (double)x[i];
    else
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] = factor * (double)x[i];
}

INVAR_CLONES static void narrow(double factor, bool add, const double *x, float *y, int64_t count)
{
    if (add)
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] += (float)(factor * x[i]);
    else
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] = (float)(factor * x[i]);
}

/* The factor multiplies in double, and the product is rounded once. */
static void narrow_all(int threads, double factor, bool add, const double *x, float *y, int64_t count)
{
#pragma omp parallel for num_threads(threads) if (count > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++) {
        const int64_t from = block_start(k, count);
        narrow(factor, add, x + from, y + from, block_start(k + 1, count) - from);
    }
}

static void widen_all(int threads, double factor, bool add, const float *x, double *y, int64_t count)
{
#pragma omp parallel for num_threads(threads) if (count > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++) {
        const int64_t from = block_start(k, count);
        widen(factor, add, x + from, y + from, block_start(k + 1, count) - from);
    }
}

/* memcpy by one thread: matrices of embeddings are small beside maps. */
void cpu_dense_copy(struct invar_device *device, const struct invar_matrix *from, const struct invar_matrix *to)
{
    const int threads = invar_device_threads(device);
    if (from->dtype == to->dtype)
        memcpy(to->data, from->data, (size_t)count_of(from) * invar_dtype_size(from->dtype));
    else if (is_f32(from))
        widen_all(threads, 1, false, from->data, to->data, count_of(from));
    else
        narrow_all(threads, 1, false, from->data, to->data, count_of(from));
}

/* As all elements: a choice of type, then a loop made of dense_kernels.h. Below, what is said once holds for all. */
void cpu_dense_scale(struct invar_device *device, double factor, const struct invar_matrix *x)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        scale_f32(threads, factor, x->data, count_of(x));
    else
        scale_f64(threads, factor, x->data, count_of(x));
}

void cpu_dense_add(struct invar_device *device, double scale, const struct invar_matrix *x,
                   const struct invar_matrix *y)
{
    const int threads = invar_device_threads(device);
    if (is_f32(y) && !is_f32(x))
        narrow_all(threads, scale, true, x->data, y->data, count_of(x));
    else if (is_f32(x) && !is_f32(y))
        widen_all(threads, scale, true, x->data, y->data, count_of(x));
    else if (is_f32(x))
        add_f32(threads, scale, x->data, y->data, count_of(x));
    else
        add_f64(threads, scale, x->data, y->data, count_of(x));
}

/* With `add` onto what is there, so that gradients through a transposed matrix need no room of their own. */
void cpu_dense_transpose(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                         bool add)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        transpose_f32(threads, x->data, y->data, x->rows, x->cols, add);
    else
        transpose_f64(threads, x->data, y->data, x->rows, x->cols, add);
}

/* x + x^T, without a half: callers put the factor into a product that they make anyway. */
void cpu_dense_symmetrise(struct invar_device *device, const struct invar_matrix *x)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        symmetrise_f32(threads, x->data, x->rows);
    else
        symmetrise_f64(threads, x->data, x->rows);
}

void cpu_dense_dot(struct invar_device *device, const struct invar_matrix *a, const struct invar_matrix *b,
                   double factor, double *slot)
{
    const int threads = invar_device_threads(device);
    *slot += factor * (is_f32(a) ? dot_f32(threads, a->data, b->data, count_of(a))
                                 : dot_f64(threads, a->data, b->data, count_of(a)));
}

/* Value and both gradients in one pass over a and b, which is all that invariance terms do with them. */
void cpu_dense_distance(struct invar_device *device, const struct invar_matrix *a, const struct invar_matrix *b,
                        double scale, const struct invar_matrix *da, const struct invar_matrix *db, double factor,
                        double *slot)
{
    const int threads = invar_device_threads(device);
    void *by_a = da ? da->data : NULL, *by_b = db ? db->data : NULL;
    *slot += factor * (is_f32(a) ? distance_f32(threads, a->data, b->data, scale, by_a, by_b, count_of(a))
                                 : distance_f64(threads, a->data, b->data, scale, by_a, by_b, count_of(a)));
}

/* y may be x: every row is read whole before it is written. */
void cpu_dense_normalise(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                         double *lengths)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        normalise_f32(threads, x->data, y->data, lengths, x->rows, x->cols);
    else
        normalise_f64(threads, x->data, y->data, lengths, x->rows, x->cols);
}

void cpu_dense_normalise_backward(struct invar_device *device, const struct invar_matrix *y, const double *lengths,
                                  const struct invar_matrix *dy, double scale, const struct invar_matrix *dx)
{
    const int threads = invar_device_threads(device);
    if (is_f32(y))
        normalise_backward_f32(threads, y->data, lengths, dy->data, scale, dx->data, y->rows, y->cols);
    else
        normalise_backward_f64(threads, y->data, lengths, dy->data, scale, dx->data, y->rows, y->cols);
}

/* As norm(), with a length that rows may have: no row grows. */
void cpu_dense_shorten(struct invar_device *device, double limit, const struct invar_matrix *x,
                       const struct invar_matrix *y, double *lengths)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        shorten_f32(threads, limit, x->data, y->data, lengths, x->rows, x->cols);
    else
        shorten_f64(threads, limit, x->data, y->data, lengths, x->rows, x->cols);
}

void cpu_dense_shorten_backward(struct invar_device *device, double limit, const struct invar_matrix *y,
                                const double *lengths, const struct invar_matrix *dy, const struct invar_matrix *dx)
{
    const int threads = invar_device_threads(device);
    if (is_f32(y))
        shorten_backward_f32(threads, limit, y->data, lengths, dy->data, dx->data, y->rows, y->cols);
    else
        shorten_backward_f64(threads, limit, y->data, lengths, dy->data, dx->data, y->rows, y->cols);
}

/* Rows of several matrices of logits together: each is read once, made a softmax, compared and turned into its
 * gradient while it is in the first cache. */
bool cpu_dense_contrast(struct invar_device *device, struct invar_scratch *scratch,
                        const struct invar_dense_contrast *how, const struct invar_matrix *logits,
                        struct invar_error *err)
{
    const int threads = invar_device_threads(device);
    const size_t parts = (size_t)threads * (size_t)how->count;
    /* columns may be groups of rows, more of them in the next batch, which must not take more room */
    const size_t cols = (size_t)(logits[0].cols > logits[0].rows ? logits[0].cols : logits[0].rows);
    struct invar_dense_contrast weighted = *how;
    double values[2];

    if (how->divergence_weight)
        weighted.divergence_scale *= *how->divergence_weight;
    void *work = invar_scratch_take(scratch, parts * cols, invar_dtype_size(logits[0].dtype), err);
    double *sums = invar_scratch_take(scratch, (size_t)threads * 2 * cols, sizeof(double), err);
    void *pointers = invar_scratch_take(scratch, parts, sizeof(void *), err);
    if (!work || !sums || !pointers)
        return false;
    if (is_f32(logits))
        contrast_f32(threads, &weighted, logits, work, sums, pointers, values);
    else
        contrast_f64(threads, &weighted, logits, work, sums, pointers, values);
    if (how->contrast_slot)
        *how->contrast_slot += how->contrast_factor * values[0];
    if (how->divergence_slot)
        *how->divergence_slot += how->divergence_factor * values[1];
    return true;
}

void cpu_dense_log_softmax(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *p)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        log_softmax_f32(threads, x->data, p->data, x->rows, x->cols);
    else
        log_softmax_f64(threads, x->data, p->data, x->rows, x->cols);
}

bool cpu_dense_soft_contrast(struct invar_device *device, struct invar_scratch *scratch,
                             const struct invar_dense_soft *how, const struct invar_matrix *logits,
                             struct invar_error *err)
{
    const int threads = invar_device_threads(device);
    void *work =
        invar_scratch_take(scratch, (size_t)threads * (size_t)logits->cols, invar_dtype_size(logits->dtype), err);

    if (!work)
        return false;
    *how->slot += how->factor * (is_f32(logits)
                                     ? soft_contrast_f32(threads, how, logits->data, work, logits->rows, logits->cols)
                                     : soft_contrast_f64(threads, how, logits->data, work, logits->rows, logits->cols));
    return true;
}

/* Sums are work space of the host's kind, one row a thread: nothing of it is read afterwards. */
bool cpu_dense_group(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                     const int64_t *group, const struct invar_matrix *grouped, struct invar_error *err)
{
    const int threads = invar_device_threads(device);
    double *sums = invar_scratch_take(scratch, (size_t)threads * (size_t)x->cols, sizeof(double), err);
    if (!sums)
        return false;
    if (is_f32(x))
        group_f32(threads, x->data, group, grouped->data, sums, x->rows, x->cols, grouped->cols);
    else
        group_f64(threads, x->data, group, grouped->data, sums, x->rows, x->cols, grouped->cols);
    return true;
}

void cpu_dense_ungroup(struct invar_device *device, const struct invar_matrix *grouped,
                       const struct invar_matrix *gradient, const int64_t *group, const struct invar_matrix *x)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        ungroup_f32(threads, grouped->data, gradient->data, group, x->data, x->rows, x->cols, grouped->cols);
    else
        ungroup_f64(threads, grouped->data, gradient->data, group, x->data, x->rows, x->cols, grouped->cols);
}

void cpu_dense_centre(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        centre_f32(threads, x->data, y->data, x->rows, x->cols);
    else
        centre_f64(threads, x->data, y->data, x->rows, x->cols);
}

/* mean and squares are double [cols] whatever the type of x: statistics of float32 columns are the input of roots and
 * divisions, where their last digits count. */
void cpu_dense_moments(struct invar_device *device, const struct invar_matrix *x, double *mean, double *squares)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        moments_f32(threads, x->data, mean, squares, x->rows, x->cols);
    else
        moments_f64(threads, x->data, mean, squares, x->rows, x->cols);
}

bool cpu_dense_even(struct invar_device *device, const double *values, int64_t count, double share)
{
    double sum = 0, squares = 0;

    (void)device;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
        squares += values[i] * values[i];
    }
    return squares <= share * sum * sum;
}

void cpu_dense_column_products(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                               double *products)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        column_products_f32(threads, x->data, y->data, products, x->rows, x->cols);
    else
        column_products_f64(threads, x->data, y->data, products, x->rows, x->cols);
}

/* factor may be 1 / deviation, for the forward pass, or anything else that is a column's own. */
void cpu_dense_standardise(struct invar_device *device, const struct invar_matrix *x, const double *mean,
                           const double *factor, const struct invar_matrix *y, bool add)
{
    const int threads = invar_device_threads(device);
    if (is_f32(x))
        standardise_f32(threads, x->data, mean, factor, y->data, add, x->rows, x->cols);
    else
        standardise_f64(threads, x->data, mean, factor, y->data, add, x->rows, x->cols);
}

void cpu_dense_standardise_backward(struct invar_device *device, const struct invar_matrix *y, const double *factor,
                                    double divisor, const struct invar_matrix *dy, double scale,
                                    const struct invar_matrix *dx)
{
    const int threads = invar_device_threads(device);
    if (is_f32(y))
        standardise_backward_f32(threads, y->data, factor, divisor, dy->data, scale, dx->data, y->rows, y->cols);
    else
        standardise_backward_f64(threads, y->data, factor, divisor, dy->data, scale, dx->data, y->rows, y->cols);
}

/* row i of K = exp(-scale |z_i - z_j|^2) without its diagonal; squares: |z_j|^2. The sum of the row, 1 of j = i in
 * it. The exponential goes through for NaN, which the caller's log then shows: a kernel of a NaN must not look like
 * one of a point far away. A squared distance below 0 is rounding of the three terms, and 0 is what it stands for. */
INVAR_CLONES static double pair_row(double *row, const double *squares, int64_t i, int64_t n, double scale)
{
    const double own = squares[i];
    double sum = 1;

    for (int64_t j = 0; j < n; j++) {
        const double apart = own + squares[j] - 2 * row[j];
        row[j] = exponential_f64(-scale * (apart < 0 ? 0 : apart)); /* a NaN goes through */
    }
    row[i] = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++)
        sum += row[j];
    return sum;
}

/*
 * The gradient of the sum of logs by z_i is -2 scale sum_j (p_ij + p_ji) (z_i - z_j) with p_ij = K_ij / sum_i: the row
 * i of K becomes that of the matrix whose product with z this is. K is symmetric, so no other row is read.
 */
INVAR_CLONES static void pair_gradient_row(double *row, const double *inverse, int64_t i, int64_t n, double scale)
{
    const double own = inverse[i];
    double sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        row[j] *= 2 * scale * (own + inverse[j]);
        sum += row[j];
    }
    row[i] = -sum;
}

/* inverse[i] * n and not sum / n: the log of a mean of kernels, where a point alone has 1 / n. */
bool cpu_dense_pair_kernel(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *gram,
                           double scale, double factor, double *slot, struct invar_error *err)
{
    const int threads = invar_device_threads(device);
    const int64_t n = gram->rows;
    double *x = gram->data, sum = 0;

    double *squares = invar_scratch_take(scratch, (size_t)n, sizeof *squares, err);
    double *inverse = invar_scratch_take(scratch, (size_t)n, sizeof *inverse, err);
    if (!squares || !inverse)
        return false;
    for (int64_t i = 0; i < n; i++)
        squares[i] = x[i * (n + 1)];
#pragma omp parallel for num_threads(threads) if (n * n > SMALL_WORK)
    for (int64_t i = 0; i < n; i++)
        inverse[i] = 1 / pair_row(x + i * n, squares, i, n, scale);
    for (int64_t i = 0; i < n; i++)
        sum -= log(inverse[i] * (double)n);
    *slot += factor * sum;
#pragma omp parallel for num_threads(threads) if (n * n > SMALL_WORK)
    for (int64_t i = 0; i < n; i++)
        pair_gradient_row(x + i * n, inverse, i, n, scale);
    return true;
}
