/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LSTM over the steps of a plan. Rows of a step lie together, so what does not wait for the step before (the input's
 * share of the gates, all gradients of weights) is one product over all steps, and only hidden to hidden is one a step.
 * A row is one thread's.
 */
#include "device/cpu/plan.h"

#include "base/matrix.h"
#include "device/cpu/dense.h"

#include <math.h>
#include <string.h>

/* One layer: its sizes, its parameters, and where its state stands in that of a sequence. */
struct lstm {
    const struct cpu_plan *plan;
    const struct invar_layer *layer;
    struct invar_device *device;
    int64_t steps, rows, in, hidden, place, state; /* rows: of a step; place: of h in a sequence's state */
};

/* From the net, which is small: nothing of it has to be kept in an operation. */
static struct lstm lstm_of(const struct cpu_plan *plan, int number)
{
    const struct invar_net *net = plan->net;
    struct lstm l = {.plan = plan,
                     .layer = &net->layers[number],
                     .device = plan->base.device,
                     .steps = plan->options.steps,
                     .rows = plan->options.batch / plan->options.steps,
                     .in = net->layers[net->layers[number].input[0]].shape.channels,
                     .hidden = net->layers[number].shape.channels,
                     .state = invar_net_state(net)};
    for (int i = 0; i < number; i++)
        l.place += net->layers[i].kind == INVAR_LAYER_LSTM ? 2 * net->layers[i].shape.channels : 0;
    return l;
}

/* weight_ih, weight_hh, bias_ih or bias_hh. */
static float *parameter(const struct lstm *l, int slot, bool gradient)
{
    const struct invar_weights *w = l->plan->weights;
    return (gradient ? w->gradients : w->parameters) + l->plan->net->parameters[l->layer->parameter[slot]].offset;
}

/* All matrices here are float32, as vectors are whatever the maps before them are. */
static struct invar_matrix over(int64_t rows, int64_t cols, float *data)
{
    return matrix_over(INVAR_FLOAT32, rows, cols, data);
}

/* expf of a large number is Inf, of which the quotient is 0: no branch is needed. */
static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* h and c of every sequence between the plan's state and the rows of a step. A sequence's state is one stretch of
 * memory, so that whoever keeps states (a replay of sequences) copies them whole; rows of h alone are what products
 * read. */
static void exchange(const struct lstm *l, bool last, float *hidden, float *cells)
{
    float *state = l->plan->state + (last ? l->rows * l->state : 0) + l->place;
    const size_t bytes = (size_t)l->hidden * sizeof(float);
    for (int64_t i = 0; i < l->rows; i++) {
        float *h = state + i * l->state, *c = h + l->hidden;
        memcpy(last ? h : hidden + i * l->hidden, last ? hidden + i * l->hidden : h, bytes);
        memcpy(last ? c : cells + i * l->hidden, last ? cells + i * l->hidden : c, bytes);
    }
}

/* From the sums in gates to their values, which the backward pass reads, and on to cells and hidden units. */
/* The cell's tanh is not kept: making it again costs less than reading it from memory. */
static void step_forward(const struct lstm *l, float *gates, const float *before, float *cells, float *hidden)
{
    const int64_t n = l->hidden;
    const float *a = parameter(l, 2, false), *b = parameter(l, 3, false);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < l->rows; i++) {
        float *g = gates + i * 4 * n;
        for (int64_t j = 0; j < 4 * n; j++) {
            const float x = g[j] + (a[j] + b[j]);
            g[j] = j >= 2 * n && j < 3 * n ? tanhf(x) : sigmoid(x);
        }
        for (int64_t j = 0; j < n; j++) {
            const float c = g[n + j] * before[i * n + j] + g[j] * g[2 * n + j];
            cells[i * n + j] = c;
            hidden[i * n + j] = g[3 * n + j] * tanhf(c);
        }
    }
}

/* The share of the input, of all steps, is there before the first step adds its own: a product over many rows is
 * several times as fast as as many of few. */
