/* SPDX-License-Identifier: Apache-2.0 */
/* Acting: one pass of the Q-network over all environments, one step of each, and what came of it into the replay. */
#include "agent/agent.h"

#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

int agent_choose(const float *q, int64_t actions, double epsilon, uint64_t seed, uint64_t step, uint32_t copy)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_ACTION, 0, step, copy);
    int best = 0;

    if ((double)invar_random_uniform(&random) < epsilon)
        return (int)invar_random_below(&random, (uint32_t)actions);
    for (int a = 1; a < actions; a++)
        best = q[a] > q[best] ? a : best;
    return best;
}

bool agent_check_values(const float *q, int64_t count, struct invar_error *err)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(q[i]))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "the values of actions are not finite: the network has diverged, lower "
                                   "optimiser.lr");
    return true;
}

/* A line from the first share to the last, and for environment i of N its (1 + spread i / (N - 1))-th power. */
static double epsilon_of(struct invar_agent *a, int copy)
{
    const struct agent_options *o = &a->recipe->agent;
    const double done = fmin(fmax((double)(a->step - o->epsilon_start), 0) / (double)o->epsilon_steps, 1),
                 line = o->epsilon.value[0] + done * (o->epsilon.value[1] - o->epsilon.value[0]),
                 place = o->copies > 1 ? (double)copy / (double)(o->copies - 1) : 0;

    a->epsilon = line;
    return pow(line, 1 + o->epsilon_spread * place);
}

static float *state_of(const struct invar_agent *a, int copy)
{
    return a->state + copy * a->learner.network.state;
}

/* For what is learned an episode begins with what is seen now. */
static bool begin_learned(struct invar_agent *a, int copy, struct invar_error *err)
{
    struct actor *actor = &a->actors[copy];

    actor->reward = 0;
    actor->action = -1;
    memset(state_of(a, copy), 0, (size_t)a->learner.network.state * sizeof(float));
    return replay_begin(&a->replay, copy, actor->now.frame, state_of(a, copy), err);
}

bool actor_begin(struct invar_agent *a, int copy, struct invar_error *err)
{
    struct actor *actor = &a->actors[copy];

    if (!invar_env_reset(actor->env, (uint64_t)a->recipe->training.seed, (uint32_t)copy, (uint64_t)actor->episode,
                         &actor->now, err))
        return false;
    actor->length = 0;
    actor->episode_return = 0;
    return begin_learned(a, copy, err);
}

/* The return of an episode counts once it is over, by rewards as the environment gives them. */
static void note_episode(struct invar_agent *a, struct actor *actor)
{
    const int64_t place = a->episodes++ % AGENT_RECENT;

    a->returns[place] = actor->episode_return;
    a->lengths[place] = (double)actor->length;
    actor->episode++;
}

static bool step_one(struct invar_agent *a, int copy, double *since, struct invar_error *err)
{
    const struct network *n = &a->learner.network;
    const struct agent_options *o = &a->recipe->agent;
    struct actor *actor = &a->actors[copy];
    const int lives = actor->now.lives;
    const int action =
        agent_choose(a->q + copy * n->actions, n->actions, epsilon_of(a, copy), (uint64_t)a->recipe->training.seed,
                     (uint64_t)(a->step / o->copies), (uint32_t)copy);

    times_add(&a->seconds[AGENT_ACT], since);
    if (!invar_env_step(actor->env, action, &actor->now, err))
        return false;
    times_add(&a->seconds[AGENT_ENVIRONMENT], since);
    const struct invar_env_step *now = &actor->now;
    const double limit = o->clip_reward;
    actor->episode_return += now->reward;
    actor->length++;
    actor->action = action;
    actor->reward = (double)(float)(limit > 0 ? fmin(fmax((double)(float)now->reward, -limit), limit) : now->reward);
    const bool over = now->terminated || now->truncated, lost = o->life_ends && !over && now->lives < lives;
    if (!replay_add(&a->replay, copy, action, now->reward,
                    now->terminated || lost ? REPLAY_TERMINATED
                    : now->truncated        ? REPLAY_TRUNCATED
                                            : REPLAY_GOES_ON,
                    now->frame, state_of(a, copy), err))
        return false;
    if (over)
        note_episode(a, actor);
    if ((over && !actor_begin(a, copy, err)) || (lost && !begin_learned(a, copy, err)))
        return false;
    times_add(&a->seconds[AGENT_REPLAY], since);
    return true;
}

/* Whether the action will be any, whatever the values are: the first draw of agent_choose. */
static bool explores(struct invar_agent *a, int copy)
{
    struct invar_random random = invar_random_stream((uint64_t)a->recipe->training.seed, INVAR_RANDOM_ACTION, 0,
                                                     (uint64_t)(a->step / a->recipe->agent.copies), (uint32_t)copy);

    return (double)invar_random_uniform(&random) < epsilon_of(a, copy);
}

/* Values of what is seen now. */
static bool see(struct invar_agent *a, struct invar_error *err)
{
    const struct network *n = &a->learner.network;
    const int copies = (int)a->recipe->agent.copies;

    for (int i = 0; i < copies; i++) {
        network_read(n, a->actors[i].now.observation, 1, a->input + i * n->numbers);
        network_extra(n, a->actors[i].action, a->actors[i].reward, a->extra + i * n->extra);
    }
    invar_device_upload(a->device, a->device_input, a->input, (size_t)(copies * n->numbers) * sizeof(float));
    return pass_run(&a->act, a->device_input, a->extra, a->state, a->q, err) &&
           agent_check_values(a->q, copies * n->actions, err);
}

bool agent_check(struct invar_agent *a, struct invar_error *err)
{
    return see(a, err);
}

/* Where no action and no state asks for values, there are none. */
static bool is_asked(struct invar_agent *a)
{
    bool asked = a->learner.network.state > 0;

    for (int i = 0; i < (int)a->recipe->agent.copies && !asked; i++)
        asked = !explores(a, i);
    return asked;
}

bool agent_act(struct invar_agent *a, struct invar_error *err)
{
    const int copies = (int)a->recipe->agent.copies;
    double since = times_now();

    if (is_asked(a) && !see(a, err))
        return false;
    for (int i = 0; i < copies; i++)
        if (!step_one(a, i, &since, err))
            return false;
    a->step += copies;
    return true;
}
