/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder as an ONNX model (opset 17): one node a layer, the batch free, and before them what makes its input. */
#include "export/export.h"
#include "export/onnx_graph.h"
#include "export/onnx_table.h"
#include "invar/memory.h"

#include <string.h>

/* The name of what a layer gives. */
static const char *value_of(struct onnx *onnx, const struct invar_net *net, int layer)
{
    return layer == net->layer_count - 1 ? "representation" : onnx_text(onnx, "value%d", layer);
}

/* The parameters of a layer, whose number is returned, as constants under their own names. */
static int add_parameters(struct onnx *onnx, const struct invar_encoder *encoder, const struct invar_layer *layer,
                          const char **names)
{
    int count = 0;

    for (int k = 0; k < 4 && layer->parameter[k] >= 0; k++) {
        const struct invar_parameter *p = &encoder->net->parameters[layer->parameter[k]];
        const float *base = p->role == INVAR_PARAMETER_STATISTIC ? encoder->statistics : encoder->parameters;
        names[count++] = onnx_constant(onnx, p->name, ONNX_FLOAT32, p->rank, p->shape, base + p->offset);
    }
    return count;
}

static void set_window(struct onnx *onnx, struct onnx_node *node, const struct invar_layer *layer)
{
    onnx_integers(onnx, node, "kernel_shape", 2, (int64_t[]){layer->kernel, layer->kernel});
    onnx_integers(onnx, node, "strides", 2, (int64_t[]){layer->stride, layer->stride});
    onnx_integers(onnx, node, "pads", 4, (int64_t[]){layer->padding, layer->padding, layer->padding, layer->padding});
}

/* To side x side: windows of one size, as invar_net_avgpool has them. */
static void set_pool(struct onnx *onnx, struct onnx_node *node, struct invar_shape in, int64_t side)
{
    const int64_t down = in.height / side, right = in.width / side;

    onnx_integers(onnx, node, "kernel_shape", 2,
                  (int64_t[]){in.height - (side - 1) * down, in.width - (side - 1) * right});
    onnx_integers(onnx, node, "strides", 2, (int64_t[]){down, right});
}

static bool add_layer(struct onnx *onnx, const struct invar_encoder *encoder, int number, const char *const *values,
                      struct invar_error *err)
{
    static const char *const operators[INVAR_LAYER_COUNT] = {[INVAR_LAYER_CONV2D] = "Conv",
                                                             [INVAR_LAYER_BATCHNORM] = "BatchNormalization",
                                                             [INVAR_LAYER_RELU] = "Relu",
                                                             [INVAR_LAYER_MAXPOOL] = "MaxPool",
                                                             [INVAR_LAYER_AVGPOOL] = "AveragePool",
                                                             [INVAR_LAYER_LINEAR] = "Gemm",
                                                             [INVAR_LAYER_ADD] = "Add",
                                                             [INVAR_LAYER_FLATTEN] = "Flatten"};
    const struct invar_layer *layer = &encoder->net->layers[number];
    const char *inputs[7] = {values[layer->input[0]]};

    if (!operators[layer->kind])
        return export_refuse_layer(layer, "ONNX", err);
    if (layer->kind == INVAR_LAYER_ADD)
        inputs[1] = values[layer->input[1]];
    else
        add_parameters(onnx, encoder, layer, &inputs[1]);
    struct onnx_node *node = onnx_node(onnx, operators[layer->kind], values[number], inputs);
    if (layer->kind == INVAR_LAYER_CONV2D || layer->kind == INVAR_LAYER_MAXPOOL)
        set_window(onnx, node, layer);
    if (layer->kind == INVAR_LAYER_AVGPOOL)
        set_pool(onnx, node, encoder->net->layers[layer->input[0]].shape, layer->shape.height);
    if (layer->kind == INVAR_LAYER_LINEAR)
        onnx_integer(onnx, node, "transB", 1);
    if (layer->kind == INVAR_LAYER_BATCHNORM)
        onnx_real(onnx, node, "epsilon", (float)layer->epsilon);
    return true;
}

/* Maps as programs have them, values 0 to 1, become what the net takes. */
static const char *standardise(struct onnx *onnx, const struct invar_encoder *encoder, const char *input,
                               int64_t channels)
{
    const int64_t shape[] = {1, channels, 1, 1};

    onnx_constant(onnx, "mean", ONNX_FLOAT32, 4, shape, encoder->mean);
    onnx_constant(onnx, "deviation", ONNX_FLOAT32, 4, shape, encoder->deviation);
    onnx_node(onnx, "Sub", "centred", (const char *const[]){input, "mean", NULL});
    onnx_node(onnx, "Div", "standardised", (const char *const[]){"centred", "deviation", NULL});
    return "standardised";
}

static const char *add_input(struct onnx *onnx, const struct export_input *input, const struct invar_encoder *encoder)
{
    const int64_t shape[] = {0, input->shape.channels, input->shape.height, input->shape.width};

    if (input->schema)
        return onnx_table(onnx, input);
    onnx_value(onnx, false, input->name, ONNX_FLOAT32, input->shape.rank + 1, shape);
    return export_standardises(input) ? standardise(onnx, encoder, input->name, shape[1]) : input->name;
}

static bool build(struct onnx *onnx, const struct export_input *input, const struct invar_encoder *encoder,
                  struct invar_error *err)
{
    const struct invar_net *net = encoder->net;
    const char **values = invar_alloc((size_t)net->layer_count, sizeof *values, err);
    bool ok = values != NULL;

    if (ok)
        values[0] = add_input(onnx, input, encoder);
    for (int i = 1; ok && i < net->layer_count; i++) {
        values[i] = value_of(onnx, net, i);
        ok = values[i] && add_layer(onnx, encoder, i, values, err);
    }
    invar_free(values);
    onnx_value(onnx, true, "representation", ONNX_FLOAT32, 2, (int64_t[]){0, input->features});
    onnx_metadata(onnx, "architecture", encoder->kind);
    return ok;
}

bool export_onnx_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err)
{
    struct export_input input = {0};
    struct onnx *onnx = onnx_create(encoder->kind, err);
    const bool ok = onnx && export_input_open(&input, encoder, err) && build(onnx, &input, encoder, err) &&
                    onnx_write(onnx, path, err);

    onnx_free(onnx);
    export_input_close(&input);
    return ok;
}
