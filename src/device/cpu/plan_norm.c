/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm over groups of rows: every view of a batch has its own statistics while convolutions see all views at
   once. With statistics of the batch the kernels are ours (norm.h), and the output is made where it is read
   (plan_defer.c); with running ones, in inference, what is not part of the layer before (plan_fold.c) is oneDNN's. */
#include "device/cpu/plan.h"

/* What the operand x of a term is, in its id. Above every id of oneDNN's, so that the two cannot be confused in an
 * operand. */
enum { TERM = 0x1000, TERM_NORM = 1, TERM_RELU = 2, TERM_ROUNDED = 4 };

/* ---- what runs ---- */

/* Statistics have a stride of whole vectors, so that a kernel reads past the last channel within its own row. */
static bool shape_of(const struct cpu_plan *plan, int layer, const struct layout *layout, struct norm_shape *out)
{
    const int64_t channels = plan->net->layers[layer].shape.channels;
    const struct invar_plan_ranks *ranks = plan->options.ranks;
    *out = (struct norm_shape){.groups = plan->options.groups,
                               .channels = channels,
                               .stride = (channels + 15) / 16 * 16,
                               .half = onednn_layout_dtype(layout) == INVAR_BFLOAT16,
                               .ranks = plan->alone || !ranks || !ranks->gather ? NULL : ranks};
    return onednn_layout_form(layout, &out->form);
}

/* running <- (1 - momentum) running + momentum batch value, group after group. The variance of the batch is the biased
   one, the running variance takes the unbiased. */
/* In double where the momentum is turned into two factors, which must add up to 1; the rest in float as PyTorch keeps
 * them. */
static void running_statistics(const struct cpu_plan *plan, const struct operation *op, const struct norm_shape *shape,
                               const float *statistics, float *mean, float *variance)
{
    const double momentum = plan->net->layers[op->layer].momentum;
    const int64_t here = shape->form.rows / shape->groups * shape->form.pixels;
    const int64_t rows = here * (shape->ranks ? shape->ranks->count : 1);
    const float take = (float)momentum, keep = (float)(1.0 - momentum);
    const float unbiased = rows > 1 ? (float)((double)rows / (double)(rows - 1)) : 1.0f;
    for (int64_t group = 0; group < op->groups; group++) {
        const float *m = statistics + (group * NORM_ROWS + NORM_MEAN) * shape->stride;
        const float *v = statistics + (group * NORM_ROWS + NORM_VARIANCE) * shape->stride;
        for (int64_t j = 0; j < shape->channels; j++) {
            mean[j] = keep * mean[j] + take * m[j];
            variance[j] = keep * variance[j] + take * unbiased * v[j];
        }
    }
}

/* Running statistics follow right away, while the batch's are in the cache; on a resumed run they continue from the
 * checkpoint's. */
static void run_statistics(const struct cpu_plan *plan, const struct operation *op)
{
    const struct norm_parameters parameters = {plan_data(plan, op, 1), plan_data(plan, op, 2),
                                               plan->net->layers[op->layer].epsilon};
    float *statistics = plan_data(plan, op, 3);
    struct norm_shape shape;
    if (!shape_of(plan, op->layer, op->operands[0].layout, &shape))
        return;
    norm_statistics(&shape, plan_data(plan, op, 0), &parameters, statistics, plan_data(plan, op, 4));
    running_statistics(plan, op, &shape, statistics, plan_data(plan, op, 5), plan_data(plan, op, 6));
}

/* Operands are a list: x, then its statistics where it is a norm; ids say which is what. */
static void run_apply(const struct cpu_plan *plan, const struct operation *op)
{
    struct norm_term terms[NORM_TERMS] = {{0}};
    struct norm_shape shape;
    int count = 0;
    if (!shape_of(plan, op->layer, op->operands[op->output].layout, &shape))
        return;
    for (int k = 0; k < op->output; k++) {
        const int id = op->operands[k].id;
        struct norm_term *term = &terms[count++];
        *term = (struct norm_term){
            .x = plan_data(plan, op, k), .relu = (id & TERM_RELU) != 0, .rounded = (id & TERM_ROUNDED) != 0};
        if (id & TERM_NORM)
            term->statistics = plan_data(plan, op, ++k);
    }
    norm_apply(&shape, terms, count, plan_data(plan, op, op->output));
}

/* The ReLU behind the norm, where it was made with it, is undone here as well: its mask needs x and the statistics
 * alone. */
