/* SPDX-License-Identifier: Apache-2.0 */
/* A trainer: what it is made of, and how much that takes. */
#include "train/recipe.h"
#include "train/trainer.h"

#include "invar/expert/file.h"
#include "base/threads.h"

#include <math.h>
#include <string.h>
#include <time.h>

double invar_trainer_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void invar_trainer_lap(struct invar_trainer *t, enum invar_work work, double *since)
{
    double now = invar_trainer_clock();

    t->seconds[work] += now - *since;
    *since = now;
}

/* ---- making ---- */

/* The length of the run, and what follows from it. */
static bool plan_steps(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_training_options *o = &t->recipe->training;
    const struct invar_dataset_info *info = invar_dataset_info(t->dataset);
    const bool some = t->options.samples != NULL;
    const int64_t all = info->count[INVAR_TRAIN], count = some ? t->options.sample_count : all;

    if (o->batch > count)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "training.batch is %lld, but %s has %lld training samples%s: set training.batch=%lld or less",
            (long long)o->batch, info->source, (long long)count, some ? " to be used" : "", (long long)count);
    t->batch = o->batch;
    t->views = invar_view_count(&t->recipe->views);
    t->rows = t->batch * t->views;
    t->global_views = t->recipe->views.count;
    t->global_rows = t->batch * t->global_views;
    t->steps_per_epoch = count / t->batch;
    t->total = o->steps > 0 ? o->steps : llround(o->epochs * (double)(all / t->batch));
    t->sample_count = count;
    if (t->total < 1)
        t->total = 1;
    if (!invar_recipe_check_warmup(t->recipe, info->source, t->total, err))
        return false;
    t->warmup = llround(o->warmup * (double)t->total);
    t->peak = t->recipe->rate.lr * (t->recipe->rate.lr_scaling ? (double)t->batch / 256 : 1);
    return true;
}

/* A target network that averages over more steps than the run can spare stays near its start. */
static void warn_of_slow_target(const struct invar_trainer *t)
{
    double horizon = 1 / (1 - t->recipe->target.momentum);

    if (t->recipe->target.enabled && !(horizon <= (double)t->total / 4))
        invar_log(INVAR_LOG_WARNING,
                  "target.momentum %g averages over %.0f steps, slow for a run of %lld: about %.3g would follow",
                  t->recipe->target.momentum, horizon, (long long)t->total, 1 - 20 / (double)(t->total + 20));
}

/* Below r = 2 embeddings shrink to nothing, with an effective rank that looks well. */
static void warn_of_collapsing_share(const struct invar_trainer *t)
{
    const int64_t width = t->nets[invar_chain_source(t, INVAR_ROLE_Z)].width;
    struct invar_logdet_share share;

    if (!invar_objective_logdet_share(t->recipe->objective, (int)t->views, width, &share) || share.r >= 2)
        return;
    invar_log(
        INVAR_LOG_WARNING,
        "LogDet's share r is %.3g, and below 2 embeddings collapse (a direction survives where less than r / 2 of "
        "its variance is noise of the views): raise beta or %s, or lower %s, here to %.3g or less",
        share.r, share.entropy, share.invariance, share.weight_invariance * share.r / 2);
}

static bool create_batch(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(t->dataset);
    const int64_t side = t->recipe->views.local_size;
    size_t floats;

    /* No overflow: a net has been made for global views, and a plan for their number. */
    t->global_size = (int64_t)info->channels * info->height * info->width;
    t->input_size = t->global_rows * t->global_size + (t->rows - t->global_rows) * info->channels * side * side;
    floats = (size_t)t->input_size;
    if (!invar_view_options_check(&t->recipe->views, info, err))
        return false;
    if (invar_device_is_planning(t->device))
        return true;
    t->loader = invar_loader_create(t->dataset, INVAR_TRAIN, t->batch, err);
    t->maker = t->loader ? invar_view_maker_create(&t->recipe->views, info, err) : NULL;
    t->samples = t->maker ? invar_alloc((size_t)t->batch, sizeof *t->samples, err) : NULL;
    t->order = t->samples ? invar_alloc((size_t)t->sample_count, sizeof *t->order, err) : NULL;
    t->host_views = t->order ? invar_alloc(floats, sizeof(float), err) : NULL;
    t->input = t->host_views ? invar_device_alloc(t->device, floats, sizeof(float), err) : NULL;
    t->order_epoch = -1;
    return t->input != NULL;
}

/* The terms' own checks; what views are mixed of is there with the first batch alone. */
static bool check_objective(const struct invar_trainer *t, struct invar_error *err)
{
    static const int64_t some_partner = 0;
    static const double some_share = 1;
    struct invar_embeddings e = t->embeddings;

    e.partner = &some_partner;
    e.share = &some_share;
    return invar_objective_check(t->recipe->objective, &e, err);
}

/* The terms, those that an adversary ascends once more, the classifier, a perturbation and two norms. */
static bool create_ledger(struct invar_trainer *t, struct invar_error *err)
{
    const int terms = invar_evaluator_slots(t->evaluator);
    const int classifier = t->classified ? invar_evaluator_slots(t->classified) : 0;

    return invar_ledger_take(t->device, t->kept, 2 * terms + classifier + 3, &t->ledger, err);
}

