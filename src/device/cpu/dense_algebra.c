/* SPDX-License-Identifier: Apache-2.0 */
/* Products and factorisations of dense.h on the processor: OpenBLAS and LAPACK; nothing else includes their headers. */
#include "device/cpu/dense_products.h"
#include "base/threads.h"
#include "device/backend.h"

#include <cblas.h>
#include <lapacke.h>
#include <float.h>
#include <math.h>

#define SMALL_PRODUCT 1e5 /* multiply-adds below which OpenBLAS starts no threads of its own */
#define MIRROR_TILE 64    /* columns that are copied to rows at a time */

/* one block of c, rows x cols of it from (row, col). Offsets into a and b are whole rows or columns, as the block
 * cuts c along one side only; strides stay those of the whole matrices, so nothing is copied. */
static void product_block(bool transpose_a, bool transpose_b, double scale, const struct invar_matrix *a,
                          const struct invar_matrix *b, double keep, const struct invar_matrix *c, int64_t row,
                          int64_t col, int64_t rows, int64_t cols)
{
    const enum CBLAS_TRANSPOSE op_a = transpose_a ? CblasTrans : CblasNoTrans;
    const enum CBLAS_TRANSPOSE op_b = transpose_b ? CblasTrans : CblasNoTrans;
    const int64_t from_a = transpose_a ? row : row * a->cols, from_b = transpose_b ? col * b->cols : col;
    const int64_t from_c = row * c->cols + col;
    const int m = (int)rows, n = (int)cols, k = (int)(transpose_a ? a->rows : a->cols);

    if (c->dtype == INVAR_FLOAT32)
        cblas_sgemm(CblasRowMajor, op_a, op_b, m, n, k, (float)scale, (const float *)a->data + from_a, (int)a->cols,
                    (const float *)b->data + from_b, (int)b->cols, (float)keep, (float *)c->data + from_c,
                    (int)c->cols);
    else
        cblas_dgemm(CblasRowMajor, op_a, op_b, m, n, k, scale, (const double *)a->data + from_a, (int)a->cols,
                    (const double *)b->data + from_b, (int)b->cols, keep, (double *)c->data + from_c, (int)c->cols);
}

/* the same of a matrix with itself, the upper triangle of the block on the diagonal */
static void square_block(bool transpose, double scale, const struct invar_matrix *a, double keep,
                         const struct invar_matrix *c, int64_t row, int64_t rows)
{
    const enum CBLAS_TRANSPOSE op = transpose ? CblasTrans : CblasNoTrans;
    const int64_t from = transpose ? row : row * a->cols, to = row * c->cols + row;
    const int n = (int)rows, k = (int)(transpose ? a->rows : a->cols);

    if (c->dtype == INVAR_FLOAT32)
        cblas_ssyrk(CblasRowMajor, CblasUpper, op, n, k, (float)scale, (const float *)a->data + from, (int)a->cols,
                    (float)keep, (float *)c->data + to, (int)c->cols);
    else
        cblas_dsyrk(CblasRowMajor, CblasUpper, op, n, k, scale, (const double *)a->data + from, (int)a->cols, keep,
                    (double *)c->data + to, (int)c->cols);
}

/* Threads take a block each and OpenBLAS, inside a parallel region, one thread: its own threads allocate at every
 * call. The longer side of those rows of c is what is shared out, so that blocks are as square as they can be. */
void dense_product_rows(struct invar_device *device, const struct dense_product *p, int64_t first, int64_t rows)
{
    const int64_t inner = p->transpose_a ? p->a->rows : p->a->cols, cols = p->c->cols;
    const bool by_rows = rows >= cols, worth = (double)rows * (double)cols * (double)inner > SMALL_PRODUCT;
    const int64_t length = by_rows ? rows : cols;
    const int threads = worth ? invar_device_threads(device) : 1;

    THREADS_FOR(invar_device_threads(device)); /* OpenBLAS reads it */
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int i = 0; i < threads; i++) {
        const int64_t from = length * i / threads, count = length * (i + 1) / threads - from;
        product_block(p->transpose_a, p->transpose_b, p->scale, p->a, p->b, p->keep, p->c,
                      by_rows ? first + from : first, by_rows ? 0 : from, by_rows ? count : rows,
                      by_rows ? cols : count);
    }
}

void cpu_dense_product(struct invar_device *device, bool transpose_a, bool transpose_b, double scale,
                       const struct invar_matrix *a, const struct invar_matrix *b, double keep,
                       const struct invar_matrix *c)
{
    const struct dense_product p = {transpose_a, transpose_b, scale, a, b, keep, c};

    if (!device->ranks || !dense_shared_product(device, &p))
        dense_product_rows(device, &p, 0, c->rows);
}