static void run_backward(const struct cpu_plan *plan, const struct operation *op)
{
    struct norm_shape shape;
    if (shape_of(plan, op->layer, op->operands[0].layout, &shape))
        norm_backward(&shape, plan_data(plan, op, 0), plan_data(plan, op, 1), plan->layers[op->layer].fused,
                      plan_data(plan, op, 2), plan_data(plan, op, 3), plan_data(plan, op, 4), plan_data(plan, op, 5),
                      plan_data(plan, op, 6));
}

/* ---- with statistics of the batch ---- */

/* A norm that reads a sum of norms has an input that was never kept: it is made here. */
bool plan_norm_input(struct cpu_plan *plan, int norm, struct invar_error *err)
{
    const int source = plan->net->layers[norm].input[0];
    struct layer_state *state = &plan->layers[norm];
    if (plan->layers[source].term_count == 0)
        return true;
    return plan_make(plan, source, err) &&
           plan_convert(plan, WORK_REORDER, norm, plan->layers[source].out, state->in.layout, &state->in, err);
}

/* The input, channels last where it lies in no way that our kernels know. Convolutions' outputs are in blocks or
 * channels last, so a conversion is rare. */
static bool known_input(struct cpu_plan *plan, int number, struct norm_shape *shape, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    const struct value from = plan->layers[plan->net->layers[number].input[0]].out;
    state->in = from;
    if (shape_of(plan, number, from.layout, shape))
        return true;
    const struct layout *known =
        plan_layout(plan, plan->net->layers[number].shape, onednn_layout_dtype(from.layout), LAYOUT_CHANNEL_LAST, err);
    return known && plan_convert(plan, WORK_REORDER, number, from, known, &state->in, err) &&
           (shape_of(plan, number, known, shape) || plan_no_kernel(plan, number, err));
}

/* The forward pass of a norm in training is this alone, two numbers a channel and group; the map itself is a term. */
static bool statistics(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    struct value parameter[4];
    struct norm_shape shape;
    if (!known_input(plan, number, &shape, err))
        return false;
    const int scratch = plan_buffer(plan, norm_scratch_bytes(&shape), err);
    state->statistics = plan_buffer(plan, norm_statistics_bytes(&shape), err);
    if (scratch < 0 || state->statistics < 0)
        return false;
    for (int slot = 0; slot < 4; slot++)
        if (!plan_parameter(plan, number, slot, false, &parameter[slot], err))
            return false;
    struct operation *op = plan_operation(plan, WORK_NORM_FORWARD, number, NULL, err);
    if (!op)
        return false;
    op->run = run_statistics;
    op->groups = plan->options.running_groups ? plan->options.running_groups : plan->options.groups;
    plan_operand(op, 0, state->in.buffer, 0, state->in.layout);
    plan_operand(op, 0, parameter[0].buffer, 0, NULL);
    plan_operand(op, 0, parameter[1].buffer, 0, NULL);
    plan_operand(op, 0, state->statistics, 0, NULL);
    plan_operand(op, 0, scratch, 0, NULL);
    plan_operand(op, 0, parameter[2].buffer, 0, NULL);
    plan_operand(op, 0, parameter[3].buffer, 0, NULL);
    plan_defer_norm(plan, number);
    return true;
}

/* One operation for a whole chain of terms, in one pass over memory. */
bool plan_norm_apply(struct cpu_plan *plan, int layer, const struct term *terms, int count, struct value out,
                     struct invar_error *err)
{
    const bool again = plan->forward_count > 0;
    const int norm = terms[count - 1].norm; /* what is not finite, is by its parameters */
    struct operation *op =
        plan_operation(plan, again ? WORK_NORM_AGAIN : WORK_NORM_FORWARD, norm >= 0 ? norm : layer, NULL, err);
    if (!op)
        return false;
    op->run = run_apply;
    for (int i = 0; i < count; i++) {
        const struct term *term = &terms[i];
        const struct value x = term->norm >= 0 ? plan->layers[term->norm].in : plan->layers[term->source].out;
        const int id = TERM | (term->norm >= 0 ? TERM_NORM : 0) | (term->relu ? TERM_RELU : 0) |
                       (term->rounded ? TERM_ROUNDED : 0);
        plan_operand(op, id, x.buffer, 0, NULL);
        if (term->norm >= 0)
            plan_operand(op, 0, plan->layers[term->norm].statistics, 0, NULL);
    }
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, out.buffer, 0, out.layout);
    return true;
}

