/* SPDX-License-Identifier: Apache-2.0 */
/* Forward pass, layer by layer. Convolutions choose their layouts, everything after them follows, so that activations
   stay in oneDNN's blocked layouts between layers. */
#include "device/cpu/plan.h"

/* A target network's forward pass is inference to oneDNN, though its norms take statistics of the batch: nothing has
 * to be kept for a backward pass. */
static enum pass forward_pass(const struct cpu_plan *plan)
{
    return plan->options.mode == INVAR_PLAN_TRAINING ? PASS_TRAINING : PASS_INFERENCE;
}

static struct layer_state *input_state(struct cpu_plan *plan, int layer, int which)
{
    return &plan->layers[plan->net->layers[layer].input[which]];
}

/* The only reader may write over its input, unless the caller owns that or the backward pass reads it again: the layer
   before needs its own output only if it is a ReLU. */
/* In training the output of a ReLU is its own mask, so what reads it must leave it alone; other outputs are made
 * again or not needed. A flattened map is another layer's memory, and the caller's input is the caller's. */
static bool may_overwrite(const struct cpu_plan *plan, int source)
{
    const struct layer_state *state = &plan->layers[source];
    bool training = plan->options.mode == INVAR_PLAN_TRAINING;
    enum invar_layer_kind kind = plan->net->layers[source].kind;
    bool read_again = training && (kind == INVAR_LAYER_RELU || kind == INVAR_LAYER_L2NORMALISE);
    bool alias = kind == INVAR_LAYER_FLATTEN || kind == INVAR_LAYER_INPUT;
    return state->consumers == 1 && !plan->buffers[state->out.buffer].constant && !read_again && !alias;
}

/* Weights in the kernel's layout: converted at every call where they change between calls (plan_prepare). In training
 * weights have changed since the last pass, so this is work of every step; the kernel's layout is what makes
 * convolutions fast. Bytes are counted for --dry-run. */
static bool add_weights(struct cpu_plan *plan, int layer, const struct kernel *kernel, struct value plain,
                        struct value *weights, struct invar_error *err)
{
    if (!plan_convert(plan, WORK_WEIGHT_REORDER, layer, plain, kernel->weights, weights, err))
        return false;
    plan->weight_bytes += weights->buffer == plain.buffer ? 0 : kernel->weights->bytes;
    return true;
}

/* why: there is no kernel. Convolutions and linear layers alike: an input in the kernel's layout, weights in the
 * kernel's layout, an output in its own, or over the summand. */
static bool run_weighted(struct cpu_plan *plan, enum work work, int layer, const struct kernel *kernel,
                         const struct invar_error *why, const struct folded *folded, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[layer];
    struct value weights, in;
    if (!kernel)
        return why->code ? invar_error_set(err, why->code, "%s", why->message) : plan_no_kernel(plan, layer, err);
    state->forward = kernel;
    state->out = folded->sum;
    if (!plan_strided_take(plan, layer, &in, err) ||
        !plan_convert(plan, WORK_REORDER, layer, in, kernel->src, &state->in, err) ||
        !add_weights(plan, layer, kernel, folded->weights, &weights, err) ||
        (!folded->sum.layout && !plan_value(plan, kernel->dst, &state->out, err)))
        return false;
    struct operation *op = plan_operation(plan, work, layer, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, 0, state->in.layout);
    plan_operand(op, DNNL_ARG_WEIGHTS, weights.buffer, 0, weights.layout);
    if (folded->bias.layout)
        plan_operand(op, DNNL_ARG_BIAS, folded->bias.buffer, 0, folded->bias.layout);
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, state->out.layout);
    plan_fold_done(plan, layer, folded);
    return true;
}

/* What inference folds behind an operation, in the terms that oneDNN wraps. */
static struct onednn_after after(const struct folded *folded)
{
    return (struct onednn_after){.sum = folded->sum.layout != NULL, .relu = folded->relu};
}

