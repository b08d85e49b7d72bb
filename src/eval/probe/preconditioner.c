/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/probe/preconditioner.h"

#include "base/linear.h"
#include "invar/memory.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { FULL_LIMIT = 4096, SAMPLE_MINIMUM = 4096, SAMPLES_A_COLUMN = 8, BLOCK_ROWS = 256, PARTS = 4 };
/* Numbers in the factors of all classes. */
static const int64_t block_limit = (int64_t)1 << 24;
/* Share of the moments of all rows, equally weighted, in the block of a class: few rows of the sample may have a
 * probability in between, and directions that those few miss would look flat. */
static const double blend = 0.1;
/* On a diagonal that is 1 on average: keeps factors finite where features repeat each other. */
static const double ridge = 1e-7;

/* What one thread needs for the moments of a block. */
struct moments {
    float *rows; /* [BLOCK_ROWS][n] */
    float *sum;  /* [n][n] lower, or [n] */
};

/* The Hessian of multinomial logistic regression has a block a class, X^T diag(p (1 - p)) X: its factor is the change
 * of variables in which the problem is nearly round. */
struct preconditioner {
    int n, classes, blocks; /* D + 1; blocks is classes, or 1 when they share one */
    int samples;
    int places;       /* of moments: as many as threads may ask for */
    bool full;        /* or the diagonals alone */
    double scale;     /* moments are those of scaled features */
    float *sample;    /* [samples][n] scaled, the last column 1; float32 is enough for a preconditioner */
    float *curvature; /* [samples][classes] p (1 - p) */
    float *weight;    /* [classes][n] */
    float *plain;     /* mean x~ x~^T of the sample: [n][n] lower, or [n] */
    double *factor;   /* [blocks][n][n] lower, or [blocks][n] */
    struct moments *moments;
};

void preconditioner_free(struct preconditioner *pc)
{
    if (!pc)
        return;
    for (int t = 0; pc->moments && t < pc->places; t++) {
        invar_free(pc->moments[t].rows);
        invar_free(pc->moments[t].sum);
    }
    invar_free(pc->moments);
    invar_free(pc->sample);
    invar_free(pc->curvature);
    invar_free(pc->weight);
    invar_free(pc->plain);
    invar_free(pc->factor);
    invar_free(pc);
}

/* Where columns are too many for a square block its diagonal still takes out the scale of every feature, which is most
 * of what makes the plain problem slow. */
static size_t block_size(const struct preconditioner *pc)
{
    size_t n = (size_t)pc->n;
    return pc->full ? n * n : n;
}

/* The sample is every k-th row and not a draw: a fit needs no seed then, and repeats to the bit. Data sorted by class
 * are no danger, as a regular subset goes through all of them. */
static void gather(const struct preconditioner *pc, const struct invar_matrix *features)
{
    int64_t cols = features->cols;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pc->samples; i++) {
        float *row = pc->sample + (int64_t)i * pc->n;
        int64_t from = (int64_t)i * features->rows / pc->samples;
        for (int64_t j = 0; j < cols; j++)
            row[j] = (float)(pc->scale * matrix_value(features, from, j));
        row[cols] = 1;
    }
}

/* The curvature of sample i in a block: of its class, or the mean over classes. Classes share a block where a factor
 * for each would not fit: their mean is a compromise that takes the features' scale and correlation out, if not the
 * classes' confidence. */
static float curvature(const struct preconditioner *pc, int i, int block)
{
    const float *value = pc->curvature + (int64_t)i * pc->classes;
    float sum = 0;
    if (pc->blocks > 1)
        return value[block];
    for (int c = 0; c < pc->classes; c++)
        sum += value[c];
    return sum / (float)pc->classes;
}

/* sum of q x~ x~^T / samples over rows first..last-1 of the sample into moments->sum, q the curvature of the block,
 * or 1 for block -1; returns that sum of q. In float32 and by blocks of rows: the factor only shapes steps, and
 * blocks stay in the cache. */
