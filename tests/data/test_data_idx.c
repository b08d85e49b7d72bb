/* SPDX-License-Identifier: Apache-2.0 */
/* Sources idx and fashion-mnist. */
#include "data/make.h"
#include "folder.h"

TEST_COVERS("source.idx");

static void write_train(uint32_t count, int classes)
{
    struct bytes images = make_idx_images(count, 4, 3, 10), labels = make_idx_labels(count, classes);
    bytes_write(&images, folder, "train-images-idx3-ubyte");
    if (classes)
        bytes_write(&labels, folder, "train-labels-idx1-ubyte");
    bytes_done(&labels);
}

static void write_test(uint32_t count, int classes)
{
    struct bytes images = make_idx_images(count, 4, 3, 100), labels = make_idx_labels(count, classes);
    bytes_write(&images, folder, "t10k-images-idx3-ubyte");
    bytes_write(&labels, folder, "t10k-labels-idx1-ubyte");
}

static void reads_both_splits(void **state)
{
    (void)state;
    struct invar_sample train[6], test[4];
    write_train(6, 3);
    write_test(4, 3);
    struct invar_data_options options = make_options("idx", folder);
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->height, 4);
    assert_int_equal(info->width, 3);
    assert_int_equal(info->channels, 1);
    assert_int_equal(info->classes, 3);
    assert_string_equal(info->class_names[2], "2");
    assert_true(info->labelled && info->in_memory && !info->varying);
    assert_near(info->mean[0], 12.5 / 255, 1e-6);
    assert_near(info->deviation[0], sqrt(35.0 / 12) / 255, 1e-6);
    struct invar_loader *a = make_load(dataset, INVAR_TRAIN, train, 6), *b = make_load(dataset, INVAR_TEST, test, 4);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pixel(&train[i], 3, 2, 0), 10 + i);
        assert_int_equal(train[i].label, i % 3);
        assert_int_equal(train[i].index, i);
    }
    assert_int_equal(pixel(&test[3], 0, 0, 0), 103);
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TEST)[3], 0);
    invar_loader_free(a);
    invar_loader_free(b);
    invar_dataset_close(dataset);
}

static void reads_gzip(void **state)
{
    (void)state;
    struct bytes images = make_idx_images(5, 4, 4, 0), packed = bytes_gzip(&images);
    bytes_done(&images);
    bytes_write(&packed, folder, "train-images-idx3-ubyte.gz");
    struct invar_data_options options = make_options("idx", folder);
    options.test_fraction = 0;
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 5);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TEST], 0);
    assert_int_equal(invar_dataset_info(dataset)->classes, 0);
    assert_false(invar_dataset_info(dataset)->labelled);
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TRAIN)[0], -1);
    invar_dataset_close(dataset);
}

static void refuse_train_images(struct bytes images, enum invar_error_code code, const char *text)
{
    struct invar_data_options options = make_options("idx", folder);
    bytes_write(&images, folder, "train-images-idx3-ubyte");
    make_refused(&options, code, text);
}

static void refuses_bad_images(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("idx", folder);
    make_refused(&options, INVAR_ERROR_FILE, "train-images-idx3-ubyte: no such file, nor with .gz; idx:DIR needs");
    refuse_train_images((struct bytes){0}, INVAR_ERROR_FORMAT, "too few for the header");

    struct bytes bytes = make_idx_images(2, 4, 4, 0);
    bytes.size--;
    refuse_train_images(bytes, INVAR_ERROR_FORMAT, "is truncated, its header announces 32 bytes of data and it has 31");
    bytes = make_idx_images(2, 4, 4, 0);
    bytes_fill(&bytes, 0, 1);
    refuse_train_images(bytes, INVAR_ERROR_FORMAT, "is too long");
    bytes = make_idx_images(2, 4, 4, 0);
    bytes.data[2] = 0x0d;
    refuse_train_images(bytes, INVAR_ERROR_FORMAT, "starts with 0x00000d03 instead of 0x00000803");
    refuse_train_images(make_idx_labels(20, 2), INVAR_ERROR_FORMAT, "instead of 0x00000803");
    refuse_train_images(make_idx_images(0, 4, 4, 0), INVAR_ERROR_FORMAT, "dimension 0 of its header is 0");
    bytes = make_idx_images(2, 4, 4, 0);
    memset(bytes.data + 4, 0xff, 12);
    refuse_train_images(bytes, INVAR_ERROR_FORMAT, "dimension 1 of its header is 4294967295");
    bytes = make_idx_images(2, 4, 4, 0);
    memset(bytes.data + 4, 0xff, 4);
    refuse_train_images(bytes, INVAR_ERROR_FORMAT, "is truncated");
}

