/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator for images and spectrograms: an encoder-decoder of convolutions with residual blocks at the lowest
 * scale. The sample and its noise channels, subsampled, are concatenated at every scale on the way down and up; a
 * convolution of a concatenation is the sum of two, and so it is built.
 */
#include "net/generator.h"
#include "net/encoder.h"

#include <stdio.h>

#define NAME 48

/* What a scale reads of the input: a 1x1 convolution of every 2^scale-th pixel. */
static int input_at(struct invar_net *net, const char *prefix, int scale, int64_t width, struct invar_error *err)
{
    char name[NAME];

    snprintf(name, sizeof name, "%s.input", prefix);
    return invar_net_conv2d(net, 0, name, width, 1, (int64_t)1 << scale, 0, false, INVAR_INIT_KAIMING_FAN_OUT, err);
}

/* features + input, batch norm, ReLU */
static int join(struct invar_net *net, int features, const char *prefix, int scale, int64_t width,
                struct invar_error *err)
{
    char norm[NAME];

    snprintf(norm, sizeof norm, "%s.norm", prefix);
    const int sum = invar_net_add(net, features, input_at(net, prefix, scale, width, err), err);
    return invar_net_relu(net, invar_net_batchnorm(net, sum, norm, err), err);
}

static int down(struct invar_net *net, int from, int scale, int64_t width, struct invar_error *err)
{
    char prefix[16], conv[NAME];

    snprintf(prefix, sizeof prefix, "down%d", scale);
    snprintf(conv, sizeof conv, "%s.conv", prefix);
    from = invar_net_conv2d(net, from, conv, width, 3, scale == 0 ? 1 : 2, 1, false, INVAR_INIT_KAIMING_FAN_OUT, err);
    return scale == 0 ? invar_net_relu(net, invar_net_batchnorm(net, from, "down0.norm", err), err)
                      : join(net, from, prefix, scale, width, err);
}

/* The convolution comes before the enlargement: a quarter of the work. */
static int up(struct invar_net *net, int from, int scale, int64_t width, struct invar_shape sample,
              struct invar_error *err)
{
    const int64_t step = (int64_t)1 << scale;
    char prefix[16], conv[NAME];

    snprintf(prefix, sizeof prefix, "up%d", scale);
    snprintf(conv, sizeof conv, "%s.conv", prefix);
    from = invar_net_conv2d(net, from, conv, width, 3, 1, 1, false, INVAR_INIT_KAIMING_FAN_OUT, err);
    from = invar_net_upsample(net, from, (sample.height + step - 1) / step, (sample.width + step - 1) / step, err);
    return join(net, from, prefix, scale, width, err);
}

/* each_block: the input, noise and all, is joined in before every residual block as well. */
static struct invar_net *build_net(const struct invar_generator_options *options, struct invar_shape sample,
                                   bool each_block, struct invar_error *err)
{
    const int64_t *width = options->widths.value;
    const int lowest = options->widths.count - 1;
    struct invar_shape input = sample;
    struct invar_net *net;
    int at = 0;

    if (sample.rank != 3 || sample.height < 4 || sample.width < 4) {
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "adversary.kind: cnn makes perturbations of images and spectrograms of at least 4 x 4, not of "
                        "%lld x %lld x %lld: set adversary.kind=mlp",
                        (long long)sample.channels, (long long)sample.height, (long long)sample.width);
        return NULL;
    }
    input.channels += options->noise;
    net = invar_net_create(input, err);
    if (!net)
        return NULL;
    for (int scale = 0; scale <= lowest; scale++)
        at = down(net, at, scale, width[scale], err);
    for (int64_t i = 0; i < options->blocks; i++) {
        char name[16];
        snprintf(name, sizeof name, "block%d", (int)i);
        if (each_block) {
            char prefix[24];
            snprintf(prefix, sizeof prefix, "%s.join", name);
            at = join(net, at, prefix, lowest, width[lowest], err);
        }
        at = net_basic_block(net, at, name, width[lowest], 1, err);
    }
    for (int scale = lowest - 1; scale >= 0; scale--)
        at = up(net, at, scale, width[scale], sample, err);
    at = invar_net_conv2d(net, at, "out", sample.channels, 3, 1, 1, true, INVAR_INIT_TORCH_LINEAR, err);
    if (at >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}

static struct invar_net *build(const struct invar_generator_options *options, struct invar_shape sample,
                               struct invar_error *err)
{
    return build_net(options, sample, false, err);
}

static struct invar_net *build_viewmaker(const struct invar_generator_options *options, struct invar_shape sample,
                                         struct invar_error *err)
{
    struct invar_net *net = build_net(options, sample, true, err);

    /* instance norm: statistics are a sample's, and none are kept */
    for (int i = 0; net && i < net->layer_count; i++)
        net->layers[i].momentum = 0;
    return net;
}

const struct invar_generator_spec invar_generator_cnn = {
    "cnn",
    "convolutional encoder-decoder with residual blocks; for images and spectrograms",
    {3, {16, 32, 32}},
    1,
    false,
    build};

const struct invar_generator_spec invar_generator_viewmaker = {
    "viewmaker",
    "cnn as Viewmaker has it: instance norm, uniform noise, a tanh, and the result clamped to pixels of 0 to 1",
    {3, {32, 64, 128}},
    1,
    true,
    build_viewmaker};
