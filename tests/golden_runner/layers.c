/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: a net of the one layer (or block), its plan in float32, forward and backward with the case's dy. */
#include "golden_runner/golden.h"

#include <string.h>

static int64_t whole(struct golden_case *c, const char *option, int64_t otherwise)
{
    return (int64_t)golden_real(c, option, (double)otherwise);
}

/* ---- building; a layer called "layer" has its parameters in files without that prefix ---- */

static int64_t width_of(const struct golden_case *c, const char *name)
{
    const struct invar_array *weight = golden_input(c, name);
    return weight ? weight->shape[0] : 0;
}

static int batchnorm(struct golden_case *c, struct invar_net *net, int from, const char *name, struct invar_error *err)
{
    const int at = invar_net_batchnorm(net, from, name, err);

    if (at >= 0) {
        net->layers[at].epsilon = golden_real(c, "eps", 1e-5);
        net->layers[at].momentum = golden_real(c, "momentum", 0.1);
        golden_fixed(c, "mode", "\"training\"");
    }
    return at;
}

static int basic_block(struct golden_case *c, struct invar_net *net, struct invar_error *err)
{
    const int64_t stride = whole(c, "stride", 1), out = width_of(c, "conv1.weight");
    int x = invar_net_conv2d(net, 0, "conv1", out, 3, stride, 1, false, INVAR_INIT_KAIMING_FAN_OUT, err);
    int shortcut = 0;

    x = invar_net_relu(net, batchnorm(c, net, x, "bn1", err), err);
    x = invar_net_conv2d(net, x, "conv2", out, 3, 1, 1, false, INVAR_INIT_KAIMING_FAN_OUT, err);
    x = batchnorm(c, net, x, "bn2", err);
    if (golden_flag(c, "projection")) {
        shortcut = invar_net_conv2d(net, 0, "downsample.0", out, 1, stride, 0, false, INVAR_INIT_KAIMING_FAN_OUT, err);
        shortcut = batchnorm(c, net, shortcut, "downsample.1", err);
    }
    return invar_net_relu(net, invar_net_add(net, x, shortcut, err), err);
}

static int build(struct golden_case *c, struct invar_net *net, struct invar_error *err)
{
    const char *term = c->term;

    if (strcmp(term, "conv2d") == 0)
        return invar_net_conv2d(net, 0, "layer", width_of(c, "weight"), whole(c, "kernel", 1), whole(c, "stride", 1),
                                whole(c, "padding", 0), golden_flag(c, "bias"), INVAR_INIT_KAIMING_FAN_OUT, err);
    if (strcmp(term, "batchnorm") == 0)
        return batchnorm(c, net, 0, "layer", err);
    if (strcmp(term, "relu") == 0)
        return invar_net_relu(net, 0, err);
    if (strcmp(term, "maxpool") == 0)
        return invar_net_maxpool(net, 0, whole(c, "kernel", 1), whole(c, "stride", 1), whole(c, "padding", 0), err);
    if (strcmp(term, "gap") == 0)
        return invar_net_avgpool(net, 0, 1, err);
    if (strcmp(term, "linear") == 0)
        return invar_net_linear(net, 0, "layer", width_of(c, "weight"), golden_flag(c, "bias"), err);
    if (strcmp(term, "lstm") == 0)
        return invar_net_lstm(net, 0, "layer", width_of(c, "weight_ih_l0") / 4, err);
    golden_fixed(c, "eps", strcmp(term, "l2normalise") == 0 ? "1e-12" : "1e-5");
    if (strcmp(term, "l2normalise") == 0)
        return invar_net_l2normalise(net, 0, err);
    if (strcmp(term, "layernorm") == 0)
        return invar_net_layernorm(net, 0, "layer", err);
    return basic_block(c, net, err);
}

/* ---- running ---- */

static const char *file_of(const struct invar_parameter *p)
{
    return strncmp(p->name, "layer.", 6) == 0 ? p->name + 6 : p->name;
}

static float *vector_of(const struct invar_parameter *p, const struct invar_weights *weights)
{
    return (p->role == INVAR_PARAMETER_STATISTIC ? weights->statistics : weights->parameters) + p->offset;
}

