/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The online classifier: one linear layer on h, trained on the labels of the batch while the encoder learns without
 * them. Nothing flows back into the encoder, whose bits are the same with and without it.
 */
#include "train/classifier.h"
#include "base/matrix.h"

#include <math.h>

/* Its objective: the cross-entropy of the views' logits. From text, as a recipe would have it: the same term, options
 * and checks as a supervised baseline has. */
static bool create_objective(struct invar_online_classifier *c, struct invar_error *err)
{
    static const char text[] = "cross_entropy: {}\n";
    struct invar_node *terms = invar_node_parse(text, sizeof text - 1, "classifier", err);

    c->objective = terms ? invar_objective_create(terms, err) : NULL;
    invar_node_free(terms);
    return c->objective != NULL;
}

/* One linear layer with a bias and plain SGD, so that its accuracy says something of h and not of the classifier. In
 * float32, as the heads. */
static bool create_net(struct invar_online_classifier *c, const struct invar_chain *chain, const struct invar_batch *b,
                       int classes, struct invar_error *err)
{
    struct invar_chain_net *n = &c->net;
    const struct invar_plan_options plan = {
        .batch = b->global_rows,
        .groups = b->global_views,
        .running_groups = b->global_views,
        .precision = INVAR_PRECISION_FLOAT32,
        .mode = INVAR_PLAN_TRAINING,
        .ranks = ranks_plan(c->given->options.ranks, c->given->recipe->training.sync_norm)};

    n->head = (struct invar_head_options){.output = classes, .last_bias = true};
    n->width = classes;
    n->net = invar_head_build(&n->head, chain->nets[INVAR_NET_ENCODER].width, err);
    n->owns_net = true;
    n->weights = n->net ? invar_weights_create(c->given->device, n->net, true, err) : NULL;
    n->plan = n->weights ? invar_plan_create(n->weights, &plan, err) : NULL;
    if (!n->plan)
        return false;
    n->buffer_count = 1;
    n->buffers[0] = invar_device_alloc(c->given->device, (size_t)n->net->trained_count, sizeof(float), err);
    const struct invar_classifier_options *o = &c->given->recipe->classifier;
    c->sgd = (struct invar_sgd_options){.momentum = o->momentum, .weight_decay = o->weight_decay};
    if (!n->buffers[0] || !chain_net_optimise(n, &invar_optimiser_sgd, &c->sgd, err))
        return false;
    n->output_gradient = invar_device_alloc(c->given->device, (size_t)(b->global_rows * classes), sizeof(float), err);
    const size_t everywhere = (size_t)(b->global_views * b->all), width = (size_t)classes * sizeof(float);
    c->logits = invar_alloc(everywhere, width, err);
    if (!n->output_gradient || !c->logits || b->all == b->size)
        return n->output_gradient && c->logits;
    n->shared.output = invar_device_alloc(c->given->device, everywhere, width, err);
    n->shared.gradient = n->shared.output ? invar_device_alloc(c->given->device, everywhere, width, err) : NULL;
    return n->shared.gradient != NULL;
}

/* Data that are assumed, as of a dry run without its files, have no classes to count. */
bool classifier_create(struct invar_online_classifier *c, const struct invar_chain *chain, const struct invar_batch *b,
                       struct invar_error *err)
{
    const struct invar_dataset_info *info = c->given->info;

    c->net.name = "classifier";
    if (!c->given->recipe->classifier.enabled || info->assumed)
        return true;
    if (info->classes < 2)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s has %d classes; the online classifier needs labels of at least 2: choose labelled "
                               "data%s, or set classifier.enabled=false",
                               info->source, info->classes,
                               info->label_number ? " (its label is a number, data.label_kind=class makes classes)"
                                                  : "");
    if (!create_objective(c, err) || !create_net(c, chain, b, info->classes, err))
        return false;
    const struct invar_embeddings shapes = {.views = (int)b->global_views};
    c->evaluator = invar_evaluator_create(c->objective, c->given->device, &shapes, err);
    return c->evaluator != NULL;
}

void classifier_free(struct invar_online_classifier *c)
{
    invar_evaluator_free(c->evaluator);
    invar_objective_free(c->objective);
    chain_net_free(&c->net);
    invar_free(c->logits);
}

