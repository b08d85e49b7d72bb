/* SPDX-License-Identifier: Apache-2.0 */
/* What values should have been: n steps of rewards, then what the target network says of the action that the learning
 * one would choose. */
#include "agent/targets.h"

#include <math.h>
#include <string.h>

#define SLOPE 1e-3

double target_rescale(double x)
{
    return copysign(sqrt(fabs(x) + 1) - 1, x) + SLOPE * x;
}

double target_unscale(double x)
{
    const double root = (sqrt(1 + 4 * SLOPE * (fabs(x) + 1 + SLOPE)) - 1) / (2 * SLOPE);

    return copysign(root * root - 1, x);
}

static int64_t best(const float *q, int64_t actions)
{
    int64_t at = 0;

    for (int64_t a = 1; a < actions; a++)
        at = q[a] > q[at] ? a : at;
    return at;
}

/* Of the step that lies at `place` in the batch. */
static double wanted(const struct replay_batch *b, const struct target_options *o, int64_t place, int64_t row,
                     int64_t actions, const float *online, const float *target)
{
    const int64_t later = (b->value_at[place] * b->rows + row) * actions;
    double y = b->reward[place];

    if (b->discount[place] > 0) {
        const double value = (double)target[later + best((o->twice ? online : target) + later, actions)];
        y += b->discount[place] * (o->rescale ? target_unscale(value) : value);
    }
    return o->rescale ? target_rescale(y) : y;
}

/* The loss of one error, and its derivative. */
static double loss_of(double error, double limit, double *slope)
{
    if (limit > 0 && fabs(error) > limit) {
        *slope = copysign(limit, error);
        return limit * (fabs(error) - limit / 2);
    }
    *slope = error;
    return error * error / 2;
}

void target_values(const struct replay_batch *b, const struct target_options *o, int64_t sequence, int64_t actions,
                   const float *online, const float *target, double share, double *y)
{
    for (int64_t row = 0; row < b->rows; row++)
        for (int64_t t = 0; t < sequence; t++) {
            const int64_t place = t * b->rows + row;
            if (b->live[place])
                y[place] += share * wanted(b, o, place, row, actions, online, target);
        }
}

bool target_errors(const struct replay_batch *b, const struct target_options *o, int64_t sequence, int64_t actions,
                   const float *online, const double *y, double part, float *gradient, double *priority, double *loss,
                   double *value)
{
    const double share = part / (double)(sequence * b->rows);

    memset(gradient, 0, (size_t)(sequence * b->rows * actions) * sizeof *gradient);
    for (int64_t row = 0; row < b->rows; row++) {
        const double weight = pow(b->share[row], o->importance);
        double most = 0, sum = 0;
        int64_t live = 0;
        for (int64_t t = 0; t < sequence; t++) {
            const int64_t place = t * b->rows + row, at = place * actions + b->action[place];
            double slope;
            if (!b->live[place])
                continue;
            const double error = (double)online[at] - y[place];
            *loss += weight * share * loss_of(error, o->huber, &slope);
            *value += share * (double)online[at];
            gradient[at] = (float)(weight * share * slope);
            most = fmax(most, fabs(error));
            sum += fabs(error);
            live++;
        }
        priority[row] += live ? part * ((1 - o->average) * most + o->average * sum / (double)live) : 0;
    }
    return isfinite(*loss) && isfinite(*value);
}