static bool upload_parameters(struct golden_case *c, const struct invar_weights *weights)
{
    for (int i = 0; i < weights->net->parameter_count; i++) {
        const struct invar_parameter *p = &weights->net->parameters[i];
        struct invar_matrix values;
        if (!golden_matrix(c, file_of(p), &values))
            return false;
        const bool fits = values.rows * values.cols == p->count;
        if (fits)
            invar_device_upload(c->device, vector_of(p, weights), values.data, (size_t)p->count * sizeof(float));
        invar_free(values.data);
        if (!fits)
            return golden_fail(c, "%s has not the shape that the layer wants", file_of(p));
    }
    return true;
}

static bool give_device(struct golden_case *c, const char *name, bool gradient, const float *device, int64_t count,
                        struct invar_error *err)
{
    float *host = invar_alloc((size_t)count, sizeof *host, err);

    if (!host)
        return false;
    invar_device_download(c->device, host, device, (size_t)count * sizeof *host);
    golden_give_data(c, name, gradient, INVAR_FLOAT32, host, count);
    invar_free(host);
    return true;
}

static bool give_parameters(struct golden_case *c, const struct invar_weights *weights, struct invar_error *err)
{
    for (int i = 0; i < weights->net->parameter_count; i++) {
        const struct invar_parameter *p = &weights->net->parameters[i];
        const bool statistic = p->role == INVAR_PARAMETER_STATISTIC;
        if (!give_device(c, file_of(p), !statistic, (statistic ? weights->statistics : weights->gradients) + p->offset,
                         p->count, err))
            return false;
    }
    return true;
}

/* What sequences begin with, and what they end with. */
static bool give_state(struct golden_case *c, const struct invar_plan *plan, const char *name, int64_t place,
                       int64_t rows, int64_t width, bool last, struct invar_error *err)
{
    float *state = invar_plan_state(plan) + (last ? rows * 2 * width : 0);
    struct invar_matrix values = {0};
    bool ok = last || golden_matrix(c, name, &values);

    if (last)
        values.data = invar_alloc((size_t)(rows * width), sizeof(float), err);
    for (int64_t i = 0; ok && values.data && i < rows; i++) {
        float *device = state + i * 2 * width + place, *host = (float *)values.data + i * width;
        if (last)
            invar_device_download(c->device, host, device, (size_t)width * sizeof(float));
        else
            invar_device_upload(c->device, device, host, (size_t)width * sizeof(float));
    }
    ok = ok && values.data;
    if (ok && last)
        golden_give_data(c, name, false, INVAR_FLOAT32, values.data, rows * width);
    invar_free(values.data);
    return ok;
}

static bool give_states(struct golden_case *c, const struct invar_plan *plan, int64_t rows, int64_t width, bool last,
                        struct invar_error *err)
{
    if (!invar_plan_state(plan))
        return true;
    return give_state(c, plan, last ? "hn" : "h0", 0, rows, width, last, err) &&
           give_state(c, plan, last ? "cn" : "c0", width, rows, width, last, err);
}

static bool run_plan(struct golden_case *c, struct invar_weights *weights, const struct invar_matrix *x,
                     const struct invar_matrix *dy, enum invar_convolution convolution, struct invar_error *err)
{
    const struct invar_plan_options options = {.batch = x->rows,
                                               .groups = 1,
                                               .precision = INVAR_PRECISION_FLOAT32,
                                               .convolution = convolution,
                                               .mode = INVAR_PLAN_TRAINING,
                                               .steps = whole(c, "steps", 1),
                                               .input_gradient = true};
    const int64_t rows = x->rows / options.steps;
    const int64_t x_count = x->rows * x->cols, y_count = dy->rows * dy->cols;
    struct invar_plan *plan = invar_plan_create(weights, &options, err);
    float *input = invar_device_alloc(c->device, (size_t)x_count, sizeof *input, err);
    float *upstream = invar_device_alloc(c->device, (size_t)y_count, sizeof *upstream, err);
    bool ok = false;

    if (!plan || !input || !upstream)
        goto done;
    invar_device_upload(c->device, input, x->data, (size_t)x_count * sizeof *input);
    invar_device_upload(c->device, upstream, dy->data, (size_t)y_count * sizeof *upstream);
    ok = give_states(c, plan, rows, dy->cols, false, err) && invar_plan_forward(plan, input, err) &&
         give_device(c, "y", false, invar_plan_output(plan), y_count, err) &&
         give_states(c, plan, rows, dy->cols, true, err) && invar_plan_backward(plan, upstream, err) &&
         give_device(c, "x", true, invar_plan_input_gradient(plan), x_count, err) && give_parameters(c, weights, err);
done:
    invar_plan_free(plan);
    invar_device_free(c->device, input);
    invar_device_free(c->device, upstream);
    return ok;
}

