/* SPDX-License-Identifier: Apache-2.0 */
/* Entries added, and batches drawn of them. */
#include "agent/replay.h"

#include "invar/expert/random.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

/* ---- adding ---- */

/* All that a draw from e on would read is there: the steps behind it, or the end of the episode. */
static bool is_complete(const struct replay *r, int lane, int64_t e)
{
    for (int64_t k = 1; k <= r->options.sequence - 1 + r->options.n; k++) {
        if (e + k >= r->lanes[lane].end)
            return false;
        if (replay_entry(r, lane, e + k)->end)
            return true;
    }
    return true;
}

static double weight_of(const struct replay *r, double priority)
{
    return r->options.exponent > 0 ? pow(priority, r->options.exponent) : 1;
}

/* Entries from which draws may begin, in order, as far as they are complete. */
static void look(struct replay *r, int lane)
{
    struct replay_lane *l = &r->lanes[lane];

    for (; l->ready < l->end; l->ready++) {
        const struct replay_entry *entry = replay_entry(r, lane, l->ready);
        const int64_t reach = r->options.burn_in + r->options.stack;
        const bool begins = !entry->end && (r->options.sequence == 1 || entry->step % r->options.period == 0);
        if (begins && !is_complete(r, lane, l->ready))
            return;
        if (begins && l->ready - (entry->step < reach ? entry->step : reach) >= l->first)
            sum_tree_set(&r->tree, replay_leaf(r, lane, l->ready), weight_of(r, r->largest));
    }
}

bool replay_begin(struct replay *r, int lane, const void *frame, const float *state, struct invar_error *err)
{
    return replay_append(r, lane, frame, state, 0, err);
}

bool replay_add(struct replay *r, int lane, int action, double reward, enum replay_end end, const void *frame,
                const float *state, struct invar_error *err)
{
    struct replay_entry *entry = replay_entry(r, lane, r->lanes[lane].end - 1);
    const int32_t step = entry->step + 1;

    if (!isfinite(reward))
        return invar_error_set(err, INVAR_ERROR_NUMERIC, "replay: the reward of step %d is not finite", (int)step);
    entry->action = action;
    entry->reward = (float)reward;
    if (!replay_append(r, lane, frame, state, step, err))
        return false;
    replay_entry(r, lane, r->lanes[lane].end - 1)->end = end;
    look(r, lane);
    return true;
}

bool replay_has_any(const struct replay *r)
{
    return sum_tree_sum(&r->tree) > 0;
}

int64_t replay_count(const struct replay *r)
{
    int64_t count = 0;

    for (int i = 0; i < r->options.lanes; i++)
        count += r->lanes[i].end - r->lanes[i].first;
    return count;
}

/* ---- a batch ---- */

bool replay_batch_create(struct replay_batch *b, const struct replay_options *o, int64_t rows, struct invar_error *err)
{
    const int64_t tail = o->state > 0 ? o->n : 1, steps = o->burn_in + o->sequence + tail;
    const size_t all = (size_t)(steps * rows), learned = (size_t)(o->sequence * rows), each = (size_t)rows;

    *b = (struct replay_batch){.rows = rows, .steps = steps, .tail = tail};
    b->observation = invar_alloc(all * (size_t)o->stack, (size_t)o->frame_size, err);
    b->before = invar_alloc(all, sizeof *b->before, err);
    b->reward_before = invar_alloc(all, sizeof *b->reward_before, err);
    b->state = invar_alloc(each * (size_t)(o->state + 1), sizeof *b->state, err);
    b->later = invar_alloc(each * (size_t)(o->state + 1), sizeof *b->later, err);
    b->burns = invar_alloc(each, sizeof *b->burns, err);
    b->action = invar_alloc(learned, sizeof *b->action, err);
    b->reward = invar_alloc(learned, sizeof *b->reward, err);
    b->discount = invar_alloc(learned, sizeof *b->discount, err);
    b->value_at = invar_alloc(learned, sizeof *b->value_at, err);
    b->live = invar_alloc(learned, sizeof *b->live, err);
    b->leaf = invar_alloc(each, sizeof *b->leaf, err);
    b->share = invar_alloc(each, sizeof *b->share, err);
    return b->observation && b->before && b->reward_before && b->state && b->later && b->burns && b->action &&
           b->reward && b->discount && b->value_at && b->live && b->leaf && b->share;
}

void replay_batch_free(struct replay_batch *b)
{
    void *const all[] = {b->observation, b->before,   b->reward_before, b->state, b->later, b->burns, b->action,
                         b->reward,      b->discount, b->value_at,      b->live,  b->leaf,  b->share};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        invar_free(all[i]);
    *b = (struct replay_batch){0};
}

/* Frames before the first of an episode equal the first. */
static bool observe(struct replay *r, int lane, int64_t e, unsigned char *out, struct invar_error *err)
{
    const int64_t step = replay_entry(r, lane, e)->step;

    for (int k = r->options.stack - 1; k >= 0; k--, out += r->options.frame_size) {
        const unsigned char *frame = replay_frame(r, lane, e - (k < step ? k : step), err);
        if (!frame)
            return false;
        memcpy(out, frame, (size_t)r->options.frame_size);
    }
    return true;
}

static double clipped(const struct replay *r, double reward)
{
    const double limit = r->options.clip;

    return limit > 0 ? fmin(fmax(reward, -limit), limit) : reward;
}

