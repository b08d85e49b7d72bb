/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_NET_H
#define INVAR_NET_H

#include "invar/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A net is a declared graph of layers with named parameters (names as torchvision has them). It knows nothing of
 * devices: a plan (device.h) runs it. Layers are numbered in the order of declaration; layer 0 is the input; the last
 * layer is the output.
 */

enum invar_layer_kind {
    INVAR_LAYER_INPUT,
    INVAR_LAYER_CONV2D,
    INVAR_LAYER_BATCHNORM, /* per channel (maps) or per feature (vectors); eps 1e-5, momentum 0.1 */
    INVAR_LAYER_RELU,
    INVAR_LAYER_MAXPOOL,
    INVAR_LAYER_AVGPOOL,
    INVAR_LAYER_LINEAR,
    INVAR_LAYER_ADD,
    INVAR_LAYER_FLATTEN, /* [C, H, W] -> [C*H*W], order as torch.flatten */
    INVAR_LAYER_L2NORMALISE,
    INVAR_LAYER_LAYERNORM, /* last axis, eps 1e-5 */
    INVAR_LAYER_UPSAMPLE,  /* to another height and width, nearest neighbour at pixel centres */
    INVAR_LAYER_LSTM,      /* torch.nn.LSTM of one layer over the steps of a plan; gates i, f, g, o */
    INVAR_LAYER_DUEL,      /* value + advantages - their mean: the heads of a dueling Q-network */
};
#define INVAR_LAYER_COUNT (INVAR_LAYER_DUEL + 1)

/** Shape of one sample: maps have height and width, vectors have rank 1 and only channels. */
struct invar_shape {
    int rank; /* 1 or 3 */
    int64_t channels, height, width;
};

enum invar_parameter_role {
    INVAR_PARAMETER_WEIGHT, /* conv [out, in, kh, kw], linear [out, in] */
    INVAR_PARAMETER_BIAS,
    INVAR_PARAMETER_NORM,      /* scale or shift of a norm */
    INVAR_PARAMETER_STATISTIC, /* running_mean, running_var: not trained, saved */
};

enum invar_init {
    INVAR_INIT_ZERO,
    INVAR_INIT_ONE,
    INVAR_INIT_KAIMING_FAN_OUT, /* normal, gain sqrt 2, fan out: torchvision's ResNet convolutions */
    INVAR_INIT_TORCH_LINEAR,    /* uniform +-1/sqrt(fan in): torch.nn.Linear and Conv2d, weight and bias */
    INVAR_INIT_XAVIER_UNIFORM,  /* uniform +-sqrt(6/(fan in + fan out)): torch.nn.init.xavier_uniform_ */
};

struct invar_parameter {
    char name[96]; /* "layer1.0.conv1.weight" */
    enum invar_parameter_role role;
    enum invar_init init;
    int64_t fan_in;
    int rank;
    int64_t shape[4];
    int64_t count;  /* product of shape */
    int64_t offset; /* first element within the parameter vector (trained) or the statistics vector */
};

struct invar_layer {
    enum invar_layer_kind kind;
    char name[64];
    int input[2];     /* layer numbers; second used by ADD and DUEL only */
    int parameter[4]; /* numbers of parameters: weight, bias, running mean, running variance; of an LSTM weight_ih,
                         weight_hh, bias_ih, bias_hh; -1 where there is none */
    int64_t kernel, stride, padding;
    double epsilon, momentum;
    struct invar_shape shape; /* of the output */
};

struct invar_net {
    struct invar_layer *layers;
    int layer_count, layer_capacity;
    struct invar_parameter *parameters;
    int parameter_count, parameter_capacity;
    int64_t trained_count;   /* elements of the parameter vector */
    int64_t statistic_count; /* elements of the statistics vector */
};

/** A net of the input alone: 1 to 2^24 channels, sides of 1 to 65536 (height and width mean nothing for rank 1). */
struct invar_net *invar_net_create(struct invar_shape input, struct invar_error *err);
/** NULL is accepted. */
void invar_net_free(struct invar_net *net);

/*
 * Builders. `from` is the number of the input layer; each returns the number of the new layer or -1 with err set, and
 * passes a negative `from` through, so that calls can be chained and checked once. name becomes the prefix of parameter
 * names. out (channels), kernel, stride and side are at least 1, padding is below kernel; windows that do not fit and
 * sizes above 2^40 numbers are refused. After a refusal a net is good for invar_net_free only.
 */
int invar_net_conv2d(struct invar_net *net, int from, const char *name, int64_t out, int64_t kernel, int64_t stride,
                     int64_t padding, bool bias, enum invar_init init, struct invar_error *err);
int invar_net_batchnorm(struct invar_net *net, int from, const char *name, struct invar_error *err);
int invar_net_relu(struct invar_net *net, int from, struct invar_error *err);
int invar_net_maxpool(struct invar_net *net, int from, int64_t kernel, int64_t stride, int64_t padding,
                      struct invar_error *err);
/** Average pool to side x side (1: global): windows of stride floor(H / side) and kernel H - (side - 1) stride. */
int invar_net_avgpool(struct invar_net *net, int from, int64_t side, struct invar_error *err);
int invar_net_linear(struct invar_net *net, int from, const char *name, int64_t out, bool bias,
                     struct invar_error *err);
