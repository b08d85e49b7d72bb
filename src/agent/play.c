/* SPDX-License-Identifier: Apache-2.0 */
/* Whole episodes with the network of a run, as they are reported: rewards as the environment gives them. */
#include "agent/agent.h"

#include "base/threads.h"
#include "invar/expert/file.h"
#include "invar/expert/random.h"
#include "invar/memory.h"

#include <string.h>

/* Episodes of play are none that were trained in. */
#define PLAY_COPY (1u << 20)

struct player {
    struct invar_agent_recipe *recipe;
    struct invar_env *env;
    struct network network;
    struct invar_net *second_net;
    struct invar_weights *second;
    struct pass pass;
    float *input, *device_input, *extra, *state, *q;
    int64_t step;    /* of all episodes: where draws come from */
    int64_t trained; /* steps; -1: not known */
};

/* The first of the actions does nothing where it says so. */
static bool check_no_ops(const struct player *p, const struct invar_agent_play *play, struct invar_error *err)
{
    const struct invar_env_info *info = invar_env_info(p->env);

    return play->no_ops == 0 || strcmp(info->names[0], "NOOP") == 0 ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "no-ops: %s has no first action NOOP, as games of Atari have: its first is %s; play with 0",
                           info->id, info->names[0]);
}

static bool make_network(struct player *p, struct invar_device *device, struct invar_error *err)
{
    const struct invar_agent_recipe *r = p->recipe;
    struct network *n = &p->network;

    if (!network_create(n, r, invar_env_info(p->env), device, err))
        return false;
    if (r->auxiliary.encoder == AGENT_AUXILIARY_SECOND) {
        p->second_net = r->network.encoder->build(r->network.encoder_options, n->input, err);
        p->second = p->second_net ? invar_weights_create(device, p->second_net, false, err) : NULL;
        if (!p->second)
            return false;
    }
    if (!network_complete(n, r, p->second, err) || !pass_create(&p->pass, n, PASS_READS, 1, 1, err))
        return false;
    p->input = invar_alloc((size_t)n->numbers, sizeof *p->input, err);
    p->device_input = invar_device_alloc(device, (size_t)n->numbers, sizeof *p->device_input, err);
    p->extra = invar_alloc((size_t)n->extra + 1, sizeof *p->extra, err);
    p->state = invar_alloc((size_t)n->state + 1, sizeof *p->state, err);
    p->q = invar_alloc((size_t)n->actions, sizeof *p->q, err);
    return p->input && p->device_input && p->extra && p->state && p->q;
}

static void player_free(struct player *p)
{
    pass_free(&p->pass);
    network_free(&p->network);
    invar_weights_free(p->second);
    invar_net_free(p->second_net);
    invar_free(p->input);
    if (p->network.device)
        invar_device_free(p->network.device, p->device_input);
    invar_free(p->extra);
    invar_free(p->state);
    invar_free(p->q);
    invar_env_free(p->env);
    invar_agent_recipe_free(p->recipe);
}

/* The end of the run, or the newest checkpoint of one that goes on, be it after an end. */
static bool read_weights(struct player *p, const char *folder, struct invar_error *err)
{
    struct invar_safetensors *file = NULL;
    char path[INVAR_PATH_SIZE], name[64];
    bool ended = false, ok = false;
    int64_t newest = -1;

    p->trained = -1;
    if (!invar_path_join(path, sizeof path, folder, "agent.safetensors", err) || !invar_path_find(path, &ended, err) ||
        (ended && !invar_safetensors_read(&file, path, err)) || !folder_newest(folder, INT64_MAX, &newest, err))
        goto done;
    if (ended)
        p->trained = agent_steps_of(file);
    else if (newest < 0) {
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: has no agent.safetensors and no checkpoint to play with", folder);
        goto done;
    }
    if (newest > p->trained) {
        p->trained = newest;
        checkpoint_name(name, sizeof name, newest);
        invar_safetensors_free(file);
        file = NULL;
        if (!invar_path_join(path, sizeof path, folder, name, err) || !invar_safetensors_read(&file, path, err))
            goto done;
    }
    ok = agent_read_weights(&p->network, file, path, err);
done:
    invar_safetensors_free(file);
    return ok;
}

