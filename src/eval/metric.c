/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/metric.h"
#include "invar/memory.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

enum { FULL_LIMIT = 4096, SAMPLE_ROWS = 32768, BLOCK_ROWS = 2048 };

/* Curvature p(1 - p) of a softmax that has learned something; measured to need the fewest iterations, and flat. */
static const double curvature = 0.05;
/* On a diagonal that is 1 on average: keeps the factor finite where features repeat each other. */
static const double ridge = 1e-7;

struct metric {
    int n;          /* D + 1 */
    bool full;      /* or the diagonal alone */
    double scale;   /* G is that of scaled features */
    double *gram;   /* [n][n] lower, or [n] */
    double *factor; /* the same */
};

void metric_free(struct metric *metric)
{
    if (!metric)
        return;
    invar_free(metric->gram);
    invar_free(metric->factor);
    invar_free(metric);
}

/* Rows first, first + step, ... scaled; float32 is enough for a metric. */
static void gather(const struct metric *metric, const struct invar_matrix *features, int64_t first, int64_t step,
                   int count, float *block)
{
    int64_t cols = features->cols;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < count; ++i) {
        for (int64_t j = 0; j < cols; ++j)
            block[i * (cols + 1) + j] = (float)(metric->scale * matrix_value(features, first + i * step, j));
        block[i * (cols + 1) + cols] = 1;
    }
}

static bool accumulate(struct metric *metric, const struct invar_matrix *features, struct invar_error *err)
{
    size_t n = (size_t)metric->n, size = metric->full ? n * n : n;
    int64_t step = (features->rows + SAMPLE_ROWS - 1) / SAMPLE_ROWS, count = (features->rows + step - 1) / step;
    float *block = invar_alloc(BLOCK_ROWS, n * sizeof *block, err);
    float *part = invar_alloc(size, sizeof *part, err);
    bool ok = block && part;
    for (int64_t done = 0; ok && done < count; done += BLOCK_ROWS) {
        int now = (int)(count - done < BLOCK_ROWS ? count - done : BLOCK_ROWS);
        gather(metric, features, done * step, step, now, block);
        if (metric->full)
            cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, metric->n, now, 1, block, metric->n, 0, part, metric->n);
        else
            for (int j = 0; j < metric->n; ++j)
                part[j] = cblas_sdot(now, block + j, metric->n, block + j, metric->n);
        for (size_t i = 0; i < size; ++i)
            metric->gram[i] += (double)part[i] / (double)count;
    }
    invar_free(block);
    invar_free(part);
    return ok;
}

struct metric *metric_create(const struct invar_matrix *features, double scale, struct invar_error *err)
{
    struct metric *metric = invar_alloc(1, sizeof *metric, err);
    if (!metric)
        return NULL;
    metric->n = (int)features->cols + 1;
    metric->full = metric->n <= FULL_LIMIT;
    metric->scale = scale;
    size_t size = metric->full ? (size_t)metric->n * (size_t)metric->n : (size_t)metric->n;
    metric->gram = invar_alloc(size, sizeof(double), err);
    metric->factor = invar_alloc(size, sizeof(double), err);
    if (metric->gram && metric->factor && accumulate(metric, features, err))
        return metric;
    metric_free(metric);
    return NULL;
}

static size_t diagonal(const struct metric *metric, int i)
{
    return metric->full ? (size_t)i * (size_t)metric->n + (size_t)i : (size_t)i;
}

bool metric_set(struct metric *metric, double l2, struct invar_error *err)
{
    int n = metric->n;
    size_t size = metric->full ? (size_t)n * (size_t)n : (size_t)n;
    double penalty = l2 * metric->scale * metric->scale;
    for (double extra = ridge; extra < 10; extra *= 10) {
        for (size_t i = 0; i < size; ++i)
            metric->factor[i] = curvature * metric->gram[i];
        for (int i = 0; i < n; ++i)
            metric->factor[diagonal(metric, i)] += curvature * extra + (i < n - 1 ? penalty : 0);
        if (!metric->full) {
            for (int i = 0; i < n; ++i)
                metric->factor[i] = sqrt(metric->factor[i]);
            return true;
        }
        /* Lower by rows is upper by columns, which LAPACK takes without a copy. */
        if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, metric->factor, n) == 0)
            return true;
    }
    return invar_error_set(err, INVAR_ERROR_NUMERIC,
                           "the second moments of the features (%d columns) cannot be factorised; look for columns "
                           "that are enormously larger than others",
                           n - 1);
}

static void scale_weights(const struct metric *metric, double *weight, int count, double factor)
{
    for (int c = 0; c < count; ++c)
        for (int j = 0; j < metric->n - 1; ++j)
            weight[(size_t)c * (size_t)metric->n + (size_t)j] *= factor;
}

static void scale_diagonal(const struct metric *metric, double *weight, int count, bool divide)
{
    for (int c = 0; c < count; ++c)
        for (int j = 0; j < metric->n; ++j) {
            double *value = &weight[(size_t)c * (size_t)metric->n + (size_t)j];
            *value = divide ? *value / metric->factor[j] : *value * metric->factor[j];
        }
}

void metric_enter(const struct metric *metric, double *weight, int count)
{
    scale_weights(metric, weight, count, 1 / metric->scale);
    if (metric->full)
        cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, count, metric->n, 1,
                    metric->factor, metric->n, weight, metric->n);
    else
        scale_diagonal(metric, weight, count, false);
}

void metric_leave(const struct metric *metric, double *weight, int count)
{
    if (metric->full)
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, count, metric->n, 1,
                    metric->factor, metric->n, weight, metric->n);
    else
        scale_diagonal(metric, weight, count, true);
    scale_weights(metric, weight, count, metric->scale);
}

void metric_pull(const struct metric *metric, double *gradient, int count)
{
    scale_weights(metric, gradient, count, metric->scale);
    if (metric->full)
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, count, metric->n, 1,
                    metric->factor, metric->n, gradient, metric->n);
    else
        scale_diagonal(metric, gradient, count, true);
}
