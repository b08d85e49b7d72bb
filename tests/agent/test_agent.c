/* SPDX-License-Identifier: Apache-2.0 */
/* Agents: errors and targets by hand, recipes, what is learned, and runs that are stopped and go on. */
#include "test.h"

#include "agent/agent.h"
#include "agent/targets.h"
#include "invar/agent.h"
#include "invar/memory.h"

static struct invar_device *device;

static int open_device(void **state)
{
    struct invar_error err = {0};
    (void)state;
    device = test_device_open(1, &err);
    return device ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    invar_device_close(device);
    return 0;
}

/* ---- targets ---- */

static void test_rescale(void **state)
{
    (void)state;
    for (double x = -1e4; x < 1e4; x = x * 0.7 + 37) {
        assert_near(target_unscale(target_rescale(x)), x, 1e-9);
        if (x > 1e4 * 0.012)
            break;
    }
    assert_near(target_rescale(3), 1.003, 1e-12); /* sqrt 4 - 1 + 3 / 1000 */
    assert_near(target_rescale(-3), -1.003, 1e-12);
    assert_near(target_unscale(target_rescale(-250.5)), -250.5, 1e-9);
}

/* Two rows of two steps; the second ends after one. */
static void test_errors(void **state)
{
    int32_t action[] = {1, 0, 0, 0}, value_at[] = {2, 1, 2, 1};
    double reward[] = {1, 2, 3, 0}, discount[] = {0.5, 0, 0.25, 0.7}, share[] = {1, 0.25}, priority[2] = {0},
           y[4] = {0}, loss = 0, value = 0;
    bool live[] = {true, true, true, false};
    struct replay_batch b = {.rows = 2,
                             .steps = 3,
                             .tail = 1,
                             .action = action,
                             .reward = reward,
                             .discount = discount,
                             .value_at = value_at,
                             .live = live,
                             .share = share};
    /* by step, row, action */
    const float online[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}, target[] = {0, 0, 0, 0, 0, 0, 0, 0, 8, 20, 0, 0};
    struct target_options o = {.twice = true, .huber = 1, .importance = 0.5, .average = 0.1};
    float gradient[8];
    (void)state;

    target_values(&b, &o, 2, 2, online, target, 1, y);
    assert_true(target_errors(&b, &o, 2, 2, online, y, 1, gradient, priority, &loss, &value));
    /* row 0: 2 - (1 + 0.5 * 8) = -3 and 5 - (3 + 0.25 * 8) = 0; row 1: 3 - 2 = 1 of weight sqrt 0.25 */
    assert_near(loss, (2.5 + 0 + 0.5 * 0.5) / 4, 1e-12);
    assert_near(value, (2 + 5 + 3) / 4.0, 1e-12);
    assert_near(gradient[1], -0.25, 1e-7);
    assert_near(gradient[4], 0, 1e-7);
    assert_near(gradient[2], 0.5 * 0.25, 1e-7);
    assert_near(gradient[6], 0, 0);
    assert_near(priority[0], 0.9 * 3 + 0.1 * 1.5, 1e-12);
    assert_near(priority[1], 1, 1e-12);
    /* a quarter of that from another view */
    assert_true(target_errors(&b, &o, 2, 2, online, y, 0.25, gradient, priority, &loss, &value));
    assert_near(loss, 1.25 * (2.5 + 0 + 0.5 * 0.5) / 4, 1e-12);
    assert_near(gradient[2], 0.25 * 0.5 * 0.25, 1e-7);
    assert_near(priority[1], 1.25, 1e-12);
    /* the target network's own best is 20, and half of the target is of that view: 1 + 0.5 * 14 and 3 + 0.25 * 14 */
    memset(y, 0, sizeof y);
    memset(priority, 0, sizeof priority);
    target_values(&b, &o, 2, 2, online, target, 0.5, y);
    o.twice = false;
    target_values(&b, &o, 2, 2, online, target, 0.5, y);
    assert_near(y[0], 8, 1e-12);
    assert_true(target_errors(&b, &o, 2, 2, online, y, 1, gradient, priority, &loss, &value));
    assert_near(priority[0], 0.9 * 6 + 0.1 * (6 + 1.5) / 2, 1e-12);
    y[0] = NAN;
    assert_false(target_errors(&b, &o, 2, 2, online, y, 1, gradient, priority, &loss, &value));
}

/* ---- recipes ---- */

