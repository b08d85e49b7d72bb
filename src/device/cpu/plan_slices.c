/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inference of a small net takes the batch in slices of rows, whose maps stay in a core's own cache from layer to
 * layer: a thread takes a slice through the whole net, and waits for the others at the end of the batch alone. The plan
 * is made for one slice and one thread; the other threads have the same operations over memory of their own. What is
 * kept of the weights is read by all.
 */
#include "device/cpu/plan.h"
#include "base/threads.h"

#include <omp.h>
#include <string.h>

/* Maps of a layer, in and out, and weights that every slice reads again. Half a megabyte is what cores of the last
 * ten years have as second-level cache, or less than that; eight is a part of a shared third level that several
 * programs can have at once. Both are limits, not promises: a slice too small wastes little. */
#define OWN_CACHE (512 << 10)
#define SHARED_CACHE (8 << 20)
/* What Winograd makes of weights is four times as large. */
#define GROWTH 4

/* Vectors count as maps of one pixel. */
static int64_t numbers_of(struct invar_shape shape)
{
    return shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
}

/* Numbers of a row in the layer that reads and writes most. What a layer reads and writes is alive at once; the
 * largest such pair is what has to fit. */
static int64_t largest(const struct invar_net *net)
{
    int64_t most = 1;
    for (int i = 1; i < net->layer_count; i++) {
        int64_t here = numbers_of(net->layers[i].shape);
        for (int k = 0; k < 2; k++)
            here += net->layers[i].input[k] >= 0 ? numbers_of(net->layers[net->layers[i].input[k]].shape) : 0;
        most = here > most ? here : most;
    }
    return most;
}

/* A net of linear layers reads its weights more often than its rows: slices would only make the products narrow. */
static bool has_maps(const struct invar_net *net)
{
    for (int i = 0; i < net->layer_count; i++)
        if (net->layers[i].kind == INVAR_LAYER_CONV2D)
            return true;
    return false;
}

/* Slices divide the batch evenly, as the plan is made for one size. Not with large weights: every slice reads all of
 * them, and then they, not the maps, come from memory each time. Not in training, where batch statistics tie all rows
 * together, nor where steps tie them. */
int64_t plan_slice_rows(const struct cpu_plan *plan)
{
    const int64_t batch = plan->options.batch, threads = plan->base.device->threads;
    int64_t rows = OWN_CACHE / ((int64_t)sizeof(float) * largest(plan->net));
    if (plan->options.mode != INVAR_PLAN_INFERENCE || invar_net_state(plan->net) > 0 || plan->options.profile ||
        plan->emulates || !has_maps(plan->net) ||
        plan->net->trained_count > SHARED_CACHE / (GROWTH * (int64_t)sizeof(float)))
        return batch;
    rows = rows < batch / threads ? rows : batch / threads;
    while (rows > 1 && batch % rows)
        rows--;
    return rows > 1 ? rows : batch;
}

/* One more than there are, so that an empty list is no want of memory. */
static void *copy_of(const void *from, int count, size_t size, struct invar_error *err)
{
    void *to = invar_alloc((size_t)count + 1, size, err);
    if (to)
        memcpy(to, from, (size_t)count * size);
    return to;
}

/* Another thread's plan: what is not kept gets a place of its own. Kernels and layouts are shared, being constant;
 * buffers, and memory objects over them, are a thread's own. */
static bool make_other(const struct cpu_plan *plan, struct cpu_plan *other, struct invar_error *err)
{
    *other = *plan;
    other->seen = NULL;
    other->bindings = NULL;
    other->binding_count = 0;
    other->buffers = copy_of(plan->buffers, plan->buffer_count, sizeof *plan->buffers, err);
    other->operations = copy_of(plan->operations, plan->operation_count, sizeof *plan->operations, err);
    other->workspace = invar_alloc(plan->workspace_bytes - plan->kept_end + 1, 1, err);
    if (!other->buffers || !other->operations || !other->workspace)
        return false;
    for (int b = 0; b < plan->buffer_count; b++)
        if (plan->buffers[b].data && !plan->buffers[b].fixed && !plan->buffers[b].kept)
            other->buffers[b].data = other->workspace + (plan->buffers[b].offset - plan->kept_end);
    return plan_bind(other, err);
}

/* One plan less than threads: the thread that calls works with the plan itself. */
bool plan_slices_create(struct cpu_plan *plan, struct invar_error *err)
{
    const int64_t slices = plan->rows / plan->options.batch;
    const int threads = plan->base.device->threads;
    plan->other_count = (slices < threads ? (int)slices : threads) - 1;
    plan->output_bytes = plan->output.layout->bytes;
    if (plan->base.device->planning)
        return true;
    plan->outputs = invar_alloc((size_t)slices, plan->output_bytes, err);
    plan->others = invar_alloc((size_t)plan->other_count + 1, sizeof *plan->others, err);
    if (!plan->outputs || !plan->others)
        return false;
    for (int i = 0; i < plan->other_count; i++)
        if (!make_other(plan, &plan->others[i], err))
            return false;
    return true;
}

/* Kernels, layouts and kept weights are the first plan's and go with it. */
void plan_slices_free(struct cpu_plan *plan)
{
    for (int i = 0; plan->others && i < plan->other_count; i++) {
        invar_free(plan->others[i].buffers);
        invar_free(plan->others[i].operations);
        invar_free(plan->others[i].bindings);
        invar_free(plan->others[i].workspace);
    }
    invar_free(plan->others);
    invar_free(plan->outputs);
}

/* Rows of the caller's input, in place: inputs are read where they lie. */
const float *plan_slice_input(const struct cpu_plan *plan, int64_t slice)
{
    return plan->given + slice * plan->options.batch * numbers_of(plan->net->layers[0].shape);
}

/* What depends on the weights alone goes first: it reads none of the rows. In the calling thread's plan, whose
 * buffers the others share for what is kept. */
static bool prepare(struct cpu_plan *plan, struct invar_error *err)
{
    THREADS_FOR(plan->threads); /* kernels have scratch memory for so many */
    bool ok = true;
    for (int i = 0; ok && !plan->prepared && i < plan->forward_count; i++)
        ok = !plan->operations[i].prepares || plan_run(plan, &plan->operations[i], err);
    plan->prepared = ok;
    return ok;
}

/* dynamic: slices are equal, but cores are not always. A failure of any thread is one of the pass. */
bool plan_slices_forward(struct cpu_plan *plan, struct invar_error *err)
{
    const int64_t slices = plan->rows / plan->options.batch;
    bool ok = prepare(plan, err);
#pragma omp parallel for schedule(dynamic) num_threads(plan->other_count + 1) reduction(&& : ok)
    for (int64_t slice = 0; slice < slices; slice++) {
        const int thread = omp_get_thread_num();
        struct cpu_plan *own = thread ? &plan->others[thread - 1] : plan;
        struct invar_error failed = {0};
        own->prepared = true;
        ok = ok && plan_run_forward(own, plan_slice_input(plan, slice), &failed);
        if (failed.code != INVAR_OK) {
#pragma omp critical(invar_plan_slices)
            invar_error_set(err, failed.code, "%s", failed.message);
        }
        memcpy(plan->outputs + (size_t)slice * plan->output_bytes, own->buffers[own->output.buffer].data,
               plan->output_bytes);
    }
    return ok;
}
