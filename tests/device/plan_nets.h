/* SPDX-License-Identifier: Apache-2.0 */
/* The nets that plans are tested with: every kind of layer, and every way in which an output can be read twice. */
#ifndef INVAR_TESTS_PLAN_NETS_H
#define INVAR_TESTS_PLAN_NETS_H

#include "planned.h"

static struct invar_device *device;

static inline int open_device(void **state)
{
    struct invar_error err = {0};
    (void)state;
    device = test_device_open(1, &err);
    if (!device)
        fprintf(stderr, "%s\n", err.message);
    return device ? 0 : -1;
}

static inline int close_device(void **state)
{
    (void)state;
    invar_device_close(device);
    return 0;
}

/* ---- nets ---- */

static inline struct invar_net *small_padded(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [3, 5]}", (struct invar_shape){3, 3, 9, 9}, err);
}

static inline struct invar_net *small_blocks(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [8, 16], stride: 1, pool: 1}",
                           (struct invar_shape){3, 1, 7, 11}, err);
}

/* One channel at stride 2, and channels that are no whole vectors: the kernels of gray maps, and what is beside them.
 */
static inline struct invar_net *small_gray(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [24, 8]}", (struct invar_shape){3, 1, 8, 9}, err);
}

static inline struct invar_net *small_gray_padded(struct invar_error *err)
{
    return planned_encoder("{kind: small-resnet, widths: [12, 8]}", (struct invar_shape){3, 1, 9, 8}, err);
}

/* Two and four channels, windows that are not 3x3, a bias; three blocks of eight channels are no pairs. */
static inline struct invar_net *frames(struct invar_error *err)
{
    return planned_encoder("{kind: data-efficient, channels: [16, 8], kernels: [5, 2], strides: [5, 2], width: 6}",
                           (struct invar_shape){3, 4, 20, 21}, err);
}

static inline struct invar_net *frames_of_three_blocks(struct invar_error *err)
{
    return planned_encoder("{kind: data-efficient, channels: [24, 8], kernels: [5, 2], strides: [5, 2], width: 6}",
                           (struct invar_shape){3, 4, 20, 21}, err);
}

static inline struct invar_net *frames_at_stride_4(struct invar_error *err)
{
    return planned_encoder(
        "{kind: nature, channels: [24, 8], kernels: [8, 2], strides: [4, 1], paddings: [2, 1], width: 6}",
        (struct invar_shape){3, 2, 21, 18}, err);
}

static inline struct invar_net *mlp(struct invar_error *err)
{
    return planned_encoder("{kind: mlp, widths: [20, 7]}", (struct invar_shape){3, 2, 3, 4}, err);
}

static inline struct invar_net *same_twice(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 5, 6}, err);
    int x = planned_conv(net, 0, "a", 5, 1, err);
    x = invar_net_add(net, x, x, err);
    x = planned_conv(net, x, "b", 3, 2, err);
    return planned_finish(net, invar_net_flatten(net, invar_net_add(net, x, x, err), err));
}

/* The shortcut x is read by a convolution and by two sums, one of which reads the other. */
static inline struct invar_net *shortcut_thrice(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 5, 6}, err);
    const int x = invar_net_relu(net, planned_conv(net, 0, "a", 8, 1, err), err);
    const int y = planned_conv(net, x, "b", 8, 1, err);
    const int sum = invar_net_add(net, x, y, err);
    const int both = invar_net_add(net, sum, x, err);
    return planned_finish(net, invar_net_flatten(net, invar_net_relu(net, both, err), err));
}

/* The same in the other order, from the input on, without the ReLU. */
static inline struct invar_net *input_thrice(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 3, 4, 4}, err);
    const int y = planned_conv(net, 0, "a", 3, 1, err);
    const int sum = invar_net_add(net, y, 0, err);
    const int both = invar_net_add(net, 0, sum, err);
    return planned_finish(net, invar_net_add(net, both, sum, err));
}

/* Vectors that are read many times, by sums of sums. */
static inline struct invar_net *vector_sums(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){1, 6, 0, 0}, err);
    const int x = invar_net_batchnorm(net, invar_net_linear(net, 0, "a", 6, true, err), "norm", err);
    const int y = invar_net_relu(net, x, err);
    const int z = invar_net_add(net, invar_net_add(net, x, y, err), invar_net_add(net, y, x, err), err);
    return planned_finish(net, invar_net_add(net, invar_net_add(net, z, 0, err), z, err));
}

/* A map read by a flatten (which may share its memory) with a norm after it, and by a convolution. */
static inline struct invar_net *shared_flatten(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 3, 4, 6}, err);
    const int x = invar_net_avgpool(net, 0, 2, err);
    const int side = invar_net_batchnorm(net, invar_net_flatten(net, x, err), "norm", err);
    const int main_way = invar_net_flatten(net, planned_conv(net, x, "conv", 3, 1, err), err);
    return planned_finish(net, invar_net_add(net, side, main_way, err));
}

