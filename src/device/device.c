/* SPDX-License-Identifier: Apache-2.0 */
/* The table of devices, and the calls of device.h passed on to the one that is open. */
#include "device/backend.h"

#include "base/names.h"
#include "base/scratch.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BATCH (1 << 20)

static const struct invar_backend *const backends[] = {&invar_backend_cpu, &invar_backend_cpu_guarded, NULL};

static struct names backend_names(void)
{
    return NAMES_POINTERS("device", backends);
}

/* "auto" is what whoever has no wish gets: the cpu, or what the tests of a whole program ask for. */
static const char *resolved(const char *name)
{
    const char *wanted = getenv("INVAR_TEST_DEVICE");

    return strcmp(name, "auto") != 0 ? name : wanted && *wanted ? wanted : "cpu";
}

/* A planning device answers what a recipe would take (--dry-run) on a machine that has not got it: it allocates a
 * byte for everything, and copies and computes nothing. 4096 threads are more than any machine has cores: above it
 * the number was a mistake, and OpenMP would try. */
static struct invar_device *open_device(const char *name, int threads, bool planning, struct invar_error *err)
{
    const struct invar_backend *backend = names_find(backend_names(), NULL, resolved(name), err);
    if (!backend)
        return NULL;
    if (threads < 0 || threads > 4096) {
        invar_error_set(err, INVAR_ERROR_USAGE, "threads %d: expected 0 (all cores) to 4096", threads);
        return NULL;
    }
    struct invar_device *device = invar_alloc(1, sizeof *device, err);
    if (!device)
        return NULL;
    device->backend = backend;
    device->threads = threads;
    device->planning = planning;
    if (backend->open(device, err))
        return device;
    invar_free(device);
    return NULL;
}

struct invar_device *invar_device_open(const char *name, int threads, struct invar_error *err)
{
    return open_device(name, threads, false, err);
}

struct invar_device *invar_device_open_planning(const char *name, int threads, struct invar_error *err)
{
    return open_device(name, threads, true, err);
}

/* Asked by whoever would fill memory or read it back, which are few. */
bool invar_device_is_planning(const struct invar_device *device)
{
    return device->planning;
}

void invar_device_close(struct invar_device *device)
{
    if (!device)
        return;
    device->backend->close(device);
    invar_free(device);
}

const char *invar_device_name(const struct invar_device *device)
{
    return device->backend->name;
}

/* Without opening a device, as `invar --version` says it where none could be opened. */
void invar_device_engine(const char *name, char *out, size_t size)
{
    const struct invar_backend *backend = names_look(backend_names(), name, strlen(name));
    if (backend)
        backend->engine(out, size);
    else if (size > 0)
        out[0] = '\0';
}

int invar_device_threads(const struct invar_device *device)
{
    return device->threads;
}

const char *invar_device_describe(const struct invar_device *device)
{
    return device->description;
}

bool invar_device_precision(const struct invar_device *device, enum invar_precision wanted, enum invar_precision *out,
                            struct invar_error *err)
{
    return device->backend->precision(device, wanted, out, err);
}

/* On a planning device a byte stands for everything, so that freeing works as always; sizes that no memory could have
 * are refused all the same, since that is what a plan is made to find out. */
void *invar_device_alloc(struct invar_device *device, size_t count, size_t size, struct invar_error *err)
{
    size_t bytes;
    if (!device->planning)
        return device->backend->alloc(device, count, size, err);
    if (!invar_size_multiply(count, size, &bytes)) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%zu elements of %zu bytes are more than memory can address", count,
                        size);
        return NULL;
    }
    return device->backend->alloc(device, 1, 1, err); /* something to give back; never read or written */
}

void invar_device_free(struct invar_device *device, void *memory)
{
    if (memory)
        device->backend->free(device, memory);
}

/* Scratch asks for bytes; the device zeroes what it gives, which terms rely on. */
static void *take_memory(void *user, size_t bytes, struct invar_error *err)
{
    return invar_device_alloc(user, bytes, 1, err);
}

static void give_back_memory(void *user, void *memory)
{
    invar_device_free(user, memory);
}

/* Two kinds of memory behind one allocator: terms take numbers for kernels from the device and those that they look
 * at themselves from the host. */
struct invar_scratch *invar_device_scratch_create(struct invar_device *device, struct invar_error *err)
{
    const struct scratch_source source = {.take = take_memory, .give_back = give_back_memory, .user = device};

    return scratch_create(&source, err);
}

void *invar_device_take(struct invar_scratch *scratch, size_t count, size_t size, struct invar_error *err)
{
    return scratch_take_second(scratch, count, size, err);
}

