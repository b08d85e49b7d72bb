/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_AGENT_H
#define INVAR_SRC_AGENT_AGENT_H

#include "agent/auxiliary.h"
#include "agent/learner.h"
#include "train/folder.h"

/*
 * The loop of an agent, one thread: every environment makes a step, then, where it is time, the Q-network and the
 * auxiliary objective learn. Whatever is random is a function of the seed and of the number of the step, update or
 * episode, so that the state of a run is its weights, its replay, its environments and these numbers.
 */

#define AGENT_RECENT 100 /* episodes that returns are averaged over */

/** One environment, and the episode in it. */
struct actor {
    struct invar_env *env;
    struct invar_env_step now;
    int64_t episode, length; /* number of the episode; steps so far */
    double episode_return;
    int32_t action; /* before, -1: none */
    double reward;
};

enum agent_work { AGENT_ACT, AGENT_ENVIRONMENT, AGENT_REPLAY, AGENT_LEARN, AGENT_AUXILIARY, AGENT_WORK_COUNT };

struct invar_agent {
    const struct invar_agent_recipe *recipe;
    struct invar_device *device;
    struct invar_trainer_options options;
    struct actor *actors; /* [copies] */
    struct replay replay;
    struct replay_options replay_options;
    struct learner learner;
    struct auxiliary auxiliary;
    struct pass act;
    float *input, *device_input, *extra, *state, *q; /* of all environments */
    int64_t step;                                    /* of all environments together */
    int64_t episodes;                                /* ended */
    double returns[AGENT_RECENT], lengths[AGENT_RECENT];
    double epsilon; /* of the last step */
    double seconds[AGENT_WORK_COUNT], total, window_start;
    int64_t calls, window_step;
    struct invar_folder folder;
};

/** Restores what a checkpoint has, newest first; *found false where there is none. (checkpoint.c) */
bool agent_resume(struct invar_agent *agent, bool *found, struct invar_error *err);
bool agent_save(struct invar_agent *agent, struct invar_error *err);
/** agent.safetensors: what play needs. */
bool agent_finish(struct invar_agent *agent, struct invar_error *err);
/** Steps of the run that ended with what a file has, by the recipe in it; -1: not known. */
int64_t agent_steps_of(const struct invar_safetensors *file);
/** Weights of the networks that act, from a file of either kind. */
bool agent_read_weights(const struct network *network, const struct invar_safetensors *file, const char *path,
                        struct invar_error *err);

/** Begins the next episode of an environment. (act.c) */
bool actor_begin(struct invar_agent *agent, int copy, struct invar_error *err);
/** A step of every environment. */
bool agent_act(struct invar_agent *agent, struct invar_error *err);
/** An error where the network gives no finite values of what is seen now: before it is written as the end of a run. */
bool agent_check(struct invar_agent *agent, struct invar_error *err);
/** The same of values that are there. */
bool agent_check_values(const float *q, int64_t count, struct invar_error *err);
/** The best action, or with chance epsilon any, by draws of its own. */
int agent_choose(const float *q, int64_t actions, double epsilon, uint64_t seed, uint64_t step, uint32_t copy);

#endif
