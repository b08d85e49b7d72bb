/* SPDX-License-Identifier: Apache-2.0 */
/* Inference in fewer passes over the maps: the batch norm behind a convolution or linear layer goes into its weights
   and bias, and the sum and the ReLU behind that are done as its result is written. What depends on the weights alone
   is made once for the same weights, however many batches they see. */
#include "device/cpu/plan.h"

#include <math.h>
#include <string.h>

/* The layer that reads the output of another, if it is its only reader; else -1. What several layers read has to
 * exist by itself. */
static int only_reader(const struct cpu_plan *plan, int layer)
{
    const struct invar_net *net = plan->net;
    if (plan->layers[layer].consumers != 1)
        return -1;
    for (int i = layer + 1; i < net->layer_count; i++)
        if (net->layers[i].input[0] == layer || net->layers[i].input[1] == layer)
            return i;
    return -1;
}

static bool is_kind(const struct cpu_plan *plan, int layer, enum invar_layer_kind kind)
{
    return layer >= 0 && plan->net->layers[layer].kind == kind;
}

/* Is the memory of a value read from this layer on, other than by one of them? Several layers may share it. Asked of
 * memory and not of layers: an output may be another's memory (flattened, or written over). */
static bool is_read_again(const struct cpu_plan *plan, int buffer, int first, int but)
{
    const struct invar_net *net = plan->net;
    for (int i = first; i < net->layer_count; i++)
        for (int k = 0; i != but && k < 2; k++) {
            const int source = net->layers[i].input[k];
            if (source >= 0 && source < first && plan->layers[source].out.buffer == buffer)
                return true;
        }
    return false;
}

/* The other summand, if it is there by now and nothing else reads it again. The result is written over the other
 * summand, so that must be there by then, must not be the caller's, and must be read by nobody else afterwards. */
static struct value summand(const struct cpu_plan *plan, int layer, int last, int add)
{
    const int *input = plan->net->layers[add].input, other = input[0] == last ? input[1] : input[0];
    const struct value none = {-1, NULL};
    if (other >= layer || plan->buffers[plan->layers[other].out.buffer].constant ||
        is_read_again(plan, plan->layers[other].out.buffer, layer, add))
        return none;
    return plan->layers[other].out;
}

/* In the order of a residual block: convolution, norm, sum, ReLU. Whatever is missing ends the chain. */
static void choose(const struct cpu_plan *plan, int layer, bool sum, struct folded *out)
{
    int next = only_reader(plan, layer);
    out->norm = out->add = -1;
    out->sum = (struct value){-1, NULL};
    out->relu = false;
    out->last = layer;
    if (is_kind(plan, next, INVAR_LAYER_BATCHNORM)) {
        out->norm = out->last = next;
        next = only_reader(plan, next);
    }
    if (sum && is_kind(plan, next, INVAR_LAYER_ADD))
        out->sum = summand(plan, layer, out->last, next);
    if (out->sum.layout) {
        out->add = out->last = next;
        next = only_reader(plan, next);
    }
    if (is_kind(plan, next, INVAR_LAYER_RELU)) {
        out->relu = true;
        out->last = next;
    }
}

/* The norm stays in the weights, whatever becomes of the sum. */
void plan_fold_without_sum(struct cpu_plan *plan, int layer, struct folded *folded)
{
    choose(plan, layer, false, folded);
}

enum { WEIGHTS, SCALE, SHIFT, MEAN, VARIANCE, OUT_WEIGHTS, OUT_BIAS, BIAS };

/* scale (W x + b - mean) / sqrt(variance + epsilon) + shift = (f W) x + (shift + f (b - mean)). In double and rounded
 * once: the factor of a channel with a small variance is large, and errors of it would be in every weight. */
