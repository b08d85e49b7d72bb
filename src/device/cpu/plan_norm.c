/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm over groups of rows: one kernel for batch / groups rows, run once a group, so that every view of a batch
   has its own statistics while convolutions see all views at once. ReLU is fused where oneDNN can. */
#include "device/cpu/plan.h"

#define ALIGNMENT 64

/* Vectors go through batch norm as maps of one pixel. */
static const struct layout *norm_layout(struct cpu_plan *plan, int layer, const struct layout *layout,
                                        struct invar_error *err)
{
    struct invar_shape shape = plan->net->layers[layer].shape;
    if (shape.rank == 3)
        return layout;
    shape.rank = 3;
    return plan_layout(plan, shape, INVAR_FLOAT32, LAYOUT_CHANNEL_LAST, err);
}

/* Room for one number a channel. oneDNN works on whole vectors of channels, and so may write up to 15 numbers more than
   there are channels. */
static int64_t channel_stride(const struct cpu_plan *plan, int layer)
{
    return (plan->net->layers[layer].shape.channels + 15) / 16 * 16;
}

static size_t channel_bytes(const struct cpu_plan *plan, int layer)
{
    return (size_t)channel_stride(plan, layer) * sizeof(float);
}

static const struct layout *channel_layout(struct cpu_plan *plan, int layer, struct invar_error *err)
{
    return onednn_layout(plan->onednn, INVAR_FLOAT32, 1, &plan->net->layers[layer].shape.channels, LAYOUT_PLAIN, err);
}

/* running <- (1 - momentum) running + momentum batch value, group after group. */
static bool running_statistics(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct value mean, variance;
    if (!plan_parameter(plan, number, 2, false, &mean, err) || !plan_parameter(plan, number, 3, false, &variance, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_NORM_FORWARD, number, NULL, err);
    if (!op)
        return false;
    op->run = rows_running_statistics;
    op->rows = plan->options.batch / plan->options.groups * layer->shape.height * layer->shape.width;
    op->cols = layer->shape.channels;
    op->stride = channel_stride(plan, number);
    op->groups = plan->options.running_groups ? plan->options.running_groups : plan->options.groups;
    op->number = layer->momentum;
    plan_operand(op, 0, plan->layers[number].statistics, 0, NULL);
    plan_operand(op, 0, mean.buffer, 0, NULL);
    plan_operand(op, 0, variance.buffer, 0, NULL);
    return true;
}

/* Running statistics as given ones, for inference. */
static bool inference(struct cpu_plan *plan, int number, const struct layout *layout, struct value scale,
                      struct value shift, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    struct value mean, variance;
    if (!plan_parameter(plan, number, 2, false, &mean, err) || !plan_parameter(plan, number, 3, false, &variance, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_NORM_FORWARD, number, state->forward, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, 0, layout);
    plan_operand(op, DNNL_ARG_MEAN, mean.buffer, 0, mean.layout);
    plan_operand(op, DNNL_ARG_VARIANCE, variance.buffer, 0, variance.layout);
    plan_operand(op, DNNL_ARG_SCALE, scale.buffer, 0, scale.layout);
    plan_operand(op, DNNL_ARG_SHIFT, shift.buffer, 0, shift.layout);
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, layout);
    return true;
}

static bool group_forward(struct cpu_plan *plan, int number, int64_t group, const struct layout *rows,
                          struct value scale, struct value shift, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    const struct layout *channels = channel_layout(plan, number, err);
    size_t at = (size_t)group * (state->in.layout->bytes / (size_t)plan->options.groups);
    size_t statistics = (size_t)group * 2 * channel_bytes(plan, number);
    struct operation *op = plan_operation(plan, WORK_NORM_FORWARD, number, state->forward, err);
    if (!channels || !op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, at, rows);
    plan_operand(op, DNNL_ARG_SCALE, scale.buffer, 0, scale.layout);
    plan_operand(op, DNNL_ARG_SHIFT, shift.buffer, 0, shift.layout);
    plan_operand(op, DNNL_ARG_MEAN, state->statistics, statistics, channels);
    plan_operand(op, DNNL_ARG_VARIANCE, state->statistics, statistics + channel_bytes(plan, number), channels);
    if (state->forward->workspace)
        plan_operand(op, DNNL_ARG_WORKSPACE, state->workspace, (size_t)group * state->workspace_stride,
                     state->forward->workspace);
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, at, rows);
    return true;
}

/* Fused with ReLU where that was asked for (state->fused) and exists; state->fused says what it became. */
static const struct kernel *forward_kernel(struct cpu_plan *plan, int number, const struct layout *layout,
                                           struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    /* Statistics of the batch are outputs in training mode only, so a target network's plan uses that mode too. */
    bool global = plan->options.mode == INVAR_PLAN_INFERENCE;
    enum pass pass = global ? PASS_INFERENCE : PASS_TRAINING;
    double epsilon = plan->net->layers[number].epsilon;
    const struct kernel *kernel = NULL;
    if (state->fused)
        kernel = onednn_batchnorm(plan->onednn, pass, layout, epsilon, global, true, NULL, err);
    if (!kernel) {
        state->fused = false;
        kernel = onednn_batchnorm(plan->onednn, pass, layout, epsilon, global, false, NULL, err);
    }
    if (!kernel)
        plan_no_kernel(plan, number, err);
    return kernel;
}

