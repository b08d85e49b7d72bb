/* SPDX-License-Identifier: Apache-2.0 */
/* One data set in several files: patterns, tar files of images, parts of a table. */
#include "data/table_tests.h"

#include "data/shards.h"

TEST_COVERS("source.images source.csv");

/* ---- patterns ---- */

static void touch(const char *name)
{
    test_file(folder, name, "x", 1);
}

/* The names behind the folder, with blanks between them. */
static void expect_names(const char *pattern, const char *names)
{
    struct data_shards shards;
    struct invar_error err = {0};
    char path[1024], found[512] = "";

    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    assert_ok(data_shards_find(&shards, path, &err), &err);
    for (int i = 0; i < shards.count; i++) {
        strcat(found, i ? " " : "");
        strcat(found, shards.path[i] + strlen(folder) + 1);
    }
    assert_string_equal(found, names);
    data_shards_free(&shards);
}

static void refuse_pattern(const char *pattern, enum invar_error_code code, const char *text)
{
    struct data_shards shards;
    struct invar_error err = {0};
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    assert_refused(data_shards_find(&shards, path, &err), &err, code, text);
    data_shards_free(&shards);
}

static void patterns(void **state)
{
    (void)state;
    for (int i = 8; i <= 11; i++) {
        char name[32];
        snprintf(name, sizeof name, "a-%d.csv", i);
        touch(name);
        snprintf(name, sizeof name, "b-%03d-x%d", i, i % 2);
        touch(name);
    }
    touch("{1..2}.csv");
    expect_names("a-{8..11}.csv", "a-8.csv a-9.csv a-10.csv a-11.csv");
    expect_names("a-*.csv", "a-8.csv a-9.csv a-10.csv a-11.csv");
    expect_names("a-?.csv", "a-8.csv a-9.csv");
    expect_names("a-1[01].csv", "a-10.csv a-11.csv");
    expect_names("b-{008..011}-x*", "b-008-x0 b-009-x1 b-010-x0 b-011-x1");
    expect_names("*{0..1}*.csv", "a-10.csv a-11.csv {1..2}.csv");
    expect_names("{1..2}.csv", "{1..2}.csv");
    expect_names("nowhere", "nowhere");
    refuse_pattern("c-*.csv", INVAR_ERROR_FILE, "c-*.csv: no file has a name like that");
    refuse_pattern("a-{7..12}.csv", INVAR_ERROR_FILE, "a-7.csv: complete them, or name those that there are");
    refuse_pattern("a-{7..12}.csv", INVAR_ERROR_FILE, "of the 6 shards 2 are missing");
    refuse_pattern("a-{08..11}.csv", INVAR_ERROR_FILE, "of the 4 shards 2 are missing");
    refuse_pattern("a-{11..8}.csv", INVAR_ERROR_USAGE, "the range {11..8} runs backwards; expected {8..11}");
    refuse_pattern("a-{8,9}.csv", INVAR_ERROR_USAGE, "the braces hold no range of numbers such as {000..127}");
    refuse_pattern("a-{8..}.csv", INVAR_ERROR_USAGE, "the braces hold no range");
    refuse_pattern("a-{8", INVAR_ERROR_USAGE, "the braces hold no range");
    refuse_pattern("a-{0..99999999}.csv", INVAR_ERROR_USAGE, "names more than 100000 files");
    refuse_pattern("a-{0..9999999999}.csv", INVAR_ERROR_USAGE, "the braces hold no range");
    test_file(folder, "z-1.tar", "PK\003\004..", 6);
    refuse_pattern("z-{1..1}.tar", INVAR_ERROR_FORMAT, "z-1.tar: is a zip archive");
}

/* ---- tar files ---- */

/* Image i has the value i, is of class a or b and lies in shard i % 3; every shard has one of the same name. */
static void put_images(struct bytes *tar, int shard, const char *root)
{
    char name[64];

    for (int i = shard; i < 12; i += 3) {
        snprintf(name, sizeof name, "%s%s/%d.png", root, i < 6 ? "a" : "b", 10 + i);
        tar_file(tar, name, make_png(4, 4, 1, i));
    }
    snprintf(name, sizeof name, "%sb/again.png", root);
    tar_file(tar, name, make_png(4, 4, 1, 100 + shard));
}

/* rooted: each in a folder of its own name, as tar makes them. */
static void write_shards(bool rooted)
{
    for (int s = 0; s < 3; s++) {
        struct bytes tar = {0};
        char root[16] = "", name[32];
        snprintf(name, sizeof name, "s-%d.tar", s);
        if (rooted)
            snprintf(root, sizeof root, "s-%d/", s);
        put_images(&tar, s, root);
        tar_end(&tar);
        bytes_write(&tar, folder, name);
    }
}

