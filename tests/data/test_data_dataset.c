/* SPDX-License-Identifier: Apache-2.0 */
/* Options, the seeded split, sizes and channels that differ, unreadable images, statistics. */
#include "data/make.h"
#include "data/source.h"
#include "folder.h"
#include "invar/log.h"

TEST_COVERS("source.fashion-mnist");

static int warnings;

/* count images class-C/NNN.png of the given shape in each of so many classes; the value is the number of the image. */
static void write_images(int classes, int count, int side, int channels)
{
    for (int c = 0; c < classes; c++)
        for (int i = 0; i < count; i++) {
            char name[64];
            struct bytes image = make_png(side, side, channels, i);
            snprintf(name, sizeof name, "class-%d/%03d.png", c, i);
            bytes_write(&image, folder, name);
        }
}

static void put(const char *name, struct bytes content)
{
    bytes_write(&content, folder, name);
}

static void refuses_bad_options(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("images", folder);
    snprintf(options.source, sizeof options.source, "image:x");
    make_refused(&options, INVAR_ERROR_USAGE, "there is no source \"image\"; did you mean \"images\"?");
    snprintf(options.source, sizeof options.source, "images:");
    make_refused(&options, INVAR_ERROR_USAGE, "should read \"images:PATH\"");
    snprintf(options.source, sizeof options.source, "fashion-mnist:x");
    make_refused(&options, INVAR_ERROR_USAGE, "should read \"fashion-mnist\"");
    options = make_options("images", folder);
    options.channels = -1;
    make_refused(&options, INVAR_ERROR_USAGE, "data.channels: expected an integer from 0 to 16, found -1");
    options = make_options("images", folder);
    options.test_fraction = (double)NAN;
    make_refused(&options, INVAR_ERROR_USAGE, "data.test_fraction");
    options = make_options("images", folder);
    options.workers = 1000;
    make_refused(&options, INVAR_ERROR_USAGE, "data.workers");
}

/* No source passes over an option that only others take, and the sentence says which; at its default it may stand. */
static void refuses_options_of_other_sources(void **state)
{
    static const struct {
        const char *source, *setting, *says;
    } cases[] = {
        {"images", "mels=80", "data.mels: is for audio:DIR, not for images:PATH: leave it out, or say null"},
        {"csv", "mels=80", "data.mels: is for audio:DIR, not for csv:FILE"},
        {"cifar10", "categories=9", "data.categories: is for csv:FILE and npy:FILE, not for cifar10:DIR"},
        {"idx", "label=x", "data.label: is for csv:FILE and npy:FILE and audio:DIR, not for idx:DIR"},
        {"audio", "label_kind=number", "data.label_kind: is for csv:FILE and npy:FILE, not for audio:DIR"},
        {"csv", "labels=y.npy", "data.labels: is for npy:FILE, not for csv:FILE"},
        {"audio", "orientation=ignore", "data.orientation: is for images:PATH, not for audio:DIR"},
    };
    struct invar_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_data_options options = make_options(cases[i].source, folder);
        assert_ok(invar_options_set(invar_data_option_table, &options, cases[i].setting, &err), &err);
        make_refused(&options, INVAR_ERROR_USAGE, cases[i].says);
    }
    write_images(2, 3, 4, 1);
    struct invar_data_options options = make_options("images", folder);
    assert_ok(invar_options_set(invar_data_option_table, &options, "mels=40", &err), &err);
    invar_dataset_close(make_open(&options));
}

