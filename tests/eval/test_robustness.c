/* SPDX-License-Identifier: Apache-2.0 */
/* Errors under corruption: [E1], the pipeline against images corrupted one by one, ready-made sets, classes by name. */
#include "data/make.h"

#include "invar/eval.h"
#include "invar/expert/random.h"
#include "invar/robustness.h"

TEST_COVERS("measure.robustness");

enum { TRAIN = 12, TESTS = 300, SIDE = 12, CLASSES = 3, MAX_COLS = 64 };

/* An encoder with a classifier of random weights, on small gray images of noise. */
struct bed {
    char *folder;
    struct invar_dataset *dataset;
    struct invar_device *device;
    struct invar_encoder *encoder;
    struct invar_classifier classifier;
    double weight[CLASSES * MAX_COLS], bias[CLASSES];
    uint8_t *pixels; /* of the test images */
    int tests;
};

static void write_split(const char *folder, const char *split, uint32_t count, uint8_t *pixels)
{
    struct bytes bytes = make_idx_images(count, SIDE, SIDE, 0);
    struct invar_random random = invar_random_stream(7, INVAR_RANDOM_TEST, 0, count, 0);
    char name[64];
    for (size_t i = 16; i < bytes.size; i++)
        bytes.data[i] = (uint8_t)(invar_random_bits(&random) >> (24 + i / 997 % 3));
    if (pixels)
        memcpy(pixels, bytes.data + 16, bytes.size - 16);
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", split);
    bytes_write(&bytes, folder, name);
    bytes = make_idx_labels(count, CLASSES);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", split);
    bytes_write(&bytes, folder, name);
}

static void make_bed(struct bed *bed, int tests, int threads)
{
    struct invar_error err = {0};
    const char text[] = "kind: small-resnet\nwidths: [4, 8]\n";
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, 0, 0);
    *bed = (struct bed){.folder = test_folder_create(), .tests = tests};
    bed->pixels = malloc((size_t)tests * SIDE * SIDE);
    assert_non_null(bed->pixels);
    write_split(bed->folder, "train", TRAIN, NULL);
    write_split(bed->folder, "t10k", (uint32_t)tests, bed->pixels);
    struct invar_data_options options = make_options("idx", bed->folder);
    bed->device = test_device_open(threads, &err);
    assert_ok(bed->device, &err);
    bed->dataset = make_open(&options);
    bed->encoder = invar_encoder_create(section, (struct invar_shape){3, 1, SIDE, SIDE}, 5, &err);
    assert_ok(bed->encoder, &err);
    bed->encoder->mean[0] = 0.3F;
    bed->encoder->deviation[0] = 0.2F;
    struct invar_shape out = invar_net_output(bed->encoder->net);
    int64_t cols = out.rank == 3 ? out.channels * out.height * out.width : out.channels;
    assert_true(cols <= MAX_COLS);
    for (int64_t i = 0; i < CLASSES * cols; i++)
        bed->weight[i] = (double)invar_random_normal(&random);
    bed->classifier = (struct invar_classifier){CLASSES, cols, bed->weight, bed->bias};
    invar_node_free(section);
}

static void free_bed(struct bed *bed)
{
    invar_encoder_free(bed->encoder);
    invar_dataset_close(bed->dataset);
    invar_device_close(bed->device);
    test_folder_remove(bed->folder);
    free(bed->pixels);
}

static struct invar_robustness_options plain_options(void)
{
    return (struct invar_robustness_options){.table = INVAR_CORRUPTION_32, .seed = 9};
}

/* Three corruptions at all severities. */
enum { CELLS = 15 };
static void make_cells(struct invar_robustness_cell *cells)
{
    static const char *const names[] = {"gaussian_noise", "contrast", "fog"};
    for (int i = 0; i < CELLS; i++)
        cells[i] = (struct invar_robustness_cell){invar_corruption_find(names[i / 5], NULL), i % 5 + 1, 77, 77};
}

static void measure(struct bed *bed, const struct invar_robustness_options *options,
                    struct invar_robustness_cell *cells, int count, struct invar_robustness_cell *clean)
{
    struct invar_error err = {0};
    assert_ok(invar_robustness_measure(bed->device, bed->encoder, bed->dataset, &bed->classifier, options, cells, count,
                                       clean, &err),
              &err);
}

/* ---- [E1] ---- */

