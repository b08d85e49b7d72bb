/* SPDX-License-Identifier: Apache-2.0 */
/* Nets: torchvision's names, shapes and counts, output shapes for any input, refusals, initial values. */
#include "test.h"

#include "invar/memory.h"
#include "invar/expert/net.h"

#include <limits.h>

TEST_COVERS("encoder.resnet34 encoder.nature encoder.data-efficient");

static const struct invar_shape imagenet = {3, 3, 224, 224};

/* The net of `kind` with options in YAML ("{stem: small}"), or NULL with err set. */
static struct invar_net *build(const char *kind, const char *options, struct invar_shape input, struct invar_error *err)
{
    const struct invar_encoder_spec *spec = invar_encoder_find(kind, err);
    assert_non_null(spec);
    void *object = invar_alloc(1, spec->options_size, err);
    struct invar_node *node = invar_node_parse(options, strlen(options), "test", err);
    struct invar_net *net = NULL;
    invar_options_default(spec->options, object);
    if (node && invar_options_read(spec->options, object, node, "encoder", NULL, err))
        net = spec->build(object, input, err);
    invar_node_free(node);
    invar_free(object);
    return net;
}

static struct invar_net *must_build(const char *kind, const char *options, struct invar_shape input)
{
    struct invar_error err = {0};
    struct invar_net *net = build(kind, options, input, &err);
    if (!net)
        fail_msg("%s %s: %s", kind, options, err.message);
    return net;
}

/* ---- against torchvision ---- */

static void shape_text(const struct invar_parameter *parameter, char *out, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < parameter->rank; i++)
        used += (size_t)snprintf(out + used, size - used, i ? "x%lld" : "%lld", (long long)parameter->shape[i]);
}

/* torchvision_names.txt: a line "net name shape" for every array of the state_dict but fc and num_batches_tracked. */
static void check_names(const char *kind)
{
    struct invar_net *net = must_build(kind, "{}", imagenet);
    FILE *stream = fopen("tests/net/torchvision_names.txt", "r");
    char line[256], name[128], shape[64], owner[32], ours[64];
    int at = 0;
    assert_non_null(stream);
    while (fgets(line, sizeof line, stream)) {
        assert_int_equal(sscanf(line, "%31s %127s %63s", owner, name, shape), 3);
        if (strcmp(owner, kind) != 0)
            continue;
        assert_in_range(at, 0, net->parameter_count - 1);
        shape_text(&net->parameters[at], ours, sizeof ours);
        assert_string_equal(net->parameters[at].name, name);
        assert_string_equal(ours, shape);
        assert_int_equal(net->parameters[at].role == INVAR_PARAMETER_STATISTIC, strstr(name, "running_") != NULL);
        at++;
    }
    fclose(stream);
    assert_int_equal(at, net->parameter_count);
    invar_net_free(net);
}

static void test_names(void **state)
{
    (void)state;
    check_names("resnet18");
    check_names("resnet34");
    check_names("resnet50");
}

static void check_counts(const char *kind, const char *options, struct invar_shape input, int64_t parameters,
                         int64_t operations, int64_t width)
{
    struct invar_net *net = must_build(kind, options, input);
    int64_t end = 0;
    assert_int_equal(net->trained_count, parameters);
    assert_int_equal(invar_net_operations(net), operations);
    assert_int_equal(invar_net_output(net).rank, 1);
    assert_int_equal(invar_net_output(net).channels, width);
    for (int i = 0; i < net->parameter_count; i++)
        if (net->parameters[i].role != INVAR_PARAMETER_STATISTIC) {
            assert_int_equal(net->parameters[i].offset, end);
            end += net->parameters[i].count;
        }
    assert_int_equal(end, net->trained_count);
    invar_net_free(net);
}

