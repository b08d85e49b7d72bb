/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of the weights of a convolution of one, two or four channels: the first layer of nets for gray images,
 * clips and stacked frames of games. oneDNN has kernels for three, and fills others up to a whole block: it multiplies
 * zeros for a half to seven eighths of its time, on a map that is reordered for it. Here some output channels are a
 * vector, some weights at a time are vectors in registers (few_kernels.h), and the map is read as it is. Parts of the
 * batch are summed in a fixed order, so threads never change the bits.
 */
#include "device/cpu/few.h"
#include "device/cpu/isa.h"
#include "device/cpu/plan.h"

#include "base/clones.h"

#include <string.h>

#define PARTS 16
#define LARGEST_MAP (128 * 128) /* pixels of a channel; each part has a copy of all with their border */

static const struct few_kernels *kernels(void)
{
    const enum isa isa = cpu_isa();
    return isa >= ISA_AVX512 ? &few_avx512 : isa >= ISA_AVX2 ? &few_avx2 : &few_sse;
}

/* NULL: windows of another side. */
static const struct few_side *side_of(const struct invar_layer *layer)
{
    const struct few_side *s = kernels()->sides;

    while (s->side > 0 && s->side != layer->kernel)
        s++;
    return s->side > 0 ? s : NULL;
}

static int64_t wide_of(const struct invar_layer *layer, struct invar_shape in)
{
    return in.width + 2 * layer->padding;
}

/* Padding on both sides of both sides, of all channels. */
static int64_t border_size(const struct invar_layer *layer, struct invar_shape in)
{
    return in.channels * (in.height + 2 * layer->padding) * wide_of(layer, in);
}

/* The map within its border of zeros, which is there already. With a border of zeros no tap has to ask where it is. */
static const float *bordered(const struct invar_layer *layer, struct invar_shape in, const float *map, float *room)
{
    const int64_t padding = layer->padding, wide = wide_of(layer, in);

    for (int64_t c = 0; c < in.channels; c++)
        for (int64_t y = 0; y < in.height; y++)
            memcpy(room + ((c * (in.height + 2 * padding) + y + padding) * wide + padding),
                   map + (c * in.height + y) * in.width, (size_t)in.width * sizeof *map);
    return room;
}

/* Where a vector of channels of a row begins, in blocks of `width` channels. */
static const float *channels_at(const float *gradient, int64_t row, int64_t channel, const struct operation *op,
                                int64_t pixels)
{
    const int64_t block = row * op->cols + channel / op->stride;

    return gradient + block * pixels * op->stride + channel % op->stride;
}

/* One sample: sum[vectors][channels side side][lanes] += its part. */
static void add_sample(const struct invar_layer *layer, struct invar_shape in, const struct operation *op,
                       const float *map, const float *gradient, int64_t row, float *sum)
{
    const struct few_side *side = side_of(layer);
    const struct invar_shape out = layer->shape;
    const int64_t wide = wide_of(layer, in), high = in.height + 2 * layer->padding, pixels = out.height * out.width;
    const int64_t lanes = kernels()->lanes, vectors = op->cols * op->stride / lanes;
    const int64_t apart = in.channels * side->side * side->side * lanes;

    for (int64_t v = 0; v < vectors;) {
        const bool two = side->add_two && v + 1 < vectors;
        const struct few_gradient part = {{channels_at(gradient, row, v * lanes, op, pixels),
                                           two ? channels_at(gradient, row, (v + 1) * lanes, op, pixels) : NULL},
                                          op->stride};
        for (int64_t c = 0; c < in.channels; c++)
            for (int64_t y = 0; y < side->side; y += side->rows) {
                const struct few_plane plane = {map + (c * high + y) * wide, wide, layer->stride, out.height,
                                                out.width};
                (two ? side->add_two : side->add)(&plane, &part,
                                                  sum + v * apart + (c * side->side + y) * side->side * lanes, apart);
            }
        v += two ? 2 : 1;
    }
}

/* sum[channels] += the gradient over all pixels of a sample, channel by channel of its blocks. */
INVAR_CLONES static void add_bias(const float *gradient, int64_t blocks, int64_t pixels, int64_t width, float *sum)
{
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t p = 0; p < pixels; p++, gradient += width)
            for (int64_t l = 0; l < width; l++)
                sum[b * width + l] += gradient[l];
}

