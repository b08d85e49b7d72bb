/* SPDX-License-Identifier: Apache-2.0 */
/* An objective evaluated step after step: all terms are enqueued, and what they found is read with everything else. */
#include "objective/term.h"

/* One term: what it keeps, and what its last run enqueued. */
struct running {
    int64_t count; /* of state */
    float *state;  /* device */
    struct invar_term_sum sum;
};

struct invar_evaluator {
    const struct invar_objective *objective;
    struct invar_device *device;
    struct invar_scratch *scratch;
    int count;
    struct running *terms;
};

/* State as it is before the first step. */
static bool make_state(struct invar_evaluator *e, int i, const struct invar_embeddings *shapes, struct invar_error *err)
{
    const struct invar_term_spec *term = invar_objective_term(e->objective, i);
    const void *options = invar_objective_options(e->objective, i);
    struct running *r = &e->terms[i];

    r->count = term->state_size ? term->state_size(options, shapes) : 0;
    if (r->count == 0)
        return true;
    r->state = invar_device_alloc(e->device, (size_t)r->count, sizeof *r->state, err);
    if (!r->state || !term->state_init || invar_device_is_planning(e->device))
        return r->state != NULL;
    float *host = invar_alloc((size_t)r->count, sizeof *host, err);
    if (host) {
        term->state_init(options, shapes, host);
        invar_device_upload(e->device, r->state, host, (size_t)r->count * sizeof *host);
    }
    invar_free(host);
    return host != NULL;
}

struct invar_evaluator *invar_evaluator_create(const struct invar_objective *objective, struct invar_device *device,
                                               const struct invar_embeddings *shapes, struct invar_error *err)
{
    struct invar_evaluator *e = invar_alloc(1, sizeof *e, err);

    if (!e)
        return NULL;
    e->objective = objective;
    e->device = device;
    e->scratch = invar_device_scratch_create(device, err);
    e->terms = e->scratch ? invar_alloc((size_t)invar_objective_count(objective), sizeof *e->terms, err) : NULL;
    e->count = e->terms ? invar_objective_count(objective) : 0;
    bool ok = e->terms != NULL;
    for (int i = 0; ok && i < e->count; i++)
        ok = make_state(e, i, shapes, err);
    if (ok)
        return e;
    invar_evaluator_free(e);
    return NULL;
}

void invar_evaluator_free(struct invar_evaluator *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->count; i++)
        invar_device_free(e->device, e->terms[i].state);
    invar_free(e->terms);
    invar_scratch_free(e->scratch);
    invar_free(e);
}

int invar_evaluator_slots(const struct invar_evaluator *e)
{
    return e->count * INVAR_MAX_PARTS;
}

float *invar_evaluator_state(const struct invar_evaluator *e, int i, int64_t *count)
{
    *count = e->terms[i].count;
    return e->terms[i].state;
}

static void zero_gradients(struct invar_device *device, const struct invar_embeddings *gradient)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < gradient->views; view++)
            if (gradient->by[role][view].data)
                invar_dense_zero(device, &gradient->by[role][view]);
}

bool invar_evaluator_run(struct invar_evaluator *e, struct invar_ledger *ledger, const struct invar_embeddings *in,
                         const struct invar_embeddings *gradient, const bool *chosen, struct invar_term_key key,
                         struct invar_error *err)
{
    if (gradient)
        zero_gradients(e->device, gradient);
    for (int i = 0; i < e->count; i++) {
        struct running *r = &e->terms[i];
        const struct invar_term_call call = {.device = e->device,
                                             .scratch = e->scratch,
                                             .options = invar_objective_options(e->objective, i),
                                             .in = in,
                                             .weight = invar_objective_weight(e->objective, i),
                                             .gradient = gradient,
                                             .state = r->state,
                                             .key = key,
                                             .sum = &r->sum};
        r->sum = (struct invar_term_sum){.ledger = ledger};
        invar_scratch_reset(e->scratch);
        if ((!chosen || chosen[i]) && !invar_objective_term(e->objective, i)->evaluate(&call, err))
            return false;
    }
    return true;
}

bool invar_evaluator_settle(const struct invar_evaluator *e, double *loss, struct invar_term_value *values,
                            struct invar_error *err)
{
    *loss = 0;
    for (int i = 0; i < e->count; i++) {
        struct invar_term_value value;

        invar_term_settle(&e->terms[i].sum, &value);
        if (!invar_term_check_finite(invar_objective_term(e->objective, i), &value, err))
            return false;
        *loss += invar_objective_weight(e->objective, i) * value.loss;
        if (values)
            values[i] = value;
    }
    return true;
}

bool invar_objective_evaluate(const struct invar_objective *objective, struct invar_device *device,
                              const struct invar_embeddings *in, const struct invar_embeddings *gradient, double *loss,
                              struct invar_term_value *values, struct invar_error *err)
{
    struct invar_evaluator *e = invar_evaluator_create(objective, device, in, err);
    struct invar_scratch *scratch = e ? invar_device_scratch_create(device, err) : NULL;
    struct invar_ledger ledger;
    bool ok = scratch && invar_ledger_take(device, scratch, invar_evaluator_slots(e), &ledger, err) &&
              invar_evaluator_run(e, &ledger, in, gradient, NULL, (struct invar_term_key){0}, err);

    if (ok) {
        invar_device_read(&ledger);
        ok = invar_evaluator_settle(e, loss, values, err);
    }
    invar_scratch_free(scratch);
    invar_evaluator_free(e);
    return ok;
}
