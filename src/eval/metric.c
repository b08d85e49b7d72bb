/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/metric.h"

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

struct metric {
    int n, classes, blocks; /* D + 1; blocks is classes, or 1 when they share one */
    int samples;
    int places;       /* of moments: as many as threads may ask for */
    bool full;        /* or the diagonals alone */
    double scale;     /* moments are those of scaled features */
    float *sample;    /* [samples][n] scaled, the last column 1; float32 is enough for a metric */
    float *curvature; /* [samples][classes] p (1 - p) */
    float *weight;    /* [classes][n] */
    float *plain;     /* mean x~ x~^T of the sample: [n][n] lower, or [n] */
    double *factor;   /* [blocks][n][n] lower, or [blocks][n] */
    struct moments *moments;
};

void metric_free(struct metric *metric)
{
    if (!metric)
        return;
    for (int t = 0; metric->moments && t < metric->places; t++) {
        invar_free(metric->moments[t].rows);
        invar_free(metric->moments[t].sum);
    }
    invar_free(metric->moments);
    invar_free(metric->sample);
    invar_free(metric->curvature);
    invar_free(metric->weight);
    invar_free(metric->plain);
    invar_free(metric->factor);
    invar_free(metric);
}

static size_t block_size(const struct metric *metric)
{
    size_t n = (size_t)metric->n;
    return metric->full ? n * n : n;
}

static void gather(const struct metric *metric, const struct invar_matrix *features)
{
    int64_t cols = features->cols;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < metric->samples; i++) {
        float *row = metric->sample + (int64_t)i * metric->n;
        int64_t from = (int64_t)i * features->rows / metric->samples;
        for (int64_t j = 0; j < cols; j++)
            row[j] = (float)(metric->scale * matrix_value(features, from, j));
        row[cols] = 1;
    }
}

/* The curvature of sample i in a block: of its class, or the mean over classes. */
static float curvature(const struct metric *metric, int i, int block)
{
    const float *value = metric->curvature + (int64_t)i * metric->classes;
    float sum = 0;
    if (metric->blocks > 1)
        return value[block];
    for (int c = 0; c < metric->classes; c++)
        sum += value[c];
    return sum / (float)metric->classes;
}

/* sum of q x~ x~^T / samples over rows first..last-1 of the sample into moments->sum, q the curvature of the block, or
 * 1 for block -1; returns that sum of q. */
static double find_moments(const struct metric *metric, int block, int first, int last, struct moments *moments)
{
    int n = metric->n;
    float share = 1 / (float)metric->samples;
    double total = 0;
    memset(moments->sum, 0, block_size(metric) * sizeof(float));
    for (; first < last; first += BLOCK_ROWS) {
        int count = last - first < BLOCK_ROWS ? last - first : BLOCK_ROWS;
        for (int i = 0; i < count; i++) {
            float q = block < 0 ? 1 : curvature(metric, first + i, block), root = sqrtf(q);
            const float *from = metric->sample + (int64_t)(first + i) * n;
            total += (double)q;
            for (int j = 0; j < n; j++)
                moments->rows[(int64_t)i * n + j] = root * from[j];
        }
        if (metric->full)
            linear_gram(n, count, share, moments->rows, moments->sum);
        else
            for (int j = 0; j < n; j++)
                moments->sum[j] += share * linear_column_squares(count, moments->rows + j, n);
    }
    return total / metric->samples;
}

/* Parts that do not depend on the number of threads, each with one thread of OpenBLAS, unless there is one block: then
 * its size asks for all of them. */
static void find_plain(struct metric *metric)
{
    int parts = metric->blocks > 1 ? PARTS : 1;
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int p = 0; p < parts; p++)
        find_moments(metric, -1, metric->samples / parts * p,
                     p == parts - 1 ? metric->samples : metric->samples / parts * (p + 1), &metric->moments[p]);
    for (int p = 0; p < parts; p++)
        for (size_t i = 0; i < block_size(metric); i++)
            metric->plain[i] += metric->moments[p].sum[i];
}

static bool moments_create(struct metric *metric, struct invar_error *err)
{
    int wanted = omp_get_max_threads() > PARTS ? omp_get_max_threads() : PARTS;
    metric->places = metric->blocks > 1 ? wanted : 1;
    metric->moments = invar_alloc((size_t)metric->places, sizeof *metric->moments, err);
    for (int t = 0; metric->moments && t < metric->places; t++) {
        metric->moments[t].rows = invar_alloc(BLOCK_ROWS, (size_t)metric->n * sizeof(float), err);
        metric->moments[t].sum = invar_alloc(block_size(metric), sizeof(float), err);
        if (!metric->moments[t].rows || !metric->moments[t].sum)
            return false;
    }
    return metric->moments != NULL;
}

