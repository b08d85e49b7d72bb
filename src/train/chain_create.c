/* SPDX-License-Identifier: Apache-2.0 */
/* Making the chain of nets: nets, weights, plans, optimiser state, and initial values. */
#include "train/trainer.h"

#include "invar/options.h"

#include <string.h>

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

/* The encoder with what encoder.safetensors says about data and recipe. */
static bool create_encoder(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(t->dataset);
    struct invar_shape input = {info->rank, info->channels, info->height, info->width};
    struct invar_data_options data = t->recipe->data;

    if (invar_device_is_planning(t->device)) { /* the net alone: weights may be larger than this machine */
        t->nets[INVAR_NET_ENCODER].net = t->recipe->encoder->build(t->recipe->encoder_options, input, err);
        t->nets[INVAR_NET_ENCODER].owns_net = true;
        return t->nets[INVAR_NET_ENCODER].net != NULL;
    }
    /* Groups are of training alone: whoever reads these data for the encoder needs no table. */
    data.metadata[0] = data.group[0] = '\0';
    if (info->kind == INVAR_DATA_AUDIO) { /* as they were found: other clips are to be seen as these were */
        data.rate = (int64_t)info->logmel.rate;
        data.n_fft = info->logmel.n_fft;
        data.hop = info->logmel.hop;
        data.f_max = info->logmel.f_max;
    }
    t->encoder = make_encoder(t->recipe, input, err);
    if (!t->encoder)
        return false;
    memcpy(t->encoder->mean, info->mean, sizeof info->mean);
    memcpy(t->encoder->deviation, info->deviation, sizeof info->deviation);
    if (info->table && !invar_text_printf(&t->encoder->columns, err, "%s", info->table->schema))
        return false;
    if (info->identity && !invar_text_printf(&t->encoder->identity, err, "%s", info->identity))
        return false;
    snprintf(t->encoder->data_kind, sizeof t->encoder->data_kind, "%s", invar_data_kind_name(info->kind));
    snprintf(t->encoder->recipe, sizeof t->encoder->recipe, "%.127s", t->recipe->name);
    t->nets[INVAR_NET_ENCODER].net = t->encoder->net;
    return invar_options_write(invar_data_option_table, &data, 0, &t->encoder->source, err);
}

static int64_t width_of(const struct invar_net *net)
{
    struct invar_shape shape = invar_net_output(net);
    return shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
}

/* A projector may leave its width to the terms. */
static bool create_head(struct invar_trainer *t, struct invar_chain_net *n, const struct invar_head_options *options,
                        int64_t *width, struct invar_error *err)
{
    const struct invar_shape input = invar_net_input(t->nets[INVAR_NET_ENCODER].net);

    n->head = *options;
    if (options->output < 0)
        n->head.output = invar_objective_width(
            t->recipe->objective, input.channels * (input.rank == 3 ? input.height * input.width : 1), err);
    if (n->head.output == 0)
        return true;
    n->net = n->head.output > 0 ? invar_head_build(&n->head, *width, err) : NULL;
    if (!n->net)
        return false;
    n->owns_net = true;
    *width = width_of(n->net);
    return true;
}

bool invar_chain_optimise(struct invar_trainer *t, struct invar_chain_net *n, const struct invar_optimiser_spec *spec,
                          const void *options, struct invar_error *err)
{
    n->optimiser = invar_optimiser_create(spec, options, n->weights, n->buffers, err);
    n->scalars = n->optimiser ? invar_device_alloc(t->device, INVAR_SCALAR_COUNT, sizeof *n->scalars, err) : NULL;
    return n->scalars != NULL;
}

static bool create_weights(struct invar_trainer *t, struct invar_chain_net *n, bool target, struct invar_error *err)
{
    n->weights = invar_weights_create(t->device, n->net, true, err);
    if (!n->weights)
        return false;
    n->buffer_count = t->recipe->optimiser->buffers;
    for (int b = 0; b < n->buffer_count; b++) {
        n->buffers[b] = invar_device_alloc(t->device, (size_t)n->net->trained_count, sizeof(float), err);
        if (!n->buffers[b])
            return false;
    }
    if (!invar_chain_optimise(t, n, t->recipe->optimiser, t->recipe->optimiser_options, err))
        return false;
    if (target)
        n->target_weights = invar_weights_create(t->device, n->net, false, err);
    return !target || n->target_weights;
}

/*
 * Heads run in float32 whatever the precision of the encoder: they are a percent of the work, and embeddings reach the
 * loss unrounded.
 */
static bool create_plans(struct invar_trainer *t, int which, struct invar_error *err)
{
    struct invar_chain_net *n = &t->nets[which];
    struct invar_plan_options o = {
        .batch = which == INVAR_NET_ENCODER ? t->global_rows : t->rows,
        .groups = which == INVAR_NET_ENCODER ? t->global_views : t->views,
        .running_groups = t->global_views,
        .precision =
            which == INVAR_NET_ENCODER ? (enum invar_precision)t->recipe->training.precision : INVAR_PRECISION_FLOAT32,
        .convolution = (enum invar_convolution)t->recipe->device.convolution,
        .mode = INVAR_PLAN_TRAINING,
        .input_gradient = which != INVAR_NET_ENCODER || invar_adversary_trained(t->recipe),
        .repeat = invar_adversary_apart(t->recipe),
        .profile = t->options.profile && which == INVAR_NET_ENCODER,
    };

    n->plan = invar_plan_create(n->weights, &o, err);
    if (!n->plan)
        return false;
    if (!n->target_weights)
        return true;
    o.batch = t->global_rows;
    o.groups = t->global_views;
    o.mode = INVAR_PLAN_FORWARD;
    o.input_gradient = o.repeat = false;
    o.profile = false;
    n->target_plan = invar_plan_create(n->target_weights, &o, err);
    return n->target_plan != NULL;
}

