/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of nets: run forwards and backwards, and updated. */
#include "train/chain.h"
#include "base/matrix.h"

#include "invar/expert/dense.h"

/* A recipe may have no projector or no predictor: a role then reads the output of the last net before it that is there,
 * so that terms need not know which nets a recipe has. */
const struct invar_chain_net *chain_source(const struct invar_chain *c, enum invar_role role)
{
    /* H is always the encoder's; Q without a predictor is z, so that BYOL's loss without one is that of two equal
     * branches. */
    int last = role == INVAR_ROLE_H   ? INVAR_NET_ENCODER
               : role == INVAR_ROLE_Q ? INVAR_NET_PREDICTOR
                                      : INVAR_NET_PROJECTOR;

    while (!c->nets[last].net)
        last--;
    return &c->nets[last];
}

/* Points the matrices of a role at rows of one output, view by view; a target network has seen global views alone.
 * Views stand one behind the other in the output, so a view of a role is a stretch of rows and nothing is copied. */
static void set_role(struct invar_chain *c, const struct invar_batch *b, enum invar_role role, const float *output)
{
    const int64_t views = role == INVAR_ROLE_T ? b->global_views : b->views;
    const struct invar_chain_net *n = chain_source(c, role);
    float *gradient = n->shared.gradient ? n->shared.gradient : n->output_gradient;
    for (int64_t v = 0; v < views; v++) {
        struct invar_matrix m =
            matrix_over(INVAR_FLOAT32, b->all, n->width, output ? output + v * b->all * n->width : NULL);
        c->embeddings.by[role][v] = m;
        m.data = role != INVAR_ROLE_T && gradient ? gradient + v * b->all * n->width : NULL;
        c->gradients.by[role][v] = m;
    }
}

/* What terms read of a role: the output of a net, or where there are ranks that of all, if it was asked for. NULL
 * where not, with the shape that it would have: nobody may read rows that were never sent. */
static const float *output_of(const struct invar_chain *c, enum invar_role role, unsigned roles)
{
    const struct invar_chain_net *n = chain_source(c, role);

    if (!n->shared.output)
        return role == INVAR_ROLE_T ? invar_plan_output(n->target_plan) : n->output;
    return !(roles & INVAR_ROLE_BIT(role)) ? NULL : role == INVAR_ROLE_T ? n->shared.target : n->shared.output;
}

/* The target network sees the global views alone, whose rows come first in the input and so need no copy. Its batch
 * norms take statistics of the batch, as those of the online network do (INVAR_PLAN_FORWARD): with running ones the
 * two would see one view in different units as long as these have not settled. */
static bool forward_target(const struct invar_chain *c, const struct invar_batch *b, struct invar_error *err)
{
    const float *x = b->input; /* it begins with the global views */

    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        struct invar_plan *plan = c->nets[i].target_plan;
        if (!plan)
            continue;
        if (!invar_plan_forward(plan, x, err))
            return false;
        x = invar_plan_output(plan);
    }
    return true;
}

/* The same call as in a step, without data: what is checked and measured before the first step has exactly the shapes
 * that the step will have. */
void chain_shapes(struct invar_chain *c, const struct invar_batch *b)
{
    const int last = c->given->recipe->target.enabled ? INVAR_ROLE_T : INVAR_ROLE_Q;

    c->embeddings.views = c->gradients.views = (int)b->views;
    c->embeddings.targets = c->gradients.targets = (int)b->global_views;
    for (int role = 0; role <= last; role++)
        set_role(c, b, (enum invar_role)role, NULL);
}

/* All views in one pass, since that makes products and convolutions as large as they can be; batch norms see views
 * apart (options.groups of a plan), as two passes of two views would. Terms read outputs where the plans left them:
 * until the next forward pass, or the backward pass, nothing else may run on these plans. */
