/* SPDX-License-Identifier: Apache-2.0 */
/* Sources cifar10 and cifar100. */
#include "data/make.h"
#include "folder.h"

TEST_COVERS("source.cifar10 source.cifar100");

/* Three planes: 10 * label + row, the same + 1, the same + 2. */
static void put_record(struct bytes *file, int coarse, int label)
{
    if (coarse >= 0)
        bytes_fill(file, coarse, 1);
    bytes_fill(file, label, 1);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 32; y++)
            bytes_fill(file, 10 * label + y + c, 32);
}

static void write_cifar10(const char *below)
{
    static const char *const names[] = {"data_batch_1", "data_batch_2", "data_batch_3",
                                        "data_batch_4", "data_batch_5", "test_batch"};
    for (int i = 0; i < 6; i++) {
        struct bytes file = {0};
        char name[64];
        put_record(&file, -1, i);
        put_record(&file, -1, i + 4);
        snprintf(name, sizeof name, "%s%s.bin", below, names[i]);
        bytes_write(&file, folder, name);
    }
}

static void reads_cifar10(void **state)
{
    (void)state;
    struct invar_sample train[10];
    write_cifar10("");
    struct invar_data_options options = make_options("cifar10", folder);
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->count[INVAR_TEST], 2);
    assert_int_equal(info->channels, 3);
    assert_string_equal(info->class_names[9], "truck");
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, train, 10);
    assert_int_equal(train[7].label, 7); /* second record of the fourth file */
    for (int c = 0; c < 3; c++)
        assert_int_equal(pixel(&train[7], 5, 31, c), 75 + c);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void finds_the_folder_of_the_archive_and_its_names(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("cifar10", folder);
    struct bytes names = {0};
    write_cifar10("cifar-10-batches-bin/");
    bytes_put(&names, "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n", 21);
    bytes_write(&names, folder, "cifar-10-batches-bin/batches.meta.txt");
    struct invar_dataset *dataset = make_open(&options);
    assert_string_equal(invar_dataset_info(dataset)->class_names[9], "j");
    invar_dataset_close(dataset);
    bytes_put(&names, "a\nb\n", 4);
    bytes_write(&names, folder, "cifar-10-batches-bin/batches.meta.txt");
    make_refused(&options, INVAR_ERROR_FORMAT, "has 2 names, expected one a line for 10 classes");
}

static void reads_cifar100(void **state)
{
    (void)state;
    struct invar_sample train[2];
    struct bytes file = {0};
    put_record(&file, 19, 3);
    put_record(&file, 0, 21);
    bytes_write(&file, folder, "train.bin");
    put_record(&file, 1, 99);
    bytes_write(&file, folder, "test.bin");
    struct invar_data_options options = make_options("cifar100", folder);
    options.channels = 1;
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->classes, 100);
    assert_string_equal(invar_dataset_info(dataset)->class_names[99], "99");
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TEST)[0], 99);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, train, 2);
    assert_int_equal(train[1].label, 21);
    assert_int_equal(train[1].channels, 1);
    /* 0.299 * 215 + 0.587 * 216 + 0.114 * 217, row 5 */
    assert_int_equal(pixel(&train[1], 5, 0, 0), 216);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void refuses_bad_files(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("cifar10", folder), hundred = make_options("cifar100", folder);
    struct bytes file = {0};
    make_refused(&options, INVAR_ERROR_FILE, "data_batch_1.bin: no such file; unpack cifar-10-binary.tar.gz from");
    write_cifar10("");
    bytes_write(&file, folder, "data_batch_3.bin");
    make_refused(&options, INVAR_ERROR_FORMAT, "data_batch_3.bin: has 0 bytes, expected a multiple of 3073");
    put_record(&file, -1, 1);
    bytes_fill(&file, 0, 1);
    bytes_write(&file, folder, "data_batch_3.bin");
    make_refused(&options, INVAR_ERROR_FORMAT, "has 3074 bytes, expected a multiple of 3073");
    put_record(&file, -1, 1);
    put_record(&file, -1, 10);
    bytes_write(&file, folder, "data_batch_3.bin");
    make_refused(&options, INVAR_ERROR_DATA, "label 10 of record 1 is out of range, expected 0 to 9");
    put_record(&file, 20, 1);
    bytes_write(&file, folder, "train.bin");
    put_record(&file, 1, 1);
    bytes_write(&file, folder, "test.bin");
    make_refused(&hundred, INVAR_ERROR_DATA, "label 20 of record 0 is out of range, expected 0 to 19");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_cifar10, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_the_folder_of_the_archive_and_its_names, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_cifar100, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_files, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
