/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ranks share of a step. Every rank has the outputs of all, evaluates the whole objective on them, to the same
 * bits, and keeps the rows of the gradient that are its own: no term needs to know of ranks, and what it divides by is
 * the number of all samples. Gradients of parameters are therefore sums over ranks.
 */
#include "train/chain.h"
#include "base/matrix.h"

#include "invar/expert/dense.h"

/* Outputs are asked for by terms and, at logged steps, by measurements of z and h. */
bool shared_create(struct invar_chain *c, const struct invar_batch *b, struct invar_error *err)
{
    for (int i = 0; i < INVAR_NET_COUNT && b->all > b->size; i++) {
        struct invar_chain_net *n = &c->nets[i];
        const size_t rows = (size_t)(b->views * b->all), width = (size_t)n->width * sizeof(float);
        const size_t global_rows = (size_t)(b->global_views * b->all);
        struct invar_device *device = c->given->device;
        if (!n->net)
            continue;
        if (!(n->shared.output = invar_device_alloc(device, rows, width, err)) ||
            (n->output_gradient && !(n->shared.gradient = invar_device_alloc(device, rows, width, err))) ||
            (n->target_plan && !(n->shared.target = invar_device_alloc(device, global_rows, width, err))))
            return false;
    }
    return true;
}

/* View by view: the rows of a view are then those of a batch that one process has. */
bool shared_rows(const struct invar_given *given, const struct invar_batch *b, int64_t views, int64_t width,
                 const float *output, float *all, struct invar_error *err)
{
    for (int64_t v = 0; v < views; v++)
        if (!ranks_gather_device(given->options.ranks, given->device, output + v * b->size * width, b->size * width,
                                 all + v * b->all * width, err))
            return false;
    return true;
}

void shared_own(const struct invar_given *given, const struct invar_batch *b, int64_t views, int64_t width,
                const float *all, float *own)
{
    for (int64_t v = 0; v < views; v++) {
        const struct invar_matrix from =
            matrix_over(INVAR_FLOAT32, b->size, width, all + (v * b->all + b->first) * width);
        struct invar_matrix to = from;
        to.data = own + v * b->size * width;
        invar_dense_copy(given->device, &from, &to);
    }
}

static bool is_read(const struct invar_chain *c, const struct invar_chain_net *n, unsigned roles)
{
    for (int role = 0; role < INVAR_ROLE_T; role++)
        if ((roles & INVAR_ROLE_BIT(role)) && chain_source(c, (enum invar_role)role) == n)
            return true;
    return false;
}

bool shared_outputs(const struct invar_chain *c, const struct invar_batch *b, unsigned roles, struct invar_error *err)
{
    for (int i = 0; i < INVAR_NET_COUNT && b->all > b->size; i++) {
        const struct invar_chain_net *n = &c->nets[i];
        if (n->net && is_read(c, n, roles) &&
            !shared_rows(c->given, b, b->views, n->width, n->output, n->shared.output, err))
            return false;
        if (n->target_plan && n == chain_source(c, INVAR_ROLE_T) && (roles & INVAR_ROLE_BIT(INVAR_ROLE_T)) &&
            !shared_rows(c->given, b, b->global_views, n->width, invar_plan_output(n->target_plan), n->shared.target,
                         err))
            return false;
    }
    return true;
}

void shared_gradients(const struct invar_chain *c, const struct invar_batch *b)
{
    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        const struct invar_chain_net *n = &c->nets[i];
        if (n->shared.gradient)
            shared_own(c->given, b, b->views, n->width, n->shared.gradient, n->output_gradient);
    }
}

void shared_sum(const struct invar_given *given, const struct invar_chain_net *n, bool written)
{
    if (n->net && n->weights->gradients)
        ranks_sum_begin(given->options.ranks, given->device, n->weights->gradients, n->net->trained_count, written);
}