int invar_net_add(struct invar_net *net, int a, int b, struct invar_error *err);
int invar_net_flatten(struct invar_net *net, int from, struct invar_error *err);
int invar_net_l2normalise(struct invar_net *net, int from, struct invar_error *err);
/** To height x width, each at least that of the input: nearest neighbour at pixel centres, as interpolate(mode =
 * "nearest-exact") of PyTorch. */
int invar_net_upsample(struct invar_net *net, int from, int64_t height, int64_t width, struct invar_error *err);
int invar_net_layernorm(struct invar_net *net, int from, const char *name, struct invar_error *err);
/** One layer of an LSTM over vectors, `hidden` numbers wide, with torch's names and initial values (weight_ih_l0,
 * weight_hh_l0, bias_ih_l0, bias_hh_l0: uniform +-1/sqrt(hidden)). What steps are is the plan's (options.steps). */
int invar_net_lstm(struct invar_net *net, int from, const char *name, int64_t hidden, struct invar_error *err);
/** value [1] + advantages [n] - their mean, [n]. */
int invar_net_duel(struct invar_net *net, int value, int advantages, struct invar_error *err);

/** Numbers that a sequence carries from step to step: h, then c, of every LSTM in the order of layers; 0: none. */
int64_t invar_net_state(const struct invar_net *net);

/** Shape of the last layer, and of the input. */
struct invar_shape invar_net_output(const struct invar_net *net);
struct invar_shape invar_net_input(const struct invar_net *net);
/** Multiply-adds of one forward pass of one sample (convolutions and products only). */
int64_t invar_net_operations(const struct invar_net *net);
/** The same where 3x3 convolutions of stride 1 are done by Winograd's F(4x4, 3x3), 36 multiply-adds of a pair of
 * channels for a tile of 16 outputs, border tiles whole; its transforms do not count. A bound for what computes so. */
int64_t invar_net_winograd_operations(const struct invar_net *net);
/** Initial values: parameters[trained_count], statistics[statistic_count] (mean 0, variance 1). stream tells nets of
 * one run apart. */
void invar_net_initialise(const struct invar_net *net, uint64_t seed, uint64_t stream, float *parameters,
                          float *statistics);

/* ---- families ---- */

/** One encoder kind of the table: `encoder: {kind: NAME, ...}`. */
struct invar_encoder_spec {
    const char *name, *help;
    const struct invar_option *options; /* without `kind` */
    size_t options_size;
    struct invar_net *(*build)(const void *options, struct invar_shape input, struct invar_error *err);
};
/** NULL with err set, and the nearest name in it, where there is no such kind. */
const struct invar_encoder_spec *invar_encoder_find(const char *name, struct invar_error *err);
/** NULL-ended. */
const struct invar_encoder_spec *const *invar_encoder_list(void);

/** What a generator of adversarial perturbations is made of. */
struct invar_generator_options {
    struct invar_int_list widths; /**< cnn: channels by scale, each half the size of the one before; mlp: of hidden
                                     layers; empty: those of the kind */
    int64_t noise;  /**< cnn: channels, mlp: numbers; 0: one channel; as many numbers as the sample has, 16 at least */
    int64_t blocks; /**< cnn: residual blocks at the lowest scale */
};
/**
 * One generator kind of the table. The net reads a sample and, behind its numbers, those of the noise; its output has
 * as many numbers as the sample. How much noise: elements of the input less those of the output.
 */
struct invar_generator_spec {
    const char *name, *help;
    struct invar_int_list widths; /* defaults */
    int64_t noise;                /* 0: build chooses it by the sample */
    bool viewmaker; /* as Viewmaker has it: pixels of 0 to 1, a tanh, a clamp, uniform noise, instance norm */
    struct invar_net *(*build)(const struct invar_generator_options *options, struct invar_shape sample,
                               struct invar_error *err);
};
/** "auto": cnn for maps, mlp for vectors. NULL with err set, and the nearest name in it, where there is no such kind.
 */
const struct invar_generator_spec *invar_generator_find(const char *name, struct invar_shape sample,
                                                        struct invar_error *err);
/** NULL-ended. */
const struct invar_generator_spec *const *invar_generator_list(void);
/** Free with invar_net_free. */
struct invar_net *invar_generator_build(const struct invar_generator_spec *spec,
                                        const struct invar_generator_options *options, struct invar_shape sample,
                                        struct invar_error *err);

/** Heads: an MLP with batch norm and ReLU between layers. Projector and predictor sections of a recipe. */
struct invar_head_options {
    struct invar_int_list hidden; /**< widths of the hidden layers, may be empty */
    int64_t output;               /**< width of the last layer; 0: no head at all (identity) */
    bool bias;                    /**< of the hidden linear layers */
    bool last_bias;               /**< of the last linear layer */
    bool batchnorm;               /**< after hidden layers */
    bool last_batchnorm;          /**< after the last layer (ReLIC, SimCLR v2, Barlow heads) */
    bool normalise;               /**< norm() before the last layer (prototypes of SwAV and DINO) */
};
extern const struct invar_option invar_head_option_table[];
/** input: how many features come in. Free with invar_net_free. */
struct invar_net *invar_head_build(const struct invar_head_options *options, int64_t input, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
