/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run is. What depends on the number of the step alone is asked here, so that a resumed run finds the same. */
#include "train/clock.h"

#include <time.h>

double times_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void times_add(double *seconds, double *since)
{
    const double now = times_now();

    *seconds += now - *since;
    *since = now;
}

void times_lap(struct invar_times *times, enum invar_work work, double *since)
{
    times_add(&times->seconds[work], since);
}

/* Once a step and not where they are used: rate and momentum of a step must be the same in every net, in metrics and
 * in a checkpoint. */
void clock_set(struct invar_clock *c)
{
    c->rate = length_rate(c);
    c->momentum = c->given->recipe->target.enabled ? length_momentum(c) : 0;
}

/* A peak of 0 would divide 0 by 0; then the shape of the schedule is not to be had from the rate, and the share is
 * whole. */
double clock_share(const struct invar_clock *c, double peak)
{
    return c->peak > 0 ? peak * (c->rate / c->peak) : peak;
}

int64_t clock_epoch(const struct invar_clock *c)
{
    return c->step / c->steps_per_epoch;
}

struct invar_term_key clock_key(const struct invar_clock *c)
{
    return (struct invar_term_key){(uint64_t)c->given->recipe->training.seed, (uint64_t)c->step};
}
