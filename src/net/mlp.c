/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-layer perceptrons: the encoder for vectors, and the heads (projector, predictor). */
#include "net/encoder.h"

#include <stdio.h>

struct mlp_options {
    struct invar_int_list widths;
};

static const struct invar_option mlp_options[] = {{"widths", INVAR_OPTION_INT_LIST,
                                                   offsetof(struct mlp_options, widths), "[256, 256, 256]", 1, 65536,
                                                   NULL, "width of each layer; batch norm and ReLU after every one"},
                                                  {0}};

/* One layer of an MLP, named N.linear and N.norm by its number. */
static int mlp_layer(struct invar_net *net, int from, int number, int64_t width, bool bias, bool norm, bool relu,
                     struct invar_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "%d.linear", number);
    int at = invar_net_linear(net, from, name, width, bias, err);
    if (norm) {
        snprintf(name, sizeof name, "%d.norm", number);
        at = invar_net_batchnorm(net, at, name, err);
    }
    return relu ? invar_net_relu(net, at, err) : at;
}

static struct invar_net *build_mlp(const void *opaque, struct invar_shape input, struct invar_error *err)
{
    const struct mlp_options *options = opaque;
    if (options->widths.count < 1) {
        invar_error_set(err, INVAR_ERROR_USAGE, "encoder.widths: expected at least one width, such as [256, 256]");
        return NULL;
    }
    struct invar_net *net = invar_net_create(input, err);
    if (!net)
        return NULL;
    int at = input.rank == 1 ? 0 : invar_net_flatten(net, 0, err);
    for (int i = 0; i < options->widths.count; i++)
        at = mlp_layer(net, at, i, options->widths.value[i], false, true, true, err);
    if (at >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}

const struct invar_encoder_spec invar_encoder_mlp = {"mlp",
                                                     "linear, batch norm, ReLU, for vectors (images are flattened)",
                                                     mlp_options, sizeof(struct mlp_options), build_mlp};

const struct invar_option invar_head_option_table[] = {
    {"hidden", INVAR_OPTION_INT_LIST, offsetof(struct invar_head_options, hidden), "[256]", 1, 65536, NULL,
     "widths of the hidden layers"},
    {"output", INVAR_OPTION_INT, offsetof(struct invar_head_options, output), "128", -1, 65536, NULL,
     "width of the output; 0: no head, what comes in goes out; -1, of a projector: as wide as the terms need"},
    {"bias", INVAR_OPTION_BOOL, offsetof(struct invar_head_options, bias), "false", 0, 0, NULL,
     "bias of the hidden linear layers"},
    {"last_bias", INVAR_OPTION_BOOL, offsetof(struct invar_head_options, last_bias), "true", 0, 0, NULL,
     "bias of the last linear layer"},
    {"batchnorm", INVAR_OPTION_BOOL, offsetof(struct invar_head_options, batchnorm), "true", 0, 0, NULL,
     "batch norm after hidden layers"},
    {"last_batchnorm", INVAR_OPTION_BOOL, offsetof(struct invar_head_options, last_batchnorm), "false", 0, 0, NULL,
     "batch norm after the last layer"},
    {"normalise", INVAR_OPTION_BOOL, offsetof(struct invar_head_options, normalise), "false", 0, 0, NULL,
     "norm() before the last layer, whose rows are then prototypes that directions are compared with"},
    {0}};

struct invar_net *invar_head_build(const struct invar_head_options *options, int64_t input, struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){1, input, 1, 1}, err);
    if (!net || options->output == 0)
        return net;
    int at = 0, last = options->hidden.count;
    for (int i = 0; i < last; i++)
        at = mlp_layer(net, at, i, options->hidden.value[i], options->bias, options->batchnorm, true, err);
    if (options->normalise)
        at = invar_net_l2normalise(net, at, err);
    at = mlp_layer(net, at, last, options->output, options->last_bias, options->last_batchnorm, false, err);
    if (at >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}