static void test_e1(void **state)
{
    (void)state;
    const double error[] = {20, 30, 40}, reference[] = {40, 50, 90}, flat[] = {10, 10, 10}, none[] = {0, 0, 0};
    assert_near(invar_corruption_error(error, reference, 3), 50, 1e-12);
    assert_near(invar_corruption_error(error, reference, 1), 50, 1e-12);
    assert_near(invar_relative_corruption_error(error, 15, reference, 30, 3), 50, 1e-12); /* 45 of 90 */
    assert_near(invar_relative_corruption_error(error, 40, reference, 30, 3), 100 * -30.0 / 90, 1e-12);
    assert_near(invar_corruption_error(error, error, 3), 100, 1e-12);
    assert_true(isnan(invar_relative_corruption_error(error, 15, flat, 10, 3)));
    assert_true(isnan(invar_relative_corruption_error(error, 15, flat, 12, 3)));
    assert_true(isnan(invar_corruption_error(error, none, 3)));
}

static void test_alexnet(void **state)
{
    (void)state;
    double benchmark = 0, extra = 0;
    for (int i = 0; i < invar_corruption_count(); i++) {
        const struct invar_corruption_spec *spec = invar_corruption_at(i);
        *(spec->extra ? &extra : &benchmark) += invar_alexnet_error(spec->name);
    }
    assert_near(benchmark, 1183.5, 1e-9); /* of the 15 in objectives.md, section 7 */
    assert_near(extra, 300.8, 1e-9);
    assert_near(invar_alexnet_error("jpeg_compression"), 60.7, 0);
    assert_true(isnan(invar_alexnet_error("hail")));
}

/* Means that are printed, or were computed from what is, beside those of the table. */
static void test_published(void **state)
{
    static const double mean[] = {61.0, 68.7, 60.1, 57.0, 55.8}, less[] = {NAN, 38.0, 30.4, 31.3, 30.6};
    double ce, rce;

    (void)state;
    for (int i = 0; i < INVAR_PUBLISHED; i++) {
        const struct invar_published_means m = invar_published_means(i);
        double mce = 0, mrce = 0; /* of numbers that are rounded, to whole ones in the first column */
        for (int k = 0; k < invar_corruption_count(); k++)
            if (invar_published_error(i, invar_corruption_at(k)->name, &ce, &rce)) {
                mce += ce / 15;
                mrce += rce / 15;
            }
        assert_near(m.mce, mce, i == 0 ? 0.2 : 0.06);
        assert_near(m.mrce, mrce, 0.07);
        assert_near(m.mean_error, mean[i], 0.06);
        assert_true(i == 0 ? isnan(m.less_clean) : fabs(m.less_clean - less[i]) < 0.06);
    }
    assert_true(invar_published_error(2, "fog", &ce, &rce) && ce == 54.5 && rce == 38.9);
    assert_false(invar_published_error(2, "spatter", &ce, &rce));
}

/* ---- the pipeline ---- */

/* Corrupted one by one, and classified as ready-made images. */
static void write_arrays(const struct bed *bed, const char *folder, struct invar_robustness_cell *cells, int labels)
{
    struct invar_error err = {0};
    struct invar_array images = {0}, classes = {0};
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(&err);
    assert_ok(scratch, &err);
    assert_ok(invar_array_alloc(&images, INVAR_UINT8, 3, (int64_t[]){5 * bed->tests, SIDE, SIDE}, &err), &err);
    assert_ok(invar_array_alloc(&classes, INVAR_INT64, 1, (int64_t[]){labels * bed->tests}, &err), &err);
    for (int i = 0; i < labels * bed->tests; i++)
        ((int64_t *)classes.data)[i] = i % bed->tests % CLASSES;
    for (int c = 0; c < CELLS; c += 5) {
        char name[64];
        for (int i = 0; i < 5 * bed->tests; i++) {
            const int image = i % bed->tests;
            const struct invar_corruption_options options = {
                .severity = i / bed->tests + 1, .table = INVAR_CORRUPTION_32, .seed = 9};
            const struct invar_corruption_image in = {bed->pixels + (size_t)image * SIDE * SIDE, SIDE, SIDE, 1};
            assert_ok(invar_corrupt(cells[c].corruption, &options, &in, (uint64_t)image,
                                    (uint8_t *)images.data + (size_t)i * SIDE * SIDE, scratch, &err),
                      &err);
        }
        snprintf(name, sizeof name, "%s.npy", cells[c].corruption->name);
        assert_ok(invar_npy_write(&images, test_path(folder, name), &err), &err);
    }
    assert_ok(invar_npy_write(&classes, test_path(folder, "labels.npy"), &err), &err);
    invar_array_free(&images);
    invar_array_free(&classes);
    invar_corruption_scratch_free(scratch);
}

