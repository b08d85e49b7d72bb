/* SPDX-License-Identifier: Apache-2.0 */
/* Layer-wise rates: stages of encoders, and what an update of every optimiser becomes. */
#include "training.h"

static struct invar_net *net_of(const char *section, struct invar_shape input)
{
    struct invar_error err = {0};
    struct invar_node *node = invar_node_parse(section, strlen(section), "test", &err);
    struct invar_encoder *encoder = invar_encoder_create(node, input, 1, &err);
    assert_ok(encoder, &err);
    struct invar_net *net = encoder->net;
    encoder->net = NULL;
    invar_encoder_free(encoder);
    invar_node_free(node);
    return net;
}

static int stage_of(const struct invar_net *net, const char *name)
{
    int *stage = calloc((size_t)net->parameter_count, sizeof *stage), found = -1;

    invar_net_stages(net, stage);
    for (int i = 0; i < net->parameter_count; i++)
        if (strcmp(net->parameters[i].name, name) == 0)
            found = stage[i];
    free(stage);
    return found;
}

static void stages_follow_names(void **state)
{
    struct invar_net *net = net_of("kind: resnet18\nwidth: 4\nstem: small\n", (struct invar_shape){3, 3, 32, 32});
    (void)state;
    assert_int_equal(invar_net_stages(net, NULL), 5);
    assert_int_equal(stage_of(net, "conv1.weight"), 0);
    assert_int_equal(stage_of(net, "bn1.bias"), 0);
    assert_int_equal(stage_of(net, "layer1.0.conv1.weight"), 1);
    assert_int_equal(stage_of(net, "layer4.1.bn2.running_var"), 4);
    assert_int_equal(stage_of(net, "layer4.0.downsample.0.weight"), 4);
    invar_net_free(net);
    net = net_of("kind: mlp\nwidths: [8, 8]\n", (struct invar_shape){1, 6, 1, 1});
    assert_true(invar_net_stages(net, NULL) >= 2);
    assert_int_equal(stage_of(net, "0.linear.weight"), 0);
    assert_int_equal(stage_of(net, "1.linear.weight"), 1);
    invar_net_free(net);
}

/* Parameters of encoder, then of projector, after some steps. */
static float *train(struct training *t, double decay, int steps)
{
    const struct invar_trainer_options options = {.layer_decay = decay};
    struct invar_error err = {0};
    struct invar_record record;
    struct invar_encoder *encoder;
    struct invar_head *head;
    struct invar_trainer *trainer = invar_trainer_create(t->recipe, t->dataset, t->device, &options, &err);
    assert_ok(trainer, &err);
    for (int i = 0; i < steps; i++)
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    assert_ok(invar_trainer_present(trainer, &encoder, &head, &err), &err);
    const size_t first = (size_t)encoder->net->trained_count, second = (size_t)head->net->trained_count;
    float *out = malloc((first + second) * sizeof *out);
    memcpy(out, encoder->parameters, first * sizeof *out);
    memcpy(out + first, head->parameters, second * sizeof *out);
    invar_trainer_free(trainer);
    return out;
}

static void check_optimiser(const char *optimiser)
{
    const char *const overrides[] = {optimiser, "optimiser.lr=1e-2", "training.warmup=0", "training.precision=float32"};
    const double decay = 0.5;
    struct training t = {0};
    training_open(&t, overrides, 4);
    float *start = train(&t, 0, 0), *plain = train(&t, 0, 1), *slow = train(&t, decay, 1);
    float *one = train(&t, 1, 3), *none = train(&t, 0, 3);
    struct invar_net *net = net_of("kind: small-resnet\nwidths: [4, 8]\nstride: 1\npool: 2\n",
                                   (struct invar_shape){3, 1, TRAINING_SIDE, TRAINING_SIDE});
    const int stages = invar_net_stages(net, NULL);
    assert_true(stages >= 3);
    int64_t moved = 0;
    for (int i = 0; i < net->parameter_count; i++) {
        const struct invar_parameter *p = &net->parameters[i];
        const double rate = pow(decay, stages - stage_of(net, p->name));
        for (int64_t j = p->offset; p->role != INVAR_PARAMETER_STATISTIC && j < p->offset + p->count; j++) {
            assert_near(slow[j] - start[j], rate * ((double)plain[j] - (double)start[j]), 2e-7);
            moved += plain[j] != start[j];
        }
    }
    assert_true(moved > net->trained_count / 2);
    /* the head at the rate itself; a decay of 1 changes no bit */
    assert_memory_equal(slow + net->trained_count, plain + net->trained_count, 8 * sizeof *slow);
    assert_memory_equal(one, none, (size_t)net->trained_count * sizeof *one);
    free(start);
    free(plain);
    free(slow);
    free(one);
    free(none);
    invar_net_free(net);
    training_close(&t);
}

static void updates_are_shares(void **state)
{
    (void)state;
    check_optimiser("optimiser={kind: sgd, momentum: 0.9, nesterov: true, weight_decay: 1e-3}");
    check_optimiser("optimiser={kind: adamw, weight_decay: 0.05}");
    check_optimiser("optimiser={kind: lars, weight_decay: 1e-4}");
}

static void wrong_decays_are_refused(void **state)
{
    const double wrong[] = {-0.5, 1.5, (double)NAN};
    struct training t = {0};
    (void)state;
    training_open(&t, NULL, 0);
    for (int i = 0; i < 3; i++) {
        const struct invar_trainer_options options = {.layer_decay = wrong[i]};
        struct invar_error err = {0};
        assert_refused(invar_trainer_create(t.recipe, t.dataset, t.device, &options, &err), &err, INVAR_ERROR_USAGE,
                       "decay of rates by layer");
    }
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_follow_names),
        cmocka_unit_test(updates_are_shares),
        cmocka_unit_test(wrong_decays_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
