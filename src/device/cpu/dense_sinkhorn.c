/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sinkhorn-Knopp: an assignment is a_i e^{x_ij / epsilon} b_j, so that a turn is a pass over the exponentials, which
 * are made once: a row's own factor is known from it, and the sums of columns that the next turn needs add up while it
 * is in the first cache. Where scores lie so far apart that an exponential could vanish, the same on logarithms.
 */
#include "device/cpu/dense.h"
#include "device/cpu/exponential.h"

#include <math.h>

#define BLOCKS 16   /* parts that sums of columns are made of, whatever the number of threads */
#define FAR 500     /* exponents may lie so far apart: factors stay far from the ends of float64 */
#define TOGETHER 64 /* columns that one thread goes through at a time: whole lines of the cache */

/* What one call works on: the kernel is made once and read once a turn, which is all the traffic that counts; sums of
 * columns are kept by block, so that their bits do not depend on who added them. */
struct balance {
    int threads;
    int64_t rows, cols; /* that count */
    double *k;          /* [rows][cols] */
    double *parts;      /* [BLOCKS][cols] */
    double *a, *b;      /* [rows], [cols] */
};

/* Blocks of rows, whose number does not depend on that of threads. */
static int64_t start(const struct balance *s, int block)
{
    return s->rows * block / BLOCKS;
}

/* In float64 whatever comes in: exponents of large scores over a small epsilon would lose their digits. */
INVAR_CLONES static void load_row(const float *x, double factor, double *k, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        k[j] = factor * (double)x[j];
}

/* Twice, and not by a choice for every number: this is as long as the exponentials themselves. */
INVAR_CLONES static void load_wide_row(const double *x, double factor, double *k, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        k[j] = factor * x[j];
}

/* how far apart numbers are; NaN where one is not finite */
INVAR_CLONES static void look_at_row(const double *k, int64_t cols, double range[3])
{
    double least = range[0], most = range[1], odd = range[2];

#pragma omp simd reduction(min : least) reduction(max : most) reduction(+ : odd)
    for (int64_t j = 0; j < cols; j++) {
        least = k[j] < least ? k[j] : least;
        most = k[j] > most ? k[j] : most;
        odd += k[j] - k[j];
    }
    range[0] = least;
    range[1] = most;
    range[2] = odd;
}

/* The kernel's exponents, and how far they lie apart: nothing can be said before all of them are known. */
static void load(struct balance *s, const struct invar_matrix *x, double factor, double range[3])
{
    double part[BLOCKS][3];

#pragma omp parallel for num_threads(s->threads) if (s->threads > 1)
    for (int block = 0; block < BLOCKS; block++) {
        part[block][0] = (double)INFINITY;
        part[block][1] = -(double)INFINITY;
        part[block][2] = 0;
        for (int64_t i = start(s, block); i < start(s, block + 1); i++) {
            if (x->dtype == INVAR_FLOAT32)
                load_row((const float *)x->data + i * s->cols, factor, s->k + i * s->cols, s->cols);
            else
                load_wide_row((const double *)x->data + i * s->cols, factor, s->k + i * s->cols, s->cols);
            look_at_row(s->k + i * s->cols, s->cols, part[block]);
        }
    }
    for (int block = 0; block < BLOCKS; block++) {
        range[0] = fmin(range[0], part[block][0]);
        range[1] = fmax(range[1], part[block][1]);
        range[2] += part[block][2];
    }
}

/* The largest of all is taken off, which cancels; that of each row would not, where turns are few. */
INVAR_CLONES static void begin_row(double *k, double most, double *sums, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) {
        k[j] = exponential_f64(k[j] - most);
        sums[j] += k[j];
    }
}

/* Onto the sums of the block, while the row is in the first cache from the product that gave its factor. */
INVAR_CLONES static void add_row(double a, const double *k, double *sums, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        sums[j] += a * k[j];
}

/* Assignments have the type of the embeddings, which the gradient is then computed in. */
INVAR_CLONES static void put_row(double a, const double *k, const double *b, float *p, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        p[j] = (float)(a * k[j] * b[j]);
}

/* And of tests, which compare all digits. */
INVAR_CLONES static void put_wide_row(double a, const double *k, const double *b, double *p, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        p[j] = a * k[j] * b[j];
}

/* Rows that sum to 1: the last division is by row. */
static void put(const struct balance *s, int64_t i, double a, const double *b, const struct invar_matrix *p)
{
    if (p->dtype == INVAR_FLOAT32)
        put_row(a, s->k + i * s->cols, b, (float *)p->data + i * s->cols, s->cols);
    else
        put_wide_row(a, s->k + i * s->cols, b, (double *)p->data + i * s->cols, s->cols);
}

/* One pass. The last makes assignments in place of sums, of the rows that are asked for alone. */
static void turn(struct balance *s, bool last, const struct invar_matrix *p)
{
#pragma omp parallel for num_threads(s->threads) if (s->threads > 1)
    for (int block = 0; block < BLOCKS; block++) {
        double *sums = s->parts + block * s->cols;
        for (int64_t j = 0; j < s->cols; j++)
            sums[j] = 0;
        for (int64_t i = start(s, block); i < start(s, block + 1) && !(last && i >= p->rows); i++) {
            /* a row's factor is the inverse of its sum under those of columns */
            const double a = 1 / cpu_dense_row_product(s->k + i * s->cols, s->b, s->cols);
            if (last)
                put(s, i, a, s->b, p);
            else
                add_row(a, s->k + i * s->cols, sums, s->cols);
        }
    }
}

