/* SPDX-License-Identifier: Apache-2.0 */
/* Making a plan from its parts, and running it. */
#include "device/cpu/plan.h"
#include "device/cpu/cpu.h"
#include "device/cpu/signals.h"
#include "base/threads.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* An output that one layer alone reads may be overwritten by it, folded into it, or never be written at all
 * (plan_defer.c, plan_fold.c); with two readers it has to stay. */
static void count_consumers(struct cpu_plan *plan)
{
    for (int i = 0; i < plan->net->layer_count; i++)
        for (int k = 0; k < 2; k++)
            if (plan->net->layers[i].input[k] >= 0)
                plan->layers[plan->net->layers[i].input[k]].consumers++;
}

/* A gradient that no parameter is behind is not computed: of the first convolution's input it would be the most
 * expensive one of the whole net, and only an adversary asks for it. */
static void mark_gradients(struct cpu_plan *plan)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        const struct invar_layer *layer = &plan->net->layers[i];
        bool needs = layer->parameter[0] >= 0 || (i == 0 && plan->options.input_gradient);
        for (int k = 0; k < 2; k++)
            needs = needs || (layer->input[k] >= 0 && plan->layers[layer->input[k]].needs_gradient);
        plan->layers[i].needs_gradient = needs;
    }
}

/* The output is plain float32 whatever the layers compute in: terms and heads read it as rows, and a reorder of one
 * small matrix is cheaper than a second form of all of them. It is pinned, as the caller reads it after the pass. */
static bool build_forward(struct cpu_plan *plan, struct invar_error *err)
{
    int last = plan->net->layer_count - 1;
    for (int i = 0; i <= last; i++)
        if (!plan_forward_layer(plan, i, err))
            return false;
    const struct layout *plain = plan_layout(plan, plan->net->layers[last].shape, INVAR_FLOAT32, LAYOUT_PLAIN, err);
    if (!plain || !plan_make(plan, last, err) ||
        !plan_convert(plan, WORK_REORDER, last, plan->layers[last].out, plain, &plan->output, err))
        return false;
    plan->buffers[plan->output.buffer].pinned = true;
    plan->forward_count = plan->operation_count;
    return true;
}

/* From the last layer to the first, so that the gradient of an output is complete, from all that read it, before the
 * layer that made it is reached. What the forward pass makes where it is read is forgotten first: the backward pass
 * makes it anew, or keeps it, by its own rules. */
static bool build_backward(struct cpu_plan *plan, struct invar_error *err)
{
    int last = plan->net->layer_count - 1;
    plan_forget_made(plan);
    plan->layers[last].gradient = (struct value){plan->output_gradient, plan->output.layout};
    for (int i = last; i >= 0; i--)
        if (!plan_backward_layer(plan, i, err))
            return false;
    if (!plan->options.input_gradient)
        return true;
    const struct layout *plain = plan_layout(plan, plan->net->layers[0].shape, INVAR_FLOAT32, LAYOUT_PLAIN, err);
    if (!plain || !plan_convert(plan, WORK_REORDER, 0, plan->layers[0].gradient, plain, &plan->input_gradient, err))
        return false;
    plan->buffers[plan->input_gradient.buffer].pinned = true;
    return true;
}

/* From the last parameter to the first, each with the last operation that touches its gradient: what is behind a
 * parameter is often there long before it, as the backward pass goes from the last layer to the first. */
static void find_written(struct cpu_plan *plan)
{
    int last = plan->forward_count;
    for (int i = plan->forward_count; i < plan->operation_count; i++)
        plan->operations[i].written = plan->net->trained_count;
    for (int p = plan->net->parameter_count - 1; p >= 0; p--) {
        const struct invar_parameter *parameter = &plan->net->parameters[p];
        const char *gradient = (const char *)(plan->weights->gradients + parameter->offset);
        if (parameter->role == INVAR_PARAMETER_STATISTIC)
            continue;
        for (int i = plan->operation_count - 1; i > last; i--)
            for (int k = 0; k < plan->operations[i].operand_count && last < i; k++)
                if (plan->buffers[plan->operations[i].operands[k].buffer].data == gradient)
                    last = i;
        for (int i = last; i < plan->operation_count; i++)
            plan->operations[i].written = parameter->offset;
    }
}

/* Memory objects are made once and kept: making them costs more than a small operation. Those over memory of the
 * caller are listed, to be pointed elsewhere. */