static bool run_layer(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *shape = golden_input(c, "x");
    struct invar_matrix x = {0}, dy = {0};
    struct invar_net *net = NULL;
    struct invar_weights *weights = NULL;
    bool ok = false;

    golden_differentiates(c, "sum(y*dy)");
    if (!golden_matrix(c, "x", &x) || !golden_matrix(c, "dy", &dy))
        goto done;
    net = invar_net_create(shape->rank == 4 ? (struct invar_shape){3, shape->shape[1], shape->shape[2], shape->shape[3]}
                                            : (struct invar_shape){1, x.cols, 1, 1},
                           err);
    if (!net || build(c, net, err) < 0)
        goto done;
    weights = invar_weights_create(c->device, net, true, err);
    ok = weights != NULL;
    /* each way to compute a convolution, from the same parameters and running statistics */
    for (int way = INVAR_CONVOLUTION_AUTO; ok && way <= INVAR_CONVOLUTION_WINOGRAD; way++)
        ok = upload_parameters(c, weights) && run_plan(c, weights, &x, &dy, (enum invar_convolution)way, err);
done:
    invar_weights_free(weights);
    invar_net_free(net);
    invar_free(x.data);
    invar_free(dy.data);
    return ok;
}

/* the softmax of dense.h with labels as matches */
static bool run_softmax_ce(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *labels = golden_input(c, "labels");
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix logits;
    struct invar_ledger ledger;
    bool ok = false;

    golden_fixed(c, "reduction", "\"mean\"");
    golden_differentiates(c, "loss");
    if (!golden_matrix(c, "logits", &logits) || !labels || !scratch ||
        !invar_ledger_take(c->device, scratch, 1, &ledger, err))
        goto done;
    const double mean = 1 / (double)logits.rows;
    const struct invar_dense_contrast how = {.count = 1,
                                             .match = labels->data,
                                             .contrast_scale = mean,
                                             .contrast_factor = mean,
                                             .contrast_slot = invar_ledger_slot(&ledger)};
    if (!invar_dense_contrast(c->device, scratch, &how, &logits, err))
        goto done;
    invar_device_read(&ledger);
    golden_give_scalar(c, "loss", invar_ledger_value(&ledger, how.contrast_slot));
    golden_give_data(c, "logits", true, c->precision, logits.data, logits.rows * logits.cols);
    ok = true;
done:
    invar_free(logits.data);
    invar_scratch_free(scratch);
    return ok;
}

const struct golden_kind golden_layers[] = {
    {"conv2d", GOLDEN_F32, run_layer},
    {"batchnorm", GOLDEN_F32, run_layer},
    {"relu", GOLDEN_F32, run_layer},
    {"maxpool", GOLDEN_F32, run_layer},
    {"gap", GOLDEN_F32, run_layer},
    {"linear", GOLDEN_F32, run_layer},
    {"l2normalise", GOLDEN_F32, run_layer},
    {"layernorm", GOLDEN_F32, run_layer},
    {"basic_block", GOLDEN_F32, run_layer},
    {"lstm", GOLDEN_F32, run_layer},
    {"softmax_ce", GOLDEN_F32 | GOLDEN_F64, run_softmax_ce},
    {0},
};