/* The exponentials with the first sums of columns, then a pass a turn. No sum can vanish: exponents are within FAR of
 * the largest, and an entry never exceeds 1 once its column was divided by its sum. */
static void by_factors(struct balance *s, double most, int64_t iterations, const struct invar_matrix *p)
{
#pragma omp parallel for num_threads(s->threads) if (s->threads > 1)
    for (int block = 0; block < BLOCKS; block++) {
        double *sums = s->parts + block * s->cols;
        for (int64_t j = 0; j < s->cols; j++)
            sums[j] = 0;
        for (int64_t i = start(s, block); i < start(s, block + 1); i++)
            begin_row(s->k + i * s->cols, most, sums, s->cols);
    }
    for (int64_t t = 1; t <= iterations; t++) {
        for (int64_t j = 0; j < s->cols; j++) {
            double sum = 0;
            for (int block = 0; block < BLOCKS; block++)
                sum += s->parts[block * s->cols + j];
            s->b[j] = 1 / sum;
        }
        turn(s, t == iterations, p);
    }
}

/* b_j = log sum_i e^{k_ij - a_i} of some columns */
static void column_logarithms(const struct balance *s, int64_t from, int64_t count)
{
    double most[TOGETHER], sum[TOGETHER] = {0};

    for (int64_t j = 0; j < count; j++)
        most[j] = -(double)INFINITY;
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < count; j++) {
            const double x = s->k[i * s->cols + from + j] - s->a[i];
            most[j] = x > most[j] ? x : most[j];
        }
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < count; j++)
            sum[j] += exp(s->k[i * s->cols + from + j] - s->a[i] - most[j]);
    for (int64_t j = 0; j < count; j++)
        s->b[from + j] = most[j] + log(sum[j]);
}

/* The same of a row. The C library's exponential: who comes here has scores of any size. */
static double row_logarithm(const struct balance *s, int64_t i)
{
    const double *k = s->k + i * s->cols;
    double most = -(double)INFINITY, sum = 0;

    for (int64_t j = 0; j < s->cols; j++)
        most = k[j] - s->b[j] > most ? k[j] - s->b[j] : most;
    for (int64_t j = 0; j < s->cols; j++)
        sum += exp(k[j] - s->b[j] - most);
    return most + log(sum);
}

/* Common factors of all numbers cancel in the next turn. */
static void by_logarithms(struct balance *s, int64_t iterations, const struct invar_matrix *p)
{
    for (int64_t i = 0; i < s->rows; i++)
        s->a[i] = 0;
    for (int64_t t = 0; t < iterations; t++) {
#pragma omp parallel for num_threads(s->threads) if (s->threads > 1)
        for (int64_t from = 0; from < s->cols; from += TOGETHER)
            column_logarithms(s, from, s->cols - from < TOGETHER ? s->cols - from : TOGETHER);
#pragma omp parallel for num_threads(s->threads) if (s->threads > 1)
        for (int64_t i = 0; i < s->rows; i++)
            s->a[i] = row_logarithm(s, i);
    }
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t j = 0; j < s->cols; j++)
            cpu_dense_put(p, i * s->cols + j, exp(s->k[i * s->cols + j] - s->a[i] - s->b[j]));
}

/* Whether a queue counts is known to the device alone, so the room is that of all rows, and a step takes the same
 * whether it does or not. */
bool cpu_dense_sinkhorn(struct invar_device *device, struct invar_scratch *scratch, double epsilon, int64_t iterations,
                        const struct invar_matrix *x, int64_t room, const float *place, const struct invar_matrix *p,
                        struct invar_error *err)
{
    const size_t rows = (size_t)x->rows, cols = (size_t)x->cols;
    /* until a queue is full its rows are not what they will be: assignments balanced over some of them would jump */
    const bool all = !place || (int64_t)place[1] == room;
    struct balance s = {.threads = x->rows * x->cols > 16384 ? invar_device_threads(device) : 1,
                        .rows = all ? x->rows : p->rows,
                        .cols = x->cols};
    double range[3] = {(double)INFINITY, -(double)INFINITY, 0};

    s.k = invar_scratch_take(scratch, rows * cols, sizeof *s.k, err);
    s.parts = invar_scratch_take(scratch, BLOCKS * cols, sizeof *s.parts, err);
    s.a = invar_scratch_take(scratch, rows, sizeof *s.a, err);
    s.b = invar_scratch_take(scratch, cols, sizeof *s.b, err);
    if (!s.k || !s.parts || !s.a || !s.b)
        return false;
    load(&s, x, 1 / epsilon, range);
    if (range[1] - range[0] + range[2] <= FAR)
        by_factors(&s, range[1], iterations, p);
    else
        by_logarithms(&s, iterations, p);
    return true;
}
