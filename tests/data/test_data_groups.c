/* SPDX-License-Identifier: Apache-2.0 */
/* Refinement groups: which sample a row is about, ids that travel with samples, and tables that do not fit. */
#include "data/make.h"
#include "folder.h"

#include "invar/log.h"

static char metadata[1024];

/* ---- data: idx files without names, folders of images with names ---- */

static void make_idx_split(const char *images, uint32_t count)
{
    unsigned char bytes[16 + 64 * 4] = {0, 0, 8, 3, 0, 0, 0, (unsigned char)count, 0, 0, 0, 2, 0, 0, 0, 2};

    for (uint32_t i = 0; i < count * 4; i++)
        bytes[16 + i] = (unsigned char)(i * 7);
    test_file(folder, images, bytes, 16 + count * 4);
}

static struct invar_data_options idx_options(uint32_t train, uint32_t test)
{
    make_idx_split("train-images-idx3-ubyte", train);
    if (test > 0)
        make_idx_split("t10k-images-idx3-ubyte", test);
    return make_options("idx", folder);
}

static void make_image(const char *name, int value)
{
    struct bytes png = make_png(2, 2, 1, value);
    test_file(folder, name, png.data, png.size);
    bytes_done(&png);
}

static void make_folder(const char *name)
{
    struct invar_error err = {0};
    assert_ok(invar_folder_create(test_path(folder, name), &err), &err);
}

static void group_by(struct invar_data_options *options, const char *name, const char *text, const char *column)
{
    snprintf(metadata, sizeof metadata, "%s", test_file(folder, name, text, strlen(text)));
    assert_true(strlen(metadata) < sizeof options->metadata);
    strcpy(options->metadata, metadata);
    strcpy(options->group, column);
}

/* ---- rows in the order of the source ---- */

static void test_order(void **state)
{
    struct invar_data_options options = idx_options(6, 2);
    struct invar_sample samples[6];

    (void)state;
    group_by(&options, "m.csv", "n,who\n1,zoe\n2,adam\n3,zoe\n4,\"adam\"\n5,Zoe\n6,zoe\n", "who");
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->groups, 3);
    assert_string_equal(info->largest_group.name, "zoe");
    assert_int_equal(info->largest_group.samples, 3);
    assert_string_equal(info->smallest_group.name, "Zoe");
    assert_int_equal(info->smallest_group.samples, 1);
    static const int64_t expected[] = {2, 1, 2, 1, 0, 2}; /* values in byte order: Zoe, adam, zoe */
    assert_memory_equal(invar_dataset_groups(dataset, INVAR_TRAIN), expected, sizeof expected);
    assert_int_equal(invar_dataset_groups(dataset, INVAR_TEST)[1], -1);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(samples[i].group, expected[i]);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void test_without_groups(void **state)
{
    struct invar_data_options options = idx_options(6, 2);
    struct invar_sample samples[6];
    struct invar_dataset *dataset = make_open(&options);

    (void)state;
    assert_int_equal(invar_dataset_info(dataset)->groups, 0);
    assert_null(invar_dataset_groups(dataset, INVAR_TRAIN));
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, 6);
    assert_int_equal(samples[0].group, -1);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

/* Where a test split is drawn, rows stand for all samples of the files, and go with them to either side. */
static void test_drawn_split(void **state)
{
    char text[512] = "g\n";
    struct invar_data_options options;

    (void)state;
    remove(test_path(folder, "t10k-images-idx3-ubyte"));
    options = idx_options(20, 0);
    for (int i = 0; i < 20; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%c\n", 'a' + i);
    options.test_fraction = 0.3;
    group_by(&options, "m.csv", text, "g");
    struct invar_dataset *dataset = make_open(&options);
    bool seen[20] = {false};
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->groups, info->count[INVAR_TRAIN]);
    for (int split = 0; split < 2; split++)
        for (int64_t i = 0; i < info->count[split]; i++) {
            int64_t group = invar_dataset_groups(dataset, (enum invar_split)split)[i];
            assert_in_range(group, 0, 19);
            assert_false(seen[group]);
            seen[group] = true;
        }
    invar_dataset_close(dataset);
}