static void test_counts(void **state)
{
    (void)state;
    check_counts("resnet18", "{}", imagenet, 11176512, 1813561344, 512);
    check_counts("resnet34", "{}", imagenet, 21284672, 3663249408, 512);
    check_counts("resnet50", "{}", imagenet, 23508032, 4087136256, 2048);
    check_counts("resnet18", "{stem: small}", (struct invar_shape){3, 3, 32, 32}, 11168832, 555417600, 512);
    /* 256 x 784 + 10 x 256 weights, and scale and shift of two norms */
    /* DQN's frame: 1684128 weights and biases, the multiply-adds of 20 x 20, 9 x 9, 7 x 7 maps and 3136 x 512 */
    check_counts("nature", "{}", (struct invar_shape){3, 4, 84, 84}, 1684128, 9342976, 512);
    check_counts("data-efficient", "{}", (struct invar_shape){3, 4, 84, 84}, 202208, 1427456, 256);
    check_counts("nature", "{paddings: [2, 2, 1]}", (struct invar_shape){3, 4, 84, 84}, 4043424, 16003072, 512);
    check_counts("nature", "{width: 9}", (struct invar_shape){1, 5, 1, 1}, 54, 45, 9);
    check_counts("mlp", "{widths: [256, 10]}", (struct invar_shape){3, 1, 28, 28}, 203264 + 532, 203264, 10);
}

/* ---- any input ---- */

static void test_inputs(void **state)
{
    static const int64_t channels[] = {1, 3, 5}, sides[] = {28, 32, 33, 64, 224};
    static const struct {
        const char *kind, *options;
        int64_t width;
    } nets[] = {{"resnet18", "{}", 512},
                {"resnet34", "{stem: small, width: 8}", 64},
                {"resnet50", "{width: 16}", 512},
                {"small-resnet", "{}", 512},
                {"mlp", "{widths: [7]}", 7},
                {"small-resnet", "{widths: [3, 5], stride: 1, pool: 3}", 45},
                {"resnet18", "{stem: small, pool: 2}", 2048}};
    (void)state;
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++)
        for (size_t c = 0; c < 3; c++)
            for (size_t s = 0; s < 5; s++) {
                struct invar_shape input = {3, channels[c], sides[s], sides[s] + 3 * (int64_t)(s % 2)};
                struct invar_net *net = must_build(nets[n].kind, nets[n].options, input);
                assert_int_equal(invar_net_output(net).channels, nets[n].width);
                assert_int_equal(net->parameters[0].shape[1], strcmp(nets[n].kind, "mlp") == 0
                                                                  ? input.channels * input.height * input.width
                                                                  : input.channels);
                assert_true(invar_net_operations(net) > 0);
                invar_net_free(net);
            }
}

/* 3x3 of stride 1 alone, whole tiles of 4x4, and no more than the direct form where a map is small. */
static void test_winograd_operations(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 9, 8}, &err);
    assert_non_null(net);
    int at = invar_net_conv2d(net, 0, "a", 5, 3, 1, 1, false, INVAR_INIT_KAIMING_FAN_OUT, &err); /* 3 x 2 tiles */
    at = invar_net_conv2d(net, at, "b", 7, 3, 2, 1, false, INVAR_INIT_KAIMING_FAN_OUT, &err);    /* to 5 x 4 */
    at = invar_net_conv2d(net, at, "c", 7, 1, 1, 0, false, INVAR_INIT_KAIMING_FAN_OUT, &err);
    at = invar_net_conv2d(net, at, "d", 3, 3, 5, 1, false, INVAR_INIT_KAIMING_FAN_OUT, &err); /* to 1 x 1 */
    at = invar_net_conv2d(net, at, "e", 3, 3, 1, 1, false, INVAR_INIT_KAIMING_FAN_OUT, &err);
    assert_true(at > 0);
    const int64_t rest = 5 * 7 * 9 * 20 + 7 * 7 * 20 + 7 * 3 * 9 + 3 * 3 * 9;
    assert_int_equal(invar_net_operations(net), 2 * 5 * 9 * 72 + rest);
    assert_int_equal(invar_net_winograd_operations(net), 2 * 5 * 36 * 6 + rest);
    invar_net_free(net);
}