static bool create_objective(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_embeddings *e = &t->embeddings;
    const int targets = t->recipe->target.enabled ? (int)t->global_views : 0;

    t->scratch = invar_device_scratch_create(t->device, err);
    t->kept = invar_device_scratch_create(t->device, err);
    t->values = invar_alloc((size_t)invar_objective_count(t->recipe->objective), sizeof *t->values, err);
    if (!t->scratch || !t->kept || !t->values || !invar_groups_create(t, err) || !invar_labels_create(t, err) ||
        !invar_plain_create(t, err))
        return false;
    e->views = t->gradients.views = (int)t->views;
    e->targets = t->gradients.targets = (int)t->global_views;
    for (int role = 0; role <= INVAR_ROLE_T; role++)
        for (int v = 0; v < (role == INVAR_ROLE_T ? targets : e->views); v++)
            e->by[role][v] = (struct invar_matrix){.dtype = INVAR_FLOAT32,
                                                   .rows = t->batch,
                                                   .cols = t->nets[invar_chain_source(t, (enum invar_role)role)].width};
    if (!check_objective(t, err))
        return false;
    t->evaluator = invar_evaluator_create(t->recipe->objective, t->device, e, err);
    return t->evaluator && (invar_device_is_planning(t->device) || create_ledger(t, err));
}

/* Where a run goes on from: its end, its newest whole checkpoint, or the beginning. */
static bool start(struct invar_trainer *t, bool resuming, struct invar_error *err)
{
    char path[INVAR_PATH_SIZE];
    bool found = false;

    if (resuming) {
        if (!invar_folder_path(t, "encoder.safetensors", path, err) || !invar_checkpoint_resume(t, &found, err) ||
            !invar_path_find(path, &t->finished, err))
            return false;
        t->finished = t->finished && !(found && t->extended && t->step < t->total);
        if (t->finished && t->rewrite && !found)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: has no whole checkpoint, so its length and its data cannot be changed: leave "
                                   "training.epochs, training.steps and data.source as they are",
                                   t->folder);
        if (t->finished)
            t->step = t->total;
        invar_log(INVAR_LOG_INFO, t->finished ? "%s: the run is finished" : "%s: goes on after step %lld of %lld",
                  t->folder, (long long)t->step, (long long)t->total);
    }
    if (invar_device_is_planning(t->device))
        return true;
    if (!found) { /* what a damaged checkpoint left */
        t->step = t->finished ? t->total : 0;
        t->extended = false;
        t->joined = (struct invar_joined){0};
        invar_text_free(&t->machines);
    }
    if (t->step < t->total && !invar_machines_join(t, err))
        return false;
    if (!found && !invar_chain_initialise(t, err))
        return false;
    return !t->folder || invar_folder_begin(t, err);
}

struct invar_trainer *invar_trainer_create(const struct invar_recipe *recipe, struct invar_dataset *dataset,
                                           struct invar_device *device, const struct invar_trainer_options *options,
                                           struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    struct invar_trainer *t = invar_alloc(1, sizeof *t, err);
    bool resuming = false;

    if (!t)
        return NULL;
    t->recipe = recipe;
    t->dataset = dataset;
    t->device = device;
    t->options = *options;
    t->saved = -1;
    t->lock = -1;
    t->window_step = -1;
    if (options->folder && !(t->folder = invar_strdup(options->folder, err)))
        goto fail;
    if (!invar_recipe_write(recipe, &t->recipe_text, err) || !plan_steps(t, err) ||
        (t->folder && !invar_folder_check(t, &resuming, err)))
        goto fail;
    if (!invar_chain_create(t, err) || !invar_layers_create(t, err) || !create_batch(t, err) ||
        !create_objective(t, err) || !start(t, resuming, err))
        goto fail;
    warn_of_slow_target(t);
    warn_of_collapsing_share(t);
    return t;
fail:
    invar_trainer_free(t);
    return NULL;
}

void invar_trainer_free(struct invar_trainer *t)
{
    if (!t)
        return;
    invar_layers_free(t);
    invar_chain_free(t);
    invar_loader_free(t->loader);
    invar_view_maker_free(t->maker);
    invar_evaluator_free(t->evaluator);
    invar_scratch_free(t->scratch);
    invar_scratch_free(t->kept);
    invar_plain_free(t);
    invar_free(t->samples);
    invar_free(t->groups);
    invar_free(t->labels);
    invar_head_free(t->head);
    invar_free(t->order);
    invar_free(t->host_views);
    invar_device_free(t->device, t->input);
    invar_free(t->values);
    invar_text_free(&t->recipe_text);
    invar_text_free(&t->machines);
    invar_folder_release(t);
    invar_free(t->folder);
    invar_free(t);
}

int64_t invar_trainer_steps_done(const struct invar_trainer *t)
{
    return t->step;
}

int64_t invar_trainer_steps_total(const struct invar_trainer *t)
{
    return t->total;
}

/* ---- what it takes ---- */

