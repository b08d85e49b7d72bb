/* SPDX-License-Identifier: Apache-2.0 */
/* Building blocks of a plan: buffers, operations, tensors and their change of layout. */
#include "device/cpu/plan.h"

#include <limits.h>
#include <string.h>

/* Far above any machine, and low enough for sums over all buffers. Sums over buffers must not overflow before the
 * allocation refuses. */
#define MAX_BYTES ((size_t)1 << 48)

/* A buffer is a number until all operations are known: only then is it clear how long each lives and what may lie
 * where. */
int plan_buffer(struct cpu_plan *plan, size_t bytes, struct invar_error *err)
{
    void *buffers = plan->buffers;
    if (bytes > MAX_BYTES) {
        invar_error_set(err, INVAR_ERROR_MEMORY,
                        "a layer needs %zu bytes, more than memory can address; use a smaller batch or model", bytes);
        return -1;
    }
    if (!invar_grow(&buffers, plan->buffer_count, &plan->buffer_capacity, sizeof *plan->buffers, err))
        return -1;
    plan->buffers = buffers;
    plan->buffers[plan->buffer_count] = (struct buffer){.bytes = bytes, .first = INT_MAX, .last = -1};
    return plan->buffer_count++;
}

/* Memory that is somebody else's: the caller's input, parameters, gradients. It has no place in the workspace. */
int plan_buffer_fixed(struct cpu_plan *plan, void *data, bool constant, struct invar_error *err)
{
    int number = plan_buffer(plan, 0, err);
    if (number < 0)
        return -1;
    plan->buffers[number].fixed = true;
    plan->buffers[number].constant = constant;
    plan->buffers[number].data = data;
    return number;
}

/* MAX_OPERANDS is counted by the operation that has most; a plan is built by code that knows its operands. */
void plan_operand(struct operation *op, int id, int buffer, size_t offset, const struct layout *layout)
{
    op->operands[op->operand_count++] = (struct operand){id, buffer, offset, layout};
}

/* The pointer is good until the next operation, as the array may move: it is filled at once. Scratch memory is an
 * operand like any other, which ends with its operation: the layout of memory lends it on. */
struct operation *plan_operation(struct cpu_plan *plan, enum work work, int layer, const struct kernel *kernel,
                                 struct invar_error *err)
{
    void *operations = plan->operations;
    if (!invar_grow(&operations, plan->operation_count, &plan->operation_capacity, sizeof *plan->operations, err))
        return NULL;
    plan->operations = operations;
    struct operation *op = &plan->operations[plan->operation_count];
    *op = (struct operation){.work = work, .layer = layer, .kernel = kernel, .output = -1};
    if (kernel && kernel->scratchpad) {
        int scratch = plan_buffer(plan, kernel->scratchpad->bytes, err);
        if (scratch < 0)
            return NULL;
        plan_operand(op, DNNL_ARG_SCRATCHPAD, scratch, 0, kernel->scratchpad);
    }
    plan->operation_count++;
    return op;
}

/* Memory is asked for here and given in plan_lay_out: the order of asking has no influence on what it costs. */
bool plan_value(struct cpu_plan *plan, const struct layout *layout, struct value *out, struct invar_error *err)
{
    out->buffer = plan_buffer(plan, layout->bytes, err);
    out->layout = layout;
    return out->buffer >= 0;
}

/* Equal layouts cost nothing, which is the usual case: reorders of activations are counted, and tests hold them few. */
bool plan_convert(struct cpu_plan *plan, enum work work, int layer, struct value from, const struct layout *wanted,
                  struct value *out, struct invar_error *err)
{
    if (onednn_layout_equal(from.layout, wanted)) {
        *out = from;
        return true;
    }
    const struct kernel *kernel = onednn_reorder(plan->onednn, from.layout, wanted, err);
    if (!kernel)
        return plan_no_kernel(plan, layer, err);
    struct value to;
    if (!plan_value(plan, wanted, &to, err))
        return false;
    struct operation *op = plan_operation(plan, work, layer, kernel, err);
    if (!op)
        return false;
    plan_operand(op, DNNL_ARG_FROM, from.buffer, 0, from.layout);
    plan_operand(op, DNNL_ARG_TO, to.buffer, 0, to.layout);
    if (work == WORK_REORDER)
        plan->reorders++;
    *out = to;
    return true;
}