/* Where the strides halve a map of odd sides, as torch rounds it. */
static void test_shapes(void **state)
{
    struct invar_net *net = must_build("resnet18", "{}", (struct invar_shape){3, 3, 33, 65});
    const struct invar_layer *pool = NULL;
    (void)state;
    for (int i = 0; i < net->layer_count; i++) {
        if (net->layers[i].kind == INVAR_LAYER_MAXPOOL) {
            assert_int_equal(net->layers[i].shape.height, 9);
            assert_int_equal(net->layers[i].shape.width, 17);
        }
        if (net->layers[i].kind == INVAR_LAYER_AVGPOOL)
            pool = &net->layers[i];
    }
    assert_non_null(pool);
    assert_int_equal(net->layers[pool->input[0]].shape.height, 2);
    assert_int_equal(net->layers[pool->input[0]].shape.width, 3);
    invar_net_free(net);
}

/* ---- refusals ---- */

static void test_refused_options(void **state)
{
    struct invar_error err = {0};
    struct invar_shape tiny = {3, 1, 1, 1}, vector = {1, 20, 0, 0};
    (void)state;
    assert_refused(build("resnet18", "{stem: big}", imagenet, &err), &err, INVAR_ERROR_USAGE, "encoder.stem");
    assert_refused(build("resnet18", "{width: 0}", imagenet, &err), &err, INVAR_ERROR_USAGE, "encoder.width");
    assert_refused(build("resnet18", "{widht: 8}", imagenet, &err), &err, INVAR_ERROR_USAGE, "width");
    assert_refused(build("resnet18", "{pool: 8}", imagenet, &err), &err, INVAR_ERROR_USAGE, "the map is only 7 x 7");
    assert_refused(build("small-resnet", "{}", tiny, &err), &err, INVAR_ERROR_USAGE, "the map is only 1 x 1");
    assert_refused(build("small-resnet", "{widths: []}", imagenet, &err), &err, INVAR_ERROR_USAGE, "encoder.widths");
    assert_refused(build("small-resnet", "{stride: 5}", imagenet, &err), &err, INVAR_ERROR_USAGE, "encoder.stride");
    assert_refused(build("mlp", "{widths: []}", vector, &err), &err, INVAR_ERROR_USAGE, "encoder.widths");
    assert_refused(build("mlp", "{widths: [8, -1]}", vector, &err), &err, INVAR_ERROR_USAGE, "encoder.widths");
    assert_refused(build("resnet18", "{}", vector, &err), &err, INVAR_ERROR_USAGE, "height and width");
    assert_refused(invar_encoder_find("resnet19", &err), &err, INVAR_ERROR_USAGE, "did you mean \"resnet18\"");
    assert_refused(invar_encoder_find("vit", &err), &err, INVAR_ERROR_USAGE, "there is no encoder \"vit\"");
}

static void test_refused_inputs(void **state)
{
    static const struct invar_shape shapes[] = {
        {3, 0, 8, 8}, {3, 3, 0, 8}, {3, 3, 8, -1},        {2, 3, 8, 8},         {3, 3, INT64_MAX, 8},
        {0, 3, 8, 8}, {1, 0, 1, 1}, {1, INT64_MAX, 1, 1}, {3, INT64_MIN, 8, 8}, {3, 1 << 24, 65536, 65536}};
    struct invar_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        assert_refused(invar_net_create(shapes[i], &err), &err, INVAR_ERROR_USAGE, "input");
}

