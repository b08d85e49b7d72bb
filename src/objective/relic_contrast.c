/* SPDX-License-Identifier: Apache-2.0 */
/* What ReLIC's softmax is over: the whole batch, groups of samples, or a drawn contrast set. The two latter take the
 * logits of the batch to those of fewer columns, and the gradient back. */
#include "objective/relic.h"

#include "invar/expert/random.h"

#define MOST_PAIRS (INVAR_MAX_VIEWS * (INVAR_MAX_VIEWS - 1))

static bool contrast_groups(const struct invar_term_call *call, struct invar_dense_contrast *how,
                            struct invar_matrix *logits, struct invar_error *err)
{
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const int64_t n = logits[0].rows;
    struct invar_matrix grouped[MOST_PAIRS], gradient[MOST_PAIRS];
    int64_t groups;

    int64_t *index = invar_device_take(scratch, (size_t)n, sizeof *index, err);
    if (!index || !invar_dense_group_index(device, scratch, call->in->groups, n, index, &groups, err))
        return false;
    for (int p = 0; p < how->count; p++) {
        /* room for as many groups as samples, so that no batch takes more than the first did */
        if (!invar_dense_take(scratch, logits[p].dtype, n, n, &grouped[p], err) ||
            !invar_dense_take(scratch, logits[p].dtype, n, n, &gradient[p], err))
            return false;
        grouped[p].cols = gradient[p].cols = groups;
        if (!invar_dense_group(device, scratch, &logits[p], index, &grouped[p], err))
            return false;
        invar_dense_copy(device, &grouped[p], &gradient[p]);
    }
    how->match = index;
    if (!invar_dense_contrast(device, scratch, how, gradient, err))
        return false;
    for (int p = 0; p < how->count; p++)
        invar_dense_ungroup(device, &grouped[p], &gradient[p], index, &logits[p]);
    return true;
}

/* rest stays a permutation from row to row: a partial shuffle of any order is as good as one of the first. */
void relic_draw(struct invar_term_key key, int64_t n, int64_t m, int64_t *rest, int64_t *set)
{
    struct invar_random random = invar_random_stream(key.seed, INVAR_RANDOM_TERM, 0, key.step, 0);

    for (int64_t j = 0; j < n - 1; j++)
        rest[j] = j;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0, drawn = 0; j < m; j++) {
            if (j == i % m) {
                set[i * m + j] = i;
                continue;
            }
            const int64_t at = drawn + invar_random_below(&random, (uint32_t)(n - 1 - drawn)), kept = rest[at];
            rest[at] = rest[drawn];
            rest[drawn++] = kept;
            set[i * m + j] = kept < i ? kept : kept + 1;
        }
}

/* Where the members of all sets stand among the n x n logits, as an index. */
static bool take_places(const struct invar_term_call *call, int64_t n, int64_t m, struct invar_matrix *places,
                        struct invar_error *err)
{
    const size_t count = (size_t)n * (size_t)m;
    int64_t *rest = invar_scratch_take(call->scratch, (size_t)n, sizeof *rest, err);
    int64_t *set = invar_scratch_take(call->scratch, count, sizeof *set, err);
    double *host = invar_scratch_take(call->scratch, count, sizeof *host, err);

    if (!rest || !set || !host || !term_matrix(call, n * m, 1, places, err))
        return false;
    relic_draw(call->key, n, m, rest, set);
    for (int64_t at = 0; at < n * m; at++)
        host[at] = (double)(at / m * n + set[at]);
    invar_device_upload(call->device, places->data, host, count * sizeof *host);
    return true;
}

static struct invar_matrix column_of(const struct invar_matrix *x)
{
    return (struct invar_matrix){x->dtype, x->rows * x->cols, 1, x->data};
}

static bool contrast_drawn(const struct invar_term_call *call, int64_t members, struct invar_dense_contrast *how,
                           struct invar_matrix *logits, struct invar_error *err)
{
    const int64_t n = logits[0].rows, m = members < n ? members : n; /* few rows are tried to foretell what many take */
    struct invar_matrix places, drawn[MOST_PAIRS];

    if (!take_places(call, n, m, &places, err))
        return false;
    for (int p = 0; p < how->count; p++) {
        if (!invar_dense_take(call->scratch, logits[p].dtype, n, m, &drawn[p], err))
            return false;
        const struct invar_matrix from = column_of(&logits[p]), to = column_of(&drawn[p]);
        invar_dense_gather(call->device, &from, &places, &to);
    }
    if (!invar_dense_contrast(call->device, call->scratch, how, drawn, err))
        return false;
    for (int p = 0; p < how->count; p++) {
        const struct invar_matrix from = column_of(&drawn[p]), to = column_of(&logits[p]);
        invar_dense_zero(call->device, &to);
        invar_dense_scatter_add(call->device, 1, &from, &places, &to);
    }
    return true;
}

bool relic_contrast(const struct invar_term_call *call, struct invar_dense_contrast *how, struct invar_matrix *logits,
                    struct invar_error *err)
{
    const struct invar_relic_options *o = call->options;

    if (o->groups)
        return contrast_groups(call, how, logits, err);
    if (o->contrast_set)
        return contrast_drawn(call, o->contrast_set, how, logits, err);
    return invar_dense_contrast(call->device, call->scratch, how, logits, err);
}
