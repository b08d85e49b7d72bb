/* SPDX-License-Identifier: Apache-2.0 */
/* Averages over windows, eight channels a vector: small maps, on which oneDNN's pool takes several times what reading
   them does. A map of channels is one thread's, so threads never change the bits. */
#include "device/cpu/plan.h"

#include "base/clones.h"

#include <string.h>

#define EIGHT 8

/* Sides and steps in numbers of eight channels, so that the loops know nothing of layouts. */
struct pool {
    int64_t height, width, out_height, out_width, step; /* step: numbers from one pixel to the next */
    struct window window;
};

/* Eight channels of a map, from `from` on. The sum in float, in the order of the window: windows have few pixels. */
INVAR_CLONES static void average(const struct pool *p, const float *from, float *to)
{
    const float count = (float)(p->window.kernel[0] * p->window.kernel[1]);

    for (int64_t y = 0; y < p->out_height; y++)
        for (int64_t x = 0; x < p->out_width; x++, to += p->step) {
            const float *corner = from + (y * p->window.stride[0] * p->width + x * p->window.stride[1]) * p->step;
            float sum[EIGHT] = {0};
            for (int64_t i = 0; i < p->window.kernel[0]; i++)
                for (int64_t j = 0; j < p->window.kernel[1]; j++)
                    for (int l = 0; l < EIGHT; l++)
                        sum[l] += corner[(i * p->width + j) * p->step + l];
            for (int l = 0; l < EIGHT; l++)
                to[l] = sum[l] / count;
        }
}

/* Windows may overlap. Cleared first, and added to: a pixel may lie in several windows, or in none. */
INVAR_CLONES static void average_backward(const struct pool *p, const float *from, float *to)
{
    const float count = (float)(p->window.kernel[0] * p->window.kernel[1]);

    for (int64_t i = 0; i < p->height * p->width; i++)
        for (int l = 0; l < EIGHT; l++)
            to[i * p->step + l] = 0;
    for (int64_t y = 0; y < p->out_height; y++)
        for (int64_t x = 0; x < p->out_width; x++, from += p->step) {
            float *corner = to + (y * p->window.stride[0] * p->width + x * p->window.stride[1]) * p->step;
            float share[EIGHT];
            for (int l = 0; l < EIGHT; l++)
                share[l] = from[l] / count;
            for (int64_t i = 0; i < p->window.kernel[0]; i++)
                for (int64_t j = 0; j < p->window.kernel[1]; j++)
                    for (int l = 0; l < EIGHT; l++)
                        corner[(i * p->width + j) * p->step + l] += share[l];
        }
}

/* op->rows maps of op->cols eights each, whose pixels are op->stride apart. Maps of eight channels are independent:
 * threads take them as they come, and each writes its own. */
static void run(const struct cpu_plan *plan, const struct operation *op, bool backward)
{
    const struct invar_layer *layer = &plan->net->layers[op->layer];
    const struct invar_shape in = plan->net->layers[layer->input[0]].shape;
    const struct pool p = {in.height,          in.width,   layer->shape.height,
                           layer->shape.width, op->stride, plan_window(plan, op->layer)};
    const int64_t large = in.height * in.width * op->stride,
                  small = layer->shape.height * layer->shape.width * op->stride;
    const float *from = plan_data(plan, op, 0);
    float *to = plan_data(plan, op, 1);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < op->rows * op->cols; i++) {
        const int64_t map = i / op->cols, place = i % op->cols * EIGHT;
        if (backward)
            average_backward(&p, from + map * small + place, to + map * large + place);
        else
            average(&p, from + map * large + place, to + map * small + place);
    }
}

/* Operations are pointers to functions without room for a flag. */
static void run_forward(const struct cpu_plan *plan, const struct operation *op)
{
    run(plan, op, false);
}

static void run_backward(const struct cpu_plan *plan, const struct operation *op)
{
    run(plan, op, true);
}

/* Averages need nothing but sizes, so forward and backward are one operation with the ends exchanged. */
static bool add_pool(struct cpu_plan *plan, int number, const struct form *form, struct value from, struct value to,
                     bool backward, struct invar_error *err)
{
    struct operation *op = plan_operation(plan, WORK_POOL, number, NULL, err);
    if (!op)
        return false;
    op->run = backward ? run_backward : run_forward;
    op->rows = form->rows * form->blocks;
    op->cols = form->width / EIGHT;
    op->stride = form->width;
    plan_operand(op, 0, from.buffer, 0, NULL);
    if (!backward)
        op->output = op->operand_count;
    plan_operand(op, 0, to.buffer, 0, to.layout);
    return true;
}

/* Of float32, in whole vectors. bfloat16 and odd widths are left to oneDNN. */
static bool fits(const struct layout *layout, struct form *form)
{
    return onednn_layout_dtype(layout) == INVAR_FLOAT32 && onednn_layout_form(layout, form) && form->width % EIGHT == 0;
}

/* The output in the manner of the input, so that nothing is reordered around it. */
bool plan_average_forward(struct cpu_plan *plan, int number, bool *taken, struct invar_error *err)
{
    const struct invar_layer *layer = &plan->net->layers[number];
    struct layer_state *state = &plan->layers[number];
    struct form form;
    state->in = plan->layers[layer->input[0]].out;
    *taken = state->averaged = layer->kind == INVAR_LAYER_AVGPOOL && !plan->emulates && fits(state->in.layout, &form);
    if (!*taken)
        return true;
    const struct layout *layout = plan_layout_alike(plan, state->in.layout, layer->shape, err);
    return layout && plan_value(plan, layout, &state->out, err) &&
           add_pool(plan, number, &form, state->in, state->out, false, err);
}

/* In the layout of the forward pass's input, which whoever reads the gradient has as well. */
bool plan_average_backward(struct cpu_plan *plan, int number, struct value gradient, struct value *out,
                           struct invar_error *err)
{
    const struct layer_state *state = &plan->layers[number];
    struct value from;
    struct form form;
    if (!plan_convert(plan, WORK_REORDER, number, gradient, state->out.layout, &from, err) ||
        !plan_value(plan, state->in.layout, out, err))
        return false;
    if (!fits(state->in.layout, &form))
        return plan_no_kernel(plan, number, err);
    return add_pool(plan, number, &form, from, *out, true, err);
}