/* Gradients of the outputs that terms read; roles that share an output share the gradient too, so that they add up. */
static bool create_gradients(struct invar_trainer *t, struct invar_error *err)
{
    unsigned roles = invar_objective_roles(t->recipe->objective);

    for (int role = 0; role < INVAR_ROLE_T; role++) {
        struct invar_chain_net *n = &t->nets[invar_chain_source(t, (enum invar_role)role)];
        if (!(roles & INVAR_ROLE_BIT(role)) || n->output_gradient)
            continue;
        n->output_gradient = invar_device_alloc(t->device, (size_t)(t->rows * n->width), sizeof(float), err);
        if (!n->output_gradient)
            return false;
    }
    return true;
}

bool invar_chain_create(struct invar_trainer *t, struct invar_error *err)
{
    static const char *const names[] = {"encoder", "projector", "predictor"};
    const struct invar_head_options *heads[] = {NULL, &t->recipe->projector, &t->recipe->predictor};
    int64_t width = 0;

    for (int i = 0; i < INVAR_NET_COUNT; i++) {
        struct invar_chain_net *n = &t->nets[i];
        n->name = names[i];
        if (i == INVAR_NET_ENCODER && !create_encoder(t, err))
            return false;
        if (i == INVAR_NET_ENCODER)
            width = width_of(n->net);
        else if (!create_head(t, n, heads[i], &width, err))
            return false;
        n->width = width;
        if (!n->net)
            continue;
        if (!create_weights(t, n, t->recipe->target.enabled && i != INVAR_NET_PREDICTOR, err) ||
            !create_plans(t, i, err) || (i == INVAR_NET_ENCODER && !invar_local_create(t, err)))
            return false;
    }
    return create_gradients(t, err) && invar_adversary_create(t, err) && invar_classifier_create(t, err);
}

void invar_chain_free(struct invar_trainer *t)
{
    invar_local_free(t);
    invar_adversary_free(t);
    invar_classifier_free(t);
    for (int i = 0; i < INVAR_NET_ALL; i++) {
        struct invar_chain_net *n = &t->nets[i];
        invar_plan_free(n->plan);
        invar_plan_free(n->target_plan);
        invar_optimiser_free(n->optimiser);
        invar_device_free(t->device, n->scalars);
        invar_weights_free(n->weights);
        invar_weights_free(n->target_weights);
        for (int b = 0; b < INVAR_MAX_BUFFERS; b++)
            invar_device_free(t->device, n->buffers[b]);
        invar_device_free(t->device, n->output_gradient);
        if (n->owns_net)
            invar_net_free(n->net);
    }
    invar_encoder_free(t->encoder);
}

static void upload(struct invar_weights *weights, const float *parameters, const float *statistics)
{
    const struct invar_net *net = weights->net;

    invar_device_upload(weights->device, weights->parameters, parameters, (size_t)net->trained_count * sizeof(float));
    if (net->statistic_count > 0)
        invar_device_upload(weights->device, weights->statistics, statistics,
                            (size_t)net->statistic_count * sizeof(float));
}

void invar_chain_upload(struct invar_trainer *t, int which, const float *parameters, const float *statistics)
{
    upload(t->nets[which].weights, parameters, statistics);
}

static bool initialise_head(struct invar_trainer *t, int which, struct invar_error *err)
{
    struct invar_chain_net *n = &t->nets[which];
    float *parameters = invar_alloc((size_t)n->net->trained_count, sizeof(float), err);
    float *statistics = invar_alloc((size_t)n->net->statistic_count + 1, sizeof(float), err);
    bool ok = parameters && statistics;

    if (ok) {
        invar_net_initialise(n->net, (uint64_t)t->recipe->training.seed, (uint64_t)which, parameters, statistics);
        upload(n->weights, parameters, statistics);
        if (n->target_weights)
            upload(n->target_weights, parameters, statistics);
    }
    invar_free(parameters);
    invar_free(statistics);
    return ok;
}

bool invar_chain_initialise(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_chain_net *e = &t->nets[INVAR_NET_ENCODER];

    if (t->recipe->init[0] && !invar_encoder_adopt(t->encoder, t->recipe->init, err))
        return false;
    upload(e->weights, t->encoder->parameters, t->encoder->statistics);
    if (e->target_weights)
        upload(e->target_weights, t->encoder->parameters, t->encoder->statistics);
    for (int i = INVAR_NET_PROJECTOR; i < INVAR_NET_ALL; i++)
        if (t->nets[i].net && !initialise_head(t, i, err))
            return false;
    for (int i = 0; i < INVAR_NET_ALL; i++) /* a damaged checkpoint may have left something there */
        for (int b = 0; t->nets[i].net && b < t->nets[i].buffer_count; b++)
            invar_device_fill(t->device, t->nets[i].buffers[b], t->nets[i].net->trained_count, 0);
    return true;
}
