/* SPDX-License-Identifier: Apache-2.0 */
/* Source images on folders: what the folders mean, and that every kind of JPEG and PNG comes out right. */
#include "data/make.h"
#include "folder.h"
#include "invar/log.h"

#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

TEST_COVERS("source.images");

static void put(const char *name, struct bytes content)
{
    bytes_write(&content, folder, name);
}

static void put_gray(const char *name, int value)
{
    put(name, make_png(4, 4, 1, value));
}

static void classes_are_folders_in_bytewise_order(void **state)
{
    (void)state;
    struct invar_sample train[4];
    put_gray("cat/b.png", 2);
    put_gray("cat/a.png", 1);
    put_gray("Zebra/deep/er/x.PNG", 0);
    put_gray("cat-fish/c.png", 3);
    put("README.txt", (struct bytes){0});
    put("cat/notes.txt", (struct bytes){0});
    put(".hidden/x.png", (struct bytes){0});
    struct invar_data_options options = make_options("images", folder);
    options.test_fraction = 0;
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->classes, 3);
    assert_string_equal(info->class_names[0], "Zebra");
    assert_string_equal(info->class_names[1], "cat");
    assert_string_equal(info->class_names[2], "cat-fish");
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, train, 4);
    static const int labels[] = {0, 1, 1, 2};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pixel(&train[i], 0, 0, 0), i);
        assert_int_equal(train[i].label, labels[i]);
    }
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void keep_message(void *user, enum invar_log_level level, const char *message)
{
    char *kept = user;
    (void)level;
    snprintf(kept + strlen(kept), 256 - strlen(kept), "%s", message);
}

static void train_and_val_folders(void **state)
{
    (void)state;
    put_gray("train/a/1.png", 1);
    put_gray("train/b/1.png", 2);
    put_gray("val/b/1.png", 3);
    put_gray("elsewhere/1.png", 4);
    struct invar_data_options options = make_options("images", folder);
    char message[256] = "";
    invar_log_set_sink(keep_message, message);
    struct invar_dataset *dataset = make_open(&options);
    invar_log_set_sink(NULL, NULL);
    assert_non_null(strstr(message, "1 images outside of train/ and test/"));
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 2);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TEST], 1);
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TEST)[0], 1);
    invar_dataset_close(dataset);
    put_gray("val/c/1.png", 3);
    make_refused(&options, INVAR_ERROR_DATA, "class folder val/c has no counterpart in train/");
}

static void images_outside_of_folders_have_no_label(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.png", i);
        put_gray(name, i);
    }
    struct invar_data_options options = make_options("images", folder);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->classes, 0);
    assert_null(invar_dataset_info(dataset)->class_names);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 8);
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TRAIN)[7], -1);
    invar_dataset_close(dataset);
    put_gray("class/1.png", 1);
    make_refused(&options, INVAR_ERROR_DATA, "image 0.png stands beside class folders");
}

static void refuses_folders_without_images(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_data_options options = make_options("images", test_path(folder, "none"));
    make_refused(&options, INVAR_ERROR_FILE, "none: No such file or directory; images:PATH needs");
    options = make_options("images", folder);
    make_refused(&options, INVAR_ERROR_DATA, "holds no image");
    put_gray("cat/1.png", 1);
    assert_ok(invar_folder_create(test_path(folder, "dog"), &err), &err);
    make_refused(&options, INVAR_ERROR_DATA, "class folder dog holds no .jpg, .png, .tif, .webp, ... image");
    put("dog/readme.txt", (struct bytes){0});
    make_refused(&options, INVAR_ERROR_DATA, "class folder dog holds no");
    options = make_options("images", "/dev/null");
    make_refused(&options, INVAR_ERROR_FILE, "neither a folder nor a file");
}

static void links_may_lead_back(void **state)
{
    (void)state;
    put_gray("cat/1.png", 1);
    assert_int_equal(symlink("..", test_path(folder, "cat/up")), 0);
    struct invar_data_options options = make_options("images", folder);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 1);
    assert_int_equal(invar_dataset_info(dataset)->closed_folders, 1);
    assert_string_equal(invar_dataset_info(dataset)->first_closed, "cat/up: leads back to a folder that it lies in");
    invar_dataset_close(dataset);
}

