/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The adversary [A4]: a generator net perturbs views after they were made, and ascends what the encoder descends. One
 * backward pass serves both: the gradient that reaches the encoder's input, turned round, is that of the generator.
 * Only where the generator is to ascend some of the terms that read its views does it get a pass of its own.
 */
#include "train/adversary.h"

#include "train/recipe.h"

#include <math.h>
#include <string.h>

static int64_t elements(struct invar_shape shape)
{
    return shape.channels * shape.height * shape.width;
}

/* The generator's net, weights, optimiser state and plan; one group of batch statistics a view. Batch statistics of a
 * generator are a view's, as those of the encoder are: otherwise what one view looks like would depend on which
 * others are perturbed; of one sample each they are instance norm. Its optimiser is Adam with the customary betas
 * whatever the encoder's is: its gradient has another scale in every recipe, and Adam's steps do not depend on it. */
static bool create_generator(struct invar_adversary *a, const struct invar_batch *b, struct invar_shape sample,
                             bool *viewmaker, struct invar_error *err)
{
    const struct invar_adversary_options *o = &a->given->recipe->adversary;
    const bool trained = adversary_trained(a->given->recipe);
    const struct invar_generator_options build = {.widths = o->widths, .noise = o->noise, .blocks = o->blocks};
    struct invar_chain_net *n = &a->net;
    const struct invar_generator_spec *spec = invar_generator_find(o->kind, sample, err);

    *viewmaker = spec && spec->viewmaker;
    n->net = spec ? invar_generator_build(spec, &build, sample, err) : NULL;
    n->owns_net = true;
    if (!n->net)
        return false;
    n->weights = invar_weights_create(a->given->device, n->net, trained, err);
    n->buffer_count = trained ? invar_optimiser_adam.buffers : 0;
    for (int i = 0; n->weights && i < n->buffer_count; i++) {
        n->buffers[i] = invar_device_alloc(a->given->device, (size_t)n->net->trained_count, sizeof(float), err);
        if (!n->buffers[i])
            return false;
    }
    static const struct invar_adam_options adam = {.betas = {2, {0.9, 0.999}}, .eps = 1e-8};
    if (!n->weights || (trained && !chain_net_optimise(n, &invar_optimiser_adam, &adam, err)))
        return false;
    const struct invar_plan_options plan = {
        .batch = b->size * o->views.count,
        .groups = spec->viewmaker ? b->size * o->views.count : o->views.count,
        .precision = a->given->recipe->training.precision,
        .convolution = a->given->recipe->device.convolution,
        .mode = trained ? INVAR_PLAN_TRAINING : INVAR_PLAN_FORWARD,
        .ranks = spec->viewmaker
                     ? NULL
                     : ranks_plan(a->given->options.ranks,
                                  a->given->recipe->training.sync_norm), /* statistics of a sample are its own */
    };
    n->plan = invar_plan_create(n->weights, &plan, err);
    return n->plan != NULL;
}

/* The mask leaves out the places of a table that say that a value is missing: no value is half missing. The
 * perturbation keeps a copy of its own. */
bool adversary_create(struct invar_adversary *a, const struct invar_chain *c, const struct invar_batch *b,
                      struct invar_error *err)
{
    const struct invar_adversary_options *o = &a->given->recipe->adversary;
    const struct invar_shape sample = invar_net_input(c->nets[INVAR_NET_ENCODER].net);
    struct invar_chain_net *n = &a->net;
    bool viewmaker = false;

    n->name = "generator";
    if (!adversary_enabled(a->given->recipe))
        return true;
    if (adversary_apart(a->given->recipe)) {
        const int terms = invar_objective_count(a->given->recipe->objective);
        a->ascended = invar_alloc((size_t)terms, sizeof *a->ascended, err);
        for (int i = 0; a->ascended && i < terms; i++)
            a->ascended[i] = recipe_ascends(a->given->recipe, i);
        if (!a->ascended)
            return false;
    }
    if (!adversary_is_noise(a->given->recipe) && !create_generator(a, b, sample, &viewmaker, err))
        return false;
    struct invar_perturbation_options options = {
        .eps = o->eps,
        .ball = o->p,
        .samples = b->size,
        .views = o->views.count,
        .dim = elements(sample),
        .viewmaker = viewmaker,
        .noise = n->net ? elements(invar_net_input(n->net)) - elements(sample) : 0,
    };
    uint8_t *mask = NULL;
    if (!invar_perturbation_mask(a->given->info, &mask, err))
        return false;
    options.mask = mask;
    a->perturbation = invar_perturbation_create(a->given->device, n->plan, &options, err);
    invar_free(mask);
    return a->perturbation != NULL;
}

