/* SPDX-License-Identifier: Apache-2.0 */
/* An agent: what it is made of, its loop, and what it takes. */
#include "agent/agent.h"

#include "base/threads.h"
#include "invar/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- making ---- */

static int64_t updates_in(const struct invar_agent_recipe *r, int64_t steps)
{
    const struct agent_options *o = &r->agent;
    const int64_t first = (o->start + o->interval - 1) / o->interval;

    return steps / o->interval < first ? 0 : (steps / o->interval - first + 1) * o->updates;
}

/* For planning one environment is enough: it says what all are. */
static bool make_actors(struct invar_agent *a, struct invar_error *err)
{
    const struct invar_agent_recipe *r = a->recipe;
    const int64_t made = invar_device_is_planning(a->device) ? 1 : r->agent.copies;

    a->actors = invar_alloc((size_t)r->agent.copies, sizeof *a->actors, err);
    for (int64_t i = 0; a->actors && i < made; i++) {
        a->actors[i].env = invar_env_create(r->env_id, r->env, err);
        if (!a->actors[i].env)
            return false;
    }
    return a->actors != NULL;
}

static const struct invar_env_info *info_of(const struct invar_agent *a)
{
    return invar_env_info(a->actors[0].env);
}

static void set_replay(struct invar_agent *a)
{
    const struct invar_agent_recipe *r = a->recipe;
    const struct invar_env_info *info = info_of(a);

    a->replay_options = (struct replay_options){.memory = (int64_t)(r->replay.memory * 1048576),
                                                .steps = r->replay.steps,
                                                .lanes = (int)r->agent.copies,
                                                .frame_size = info->frame_size,
                                                .stack = info->stack,
                                                .state = 2 * r->agent.recurrent,
                                                .sequence = r->replay.sequence,
                                                .burn_in = r->replay.burn_in,
                                                .period = r->replay.sequence - r->replay.overlap,
                                                .n = r->agent.n,
                                                .discount = r->agent.discount,
                                                .clip = r->agent.clip_reward,
                                                .exponent = r->replay.exponent};
}

static bool make_room(struct invar_agent *a, struct invar_error *err)
{
    const struct network *n = &a->learner.network;
    const size_t copies = (size_t)a->recipe->agent.copies;

    a->input = invar_alloc(copies * (size_t)n->numbers, sizeof *a->input, err);
    a->device_input = invar_device_alloc(a->device, copies * (size_t)n->numbers, sizeof *a->device_input, err);
    a->extra = invar_alloc(copies * (size_t)(n->extra + 1), sizeof *a->extra, err);
    a->state = invar_alloc(copies * (size_t)(n->state + 1), sizeof *a->state, err);
    a->q = invar_alloc(copies * (size_t)n->actions, sizeof *a->q, err);
    return a->input && a->device_input && a->extra && a->state && a->q;
}

/* The Q-network's encoder comes before the auxiliary objective, which may share it, and its core after, which may read
 * the other encoder. */
static bool make_learner(struct invar_agent *a, struct invar_error *err)
{
    const struct invar_agent_recipe *r = a->recipe;
    struct network *n = &a->learner.network;
    const int64_t updates = updates_in(r, r->training.steps);

    return network_create(n, r, info_of(a), a->device, err) &&
           auxiliary_create(&a->auxiliary, r, info_of(a), &a->replay, a->device, n->encoder.weights,
                            updates / r->auxiliary.interval, err) &&
           network_complete(n, r, auxiliary_encoder(&a->auxiliary, r), err) &&
           learner_create(&a->learner, r, &a->replay_options, info_of(a), err) &&
           pass_create(&a->act, n, PASS_READS, 1, r->agent.copies, err) && make_room(a, err);
}

static void warn_of_no_update(const struct invar_agent *a)
{
    const struct invar_agent_recipe *r = a->recipe;

    if (updates_in(r, r->training.steps) == 0)
        invar_log(INVAR_LOG_WARNING,
                  "the run ends before its first update: training.steps is %lld, and the first is made at step %lld "
                  "(agent.start): nothing is learned",
                  (long long)r->training.steps,
                  (long long)((r->agent.start + r->agent.interval - 1) / r->agent.interval * r->agent.interval));
}

/* A finished run has its end in agent.safetensors. Without a checkpoint that is all there is of it: it cannot be made
 * longer, and is not begun anew. */
