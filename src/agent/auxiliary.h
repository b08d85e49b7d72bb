/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_AUXILIARY_H
#define INVAR_SRC_AGENT_AUXILIARY_H

#include "agent/recipe.h"
#include "agent/replay.h"
#include "invar/expert/env.h"
#include "train/trainer.h"

/** An objective on views of what was seen: a trainer of the ordinary kind, whose samples are drawn of a replay. */
struct auxiliary {
    struct invar_trainer *trainer; /**< NULL: the recipe has none */
    struct invar_feed feed;
    struct replay *replay;
    struct replay_options shape; /**< of observations */
    uint64_t seed;
    unsigned char *planes, *pixels; /**< an observation as it is kept; [batch][height][width][channels] */
    struct invar_record record;     /**< the last that had metrics */
};

/** shared: the weights of the encoder that it trains; NULL: it has its own. total: how often it will be trained. */
bool auxiliary_create(struct auxiliary *auxiliary, const struct invar_agent_recipe *recipe,
                      const struct invar_env_info *info, struct replay *replay, struct invar_device *device,
                      const struct invar_weights *shared, int64_t total, struct invar_error *err);
void auxiliary_free(struct auxiliary *auxiliary);
/** Its encoder's weights, where the Q-network reads its output; else NULL. */
struct invar_weights *auxiliary_encoder(const struct auxiliary *auxiliary, const struct invar_agent_recipe *recipe);
bool auxiliary_update(struct auxiliary *auxiliary, struct invar_error *err);

#endif