static void run_forward(const struct cpu_plan *plan, const struct operation *op)
{
    const struct lstm l = lstm_of(plan, op->layer);
    const int64_t n = l.hidden, all = l.rows * l.steps, step = l.rows * n;
    float *gates = plan_data(plan, op, 1), *hidden = plan_data(plan, op, 2), *cells = plan_data(plan, op, 3);
    const struct invar_matrix x = over(all, l.in, plan_data(plan, op, 0)), sums = over(all, 4 * n, gates),
                              input = over(4 * n, l.in, parameter(&l, 0, false)),
                              again = over(4 * n, n, parameter(&l, 1, false));

    exchange(&l, false, hidden, cells);
    cpu_dense_product(l.device, false, true, 1, &x, &input, 0, &sums);
    for (int64_t t = 0; t < l.steps; t++) {
        const struct invar_matrix h = over(l.rows, n, hidden + t * step), s = over(l.rows, 4 * n, gates + t * 4 * step);
        cpu_dense_product(l.device, false, true, 1, &h, &again, 1, &s);
        step_forward(&l, s.data, cells + t * step, cells + (t + 1) * step, hidden + (t + 1) * step);
    }
    exchange(&l, true, hidden + l.steps * step, cells + l.steps * step);
    memcpy(plan_data(plan, op, 4), hidden + step, (size_t)(all * n) * sizeof(float));
}

/* Hidden units and cells of a step stand behind those of the step before, the first behind what sequences begin with.
 */
bool plan_lstm_forward(struct cpu_plan *plan, int number, struct invar_error *err)
{
    struct layer_state *state = &plan->layers[number];
    const struct lstm l = lstm_of(plan, number);
    const size_t row = (size_t)l.hidden * sizeof(float), all = (size_t)(l.steps * l.rows);

    state->in = plan->layers[l.layer->input[0]].out;
    state->workspace = plan_buffer(plan, 4 * all * row, err);
    state->hidden = plan_buffer(plan, (all + (size_t)l.rows) * row, err);
    state->cells = plan_buffer(plan, (all + (size_t)l.rows) * row, err);
    const struct layout *out = plan_layout(plan, l.layer->shape, INVAR_FLOAT32, LAYOUT_PLAIN, err);
    if (state->workspace < 0 || state->hidden < 0 || state->cells < 0 || !out ||
        !plan_value(plan, out, &state->out, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_LSTM, number, NULL, err);
    if (!op)
        return false;
    op->run = run_forward;
    plan_operand(op, 0, state->in.buffer, 0, NULL);
    plan_operand(op, 0, state->workspace, 0, NULL);
    plan_operand(op, 0, state->hidden, 0, NULL);
    plan_operand(op, 0, state->cells, 0, NULL);
    op->output = op->operand_count;
    plan_operand(op, 0, state->out.buffer, 0, state->out.layout);
    return true;
}

/* ---- backwards ---- */

/* dh, dc: gradients of hidden units and cells that the step after this one left; dc becomes that for the step before.
 */
static void step_backward(const struct lstm *l, const float *gates, const float *before, const float *cells,
                          const float *dy, const float *dh, float *dc, float *sums)
{
    const int64_t n = l->hidden;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < l->rows; i++) {
        const float *g = gates + i * 4 * n;
        float *s = sums + i * 4 * n;
        for (int64_t j = 0; j < n; j++) {
            const int64_t at = i * n + j;
            const float in = g[j], forget = g[n + j], new = g[2 * n + j], out = g[3 * n + j], th = tanhf(cells[at]);
            const float h = dy[at] + dh[at], c = dc[at] + h * out * (1 - th * th);
            s[j] = c * new *in *(1 - in);
            s[n + j] = c * before[at] * forget * (1 - forget);
            s[2 * n + j] = c * in * (1 - new *new);
            s[3 * n + j] = h * th * out * (1 - out);
            dc[at] = c * forget;
        }
    }
}