/* What another source does not take goes back, what both take stays, but for the test split of the former. */
static void another_source_forgets(void **state)
{
    struct invar_data_options options = make_options("csv", "a.csv");
    struct invar_error err = {0};
    char long_name[INVAR_TEXT_SIZE + 1];

    (void)state;
    assert_ok(invar_options_set(invar_data_option_table, &options, "label=kind", &err), &err);
    assert_ok(invar_options_set(invar_data_option_table, &options, "categories=9", &err), &err);
    assert_ok(invar_options_set(invar_data_option_table, &options, "test_rows=last:3", &err), &err);
    assert_ok(invar_data_options_source(&options, "csv:a.csv", &err), &err);
    assert_string_equal(options.test_rows, "last:3");
    assert_ok(invar_data_options_source(&options, "csv:b.csv", &err), &err);
    assert_string_equal(options.source, "csv:b.csv");
    assert_string_equal(options.test_rows, "");
    assert_int_equal(options.csv.categories, 9);
    assert_ok(invar_data_options_source(&options, "audio:clips", &err), &err);
    assert_int_equal(options.csv.categories, 256);
    assert_string_equal(options.label, "kind");
    assert_ok(invar_data_options_source(&options, "cifar10:c", &err), &err);
    assert_string_equal(options.label, "");
    memset(long_name, 'x', INVAR_TEXT_SIZE);
    long_name[INVAR_TEXT_SIZE] = '\0';
    assert_refused(invar_data_options_source(&options, long_name, &err), &err, INVAR_ERROR_USAGE, "longer than 511");
    assert_string_equal(options.source, "cifar10:c");
}

/* What describes one set of samples goes with it, whatever source takes it. */
static void another_set_has_labels_of_its_own(void **state)
{
    static const char *const of_set[] = {"samples=3",     "metadata=m.csv", "group=g",         "labels=y.npy",
                                         "test=more.npy", "test_labels=z",  "test_rows=last:3"};
    static const char *const of_all[] = {"label=kind", "test_fraction=0.5", "source=npy:a.npy", "separator=;"};
    struct invar_data_options options = make_options("npy", "a.npy"), fresh = make_options("npy", "b.npy");
    struct invar_text left = {0}, right = {0};
    struct invar_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof of_set / sizeof *of_set; i++) {
        assert_ok(invar_options_set(invar_data_option_table, &options, of_set[i], &err), &err);
        assert_true(data_options_of_set(of_set[i]));
    }
    for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++)
        assert_false(data_options_of_set(of_all[i]));
    assert_ok(invar_data_options_source(&options, "npy:a.npy", &err), &err);
    assert_string_equal(options.labels, "y.npy");
    assert_ok(invar_data_options_source(&options, "npy:b.npy", &err), &err);
    assert_ok(invar_options_write(invar_data_option_table, &options, 0, &left, &err), &err);
    assert_ok(invar_options_write(invar_data_option_table, &fresh, 0, &right, &err), &err);
    assert_string_equal(left.data, right.data);
    invar_text_free(&left);
    invar_text_free(&right);
}

static void every_source_has_a_name_and_help(void **state)
{
    (void)state;
    assert_non_null(invar_source_names()->name);
    for (const struct invar_source_name *source = invar_source_names(); source->name; source++)
        assert_true(*source->name && *source->help);
}

static void splits_every_class_by_seed(void **state)
{
    (void)state;
    int64_t labels[2][20];
    write_images(2, 10, 2, 1);
    put("class-2/1.png", make_png(2, 2, 1, 1));
    struct invar_data_options options = make_options("images", folder);
    options.test_fraction = 0.3;
    uint8_t seen[3][64];
    for (int run = 0; run < 3; run++) {
        struct invar_sample test[6];
        options.split_seed = run == 2 ? 7 : 3;
        options.workers = 1 + run;
        struct invar_dataset *dataset = make_open(&options);
        assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 15);
        struct invar_loader *loader = make_load(dataset, INVAR_TEST, test, 6);
        for (int i = 0; i < 6; i++) {
            seen[run][i] = (uint8_t)pixel(&test[i], 0, 0, 0);
            labels[run % 2][i] = test[i].label;
            assert_int_equal(test[i].label, i / 3);
        }
        invar_loader_free(loader);
        invar_dataset_close(dataset);
    }
    assert_memory_equal(seen[0], seen[1], 6);
    assert_memory_not_equal(seen[0], seen[2], 6);
    assert_memory_equal(labels[0], labels[1], 6 * sizeof(int64_t));
}

