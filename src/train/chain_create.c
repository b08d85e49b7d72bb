/* SPDX-License-Identifier: Apache-2.0 */
/* Making the chain of nets: nets, weights, plans, optimiser state, and initial values. */
#include "train/chain.h"

#include "train/recipe.h"

#include "invar/options.h"

#include <stdio.h>
#include <string.h>

/* By way of text: an encoder is made of a section of a recipe, as it is when encoder.safetensors is read, so that
 * there is one way to say what it is. */
static struct invar_encoder *make_encoder(const struct invar_recipe *recipe, struct invar_shape input,
                                          struct invar_error *err)
{
    struct invar_text text = {0};
    struct invar_node *section = NULL;
    struct invar_encoder *encoder = NULL;

    if (!invar_text_printf(&text, err, "kind: %s\n", recipe->encoder->name) ||
        !invar_options_write(recipe->encoder->options, recipe->encoder_options, 0, &text, err))
        goto done;
    section = invar_node_parse(text.data, text.size, "encoder", err);
    if (section)
        encoder = invar_encoder_create(section, input, (uint64_t)recipe->training.seed, err);
done:
    invar_node_free(section);
    invar_text_free(&text);
    return encoder;
}

/* The encoder with what encoder.safetensors says about data and recipe. Whoever embeds other data later has
 * encoder.safetensors alone: how data are read and standardised goes with it. */
static bool create_encoder(struct invar_chain *c, struct invar_error *err)
{
    const struct invar_given *given = c->given;
    const struct invar_dataset_info *info = given->info;
    struct invar_shape input = {info->rank, info->channels, info->height, info->width};
    struct invar_data_options data = given->recipe->data;

    if (invar_device_is_planning(given->device)) { /* the net alone: weights may be larger than this machine */
        c->nets[INVAR_NET_ENCODER].net = given->recipe->encoder->build(given->recipe->encoder_options, input, err);
        c->nets[INVAR_NET_ENCODER].owns_net = true;
        return c->nets[INVAR_NET_ENCODER].net != NULL;
    }
    /* Groups are of training alone: whoever reads these data for the encoder needs no table. */
    data.metadata[0] = data.group[0] = '\0';
    if (info->kind == INVAR_DATA_AUDIO) { /* as they were found: other clips are to be seen as these were */
        data.clips.rate = (int64_t)info->logmel.rate;
        data.clips.n_fft = info->logmel.n_fft;
        data.clips.hop = info->logmel.hop;
        data.clips.f_max = info->logmel.f_max;
    }
    c->encoder = make_encoder(given->recipe, input, err);
    if (!c->encoder)
        return false;
    memcpy(c->encoder->mean, info->mean, sizeof info->mean);
    memcpy(c->encoder->deviation, info->deviation, sizeof info->deviation);
    if (info->table && !invar_text_printf(&c->encoder->columns, err, "%s", info->table->schema))
        return false;
    if (info->identity && !invar_text_printf(&c->encoder->identity, err, "%s", info->identity))
        return false;
    snprintf(c->encoder->data_kind, sizeof c->encoder->data_kind, "%s", invar_data_kind_name(info->kind));
    snprintf(c->encoder->recipe, sizeof c->encoder->recipe, "%.127s", given->recipe->name);
    c->nets[INVAR_NET_ENCODER].net = c->encoder->net;
    return invar_options_write(invar_data_option_table, &data, 0, &c->encoder->source, err);
}

/* Maps that no pool has made a vector of are read by the next net as one, in C order. */
static int64_t width_of(const struct invar_net *net)
{
    struct invar_shape shape = invar_net_output(net);
    return shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
}

/* A projector may leave its width to the terms. */
static bool create_head(const struct invar_chain *c, struct invar_chain_net *n,
                        const struct invar_head_options *options, int64_t *width, struct invar_error *err)
{
    const struct invar_given *given = c->given;
    const struct invar_shape input = invar_net_input(c->nets[INVAR_NET_ENCODER].net);

    n->head = *options;
    if (options->output < 0)
        n->head.output = invar_objective_width(
            given->recipe->objective, input.channels * (input.rank == 3 ? input.height * input.width : 1), err);
    if (n->head.output == 0)
        return true;
    n->net = n->head.output > 0 ? invar_head_build(&n->head, *width, err) : NULL;
    if (!n->net)
        return false;
    n->owns_net = true;
    *width = width_of(n->net);
    return true;
}

/* The target network has no gradients and no optimiser: it follows. The predictor has no target: BYOL's asymmetry is
 * the very thing that keeps it from collapse. */
static bool create_weights(const struct invar_given *given, struct invar_chain_net *n, bool target,
                           const struct invar_weights *shared, struct invar_error *err)
{
    n->weights =
        shared ? invar_weights_share(shared, n->net, err) : invar_weights_create(given->device, n->net, true, err);
    if (!n->weights)
        return false;
    n->buffer_count = given->recipe->optimiser->buffers;
    for (int b = 0; b < n->buffer_count; b++) {
        n->buffers[b] = invar_device_alloc(given->device, (size_t)n->net->trained_count, sizeof(float), err);
        if (!n->buffers[b])
            return false;
    }
    if (!chain_net_optimise(n, given->recipe->optimiser, given->recipe->optimiser_options, err))
        return false;
    if (target)
        n->target_weights = invar_weights_create(given->device, n->net, false, err);
    return !target || n->target_weights;
}

