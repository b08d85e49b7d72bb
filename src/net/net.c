/* SPDX-License-Identifier: Apache-2.0 */
/* The graph of a net: layers with shapes, named parameters, counts and initial values. */
#include "invar/expert/net.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_SIDE 65536
#define MAX_CHANNELS ((int64_t)1 << 24)
#define MAX_ELEMENTS ((int64_t)1 << 40)

/* Do these sizes, each at least 1, multiply to at most MAX_ELEMENTS? */
static bool product(const int64_t *sizes, int count, int64_t *out)
{
    *out = 1;
    for (int i = 0; i < count; i++)
        if (sizes[i] < 1 || __builtin_mul_overflow(*out, sizes[i], out) || *out > MAX_ELEMENTS)
            return false;
    return true;
}

static int layer_add(struct invar_net *net, enum invar_layer_kind kind, const char *name, int from,
                     struct invar_error *err)
{
    if (from < -1 || from >= net->layer_count) {
        invar_error_set(err, INVAR_ERROR_USAGE, "layer %d: there is no layer %d to read from", net->layer_count, from);
        return -1;
    }
    void *layers = net->layers;
    if (!invar_grow(&layers, net->layer_count, &net->layer_capacity, sizeof *net->layers, err))
        return -1;
    net->layers = layers;
    struct invar_layer *layer = &net->layers[net->layer_count];
    *layer = (struct invar_layer){.kind = kind, .input = {from, -1}, .parameter = {-1, -1, -1, -1}};
    if (from >= 0)
        layer->shape = net->layers[from].shape;
    if (name)
        snprintf(layer->name, sizeof layer->name, "%s", name);
    else
        snprintf(layer->name, sizeof layer->name, "layer %d", net->layer_count);
    return net->layer_count++;
}

static int parameter_add(struct invar_net *net, const char *prefix, const char *suffix, enum invar_parameter_role role,
                         enum invar_init init, int rank, const int64_t *shape, int64_t fan_in, struct invar_error *err)
{
    void *parameters = net->parameters;
    if (!invar_grow(&parameters, net->parameter_count, &net->parameter_capacity, sizeof *net->parameters, err))
        return -1;
    net->parameters = parameters;
    struct invar_parameter *parameter = &net->parameters[net->parameter_count];
    *parameter = (struct invar_parameter){.role = role, .init = init, .rank = rank, .fan_in = fan_in};
    int written = snprintf(parameter->name, sizeof parameter->name, "%s.%s", prefix, suffix);
    if (written < 0 || (size_t)written >= sizeof parameter->name) {
        invar_error_set(err, INVAR_ERROR_USAGE, "parameter name %s.%s is too long", prefix, suffix);
        return -1;
    }
    for (int i = 0; i < rank; i++)
        parameter->shape[i] = shape[i];
    int64_t *total = role == INVAR_PARAMETER_STATISTIC ? &net->statistic_count : &net->trained_count;
    if (!product(shape, rank, &parameter->count) || parameter->count > MAX_ELEMENTS - *total) {
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: the net has more than 2^40 parameters; choose smaller widths",
                        parameter->name);
        return -1;
    }
    parameter->offset = *total;
    *total += parameter->count;
    return net->parameter_count++;
}

struct invar_net *invar_net_create(struct invar_shape input, struct invar_error *err)
{
    if (input.rank == 1)
        input.height = input.width = 1;
    const int64_t sizes[] = {input.channels, input.height, input.width};
    int64_t elements;
    if ((input.rank != 1 && input.rank != 3) || input.height > MAX_SIDE || input.width > MAX_SIDE ||
        input.channels > MAX_CHANNELS || !product(sizes, 3, &elements)) {
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "input of rank %d, %lld x %lld x %lld: expected rank 1 (channels) or 3 (channels x height x "
                        "width), each at least 1, sides up to %d, at most 2^24 channels and 2^40 numbers in all",
                        input.rank, (long long)input.channels, (long long)input.height, (long long)input.width,
                        MAX_SIDE);
        return NULL;
    }
    struct invar_net *net = invar_alloc(1, sizeof *net, err);
    if (!net)
        return NULL;
    if (layer_add(net, INVAR_LAYER_INPUT, "input", -1, err) < 0) {
        invar_net_free(net);
        return NULL;
    }
    net->layers[0].shape = input;
    return net;
}

void invar_net_free(struct invar_net *net)
{
    if (!net)
        return;
    invar_free(net->layers);
    invar_free(net->parameters);
    invar_free(net);
}

static int64_t window_count(int64_t side, int64_t kernel, int64_t stride, int64_t padding)
{
    int64_t room = side + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

static bool has_sides(const struct invar_layer *layer, struct invar_error *err)
{
    return layer->shape.rank == 3 ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "layer %s: expected an input with height and width, and it has %lld numbers a sample: for "
                           "rows of a table encoder.kind is mlp",
                           layer->name, (long long)layer->shape.channels);
}