static inline struct invar_net *head(struct invar_error *err)
{
    const struct invar_head_options options = {
        .hidden = {1, {12}}, .output = 5, .bias = true, .batchnorm = true, .last_batchnorm = true};
    return invar_head_build(&options, 9, err);
}

static inline struct invar_net *plain_head(struct invar_error *err)
{
    const struct invar_head_options options = {.hidden = {2, {12, 10}}, .output = 5, .last_bias = true};
    return invar_head_build(&options, 9, err);
}

/* To twice the size and to a size that is no multiple, read twice, with a ReLU that may not write over its input. */
static inline struct invar_net *upsampled(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 7, 6}, err);
    const int low = invar_net_relu(net, planned_conv(net, 0, "a", 5, 2, err), err);
    const int high = invar_net_upsample(net, low, 7, 6, err);
    const int odd = invar_net_upsample(net, low, 7, 10, err);
    const int x = invar_net_add(net, high, planned_conv(net, 0, "b", 5, 1, err), err);
    const int y = invar_net_flatten(net, invar_net_avgpool(net, planned_conv(net, odd, "c", 3, 1, err), 2, err), err);
    const int z = planned_conv(net, invar_net_add(net, invar_net_relu(net, x, err), high, err), "d", 3, 1, err);
    return planned_finish(net,
                          invar_net_add(net, invar_net_flatten(net, invar_net_avgpool(net, z, 2, err), err), y, err));
}

static inline struct invar_net *generator(const char *kind, struct invar_shape shape,
                                          const struct invar_generator_options *options, struct invar_error *err)
{
    return invar_generator_build(invar_generator_find(kind, shape, err), options, shape, err);
}

static inline struct invar_net *cnn_generator(struct invar_error *err)
{
    const struct invar_generator_options options = {.widths = {3, {4, 6, 5}}, .noise = 2, .blocks = 1};
    return generator("cnn", (struct invar_shape){3, 2, 9, 6}, &options, err);
}

static inline struct invar_net *mlp_generator(struct invar_error *err)
{
    const struct invar_generator_options options = {.widths = {1, {9}}, .noise = 3};
    return generator("mlp", (struct invar_shape){1, 6, 1, 1}, &options, err);
}

static inline struct invar_net *no_head(struct invar_error *err)
{
    const struct invar_head_options options = {.output = 0};
    return invar_head_build(&options, 9, err);
}

/* The heads of a dueling network on an LSTM, whose value reads what the advantages read. */
static inline struct invar_net *dueling(struct invar_error *err)
{
    struct invar_net *net = invar_net_create((struct invar_shape){1, 7, 0, 0}, err);
    const int x = invar_net_lstm(net, invar_net_batchnorm(net, 0, "norm", err), "lstm", 6, err);
    const int value = invar_net_linear(net, invar_net_relu(net, x, err), "value", 1, true, err);
    return planned_finish(net, invar_net_duel(net, value, invar_net_linear(net, x, "advantage", 4, true, err), err));
}

static const struct {
    const char *name;
    net_maker make;
    int64_t batch;
} nets[] = {
    {"small-resnet [3, 5]", small_padded, 4},
    {"small-resnet [8, 16], batch 2", small_blocks, 2},
    {"mlp", mlp, 16},
    {"every kind of layer", planned_every_kind, 6},
    {"an add of the same layer", same_twice, 2},
    {"a shortcut used three times", shortcut_thrice, 2},
    {"the input used three times", input_thrice, 2},
    {"sums of sums of vectors", vector_sums, 12},
    {"a map shared by flatten and convolution", shared_flatten, 8},
    {"head with a last norm", head, 12},
    {"head without norms", plain_head, 6},
    {"no head", no_head, 4},
    {"maps made larger", upsampled, 4},
    {"cnn generator", cnn_generator, 4},
    {"mlp generator", mlp_generator, 12},
    {"small-resnet of gray maps", small_gray, 38},
    {"small-resnet of gray maps, [12, 8]", small_gray_padded, 4},
    {"frames, 5x5", frames, 18},
    {"frames, 5x5, three blocks", frames_of_three_blocks, 4},
    {"frames, 8x8", frames_at_stride_4, 4},
    {"dueling heads on an LSTM", dueling, 12},
};
#define NET_COUNT ((int)(sizeof nets / sizeof *nets))

static inline struct planned open_net(int number, uint64_t seed)
{
    struct invar_error err = {0};
    struct invar_net *net = nets[number].make(&err);
    if (!net)
        fail_msg("%s: %s", nets[number].name, err.message);
    return planned_open(device, net, nets[number].batch, seed);
}

#endif
