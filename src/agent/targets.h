/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_TARGETS_H
#define INVAR_SRC_AGENT_TARGETS_H

#include "agent/replay.h"

/** h(x) = sign(x) (sqrt(|x| + 1) - 1) + x / 1000, and its inverse. */
double target_rescale(double x);
double target_unscale(double x);

struct target_options {
    bool twice, rescale;
    double huber, importance, average;
};
/**
 * Errors of what was drawn. online and target: [sequence + tail][rows][actions] values by both networks; gradient
 * [sequence][rows][actions] receives that of the loss, the mean over sequences and their steps of weighted errors;
 * priority [rows]; *loss and *value: means of losses and of the values of what was done. False where a value is not
 * finite.
 */
bool target_errors(const struct replay_batch *batch, const struct target_options *options, int64_t sequence,
                   int64_t actions, const float *online, const float *target, float *gradient, double *priority,
                   double *loss, double *value);

#endif
