/* SPDX-License-Identifier: Apache-2.0 */
/* Source images on tar archives. */
#include "data/make.h"
#include "folder.h"

static struct invar_data_options write_tar(struct bytes *tar)
{
    struct invar_data_options options = make_options("images", bytes_write(tar, folder, "a.tar"));
    options.test_fraction = 0;
    return options;
}

static void expect_classes(const struct invar_data_options *options, int64_t count, const char *first,
                           const char *second)
{
    struct invar_dataset *dataset = make_open(options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->count[INVAR_TRAIN], count);
    assert_int_equal(info->classes, 2);
    assert_string_equal(info->class_names[0], first);
    assert_string_equal(info->class_names[1], second);
    invar_dataset_close(dataset);
}

static void reads_plain_and_gzipped(void **state)
{
    (void)state;
    struct bytes tar = {0};
    struct invar_sample train[3], test[1];
    tar_put(&tar, "./set/", '5', NULL, 0);
    tar_file(&tar, "./set/train/b/1.png", make_png(4, 4, 1, 20));
    tar_file(&tar, "./set/train/a/2.png", make_png(4, 4, 1, 12));
    tar_file(&tar, "./set/train/a/1.jpg", make_jpeg(4, 4, 1, 11));
    tar_file(&tar, "./set/train/a/._1.jpg", (struct bytes){0});
    tar_file(&tar, "./set/test/b/1.png", make_png(4, 4, 1, 30));
    tar_put(&tar, "./set/train/a/link.png", '2', NULL, 0);
    tar_end(&tar);
    struct bytes packed = bytes_gzip(&tar);
    bytes_write(&packed, folder, "a.tar.gz");
    struct invar_data_options options = write_tar(&tar);
    for (int i = 0; i < 4; i++) {
        options.memory = i % 2 ? 2 : 0; /* no, auto */
        if (i == 2)
            snprintf(options.source, sizeof options.source, "images:%s/a.tar.gz", folder);
        struct invar_dataset *dataset = make_open(&options);
        assert_int_equal(invar_dataset_info(dataset)->in_memory, i % 2 == 0);
        struct invar_loader *a = make_load(dataset, INVAR_TRAIN, train, 3);
        struct invar_loader *b = make_load(dataset, INVAR_TEST, test, 1);
        assert_int_equal(pixel(&train[0], 1, 1, 0), 11);
        assert_int_equal(pixel(&train[1], 1, 1, 0), 12);
        assert_int_equal(pixel(&train[2], 1, 1, 0), 20);
        assert_int_equal(train[2].label, 1);
        assert_int_equal(pixel(&test[0], 1, 1, 0), 30);
        invar_loader_free(a);
        invar_loader_free(b);
        invar_dataset_close(dataset);
    }
}

static void the_later_of_two_equal_paths_counts(void **state)
{
    (void)state;
    struct bytes tar = {0};
    struct invar_sample train[2];
    tar_file(&tar, "a/1.png", make_png(4, 4, 1, 1));
    tar_file(&tar, "b/1.png", make_png(4, 4, 1, 2));
    tar_file(&tar, "a/1.png", make_png(4, 4, 1, 3));
    tar_end(&tar);
    struct invar_data_options options = write_tar(&tar);
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, train, 2);
    assert_int_equal(pixel(&train[0], 0, 0, 0), 3);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void long_names(void **state)
{
    (void)state;
    struct bytes tar = {0};
    char text[400], name[256];
    memset(name, 'n', 200);
    strcpy(name + 200, "/1.png");
    tar_put(&tar, "././@LongLink", 'L', name, strlen(name) + 1);
    tar_file(&tar, "short", make_png(4, 4, 1, 1));
    memset(name, 'p', 200);
    int length = snprintf(text, sizeof text, "999 path=%s\n", name);
    assert_int_equal(length, 216);
    memcpy(text, "216", 3);
    tar_put(&tar, "PaxHeaders/x", 'x', text, 216);
    tar_file(&tar, "short", make_png(4, 4, 1, 2));
    tar_end(&tar);
    struct invar_data_options options = write_tar(&tar);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(strlen(invar_dataset_info(dataset)->class_names[0]), 200);
    assert_int_equal(invar_dataset_info(dataset)->class_names[1][199], 'p');
    invar_dataset_close(dataset);

    /* ustar: prefix and name */
    tar_file(&tar, "1.png", make_png(4, 4, 1, 1));
    memcpy(tar.data + 345, "pre/fix", 7);
    tar_seal(tar.data);
    tar_file(&tar, "zoo/1.png", make_png(4, 4, 1, 1));
    tar_end(&tar);
    options = write_tar(&tar);
    expect_classes(&options, 2, "pre", "zoo");
}

