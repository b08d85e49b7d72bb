/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs whose length is changed when they are resumed. From the step at which it was resumed, rate and momentum of the
 * target network go over in a line from what they had to the schedule of the new length, over a tenth of what is left.
 * A schedule that does not know its length (no warm-up, final_ratio 1) is followed exactly.
 */
#include "train/clock.h"

#include "base/points.h"

#include <stdio.h>
#include <stdlib.h>

/* From `from` to `to`; exactly `to` where both agree, and from the end of the line on. Where a run near its end is
 * given more epochs, its cosine leaps from nearly 0 back up, and the loss would leap with it: a line leads there
 * instead. */
static double go_over(const struct invar_clock *c, double from, double to)
{
    const struct invar_joined *j = &c->joined;
    const int64_t done = c->step - j->step;

    if (done >= j->steps)
        return to;
    return to + (from - to) * (1 - (double)done / (double)j->steps);
}

/* By epoch: the rate of the epoch's first step stays, as the schedulers of peers that step once an epoch have it. */
static double planned_rate(const struct invar_clock *c)
{
    const struct invar_training_options *o = &c->given->recipe->training;
    const int64_t step = o->rate_interval == INVAR_RATE_EACH_EPOCH ? c->step - c->step % c->steps_per_epoch : c->step;

    return invar_schedule_rate(c->peak, step, c->warmup, c->total, o->start_ratio, o->final_ratio);
}

static double planned_momentum(const struct invar_clock *c)
{
    const struct invar_target_options *o = &c->given->recipe->target;

    return o->schedule == INVAR_MOMENTUM_CONSTANT ? o->momentum
                                                  : invar_schedule_momentum(o->momentum, c->step, c->total);
}

double length_rate(const struct invar_clock *c)
{
    return go_over(c, c->joined.rate, planned_rate(c));
}

double length_momentum(const struct invar_clock *c)
{
    return go_over(c, c->joined.momentum, planned_momentum(c));
}

void length_join(struct invar_clock *c, double rate, double momentum)
{
    const int64_t tenth = (c->total - c->step) / 10;

    c->joined = (struct invar_joined){c->step, tenth > 0 ? tenth : 1, rate, momentum};
}

/* 17 digits bring every double back to the same bits, which the resumed run needs. */
static bool store_real(struct invar_safetensors *file, const char *key, double value, struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    char text[40];

    snprintf(text, sizeof text, "%.17g", value);
    return invar_safetensors_set_metadata(file, key, text, err);
}

bool length_store(const struct invar_clock *c, struct invar_safetensors *file, struct invar_error *err)
{
    const struct invar_joined *j = &c->joined;

    return store_real(file, "invar.next_rate", length_rate(c), err) &&
           store_real(file, "invar.next_momentum", length_momentum(c), err) &&
           (!c->extended || (store_real(file, "invar.joined_step", (double)j->step, err) &&
                             store_real(file, "invar.joined_steps", (double)j->steps, err) &&
                             store_real(file, "invar.joined_rate", j->rate, err) &&
                             store_real(file, "invar.joined_momentum", j->momentum, err)));
}

static bool read_real(const struct invar_safetensors *file, const char *key, double *out)
{
    NUMBERS_HAVE_POINTS();
    const char *text = invar_safetensors_metadata(file, key);

    *out = text ? strtod(text, NULL) : 0;
    return text != NULL;
}

/* A shorter length is refused only below the steps done. What a checkpoint says (next_rate) is where the line begins:
 * the recipe of before is not there to be asked. */
bool length_restore(struct invar_clock *c, const struct invar_safetensors *file, int64_t step, bool recipe_differs,
                    struct invar_error *err)
{
    double rate, momentum, from, steps;

    if (step > c->total)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "%s: has done %lld steps, more than the %lld that are asked for: raise training.epochs or "
            "training.steps, or give another run",
            c->given->options.folder, (long long)step, (long long)c->total);
    c->step = step;
    if (!recipe_differs) {
        c->extended = read_real(file, "invar.joined_step", &from) && read_real(file, "invar.joined_steps", &steps) &&
                      read_real(file, "invar.joined_rate", &rate) &&
                      read_real(file, "invar.joined_momentum", &momentum);
        c->joined = c->extended ? (struct invar_joined){(int64_t)from, (int64_t)steps, rate, momentum}
                                : (struct invar_joined){0};
        return true;
    }
    if (!read_real(file, "invar.next_rate", &rate) || !read_real(file, "invar.next_momentum", &momentum))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: its checkpoint is of an earlier version, which does not say the rate to go on "
                               "with: its length cannot be changed",
                               c->given->options.folder);
    c->extended = true;
    length_join(c, rate, momentum);
    return true;
}
