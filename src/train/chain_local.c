/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local views: the encoder once more, for a smaller input, over the same parameters. Its gradients come into a vector
 * of their own and are added. Running statistics are those of global views, the size that the encoder is used at.
 */
#include "train/trainer.h"

#include "invar/expert/dense.h"

static int64_t local_rows(const struct invar_trainer *t)
{
    return t->rows - t->global_rows;
}

static bool create_net(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_recipe *r = t->recipe;
    const struct invar_shape input = {.rank = 3,
                                      .channels = invar_net_input(t->nets[INVAR_NET_ENCODER].net).channels,
                                      .height = r->views.local_size,
                                      .width = r->views.local_size};
    struct invar_error own = {0};

    t->local.net = r->encoder->build(r->encoder_options, input, &own);
    if (t->local.net)
        t->local.weights = invar_weights_share(t->nets[INVAR_NET_ENCODER].weights, t->local.net, &own);
    if (t->local.weights)
        return true;
    if (own.code == INVAR_ERROR_MEMORY)
        return invar_error_set(err, own.code, "%s", own.message);
    return invar_error_set(err, own.code,
                           "views.local_size: the encoder %s cannot take local views of %lld pixels as well: %s; set "
                           "another views.local_size or encoder, or views.local=0",
                           r->encoder->name, (long long)r->views.local_size, own.message);
}

bool invar_local_create(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_plan_options o = {
        .batch = local_rows(t),
        .groups = t->views - t->global_views,
        .precision = (enum invar_precision)t->recipe->training.precision,
        .convolution = (enum invar_convolution)t->recipe->device.convolution,
        .mode = INVAR_PLAN_TRAINING,
        .repeat = invar_adversary_apart(t->recipe),
        .profile = t->options.profile,
    };

    if (local_rows(t) == 0)
        return true;
    if (!invar_view_options_check(&t->recipe->views, invar_dataset_info(t->dataset), err) || !create_net(t, err))
        return false;
    t->local.plan = invar_plan_create(t->local.weights, &o, err);
    if (!t->local.plan)
        return false;
    t->local.joined =
        invar_device_alloc(t->device, (size_t)(t->rows * t->nets[INVAR_NET_ENCODER].width), sizeof(float), err);
    return t->local.joined != NULL;
}

void invar_local_free(struct invar_trainer *t)
{
    invar_plan_free(t->local.plan);
    invar_weights_free(t->local.weights);
    invar_net_free(t->local.net);
    invar_device_free(t->device, t->local.joined);
}

/* rows of an output to their place among those of all views */
static void join(struct invar_trainer *t, const float *output, int64_t first, int64_t rows)
{
    const int64_t width = t->nets[INVAR_NET_ENCODER].width;
    union {
        const float *in;
        float *out;
    } cast = {output}; /* matrices carry no const; this one is only read */
    const struct invar_matrix from = {.dtype = INVAR_FLOAT32, .rows = rows, .cols = width, .data = cast.out};
    struct invar_matrix to = from;

    to.data = t->local.joined + first * width;
    invar_dense_copy(t->device, &from, &to);
}

bool invar_local_forward(struct invar_trainer *t, const float **output, struct invar_error *err)
{
    if (!t->local.plan)
        return true;
    if (!invar_plan_forward(t->local.plan, t->input + t->global_rows * t->global_size, err))
        return false;
    join(t, *output, 0, t->global_rows);
    join(t, invar_plan_output(t->local.plan), t->global_rows, local_rows(t));
    *output = t->local.joined;
    return true;
}

bool invar_local_backward(struct invar_trainer *t, const float *output_gradient, struct invar_error *err)
{
    const struct invar_chain_net *n = &t->nets[INVAR_NET_ENCODER];

    if (!t->local.plan)
        return true;
    if (!invar_plan_backward(t->local.plan, output_gradient + t->global_rows * n->width, err))
        return false;
    invar_device_add(t->device, n->weights->gradients, t->local.weights->gradients, 1, n->net->trained_count);
    return true;
}