bool plan_bind(struct cpu_plan *plan, struct invar_error *err)
{
    int operands = 0;
    for (int i = 0; i < plan->operation_count; i++)
        operands += plan->operations[i].operand_count;
    plan->bindings = invar_alloc((size_t)operands + 1, sizeof *plan->bindings, err);
    if (!plan->bindings)
        return false;
    for (int i = 0; i < plan->operation_count; i++) {
        struct operation *op = &plan->operations[i];
        for (int k = 0; op->kernel && k < op->operand_count; k++) {
            const struct operand *operand = &op->operands[k];
            char *data = plan->buffers[operand->buffer].data;
            dnnl_memory_t memory =
                onednn_memory(plan->onednn, operand->layout, data ? data + operand->offset : NULL, err);
            if (!memory)
                return false;
            op->args[k] = (dnnl_exec_arg_t){operand->id, memory};
            if (operand->buffer == plan->input || operand->buffer == plan->output_gradient)
                plan->bindings[plan->binding_count++] = (struct binding){memory, operand->buffer, operand->offset};
        }
    }
    return true;
}

/* A pass reads one half and writes the other, so that the same pass can be made again: for a second backward pass, for
 * the search of what is not finite. Not in the workspace, whose memory is anyone's between passes. */
static bool make_state(struct cpu_plan *plan, struct invar_error *err)
{
    const int64_t numbers = invar_net_state(plan->net);
    plan->options.steps = plan->options.steps > 0 ? plan->options.steps : 1;
    if (numbers > 0)
        plan->state = invar_device_alloc(plan->base.device, (size_t)(2 * plan->rows / plan->options.steps * numbers),
                                         sizeof(float), err);
    return numbers == 0 || plan->state;
}

/* What can fail for want of memory or of a kernel fails here: a pass allocates nothing and chooses nothing. A plan on a
 * planning device stops before memory is bound, and answers what it would take. */
struct invar_plan *cpu_plan_create(struct invar_weights *weights, const struct invar_plan_options *options,
                                   struct invar_error *err)
{
    THREADS_FOR(weights->device->threads);
    struct cpu_plan *plan = invar_alloc(1, sizeof *plan, err);
    enum invar_precision precision = INVAR_PRECISION_FLOAT32;
    if (!plan)
        return NULL;
    plan->base.device = weights->device;
    plan->weights = weights;
    plan->net = weights->net;
    plan->options = *options;
    plan->layers = invar_alloc((size_t)plan->net->layer_count, sizeof *plan->layers, err);
    plan->onednn = onednn_create(err);
    if (!plan->layers || !plan->onednn || !invar_device_precision(weights->device, options->precision, &precision, err))
        goto failed;
    plan->emulates = precision == INVAR_PRECISION_BFLOAT16 && !onednn_has_bfloat16(plan->onednn);
    plan->activation = precision == INVAR_PRECISION_BFLOAT16 && !plan->emulates ? INVAR_BFLOAT16 : INVAR_FLOAT32;
    if (!plan_winograd_possible(plan, err))
        goto failed;
    for (int i = 0; i < plan->net->layer_count; i++)
        plan->layers[i].gradient.buffer = -1;
    plan->rows = options->batch;
    plan->options.batch = plan_slice_rows(plan);
    plan->threads = plan->options.batch < plan->rows ? 1 : weights->device->threads;
    omp_set_num_threads(plan->threads); /* what THREADS_FOR sets back */
    plan->input = plan_buffer_fixed(plan, NULL, true, err);
    plan->output_gradient = plan_buffer_fixed(plan, NULL, true, err);
    if (plan->input < 0 || plan->output_gradient < 0)
        goto failed;
    count_consumers(plan);
    mark_gradients(plan);
    if (!make_state(plan, err) || !build_forward(plan, err) ||
        (options->mode == INVAR_PLAN_TRAINING && !build_backward(plan, err)) || !plan_prepare(plan, err) ||
        !plan_lay_out(plan, err) || (!weights->device->planning && !plan_bind(plan, err)) ||
        (plan->options.batch < plan->rows && !plan_slices_create(plan, err)))
        goto failed;
    if (options->ranks && options->mode == INVAR_PLAN_TRAINING && !weights->device->planning)
        find_written(plan);
    return &plan->base;
failed:
    cpu_plan_free(&plan->base);
    return NULL;
}

