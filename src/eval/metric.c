/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/metric.h"
#include "invar/memory.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

enum { FULL_LIMIT = 4096, SAMPLE_MINIMUM = 4096, SAMPLES_A_COLUMN = 8 };
/* Numbers in the factors of all classes. */
static const int64_t block_limit = (int64_t)1 << 24;
/* Share of the moments of all rows, equally weighted, in the block of a class: few rows of the sample may have a
 * probability in between, and directions that those few miss would look flat. */
static const double blend = 0.1;
/* On a diagonal that is 1 on average: keeps factors finite where features repeat each other. */
static const double ridge = 1e-7;

struct metric {
    int n, classes, blocks; /* D + 1; blocks is classes, or 1 when they share one */
    int samples;
    bool full;      /* or the diagonals alone */
    double scale;   /* moments are those of scaled features */
    float *sample;  /* [samples][n] scaled, the last column 1; float32 is enough for a metric */
    float *work;    /* [samples][n] */
    float *part;    /* [n][n] or [n] */
    float *values;  /* [samples][classes] logits, then probabilities */
    float *weight;  /* [classes][n] */
    float *gram;    /* mean x~ x~^T of the sample: [n][n] lower, or [n] */
    double *factor; /* [blocks][n][n] lower, or [blocks][n] */
};

void metric_free(struct metric *metric)
{
    if (!metric)
        return;
    invar_free(metric->sample);
    invar_free(metric->work);
    invar_free(metric->part);
    invar_free(metric->values);
    invar_free(metric->weight);
    invar_free(metric->gram);
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
    for (int i = 0; i < metric->samples; ++i) {
        float *row = metric->sample + (int64_t)i * metric->n;
        int64_t from = (int64_t)i * features->rows / metric->samples;
        for (int64_t j = 0; j < cols; ++j)
            row[j] = (float)(metric->scale * matrix_value(features, from, j));
        row[cols] = 1;
    }
}

/* out = mean r r^T over rows [samples][n]: the lower triangle, or the diagonal. */
static void moments(const struct metric *metric, const float *rows, float *out)
{
    int n = metric->n;
    float share = 1 / (float)metric->samples;
    if (metric->full)
        cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, n, metric->samples, share, rows, n, 0, out, n);
    else
        for (int j = 0; j < n; ++j)
            out[j] = share * cblas_sdot(metric->samples, rows + j, n, rows + j, n);
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
    metric->work = invar_alloc((size_t)metric->samples, (size_t)n * sizeof(float), err);
    metric->values = invar_alloc((size_t)metric->samples, (size_t)classes * sizeof(float), err);
    metric->weight = invar_alloc((size_t)classes, (size_t)n * sizeof(float), err);
    metric->part = invar_alloc(block_size(metric), sizeof(float), err);
    metric->gram = invar_alloc(block_size(metric), sizeof(float), err);
    metric->factor = invar_alloc((size_t)metric->blocks, block_size(metric) * sizeof(double), err);
    if (!metric->sample || !metric->work || !metric->values || !metric->weight || !metric->part || !metric->gram ||
        !metric->factor) {
        metric_free(metric);
        return NULL;
    }
    gather(metric, features);
    moments(metric, metric->sample, metric->gram);
    return metric;
}

/* ---- at given weights ---- */

/* values = p (1 - p) of every sample and class. */
static void find_curvature(struct metric *metric, const double *weight)
{
    int n = metric->n, classes = metric->classes;
    for (int c = 0; c < classes; ++c)
        for (int j = 0; j < n; ++j) {
            int64_t at = (int64_t)c * n + j;
            metric->weight[at] = (float)(j < n - 1 ? weight[at] / metric->scale : weight[at]);
        }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, metric->samples, classes, n, 1, metric->sample, n,
                metric->weight, n, 0, metric->values, classes);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < metric->samples; ++i) {
        float *value = metric->values + (int64_t)i * classes, top = value[0], sum = 0;
        for (int c = 1; c < classes; ++c)
            top = fmaxf(top, value[c]);
        for (int c = 0; c < classes; ++c)
            sum += value[c] = expf(value[c] - top);
        for (int c = 0; c < classes; ++c)
            value[c] = value[c] / sum * (1 - value[c] / sum);
    }
}

/* The curvature of sample i in a block: of its class, or the mean over classes. */
static float curvature(const struct metric *metric, int i, int block)
{
    const float *value = metric->values + (int64_t)i * metric->classes;
    float sum = 0;
    if (metric->blocks > 1)
        return value[block];
    for (int c = 0; c < metric->classes; ++c)
        sum += value[c];
    return sum / (float)metric->classes;
}

static bool factorise(const struct metric *metric, double mean, double penalty, double *factor)
{
    int n = metric->n;
    int64_t step = metric->full ? n + 1 : 1;
    for (double extra = ridge; extra < 10; extra *= 10) {
        for (size_t i = 0; i < block_size(metric); ++i)
            factor[i] = (1 - blend) * (double)metric->part[i] + blend * mean * (double)metric->gram[i];
        for (int j = 0; j < n; ++j)
            factor[j * step] += mean * extra + (j < n - 1 ? penalty : 0);
        if (!metric->full) {
            for (int j = 0; j < n; ++j)
                factor[j] = sqrt(factor[j]);
            return true;
        }
        /* Lower by rows is upper by columns, which LAPACK takes without a copy. */
        if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, factor, n) == 0)
            return true;
    }
    return false;
}

bool metric_set(struct metric *metric, const double *weight, double l2, struct invar_error *err)
{
    int n = metric->n;
    find_curvature(metric, weight);
    for (int b = 0; b < metric->blocks; ++b) {
        double mean = 1e-6; /* a class that is told apart with certainty still needs a factor */
        for (int i = 0; i < metric->samples; ++i)
            mean += (double)curvature(metric, i, b) / metric->samples;
#pragma omp parallel for schedule(static)
        for (int i = 0; i < metric->samples; ++i) {
            float root = sqrtf(curvature(metric, i, b));
            for (int64_t j = (int64_t)i * n; j < (int64_t)(i + 1) * n; ++j)
                metric->work[j] = root * metric->sample[j];
        }
        moments(metric, metric->work, metric->part);
        if (!factorise(metric, mean, l2 * metric->scale * metric->scale,
                       metric->factor + (size_t)b * block_size(metric)))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "the second moments of the features (%d columns) cannot be factorised; look for "
                                   "columns that are enormously larger than others",
                                   n - 1);
    }
    return true;
}

/* ---- change of variables ---- */

static void scale_row(const struct metric *metric, double *row, double factor)
{
    for (int j = 0; j < metric->n - 1; ++j)
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
        cblas_dtrsv(CblasRowMajor, CblasLower, transposed ? CblasTrans : CblasNoTrans, CblasNonUnit, metric->n, factor,
                    metric->n, row, 1);
    else
        for (int j = 0; j < metric->n; ++j)
            row[j] /= factor[j];
}

void metric_leave(const struct metric *metric, double *weight)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < metric->classes; ++c) {
        double *row = weight + (int64_t)c * metric->n;
        solve(metric, c, true, row);
        scale_row(metric, row, metric->scale);
    }
}

void metric_pull(const struct metric *metric, double *gradient)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < metric->classes; ++c) {
        double *row = gradient + (int64_t)c * metric->n;
        scale_row(metric, row, metric->scale);
        solve(metric, c, false, row);
    }
}
