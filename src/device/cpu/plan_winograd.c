/* SPDX-License-Identifier: Apache-2.0 */
/* The convolutions of a plan that Winograd's kernels run (winograd.h): which they are, and their operations. */
#include "device/cpu/plan.h"

/* Fewer channels leave most of a register tile empty, and the transforms cost more than the products save. */
#define LEAST_CHANNELS 16
#define LEAST_CHANNELS_STRIDED 128

/* With stride 2, in inference: where tiles of 4x4 outputs and 100 multiplications, whole ones, are well below nine an
 * output. Four convolutions of a quarter of the pixels have more points a tile than one of stride 1, so it pays
 * later. */
static bool takes_strided(const struct cpu_plan *plan, const struct invar_layer *layer, int64_t in)
{
    const int64_t tiles = (layer->shape.height + 3) / 4 * ((layer->shape.width + 3) / 4);
    return layer->stride == 2 && plan->options.mode == INVAR_PLAN_INFERENCE && in >= LEAST_CHANNELS_STRIDED &&
           layer->shape.channels >= LEAST_CHANNELS_STRIDED &&
           tiles * 100 * 10 <= layer->shape.height * layer->shape.width * 9 * 8;
}

/* Of every operation here, in this order; backward to the weights has the output's gradient in the second place. */
enum operands { SOURCE, WEIGHTS, TARGET, SCRATCH, BIAS };

/* Emulation rounds operands of products, which here lie inside the kernels: then the direct convolution is taken. */
static const struct winograd_kernels *kernels_of(const struct cpu_plan *plan)
{
    const bool narrow = plan->options.convolution == INVAR_CONVOLUTION_WINOGRAD_BFLOAT16;
    return plan->emulates ? NULL : winograd_kernels(plan->activation, narrow ? INVAR_BFLOAT16 : INVAR_FLOAT32);
}

bool plan_winograd_possible(const struct cpu_plan *plan, struct invar_error *err)
{
    if (plan->options.convolution != INVAR_CONVOLUTION_WINOGRAD_BFLOAT16 || kernels_of(plan))
        return true;
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "convolution winograd-bfloat16 needs precision bfloat16 and a processor with products of "
                           "bfloat16 (AVX512-BF16): %s",
                           plan->emulates                       ? "here it is emulated"
                           : plan->activation == INVAR_BFLOAT16 ? "this one has none"
                                                                : "the precision is float32");
}

/* A bias only in inference, where it has become part of what is written; in training its gradient would be one more
 * pass, and convolutions before a batch norm have none. */
bool plan_winograd_takes(const struct cpu_plan *plan, int number)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const int64_t in = plan->net->layers[layer->input[0]].shape.channels, out = layer->shape.channels;
    const bool fits = layer->kind == INVAR_LAYER_CONV2D && layer->kernel == 3 && layer->padding == 1 &&
                      (layer->parameter[1] < 0 || plan->options.mode == INVAR_PLAN_INFERENCE);
    if (!fits || !kernels_of(plan) || plan->options.convolution == INVAR_CONVOLUTION_DIRECT)
        return false;
    if (layer->stride != 1)
        return takes_strided(plan, layer, in);
    return plan->options.convolution >= INVAR_CONVOLUTION_WINOGRAD || (in >= LEAST_CHANNELS && out >= LEAST_CHANNELS);
}

/* Where the pixels of a map of that layout are; false where they lie in a way that the kernels do not read. Blocked
 * by the width of a vector, or channels last with whole vectors: the kernels take one vector of channels at a pixel
 * and need to know only where the next pixel, row, block and image are. */
static bool strides(const struct cpu_plan *plan, int layer, const struct layout *layout, struct winograd_strides *out)
{
    const int64_t lanes = winograd_lanes(kernels_of(plan)), width = plan->net->layers[layer].shape.width;
    struct form form;
    if (onednn_layout_dtype(layout) != plan->activation || !onednn_layout_form(layout, &form))
        return false;
    *out = (struct winograd_strides){form.blocks * form.pixels * form.width, form.pixels * form.width,
                                     width * form.width, form.width};
    if (form.width == lanes)
        return true;
    out->block = lanes;
    return form.blocks == 1 && form.width % lanes == 0;
}