/* Heads run in float32 whatever the precision of the encoder: they are a percent of the work, and embeddings reach
 * the loss unrounded. The heads' plans give the gradient of their input, which is the output of the net before; the
 * encoder's only where a generator learns from it, as the first layer has the largest maps. repeat: two backward
 * passes follow one forward pass, so the first may not overwrite what the forward pass kept. Running statistics are
 * of global views alone: local ones are smaller, and the encoder will be used at the size of the global ones. */
static bool create_plans(struct invar_chain *c, const struct invar_batch *b, int which, struct invar_error *err)
{
    const struct invar_given *given = c->given;
    struct invar_chain_net *n = &c->nets[which];
    struct invar_plan_options o = {
        .batch = which == INVAR_NET_ENCODER ? b->global_rows : b->rows,
        .groups = which == INVAR_NET_ENCODER ? b->global_views : b->views,
        .running_groups = b->global_views,
        .precision = which == INVAR_NET_ENCODER ? given->recipe->training.precision : INVAR_PRECISION_FLOAT32,
        .convolution = which == INVAR_NET_ENCODER ? given->recipe->device.convolution : INVAR_CONVOLUTION_AUTO,
        .mode = INVAR_PLAN_TRAINING,
        .input_gradient = which != INVAR_NET_ENCODER || adversary_trained(given->recipe),
        .repeat = adversary_apart(given->recipe),
        .profile = given->options.profile && which == INVAR_NET_ENCODER,
        .ranks = ranks_plan(given->options.ranks, given->recipe->training.sync_norm),
    };

    n->plan = invar_plan_create(n->weights, &o, err);
    if (!n->plan)
        return false;
    if (!n->target_weights)
        return true;
    o.batch = b->global_rows;
    o.groups = b->global_views;
    o.mode = INVAR_PLAN_FORWARD;
    o.input_gradient = o.repeat = false;
    o.profile = false;
    n->target_plan = invar_plan_create(n->target_weights, &o, err);
    return n->target_plan != NULL;
}

/* Gradients of the outputs that terms read; roles that share an output share the gradient too, so that they add up. */
static bool create_gradients(struct invar_chain *c, const struct invar_batch *b, struct invar_error *err)
{
    unsigned roles = invar_objective_roles(c->given->recipe->objective);

    for (int role = 0; role < INVAR_ROLE_T; role++) {
        struct invar_chain_net *n = &c->nets[chain_source(c, (enum invar_role)role) - c->nets];
        if (!(roles & INVAR_ROLE_BIT(role)) || n->output_gradient)
            continue;
        n->output_gradient = invar_device_alloc(c->given->device, (size_t)(b->rows * n->width), sizeof(float), err);
        if (!n->output_gradient)
            return false;
    }
    return true;
}

/* Net after net, each as wide as the one before it gives. Local views share the encoder's weights, so they come as
 * soon as these are there. */
bool chain_create(struct invar_chain *c, const struct invar_batch *b, struct invar_error *err)
{
    const struct invar_given *given = c->given;
    static const char *const names[] = {"encoder", "projector", "predictor"};
    const struct invar_head_options *heads[] = {NULL, &given->recipe->projector, &given->recipe->predictor};
    int64_t width = 0;

    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        struct invar_chain_net *n = &c->nets[i];
        n->name = names[i];
        if (i == INVAR_NET_ENCODER && !create_encoder(c, err))
            return false;
        if (i == INVAR_NET_ENCODER)
            width = width_of(n->net);
        else if (!create_head(c, n, heads[i], &width, err))
            return false;
        n->width = width;
        if (!n->net)
            continue;
        const struct invar_weights *shared = i == INVAR_NET_ENCODER && given->feed ? given->feed->encoder : NULL;
        if (!create_weights(given, n, given->recipe->target.enabled && i != INVAR_NET_PREDICTOR, shared, err) ||
            !create_plans(c, b, i, err) || (i == INVAR_NET_ENCODER && !local_create(c, b, err)))
            return false;
    }
    return create_gradients(c, b, err) && shared_create(c, b, err) && layers_create(c, err);
}

void chain_free(struct invar_chain *c)
{
    layers_free(c);
    local_free(c);
    for (int i = 0; i < INVAR_NET_COUNT; i++)
        chain_net_free(&c->nets[i]);
    invar_encoder_free(c->encoder);
}

/* Another run's weights (`init`) replace the encoder's alone: heads begin anew, since they belong to the objective
 * that they were trained for. */
bool chain_initialise(struct invar_chain *c, struct invar_error *err)
{
    const struct invar_recipe *recipe = c->given->recipe;
    const struct invar_chain_net *e = &c->nets[INVAR_NET_ENCODER];

    if (recipe->init[0] && !invar_encoder_adopt(c->encoder, recipe->init, err))
        return false;
    weights_upload(e->weights, c->encoder->parameters, c->encoder->statistics);
    if (e->target_weights)
        weights_upload(e->target_weights, c->encoder->parameters, c->encoder->statistics);
    chain_net_forget(e);
    for (int i = INVAR_NET_PROJECTOR; i < INVAR_NET_COUNT; i++)
        if (!chain_net_initialise(&c->nets[i], i, (uint64_t)recipe->training.seed, err))
            return false;
    return true;
}