/* rows of the triangle that one call makes; of two matrices the block on the diagonal is made whole, so they are few. A
 * 16th of the side keeps what is made twice, half of the block on the diagonal, to a 16th of the work; below 32 rows a
 * product is mostly overhead, above 192 too few strips are left for threads to share evenly. */
static int64_t strip_height(int64_t n)
{
    const int64_t share = n / 16;
    return share < 32 ? 32 : share > 192 ? 192 : share;
}

/* c(j, i) = c(i, j) for the rows of a strip, tile by tile: the columns of a tile stay in the first cache */
#define MIRROR(type)                                                                                                   \
    static void mirror_##type(type *c, int64_t n, int64_t row, int64_t height)                                         \
    {                                                                                                                  \
        type tile[MIRROR_TILE][MIRROR_TILE];                                                                           \
        for (int64_t r = row; r < row + height; r += MIRROR_TILE)                                                      \
            for (int64_t from = r; from < n; from += MIRROR_TILE) {                                                    \
                const int64_t tall = r + MIRROR_TILE < row + height ? MIRROR_TILE : row + height - r;                  \
                const int64_t wide = from + MIRROR_TILE < n ? MIRROR_TILE : n - from;                                  \
                for (int64_t i = 0; i < tall; i++)                                                                     \
                    for (int64_t j = 0; j < wide; j++)                                                                 \
                        tile[j][i] = c[(r + i) * n + from + j];                                                        \
                for (int64_t j = 0; j < wide; j++)                                                                     \
                    for (int64_t i = 0; i < tall && r + i < from + j; i++)                                             \
                        c[(from + j) * n + r + i] = tile[j][i];                                                        \
            }                                                                                                          \
    }
MIRROR(float)
MIRROR(double)

/* Threads take strips of the upper triangle to and fro, as the strips get shorter: 0 1 2 2 1 0 0 1 2. Every thread has
 * its strips from the first call on, since one that came late would allocate then. */
void dense_triangle_rows(struct invar_device *device, const struct dense_product *p, int64_t first, int64_t last,
                         enum dense_triangle what)
{
    const struct invar_matrix *a = p->a, *c = p->c;
    const bool transpose = p->transpose_a;
    const int64_t n = c->rows, inner = transpose ? a->rows : a->cols, height = strip_height(n);
    const int threads = (double)n * (double)n * (double)inner > SMALL_PRODUCT ? invar_device_threads(device) : 1;

    THREADS_FOR(invar_device_threads(device));
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int me = 0; me < threads; me++)
        for (int64_t row = first, turn = 0; row < last; row += height, turn = (turn + 1) % (2 * threads)) {
            const int64_t rows = row + height < last ? height : last - row;
            if (turn != me && turn != 2 * threads - 1 - me)
                continue;
            int64_t whole = 0;
            if (what != DENSE_TRIANGLE_MIRRORED && a->data == p->b->data) {
                square_block(transpose, p->scale, a, p->keep, c, row, rows);
                whole = rows;
            }
            if (what != DENSE_TRIANGLE_MIRRORED && row + whole < n)
                product_block(transpose, !transpose, p->scale, a, p->b, p->keep, c, row, row + whole, rows,
                              n - row - whole);
            if (what == DENSE_TRIANGLE_MADE)
                continue;
            if (c->dtype == INVAR_FLOAT32)
                mirror_float(c->data, n, row, rows);
            else
                mirror_double(c->data, n, row, rows);
        }
}

void cpu_dense_mirrored(struct invar_device *device, bool transpose, double scale, const struct invar_matrix *a,
                        const struct invar_matrix *b, double keep, const struct invar_matrix *c)
{
    const struct dense_product p = {transpose, !transpose, scale, a, b, keep, c};

    if (!device->ranks || !dense_shared_triangle(device, &p))
        dense_triangle_rows(device, &p, 0, c->rows, DENSE_TRIANGLE_BOTH);
}

/* A matrix with itself: above the diagonal is all there is to know. */
void cpu_dense_gram(struct invar_device *device, bool transpose, double scale, const struct invar_matrix *a,
                    const struct invar_matrix *c)
{
    cpu_dense_mirrored(device, transpose, scale, a, a, 0, c);
}

/* L of a matrix that has none. NaN and not an error: whether a matrix has a factor is known on the device, and the
 * host reads it with the slots at the end of the step. */
static void spoil(double *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (double)NAN;
}

/* LAPACK refuses a pivot that is not positive; one that is infinite it takes, and versions differ about NaN: hence
 * the second look. What is left above the diagonal is set to 0, since products read the whole matrix. */