/* The action, and what the network carries on. */
static bool choose(struct player *p, const struct invar_agent_play *play, const struct invar_env_step *now,
                   struct actor *actor, struct invar_error *err)
{
    const struct network *n = &p->network;

    network_read(n, now->observation, 1, p->input);
    network_extra(n, actor->action, actor->reward, p->extra);
    invar_device_upload(n->device, p->device_input, p->input, (size_t)n->numbers * sizeof(float));
    if (!pass_run(&p->pass, p->device_input, p->extra, p->state, p->q, err) ||
        !agent_check_values(p->q, n->actions, err))
        return false;
    actor->action =
        agent_choose(p->q, n->actions, play->epsilon, (uint64_t)play->seed, (uint64_t)p->step++, PLAY_COPY & 0xff);
    return true;
}

static double clipped(double reward, double limit)
{
    return limit > 0 && reward > limit ? limit : limit > 0 && reward < -limit ? -limit : reward;
}

/* As training begins what is learned as an episode: after a lost life too, where that ends one. */
static void forget(struct player *p, struct actor *actor)
{
    for (int64_t i = 0; i < p->network.state; i++)
        p->state[i] = 0;
    actor->action = -1;
    actor->reward = 0;
}

static bool episode(struct player *p, const struct invar_agent_play *play, int64_t number, struct invar_error *err)
{
    struct invar_random random = invar_random_stream((uint64_t)play->seed, INVAR_RANDOM_ACTION, 1, (uint64_t)number, 0);
    const int64_t no_ops = play->no_ops > 0 ? invar_random_below(&random, (uint32_t)play->no_ops + 1) : 0;
    struct actor actor = {0};

    forget(p, &actor);
    if (!invar_env_reset(p->env, (uint64_t)play->seed, PLAY_COPY, (uint64_t)number, &actor.now, err))
        return false;
    while (!actor.now.terminated && !actor.now.truncated) {
        if (number == 0 && play->watch && !play->watch(play->user, p->env, err))
            return false;
        if (!choose(p, play, &actor.now, &actor, err))
            return false;
        actor.action = actor.length < no_ops ? 0 : actor.action;
        const int lives = actor.now.lives;
        if (!invar_env_step(p->env, actor.action, &actor.now, err))
            return false;
        actor.reward = clipped(actor.now.reward, p->recipe->agent.clip_reward);
        actor.episode_return += actor.now.reward;
        actor.length++;
        if (p->recipe->agent.life_ends && actor.now.lives < lives)
            forget(p, &actor);
    }
    play->returns[number] = actor.episode_return;
    if (play->lengths)
        play->lengths[number] = actor.length;
    return true;
}

/* The agent is played as it was trained; where, may be changed. */
static bool check_overrides(const char *const *overrides, int count, struct invar_error *err)
{
    for (int i = 0; i < count; i++)
        if (strncmp(overrides[i], "env.", 4) != 0)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: an agent plays as it was trained, and options of its environment alone may "
                                   "differ: write env.KEY=VALUE, or leave it out",
                                   overrides[i]);
    return true;
}

bool invar_agent_play(const char *folder, const char *const *overrides, int count, struct invar_device *device,
                      const struct invar_agent_play *play, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    struct player p = {0};
    bool ok;

    if (!check_overrides(overrides, count, err))
        return false;
    p.recipe = invar_agent_run_recipe(folder, overrides, count, err);
    p.env = p.recipe ? invar_env_create(p.recipe->env_id, p.recipe->env, err) : NULL;
    ok = p.env && check_no_ops(&p, play, err) && make_network(&p, device, err) && read_weights(&p, folder, err);
    for (int64_t i = 0; ok && i < play->episodes; i++)
        ok = episode(&p, play, i, err);
    ok = ok && (!play->finished || play->finished(play->user, invar_env_info(p.env), p.trained, err));
    player_free(&p);
    return ok;
}