static double find_moments(const struct preconditioner *pc, int block, int first, int last, struct moments *moments)
{
    int n = pc->n;
    float share = 1 / (float)pc->samples;
    double total = 0;
    memset(moments->sum, 0, block_size(pc) * sizeof(float));
    for (; first < last; first += BLOCK_ROWS) {
        int count = last - first < BLOCK_ROWS ? last - first : BLOCK_ROWS;
        for (int i = 0; i < count; i++) {
            float q = block < 0 ? 1 : curvature(pc, first + i, block), root = sqrtf(q);
            const float *from = pc->sample + (int64_t)(first + i) * n;
            total += (double)q;
            for (int j = 0; j < n; j++)
                moments->rows[(int64_t)i * n + j] = root * from[j];
        }
        if (pc->full)
            linear_gram(n, count, share, moments->rows, moments->sum);
        else
            for (int j = 0; j < n; j++)
                moments->sum[j] += share * linear_column_squares(count, moments->rows + j, n);
    }
    return total / pc->samples;
}

/* Parts that do not depend on the number of threads, each with one thread of OpenBLAS, unless there is one block: then
 * its size asks for all of them. */
static void find_plain(struct preconditioner *pc)
{
    int parts = pc->blocks > 1 ? PARTS : 1;
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int p = 0; p < parts; p++)
        find_moments(pc, -1, pc->samples / parts * p, p == parts - 1 ? pc->samples : pc->samples / parts * (p + 1),
                     &pc->moments[p]);
    for (int p = 0; p < parts; p++)
        for (size_t i = 0; i < block_size(pc); i++)
            pc->plain[i] += pc->moments[p].sum[i];
}

/* Room for the moments of one block a thread, made once: a round takes them again for every class. Room for as many
 * threads as there may be, or as there are parts, whichever is more. */
static bool moments_create(struct preconditioner *pc, struct invar_error *err)
{
    int wanted = omp_get_max_threads() > PARTS ? omp_get_max_threads() : PARTS;
    pc->places = pc->blocks > 1 ? wanted : 1;
    pc->moments = invar_alloc((size_t)pc->places, sizeof *pc->moments, err);
    for (int t = 0; pc->moments && t < pc->places; t++) {
        pc->moments[t].rows = invar_alloc(BLOCK_ROWS, (size_t)pc->n * sizeof(float), err);
        pc->moments[t].sum = invar_alloc(block_size(pc), sizeof(float), err);
        if (!pc->moments[t].rows || !pc->moments[t].sum)
            return false;
    }
    return pc->moments != NULL;
}

/* Eight samples a column are enough for second moments, and a fit over a million rows does not pay for more. */
struct preconditioner *preconditioner_create(const struct invar_matrix *features, int classes, double scale,
                                             struct invar_error *err)
{
    struct preconditioner *pc = invar_alloc(1, sizeof *pc, err);
    if (!pc)
        return NULL;
    int64_t n = features->cols + 1, samples = SAMPLES_A_COLUMN * n;
    samples = samples < SAMPLE_MINIMUM ? SAMPLE_MINIMUM : samples;
    pc->n = (int)n;
    pc->classes = classes;
    pc->full = n <= FULL_LIMIT;
    pc->blocks = classes * (pc->full ? n * n : n) <= block_limit ? classes : 1;
    pc->samples = (int)(samples < features->rows ? samples : features->rows);
    pc->scale = scale;
    pc->sample = invar_alloc((size_t)pc->samples, (size_t)n * sizeof(float), err);
    pc->curvature = invar_alloc((size_t)pc->samples, (size_t)classes * sizeof(float), err);
    pc->weight = invar_alloc((size_t)classes, (size_t)n * sizeof(float), err);
    pc->plain = invar_alloc(block_size(pc), sizeof(float), err);
    pc->factor = invar_alloc((size_t)pc->blocks, block_size(pc) * sizeof(double), err);
    if (!pc->sample || !pc->curvature || !pc->weight || !pc->plain || !pc->factor || !moments_create(pc, err)) {
        preconditioner_free(pc);
        return NULL;
    }
    gather(pc, features);
    find_plain(pc);
    return pc;
}

/* ---- at given weights ---- */

/* Logits of one sample to p (1 - p). In float: curvature only shapes the steps, and an error in it costs iterations,
 * never accuracy. */
static void curve_row(float *value, int classes)
{
    float top = value[0], sum = 0;
    for (int c = 1; c < classes; c++)
        top = fmaxf(top, value[c]);
    for (int c = 0; c < classes; c++)
        sum += value[c] = expf(value[c] - top);
    for (int c = 0; c < classes; c++)
        value[c] = value[c] / sum * (1 - value[c] / sum);
}

