/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any term of the registry: value, parts and gradients, with the gradient of constants left alone. Where a case
 * differentiates one part of a sum, that part must be a term of its own name.
 */
#include "golden_runner/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_option(const struct invar_term_spec *term, const char *name)
{
    for (const struct invar_option *option = term->options; option->name; option++)
        if (strcmp(option->name, name) == 0)
            return true;
    return false;
}

/* the options of the case; of those the ones that a part has */
static bool set_options(struct golden_case *c, const struct invar_term_spec *term, bool part, const char *extra,
                        void *options, struct invar_error *err)
{
    const cJSON *item;
    char assignment[512];

    invar_options_default(term->options, options);
    cJSON_ArrayForEach(item, c->options)
    {
        if (part && !has_option(term, item->string))
            continue;
        golden_option(c, item->string);
        golden_assignment(item, assignment, sizeof assignment);
        if (!invar_options_set(term->options, options, assignment, err))
            return false;
    }
    return !extra || invar_options_set(term->options, options, extra, err);
}

/* what is no matrix */
static bool take_beside(const char *name, const void *data, struct invar_embeddings *in)
{
    if (strcmp(name, "groups") == 0)
        in->groups = data;
    else if (strcmp(name, "labels") == 0)
        in->labels = data;
    else if (strcmp(name, "partner") == 0)
        in->partner = data;
    else if (strcmp(name, "share") == 0)
        in->share = data;
    else
        return false;
    return true;
}

/* inputs by the names of their files; gradient gets memory for each, constants too */
static bool take_inputs(struct golden_case *c, const struct invar_term_spec *term, struct invar_embeddings *in,
                        struct invar_embeddings *gradient, struct invar_error *err)
{
    for (int i = 0; i < c->input_count; i++) {
        const char *name = c->inputs[i].name;
        enum invar_role role;
        int view;
        if (take_beside(name, c->inputs[i].array.data, in) || strncmp(name, "state.", 6) == 0)
            continue;
        if (!invar_term_find_input(term, name, &role, &view))
            return golden_fail(c, "the term %s has no input %s", term->name, name);
        struct invar_matrix *x = &in->by[role][view], *dx = &gradient->by[role][view];
        if (!golden_matrix(c, name, x))
            return false;
        *dx = *x;
        dx->data = invar_alloc((size_t)(x->rows * x->cols), invar_dtype_size(x->dtype), err);
        if (!dx->data)
            return false;
        in->views = gradient->views = view + 1 > in->views ? view + 1 : in->views;
        if (role == INVAR_ROLE_T)
            in->targets = view + 1 > in->targets ? view + 1 : in->targets;
    }
    return true;
}

/* ---- state: files state.NAME, in the order that the term keeps them in ---- */

static const struct {
    const char *term, *names[5];
} kept[] = {
    {"relic", {"state.multiplier"}},
    {"moco", {"state.queue1", "state.queue2", "state.position", "state.count"}},
    {"nnclr", {"state.queue", "state.position", "state.count"}},
    {"corinfomax", {"state.r1", "state.mu1", "state.r2", "state.mu2"}},
    {"tico", {"state.c"}},
    {"dino", {"state.centre"}},
    {"swav", {"state.queue1", "state.queue2", "state.position", "state.count"}},
};

static const char *const *kept_of(const struct golden_case *c)
{
    static const char *const nothing[] = {NULL};

    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
        if (strcmp(kept[k].term, c->term) == 0)
            return kept[k].names;
    return nothing;
}

/* rows of the queues, an option of the term that the case gives by its state alone */
static void queue_option(const struct golden_case *c, char *out, size_t size)
{
    out[0] = '\0';
    for (const char *const *name = kept_of(c); *name; name++)
        if (strncmp(*name, "state.queue", 11) == 0 && golden_input(c, *name))
            snprintf(out, size, "queue=%lld", (long long)golden_input(c, *name)->shape[0]);
}

static float *take_state(const struct golden_case *c, int64_t expected, struct invar_error *err)
{
    float *state = expected ? invar_alloc((size_t)expected, sizeof *state, err) : NULL;
    int64_t at = 0;

    for (const char *const *name = kept_of(c); state && *name; name++) {
        const struct invar_array *array = golden_input(c, *name);
        for (int64_t i = 0; array && i < invar_array_count(array) && at < expected; i++, at++)
            state[at] = array->dtype == INVAR_INT64 ? (float)((const int64_t *)array->data)[i]
                                                    : (float)((const double *)array->data)[i];
    }
    return state;
}

/* State is float32 whatever the precision of the run. */
static void give_state(struct golden_case *c, const float *state)
{
    int64_t at = 0;

    for (const char *const *name = kept_of(c); state && *name; name++) {
        const struct invar_array *array = golden_input(c, *name);
        const int64_t count = array ? invar_array_count(array) : 0;
        double *values = malloc(sizeof *values * (size_t)(count + 1));
        int64_t *whole = malloc(sizeof *whole * (size_t)(count + 1));
        for (int64_t i = 0; values && whole && i < count; i++, at++) {
            values[i] = (double)state[at];
            whole[i] = (int64_t)state[at];
        }
        if (array && array->dtype == INVAR_INT64 && whole)
            golden_give_integers(c, *name, whole, count);
        else if (array && values)
            golden_give(c, *name, false, c->tolerance_f64 > 1e-6 ? c->tolerance_f64 : 1e-6, values, count);
        free(values);
        free(whole);
    }
}

