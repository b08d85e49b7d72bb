/* SPDX-License-Identifier: Apache-2.0 */
/* One update of the Q-network: draw, forward, errors, backward, optimiser, priorities, target network. */
#include "agent/learner.h"

#include "invar/memory.h"

#include <math.h>
#include <string.h>

/* Where the target network becomes the network with every update, the one is the other: then, without an LSTM, its
 * values are asked for once. */
static bool make_passes(struct learner *l, const struct replay_options *o, struct invar_error *err)
{
    const struct network *n = &l->network;
    const int64_t rows = l->batch.rows, before = n->state > 0 ? o->sequence : 0, tail = l->batch.tail;
    const bool same = l->recipe->agent.target_interval == 1 && n->state == 0;

    return pass_create(&l->burn, n, PASS_READS, o->burn_in, rows, err) &&
           pass_create(&l->learn, n, PASS_LEARNS, o->sequence, rows, err) &&
           pass_create(&l->tail, n, PASS_READS, same || l->recipe->agent.twice ? tail : 0, rows, err) &&
           pass_create(&l->target_burn, n, PASS_TARGET, o->burn_in, rows, err) &&
           pass_create(&l->target_learn, n, PASS_TARGET, before, rows, err) &&
           pass_create(&l->target_tail, n, PASS_TARGET, same ? 0 : tail, rows, err);
}

static int64_t trained(const struct learner *l)
{
    return l->network.encoder.net->trained_count + l->network.core.net->trained_count;
}

static bool make_sum(struct learner *l, struct invar_error *err)
{
    if (l->recipe->augmentation.learned > 1)
        l->sum = invar_device_alloc(l->network.device, (size_t)trained(l), sizeof *l->sum, err);
    return l->recipe->augmentation.learned <= 1 || l->sum;
}

bool learner_create(struct learner *l, const struct invar_agent_recipe *r, const struct replay_options *o,
                    const struct invar_env_info *env, struct invar_error *err)
{
    const struct network *n = &l->network;
    const int64_t rows = r->training.batch;

    l->recipe = r;
    if (!replay_batch_create(&l->batch, o, rows, err) || !make_passes(l, o, err) ||
        !augment_create(&l->augment, r, env, &l->batch, invar_device_is_planning(n->device), err) || !make_sum(l, err))
        return false;
    const size_t all = (size_t)(l->batch.steps * rows), learned = (size_t)(o->sequence * rows * n->actions),
                 valued = (size_t)((o->sequence + l->batch.tail) * rows * n->actions);
    l->input = invar_alloc((l->augment.maker ? all : 1) * (size_t)n->numbers, sizeof *l->input, err);
    l->device_input = invar_device_alloc(n->device, all * (size_t)n->numbers, sizeof *l->device_input, err);
    l->extra = invar_alloc(all * (size_t)(n->extra + 1), sizeof *l->extra, err);
    l->state = invar_alloc((size_t)(rows * (n->state + 1)), sizeof *l->state, err);
    l->online = invar_alloc(valued, sizeof *l->online, err);
    l->target = invar_alloc(valued, sizeof *l->target, err);
    l->gradient = invar_alloc(learned, sizeof *l->gradient, err);
    l->device_gradient = invar_device_alloc(n->device, learned, sizeof *l->device_gradient, err);
    l->priority = invar_alloc((size_t)rows, sizeof *l->priority, err);
    l->wanted = invar_alloc((size_t)(o->sequence * rows), sizeof *l->wanted, err);
    l->scratch = invar_device_scratch_create(n->device, err);
    return l->input && l->device_input && l->extra && l->state && l->online && l->target && l->gradient &&
           l->device_gradient && l->priority && l->wanted && l->scratch &&
           (invar_device_is_planning(n->device) || invar_ledger_take(n->device, l->scratch, 2, &l->ledger, err));
}

