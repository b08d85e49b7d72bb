/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest neighbours by cosine similarity (`KNN`), over blocks of the similarity matrix that stay in the cache. */
#include "base/linear.h"
#include "eval/check.h"
#include "invar/eval.h"
#include "invar/memory.h"
#include "invar/regression.h"

#include <math.h>
#include <omp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct invar_neighbours_options, name)
const struct invar_option invar_neighbours_option_table[] = {
    {"k", INVAR_OPTION_INT_LIST, FIELD(k), "[20, 200]", 1, 1e6, NULL,
     "numbers of neighbours; the first one is the result"},
    {"temperature", INVAR_OPTION_REAL, FIELD(temperature), "0.07", 1e-3, 1e3, NULL,
     "a neighbour counts exp(cosine similarity / temperature)"},
    {NULL, INVAR_OPTION_INT, 0, NULL, 0, 0, NULL, NULL},
};

/* A block of similarities, 128 x 2048 floats, is a megabyte: it stays in the second cache from the product that makes
 * it to the heaps that read it. The whole matrix of 10,000 x 60,000 would be 2.4 GB, written and read once for nothing.
 */
enum { TEST_ROWS = 128, TRAIN_ROWS = 2048 };

struct neighbour {
    double similarity;
    int64_t index;
};

struct search {
    const struct invar_matrix *train, *test;
    double *train_inverse, *test_inverse; /* 1 / norm of each row; 0 for a row of zeros, which is similar to nothing */
    int64_t k;
};

/* A total order, so that the result does not depend on the order of arrival. Of equal similarities the larger index is
 * the farther one, as docs/evaluation.md has it. */
static bool farther(struct neighbour a, struct neighbour b)
{
    return a.similarity < b.similarity || (a.similarity == b.similarity && a.index > b.index);
}

/* Nearest first. */
static int compare(const void *a, const void *b)
{
    const struct neighbour *x = a, *y = b;
    return farther(*x, *y) - farther(*y, *x);
}

/* Restores a heap with the farthest neighbour at its root, after the root was replaced. */
static void sift(struct neighbour *heap, int64_t count)
{
    int64_t at = 0;
    for (;;) {
        int64_t next = 2 * at + 1;
        if (next >= count)
            return;
        if (next + 1 < count && farther(heap[next + 1], heap[next]))
            next++;
        if (!farther(heap[next], heap[at]))
            return;
        struct neighbour swap = heap[at];
        heap[at] = heap[next];
        heap[next] = swap;
        at = next;
    }
}

/* Rows are not normalised in place: the features belong to the caller, and a copy would double the memory. */
static bool inverse_norms(const struct invar_matrix *matrix, double **out, struct invar_error *err)
{
    double *inverse = invar_alloc((size_t)matrix->rows, sizeof *inverse, err);
    if (!inverse)
        return false;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < matrix->rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < matrix->cols; j++) {
            double x = matrix_value(matrix, i, j);
            sum += x * x;
        }
        inverse[i] = sum > 0 ? 1 / sqrt(sum) : 0;
    }
    *out = inverse;
    return true;
}

/* products [tests][trains] of two blocks, in the precision of the features. Rows as they are: the lengths come in
 * with the comparison, two multiplications a pair. */
static void multiply(const struct search *search, int64_t test, int tests, int64_t train, int trains, void *products)
{
    const enum invar_dtype dtype = search->train->dtype;
    const int64_t cols = search->train->cols, bytes = cols * (int64_t)invar_dtype_size(dtype);
    linear_rows(dtype, tests, trains, (int)cols, (const char *)search->test->data + test * bytes,
                (const char *)search->train->data + train * bytes, 0, products, trains);
}

/* Neighbours of a block of test rows, nearest first, into nearest[tests][k]. A heap of the k best and its root, the
 * farthest, to compare with: nearly every training row is turned away by one comparison once the heap is full of near
 * ones. */
static void search_block(const struct search *search, int64_t test, int tests, void *products,
                         struct neighbour *nearest)
{
    bool single = search->train->dtype == INVAR_FLOAT32;
    for (int64_t i = 0; i < tests * search->k; i++)
        /* Farther than any row can be, so that the heap is full from the start and needs no count of its own. */
        nearest[i] = (struct neighbour){-INFINITY, INT64_MAX};
    for (int64_t train = 0; train < search->train->rows; train += TRAIN_ROWS) {
        int64_t rest = search->train->rows - train;
        int trains = (int)(rest < TRAIN_ROWS ? rest : TRAIN_ROWS);
        multiply(search, test, tests, train, trains, products);
        for (int i = 0; i < tests; i++)
            for (int j = 0; j < trains; j++) {
                int64_t at = (int64_t)i * trains + j;
                double product = single ? (double)((const float *)products)[at] : ((const double *)products)[at];
                /* The lengths come in as double, so that they add no rounding of float32 to that of the product; a row
                 * of zeros has the inverse 0, and so the similarity 0 to everything instead of a division by 0. */
                struct neighbour one = {product * search->test_inverse[test + i] * search->train_inverse[train + j],
                                        train + j};
                if (farther(nearest[i * search->k], one)) {
                    nearest[i * search->k] = one;
                    sift(nearest + i * search->k, search->k);
                }
            }
    }
    for (int i = 0; i < tests; i++)
        qsort(nearest + i * search->k, (size_t)search->k, sizeof *nearest, compare);
}