/* Weights are those of features as they are, the sample is scaled: hence the division. */
static void find_curvature(struct preconditioner *pc, const double *weight)
{
    int n = pc->n, classes = pc->classes;
    for (int c = 0; c < classes; c++)
        for (int j = 0; j < n; j++) {
            int64_t at = (int64_t)c * n + j;
            pc->weight[at] = (float)(j < n - 1 ? weight[at] / pc->scale : weight[at]);
        }
#pragma omp parallel for schedule(static)
    for (int first = 0; first < pc->samples; first += BLOCK_ROWS) {
        int rest = pc->samples - first, count = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
        float *values = pc->curvature + (int64_t)first * classes;
        linear_rows(INVAR_FLOAT32, count, classes, n, pc->sample + (int64_t)first * n, pc->weight, 0, values, classes);
        for (int i = 0; i < count; i++)
            curve_row(values + (int64_t)i * classes, classes);
    }
}

/* Features that repeat each other leave the block singular to rounding, whatever the penalty: then the diagonal is
 * raised tenfold until the factor exists. The larger it is, the more the steps are those of plain L-BFGS. */
static bool factorise(const struct preconditioner *pc, const float *moments, double mean, double penalty,
                      double *factor)
{
    int n = pc->n;
    int64_t step = pc->full ? n + 1 : 1;
    for (double extra = ridge; extra < 10; extra *= 10) {
        for (size_t i = 0; i < block_size(pc); i++)
            factor[i] = (1 - blend) * (double)moments[i] + blend * mean * (double)pc->plain[i];
        for (int j = 0; j < n; j++)
            factor[j * step] += mean * extra + (j < n - 1 ? penalty : 0);
        if (!pc->full) {
            for (int j = 0; j < n; j++)
                factor[j] = sqrt(factor[j]);
            return true;
        }
        if (linear_factor(n, factor))
            return true;
    }
    return false;
}

/* Threads take classes, each with one thread of BLAS, as blocks are many and small; a single large block is given to
 * all. */
bool preconditioner_set(struct preconditioner *pc, const double *weight, double l2, struct invar_error *err)
{
    /* The penalty acts on weights of unscaled features; on those of scaled ones it is this. */
    double penalty = l2 * pc->scale * pc->scale;
    int threads = omp_get_max_threads() < pc->places ? omp_get_max_threads() : pc->places;
    bool ok = true;
    find_curvature(pc, weight);
    /* OpenBLAS computes with one thread inside a parallel region, and with all of them on a single block. */
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(&& : ok) if (pc->blocks > 1)
    for (int b = 0; b < pc->blocks; b++) {
        struct moments *moments = &pc->moments[omp_get_thread_num()];
        /* A class that is told apart with certainty still needs a factor. */
        double mean = 1e-6 + find_moments(pc, b, 0, pc->samples, moments);
        double *factor = pc->factor + (size_t)b * block_size(pc);
        ok = factorise(pc, moments->sum, mean, penalty, factor) && ok;
    }
    if (!ok)
        invar_error_set(err, INVAR_ERROR_NUMERIC,
                        "the second moments of the features (%d columns) cannot be factorised; look for columns that "
                        "are enormously larger than others",
                        pc->n - 1);
    return ok;
}

/* ---- change of variables ---- */

/* The bias, last, has a feature of 1 whatever the scale of the others. */
static void scale_row(const struct preconditioner *pc, double *row, double factor)
{
    for (int j = 0; j < pc->n - 1; j++)
        row[j] *= factor;
}

static const double *block_of(const struct preconditioner *pc, int c)
{
    return pc->factor + (pc->blocks > 1 ? (size_t)c * block_size(pc) : 0);
}

/* row <- L^-T row (or L^-1 row) */
static void solve(const struct preconditioner *pc, int c, bool transposed, double *row)
{
    const double *factor = block_of(pc, c);
    if (pc->full)
        linear_triangular(pc->n, factor, transposed, row);
    else
        for (int j = 0; j < pc->n; j++)
            row[j] /= factor[j];
}

void preconditioner_leave(const struct preconditioner *pc, double *weight)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < pc->classes; c++) {
        double *row = weight + (int64_t)c * pc->n;
        solve(pc, c, true, row);
        scale_row(pc, row, pc->scale);
    }
}

void preconditioner_pull(const struct preconditioner *pc, double *gradient)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < pc->classes; c++) {
        double *row = gradient + (int64_t)c * pc->n;
        scale_row(pc, row, pc->scale);
        solve(pc, c, false, row);
    }
}