/* Over its own input, the gradient by the output, where nobody reads that again. */
bool plan_batchnorm_backward(struct cpu_plan *plan, int number, struct value gradient, bool in_place, struct value *out,
                             struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    struct value scale, shift;
    struct norm_shape shape;
    *out = gradient;
    if (!shape_of(plan, number, state->in.layout, &shape))
        return plan_no_kernel(plan, number, err);
    const int scratch = plan_buffer(plan, norm_scratch_bytes(&shape), err);
    if (scratch < 0 || (!in_place && !plan_value(plan, state->in.layout, out, err)) ||
        !plan_parameter(plan, number, 0, true, &scale, err) || !plan_parameter(plan, number, 1, true, &shift, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_NORM_BACKWARD, number, NULL, err);
    if (!op)
        return false;
    op->run = run_backward;
    plan_operand(op, 0, state->in.buffer, 0, state->in.layout);
    plan_operand(op, 0, state->statistics, 0, NULL);
    plan_operand(op, DNNL_ARG_DIFF_DST, gradient.buffer, 0, gradient.layout);
    plan_operand(op, DNNL_ARG_DIFF_SRC, out->buffer, 0, out->layout);
    plan_operand(op, 0, scale.buffer, 0, NULL);
    plan_operand(op, 0, shift.buffer, 0, NULL);
    plan_operand(op, 0, scratch, 0, NULL);
    return true;
}

/* ---- with running statistics ---- */

/* Vectors go through oneDNN's batch norm as maps of one pixel. It knows channels of maps alone. */
static const struct layout *norm_layout(struct cpu_plan *plan, int layer, const struct layout *layout,
                                        struct invar_error *err)
{
    struct invar_shape shape = plan->net->layers[layer].shape;
    if (shape.rank == 3)
        return layout;
    shape.rank = 3;
    return plan_layout(plan, shape, INVAR_FLOAT32, LAYOUT_CHANNEL_LAST, err);
}

/* Fused with ReLU where that was asked for and exists; *relu says what it became. In inference after anything but a
 * convolution or linear layer; those have the norm in their weights. */
static const struct kernel *running_kernel(struct cpu_plan *plan, int number, const struct layout *layout, bool *relu,
                                           struct invar_error *err)
{
    const double epsilon = plan->net->layers[number].epsilon;
    const struct kernel *kernel = NULL;
    if (*relu)
        kernel = onednn_batchnorm(plan->onednn, layout, epsilon, true, err);
    *relu = kernel != NULL;
    if (!kernel)
        kernel = onednn_batchnorm(plan->onednn, layout, epsilon, false, err);
    if (!kernel)
        plan_no_kernel(plan, number, err);
    return kernel;
}

/* In place where it may be, as running statistics need no second look at x. */
static bool running(struct cpu_plan *plan, int number, bool relu_follows, struct invar_error *err)
{
    static const int ids[] = {DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE};
    struct layer_state *state = &plan->layers[number];
    struct value parameter[4];
    const int source = plan->net->layers[number].input[0];
    const bool alias = plan->net->layers[source].kind == INVAR_LAYER_FLATTEN; /* of a map that others may read */
    state->in = state->out = plan->layers[source].out;
    const struct layout *layout = norm_layout(plan, number, state->in.layout, err);
    state->fused = relu_follows;
    state->forward = layout ? running_kernel(plan, number, layout, &state->fused, err) : NULL;
    if (!state->forward)
        return false;
    if (relu_follows)
        plan->layers[number + 1].fused = state->fused;
    if ((alias || plan->layers[source].consumers > 1 || plan->buffers[state->in.buffer].constant) &&
        !plan_value(plan, state->in.layout, &state->out, err))
        return false;
    for (int slot = 0; slot < 4; slot++)
        if (!plan_parameter(plan, number, slot, false, &parameter[slot], err))
            return false;
    struct operation *op = plan_operation(plan, WORK_NORM_FORWARD, number, state->forward, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, 0, layout);
    for (int slot = 0; slot < 4; slot++)
        plan_operand(op, ids[slot], parameter[slot].buffer, 0, parameter[slot].layout);
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, layout);
    return true;
}

/* Target networks too take statistics of the batch: only inference has running ones. */
bool plan_batchnorm_forward(struct cpu_plan *plan, int number, bool relu_follows, struct invar_error *err)
{
    return plan->options.mode == INVAR_PLAN_INFERENCE ? running(plan, number, relu_follows, err)
                                                      : statistics(plan, number, err);
}
