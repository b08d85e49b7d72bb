/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of plans share: nets of every kind of layer, weights and data drawn for them, and runs that keep all that
   comes out. */
#ifndef INVAR_TESTS_PLANNED_H
#define INVAR_TESTS_PLANNED_H

#include "test.h"

#include "invar/device.h"
#include "invar/expert/random.h"

/* ---- nets ---- */

typedef struct invar_net *(*net_maker)(struct invar_error *err);

/** `text` is an encoder's section: "{kind: mlp, widths: [8]}". */
static inline struct invar_net *planned_encoder(const char *text, struct invar_shape input, struct invar_error *err)
{
    static const char *const ignored[] = {"kind", NULL};
    struct invar_node *node = invar_node_parse(text, strlen(text), "test", err);
    const struct invar_encoder_spec *spec =
        node ? invar_encoder_find(invar_node_text(invar_node_get(node, "kind")), err) : NULL;
    void *options = spec ? invar_alloc(1, spec->options_size, err) : NULL;
    struct invar_net *net = NULL;
    if (options) {
        invar_options_default(spec->options, options);
        if (invar_options_read(spec->options, options, node, "encoder", ignored, err))
            net = spec->build(options, input, err);
    }
    invar_free(options);
    invar_node_free(node);
    return net;
}

/** The net, or NULL (freed) where a builder failed. */
static inline struct invar_net *planned_finish(struct invar_net *net, int last)
{
    if (last >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}

static inline int planned_conv(struct invar_net *net, int from, const char *name, int64_t out, int64_t stride,
                               struct invar_error *err)
{
    return invar_net_conv2d(net, from, name, out, 3, stride, 1, true, INVAR_INIT_KAIMING_FAN_OUT, err);
}

/** Every kind of layer once, and convolutions with and without norm: conv, norm, relu, max pool, conv, relu, add,
 * average pool, flatten, linear, layer norm, relu, linear, l2-normalise. Input 3 x 10 x 8. */
static inline struct invar_net *planned_every_kind(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 3, 10, 8}, err);
    int x = invar_net_conv2d(net, 0, "conv1", 16, 3, 1, 1, false, INVAR_INIT_KAIMING_FAN_OUT, err);
    x = invar_net_relu(net, invar_net_batchnorm(net, x, "norm1", err), err);
    const int pooled = invar_net_maxpool(net, x, 3, 2, 1, err);
    x = invar_net_relu(net, planned_conv(net, pooled, "conv2", 16, 1, err), err);
    x = invar_net_add(net, x, pooled, err);
    x = invar_net_flatten(net, invar_net_avgpool(net, x, 2, err), err);
    x = invar_net_linear(net, x, "linear1", 24, true, err);
    x = invar_net_relu(net, invar_net_layernorm(net, x, "norm2", err), err);
    x = invar_net_linear(net, x, "linear2", 10, false, err);
    return planned_finish(net, invar_net_l2normalise(net, x, err));
}

/* ---- a net with weights and data ---- */

struct planned {
    struct invar_device *device; /* borrowed */
    struct invar_net *net;       /* owned */
    struct invar_weights *weights;
    int64_t batch, in_count, out_count;    /* numbers of the whole batch */
    float *input, *upstream;               /* [in_count], [out_count]: upstream is the gradient handed to backward */
    float *parameters, *statistics;        /* [trained_count], [statistic_count]: where a pass begins */
    float *device_input, *device_upstream; /* what a pass puts them into */
};

static inline int64_t planned_elements(struct invar_shape shape)
{
    return shape.channels * shape.height * shape.width;
}

static inline void planned_fill(float *x, int64_t count, uint64_t seed, uint64_t index)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, index, 0);
    for (int64_t i = 0; i < count; i++)
        x[i] = invar_random_normal(&random);
}

/** Norms get scales near one and shifts near zero, running statistics move away from where they begin: what is left out
 * of a computation shows. */
static inline void planned_weights(struct planned *p, uint64_t seed)
{
    invar_net_initialise(p->net, seed, 0, p->parameters, p->statistics);
    for (int i = 0; i < p->net->parameter_count; i++) {
        const struct invar_parameter *q = &p->net->parameters[i];
        const bool statistic = q->role == INVAR_PARAMETER_STATISTIC;
        float *x = (statistic ? p->statistics : p->parameters) + q->offset;
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 1, (uint64_t)i, 0);
        for (int64_t k = 0; k < q->count && (statistic || q->role == INVAR_PARAMETER_NORM); k++)
            x[k] += invar_random_range(&random, -0.4f, 0.4f);
    }
}

/** Takes the net over. */
static inline struct planned planned_open(struct invar_device *device, struct invar_net *net, int64_t batch,
                                          uint64_t seed)
{
    struct invar_error err = {0};
    struct planned p = {.device = device, .net = net, .batch = batch};
    assert_non_null(net);
    p.weights = invar_weights_create(device, net, true, &err);
    p.in_count = batch * planned_elements(invar_net_input(net));
    p.out_count = batch * planned_elements(invar_net_output(net));
    p.device_input = invar_device_alloc(device, (size_t)p.in_count, sizeof(float), &err);
    p.device_upstream = invar_device_alloc(device, (size_t)p.out_count, sizeof(float), &err);
    p.input = invar_alloc((size_t)p.in_count, sizeof(float), &err);
    p.upstream = invar_alloc((size_t)p.out_count, sizeof(float), &err);
    p.parameters = invar_alloc((size_t)net->trained_count + 1, sizeof(float), &err);
    p.statistics = invar_alloc((size_t)net->statistic_count + 1, sizeof(float), &err);
    if (!p.weights || !p.device_input || !p.device_upstream || !p.input || !p.upstream || !p.parameters ||
        !p.statistics)
        fail_msg("%s", err.message);
    planned_weights(&p, seed);
    planned_fill(p.input, p.in_count, seed, 1);
    planned_fill(p.upstream, p.out_count, seed, 2);
    return p;
}