void learner_free(struct learner *l)
{
    struct pass *const passes[] = {&l->burn, &l->learn, &l->tail, &l->target_burn, &l->target_learn, &l->target_tail};
    void *const host[] = {l->input, l->extra, l->state, l->online, l->target, l->gradient, l->priority, l->wanted};

    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        pass_free(passes[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        invar_free(host[i]);
    invar_device_free(l->network.device, l->device_input);
    invar_device_free(l->network.device, l->device_gradient);
    invar_device_free(l->network.device, l->sum);
    augment_free(&l->augment);
    invar_scratch_free(l->scratch);
    replay_batch_free(&l->batch);
    network_free(&l->network);
}

/* Steps of what was drawn in one view, where passes read them; without views as they are, one by one: the numbers of a
 * batch are too many for a cache between two copies of them. */
static bool see(struct learner *l, int64_t view, int64_t first, int64_t end, struct invar_error *err)
{
    const struct network *n = &l->network;
    const int64_t from = first * l->batch.rows, to = end * l->batch.rows;
    float *seen = l->device_input + from * n->numbers;

    if (l->augment.maker && !augment_view(&l->augment, l->updates, view, first, end, l->input, err))
        return false;
    if (l->augment.maker)
        invar_device_upload(n->device, seen, l->input, (size_t)((to - from) * n->numbers) * sizeof *seen);
    for (int64_t i = from; !l->augment.maker && i < to; i++, seen += n->numbers) {
        network_read(n, l->batch.observation + i * n->observation, 1, l->input);
        invar_device_upload(n->device, seen, l->input, (size_t)n->numbers * sizeof *seen);
    }
    return true;
}

/* One pass over the steps from `step` on; values of the sequence and behind it into q. */
static bool advance(struct learner *l, struct pass *p, int64_t step, float *q, struct invar_error *err)
{
    const int64_t rows = l->batch.rows, at = step * rows, first = l->burn.steps;

    return !p || p->steps == 0 ||
           pass_run(p, l->device_input + at * l->network.numbers, l->extra + at * l->network.extra, l->state,
                    step < first ? NULL : q + (step - first) * rows * l->network.actions, err);
}

/* States begin as they were stored, and where there is a burn-in go on as that leaves them. learn, tail NULL: not asked
 * for. */
static bool values(struct learner *l, struct pass *burn, struct pass *learn, struct pass *tail, float *q,
                   struct invar_error *err)
{
    const struct replay_batch *b = &l->batch;
    const int64_t state = l->network.state;
    const size_t bytes = (size_t)state * sizeof(float);

    memcpy(l->state, b->state, (size_t)b->rows * bytes);
    if (!advance(l, burn, 0, q, err))
        return false;
    for (int64_t i = 0; i < b->rows && bytes > 0; i++)
        if (!b->burns[i])
            memcpy(l->state + i * state, b->later + i * state, bytes);
    return advance(l, learn, l->burn.steps, q, err) && advance(l, tail, l->burn.steps + l->learn.steps, q, err);
}

/* As the chain of a trainer is updated: the norm of all in the ledger, then each net. */
static bool apply(struct learner *l, struct invar_error *err)
{
    struct network *n = &l->network;
    const struct invar_clock clock = {.step = l->updates};
    const double rate = l->recipe->network.rate.lr, clip = l->recipe->training.clip;
    double *squares = invar_ledger_slot(&l->ledger);
    const struct invar_chain_net *const nets[] = {&n->encoder, &n->core};

    for (int i = 0; i < 2; i++)
        invar_device_sum_squares(n->device, nets[i]->weights->gradients, nets[i]->net->trained_count, 1, squares);
    for (int i = 0; i < 2; i++)
        chain_net_step(nets[i], &clock, &l->ledger, rate, clip, squares);
    invar_device_read(&l->ledger);
    l->norm = sqrt(invar_ledger_value(&l->ledger, squares));
    return isfinite(l->norm) ||
           invar_error_set(err, INVAR_ERROR_NUMERIC, "update %lld: the gradient is not finite: lower optimiser.lr",
                           (long long)l->updates + 1);
}

/* What values should have been: the mean over views, which only where there is an LSTM are of all steps. */
static bool find_wanted(struct learner *l, const struct target_options *options, struct invar_error *err)
{
    const struct agent_augmentation_options *views = &l->recipe->augmentation;
    const int64_t count = l->augment.maker ? views->valued : 1, steps = l->learn.steps, all = l->batch.steps;
    const bool apart = l->augment.maker && l->network.state == 0;
    const float *target = l->target_tail.steps > 0 ? l->target : l->online;

    memset(l->wanted, 0, (size_t)(steps * l->batch.rows) * sizeof *l->wanted);
    for (int64_t k = 0; k < count; k++) {
        if (!see(l, views->learned + k, apart ? steps : 0, all, err) ||
            !values(l, &l->target_burn, &l->target_learn, &l->target_tail, l->target, err) ||
            !values(l, &l->burn, apart ? NULL : &l->learn, &l->tail, l->online, err))
            return false;
        target_values(&l->batch, options, steps, l->network.actions, l->online, target, 1 / (double)count, l->wanted);
    }
    return true;
}

/* Backward passes write gradients and do not add them. */
static void add_gradients(struct learner *l, int64_t view, int64_t views)
{
    const struct invar_chain_net *const nets[] = {&l->network.encoder, &l->network.core};
    float *sum = l->sum;

    for (int i = 0; i < 2 && sum; sum += nets[i++]->net->trained_count) {
        const int64_t count = nets[i]->net->trained_count;
        if (view == 0)
            invar_device_fill(l->network.device, sum, count, 0);
        invar_device_add(l->network.device, sum, nets[i]->weights->gradients, 1, count);
        if (view == views - 1)
            invar_device_lerp(l->network.device, nets[i]->weights->gradients, sum, 0, count);
    }
}

/* The gradients of the loss: its mean over views. What was seen itself has been passed already. */
static bool descend(struct learner *l, const struct target_options *options, struct invar_error *err)
{
    const struct network *n = &l->network;
    const bool plain = !l->augment.maker;
    const int64_t views = plain ? 1 : l->recipe->augmentation.learned, steps = l->learn.steps,
                  count = steps * l->batch.rows * n->actions;

    memset(l->priority, 0, (size_t)l->batch.rows * sizeof *l->priority);
    l->loss = l->value = 0;
    for (int64_t m = 0; m < views; m++) {
        if (!plain &&
            (!see(l, m, 0, l->burn.steps + steps, err) || !values(l, &l->burn, &l->learn, NULL, l->online, err)))
            return false;
        if (!target_errors(&l->batch, options, steps, n->actions, l->online, l->wanted, 1 / (double)views, l->gradient,
                           l->priority, &l->loss, &l->value))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "update %lld: the values are not finite: lower optimiser.lr, or set "
                                   "agent.clip_reward",
                                   (long long)l->updates + 1);
        invar_device_upload(n->device, l->device_gradient, l->gradient, (size_t)count * sizeof *l->gradient);
        if (!pass_back(&l->learn, l->device_gradient, err))
            return false;
        add_gradients(l, m, views);
    }
    return true;
}

bool learner_update(struct learner *l, struct replay *replay, struct invar_error *err)
{
    struct network *n = &l->network;
    const struct invar_agent_recipe *r = l->recipe;
    const struct replay_batch *b = &l->batch;
    const struct target_options options = {r->agent.twice, r->agent.rescale, r->agent.huber, r->replay.importance,
                                           r->replay.average};

    invar_ledger_clear(&l->ledger);
    if (!replay_draw(replay, &l->batch, (uint64_t)r->training.seed, (uint64_t)l->updates, err))
        return false;
    for (int64_t i = 0; i < b->steps * b->rows; i++)
        network_extra(n, b->before[i], (double)b->reward_before[i], l->extra + i * n->extra);
    augment_take(&l->augment, b);
    if (!find_wanted(l, &options, err) || !descend(l, &options, err) || !apply(l, err))
        return false;
    replay_priority(replay, b->leaf, l->priority, b->rows);
    l->updates++;
    if (l->updates % r->agent.target_interval == 0)
        network_follow(n);
    return true;
}