/* One image alone in the folder, with channels as asked. */
static void expect(const char *what, struct bytes image, int64_t channels, int expected_channels, const int *values,
                   int tolerance)
{
    struct invar_sample sample;
    put("a/1.png", image);
    struct invar_data_options options = make_options("images", folder);
    options.channels = channels;
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, &sample, 1);
    if (sample.channels != expected_channels || sample.height != 2 || sample.width != 3)
        fail_msg("%s: %d x %d x %d", what, sample.height, sample.width, sample.channels);
    for (int c = 0; c < expected_channels; c++)
        if (abs(pixel(&sample, 1, 2, c) - values[c]) > tolerance)
            fail_msg("%s: channel %d is %d, expected %d", what, c, pixel(&sample, 1, 2, c), values[c]);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void repeat(uint8_t *out, const uint8_t *value, size_t size)
{
    for (size_t i = 0; i < 6; i++)
        memcpy(out + i * size, value, size);
}

static void every_kind_of_png(void **state)
{
    (void)state;
    uint8_t pixels[64];
    struct spng_plte palette = {.n_entries = 2, .entries = {{1, 2, 3, 0}, {200, 100, 50, 0}}};
    const int gray[] = {40}, grays[] = {40, 40, 40}, colour[] = {200, 100, 50}, luma[] = {124};

    repeat(pixels, (const uint8_t[]){40}, 1);
    expect("gray", make_png_as(pixels, 6, 2, 3, 0, 8, NULL), 0, 1, gray, 0);
    expect("gray as colour", make_png_as(pixels, 6, 2, 3, 0, 8, NULL), 3, 3, grays, 0);
    uint16_t wide[12];
    for (int i = 0; i < 6; i++)
        wide[i] = 40 * 257;
    expect("gray 16", make_png_as(wide, 12, 2, 3, 0, 16, NULL), 0, 1, gray, 0);
    for (int i = 0; i < 6; i++) {
        wide[2 * i] = 40 * 257;
        wide[2 * i + 1] = 7;
    }
    expect("gray alpha 16", make_png_as(wide, 24, 2, 3, 4, 16, NULL), 0, 1, gray, 0);
    repeat(pixels, (const uint8_t[]){40, 9}, 2);
    expect("gray alpha", make_png_as(pixels, 12, 2, 3, 4, 8, NULL), 0, 1, gray, 0);
    repeat(pixels, (const uint8_t[]){200, 100, 50}, 3);
    expect("colour", make_png_as(pixels, 18, 2, 3, 2, 8, NULL), 0, 3, colour, 0);
    expect("colour as gray", make_png_as(pixels, 18, 2, 3, 2, 8, NULL), 1, 1, luma, 0);
    repeat(pixels, (const uint8_t[]){200, 100, 50, 3}, 4);
    expect("colour alpha", make_png_as(pixels, 24, 2, 3, 6, 8, NULL), 0, 3, colour, 0);
    repeat(pixels, (const uint8_t[]){1}, 1);
    expect("palette", make_png_as(pixels, 6, 2, 3, 3, 8, &palette), 0, 3, colour, 0);
    const uint8_t bits[2] = {0xe0, 0xe0};
    expect("one bit", make_png_as(bits, 2, 2, 3, 0, 1, NULL), 0, 1, (const int[]){255}, 0);
}

static void every_kind_of_jpeg(void **state)
{
    (void)state;
    const int gray[] = {90}, grays[] = {90, 90, 90}, cmyk[] = {156, 156, 156};
    expect("gray", make_jpeg(2, 3, 1, 90), 0, 1, gray, 1);
    expect("gray as colour", make_jpeg(2, 3, 1, 90), 3, 3, grays, 1);
    expect("colour", make_jpeg(2, 3, 3, 90), 0, 3, grays, 1);
    expect("colour as gray", make_jpeg(2, 3, 3, 90), 1, 1, gray, 1);
    expect("cmyk", make_jpeg(2, 3, 4, 200), 0, 3, cmyk, 3); /* 200 * 200 / 255 */
}

static void refuse_image(struct bytes image, const char *text)
{
    struct invar_data_options options = make_options("images", folder);
    put("a/1.jpg", image);
    make_refused(&options, INVAR_ERROR_DATA, text);
}