static bool find_end(struct invar_agent *a, bool found, struct invar_error *err)
{
    const int64_t total = agent_recipe_steps(a->recipe);
    struct invar_safetensors *file = NULL;
    char path[INVAR_PATH_SIZE];
    bool there, ok;

    if (!folder_path(&a->folder, "agent.safetensors", path, err) || !invar_path_find(path, &there, err))
        return false;
    if (there && !found) {
        ok = invar_safetensors_read(&file, path, err) && agent_read_weights(&a->learner.network, file, path, err);
        const int64_t trained = ok ? agent_steps_of(file) : -1;
        invar_safetensors_free(file);
        if (!ok)
            return false;
        if (trained != total)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: has no whole checkpoint, so its length cannot be changed: set training.steps "
                                   "to the %lld that agent.safetensors has had, or give another run",
                                   a->folder.path, (long long)trained);
        a->step = total;
    }
    a->folder.finished = there && a->step >= total;
    return true;
}

/* A replay is not made for planning alone: what it may take stands in the recipe. */
static bool begin(struct invar_agent *a, bool resuming, struct invar_error *err)
{
    bool found = false;

    if (invar_device_is_planning(a->device))
        return true;
    warn_of_no_update(a);
    if (info_of(a)->note)
        invar_log(INVAR_LOG_INFO, "%s: observations are %s", info_of(a)->id, info_of(a)->note);
    if (!replay_create(&a->replay, &a->replay_options, err) ||
        (resuming && (!agent_resume(a, &found, err) || !find_end(a, found, err))))
        return false;
    if (resuming)
        invar_log(INVAR_LOG_INFO,
                  a->folder.finished ? "%s: the run is finished" : "%s: goes on after step %lld of %lld",
                  a->folder.path, (long long)a->step, (long long)agent_recipe_steps(a->recipe));
    found |= a->folder.finished;
    if (a->step < a->recipe->training.steps && !machines_join(&a->folder, err))
        return false;
    if (!found && !network_initialise(&a->learner.network, (uint64_t)a->recipe->training.seed, err))
        return false;
    if (!found)
        network_follow(&a->learner.network);
    for (int i = 0; !found && i < (int)a->recipe->agent.copies; i++)
        if (!actor_begin(a, i, err))
            return false;
    return !a->folder.path || folder_begin(&a->folder, err);
}

struct invar_agent *invar_agent_create(const struct invar_agent_recipe *recipe, struct invar_device *device,
                                       const struct invar_trainer_options *options, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    struct invar_agent *a = invar_alloc(1, sizeof *a, err);
    bool resuming = false;

    if (!a)
        return NULL;
    a->recipe = recipe;
    a->device = device;
    a->options = *options;
    a->folder = (struct invar_folder){.recipes = &agent_recipes,
                                      .lock = -1,
                                      .saved = -1,
                                      .resume = options->resume,
                                      .device = device,
                                      .precision = INVAR_PRECISION_FLOAT32};
    a->window_step = -1;
    if ((options->folder && !(a->folder.path = invar_strdup(options->folder, err))) || !make_actors(a, err) ||
        !agent_recipe_write(recipe, info_of(a)->settings, &a->folder.recipe, err) ||
        (a->folder.path && !folder_check(&a->folder, &resuming, err)))
        goto fail;
    set_replay(a);
    if (make_learner(a, err) && begin(a, resuming, err))
        return a;
fail:
    invar_agent_free(a);
    return NULL;
}

void invar_agent_free(struct invar_agent *a)
{
    if (!a)
        return;
    pass_free(&a->act);
    auxiliary_free(&a->auxiliary);
    learner_free(&a->learner);
    replay_free(&a->replay);
    for (int64_t i = 0; a->actors && i < a->recipe->agent.copies; i++)
        invar_env_free(a->actors[i].env);
    invar_free(a->actors);
    invar_free(a->input);
    invar_device_free(a->device, a->device_input);
    invar_free(a->extra);
    invar_free(a->state);
    invar_free(a->q);
    folder_free(&a->folder);
    invar_free(a);
}

int64_t invar_agent_steps_done(const struct invar_agent *a)
{
    return a->step;
}

int64_t invar_agent_steps_total(const struct invar_agent *a)
{
    return agent_recipe_steps(a->recipe);
}

/* ---- the loop ---- */

