/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean cross entropy of softmax(W x + b) and its gradient: the function that the linear probe minimises (`PROBE`).
 * Rows are read once an evaluation, in blocks that stay in the cache between the two products. Losses and the sums of
 * block gradients are double.
 */
#include "eval/probe/softmax.h"

#include "base/linear.h"
#include "invar/memory.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { BLOCK_ROWS = 256, MAX_CHUNKS = 32, MIN_CHUNKS = 4 };
/* Double gradients of all chunks together; bounds memory where classes x features is large. */
static const int64_t chunk_limit = (int64_t)1 << 25;

/* What one thread needs for a block; all in the precision of the products. */
struct block {
    void *rows;     /* [BLOCK_ROWS][D], only where rows are picked or converted */
    void *logits;   /* [BLOCK_ROWS][classes], then probabilities minus one-hot */
    void *gradient; /* [classes][D] */
    double *values; /* [classes] of one row */
};

struct softmax_loss {
    struct labelled_rows rows;
    int64_t cols;
    int classes, chunks, threads;
    bool single;      /* products in float32 */
    bool convert;     /* features are float32, products are not */
    size_t size;      /* bytes of a number in a product */
    void *weight;     /* [classes][D] in the precision of the products */
    double *gradient; /* [chunks][classes][D + 1] */
    double *loss;     /* [chunks] */
    struct block *blocks;
};

void softmax_loss_free(struct softmax_loss *loss)
{
    if (!loss)
        return;
    for (int t = 0; loss->blocks && t < loss->threads; t++) {
        invar_free(loss->blocks[t].rows);
        invar_free(loss->blocks[t].logits);
        invar_free(loss->blocks[t].gradient);
        invar_free(loss->blocks[t].values);
    }
    invar_free(loss->blocks);
    invar_free(loss->weight);
    invar_free(loss->gradient);
    invar_free(loss->loss);
    invar_free(loss);
}

/* Rows are copied only where they are picked or widened; otherwise products read the features in their place. */
static bool block_create(struct block *block, const struct softmax_loss *loss, struct invar_error *err)
{
    size_t cols = (size_t)loss->cols, classes = (size_t)loss->classes, row = cols * loss->size;
    if ((loss->rows.index || loss->convert) && !(block->rows = invar_alloc(BLOCK_ROWS, row, err)))
        return false;
    block->logits = invar_alloc(BLOCK_ROWS, classes * loss->size, err);
    block->gradient = invar_alloc(classes, row, err);
    block->values = invar_alloc(classes, sizeof(double), err);
    return block->logits && block->gradient && block->values;
}

/* Chunks have sums of their own, in double, so that threads need no lock; how many there are is bounded by what their
 * gradients take, and does not depend on the threads. */