static void assert_cells(const struct invar_robustness_cell *a, const struct invar_robustness_cell *b, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(a[i].count, b[i].count);
        assert_int_equal(a[i].wrong, b[i].wrong);
    }
}

static void test_against_arrays(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_robustness_cell ours[CELLS], ready[CELLS], clean;
    struct invar_robustness_options options = plain_options();
    struct bed bed;
    make_bed(&bed, TESTS, 2);
    make_cells(ours);
    make_cells(ready);
    measure(&bed, &options, ours, CELLS, &clean);
    assert_int_equal(clean.count, TESTS);
    assert_true(clean.wrong > 0 && clean.wrong < TESTS);
    for (int labels = 1; labels <= 5; labels += 4) {
        write_arrays(&bed, bed.folder, ours, labels);
        assert_ok(invar_robustness_ready(bed.device, bed.encoder, invar_dataset_info(bed.dataset), bed.folder,
                                         &bed.classifier, &options, ready, CELLS, &err),
                  &err);
        assert_cells(ours, ready, CELLS);
    }
    options.limit = 100;
    measure(&bed, &options, ours, CELLS, &clean);
    assert_ok(invar_robustness_ready(bed.device, bed.encoder, invar_dataset_info(bed.dataset), bed.folder,
                                     &bed.classifier, &options, ready, CELLS, &err),
              &err);
    assert_int_equal(clean.count, 100);
    assert_cells(ours, ready, CELLS);
    free_bed(&bed);
}

/* More images than a block holds, other threads, fewer cells: the same errors. */
static void test_blocks_and_threads(void **state)
{
    (void)state;
    struct invar_robustness_cell one[CELLS], more[CELLS], clean[2];
    const struct invar_robustness_options options = plain_options();
    struct bed bed;
    make_cells(one);
    make_cells(more);
    make_bed(&bed, 4400, 1);
    measure(&bed, &options, one + 5, 1, &clean[0]);
    free_bed(&bed);
    make_bed(&bed, 4400, 3);
    measure(&bed, &options, more + 5, 2, &clean[1]);
    free_bed(&bed);
    assert_int_equal(one[5].count, 4400);
    assert_cells(one + 5, more + 5, 1);
    assert_cells(&clean[0], &clean[1], 1);
}

/* The clean error is that of the probe. */
static const struct invar_embed_options plain_embedding = {.precision = INVAR_PRECISION_FLOAT32};

static void test_clean_is_the_probe(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_embedded train, test;
    struct invar_probe_options probe_options;
    struct invar_probe_result probe;
    struct invar_robustness_cell clean;
    const struct invar_robustness_options options = plain_options();
    struct bed bed;
    make_bed(&bed, TESTS, 1);
    invar_options_default(invar_probe_option_table, &probe_options);
    assert_ok(invar_embed(bed.device, bed.encoder, bed.dataset, INVAR_TRAIN, &plain_embedding, &train, &err), &err);
    assert_ok(invar_embed(bed.device, bed.encoder, bed.dataset, INVAR_TEST, &plain_embedding, &test, &err), &err);
    const struct invar_matrix a = {INVAR_FLOAT32, train.features.shape[0], train.features.shape[1],
                                   train.features.data};
    const struct invar_matrix b = {INVAR_FLOAT32, test.features.shape[0], test.features.shape[1], test.features.data};
    probe_options.l2 = (struct invar_real_list){1, {0.01}};
    assert_ok(invar_probe_fit(&a, train.labels.data, &b, test.labels.data, CLASSES, &probe_options, &probe, &err),
              &err);
    bed.classifier = (struct invar_classifier){CLASSES, probe.dimensions, probe.weight, probe.bias};
    measure(&bed, &options, NULL, 0, &clean);
    assert_near(100 * (1 - (double)clean.wrong / TESTS), probe.test.top1, 1e-12);
    invar_probe_result_free(&probe);
    invar_embedded_free(&train);
    invar_embedded_free(&test);
    free_bed(&bed);
}

/* Stops after the third report. */
static bool stop_soon(void *user, const struct invar_progress *progress)
{
    assert_true(progress->done <= progress->total);
    return --*(int *)user > 0;
}

static void test_stop(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_robustness_cell cells[CELLS], clean;
    struct invar_robustness_options options = plain_options();
    int left = 3;
    const struct invar_watch watch = {stop_soon, &left};
    struct bed bed;
    make_bed(&bed, TESTS, 2);
    make_cells(cells);
    options.watch = &watch;
    assert_refused(invar_robustness_measure(bed.device, bed.encoder, bed.dataset, &bed.classifier, &options, cells,
                                            CELLS, &clean, &err),
                   &err, INVAR_ERROR_INTERRUPTED, "interrupted after");
    assert_int_equal(left, 0);
    free_bed(&bed);
}