static inline void planned_close(struct planned *p)
{
    invar_weights_free(p->weights);
    invar_device_free(p->device, p->device_input);
    invar_device_free(p->device, p->device_upstream);
    invar_free(p->input);
    invar_free(p->upstream);
    invar_free(p->parameters);
    invar_free(p->statistics);
    invar_net_free(p->net);
}

/* ---- runs ---- */

/** What came out of a run. */
struct outcome {
    float *output;         /* [out_count] */
    float *gradients;      /* [trained_count]; zero without a backward pass */
    float *input_gradient; /* [in_count]; zero without */
    float *statistics;     /* [statistic_count], after the pass */
};

static inline void outcome_free(struct outcome *o)
{
    invar_free(o->output);
    invar_free(o->gradients);
    invar_free(o->input_gradient);
    invar_free(o->statistics);
}

static inline void planned_upload(const struct planned *p, float *to, const float *from, int64_t count)
{
    invar_device_upload(p->device, to, from, (size_t)count * sizeof(float));
}

static inline void planned_download(const struct planned *p, float *to, const float *from, int64_t count)
{
    invar_device_download(p->device, to, from, (size_t)count * sizeof(float));
}

/** A forward pass of p's input, parameters and running statistics as they are now. */
static inline bool planned_forward(const struct planned *p, struct invar_plan *plan, struct invar_error *err)
{
    planned_upload(p, p->weights->parameters, p->parameters, p->net->trained_count);
    planned_upload(p, p->weights->statistics, p->statistics, p->net->statistic_count);
    planned_upload(p, p->device_input, p->input, p->in_count);
    return invar_plan_forward(plan, p->device_input, err);
}

static inline bool planned_backward(const struct planned *p, struct invar_plan *plan, struct invar_error *err)
{
    planned_upload(p, p->device_upstream, p->upstream, p->out_count);
    return invar_plan_backward(plan, p->device_upstream, err);
}

/** One forward pass from p->statistics on, and in training mode the backward pass. */
static inline struct outcome planned_pass(const struct planned *p, struct invar_plan *plan, bool backward)
{
    struct invar_error err = {0};
    const size_t trained = (size_t)p->net->trained_count, statistics = (size_t)p->net->statistic_count;
    struct outcome o = {
        invar_alloc((size_t)p->out_count, sizeof(float), NULL), invar_alloc(trained + 1, sizeof(float), NULL),
        invar_alloc((size_t)p->in_count, sizeof(float), NULL), invar_alloc(statistics + 1, sizeof(float), NULL)};
    assert_ok(planned_forward(p, plan, &err), &err);
    planned_download(p, o.output, invar_plan_output(plan), p->out_count);
    if (backward) {
        assert_ok(planned_backward(p, plan, &err), &err);
        planned_download(p, o.gradients, p->weights->gradients, (int64_t)trained);
        if (invar_plan_input_gradient(plan))
            planned_download(p, o.input_gradient, invar_plan_input_gradient(plan), p->in_count);
    }
    planned_download(p, o.statistics, p->weights->statistics, (int64_t)statistics);
    return o;
}

/** How the convolutions of planned_plan's plans are computed. */
static enum invar_convolution planned_convolution = INVAR_CONVOLUTION_AUTO;

static inline struct invar_plan *planned_plan(const struct planned *p, enum invar_plan_mode mode, int64_t groups,
                                              enum invar_precision precision)
{
    struct invar_error err = {0};
    const struct invar_plan_options options = {.batch = p->batch,
                                               .groups = groups,
                                               .precision = precision,
                                               .convolution = planned_convolution,
                                               .mode = mode,
                                               .input_gradient = mode == INVAR_PLAN_TRAINING};
    struct invar_plan *plan = invar_plan_create(p->weights, &options, &err);
    if (!plan)
        fail_msg("%s", err.message);
    return plan;
}

/** A plan of its own for one pass. */
static inline struct outcome planned_run(const struct planned *p, enum invar_plan_mode mode, int64_t groups,
                                         enum invar_precision precision)
{
    struct invar_plan *plan = planned_plan(p, mode, groups, precision);
    struct outcome o = planned_pass(p, plan, mode == INVAR_PLAN_TRAINING);
    invar_plan_free(plan);
    return o;
}

/* ---- comparing ---- */

/** |a - b| / |b|, Euclidean; 0 where both are zero. */
static inline double planned_error(const float *a, const float *b, int64_t count)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    return difference > 0 || isnan(difference) ? sqrt(difference / norm) : 0;
}

static inline double planned_dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

#define assert_close(a, b, count, tolerance)                                                                           \
    do {                                                                                                               \
        double planned_difference = planned_error(a, b, count);                                                        \
        if (!(planned_difference <= (tolerance)))                                                                      \
            fail_msg("%s against %s: %.3g apart, allowed %.3g", #a, #b, planned_difference, (double)(tolerance));      \
    } while (0)

#endif
