/* SPDX-License-Identifier: Apache-2.0 */
/* Backward pass, layer by layer from the last. The gradient of a layer's output is a tensor in whatever layout its
   reader made; where several readers meet, they are summed in place if nobody else still needs the place. */
#include "device/cpu/plan.h"

/* No layer before `current` other than `owner` waits for the same memory, and the caller does not own it. Sums hand
 * one gradient to both summands without copying it, so two layers may hold the same memory for a while: whoever
 * writes in place asks here. */
static bool exclusive(const struct cpu_plan *plan, int current, int owner, int buffer)
{
    if (plan->buffers[buffer].constant)
        return false;
    for (int i = 0; i < current; i++)
        if (i != owner && plan->layers[i].gradient.buffer == buffer)
            return false;
    return true;
}

/* May the gradient of `target` be summed in this place? Not where `current` is a sum, which hands its own gradient to
   one summand after the other. */
static bool may_sum_in(const struct cpu_plan *plan, int current, int target, int buffer)
{
    bool handed_on =
        plan->net->layers[current].kind == INVAR_LAYER_ADD && plan->layers[current].gradient.buffer == buffer;
    return !handed_on && exclusive(plan, current, target, buffer);
}

/* Adds v to the gradient of layer `target`, on behalf of layer `current`. The first contribution is the gradient
 * itself, without a copy; only the second makes a sum. Layouts follow the first, since it is there. */
