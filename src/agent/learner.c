/* SPDX-License-Identifier: Apache-2.0 */
/* One update of the Q-network: draw, forward, errors, backward, optimiser, priorities, target network. */
#include "agent/learner.h"

#include "invar/memory.h"

#include <math.h>
#include <string.h>

static bool make_passes(struct learner *l, const struct replay_options *o, struct invar_error *err)
{
    const struct network *n = &l->network;
    const int64_t rows = l->batch.rows, before = n->state > 0 ? o->sequence : 0;

    return pass_create(&l->burn, n, PASS_READS, o->burn_in, rows, err) &&
           pass_create(&l->learn, n, PASS_LEARNS, o->sequence, rows, err) &&
           pass_create(&l->tail, n, PASS_READS, l->batch.tail, rows, err) &&
           pass_create(&l->target_burn, n, PASS_TARGET, o->burn_in, rows, err) &&
           pass_create(&l->target_learn, n, PASS_TARGET, before, rows, err) &&
           pass_create(&l->target_tail, n, PASS_TARGET, l->batch.tail, rows, err);
}

bool learner_create(struct learner *l, const struct invar_agent_recipe *r, const struct replay_options *o,
                    struct invar_error *err)
{
    const struct network *n = &l->network;
    const int64_t rows = r->training.batch;

    l->recipe = r;
    if (!replay_batch_create(&l->batch, o, rows, err) || !make_passes(l, o, err))
        return false;
    const size_t all = (size_t)(l->batch.steps * rows), learned = (size_t)(o->sequence * rows * n->actions),
                 valued = (size_t)((o->sequence + l->batch.tail) * rows * n->actions);
    l->input = invar_alloc(all * (size_t)n->numbers, sizeof *l->input, err);
    l->device_input = invar_device_alloc(n->device, all * (size_t)n->numbers, sizeof *l->device_input, err);
    l->extra = invar_alloc(all * (size_t)(n->extra + 1), sizeof *l->extra, err);
    l->state = invar_alloc((size_t)(rows * (n->state + 1)), sizeof *l->state, err);
    l->online = invar_alloc(valued, sizeof *l->online, err);
    l->target = invar_alloc(valued, sizeof *l->target, err);
    l->gradient = invar_alloc(learned, sizeof *l->gradient, err);
    l->device_gradient = invar_device_alloc(n->device, learned, sizeof *l->device_gradient, err);
    l->priority = invar_alloc((size_t)rows, sizeof *l->priority, err);
    l->scratch = invar_device_scratch_create(n->device, err);
    return l->input && l->device_input && l->extra && l->state && l->online && l->target && l->gradient &&
           l->device_gradient && l->priority && l->scratch &&
           (invar_device_is_planning(n->device) || invar_ledger_take(n->device, l->scratch, 2, &l->ledger, err));
}

void learner_free(struct learner *l)
{
    struct pass *const passes[] = {&l->burn, &l->learn, &l->tail, &l->target_burn, &l->target_learn, &l->target_tail};
    void *const host[] = {l->input, l->extra, l->state, l->online, l->target, l->gradient, l->priority};

    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        pass_free(passes[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        invar_free(host[i]);
    invar_device_free(l->network.device, l->device_input);
    invar_device_free(l->network.device, l->device_gradient);
    invar_scratch_free(l->scratch);
    replay_batch_free(&l->batch);
    network_free(&l->network);
}

/* What was drawn, as the network reads it. */
static void prepare(struct learner *l)
{
    const struct network *n = &l->network;
    const struct replay_batch *b = &l->batch;
    const int64_t all = b->steps * b->rows;

    network_read(n, b->observation, all, l->input);
    invar_device_upload(n->device, l->device_input, l->input, (size_t)(all * n->numbers) * sizeof *l->input);
    for (int64_t i = 0; i < all; i++)
        network_extra(n, b->before[i], (double)b->reward_before[i], l->extra + i * n->extra);
}

/* One pass over the steps from `step` on; values of the sequence and behind it into q. */
static bool advance(struct learner *l, struct pass *p, int64_t step, float *q, struct invar_error *err)
{
    const int64_t rows = l->batch.rows, at = step * rows, first = l->burn.steps;

    return p->steps == 0 ||
           pass_run(p, l->device_input + at * l->network.numbers, l->extra + at * l->network.extra, l->state,
                    step < first ? NULL : q + (step - first) * rows * l->network.actions, err);
}

/* States begin as they were stored, and where there is a burn-in go on as that leaves them. */
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
        invar_chain_net_step(nets[i], &clock, &l->ledger, rate, clip, squares);
    invar_device_read(&l->ledger);
    l->norm = sqrt(invar_ledger_value(&l->ledger, squares));
    return isfinite(l->norm) ||
           invar_error_set(err, INVAR_ERROR_NUMERIC, "update %lld: the gradient is not finite: lower optimiser.lr",
                           (long long)l->updates + 1);
}

bool learner_update(struct learner *l, struct replay *replay, struct invar_error *err)
{
    struct network *n = &l->network;
    const struct invar_agent_recipe *r = l->recipe;
    const struct target_options options = {r->agent.twice, r->agent.rescale, r->agent.huber, r->replay.importance,
                                           r->replay.average};
    const int64_t count = l->learn.steps * l->batch.rows * n->actions;

    invar_ledger_clear(&l->ledger);
    if (!replay_draw(replay, &l->batch, (uint64_t)r->training.seed, (uint64_t)l->updates, err))
        return false;
    prepare(l);
    if (!values(l, &l->target_burn, &l->target_learn, &l->target_tail, l->target, err) ||
        !values(l, &l->burn, &l->learn, &l->tail, l->online, err))
        return false;
    if (!target_errors(&l->batch, &options, l->learn.steps, n->actions, l->online, l->target, l->gradient, l->priority,
                       &l->loss, &l->value))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "update %lld: the values are not finite: lower optimiser.lr, or set agent.clip_reward",
                               (long long)l->updates + 1);
    invar_device_upload(n->device, l->device_gradient, l->gradient, (size_t)count * sizeof *l->gradient);
    if (!pass_back(&l->learn, l->device_gradient, err) || !apply(l, err))
        return false;
    replay_priority(replay, l->batch.leaf, l->priority, l->batch.rows);
    l->updates++;
    if (l->updates % r->agent.target_interval == 0)
        network_follow(n);
    return true;
}