void cpu_dense_cholesky(struct invar_device *device, const struct invar_matrix *a)
{
    const int64_t n = a->rows;
    double *x = a->data;

    THREADS_FOR(invar_device_threads(device));
    /* the upper triangle by columns is the lower one by rows */
    const lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, x, (lapack_int)n);
    for (int64_t i = 0; i < n; i++) {
        if (info != 0 || !(x[i * n + i] > 0) || isinf(x[i * n + i])) {
            spoil(x, n * n);
            return;
        }
        for (int64_t j = i + 1; j < n; j++)
            x[i * n + j] = 0;
    }
}

/* Each thread solves for columns (or, from the right, rows) of its own. */
void cpu_dense_cholesky_solve(struct invar_device *device, const struct invar_matrix *l, bool right,
                              const struct invar_matrix *b)
{
    const int n = (int)l->rows, cols = (int)b->cols;
    const int64_t length = right ? b->rows : b->cols;
    const bool worth = (double)n * (double)b->rows * (double)b->cols > SMALL_PRODUCT;
    const int threads = worth ? invar_device_threads(device) : 1;

    THREADS_FOR(invar_device_threads(device));
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int i = 0; i < threads; i++) {
        const int64_t from = length * i / threads;
        const int count = (int)(length * (i + 1) / threads - from);
        const int m = right ? count : n, k = right ? n : count;
        const enum CBLAS_SIDE side = right ? CblasRight : CblasLeft;
        const enum CBLAS_TRANSPOSE first = right ? CblasTrans : CblasNoTrans,
                                   second = right ? CblasNoTrans : CblasTrans;
        double *x = (double *)b->data + (right ? from * cols : from);
        if (count == 0)
            continue;
        cblas_dtrsm(CblasRowMajor, side, CblasLower, first, CblasNonUnit, m, k, 1, l->data, n, x, cols);
        cblas_dtrsm(CblasRowMajor, side, CblasLower, second, CblasNonUnit, m, k, 1, l->data, n, x, cols);
    }
}

/* From the right: rows of b are samples, and each is solved for by itself. */
void cpu_dense_triangular_solve(struct invar_device *device, const struct invar_matrix *l, bool transpose,
                                const struct invar_matrix *b)
{
    const int n = (int)l->rows;
    const bool worth = (double)n * (double)b->rows * (double)n > SMALL_PRODUCT;
    const int threads = worth ? invar_device_threads(device) : 1;

    THREADS_FOR(invar_device_threads(device));
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int i = 0; i < threads; i++) {
        const int64_t from = b->rows * i / threads, count = b->rows * (i + 1) / threads - from;
        if (count > 0)
            cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, transpose ? CblasTrans : CblasNoTrans, CblasNonUnit,
                        (int)count, n, 1, l->data, n, (double *)b->data + from * n, n);
    }
}

/* By columns x is its transpose V S U^T, so that U^T by columns is u by rows; V^T is made and forgotten. dgesdd,
 * divide and conquer, since all values are wanted. Its workspace is asked for first (-1) and taken from scratch, so
 * that a step that measures allocates nothing after the first. It destroys x. */
static bool decompose(struct invar_scratch *scratch, const struct invar_matrix *x, double *values, double *u,
                      struct invar_error *err)
{
    const lapack_int m = (lapack_int)x->cols, n = (lapack_int)x->rows, least = m < n ? m : n;
    const char job = u ? 'S' : 'N';
    double size = 0, unused = 0, *v = &unused;

    lapack_int *integers = invar_scratch_take(scratch, (size_t)least * 8, sizeof *integers, err);
    if (u)
        v = invar_scratch_take(scratch, (size_t)m * (size_t)least, sizeof *v, err);
    else
        u = &unused;
    if (!integers || !v)
        return false;
    lapack_int info =
        LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, job, m, n, x->data, m, values, v, m, u, least, &size, -1, integers);
    double *work = info ? NULL : invar_scratch_take(scratch, (size_t)size, sizeof *work, err);
    if (work)
        info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, job, m, n, x->data, m, values, v, m, u, least, work,
                                   (lapack_int)size, integers);
    else if (info == 0)
        return false;
    for (lapack_int i = 0; i < least; i++)
        if (info != 0 || !isfinite(values[i]))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "the singular values of a %lld x %lld matrix could not be computed: it holds NaN or "
                                   "Inf, or values too large",
                                   (long long)x->rows, (long long)x->cols);
    return true;
}

/* One thread: these are many small steps, and threads that wait for each other at every one of them cost more.
 * THREADS_FOR holds for OpenBLAS too, and is put back at the end of the block. */