/* Does a kernel made with the summand have to be made anew without it, because there is none of that kind or it cannot
   write over the summand? One that memory was short for says nothing. */
/* The output of a fused sum is written over the summand, so their layouts have to be one. */
static bool refuses_sum(const struct kernel *kernel, const struct folded *folded, const struct invar_error *why)
{
    return folded->sum.layout &&
           (kernel ? !onednn_layout_equal(kernel->dst, folded->sum.layout) : why->code != INVAR_ERROR_MEMORY);
}

/* A kernel is made only to look at its name; it is kept with the plan and costs its compilation once. */
static bool choose_strided(struct cpu_plan *plan, int number, const struct layout *src, const struct layout *weights,
                           const struct layout *dst, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const struct window window = plan_window(plan, number);
    struct invar_error own = {0};
    if (layer->kernel > 1 || layer->stride == 1)
        return true;
    plan_strided_choose(
        plan, number,
        onednn_convolution(plan->onednn, forward_pass(plan), src, weights, NULL, dst, &window, NULL, &own));
    return own.code == INVAR_OK || invar_error_set(err, own.code, "%s", own.message);
}

/* Frames of games as they lie: in inference oneDNN would rather have their channels last, by a copy that takes half as
 * long as the convolution. What is behind one channel, which is last as it lies, wants the output channels last. */
static enum layout_format source_format(const struct cpu_plan *plan, int number)
{
    const struct invar_layer *source = &plan->net->layers[plan->net->layers[number].input[0]];
    return source->kind == INVAR_LAYER_INPUT && plan_has_few(source->shape) && source->shape.channels > 1 &&
                   plan->activation == INVAR_FLOAT32
               ? LAYOUT_PLAIN
               : LAYOUT_ANY;
}

/* With the summand first, without it where there is no such kernel: a fused sum saves a pass over the map, and few
 * kernels lack it. */
static bool convolution(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct onednn *o = plan->onednn;
    if (plan_winograd_takes(plan, number))
        return plan_winograd_forward(plan, number, err);
    struct folded folded;
    const struct layout *src =
        plan_layout(plan, plan->net->layers[layer->input[0]].shape, plan->activation, LAYOUT_ANY, err);
    const struct layout *dst = plan_layout(plan, layer->shape, plan->activation, LAYOUT_ANY, err);
    const struct layout *weights =
        onednn_layout(o, plan->activation, 4, plan->net->parameters[layer->parameter[0]].shape, LAYOUT_ANY, err);
    if (!src || !dst || !weights || !choose_strided(plan, number, src, weights, dst, err))
        return false;
    const struct window window = plan_strided_window(plan, number);
    src = plan_layout(plan, plan_strided_shape(plan, number), plan->activation, source_format(plan, number), err);
    if (!src || !plan_fold(plan, number, &folded, err))
        return false;
    struct invar_error why = {0};
    const struct kernel *kernel = onednn_convolution_after(o, forward_pass(plan), src, weights, folded.bias.layout, dst,
                                                           &window, after(&folded), &why);
    if (refuses_sum(kernel, &folded, &why)) {
        plan_fold_without_sum(plan, number, &folded);
        invar_error_clear(&why);
        kernel = onednn_convolution_after(o, forward_pass(plan), src, weights, folded.bias.layout, dst, &window,
                                          after(&folded), &why);
    }
    return run_weighted(plan, WORK_CONV_FORWARD, number, kernel, &why, &folded, err);
}

/* Vectors and their products are float32 outside; inside, bfloat16 operands where the plan says so. In float32 the
   weights stay as they are: a product reads them in any order equally well, and a reorder would cost more than it
   gains. */
