/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local views: the encoder once more, for a smaller input, over the same parameters. Its gradients come into a vector
 * of their own and are added. Running statistics are those of global views, the size that the encoder is used at.
 */
#include "train/chain.h"
#include "base/matrix.h"

#include "train/recipe.h"

#include "invar/expert/dense.h"

static int64_t local_rows(const struct invar_batch *b)
{
    return b->rows - b->global_rows;
}

/* Not every encoder takes every size (a pool may run out of pixels); what fails is a matter of views.local_size, and
 * the message says so, except that memory is memory. */
static bool create_net(struct invar_chain *c, struct invar_error *err)
{
    const struct invar_recipe *r = c->given->recipe;
    const struct invar_shape input = {.rank = 3,
                                      .channels = invar_net_input(c->nets[INVAR_NET_ENCODER].net).channels,
                                      .height = r->views.local_size,
                                      .width = r->views.local_size};
    struct invar_error own = {0};

    c->local.net = r->encoder->build(r->encoder_options, input, &own);
    if (c->local.net)
        c->local.weights = invar_weights_share(c->nets[INVAR_NET_ENCODER].weights, c->local.net, &own);
    if (c->local.weights)
        return true;
    if (own.code == INVAR_ERROR_MEMORY)
        return invar_error_set(err, own.code, "%s", own.message);
    return invar_error_set(err, own.code,
                           "views.local_size: the encoder %s cannot take local views of %lld pixels as well: %s; set "
                           "another views.local_size or encoder, or views.local=0",
                           r->encoder->name, (long long)r->views.local_size, own.message);
}

/* No input gradient: local views are not perturbed. The plan counts its own batch statistics, in groups of one view. */
bool local_create(struct invar_chain *c, const struct invar_batch *b, struct invar_error *err)
{
    const struct invar_plan_options o = {
        .batch = local_rows(b),
        .groups = b->views - b->global_views,
        .precision = c->given->recipe->training.precision,
        .convolution = c->given->recipe->device.convolution,
        .mode = INVAR_PLAN_TRAINING,
        .repeat = adversary_apart(c->given->recipe),
        .profile = c->given->options.profile,
        .ranks = ranks_plan(c->given->options.ranks, c->given->recipe->training.sync_norm),
    };

    if (local_rows(b) == 0)
        return true;
    if (!invar_view_options_check(&c->given->recipe->views, c->given->info, err) || !create_net(c, err))
        return false;
    c->local.plan = invar_plan_create(c->local.weights, &o, err);
    if (!c->local.plan)
        return false;
    c->local.joined =
        invar_device_alloc(c->given->device, (size_t)(b->rows * c->nets[INVAR_NET_ENCODER].width), sizeof(float), err);
    return c->local.joined != NULL;
}

void local_free(struct invar_chain *c)
{
    invar_plan_free(c->local.plan);
    invar_weights_free(c->local.weights);
    invar_net_free(c->local.net);
    invar_device_free(c->given->device, c->local.joined);
}

/* rows of an output to their place among those of all views. Copied, because each plan writes where its own memory was
 * laid out; outputs are vectors, and small beside maps. */
static void join(const struct invar_chain *c, const float *output, int64_t first, int64_t rows)
{
    const int64_t width = c->nets[INVAR_NET_ENCODER].width;
    const struct invar_matrix from = matrix_over(INVAR_FLOAT32, rows, width, output);
    struct invar_matrix to = from;

    to.data = c->local.joined + first * width;
    invar_dense_copy(c->given->device, &from, &to);
}

bool local_forward(const struct invar_chain *c, const struct invar_batch *b, const float **output,
                   struct invar_error *err)
{
    if (!c->local.plan)
        return true;
    if (!invar_plan_forward(c->local.plan, b->input + b->global_rows * b->global_size, err))
        return false;
    join(c, *output, 0, b->global_rows);
    join(c, invar_plan_output(c->local.plan), b->global_rows, local_rows(b));
    *output = c->local.joined;
    return true;
}

/* A vector of its own, then added, because a plan writes its gradients and does not add to them: where there are no
 * local views, nothing has to be set to 0 first. */
bool local_backward(const struct invar_chain *c, const struct invar_batch *b, const float *output_gradient,
                    struct invar_error *err)
{
    const struct invar_chain_net *n = &c->nets[INVAR_NET_ENCODER];

    if (!c->local.plan)
        return true;
    if (!invar_plan_backward(c->local.plan, output_gradient + b->global_rows * n->width, err))
        return false;
    invar_device_add(c->given->device, n->weights->gradients, c->local.weights->gradients, 1, n->net->trained_count);
    return true;
}
