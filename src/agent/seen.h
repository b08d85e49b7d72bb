/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent saw as samples that views are made of. */
#ifndef INVAR_SRC_AGENT_SEEN_H
#define INVAR_SRC_AGENT_SEEN_H

#include "invar/expert/env.h"
#include "invar/view.h"

/** Data of the environment's observations, in 0 to 1 as the Q-network reads them, `count` at a time. Refuses those that
 * are no images; who: what views are wanted for, without: the setting that does without. */
bool seen_describe(const struct invar_env_info *env, const char *who, const char *without, int64_t count,
                   struct invar_dataset_info *info, struct invar_error *err);
/** An observation planes[channels][height][width] as a sample, whose pixels[height][width][channels] are borrowed. */
void seen_sample(const struct invar_dataset_info *info, const unsigned char *planes, unsigned char *pixels,
                 int64_t index, struct invar_sample *sample);

#endif
