/* SPDX-License-Identifier: Apache-2.0 */
/* Work space of exported code: each output at the lowest place that is free from when it is made until it was read. */
#include "export/memory_plan.h"
#include "invar/memory.h"

int64_t memory_plan_count(struct invar_shape shape)
{
    return shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
}

/* The last layer that reads a layer's output. */
static int last_reader(const struct invar_net *net, int layer)
{
    int last = layer;

    for (int i = layer + 1; i < net->layer_count; i++)
        if (net->layers[i].input[0] == layer || net->layers[i].input[1] == layer)
            last = i;
    return last;
}

/* The last layer that reads an owner's numbers, as they are or changed in place. */
static int last_use(const struct memory_plan *plan, const struct invar_net *net, int owner)
{
    int last = owner;

    for (int i = owner; i < net->layer_count; i++)
        if (plan->owner[i] == owner) {
            const int reader = last_reader(net, i);
            last = reader > last ? reader : last;
        }
    return last;
}

/* A batch norm is part of what it follows (or refused), flattening moves nothing; the others may work in place. */
static bool works_in_place(const struct invar_net *net, int number, bool own_input)
{
    const struct invar_layer *layer = &net->layers[number];

    switch (layer->kind) {
    case INVAR_LAYER_FLATTEN:
    case INVAR_LAYER_BATCHNORM:
        return true;
    case INVAR_LAYER_RELU:
    case INVAR_LAYER_ADD:
        return last_reader(net, layer->input[0]) == number && (own_input || layer->input[0] != 0);
    default:
        return false;
    }
}

/* The lowest offset where `count` numbers meet none that are in use while layers first .. last run. */
static int64_t find_place(const struct memory_plan *plan, const struct invar_net *net, int layer, int64_t count)
{
    int64_t at = 0;

    for (int i = 0; i < layer; i++) {
        const int64_t size = memory_plan_count(net->layers[i].shape);
        if (plan->owner[i] != i || plan->offset[i] < 0 || last_use(plan, net, i) < layer ||
            at + count <= plan->offset[i] || plan->offset[i] + size <= at)
            continue;
        at = plan->offset[i] + size;
        i = -1; /* once more, from there */
    }
    return at;
}

bool memory_plan_open(struct memory_plan *plan, const struct invar_net *net, bool own_input, struct invar_error *err)
{
    const size_t count = (size_t)net->layer_count;

    *plan = (struct memory_plan){.owner = invar_alloc(count, sizeof *plan->owner, err),
                                 .offset = invar_alloc(count, sizeof *plan->offset, err)};
    if (!plan->owner || !plan->offset)
        return false;
    for (int i = 0; i < net->layer_count; i++)
        plan->owner[i] = i > 0 && works_in_place(net, i, own_input) ? plan->owner[net->layers[i].input[0]] : i;
    for (int i = 0; i < net->layer_count; i++) {
        if (plan->owner[i] != i)
            continue;
        const int64_t numbers = memory_plan_count(net->layers[i].shape);
        const bool outside = (i == 0 && !own_input) || i == plan->owner[net->layer_count - 1];
        plan->offset[i] = outside ? -1 : find_place(plan, net, i, numbers);
        if (!outside && plan->offset[i] + numbers > plan->size)
            plan->size = plan->offset[i] + numbers;
    }
    return true;
}

void memory_plan_close(struct memory_plan *plan)
{
    invar_free(plan->owner);
    invar_free(plan->offset);
}
