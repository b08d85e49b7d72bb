/* SPDX-License-Identifier: Apache-2.0 */
/* Draws, columns of projections against a normal distribution, and spectra of the few views of a row. */
/*
 * [SR1]. With p the projections of n rows on one direction and t_k the knots, phi_k = (1/n) sum_j e^{i t_k p_j} is
 * compared with the characteristic function e^{-t_k^2/2} of a standard normal distribution:
 *
 *     value = n sum_k w_k [ (Re phi_k - e^{-t_k^2/2})^2 + (Im phi_k)^2 ]
 *
 * and its derivative by p_j is the sum over k of 2 w_k t_k [ - (Re phi_k - ..) sin(t_k p_j) + Im phi_k cos(t_k p_j) ],
 * the n cancelled. A column is one thread's, some columns stand side by side in a vector.
 *
 * [VR4]. The distance of the sorted numbers of a column from n quantiles is the squared Wasserstein distance between
 * the two, times n. Where numbers do not change places its derivative goes to the row that stands at each place.
 *
 * [MM1]. The nuclear norm of the V x d matrix X of a sample's views is the sum of the roots of the eigenvalues of X
 * X^T, which is V x V; its gradient is (X X^T)^{-1/2} X over the directions that are more than rounding.
 */
#include "device/cpu/dense.h"

#include "base/clones.h"
#include "invar/expert/random.h"
#include "invar/view.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define SMALL_WORK 16384 /* elements below which threads cost more than they bring */
#define SLICES 16        /* columns at a time */
#define KNOTS 64

/* A stream a row, so that threads draw what one would, and a matrix of fewer columns the first of them. */
void cpu_dense_normals(struct invar_device *device, uint64_t seed, uint64_t step, const struct invar_matrix *x)
{
    const int64_t cols = x->cols;

#pragma omp parallel for num_threads(invar_device_threads(device)) if (x->rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < x->rows; i++) {
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TERM, (uint64_t)i, step, 0);
        float some[256];
        for (int64_t j = 0; j < cols; j += 256) {
            const int64_t count = j + 256 < cols ? 256 : cols - j;
            float *to = x->dtype == INVAR_FLOAT32 ? (float *)x->data + i * cols + j : some;
            invar_random_normals(&random, to, count);
            for (int64_t k = 0; x->dtype == INVAR_FLOAT64 && k < count; k++)
                ((double *)x->data)[i * cols + j + k] = (double)some[k];
        }
    }
}

/* ---- [SR1] ---- */

struct sketch {
    int knots;
    double step, target[KNOTS], weight[KNOTS];
};

/* The trapezoidal rule on [0, t_max], doubled as the integrand is even, with the weight e^{-t^2/2} in it. */
static struct sketch sketch_of(int knots, double t_max)
{
    struct sketch s = {.knots = knots, .step = t_max / (knots - 1)};

    for (int k = 0; k < knots; k++) {
        s.target[k] = exp(-s.step * k * s.step * k / 2);
        s.weight[k] = (k == 0 || k == knots - 1 ? 1 : 2) * s.step * s.target[k]; /* both halves of the line */
    }
    return s;
}

/* cos and sin of h x for one row of a few columns */
/* A column that is not there is at angle 0, so that whole vectors are turned. */
static void turn(double h, const double *x, int64_t count, double *c, double *s)
{
    for (int64_t j = 0; j < SLICES; j++) {
        c[j] = j < count ? cos(h * x[j]) : 1;
        s[j] = j < count ? sin(h * x[j]) : 0;
    }
}

/* c + i s <- (c + i s) (c1 + i s1) */
INVAR_INLINE void advance(double *c, double *s, const double *c1, const double *s1)
{
#pragma omp simd
    for (int j = 0; j < SLICES; j++) {
        const double real = c[j] * c1[j] - s[j] * s1[j];
        s[j] = c[j] * s1[j] + s[j] * c1[j];
        c[j] = real;
    }
}

/* sums over rows of cos and sin of t_k x */
INVAR_CLONES static void sketch_sums(const struct sketch *how, const double *x, int64_t rows, int64_t cols,
                                     int64_t count, double real[KNOTS][SLICES], double imaginary[KNOTS][SLICES])
{
    for (int64_t i = 0; i < rows; i++) {
        double c[SLICES], s[SLICES] = {0}, c1[SLICES], s1[SLICES];
        turn(how->step, x + i * cols, count, c1, s1);
        for (int j = 0; j < SLICES; j++)
            c[j] = 1;
        for (int k = 0; k < how->knots; k++) {
#pragma omp simd
            for (int j = 0; j < SLICES; j++) {
                real[k][j] += c[j];
                imaginary[k][j] += s[j];
            }
            advance(c, s, c1, s1);
        }
    }
}