/* One product for the batch, whose weights lie as PyTorch has them, [out][in]. */
static bool linear(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct onednn *o = plan->onednn;
    struct folded folded;
    enum layout_format format = plan->activation == INVAR_BFLOAT16 ? LAYOUT_ANY : LAYOUT_PLAIN;
    const struct layout *src =
        plan_layout(plan, plan->net->layers[layer->input[0]].shape, plan->activation, LAYOUT_PLAIN, err);
    const struct layout *dst = plan_layout(plan, layer->shape, INVAR_FLOAT32, LAYOUT_PLAIN, err);
    const struct layout *weights =
        onednn_layout(o, plan->activation, 2, plan->net->parameters[layer->parameter[0]].shape, format, err);
    if (!src || !dst || !weights || !plan_fold(plan, number, &folded, err))
        return false;
    struct invar_error why = {0};
    const struct kernel *kernel =
        onednn_inner_product_after(o, forward_pass(plan), src, weights, folded.bias.layout, dst, after(&folded), &why);
    if (refuses_sum(kernel, &folded, &why)) {
        plan_fold_without_sum(plan, number, &folded);
        invar_error_clear(&why);
        kernel = onednn_inner_product_after(o, forward_pass(plan), src, weights, folded.bias.layout, dst,
                                            after(&folded), &why);
    }
    return run_weighted(plan, WORK_LINEAR, number, kernel, &why, &folded, err);
}

/* Three ways, from the cheapest: it has been done already; it is done where it is read; it is an operation of its
 * own, in place if nobody minds. */
static bool relu(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    struct layer_state *input = input_state(plan, number, 0);
    state->in = input->out;
    if (state->fused) {
        state->out = input->out;
        return true;
    }
    if (plan_defer_relu(plan, number)) {
        if (state->fused)
            return true;
        state->forward = onednn_relu(plan->onednn, forward_pass(plan), state->out.layout, NULL, err);
        return state->forward || plan_no_kernel(plan, number, err);
    }
    if (!plan_make(plan, plan->net->layers[number].input[0], err))
        return false;
    state->in = input->out;
    state->forward = onednn_relu(plan->onednn, forward_pass(plan), state->in.layout, NULL, err);
    if (!state->forward)
        return plan_no_kernel(plan, number, err);
    if (may_overwrite(plan, plan->net->layers[number].input[0]))
        state->out = state->in;
    else if (!plan_value(plan, state->in.layout, &state->out, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, number, state->forward, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, 0, state->in.layout);
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, state->out.layout);
    return true;
}

/* Which of the two is written over is a matter of who else reads it; where neither may be, the sum gets a place of
 * its own. A ReLU behind it is an operation of its own: with one inside, oneDNN 2.6.3 leaves out the second summand in
 * blocks that are not full, and in blocks of 8 on AVX-512. */
static bool add(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct layer_state *state = &plan->layers[number];
    int first = layer->input[0], second = layer->input[1];
    bool deferred;
    if (!plan_defer_add(plan, number, &deferred, err))
        return false;
    if (deferred)
        return true;
    if (!plan_make(plan, first, err) || !plan_make(plan, second, err))
        return false;
    if (!may_overwrite(plan, first) && may_overwrite(plan, second)) {
        first = layer->input[1];
        second = layer->input[0];
    }
    struct value a = plan->layers[first].out, b;
    if (!plan_convert(plan, WORK_REORDER, number, plan->layers[second].out, a.layout, &b, err))
        return false;
    const struct kernel *kernel = onednn_add(plan->onednn, a.layout, err);
    if (!kernel)
        return plan_no_kernel(plan, number, err);
    if (may_overwrite(plan, first) && first != second)
        state->out = a;
    else if (!plan_value(plan, a.layout, &state->out, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, number, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC_0, a.buffer, 0, a.layout);
    plan_operand(op, DNNL_ARG_SRC_1, b.buffer, 0, b.layout);
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, state->out.layout);
    return true;
}

