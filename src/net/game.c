/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions without norms and one linear layer, as networks that learn values from pixels have them: batch
 * statistics would tie a state's value to the other states of its batch. */
#include "net/encoder.h"

#include <stdio.h>

struct game_options {
    struct invar_int_list channels, kernels, strides, paddings;
    int64_t width;
};

#define FIELD(name) offsetof(struct game_options, name)
#define OPTIONS(channels_, kernels_, strides_, width_)                                                                 \
    {                                                                                                                  \
        {"channels", INVAR_OPTION_INT_LIST, FIELD(channels), channels_, 1, 65536, NULL, "of each convolution"},        \
            {"kernels", INVAR_OPTION_INT_LIST, FIELD(kernels), kernels_, 1, 64, NULL, "side of each, in pixels"},      \
            {"strides", INVAR_OPTION_INT_LIST, FIELD(strides), strides_, 1, 64, NULL, "of each, in pixels"},           \
            {"paddings",                                                                                               \
             INVAR_OPTION_INT_LIST,                                                                                    \
             FIELD(paddings),                                                                                          \
             "[]",                                                                                                     \
             0,                                                                                                        \
             63,                                                                                                       \
             NULL,                                                                                                     \
             "zeros around what each reads, in pixels; []: none"},                                                     \
            {"width",                                                                                                  \
             INVAR_OPTION_INT,                                                                                         \
             FIELD(width),                                                                                             \
             width_,                                                                                                   \
             1,                                                                                                        \
             65536,                                                                                                    \
             NULL,                                                                                                     \
             "of the linear layer behind them, whose ReLU is the representation; vectors have it alone"},              \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
static const struct invar_option nature_options[] = OPTIONS("[32, 64, 64]", "[8, 4, 3]", "[4, 2, 1]", "512");
static const struct invar_option efficient_options[] = OPTIONS("[32, 64]", "[5, 5]", "[5, 5]", "256");

static struct invar_net *build(const void *opaque, struct invar_shape input, struct invar_error *err)
{
    const struct game_options *o = opaque;

    if (o->kernels.count != o->channels.count || o->strides.count != o->channels.count ||
        (o->paddings.count != o->channels.count && o->paddings.count != 0)) {
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "encoder.channels has %d convolutions, kernels %d, strides %d and paddings %d: expected as "
                        "many of each",
                        o->channels.count, o->kernels.count, o->strides.count, o->paddings.count);
        return NULL;
    }
    struct invar_net *net = invar_net_create(input, err);
    int at = net ? 0 : -1;
    for (int i = 0; input.rank == 3 && i < o->channels.count; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", i + 1);
        at = invar_net_conv2d(net, at, name, o->channels.value[i], o->kernels.value[i], o->strides.value[i],
                              o->paddings.count > 0 ? o->paddings.value[i] : 0, true, INVAR_INIT_TORCH_LINEAR, err);
        at = invar_net_relu(net, at, err);
    }
    at = input.rank == 3 ? invar_net_flatten(net, at, err) : at;
    if (invar_net_relu(net, invar_net_linear(net, at, "linear", o->width, true, err), err) >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}

const struct invar_encoder_spec invar_encoder_nature = {
    "nature", "the three convolutions of DQN (Nature, 2015), for frames of games", nature_options,
    sizeof(struct game_options), build};
const struct invar_encoder_spec invar_encoder_data_efficient = {
    "data-efficient", "the two convolutions of data-efficient Rainbow, for frames of games", efficient_options,
    sizeof(struct game_options), build};
