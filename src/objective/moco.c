/* SPDX-License-Identifier: Apache-2.0 */
/* MoCo [MO1]: every online output tells its target from the targets of earlier steps, which a queue keeps. The match is
 * a logit of its own, the queue a matrix of others. */
#include "objective/ring.h"

#include <math.h>

struct moco_options {
    double tau;
    int64_t queue;
    bool symmetric;
};

#define AT(field) offsetof(struct moco_options, field)
static const struct invar_option moco_table[] = {
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.2", 1e-4, 1e4, NULL, "temperature; MoCo v1 0.07"},
    {"queue", INVAR_OPTION_INT, AT(queue), "4096", 1, 1 << 22, NULL, "rows that a queue has room for; it begins empty"},
    {"symmetric", INVAR_OPTION_BOOL, AT(symmetric), "true", 0, 0, NULL,
     "both directions, a queue each (solo-learn); false: q1 against t2 alone (the authors, lightly)"},
    {0},
};

static unsigned moco_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Q) | INVAR_ROLE_BIT(INVAR_ROLE_T);
}

static bool moco_reads(const void *options, enum invar_role role, int view)
{
    const struct moco_options *o = options;
    return o->symmetric || view == (role == INVAR_ROLE_Q ? 0 : 1);
}

static bool moco_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct moco_options *o = options;
    const struct invar_matrix *first = &in->by[INVAR_ROLE_Q][0];

    if (in->views != 2 || term_targets(in) != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "moco needs exactly two views of every sample, both with a target, not %d and %d: set "
                               "views.count to 2 and views.local to 0",
                               in->views, term_targets(in));
    for (int v = 0; v < 2; v++)
        for (int role = INVAR_ROLE_Q; role <= INVAR_ROLE_T; role++)
            if (moco_reads(o, (enum invar_role)role, v) &&
                !term_check_input(&invar_term_moco, in, (enum invar_role)role, v, first, first, err))
                return false;
    return first->rows >= 2 ||
           invar_error_set(err, INVAR_ERROR_DATA, "moco needs at least 2 samples in a batch, not %lld: give more",
                           (long long)first->rows);
}

static int directions(const struct moco_options *o)
{
    return o->symmetric ? 2 : 1;
}

static int64_t moco_state_size(const void *options, const struct invar_embeddings *shapes)
{
    const struct moco_options *o = options;
    return ring_size(directions(o), o->queue, shapes->by[INVAR_ROLE_Q][0].cols);
}

/* q of one view against t of the other and the queue of such t */
static bool add_direction(const struct invar_term_call *call, int view, const struct invar_unit *t,
                          const struct invar_matrix *ring, const float *live, double *slot, struct invar_error *err)
{
    const struct moco_options *o = call->options;
    const struct invar_matrix *q = &call->in->by[INVAR_ROLE_Q][view];
    const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Q, view);
    struct invar_device *device = call->device;
    const double share = 1 / ((double)q->rows * directions(o));
    double *own = invar_device_take(call->scratch, (size_t)q->rows, sizeof *own, err);
    struct invar_unit unit;
    struct invar_matrix queue, logits, keys;

    if (!own || !unit_take(device, call->scratch, q, true, wanted, &unit, err) ||
        !ring_read(call, ring, q->dtype, &queue, err) ||
        !invar_dense_take(call->scratch, q->dtype, q->rows, queue.rows, &logits, err) ||
        !invar_dense_take(call->scratch, q->dtype, q->rows, q->cols, &keys, err))
        return false;
    const struct invar_matrix row = term_row(own, q->rows);
    const struct invar_dense_soft how = {
        .own = own, .live = live, .scale = call->weight * share, .factor = share, .slot = slot};
    invar_dense_row_products(device, &unit.y, &t->y, own);
    invar_dense_scale(device, 1 / o->tau, &row);
    invar_dense_product(device, false, true, 1 / o->tau, &unit.y, &queue, 0, &logits);
    if (!invar_dense_soft_contrast(device, call->scratch, &how, &logits, err))
        return false;
    if (!wanted)
        return true;
    invar_dense_copy(device, &t->y, &keys);
    invar_dense_scale_rows(device, own, &keys);
    invar_dense_add(device, 1 / o->tau, &keys, &unit.dy);
    invar_dense_product_own(device, false, false, 1 / o->tau, &logits, &queue, 1, &unit.dy);
    unit_backward(device, &unit, wanted);
    return true;
}

static bool moco_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct moco_options *o = call->options;
    const int64_t n = call->in->by[INVAR_ROLE_Q][0].rows, d = call->in->by[INVAR_ROLE_Q][0].cols;
    const int count = directions(o);
    float *place = ring_place(call, count, o->queue, d);
    double *loss = invar_term_part(call->sum, NULL, 1);
    struct invar_unit t[2];

    for (int v = 0; v < count; v++) { /* the queue of t2 is the last */
        const struct invar_matrix ring = ring_queue(call, count - 1 - v, o->queue, d);
        if (!unit_take(call->device, call->scratch, &call->in->by[INVAR_ROLE_T][1 - v], true, NULL, &t[v], err) ||
            !add_direction(call, v, &t[v], &ring, place + 1, loss, err))
            return false;
        invar_dense_ring_write(call->device, &t[v].y, place, &ring);
    }
    invar_dense_ring_advance(call->device, n, o->queue, place);
    return true;
}

/* of an empty queue: the match is told from nothing */
static bool moco_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    (void)options;
    (void)in;
    *out = (struct invar_term_value){0};
    return true;
}

const struct invar_term_spec invar_term_moco = {
    .name = "moco",
    .help = "contrast with a queue of earlier targets [MO1]",
    .options = moco_table,
    .options_size = sizeof(struct moco_options),
    .reads = moco_reads,
    .roles = moco_roles,
    .check = moco_check,
    .evaluate = moco_evaluate,
    .state_size = moco_state_size,
    .reference = moco_reference,
};