static void test_recipes(void **state)
{
    int count = 0;
    (void)state;
    for (const struct invar_recipe_name *name = invar_agent_recipe_names(); name->name; name++, count++) {
        struct invar_error err = {0};
        struct invar_agent_recipe *r = invar_agent_recipe_load(name->name, NULL, 0, &err), *again;
        struct invar_text text = {0}, second = {0};
        assert_ok(r != NULL, &err);
        assert_string_equal(invar_agent_recipe_name(r), name->name);
        assert_ok(agent_recipe_write(r, "", &text, &err), &err);
        char *folder = test_folder_create();
        char path[1100];
        snprintf(path, sizeof path, "%s/again.yaml", folder);
        assert_ok(invar_file_write(path, text.data, text.size, &err), &err);
        again = invar_agent_recipe_load(path, NULL, 0, &err);
        assert_ok(again != NULL, &err);
        assert_ok(agent_recipe_write(again, "", &second, &err), &err);
        assert_string_equal(text.data, second.data);
        invar_agent_recipe_free(r);
        invar_agent_recipe_free(again);
        invar_text_free(&text);
        invar_text_free(&second);
        test_folder_remove(folder);
    }
    assert_true(count >= 2);
}

static void refused(const char *setting, const char *sentence)
{
    struct invar_error err = {0};
    const char *settings[] = {setting};
    struct invar_agent_recipe *r = invar_agent_recipe_load("dqn-catch", settings, 1, &err);
    struct invar_agent *agent = r ? invar_agent_create(r, device, &(struct invar_trainer_options){0}, &err) : NULL;
    assert_null(agent);
    if (!strstr(err.message, sentence))
        fail_msg("%s: \"%s\", expected \"%s\"", setting, err.message, sentence);
    invar_agent_recipe_free(r);
}

static void test_refused(void **state)
{
    (void)state;
    refused("env.id=tag", "env.id: there is no environment \"tag\"");
    refused("env.id=null", "env.id is missing");
    refused("env.colour=true", "colour");
    refused("replay.sequence=8", "replay.sequence and burn_in are of an LSTM");
    refused("agent.interval=6", "a multiple of agent.copies, which is 4");
    refused("agent.epsilon=0.1", "two numbers are expected");
    refused("encoder.kind=mlp", "batch norms would make a value depend on other states");
    refused("replay.memory=0.01", "replay.memory is 0.01 MiB, but 20000 steps");
    refused("optimiser.lr_scaling=linear", "optimiser.lr_scaling: the rate of a Q-network is optimiser.lr");
    refused("agent.epsilon=[2, 1]", "agent.epsilon: expected at most 16 numbers from 0 to 1, found [2, 1]");
    refused("agent.m=3", "agent.m");
    refused("augmentation.learned=17", "augmentation.learned");
}

/* ---- learning ---- */

/* Trains into a folder; the greedy mean return of so many episodes. */
static double train_and_play(const char *recipe, const char *const *settings, int count, int64_t episodes)
{
    struct invar_error err = {0};
    char *folder = test_folder_create();
    char path[1100];
    double sum = 0, *returns = calloc((size_t)episodes, sizeof *returns);

    snprintf(path, sizeof path, "%s/run", folder);
    const struct invar_trainer_options options = {.folder = path};
    struct invar_agent_recipe *r = invar_agent_recipe_load(recipe, settings, count, &err);
    assert_ok(r != NULL, &err);
    struct invar_agent *agent = invar_agent_create(r, device, &options, &err);
    assert_ok(agent != NULL, &err);
    assert_ok(invar_agent_run(agent, &err), &err);
    invar_agent_free(agent);
    invar_agent_recipe_free(r);
    const struct invar_agent_play play = {.episodes = episodes, .seed = 5, .returns = returns};
    assert_ok(invar_agent_play(path, NULL, 0, device, &play, &err), &err);
    for (int64_t i = 0; i < episodes; i++)
        sum += returns[i];
    free(returns);
    test_folder_remove(folder);
    return sum / (double)episodes;
}

static void test_catch(void **state)
{
    (void)state;
    const double mean = train_and_play("dqn-catch", NULL, 0, 200);
    if (!(mean >= 0.95))
        fail_msg("mean return %g, expected 0.95 or more of 1", mean);
}

static void test_recall(void **state)
{
    static const char *const without[] = {"agent.recurrent=0", "replay.sequence=1", "replay.overlap=0",
                                          "replay.burn_in=0"};
    (void)state;
    const double with = train_and_play("r2d2-recall", NULL, 0, 200),
                 forgets = train_and_play("r2d2-recall", without, 4, 500);
    if (!(with >= 0.9) || !(forgets <= 0.6))
        fail_msg("mean return %g with an LSTM and %g without, expected 0.9 or more and 0.6 or less", with, forgets);
}

static struct invar_agent *created(const char *const *settings, int count, struct invar_agent_recipe **recipe)
{
    struct invar_error err = {0};
    *recipe = invar_agent_recipe_load("dqn-catch", settings, count, &err);
    assert_ok(*recipe != NULL, &err);
    struct invar_agent *agent = invar_agent_create(*recipe, device, &(struct invar_trainer_options){0}, &err);
    assert_ok(agent != NULL, &err);
    return agent;
}