/* Windows that do not fit, sizes that mean nothing, and products that overflow. */
static void test_refused_layers(void **state)
{
    struct invar_error err = {0};
    struct invar_net *net = invar_net_create((struct invar_shape){3, 2, 4, 5}, &err);
    const enum invar_init init = INVAR_INIT_KAIMING_FAN_OUT;
    int flat, other;
    (void)state;
#define REFUSED(call, text) assert_refused((call) >= 0, &err, INVAR_ERROR_USAGE, text)
    REFUSED(invar_net_conv2d(net, 0, "a", 4, 5, 1, 0, false, init, &err), "a window of 5 does not fit");
    REFUSED(invar_net_conv2d(net, 0, "b", 4, 3, 0, 1, false, init, &err), "layer b: ");
    REFUSED(invar_net_conv2d(net, 0, "b", 4, 0, 1, 1, false, init, &err), "layer b: ");
    REFUSED(invar_net_conv2d(net, 0, "b", 4, 3, 1, -1, false, init, &err), "layer b: ");
    REFUSED(invar_net_conv2d(net, 0, "b", 4, 3, 1, 3, false, init, &err), "layer b: ");
    REFUSED(invar_net_conv2d(net, 0, "b", 0, 3, 1, 1, false, init, &err), "layer b: ");
    REFUSED(invar_net_conv2d(net, 0, "b", INT64_MAX / 2, 3, 1, 1, false, init, &err), "b");
    REFUSED(invar_net_conv2d(net, 99, "c", 4, 3, 1, 1, false, init, &err), "there is no layer 99");
    REFUSED(invar_net_maxpool(net, 0, 7, 1, 1, &err), "a window of 7 does not fit");
    REFUSED(invar_net_maxpool(net, 0, 2, 1, 2, &err), "layer");
    REFUSED(invar_net_avgpool(net, 0, 5, &err), "the map is only 4 x 5");
    REFUSED(invar_net_linear(net, 0, "d", 4, true, &err), "layer d: a linear layer reads vectors");
    REFUSED(invar_net_l2normalise(net, 0, &err), "flatten the map first");
    REFUSED(invar_net_layernorm(net, 0, "e", &err), "flatten the map first");
    flat = invar_net_flatten(net, 0, &err);
    assert_true(flat > 0);
    REFUSED(invar_net_linear(net, flat, "f", 0, true, &err), "layer f: ");
    REFUSED(invar_net_linear(net, flat, "f", INT64_MAX / 4, true, &err), "f");
    REFUSED(invar_net_maxpool(net, flat, 1, 1, 0, &err), "height and width");
    REFUSED(invar_net_add(net, flat, 0, &err), "the two summands differ in shape");
    REFUSED(invar_net_add(net, 0, 99, &err), "there is no layer 99");
    other = invar_net_linear(net, flat, "g", 3, false, &err);
    REFUSED(invar_net_add(net, flat, other, &err), "the two summands differ in shape");
    REFUSED(invar_net_batchnorm(net, flat,
                                "a name that is far too long for the arrays of a file to be called by it, and that no "
                                "net here would ever give to a layer",
                                &err),
            "too long");
#undef REFUSED
    /* a negative number goes through untouched */
    assert_int_equal(invar_net_relu(net, -1, &err), -1);
    assert_int_equal(invar_net_add(net, 0, invar_net_conv2d(net, -1, "h", 4, 3, 1, 1, false, init, &err), &err), -1);
    assert_int_equal(err.code, INVAR_OK);
    invar_net_free(net);
}

/* ---- heads ---- */

static void test_heads(void **state)
{
    struct invar_error err = {0};
    struct invar_head_options options;
    struct invar_net *net;
    (void)state;
    invar_options_default(invar_head_option_table, &options);
    net = invar_head_build(&options, 512, &err);
    assert_non_null(net);
    assert_int_equal(invar_net_output(net).channels, 128);
    assert_int_equal(net->trained_count, 512 * 256 + 2 * 256 + 256 * 128 + 128);
    assert_string_equal(net->parameters[0].name, "0.linear.weight");
    assert_int_equal(net->layers[net->layer_count - 1].kind, INVAR_LAYER_LINEAR);
    invar_net_free(net);

    options.last_batchnorm = true;
    options.last_bias = false;
    options.batchnorm = false;
    options.bias = true;
    net = invar_head_build(&options, 512, &err);
    assert_int_equal(net->trained_count, 512 * 256 + 256 + 256 * 128 + 2 * 128);
    assert_int_equal(net->layers[net->layer_count - 1].kind, INVAR_LAYER_BATCHNORM);
    invar_net_free(net);

    options.hidden.count = 0;
    net = invar_head_build(&options, 7, &err);
    assert_int_equal(net->trained_count, 7 * 128 + 2 * 128);
    invar_net_free(net);

    options.output = 0;
    net = invar_head_build(&options, 7, &err);
    assert_int_equal(net->layer_count, 1);
    assert_int_equal(invar_net_output(net).channels, 7);
    invar_net_free(net);
    assert_refused(invar_head_build(&options, 0, &err), &err, INVAR_ERROR_USAGE, "input");
}

