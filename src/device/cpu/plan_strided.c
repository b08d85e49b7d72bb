/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1x1 convolutions with a stride read one pixel of a square and leave the others. Where oneDNN has no kernel for that
 * (AVX2, sides that are no multiple of the stride) it takes one for windows of any size, at a seventh of the rate of a
 * product. Then the pixels that are read become a map of their own, and the convolution one of stride 1.
 */
#include "device/cpu/plan.h"

#include <string.h>

/* What the convolution reads, once the pixels that it skips are gone. */
struct invar_shape plan_strided_shape(const struct cpu_plan *plan, int number)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct invar_shape shape = plan->net->layers[layer->input[0]].shape;
    if (plan->layers[number].strided) {
        shape.height = layer->shape.height;
        shape.width = layer->shape.width;
    }
    return shape;
}

/* Once every read pixel has a neighbour that is read too, the stride is 1. */
struct window plan_strided_window(const struct cpu_plan *plan, int number)
{
    struct window window = plan_window(plan, number);
    if (plan->layers[number].strided)
        window.stride[0] = window.stride[1] = 1;
    return window;
}

/* Told by the name of the kernel that oneDNN offers, since what it has depends on processor, sides and version. */
void plan_strided_choose(struct cpu_plan *plan, int number, const struct kernel *direct)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct form form;
    plan->layers[number].strided = layer->kernel == 1 && layer->stride > 1 && layer->padding == 0 && direct &&
                                   !strstr(direct->implementation, "1x1") &&
                                   onednn_layout_form(plan->layers[layer->input[0]].out.layout, &form);
}

/* All pixels are [rows * blocks][height][width][bytes]. */
struct pixels {
    int64_t maps, height, width, small_height, small_width, stride;
    size_t bytes;
};

/* A pixel is a block of channels, whatever its type: bytes are moved, numbers are not looked at. */
static struct pixels pixels_of(const struct cpu_plan *plan, const struct operation *op)
{
    const struct invar_layer *layer = &plan->net->layers[op->layer];
    const struct invar_shape in = plan->net->layers[layer->input[0]].shape;
    return (struct pixels){op->rows,           in.height,     in.width,          layer->shape.height,
                           layer->shape.width, layer->stride, (size_t)op->stride};
}

/* Whole blocks of channels are copied, a vector or more at a time; what lies between is not even read. */
static void take_pixels(const struct cpu_plan *plan, const struct operation *op)
{
    const struct pixels p = pixels_of(plan, op);
    const char *from = plan_data(plan, op, 0);
    char *to = plan_data(plan, op, 1);
#pragma omp parallel for schedule(static)
    for (int64_t map = 0; map < p.maps; map++)
        for (int64_t y = 0; y < p.small_height; y++)
            for (int64_t x = 0; x < p.small_width; x++)
                memcpy(to + (size_t)((map * p.small_height + y) * p.small_width + x) * p.bytes,
                       from + (size_t)((map * p.height + y * p.stride) * p.width + x * p.stride) * p.bytes, p.bytes);
}

/* The others are zero. The gradient of pixels that no window reads is 0, and they lie between the others. */
static void spread_pixels(const struct cpu_plan *plan, const struct operation *op)
{
    const struct pixels p = pixels_of(plan, op);
    const size_t whole = (size_t)(p.height * p.width) * p.bytes;
    const char *from = plan_data(plan, op, 0);
    char *to = plan_data(plan, op, 1);
#pragma omp parallel for schedule(static)
    for (int64_t map = 0; map < p.maps; map++) {
        memset(to + (size_t)map * whole, 0, whole);
        for (int64_t y = 0; y < p.small_height; y++)
            for (int64_t x = 0; x < p.small_width; x++)
                memcpy(to + (size_t)map * whole + (size_t)(y * p.stride * p.width + x * p.stride) * p.bytes,
                       from + (size_t)((map * p.small_height + y) * p.small_width + x) * p.bytes, p.bytes);
    }
}

/* Both maps in blocks of the same width, so that a pixel of a block is one run of bytes. */
static bool move(struct cpu_plan *plan, int number, struct value from, struct invar_shape shape,
                 void (*run)(const struct cpu_plan *plan, const struct operation *op), struct value *to,
                 struct invar_error *err)
{
    const struct layout *layout = plan_layout_alike(plan, from.layout, shape, err);
    struct form form, other;
    if (!layout || !plan_value(plan, layout, to, err))
        return false;
    if (!onednn_layout_form(from.layout, &form) || !onednn_layout_form(layout, &other) || form.width != other.width ||
        form.blocks != other.blocks)
        return plan_no_kernel(plan, number, err);
    struct operation *op = plan_operation(plan, WORK_REORDER, number, NULL, err);
    if (!op)
        return false;
    op->run = run;
    op->rows = form.rows * form.blocks;
    op->stride = form.width * (int64_t)invar_dtype_size(onednn_layout_dtype(layout));
    plan_operand(op, 0, from.buffer, 0, NULL);
    plan_operand(op, 0, to->buffer, 0, NULL);
    return true;
}

bool plan_strided_take(struct cpu_plan *plan, int number, struct value *in, struct invar_error *err)
{
    const struct value from = plan->layers[plan->net->layers[number].input[0]].out;
    *in = from;
    return !plan->layers[number].strided ||
           move(plan, number, from, plan_strided_shape(plan, number), take_pixels, in, err);
}

/* oneDNN may answer in a layout of its own; what our loop cannot walk is made plain first. */
bool plan_strided_spread(struct cpu_plan *plan, int number, struct value *gradient, struct invar_error *err)
{
    const struct value from = *gradient;
    const struct invar_shape shape = plan->net->layers[plan->net->layers[number].input[0]].shape;
    struct form form;
    struct value read = from;
    if (!plan->layers[number].strided)
        return true;
    if (!onednn_layout_form(from.layout, &form)) {
        const struct layout *plain =
            plan_layout(plan, plan_strided_shape(plan, number), onednn_layout_dtype(from.layout), LAYOUT_PLAIN, err);
        if (!plain || !plan_convert(plan, WORK_REORDER, number, from, plain, &read, err))
            return false;
    }
    return move(plan, number, read, shape, spread_pixels, gradient, err);
}