/* A window of any kind by oneDNN's kernel, which is state->forward. */
static bool window(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    if (!state->forward)
        return plan_no_kernel(plan, number, err);
    if (!plan_value(plan, state->forward->dst, &state->out, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_POOL, number, state->forward, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, 0, state->in.layout);
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, state->out.layout);
    if (state->forward->workspace) { /* which element was the largest, for the backward pass */
        state->workspace = plan_buffer(plan, state->forward->workspace->bytes, err);
        plan_operand(op, DNNL_ARG_WORKSPACE, state->workspace, 0, state->forward->workspace);
    }
    return state->workspace >= 0;
}

/* The output of a window in whatever layout its kernel likes, of the type of its input. A pool that kept the layout
 * of its input would do, but the kernel knows better where there is a choice. */
static const struct layout *window_output(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    state->in = input_state(plan, number, 0)->out;
    return plan_layout(plan, plan->net->layers[number].shape, onednn_layout_dtype(state->in.layout), LAYOUT_ANY, err);
}

static bool pool(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    const bool maximum = plan->net->layers[number].kind == INVAR_LAYER_MAXPOOL;
    struct window shape = plan_window(plan, number);
    bool taken = false;
    if (!plan_average_forward(plan, number, &taken, err))
        return false;
    if (taken)
        return true;
    const struct layout *dst = window_output(plan, number, err);
    if (!dst)
        return false;
    state->forward = onednn_pool(plan->onednn, forward_pass(plan), maximum, state->in.layout, dst, &shape, NULL, err);
    return window(plan, number, err);
}

static bool upsample(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    const struct layout *dst = window_output(plan, number, err);
    if (!dst)
        return false;
    state->forward = onednn_upsample(plan->onednn, forward_pass(plan), state->in.layout, dst, NULL, err);
    return window(plan, number, err);
}

/* Heads read rows in C order, as weights exchanged with other programs assume. */
static bool flatten(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct layer_state *state = &plan->layers[number];
    const struct layout *map =
        plan_layout(plan, plan->net->layers[layer->input[0]].shape, INVAR_FLOAT32, LAYOUT_PLAIN, err);
    state->in = input_state(plan, number, 0)->out;
    if (!map || !plan_convert(plan, WORK_REORDER, number, state->in, map, &state->out, err))
        return false;
    state->out.layout = plan_layout(plan, layer->shape, INVAR_FLOAT32, LAYOUT_PLAIN, err);
    return state->out.layout != NULL;
}