/* Rows of tables and arrays, whatever says which of them are for testing; those of data.test need none. */
static void test_drawn_rows(void **state)
{
    char rows[512] = "a,b,y\n", who[512] = "who\n", table[4096];
    float x[20][2];
    struct invar_error err = {0};

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%d,%d,%c\n", i, i * 7 % 5, "pq"[i % 2]);
        snprintf(who + strlen(who), sizeof who - strlen(who), "%c\n", 'a' + i);
        x[i][0] = x[i][1] = (float)i;
    }
    const struct invar_array array = {INVAR_FLOAT32, 2, {20, 2}, x};
    assert_ok(invar_npy_write(&array, test_path(folder, "x.npy"), &err), &err);
    snprintf(table, sizeof table, "%s", test_file(folder, "t.csv", rows, strlen(rows)));
    for (int way = 0; way < 6; way++) {
        struct invar_data_options options =
            way < 3 ? make_options("csv", table) : make_options("npy", test_path(folder, "x.npy"));
        const bool beside = way % 3 == 2;
        strcpy(options.test_rows, way % 3 == 1 ? "last:6" : "");
        if (beside)
            snprintf(options.test, sizeof options.test, "%s", strchr(options.source, ':') + 1);
        group_by(&options, "m.csv", who, "who");
        struct invar_dataset *dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        assert_int_equal(info->groups, info->count[INVAR_TRAIN]);
        assert_int_equal(info->count[INVAR_TRAIN] + info->count[INVAR_TEST], beside ? 40 : 20);
        for (int split = 0; split < 2; split++)
            for (int64_t i = 0; i < info->count[split]; i++) {
                const int64_t item = invar_dataset_origin(dataset, (enum invar_split)split, i).item;
                assert_int_equal(invar_dataset_groups(dataset, (enum invar_split)split)[i], item < 20 ? item : -1);
            }
        invar_dataset_close(dataset);
        group_by(&options, "m.csv", "who\na\nb\n", "who");
        make_refused(&options, INVAR_ERROR_DATA,
                     beside ? "2 rows below the header for the 20 training samples"
                            : "2 rows below the header for the 20 samples");
    }
}

/* ---- rows that name samples ---- */

static void make_images(void)
{
    make_folder("photos/train/cat");
    make_folder("photos/train/dog");
    make_folder("photos/test/cat");
    make_image("photos/train/cat/1.png", 10);
    make_image("photos/train/cat/2.png", 20);
    make_image("photos/train/dog/1.png", 30);
    make_image("photos/test/cat/9.png", 40);
}

static void expect_groups(const struct invar_data_options *options, const int64_t *train, int64_t test)
{
    struct invar_sample samples[3];
    struct invar_dataset *dataset = make_open(options);
    assert_memory_equal(invar_dataset_groups(dataset, INVAR_TRAIN), train, 3 * sizeof *train);
    assert_int_equal(invar_dataset_groups(dataset, INVAR_TEST)[0], test);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(samples[i].group, train[i]);
        assert_int_equal(pixel(&samples[i], 0, 0, 0), 10 * (i + 1));
    }
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

/* Paths from the train folder or from the root, in any order; decoded ahead or in memory. */
static void test_names(void **state)
{
    static const int64_t train[] = {0, 1, 0};
    struct invar_data_options options = make_options("images", test_path(folder, "photos"));

    (void)state;
    make_images();
    for (options.memory = 0; options.memory < 3; options.memory++) {
        group_by(&options, "m.csv", "who,file_name\nx,dog/1.png\ny,./cat/2.png\nx,train/cat/1.png\n", "who");
        expect_groups(&options, train, -1);
        group_by(&options, "m.tsv",
                 "file_name\twho\ntest/cat/9.png\tz\ntrain/cat/1.png\tx\ncat/2.png\ty\ndog/1.png\tx\n", "who");
        expect_groups(&options, train, 2);
    }
}

static void test_found_by_itself(void **state)
{
    static const int64_t train[] = {1, 0, 0}, other[] = {0, 1, 1};
    static const char near[] = "file_name,who\ncat/1.png,b\ncat/2.png,a\ndog/1.png,a\n";
    static const char root[] = "file_name,who\ncat/1.png,a\ncat/2.png,b\ndog/1.png,b\n";
    struct invar_data_options options = make_options("images", test_path(folder, "photos"));

    (void)state;
    strcpy(options.group, "who");
    make_refused(&options, INVAR_ERROR_USAGE, "there is no metadata.csv in the folder of images:");
    test_file(folder, "photos/metadata.csv", root, strlen(root));
    expect_groups(&options, other, -1);
    test_file(folder, "photos/train/metadata.csv", near, strlen(near));
    expect_groups(&options, train, -1);
    /* not looked at without data.group */
    test_file(folder, "photos/train/metadata.csv", "\"", 1);
    options.group[0] = '\0';
    invar_dataset_close(make_open(&options));
    remove(test_path(folder, "photos/metadata.csv"));
    remove(test_path(folder, "photos/train/metadata.csv"));
}