/* The block is the vector: 8 channels with AVX2, 16 with AVX-512. */
static const struct layout *blocked(struct cpu_plan *plan, int layer, struct invar_error *err)
{
    const bool wide = winograd_lanes(kernels_of(plan)) == 16;
    return plan_layout(plan, plan->net->layers[layer].shape, plan->activation,
                       wide ? LAYOUT_BLOCKED_16 : LAYOUT_BLOCKED_8, err);
}

/* A map as the kernels can read it: as it is, or converted. Conversions are the exception: the layer before has
 * usually been asked to write as the kernels read. */
static bool readable(struct cpu_plan *plan, int layer, int of, struct value from, struct value *out,
                     struct winograd_strides *where, struct invar_error *err)
{
    *out = from;
    if (strides(plan, of, from.layout, where))
        return true;
    const struct layout *layout = blocked(plan, of, err);
    return layout && plan_convert(plan, WORK_REORDER, layer, from, layout, out, err) &&
           (strides(plan, of, out->layout, where) || plan_no_kernel(plan, layer, err));
}

/* For the backward pass by the data `in` and `out` change places: the same convolution with its weights turned round.
 */
static struct winograd describe(const struct cpu_plan *plan, int number, int64_t in, int64_t out)
{
    const struct invar_shape shape = plan->net->layers[number].shape;
    return (struct winograd){.kernels = kernels_of(plan),
                             .batch = plan->options.batch,
                             .height = shape.height,
                             .width = shape.width,
                             .in = in,
                             .out = out,
                             .read_height = shape.height,
                             .read_width = shape.width,
                             .stride = 1,
                             .threads = plan->threads};
}

/* The kernels are bound to a description and to memory, never to each other: an operation has both. */
static void run_weights(const struct cpu_plan *plan, const struct operation *op)
{
    winograd_weights(&op->winograd, plan_data(plan, op, SOURCE), op->transposed, plan_data(plan, op, WEIGHTS));
}

static void run_product(const struct cpu_plan *plan, const struct operation *op)
{
    const struct winograd_after after = {
        .bias = op->operand_count > BIAS ? plan_data(plan, op, BIAS) : NULL,
        .sum = op->sum ? plan_data(plan, op, TARGET) : NULL,
        .relu = op->relu,
    };
    winograd_forward(&op->winograd, plan_data(plan, op, SOURCE), plan_data(plan, op, WEIGHTS), &after,
                     plan_data(plan, op, TARGET), plan_data(plan, op, SCRATCH));
}

static void run_backward_weights(const struct cpu_plan *plan, const struct operation *op)
{
    winograd_backward_weights(&op->winograd, plan_data(plan, op, SOURCE), plan_data(plan, op, WEIGHTS),
                              plan_data(plan, op, TARGET), plan_data(plan, op, SCRATCH));
}

/* Transformed weights, in a buffer that lives until the product is done. Weights are transformed at every step in
 * training, since they have changed; that is little beside the products of a batch. */
static bool transform(struct cpu_plan *plan, int number, const struct winograd *w, struct value plain, bool transposed,
                      int *out, struct invar_error *err)
{
    *out = plan_buffer(plan, winograd_weight_bytes(w), err);
    if (*out < 0)
        return false;
    plan->weight_bytes += winograd_weight_bytes(w);
    struct operation *op = plan_operation(plan, WORK_WEIGHT_REORDER, number, NULL, err);
    if (!op)
        return false;
    op->run = run_weights;
    op->winograd = *w;
    op->transposed = transposed;
    plan_operand(op, 0, plain.buffer, 0, NULL);
    plan_operand(op, 0, *out, 0, NULL);
    return true;
}

/* Scratch is for pieces of the batch, a thread each, and is taken from the workspace like any buffer. */
static struct operation *product(struct cpu_plan *plan, enum work work, int number, const struct winograd *w,
                                 struct value plain, struct value from, struct value to, struct invar_error *err)
{
    const bool transposed = work == WORK_CONV_BACKWARD_DATA;
    int weights, scratch = plan_buffer(plan, winograd_scratch_bytes(w), err);
    if (scratch < 0 || !transform(plan, number, w, plain, transposed, &weights, err))
        return NULL;
    struct operation *op = plan_operation(plan, work, number, NULL, err);
    if (!op)
        return NULL;
    op->run = run_product;
    op->winograd = *w;
    plan_operand(op, 0, from.buffer, 0, NULL);
    plan_operand(op, 0, weights, 0, NULL);
    plan_operand(op, 0, to.buffer, 0, to.layout);
    plan_operand(op, 0, scratch, 0, NULL);
    if (!transposed)
        op->output = TARGET;
    return op;
}