static struct invar_data_options options_of(const char *kind, const char *pattern)
{
    struct invar_data_options options = make_options(kind, test_path(folder, pattern));
    options.test_fraction = 0;
    return options;
}

/* In the order of names over all shards, as in one archive of all; of equal names that of the first shard is first. */
static void expect_images(const struct invar_data_options *options)
{
    static const int values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100, 101, 102};
    struct invar_sample samples[15];
    struct invar_dataset *dataset = make_open(options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, 15);

    assert_int_equal(info->classes, 2);
    assert_string_equal(info->class_names[0], "a");
    assert_string_equal(info->class_names[1], "b");
    for (int i = 0; i < 15; i++) {
        assert_int_equal(pixel(&samples[i], 1, 1, 0), values[i]);
        assert_int_equal(samples[i].label, i >= 6);
    }
    const char *path = invar_dataset_origin(dataset, INVAR_TRAIN, 13).path;
    assert_non_null(strstr(path, "s-1.tar/"));
    assert_non_null(strstr(path, "b/again.png"));
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void several_archives_are_one_set(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        write_shards(i >= 2);
        struct invar_data_options options = options_of("images", i % 2 ? "s-{0..2}.tar" : "s-*.tar");
        options.memory = i % 2 ? INVAR_DATA_MEMORY_NO : INVAR_DATA_MEMORY_AUTO;
        expect_images(&options);
    }
    for (int s = 0; s < 3; s++) {
        struct bytes tar = {0}, packed;
        char name[32];
        put_images(&tar, s, "");
        tar_end(&tar);
        packed = bytes_gzip(&tar);
        bytes_done(&tar);
        snprintf(name, sizeof name, "s-%d.tar.gz", s);
        bytes_write(&packed, folder, name);
    }
    struct invar_data_options options = options_of("images", "s-{0..2}.tar.gz");
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 15);
    invar_dataset_close(dataset);
}

/* A class that is alone in its archive, which has its name, stays a class. */
static void an_archive_a_class(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        struct bytes tar = {0};
        tar_file(&tar, s ? "dog/1.png" : "cat/1.png", make_png(4, 4, 1, s));
        tar_end(&tar);
        bytes_write(&tar, folder, s ? "dog.tar" : "cat.tar");
    }
    struct invar_data_options options = options_of("images", "*.tar");
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->classes, 2);
    assert_string_equal(invar_dataset_info(dataset)->class_names[1], "dog");
    invar_dataset_close(dataset);
}

static void refuse_images(struct bytes second, enum invar_error_code code, const char *text)
{
    struct invar_data_options options = options_of("images", "s-{0..2}.tar");
    write_shards(false);
    bytes_write(&second, folder, "s-1.tar");
    make_refused(&options, code, text);
}

static void bad_archives(void **state)
{
    struct bytes tar = {0};

    (void)state;
    refuse_images(tar, INVAR_ERROR_FORMAT, "s-1.tar: is not a tar archive");
    tar_put(&tar, "a/", '5', NULL, 0);
    tar_end(&tar);
    refuse_images(tar, INVAR_ERROR_DATA, "s-1.tar: holds no image, expected .jpg, .png, .tif, .webp, ... files as in");
    tar = (struct bytes){0};
    put_images(&tar, 1, "");
    tar_end(&tar);
    tar.size -= 1200;
    refuse_images(tar, INVAR_ERROR_FORMAT,
                  "s-1.tar: an entry is larger than what is left of the archive, which is truncated");
    tar = (struct bytes){0};
    tar_file(&tar, "loose.png", make_png(4, 4, 1, 1));
    tar_end(&tar);
    refuse_images(tar, INVAR_ERROR_DATA, "s-1.tar: image loose.png stands beside class folders");
    tar = (struct bytes){0};
    tar_file(&tar, "a/1.png", make_png(4, 4, 3, 1));
    tar_file(&tar, "a/2.png", make_png(8, 8, 1, 1));
    tar_end(&tar);
    refuse_images(tar, INVAR_ERROR_DATA, "s-1.tar/a/2.png: 8 x 8 pixels where the first image");
    unlink(test_path(folder, "s-1.tar"));
    mkdir(test_path(folder, "s-1.tar"), 0700);
    struct invar_data_options options = options_of("images", "s-{0..2}.tar");
    make_refused(&options, INVAR_ERROR_FILE, "s-1.tar: is no file; several shards are tar files");
}

