/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of training share: a small synthetic data set, tiny recipes, and runs in a temporary folder. */
#ifndef INVAR_TESTS_TRAINING_H
#define INVAR_TESTS_TRAINING_H

#include "test.h"

#include "invar/log.h"
#include "invar/expert/random.h"
#include "invar/train.h"

#include <signal.h>

#define TRAINING_SIDE 8

static inline void training_big_endian(unsigned char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* Blobs: the class decides where a bright square is, the rest is noise. */
static inline void training_write_split(const char *folder, const char *images, const char *labels, uint32_t count)
{
    const uint32_t side = TRAINING_SIDE, size = side * side;
    unsigned char *pixels = calloc(16 + count * size, 1), *classes = calloc(8 + count, 1);

    training_big_endian(pixels, 0x803);
    training_big_endian(pixels + 4, count);
    training_big_endian(pixels + 8, side);
    training_big_endian(pixels + 12, side);
    training_big_endian(classes, 0x801);
    training_big_endian(classes + 4, count);
    for (uint32_t i = 0; i < count; i++) {
        struct invar_random random = invar_random_stream(7, INVAR_RANDOM_TEST, 0, i, 0);
        uint32_t class = i % 4, row = 4 * (class / 2), column = 4 * (class % 2);
        classes[8 + i] = (unsigned char)class;
        for (uint32_t p = 0; p < size; p++) {
            bool inside = p / side - row < 4 && p % side - column < 4;
            pixels[16 + i * size + p] = (unsigned char)(invar_random_below(&random, 100) + (inside ? 120 : 0));
        }
    }
    test_file(folder, images, pixels, 16 + count * size);
    test_file(folder, labels, classes, 8 + count);
    free(pixels);
    free(classes);
}

/* Columns to group by: all distinct, five groups (training_session), and one sample against the rest. */
static inline int training_session(int64_t i)
{
    return (int)(i * i % 5);
}

static inline void training_write_metadata(const char *folder)
{
    char text[8192] = "own,session,rare\n";

    for (int i = 0; i < 200; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,s%d,%d\n", 1000 - i, training_session(i),
                 i == 17);
    test_file(folder, "metadata.csv", text, strlen(text));
}

/** An idx data set of 200 training and 40 test images, with metadata.csv. */
static inline void training_write_data(const char *folder)
{
    training_write_metadata(folder);
    training_write_split(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 200);
    training_write_split(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 40);
}

static const char training_recipe[] = "name: tiny\n"
                                      "views: {count: 2, crop: [0.6, 1], flip: 0, jitter: 0.8}\n"
                                      "encoder: {kind: small-resnet, widths: [4, 8], stride: 1, pool: 2}\n"
                                      "projector: {hidden: [16], output: 8}\n"
                                      "terms: {relic: {tau: 0.2, alpha: 1}}\n"
                                      "optimiser: {kind: adamw, lr: 5e-3, weight_decay: 1e-4}\n"
                                      "training: {epochs: 3, batch: 32, warmup: 0.1, checkpoint_interval: 5, "
                                      "measure_interval: 4, log_interval: 2, collapse_rank: 0}\n";

/* Tests of numbers take float32, the same on every processor, unless they ask; some run once more in bfloat16. */
static const char *training_precision = "training.precision=float32";

/** From here on tests take bfloat16. False, and a line that says so, where this processor does not compute in it. */
static inline bool training_use_bfloat16(void)
{
    struct invar_error err = {0};
    enum invar_precision used;
    struct invar_device *device = test_device_open(1, &err);
    const bool has = device && invar_device_precision(device, INVAR_PRECISION_BFLOAT16, &used, &err);

    print_message("once more in bfloat16: %s\n", has ? invar_device_describe(device) : err.message);
    invar_device_close(device);
    training_precision = has ? "training.precision=bfloat16" : training_precision;
    return has;
}

/** Everything a run needs; make with training_open, then create as many trainers as the test wants. */
struct training {
    char *folder; /* temporary; holds data/, tiny.yaml and runs */
    struct invar_recipe *recipe;
    struct invar_dataset *dataset;
    struct invar_device *device;
    int threads;                 /* 0 at training_open: one, which is quick where cores are busy */
    bool no_device;              /* the test opens its own */
    volatile sig_atomic_t *stop; /* the run ends where it is set; of the last training_start, like what follows */
    void (*report)(void *, const struct invar_record *);
    void *user;
};

/** t: zeroed but for threads and no_device. */
static inline void training_open(struct training *t, const char *const *overrides, int count)
{
    struct invar_error err = {0};
    const char *all[17];
    char source[600], data[512];

    t->folder = test_folder_create();
    snprintf(data, sizeof data, "%s", test_path(t->folder, "data"));
    assert_ok(invar_folder_create(data, &err), &err);
    training_write_data(data);
    snprintf(source, sizeof source, "data.source=idx:%s", data);
    all[0] = source;
    all[1] = training_precision;
    for (int i = 0; i < count; i++)
        all[i + 2] = overrides[i];
    t->recipe = invar_recipe_load(test_file(t->folder, "tiny.yaml", training_recipe, sizeof training_recipe - 1), all,
                                  count + 2, &err);
    if (!t->recipe)
        fail_msg("%s", err.message);
    t->dataset = invar_dataset_open(&t->recipe->data, &err);
    if (!t->dataset)
        fail_msg("%s", err.message);
    if (t->no_device)
        return;
    t->device = test_device_open(t->threads ? t->threads : 1, &err);
    if (!t->device)
        fail_msg("%s", err.message);
}

static inline void training_close(struct training *t)
{
    invar_device_close(t->device);
    invar_dataset_close(t->dataset);
    invar_recipe_free(t->recipe);
    test_folder_remove(t->folder);
}

/* Hands a record on, and ends the run where the test has set its flag. */
static inline bool training_report(void *user, const struct invar_record *record, struct invar_error *err)
{
    const struct training *t = user;

    if (t->report)
        t->report(t->user, record);
    return !t->stop || !*t->stop || invar_error_set(err, INVAR_ERROR_INTERRUPTED, "the test ends the run");
}

/** A trainer of the run `name`; NULL with err set where it is refused. */
static inline struct invar_trainer *training_start(struct training *t, const char *name, bool resume,
                                                   volatile sig_atomic_t *stop,
                                                   void (*report)(void *, const struct invar_record *), void *user,
                                                   struct invar_error *err)
{
    t->stop = stop;
    t->report = report;
    t->user = user;
    struct invar_trainer_options options = {
        .folder = test_path(t->folder, name), .resume = resume, .report = training_report, .user = t};

    return invar_trainer_create(t->recipe, t->dataset, t->device, &options, err);
}

/** The whole run, or what is left of it. */
static inline bool training_run(struct training *t, const char *name, bool resume, volatile sig_atomic_t *stop,
                                void (*report)(void *, const struct invar_record *), void *user,
                                struct invar_error *err)
{
    struct invar_trainer *trainer = training_start(t, name, resume, stop, report, user, err);
    bool ok = trainer && invar_trainer_run(trainer, err);

    invar_trainer_free(trainer);
    return ok;
}

/** FOLDER/RUN/NAME of both runs is the same, byte for byte. */
static inline void training_assert_same_file(struct training *t, const char *a, const char *b, const char *file)
{
    struct invar_bytes first, second;
    struct invar_error err = {0};
    char name[128];

    snprintf(name, sizeof name, "%s/%s", a, file);
    assert_ok(invar_file_read(&first, test_path(t->folder, name), 1 << 24, &err), &err);
    snprintf(name, sizeof name, "%s/%s", b, file);
    assert_ok(invar_file_read(&second, test_path(t->folder, name), 1 << 24, &err), &err);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    invar_bytes_free(&first);
    invar_bytes_free(&second);
}

/** Both runs ended with the same encoder and projector, byte for byte. */
static inline void training_assert_same(struct training *t, const char *a, const char *b)
{
    training_assert_same_file(t, a, b, "encoder.safetensors");
    training_assert_same_file(t, a, b, "projector.safetensors");
}

static inline double training_metric(const struct invar_record *record, const char *name)
{
    for (int i = 0; i < record->count; i++)
        if (strcmp(record->metric[i].name, name) == 0)
            return record->metric[i].value;
    return NAN;
}

#endif
