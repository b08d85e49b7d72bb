/* SPDX-License-Identifier: Apache-2.0 */
#include "data/make.h"

#include "invar/eval.h"

enum { COUNT = 300, SIDE = 8, TESTS = 5 };

static const struct invar_embed_options plain_embedding = {.precision = INVAR_PRECISION_FLOAT32};

static struct invar_dataset *open_idx(const char *folder, bool labels)
{
    struct bytes bytes = make_idx_images(COUNT, SIDE, SIDE, 0);
    bytes_write(&bytes, folder, "train-images-idx3-ubyte");
    bytes = make_idx_images(TESTS, SIDE, SIDE, 100);
    bytes_write(&bytes, folder, "t10k-images-idx3-ubyte");
    if (labels) {
        bytes = make_idx_labels(COUNT, 3);
        bytes_write(&bytes, folder, "train-labels-idx1-ubyte");
        bytes = make_idx_labels(TESTS, 3);
        bytes_write(&bytes, folder, "t10k-labels-idx1-ubyte");
    }
    struct invar_data_options options = make_options("idx", folder);
    return make_open(&options);
}

static struct invar_encoder *make_encoder(int64_t channels)
{
    struct invar_error err = {0};
    const char text[] = "kind: small-resnet\nwidths: [4, 8]\n";
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    struct invar_shape input = {3, channels, SIDE, SIDE};
    struct invar_encoder *encoder = invar_encoder_create(section, input, 5, &err);
    assert_ok(encoder, &err);
    encoder->mean[0] = 0.25F;
    encoder->deviation[0] = 0.5F;
    invar_node_free(section);
    return encoder;
}

static struct invar_embedded embed(int threads, const struct invar_encoder *encoder, struct invar_dataset *dataset,
                                   enum invar_split split)
{
    struct invar_error err = {0};
    struct invar_embedded out = {0};
    struct invar_device *device = test_device_open(threads, &err);
    assert_ok(device, &err);
    assert_ok(invar_embed(device, encoder, dataset, split, &plain_embedding, &out, &err), &err);
    invar_device_close(device);
    return out;
}

/* Pixels wrap at 256: images 0 and 256 are equal, one in a full batch, the other in the last, partial one. */
static void test_batches(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    struct invar_dataset *dataset = open_idx(folder, true);
    struct invar_encoder *encoder = make_encoder(1);
    struct invar_embedded train = embed(1, encoder, dataset, INVAR_TRAIN);
    struct invar_embedded test = embed(2, encoder, dataset, INVAR_TEST);
    int64_t cols = train.features.shape[1];
    const float *a = train.features.data, *b = test.features.data;
    assert_int_equal(train.features.shape[0], COUNT);
    assert_int_equal(train.labels.shape[0], COUNT);
    assert_int_equal(test.features.shape[0], TESTS);
    for (int i = 0; i + 256 < COUNT; i++)
        assert_memory_equal(a + i * cols, a + (i + 256) * cols, (size_t)cols * sizeof *a);
    assert_memory_not_equal(a, a + cols, (size_t)cols * sizeof *a);
    for (int i = 0; i < TESTS; i++)
        for (int64_t j = 0; j < cols; j++)
            assert_near(b[i * cols + j], a[(100 + i) * cols + j], 1e-5);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(((int64_t *)train.labels.data)[i], i % 3);
    invar_embedded_free(&train);
    invar_embedded_free(&test);
    invar_encoder_free(encoder);
    invar_dataset_close(dataset);
    test_folder_remove(folder);
}

/* The encoder sees what its own mean and deviation make of a sample, not those of the data at hand. */
static void test_standardisation(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    struct invar_dataset *dataset = open_idx(folder, false);
    struct invar_encoder *encoder = make_encoder(1);
    struct invar_embedded before = embed(1, encoder, dataset, INVAR_TEST);
    encoder->mean[0] = 0.75F;
    struct invar_embedded after = embed(1, encoder, dataset, INVAR_TEST);
    assert_memory_not_equal(before.features.data, after.features.data, (size_t)before.features.shape[1]);
    assert_int_equal(((int64_t *)before.labels.data)[0], -1);
    invar_embedded_free(&before);
    invar_embedded_free(&after);
    invar_encoder_free(encoder);
    invar_dataset_close(dataset);
    test_folder_remove(folder);
}