static bool contribute(struct cpu_plan *plan, int current, int target, struct value v, struct invar_error *err)
{
    struct value *gradient = &plan->layers[target].gradient;
    if (!plan->layers[target].needs_gradient)
        return true;
    if (gradient->buffer < 0) {
        *gradient = v;
        return true;
    }
    struct value other, sum;
    if (!plan_convert(plan, WORK_REORDER, current, v, gradient->layout, &other, err))
        return false;
    struct value a = *gradient, b = other;
    if (!may_sum_in(plan, current, target, a.buffer) && may_sum_in(plan, current, target, b.buffer)) {
        a = other;
        b = *gradient;
    }
    const struct kernel *kernel = onednn_add(plan->onednn, a.layout, err);
    if (!kernel)
        return plan_no_kernel(plan, current, err);
    sum = a;
    if (!may_sum_in(plan, current, target, a.buffer) && !plan_value(plan, a.layout, &sum, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, current, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC_0, a.buffer, 0, a.layout);
    plan_operand(op, DNNL_ARG_SRC_1, b.buffer, 0, b.layout);
    plan_operand(op, DNNL_ARG_DST, sum.buffer, 0, sum.layout);
    *gradient = sum;
    return true;
}

/* ---- convolution and linear: the same three tensors, other kernels ---- */

/* What both directions need of a layer with weights, made once: the layouts that the kernel may choose within. */
struct weighted {
    enum work data_work, weights_work;
    bool convolution;
    struct window window;
    const struct layout *src, *weights, *weights_gradient, *dst, *bias;
};

/* The gradient of a map in the layout of the map, so that it meets what others contribute as it is: oneDNN 3.2 would
   choose channels last for strided convolutions with AVX2, which is no faster, in the middle of blocked maps. NULL
   where only the reference implementation does it. */
/* The reference implementations are plain loops, whatever layout they agree to. */
static const struct kernel *agreeing_kernel(struct cpu_plan *plan, int layer, const struct weighted *w,
                                            struct invar_error *err)
{
    const struct kernel *hint = plan->layers[layer].forward;
    if (!w->convolution)
        return NULL;
    const struct kernel *kernel = onednn_convolution(plan->onednn, PASS_BACKWARD_DATA, hint->src, w->weights, NULL,
                                                     hint->dst, &w->window, hint, err);
    return kernel && !onednn_is_reference(kernel) ? kernel : NULL;
}

/* The forward kernel is a hint that oneDNN demands; the backward one may well choose other layouts. */
static const struct kernel *weighted_kernel(struct cpu_plan *plan, int layer, const struct weighted *w, enum pass pass,
                                            struct invar_error *err)
{
    const struct kernel *hint = plan->layers[layer].forward;
    bool data = pass == PASS_BACKWARD_DATA;
    const struct layout *weights = data ? w->weights : w->weights_gradient, *bias = data ? NULL : w->bias;
    const struct kernel *kernel = data ? agreeing_kernel(plan, layer, w, err) : NULL;
    if (kernel)
        return kernel;
    kernel = w->convolution
                 ? onednn_convolution(plan->onednn, pass, w->src, weights, bias, w->dst, &w->window, hint, err)
                 : onednn_inner_product(plan->onednn, pass, w->src, weights, bias, w->dst, hint, err);
    if (!kernel)
        plan_no_kernel(plan, layer, err);
    return kernel;
}

/* Straight into the vector of gradients where the kernel's layout is the plain one, as for linear layers;
 * convolutions make their own layout first. The optimiser reads plain weights alone. */
static bool weights_backward(struct cpu_plan *plan, int layer, const struct weighted *w, struct value gradient,
                             struct invar_error *err)
{
    const struct kernel *kernel = weighted_kernel(plan, layer, w, PASS_BACKWARD_WEIGHTS, err);
    struct value src, dst, plain, made, bias = {-1, NULL};
    if (!kernel || !plan_convert(plan, WORK_REORDER, layer, plan->layers[layer].in, kernel->src, &src, err) ||
        !plan_convert(plan, WORK_REORDER, layer, gradient, kernel->diff_dst, &dst, err) ||
        !plan_parameter(plan, layer, 0, true, &plain, err) ||
        (w->bias && !plan_parameter(plan, layer, 1, true, &bias, err)))
        return false;
    bool direct = onednn_layout_equal(plain.layout, kernel->diff_weights);
    made = plain;
    if (!direct && !plan_value(plan, kernel->diff_weights, &made, err))
        return false;
    struct operation *op = plan_operation(plan, w->weights_work, layer, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, src.buffer, 0, src.layout);
    plan_operand(op, DNNL_ARG_DIFF_DST, dst.buffer, 0, dst.layout);
    plan_operand(op, DNNL_ARG_DIFF_WEIGHTS, made.buffer, 0, made.layout);
    if (bias.layout)
        plan_operand(op, DNNL_ARG_DIFF_BIAS, bias.buffer, 0, bias.layout);
    if (direct)
        return true;
    const struct kernel *reorder = onednn_reorder(plan->onednn, made.layout, plain.layout, err);
    if (!reorder)
        return plan_no_kernel(plan, layer, err);
    plan->weight_bytes += made.layout->bytes;
    op = plan_operation(plan, WORK_WEIGHT_REORDER, layer, reorder, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_FROM, made.buffer, 0, made.layout);
    plan_operand(op, DNNL_ARG_TO, plain.buffer, 0, plain.layout);
    return true;
}

/* Weights in the kernel's layout are converted once more than in the forward pass: backward kernels usually want
 * another one, and weights have changed since the last step in any case. */
static bool data_backward(struct cpu_plan *plan, int layer, const struct weighted *w, struct value gradient,
                          struct invar_error *err)
{
    const struct kernel *kernel = weighted_kernel(plan, layer, w, PASS_BACKWARD_DATA, err);
    struct value dst, plain, weights, made;
    if (!kernel || !plan_convert(plan, WORK_REORDER, layer, gradient, kernel->diff_dst, &dst, err) ||
        !plan_parameter(plan, layer, 0, false, &plain, err) ||
        !plan_convert(plan, WORK_WEIGHT_REORDER, layer, plain, kernel->weights, &weights, err) ||
        !plan_value(plan, kernel->diff_src, &made, err))
        return false;
    plan->weight_bytes += weights.buffer == plain.buffer ? 0 : weights.layout->bytes;
    struct operation *op = plan_operation(plan, w->data_work, layer, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_DIFF_DST, dst.buffer, 0, dst.layout);
    plan_operand(op, DNNL_ARG_WEIGHTS, weights.buffer, 0, weights.layout);
    plan_operand(op, DNNL_ARG_DIFF_SRC, made.buffer, 0, made.layout);
    return plan_strided_spread(plan, layer, &made, err) &&
           contribute(plan, layer, plan->net->layers[layer].input[0], made, err);
}

/* The weights' gradient first: it reads the input's map, whose memory is then free for the data's gradient. */
static bool winograd_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    const int source = plan->net->layers[number].input[0];
    struct value made;
    if (!plan_winograd_backward_weights(plan, number, gradient, err))
        return false;
    return !plan->layers[source].needs_gradient || (plan_winograd_backward_data(plan, number, gradient, &made, err) &&
                                                    contribute(plan, number, source, made, err));
}