/* What is seen in step `at` of the row, and what was done and gained just before it. */
static bool fill_step(struct replay *r, struct replay_batch *b, int64_t row, int64_t at, int lane, int64_t e,
                      struct invar_error *err)
{
    const int64_t place = at * b->rows + row, size = r->options.stack * r->options.frame_size;
    const bool first = replay_entry(r, lane, e)->step == 0;

    b->before[place] = first || r->options.state == 0 ? -1 : replay_entry(r, lane, e - 1)->action;
    b->reward_before[place] =
        first || r->options.state == 0 ? 0 : (float)clipped(r, (double)replay_entry(r, lane, e - 1)->reward);
    return observe(r, lane, e, b->observation + place * size, err);
}

/* The last entry of the episode within so many steps of e, or the one so many steps on. */
static int64_t within(const struct replay *r, int lane, int64_t e, int64_t steps)
{
    for (int64_t k = 0; k < steps && !replay_entry(r, lane, e)->end; k++)
        e++;
    return e;
}

/* Rewards until the value takes over, n steps later or where the episode ends. */
static void fill_target(const struct replay *r, struct replay_batch *b, int64_t row, int64_t t, int lane, int64_t e)
{
    const int64_t place = t * b->rows + row, last = within(r, lane, e, r->options.n);
    double sum = 0, discount = 1;

    for (int64_t at = e; at < last; at++, discount *= r->options.discount)
        sum += discount * clipped(r, (double)replay_entry(r, lane, at)->reward);
    b->live[place] = last > e;
    b->action[place] = last > e ? replay_entry(r, lane, e)->action : 0;
    b->reward[place] = sum;
    b->discount[place] = replay_entry(r, lane, last)->end == REPLAY_TERMINATED ? 0 : discount;
    b->value_at[place] = (int32_t)(r->options.state > 0 ? t + last - e : 1);
}

bool replay_fetch(struct replay *r, struct replay_batch *b, int64_t row, int64_t leaf, struct invar_error *err)
{
    const struct replay_options *o = &r->options;
    const int64_t length = r->block_count * REPLAY_BLOCK;
    const int lane = (int)(leaf / length);
    const struct replay_lane *l = &r->lanes[lane];
    const int64_t start = l->first + ((leaf % length - l->first) % length + length) % length;
    const size_t state = (size_t)o->state * sizeof(float);
    bool ok = true;

    b->leaf[row] = leaf;
    b->burns[row] = o->burn_in > 0 && replay_entry(r, lane, start)->step >= o->burn_in;
    if (o->state > 0) {
        const int64_t from = b->burns[row] ? start - o->burn_in : start;
        memcpy(b->state + row * o->state, replay_entry(r, lane, from)->state, state);
        memcpy(b->later + row * o->state, replay_entry(r, lane, start)->state, state);
    }
    for (int64_t at = 0; ok && at < b->steps; at++) {
        const int64_t ahead = o->state > 0 || at == 0 ? at - o->burn_in : o->n;
        const int64_t e = ahead < 0 ? (b->burns[row] ? start + ahead : start) : within(r, lane, start, ahead);
        ok = fill_step(r, b, row, at, lane, e, err);
    }
    for (int64_t t = 0; ok && t < o->sequence; t++)
        fill_target(r, b, row, t, lane, within(r, lane, start, t));
    return ok;
}

/* One draw in each of `rows` equal parts of the sum. */
static int64_t draw_leaf(const struct replay *r, struct invar_random *random, int64_t row, int64_t rows)
{
    const double sum = sum_tree_sum(&r->tree);
    const double fine = ((double)invar_random_bits(random) + 0.5) / 4294967296.0;

    return sum_tree_find(&r->tree, ((double)row + fine) / (double)rows * sum);
}

bool replay_draw(struct replay *r, struct replay_batch *b, uint64_t seed, uint64_t draw, struct invar_error *err)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_REPLAY, 0, draw, 0);
    double most = 0;

    for (int64_t i = 0; i < b->rows; i++) {
        const int64_t leaf = draw_leaf(r, &random, i, b->rows);
        if (!replay_fetch(r, b, i, leaf, err))
            return false;
        b->share[i] = 1 / sum_tree_get(&r->tree, leaf);
        most = fmax(most, b->share[i]);
    }
    for (int64_t i = 0; i < b->rows; i++)
        b->share[i] /= most;
    return true;
}

bool replay_observe(struct replay *r, uint64_t seed, uint64_t draw, unsigned char *out, struct invar_error *err)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_REPLAY, 1, draw, 0);
    const int64_t length = r->block_count * REPLAY_BLOCK;

    const int64_t leaf = draw_leaf(r, &random, 0, 1);
    const int lane = (int)(leaf / length);
    const struct replay_lane *l = &r->lanes[lane];
    const int64_t start = l->first + ((leaf % length - l->first) % length + length) % length;

    return observe(r, lane, within(r, lane, start, invar_random_below(&random, (uint32_t)r->options.sequence)), out,
                   err);
}

void replay_priority(struct replay *r, const int64_t *leaf, const double *priority, int64_t count)
{
    for (int64_t i = 0; i < count && r->options.exponent > 0; i++) {
        sum_tree_set(&r->tree, leaf[i], weight_of(r, priority[i] + 1e-6));
        r->largest = fmax(r->largest, priority[i]);
    }
}