/* The output lies as the input does, where its channels allow. A chain of such convolutions stays in one layout from
 * its first to its last. */
static bool output(struct cpu_plan *plan, int number, const struct layout *input, struct value *out,
                   struct winograd_strides *where, struct invar_error *err)
{
    struct form form;
    const int64_t lanes = winograd_lanes(kernels_of(plan)), channels = plan->net->layers[number].shape.channels;
    const bool last = onednn_layout_form(input, &form) && form.width != lanes && channels % lanes == 0;
    const struct layout *layout =
        last ? plan_layout(plan, plan->net->layers[number].shape, plan->activation, LAYOUT_CHANNEL_LAST, err)
             : blocked(plan, number, err);
    return layout && plan_value(plan, layout, out, err) &&
           (strides(plan, number, layout, where) || plan_no_kernel(plan, number, err));
}

/* The layer remembers that it was taken, as its backward passes must follow. */
bool plan_winograd_forward(struct cpu_plan *plan, int number, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct layer_state *state = &plan->layers[number];
    const int source = layer->input[0];
    struct winograd w = describe(plan, number, plan->net->layers[source].shape.channels, layer->shape.channels);
    struct folded folded;
    w.read_height = plan->net->layers[source].shape.height;
    w.read_width = plan->net->layers[source].shape.width;
    w.stride = (int)layer->stride;
    state->winograd = true;
    if (!readable(plan, number, source, plan->layers[source].out, &state->in, &w.read, err) ||
        !plan_fold(plan, number, &folded, err))
        return false;
    if (folded.sum.layout && !strides(plan, number, folded.sum.layout, &w.written))
        plan_fold_without_sum(plan, number, &folded);
    state->out = folded.sum;
    if (!folded.sum.layout && !output(plan, number, state->in.layout, &state->out, &w.written, err))
        return false;
    struct operation *op = product(plan, WORK_CONV_FORWARD, number, &w, folded.weights, state->in, state->out, err);
    if (!op)
        return false;
    op->sum = folded.sum.layout != NULL;
    op->relu = folded.relu;
    if (folded.bias.layout)
        plan_operand(op, 0, folded.bias.buffer, 0, NULL);
    plan_fold_done(plan, number, &folded);
    return true;
}

bool plan_winograd_backward_weights(struct cpu_plan *plan, int number, struct value gradient, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const struct layer_state *state = &plan->layers[number];
    const int source = layer->input[0];
    struct winograd w = describe(plan, number, plan->net->layers[source].shape.channels, layer->shape.channels);
    struct value in, dy, made;
    if (!readable(plan, number, source, state->in, &in, &w.read, err) ||
        !readable(plan, number, number, gradient, &dy, &w.written, err) ||
        !plan_parameter(plan, number, 0, true, &made, err))
        return false;
    const int scratch = plan_buffer(plan, winograd_gradient_bytes(&w), err);
    struct operation *op = scratch < 0 ? NULL : plan_operation(plan, WORK_CONV_BACKWARD_WEIGHTS, number, NULL, err);
    if (!op)
        return false;
    op->run = run_backward_weights;
    op->winograd = w;
    plan_operand(op, 0, in.buffer, 0, NULL);
    plan_operand(op, 0, dy.buffer, 0, NULL);
    plan_operand(op, 0, made.buffer, 0, NULL);
    plan_operand(op, 0, scratch, 0, NULL);
    return true;
}

/* The map of the input is as large as that of the output (stride 1, padding 1), so the same tiles serve. */
bool plan_winograd_backward_data(struct cpu_plan *plan, int number, struct value gradient, struct value *out,
                                 struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const int source = layer->input[0];
    struct winograd w = describe(plan, number, layer->shape.channels, plan->net->layers[source].shape.channels);
    struct value dy, plain;
    return readable(plan, number, number, gradient, &dy, &w.read, err) &&
           output(plan, source, dy.layout, out, &w.written, err) &&
           plan_parameter(plan, number, 0, false, &plain, err) &&
           product(plan, WORK_CONV_BACKWARD_DATA, number, &w, plain, dy, *out, err) != NULL;
}