/* Column sums in double, for both biases alike. */
static void bias_backward(const struct lstm *l, const float *sums)
{
    const int64_t width = 4 * l->hidden;
    float *a = parameter(l, 2, true), *b = parameter(l, 3, true);
#pragma omp parallel for schedule(static)
    for (int64_t j = 0; j < width; j++) {
        double sum = 0;
        for (int64_t i = 0; i < l->rows * l->steps; i++)
            sum += (double)sums[i * width + j];
        a[j] = b[j] = (float)sum;
    }
}

/* Gradients of weights are sums over steps, so they wait until the gates' gradients of all steps are there. What
 * sequences begin with is a constant: the product of the first step is left out. */
static void run_backward(const struct cpu_plan *plan, const struct operation *op)
{
    const struct lstm l = lstm_of(plan, op->layer);
    const int64_t n = l.hidden, all = l.rows * l.steps, step = l.rows * n;
    const float *gates = plan_data(plan, op, 1), *cells = plan_data(plan, op, 3), *dy = plan_data(plan, op, 4);
    float *hidden = plan_data(plan, op, 2), *sums = plan_data(plan, op, 5), *dh = plan_data(plan, op, 6),
          *dc = plan_data(plan, op, 7);
    const struct invar_matrix x = over(all, l.in, plan_data(plan, op, 0)), s = over(all, 4 * n, sums),
                              before = over(all, n, hidden), back = over(l.rows, n, dh),
                              again = over(4 * n, n, parameter(&l, 1, false)),
                              again_gradient = over(4 * n, n, parameter(&l, 1, true)),
                              input_gradient = over(4 * n, l.in, parameter(&l, 0, true));

    memset(dh, 0, (size_t)step * sizeof(float));
    memset(dc, 0, (size_t)step * sizeof(float));
    /* from the last step, whose output alone says anything of its hidden units */
    for (int64_t t = l.steps - 1; t >= 0; t--) {
        const struct invar_matrix now = over(l.rows, 4 * n, sums + t * 4 * step);
        step_backward(&l, gates + t * 4 * step, cells + t * step, cells + (t + 1) * step, dy + t * step, dh, dc,
                      now.data);
        if (t > 0)
            cpu_dense_product(l.device, false, false, 1, &now, &again, 0, &back);
    }
    cpu_dense_product(l.device, true, false, 1, &s, &x, 0, &input_gradient);
    cpu_dense_product(l.device, true, false, 1, &s, &before, 0, &again_gradient);
    bias_backward(&l, sums);
    if (op->operand_count > 8) {
        const struct invar_matrix input = over(4 * n, l.in, parameter(&l, 0, false)),
                                  dx = over(all, l.in, plan_data(plan, op, 8));
        cpu_dense_product(l.device, false, false, 1, &s, &input, 0, &dx);
    }
}

/* The gates' gradients have a place of their own: a pass that is repeated finds the gates as they were. dx comes last
 * among the operands, and is missing where nobody wants it. */
bool plan_lstm_backward(struct cpu_plan *plan, int number, struct value gradient, struct value *out,
                        struct invar_error *err)
{
    const struct layer_state *state = &plan->layers[number];
    const struct lstm l = lstm_of(plan, number);
    const size_t step = (size_t)(l.rows * l.hidden) * sizeof(float);
    const int sums = plan_buffer(plan, 4 * (size_t)l.steps * step, err), dh = plan_buffer(plan, step, err),
              dc = plan_buffer(plan, step, err);

    *out = (struct value){-1, NULL};
    if (sums < 0 || dh < 0 || dc < 0 ||
        (plan->layers[l.layer->input[0]].needs_gradient && !plan_value(plan, state->in.layout, out, err)))
        return false;
    struct operation *op = plan_operation(plan, WORK_LSTM, number, NULL, err);
    if (!op)
        return false;
    op->run = run_backward;
    const int operands[] = {
        state->in.buffer, state->workspace, state->hidden, state->cells, gradient.buffer, sums, dh, dc, out->buffer};
    for (int i = 0; i < 9 && operands[i] >= 0; i++)
        plan_operand(op, 0, operands[i], 0, NULL);
    return true;
}