static double mean(const double *values, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static void put(struct invar_record *record, const char *name, double value)
{
    if (record->count < INVAR_MAX_METRICS)
        record->metric[record->count++] = (struct invar_metric){name, value};
}

static void collect(struct invar_agent *a, struct invar_record *record)
{
    static const struct {
        const char *own, *ours;
    } auxiliary[] = {{"loss", "auxiliary/loss"},
                     {"embedding_std", "auxiliary/embedding_std"},
                     {"effective_rank", "auxiliary/effective_rank"}};
    const int64_t recent = a->episodes < AGENT_RECENT ? a->episodes : AGENT_RECENT;

    if (recent > 0) {
        put(record, "charts/episodic_return", mean(a->returns, recent));
        put(record, "charts/episodic_length", mean(a->lengths, recent));
    }
    put(record, "charts/epsilon", a->epsilon);
    if (a->learner.updates > 0 && !isnan(a->learner.norm)) {
        put(record, "losses/td_loss", a->learner.loss);
        put(record, "losses/q_values", a->learner.value);
        put(record, "losses/gradient_norm", a->learner.norm);
    }
    for (int i = 0; i < a->auxiliary.record.count; i++)
        for (size_t k = 0; k < sizeof auxiliary / sizeof *auxiliary; k++)
            if (strcmp(a->auxiliary.record.metric[i].name, auxiliary[k].own) == 0)
                put(record, auxiliary[k].ours, a->auxiliary.record.metric[i].value);
}

/* Whether a multiple of `interval` lies in the step just made, which is one of every environment. */
static bool is_due(const struct invar_agent *a, int64_t interval)
{
    return a->step / interval > (a->step - a->recipe->agent.copies) / interval;
}

static bool report(struct invar_agent *a, struct invar_error *err)
{
    const int64_t total = agent_recipe_steps(a->recipe);
    const bool logs = is_due(a, a->recipe->training.log_interval) || a->step >= total;
    const double now = times_now();
    struct invar_record record = {.step = a->step, .total_steps = total};

    if (!a->options.report || !(logs || is_due(a, 100) || now - a->window_start >= 0.5))
        return true;
    if (a->window_step >= 0 && now > a->window_start)
        record.samples_per_s = (double)(a->step - a->window_step) / (now - a->window_start);
    record.remaining_s = record.samples_per_s > 0 ? (double)(total - a->step) / record.samples_per_s : 0;
    a->window_start = now;
    a->window_step = a->step;
    if (logs)
        collect(a, &record);
    return a->options.report(a->options.user, &record, err);
}

static bool learn(struct invar_agent *a, struct invar_error *err)
{
    double since = times_now();

    for (int64_t i = 0; i < a->recipe->agent.updates; i++) {
        if (!learner_update(&a->learner, &a->replay, err))
            return false;
        times_add(&a->seconds[AGENT_LEARN], &since);
        if (a->auxiliary.trainer && a->learner.updates % a->recipe->auxiliary.interval == 0 &&
            invar_trainer_steps_done(a->auxiliary.trainer) < invar_trainer_steps_total(a->auxiliary.trainer) &&
            !auxiliary_update(&a->auxiliary, err))
            return false;
        times_add(&a->seconds[AGENT_AUXILIARY], &since);
    }
    return true;
}

static bool step(struct invar_agent *a, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(a->device));
    const double begun = times_now();

    if (!agent_act(a, err))
        return false;
    if (a->step >= a->recipe->agent.start && a->step % a->recipe->agent.interval == 0 && replay_has_any(&a->replay) &&
        !learn(a, err))
        return false;
    a->total += times_now() - begun;
    a->calls++;
    return true;
}

static bool interrupted(struct invar_agent *a, struct invar_error *err)
{
    if (!a->folder.path)
        return invar_error_set(err, INVAR_ERROR_INTERRUPTED, "interrupted after step %lld of %lld; nothing was saved",
                               (long long)a->step, (long long)agent_recipe_steps(a->recipe));
    return agent_save(a, err) &&
           invar_error_set(err, INVAR_ERROR_INTERRUPTED,
                           "interrupted after step %lld of %lld; saved in %s: resume goes on", (long long)a->step,
                           (long long)agent_recipe_steps(a->recipe), a->folder.path);
}

