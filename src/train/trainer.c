/* SPDX-License-Identifier: Apache-2.0 */
/* A trainer: what it is made of, and how much that takes. */
#include "train/recipe.h"
#include "train/trainer.h"

#include "invar/expert/file.h"
#include "base/threads.h"

#include <math.h>

/* ---- making ---- */

/* The length of the run, and what follows from it. Epochs count the samples of the whole split, even where only some
 * are used: runs on fewer labels or fewer samples make as many steps as those on all, and so differ in data alone.
 * The peak grows with the batch where the recipe asks for it (lr_scaling). */
static bool plan_steps(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_training_options *o = &t->given.recipe->training;
    const struct invar_dataset_info *info = t->given.info;
    const bool some = t->given.options.samples != NULL;
    const int ranks = invar_ranks_count(t->given.options.ranks);
    const int64_t all = info->count[INVAR_TRAIN], count = some ? t->given.options.sample_count : all;

    if (o->batch > count)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "training.batch is %lld, but %s has %lld training samples%s: set training.batch=%lld or less",
            (long long)o->batch, info->source, (long long)count, some ? " to be used" : "", (long long)count);
    if (o->batch % ranks != 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "training.batch is %lld, which %d processes cannot share evenly: set it to a multiple "
                               "of %d, or start another number of processes",
                               (long long)o->batch, ranks, ranks);
    t->batch.all = o->batch;
    t->batch.size = o->batch / ranks;
    t->batch.first = t->batch.size * invar_ranks_rank(t->given.options.ranks);
    t->batch.views = invar_view_count(&t->given.recipe->views);
    t->batch.rows = t->batch.size * t->batch.views;
    t->batch.global_views = t->given.recipe->views.count;
    t->batch.global_rows = t->batch.size * t->batch.global_views;
    t->clock.steps_per_epoch = count / o->batch;
    t->clock.total = o->steps > 0 ? o->steps : llround(o->epochs * (double)(all / o->batch));
    t->batch.sample_count = count;
    if (t->clock.total < 1)
        t->clock.total = 1;
    if (!recipe_check_warmup(t->given.recipe, info->source, t->clock.total, err))
        return false;
    t->clock.warmup = llround(o->warmup * (double)t->clock.total);
    t->clock.peak = t->given.recipe->rate.lr *
                    (t->given.recipe->rate.lr_scaling == INVAR_RATE_SCALING_LINEAR ? (double)o->batch / 256 : 1);
    return true;
}

/* A target network that averages over more steps than the run can spare stays near its start. 1 / (1 - m) is the time
 * constant; a quarter of the run is where its start has a weight of e^-4 at the end. */
static void warn_of_slow_target(const struct invar_trainer *t)
{
    double horizon = 1 / (1 - t->given.recipe->target.momentum);

    if (t->given.recipe->target.enabled && !(horizon <= (double)t->clock.total / 4))
        invar_log(INVAR_LOG_WARNING,
                  "target.momentum %g averages over %.0f steps, slow for a run of %lld: about %.3g would follow",
                  t->given.recipe->target.momentum, horizon, (long long)t->clock.total,
                  1 - 20 / (double)(t->clock.total + 20));
}

/* Below r = 2 embeddings shrink to nothing, with an effective rank that looks well. */
static void warn_of_collapsing_share(const struct invar_trainer *t)
{
    const int64_t width = chain_source(&t->chain, INVAR_ROLE_Z)->width;
    struct invar_logdet_share share;

    if (!invar_objective_logdet_share(t->given.recipe->objective, (int)t->batch.views, width, &share) || share.r >= 2)
        return;
    invar_log(
        INVAR_LOG_WARNING,
        "LogDet's share r is %.3g, and below 2 embeddings collapse (a direction survives where less than r / 2 of "
        "its variance is noise of the views): raise beta or %s, or lower %s, here to %.3g or less",
        share.r, share.entropy, share.invariance, share.weight_invariance * share.r / 2);
}

/* The terms' own checks; what views are mixed of is there with the first batch alone. Mixing is checked by presence
 * alone, so any pointers do. */
