/* SPDX-License-Identifier: Apache-2.0 */
/* One workspace laid out by lifetime: two buffers share memory when no operation needs both. Largest first, each at the
   lowest place that is free while it lives; what is kept from call to call before all others. */
#include "device/cpu/plan.h"

#include <stdlib.h>

/* A cache line, and the widest vector. */
#define ALIGNMENT 64

/* So that no two buffers share a cache line that two threads write. */
static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* A buffer lives from the first operation that touches it to the last. Pinned ones are read by the caller after the
 * pass; with options.repeat activations outlive the backward pass, which may then run again; kept ones are the prepared
 * weights of inference, made in the first pass and read in all. */
static void lifetimes(struct cpu_plan *plan)
{
    for (int i = 0; i < plan->operation_count; i++) {
        const struct operation *op = &plan->operations[i];
        for (int k = 0; k < op->operand_count; k++) {
            struct buffer *buffer = &plan->buffers[op->operands[k].buffer];
            if (i < buffer->first)
                buffer->first = i;
            if (i > buffer->last)
                buffer->last = i;
        }
    }
    for (int i = 0; i < plan->buffer_count; i++)
        if (plan->buffers[i].pinned || (plan->options.repeat && plan->buffers[i].first < plan->forward_count &&
                                        plan->buffers[i].last >= plan->forward_count))
            plan->buffers[i].last = plan->operation_count;
    for (int i = 0; i < plan->buffer_count; i++)
        if (plan->buffers[i].kept) {
            plan->buffers[i].first = 0;
            plan->buffers[i].last = plan->operation_count;
        }
}

/* Ties go by address, that is by the order of creation, so that the same net always has the same layout. */
static int larger_first(const void *a, const void *b)
{
    const struct buffer *x = *(struct buffer *const *)a, *y = *(struct buffer *const *)b;
    if (x->kept != y->kept)
        return x->kept ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

/* In the order of places, to walk over the gaps. */
static int lower_first(const void *a, const void *b)
{
    const struct buffer *x = *(struct buffer *const *)a, *y = *(struct buffer *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Puts order[count] at the lowest gap between those of order[0 .. count-1] that live at the same time. Greedy, as the
 * best layout of all is a search that no net is worth. */
static void place(struct buffer *const *order, int count, struct buffer **alive)
{
    struct buffer *buffer = order[count];
    int alive_count = 0;
    for (int i = 0; i < count; i++)
        if (order[i]->first <= buffer->last && buffer->first <= order[i]->last)
            alive[alive_count++] = order[i];
    qsort(alive, (size_t)alive_count, sizeof *alive, lower_first);
    size_t at = 0;
    for (int i = 0; i < alive_count; i++) {
        if (alive[i]->offset >= at + aligned(buffer->bytes))
            break;
        size_t end = alive[i]->offset + aligned(alive[i]->bytes);
        at = end > at ? end : at;
    }
    buffer->offset = at;
}

/* One byte more than nothing, since a plan without maps still asks for memory. On a planning device offsets are all
 * there is. */
bool plan_lay_out(struct cpu_plan *plan, struct invar_error *err)
{
    struct buffer **order = invar_alloc(2 * (size_t)plan->buffer_count + 1, sizeof *order, err);
    int count = 0;
    if (!order)
        return false;
    lifetimes(plan);
    for (int i = 0; i < plan->buffer_count; i++)
        if (!plan->buffers[i].fixed && plan->buffers[i].first <= plan->buffers[i].last)
            order[count++] = &plan->buffers[i];
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int i = 0; i < count; i++) {
        place(order, i, order + plan->buffer_count);
        size_t end = order[i]->offset + aligned(order[i]->bytes);
        if (end > plan->workspace_bytes)
            plan->workspace_bytes = end;
        if (order[i]->kept)
            plan->kept_end = plan->workspace_bytes;
    }
    bool planning = plan->base.device->planning;
    plan->workspace = planning ? NULL : invar_device_alloc(plan->base.device, plan->workspace_bytes + 1, 1, err);
    for (int i = 0; plan->workspace && i < count; i++)
        order[i]->data = plan->workspace + order[i]->offset;
    invar_free(order);
    return planning || plan->workspace;
}