bool chain_forward(struct invar_chain *c, const struct invar_batch *b, unsigned roles, struct invar_error *err)
{
    const int last = c->given->recipe->target.enabled ? INVAR_ROLE_T : INVAR_ROLE_Q;
    double clock = times_now();
    const float *x = b->input;

    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        struct invar_chain_net *n = &c->nets[i];
        if (!n->net)
            continue;
        if (!invar_plan_forward(n->plan, x, err))
            return false;
        x = invar_plan_output(n->plan);
        if (i == INVAR_NET_ENCODER && !local_forward(c, b, &x, err))
            return false;
        n->output = x;
        times_lap(c->given->times, i == INVAR_NET_ENCODER ? INVAR_WORK_ENCODER : INVAR_WORK_HEADS, &clock);
    }
    if (c->given->recipe->target.enabled && !forward_target(c, b, err))
        return false;
    times_lap(c->given->times, INVAR_WORK_TARGET, &clock);
    if (!shared_outputs(c, b, roles, err))
        return false;
    for (int role = 0; role <= last; role++)
        set_role(c, b, (enum invar_role)role, output_of(c, (enum invar_role)role, roles));
    batch_offer(b, &c->embeddings);
    return true;
}

/* Net by net from the last: what terms say of a net's own output (output_gradient) and what the net behind it passes
 * back are added before the net's own pass, so that an output that both a term and a head read gets both. Where local
 * views add to the encoder's gradients, these are there at the end alone. */
bool chain_backward(struct invar_chain *c, const struct invar_batch *b, bool sums, struct invar_error *err)
{
    double clock = times_now();
    const float *gradient = NULL; /* of the output of net i, from the net after it */

    shared_gradients(c, b);
    for (int i = INVAR_NET_COUNT - 1; i >= 0; i--) {
        struct invar_chain_net *n = &c->nets[i];
        if (!n->net)
            continue;
        if (n->output_gradient && gradient)
            invar_device_add(c->given->device, n->output_gradient, gradient, 1, b->rows * n->width);
        if (n->output_gradient)
            gradient = n->output_gradient;
        const bool whole = i != INVAR_NET_ENCODER || !c->local.plan;
        if (sums && whole)
            shared_sum(c->given, n, false);
        if (!invar_plan_backward(n->plan, gradient, err) ||
            (i == INVAR_NET_ENCODER && !local_backward(c, b, gradient, err)))
            return false;
        if (sums && !whole)
            shared_sum(c->given, n, true);
        gradient = i > 0 ? invar_plan_input_gradient(n->plan) : NULL;
        times_lap(c->given->times, i == INVAR_NET_ENCODER ? INVAR_WORK_ENCODER : INVAR_WORK_HEADS, &clock);
    }
    return true;
}

/* ---- updating ---- */

/* After the optimiser, so that the target follows the new parameters [R4]. Batch statistics are not averaged: the
 * target network keeps its own, of its own forward passes. */
static void update_target(const struct invar_chain *c)
{
    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        const struct invar_chain_net *n = &c->nets[i];
        if (n->target_weights)
            invar_device_follow(c->given->device, n->target_weights->parameters, n->weights->parameters, n->scalars,
                                n->net->trained_count);
    }
}

/* The norm is of all nets together, as the papers clip; it stands in the ledger before any update, so that a step that
 * is not finite leaves the weights as they were and the last checkpoint good. */
void chain_update(struct invar_chain *c, const struct invar_clock *k, struct invar_ledger *ledger)
{
    double clock = times_now();

    double *squares = invar_ledger_slot(ledger);

    c->squares = squares;
    for (int i = 0; i < INVAR_NET_COUNT; i++)
        if (c->nets[i].net)
            invar_device_sum_squares(c->given->device, c->nets[i].weights->gradients, c->nets[i].net->trained_count, 1,
                                     squares);
    layers_keep(c);
    for (int i = 0; i < INVAR_NET_COUNT; i++)
        if (c->nets[i].net)
            chain_net_step(&c->nets[i], k, ledger, k->rate, c->given->recipe->training.clip, c->squares);
    layers_scale(c);
    if (c->given->recipe->target.enabled)
        update_target(c);
    times_lap(c->given->times, INVAR_WORK_OPTIMISER, &clock);
}
