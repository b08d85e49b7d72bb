/* SPDX-License-Identifier: Apache-2.0 */
/* Layers in C: functions, constants with the batch norms in them, and calls. */
#include "export/source.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

static const char convolution[] =
    "\nstatic void convolution(const float *in, float *out, const float *weight, const float *bias, int channels,\n"
    "                        int height, int width, int features, int kernel, int stride, int padding, int rows,\n"
    "                        int columns)\n{\n"
    "    for (int f = 0; f < features; f++)\n"
    "        for (int y = 0; y < rows; y++)\n"
    "            for (int x = 0; x < columns; x++) {\n"
    "                float sum = bias[f];\n"
    "                for (int c = 0; c < channels; c++)\n"
    "                    for (int i = 0; i < kernel; i++) {\n"
    "                        const int v = y * stride + i - padding;\n"
    "                        for (int j = 0; j < kernel; j++) {\n"
    "                            const int u = x * stride + j - padding;\n"
    "                            if (v >= 0 && v < height && u >= 0 && u < width)\n"
    "                                sum += in[(c * height + v) * width + u] *\n"
    "                                       weight[((f * channels + c) * kernel + i) * kernel + j];\n"
    "                        }\n"
    "                    }\n"
    "                out[(f * rows + y) * columns + x] = sum;\n"
    "            }\n"
    "}\n";

static const char linear[] =
    "\nstatic void linear(const float *in, float *out, const float *weight, const float *bias, int numbers,\n"
    "                   int features)\n{\n"
    "    for (int f = 0; f < features; f++) {\n"
    "        float sum = bias[f];\n"
    "        for (int c = 0; c < numbers; c++)\n"
    "            sum += in[c] * weight[f * numbers + c];\n"
    "        out[f] = sum;\n"
    "    }\n"
    "}\n";

static const char relu[] = "\nstatic void relu(const float *in, float *out, int count)\n{\n"
                           "    for (int i = 0; i < count; i++)\n"
                           "        out[i] = in[i] > 0 ? in[i] : 0;\n"
                           "}\n";

static const char add[] = "\nstatic void add(const float *a, const float *b, float *out, int count)\n{\n"
                          "    for (int i = 0; i < count; i++)\n"
                          "        out[i] = a[i] + b[i];\n"
                          "}\n";

static const char maxpool[] =
    "\nstatic void max_pool(const float *in, float *out, int channels, int height, int width, int kernel, int stride,\n"
    "                     int padding, int rows, int columns)\n{\n"
    "    for (int c = 0; c < channels; c++)\n"
    "        for (int y = 0; y < rows; y++)\n"
    "            for (int x = 0; x < columns; x++) {\n"
    "                float most = -3.4e38f;\n"
    "                for (int i = 0; i < kernel; i++) {\n"
    "                    const int v = y * stride + i - padding;\n"
    "                    for (int j = 0; j < kernel; j++) {\n"
    "                        const int u = x * stride + j - padding;\n"
    "                        if (v >= 0 && v < height && u >= 0 && u < width &&\n"
    "                            in[(c * height + v) * width + u] > most)\n"
    "                            most = in[(c * height + v) * width + u];\n"
    "                    }\n"
    "                }\n"
    "                out[(c * rows + y) * columns + x] = most;\n"
    "            }\n"
    "}\n";

static const char avgpool[] =
    "\nstatic void average_pool(const float *in, float *out, int channels, int height, int width, int side)\n{\n"
    "    const int down = height / side, tall = height - (side - 1) * down;\n"
    "    const int right = width / side, wide = width - (side - 1) * right;\n"
    "    for (int c = 0; c < channels; c++)\n"
    "        for (int y = 0; y < side; y++)\n"
    "            for (int x = 0; x < side; x++) {\n"
    "                float sum = 0;\n"
    "                for (int i = 0; i < tall; i++)\n"
    "                    for (int j = 0; j < wide; j++)\n"
    "                        sum += in[(c * height + y * down + i) * width + x * right + j];\n"
    "                out[(c * side + y) * side + x] = sum / (float)(tall * wide);\n"
    "            }\n"
    "}\n";

bool source_functions(struct source *s)
{
    static const char *const functions[INVAR_LAYER_COUNT] = {
        [INVAR_LAYER_CONV2D] = convolution, [INVAR_LAYER_LINEAR] = linear,
        [INVAR_LAYER_RELU] = relu,          [INVAR_LAYER_ADD] = add,
        [INVAR_LAYER_MAXPOOL] = maxpool,    [INVAR_LAYER_AVGPOOL] = avgpool};
    bool ok = true;

    for (int kind = 0; ok && kind < INVAR_LAYER_COUNT; kind++)
        if (s->used[kind] && functions[kind])
            ok = source_say(s, "%s", functions[kind]);
    return ok;
}

static const float *parameter_of(const struct source *s, const struct invar_layer *layer, int which)
{
    if (layer->parameter[which] < 0)
        return NULL;
    const struct invar_parameter *p = &s->encoder->net->parameters[layer->parameter[which]];
    return (p->role == INVAR_PARAMETER_STATISTIC ? s->encoder->statistics : s->encoder->parameters) + p->offset;
}