/* The sum of value[part][at], parts in their order. */
static float over_parts(const float *value, int64_t size, int64_t at)
{
    float sum = 0;

    for (int part = 0; part < PARTS; part++)
        sum += value[part * size + at];
    return sum;
}

/* 16 parts whatever the number of threads, each with sums of its own, which are put together in their order. */
static void few_weights(const struct cpu_plan *plan, const struct operation *op)
{
    const struct invar_layer *layer = &plan->net->layers[op->layer];
    const struct invar_shape in = plan->net->layers[layer->input[0]].shape, out = layer->shape;
    const float *src = plan_data(plan, op, 0), *gradient = plan_data(plan, op, 1);
    float *weights = plan_data(plan, op, 2), *sums = plan_data(plan, op, 3), *maps = plan_data(plan, op, 4);
    float *bias = layer->parameter[1] >= 0 ? plan_data(plan, op, 5) : NULL;
    const int64_t channels = op->cols * op->stride, taps = in.channels * layer->kernel * layer->kernel;
    const int64_t room = border_size(layer, in), size = channels * (taps + 1);
    const int64_t pixels = out.height * out.width, numbers = in.channels * in.height * in.width;
    const int64_t lanes = kernels()->lanes;

#pragma omp parallel for schedule(static)
    for (int part = 0; part < PARTS; part++) {
        float *sum = sums + part * size, *own = maps + part * room;
        memset(sum, 0, (size_t)size * sizeof *sum);
        memset(own, 0, (size_t)room * sizeof *own);
        for (int64_t row = op->rows * part / PARTS; row < op->rows * (part + 1) / PARTS; row++) {
            add_sample(layer, in, op, bordered(layer, in, src + row * numbers, own), gradient, row, sum);
            if (bias)
                add_bias(gradient + row * channels * pixels, op->cols, pixels, op->stride, sum + channels * taps);
        }
    }
    for (int64_t c = 0; c < out.channels; c++)
        for (int64_t t = 0; t < taps; t++)
            weights[c * taps + t] = over_parts(sums, size, (c / lanes * taps + t) * lanes + c % lanes);
    for (int64_t c = 0; bias && c < out.channels; c++)
        bias[c] = over_parts(sums, size, channels * taps + c);
}

bool plan_has_few(struct invar_shape in)
{
    return in.channels <= 4 && in.channels != 3;
}

/* Only where the map is read as it lies, in float32, and the gradient's channels are whole vectors. */
bool plan_few_weights(struct cpu_plan *plan, int number, struct value gradient, bool *taken, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    const struct invar_shape in = plan->net->layers[layer->input[0]].shape;
    const struct value map = plan->layers[layer->input[0]].out;
    struct form form, source;
    struct value weights, bias = {-1, NULL};

    *taken = layer->kind == INVAR_LAYER_CONV2D && plan_has_few(in) && side_of(layer) &&
             plan->activation == INVAR_FLOAT32 && !plan->emulates && in.height * in.width <= LARGEST_MAP &&
             onednn_layout_form(map.layout, &source) && source.width == 1 &&
             onednn_layout_form(gradient.layout, &form) && form.width % kernels()->lanes == 0 &&
             form.blocks * form.width >= layer->shape.channels;
    if (!*taken)
        return true;
    const int64_t taps = in.channels * layer->kernel * layer->kernel;
    const int scratch = plan_buffer(plan, (size_t)(PARTS * form.blocks * form.width * (taps + 1)) * sizeof(float), err);
    const int room = plan_buffer(plan, (size_t)(PARTS * border_size(layer, in)) * sizeof(float), err);
    if (scratch < 0 || room < 0 || !plan_parameter(plan, number, 0, true, &weights, err) ||
        (layer->parameter[1] >= 0 && !plan_parameter(plan, number, 1, true, &bias, err)))
        return false;
    struct operation *op = plan_operation(plan, WORK_CONV_BACKWARD_WEIGHTS, number, NULL, err);
    if (!op)
        return false;
    op->run = few_weights;
    op->rows = plan->options.batch;
    op->cols = form.blocks;
    op->stride = form.width;
    plan_operand(op, 0, map.buffer, 0, NULL);
    plan_operand(op, 0, gradient.buffer, 0, NULL);
    plan_operand(op, 0, weights.buffer, 0, NULL);
    plan_operand(op, 0, scratch, 0, NULL);
    plan_operand(op, 0, room, 0, NULL);
    if (layer->parameter[1] >= 0)
        plan_operand(op, 0, bias.buffer, 0, NULL);
    return true;
}