/* A PNG chunk's CRC after a change to its 13 header bytes. */
static void reseal_png(struct bytes *png)
{
    uint32_t crc = (uint32_t)crc32(0, png->data + 12, 17);
    for (int i = 0; i < 4; i++)
        png->data[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
}

static int number(const struct invar_sample *sample, int i)
{
    return sample->dtype == INVAR_UINT16 ? ((const uint16_t *)sample->data)[i] : ((const uint8_t *)sample->data)[i];
}

/* 16 bits are read as they are: 200 to 249, 12 bits of a camera, all 16; alpha is dropped. */
static void sixteen_bits_are_read_truly(void **state)
{
    (void)state;
    static const struct {
        int first, step, type;
    } cases[] = {{200, 1, 0}, {0, 80, 0}, {30000, 2, 0}, {0, 1300, 0}, {200, 1, 4}, {200, 1, 2}, {0, 1300, 6}};
    static const size_t samples[] = {1, 0, 3, 0, 2, 0, 4};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint16_t wide[4 * 50];
        const size_t n = samples[cases[c].type];
        const int kept = n < 3 ? 1 : 3;
        double mean = 0, squares = 0;
        for (size_t i = 0; i < 50 * n; i++)
            wide[i] = (uint16_t)(cases[c].first + (int)(i / n) * cases[c].step);
        for (int i = 0; i < 50; i++)
            mean += (cases[c].first + i * cases[c].step) / 65535.0 / 50;
        for (int i = 0; i < 50; i++)
            squares += pow((cases[c].first + i * cases[c].step) / 65535.0 - mean, 2) / 50;
        for (int memory = 1; memory < 3; memory++) {
            struct invar_data_options options = make_options("images", folder);
            struct invar_sample sample;
            options.memory = (enum invar_data_memory)memory;
            put("a/1.jpg", make_png_as(wide, 100 * n, 5, 10, cases[c].type, 16, NULL));
            struct invar_dataset *dataset = make_open(&options);
            const struct invar_dataset_info *info = invar_dataset_info(dataset);
            struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, &sample, 1);
            assert_int_equal(sample.dtype, INVAR_UINT16);
            assert_int_equal(sample.channels, kept);
            for (int i = 0; i < 50 * kept; i++)
                assert_int_equal(number(&sample, i), cases[c].first + i / kept * cases[c].step);
            for (int k = 0; k < kept; k++) {
                assert_near(info->mean[k], mean, 1e-7);
                assert_near(info->deviation[k] / (float)sqrt(squares), 1, 1e-6);
            }
            invar_loader_free(loader);
            invar_dataset_close(dataset);
        }
    }
}

/* 8 and 16 bits side by side: each keeps its own, statistics are of both. */
static void depths_may_differ(void **state)
{
    (void)state;
    const uint16_t wide[] = {0, 65535, 1, 513};
    struct invar_sample samples[2];
    struct invar_data_options options = make_options("images", folder);
    options.test_fraction = 0;
    put("a/0.png", make_png(2, 2, 1, 51));
    put("a/1.png", make_png_as(wide, sizeof wide, 2, 2, 0, 16, NULL));
    for (int memory = 1; memory < 3; memory++) {
        options.memory = (enum invar_data_memory)memory;
        struct invar_dataset *dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, 2);
        assert_int_equal(samples[0].dtype, INVAR_UINT8);
        assert_int_equal(samples[1].dtype, INVAR_UINT16);
        assert_int_equal(number(&samples[0], 3), 51);
        for (int i = 0; i < 4; i++)
            assert_int_equal(number(&samples[1], i), wide[i]);
        assert_false(memory == 1 && info->varying);
        assert_near(info->mean[0], (4 * 0.2 + (65535 + 514) / 65535.0) / 8, 1e-7);
        invar_loader_free(loader);
        invar_dataset_close(dataset);
    }
    options.channels = 3; /* in one type too */
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, 2);
    for (int i = 0; i < 12; i++)
        assert_int_equal(number(&samples[1], i), wide[i / 3]);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