/* A thread has blocks of test rows to itself and a total order decides among equals, so that neither the number of
 * threads nor who comes first changes a result. */
static bool search_all(const struct search *search, int64_t *index, double *similarity, struct invar_error *err)
{
    size_t threads = (size_t)omp_get_max_threads(), k = (size_t)search->k;
    size_t product_size = TEST_ROWS * TRAIN_ROWS * invar_dtype_size(search->train->dtype);
    char *products = invar_alloc(threads, product_size, err);
    struct neighbour *nearest = invar_alloc(threads, TEST_ROWS * k * sizeof *nearest, err);
    bool ok = products && nearest;
    if (ok) {
#pragma omp parallel for schedule(dynamic) num_threads((int)threads)
        for (int64_t test = 0; test < search->test->rows; test += TEST_ROWS) {
            size_t thread = (size_t)omp_get_thread_num();
            int64_t rest = search->test->rows - test;
            int tests = (int)(rest < TEST_ROWS ? rest : TEST_ROWS);
            struct neighbour *mine = nearest + thread * TEST_ROWS * k;
            search_block(search, test, tests, products + thread * product_size, mine);
            for (int64_t i = 0; i < tests * search->k; i++) {
                index[test * search->k + i] = mine[i].index;
                similarity[test * search->k + i] = mine[i].similarity;
            }
        }
    }
    invar_free(products);
    invar_free(nearest);
    return ok;
}

/* Exact, by all pairs: an index that is approximate would make accuracies depend on how it was built. */
bool invar_neighbours_find(const struct invar_matrix *train, const struct invar_matrix *test, int64_t k, int64_t *index,
                           double *similarity, struct invar_error *err)
{
    bool ok = false;
    struct search search = {.train = train, .test = test, .k = k};
    if (!matrix_check(train, "training features", err) || !matrix_check(test, "test features", err) ||
        !matrix_check_finite(train, "training features", err) || !matrix_check_finite(test, "test features", err))
        return false;
    if (train->cols != test->cols || train->dtype != test->dtype)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the training features have %lld columns of %s, the test features %lld of %s; both must "
                               "come from the same encoder",
                               (long long)train->cols, invar_dtype_name(train->dtype), (long long)test->cols,
                               invar_dtype_name(test->dtype));
    if (k < 1 || k > train->rows)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%lld neighbours asked for; expected 1 to %lld, the training samples", (long long)k,
                               (long long)train->rows);
    ok = inverse_norms(train, &search.train_inverse, err) && inverse_norms(test, &search.test_inverse, err) &&
         search_all(&search, index, similarity, err);
    invar_free(search.train_inverse);
    invar_free(search.test_inverse);
    return ok;
}

/* Weights of exp(similarity / 0.07), as in the published protocols of kNN evaluation: near neighbours outvote many
 * far ones. */
void invar_neighbours_vote(const int64_t *index, const double *similarity, int64_t k, const int64_t *train_labels,
                           int classes, double temperature, double *scores)
{
    memset(scores, 0, (size_t)classes * sizeof *scores);
    for (int64_t i = 0; i < k; i++)
        scores[train_labels[index[i]]] += exp(similarity[i] / temperature);
}

double invar_neighbours_average(const int64_t *index, const double *similarity, int64_t k, const double *train_targets,
                                double temperature)
{
    double sum = 0, weights = 0;

    /* Prediction and weights share one exponential, whose offset cancels in the quotient. */
    for (int64_t i = 0; i < k; i++) { /* from the nearest one's, as the exponential of a similarity may be infinite */
        const double weight = exp((similarity[i] - similarity[0]) / temperature);
        sum += weight * train_targets[index[i]];
        weights += weight;
    }
    return sum / weights;
}

/* With fewer training samples than k, all of them vote. */
bool invar_neighbours(const struct invar_matrix *train, const int64_t *train_labels, const struct invar_matrix *test,
                      int classes, int64_t k, double temperature, int64_t *predictions, double *scores,
                      struct invar_error *err)
{
    bool ok = false;
    int64_t *index = NULL;
    double *similarity = NULL, *own = NULL;
    if (!labels_check(train_labels, train->rows, classes, "training samples", false, err))
        return false;
    if (!(temperature >= 1e-3))
        return invar_error_set(err, INVAR_ERROR_USAGE, "the temperature is %g; expected at least 0.001", temperature);
    k = k < train->rows ? k : train->rows;
    index = invar_alloc((size_t)test->rows, (size_t)(k > 0 ? k : 1) * sizeof *index, err);
    similarity = invar_alloc((size_t)test->rows, (size_t)(k > 0 ? k : 1) * sizeof *similarity, err);
    own = invar_alloc((size_t)classes, sizeof *own, err);
    if (!index || !similarity || !own || !invar_neighbours_find(train, test, k, index, similarity, err))
        goto done;
    for (int64_t i = 0; i < test->rows; i++) {
        double *row = scores ? scores + i * classes : own;
        int best = 0;
        invar_neighbours_vote(index + i * k, similarity + i * k, k, train_labels, classes, temperature, row);
        for (int c = 1; c < classes; c++)
            if (row[c] > row[best])
                best = c;
        predictions[i] = best;
    }
    ok = true;
done:
    invar_free(index);
    invar_free(similarity);
    invar_free(own);
    return ok;
}