/* On a planning device there is nowhere to write; everything that fills weights may be called all the same. */
void invar_device_upload(struct invar_device *device, void *to_device, const void *from_host, size_t bytes)
{
    if (!device->planning)
        device->backend->upload(device, to_device, from_host, bytes);
}

/* Every one is counted, as each makes the host wait for all that was enqueued: tests hold a step to one. */
void invar_device_download(struct invar_device *device, void *to_host, const void *from_device, size_t bytes)
{
    device->waits++;
    device->backend->download(device, to_host, from_device, bytes);
}

int64_t invar_device_waits(const struct invar_device *device)
{
    return device->waits;
}

void invar_device_fill(struct invar_device *device, float *x, int64_t count, float value)
{
    if (!device->planning)
        device->backend->fill(device, x, count, value);
}

void invar_device_sum_squares(struct invar_device *device, const float *x, int64_t count, double factor, double *slot)
{
    device->backend->sum_squares(device, x, count, factor, slot);
}

void invar_device_scale(struct invar_device *device, float *x, int64_t count, double factor)
{
    device->backend->scale(device, x, count, factor);
}

void invar_device_add(struct invar_device *device, float *x, const float *y, double factor, int64_t count)
{
    device->backend->add(device, x, y, factor, count);
}

void invar_device_lerp(struct invar_device *device, float *x, const float *y, double m, int64_t count)
{
    device->backend->lerp(device, x, y, m, count);
}

void invar_device_decide(struct invar_device *device, const double *slots, int count, const double *squares,
                         double limit, double *scalars)
{
    device->backend->decide(device, slots, count, squares, limit, scalars);
}

void invar_device_follow(struct invar_device *device, float *x, const float *y, const double *scalars, int64_t count)
{
    device->backend->follow(device, x, y, scalars, count);
}

void invar_device_update(struct invar_device *device, const struct invar_update *update)
{
    device->backend->update(device, update);
}

void invar_device_segment_squares(struct invar_device *device, const struct invar_update *update, const double *decay)
{
    device->backend->segment_squares(device, update, decay);
}

/* A net without parameters still has vectors, and kernels may read whole vectors of channels past the last one. */
#define SLACK 16

/* One vector for all parameters: an optimiser, a norm, a checkpoint go over one stretch of memory, and a parameter is
 * an offset in it. */
struct invar_weights *invar_weights_create(struct invar_device *device, const struct invar_net *net, bool gradients,
                                           struct invar_error *err)
{
    struct invar_weights *weights = invar_alloc(1, sizeof *weights, err);
    if (!weights)
        return NULL;
    size_t trained = (size_t)net->trained_count + SLACK, statistics = (size_t)net->statistic_count + SLACK;
    weights->device = device;
    weights->net = net;
    weights->parameters = invar_device_alloc(device, trained, sizeof(float), err);
    weights->statistics = invar_device_alloc(device, statistics, sizeof(float), err);
    if (gradients)
        weights->gradients = invar_device_alloc(device, trained, sizeof(float), err);
    if (weights->parameters && weights->statistics && (weights->gradients || !gradients))
        return weights;
    invar_weights_free(weights);
    return NULL;
}

/* Nets that share weights are the same layers for another size of input (local views): statistics and gradients are
 * their own, but a parameter must stand at the same offset in both. Names too: two nets whose shapes agree by chance
 * are not the same net. */
static bool same_parameter(const struct invar_parameter *a, const struct invar_parameter *b)
{
    bool same = strcmp(a->name, b->name) == 0 && a->role == b->role && a->rank == b->rank && a->offset == b->offset;

    for (int i = 0; same && i < a->rank; i++)
        same = a->shape[i] == b->shape[i];
    return same;
}

/* The first difference by name: whoever shares weights has made two nets that should be alike, and wants to know
 * where they are not. */
static bool same_parameters(const struct invar_net *a, const struct invar_net *b, struct invar_error *err)
{
    if (a->parameter_count != b->parameter_count)
        return invar_error_set(err, INVAR_ERROR_USAGE, "one net has %d parameters and the other %d", a->parameter_count,
                               b->parameter_count);
    for (int i = 0; i < a->parameter_count; i++)
        if (!same_parameter(&a->parameters[i], &b->parameters[i]))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "the parameter %s differs in name or shape between the two nets",
                                   a->parameters[i].name);
    return true;
}

/* Shared weights have gradients of their own, since a plan writes its gradients and does not add. */
struct invar_weights *invar_weights_share(const struct invar_weights *weights, const struct invar_net *net,
                                          struct invar_error *err)
{
    struct invar_weights *shared = same_parameters(weights->net, net, err) ? invar_alloc(1, sizeof *shared, err) : NULL;