static void test_input(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_embedded input = {0};
    char *folder = test_folder_create();
    struct invar_dataset *dataset = open_idx(folder, true);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_ok(invar_embed_input(dataset, INVAR_TEST, &input, &err), &err);
    assert_int_equal(input.features.shape[0], TESTS);
    assert_int_equal(input.features.shape[1], SIDE * SIDE);
    for (int i = 0; i < TESTS; i++)
        for (int j = 0; j < SIDE * SIDE; j++)
            assert_near(((float *)input.features.data)[i * SIDE * SIDE + j],
                        ((double)(100 + i) / 255 - (double)info->mean[0]) / (double)info->deviation[0], 1e-5);
    invar_embedded_free(&input);
    invar_dataset_close(dataset);
    test_folder_remove(folder);
}

/* A sample that cannot be read has no row, and the labels keep to their samples. */
static void unreadable(const char *memory)
{
    enum { PER_CLASS = 60, BAD = 31 };
    struct invar_error err = {0};
    struct invar_embedded input = {0};
    char *folder = test_folder_create(), name[64];
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < PER_CLASS; i++) {
            struct bytes bytes = make_png(SIDE, SIDE, 1, 100 * c + i);
            if (c == 0 && i == BAD)
                bytes.size /= 2;
            snprintf(name, sizeof name, "train/%c/%03d.png", 'a' + c, i);
            bytes_write(&bytes, folder, name);
        }
    struct bytes bytes = make_png(SIDE, SIDE, 1, 0);
    bytes_write(&bytes, folder, "test/a/0.png");
    bytes = make_png(SIDE, SIDE, 1, 0);
    bytes_write(&bytes, folder, "test/b/0.png");
    struct invar_data_options options = make_options("images", folder);
    assert_ok(invar_options_set(invar_data_option_table, &options, memory, &err), &err);
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_ok(invar_embed_input(dataset, INVAR_TRAIN, &input, &err), &err);
    assert_int_equal(input.features.shape[0], 2 * PER_CLASS - 1);
    assert_int_equal(input.labels.shape[0], 2 * PER_CLASS - 1);
    for (int i = 0; i < 2 * PER_CLASS - 1; i++) {
        int value = i < BAD ? i : i < PER_CLASS - 1 ? i + 1 : 100 + i - (PER_CLASS - 1);
        assert_int_equal(((int64_t *)input.labels.data)[i], value >= 100);
        assert_near(((float *)input.features.data)[i * SIDE * SIDE],
                    ((double)value / 255 - (double)info->mean[0]) / (double)info->deviation[0], 1e-4);
    }
    invar_embedded_free(&input);
    invar_dataset_close(dataset);
    test_folder_remove(folder);
}

static void test_unreadable_samples(void **state)
{
    (void)state;
    unreadable("memory=no");
    unreadable("memory=yes");
}

static void test_refusals(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_embedded out = {0};
    char *folder = test_folder_create();
    struct invar_dataset *dataset = open_idx(folder, true);
    struct invar_device *device = test_device_open(1, &err);
    struct invar_encoder *encoder = make_encoder(3);
    assert_refused(invar_embed(device, encoder, dataset, INVAR_TEST, &plain_embedding, &out, &err), &err,
                   INVAR_ERROR_DATA, "takes 3 channels");
    invar_encoder_free(encoder);
    encoder = make_encoder(1);
    strcpy(encoder->data_kind, "audio");
    assert_refused(invar_embed(device, encoder, dataset, INVAR_TEST, &plain_embedding, &out, &err), &err,
                   INVAR_ERROR_DATA, "of the kind \"audio\", and idx:");
    strcpy(encoder->data_kind, "image");
    const struct invar_parameter *damaged = &encoder->net->parameters[2];
    float *base = damaged->role == INVAR_PARAMETER_STATISTIC ? encoder->statistics : encoder->parameters;
    base[damaged->offset + damaged->count - 1] = NAN;
    assert_refused(invar_embed(device, encoder, dataset, INVAR_TEST, &plain_embedding, &out, &err), &err,
                   INVAR_ERROR_NUMERIC, damaged->name);
    assert_null(out.features.data);
    invar_encoder_free(encoder);
    invar_device_close(device);
    invar_dataset_close(dataset);
    test_folder_remove(folder);
}

