/* SPDX-License-Identifier: Apache-2.0 */
/* Flips along parameters of views, where the right rates are known: an encoder that averages flat images, and a
 * classifier with one threshold. */
#include "data/make.h"

#include "invar/eval.h"
#include "invar/robustness.h"

TEST_COVERS("measure.flips");

enum { IMAGES = 40, SIDE = 8, STEPS = 11, RGB = 3 };

static const struct invar_flips *find(const struct invar_flips *flips, const char *name)
{
    for (int i = 0; i < INVAR_FLIP_SEQUENCES; i++)
        if (strcmp(flips[i].sequence->name, name) == 0)
            return &flips[i];
    fail_msg("no sequence %s", name);
    return NULL;
}

/* Flat gray images of brightness `level` of 255 each. */
static void write_flat(const char *folder, const uint8_t *level)
{
    struct bytes bytes = make_idx_images(IMAGES, SIDE, SIDE, 0);

    for (size_t i = 16; i < bytes.size; i++)
        bytes.data[i] = level[(i - 16) / (SIDE * SIDE)];
    bytes_write(&bytes, folder, "t10k-images-idx3-ubyte");
    bytes = make_idx_labels(IMAGES, 2);
    bytes_write(&bytes, folder, "t10k-labels-idx1-ubyte");
    bytes = make_idx_images(4, SIDE, SIDE, 0);
    bytes_write(&bytes, folder, "train-images-idx3-ubyte");
    bytes = make_idx_labels(4, 2);
    bytes_write(&bytes, folder, "train-labels-idx1-ubyte");
}

/* An mlp of one unit: h is the mean of all pixels, but for the 1e-5 of its norm. */
static struct invar_encoder *mean_of_pixels(void)
{
    const char text[] = "kind: mlp\nwidths: [1]\n";
    struct invar_error err = {0};
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    struct invar_encoder *encoder = invar_encoder_create(section, (struct invar_shape){3, 1, SIDE, SIDE}, 1, &err);

    assert_ok(encoder, &err);
    for (int i = 0; i < SIDE * SIDE; i++)
        encoder->parameters[i] = 1.0F / (SIDE * SIDE);
    encoder->mean[0] = 0;
    encoder->deviation[0] = 1;
    invar_node_free(section);
    return encoder;
}

static void rates_that_are_known(void **state)
{
    char *folder = test_folder_create();
    uint8_t level[IMAGES];
    int64_t expected = 0;
    struct invar_error err = {0};
    struct invar_flips flips[INVAR_FLIP_SEQUENCES];

    (void)state;
    for (int i = 0; i < IMAGES; i++) {
        level[i] = (uint8_t)(20 + 5 * i);
        /* the threshold, 0.5, is passed at most once while the factor goes from 0.6 to 1.4 */
        expected += level[i] * 0.6 < 127.5 && level[i] * 1.4 > 127.5;
    }
    write_flat(folder, level);
    struct invar_data_options options = make_options("idx", folder);
    struct invar_dataset *dataset = make_open(&options);
    struct invar_device *device = test_device_open(2, &err);
    struct invar_encoder *encoder = mean_of_pixels();
    struct invar_embedded embedded = {0};
    assert_ok(invar_embed(device, encoder, dataset, INVAR_TEST,
                          &(struct invar_embed_options){.precision = INVAR_PRECISION_FLOAT32}, &embedded, &err),
              &err);
    for (int i = 0; i < IMAGES; i++)
        assert_near(((float *)embedded.features.data)[i], level[i] / 255.0, 1e-5);
    invar_embedded_free(&embedded);
    const double weight[2] = {-1, 1}, bias[2] = {0.5, -0.5};
    const struct invar_classifier classifier = {2, 1, weight, bias};
    assert_ok(invar_flips_measure(device, encoder, dataset, &classifier, &(struct invar_robustness_options){0}, STEPS,
                                  flips, &err),
              &err);
    assert_int_equal(find(flips, "brightness")->count, IMAGES * (STEPS - 1));
    assert_int_equal(find(flips, "brightness")->flipped, expected);
    assert_true(expected > 10);
    static const char *const nothing[] = {"shift", "zoom", "blur", "contrast"};
    for (int k = 0; k < 4; k++) {
        assert_int_equal(find(flips, nothing[k])->count, IMAGES * (STEPS - 1));
        assert_int_equal(find(flips, nothing[k])->flipped, 0);
    }
    assert_int_equal(find(flips, "hue")->count, 0); /* gray */
    assert_ok(invar_flips_measure(device, encoder, dataset, &classifier,
                                  &(struct invar_robustness_options){.limit = 10}, 3, flips, &err),
              &err);
    assert_int_equal(find(flips, "zoom")->count, 10 * 2);
    invar_encoder_free(encoder);
    invar_device_close(device);
    invar_dataset_close(dataset);
    test_folder_remove(folder);
}

/* One pixel wide bar: the crop that moves across sees it here and not there. */
static void a_shift_is_seen(void **state)
{
    char *folder = test_folder_create();
    struct invar_error err = {0};
    struct invar_flips flips[INVAR_FLIP_SEQUENCES];
    struct bytes bytes = make_idx_images(IMAGES, SIDE, SIDE, 0);

    (void)state;
    for (size_t i = 16; i < bytes.size; i++)
        bytes.data[i] = (i - 16) % SIDE == 0 ? 255 : 0; /* the leftmost column */
    bytes_write(&bytes, folder, "t10k-images-idx3-ubyte");
    bytes = make_idx_labels(IMAGES, 2);
    bytes_write(&bytes, folder, "t10k-labels-idx1-ubyte");
    bytes = make_idx_images(4, SIDE, SIDE, 0);
    bytes_write(&bytes, folder, "train-images-idx3-ubyte");
    bytes = make_idx_labels(4, 2);
    bytes_write(&bytes, folder, "train-labels-idx1-ubyte");
    struct invar_data_options options = make_options("idx", folder);
    struct invar_dataset *dataset = make_open(&options);
    struct invar_device *device = test_device_open(2, &err);
    struct invar_encoder *encoder = mean_of_pixels();
    const double weight[2] = {-1, 1}, bias[2] = {0.05, -0.05};
    const struct invar_classifier classifier = {2, 1, weight, bias};
    assert_ok(invar_flips_measure(device, encoder, dataset, &classifier, &(struct invar_robustness_options){0}, STEPS,
                                  flips, &err),
              &err);
    assert_int_equal(find(flips, "shift")->flipped, IMAGES); /* once each */
    invar_encoder_free(encoder);
    invar_device_close(device);
    invar_dataset_close(dataset);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_that_are_known),
        cmocka_unit_test(a_shift_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