/* Two or four channels keep opacity, and give it to what has none; no other number can be had of a photo. */
static void opacity_is_kept_when_asked_for(void **state)
{
    (void)state;
    const uint8_t gray[] = {10, 20, 30, 40}, colour[] = {1, 2, 3, 4};
    const uint16_t wide[] = {1, 2, 3, 4};
    uint16_t one[6 * 4];
    uint8_t narrow[6 * 4];
    for (int bits = 8; bits <= 16; bits += 8)
        for (int samples = 2; samples <= 4; samples += 2)
            for (int asked = 2; asked <= 4; asked += 2) {
                struct invar_sample sample;
                struct invar_data_options options = make_options("images", folder);
                for (int i = 0; i < 6 * samples; i++) {
                    narrow[i] = samples == 2 ? gray[i % 2] : colour[i % 4];
                    one[i] = samples == 2 ? (uint16_t)(300 + (i & 1)) : wide[i % 4];
                }
                put("a/1.png", make_png_as(bits == 8 ? (void *)narrow : (void *)one, (size_t)(6 * samples * bits / 8),
                                           2, 3, samples == 2 ? 4 : 6, bits, NULL));
                options.channels = asked;
                if (samples == 4 && asked == 2) {
                    make_refused(&options, INVAR_ERROR_DATA, "1.png: has 4 channels, which cannot become the 2");
                    continue;
                }
                struct invar_dataset *dataset = make_open(&options);
                struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, &sample, 1);
                assert_int_equal(sample.channels, asked);
                for (int i = 0; i < 6 * asked; i++) {
                    const int c = i % asked, from = samples == asked ? c : c == 3;
                    assert_int_equal(number(&sample, i), bits == 8 ? narrow[from] : one[from]);
                }
                invar_loader_free(loader);
                invar_dataset_close(dataset);
            }
    expect("opaque", make_png(2, 3, 3, 7), 4, 4, (const int[]){7, 8, 9, 255}, 0);
    expect("opaque gray", make_jpeg(2, 3, 1, 7), 2, 2, (const int[]){7, 255}, 1);
    struct invar_data_options options = make_options("images", folder);
    options.channels = 5;
    make_refused(&options, INVAR_ERROR_DATA, "has 1 channels, which cannot become the 5 that are expected");
    options.channels = 17;
    make_refused(&options, INVAR_ERROR_USAGE, "data.channels: expected an integer from 0 to 16, found 17");
}

static void refuses_bad_images(void **state)
{
    (void)state;
    struct bytes bytes = {0};
    refuse_image(bytes, "a/1.jpg: is empty, expected a JPEG, PNG, TIFF or WebP image");
    bytes_put(&bytes, "GIF89a, which is neither", 24);
    refuse_image(bytes, "a/1.jpg: is no JPEG, PNG, TIFF or WebP image");
    for (int fraction = 1; fraction < 8; fraction++) {
        bytes = make_png(40, 40, 3, 7);
        bytes.size = bytes.size * (size_t)fraction / 8;
        refuse_image(bytes, "is not a whole PNG image");
    }
    bytes = make_png(40, 40, 3, 7);
    bytes.size -= 12; /* all pixels are there, the end mark is not */
    refuse_image(bytes, "is not a whole PNG image");
    bytes = make_png(40, 40, 3, 7);
    bytes.data[bytes.size / 2] ^= 1;
    refuse_image(bytes, "is not a whole PNG image");
    for (int fraction = 1; fraction < 8; fraction++) {
        bytes = make_jpeg(40, 40, 3, 7);
        bytes.size = bytes.size * (size_t)fraction / 8;
        refuse_image(bytes, "is not a whole JPEG image");
    }
    bytes = make_png(4, 4, 1, 7);
    memcpy(bytes.data + 16, "\0\0\x40\x01", 4);
    reseal_png(&bytes);
    refuse_image(bytes, "16385 x 4 pixels; images must have 1 to 16384 a side");
    bytes = make_jpeg(8, 8, 1, 7);
    for (size_t i = 0; i + 9 < bytes.size; i++)
        if (bytes.data[i] == 0xff && bytes.data[i + 1] == 0xc0)
            memcpy(bytes.data + i + 5, "\x40\x01\x40\x02", 4);
    refuse_image(bytes, "16386 x 16385 pixels; images must have 1 to 16384 a side");
    bytes = make_jpeg(8, 8, 1, 7);
    for (size_t i = 0; i + 9 < bytes.size; i++)
        if (bytes.data[i] == 0xff && bytes.data[i + 1] == 0xc0)
            memcpy(bytes.data + i + 5, "\x40\0\x40", 4);
    refuse_image(bytes, "16384 x 16384 pixels; images must have");
}

