/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-18/34/50 as torchvision has them (v1.5: the stride of a bottleneck sits on its 3x3 convolution), without the
   final linear layer, and a small ResNet for images of 28 to 32 pixels. */
#include "net/encoder.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_NAME 48

#define STEMS(CHOICE) CHOICE(STEM_IMAGENET, "imagenet") CHOICE(STEM_SMALL, "small")
enum stem { STEMS(INVAR_CHOICE_CONSTANT) };
#define INITS(CHOICE)                                                                                                  \
    CHOICE(INIT_TORCHVISION, "torchvision") CHOICE(INIT_TORCH, "torch") CHOICE(INIT_TORCH_STEM, "torch_stem")
enum init { INITS(INVAR_CHOICE_CONSTANT) };

struct resnet_options {
    enum stem stem;
    enum init init;
    int64_t stem_padding, width, pool;
    bool zero_init_residual;
};

static const struct invar_option resnet_options[] = {
    {"stem", INVAR_OPTION_CHOICE, offsetof(struct resnet_options, stem), "imagenet", 0, 0, INVAR_CHOICES(STEMS),
     "imagenet: 7x7 stride 2 and max pool; small: 3x3 stride 1, for images up to 64 pixels"},
    {"stem_padding", INVAR_OPTION_INT, offsetof(struct resnet_options, stem_padding), "1", 0, 2, NULL,
     "of the small stem; solo-learn has 2, which makes maps of 34 pixels from 32"},
    {"width", INVAR_OPTION_INT, offsetof(struct resnet_options, width), "64", 1, 4096, NULL,
     "channels of the first stage (torchvision: 64); later stages have 2, 4 and 8 times as many"},
    {"pool", INVAR_OPTION_INT, offsetof(struct resnet_options, pool), "1", 1, 64, NULL,
     "side of the final average pool; 1 is torchvision's global average"},
    {"init", INVAR_OPTION_CHOICE, offsetof(struct resnet_options, init), "torchvision", 0, 0, INVAR_CHOICES(INITS),
     "of convolutions: torchvision's normal by fan out, PyTorch's default (uniform by fan in, as lightly's ResNet), or "
     "the "
     "latter for the stem alone (as solo-learn on CIFAR)"},
    {"zero_init_residual", INVAR_OPTION_BOOL, offsetof(struct resnet_options, zero_init_residual), "false", 0, 0, NULL,
     "the last norm of every block starts at scale 0, so that blocks start as the identity (VICReg's code)"},
    {0}};

/* conv, batch norm and, where asked, ReLU, named prefix.convN and prefix.bnN. */
static int padded_conv_norm(struct invar_net *net, int from, const char *prefix, int number, int64_t out,
                            int64_t kernel, int64_t stride, int64_t padding, bool relu, struct invar_error *err)
{
    char conv[BLOCK_NAME], norm[BLOCK_NAME];
    const char *dot = prefix[0] ? "." : "";
    snprintf(conv, sizeof conv, "%s%sconv%d", prefix, dot, number);
    snprintf(norm, sizeof norm, "%s%sbn%d", prefix, dot, number);
    int at = invar_net_conv2d(net, from, conv, out, kernel, stride, padding, false, INVAR_INIT_KAIMING_FAN_OUT, err);
    at = invar_net_batchnorm(net, at, norm, err);
    return relu ? invar_net_relu(net, at, err) : at;
}

static int conv_norm(struct invar_net *net, int from, const char *prefix, int number, int64_t out, int64_t kernel,
                     int64_t stride, bool relu, struct invar_error *err)
{
    return padded_conv_norm(net, from, prefix, number, out, kernel, stride, kernel / 2, relu, err);
}

/* The shortcut of a block: the input itself, or a 1x1 projection with batch norm where the shape changes. */
static int shortcut(struct invar_net *net, int from, const char *prefix, int64_t out, int64_t stride,
                    struct invar_error *err)
{
    if (from < 0 || (stride == 1 && net->layers[from].shape.channels == out))
        return from;
    char conv[BLOCK_NAME], norm[BLOCK_NAME];
    snprintf(conv, sizeof conv, "%s.downsample.0", prefix);
    snprintf(norm, sizeof norm, "%s.downsample.1", prefix);
    int at = invar_net_conv2d(net, from, conv, out, 1, stride, 0, false, INVAR_INIT_KAIMING_FAN_OUT, err);
    return invar_net_batchnorm(net, at, norm, err);
}

int net_basic_block(struct invar_net *net, int from, const char *prefix, int64_t out, int64_t stride,
                    struct invar_error *err)
{
    int at = conv_norm(net, from, prefix, 1, out, 3, stride, true, err);
    at = conv_norm(net, at, prefix, 2, out, 3, 1, false, err);
    at = invar_net_add(net, at, shortcut(net, from, prefix, out, stride, err), err);
    return invar_net_relu(net, at, err);
}

static int bottleneck(struct invar_net *net, int from, const char *prefix, int64_t width, int64_t stride,
                      struct invar_error *err)
{
    int at = conv_norm(net, from, prefix, 1, width, 1, 1, true, err);
    at = conv_norm(net, at, prefix, 2, width, 3, stride, true, err);
    at = conv_norm(net, at, prefix, 3, 4 * width, 1, 1, false, err);
    at = invar_net_add(net, at, shortcut(net, from, prefix, 4 * width, stride, err), err);
    return invar_net_relu(net, at, err);
}

