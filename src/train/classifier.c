/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The online classifier: one linear layer on h, trained on the labels of the batch while the encoder learns without
 * them. Nothing flows back into the encoder, whose bits are the same with and without it.
 */
#include "train/trainer.h"

#include <math.h>

/* Its objective: the cross-entropy of the views' logits. */
static bool create_objective(struct invar_trainer *t, struct invar_error *err)
{
    static const char text[] = "cross_entropy: {}\n";
    struct invar_node *terms = invar_node_parse(text, sizeof text - 1, "classifier", err);

    t->classifier = terms ? invar_objective_create(terms, err) : NULL;
    invar_node_free(terms);
    return t->classifier != NULL;
}

static bool create_net(struct invar_trainer *t, int classes, struct invar_error *err)
{
    struct invar_chain_net *n = &t->nets[INVAR_NET_CLASSIFIER];
    const struct invar_plan_options plan = {.batch = t->global_rows,
                                            .groups = t->global_views,
                                            .running_groups = t->global_views,
                                            .precision = INVAR_PRECISION_FLOAT32,
                                            .mode = INVAR_PLAN_TRAINING};

    n->head = (struct invar_head_options){.output = classes, .last_bias = true};
    n->width = classes;
    n->net = invar_head_build(&n->head, t->nets[INVAR_NET_ENCODER].width, err);
    n->owns_net = true;
    n->weights = n->net ? invar_weights_create(t->device, n->net, true, err) : NULL;
    n->plan = n->weights ? invar_plan_create(n->weights, &plan, err) : NULL;
    if (!n->plan)
        return false;
    n->buffer_count = 1;
    n->buffers[0] = invar_device_alloc(t->device, (size_t)n->net->trained_count, sizeof(float), err);
    const struct invar_classifier_options *o = &t->recipe->classifier;
    t->classifier_sgd = (struct invar_sgd_options){.momentum = o->momentum, .weight_decay = o->weight_decay};
    if (!n->buffers[0] || !invar_chain_optimise(t, n, &invar_optimiser_sgd, &t->classifier_sgd, err))
        return false;
    n->output_gradient = invar_device_alloc(t->device, (size_t)(t->global_rows * classes), sizeof(float), err);
    t->logits = invar_alloc((size_t)(t->global_rows * classes), sizeof *t->logits, err);
    return n->buffers[0] && n->output_gradient && t->logits;
}

bool invar_classifier_create(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(t->dataset);

    t->nets[INVAR_NET_CLASSIFIER].name = "classifier";
    if (!t->recipe->classifier.enabled || info->assumed)
        return true;
    if (info->classes < 2)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s has %d classes; the online classifier needs labels of at least 2: choose labelled "
                               "data%s, or set classifier.enabled=false",
                               info->source, info->classes,
                               info->label_number ? " (its label is a number, data.label_kind=class makes classes)"
                                                  : "");
    if (!create_objective(t, err) || !create_net(t, info->classes, err))
        return false;
    const struct invar_embeddings shapes = {.views = (int)t->global_views};
    t->classified = invar_evaluator_create(t->classifier, t->device, &shapes, err);
    return t->classified != NULL;
}

void invar_classifier_free(struct invar_trainer *t)
{
    invar_evaluator_free(t->classified);
    invar_objective_free(t->classifier);
    invar_free(t->logits);
}

/* Logits of global views as z of a term, and where their gradients go. */
static void set_views(const struct invar_trainer *t, const float *logits, struct invar_embeddings *in,
                      struct invar_embeddings *gradient)
{
    const struct invar_chain_net *n = &t->nets[INVAR_NET_CLASSIFIER];
    union {
        const float *in;
        float *out;
    } cast = {logits}; /* matrices carry no const; terms only read embeddings */

    *in = (struct invar_embeddings){.views = (int)t->global_views, .labels = t->labels};
    *gradient = (struct invar_embeddings){.views = (int)t->global_views};
    for (int64_t v = 0; v < t->global_views; v++) {
        struct invar_matrix m = {.dtype = INVAR_FLOAT32, .rows = t->batch, .cols = n->width};
        m.data = cast.out + v * t->batch * n->width;
        in->by[INVAR_ROLE_Z][v] = m;
        m.data = n->output_gradient + v * t->batch * n->width;
        gradient->by[INVAR_ROLE_Z][v] = m;
    }
}

bool invar_classifier_step(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_classifier_options *o = &t->recipe->classifier;
    struct invar_chain_net *n = &t->nets[INVAR_NET_CLASSIFIER];
    struct invar_embeddings in, gradient;
    double clock = invar_trainer_clock();

    if (!n->net)
        return true;
    if (!invar_plan_forward(n->plan, t->nets[INVAR_NET_ENCODER].output, err))
        return false;
    n->output = invar_plan_output(n->plan);
    set_views(t, n->output, &in, &gradient);
    if (!invar_evaluator_run(t->classified, &t->ledger, &in, &gradient, NULL, invar_trainer_key(t), err) ||
        !invar_plan_backward(n->plan, n->output_gradient, err))
        return false;
    /* t->rate has the shape of the schedule, whatever the peak of the encoder's */
    invar_chain_step(t, n, t->peak > 0 ? o->lr * (t->rate / t->peak) : o->lr, 0, t->slots.squares);
    invar_trainer_lap(t, INVAR_WORK_HEADS, &clock);
    return true;
}

bool invar_classifier_settle(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_error own = {0};

    return !t->nets[INVAR_NET_CLASSIFIER].net ||
           invar_evaluator_settle(t->classified, &t->classifier_loss, NULL, &own) ||
           invar_nonfinite_explain(t, &own, err);
}

double invar_classifier_top1(struct invar_trainer *t)
{
    const struct invar_chain_net *n = &t->nets[INVAR_NET_CLASSIFIER];
    int64_t hits = 0, rows = 0;

    invar_device_download(t->device, t->logits, n->output, (size_t)(t->global_rows * n->width) * sizeof(float));
    for (int64_t row = 0; row < t->global_rows; row++) {
        const float *logits = t->logits + row * n->width;
        int64_t best = 0;
        if (t->labels[row % t->batch] < 0)
            continue;
        rows++;
        for (int64_t c = 1; c < n->width; c++)
            best = logits[c] > logits[best] ? c : best;
        hits += best == t->labels[row % t->batch];
    }
    return rows ? 100 * (double)hits / (double)rows : (double)NAN;
}