static void sizes_may_vary_when_size_is_set(void **state)
{
    (void)state;
    struct invar_sample train[8];
    write_images(2, 4, 6, 1);
    put("class-1/000.png", make_png(9, 9, 3, 77));
    struct invar_data_options options = make_options("images", folder);
    options.test_fraction = 0;
    options.bad_limit = 0;
    make_refused(&options, INVAR_ERROR_DATA,
                 "the first: class-1/000.png: 9 x 9 pixels where the first image, class-0/000.png, has 6 x 6; set "
                 "data.size");
    options.bad_limit = 0.2;
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 7);
    assert_int_equal(invar_dataset_info(dataset)->skipped, 1);
    invar_dataset_close(dataset);

    options.bad_limit = 0;
    options.size = 5;
    for (int memory = 0; memory < 3; memory++) {
        options.memory = (enum invar_data_memory)memory;
        dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        assert_int_equal(info->height, 5);
        assert_int_equal(info->width, 5);
        assert_int_equal(info->channels, 3);
        assert_true(info->varying);
        assert_int_equal(info->in_memory, memory != 2);
        struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, train, 8);
        assert_int_equal(train[3].height, 6);
        assert_int_equal(train[4].height, 9);
        assert_int_equal(train[4].width, 9);
        assert_int_equal(pixel(&train[4], 8, 8, 0), 77);
        invar_loader_free(loader);
        invar_dataset_close(dataset);
    }
}

static void memory_limit_decides(void **state)
{
    (void)state;
    write_images(2, 40, 96, 3); /* 2.1 MiB */
    struct invar_data_options options = make_options("images", folder);
    for (int size = 0; size < 2; size++)
        for (int64_t limit = 1; limit <= 3; limit++) {
            options.size = size ? 96 : 0;
            options.memory_limit = limit;
            struct invar_dataset *dataset = make_open(&options);
            assert_int_equal(invar_dataset_info(dataset)->in_memory, limit == 3);
            invar_dataset_close(dataset);
        }
    options.memory_limit = 1;
    options.memory = 1; /* yes */
    struct invar_dataset *dataset = make_open(&options);
    assert_true(invar_dataset_info(dataset)->in_memory);
    invar_dataset_close(dataset);
}

static void count_warnings(void *user, enum invar_log_level level, const char *message)
{
    (void)user;
    warnings += level == INVAR_LOG_WARNING && strstr(message, "skipped: ");
}

static void unreadable_images_are_skipped_and_named(void **state)
{
    (void)state;
    struct bytes rubbish = {0};
    write_images(2, 100, 2, 1);
    bytes_put(&rubbish, "rubbish", 7);
    bytes_write(&rubbish, folder, "class-0/000.png"); /* the very first, too */
    put("class-1/050.png", (struct bytes){0});
    struct invar_data_options options = make_options("images", folder);
    options.test_fraction = 0;
    invar_log_set_sink(count_warnings, NULL);
    for (int workers = 1; workers <= 3; workers++) {
        warnings = 0;
        options.workers = workers;
        struct invar_dataset *dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        assert_int_equal(info->count[INVAR_TRAIN], 198);
        assert_int_equal(info->skipped, 2);
        assert_int_equal(warnings, 2);
        assert_string_equal(info->first_skipped, "class-0/000.png: is no JPEG, PNG, TIFF or WebP image");
        assert_int_equal(invar_dataset_labels(dataset, INVAR_TRAIN)[99], 1);
        invar_dataset_close(dataset);
    }
    invar_log_set_sink(NULL, NULL);
    put("class-1/099.png", (struct bytes){0});
    make_refused(&options, INVAR_ERROR_DATA,
                 "3 of the 200 training images cannot be used, more than data.bad_limit=0.01 allows; the first: "
                 "class-0/000.png");
}

static void nothing_readable_is_an_error(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("images", folder);
    options.bad_limit = 1;
    put("a/1.png", (struct bytes){0});
    put("a/2.png", (struct bytes){0});
    make_refused(&options, INVAR_ERROR_DATA, "no image can be read; the first: a/1.png: is empty");
}

static void statistics_are_exact(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("images", folder);
    write_images(1, 50, 3, 3); /* channel c of image i is i + c */
    options.test_fraction = 0;
    for (int run = 0; run < 4; run++) {
        options.workers = 1 + run;
        options.memory = run % 2 ? 2 : 0;
        struct invar_dataset *dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        for (int c = 0; c < 3; c++) {
            assert_true(info->mean[c] == (float)((24.5 + c) / 255));
            assert_near(info->deviation[c], sqrt((50.0 * 50 - 1) / 12) / 255, 1e-7);
        }
        invar_dataset_close(dataset);
    }
}