static void fold_norm(const struct cpu_plan *plan, const struct operation *op)
{
    const float *weights = plan_data(plan, op, WEIGHTS), *scale = plan_data(plan, op, SCALE),
                *shift = plan_data(plan, op, SHIFT), *mean = plan_data(plan, op, MEAN),
                *variance = plan_data(plan, op, VARIANCE);
    const float *bias = op->operand_count > BIAS ? plan_data(plan, op, BIAS) : NULL;
    float *out = plan_data(plan, op, OUT_WEIGHTS), *out_bias = plan_data(plan, op, OUT_BIAS);
    for (int64_t i = 0; i < op->rows; i++) {
        const double factor = (double)scale[i] / sqrt((double)variance[i] + op->number);
        const double from = (bias ? (double)bias[i] : 0.0) - (double)mean[i];
        for (int64_t j = i * op->cols; j < (i + 1) * op->cols; j++)
            out[j] = (float)(factor * (double)weights[j]);
        out_bias[i] = (float)((double)shift[i] + factor * from);
    }
}

/* Puts the norm into the weights and bias of folded. An operation of its own, run when weights have changed: it reads
 * the plain weights and leaves those that the convolution takes. */
static bool add_norm(struct cpu_plan *plan, int layer, struct folded *folded, struct invar_error *err)
{
    const struct value weights = folded->weights, bias = folded->bias;
    struct value norm[4];
    for (int slot = 0; slot < 4; slot++)
        if (!plan_parameter(plan, folded->norm, slot, false, &norm[slot], err))
            return false;
    if (!plan_value(plan, weights.layout, &folded->weights, err) ||
        !plan_value(plan, norm[1].layout, &folded->bias, err))
        return false;
    struct operation *op = plan_operation(plan, WORK_WEIGHT_REORDER, layer, NULL, err);
    if (!op)
        return false;
    op->run = fold_norm;
    op->rows = plan->net->layers[layer].shape.channels;
    op->cols = plan->net->parameters[plan->net->layers[layer].parameter[0]].count / op->rows;
    op->number = plan->net->layers[folded->norm].epsilon;
    op->groups = folded->norm;
    plan_operand(op, 0, weights.buffer, 0, NULL);
    for (int slot = 0; slot < 4; slot++)
        plan_operand(op, 0, norm[slot].buffer, 0, NULL);
    plan_operand(op, 0, folded->weights.buffer, 0, NULL);
    plan_operand(op, 0, folded->bias.buffer, 0, NULL);
    if (bias.layout)
        plan_operand(op, 0, bias.buffer, 0, NULL);
    return true;
}

/* In training nothing is folded: batch statistics are not known before the convolution is done. */
bool plan_fold(struct cpu_plan *plan, int layer, struct folded *out, struct invar_error *err)
{
    *out = (struct folded){.bias = {-1, NULL}, .sum = {-1, NULL}, .norm = -1, .add = -1, .last = layer};
    if (plan->options.mode == INVAR_PLAN_INFERENCE)
        choose(plan, layer, true, out);
    if (!plan_parameter(plan, layer, 0, false, &out->weights, err) ||
        (plan->net->layers[layer].parameter[1] >= 0 && !plan_parameter(plan, layer, 1, false, &out->bias, err)))
        return false;
    return out->norm < 0 || add_norm(plan, layer, out, err);
}

/* Layers that have become part of another are skipped when their turn comes, and their output is that one's. */
void plan_fold_done(struct cpu_plan *plan, int layer, const struct folded *folded)
{
    const int taken[] = {folded->norm, folded->add, folded->relu ? folded->last : -1};
    for (int i = 0; i < 3; i++)
        if (taken[i] >= 0) {
            plan->layers[taken[i]].folded = true;
            plan->layers[taken[i]].out = plan->layers[layer].out;
        }
}

static bool is_finite(const struct cpu_plan *plan, const struct operation *op, int operand, int64_t count)
{
    return plan_all_finite(plan_data(plan, op, operand), (size_t)count * sizeof(float), INVAR_FLOAT32);
}

static bool parameters_finite(const struct cpu_plan *plan, int layer)
{
    for (int slot = 0; slot < 2; slot++) {
        const int number = plan->net->layers[layer].parameter[slot];
        const struct invar_parameter *p = number < 0 ? NULL : &plan->net->parameters[number];
        if (p &&
            !plan_all_finite(plan->weights->parameters + p->offset, (size_t)p->count * sizeof(float), INVAR_FLOAT32))
            return false;
    }
    return true;
}

/* Folded layers have no output of their own to look at: whether the norm or the convolution is to blame is seen in
 * their parameters. */
