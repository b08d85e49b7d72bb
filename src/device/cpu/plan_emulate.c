/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bfloat16 plan would give, on a processor that does not compute in it: a float32 plan whose operands of
 * products, and whose maps, are rounded as bfloat16 holds them. Sums are float32 in both. Slow, and for looking at the
 * numbers: INVAR_EMULATE_BFLOAT16=1.
 */
#include "device/cpu/plan.h"

#include <string.h>

/* To nearest, ties to even; what is not finite stays. A NaN keeps all its bits: cut, it could become infinity. */
static float rounded(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) != 0x7f800000u)
        bits += 0x7fffu + (bits >> 16 & 1u);
    bits &= (bits & 0x7f800000u) == 0x7f800000u && (bits & 0x7fffffu) ? 0xffffffffu : 0xffff0000u;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* In place: rounding twice changes nothing. */
static void round_all(float *data, size_t count)
{
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        data[i] = rounded(data[i]);
}

static bool is_product(enum work work)
{
    return work == WORK_CONV_FORWARD || work == WORK_CONV_BACKWARD_DATA || work == WORK_CONV_BACKWARD_WEIGHTS ||
           work == WORK_LINEAR;
}

/* Would the output of a layer be bfloat16? Convolutions make such maps, and what reads one keeps its type. */
static bool is_narrow(const struct cpu_plan *plan, int number)
{
    const struct invar_layer *layer = &plan->net->layers[number];

    if (layer->shape.rank != 3 || layer->kind == INVAR_LAYER_INPUT)
        return false;
    return layer->kind == INVAR_LAYER_CONV2D ||
           (is_narrow(plan, layer->input[0]) && (layer->input[1] < 0 || is_narrow(plan, layer->input[1])));
}

/* Outputs of layers, and gradients of their inputs, that would be bfloat16. Gradients of maps are bfloat16 as maps
 * are; gradients of weights are float32 in both. */
static bool is_map(const struct cpu_plan *plan, const struct operation *op, const struct operand *operand)
{
    const struct invar_layer *layer = &plan->net->layers[op->layer];

    if (!operand->layout || onednn_layout_rank(operand->layout) != 4)
        return false;
    if (operand->id == DNNL_ARG_DIFF_SRC)
        return layer->kind == INVAR_LAYER_CONV2D || (layer->input[0] >= 0 && is_narrow(plan, layer->input[0]));
    return operand->id == DNNL_ARG_DST && is_narrow(plan, op->layer);
}

/* Operands of products that are not rounded already, as narrow maps are. */
static bool is_wide_operand(const struct cpu_plan *plan, const struct operation *op, const struct operand *operand)
{
    const struct invar_layer *layer = &plan->net->layers[op->layer];

    if (!is_product(op->work))
        return false;
    return operand->id == DNNL_ARG_WEIGHTS || (operand->id == DNNL_ARG_SRC && !is_narrow(plan, layer->input[0])) ||
           (operand->id == DNNL_ARG_DIFF_DST && !is_narrow(plan, op->layer));
}

/* Operands are rounded in place and put back after, so that float32 weights keep their low bits. */
bool plan_emulate(const struct cpu_plan *plan, const struct operation *op, struct invar_error *err)
{
    float *kept[MAX_OPERANDS] = {0};
    bool ok = true;

    for (int k = 0; ok && k < op->operand_count; k++) {
        const struct operand *operand = &op->operands[k];
        if (!is_wide_operand(plan, op, operand))
            continue;
        kept[k] = invar_alloc(operand->layout->bytes, 1, err);
        ok = kept[k] != NULL;
        if (ok) {
            memcpy(kept[k], plan_data(plan, op, k), operand->layout->bytes);
            round_all(plan_data(plan, op, k), operand->layout->bytes / sizeof(float));
        }
    }
    ok = ok && plan_run(plan, op, err);
    for (int k = 0; k < op->operand_count; k++) {
        const struct operand *operand = &op->operands[k];
        if (kept[k])
            memcpy(plan_data(plan, op, k), kept[k], operand->layout->bytes);
        invar_free(kept[k]);
        if (ok && is_map(plan, op, operand))
            round_all(plan_data(plan, op, k), operand->layout->bytes / sizeof(float));
    }
    return ok;
}