/* Output size of a sliding window; refuses a window that does not fit. */
static bool window_shape(struct invar_layer *layer, struct invar_error *err)
{
    if (!has_sides(layer, err))
        return false;
    if (layer->kernel < 1 || layer->kernel > MAX_SIDE || layer->stride < 1 || layer->padding < 0 ||
        layer->padding >= layer->kernel)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "layer %s: kernel %lld, stride %lld, padding %lld: expected a kernel and a stride of at "
                               "least 1, and a padding from 0 to below the kernel",
                               layer->name, (long long)layer->kernel, (long long)layer->stride,
                               (long long)layer->padding);
    int64_t height = window_count(layer->shape.height, layer->kernel, layer->stride, layer->padding);
    int64_t width = window_count(layer->shape.width, layer->kernel, layer->stride, layer->padding);
    if (height < 1 || width < 1)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "layer %s: a window of %lld does not fit an input of %lld x %lld; use larger images or a "
            "net with fewer strides",
            layer->name, (long long)layer->kernel, (long long)layer->shape.height, (long long)layer->shape.width);
    layer->shape.height = height;
    layer->shape.width = width;
    return true;
}

/* Sets the channels of a layer's output. */
static bool set_channels(struct invar_layer *layer, int64_t channels, struct invar_error *err)
{
    const int64_t sizes[] = {channels, layer->shape.height, layer->shape.width};
    int64_t elements;
    if (channels > MAX_CHANNELS || !product(sizes, 3, &elements))
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "layer %s: an output of %lld x %lld x %lld: expected 1 to 2^24 channels and at most 2^40 "
            "numbers in all",
            layer->name, (long long)channels, (long long)layer->shape.height, (long long)layer->shape.width);
    layer->shape.channels = channels;
    return true;
}

/* Weight (of that rank and shape) and, where asked, bias of a convolution or linear layer. */
static bool weight_parameters(struct invar_net *net, struct invar_layer *layer, const char *name, int rank,
                              const int64_t *shape, int64_t fan_in, bool bias, enum invar_init init,
                              struct invar_error *err)
{
    layer->parameter[0] = parameter_add(net, name, "weight", INVAR_PARAMETER_WEIGHT, init, rank, shape, fan_in, err);
    if (layer->parameter[0] < 0)
        return false;
    if (bias)
        layer->parameter[1] =
            parameter_add(net, name, "bias", INVAR_PARAMETER_BIAS, INVAR_INIT_TORCH_LINEAR, 1, shape, fan_in, err);
    return !bias || layer->parameter[1] >= 0;
}

int invar_net_conv2d(struct invar_net *net, int from, const char *name, int64_t out, int64_t kernel, int64_t stride,
                     int64_t padding, bool bias, enum invar_init init, struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, INVAR_LAYER_CONV2D, name, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    int64_t in = layer->shape.channels;
    layer->kernel = kernel;
    layer->stride = stride;
    layer->padding = padding;
    if (!window_shape(layer, err) || !set_channels(layer, out, err))
        return -1;
    int64_t shape[] = {out, in, kernel, kernel};
    return weight_parameters(net, layer, name, 4, shape, in * kernel * kernel, bias, init, err) ? number : -1;
}

/* weight 1 and bias 0 of a norm over `channels`. */
static bool norm_parameters(struct invar_net *net, struct invar_layer *layer, const char *name, int64_t channels,
                            struct invar_error *err)
{
    layer->parameter[0] =
        parameter_add(net, name, "weight", INVAR_PARAMETER_NORM, INVAR_INIT_ONE, 1, &channels, channels, err);
    layer->parameter[1] =
        parameter_add(net, name, "bias", INVAR_PARAMETER_NORM, INVAR_INIT_ZERO, 1, &channels, channels, err);
    layer->epsilon = 1e-5;
    return layer->parameter[0] >= 0 && layer->parameter[1] >= 0;
}

int invar_net_batchnorm(struct invar_net *net, int from, const char *name, struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, INVAR_LAYER_BATCHNORM, name, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    int64_t channels = layer->shape.channels;
    if (!norm_parameters(net, layer, name, channels, err))
        return -1;
    layer->parameter[2] = parameter_add(net, name, "running_mean", INVAR_PARAMETER_STATISTIC, INVAR_INIT_ZERO, 1,
                                        &channels, channels, err);
    layer->parameter[3] =
        parameter_add(net, name, "running_var", INVAR_PARAMETER_STATISTIC, INVAR_INIT_ONE, 1, &channels, channels, err);
    layer->momentum = 0.1;
    return layer->parameter[2] >= 0 && layer->parameter[3] >= 0 ? number : -1;
}