int plan_fold_nonfinite(const struct cpu_plan *plan, const struct operation *op)
{
    const bool folds = op->run == fold_norm;
    if (plan->options.mode != INVAR_PLAN_INFERENCE)
        return -1;
    if ((folds || op->work == WORK_CONV_FORWARD || op->work == WORK_LINEAR) && !parameters_finite(plan, op->layer))
        return op->layer;
    return !folds || (is_finite(plan, op, OUT_WEIGHTS, op->rows * op->cols) && is_finite(plan, op, OUT_BIAS, op->rows))
               ? -1
               : (int)op->groups;
}

/* ---- once for the same weights ---- */

/* Memory that outlives a call must not be lent to other operations; all else of the preparation may be. */
static void keep_what_they_leave(struct cpu_plan *plan)
{
    for (int i = 0; i < plan->operation_count; i++)
        for (int k = 0; plan->operations[i].prepares && k < plan->operations[i].operand_count; k++)
            plan->buffers[plan->operations[i].operands[k].buffer].kept = true;
    /* ... but not what only they read: weights between two of them, scratch */
    for (int b = 0; b < plan->buffer_count; b++) {
        bool read = false;
        for (int i = 0; plan->buffers[b].kept && !read && i < plan->operation_count; i++)
            for (int k = 0; !plan->operations[i].prepares && k < plan->operations[i].operand_count; k++)
                read = read || plan->operations[i].operands[k].buffer == b;
        plan->buffers[b].kept = read && !plan->buffers[b].fixed;
    }
}

static size_t number_count(const struct cpu_plan *plan)
{
    return (size_t)(plan->net->trained_count + plan->net->statistic_count);
}

static size_t kept_bytes(struct cpu_plan *plan)
{
    plan->kept_bytes = 0;
    for (int b = 0; b < plan->buffer_count; b++)
        plan->kept_bytes += plan->buffers[b].kept ? plan->buffers[b].bytes : 0;
    return plan->kept_bytes;
}

/* Weights of inference change seldom: folding and reordering them is done when they have changed, which is seen by
 * comparing them with a copy. */
bool plan_prepare(struct cpu_plan *plan, struct invar_error *err)
{
    bool any = false;
    for (int i = 0; plan->options.mode == INVAR_PLAN_INFERENCE && i < plan->operation_count; i++) {
        plan->operations[i].prepares = plan->operations[i].work == WORK_WEIGHT_REORDER;
        any = any || plan->operations[i].prepares;
    }
    if (!any)
        return true;
    keep_what_they_leave(plan);
    plan->weight_bytes = number_count(plan) * sizeof(float) + kept_bytes(plan);
    if (!plan->base.device->planning)
        plan->seen = invar_alloc(number_count(plan), sizeof(float), err);
    return plan->seen || plan->base.device->planning;
}

#define PIECE ((size_t)1 << 20)

/* Bit for bit: whoever writes weights need tell nobody. Reading them is little beside computing with them. Pieces of
 * a megabyte, so that threads have work and a difference early on ends the rest. */
static bool same(const void *a, const void *b, size_t bytes)
{
    const char *x = a, *y = b;
    bool equal = true;
    if (bytes <= PIECE)
        return memcmp(a, b, bytes) == 0;
#pragma omp parallel for reduction(&& : equal)
    for (size_t at = 0; at < bytes; at += PIECE)
        equal = equal && memcmp(x + at, y + at, bytes - at < PIECE ? bytes - at : PIECE) == 0;
    return equal;
}

/* The copy is taken at once where anything differs: the pass that follows prepares from the same numbers. */
bool plan_is_prepared(struct cpu_plan *plan)
{
    const size_t trained = (size_t)plan->net->trained_count, statistics = (size_t)plan->net->statistic_count;
    if (!plan->seen)
        return false;
    if (plan->prepared && same(plan->seen, plan->weights->parameters, trained * sizeof(float)) &&
        same(plan->seen + trained, plan->weights->statistics, statistics * sizeof(float)))
        return true;
    memcpy(plan->seen, plan->weights->parameters, trained * sizeof(float));
    memcpy(plan->seen + trained, plan->weights->statistics, statistics * sizeof(float));
    return false;
}
