/* SPDX-License-Identifier: Apache-2.0 */
/* What a term finds on its way to its value. */
#include "golden_runner/golden.h"

#include <stdlib.h>
#include <string.h>

static void give_index(struct golden_case *c, const char *name, const struct invar_matrix *index)
{
    int64_t *whole = malloc(sizeof *whole * (size_t)index->rows);
    double *numbers = malloc(sizeof *numbers * (size_t)index->rows);

    if (whole && numbers) {
        invar_device_download(c->device, numbers, index->data, sizeof *numbers * (size_t)index->rows);
        for (int64_t i = 0; i < index->rows; i++)
            whole[i] = (int64_t)numbers[i];
        golden_give_integers(c, name, whole, index->rows);
    }
    free(numbers);
    free(whole);
}

static bool give_koleo(struct golden_case *c, const struct invar_embeddings *in, struct invar_scratch *scratch,
                       struct invar_error *err)
{
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][0];
    struct invar_matrix x, gram, index;
    double *row = invar_device_take(scratch, (size_t)z->rows, sizeof *row, err);

    if (!row || !invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->cols, &x, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, z->rows, z->rows, &gram, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, z->rows, 1, &index, err))
        return false;
    invar_dense_copy(c->device, z, &x);
    if (golden_flag(c, "normalise"))
        invar_dense_normalise(c->device, &x, &x, row);
    invar_dense_gram(c->device, false, 1, &x, &gram);
    invar_dense_distances(c->device, &gram, row);
    invar_dense_nearest(c->device, &x, &gram, &index);
    give_index(c, "neighbours", &index);
    return true;
}

static bool give_neighbours(struct golden_case *c, const struct invar_embeddings *in, const float *state,
                            struct invar_scratch *scratch, struct invar_error *err)
{
    const struct invar_array *kept = golden_input(c, "state.queue");

    for (int v = 0; kept && v < 2; v++) {
        const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
        const struct invar_matrix ring = {INVAR_FLOAT32, kept->shape[0], z->cols, (void *)state};
        const float *live = state + kept->shape[0] * z->cols + 1;
        struct invar_matrix x, queue, similar, index;
        double *lengths = invar_device_take(scratch, (size_t)z->rows, sizeof *lengths, err);
        if (!lengths || !invar_dense_take(scratch, z->dtype, z->rows, z->cols, &x, err) ||
            !invar_dense_take(scratch, z->dtype, ring.rows, z->cols, &queue, err) ||
            !invar_dense_take(scratch, z->dtype, z->rows, ring.rows, &similar, err) ||
            !invar_dense_take(scratch, INVAR_FLOAT64, z->rows, 1, &index, err))
            return false;
        invar_dense_copy(c->device, &ring, &queue);
        invar_dense_normalise(c->device, z, &x, lengths);
        invar_dense_product(c->device, false, true, 1, &x, &queue, 0, &similar);
        invar_dense_largest(c->device, &similar, live, &index);
        give_index(c, v ? "neighbours2" : "neighbours1", &index);
    }
    return true;
}

/* scores of a view, and of its queue behind them */
static bool take_scores(struct golden_case *c, const struct invar_embeddings *in, int v, const struct invar_array *kept,
                        struct invar_scratch *scratch, struct invar_matrix *all, struct invar_error *err)
{
    const struct invar_matrix *q = &in->by[INVAR_ROLE_Q][v], *z = &in->by[INVAR_ROLE_Z][v];
    const struct invar_matrix *p = &in->by[INVAR_ROLE_W][0];
    const bool given = q->rows > 0;
    const int64_t n = given ? q->rows : z->rows, k = given ? q->cols : p->rows, more = kept ? kept->shape[0] : 0;
    struct invar_matrix x, wide;
    double *lengths = invar_device_take(scratch, (size_t)n, sizeof *lengths, err);

    if (!lengths || !invar_dense_take(scratch, INVAR_FLOAT64, n + more, k, all, err))
        return false;
    const struct invar_matrix batch = {INVAR_FLOAT64, n, k, all->data};
    if (given) {
        invar_dense_copy(c->device, q, &batch);
        return true;
    }
    if (!invar_dense_take(scratch, INVAR_FLOAT64, n, z->cols, &x, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, k, z->cols, &wide, err))
        return false;
    invar_dense_copy(c->device, z, &x);
    invar_dense_copy(c->device, p, &wide);
    invar_dense_normalise(c->device, &x, &x, lengths);
    invar_dense_product(c->device, false, true, 1, &x, &wide, 0, &batch);
    const struct invar_matrix behind = {INVAR_FLOAT64, more, k, (double *)all->data + n * k};
    const struct invar_matrix rows = {INVAR_FLOAT64, more, z->cols, kept ? kept->data : NULL};
    if (more)
        invar_dense_product(c->device, false, true, 1, &rows, &wide, 0, &behind);
    return true;
}

static bool give_assignments(struct golden_case *c, const struct invar_embeddings *in, const float *state,
                             int64_t count, struct invar_scratch *scratch, struct invar_error *err)
{
    for (int v = 0; v < 2; v++) {
        const struct invar_array *kept = golden_input(c, v ? "state.queue2" : "state.queue1");
        struct invar_matrix all, p;
        if (!take_scores(c, in, v, kept, scratch, &all, err) ||
            !invar_dense_take(scratch, INVAR_FLOAT64, all.rows, all.cols, &p, err))
            return false;
        const int64_t more = kept ? kept->shape[0] : 0, n = all.rows - more;
        p.rows = n;
        if (!invar_dense_sinkhorn(c->device, scratch, golden_real(c, "epsilon", 0.05),
                                  (int64_t)golden_real(c, "iterations", 3), &all, more, kept ? state + count - 2 : NULL,
                                  &p, err))
            return false;
        golden_give_data(c, v ? "assignments2" : "assignments1", false, INVAR_FLOAT64, p.data, n * p.cols);
    }
    return true;
}

bool golden_give_beside(struct golden_case *c, const struct invar_term_spec *term, const struct invar_embeddings *in,
                        const float *state, int64_t count, struct invar_scratch *scratch, struct invar_error *err)
{
    if (strcmp(term->name, "koleo") == 0)
        return give_koleo(c, in, scratch, err);
    if (strcmp(term->name, "nnclr") == 0)
        return give_neighbours(c, in, state, scratch, err);
    return strcmp(term->name, "swav") != 0 || give_assignments(c, in, state, count, scratch, err);
}