static void stray_bytes_in_a_jpeg_cost_nothing(void **state)
{
    (void)state;
    struct bytes jpeg = make_jpeg(2, 3, 1, 90), padded = {0};
    bytes_put(&padded, jpeg.data, jpeg.size - 2);
    bytes_fill(&padded, 0, 5);
    bytes_put(&padded, "\xff\xd9", 2);
    bytes_done(&jpeg);
    expect("padded", padded, 0, 1, (const int[]){90}, 1);
}

/* Names that are splits side by side; the same folders are classes where nothing speaks for splits. */
static void splits_have_many_names(void **state)
{
    (void)state;
    static const struct {
        const char *train, *test;
        bool split;
    } cases[] = {
        {"train", "test", true},         {"training", "testing", true},
        {"Train", "Test", true},         {"TRAINING", "Validation", true},
        {"seg_train", "seg_test", true}, {"seg_train/seg_train", "seg_test/seg_test", true},
        {"train", "valid", true},        {"train", "dev", true},
        {"Train", "eval", true},         {"training", "match", false},
        {"Train", "Bus", false},         {"trains", "tests", false},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char root[64], name[256];
        for (int i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "%zu/%s/%s/%d.png", c, i < 3 ? cases[c].train : cases[c].test,
                     i % 2 ? "cat" : "dog", i);
            put_gray(name, i);
        }
        snprintf(root, sizeof root, "%zu", c);
        struct invar_data_options options = make_options("images", test_path(folder, root));
        options.test_fraction = 0;
        struct invar_dataset *dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        if (info->count[INVAR_TEST] != cases[c].split || info->classes != 2 ||
            (cases[c].split && strcmp(info->class_names[0], "cat") != 0))
            fail_msg("%s and %s: %d test, first class %s", cases[c].train, cases[c].test, (int)info->count[INVAR_TEST],
                     info->class_names[0]);
        invar_dataset_close(dataset);
    }
}

static void folders_of_systems_are_no_classes(void **state)
{
    (void)state;
    static const char *const names[] = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "a/@eaDir"};
    struct invar_data_options options = make_options("images", folder);
    put_gray("a/0.png", 1);
    put_gray("b/0.png", 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64], message[256] = "";
        snprintf(name, sizeof name, "%s/a/1.png", names[i]);
        put_gray(name, 1);
        invar_log_set_sink(keep_message, message);
        struct invar_dataset *dataset = make_open(&options);
        invar_log_set_sink(NULL, NULL);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        assert_int_equal(info->classes, 2);
        assert_int_equal(info->count[0] + info->count[1], 2);
        const char *base = strrchr(names[i], '/');
        assert_non_null(strstr(message, base ? base + 1 : names[i]));
        invar_dataset_close(dataset);
    }
}

/* One name written with composed and with decomposed letters is one class, in one order, in either split. */
static void composed_and_decomposed_names_are_one_class(void **state)
{
    (void)state;
    put_gray("train/e\xcc\x81te\xcc\x81/1.png", 1);
    put_gray("train/\xc3\xa9t\xc3\xa9/2.png", 2);
    put_gray("train/f/3.png", 3);
    put_gray("train/\xff/4.png", 4); /* no UTF-8 */
    put_gray("test/e\xcc\x81t\xc3\xa9/5.png", 5);
    struct invar_sample train[4], test;
    struct invar_data_options options = make_options("images", folder);
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->classes, 3);
    assert_string_equal(info->class_names[0], "f");
    assert_string_equal(info->class_names[1], "\xc3\xa9t\xc3\xa9");
    assert_string_equal(info->class_names[2], "\xff");
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, train, 4);
    struct invar_loader *other = make_load(dataset, INVAR_TEST, &test, 1);
    for (int i = 0; i < 4; i++) {
        const int value = pixel(&train[i], 0, 0, 0);
        assert_int_equal(train[i].label, value < 3 ? 1 : value == 3 ? 0 : 2);
    }
    assert_int_equal(test.label, 1);
    invar_loader_free(loader);
    invar_loader_free(other);
    invar_dataset_close(dataset);
}