/* Layouts are asked for anew (ANY), with the forward kernel as a hint: what was good for one direction need not be
 * for the other. */
static bool weighted_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const struct invar_parameter *weight = &plan->net->parameters[layer->parameter[0]];
    if (plan->layers[number].winograd)
        return winograd_backward(plan, number, gradient, err);
    bool convolution = layer->kind == INVAR_LAYER_CONV2D;
    struct invar_shape in = plan_strided_shape(plan, number);
    enum layout_format map = convolution ? LAYOUT_ANY : LAYOUT_PLAIN;
    bool any = convolution || plan->activation == INVAR_BFLOAT16;
    enum layout_format format = any ? LAYOUT_ANY : LAYOUT_PLAIN;
    struct weighted w = {
        .data_work = convolution ? WORK_CONV_BACKWARD_DATA : WORK_LINEAR,
        .weights_work = convolution ? WORK_CONV_BACKWARD_WEIGHTS : WORK_LINEAR,
        .convolution = convolution,
        .window = plan_strided_window(plan, number),
        .src = plan_layout(plan, in, plan->activation, map, err),
        .weights = onednn_layout(plan->onednn, plan->activation, weight->rank, weight->shape, format, err),
        .weights_gradient = onednn_layout(plan->onednn, INVAR_FLOAT32, weight->rank, weight->shape, format, err),
        .dst = plan_layout(plan, layer->shape, plan->activation, map, err),
    };
    if (layer->parameter[1] >= 0)
        w.bias = onednn_layout(plan->onednn, INVAR_FLOAT32, 1, &layer->shape.channels, LAYOUT_PLAIN, err);
    if (!w.src || !w.weights || !w.weights_gradient || !w.dst || (layer->parameter[1] >= 0 && !w.bias))
        return false;
    bool taken = false;
    if (!plan_few_weights(plan, number, gradient, &taken, err) ||
        (!taken && !weights_backward(plan, number, &w, gradient, err)))
        return false;
    if (!plan->layers[layer->input[0]].needs_gradient)
        return true;
    if (!convolution) /* the gradient of a vector is float32, whatever the product reads */
        w.src = plan_layout(plan, in, INVAR_FLOAT32, LAYOUT_PLAIN, err);
    return w.src && data_backward(plan, number, &w, gradient, err);
}

/* ---- the others ---- */

/* Fused with a norm, the ReLU's mask is made within the norm's backward pass, and what arrives is handed on as it is.
 */
static bool relu_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    int source = plan->net->layers[number].input[0];
    struct value g, made;
    if (state->fused && plan->net->layers[source].kind == INVAR_LAYER_BATCHNORM)
        return contribute(plan, number, source, gradient, err);
    if (!plan_make(plan, number, err))
        return false;
    if (!plan_convert(plan, WORK_REORDER, number, gradient, state->out.layout, &g, err))
        return false;
    const struct kernel *kernel = onednn_relu(plan->onednn, PASS_BACKWARD, state->out.layout, state->forward, err);
    if (!kernel)
        return plan_no_kernel(plan, number, err);
    made = g;
    if (!exclusive(plan, number, number, g.buffer) && !plan_value(plan, g.layout, &made, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, number, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_DST, state->out.buffer, 0, state->out.layout);
    plan_operand(op, DNNL_ARG_DIFF_DST, g.buffer, 0, g.layout);
    plan_operand(op, DNNL_ARG_DIFF_SRC, made.buffer, 0, made.layout);
    return contribute(plan, number, source, made, err);
}