/* Images of a folder as one idx file, train split alone. */
static struct invar_dataset *open_pixels(const char *folder, const uint8_t *pixels, uint32_t count, uint32_t height,
                                         uint32_t width)
{
    struct bytes bytes = make_idx_images(count, height, width, 0);
    memcpy(bytes.data + 16, pixels, (size_t)count * height * width);
    bytes_write(&bytes, folder, "train-images-idx3-ubyte");
    struct invar_data_options options = make_options("idx", folder);
    options.test_fraction = 0;
    return make_open(&options);
}

/* 5 x 3 windows of 8 x 8 pixels, 4 apart, the last ones flush with the end, against the same as images of their own: of
   so many images that windows of one lie in two batches of the encoder. */
static void test_windows(void **state)
{
    (void)state;
    enum { IMAGES = 40, HEIGHT = 15, WIDTH = 24, ROWS = 3, COLUMNS = 5, WINDOWS = ROWS * COLUMNS };
    static const int top[ROWS] = {0, 4, 7}, left[COLUMNS] = {0, 4, 8, 12, 16};
    static uint8_t image[IMAGES][HEIGHT * WIDTH], cut[IMAGES][WINDOWS][SIDE * SIDE];
    char *folder[2] = {test_folder_create(), test_folder_create()};
    struct invar_error err = {0};
    struct invar_device *device = test_device_open(1, &err);
    struct invar_encoder *encoder = make_encoder(1);
    struct invar_embedded pooled = {0};

    for (int n = 0; n < IMAGES; n++) {
        for (int i = 0; i < HEIGHT * WIDTH; i++)
            image[n][i] = (uint8_t)((n + i) * (n + i) % 251);
        for (int w = 0; w < WINDOWS; w++)
            for (int y = 0; y < SIDE; y++)
                memcpy(&cut[n][w][y * SIDE], image[n] + (top[w / COLUMNS] + y) * WIDTH + left[w % COLUMNS], SIDE);
    }
    struct invar_dataset *whole = open_pixels(folder[0], image[0], IMAGES, HEIGHT, WIDTH);
    struct invar_dataset *parts = open_pixels(folder[1], cut[0][0], IMAGES * WINDOWS, SIDE, SIDE);
    const struct invar_embed_options options = {.precision = INVAR_PRECISION_FLOAT32, .windows = true};
    assert_ok(invar_embed(device, encoder, whole, INVAR_TRAIN, &options, &pooled, &err), &err);
    struct invar_embedded each = embed(1, encoder, parts, INVAR_TRAIN), plain = embed(1, encoder, whole, INVAR_TRAIN);
    assert_int_equal(pooled.pooled, IMAGES);
    assert_int_equal(plain.pooled, 0);
    assert_memory_equal(pooled.labels.data, plain.labels.data, IMAGES * sizeof(int64_t));
    assert_memory_equal(pooled.index.data, plain.index.data, IMAGES * sizeof(int64_t));
    const int64_t cols = pooled.features.shape[1];
    double difference = 0;
    for (int64_t n = 0; n < IMAGES; n++)
        for (int64_t j = 0; j < cols; j++) {
            double mean = 0;
            for (int64_t w = 0; w < WINDOWS; w++)
                mean += (double)((const float *)each.features.data)[(n * WINDOWS + w) * cols + j] / WINDOWS;
            assert_near(((const float *)pooled.features.data)[n * cols + j], mean, 1e-5);
            difference += fabs(mean - (double)((const float *)plain.features.data)[n * cols + j]);
        }
    assert_true(difference > 1e-3 * IMAGES);
    invar_embedded_free(&pooled);
    invar_embedded_free(&plain);
    assert_ok(invar_embed(device, encoder, parts, INVAR_TRAIN, &options, &pooled, &err), &err);
    assert_int_equal(pooled.pooled, 0);
    assert_memory_equal(pooled.features.data, each.features.data, (size_t)(IMAGES * WINDOWS * cols) * sizeof(float));
    invar_embedded_free(&pooled);
    invar_embedded_free(&each);
    invar_dataset_close(whole);
    invar_dataset_close(parts);
    invar_encoder_free(encoder);
    invar_device_close(device);
    test_folder_remove(folder[0]);
    test_folder_remove(folder[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),  cmocka_unit_test(test_standardisation),    cmocka_unit_test(test_input),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_unreadable_samples), cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