void cpu_plan_free(struct invar_plan *base)
{
    struct cpu_plan *plan = (struct cpu_plan *)base;
    plan_slices_free(plan);
    onednn_free(plan->onednn);
    invar_free(plan->layers);
    invar_free(plan->buffers);
    invar_free(plan->operations);
    invar_free(plan->bindings);
    invar_device_free(plan->base.device, plan->workspace);
    invar_device_free(plan->base.device, plan->state);
    invar_free(plan->seen);
    invar_free(plan);
}

/* The caller's input moves from call to call (a batch, a slice of one): the memory objects over it are pointed at the
 * new place, which is cheaper than copying it into the workspace. Only those that were listed when memory was bound;
 * scratch and parameters never move. */
static bool point(struct cpu_plan *plan, int buffer, const float *data, struct invar_error *err)
{
    union {
        const float *in;
        char *out;
    } cast = {data}; /* oneDNN takes no const; constant buffers are never written */
    plan->buffers[buffer].data = cast.out;
    for (int i = 0; i < plan->binding_count; i++)
        if (plan->bindings[i].buffer == buffer &&
            !onednn_memory_set(plan->bindings[i].memory, cast.out + plan->bindings[i].offset, err))
            return false;
    return true;
}

/* Two kinds of operations, oneDNN's and ours, in one list: a profile, an emulation and the search for what is not
 * finite see no difference. */
bool plan_run(const struct cpu_plan *plan, const struct operation *op, struct invar_error *err)
{
    if (!op->run)
        return onednn_execute(plan->onednn, op->kernel, op->args, op->operand_count, err);
    op->run(plan, op);
    return true;
}

/* Operations run in order, in one stream: their order is also what the layout of memory relies on. Threads are set in
 * each pass, as OpenMP keeps their number by calling thread and not by device. */
static bool run(struct cpu_plan *plan, int first, int end, struct invar_error *err)
{
    THREADS_FOR(plan->threads);
    signals_hold_team(plan->threads);
    const struct invar_plan_ranks *ranks = plan->options.ranks;
    const bool profile = plan->options.profile;
    double time = profile ? omp_get_wtime() : 0.0;
    for (int i = first; i < end; i++) {
        const struct operation *op = &plan->operations[i];
        if (op->prepares && plan->prepared)
            continue;
        if (plan->emulates ? !plan_emulate(plan, op, err) : !plan_run(plan, op, err))
            return false;
        if (ranks && i >= plan->forward_count)
            ranks->written(ranks->user, op->written);
        if (!profile)
            continue;
        double now = omp_get_wtime();
        plan->seconds[op->work] += now - time;
        plan->calls[op->work]++;
        time = now;
    }
    return true;
}

bool plan_run_forward(struct cpu_plan *plan, const float *input, struct invar_error *err)
{
    return point(plan, plan->input, input, err) && run(plan, 0, plan->forward_count, err);
}

bool cpu_plan_forward(struct invar_plan *base, const float *input, struct invar_error *err)
{
    struct cpu_plan *plan = (struct cpu_plan *)base;
    plan->prepared = plan_is_prepared(plan);
    plan->given = input;
    plan->ready =
        plan->options.batch < plan->rows ? plan_slices_forward(plan, err) : plan_run_forward(plan, input, err);
    plan->prepared = plan->ready;
    return plan->ready;
}

const float *cpu_plan_output(const struct invar_plan *base)
{
    const struct cpu_plan *plan = (const struct cpu_plan *)base;
    if (plan->outputs)
        return (const float *)(const void *)plan->outputs;
    return (const float *)(const void *)plan->buffers[plan->output.buffer].data;
}

bool cpu_plan_backward(struct invar_plan *base, const float *output_gradient, struct invar_error *err)
{
    struct cpu_plan *plan = (struct cpu_plan *)base;
    if (plan->options.mode != INVAR_PLAN_TRAINING)
        return invar_error_set(err, INVAR_ERROR_USAGE, "plan: only a training plan has a backward pass");
    if (!plan->ready)
        return invar_error_set(err, INVAR_ERROR_USAGE, "plan: a backward pass belongs to a forward pass before it");
    plan->ready = plan->options.repeat; /* else gradients are laid over activations */
    return point(plan, plan->output_gradient, output_gradient, err) &&
           run(plan, plan->forward_count, plan->operation_count, err);
}

const float *cpu_plan_input_gradient(const struct invar_plan *base)
{
    const struct cpu_plan *plan = (const struct cpu_plan *)base;
    if (!plan->options.input_gradient)
        return NULL;
    return (const float *)(const void *)plan->buffers[plan->input_gradient.buffer].data;
}

