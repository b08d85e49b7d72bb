/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the ResNets that follow other codes: padding of the small stem, and initial values. */
#include "test.h"

#include "invar/encoder.h"
#include "invar/memory.h"

TEST_COVERS("encoder.resnet18 encoder.resnet50");

static struct invar_encoder *create(const char *text)
{
    struct invar_error err = {0};
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    struct invar_encoder *encoder = invar_encoder_create(section, (struct invar_shape){3, 3, 32, 32}, 7, &err);
    invar_node_free(section);
    if (!encoder)
        fail_msg("%s", err.message);
    return encoder;
}

static const struct invar_parameter *find(const struct invar_encoder *encoder, const char *name)
{
    for (int i = 0; i < encoder->net->parameter_count; i++)
        if (strcmp(encoder->net->parameters[i].name, name) == 0)
            return &encoder->net->parameters[i];
    fail_msg("no parameter %s", name);
    return NULL;
}

static void test_stem_padding(void **state)
{
    static const char *const texts[] = {"{kind: resnet18, stem: small, width: 2, stem_padding: 0}",
                                        "{kind: resnet18, stem: small, width: 2}",
                                        "{kind: resnet18, stem: small, width: 2, stem_padding: 2}"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct invar_encoder *encoder = create(texts[i]);
        assert_int_equal(encoder->net->layers[1].shape.height, 30 + 2 * i);
        assert_int_equal(invar_net_output(encoder->net).channels, 16);
        invar_encoder_free(encoder);
    }
    struct invar_encoder *encoder = create("{kind: resnet18, width: 2, stem_padding: 2}"); /* not of this stem */
    assert_int_equal(encoder->net->layers[1].shape.height, 16);
    invar_encoder_free(encoder);
}

/* The deviation of a uniform distribution of +-b is b / sqrt 3, and nothing lies outside. */
static void check_torch(const struct invar_encoder *encoder, const char *name, bool torch)
{
    const struct invar_parameter *p = find(encoder, name);
    const float *x = encoder->parameters + p->offset;
    const double bound = 1 / sqrt((double)p->fan_in);
    const double fan_out = (double)(p->shape[0] * p->shape[2] * p->shape[3]);
    double squares = 0, largest = 0;
    for (int64_t i = 0; i < p->count; i++) {
        squares += (double)x[i] * (double)x[i];
        largest = fmax(largest, fabs((double)x[i]));
    }
    const double deviation = sqrt(squares / (double)p->count), expected = torch ? bound / sqrt(3) : sqrt(2 / fan_out);
    if (!(fabs(deviation / expected - 1) < 0.1))
        fail_msg("%s: deviation %g, expected %g", name, deviation, expected);
    assert_true(!torch || largest <= bound * (1 + 1e-6));
}

static void test_init(void **state)
{
    static const struct {
        const char *text;
        bool stem, rest;
    } cases[] = {{"{kind: resnet18, stem: small, width: 16}", false, false},
                 {"{kind: resnet18, stem: small, width: 16, init: torch_stem}", true, false},
                 {"{kind: resnet18, stem: small, width: 16, init: torch}", true, true}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct invar_encoder *encoder = create(cases[i].text);
        check_torch(encoder, "conv1.weight", cases[i].stem);
        check_torch(encoder, "layer1.0.conv1.weight", cases[i].rest);
        check_torch(encoder, "layer3.0.downsample.0.weight", cases[i].rest);
        invar_encoder_free(encoder);
    }
}

static void check_scale(const struct invar_encoder *encoder, const char *name, float expected)
{
    const struct invar_parameter *p = find(encoder, name);
    for (int64_t i = 0; i < p->count; i++)
        assert_true(encoder->parameters[p->offset + i] == expected);
}

static void test_zero_init_residual(void **state)
{
    (void)state;
    struct invar_encoder *plain = create("{kind: resnet18, width: 2}");
    struct invar_encoder *basic = create("{kind: resnet18, width: 2, zero_init_residual: true}");
    struct invar_encoder *bottleneck = create("{kind: resnet50, width: 2, zero_init_residual: true}");
    check_scale(plain, "layer2.1.bn2.weight", 1);
    check_scale(basic, "layer2.1.bn2.weight", 0);
    check_scale(basic, "layer2.1.bn1.weight", 1);
    check_scale(basic, "layer2.0.downsample.1.weight", 1);
    check_scale(basic, "bn1.weight", 1);
    check_scale(bottleneck, "layer4.2.bn3.weight", 0);
    check_scale(bottleneck, "layer4.2.bn2.weight", 1);
    invar_encoder_free(plain);
    invar_encoder_free(basic);
    invar_encoder_free(bottleneck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stem_padding),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_zero_init_residual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