static bool check_objective(const struct invar_trainer *t, struct invar_error *err)
{
    static const int64_t some_partner = 0;
    static const double some_share = 1;
    struct invar_embeddings e = t->chain.embeddings;

    e.partner = &some_partner;
    e.share = &some_share;
    return invar_objective_check(t->given.recipe->objective, &e, err);
}

/* The terms, those that an adversary ascends once more, the classifier, a perturbation and two norms. An upper bound:
 * slots are handed out anew in every step, and a ledger that is too small gives the last one twice. */
static bool create_ledger(struct invar_trainer *t, struct invar_error *err)
{
    const int terms = invar_evaluator_slots(t->evaluator);
    const int classifier = t->classifier.evaluator ? invar_evaluator_slots(t->classifier.evaluator) : 0;

    return invar_ledger_take(t->given.device, t->kept, 2 * terms + classifier + 3, &t->ledger, err);
}

/* Before the evaluator is made, which allocates what terms keep: a batch that a term refuses should cost nothing. */
static bool create_objective(struct invar_trainer *t, struct invar_error *err)
{
    const int64_t width = chain_source(&t->chain, INVAR_ROLE_Z)->width;
    struct invar_embeddings *e = &t->chain.embeddings;

    t->reported.scratch = invar_device_scratch_create(t->given.device, err);
    t->kept = invar_device_scratch_create(t->given.device, err);
    t->values = invar_alloc((size_t)invar_objective_count(t->given.recipe->objective), sizeof *t->values, err);
    if (!t->reported.scratch || !t->kept || !t->values || !groups_create(&t->batch, err) ||
        !labels_create(&t->batch, width, t->classifier.objective != NULL, err) || !plain_create(&t->batch, err))
        return false;
    chain_shapes(&t->chain, &t->batch);
    batch_offer(&t->batch, e);
    if (!check_objective(t, err))
        return false;
    t->evaluator = invar_evaluator_create(t->given.recipe->objective, t->given.device, e, err);
    return t->evaluator && (invar_device_is_planning(t->given.device) || create_ledger(t, err));
}

/* Weights as they are before the first step. */
static bool initialise(struct invar_trainer *t, struct invar_error *err)
{
    const uint64_t seed = (uint64_t)t->given.recipe->training.seed;

    return chain_initialise(&t->chain, err) &&
           chain_net_initialise(&t->adversary.net, INVAR_NET_GENERATOR, seed, err) &&
           chain_net_initialise(&t->classifier.net, INVAR_NET_CLASSIFIER, seed, err);
}

/* Where a run goes on from: its end, its newest whole checkpoint, or the beginning. A run that is finished has its
 * end in encoder.safetensors, unless its length was changed: then the file is of the shorter run and there are steps
 * left. */
static bool start(void *user, struct invar_error *err)
{
    struct invar_trainer *t = user;
    char path[INVAR_PATH_SIZE];
    bool found = false;

    if (t->resuming) {
        if (!folder_path(&t->folder, "encoder.safetensors", path, err) || !checkpoint_resume(t, &found, err) ||
            !invar_path_find(path, &t->folder.finished, err))
            return false;
        t->folder.finished = t->folder.finished && !(found && t->clock.extended && t->clock.step < t->clock.total);
        if (t->folder.finished && t->folder.rewrite && !found)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: has no whole checkpoint, so its length and its data cannot be changed: leave "
                                   "training.epochs, training.steps and data.source as they are",
                                   t->folder.path);
        if (t->folder.finished)
            t->clock.step = t->clock.total;
        invar_log(INVAR_LOG_INFO,
                  t->folder.finished ? "%s: the run is finished" : "%s: goes on after step %lld of %lld",
                  t->folder.path, (long long)t->clock.step, (long long)t->clock.total);
    }
    if (invar_device_is_planning(t->given.device))
        return true;
    if (!found) { /* what a damaged checkpoint left */
        t->clock.step = t->folder.finished ? t->clock.total : 0;
        t->clock.extended = false;
        t->clock.joined = (struct invar_joined){0};
        invar_text_free(&t->folder.machines);
    }
    if (t->clock.step < t->clock.total && !machines_join(&t->folder, err))
        return false;
    if (!found && !initialise(t, err))
        return false;
    return !t->folder.path || folder_begin(&t->folder, err);
}

