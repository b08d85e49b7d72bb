/* SPDX-License-Identifier: Apache-2.0 */
/* NNCLR [NN1]: predictions of one view against the nearest earlier embedding of the other, among those of the batch. */
#include "objective/ring.h"

#include <math.h>

struct nnclr_options {
    double tau;
    int64_t queue;
};

#define AT(field) offsetof(struct nnclr_options, field)
static const struct invar_option nnclr_table[] = {
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.1", 1e-4, 1e4, NULL, "temperature"},
    {"queue", INVAR_OPTION_INT, AT(queue), "4096", 1, 1 << 22, NULL,
     "rows of view 1 that are kept; while it is empty every embedding is its own neighbour"},
    {0},
};

static unsigned nnclr_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z) | INVAR_ROLE_BIT(INVAR_ROLE_Q);
}

static bool nnclr_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "nnclr needs exactly two views of every sample, not %d: set views.count to 2 and "
                               "views.local to 0",
                               in->views);
    return term_check_shapes(&invar_term_nnclr, in, nnclr_roles(options), 2, err) &&
           term_check_input(&invar_term_nnclr, in, INVAR_ROLE_Q, 0, &in->by[INVAR_ROLE_Z][0], &in->by[INVAR_ROLE_Z][0],
                            err);
}

static int64_t nnclr_state_size(const void *options, const struct invar_embeddings *shapes)
{
    const struct nnclr_options *o = options;
    return ring_size(1, o->queue, shapes->by[INVAR_ROLE_Z][0].cols);
}

/* out: the rows of the queue nearest to those of z, or z where there are none yet */
static bool take_neighbours(const struct invar_term_call *call, const struct invar_matrix *queue, const float *live,
                            const struct invar_matrix *z, struct invar_matrix *out, struct invar_error *err)
{
    struct invar_device *device = call->device;
    double *lengths = invar_device_take(call->scratch, (size_t)z->rows, sizeof *lengths, err);
    struct invar_matrix similar, index;

    if (!lengths || !invar_dense_take(call->scratch, z->dtype, z->rows, queue->rows, &similar, err) ||
        !invar_dense_take(call->scratch, INVAR_FLOAT64, z->rows, 1, &index, err) ||
        !invar_dense_take(call->scratch, z->dtype, z->rows, z->cols, out, err))
        return false;
    invar_dense_product(device, false, true, 1, z, queue, 0, &similar);
    invar_dense_largest(device, &similar, live, &index);
    invar_dense_copy(device, z, out);
    invar_dense_gather(device, queue, &index, out);
    invar_dense_normalise(device, out, out, lengths);
    return true;
}

static bool nnclr_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct nnclr_options *o = call->options;
    struct invar_device *device = call->device;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z], *q = call->in->by[INVAR_ROLE_Q];
    const int64_t n = z->rows, d = z->cols;
    const struct invar_matrix ring = ring_queue(call, 0, o->queue, d);
    float *place = ring_place(call, 1, o->queue, d);
    const double share = 1 / (2 * (double)n);
    struct invar_dense_contrast how = {.count = 1,
                                       .contrast_scale = call->weight * share,
                                       .contrast_factor = share,
                                       .contrast_slot = invar_term_part(call->sum, NULL, 1)};
    struct invar_unit unit[2], online;
    struct invar_matrix queue, neighbours, logits;

    if (!ring_read(call, &ring, z->dtype, &queue, err) ||
        !invar_dense_take(call->scratch, z->dtype, n, n, &logits, err))
        return false;
    for (int v = 0; v < 2; v++) {
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Q, 1 - v);
        if (!unit_take(device, call->scratch, &z[v], true, NULL, &unit[v], err) ||
            !take_neighbours(call, &queue, place + 1, &unit[v].y, &neighbours, err) ||
            !unit_take(device, call->scratch, &q[1 - v], true, wanted, &online, err))
            return false;
        invar_dense_product(device, false, true, 1 / o->tau, &neighbours, &online.y, 0, &logits);
        if (!invar_dense_contrast(device, call->scratch, &how, &logits, err))
            return false;
        if (!wanted)
            continue;
        invar_dense_product_own(device, true, false, 1 / o->tau, &logits, &neighbours, 1, &online.dy);
        unit_backward(device, &online, wanted);
    }
    invar_dense_ring_write(device, &unit[0].y, place, &ring);
    invar_dense_ring_advance(device, n, o->queue, place);
    return true;
}

/* of an empty queue */
static bool nnclr_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct nnclr_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z], *q = in->by[INVAR_ROLE_Q];
    const int64_t n = z->rows;
    double loss = 0;

    for (int v = 0; v < 2; v++)
        for (int64_t i = 0; i < n; i++) {
            const double match = reference_dot(&z[v], i, &q[1 - v], i, true) / o->tau;
            double sum = 0;
            for (int64_t j = 0; j < n; j++)
                sum += exp(reference_dot(&z[v], i, &q[1 - v], j, true) / o->tau - match);
            loss += log(sum) / (2 * (double)n);
        }
    *out = (struct invar_term_value){.loss = loss};
    return true;
}

const struct invar_term_spec invar_term_nnclr = {
    .name = "nnclr",
    .help = "contrast of predictions with nearest earlier neighbours [NN1]",
    .options = nnclr_table,
    .options_size = sizeof(struct nnclr_options),
    .roles = nnclr_roles,
    .check = nnclr_check,
    .evaluate = nnclr_evaluate,
    .state_size = nnclr_state_size,
    .reference = nnclr_reference,
};
