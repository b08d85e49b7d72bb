/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe by SGD: the bank of classifiers against slow formulas and against L-BFGS, and whole probes. */
#include "data/make.h"

#include "eval/probe/bank.h"
#include "invar/expert/random.h"
#include "invar/expert/sgd_probe.h"

enum { ROWS = 60, COLS = 6, CLASSES = 3, HEADS = 3 };

struct rows {
    float features[ROWS * COLS];
    int64_t labels[ROWS];
    bool held[ROWS];
};

static struct rows make_rows(void)
{
    struct invar_random random = invar_random_stream(5, INVAR_RANDOM_TEST, 0, 0, 0);
    struct rows rows;
    for (int i = 0; i < ROWS; i++) {
        rows.labels[i] = i % CLASSES;
        rows.held[i] = i % 7 == 0;
        for (int j = 0; j < COLS; j++)
            rows.features[i * COLS + j] = invar_random_normal(&random) + (rows.labels[i] == j ? 1 : 0);
    }
    return rows;
}

/* One classifier in double precision: [CLASSES][COLS + 1], the bias last. */
struct slow {
    double p[CLASSES][COLS + 1], past[CLASSES][COLS + 1];
};

static void slow_gradient(const struct slow *slow, const struct rows *rows, bool partial, double l2,
                          double out[CLASSES][COLS + 1])
{
    int seen = 0;
    memset(out, 0, sizeof(double) * CLASSES * (COLS + 1));
    for (int i = 0; i < ROWS; i++)
        seen += !(partial && rows->held[i]);
    for (int i = 0; i < ROWS; i++) {
        double score[CLASSES], sum = 0;
        if (partial && rows->held[i])
            continue;
        for (int c = 0; c < CLASSES; c++) {
            score[c] = slow->p[c][COLS];
            for (int j = 0; j < COLS; j++)
                score[c] += slow->p[c][j] * (double)rows->features[i * COLS + j];
            sum += exp(score[c]);
        }
        for (int c = 0; c < CLASSES; c++) {
            const double d = (exp(score[c]) / sum - (c == rows->labels[i])) / seen;
            for (int j = 0; j < COLS; j++)
                out[c][j] += d * (double)rows->features[i * COLS + j];
            out[c][COLS] += d;
        }
    }
    for (int c = 0; c < CLASSES; c++)
        for (int j = 0; j < COLS; j++)
            out[c][j] += l2 * slow->p[c][j];
}

static void slow_step(struct slow *slow, const struct rows *rows, const struct bank_head *head, bool nesterov,
                      bool first)
{
    double g[CLASSES][COLS + 1];
    slow_gradient(slow, rows, head->partial, head->l2, g);
    for (int c = 0; c < CLASSES; c++)
        for (int j = 0; j <= COLS; j++) {
            slow->past[c][j] = first ? g[c][j] : 0.9 * slow->past[c][j] + g[c][j];
            slow->p[c][j] -= head->lr * (nesterov ? g[c][j] + 0.9 * slow->past[c][j] : slow->past[c][j]);
        }
}

static void check_steps(bool nesterov)
{
    const struct bank_head head[HEADS] = {{0.3, 0, false}, {0.1, 0.01, true}, {0.5, 0.1, false}};
    const struct rows rows = make_rows();
    struct invar_error err = {0};
    struct bank bank;
    struct slow slow[HEADS] = {0};
    float copy[CLASSES * (COLS + 1)];
    assert_ok(bank_create(&bank, HEADS, head, CLASSES, COLS, ROWS, 3, &err), &err);
    bank.momentum = 0.9;
    bank.nesterov = nesterov;
    for (int h = 0; h < HEADS; h++) {
        bank_copy(&bank, h, copy, false);
        for (int c = 0; c < CLASSES; c++)
            for (int j = 0; j <= COLS; j++)
                slow[h].p[c][j] = (double)copy[j < COLS ? c * COLS + j : CLASSES * COLS + c];
    }
    for (int step = 0; step < 6; step++) {
        assert_ok(bank_step(&bank, rows.features, rows.labels, rows.held, ROWS, &err), &err);
        for (int h = 0; h < HEADS; h++)
            slow_step(&slow[h], &rows, &head[h], nesterov, step == 0);
    }
    for (int h = 0; h < HEADS; h++) {
        bank_copy(&bank, h, copy, false);
        for (int c = 0; c < CLASSES; c++)
            for (int j = 0; j <= COLS; j++)
                assert_near(copy[j < COLS ? c * COLS + j : CLASSES * COLS + c], slow[h].p[c][j], 1e-5);
    }
    bank_free(&bank);
}