/* x <- scale times the gradient; real and imaginary hold what cos and sin of a knot are multiplied by */
/*
 * The second pass over a strip of columns. Rotations begin anew: what the first pass made of them is gone, and a row of
 * knots times columns would leave the first cache. The sums were divided by n and the value multiplied by it, so that
 * no n stands here.
 */
INVAR_CLONES static void sketch_gradient(const struct sketch *how, double *x, double scale, int64_t rows, int64_t cols,
                                         int64_t count, double real[KNOTS][SLICES], double imaginary[KNOTS][SLICES])
{
    for (int64_t i = 0; i < rows; i++) {
        double c[SLICES], s[SLICES] = {0}, c1[SLICES], s1[SLICES], sum[SLICES] = {0};
        turn(how->step, x + i * cols, count, c1, s1);
        for (int j = 0; j < SLICES; j++)
            c[j] = 1;
        for (int k = 0; k < how->knots; k++) {
#pragma omp simd
            for (int j = 0; j < SLICES; j++)
                sum[j] += imaginary[k][j] * c[j] - real[k][j] * s[j];
            advance(c, s, c1, s1);
        }
        for (int64_t j = 0; j < count; j++)
            x[i * cols + j] = scale * sum[j];
    }
}

/*
 * cos and sin of all knots come from those of the first by rotation: one call of each a number in place of `knots`, and
 * after 64 rotations an error of some 64 roundings. Sums first, then what they are multiplied by, then the gradient:
 * the rotations are made twice, which is less than the memory of knots times rows would cost.
 */
void cpu_dense_sketch(struct invar_device *device, int knots, double t_max, double scale, const struct invar_matrix *x,
                      double *values)
{
    const struct sketch how = sketch_of(knots, t_max);
    const double n = (double)x->rows;

#pragma omp parallel for num_threads(invar_device_threads(device)) if (x->rows * x->cols > SMALL_WORK / 16)
    for (int64_t from = 0; from < x->cols; from += SLICES) {
        const int64_t count = from + SLICES < x->cols ? SLICES : x->cols - from;
        double real[KNOTS][SLICES] = {{0}}, imaginary[KNOTS][SLICES] = {{0}};
        double *columns = (double *)x->data + from;
        sketch_sums(&how, columns, x->rows, x->cols, count, real, imaginary);
        for (int64_t j = 0; j < count; j++)
            values[from + j] = 0;
        for (int k = 0; k < knots; k++)
            for (int64_t j = 0; j < count; j++) {
                const double off = real[k][j] / n - how.target[k], beside = imaginary[k][j] / n;
                values[from + j] += n * how.weight[k] * (off * off + beside * beside);
                real[k][j] = 2 * how.weight[k] * how.step * k * off;
                imaginary[k][j] = 2 * how.weight[k] * how.step * k * beside;
            }
        sketch_gradient(&how, columns, scale, x->rows, x->cols, count, real, imaginary);
    }
}

/* ---- sorted columns ---- */

struct place {
    double value;
    int64_t row;
};

/* Two runs of one length, from both ends at once: neither end can pass the other's run, so that nothing is asked but
 * which of two is less, which no branch has to guess. Numbers alone, since a NaN would be at two places. */
static void merge_ends(const struct place *a, struct place *b, int64_t run)
{
    const struct place *left = a, *right = a + run, *last_left = a + run - 1, *last_right = a + 2 * run - 1;
    struct place *from = b, *to = b + 2 * run - 1;

    for (int64_t k = 0; k < run; k++) {
        const bool second = right->value < left->value, first = last_right->value < last_left->value;
        *from++ = *(second ? right : left);
        *to-- = *(first ? last_left : last_right);
        right += second;
        left += !second;
        last_left -= first;
        last_right -= !first;
    }
}

/* Merges runs of doubling length to and fro; equal values keep their order. Where the sorted ones are. */
/* Not the C library's: that one gives no word on equal numbers, and may ask for memory. */
static struct place *sort(struct place *a, struct place *b, int64_t count, bool numbers)
{
    for (int64_t run = 1; run < count; run *= 2) {
        for (int64_t from = 0; from < count; from += 2 * run) {
            const int64_t middle = from + run < count ? from + run : count;
            const int64_t end = from + 2 * run < count ? from + 2 * run : count;
            int64_t i = from, j = middle;
            if (numbers && end - from == 2 * run) {
                merge_ends(a + from, b + from, run);
                continue;
            }
            for (int64_t k = from; k < end; k++)
                b[k] = i < middle && (j >= end || !(a[j].value < a[i].value)) ? a[i++] : a[j++];
        }
        struct place *other = a;
        a = b;
        b = other;
    }
    return a;
}