/* Of all ranks, where there are others: loss and accuracy are then of the whole batch on each of them. */
static const float *logits_of(const struct invar_chain_net *n)
{
    return n->shared.output ? n->shared.output : n->output;
}

/* Logits of global views as z of a term, and where their gradients go. */
static void set_views(const struct invar_online_classifier *c, const struct invar_batch *b, struct invar_embeddings *in,
                      struct invar_embeddings *gradient)
{
    const struct invar_chain_net *n = &c->net;
    const float *logits = logits_of(n);
    float *gradients = n->shared.gradient ? n->shared.gradient : n->output_gradient;
    *in = (struct invar_embeddings){.views = (int)b->global_views, .labels = b->labels};
    *gradient = (struct invar_embeddings){.views = (int)b->global_views};
    for (int64_t v = 0; v < b->global_views; v++) {
        struct invar_matrix m = matrix_over(INVAR_FLOAT32, b->all, n->width, logits + v * b->all * n->width);
        in->by[INVAR_ROLE_Z][v] = m;
        m.data = gradients + v * b->all * n->width;
        gradient->by[INVAR_ROLE_Z][v] = m;
    }
}

/* Forwards and backwards, as the chain goes: terms see all rows, and each rank keeps the gradient of its own. */
static bool descend(struct invar_online_classifier *c, const struct invar_batch *b, const struct invar_clock *k,
                    struct invar_ledger *ledger, struct invar_error *err)
{
    const struct invar_chain_net *n = &c->net;
    const bool shared = n->shared.output != NULL;
    struct invar_embeddings in, gradient;

    if (shared && !shared_rows(c->given, b, b->global_views, n->width, n->output, n->shared.output, err))
        return false;
    set_views(c, b, &in, &gradient);
    if (!invar_evaluator_run(c->evaluator, ledger, &in, &gradient, NULL, clock_key(k), err))
        return false;
    if (shared)
        shared_own(c->given, b, b->global_views, n->width, n->shared.gradient, n->output_gradient);
    if (!invar_plan_backward(n->plan, n->output_gradient, err))
        return false;
    shared_sum(c->given, n, true);
    return ranks_sum_end(c->given->options.ranks, err);
}

/* `squares`, the norm of the chain's gradients, decides with the ledger whether to go: the classifier must not learn
 * from a forward pass that the encoder has been kept from learning of. */
bool classifier_step(struct invar_online_classifier *c, const struct invar_chain *chain, const struct invar_batch *b,
                     const struct invar_clock *k, struct invar_ledger *ledger, struct invar_error *err)
{
    struct invar_chain_net *n = &c->net;
    double clock = times_now();

    if (!n->net)
        return true;
    if (!invar_plan_forward(n->plan, chain->nets[INVAR_NET_ENCODER].output, err))
        return false;
    n->output = invar_plan_output(n->plan);
    if (!descend(c, b, k, ledger, err))
        return false;
    chain_net_step(n, k, ledger, clock_share(k, c->given->recipe->classifier.lr), 0, chain->squares);
    times_lap(c->given->times, INVAR_WORK_HEADS, &clock);
    return true;
}

bool classifier_settle(struct invar_online_classifier *c, struct invar_error *err)
{
    return !c->net.net || invar_evaluator_settle(c->evaluator, &c->loss, NULL, err);
}

/* Reads logits back, which waits for the device: only at logged steps, and after the ledger has been read, so that it
 * costs a copy and no second wait. */
double classifier_top1(const struct invar_online_classifier *c, const struct invar_batch *b)
{
    const struct invar_chain_net *n = &c->net;
    int64_t hits = 0, rows = 0;

    const int64_t count = b->global_views * b->all;
    invar_device_download(c->given->device, c->logits, logits_of(n), (size_t)(count * n->width) * sizeof(float));
    for (int64_t row = 0; row < count; row++) {
        const float *logits = c->logits + row * n->width;
        int64_t best = 0;
        if (b->labels[row % b->all] < 0)
            continue;
        rows++;
        for (int64_t j = 1; j < n->width; j++)
            best = logits[j] > logits[best] ? j : best;
        hits += best == b->labels[row % b->all];
    }
    return rows ? 100 * (double)hits / (double)rows : (double)NAN;
}