/* ---- folders ---- */

/* contrast at severity 2 as NAME/SEVERITY/CLASS/IMAGE.png; class c is called name[c]. */
static void write_folders(const struct bed *bed, const char *folder, const char *const *name)
{
    struct invar_error err = {0};
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(&err);
    const struct invar_corruption_options options = {.severity = 2, .table = INVAR_CORRUPTION_32, .seed = 9};
    uint8_t out[SIDE * SIDE];
    for (int i = 0; i < bed->tests; i++) {
        const struct invar_corruption_image in = {bed->pixels + (size_t)i * SIDE * SIDE, SIDE, SIDE, 1};
        char path[128];
        assert_ok(
            invar_corrupt(invar_corruption_find("contrast", NULL), &options, &in, (uint64_t)i, out, scratch, &err),
            &err);
        struct bytes bytes = make_png_as(out, sizeof out, SIDE, SIDE, SPNG_COLOR_TYPE_GRAYSCALE, 8, NULL);
        snprintf(path, sizeof path, "contrast/2/%s/%04d.png", name[i % CLASSES], i);
        bytes_write(&bytes, folder, path);
    }
    invar_corruption_scratch_free(scratch);
}

static void test_against_folders(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_robustness_cell ours[CELLS], ready[CELLS], clean;
    struct invar_robustness_options options = plain_options();
    char same[1024], other[1024];
    struct bed bed;
    make_bed(&bed, 60, 2);
    snprintf(same, sizeof same, "%s/same", bed.folder);
    snprintf(other, sizeof other, "%s/other", bed.folder);
    make_cells(ours);
    make_cells(ready);
    write_folders(&bed, same, (const char *const[]){"0", "1", "2"});
    measure(&bed, &options, ours + 6, 1, &clean);
    assert_ok(invar_robustness_ready(bed.device, bed.encoder, invar_dataset_info(bed.dataset), same, &bed.classifier,
                                     &options, ready + 6, 1, &err),
              &err);
    assert_cells(ours + 6, ready + 6, 1);
    write_folders(&bed, other, (const char *const[]){"0", "1", "two"});
    assert_refused(invar_robustness_ready(bed.device, bed.encoder, invar_dataset_info(bed.dataset), other,
                                          &bed.classifier, &options, ready + 6, 1, &err),
                   &err, INVAR_ERROR_DATA, "\"two\"");
    assert_refused(invar_robustness_ready(bed.device, bed.encoder, invar_dataset_info(bed.dataset), "nowhere",
                                          &bed.classifier, &options, ready + 6, 1, &err),
                   &err, INVAR_ERROR_FILE, "CIFAR-10-C");
    assert_refused(invar_robustness_ready(bed.device, bed.encoder, invar_dataset_info(bed.dataset), same,
                                          &bed.classifier, &options, ready, 1, &err),
                   &err, INVAR_ERROR_FILE, "gaussian_noise/1");
    free_bed(&bed);
}

/* ---- refusals ---- */

static void refuse_arrays(struct bed *bed, int64_t rows, int channels, int64_t labels, enum invar_error_code code,
                          const char *text)
{
    struct invar_error err = {0};
    struct invar_robustness_cell cells[CELLS];
    const struct invar_robustness_options options = plain_options();
    struct invar_array images = {0}, classes = {0};
    make_cells(cells);
    assert_ok(invar_array_alloc(&images, INVAR_UINT8, 4, (int64_t[]){rows, 4, 4, channels}, &err), &err);
    assert_ok(invar_array_alloc(&classes, INVAR_INT64, 1, &labels, &err), &err);
    for (int64_t i = 0; i < labels; i++)
        ((int64_t *)classes.data)[i] = CLASSES;
    assert_ok(invar_npy_write(&images, test_path(bed->folder, "gaussian_noise.npy"), &err), &err);
    assert_ok(invar_npy_write(&classes, test_path(bed->folder, "labels.npy"), &err), &err);
    assert_refused(invar_robustness_ready(bed->device, bed->encoder, invar_dataset_info(bed->dataset), bed->folder,
                                          &bed->classifier, &options, cells, 5, &err),
                   &err, code, text);
    invar_array_free(&images);
    invar_array_free(&classes);
}