/* ---- initial values ---- */

struct values {
    struct invar_net *net;
    float *parameters, *statistics;
};

static struct values initialised(const char *kind, const char *options, struct invar_shape input, uint64_t seed,
                                 uint64_t stream)
{
    struct values v = {.net = must_build(kind, options, input)};
    v.parameters = invar_alloc((size_t)v.net->trained_count, sizeof(float), NULL);
    v.statistics = invar_alloc((size_t)v.net->statistic_count, sizeof(float), NULL);
    invar_net_initialise(v.net, seed, stream, v.parameters, v.statistics);
    return v;
}

static void values_free(struct values *v)
{
    invar_net_free(v->net);
    invar_free(v->parameters);
    invar_free(v->statistics);
}

static const float *values_of(const struct values *v, const char *name, int64_t *count)
{
    for (int i = 0; i < v->net->parameter_count; i++) {
        const struct invar_parameter *p = &v->net->parameters[i];
        if (strcmp(p->name, name) == 0) {
            *count = p->count;
            return (p->role == INVAR_PARAMETER_STATISTIC ? v->statistics : v->parameters) + p->offset;
        }
    }
    fail_msg("no parameter %s", name);
    return NULL;
}

static void moments(const float *x, int64_t count, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    *mean = sum / (double)count;
    *deviation = sqrt(squares / (double)count - *mean * *mean);
}

/* Normal with deviation sqrt(2 / (out kh kw)): mean and deviation within five standard errors, and a tail. */
static void check_kaiming(const struct values *v, const char *name, double fan_out)
{
    int64_t count = 0, far = 0;
    const float *x = values_of(v, name, &count);
    const double expected = sqrt(2.0 / fan_out), root = sqrt((double)count);
    double mean, deviation;
    moments(x, count, &mean, &deviation);
    assert_true(fabs(mean) <= 5 * expected / root);
    assert_true(fabs(deviation - expected) <= 5 * expected / (1.4142 * root));
    for (int64_t i = 0; i < count; i++)
        far += fabs((double)x[i]) > 2 * expected;
    assert_true(fabs((double)far / (double)count - 0.0455) <= 5 * 0.209 / root);
}

static void check_all(const struct values *v, const char *name, float expected)
{
    int64_t count = 0;
    const float *x = values_of(v, name, &count);
    for (int64_t i = 0; i < count; i++)
        assert_true(x[i] == expected);
}

static void test_initial_convolutions(void **state)
{
    struct values v = initialised("resnet18", "{}", imagenet, 3, 0);
    (void)state;
    check_kaiming(&v, "conv1.weight", 64 * 49);
    check_kaiming(&v, "layer1.0.conv1.weight", 64 * 9);
    check_kaiming(&v, "layer3.0.conv1.weight", 256 * 9);
    check_kaiming(&v, "layer4.0.downsample.0.weight", 512);
    check_all(&v, "layer2.1.bn2.weight", 1);
    check_all(&v, "layer2.1.bn2.bias", 0);
    check_all(&v, "layer2.1.bn2.running_mean", 0);
    check_all(&v, "layer2.1.bn2.running_var", 1);
    values_free(&v);
}

/* Uniform in +-1/sqrt(fan in): inside, near both ends, deviation bound/sqrt 3. */
static void check_uniform(const float *x, int64_t count, double fan_in)
{
    const double bound = 1 / sqrt(fan_in);
    double low = 1, high = -1, mean, deviation;
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, (double)x[i]);
        high = fmax(high, (double)x[i]);
    }
    moments(x, count, &mean, &deviation);
    assert_true(low >= -bound * 1.000001 && low < -0.9 * bound);
    assert_true(high <= bound * 1.000001 && high > 0.9 * bound);
    assert_true(fabs(deviation * sqrt(3.0) / bound - 1) < (count > 1000 ? 0.03 : 0.2));
}

