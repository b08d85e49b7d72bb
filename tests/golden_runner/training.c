/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers and target updates on device vectors (float32), schedules (double). */
#include "golden_runner/golden.h"
#include "optimise.h"

#include <stdio.h>
#include <string.h>

#define MAX_PARAMETERS 8

/* param0, param1, ... as one parameter vector, gradients by step */
struct optimised {
    struct invar_parameter parameters[MAX_PARAMETERS];
    struct invar_net net;
    struct invar_weights weights;
    const struct invar_array *gradient[MAX_PARAMETERS];
    int64_t steps;
    float *buffers[4], *host;
    double *path; /* [steps][trained_count] */
};

static bool take_parameters(struct golden_case *c, struct optimised *o)
{
    char name[32];

    for (int i = 0; i < MAX_PARAMETERS; i++) {
        snprintf(name, sizeof name, "param%d", i);
        const struct invar_array *start = golden_input(c, name);
        snprintf(name, sizeof name, "grad_seq%d", i);
        o->gradient[i] = golden_input(c, name);
        if (!start || !o->gradient[i])
            break;
        struct invar_parameter *p = &o->parameters[i];
        snprintf(p->name, sizeof p->name, "param%d", i);
        p->role = start->rank > 1 ? INVAR_PARAMETER_WEIGHT : INVAR_PARAMETER_NORM;
        p->rank = start->rank;
        for (int k = 0; k < start->rank && k < 4; k++)
            p->shape[k] = start->shape[k];
        p->count = invar_array_count(start);
        p->offset = o->net.trained_count;
        o->net.trained_count += p->count;
        o->net.parameter_count++;
        o->steps = o->gradient[i]->shape[0];
    }
    o->net.parameters = o->parameters;
    return o->net.parameter_count > 0 || golden_fail(c, "the case has no param0 with grad_seq0");
}

static bool set_options(struct golden_case *c, const struct invar_optimiser_spec *spec, void *options,
                        struct invar_error *err)
{
    const cJSON *item;
    char assignment[512];

    invar_options_default(spec->options, options);
    cJSON_ArrayForEach(item, c->options)
    {
        golden_option(c, item->string);
        golden_assignment(item, assignment, sizeof assignment);
        if (strcmp(item->string, "steps") != 0 && strcmp(item->string, "lr") != 0 &&
            !invar_options_set(spec->options, options, assignment, err))
            return false;
    }
    return true;
}

/* one parameter's values of float64 [count] to and from the device vector */
static void upload(struct golden_case *c, struct optimised *o, float *to, const struct invar_parameter *p,
                   const double *values)
{
    for (int64_t i = 0; i < p->count; i++)
        o->host[i] = (float)values[i];
    invar_device_upload(c->device, to + p->offset, o->host, (size_t)p->count * sizeof(float));
}

static double rate_of(struct golden_case *c, int64_t step)
{
    const cJSON *lr = golden_option(c, "lr");
    return cJSON_IsArray(lr) ? cJSON_GetArrayItem(lr, (int)step)->valuedouble : lr->valuedouble;
}

static bool run_steps(struct golden_case *c, const struct invar_optimiser_spec *spec, const void *options,
                      struct optimised *o, struct invar_error *err)
{
    const int64_t total = o->net.trained_count;

    for (int i = 0; i < o->net.parameter_count; i++)
        upload(c, o, o->weights.parameters, &o->parameters[i], golden_input(c, o->parameters[i].name)->data);
    for (int64_t step = 0; step < o->steps; step++) {
        for (int i = 0; i < o->net.parameter_count; i++)
            upload(c, o, o->weights.gradients, &o->parameters[i],
                   (const double *)o->gradient[i]->data + step * o->parameters[i].count);
        if (!optimise_once(spec, options, &o->weights, o->buffers, rate_of(c, step), step + 1, err))
            return false;
        invar_device_download(c->device, o->host, o->weights.parameters, (size_t)total * sizeof(float));
        /* by parameter, then by step: the order of the case's arrays */
        for (int i = 0; i < o->net.parameter_count; i++)
            for (int64_t k = 0; k < o->parameters[i].count; k++)
                o->path[o->parameters[i].offset * o->steps + step * o->parameters[i].count + k] =
                    (double)o->host[o->parameters[i].offset + k];
    }
    for (int i = 0; i < o->net.parameter_count; i++)
        golden_give_array(c, o->parameters[i].name, o->path + o->parameters[i].offset * o->steps,
                          o->steps * o->parameters[i].count);
    return true;
}

