/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_AUGMENT_H
#define INVAR_SRC_AGENT_AUGMENT_H

#include "agent/recipe.h"
#include "agent/replay.h"
#include "agent/seen.h"

/** Views of what is drawn of a replay, for the Q-network to learn from (DrQ): the steps of a sequence have one view. */
struct augment {
    struct invar_view_maker *maker; /**< NULL: it learns from what was seen as it is, or only plans are made */
    struct invar_dataset_info info;
    int64_t rows, views; /**< sequences; views of an update */
    uint64_t seed;
    unsigned char *pixels;        /**< [steps][rows] images */
    struct invar_sample *samples; /**< [steps][rows] */
};

/** Nothing where the recipe asks for no views. */
bool augment_create(struct augment *augment, const struct invar_agent_recipe *recipe, const struct invar_env_info *env,
                    const struct replay_batch *batch, bool planning, struct invar_error *err);
void augment_free(struct augment *augment);
/** What was drawn. */
void augment_take(struct augment *augment, const struct replay_batch *batch);
/** View number `view` of the steps from `first` up to `end` in update number `update`, as the Q-network reads them:
 * out[end - first][rows][numbers]. */
bool augment_view(struct augment *augment, int64_t update, int64_t view, int64_t first, int64_t end, float *out,
                  struct invar_error *err);

#endif
