/* SPDX-License-Identifier: Apache-2.0 */
/* The nets that say values, and their passes. */
#include "agent/network.h"

#include "base/matrix.h"
#include "invar/expert/dense.h"
#include "invar/memory.h"

#include <string.h>

/* Streams of initial weights: the encoder's is that of every encoder, so that a second one begins alike. */
enum { STREAM_ENCODER = 0, STREAM_CORE = 8 };

static int64_t width_of(const struct invar_net *net)
{
    const struct invar_shape shape = invar_net_output(net);

    return shape.channels * (shape.rank == 3 ? shape.height * shape.width : 1);
}

static void take_xavier(struct invar_net *net)
{
    for (int i = 0; i < net->parameter_count; i++) {
        struct invar_parameter *p = &net->parameters[i];

        if (p->role == INVAR_PARAMETER_WEIGHT)
            p->init = INVAR_INIT_XAVIER_UNIFORM;
        else if (p->role == INVAR_PARAMETER_BIAS)
            p->init = INVAR_INIT_ZERO;
    }
}

/* Weights, their target and the optimiser's state of one of the two nets. */
static bool make_weights(struct network *n, struct invar_chain_net *net, const struct invar_recipe *recipe,
                         struct invar_error *err)
{
    if (n->options->init == AGENT_INIT_XAVIER)
        take_xavier(net->net);
    net->weights = invar_weights_create(n->device, net->net, true, err);
    net->target_weights = net->weights ? invar_weights_create(n->device, net->net, false, err) : NULL;
    if (!net->target_weights)
        return false;
    net->buffer_count = recipe->optimiser->buffers;
    for (int b = 0; b < net->buffer_count; b++) {
        net->buffers[b] = invar_device_alloc(n->device, (size_t)net->net->trained_count, sizeof(float), err);
        if (!net->buffers[b])
            return false;
    }
    return chain_net_optimise(net, recipe->optimiser, recipe->optimiser_options, err);
}

/* Batch statistics would tie values to the batch, and differ between acting and learning. */
static bool check_encoder(const struct invar_net *net, const struct invar_recipe *recipe, struct invar_error *err)
{
    return net->statistic_count == 0 ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "encoder.kind is %s, whose batch norms would make a value depend on other states: choose "
                           "nature or data-efficient",
                           recipe->encoder->name);
}

bool network_create(struct network *n, const struct invar_agent_recipe *r, const struct invar_env_info *info,
                    struct invar_device *device, struct invar_error *err)
{
    const bool images = info->rank == 3;

    *n = (struct network){
        .device = device,
        .options = &r->agent,
        .input = {info->rank, info->shape[0], images ? info->shape[1] : 1, images ? info->shape[2] : 1},
        .bytes = info->dtype == INVAR_UINT8,
        .observation = info->size,
        .actions = info->actions,
        .encoder = {.name = "q.encoder", .owns_net = true},
        .core = {.name = "q.core", .owns_net = true}};
    n->numbers = n->input.channels * n->input.height * n->input.width;
    n->extra = r->agent.recurrent > 0 ? 1 + n->actions : 0;
    n->encoder.net = r->network.encoder->build(r->network.encoder_options, n->input, err);
    if (!n->encoder.net || !check_encoder(n->encoder.net, &r->network, err))
        return false;
    n->features = width_of(n->encoder.net);
    return make_weights(n, &n->encoder, &r->network, err);
}

static int head(struct invar_net *net, int from, const char *name, int64_t hidden, int64_t out, struct invar_error *err)
{
    char text[32];

    snprintf(text, sizeof text, "%s.0", name);
    if (hidden > 0)
        from = invar_net_relu(net, invar_net_linear(net, from, text, hidden, true, err), err);
    snprintf(text, sizeof text, "%s.1", name);
    return invar_net_linear(net, from, text, out, true, err);
}

bool network_complete(struct network *n, const struct invar_agent_recipe *r, struct invar_weights *second,
                      struct invar_error *err)
{
    const struct agent_options *o = n->options;

    n->second = second;
    n->width = n->features + (second ? width_of(second->net) : 0) + n->extra;
    struct invar_net *net = n->core.net = invar_net_create((struct invar_shape){1, n->width, 1, 1}, err);
    if (!net)
        return false;
    const int x = o->recurrent > 0 ? invar_net_lstm(net, 0, "lstm", o->recurrent, err) : 0;
    const int value = o->dueling ? head(net, x, "value", o->hidden, 1, err) : x;
    const int advantage = head(net, value < 0 ? -1 : x, "advantage", o->hidden, n->actions, err);
    if ((o->dueling ? invar_net_duel(net, value, advantage, err) : advantage) < 0)
        return false;
    n->state = invar_net_state(net);
    return make_weights(n, &n->core, &r->network, err);
}

void network_free(struct network *n)
{
    if (!n->device)
        return;
    chain_net_free(&n->encoder);
    chain_net_free(&n->core);
}

bool network_initialise(const struct network *n, uint64_t seed, struct invar_error *err)
{
    return chain_net_initialise(&n->encoder, STREAM_ENCODER, seed, err) &&
           chain_net_initialise(&n->core, STREAM_CORE, seed, err);
}

void network_follow(const struct network *n)
{
    const struct invar_chain_net *const nets[] = {&n->encoder, &n->core};

    for (int i = 0; i < 2; i++)
        invar_device_lerp(n->device, nets[i]->target_weights->parameters, nets[i]->weights->parameters, 0,
                          nets[i]->net->trained_count);
}