static void sizes_in_base_256(void **state)
{
    (void)state;
    struct bytes tar = {0}, png = make_png(4, 4, 1, 1);
    size_t size = png.size;
    tar_file(&tar, "a/1.png", png);
    memset(tar.data + 124, 0, 12);
    tar.data[124] = 0x80;
    tar.data[135] = (uint8_t)size;
    tar_seal(tar.data);
    tar_file(&tar, "b/1.png", make_png(4, 4, 1, 2));
    tar_end(&tar);
    struct invar_data_options options = write_tar(&tar);
    expect_classes(&options, 2, "a", "b");
}

static struct bytes good(void)
{
    struct bytes tar = {0};
    tar_file(&tar, "a/1.png", make_png(4, 4, 1, 1));
    tar_file(&tar, "b/1.png", make_png(4, 4, 1, 2));
    tar_end(&tar);
    return tar;
}

static void refuse(struct bytes tar, const char *text)
{
    struct invar_data_options options = write_tar(&tar);
    make_refused(&options, INVAR_ERROR_FORMAT, text);
}

static void refuse_size(const char *field, const char *text)
{
    struct bytes tar = good();
    memcpy(tar.data + 124, field, 12);
    tar_seal(tar.data);
    refuse(tar, text);
}

static void refuse_path(const char *path)
{
    struct bytes tar = {0};
    tar_file(&tar, path, make_png(4, 4, 1, 1));
    tar_end(&tar);
    refuse(tar, "which leads out of the archive");
}

static void refuse_pax(const char *text)
{
    struct bytes tar = {0};
    tar_put(&tar, "x", 'x', text, strlen(text));
    tar_end(&tar);
    refuse(tar, "a pax header is malformed");
}

static void refuses_bad_archives(void **state)
{
    (void)state;
    struct bytes tar = {0};
    refuse(tar, "is not a tar archive");
    bytes_fill(&tar, 'x', 2000);
    refuse(tar, "is not a tar archive");
    tar = good();
    tar.data[1024] ^= 1;
    refuse(tar, "a header of the archive is corrupt (at byte 1024)");
    tar = good();
    tar.size = 1300;
    refuse(tar, "the archive is truncated");
    tar = good();
    tar.size = 1600;
    refuse(tar, "an entry is larger than what is left of the archive");
    tar = good();
    tar.size = 2048;
    refuse(tar, "the archive is truncated");
    refuse_size("77777777777", "an entry is larger");
    refuse_size("12345678901", "is not a tar archive");
    refuse_size("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "is not a tar archive");
    refuse_size("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", "an entry is larger");
    refuse_path("/etc/1.png");
    refuse_path("../1.png");
    refuse_path("a/../../1.png");
    refuse_path("a/..");
    refuse_pax("nonsense");
    refuse_pax("99 path=x\n");
    refuse_pax("9 path=x");
    refuse_pax("0 path=x\n");
    refuse_pax("7 nope\n");
    refuse_pax("14 size=12x45\n");
    char name[5000];
    memset(name, 'n', sizeof name);
    tar = (struct bytes){0};
    tar_put(&tar, "@LongLink", 'L', name, sizeof name);
    tar_end(&tar);
    refuse(tar, "longer than 4095 bytes");
}

static void refuses_a_gzip_above_the_limit(void **state)
{
    (void)state;
    struct bytes tar = good();
    bytes_fill(&tar, 0, 3 << 20);
    struct bytes packed = bytes_gzip(&tar);
    bytes_done(&tar);
    struct invar_data_options options = write_tar(&packed);
    options.memory_limit = 2;
    make_refused(&options, INVAR_ERROR_DATA, "unpack it to a folder or raise data.memory_limit");
    options.memory_limit = 4;
    expect_classes(&options, 2, "a", "b");
}

/* The last bytes of a whole gzip file say how much it unpacks to, those of a torn one say anything. */
static void a_gzip_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    uint32_t noise = 1;
    struct bytes tar = {0}, pixels = {0};
    for (int i = 0; i < 6000; i++)
        bytes_fill(&pixels, (int)((noise = noise * 1664525 + 1013904223) >> 24), 1);
    tar_file(&tar, "a/1.png", pixels);
    tar_end(&tar);
    struct bytes packed = bytes_gzip(&tar);
    bytes_done(&tar);
    for (size_t kept = packed.size / 2; kept < packed.size / 2 + 40; kept++) {
        test_file(folder, "cut.tar.gz", packed.data, kept);
        struct invar_data_options options = make_options("images", test_path(folder, "cut.tar.gz"));
        options.memory_limit = 100;
        make_refused(&options, INVAR_ERROR_FORMAT, "truncated gzip file");
    }
    bytes_done(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_plain_and_gzipped, setup, teardown),
        cmocka_unit_test_setup_teardown(the_later_of_two_equal_paths_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(long_names, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_in_base_256, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_archives, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_gzip_above_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gzip_cut_anywhere_is_truncated, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