static void test_steps(void **state)
{
    (void)state;
    check_steps(true);
    check_steps(false);
}

/* Descent to the end finds what L-BFGS finds. */
static void test_minimum(void **state)
{
    const struct bank_head head = {0.5, 0.02, false};
    const struct rows rows = make_rows();
    const struct invar_matrix features = {INVAR_FLOAT32, ROWS, COLS, (void *)(uintptr_t)rows.features};
    const struct invar_logreg_options options = {.l2 = 0.02, .iterations = 1000, .tolerance = 1e-8};
    struct invar_logreg_result result;
    struct invar_error err = {0};
    double weight[CLASSES * COLS] = {0}, bias[CLASSES] = {0};
    float copy[CLASSES * (COLS + 1)];
    struct bank bank;
    (void)state;
    assert_ok(bank_create(&bank, 1, &head, CLASSES, COLS, ROWS, 3, &err), &err);
    bank.momentum = 0.9;
    for (int step = 0; step < 3000; step++)
        assert_ok(bank_step(&bank, rows.features, rows.labels, rows.held, ROWS, &err), &err);
    bank_copy(&bank, 0, copy, false);
    assert_ok(invar_logreg_fit(&features, rows.labels, CLASSES, &options, weight, bias, &result, &err), &err);
    for (int i = 0; i < CLASSES * COLS; i++)
        assert_near(copy[i], weight[i], 1e-3);
    bank_free(&bank);
}

static void test_diverges(void **state)
{
    const struct bank_head head = {1e38, 1e30, false};
    const struct rows rows = make_rows();
    struct invar_error err = {0};
    struct bank bank;
    bool ok = true;
    (void)state;
    assert_ok(bank_create(&bank, 1, &head, CLASSES, COLS, ROWS, 3, &err), &err);
    bank.momentum = 0.9;
    for (int step = 0; ok && step < 100; step++)
        ok = bank_step(&bank, rows.features, rows.labels, rows.held, ROWS, &err);
    assert_refused(ok, &err, INVAR_ERROR_NUMERIC, "rate is too large");
    bank_free(&bank);
}

/* ---- whole probes ---- */

enum { COUNT = 120, TESTS = 30, SIDE = 8 };

struct whole {
    char *folder;
    struct invar_dataset *dataset;
    struct invar_encoder *encoder;
    struct invar_device *device;
    struct invar_sgd_probe_options options;
    struct invar_sgd_probe_work work;
};

/* The class is the brightness of an image: (i % 3). */
static struct bytes make_images(int count)
{
    struct bytes out = make_idx_images(0, SIDE, SIDE, 0);
    struct invar_random random = invar_random_stream(9, INVAR_RANDOM_TEST, 0, (uint64_t)count, 0);
    out.data[7] = (unsigned char)count;
    for (int i = 0; i < count; i++)
        for (int p = 0; p < SIDE * SIDE; p++)
            bytes_fill(&out, 60 * (i % 3) + (int)invar_random_below(&random, 100), 1);
    return out;
}

static int set_up(void **state)
{
    static struct whole w;
    const char text[] = "kind: small-resnet\nwidths: [4, 8]\n";
    struct invar_error err = {0};
    w = (struct whole){.folder = test_folder_create()};
    struct bytes bytes = make_images(COUNT);
    bytes_write(&bytes, w.folder, "train-images-idx3-ubyte");
    bytes = make_images(TESTS);
    bytes_write(&bytes, w.folder, "t10k-images-idx3-ubyte");
    bytes = make_idx_labels(COUNT, 3);
    bytes_write(&bytes, w.folder, "train-labels-idx1-ubyte");
    bytes = make_idx_labels(TESTS, 3);
    bytes_write(&bytes, w.folder, "t10k-labels-idx1-ubyte");
    struct invar_data_options data = make_options("idx", w.folder);
    w.dataset = make_open(&data);
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    w.encoder = invar_encoder_create(section, (struct invar_shape){3, 1, SIDE, SIDE}, 5, &err);
    assert_ok(w.encoder, &err);
    w.encoder->mean[0] = 0.4F;
    w.encoder->deviation[0] = 0.3F;
    invar_node_free(section);
    w.device = test_device_open(1, &err);
    assert_ok(w.device, &err);
    invar_options_default(invar_sgd_probe_option_table, &w.options);
    w.options.epochs = 20;
    w.options.batch = 32;
    w.work = (struct invar_sgd_probe_work){.device = w.device, .encoder = w.encoder, .dataset = w.dataset};
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct whole *w = *state;
    invar_encoder_free(w->encoder);
    invar_dataset_close(w->dataset);
    invar_device_close(w->device);
    test_folder_remove(w->folder);
    return 0;
}