/* A format that is not read is noticed by its ending. */
static void other_endings_are_counted(void **state)
{
    (void)state;
    char many[32];
    put_gray("a/0.png", 1);
    struct invar_data_options options = make_options("images", folder);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->other_files, 0);
    invar_dataset_close(dataset);
    for (int i = 0; i < 3; i++) {
        snprintf(many, sizeof many, "a/%d.%s", i, i ? "GIF" : "gif");
        put(many, (struct bytes){0});
    }
    put("a/notes.txt", (struct bytes){0});
    put("a.b/README", (struct bytes){0});
    put("a.b/1.png", make_png(4, 4, 1, 3));
    dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->other_files, 5);
    assert_string_equal(invar_dataset_info(dataset)->other_endings, "3 .gif, 1 .txt, 1 no ending");
    invar_dataset_close(dataset);
    for (int i = 0; i < 200; i++) {
        snprintf(many, sizeof many, "a/1.e%d", i);
        put(many, (struct bytes){0});
    }
    dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->other_files, 205);
    assert_non_null(strstr(invar_dataset_info(dataset)->other_endings, " others, 3 .gif"));
    invar_dataset_close(dataset);
}

/* A link that leads to itself cannot be looked at: one unreadable image, not the end of all. */
static void entries_that_cannot_be_looked_at_are_counted(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("images", folder);
    options.bad_limit = 1;
    put_gray("a/0.png", 1);
    put_gray("a/1.png", 1);
    assert_int_equal(symlink("2.png", test_path(folder, "a/2.png")), 0);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->skipped, 1);
    assert_non_null(strstr(invar_dataset_info(dataset)->first_skipped, "a/2.png: cannot be read"));
    invar_dataset_close(dataset);
}

/* A gray image that happens to come first must not take the colour of all others. */
static void any_colour_makes_three_channels(void **state)
{
    (void)state;
    struct invar_data_options options = make_options("images", folder);
    char message[256] = "";
    put_gray("a/0.png", 1);
    put("a/1.jpg", make_jpeg(4, 4, 1, 90));
    for (int gray = 1; gray >= 0; gray--) {
        invar_log_set_sink(keep_message, message);
        struct invar_dataset *dataset = make_open(&options);
        invar_log_set_sink(NULL, NULL);
        assert_int_equal(invar_dataset_info(dataset)->channels, gray ? 1 : 3);
        assert_int_equal(!*message, gray);
        invar_dataset_close(dataset);
        put("b/1.png", make_png(4, 4, 3, 2));
    }
    assert_non_null(strstr(message, "of 3 images asked 1 are colour and 2 gray"));
    options.channels = 1;
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->channels, 1);
    invar_dataset_close(dataset);
}

/* Too many open files say nothing of an image: no other takes its place. */
static void the_machine_is_no_bad_image(void **state)
{
    (void)state;
    struct rlimit before, none;
    struct invar_sample sample;
    struct invar_error err = {0};
    int64_t order[] = {0}, got;
    put_gray("a/0.png", 1);
    put_gray("a/1.png", 2);
    struct invar_data_options options = make_options("images", folder);
    options.memory = 2;
    options.bad_limit = 1;
    options.test_fraction = 0;
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, 1, &err);
    assert_non_null(loader);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool ok = invar_loader_start(loader, order, 1, &err) && invar_loader_next(loader, &sample, &got, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(ok);
    assert_int_equal(err.code, INVAR_ERROR_SYSTEM);
    assert_non_null(strstr(err.message, "a/0.png: cannot be read: Too many open files"));
    assert_int_equal(invar_dataset_info(dataset)->skipped, 0);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classes_are_folders_in_bytewise_order, setup, teardown),
        cmocka_unit_test_setup_teardown(train_and_val_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(images_outside_of_folders_have_no_label, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_folders_without_images, setup, teardown),
        cmocka_unit_test_setup_teardown(links_may_lead_back, setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_png, setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_jpeg, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_images, setup, teardown),
        cmocka_unit_test_setup_teardown(stray_bytes_in_a_jpeg_cost_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(splits_have_many_names, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_of_systems_are_no_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(composed_and_decomposed_names_are_one_class, setup, teardown),
        cmocka_unit_test_setup_teardown(other_endings_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_that_cannot_be_looked_at_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(sixteen_bits_are_read_truly, setup, teardown),
        cmocka_unit_test_setup_teardown(depths_may_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(opacity_is_kept_when_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(any_colour_makes_three_channels, setup, teardown),
        cmocka_unit_test_setup_teardown(the_machine_is_no_bad_image, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