static void describe_weights(const struct invar_weights *w, struct invar_trainer_plan *out)
{
    int64_t floats = w->net->trained_count * (w->gradients ? 2 : 1) + w->net->statistic_count;
    out->weight_bytes += (size_t)floats * sizeof(float);
}

static void describe_plan(const struct invar_plan *plan, struct invar_trainer_plan *out)
{
    struct invar_plan_memory memory;

    invar_plan_memory(plan, &memory);
    out->workspace_bytes += memory.workspace;
    out->weight_bytes += memory.weights;
}

/* So many forward passes of a sample. */
static void describe_operations(const struct invar_net *net, double passes, struct invar_trainer_plan *out)
{
    out->operations_per_step += 2 * passes * (double)invar_net_operations(net);
    out->winograd_operations_per_step += 2 * passes * (double)invar_net_winograd_operations(net);
}

static void describe_local(const struct invar_trainer *t, struct invar_trainer_plan *out)
{
    const struct invar_chain_local *local = &t->local;

    if (!local->plan)
        return;
    describe_operations(local->net, 3 * (double)(t->rows - t->global_rows), out);
    out->weight_bytes += (size_t)(local->net->trained_count + local->net->statistic_count) * sizeof(float);
    out->workspace_bytes += (size_t)(t->rows * t->nets[INVAR_NET_ENCODER].width) * sizeof(float);
    describe_plan(local->plan, out);
}

bool invar_trainer_describe(const struct invar_trainer *t, struct invar_trainer_plan *out, struct invar_error *err)
{
    *out = (struct invar_trainer_plan){.input_bytes = 2 * (size_t)t->input_size * sizeof(float)};
    for (int i = 0; i < INVAR_NET_ALL; i++) {
        const struct invar_chain_net *n = &t->nets[i];
        if (!n->net)
            continue;
        const int64_t rows = i == INVAR_NET_ENCODER || i == INVAR_NET_CLASSIFIER ? t->global_rows
                             : i == INVAR_NET_GENERATOR ? t->batch * t->recipe->adversary.views.count
                                                        : t->rows;
        /* forward, and backward where there is one; the target network forward */
        const double passes = (n->buffer_count || i != INVAR_NET_GENERATOR ? 3 : 1) * (double)rows;
        out->parameters += n->net->trained_count;
        describe_operations(n->net, passes, out);
        if (n->output_gradient)
            out->workspace_bytes += (size_t)(rows * n->width) * sizeof(float);
        if (i == INVAR_NET_ENCODER) {
            out->encoder_parameters = n->net->trained_count;
            out->encoder_operations = (double)invar_net_operations(n->net);
        }
        describe_weights(n->weights, out);
        describe_plan(n->plan, out);
        out->state_bytes += (size_t)(n->buffer_count * n->net->trained_count) * sizeof(float);
        if (n->target_plan) {
            describe_operations(n->net, (double)t->global_rows, out);
            describe_weights(n->target_weights, out);
            describe_plan(n->target_plan, out);
        }
    }
    if (t->perturbation)
        out->input_bytes += invar_perturbation_bytes(t->perturbation);
    if (invar_objective_roles(t->recipe->objective) & INVAR_ROLE_BIT(INVAR_ROLE_X))
        out->input_bytes += 2 * (size_t)(t->batch * t->global_size) * sizeof(float);
    if (invar_objective_roles(t->recipe->objective) & INVAR_ROLE_BIT(INVAR_ROLE_M))
        out->input_bytes += 2 * (size_t)(t->rows * t->global_size) * sizeof(float);
    describe_local(t, out);
    return invar_objective_workspace(t->recipe->objective, &t->embeddings, &out->term_bytes, err);
}

/* ---- where the time went ---- */

/* The encoder by kind of work, global and local views together: both plans have the same kinds in the same order. */
static int profile_encoder(const struct invar_trainer *t, struct invar_profile_entry *entries, int capacity)
{
    struct invar_profile_entry local[32];
    int count = invar_plan_profile(t->nets[INVAR_NET_ENCODER].plan, entries, capacity);
    int more = t->local.plan ? invar_plan_profile(t->local.plan, local, count < 32 ? count : 32) : 0;

    for (int i = 0; i < more; i++) {
        entries[i].seconds += local[i].seconds;
        entries[i].calls += local[i].calls;
    }
    return count;
}

int invar_trainer_profile(const struct invar_trainer *t, struct invar_profile_entry *entries, int capacity)
{
    static const char *const names[INVAR_WORK_COUNT] = {"data",           "views", "adversary", "encoder",     "heads",
                                                        "target network", "loss",  "optimiser", "measurements"};
    double known = 0;
    int count = 0;

    if (!t->options.profile)
        return 0;
    for (int w = 0; w < INVAR_WORK_COUNT; w++) {
        known += t->seconds[w];
        if (w == INVAR_WORK_ENCODER)
            count += profile_encoder(t, entries + count, capacity - count);
        else if (t->seconds[w] > 0 && count < capacity)
            entries[count++] = (struct invar_profile_entry){names[w], t->seconds[w], t->calls};
    }
    if (count < capacity)
        entries[count++] = (struct invar_profile_entry){"other", t->total_seconds - known, t->calls};
    return count;
}