bool plan_batchnorm_forward(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    struct value scale, shift;
    int source = plan->net->layers[number].input[0];
    bool training = plan->options.mode == INVAR_PLAN_TRAINING;
    state->in = plan->layers[source].out;
    const struct layout *whole = norm_layout(plan, number, state->in.layout, err);
    const struct layout *rows =
        whole ? onednn_layout_rows(plan->onednn, whole, plan->options.batch / plan->options.groups, err) : NULL;
    if (!rows || !plan_parameter(plan, number, 0, false, &scale, err) ||
        !plan_parameter(plan, number, 1, false, &shift, err))
        return false;
    state->forward = forward_kernel(plan, number, plan->options.mode == INVAR_PLAN_INFERENCE ? whole : rows, err);
    if (!state->forward)
        return false;
    bool alias = plan->net->layers[source].kind == INVAR_LAYER_FLATTEN; /* of a map that others may read */
    bool in_place =
        !training && !alias && plan->layers[source].consumers == 1 && !plan->buffers[state->in.buffer].constant;
    if (in_place)
        state->out = state->in;
    else if (!plan_value(plan, state->in.layout, &state->out, err))
        return false;
    if (plan->options.mode == INVAR_PLAN_INFERENCE)
        return inference(plan, number, whole, scale, shift, err);
    size_t groups = (size_t)plan->options.groups;
    state->statistics = plan_buffer(plan, groups * 2 * channel_bytes(plan, number), err);
    if (state->forward->workspace) {
        state->workspace_stride = (state->forward->workspace->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        state->workspace = plan_buffer(plan, groups * state->workspace_stride, err);
    }
    if (state->statistics < 0 || state->workspace < 0)
        return false;
    for (int64_t group = 0; group < plan->options.groups; group++)
        if (!group_forward(plan, number, group, rows, scale, shift, err))
            return false;
    return running_statistics(plan, number, err);
}

static bool group_backward(struct cpu_plan *plan, int number, int64_t group, const struct kernel *kernel,
                           const struct layout *rows, struct value gradient, struct value out, int sums,
                           struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    const struct layout *channels = channel_layout(plan, number, err);
    size_t at = (size_t)group * (state->in.layout->bytes / (size_t)plan->options.groups);
    size_t bytes = channel_bytes(plan, number), pair = (size_t)group * 2 * bytes;
    struct value scale, shift;
    if (!channels || !plan_parameter(plan, number, 0, false, &scale, err) ||
        !plan_parameter(plan, number, 1, false, &shift, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_NORM_BACKWARD, number, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, at, rows);
    plan_operand(op, DNNL_ARG_MEAN, state->statistics, pair, channels);
    plan_operand(op, DNNL_ARG_VARIANCE, state->statistics, pair + bytes, channels);
    plan_operand(op, DNNL_ARG_SCALE, scale.buffer, 0, scale.layout);
    if (onednn_norm_reads_shift(kernel))
        plan_operand(op, DNNL_ARG_SHIFT, shift.buffer, 0, shift.layout);
    plan_operand(op, DNNL_ARG_DIFF_DST, gradient.buffer, at, rows);
    plan_operand(op, DNNL_ARG_DIFF_SRC, out.buffer, at, rows);
    plan_operand(op, DNNL_ARG_DIFF_SCALE, sums, pair, channels);
    plan_operand(op, DNNL_ARG_DIFF_SHIFT, sums, pair + bytes, channels);
    if (state->forward->workspace)
        plan_operand(op, DNNL_ARG_WORKSPACE, state->workspace, (size_t)group * state->workspace_stride,
                     state->forward->workspace);
    return true;
}

bool plan_batchnorm_backward(struct cpu_plan *plan, int number, struct value gradient, bool in_place, struct value *out,
                             struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    const struct layout *whole = norm_layout(plan, number, state->in.layout, err);
    const struct layout *rows =
        whole ? onednn_layout_rows(plan->onednn, whole, plan->options.batch / plan->options.groups, err) : NULL;
    const struct kernel *kernel =
        rows ? onednn_batchnorm(plan->onednn, PASS_BACKWARD, rows, plan->net->layers[number].epsilon, false,
                                state->fused, state->forward, err)
             : NULL;
    if (!kernel)
        return plan_no_kernel(plan, number, err);
    int sums = plan_buffer(plan, (size_t)plan->options.groups * 2 * channel_bytes(plan, number), err);
    struct value scale, shift;
    if (in_place)
        *out = gradient;
    else if (!plan_value(plan, state->in.layout, out, err))
        return false;
    if (sums < 0 || !plan_parameter(plan, number, 0, true, &scale, err) ||
        !plan_parameter(plan, number, 1, true, &shift, err))
        return false;
    for (int64_t group = 0; group < plan->options.groups; group++)
        if (!group_backward(plan, number, group, kernel, rows, gradient, *out, sums, err))
            return false;
    struct operation *op = plan_operation(plan, WORK_NORM_BACKWARD, number, NULL, err);
    if (!op)
        return false;
    op->run = rows_sum_groups;
    op->groups = plan->options.groups;
    op->cols = plan->net->layers[number].shape.channels;
    op->stride = channel_stride(plan, number);
    plan_operand(op, 0, sums, 0, NULL);
    plan_operand(op, 0, scale.buffer, 0, NULL);
    plan_operand(op, 0, shift.buffer, 0, NULL);
    return true;
}
