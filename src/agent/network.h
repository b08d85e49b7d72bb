/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_NETWORK_H
#define INVAR_SRC_AGENT_NETWORK_H

#include "agent/recipe.h"
#include "invar/expert/env.h"
#include "train/store.h"

/*
 * The Q-network: an encoder, beside it what another encoder makes of the same frames (auxiliary), then the core: an
 * LSTM where the recipe has one, and the heads. Its parts are nets of the trainer's kind, so that optimisers, target
 * network and checkpoints are those of every training.
 */
struct network {
    struct invar_device *device;
    const struct agent_options *options;
    struct invar_shape input;
    int64_t numbers;     /**< of an observation */
    bool bytes;          /**< observations are 0 to 255 */
    int64_t observation; /**< bytes of one */
    struct invar_chain_net encoder, core;
    struct invar_weights *second;  /**< of the other encoder, borrowed; NULL: there is none */
    int64_t features, width;       /**< of the encoder's output, and of all that the core reads */
    int64_t actions, extra, state; /**< extra: reward and action before, where there is an LSTM */
};

bool network_create(struct network *network, const struct invar_agent_recipe *recipe, const struct invar_env_info *info,
                    struct invar_device *device, struct invar_error *err);
/** The core, once it is known whether there is another encoder (NULL: none). */
bool network_complete(struct network *network, const struct invar_agent_recipe *recipe, struct invar_weights *second,
                      struct invar_error *err);
void network_free(struct network *network);
bool network_initialise(const struct network *network, uint64_t seed, struct invar_error *err);
/** The target network becomes what the network is. */
void network_follow(const struct network *network);

/** The network over so many steps of so many rows. */
struct pass {
    const struct network *network;
    int64_t steps, rows;
    struct invar_plan *encoder, *second, *core;
    float *joined;   /**< device [steps * rows][width]; NULL: the core reads the encoder's output as it is */
    float *extra;    /**< device [steps * rows][extra] */
    float *gradient; /**< device [steps * rows][features], of the encoder's output */
};
enum pass_kind { PASS_LEARNS, PASS_READS, PASS_TARGET };
/** steps 0: nothing is made, and nothing may be run. */
bool pass_create(struct pass *pass, const struct network *network, enum pass_kind kind, int64_t steps, int64_t rows,
                 struct invar_error *err);
void pass_free(struct pass *pass);
/** input: device [steps * rows][numbers]; extra: host [steps * rows][extra]; state: host [rows][state] before, and then
 * after; q: host [steps * rows][actions], NULL: not wanted. */
bool pass_run(struct pass *pass, const float *input, const float *extra, float *state, float *q,
              struct invar_error *err);
/** gradient: device [steps * rows][actions]. */
bool pass_back(struct pass *pass, const float *gradient, struct invar_error *err);
/** Observations as the network reads them, host. */
void network_read(const struct network *network, const unsigned char *observations, int64_t count, float *out);
/** Reward and action before, one hot (-1: none), into extra[network->extra]. */
void network_extra(const struct network *network, int32_t action, double reward, float *extra);

#endif