/* What unpacked archives take counts together. */
static void archives_share_the_limit(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        struct bytes tar = {0}, packed;
        tar_file(&tar, "a/1.png", make_png(4, 4, 1, s));
        bytes_fill(&tar, 0, 3 << 19);
        packed = bytes_gzip(&tar);
        bytes_done(&tar);
        bytes_write(&packed, folder, s ? "s-1.tar.gz" : "s-0.tar.gz");
    }
    struct invar_data_options options = options_of("images", "s-{0..1}.tar.gz");
    options.memory_limit = 2;
    make_refused(&options, INVAR_ERROR_DATA, "s-1.tar.gz: unpacks to more than");
    options.memory_limit = 4;
    invar_dataset_close(make_open(&options));
}

/* Resident memory of the process, in bytes. */
static int64_t resident(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %lld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

#ifdef __SANITIZE_ADDRESS__
#define KEPT (256. * 1024 * 1024)
#else
#define KEPT 0.
#endif

/* A leak of one image in four would show; tests/regression/shards does the same with a million. */
static void streams_at_constant_memory(void **state)
{
    enum { IMAGES = 4000, BATCH = 50, SHARDS = 8 };
    struct invar_data_options options = options_of("images", "s-{0..7}.tar");
    struct invar_sample samples[BATCH];
    struct invar_error err = {0};
    int64_t order[IMAGES], got = 1, done = 0, tenth = 0;

    (void)state;
    for (int s = 0; s < SHARDS; s++) {
        struct bytes tar = {0};
        char name[64];
        for (int i = s; i < IMAGES; i += SHARDS) {
            snprintf(name, sizeof name, "%d/%d.png", i % 3, i);
            tar_file(&tar, name, make_png(32, 32, 3, i % 250));
        }
        tar_end(&tar);
        snprintf(name, sizeof name, "s-%d.tar", s);
        bytes_write(&tar, folder, name);
    }
    for (int i = 0; i < IMAGES; i++)
        order[i] = (int64_t)i * 1237 % IMAGES;
    options.memory = INVAR_DATA_MEMORY_NO;
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, BATCH, &err);
    assert_ok(loader && invar_loader_start(loader, order, IMAGES, &err), &err);
    for (; got; done += got) {
        assert_ok(invar_loader_next(loader, samples, &got, &err), &err);
        for (int64_t i = 0; i < got; i++)
            assert_int_equal(samples[i].index, order[done + i]);
        if (done == IMAGES / 10)
            tenth = resident();
    }
    assert_int_equal(done, IMAGES);
    /* AddressSanitizer keeps what was freed: for as much as it is told, 256 MiB. */
    assert_true((double)resident() <= 1.05 * (double)tenth + KEPT);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

/* ---- tables ---- */

static void part(int number, const char *text)
{
    char name[32];
    snprintf(name, sizeof name, "part-%d.csv", number);
    test_file(folder, name, text, strlen(text));
}

static void refuse_part(const char *text, enum invar_error_code code, const char *says)
{
    struct invar_data_options options = options_of("csv", "part-*.csv");
    part(10, text);
    make_refused(&options, code, says);
}

/* The same as one file of all rows: columns, classes, statistics. */
static void parts_are_one_table(void **state)
{
    struct invar_data_options options = options_of("csv", "part-{9..11}.csv"), whole;
    int64_t label;

    (void)state;
    part(9, "# from here\nn,colour,y\n1,red,b\n2,blue,a\n");
    part(10, "n,colour,y\r\n3,\"re\r\nd\",c\r\n");
    part(11, "n,colour,y\n\n6,red,b\n");
    whole = table_options("n,colour,y\n1,red,b\n2,blue,a\n3,\"re\r\nd\",c\n6,red,b\n");
    set(&options, "label=y");
    set(&whole, "label=y");
    struct invar_dataset *d = open_as(&options, NULL), *w = open_as(&whole, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TRAIN], 4);
    assert_int_equal(invar_dataset_info(d)->classes, 3);
    assert_string_equal(invar_dataset_info(d)->table->schema, invar_dataset_info(w)->table->schema);
    for (int64_t i = 0; i < 4; i++) {
        double expected[64];
        int64_t wanted;
        const float *row = row_of(w, INVAR_TRAIN, i, &wanted);
        for (int c = 0; c < invar_dataset_info(w)->channels; c++)
            expected[c] = (double)row[c];
        expect_row(d, i, expected, invar_dataset_info(w)->channels);
        row_of(d, INVAR_TRAIN, i, &label);
        assert_int_equal(label, wanted);
    }
    struct invar_origin origin = invar_dataset_origin(d, INVAR_TRAIN, 2);
    assert_non_null(strstr(origin.path, "/part-10.csv"));
    assert_int_equal(origin.line, 2);
    origin = invar_dataset_origin(d, INVAR_TRAIN, 3);
    assert_non_null(strstr(origin.path, "/part-11.csv"));
    assert_int_equal(origin.line, 3);
    invar_dataset_close(d);
    invar_dataset_close(w);
}