static bool decompose_alone(struct invar_scratch *scratch, const struct invar_matrix *x, double *values, double *u,
                            struct invar_error *err)
{
    THREADS_FOR(1);
    return decompose(scratch, x, values, u, err);
}

/* Without vectors dgesdd takes a part of the time and of the work space, which measurements at every few steps
 * should. */
bool cpu_dense_singular_values(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                               double *values, struct invar_error *err)
{
    (void)device;
    return decompose_alone(scratch, x, values, NULL, err);
}

bool cpu_dense_left_vectors(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                            double *values, const struct invar_matrix *u, struct invar_error *err)
{
    (void)device;
    return decompose_alone(scratch, x, values, u->data, err);
}

/* A value below n roundings of the largest is one of 0, which terms must know: 0 log 0, or the root of 0, whose
 * direction has no gradient. By columns, whose eigenvectors are rows. */
static void eigen_of(const struct invar_matrix *x, double *values, double *work, lapack_int size, lapack_int *whole,
                     lapack_int integers)
{
    const lapack_int n = (lapack_int)x->rows;
    double trace = 0;

    /* LAPACK may go on for ever with a NaN, and a sum that is finite has none: one pass over a matrix that is gone
     * through hundreds of times. */
    for (int64_t i = 0; i < (int64_t)n * n; i++)
        trace += ((const double *)x->data)[i];
    if (!isfinite(trace) ||
        LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', n, x->data, n, values, work, size, whole, integers) != 0) {
        spoil(values, n);
        spoil(x->data, (int64_t)n * n);
    }
    for (lapack_int k = 0; k < n; k++)
        if (fabs(values[k]) <= n * DBL_EPSILON * fmax(fabs(values[0]), fabs(values[n - 1])))
            values[k] = 0;
}

/* Half of a decomposition goes through the matrix once a column, and threads that wait for each other at every one of
 * them cost more than they bring: several matrices have a thread each. */
bool cpu_dense_eigen(struct invar_device *device, struct invar_scratch *scratch, int count,
                     const struct invar_matrix *x, double *const *values, struct invar_error *err)
{
    const lapack_int n = (lapack_int)x->rows;
    const int threads = count < invar_device_threads(device) ? count : invar_device_threads(device);
    double size = 0;
    lapack_int integers = 0;

    THREADS_FOR(count > 1 ? threads : invar_device_threads(device));
    (void)LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', n, x->data, n, values[0], &size, -1, &integers, -1);
    const lapack_int room = (lapack_int)size;
    double *work = invar_scratch_take(scratch, (size_t)room * (size_t)threads, sizeof *work, err);
    lapack_int *whole = invar_scratch_take(scratch, (size_t)integers * (size_t)threads, sizeof *whole, err);
    if (!work || !whole)
        return false;
    /* Within a parallel region, if of one thread, OpenMP would start the threads of every step anew. */
    if (threads == 1) {
        for (int i = 0; i < count; i++)
            eigen_of(&x[i], values[i], work, room, whole, integers);
        return true;
    }
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int i = 0; i < count; i++) {
        const int me = omp_get_thread_num();
        eigen_of(&x[i], values[i], work + (int64_t)me * room, room, whole + (int64_t)me * integers, integers);
    }
    return true;
}

/* By LU: the matrix is not symmetric. The sign of the determinant is that of the pivots and of their exchanges. */
bool cpu_dense_inverse(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                       double factor, double *slot, struct invar_error *err)
{
    const lapack_int n = (lapack_int)x->rows;
    lapack_int *pivots = invar_scratch_take(scratch, (size_t)n, sizeof *pivots, err);
    double *work = invar_scratch_take(scratch, (size_t)n * 64, sizeof *work, err);
    double *a = x->data, sum = 0;
    bool positive = true;

    if (!pivots || !work)
        return false;
    THREADS_FOR(invar_device_threads(device));
    lapack_int info = LAPACKE_dgetrf_work(LAPACK_COL_MAJOR, n, n, a, n, pivots);
    for (lapack_int k = 0; k < n && info == 0; k++) {
        positive = positive == ((a[k * (n + 1)] > 0) == (pivots[k] == k + 1));
        sum += log(fabs(a[k * (n + 1)]));
    }
    if (info == 0)
        info = LAPACKE_dgetri_work(LAPACK_COL_MAJOR, n, a, n, pivots, work, n * 64);
    if (info != 0 || !positive || !isfinite(sum)) {
        sum = (double)NAN;
        spoil(a, (int64_t)n * n);
    }
    *slot += factor * sum;
    return true;
}