/* Columns are far apart in memory, so each is taken out, sorted with its places, and its gradient put back there. */
bool cpu_dense_sorted_distance(struct invar_device *device, struct invar_scratch *scratch, const double *targets,
                               double scale, const struct invar_matrix *x, double *values, struct invar_error *err)
{
    const int threads = invar_device_threads(device);
    const int64_t rows = x->rows, cols = x->cols;
    struct place *work = invar_scratch_take(scratch, (size_t)threads * 2 * (size_t)rows, sizeof *work, err);

    if (!work)
        return false;
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int me = 0; me < threads; me++)
        for (int64_t c = cols * me / threads; c < cols * (me + 1) / threads; c++) {
            double *column = (double *)x->data + c, sum = 0, all = 0;
            struct place *mine = work + 2 * me * rows;
            for (int64_t i = 0; i < rows; i++) {
                mine[i] = (struct place){column[i * cols], i};
                all += column[i * cols];
            }
            mine = sort(mine, mine + rows, rows, !isnan(all));
            for (int64_t i = 0; i < rows; i++) {
                const double apart = mine[i].value - targets[i];
                sum += apart * apart;
                column[mine[i].row * cols] = 2 * scale * apart;
            }
            values[c] = sum;
        }
    return true;
}

/* ---- singular values of the views of one row ---- */

/* Jacobi: a becomes diagonal, row k of v the eigenvector of its k-th element */
static void rotate_all(int n, double a[INVAR_MAX_VIEWS][INVAR_MAX_VIEWS], double v[INVAR_MAX_VIEWS][INVAR_MAX_VIEWS])
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            v[i][j] = i == j;
    for (int sweep = 0; sweep < 30; sweep++)
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                if (a[p][q] == 0)
                    continue;
                const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
                const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
                const double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int k = 0; k < n; k++) {
                    const double x = a[k][p], y = a[k][q];
                    a[k][p] = c * x - s * y;
                    a[k][q] = s * x + c * y;
                }
                for (int k = 0; k < n; k++) {
                    const double x = a[p][k], y = a[q][k], u = v[p][k], w = v[q][k];
                    a[p][k] = c * x - s * y;
                    a[q][k] = s * x + c * y;
                    v[p][k] = c * u - s * w;
                    v[q][k] = s * u + c * w;
                }
                a[p][q] = a[q][p] = 0;
            }
}

/* the sum of singular values of row i of all x; w becomes what the rows are multiplied by in its gradient */
/*
 * A direction whose eigenvalue is less than rounding of the largest is none: its root would be the root of rounding,
 * half of the digits, and the inverse of that would be a gradient made of nothing.
 */
static double nuclear_row(int count, const struct invar_matrix *x, int64_t i,
                          double w[INVAR_MAX_VIEWS][INVAR_MAX_VIEWS])
{
    double gram[INVAR_MAX_VIEWS][INVAR_MAX_VIEWS], v[INVAR_MAX_VIEWS][INVAR_MAX_VIEWS], sum = 0, largest = 0;

    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++) {
            const double *left = (const double *)x[a].data + i * x[a].cols;
            const double *right = (const double *)x[b].data + i * x[b].cols;
            gram[a][b] = 0;
            for (int64_t k = 0; k < x[a].cols; k++)
                gram[a][b] += left[k] * right[k];
        }
    rotate_all(count, gram, v);
    memset(w, 0, sizeof(double) * INVAR_MAX_VIEWS * INVAR_MAX_VIEWS);
    for (int k = 0; k < count; k++)
        largest = gram[k][k] > largest ? gram[k][k] : largest;
    for (int k = 0; k < count; k++) {
        if (gram[k][k] <= count * DBL_EPSILON * largest)
            continue;
        sum += sqrt(gram[k][k]);
        for (int a = 0; a < count; a++)
            for (int b = 0; b < count; b++)
                w[a][b] += v[k][a] * v[k][b] / sqrt(gram[k][k]);
    }
    return sum;
}

/* Views are few: the spectrum of their Gram matrix, sample by sample, is less than one of their products. */
void cpu_dense_nuclear_rows(struct invar_device *device, int count, const struct invar_matrix *x, double scale,
                            const struct invar_matrix *dx, double factor, double *slot)
{
    const int64_t cols = x[0].cols;

    (void)device;
    for (int64_t i = 0; i < x[0].rows; i++) {
        double w[INVAR_MAX_VIEWS][INVAR_MAX_VIEWS];
        *slot += factor * nuclear_row(count, x, i, w);
        for (int a = 0; dx && a < count; a++)
            for (int b = 0; dx[a].data && b < count; b++)
                for (int64_t k = i * cols; k < (i + 1) * cols; k++)
                    ((double *)dx[a].data)[k] += scale * w[a][b] * ((const double *)x[b].data)[k];
    }
}