/* Every part knows what the run was given, and nothing else of the trainer. */
static void assemble(struct invar_trainer *t, const struct invar_given *given)
{
    t->given = *given;
    t->given.times = &t->times;
    t->clock.given = t->batch.given = t->chain.given = t->adversary.given = t->classifier.given = &t->given;
    t->folder.resume = given->options.resume;
    t->folder.steps = given->recipe->training.steps;
    t->folder.device = given->device;
    t->folder.precision = given->recipe->training.precision;
    t->folder.saved = -1;
    t->folder.lock = -1;
    t->folder.recipes = &folder_recipes;
    t->times.window_step = -1;
}

/* The folder is looked at first, before anything is built, and changed last, when nothing can fail but the disk. The
 * encoder is made before the batch, because it is the one to say that the shapes of the data will do. */
static bool make(struct invar_trainer *t, struct invar_error *err)
{
    const struct invar_trainer_options *options = &t->given.options;

    if (options->folder && ranks_leads(options->ranks) && !(t->folder.path = invar_strdup(options->folder, err)))
        return false;
    if (!invar_recipe_write(t->given.recipe, &t->folder.recipe, err) || !plan_steps(t, err) ||
        (t->folder.path && !folder_check(&t->folder, &t->resuming, err)))
        return false;
    return chain_create(&t->chain, &t->batch, err) && adversary_create(&t->adversary, &t->chain, &t->batch, err) &&
           classifier_create(&t->classifier, &t->chain, &t->batch, err) && batch_create(&t->batch, err) &&
           create_objective(t, err);
}

static struct invar_trainer *create(const struct invar_given *given, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(given->device));
    const struct invar_trainer_options *options = &given->options;
    struct invar_trainer *t = invar_alloc(1, sizeof *t, err);

    if (t)
        assemble(t, given);
    if (ranks_agree(options->ranks, t && make(t, err), err) && together_compare(t, err) &&
        ranks_lead(options->ranks, start, t, err) && together_begin(t, err)) {
        warn_of_slow_target(t);
        warn_of_collapsing_share(t);
        return t;
    }
    invar_trainer_free(t);
    return NULL;
}

struct invar_trainer *invar_trainer_create(const struct invar_recipe *recipe, struct invar_dataset *dataset,
                                           struct invar_device *device, const struct invar_trainer_options *options,
                                           struct invar_error *err)
{
    const struct invar_given given = {.recipe = recipe,
                                      .dataset = dataset,
                                      .info = invar_dataset_info(dataset),
                                      .device = device,
                                      .options = *options};

    return create(&given, err);
}

struct invar_trainer *trainer_create_fed(const struct invar_recipe *recipe, const struct invar_feed *feed,
                                         struct invar_device *device, const struct invar_trainer_options *options,
                                         struct invar_error *err)
{
    const struct invar_given given = {
        .recipe = recipe, .info = &feed->info, .feed = feed, .device = device, .options = *options};

    return create(&given, err);
}

/* Whoever borrows goes before what it borrows: the perturbation has the generator's plan, evaluators have scratch of
 * the device; the dataset and the device are the caller's and still there. */
void invar_trainer_free(struct invar_trainer *t)
{
    if (!t)
        return;
    adversary_free(&t->adversary);
    classifier_free(&t->classifier);
    chain_free(&t->chain);
    batch_free(&t->batch);
    invar_evaluator_free(t->evaluator);
    invar_scratch_free(t->reported.scratch);
    invar_scratch_free(t->kept);
    invar_head_free(t->head);
    invar_free(t->values);
    folder_free(&t->folder);
    invar_free(t);
}

const struct invar_chain_net *trainer_net(const struct invar_trainer *t, int which)
{
    return which == INVAR_NET_GENERATOR    ? &t->adversary.net
           : which == INVAR_NET_CLASSIFIER ? &t->classifier.net
                                           : &t->chain.nets[which];
}

const struct invar_weights *trainer_kept(const struct invar_trainer *t, int which)
{
    const struct invar_chain_net *n = trainer_net(t, which);

    return t->given.recipe->target.keep && n->target_weights ? n->target_weights : n->weights;
}

