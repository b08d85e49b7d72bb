/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_RECIPE_H
#define INVAR_SRC_AGENT_RECIPE_H

#include "invar/agent.h"
#include "train/recipe.h"

/** Initial weights of the Q-network: those of torch's layers, or Xavier's, uniform, with biases of 0. */
#define AGENT_INITS(CHOICE) CHOICE(AGENT_INIT_TORCH, "torch") CHOICE(AGENT_INIT_XAVIER, "xavier")
enum agent_init { AGENT_INITS(INVAR_CHOICE_CONSTANT) };
/** The `agent:` section: how values are learned, and how actions are tried. */
struct agent_options {
    int64_t hidden, recurrent;
    enum agent_init init;
    bool dueling, twice, rescale, life_ends;
    int64_t n;
    double discount, clip_reward, huber;
    int64_t target_interval;
    struct invar_real_list epsilon;
    int64_t epsilon_start, epsilon_steps;
    double epsilon_spread;
    int64_t copies, start, interval, updates;
};
/** The `replay:` section. */
struct agent_replay_options {
    double memory;
    int64_t steps, sequence, burn_in, overlap;
    double exponent, importance, average;
};
/** The `augmentation:` section, beside its views (DrQ's M and K). */
struct agent_augmentation_options {
    int64_t learned, valued;
};
/** The `training:` section. */
struct agent_training_options {
    int64_t steps, batch, seed;
    double clip;
    int64_t log_interval, checkpoint_interval;
};
/** The encoder that the auxiliary objective trains: none, one beside the Q-network's, whose output the Q-network reads
 * too, or the Q-network's own. */
#define AGENT_AUXILIARIES(CHOICE)                                                                                      \
    CHOICE(AGENT_AUXILIARY_NONE, "none")                                                                               \
    CHOICE(AGENT_AUXILIARY_SECOND, "second") CHOICE(AGENT_AUXILIARY_SHARED, "shared")
enum agent_auxiliary { AGENT_AUXILIARIES(INVAR_CHOICE_CONSTANT) };
/** What the `auxiliary:` section has beside the sections of a recipe of representations. */
struct agent_auxiliary_options {
    enum agent_auxiliary encoder;
    int64_t interval;
};

struct invar_agent_recipe {
    char name[INVAR_TEXT_SIZE];
    struct invar_node *document;
    const struct invar_node *env; /**< its section */
    char env_id[INVAR_TEXT_SIZE];
    struct invar_recipe network; /**< encoder, optimiser, and views that the Q-network learns from, alone */
    struct agent_options agent;
    struct agent_replay_options replay;
    struct agent_augmentation_options augmentation;
    struct agent_training_options training;
    struct agent_auxiliary_options auxiliary;
    struct invar_recipe *objective; /**< of the auxiliary encoder; NULL: none */
};
extern const struct invar_recipe_name agent_recipe_shipped[];
/** A resolved recipe, as agent_recipe_write made it. */
struct invar_agent_recipe *agent_recipe_parse(const char *text, const char *origin, struct invar_error *err);
/** Those that a run makes: training.steps, in whole steps of all copies. */
int64_t agent_recipe_steps(const struct invar_agent_recipe *recipe);
/** The resolved recipe, with the settings of the environment as it resolved them. */
bool agent_recipe_write(const struct invar_agent_recipe *recipe, const char *settings, struct invar_text *out,
                        struct invar_error *err);
/** What the folder of a run knows of them. */
extern const struct folder_recipes agent_recipes;

#endif