static void give_value(struct golden_case *c, const struct invar_term_value *value)
{
    golden_give_scalar(c, "loss", value->loss);
    for (int i = 0; i < value->count; i++)
        golden_give_scalar(c, value->part[i].name, value->part[i].value);
}

/* is what the case differentiates the value of the whole term? */
static bool differentiates_whole(const struct golden_case *c, const struct invar_term_value *value)
{
    if (!c->gradient_of || strcmp(c->gradient_of, "loss") == 0)
        return true;
    for (int i = 0; i < value->count; i++)
        if (strcmp(c->gradient_of, value->part[i].name) == 0)
            return value->part[i].value == value->loss;
    return false;
}

static void give_gradients(struct golden_case *c, const struct invar_term_spec *term,
                           const struct invar_embeddings *gradient)
{
    for (int i = 0; i < c->input_count; i++) {
        enum invar_role role;
        int view;
        if (!invar_term_find_input(term, c->inputs[i].name, &role, &view) || !gradient->by[role][view].data)
            continue;
        const struct invar_matrix *dx = &gradient->by[role][view];
        const char *bytes = dx->data;
        const size_t size = (size_t)(dx->rows * dx->cols) * invar_dtype_size(dx->dtype);
        golden_give_data(c, c->inputs[i].name, true, dx->dtype, dx->data, dx->rows * dx->cols);
        const cJSON *constant;
        cJSON_ArrayForEach(constant, cJSON_GetObjectItemCaseSensitive(c->json, "no_gradient"))
        {
            if (strcmp(constant->valuestring, c->inputs[i].name) == 0 && size > 1 &&
                (bytes[0] || memcmp(bytes, bytes + 1, size - 1) != 0))
                golden_fail(c, "%s is a constant but received a gradient", c->inputs[i].name);
        }
    }
}

static bool evaluate(struct golden_case *c, const struct invar_term_spec *term, struct invar_scratch *scratch,
                     const void *options, const struct invar_embeddings *in, const struct invar_embeddings *gradient,
                     struct invar_term_value *value, struct invar_error *err)
{
    const int64_t count = term->state_size ? term->state_size(options, in) : 0;
    float *state = take_state(c, count, err);
    const struct invar_term_call call = {.device = c->device,
                                         .scratch = scratch,
                                         .options = options,
                                         .in = in,
                                         .weight = 1,
                                         .gradient = gradient,
                                         .state = state};
    const bool ok = (state || !count) && golden_give_beside(c, term, in, state, count, scratch, err) &&
                    invar_term_evaluate(term, call, value, err);

    if (ok)
        give_state(c, state);
    invar_free(state);
    return ok;
}

/* value and gradients of the term; of a part of the case's term, the gradients alone */
static bool run(struct golden_case *c, const struct invar_term_spec *term, bool part, const char *extra, bool *whole,
                struct invar_error *err)
{
    struct invar_embeddings in = {0}, gradient = {0};
    struct invar_term_value value;
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    void *options = invar_alloc(1, term->options_size, err);
    bool ok = scratch && options && set_options(c, term, part, extra, options, err) &&
              take_inputs(c, term, &in, &gradient, err) && term->check(options, &in, err) &&
              evaluate(c, term, scratch, options, &in, &gradient, &value, err);

    if (ok) {
        *whole = part || differentiates_whole(c, &value);
        if (!part)
            give_value(c, &value);
        else
            golden_give_scalar(c, c->gradient_of, value.loss);
        if (*whole)
            give_gradients(c, term, &gradient);
    }
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < INVAR_MAX_VIEWS; view++) {
            invar_free(in.by[role][view].data);
            invar_free(gradient.by[role][view].data);
        }
    invar_free(options);
    invar_scratch_free(scratch);
    return ok;
}

bool golden_run_term(struct golden_case *c, struct invar_error *err)
{
    const struct invar_term_spec *term = invar_term_find(c->term, err), *part;
    char queue[32];
    bool whole;

    queue_option(c, queue, sizeof queue);
    if (!term || !run(c, term, false, queue[0] ? queue : NULL, &whole, err))
        return false;
    if (whole)
        return true;
    if (term == invar_term_find("aplr", NULL) && strcmp(c->gradient_of, "reconstruction") == 0)
        return run(c, term, true, "lambda=0", &whole, err); /* with the predictor that the case gives */
    part = invar_term_find(strcmp(c->gradient_of, "orthogonality") == 0 ? "orthonormality" : c->gradient_of, err);
    return part && run(c, part, true, NULL, &whole, err);
}