/* Names with a dot before idx, as some archives unpack; .gz or not. */
static void names_with_a_dot(void **state)
{
    (void)state;
    struct bytes images = make_idx_images(6, 4, 3, 0), labels = make_idx_labels(6, 3), packed = bytes_gzip(&labels);
    bytes_done(&labels);
    bytes_write(&images, folder, "train-images.idx3-ubyte");
    bytes_write(&packed, folder, "train-labels.idx1-ubyte.gz");
    struct invar_data_options options = make_options("idx", folder);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->classes, 3);
    invar_dataset_close(dataset);
}

static void refuses_a_torn_gzip(void **state)
{
    (void)state;
    struct bytes images = make_idx_images(50, 8, 8, 0), packed = bytes_gzip(&images);
    struct invar_data_options options = make_options("idx", folder);
    bytes_done(&images);
    packed.size /= 2;
    bytes_write(&packed, folder, "train-images-idx3-ubyte.gz");
    make_refused(&options, INVAR_ERROR_FORMAT, "truncated");
}

static void refuses_more_than_the_memory_limit(void **state)
{
    (void)state;
    struct bytes images = make_idx_images(300, 64, 64, 0), packed = bytes_gzip(&images);
    struct invar_data_options options = make_options("idx", folder);
    bytes_done(&images);
    bytes_write(&packed, folder, "train-images-idx3-ubyte.gz");
    options.memory_limit = 1;
    make_refused(&options, INVAR_ERROR_FORMAT, "larger than 1048576 bytes");
    options.memory = 1; /* yes: no limit */
    invar_dataset_close(make_open(&options));
}

static void refuses_bad_labels(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("idx", folder);
    struct bytes labels = make_idx_labels(5, 2);
    write_train(6, 2);
    bytes_write(&labels, folder, "train-labels-idx1-ubyte");
    make_refused(&options, INVAR_ERROR_DATA, "has 5 labels for the 6 images of");
    write_train(6, 2);
    write_test(4, 3);
    make_refused(&options, INVAR_ERROR_DATA, "label 2 of sample 2 is out of range, expected 0 to 1");
    struct bytes wide = make_idx_images(4, 4, 4, 0);
    bytes_write(&wide, folder, "t10k-images-idx3-ubyte");
    make_refused(&options, INVAR_ERROR_DATA, "has images of 4 x 4, those of");
}

static void fashion_mnist_is_looked_for(void **state)
{
    (void)state;
    struct invar_data_options options;
    invar_options_default(invar_data_option_table, &options);
    assert_string_equal(options.source, "fashion-mnist");
    setenv("INVAR_FASHION_MNIST", folder, 1);
    make_refused(&options, INVAR_ERROR_FILE, "apt install dataset-fashion-mnist");
    write_train(11, 11);
    make_refused(&options, INVAR_ERROR_FILE, "t10k-images-idx3-ubyte: no such file");
    write_test(2, 2);
    make_refused(&options, INVAR_ERROR_DATA, "label 10 of sample 10 is out of range, expected 0 to 9");
    write_train(10, 10);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->classes, 10);
    assert_string_equal(invar_dataset_info(dataset)->class_names[9], "Ankle boot");
    invar_dataset_close(dataset);
    unsetenv("INVAR_FASHION_MNIST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_both_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_images, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_torn_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(names_with_a_dot, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_more_than_the_memory_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(fashion_mnist_is_looked_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