static void a_constant_channel_has_deviation_one(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("images", folder);
    write_images(3, 1, 3, 1);
    struct invar_dataset *dataset = make_open(&options);
    assert_true(invar_dataset_info(dataset)->deviation[0] == 1.0f);
    invar_dataset_close(dataset);
}

static void statistics_may_be_given(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("images", folder);
    write_images(3, 2, 3, 3);
    options.mean = (struct invar_real_list){3, {0.485, 0.456, 0.406}};
    make_refused(&options, INVAR_ERROR_USAGE, "data.mean has 3 numbers and data.deviation 0, expected 3 in each");
    options.deviation = (struct invar_real_list){3, {0.229, 0.224, 0.225}};
    struct invar_dataset *dataset = make_open(&options);
    for (int c = 0; c < 3; c++) {
        assert_true(invar_dataset_info(dataset)->mean[c] == (float)options.mean.value[c]);
        assert_true(invar_dataset_info(dataset)->deviation[c] == (float)options.deviation.value[c]);
    }
    invar_dataset_close(dataset);
    options.mean.value[1] = 116.28;
    make_refused(&options, INVAR_ERROR_USAGE, "divide them by 255");
    options.channels = 1;
    make_refused(&options, INVAR_ERROR_USAGE, "expected 1 in each");
}

/* A survey counts what opening finds, and loads nothing. */
static void a_survey_counts(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_data_options options = make_options("images", folder);
    write_images(3, 5, 4, 3);
    struct invar_dataset *opened = make_open(&options), *surveyed = invar_dataset_survey(&options, &err);
    assert_non_null(surveyed);
    const struct invar_dataset_info *a = invar_dataset_info(opened), *b = invar_dataset_info(surveyed);
    assert_int_equal(a->count[INVAR_TRAIN], b->count[INVAR_TRAIN]);
    assert_int_equal(a->count[INVAR_TEST], b->count[INVAR_TEST]);
    assert_true(a->height == b->height && a->width == b->width && a->channels == b->channels);
    assert_int_equal(a->classes, b->classes);
    assert_true(!b->assumed && !b->in_memory && b->deviation[0] == 1.0f && b->mean[0] == 0.0f);
    invar_dataset_close(opened);
    invar_dataset_close(surveyed);
}

static void a_survey_takes_a_missing_source_on_trust(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_data_options options = make_options("images", "/nowhere/at/all");
    assert_null(invar_dataset_survey(&options, &err));
    assert_int_equal(err.code, INVAR_ERROR_FILE);
    assert_non_null(strstr(err.message, "data.samples, data.size and data.channels"));
    invar_error_clear(&err);
    options.samples = 1000;
    options.size = 32;
    options.channels = 3;
    struct invar_dataset *dataset = invar_dataset_survey(&options, &err);
    assert_non_null(dataset);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_true(info->assumed && info->count[INVAR_TRAIN] == 1000 && info->count[INVAR_TEST] == 0);
    assert_true(info->height == 32 && info->width == 32 && info->channels == 3);
    assert_null(invar_loader_create(dataset, INVAR_TRAIN, 10, &err));
    assert_int_equal(err.code, INVAR_ERROR_USAGE);
    invar_dataset_close(dataset);
    make_refused(&options, INVAR_ERROR_FILE, "/nowhere/at/all");
    /* A source that is there but broken is never taken on trust. */
    invar_error_clear(&err);
    put("class-0/0.png", (struct bytes){0});
    options = make_options("images", folder);
    options.samples = 1000;
    options.size = 32;
    options.channels = 3;
    assert_null(invar_dataset_survey(&options, &err));
    assert_int_equal(err.code, INVAR_ERROR_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_bad_options, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_options_of_other_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(another_source_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(another_set_has_labels_of_its_own, setup, teardown),
        cmocka_unit_test(every_source_has_a_name_and_help),
        cmocka_unit_test_setup_teardown(splits_every_class_by_seed, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_may_vary_when_size_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_limit_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(unreadable_images_are_skipped_and_named, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_readable_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(statistics_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(a_constant_channel_has_deviation_one, setup, teardown),
        cmocka_unit_test_setup_teardown(statistics_may_be_given, setup, teardown),
        cmocka_unit_test_setup_teardown(a_survey_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_survey_takes_a_missing_source_on_trust, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