int invar_net_relu(struct invar_net *net, int from, struct invar_error *err)
{
    return from < 0 ? -1 : layer_add(net, INVAR_LAYER_RELU, NULL, from, err);
}

int invar_net_maxpool(struct invar_net *net, int from, int64_t kernel, int64_t stride, int64_t padding,
                      struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, INVAR_LAYER_MAXPOOL, NULL, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    layer->kernel = kernel;
    layer->stride = stride;
    layer->padding = padding;
    return window_shape(layer, err) ? number : -1;
}

int invar_net_avgpool(struct invar_net *net, int from, int64_t side, struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, INVAR_LAYER_AVGPOOL, NULL, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    if (!has_sides(layer, err))
        return -1;
    if (side < 1 || layer->shape.height < side || layer->shape.width < side) {
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "average pool to %lld x %lld: the map is only %lld x %lld; choose a smaller pool or larger "
                        "images",
                        (long long)side, (long long)side, (long long)layer->shape.height,
                        (long long)layer->shape.width);
        return -1;
    }
    layer->shape.height = layer->shape.width = side;
    return number;
}

int invar_net_linear(struct invar_net *net, int from, const char *name, int64_t out, bool bias, struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, INVAR_LAYER_LINEAR, name, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    int64_t in = layer->shape.channels;
    if (layer->shape.rank != 1) {
        invar_error_set(err, INVAR_ERROR_USAGE, "layer %s: a linear layer reads vectors; flatten the map first", name);
        return -1;
    }
    if (!set_channels(layer, out, err))
        return -1;
    int64_t shape[] = {out, in};
    return weight_parameters(net, layer, name, 2, shape, in, bias, INVAR_INIT_TORCH_LINEAR, err) ? number : -1;
}

int invar_net_add(struct invar_net *net, int a, int b, struct invar_error *err)
{
    if (a < 0 || b < 0)
        return -1;
    if (b >= net->layer_count) {
        invar_error_set(err, INVAR_ERROR_USAGE, "layer %d: there is no layer %d to read from", net->layer_count, b);
        return -1;
    }
    int number = layer_add(net, INVAR_LAYER_ADD, NULL, a, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    const struct invar_shape *other = &net->layers[b].shape;
    layer->input[1] = b;
    if (other->rank != layer->shape.rank || other->channels != layer->shape.channels ||
        other->height != layer->shape.height || other->width != layer->shape.width) {
        invar_error_set(err, INVAR_ERROR_USAGE, "layer %s: the two summands differ in shape", layer->name);
        return -1;
    }
    return number;
}

int invar_net_flatten(struct invar_net *net, int from, struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, INVAR_LAYER_FLATTEN, NULL, from, err);
    if (number < 0)
        return -1;
    struct invar_shape *shape = &net->layers[number].shape;
    *shape = (struct invar_shape){1, shape->channels * shape->height * shape->width, 1, 1};
    return number;
}

static int vector_layer(struct invar_net *net, enum invar_layer_kind kind, const char *name, int from,
                        struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, kind, name, from, err);
    if (number < 0 || net->layers[number].shape.rank == 1)
        return number;
    invar_error_set(err, INVAR_ERROR_USAGE, "l2-normalise and layer norm read vectors; flatten the map first");
    return -1;
}

int invar_net_l2normalise(struct invar_net *net, int from, struct invar_error *err)
{
    return vector_layer(net, INVAR_LAYER_L2NORMALISE, NULL, from, err);
}