/* Neither has a header; test rows are parts of their own. */
static void parts_without_header(void **state)
{
    struct invar_data_options options = options_of("csv", "part-*.csv");

    (void)state;
    part(1, "1,2\n3,5\n5,1\n");
    part(2, "2,2\n4,8\n");
    snprintf(options.test, sizeof options.test, "%s/last-?.csv", folder);
    test_file(folder, "last-1.csv", "7,7\n", 4);
    test_file(folder, "last-2.csv", "8,1\n9,2\n", 8);
    struct invar_dataset *d = open_as(&options, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TRAIN], 5);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TEST], 3);
    assert_string_equal(invar_dataset_info(d)->table->column[1].name, "c2");
    assert_non_null(strstr(invar_dataset_origin(d, INVAR_TRAIN, 3).path, "/part-2.csv"));
    struct invar_origin origin = invar_dataset_origin(d, INVAR_TEST, 2);
    assert_non_null(strstr(origin.path, "/last-2.csv"));
    assert_int_equal(origin.line, 2);
    invar_dataset_close(d);
    part(2, "n,m\n2,2\n4,8\n");
    make_refused(&options, INVAR_ERROR_DATA, "part-2.csv, line 1: looks like a header, and ");
    set(&options, "header=yes");
    make_refused(&options, INVAR_ERROR_DATA, "part-2.csv, line 1: column 1 is \"n\", where the header of ");
}

static void bad_parts(void **state)
{
    (void)state;
    part(9, "n,m,y\n1,2,a\n3,4,b\n");
    part(11, "n,m,y\n5,6,a\n7,8,b\n");
    refuse_part("n,y\n1,a\n", INVAR_ERROR_DATA, "part-10.csv: has 2 columns, where ");
    refuse_part("n;m;y\n1;2;a\n", INVAR_ERROR_DATA, "part-10.csv: has 1 column, where ");
    refuse_part("n,x,y\n1,2,a\n", INVAR_ERROR_DATA, "part-10.csv, line 1: column 2 is \"x\", where the header of ");
    refuse_part("\n1,2,a\n3,4,b\n", INVAR_ERROR_DATA, "part-10.csv, line 2: column 1 is \"1\", where the header of ");
    refuse_part("n,m,y\n", INVAR_ERROR_DATA, "part-10.csv: has a header and no rows");
    refuse_part("", INVAR_ERROR_FORMAT, "part-10.csv: is empty");
    refuse_part("n,m,y\n1,2,a\n3,", INVAR_ERROR_FORMAT, "part-10.csv, line 3: 2 cells where the header has 3");
    refuse_part("n,m,y\n1,2,a\n1,2,\"a", INVAR_ERROR_FORMAT, "part-10.csv, line 3: a quote");
    refuse_part("n,m,y\n1,1e999,a\n", INVAR_ERROR_DATA, "part-10.csv, line 2: 1e999 in column \"m\"");
    struct invar_data_options options = options_of("csv", "part-{9..11}.csv");
    unlink(test_path(folder, "part-10.csv"));
    make_refused(&options, INVAR_ERROR_FILE, "of the 3 shards 1 are missing, the first is ");
}

static void parts_share_the_limit(void **state)
{
    const size_t size = (size_t)5 << 16;
    struct invar_data_options options = options_of("csv", "part-*.csv");
    char *text = malloc(size);

    (void)state;
    assert_non_null(text);
    memcpy(text, "n\n", 2);
    for (size_t i = 2; i < size; i++)
        text[i] = i % 4 == 1 ? '\n' : (char)('1' + i % 7);
    for (int i = 0; i < 4; i++)
        test_file(folder,
                  i == 0   ? "part-0.csv"
                  : i == 1 ? "part-1.csv"
                  : i == 2 ? "part-2.csv"
                           : "part-3.csv",
                  text, size);
    options.memory_limit = 2;
    make_refused(&options, INVAR_ERROR_DATA, "with the parts before it the table takes");
    options.memory_limit = 64;
    invar_dataset_close(make_open(&options));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(several_archives_are_one_set, setup, teardown),
        cmocka_unit_test_setup_teardown(an_archive_a_class, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_archives, setup, teardown),
        cmocka_unit_test_setup_teardown(archives_share_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_at_constant_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_one_table, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_without_header, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_share_the_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