/* What a window of any kind passes back, by oneDNN's kernel. */
static bool window_backward(struct cpu_plan *plan, int number, const struct kernel *kernel, struct value gradient,
                            struct invar_error *err)
{
    struct value g, made;
    if (!kernel)
        return plan_no_kernel(plan, number, err);
    if (!plan_convert(plan, WORK_REORDER, number, gradient, kernel->diff_dst, &g, err) ||
        !plan_value(plan, kernel->diff_src, &made, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_POOL, number, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_DIFF_DST, g.buffer, 0, g.layout);
    plan_operand(op, DNNL_ARG_DIFF_SRC, made.buffer, 0, made.layout);
    if (kernel->workspace) /* which element was the largest */
        plan_operand(op, DNNL_ARG_WORKSPACE, plan->layers[number].workspace, 0, kernel->workspace);
    return contribute(plan, number, plan->net->layers[number].input[0], made, err);
}

static bool pool_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const struct layer_state *state = &plan->layers[number];
    const bool maximum = layer->kind == INVAR_LAYER_MAXPOOL;
    struct window window = plan_window(plan, number);
    struct value made;
    if (state->averaged)
        return plan_average_backward(plan, number, gradient, &made, err) &&
               contribute(plan, number, layer->input[0], made, err);
    const struct kernel *kernel = onednn_pool(plan->onednn, PASS_BACKWARD, maximum, state->in.layout, state->out.layout,
                                              &window, state->forward, err);
    return window_backward(plan, number, kernel, gradient, err);
}

/* Gradients of the pixels that were copied add up; oneDNN knows the scale from the layouts. */
static bool upsample_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    const struct layer_state *state = &plan->layers[number];
    const struct kernel *kernel =
        onednn_upsample(plan->onednn, PASS_BACKWARD, state->in.layout, state->out.layout, state->forward, err);
    return window_backward(plan, number, kernel, gradient, err);
}

/* The vector's gradient is the map's in C order; its reader converts it. No operation but perhaps a reorder: the same
 * numbers, seen as a map again. */
static bool flatten_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    int source = plan->net->layers[number].input[0];
    struct value map = {gradient.buffer,
                        plan_layout(plan, plan->net->layers[source].shape, INVAR_FLOAT32, LAYOUT_PLAIN, err)};
    struct value converted;
    return map.layout &&
           plan_convert(plan, WORK_REORDER, number, map, plan->layers[source].out.layout, &converted, err) &&
           contribute(plan, number, source, converted, err);
}

/* From the output and the lengths, not from the input, which may be gone. */
static bool l2normalise_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    struct value made;
    if (!plan_value(plan, state->in.layout, &made, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, number, NULL, err);
    if (!op)
        return false;
    op->run = rows_l2normalise_backward;
    op->rows = plan->options.batch;
    op->cols = plan->net->layers[number].shape.channels;
    plan_operand(op, 0, state->out.buffer, 0, NULL);
    plan_operand(op, 0, state->statistics, 0, NULL);
    plan_operand(op, 0, gradient.buffer, 0, NULL);
    plan_operand(op, 0, made.buffer, 0, NULL);
    return contribute(plan, number, plan->net->layers[number].input[0], made, err);
}

/* Its gradients of scale and shift go straight to the vector of gradients. Shapes are vectors of one row a sample.
 * oneDNN's kernel wants the statistics that the forward pass left, in two operands over one buffer. */
static bool layernorm_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    size_t rows = (size_t)plan->options.batch * sizeof(float);
    struct value scale, shift, diff_scale, diff_shift, made;
    const struct layout *one = onednn_layout(plan->onednn, INVAR_FLOAT32, 1, &plan->options.batch, LAYOUT_PLAIN, err);
    const struct kernel *kernel = onednn_layernorm(plan->onednn, PASS_BACKWARD, state->in.layout,
                                                   plan->net->layers[number].epsilon, state->forward, err);
    if (!kernel)
        return plan_no_kernel(plan, number, err);
    if (!one || !plan_parameter(plan, number, 0, false, &scale, err) ||
        !plan_parameter(plan, number, 1, false, &shift, err) ||
        !plan_parameter(plan, number, 0, true, &diff_scale, err) ||
        !plan_parameter(plan, number, 1, true, &diff_shift, err) || !plan_value(plan, state->in.layout, &made, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_NORM_BACKWARD, number, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_SRC, state->in.buffer, 0, state->in.layout);
    plan_operand(op, DNNL_ARG_MEAN, state->statistics, 0, one);
    plan_operand(op, DNNL_ARG_VARIANCE, state->statistics, rows, one);
    plan_operand(op, DNNL_ARG_SCALE, scale.buffer, 0, scale.layout);
    if (onednn_norm_reads_shift(kernel))
        plan_operand(op, DNNL_ARG_SHIFT, shift.buffer, 0, shift.layout);
    plan_operand(op, DNNL_ARG_DIFF_DST, gradient.buffer, 0, gradient.layout);
    plan_operand(op, DNNL_ARG_DIFF_SRC, made.buffer, 0, made.layout);
    plan_operand(op, DNNL_ARG_DIFF_SCALE, diff_scale.buffer, 0, diff_scale.layout);
    plan_operand(op, DNNL_ARG_DIFF_SHIFT, diff_shift.buffer, 0, diff_shift.layout);
    return contribute(plan, number, plan->net->layers[number].input[0], made, err);
}