/* Actions are as random as at first until epsilon_start, and then less so, in a line. */
static void test_epsilon(void **state)
{
    static const char *const settings[] = {"agent.epsilon=[0.8, 0.2]", "agent.epsilon_start=40",
                                           "agent.epsilon_steps=20"};
    static const double expected[][2] = {{0, 0.8}, {40, 0.8}, {44, 0.68}, {60, 0.2}, {400, 0.2}};
    struct invar_agent_recipe *r;
    struct invar_agent *agent = created(settings, 3, &r);
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct invar_error err = {0};
        agent->step = (int64_t)expected[i][0];
        assert_ok(agent_act(agent, &err), &err);
        assert_near(agent->epsilon, expected[i][1], 1e-12);
    }
    invar_agent_free(agent);
    invar_agent_recipe_free(r);
}

/* Every weight of encoder and heads, and the target network's too. */
static void check_xavier(const struct invar_chain_net *n)
{
    for (int i = 0; i < n->net->parameter_count; i++) {
        const struct invar_parameter *p = &n->net->parameters[i];
        const double out = (double)p->count / (double)p->fan_in,
                     bound = p->role == INVAR_PARAMETER_BIAS
                                 ? 0
                                 : sqrt(6 / ((double)p->fan_in + out * (double)p->fan_in / (double)p->shape[1]));
        double largest = 0;
        for (int64_t j = 0; j < p->count; j++)
            largest = fmax(largest, fabs((double)n->target_weights->parameters[p->offset + j]));
        assert_true(largest <= bound * 1.000001 && largest >= bound * 0.9);
    }
}

static void test_xavier(void **state)
{
    static const char *const settings[] = {"agent.init=xavier", "encoder.kind=nature", "encoder.paddings=[1, 0]",
                                           "encoder.width=24"};
    struct invar_agent_recipe *r;
    struct invar_agent *agent = created(settings, 4, &r);
    (void)state;
    check_xavier(&agent->learner.network.encoder);
    check_xavier(&agent->learner.network.core);
    invar_agent_free(agent);
    invar_agent_recipe_free(r);
}

/* A life that is lost in one environment of four ends what is learned there, and not its game. */
static void test_lost_life(void **state)
{
    static const char *const settings[] = {"agent.life_ends=true", "agent.hidden=0"};
    struct invar_error err = {0};
    struct invar_agent_recipe *r;
    struct invar_agent *agent = created(settings, 2, &r);
    (void)state;
    agent->actors[1].now.lives = 1; /* catch has none, so that it is lost with the next step */
    assert_ok(agent_act(agent, &err), &err);
    assert_int_equal(agent->replay.lanes[0].end, 2);
    assert_int_equal(replay_entry(&agent->replay, 0, 1)->end, REPLAY_GOES_ON);
    assert_int_equal(agent->replay.lanes[1].end, 3);
    assert_int_equal(replay_entry(&agent->replay, 1, 1)->end, REPLAY_TERMINATED);
    assert_int_equal(replay_entry(&agent->replay, 1, 2)->step, 0);
    assert_int_equal(agent->actors[1].length, 1);
    assert_int_equal(agent->episodes, 0);
    assert_ok(agent_act(agent, &err), &err);
    assert_int_equal(agent->replay.lanes[1].end, 4);
    assert_int_equal(agent->actors[1].length, 2);
    invar_agent_free(agent);
    invar_agent_recipe_free(r);
}

/* ---- stopped and gone on with ---- */

struct stop {
    int64_t at;
};

static bool stop_at(void *user, const struct invar_record *record, struct invar_error *err)
{
    const struct stop *stop = user;
    return record->step < stop->at || invar_error_set(err, INVAR_ERROR_INTERRUPTED, "stopped");
}

/* One run to its end, stopped at some steps on the way; the bytes of its last checkpoint. */
static struct invar_bytes checkpoint_of(const char *recipe, const char *const *settings, int count,
                                        const int64_t *stops)
{
    struct invar_error err = {0};
    char *folder = test_folder_create();
    char path[1100];
    struct invar_bytes bytes = {0};

    snprintf(path, sizeof path, "%s/run", folder);
    for (bool whole = false; !whole; stops++) {
        struct stop stop = {*stops ? *stops : INT64_MAX};
        const struct invar_trainer_options options = {.folder = path, .resume = true, .report = stop_at, .user = &stop};
        struct invar_agent_recipe *r = invar_agent_recipe_load(recipe, settings, count, &err);
        assert_ok(r != NULL, &err);
        struct invar_agent *agent = invar_agent_create(r, device, &options, &err);
        assert_ok(agent != NULL, &err);
        whole = *stops == 0;
        if (whole)
            assert_ok(invar_agent_run(agent, &err), &err);
        else
            assert_refused(invar_agent_run(agent, &err), &err, INVAR_ERROR_INTERRUPTED, "resume goes on");
        invar_agent_free(agent);
        invar_agent_recipe_free(r);
    }
    snprintf(path, sizeof path, "%s/run/checkpoint-00001600.safetensors", folder);
    assert_ok(invar_file_read(&bytes, path, (size_t)1 << 30, &err), &err);
    test_folder_remove(folder);
    return bytes;
}