/* The batch norm that alone reads a layer, or NULL. */
static const struct invar_layer *norm_behind(const struct source *s, int layer)
{
    const struct invar_net *net = s->encoder->net;

    for (int i = layer + 1; i < net->layer_count; i++)
        if (net->layers[i].kind == INVAR_LAYER_BATCHNORM && net->layers[i].input[0] == layer)
            return &net->layers[i];
    return NULL;
}

/* weightN and biasN of a convolution or linear layer, with the norm behind it. */
static bool write_weights(struct source *s, int number, float *weight, float *bias)
{
    const struct invar_layer *layer = &s->encoder->net->layers[number], *norm = norm_behind(s, number);
    const struct invar_parameter *p = &s->encoder->net->parameters[layer->parameter[0]];
    const float *own = parameter_of(s, layer, 0), *own_bias = parameter_of(s, layer, 1);
    const int64_t features = p->shape[0], each = p->count / features;

    for (int64_t f = 0; f < features; f++) {
        double scale = 1, shift = own_bias ? (double)own_bias[f] : 0;
        if (norm) {
            scale = (double)parameter_of(s, norm, 0)[f] / sqrt((double)parameter_of(s, norm, 3)[f] + norm->epsilon);
            shift = (shift - (double)parameter_of(s, norm, 2)[f]) * scale + (double)parameter_of(s, norm, 1)[f];
        }
        bias[f] = (float)shift;
        for (int64_t i = 0; i < each; i++)
            weight[f * each + i] = (float)((double)own[f * each + i] * scale);
    }
    return source_floats(s, "weight", number, weight, p->count) && source_floats(s, "bias", number, bias, features);
}

bool source_weights(struct source *s)
{
    const struct invar_net *net = s->encoder->net;
    bool ok = true;

    for (int i = 1; ok && i < net->layer_count; i++) {
        const struct invar_layer *layer = &net->layers[i];
        if (layer->kind != INVAR_LAYER_CONV2D && layer->kind != INVAR_LAYER_LINEAR)
            continue;
        const struct invar_parameter *p = &net->parameters[layer->parameter[0]];
        float *weight = invar_alloc((size_t)p->count, sizeof *weight, s->err);
        float *bias = invar_alloc((size_t)p->shape[0], sizeof *bias, s->err);
        ok = weight && bias && write_weights(s, i, weight, bias);
        invar_free(weight);
        invar_free(bias);
    }
    return ok;
}

/* Where the output of a layer is. */
static const char *place_of(const struct source *s, int layer, char out[40])
{
    const int owner = s->plan.owner[layer], last = s->plan.owner[s->encoder->net->layer_count - 1];

    if (s->plan.offset[owner] >= 0)
        snprintf(out, 40, "work + %lld", (long long)s->plan.offset[owner]);
    else
        snprintf(out, 40, "%s", owner == last ? "representation" : s->input.name);
    return out;
}

static bool write_call(struct source *s, int number)
{
    const struct invar_layer *layer = &s->encoder->net->layers[number];
    const struct invar_shape in = s->encoder->net->layers[layer->input[0]].shape, out = layer->shape;
    char from[40], to[40], other[40];
    const long long channels = in.channels, height = in.height, width = in.width, rows = out.height, cols = out.width;

    place_of(s, layer->input[0], from);
    place_of(s, number, to);
    switch (layer->kind) {
    case INVAR_LAYER_CONV2D:
        return source_say(
            s, "    convolution(%s, %s, weight%d, bias%d, %lld, %lld, %lld, %lld, %lld, %lld, %lld, %lld, %lld);\n",
            from, to, number, number, channels, height, width, (long long)out.channels, (long long)layer->kernel,
            (long long)layer->stride, (long long)layer->padding, rows, cols);
    case INVAR_LAYER_LINEAR:
        return source_say(s, "    linear(%s, %s, weight%d, bias%d, %lld, %lld);\n", from, to, number, number, channels,
                          (long long)out.channels);
    case INVAR_LAYER_RELU:
        return source_say(s, "    relu(%s, %s, %lld);\n", from, to, (long long)memory_plan_count(out));
    case INVAR_LAYER_ADD:
        return source_say(s, "    add(%s, %s, %s, %lld);\n", from, place_of(s, layer->input[1], other), to,
                          (long long)memory_plan_count(out));
    case INVAR_LAYER_MAXPOOL:
        return source_say(s, "    max_pool(%s, %s, %lld, %lld, %lld, %lld, %lld, %lld, %lld, %lld);\n", from, to,
                          channels, height, width, (long long)layer->kernel, (long long)layer->stride,
                          (long long)layer->padding, rows, cols);
    case INVAR_LAYER_AVGPOOL:
        return source_say(s, "    average_pool(%s, %s, %lld, %lld, %lld, %lld);\n", from, to, channels, height, width,
                          rows);
    default: /* batch norms are in the weights, flattening moves nothing */
        return true;
    }
}

bool source_calls(struct source *s)
{
    bool ok = true;

    for (int i = 1; ok && i < s->encoder->net->layer_count; i++)
        ok = write_call(s, i);
    return ok;
}