void adversary_free(struct invar_adversary *a)
{
    invar_perturbation_free(a->perturbation);
    chain_net_free(&a->net);
    invar_free(a->ascended);
}

/* In place, in the device's copy of the batch; the host's stays clean, for terms that read it and for people who
 * look. What the perturbation found (NaN) goes into a slot like any loss, and so nothing waits here. */
bool adversary_perturb(struct invar_adversary *a, const struct invar_batch *b, const struct invar_clock *k,
                       struct invar_ledger *ledger, struct invar_error *err)
{
    const struct invar_int_list *views = &a->given->recipe->adversary.views;
    struct invar_perturbed_view perturbed[INVAR_MAX_VIEWS];
    double clock = times_now();

    if (!a->perturbation)
        return true;
    for (int i = 0; i < views->count; i++) {
        const int64_t at = views->value[i] * b->size * b->global_size;
        perturbed[i] = (struct invar_perturbed_view){(int)views->value[i], b->host_views + at, b->input + at};
    }
    double *found = invar_ledger_slot(ledger);
    a->found = found;
    const bool ok =
        invar_perturbation_apply(a->perturbation, perturbed, b->samples, (uint64_t)a->given->recipe->training.seed,
                                 (uint64_t)clock_epoch(k), found, err);
    times_lap(a->given->times, INVAR_WORK_ADVERSARY, &clock);
    return ok;
}

void adversary_restore(const struct invar_adversary *a, const struct invar_batch *b)
{
    const struct invar_int_list *views = &a->given->recipe->adversary.views;
    const int64_t size = b->size * b->global_size;

    for (int i = 0; i < views->count; i++)
        invar_device_upload(a->given->device, b->input + views->value[i] * size, b->host_views + views->value[i] * size,
                            (size_t)size * sizeof *b->input);
}

/* The gradient of the encoder's input lies view by view as the input does; only the perturbed ones go on to the
 * generator. */
bool adversary_backward(const struct invar_adversary *a, const struct invar_chain *c, const struct invar_batch *b,
                        struct invar_error *err)
{
    const struct invar_int_list *views = &a->given->recipe->adversary.views;
    const float *gradient[INVAR_MAX_VIEWS], *input;
    double clock = times_now();

    if (!adversary_trained(a->given->recipe))
        return true;
    input = invar_plan_input_gradient(c->nets[INVAR_NET_ENCODER].plan);
    for (int k = 0; k < views->count; k++)
        gradient[k] = input + views->value[k] * b->size * b->global_size;
    /* -1: the optimiser descends, the generator ascends */
    if (!invar_perturbation_backward(a->perturbation, gradient, -1, err))
        return false;
    times_lap(a->given->times, INVAR_WORK_ADVERSARY, &clock);
    return true;
}

/* Every rank has as many rows. */
bool adversary_rms(const struct invar_adversary *a, double *rms, struct invar_error *err)
{
    *rms = invar_perturbation_rms(a->perturbation);
    if (invar_ranks_count(a->given->options.ranks) == 1)
        return true;
    *rms *= *rms / invar_ranks_count(a->given->options.ranks);
    if (!ranks_sum_double(a->given->options.ranks, rms, err))
        return false;
    *rms = sqrt(*rms);
    return true;
}

/* Not clipped: training.clip is a limit of the encoder's gradient, whose size says nothing about this one. */
void adversary_update(struct invar_adversary *a, const struct invar_clock *k, struct invar_ledger *ledger)
{
    struct invar_chain_net *n = &a->net;
    double clock = times_now();

    if (!adversary_trained(a->given->recipe))
        return;
    double *squares = invar_ledger_slot(ledger);
    a->squares = squares;
    invar_device_sum_squares(a->given->device, n->weights->gradients, n->net->trained_count, 1, squares);
    chain_net_step(n, k, ledger, clock_share(k, a->given->recipe->adversary.lr), 0, squares);
    times_lap(a->given->times, INVAR_WORK_OPTIMISER, &clock);
}