/* Rows are always the plan's batch, which is a slice of the caller's in inference. */
const struct layout *plan_layout(struct cpu_plan *plan, struct invar_shape shape, enum invar_dtype dtype,
                                 enum layout_format format, struct invar_error *err)
{
    const int64_t dims[] = {plan->options.batch, shape.channels, shape.height, shape.width};
    return onednn_layout(plan->onednn, dtype, shape.rank == 3 ? 4 : 2, dims, format, err);
}

/* Another shape in the same manner of blocks, for our own kernels, which read what they write. A layout of some other
 * kind becomes the plain one, which every kernel reads. */
const struct layout *plan_layout_alike(struct cpu_plan *plan, const struct layout *layout, struct invar_shape shape,
                                       struct invar_error *err)
{
    struct form form;
    const bool known = onednn_layout_form(layout, &form);
    const enum layout_format format = !known || form.width == 1 ? LAYOUT_PLAIN
                                      : form.width == 8         ? LAYOUT_BLOCKED_8
                                      : form.width == 16        ? LAYOUT_BLOCKED_16
                                                                : LAYOUT_CHANNEL_LAST;
    return plan_layout(plan, shape, onednn_layout_dtype(layout), format, err);
}

/* The layout is the one that weights have outside, by their own shape, whatever kernels want. */
bool plan_parameter(struct cpu_plan *plan, int layer, int slot, bool gradient, struct value *out,
                    struct invar_error *err)
{
    const struct invar_parameter *parameter = &plan->net->parameters[plan->net->layers[layer].parameter[slot]];
    float *base = plan->base.device->planning                    ? NULL
                  : parameter->role == INVAR_PARAMETER_STATISTIC ? plan->weights->statistics
                  : gradient                                     ? plan->weights->gradients
                                                                 : plan->weights->parameters;
    out->layout = onednn_layout(plan->onednn, INVAR_FLOAT32, parameter->rank, parameter->shape, LAYOUT_PLAIN, err);
    if (!out->layout)
        return false;
    out->buffer = plan_buffer_fixed(plan, base ? base + parameter->offset : NULL, !gradient, err);
    return out->buffer >= 0;
}

/* Adaptive average pools ("to 2 x 2") are ordinary ones with a window and stride that follow from the sizes; where
 * these do not divide evenly, windows are as large as it takes for the last one to end at the border. */
struct window plan_window(const struct cpu_plan *plan, int number)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    if (layer->kind != INVAR_LAYER_AVGPOOL)
        return (struct window){
            {layer->kernel, layer->kernel}, {layer->stride, layer->stride}, {layer->padding, layer->padding}};
    const struct invar_shape *in = &plan->net->layers[layer->input[0]].shape;
    int64_t side = layer->shape.height;
    struct window window = {.stride = {in->height / side, in->width / side}};
    window.kernel[0] = in->height - (side - 1) * window.stride[0];
    window.kernel[1] = in->width - (side - 1) * window.stride[1];
    return window;
}

/* What was not to be had is told as the user would see it: the layer by name, and the machine. */
bool plan_no_kernel(const struct cpu_plan *plan, int layer, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_DEVICE,
                           "layer %s: %s has no operation for it in %s; use precision=float32 or another shape",
                           plan->net->layers[layer].name, plan->base.device->description,
                           plan->activation == INVAR_BFLOAT16 ? "bfloat16" : "float32");
}

/* Where an operand lies is known after the layout of memory; kernels ask at every call, since inputs move. */
void *plan_data(const struct cpu_plan *plan, const struct operation *op, int operand)
{
    return plan->buffers[op->operands[operand].buffer].data + op->operands[operand].offset;
}