static void test_learns(void **state)
{
    const struct whole *w = *state;
    struct invar_sgd_probe_result a, b;
    struct invar_error err = {0};
    assert_ok(invar_sgd_probe(&w->work, &w->options, &a, &err), &err);
    assert_true(a.last.test.top1 > 70);
    assert_int_equal(a.last.epoch, 20);
    assert_int_equal(a.steps, 20 * (COUNT / 32));
    assert_int_equal(a.held_out_count, 12);
    assert_int_equal(a.candidates, 15);
    assert_true(a.best.held_out_top1 >= a.last.held_out_top1);
    assert_true(a.best.epoch >= 1 && a.best.epoch <= 20);
    assert_ok(invar_sgd_probe(&w->work, &w->options, &b, &err), &err);
    assert_true(a.last.test.top1 == b.last.test.top1 && a.best.epoch == b.best.epoch && a.best.lr == b.best.lr);
    invar_sgd_probe_result_free(&a);
    invar_sgd_probe_result_free(&b);
}

/* Chosen on the test split the best of all epochs is at least as good as the last; nothing is held out. */
static void test_choose_test(void **state)
{
    const struct whole *w = *state;
    struct invar_sgd_probe_options options = w->options;
    struct invar_sgd_probe_result result;
    struct invar_error err = {0};
    options.choose = INVAR_PROBE_TEST;
    options.views.augment = INVAR_PROBE_NONE;
    assert_ok(invar_sgd_probe(&w->work, &options, &result, &err), &err);
    assert_true(result.best.test.top1 >= result.last.test.top1);
    assert_int_equal(result.held_out_count, 0);
    assert_true(result.plain && result.best.held_out_top1 < 0);
    invar_sgd_probe_result_free(&result);
}

/* A candidate beside others is the candidate alone. */
static void test_candidates_do_not_meet(void **state)
{
    const struct whole *w = *state;
    struct invar_sgd_probe_options options = w->options;
    struct invar_sgd_probe_result both, alone;
    struct invar_error err = {0};
    options.epochs = 5;
    options.l2 = (struct invar_real_list){1, {0}};
    options.lr = (struct invar_real_list){2, {0.2, 1e-6}};
    assert_ok(invar_sgd_probe(&w->work, &options, &both, &err), &err);
    assert_true(both.last.lr == 0.2);
    options.lr.count = 1;
    assert_ok(invar_sgd_probe(&w->work, &options, &alone, &err), &err);
    assert_near(alone.last.test.top1, both.last.test.top1, 0.05);
    assert_near(alone.last.held_out_top1, both.last.held_out_top1, 0.1);
    invar_sgd_probe_result_free(&both);
    invar_sgd_probe_result_free(&alone);
}

static bool never(void *user, const struct invar_progress *progress)
{
    (void)user;
    (void)progress;
    return false;
}

static void test_refused(void **state)
{
    const struct invar_watch watch = {.told = never};
    const struct whole *w = *state;
    struct invar_sgd_probe_options options = w->options;
    struct invar_sgd_probe_work work = w->work;
    struct invar_sgd_probe_result result;
    struct invar_error err = {0};
    options.views.augment = INVAR_PROBE_RUN;
    assert_refused(invar_sgd_probe(&work, &options, &result, &err), &err, INVAR_ERROR_USAGE, "augment=run");
    options = w->options;
    options.warmup = options.epochs;
    assert_refused(invar_sgd_probe(&work, &options, &result, &err), &err, INVAR_ERROR_USAGE, "warmup=20");
    options = w->options;
    options.lr.count = 0;
    assert_refused(invar_sgd_probe(&work, &options, &result, &err), &err, INVAR_ERROR_USAGE, "lr is empty");
    work.watch = &watch;
    assert_refused(invar_sgd_probe(&work, &w->options, &result, &err), &err, INVAR_ERROR_INTERRUPTED,
                   "interrupted after 1 of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),       cmocka_unit_test(test_minimum),
        cmocka_unit_test(test_diverges),    cmocka_unit_test(test_learns),
        cmocka_unit_test(test_choose_test), cmocka_unit_test(test_candidates_do_not_meet),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