/* A sample that cannot be read is left out with its row. */
static void test_unreadable(void **state)
{
    struct invar_data_options options = make_options("images", test_path(folder, "photos"));

    (void)state;
    test_file(folder, "photos/train/cat/2.png", "torn", 4);
    options.bad_limit = 0.5;
    group_by(&options, "m.csv", "file_name,who\ncat/1.png,a\ncat/2.png,b\ndog/1.png,c\n", "who");
    struct invar_dataset *dataset = make_open(&options);
    static const int64_t expected[] = {0, 2};
    assert_int_equal(invar_dataset_info(dataset)->groups, 2);
    assert_memory_equal(invar_dataset_groups(dataset, INVAR_TRAIN), expected, sizeof expected);
    invar_dataset_close(dataset);
    /* what is left is of one group */
    group_by(&options, "m.csv", "file_name,who\ncat/1.png,a\ncat/2.png,b\ndog/1.png,a\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "every training sample has the value \"a\"");
    make_image("photos/train/cat/2.png", 20);
}

/* ---- refused ---- */

static void test_refused_order(void **state)
{
    struct invar_data_options options = idx_options(3, 2);

    (void)state;
    strcpy(options.metadata, "m.csv");
    make_refused(&options, INVAR_ERROR_USAGE, "data.group is not set");
    strcpy(options.group, "who");
    strcpy(options.metadata, "/nowhere/m.csv");
    make_refused(&options, INVAR_ERROR_FILE, "/nowhere/m.csv: cannot be opened");
    group_by(&options, "m.csv", "name,person\n1,a\n2,b\n3,c\n", "who");
    make_refused(&options, INVAR_ERROR_DATA,
                 "there is no column \"who\", the one of data.group; known are: name, person");
    group_by(&options, "m.csv", "session\na\nb\nc\n", "sessoin");
    make_refused(&options, INVAR_ERROR_DATA, "did you mean \"session\"?");
    group_by(&options, "m.csv", "who\na\nb\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "2 rows below the header for the 3 training samples of idx:");
    group_by(&options, "m.csv", "who\na\nb\nc\nd\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "4 rows below the header for the 3 training samples");
    group_by(&options, "m.csv", "who,n\na,1\nb\nc,3\n", "who");
    make_refused(&options, INVAR_ERROR_FORMAT, "m.csv, line 3: 1 cells where the header has 2");
    group_by(&options, "m.csv", "who,n\na,1\n,2\nc,3\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "m.csv, line 3: the column \"who\" is empty");
    group_by(&options, "m.csv", "who\nyou\nyou\nyou\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "every training sample has the value \"you\"");
}

static void test_refused_names(void **state)
{
    struct invar_data_options options = make_options("images", test_path(folder, "photos"));

    (void)state;
    group_by(&options, "m.csv", "path,who\ncat/1.png,a\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "there is no column \"file_name\"");
    group_by(&options, "m.csv", "file_name,who\ncat/1.png,a\ndog/1.png,b\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "1 training samples have no row, the first is train/cat/2.png");
    group_by(&options, "m.csv", "file_name,who\nCat/1.png,a\ndog/1.png,b\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "line 2 names \"Cat/1.png\", which is none of them");
    group_by(&options, "m.csv", "file_name,who\ncat/1.png,a\ncat/2.png,b\ndog/1.png,b\ntrain/cat/1.png,a\n", "who");
    make_refused(&options, INVAR_ERROR_DATA, "m.csv, line 5: is about train/cat/1.png, as line 2 is");
}

static void count_warning(void *user, enum invar_log_level level, const char *message)
{
    if (level == INVAR_LOG_WARNING && strstr(message, "2 rows name no sample, the first stands in line 3: \"cat\""))
        (*(int *)user)++;
}

static void test_rows_without_a_sample(void **state)
{
    static const int64_t train[] = {0, 1, 1};
    struct invar_data_options options = make_options("images", test_path(folder, "photos"));
    int warnings = 0;

    (void)state;
    group_by(&options, "m.csv", "file_name,who\ncat/1.png,a\ncat,x\ncat/2.png,b\ntrain/,x\ndog/1.png,b\n", "who");
    invar_log_set_sink(count_warning, &warnings);
    expect_groups(&options, train, -1);
    invar_log_set_sink(NULL, NULL);
    assert_int_equal(warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),           cmocka_unit_test(test_without_groups),
        cmocka_unit_test(test_drawn_split),     cmocka_unit_test(test_drawn_rows),
        cmocka_unit_test(test_names),           cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_found_by_itself), cmocka_unit_test(test_refused_order),
        cmocka_unit_test(test_refused_names),   cmocka_unit_test(test_rows_without_a_sample),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