struct softmax_loss *softmax_loss_create(const struct labelled_rows *rows, int classes, enum invar_dtype precision,
                                         struct invar_error *err)
{
    struct softmax_loss *loss = invar_alloc(1, sizeof *loss, err);
    if (!loss)
        return NULL;
    loss->rows = *rows;
    loss->cols = rows->features->cols;
    loss->classes = classes;
    loss->single = precision == INVAR_FLOAT32;
    loss->convert = precision != rows->features->dtype;
    loss->size = invar_dtype_size(precision);
    loss->threads = omp_get_max_threads();
    int64_t parameters = classes * (loss->cols + 1), blocks = (rows->count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    int64_t chunks = chunk_limit / parameters;
    /* A few chunks even where their gradients are large, since one alone would leave all threads but one without work;
     * no more than there are blocks, or some would be empty. */
    chunks = chunks > MAX_CHUNKS ? MAX_CHUNKS : chunks < MIN_CHUNKS ? MIN_CHUNKS : chunks;
    loss->chunks = (int)(chunks > blocks ? blocks : chunks);
    loss->weight = invar_alloc((size_t)(classes * loss->cols), loss->size, err);
    loss->gradient = invar_alloc((size_t)loss->chunks, (size_t)parameters * sizeof(double), err);
    loss->loss = invar_alloc((size_t)loss->chunks, sizeof(double), err);
    loss->blocks = invar_alloc((size_t)loss->threads, sizeof *loss->blocks, err);
    bool ok = loss->weight && loss->gradient && loss->loss && loss->blocks;
    for (int t = 0; ok && t < loss->threads; t++)
        ok = block_create(&loss->blocks[t], loss, err);
    if (ok)
        return loss;
    softmax_loss_free(loss);
    return NULL;
}

/* The rows first .. first+n-1 of those in use, contiguous and in the precision of the products. A float32 row that is
 * read in double is widened here, block by block, instead of once for all in a copy of the data. */
static const void *block_rows(const struct softmax_loss *loss, struct block *block, int64_t first, int n)
{
    const char *data = loss->rows.features->data;
    size_t bytes = (size_t)loss->cols * loss->size;
    if (!loss->rows.index && !loss->convert)
        return data + (size_t)first * bytes;
    for (int i = 0; i < n; i++) {
        int64_t row = loss->rows.index ? loss->rows.index[first + i] : first + i;
        const float *from = (const float *)loss->rows.features->data + row * loss->cols;
        if (loss->convert)
            for (int64_t j = 0; j < loss->cols; j++)
                ((double *)block->rows)[i * loss->cols + j] = (double)from[j];
        else
            memcpy((char *)block->rows + (size_t)i * bytes, data + (size_t)row * bytes, bytes);
    }
    return block->rows;
}

/* Loss of one row; values hold the logits and receive probability - one-hot. log sum exp around the largest logit:
 * exact where one class is certain. */
static double softmax_row(double *values, int classes, int64_t label)
{
    double top = values[0], sum = 0, own = values[label];
    for (int c = 1; c < classes; c++)
        if (values[c] > top)
            top = values[c];
    for (int c = 0; c < classes; c++)
        sum += values[c] = exp(values[c] - top);
    for (int c = 0; c < classes; c++)
        values[c] /= sum;
    /* The gradient of a logit is probability - one-hot: taken here, where the row is at hand in double. */
    values[label] -= 1;
    return top + log(sum) - own;
}

/* Turns the logits of a block into the gradient of the logits; adds that of the bias; returns the sum of losses. The
 * bias is added in double, after the product, so that it needs no column of ones. */
static double softmax_block(const struct softmax_loss *loss, struct block *block, const double *weight, int64_t first,
                            int n, double *gradient)
{
    int classes = loss->classes;
    int64_t stride = loss->cols + 1;
    double total = 0;
    for (int i = 0; i < n; i++) {
        int64_t row = loss->rows.index ? loss->rows.index[first + i] : first + i;
        float *f = (float *)block->logits + i * classes;
        double *d = (double *)block->logits + i * classes;
        for (int c = 0; c < classes; c++)
            block->values[c] = (loss->single ? (double)f[c] : d[c]) + weight[c * stride + loss->cols];
        total += softmax_row(block->values, classes, loss->rows.labels[row]);
        for (int c = 0; c < classes; c++) {
            gradient[c * stride + loss->cols] += block->values[c];
            if (loss->single)
                f[c] = (float)block->values[c];
            else
                d[c] = block->values[c];
        }
    }
    return total;
}

/* logits = X W^T */
static void multiply_logits(const struct softmax_loss *loss, const struct block *block, const void *rows, int n)
{
    linear_rows(loss->single ? INVAR_FLOAT32 : INVAR_FLOAT64, n, loss->classes, (int)loss->cols, rows, loss->weight, 0,
                block->logits, loss->classes);
}

/* gradient += (P - Y)^T X. A block's gradient has the precision of the products; blocks are added in double, or a
 * float sum over a million rows would be what stops the fit. */
static void multiply_gradient(const struct softmax_loss *loss, const struct block *block, const void *rows, int n,
                              double *gradient)
{
    int cols = (int)loss->cols, classes = loss->classes;
    linear_columns(loss->single ? INVAR_FLOAT32 : INVAR_FLOAT64, classes, cols, n, block->logits, rows, 0,
                   block->gradient, cols);
    for (int c = 0; c < classes; c++) {
        double *to = gradient + c * (loss->cols + 1);
        const float *f = (const float *)block->gradient + c * loss->cols;
        const double *d = (const double *)block->gradient + c * loss->cols;
        for (int64_t j = 0; j < loss->cols; j++)
            to[j] += loss->single ? (double)f[j] : d[j];
    }
}

/* The boundaries of chunks depend on the rows alone, so neither do the sums depend on the number of threads. */
static void evaluate_chunk(struct softmax_loss *loss, const double *weight, int chunk, struct block *block)
{
    int64_t blocks = (loss->rows.count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    int64_t first = blocks * chunk / loss->chunks * BLOCK_ROWS, last = blocks * (chunk + 1) / loss->chunks * BLOCK_ROWS;
    int64_t parameters = loss->classes * (loss->cols + 1);
    double *gradient = loss->gradient + chunk * parameters;
    double total = 0;
    memset(gradient, 0, (size_t)parameters * sizeof *gradient);
    if (last > loss->rows.count)
        last = loss->rows.count;
    for (; first < last; first += BLOCK_ROWS) {
        int n = (int)(last - first < BLOCK_ROWS ? last - first : BLOCK_ROWS);
        const void *rows = block_rows(loss, block, first, n);
        multiply_logits(loss, block, rows, n);
        total += softmax_block(loss, block, weight, first, n, gradient);
        multiply_gradient(loss, block, rows, n, gradient);
    }
    loss->loss[chunk] = total;
}

/* The mean, so that the penalty means the same for any number of rows. */
double softmax_loss_evaluate(struct softmax_loss *loss, const double *weight, double *gradient)
{
    int64_t stride = loss->cols + 1, parameters = loss->classes * stride;
    double scale = 1 / (double)loss->rows.count, total = 0;
    for (int c = 0; c < loss->classes; c++)
        for (int64_t j = 0; j < loss->cols; j++) {
            int64_t at = c * loss->cols + j;
            if (loss->single)
                ((float *)loss->weight)[at] = (float)weight[c * stride + j];
            else
                ((double *)loss->weight)[at] = weight[c * stride + j];
        }
        /* OpenBLAS computes with one thread inside a parallel region. */
#pragma omp parallel for schedule(dynamic) num_threads(loss->threads)
    for (int chunk = 0; chunk < loss->chunks; chunk++)
        evaluate_chunk(loss, weight, chunk, &loss->blocks[omp_get_thread_num()]);
    memset(gradient, 0, (size_t)parameters * sizeof *gradient);
    for (int chunk = 0; chunk < loss->chunks; chunk++) {
        total += loss->loss[chunk];
        for (int64_t j = 0; j < parameters; j++)
            gradient[j] += loss->gradient[chunk * parameters + j] * scale;
    }
    return total * scale;
}
