/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a view's parameters: images that are all the same ramp, an encoder that is linear, so that what it
 * can know follows. */
#include "eval/inspection.h"

enum { SAMPLES = 600 };
static const enum invar_inspect_section view = INVAR_INSPECT_VIEW;

/* Brighter from the left to the right, alike from top to bottom. */
static void write_ramps(const char *folder, const char *images, const char *labels)
{
    unsigned char *pixels = calloc(16 + SAMPLES * INPUT, 1), *classes = calloc(8 + SAMPLES, 1);

    training_big_endian(pixels, 0x803);
    training_big_endian(pixels + 4, SAMPLES);
    training_big_endian(pixels + 8, SIDE);
    training_big_endian(pixels + 12, SIDE);
    training_big_endian(classes, 0x801);
    training_big_endian(classes + 4, SAMPLES);
    for (int i = 0; i < SAMPLES * INPUT; i++)
        pixels[16 + i] = (unsigned char)(20 + 15 * (i % SIDE));
    for (int i = 0; i < SAMPLES; i++)
        classes[8 + i] = (unsigned char)(i % 2);
    test_file(folder, images, pixels, 16 + SAMPLES * INPUT);
    test_file(folder, labels, classes, 8 + SAMPLES);
    free(pixels);
    free(classes);
}

static void open_ramps(struct bench *b)
{
    struct invar_error err = {0};
    struct invar_data_options data;

    bench_open(b, false);
    invar_dataset_close(b->dataset);
    write_ramps(b->folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    write_ramps(b->folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
    invar_options_default(invar_data_option_table, &data);
    snprintf(data.source, sizeof data.source, "idx:%s", b->folder);
    b->dataset = invar_dataset_open(&data, &err);
    assert_ok(b->dataset, &err);
    b->subject.dataset = b->dataset;
    b->options.lidar_samples = 0;
    make_plain(b);
}

/* Columns of the input that mirror each other get one weight: nothing is seen of left and right. */
static void make_blind_to_sides(struct bench *b)
{
    for (int k = 0; k < H; k++)
        for (int i = 0; i < INPUT; i++)
            if (i % SIDE < SIDE / 2)
                b->encoder->parameters[k * INPUT + i] =
                    b->encoder->parameters[k * INPUT + i / SIDE * SIDE + SIDE - 1 - i % SIDE];
}

static void flips_are_known_to_who_sees_sides(void **state)
{
    struct bench b;
    (void)state;
    open_ramps(&b);
    b.views.image.flip = 0.5;
    struct invar_inspection *seen = inspect(&b);
    assert_near(value(seen, view, "h_flip"), 100, 0);
    assert_near(value(seen, view, "z_flip"), 100, 0);
    make_blind_to_sides(&b);
    struct invar_inspection *blind = inspect(&b);
    assert_near(value(blind, view, "h_flip"), 50, 8);
    assert_int_equal(blind->section[view].count, 2); /* nothing else varies */
    invar_inspection_free(seen);
    invar_inspection_free(blind);
    bench_close(&b);
}

/* The mean of a crop of a ramp is where its centre lies, and says nothing of where it lies from top to bottom. */
static void the_place_of_a_crop_shows_along_the_ramp_alone(void **state)
{
    struct bench b;
    (void)state;
    open_ramps(&b);
    b.views.image.crop = (struct invar_real_list){2, {0.2, 0.8}};
    struct invar_inspection *i = inspect(&b);
    assert_true(value(i, view, "h_crop_x") > 0.99);
    assert_true(value(i, view, "z_crop_x") > 0.99);
    assert_true(fabs(value(i, view, "h_crop_y")) < 0.15);
    assert_true(value(i, view, "h_crop_area") > 0.5 && value(i, view, "h_crop_area") < 1);
    invar_inspection_free(i);
    bench_close(&b);
}

/* Of an image that is the same for all samples the brightness is a factor of h, whichever side is the left. */
static void brightness_is_a_factor(void **state)
{
    struct bench b;
    (void)state;
    open_ramps(&b);
    b.views.image.jitter = 1;
    b.views.image.brightness = 0.5;
    b.views.image.contrast = b.views.image.saturation = b.views.image.hue = 0;
    struct invar_inspection *i = inspect(&b);
    assert_true(value(i, view, "h_brightness") > 0.99);
    b.views.image.contrast = 0.5;
    b.views.image.blur = (struct invar_real_list){1, {0.5}};
    struct invar_inspection *both = inspect(&b);
    assert_true(value(both, view, "h_brightness") > 0.7 && value(both, view, "h_contrast") > 0.7);
    assert_true(value(both, view, "h_blur") > 0.3);
    invar_inspection_free(i);
    invar_inspection_free(both);
    bench_close(&b);
}

static void nothing_drawn_nothing_known(void **state)
{
    struct bench b;
    (void)state;
    open_ramps(&b);
    struct invar_inspection *i = inspect(&b);
    assert_false(i->section[view].present);
    assert_non_null(strstr(i->section[view].absent, "varies"));
    b.views.clean = true; /* the view that is drawn is then the second */
    b.views.image.flip = 0.5;
    struct invar_inspection *clean = inspect(&b);
    assert_near(value(clean, view, "h_flip"), 100, 0);
    b.subject.views = NULL;
    struct invar_inspection *none = inspect(&b);
    assert_non_null(strstr(none->section[view].absent, "not known"));
    invar_inspection_free(i);
    invar_inspection_free(clean);
    invar_inspection_free(none);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flips_are_known_to_who_sees_sides),
        cmocka_unit_test(the_place_of_a_crop_shows_along_the_ramp_alone),
        cmocka_unit_test(brightness_is_a_factor),
        cmocka_unit_test(nothing_drawn_nothing_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