/* Of the device: only whoever uploads there writes it. */
float *cpu_plan_state(const struct invar_plan *base)
{
    return ((const struct cpu_plan *)base)->state;
}

/* By the exponent's bits for bfloat16: all ones are NaN and infinity, whatever the mantissa. By a loop with an early
 * end: nearly always all of it is looked at, and it is looked at only once a run has failed. */
bool plan_all_finite(const void *data, size_t bytes, enum invar_dtype dtype)
{
    if (dtype == INVAR_BFLOAT16) {
        const uint16_t *x = data;
        for (size_t i = 0; i < bytes / sizeof *x; i++)
            if ((x[i] & 0x7f80) == 0x7f80)
                return false;
        return true;
    }
    const float *x = data;
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* The first layer whose output is not finite, of the rows that the plan is made for; -1: none. The input first: a
 * batch that holds NaN would put the blame on the first layer. */
static int first_nonfinite(struct cpu_plan *plan)
{
    if (!plan_all_finite(plan->buffers[plan->input].data, plan->layers[0].out.layout->bytes, INVAR_FLOAT32))
        return 0;
    for (int i = 0; i < plan->forward_count; i++) {
        const struct operation *op = &plan->operations[i];
        if (!run(plan, i, i + 1, NULL))
            return -1;
        const int damaged = plan_fold_nonfinite(plan, op);
        if (damaged >= 0)
            return damaged;
        if (op->output < 0 || !op->operands[op->output].layout)
            continue;
        const struct layout *layout = op->operands[op->output].layout;
        if (!plan_all_finite(plan_data(plan, op, op->output), layout->bytes, onednn_layout_dtype(layout)))
            return op->layer;
    }
    return -1;
}

/* Later layers may have overwritten the output of earlier ones, so the pass is run once more, looking after every
   operation. The running statistics it moves belong to a run that is about to stop. */
const char *cpu_plan_find_nonfinite(struct invar_plan *base)
{
    struct cpu_plan *plan = (struct cpu_plan *)base;
    int first = -1;
    plan->prepared = false;
    plan->alone = true; /* others may look elsewhere, or not at all */
    for (int64_t slice = 0; plan->given && slice < plan->rows / plan->options.batch; slice++) {
        if (!point(plan, plan->input, plan_slice_input(plan, slice), NULL))
            break;
        const int here = first_nonfinite(plan);
        first = here >= 0 && (first < 0 || here < first) ? here : first;
    }
    plan->alone = false;
    return first < 0 ? NULL : plan->net->layers[first].name;
}

void cpu_plan_memory(const struct invar_plan *base, struct invar_plan_memory *out)
{
    const struct cpu_plan *plan = (const struct cpu_plan *)base;
    const size_t slices = (size_t)(plan->rows / plan->options.batch), others = (size_t)plan->other_count;
    *out =
        (struct invar_plan_memory){.workspace = plan->workspace_bytes - plan->kept_bytes + slices * plan->output_bytes +
                                                others * (plan->workspace_bytes - plan->kept_end),
                                   .weights = plan->weight_bytes,
                                   .primitives = onednn_kernel_count(plan->onednn),
                                   .reorders = plan->reorders};
}

/* By kind of work and not by layer: what is slow is a kind of work, and a list of fifty layers says less. */
int cpu_plan_profile(const struct invar_plan *base, struct invar_profile_entry *entries, int capacity)
{
    static const char *const names[WORK_COUNT] = {
        [WORK_CONV_FORWARD] = "conv forward",
        [WORK_CONV_BACKWARD_DATA] = "conv backward data",
        [WORK_CONV_BACKWARD_WEIGHTS] = "conv backward weights",
        [WORK_LINEAR] = "linear",
        [WORK_LSTM] = "lstm",
        [WORK_NORM_FORWARD] = "norm forward",
        [WORK_NORM_BACKWARD] = "norm backward",
        [WORK_NORM_AGAIN] = "maps made again",
        [WORK_ELEMENTWISE] = "add and relu",
        [WORK_POOL] = "pool",
        [WORK_WEIGHT_REORDER] = "weight reorder",
        [WORK_REORDER] = "activation reorder",
    };
    const struct cpu_plan *plan = (const struct cpu_plan *)base;
    int count = 0;
    for (int i = 0; i < WORK_COUNT && count < capacity; i++)
        entries[count++] = (struct invar_profile_entry){names[i], plan->seconds[i], plan->calls[i]};
    return count;
}
