/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of nets: run forwards and backwards, and updated. */
#include "train/trainer.h"

#include "invar/expert/dense.h"

/* A recipe may have no projector or no predictor: a role then reads the output of the last net before it that is there,
 * so that terms need not know which nets a recipe has. */
int invar_chain_source(const struct invar_trainer *t, enum invar_role role)
{
    int last = role == INVAR_ROLE_H   ? INVAR_NET_ENCODER
               : role == INVAR_ROLE_Q ? INVAR_NET_PREDICTOR
                                      : INVAR_NET_PROJECTOR;

    while (!t->nets[last].net)
        last--;
    return last;
}

/* Points the matrices of a role at rows of one output, view by view; a target network has seen global views alone. */
static void set_role(struct invar_trainer *t, enum invar_role role, const float *output)
{
    const int64_t views = role == INVAR_ROLE_T ? t->global_views : t->views;
    const struct invar_chain_net *n = &t->nets[invar_chain_source(t, role)];
    union {
        const float *in;
        float *out;
    } cast = {output}; /* matrices carry no const; terms only read embeddings */

    for (int64_t v = 0; v < views; v++) {
        struct invar_matrix m = {.dtype = INVAR_FLOAT32, .rows = t->batch, .cols = n->width};
        m.data = cast.out + v * t->batch * n->width;
        t->embeddings.by[role][v] = m;
        m.data = role != INVAR_ROLE_T && n->output_gradient ? n->output_gradient + v * t->batch * n->width : NULL;
        t->gradients.by[role][v] = m;
    }
}

/* The target network sees the global views alone, whose rows come first in the input and so need no copy. */
static bool forward_target(struct invar_trainer *t, struct invar_error *err)
{
    const float *x = t->input; /* it begins with the global views */

    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        struct invar_plan *plan = t->nets[i].target_plan;
        if (!plan)
            continue;
        if (!invar_plan_forward(plan, x, err))
            return false;
        x = invar_plan_output(plan);
    }
    set_role(t, INVAR_ROLE_T, x);
    return true;
}

bool invar_chain_forward(struct invar_trainer *t, struct invar_error *err)
{
    double clock = invar_trainer_clock();
    const float *x = t->input;

    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        struct invar_chain_net *n = &t->nets[i];
        if (!n->net)
            continue;
        if (!invar_plan_forward(n->plan, x, err))
            return false;
        x = invar_plan_output(n->plan);
        if (i == INVAR_NET_ENCODER && !invar_local_forward(t, &x, err))
            return false;
        n->output = x;
        invar_trainer_lap(t, i == INVAR_NET_ENCODER ? INVAR_WORK_ENCODER : INVAR_WORK_HEADS, &clock);
    }
    for (int role = 0; role < INVAR_ROLE_T; role++)
        set_role(t, (enum invar_role)role, t->nets[invar_chain_source(t, (enum invar_role)role)].output);
    if (t->recipe->target.enabled && !forward_target(t, err))
        return false;
    invar_trainer_lap(t, INVAR_WORK_TARGET, &clock);
    return true;
}

/* Net by net from the last: what terms say of a net's own output (output_gradient) and what the net behind it passes
 * back are added before the net's own pass, so that an output that both a term and a head read gets both. */
bool invar_chain_backward(struct invar_trainer *t, struct invar_error *err)
{
    double clock = invar_trainer_clock();
    const float *gradient = NULL; /* of the output of net i, from the net after it */

    for (int i = INVAR_NET_COUNT - 1; i >= 0; i--) {
        struct invar_chain_net *n = &t->nets[i];
        if (!n->net)
            continue;
        if (n->output_gradient && gradient)
            invar_device_add(t->device, n->output_gradient, gradient, 1, t->rows * n->width);
        if (n->output_gradient)
            gradient = n->output_gradient;
        if (!invar_plan_backward(n->plan, gradient, err) ||
            (i == INVAR_NET_ENCODER && !invar_local_backward(t, gradient, err)))
            return false;
        gradient = i > 0 ? invar_plan_input_gradient(n->plan) : NULL;
        invar_trainer_lap(t, i == INVAR_NET_ENCODER ? INVAR_WORK_ENCODER : INVAR_WORK_HEADS, &clock);
    }
    return true;
}

/* ---- updating ---- */

static void update_target(struct invar_trainer *t)
{
    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        const struct invar_chain_net *n = &t->nets[i];
        if (n->target_weights)
            invar_device_follow(t->device, n->target_weights->parameters, n->weights->parameters, n->scalars,
                                n->net->trained_count);
    }
}

void invar_chain_step(struct invar_trainer *t, struct invar_chain_net *n, double rate, double clip,
                      const double *squares)
{
    const struct invar_matrix gradients = {INVAR_FLOAT32, 1, n->net->trained_count, n->weights->gradients};
    double scalars[INVAR_SCALAR_COUNT];

    invar_optimiser_scalars(n->optimiser, rate, t->step + 1, scalars);
    scalars[INVAR_SCALAR_FOLLOW] = t->target_momentum;
    invar_device_upload(t->device, n->scalars, scalars, sizeof scalars);
    invar_device_decide(t->device, t->ledger.slots, t->ledger.count, squares, clip, n->scalars);
    if (clip > 0)
        invar_dense_scale_by(t->device, n->scalars + INVAR_SCALAR_CLIP, &gradients);
    invar_optimiser_update(n->optimiser, n->scalars);
}

/* The norm is of all nets together, as the papers clip; it stands in the ledger before any update, so that a step that
 * is not finite leaves the weights as they were and the last checkpoint good. */
void invar_chain_update(struct invar_trainer *t)
{
    double clock = invar_trainer_clock();

    t->slots.squares = invar_ledger_slot(&t->ledger);
    for (int i = 0; i < INVAR_NET_COUNT; i++)
        if (t->nets[i].net)
            invar_device_sum_squares(t->device, t->nets[i].weights->gradients, t->nets[i].net->trained_count, 1,
                                     t->slots.squares);
    t->rate = invar_length_rate(t);
    t->target_momentum = t->recipe->target.enabled ? invar_length_momentum(t) : 0;
    invar_layers_keep(t);
    for (int i = 0; i < INVAR_NET_COUNT; i++)
        if (t->nets[i].net)
            invar_chain_step(t, &t->nets[i], t->rate, t->recipe->training.clip, t->slots.squares);
    invar_layers_scale(t);
    if (t->recipe->target.enabled)
        update_target(t);
    invar_trainer_lap(t, INVAR_WORK_OPTIMISER, &clock);
}
