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
/** y[sequence][rows] += share * what the values of what was done should have been. online and target:
 * [sequence + tail][rows][actions] values by both networks. */
void target_values(const struct replay_batch *batch, const struct target_options *options, int64_t sequence,
                   int64_t actions, const float *online, const float *target, double share, double *y);
/**
 * Errors of what was drawn, seen in one view, beside y. gradient [sequence][rows][actions] receives that of the loss,
 * the mean over sequences and their steps of weighted errors, times `part`; part of priority is added to priority
 * [rows], and of the means of losses and of the values of what was done to *loss and *value. False where one of these
 * is not finite.
 */
bool target_errors(const struct replay_batch *batch, const struct target_options *options, int64_t sequence,
                   int64_t actions, const float *online, const double *y, double part, float *gradient,
                   double *priority, double *loss, double *value);

#endif