static void test_refusals(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_robustness_cell cells[CELLS], clean;
    struct invar_robustness_options options = plain_options();
    struct invar_dataset_info info;
    struct bed bed;
    make_bed(&bed, 6, 1);
    make_cells(cells);
    refuse_arrays(&bed, 12, 1, 12, INVAR_ERROR_FORMAT, "[5 N]");
    refuse_arrays(&bed, 10, 3, 10, INVAR_ERROR_DATA, "3 channels, the encoder takes 1");
    refuse_arrays(&bed, 10, 1, 7, INVAR_ERROR_FORMAT, "labels.npy");
    refuse_arrays(&bed, 10, 1, 2, INVAR_ERROR_DATA, "the label 3");
    bed.classifier.dimensions -= 1;
    assert_refused(invar_robustness_measure(bed.device, bed.encoder, bed.dataset, &bed.classifier, &options, cells,
                                            CELLS, &clean, &err),
                   &err, INVAR_ERROR_DATA, "different runs");
    bed.classifier.dimensions += 1;
    bed.bias[1] = NAN;
    assert_refused(invar_robustness_measure(bed.device, bed.encoder, bed.dataset, &bed.classifier, &options, cells,
                                            CELLS, &clean, &err),
                   &err, INVAR_ERROR_NUMERIC, "test image 0");
    info = *invar_dataset_info(bed.dataset);
    info.count[INVAR_TEST] = 0;
    assert_refused(invar_robustness_check(bed.encoder, &info, &options, cells, CELLS, &err), &err, INVAR_ERROR_DATA,
                   "no test samples");
    info.kind = INVAR_DATA_TABLE;
    assert_refused(invar_robustness_check(bed.encoder, &info, &options, cells, CELLS, &err), &err, INVAR_ERROR_DATA,
                   "corruptions are of images");
    free_bed(&bed);
}

/* What needs more than one pixel is refused before anything is measured. */
static void test_one_pixel(void **state)
{
    (void)state;
    struct invar_error err = {0};
    const char text[] = "kind: mlp\nwidths: [4]\n";
    const struct invar_robustness_options options = plain_options();
    struct invar_robustness_cell cell = {invar_corruption_find("elastic_transform", NULL), 1, 0, 0};
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    struct invar_encoder *encoder =
        invar_encoder_create(section, (struct invar_shape){.rank = 3, .channels = 1, .height = 1, .width = 1}, 5, &err);
    struct bed bed;
    make_bed(&bed, 6, 1);
    assert_ok(encoder, &err);
    assert_refused(invar_robustness_check(encoder, invar_dataset_info(bed.dataset), &options, &cell, 1, &err), &err,
                   INVAR_ERROR_DATA, "elastic_transform");
    cell.corruption = invar_corruption_find("fog", NULL);
    assert_ok(invar_robustness_check(encoder, invar_dataset_info(bed.dataset), &options, &cell, 1, &err), &err);
    invar_encoder_free(encoder);
    invar_node_free(section);
    free_bed(&bed);
}

/* ---- classes ---- */

static void test_classes(void **state)
{
    (void)state;
    const char *const own[] = {"T-shirt/top", "Ankle boot", "bag", "Bag", "n01", "n-01"};
    const char *const other[] = {"ankle_boot", "T-shirt/top", "bag", "BAG", "tshirttop", "hat", "N01", "--"};
    const int expected[] = {1, 0, 2, -1, 0, -1, -1, -1};
    const struct invar_dataset_info a = {.classes = 6, .class_names = own}, b = {.classes = 8, .class_names = other};
    const struct invar_dataset_info numbers = {.classes = 3};
    const char *const digits[] = {"2", "0", "02"};
    const struct invar_dataset_info c = {.classes = 3, .class_names = digits};
    int map[8];
    invar_classes_match(&a, &b, map);
    for (int i = 0; i < 8; i++)
        assert_int_equal(map[i], expected[i]);
    invar_classes_match(&numbers, &c, map);
    assert_int_equal(map[0], 2);
    assert_int_equal(map[1], 0);
    assert_int_equal(map[2], -1);
    invar_classes_match(&c, &numbers, map);
    assert_int_equal(map[0], 1);
    assert_int_equal(map[1], -1);
    assert_int_equal(map[2], 0);
    const char *const below[] = {"-1", "2.0", "1e0"};
    const struct invar_dataset_info d = {.classes = 3, .class_names = below};
    invar_classes_match(&numbers, &d, map);
    assert_true(map[0] == -1 && map[1] == 2 && map[2] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e1),
        cmocka_unit_test(test_alexnet),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_against_arrays),
        cmocka_unit_test(test_blocks_and_threads),
        cmocka_unit_test(test_clean_is_the_probe),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_against_folders),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_one_pixel),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