void network_read(const struct network *n, const unsigned char *observations, int64_t count, float *out)
{
    const int64_t all = count * n->numbers;

    if (!n->bytes)
        memcpy(out, observations, (size_t)all * sizeof *out);
    for (int64_t i = 0; n->bytes && i < all; i++)
        out[i] = (float)observations[i] * (1.0f / 255);
}

void network_extra(const struct network *n, int32_t action, double reward, float *extra)
{
    if (n->extra == 0)
        return;
    extra[0] = (float)reward;
    for (int64_t a = 0; a < n->actions; a++)
        extra[1 + a] = a == action;
}

/* ---- passes ---- */

static struct invar_plan *make_plan(struct invar_weights *weights, enum pass_kind kind, const struct pass *p,
                                    bool input_gradient, struct invar_error *err)
{
    const struct invar_plan_options o = {.batch = p->steps * p->rows,
                                         .groups = 1,
                                         .precision = INVAR_PRECISION_FLOAT32,
                                         .mode = kind == PASS_LEARNS ? INVAR_PLAN_TRAINING : INVAR_PLAN_INFERENCE,
                                         .steps = p->steps,
                                         .input_gradient = kind == PASS_LEARNS && input_gradient};

    return invar_plan_create(weights, &o, err);
}

bool pass_create(struct pass *p, const struct network *n, enum pass_kind kind, int64_t steps, int64_t rows,
                 struct invar_error *err)
{
    const bool target = kind == PASS_TARGET, apart = n->second || n->extra > 0;
    const size_t all = (size_t)(steps * rows);

    *p = (struct pass){.network = n, .steps = steps, .rows = rows};
    if (steps == 0)
        return true;
    p->encoder = make_plan(target ? n->encoder.target_weights : n->encoder.weights, kind, p, false, err);
    p->core = p->encoder ? make_plan(target ? n->core.target_weights : n->core.weights, kind, p, true, err) : NULL;
    if (!p->core)
        return false;
    if (n->second && !(p->second = make_plan(n->second, PASS_READS, p, false, err)))
        return false;
    if (apart && !(p->joined = invar_device_alloc(n->device, all * (size_t)n->width, sizeof(float), err)))
        return false;
    if (n->extra > 0 && !(p->extra = invar_device_alloc(n->device, all * (size_t)n->extra, sizeof(float), err)))
        return false;
    if (apart && kind == PASS_LEARNS)
        p->gradient = invar_device_alloc(n->device, all * (size_t)n->features, sizeof(float), err);
    return !(apart && kind == PASS_LEARNS) || p->gradient;
}

void pass_free(struct pass *p)
{
    if (!p->network)
        return;
    invar_plan_free(p->encoder);
    invar_plan_free(p->second);
    invar_plan_free(p->core);
    invar_device_free(p->network->device, p->joined);
    invar_device_free(p->network->device, p->extra);
    invar_device_free(p->network->device, p->gradient);
}

static struct invar_matrix over(const struct pass *p, int64_t cols, const float *data)
{
    return matrix_over(INVAR_FLOAT32, p->steps * p->rows, cols, data);
}

/* What the core reads: the encoders' outputs side by side, then reward and action before. */
static const float *join(struct pass *p, const float *extra)
{
    const struct network *n = p->network;
    const struct invar_matrix own = over(p, n->features, invar_plan_output(p->encoder)),
                              all = over(p, n->width, p->joined);

    if (!p->joined)
        return own.data;
    invar_dense_columns_put(n->device, &own, &all, 0);
    if (p->second) {
        const struct invar_matrix other = over(p, n->width - n->features - n->extra, invar_plan_output(p->second));
        invar_dense_columns_put(n->device, &other, &all, n->features);
    }
    if (n->extra > 0) {
        const struct invar_matrix before = over(p, n->extra, p->extra);
        invar_device_upload(n->device, p->extra, extra, (size_t)(before.rows * before.cols) * sizeof *extra);
        invar_dense_columns_put(n->device, &before, &all, n->width - n->extra);
    }
    return p->joined;
}

bool pass_run(struct pass *p, const float *input, const float *extra, float *state, float *q, struct invar_error *err)
{
    const struct network *n = p->network;
    const int64_t states = p->rows * n->state;

    if (!invar_plan_forward(p->encoder, input, err) || (p->second && !invar_plan_forward(p->second, input, err)))
        return false;
    if (states > 0)
        invar_device_upload(n->device, invar_plan_state(p->core), state, (size_t)states * sizeof *state);
    if (!invar_plan_forward(p->core, join(p, extra), err))
        return false;
    if (states > 0)
        invar_device_download(n->device, state, invar_plan_state(p->core) + states, (size_t)states * sizeof *state);
    if (q)
        invar_device_download(n->device, q, invar_plan_output(p->core),
                              (size_t)(p->steps * p->rows * n->actions) * sizeof *q);
    return true;
}

bool pass_back(struct pass *p, const float *gradient, struct invar_error *err)
{
    const struct network *n = p->network;
    const float *own;

    if (!invar_plan_backward(p->core, gradient, err))
        return false;
    own = invar_plan_input_gradient(p->core);
    if (p->joined) {
        const struct invar_matrix all = over(p, n->width, own), part = over(p, n->features, p->gradient);
        invar_dense_columns_take(n->device, &all, 0, &part);
        own = p->gradient;
    }
    return invar_plan_backward(p->encoder, own, err);
}
