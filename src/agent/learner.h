/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_LEARNER_H
#define INVAR_SRC_AGENT_LEARNER_H

#include "agent/augment.h"
#include "agent/network.h"
#include "agent/targets.h"

/** The Q-network, and its updates from what is drawn of a replay. */
struct learner {
    const struct invar_agent_recipe *recipe;
    struct network network;
    struct replay_batch batch;
    struct augment augment;
    /* Over the burn-in, over what is learned, and over the steps behind it, whose values only are asked for. Without an
     * LSTM the target network's passes before the last are not needed. */
    struct pass burn, learn, tail, target_burn, target_learn, target_tail;
    float *input;                      /* [steps][rows][numbers] where there are views, [numbers] where not */
    float *device_input;               /* [steps][rows][numbers] */
    float *extra, *state;              /* host [steps][rows][extra], [rows][state] */
    float *online, *target;            /* host [sequence + tail][rows][actions] */
    float *gradient, *device_gradient; /* [sequence][rows][actions] */
    float *sum;                        /* device, gradients of both nets, where there are several views; else NULL */
    double *wanted;                    /* [sequence][rows] */
    double *priority;
    struct invar_scratch *scratch;
    struct invar_ledger ledger;
    int64_t updates;          /* done */
    double loss, value, norm; /* of the last update */
};

bool learner_create(struct learner *learner, const struct invar_agent_recipe *recipe,
                    const struct replay_options *replay, const struct invar_env_info *env, struct invar_error *err);
void learner_free(struct learner *learner);
/** One update. An error where something is not finite; nothing is written then. */
bool learner_update(struct learner *learner, struct replay *replay, struct invar_error *err);

#endif
