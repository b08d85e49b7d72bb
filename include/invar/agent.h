/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_AGENT_H
#define INVAR_AGENT_H

#include "invar/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Agents that learn the values of actions from what they see (DQN, and R2D2 where there is an LSTM), with an objective
 * on views of what they saw beside it.
 */

struct invar_env;
struct invar_env_info;
/** A recipe of an agent, fully resolved and checked. */
struct invar_agent_recipe;
/** A name that invar_agent_recipe_names lists, or a YAML file, with overrides ("agent.n=3"). */
struct invar_agent_recipe *invar_agent_recipe_load(const char *name_or_path, const char *const *overrides, int count,
                                                   struct invar_error *err);
/** That of a run folder. */
struct invar_agent_recipe *invar_agent_run_recipe(const char *folder, const char *const *overrides, int count,
                                                  struct invar_error *err);
/** NULL is accepted. */
void invar_agent_recipe_free(struct invar_agent_recipe *recipe);
const char *invar_agent_recipe_name(const struct invar_agent_recipe *recipe);
/** Those that ship; NULL-ended. */
const struct invar_recipe_name *invar_agent_recipe_names(void);
/** Every option of the sections that agents alone have, as invar_recipe_schema has those of all others. */
bool invar_agent_recipe_schema(struct invar_text *out, struct invar_error *err);

struct invar_agent;
/**
 * Borrows recipe and device. options: folder, resume, report, before_checkpoint, user and profile are read; a step is
 * one of an environment, and report is called where one is logged, at every hundredth step, and at every one that is
 * half a second behind the last. Metrics have the names that others use: charts/episodic_return (mean of the last 100
 * episodes, rewards as the environment gives them), charts/episodic_length, charts/epsilon, losses/td_loss,
 * losses/q_values, auxiliary/...
 */
struct invar_agent *invar_agent_create(const struct invar_agent_recipe *recipe, struct invar_device *device,
                                       const struct invar_trainer_options *options, struct invar_error *err);
/** NULL is accepted. */
void invar_agent_free(struct invar_agent *agent);
/** All remaining steps, with checkpoints, and at the end agent.safetensors, which makes the run a finished one. */
bool invar_agent_run(struct invar_agent *agent, struct invar_error *err);
int64_t invar_agent_steps_done(const struct invar_agent *agent);
int64_t invar_agent_steps_total(const struct invar_agent *agent);
/** Seconds by kind of work (act, environment, replay, learn, auxiliary, other). */
int invar_agent_profile(const struct invar_agent *agent, struct invar_profile_entry *entries, int capacity);

/** What a run takes. */
struct invar_agent_plan {
    int64_t steps, updates, auxiliary_updates;                     /**< of the whole run */
    int64_t parameters;                                            /**< of the Q-network */
    double act_operations, learn_operations, auxiliary_operations; /**< floating-point, of a step, of an update */
    size_t replay_bytes, plan_bytes; /**< at most; of nets, plans and what is drawn, about */
    size_t environment_bytes;        /**< of the processes of all environments as they begin, beside what they share */
};
bool invar_agent_describe(const struct invar_agent *agent, struct invar_agent_plan *out, struct invar_error *err);

/** Whole episodes with the network of a run (agent.safetensors, or its newest checkpoint), one after the other. */
struct invar_agent_play {
    int64_t episodes, seed;
    double epsilon;   /**< share of random actions */
    int64_t no_ops;   /**< up to so many first actions (number 0, which must be called NOOP) as drawn; 0: none */
    double *returns;  /**< [episodes] of rewards as the environment gives them */
    int64_t *lengths; /**< [episodes] steps; may be NULL */
    /** What is seen, before each action of the first episode; may be NULL. False, with err, ends it. */
    bool (*watch)(void *user, struct invar_env *env, struct invar_error *err);
    /** After the last episode, while info is still there; steps: of training, -1: not known. May be NULL */
    bool (*finished)(void *user, const struct invar_env_info *info, int64_t steps, struct invar_error *err);
    void *user;
};
/** overrides: options of the environment alone ("env.style=test"); others are refused. */
bool invar_agent_play(const char *folder, const char *const *overrides, int count, struct invar_device *device,
                      const struct invar_agent_play *play, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