static void test_initial_linear(void **state)
{
    struct invar_error err = {0};
    struct invar_head_options options;
    struct values v = {0};
    int64_t count = 0;
    const float *x;
    (void)state;
    invar_options_default(invar_head_option_table, &options);
    v.net = invar_head_build(&options, 50, &err);
    v.parameters = invar_alloc((size_t)v.net->trained_count, sizeof(float), NULL);
    v.statistics = invar_alloc((size_t)v.net->statistic_count, sizeof(float), NULL);
    invar_net_initialise(v.net, 1, 2, v.parameters, v.statistics);
    x = values_of(&v, "0.linear.weight", &count);
    check_uniform(x, count, 50);
    x = values_of(&v, "1.linear.weight", &count);
    check_uniform(x, count, 256);
    x = values_of(&v, "1.linear.bias", &count);
    check_uniform(x, count, 256);
    values_free(&v);
}

static void test_initial_xavier(void **state)
{
    struct values v = {.net = must_build("nature", "{}", (struct invar_shape){3, 4, 84, 84})};
    int64_t count = 0;
    const float *x;
    (void)state;
    v.parameters = invar_alloc((size_t)v.net->trained_count, sizeof(float), NULL);
    for (int i = 0; i < v.net->parameter_count; i++)
        v.net->parameters[i].init = INVAR_INIT_XAVIER_UNIFORM;
    invar_net_initialise(v.net, 1, 2, v.parameters, NULL);
    x = values_of(&v, "conv2.weight", &count); /* [64, 32, 4, 4]: sqrt(6 / (512 + 1024)) is 1 / sqrt 256 */
    check_uniform(x, count, 256);
    x = values_of(&v, "linear.weight", &count); /* [512, 3136] */
    check_uniform(x, count, (3136 + 512) / 6.0);
    values_free(&v);
}

static double correlation(const float *a, const float *b, int64_t count)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < count; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* The same (seed, stream) gives the same bits; another seed, stream or parameter has nothing to do with it. */
static void test_streams(void **state)
{
    static const char options[] = "{stem: small, width: 32}";
    const struct invar_shape input = {3, 3, 32, 32};
    struct values a = initialised("resnet18", options, input, 5, 1),
                  same = initialised("resnet18", options, input, 5, 1);
    struct values seed = initialised("resnet18", options, input, 6, 1);
    struct values stream = initialised("resnet18", options, input, 5, 2);
    int64_t count = 0;
    const float *x = values_of(&a, "layer1.0.conv1.weight", &count);
    const double bound = 5 / sqrt((double)count);
    (void)state;
    assert_memory_equal(a.parameters, same.parameters, (size_t)a.net->trained_count * sizeof(float));
    assert_true(fabs(correlation(x, values_of(&seed, "layer1.0.conv1.weight", &count), count)) < bound);
    assert_true(fabs(correlation(x, values_of(&stream, "layer1.0.conv1.weight", &count), count)) < bound);
    assert_true(fabs(correlation(x, values_of(&a, "layer1.0.conv2.weight", &count), count)) < bound);
    assert_true(fabs(correlation(x, values_of(&a, "layer1.1.conv1.weight", &count), count)) < bound);
    values_free(&a);
    values_free(&same);
    values_free(&seed);
    values_free(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),          cmocka_unit_test(test_counts),
        cmocka_unit_test(test_inputs),         cmocka_unit_test(test_winograd_operations),
        cmocka_unit_test(test_shapes),         cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_refused_inputs), cmocka_unit_test(test_refused_layers),
        cmocka_unit_test(test_heads),          cmocka_unit_test(test_initial_convolutions),
        cmocka_unit_test(test_initial_linear), cmocka_unit_test(test_initial_xavier),
        cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