typedef int (*block_function)(struct invar_net *, int, const char *, int64_t, int64_t, struct invar_error *);

/* layerS.0 .. layerS.(blocks-1); the first block carries the stride. */
static int stage(struct invar_net *net, int from, int number, block_function block, int blocks, int64_t width,
                 int64_t stride, struct invar_error *err)
{
    for (int i = 0; i < blocks; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "layer%d.%d", number, i);
        from = block(net, from, prefix, width, i == 0 ? stride : 1, err);
    }
    return from;
}

static struct invar_net *finish(struct invar_net *net, int at, int64_t pool, struct invar_error *err)
{
    at = invar_net_avgpool(net, at, pool, err);
    if (invar_net_flatten(net, at, err) >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* The options that change initial values alone; last is the name of the last norm's scale in a block. */
static void choose_init(struct invar_net *net, const struct resnet_options *options, const char *last)
{
    for (int i = 0; i < net->parameter_count; i++) {
        struct invar_parameter *p = &net->parameters[i];
        bool stem = strcmp(p->name, "conv1.weight") == 0;
        if (p->rank == 4 && (options->init == INIT_TORCH || (options->init == INIT_TORCH_STEM && stem)))
            p->init = INVAR_INIT_TORCH_LINEAR;
        if (options->zero_init_residual && ends_with(p->name, last))
            p->init = INVAR_INIT_ZERO;
    }
}

static struct invar_net *resnet(const struct resnet_options *options, struct invar_shape input, block_function block,
                                const int blocks[4], struct invar_error *err)
{
    struct invar_net *net = invar_net_create(input, err);
    if (!net)
        return NULL;
    bool small = options->stem == STEM_SMALL;
    int at = padded_conv_norm(net, 0, "", 1, options->width, small ? 3 : 7, small ? 1 : 2,
                              small ? options->stem_padding : 3, true, err);
    if (!small)
        at = invar_net_maxpool(net, at, 3, 2, 1, err);
    for (int i = 0; i < 4; i++)
        at = stage(net, at, i + 1, block, blocks[i], options->width << i, i == 0 ? 1 : 2, err);
    net = finish(net, at, options->pool, err);
    if (net)
        choose_init(net, options, block == bottleneck ? ".bn3.weight" : ".bn2.weight");
    return net;
}

static struct invar_net *build18(const void *options, struct invar_shape input, struct invar_error *err)
{
    return resnet(options, input, net_basic_block, (int[]){2, 2, 2, 2}, err);
}

static struct invar_net *build34(const void *options, struct invar_shape input, struct invar_error *err)
{
    return resnet(options, input, net_basic_block, (int[]){3, 4, 6, 3}, err);
}

static struct invar_net *build50(const void *options, struct invar_shape input, struct invar_error *err)
{
    return resnet(options, input, bottleneck, (int[]){3, 4, 6, 3}, err);
}

const struct invar_encoder_spec invar_encoder_resnet18 = {"resnet18", "ResNet-18 (torchvision names)", resnet_options,
                                                          sizeof(struct resnet_options), build18};
const struct invar_encoder_spec invar_encoder_resnet34 = {"resnet34", "ResNet-34 (torchvision names)", resnet_options,
                                                          sizeof(struct resnet_options), build34};
const struct invar_encoder_spec invar_encoder_resnet50 = {"resnet50", "ResNet-50 v1.5 (torchvision names)",
                                                          resnet_options, sizeof(struct resnet_options), build50};

struct small_options {
    struct invar_int_list widths;
    int64_t stride, pool;
};

static const struct invar_option small_options[] = {
    {"widths", INVAR_OPTION_INT_LIST, offsetof(struct small_options, widths), "[16, 32, 128]", 1, 4096, NULL,
     "channels of each basic block; the first is also the stem's; every block after the first has stride 2"},
    {"stride", INVAR_OPTION_INT, offsetof(struct small_options, stride), "2", 1, 4, NULL, "stride of the 3x3 stem"},
    {"pool", INVAR_OPTION_INT, offsetof(struct small_options, pool), "2", 1, 64, NULL,
     "side of the final average pool; the representation has pool * pool * last width numbers"},
    {0}};

static struct invar_net *build_small(const void *opaque, struct invar_shape input, struct invar_error *err)
{
    const struct small_options *options = opaque;
    if (options->widths.count < 1) {
        invar_error_set(err, INVAR_ERROR_USAGE, "encoder.widths: expected at least one width, such as [16, 32, 128]");
        return NULL;
    }
    struct invar_net *net = invar_net_create(input, err);
    if (!net)
        return NULL;
    int at = conv_norm(net, 0, "", 1, options->widths.value[0], 3, options->stride, true, err);
    for (int i = 0; i < options->widths.count; i++)
        at = stage(net, at, i + 1, net_basic_block, 1, options->widths.value[i], i == 0 ? 1 : 2, err);
    return finish(net, at, options->pool, err);
}

const struct invar_encoder_spec invar_encoder_small_resnet = {
    "small-resnet", "stem and one basic block a width; trains in minutes on 28 to 32 pixel images", small_options,
    sizeof(struct small_options), build_small};