int64_t invar_trainer_steps_done(const struct invar_trainer *t)
{
    return t->clock.step;
}

int64_t invar_trainer_steps_total(const struct invar_trainer *t)
{
    return t->clock.total;
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

/* So many forward passes of a sample. A multiplication and an addition each; passes as the chain makes them: forward
 * 1, backward 2 (by input and by weights). */
static void describe_operations(const struct invar_net *net, double passes, struct invar_trainer_plan *out)
{
    out->operations_per_step += 2 * passes * (double)invar_net_operations(net);
    out->winograd_operations_per_step += 2 * passes * (double)invar_net_winograd_operations(net);
}

static void describe_local(const struct invar_trainer *t, struct invar_trainer_plan *out)
{
    const struct invar_chain_local *local = &t->chain.local;

    if (!local->plan)
        return;
    describe_operations(local->net, 3 * (double)(t->batch.rows - t->batch.global_rows), out);
    out->weight_bytes += (size_t)(local->net->trained_count + local->net->statistic_count) * sizeof(float);
    out->workspace_bytes += (size_t)(t->batch.rows * t->chain.nets[INVAR_NET_ENCODER].width) * sizeof(float);
    describe_plan(local->plan, out);
}

/* On a planning device every number here comes from shapes, so that a dry run can describe what would not fit. */
bool invar_trainer_describe(const struct invar_trainer *t, struct invar_trainer_plan *out, struct invar_error *err)
{
    *out = (struct invar_trainer_plan){.input_bytes = 2 * (size_t)t->batch.input_size * sizeof(float)};
    for (int i = 0; i < INVAR_NET_ALL; i++) {
        const struct invar_chain_net *n = trainer_net(t, i);
        if (!n->net)
            continue;
        const int64_t rows = i == INVAR_NET_ENCODER || i == INVAR_NET_CLASSIFIER ? t->batch.global_rows
                             : i == INVAR_NET_GENERATOR ? t->batch.size * t->given.recipe->adversary.views.count
                                                        : t->batch.rows;
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
            describe_operations(n->net, (double)t->batch.global_rows, out);
            describe_weights(n->target_weights, out);
            describe_plan(n->target_plan, out);
        }
    }
    if (t->adversary.perturbation)
        out->input_bytes += invar_perturbation_bytes(t->adversary.perturbation);
    if (invar_objective_roles(t->given.recipe->objective) & INVAR_ROLE_BIT(INVAR_ROLE_X))
        out->input_bytes += 2 * (size_t)(t->batch.all * t->batch.global_size) * sizeof(float);
    if (invar_objective_roles(t->given.recipe->objective) & INVAR_ROLE_BIT(INVAR_ROLE_M))
        out->input_bytes += 2 * (size_t)(t->batch.rows * t->batch.global_size) * sizeof(float);
    describe_local(t, out);
    return invar_objective_workspace(t->given.recipe->objective, &t->chain.embeddings, &out->term_bytes, err);
}

/* ---- where the time went ---- */

/* The encoder by kind of work, global and local views together: both plans have the same kinds in the same order.
 * Where views are local the encoder has two plans, and which of them took the time is no question anybody asks. */
static int profile_encoder(const struct invar_trainer *t, struct invar_profile_entry *entries, int capacity)
{
    struct invar_profile_entry local[32];
    int count = invar_plan_profile(t->chain.nets[INVAR_NET_ENCODER].plan, entries, capacity);
    int more = t->chain.local.plan ? invar_plan_profile(t->chain.local.plan, local, count < 32 ? count : 32) : 0;

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

    if (!t->given.options.profile)
        return 0;
    for (int w = 0; w < INVAR_WORK_COUNT; w++) {
        known += t->times.seconds[w];
        if (w == INVAR_WORK_ENCODER)
            count += profile_encoder(t, entries + count, capacity - count);
        else if (t->times.seconds[w] > 0 && count < capacity)
            entries[count++] = (struct invar_profile_entry){names[w], t->times.seconds[w], t->times.calls};
    }
    if (count < capacity)
        entries[count++] = (struct invar_profile_entry){"other", t->times.total - known, t->times.calls};
    return count;
}