static bool batchnorm_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    struct value g, made;
    if (!plan_convert(plan, WORK_REORDER, number, gradient, plan->layers[number].in.layout, &g, err))
        return false;
    bool in_place = exclusive(plan, number, number, g.buffer);
    return plan_norm_input(plan, number, err) && plan_batchnorm_backward(plan, number, g, in_place, &made, err) &&
           contribute(plan, number, plan->net->layers[number].input[0], made, err);
}

/* Through time in one operation (plan_lstm.c); the net's input may have no reader for its gradient. */
static bool lstm_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    struct value made;
    return plan_lstm_backward(plan, number, gradient, &made, err) &&
           (made.buffer < 0 || contribute(plan, number, plan->net->layers[number].input[0], made, err));
}

/* The mean of the advantages is taken off, so each advantage loses the mean of all gradients, and the value gets their
 * sum. */
static bool duel_backward(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct value advantages, value;
    if (!plan_value(plan, plan->layers[number].in.layout, &advantages, err) ||
        !plan_value(plan, plan->layers[layer->input[1]].out.layout, &value, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_ELEMENTWISE, number, NULL, err);
    if (!op)
        return false;
    op->run = rows_duel_backward;
    op->rows = plan->options.batch;
    op->cols = layer->shape.channels;
    plan_operand(op, 0, gradient.buffer, 0, NULL);
    plan_operand(op, 0, advantages.buffer, 0, NULL);
    plan_operand(op, 0, value.buffer, 0, NULL);
    return contribute(plan, number, layer->input[0], advantages, err) &&
           contribute(plan, number, layer->input[1], value, err);
}

/* Layers whose gradient nobody wants, or that nothing has contributed to, are passed over. */
bool plan_backward_layer(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct value gradient = plan->layers[number].gradient;
    if (gradient.buffer < 0 || !plan->layers[number].needs_gradient)
        return true;
    const bool reads_input =
        layer->kind == INVAR_LAYER_CONV2D || layer->kind == INVAR_LAYER_LINEAR || layer->kind == INVAR_LAYER_LSTM;
    if (reads_input && !plan_make_input(plan, number, err))
        return false;
    switch (layer->kind) {
    case INVAR_LAYER_INPUT:
        return true;
    case INVAR_LAYER_CONV2D:
    case INVAR_LAYER_LINEAR:
        return weighted_backward(plan, number, gradient, err);
    case INVAR_LAYER_BATCHNORM:
        return batchnorm_backward(plan, number, gradient, err);
    case INVAR_LAYER_RELU:
        return relu_backward(plan, number, gradient, err);
    case INVAR_LAYER_MAXPOOL:
    case INVAR_LAYER_AVGPOOL:
        return pool_backward(plan, number, gradient, err);
    case INVAR_LAYER_ADD:
        return contribute(plan, number, layer->input[0], gradient, err) &&
               contribute(plan, number, layer->input[1], gradient, err);
    case INVAR_LAYER_FLATTEN:
        return flatten_backward(plan, number, gradient, err);
    case INVAR_LAYER_L2NORMALISE:
        return l2normalise_backward(plan, number, gradient, err);
    case INVAR_LAYER_LAYERNORM:
        return layernorm_backward(plan, number, gradient, err);
    case INVAR_LAYER_UPSAMPLE:
        return upsample_backward(plan, number, gradient, err);
    case INVAR_LAYER_LSTM:
        return lstm_backward(plan, number, gradient, err);
    case INVAR_LAYER_DUEL:
        return duel_backward(plan, number, gradient, err);
    }
    return plan_no_kernel(plan, number, err);
}