int invar_net_layernorm(struct invar_net *net, int from, const char *name, struct invar_error *err)
{
    int number = vector_layer(net, INVAR_LAYER_LAYERNORM, name, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    return norm_parameters(net, layer, name, layer->shape.channels, err) ? number : -1;
}

int invar_net_upsample(struct invar_net *net, int from, int64_t height, int64_t width, struct invar_error *err)
{
    int number = from < 0 ? -1 : layer_add(net, INVAR_LAYER_UPSAMPLE, NULL, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    const struct invar_shape in = layer->shape;
    if (in.rank != 3 || height < in.height || width < in.width || height > MAX_SIDE || width > MAX_SIDE) {
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "layer %s: a map of %lld x %lld cannot be enlarged to %lld x %lld: expected sides of at least "
                        "its own, up to %d",
                        layer->name, (long long)in.height, (long long)in.width, (long long)height, (long long)width,
                        MAX_SIDE);
        return -1;
    }
    layer->shape.height = height;
    layer->shape.width = width;
    return set_channels(layer, in.channels, err) ? number : -1;
}

/* Vectors of four gates a unit; both biases, though one would do, since torch has both. */
int invar_net_lstm(struct invar_net *net, int from, const char *name, int64_t hidden, struct invar_error *err)
{
    static const char *const suffix[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
    int number = vector_layer(net, INVAR_LAYER_LSTM, name, from, err);
    if (number < 0)
        return -1;
    struct invar_layer *layer = &net->layers[number];
    const int64_t width[] = {layer->shape.channels, hidden, 1, 1};
    if (!set_channels(layer, hidden, err))
        return -1;
    for (int i = 0; i < 4; i++) {
        const int64_t shape[] = {4 * hidden, width[i]};
        layer->parameter[i] = parameter_add(net, name, suffix[i], i < 2 ? INVAR_PARAMETER_WEIGHT : INVAR_PARAMETER_BIAS,
                                            INVAR_INIT_TORCH_LINEAR, i < 2 ? 2 : 1, shape, hidden, err);
        if (layer->parameter[i] < 0)
            return -1;
    }
    return number;
}

int64_t invar_net_state(const struct invar_net *net)
{
    int64_t numbers = 0;
    for (int i = 0; i < net->layer_count; i++)
        numbers += net->layers[i].kind == INVAR_LAYER_LSTM ? 2 * net->layers[i].shape.channels : 0;
    return numbers;
}

int invar_net_duel(struct invar_net *net, int value, int advantages, struct invar_error *err)
{
    int number = value < 0 ? -1 : vector_layer(net, INVAR_LAYER_DUEL, NULL, advantages, err);
    if (number < 0)
        return -1;
    if (value >= net->layer_count || net->layers[value].shape.rank != 1 || net->layers[value].shape.channels != 1) {
        invar_error_set(err, INVAR_ERROR_USAGE, "layer %s: the value of a state is expected to be one number",
                        net->layers[number].name);
        return -1;
    }
    net->layers[number].input[1] = value;
    return number;
}

struct invar_shape invar_net_output(const struct invar_net *net)
{
    return net->layers[net->layer_count - 1].shape;
}

struct invar_shape invar_net_input(const struct invar_net *net)
{
    return net->layers[0].shape;
}

int64_t invar_net_operations(const struct invar_net *net)
{
    int64_t total = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct invar_layer *layer = &net->layers[i];
        if (layer->kind == INVAR_LAYER_LSTM)
            total += net->parameters[layer->parameter[0]].count + net->parameters[layer->parameter[1]].count;
        if (layer->kind == INVAR_LAYER_CONV2D || layer->kind == INVAR_LAYER_LINEAR)
            total += net->parameters[layer->parameter[0]].count * layer->shape.height * layer->shape.width;
    }
    return total;
}

int64_t invar_net_winograd_operations(const struct invar_net *net)
{
    int64_t total = invar_net_operations(net);
    for (int i = 0; i < net->layer_count; i++) {
        const struct invar_layer *layer = &net->layers[i];
        if (layer->kind != INVAR_LAYER_CONV2D || layer->kernel != 3 || layer->stride != 1)
            continue;
        const int64_t pairs = net->parameters[layer->parameter[0]].count / 9;
        const int64_t direct = 9 * layer->shape.height * layer->shape.width;
        const int64_t tiles = ((layer->shape.height + 3) / 4) * ((layer->shape.width + 3) / 4);
        if (36 * tiles < direct)
            total -= pairs * (direct - 36 * tiles);
    }
    return total;
}

static void parameter_initialise(const struct invar_parameter *parameter, struct invar_random random, float *values)
{
    double fan_out = (double)parameter->shape[0];
    for (int i = 2; i < parameter->rank; i++)
        fan_out *= (double)parameter->shape[i];
    float bound = (float)(1.0 / sqrt((double)parameter->fan_in));
    float xavier = (float)sqrt(6.0 / ((double)parameter->fan_in + fan_out));
    float deviation = (float)sqrt(2.0 / fan_out);
    for (int64_t i = 0; i < parameter->count; i++) {
        switch (parameter->init) {
        case INVAR_INIT_ZERO:
            values[i] = 0.0f;
            break;
        case INVAR_INIT_ONE:
            values[i] = 1.0f;
            break;
        case INVAR_INIT_KAIMING_FAN_OUT:
            values[i] = deviation * invar_random_normal(&random);
            break;
        case INVAR_INIT_TORCH_LINEAR:
            values[i] = invar_random_range(&random, -bound, bound);
            break;
        case INVAR_INIT_XAVIER_UNIFORM:
            values[i] = invar_random_range(&random, -xavier, xavier);
            break;
        }
    }
}

void invar_net_initialise(const struct invar_net *net, uint64_t seed, uint64_t stream, float *parameters,
                          float *statistics)
{
    for (int i = 0; i < net->parameter_count; i++) {
        const struct invar_parameter *parameter = &net->parameters[i];
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_INIT, 0, (stream << 32) | (uint64_t)i, 0);
        float *base = parameter->role == INVAR_PARAMETER_STATISTIC ? statistics : parameters;
        parameter_initialise(parameter, random, base + parameter->offset);
    }
}