/* Lengths are kept for the backward pass, one number a row. */
static bool l2normalise(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    state->in = input_state(plan, number, 0)->out;
    state->statistics = plan_buffer(plan, (size_t)plan->options.batch * sizeof(float), err);
    if (state->statistics < 0 || !plan_value(plan, state->in.layout, &state->out, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, number, NULL, err);
    if (!op)
        return false;
    op->run = rows_l2normalise;
    op->rows = plan->options.batch;
    op->cols = plan->net->layers[number].shape.channels;
    plan_operand(op, 0, state->in.buffer, 0, NULL);
    plan_operand(op, 0, state->statistics, 0, NULL);
    op->output = op->operand_count;
    plan_operand(op, 0, state->out.buffer, 0, state->out.layout);
    return true;
}

/* Mean and variance are kept in one buffer behind each other, for the backward pass. */
static bool layernorm(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    struct value scale, shift;
    size_t rows = (size_t)plan->options.batch * sizeof(float);
    state->in = input_state(plan, number, 0)->out;
    state->forward = onednn_layernorm(plan->onednn, forward_pass(plan), state->in.layout,
                                      plan->net->layers[number].epsilon, NULL, err);
    if (!state->forward)
        return plan_no_kernel(plan, number, err);
    const struct layout *one = onednn_layout(plan->onednn, INVAR_FLOAT32, 1, &plan->options.batch, LAYOUT_PLAIN, err);
    state->statistics = plan_buffer(plan, 2 * rows, err);
    if (!one || state->statistics < 0 || !plan_parameter(plan, number, 0, false, &scale, err) ||
        !plan_parameter(plan, number, 1, false, &shift, err) || !plan_value(plan, state->in.layout, &state->out, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_NORM_FORWARD, number, state->forward, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, 0, state->in.layout);
    plan_operand(op, DNNL_ARG_SCALE, scale.buffer, 0, scale.layout);
    plan_operand(op, DNNL_ARG_SHIFT, shift.buffer, 0, shift.layout);
    if (plan->options.mode == INVAR_PLAN_TRAINING) {
        plan_operand(op, DNNL_ARG_MEAN, state->statistics, 0, one);
        plan_operand(op, DNNL_ARG_VARIANCE, state->statistics, rows, one);
    }
    op->output = op->operand_count;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, state->out.layout);
    return true;
}

/* Value and advantages of a row; both are vectors, and nobody's place is written over. */
static bool duel(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct layer_state *state = &plan->layers[number];
    if (!plan_make(plan, layer->input[1], err))
        return false;
    state->in = input_state(plan, number, 0)->out;
    const struct value value = input_state(plan, number, 1)->out;
    if (!plan_value(plan, state->in.layout, &state->out, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, number, NULL, err);
    if (!op)
        return false;
    op->run = rows_duel;
    op->rows = plan->options.batch;
    op->cols = layer->shape.channels;
    plan_operand(op, 0, state->in.buffer, 0, NULL);
    plan_operand(op, 0, value.buffer, 0, NULL);
    op->output = op->operand_count;
    plan_operand(op, 0, state->out.buffer, 0, state->out.layout);
    return true;
}

/* A layer reads its input as a map, so that is made first, except where the layer may take it in unmade (ReLU, sums).
 * A ReLU that is the one reader of the layer before is offered to it. */
bool plan_forward_layer(struct cpu_plan *plan, int layer, struct invar_error *err)
{
    const struct invar_net *net = plan->net;
    bool relu_follows = layer + 1 < net->layer_count && net->layers[layer + 1].kind == INVAR_LAYER_RELU &&
                        net->layers[layer + 1].input[0] == layer && plan->layers[layer].consumers == 1;
    const enum invar_layer_kind kind = net->layers[layer].kind;
    if (plan->layers[layer].folded)
        return true;
    if (kind != INVAR_LAYER_INPUT && kind != INVAR_LAYER_RELU && kind != INVAR_LAYER_ADD &&
        !plan_make(plan, net->layers[layer].input[0], err))
        return false;
    switch (net->layers[layer].kind) {
    case INVAR_LAYER_INPUT: {
        struct value *out = &plan->layers[layer].out;
        out->buffer = plan->input;
        out->layout = plan_layout(plan, net->layers[layer].shape, INVAR_FLOAT32, LAYOUT_PLAIN, err);
        return out->layout != NULL;
    }
    case INVAR_LAYER_CONV2D:
        return convolution(plan, layer, err);
    case INVAR_LAYER_BATCHNORM:
        return plan_batchnorm_forward(plan, layer, relu_follows, err);
    case INVAR_LAYER_RELU:
        return relu(plan, layer, err);
    case INVAR_LAYER_MAXPOOL:
    case INVAR_LAYER_AVGPOOL:
        return pool(plan, layer, err);
    case INVAR_LAYER_LINEAR:
        return linear(plan, layer, err);
    case INVAR_LAYER_ADD:
        return add(plan, layer, err);
    case INVAR_LAYER_FLATTEN:
        return flatten(plan, layer, err);
    case INVAR_LAYER_L2NORMALISE:
        return l2normalise(plan, layer, err);
    case INVAR_LAYER_LAYERNORM:
        return layernorm(plan, layer, err);
    case INVAR_LAYER_UPSAMPLE:
        return upsample(plan, layer, err);
    case INVAR_LAYER_LSTM:
        return plan_lstm_forward(plan, layer, err);
    case INVAR_LAYER_DUEL:
        return duel(plan, layer, err);
    }
    return plan_no_kernel(plan, layer, err);
}
