/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of the weights of a 3x3 convolution of one channel, the first layer of nets for gray images and clips.
 * oneDNN fills the one channel up to a whole block and multiplies zeros for seven (or fifteen) eighths of its time, on
 * a map that is reordered for it. Here eight output channels are a vector, the nine weights are nine of them in
 * registers, and the map is read as it is. Parts of the batch are summed in a fixed order, so threads never change the
 * bits.
 */
#include "device/cpu/plan.h"

#include "base/clones.h"

#include <string.h>

#define PARTS 16
#define TAPS 9
#define EIGHT 8
#define LARGEST_MAP (128 * 128) /* each part has a copy of one with its border */

typedef float eight __attribute__((vector_size(EIGHT * sizeof(float)), aligned(sizeof(float)), may_alias));

/* Padding on both sides of both sides. */
static int64_t border_size(const struct invar_layer *layer, struct invar_shape in)
{
    return (in.height + 2 * layer->padding) * (in.width + 2 * layer->padding);
}

/* The map within its border of zeros, which is there already. With a border of zeros no tap has to ask where it is. */
static void copy_inside(const float *map, struct invar_shape in, int64_t padding, float *bordered)
{
    const int64_t wide = in.width + 2 * padding;

    for (int64_t y = 0; y < in.height; y++)
        memcpy(bordered + (y + padding) * wide + padding, map + y * in.width, (size_t)in.width * sizeof *map);
}

/* sum[TAPS][EIGHT] += over all pixels, map around the pixel times gradient, whose pixels are `step` apart. Nine sums
 * and a gradient are ten registers of sixteen: no sum goes to memory within a map. */
INVAR_CLONES static void add_map(const float *map, int64_t wide, int64_t stride, struct invar_shape out,
                                 const float *gradient, int64_t step, float *sum)
{
    eight acc[TAPS] = {0};

    for (int64_t y = 0; y < out.height; y++) {
        const float *row = map + y * stride * wide;
        for (int64_t x = 0; x < out.width; x++, row += stride, gradient += step) {
            const eight g = *(const eight *)gradient;
#pragma GCC unroll 9
            for (int t = 0; t < TAPS; t++)
                acc[t] += row[t / 3 * wide + t % 3] * g;
        }
    }
    for (int t = 0; t < TAPS; t++)
        for (int l = 0; l < EIGHT; l++)
            sum[t * EIGHT + l] += acc[t][l];
}

/* 16 parts whatever the number of threads, each with sums of its own, which are put together in their order. */
static void gray_weights(const struct cpu_plan *plan, const struct operation *op)
{
    const struct invar_layer *layer = &plan->net->layers[op->layer];
    const struct invar_shape in = plan->net->layers[layer->input[0]].shape, out = layer->shape;
    const float *src = plan_data(plan, op, 0), *gradient = plan_data(plan, op, 1);
    float *weights = plan_data(plan, op, 2), *sums = plan_data(plan, op, 3), *maps = plan_data(plan, op, 4);
    const int64_t width = op->stride, blocks = op->cols, eights = blocks * width / EIGHT;
    const int64_t size = border_size(layer, in), pixels = out.height * out.width;

#pragma omp parallel for schedule(static)
    for (int part = 0; part < PARTS; part++) {
        float *sum = sums + part * eights * TAPS * EIGHT, *map = maps + part * size;
        memset(sum, 0, (size_t)(eights * TAPS * EIGHT) * sizeof *sum);
        memset(map, 0, (size_t)size * sizeof *map);
        for (int64_t row = op->rows * part / PARTS; row < op->rows * (part + 1) / PARTS; row++) {
            copy_inside(src + row * in.height * in.width, in, layer->padding, map);
            for (int64_t e = 0; e < eights; e++) {
                const int64_t block = row * blocks + e * EIGHT / width;
                add_map(map, in.width + 2 * layer->padding, layer->stride, out,
                        gradient + block * pixels * width + e * EIGHT % width, width, sum + e * TAPS * EIGHT);
            }
        }
    }
    for (int64_t c = 0; c < out.channels; c++)
        for (int t = 0; t < TAPS; t++) {
            float sum = 0;
            for (int part = 0; part < PARTS; part++)
                sum += sums[((part * eights + c / EIGHT) * TAPS + t) * EIGHT + c % EIGHT];
            weights[c * TAPS + t] = sum;
        }
}

/* Only as it stands in nets for gray images: one channel, 3x3, no bias, float32, a map that is read as it lies. */
bool plan_gray_weights(struct cpu_plan *plan, int number, struct value gradient, bool *taken, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const struct invar_shape in = plan->net->layers[layer->input[0]].shape;
    const struct value map = plan->layers[layer->input[0]].out;
    struct form form, source;
    struct value weights;

    *taken = layer->kind == INVAR_LAYER_CONV2D && in.channels == 1 && layer->kernel == 3 && layer->parameter[1] < 0 &&
             plan->activation == INVAR_FLOAT32 && !plan->emulates && in.height * in.width <= LARGEST_MAP &&
             onednn_layout_form(map.layout, &source) && source.width == 1 &&
             onednn_layout_form(gradient.layout, &form) && form.width % EIGHT == 0 &&
             form.blocks * form.width >= layer->shape.channels;
    if (!*taken)
        return true;
    const size_t sums = (size_t)(PARTS * form.blocks * form.width * TAPS) * sizeof(float);
    const int scratch = plan_buffer(plan, sums, err);
    const int bordered = plan_buffer(plan, (size_t)(PARTS * border_size(layer, in)) * sizeof(float), err);
    if (scratch < 0 || bordered < 0 || !plan_parameter(plan, number, 0, true, &weights, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_CONV_BACKWARD_WEIGHTS, number, NULL, err);
    if (!op)
        return false;
    op->run = gray_weights;
    op->rows = plan->options.batch;
    op->cols = form.blocks;
    op->stride = form.width;
    plan_operand(op, 0, map.buffer, 0, NULL);
    plan_operand(op, 0, gradient.buffer, 0, NULL);
    plan_operand(op, 0, weights.buffer, 0, NULL);
    plan_operand(op, 0, scratch, 0, NULL);
    plan_operand(op, 0, bordered, 0, NULL);
    return true;
}