bool invar_agent_run(struct invar_agent *a, struct invar_error *err)
{
    const struct agent_training_options *o = &a->recipe->training;

    while (a->step < o->steps) {
        struct invar_error why = {0};
        if (!step(a, err))
            return false;
        if (!report(a, &why) && (why.code != INVAR_ERROR_INTERRUPTED || a->step < o->steps))
            return why.code == INVAR_ERROR_INTERRUPTED ? interrupted(a, err)
                                                       : invar_error_set(err, why.code, "%s", why.message);
        if (a->folder.path && (a->step >= o->steps || is_due(a, o->checkpoint_interval)) && !agent_save(a, err))
            return false;
    }
    return a->folder.finished || (agent_check(a, err) && (!a->folder.path || agent_finish(a, err)));
}

/* ---- what it takes ---- */

int invar_agent_profile(const struct invar_agent *a, struct invar_profile_entry *entries, int capacity)
{
    static const char *const names[AGENT_WORK_COUNT] = {"act", "environment", "replay", "learn", "auxiliary"};
    double known = 0;
    int count = 0;

    for (int w = 0; w < AGENT_WORK_COUNT; w++) {
        known += a->seconds[w];
        if (count < capacity)
            entries[count++] = (struct invar_profile_entry){names[w], a->seconds[w], a->calls};
    }
    if (count < capacity)
        entries[count++] = (struct invar_profile_entry){"other", a->total - known, a->calls};
    return count;
}

static size_t plan_bytes(const struct pass *p)
{
    const struct invar_plan *const plans[] = {p->encoder, p->second, p->core};
    size_t bytes = 0;

    for (int i = 0; i < 3; i++) {
        struct invar_plan_memory memory = {0};
        if (plans[i])
            invar_plan_memory(plans[i], &memory);
        bytes += memory.workspace + memory.weights;
    }
    return bytes;
}

/* Observations that an update passes forward, for gradients among them or not. */
static double update_rows(const struct invar_agent *a)
{
    const struct agent_augmentation_options *views = &a->recipe->augmentation;
    const struct learner *l = &a->learner;
    const int64_t target = l->target_burn.steps + l->target_learn.steps + l->target_tail.steps, burn = l->burn.steps,
                  learn = l->learn.steps, tail = l->tail.steps;
    const int64_t steps = views->learned == 0
                              ? target + burn + learn + tail
                              : views->valued * (target + burn + (l->network.state > 0 ? learn : 0) + tail) +
                                    views->learned * (burn + learn);

    return (double)(steps * l->batch.rows);
}

bool invar_agent_describe(const struct invar_agent *a, struct invar_agent_plan *out, struct invar_error *err)
{
    const struct invar_agent_recipe *r = a->recipe;
    const struct learner *l = &a->learner;
    const struct network *n = &l->network;
    const struct pass *const passes[] = {&a->act,         &l->burn,         &l->learn,      &l->tail,
                                         &l->target_burn, &l->target_learn, &l->target_tail};
    const double own = 2 * (double)(invar_net_operations(n->encoder.net) + invar_net_operations(n->core.net)),
                 second = n->second ? 2 * (double)invar_net_operations(n->second->net) : 0;
    const int64_t views = r->augmentation.learned > 0 ? r->augmentation.learned : 1;

    *out = (struct invar_agent_plan){.steps = r->training.steps, .updates = updates_in(r, r->training.steps)};
    out->auxiliary_updates = a->auxiliary.trainer ? out->updates / r->auxiliary.interval : 0;
    out->parameters = n->encoder.net->trained_count + n->core.net->trained_count;
    out->replay_bytes = (size_t)a->replay_options.memory;
    out->environment_bytes = (size_t)(r->agent.copies * info_of(a)->memory);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        out->plan_bytes += plan_bytes(passes[i]);
    out->plan_bytes += (size_t)out->parameters * (3 + (size_t)r->network.optimiser->buffers) * sizeof(float) +
                       2 * (size_t)(l->batch.steps * l->batch.rows * n->numbers) * sizeof(float);
    out->act_operations = own + second;
    out->learn_operations =
        (own + second) * update_rows(a) + 2 * own * (double)(views * l->learn.steps * l->learn.rows);
    if (a->auxiliary.trainer) {
        struct invar_trainer_plan plan;
        if (!invar_trainer_describe(a->auxiliary.trainer, &plan, err))
            return false;
        out->auxiliary_operations = plan.operations_per_step;
        out->plan_bytes +=
            plan.workspace_bytes + plan.weight_bytes + plan.state_bytes + plan.input_bytes + plan.term_bytes;
    }
    return true;
}
