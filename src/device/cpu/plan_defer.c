/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outputs that are not kept. In plans with statistics of the batch, the output of a norm, of a sum with a norm in it,
 * and of the ReLU behind either is cheap: a few numbers a channel, and maps that are there in any case. So it is made
 * where a layer reads it, and maps are made once more where the backward pass does, always to the same bits. A norm
 * whose only reader is a sum or a ReLU is made with it, in one pass.
 */
#include "device/cpu/plan.h"

/* A norm that nobody has read, and whose one reader may take it in. With a second reader its map would have to be
 * made for that one in any case. */
static bool is_fresh_norm(const struct cpu_plan *plan, int layer)
{
    const struct layer_state *state = &plan->layers[layer];
    return state->term_count == 1 && state->terms[0].norm == layer && state->out.buffer < 0 && state->consumers == 1;
}

/* A list of terms instead of a map: what it would take to make it. Terms are few (NORM_TERMS), and a residual chain
 * that grows past them is made once and starts a new list. */
void plan_defer_norm(struct cpu_plan *plan, int norm)
{
    struct layer_state *state = &plan->layers[norm];
    state->out = (struct value){-1, state->in.layout};
    state->base = -1;
    state->term_count = 1;
    state->terms[0] = (struct term){.source = norm, .norm = norm};
}

/* Only where nobody else reads what is before: with a second reader the map without ReLU has to exist too. */
bool plan_defer_relu(struct cpu_plan *plan, int number)
{
    struct layer_state *state = &plan->layers[number];
    const int source = plan->net->layers[number].input[0];
    const struct layer_state *from = &plan->layers[source];
    if (from->term_count == 0 || from->out.buffer >= 0 || from->consumers != 1 ||
        plan->net->layers[source].kind == INVAR_LAYER_RELU)
        return false;
    state->in = state->out = from->out;
    state->base = from->base;
    state->term_count = from->term_count;
    for (int i = 0; i < from->term_count; i++)
        state->terms[i] = from->terms[i];
    state->terms[state->term_count - 1].relu = true;
    state->fused = is_fresh_norm(plan, source);
    plan->layers[source].fused = state->fused;
    return true;
}

/* One of the two must be a fresh norm, as the sum is then made while that is applied; both layouts must agree, since
 * the pass goes over one index. */
bool plan_defer_add(struct cpu_plan *plan, int number, bool *deferred, struct invar_error *err)
{
    const int *input = plan->net->layers[number].input;
    struct layer_state *state = &plan->layers[number];
    const int main = is_fresh_norm(plan, input[0]) ? input[0] : input[1];
    const int other = main == input[0] ? input[1] : input[0];
    *deferred = main != other && is_fresh_norm(plan, main) &&
                onednn_layout_equal(plan->layers[main].out.layout, plan->layers[other].out.layout);
    if (!*deferred)
        return true;
    const struct layer_state *from = &plan->layers[other];
    const bool together = is_fresh_norm(plan, other);
    if (!together && !plan_make(plan, other, err))
        return false;
    state->out = (struct value){-1, plan->layers[main].out.layout};
    state->base = together ? -1 : other;
    if (from->term_count == 0 || from->term_count == NORM_TERMS) {
        state->term_count = 1;
        state->terms[0] = (struct term){.source = other, .norm = -1};
    } else {
        state->term_count = from->term_count;
        for (int i = 0; i < from->term_count; i++)
            state->terms[i] = from->terms[i];
        /* as the map that the forward pass made */
        state->terms[state->term_count - 1].rounded =
            !together && (plan->activation == INVAR_BFLOAT16 || plan->emulates);
    }
    state->terms[state->term_count++] = plan->layers[main].terms[0];
    return true;
}

/* Where what is made may lie: in a plan without a backward pass over the input of its last norm. Inference without
 * statistics of the batch never comes here: its norms are part of weights, or oneDNN's. */
static bool place(struct cpu_plan *plan, const struct layer_state *state, struct value *out, struct invar_error *err)
{
    const struct term *last = &state->terms[state->term_count - 1];
    const int source = last->norm >= 0 ? plan->net->layers[last->norm].input[0] : -1;
    const struct value in = last->norm >= 0 ? plan->layers[last->norm].in : (struct value){-1, NULL};
    const bool alias = source >= 0 && plan->net->layers[source].kind == INVAR_LAYER_FLATTEN; /* others may read it */
    *out = in;
    return (plan->options.mode != INVAR_PLAN_TRAINING && source >= 0 && !alias && plan->layers[source].consumers == 1 &&
            !plan->buffers[in.buffer].constant) ||
           plan_value(plan, state->out.layout, out, err);
}

/* A map that is there already, as it is. */
static struct term sum_so_far(int base)
{
    return (struct term){.source = base, .norm = -1};
}

/* Everything that the terms read is made first; recursion ends at maps that are there, convolutions' outputs above
 * all. */
bool plan_make(struct cpu_plan *plan, int layer, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[layer];
    struct term terms[NORM_TERMS];
    struct value made;
    int count = 0;
    if (state->term_count == 0 || state->out.buffer >= 0)
        return true;
    if (state->base >= 0 && plan->layers[state->base].out.buffer >= 0) /* all but the last term are there as a map */
        terms[count++] = sum_so_far(state->base);
    for (int i = count ? state->term_count - 1 : 0; i < state->term_count; i++)
        terms[count++] = state->terms[i];
    for (int i = 0; i < count; i++)
        if (terms[i].norm >= 0 ? !plan_norm_input(plan, terms[i].norm, err) : !plan_make(plan, terms[i].source, err))
            return false;
    if (!place(plan, state, &made, err) || !plan_norm_apply(plan, layer, terms, count, made, err))
        return false;
    state->out = made;
    return true;
}

/* Backward passes come here: the map is made once more, to the same bits, instead of being kept over the whole
 * forward pass. */
bool plan_make_input(struct cpu_plan *plan, int layer, struct invar_error *err)
{
    const int source = plan->net->layers[layer].input[0];
    struct layer_state *state = &plan->layers[layer];
    if (plan->layers[source].term_count == 0 || plan->net->layers[source].shape.rank != 3 || state->strided)
        return true; /* what the forward pass read is there */
    if (!plan_make(plan, source, err))
        return false;
    state->in = plan->layers[source].out;
    return true;
}

/* Vectors are small and stay. Where the forward pass made a map for a reader, the backward pass must not take it for
 * one that is kept: its memory has been lent to others since. */
void plan_forget_made(struct cpu_plan *plan)
{
    for (int i = 0; i < plan->net->layer_count; i++)
        if (plan->layers[i].term_count && plan->net->layers[i].shape.rank == 3)
            plan->layers[i].out.buffer = -1;
}
