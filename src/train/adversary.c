/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The adversary [A4]: a generator net perturbs views after they were made, and ascends what the encoder descends. One
 * backward pass serves both: the gradient that reaches the encoder's input, turned round, is that of the generator.
 * Only where the generator is to ascend some of the terms that read its views does it get a pass of its own.
 */
#include "train/trainer.h"

#include "train/optimisers.h"
#include "train/recipe.h"

#include <string.h>

bool invar_adversary_enabled(const struct invar_recipe *recipe)
{
    return strcmp(recipe->adversary.kind, "none") != 0;
}

static bool is_noise(const struct invar_recipe *recipe)
{
    return strcmp(recipe->adversary.kind, "noise") == 0;
}

bool invar_adversary_trained(const struct invar_recipe *recipe)
{
    return invar_adversary_enabled(recipe) && !is_noise(recipe) && !recipe->adversary.frozen;
}

bool invar_adversary_apart(const struct invar_recipe *recipe)
{
    return invar_adversary_trained(recipe) && invar_recipe_ascends_apart(recipe);
}

static int64_t elements(struct invar_shape shape)
{
    return shape.channels * shape.height * shape.width;
}

/* The generator's net, weights, optimiser state and plan; one group of batch statistics a view. */
static bool create_generator(struct invar_trainer *t, struct invar_shape sample, struct invar_error *err)
{
    const struct invar_adversary_options *o = &t->recipe->adversary;
    const bool trained = invar_adversary_trained(t->recipe);
    const struct invar_generator_options build = {.widths = o->widths, .noise = o->noise, .blocks = o->blocks};
    struct invar_chain_net *n = &t->nets[INVAR_NET_GENERATOR];
    const struct invar_generator_spec *spec = invar_generator_find(o->kind, sample, err);

    n->net = spec ? invar_generator_build(spec, &build, sample, err) : NULL;
    n->owns_net = true;
    if (!n->net)
        return false;
    n->weights = invar_weights_create(t->device, n->net, trained, err);
    n->buffer_count = trained ? invar_optimiser_adam.buffers : 0;
    for (int b = 0; n->weights && b < n->buffer_count; b++) {
        n->buffers[b] = invar_device_alloc(t->device, (size_t)n->net->trained_count, sizeof(float), err);
        if (!n->buffers[b])
            return false;
    }
    static const struct invar_adam_options adam = {.betas = {2, {0.9, 0.999}}, .eps = 1e-8};
    if (trained && !invar_chain_optimise(t, n, &invar_optimiser_adam, &adam, err))
        return false;
    const struct invar_plan_options plan = {
        .batch = t->batch * o->views.count,
        .groups = o->views.count,
        .precision = (enum invar_precision)t->recipe->training.precision,
        .convolution = (enum invar_convolution)t->recipe->device.convolution,
        .mode = trained ? INVAR_PLAN_TRAINING : INVAR_PLAN_FORWARD,
    };
    n->plan = n->weights ? invar_plan_create(n->weights, &plan, err) : NULL;
    return n->plan != NULL;
}

bool invar_adversary_create(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_adversary_options *o = &t->recipe->adversary;
    const struct invar_shape sample = invar_net_input(t->nets[INVAR_NET_ENCODER].net);
    struct invar_chain_net *n = &t->nets[INVAR_NET_GENERATOR];

    n->name = "generator";
    if (!invar_adversary_enabled(t->recipe))
        return true;
    if (invar_adversary_apart(t->recipe)) {
        const int terms = invar_objective_count(t->recipe->objective);
        t->ascended = invar_alloc((size_t)terms, sizeof *t->ascended, err);
        for (int i = 0; t->ascended && i < terms; i++)
            t->ascended[i] = invar_recipe_ascends(t->recipe, i);
        if (!t->ascended)
            return false;
    }
    if (!is_noise(t->recipe) && !create_generator(t, sample, err))
        return false;
    struct invar_perturbation_options options = {
        .eps = o->eps,
        .ball = (enum invar_ball)o->p,
        .samples = t->batch,
        .views = o->views.count,
        .dim = elements(sample),
        .noise = n->net ? elements(invar_net_input(n->net)) - elements(sample) : 0,
    };
    uint8_t *mask = NULL;
    if (!invar_perturbation_mask(invar_dataset_info(t->dataset), &mask, err))
        return false;
    options.mask = mask;
    t->perturbation = invar_perturbation_create(t->device, n->plan, &options, err);
    invar_free(mask);
    return t->perturbation != NULL;
}

void invar_adversary_free(struct invar_trainer *t)
{
    invar_perturbation_free(t->perturbation);
    invar_free(t->ascended);
}

bool invar_adversary_perturb(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_int_list *views = &t->recipe->adversary.views;
    struct invar_perturbed_view perturbed[INVAR_MAX_VIEWS];
    double clock = invar_trainer_clock();

    if (!t->perturbation)
        return true;
    for (int k = 0; k < views->count; k++) {
        const int64_t at = views->value[k] * t->batch * t->global_size;
        perturbed[k] = (struct invar_perturbed_view){(int)views->value[k], t->host_views + at, t->input + at};
    }
    t->slots.perturbation = invar_ledger_slot(&t->ledger);
    const bool ok = invar_perturbation_apply(t->perturbation, perturbed, t->samples, (uint64_t)t->recipe->training.seed,
                                             (uint64_t)(t->step / t->steps_per_epoch), t->slots.perturbation, err);
    invar_trainer_lap(t, INVAR_WORK_ADVERSARY, &clock);
    return ok;
}

static bool backward(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_int_list *views = &t->recipe->adversary.views;
    const float *gradient[INVAR_MAX_VIEWS], *input;
    double clock = invar_trainer_clock();

    input = invar_plan_input_gradient(t->nets[INVAR_NET_ENCODER].plan);
    for (int k = 0; k < views->count; k++)
        gradient[k] = input + views->value[k] * t->batch * t->global_size;
    /* -1: the optimiser descends, the generator ascends */
    if (!invar_perturbation_backward(t->perturbation, gradient, -1, err))
        return false;
    invar_trainer_lap(t, INVAR_WORK_ADVERSARY, &clock);
    return true;
}

bool invar_adversary_backward(struct invar_trainer *t, struct invar_error *err)
{
    return !invar_adversary_trained(t->recipe) || t->ascended || backward(t, err);
}

bool invar_adversary_backward_apart(struct invar_trainer *t, struct invar_error *err)
{
    if (!t->ascended)
        return true;
    return invar_evaluator_run(t->evaluator, &t->ledger, &t->embeddings, &t->gradients, t->ascended,
                               invar_trainer_key(t), err) &&
           invar_chain_backward(t, err) && backward(t, err);
}

void invar_adversary_update(struct invar_trainer *t)
{
    struct invar_chain_net *n = &t->nets[INVAR_NET_GENERATOR];
    double clock = invar_trainer_clock();

    if (!invar_adversary_trained(t->recipe))
        return;
    t->slots.generator_squares = invar_ledger_slot(&t->ledger);
    invar_device_sum_squares(t->device, n->weights->gradients, n->net->trained_count, 1, t->slots.generator_squares);
    /* t->rate has the shape of the schedule, whatever the peak of the encoder's */
    const double rate = t->peak > 0 ? t->recipe->adversary.lr * (t->rate / t->peak) : t->recipe->adversary.lr;
    invar_chain_step(t, n, rate, 0, t->slots.generator_squares);
    invar_trainer_lap(t, INVAR_WORK_OPTIMISER, &clock);
}