struct metric *metric_create(const struct invar_matrix *features, int classes, double scale, struct invar_error *err)
{
    struct metric *metric = invar_alloc(1, sizeof *metric, err);
    if (!metric)
        return NULL;
    int64_t n = features->cols + 1, samples = SAMPLES_A_COLUMN * n;
    samples = samples < SAMPLE_MINIMUM ? SAMPLE_MINIMUM : samples;
    metric->n = (int)n;
    metric->classes = classes;
    metric->full = n <= FULL_LIMIT;
    metric->blocks = classes * (metric->full ? n * n : n) <= block_limit ? classes : 1;
    metric->samples = (int)(samples < features->rows ? samples : features->rows);
    metric->scale = scale;
    metric->sample = invar_alloc((size_t)metric->samples, (size_t)n * sizeof(float), err);
    metric->curvature = invar_alloc((size_t)metric->samples, (size_t)classes * sizeof(float), err);
    metric->weight = invar_alloc((size_t)classes, (size_t)n * sizeof(float), err);
    metric->plain = invar_alloc(block_size(metric), sizeof(float), err);
    metric->factor = invar_alloc((size_t)metric->blocks, block_size(metric) * sizeof(double), err);
    if (!metric->sample || !metric->curvature || !metric->weight || !metric->plain || !metric->factor ||
        !moments_create(metric, err)) {
        metric_free(metric);
        return NULL;
    }
    gather(metric, features);
    find_plain(metric);
    return metric;
}

/* ---- at given weights ---- */

/* Logits of one sample to p (1 - p). */
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

static void find_curvature(struct metric *metric, const double *weight)
{
    int n = metric->n, classes = metric->classes;
    for (int c = 0; c < classes; c++)
        for (int j = 0; j < n; j++) {
            int64_t at = (int64_t)c * n + j;
            metric->weight[at] = (float)(j < n - 1 ? weight[at] / metric->scale : weight[at]);
        }
#pragma omp parallel for schedule(static)
    for (int first = 0; first < metric->samples; first += BLOCK_ROWS) {
        int rest = metric->samples - first, count = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
        float *values = metric->curvature + (int64_t)first * classes;
        linear_rows(INVAR_FLOAT32, count, classes, n, metric->sample + (int64_t)first * n, metric->weight, 0, values,
                    classes);
        for (int i = 0; i < count; i++)
            curve_row(values + (int64_t)i * classes, classes);
    }
}

static bool factorise(const struct metric *metric, const float *moments, double mean, double penalty, double *factor)
{
    int n = metric->n;
    int64_t step = metric->full ? n + 1 : 1;
    for (double extra = ridge; extra < 10; extra *= 10) {
        for (size_t i = 0; i < block_size(metric); i++)
            factor[i] = (1 - blend) * (double)moments[i] + blend * mean * (double)metric->plain[i];
        for (int j = 0; j < n; j++)
            factor[j * step] += mean * extra + (j < n - 1 ? penalty : 0);
        if (!metric->full) {
            for (int j = 0; j < n; j++)
                factor[j] = sqrt(factor[j]);
            return true;
        }
        if (linear_factor(n, factor))
            return true;
    }
    return false;
}

bool metric_set(struct metric *metric, const double *weight, double l2, struct invar_error *err)
{
    double penalty = l2 * metric->scale * metric->scale;
    int threads = omp_get_max_threads() < metric->places ? omp_get_max_threads() : metric->places;
    bool ok = true;
    find_curvature(metric, weight);
    /* OpenBLAS computes with one thread inside a parallel region, and with all of them on a single block. */
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(&& : ok) if (metric->blocks > 1)
    for (int b = 0; b < metric->blocks; b++) {
        struct moments *moments = &metric->moments[omp_get_thread_num()];
        /* A class that is told apart with certainty still needs a factor. */
        double mean = 1e-6 + find_moments(metric, b, 0, metric->samples, moments);
        double *factor = metric->factor + (size_t)b * block_size(metric);
        ok = factorise(metric, moments->sum, mean, penalty, factor) && ok;
    }
    if (!ok)
        invar_error_set(err, INVAR_ERROR_NUMERIC,
                        "the second moments of the features (%d columns) cannot be factorised; look for columns that "
                        "are enormously larger than others",
                        metric->n - 1);
    return ok;
}

/* ---- change of variables ---- */

static void scale_row(const struct metric *metric, double *row, double factor)
{
    for (int j = 0; j < metric->n - 1; j++)
        row[j] *= factor;
}

static const double *block_of(const struct metric *metric, int c)
{
    return metric->factor + (metric->blocks > 1 ? (size_t)c * block_size(metric) : 0);
}

/* row <- L^-T row (or L^-1 row) */
static void solve(const struct metric *metric, int c, bool transposed, double *row)
{
    const double *factor = block_of(metric, c);
    if (metric->full)
        linear_triangular(metric->n, factor, transposed, row);
    else
        for (int j = 0; j < metric->n; j++)
            row[j] /= factor[j];
}

void metric_leave(const struct metric *metric, double *weight)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < metric->classes; c++) {
        double *row = weight + (int64_t)c * metric->n;
        solve(metric, c, true, row);
        scale_row(metric, row, metric->scale);
    }
}

void metric_pull(const struct metric *metric, double *gradient)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < metric->classes; c++) {
        double *row = gradient + (int64_t)c * metric->n;
        scale_row(metric, row, metric->scale);
        solve(metric, c, false, row);
    }
}