static void check_resume(const char *recipe, const char *const *settings, int count)
{
    static const int64_t never[] = {0}, often[] = {300, 700, 1100, 1500, 0};
    struct invar_bytes a = checkpoint_of(recipe, settings, count, never),
                       b = checkpoint_of(recipe, settings, count, often);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    invar_bytes_free(&a);
    invar_bytes_free(&b);
}

static void test_resume(void **state)
{
    static const char *const catch[] = {"training.steps=1600", "replay.steps=400", "replay.exponent=0.5",
                                        "replay.importance=0.4"},
                             *const recall[] = {"training.steps=1600", "replay.steps=600"};
    static const char *const drq[] = {"training.steps=1600", "augmentation.learned=2", "augmentation.valued=3",
                                      "augmentation.views.crop=[1, 1]", "augmentation.views.shift=2"},
                             *const sequences[] = {"training.steps=1600",    "env.id=catch",
                                                   "env.gray=true",          "encoder.channels=[8]",
                                                   "encoder.kernels=[4]",    "encoder.strides=[4]",
                                                   "augmentation.learned=1", "augmentation.views.intensity=0.1"};
    static const char *const shared[] = {"training.steps=1600", "auxiliary.encoder=shared"};
    (void)state;
    check_resume("dqn-catch", catch, 4);
    check_resume("r2d2-recall", recall, 2);
    check_resume("relic-catch", catch, 2);
    check_resume("byol-catch", shared, 2);
    check_resume("dqn-catch", drq, 5);
    check_resume("r2d2-recall", sequences, 8);
}

/* Goes on in a folder, to the end or to where it is stopped. */
static void go_on(const char *path, const char *steps, int64_t at)
{
    struct invar_error err = {0};
    struct stop stop = {at};
    const struct invar_trainer_options options = {.folder = path, .resume = true, .report = stop_at, .user = &stop};
    struct invar_agent_recipe *r = invar_agent_recipe_load("dqn-catch", &steps, 1, &err);
    struct invar_agent *agent = r ? invar_agent_create(r, device, &options, &err) : NULL;

    assert_ok(agent != NULL, &err);
    if (at < INT64_MAX)
        assert_refused(invar_agent_run(agent, &err), &err, INVAR_ERROR_INTERRUPTED, "resume goes on");
    else
        assert_ok(invar_agent_run(agent, &err), &err);
    invar_agent_free(agent);
    invar_agent_recipe_free(r);
}

struct played {
    double returns[40];
    int64_t steps;
};

static bool note_steps(void *user, const struct invar_env_info *info, int64_t steps, struct invar_error *err)
{
    struct played *played = user;
    (void)info, (void)err;
    played->steps = steps;
    return true;
}

static struct played play(const char *path)
{
    struct invar_error err = {0};
    struct played out = {.steps = -2};
    const struct invar_agent_play play = {
        .episodes = 40, .seed = 5, .returns = out.returns, .finished = note_steps, .user = &out};
    assert_ok(invar_agent_play(path, NULL, 0, device, &play, &err), &err);
    return out;
}

/* What is played are the newest weights, under their own number of steps, which is whole steps of all four copies. */
static void test_played_after_more(void **state)
{
    char *folder = test_folder_create();
    char path[1100], weights[1200];
    (void)state;
    snprintf(path, sizeof path, "%s/run", folder);
    snprintf(weights, sizeof weights, "%s/agent.safetensors", path);
    go_on(path, "training.steps=1201", INT64_MAX);
    const struct played first = play(path);
    assert_int_equal(first.steps, 1204);
    go_on(path, "training.steps=1201", INT64_MAX); /* it has ended, which is no error */
    go_on(path, "training.steps=6000", 4800);
    const struct played more = play(path);
    assert_int_equal(more.steps, 4800);
    assert_int_equal(remove(weights), 0);
    const struct played alone = play(path);
    assert_memory_equal(more.returns, alone.returns, sizeof more.returns);
    assert_memory_not_equal(more.returns, first.returns, sizeof more.returns);
    go_on(path, "training.steps=6000", INT64_MAX);
    assert_int_equal(play(path).steps, 6000);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rescale),
                                       cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_recipes),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_catch),
                                       cmocka_unit_test(test_recall),
                                       cmocka_unit_test(test_lost_life),
                                       cmocka_unit_test(test_epsilon),
                                       cmocka_unit_test(test_xavier),
                                       cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_played_after_more)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