static bool run_optimiser(struct golden_case *c, struct invar_error *err)
{
    const struct invar_optimiser_spec *spec = invar_optimiser_find(c->term, err);
    struct optimised o = {0};
    void *options = spec ? invar_alloc(1, spec->options_size, err) : NULL;
    bool ok = false;

    if (!options || !take_parameters(c, &o) || !set_options(c, spec, options, err))
        goto done;
    if (golden_real(c, "steps", (double)o.steps) != (double)o.steps)
        golden_fail(c, "the option steps is not the number of gradients");
    const size_t total = (size_t)o.net.trained_count;
    o.weights.device = c->device;
    o.weights.net = &o.net;
    o.weights.parameters = invar_device_alloc(c->device, total, sizeof(float), err);
    o.weights.gradients = invar_device_alloc(c->device, total, sizeof(float), err);
    o.host = invar_alloc(total, sizeof *o.host, err);
    o.path = invar_alloc(total * (size_t)o.steps, sizeof *o.path, err);
    if (!o.weights.parameters || !o.weights.gradients || !o.host || !o.path)
        goto done;
    for (int i = 0; i < spec->buffers; i++)
        if (!(o.buffers[i] = invar_device_alloc(c->device, total, sizeof(float), err)))
            goto done;
    ok = run_steps(c, spec, options, &o, err);
done:
    for (int i = 0; i < 4; i++)
        invar_device_free(c->device, o.buffers[i]);
    invar_device_free(c->device, o.weights.parameters);
    invar_device_free(c->device, o.weights.gradients);
    invar_free(o.host);
    invar_free(o.path);
    invar_free(options);
    return ok;
}

static bool run_lr_schedule(struct golden_case *c, struct invar_error *err)
{
    const double peak = golden_real(c, "base_rate", 0) * golden_real(c, "batch", 256) / 256;
    const int64_t total = (int64_t)golden_real(c, "total_steps", 1);
    double *rate = invar_alloc((size_t)total, sizeof *rate, err);

    if (!rate)
        return false;
    for (int64_t k = 0; k < total; k++)
        rate[k] = invar_schedule_rate(peak, k, (int64_t)golden_real(c, "warmup_steps", 0), total, 0,
                                      golden_real(c, "final_ratio", 0));
    golden_give_array(c, "lr", rate, total);
    invar_free(rate);
    return true;
}

static bool run_ema_values(struct golden_case *c, struct invar_error *err)
{
    const int64_t total = (int64_t)golden_real(c, "K", 1);
    double *m = invar_alloc((size_t)total + 1, sizeof *m, err);

    if (!m)
        return false;
    for (int64_t k = 0; k <= total; k++)
        m[k] = invar_schedule_momentum(golden_real(c, "m_base", 0), k, total);
    golden_give_array(c, "m", m, total + 1);
    invar_free(m);
    return true;
}

static bool run_ema_update(struct golden_case *c, struct invar_error *err)
{
    const cJSON *steps = golden_option(c, "k");
    const int count = cJSON_GetArraySize(steps);
    struct invar_matrix start, theta;
    float *path = NULL, *target = NULL;
    bool ok = false;

    if (!golden_matrix(c, "target", &start) || !golden_matrix(c, "theta_seq", &theta))
        goto done;
    const int64_t width = start.rows * start.cols;
    path = invar_alloc((size_t)(width * count), sizeof *path, err);
    target = invar_device_alloc(c->device, (size_t)width * 2, sizeof *target, err);
    if (!path || !target)
        goto done;
    invar_device_upload(c->device, target, start.data, (size_t)width * sizeof(float));
    for (int i = 0; i < count; i++) {
        const double m = invar_schedule_momentum(golden_real(c, "m_base", 0), cJSON_GetArrayItem(steps, i)->valueint,
                                                 (int64_t)golden_real(c, "K", 1));
        invar_device_upload(c->device, target + width, (const float *)theta.data + i * width,
                            (size_t)width * sizeof(float));
        invar_device_lerp(c->device, target, target + width, m, width);
        invar_device_download(c->device, path + i * width, target, (size_t)width * sizeof(float));
    }
    golden_give_data(c, "target_seq", false, INVAR_FLOAT32, path, width * count);
    ok = true;
done:
    invar_free(start.data);
    invar_free(theta.data);
    invar_free(path);
    invar_device_free(c->device, target);
    return ok;
}

const struct golden_kind golden_training[] = {
    {"sgd", GOLDEN_F32, run_optimiser},           {"adam", GOLDEN_F32, run_optimiser},
    {"adamw", GOLDEN_F32, run_optimiser},         {"lars", GOLDEN_F32, run_optimiser},
    {"lr_schedule", GOLDEN_F64, run_lr_schedule}, {"ema_values", GOLDEN_F64, run_ema_values},
    {"ema_update", GOLDEN_F32, run_ema_update},   {0},
};