    if (!shared)
        return NULL;
    shared->device = weights->device;
    shared->net = net;
    shared->parameters = weights->parameters;
    shared->shared = true;
    shared->statistics = invar_device_alloc(weights->device, (size_t)net->statistic_count + SLACK, sizeof(float), err);
    shared->gradients = invar_device_alloc(weights->device, (size_t)net->trained_count + SLACK, sizeof(float), err);
    if (shared->statistics && shared->gradients)
        return shared;
    invar_weights_free(shared);
    return NULL;
}

/* Who shares parameters is freed before their owner. */
void invar_weights_free(struct invar_weights *weights)
{
    if (!weights)
        return;
    if (!weights->shared)
        invar_device_free(weights->device, weights->parameters);
    invar_device_free(weights->device, weights->gradients);
    invar_device_free(weights->device, weights->statistics);
    invar_free(weights);
}

/* What every backend would have to refuse is refused here, once. Sizes that a plan could not hold are refused before
 * a backend sees them, in words of options and not of kernels. */
struct invar_plan *invar_plan_create(struct invar_weights *weights, const struct invar_plan_options *options,
                                     struct invar_error *err)
{
    if (options->batch < 1 || options->batch > MAX_BATCH) {
        invar_error_set(err, INVAR_ERROR_USAGE, "plan: a batch of %lld rows: expected 1 to %d",
                        (long long)options->batch, MAX_BATCH);
        return NULL;
    }
    if (options->groups < 1 || options->batch % options->groups != 0) {
        invar_error_set(err, INVAR_ERROR_USAGE, "plan: a batch of %lld rows cannot be split into %lld equal groups",
                        (long long)options->batch, (long long)options->groups);
        return NULL;
    }
    if (options->running_groups < 0 || options->running_groups > options->groups) {
        invar_error_set(err, INVAR_ERROR_USAGE, "plan: running statistics over %lld of %lld groups",
                        (long long)options->running_groups, (long long)options->groups);
        return NULL;
    }
    if (options->steps < 0 || (options->steps > 0 && options->batch % options->steps != 0)) {
        invar_error_set(err, INVAR_ERROR_USAGE, "plan: a batch of %lld rows cannot be sequences of %lld steps",
                        (long long)options->batch, (long long)options->steps);
        return NULL;
    }
    if (options->mode == INVAR_PLAN_TRAINING && !weights->gradients) {
        invar_error_set(err, INVAR_ERROR_USAGE, "plan: training needs weights with gradients");
        return NULL;
    }
    if (options->mode != INVAR_PLAN_TRAINING && options->input_gradient) {
        invar_error_set(err, INVAR_ERROR_USAGE, "plan: only a training plan gives the gradient of its input");
        return NULL;
    }
    return weights->device->backend->plan_create(weights, options, err);
}

void invar_plan_free(struct invar_plan *plan)
{
    if (plan)
        plan->device->backend->plan_free(plan);
}

bool invar_plan_forward(struct invar_plan *plan, const float *input, struct invar_error *err)
{
    if (plan->device->planning)
        return invar_error_set(err, INVAR_ERROR_USAGE, "plan: it was made for planning alone and cannot run");
    return plan->device->backend->plan_forward(plan, input, err);
}

const float *invar_plan_output(const struct invar_plan *plan)
{
    return plan->device->backend->plan_output(plan);
}

bool invar_plan_backward(struct invar_plan *plan, const float *output_gradient, struct invar_error *err)
{
    return plan->device->backend->plan_backward(plan, output_gradient, err);
}

const float *invar_plan_input_gradient(const struct invar_plan *plan)
{
    return plan->device->backend->plan_input_gradient(plan);
}

float *invar_plan_state(const struct invar_plan *plan)
{
    return plan->device->backend->plan_state(plan);
}

const char *invar_plan_find_nonfinite(struct invar_plan *plan)
{
    return plan->device->backend->plan_find_nonfinite(plan);
}

void invar_plan_memory(const struct invar_plan *plan, struct invar_plan_memory *out)
{
    plan->device->backend->plan_memory(plan, out);
}

int invar_plan_profile(const struct invar_plan *plan, struct invar_profile_entry *entries, int capacity)
{
    return plan->device->backend->plan_profile(plan, entries, capacity);
}

bool invar_device_matrix_peak(struct invar_device *device, enum invar_precision precision, int64_t n, double *flops,
                              struct invar_error *err)
{
    return device->backend->matrix_peak(device, precision, n, flops, err);
}
