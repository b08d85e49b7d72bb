/* SPDX-License-Identifier: Apache-2.0 */
/* Photos that do not lie upright: every orientation of EXIF, in JPEG and PNG, turned, counted, or left. */
#include "data/make.h"
#include "folder.h"

#define HEIGHT 24
#define WIDTH 40

/* Every 8 x 8 block has a value of its own, so that JPEG keeps it. */
static int value_at(int row, int column)
{
    return 10 + 15 * (row / 8 * (WIDTH / 8) + column / 8);
}

static struct bytes stored_jpeg(void)
{
    struct bytes out = {0};
    uint8_t pixels[HEIGHT * WIDTH];
    unsigned char *jpeg = NULL;
    unsigned long length = 0;
    for (int i = 0; i < HEIGHT * WIDTH; i++)
        pixels[i] = (uint8_t)value_at(i / WIDTH, i % WIDTH);
    tjhandle handle = tjInitCompress();
    assert_int_equal(tjCompress2(handle, pixels, WIDTH, 0, HEIGHT, TJPF_GRAY, &jpeg, &length, TJSAMP_GRAY, 100, 0), 0);
    bytes_put(&out, jpeg, length);
    tjFree(jpeg);
    tjDestroy(handle);
    return out;
}

static struct bytes stored_png(int channels, int depth, int orientation)
{
    const size_t unit = (size_t)depth / 8, count = (size_t)(HEIGHT * WIDTH * channels);
    uint16_t pixels[HEIGHT * WIDTH * 3];
    struct bytes exif = make_exif(orientation, false), out = {0};
    struct spng_ihdr header = {.width = WIDTH,
                               .height = HEIGHT,
                               .bit_depth = (uint8_t)depth,
                               .color_type = channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR};
    struct spng_exif chunk = {exif.size, (char *)exif.data};
    size_t length;
    int status = 0;
    for (int i = 0; i < HEIGHT * WIDTH * channels; i++) {
        const int pixel = i / channels, value = value_at(pixel / WIDTH, pixel % WIDTH) + i % channels;
        if (unit == 1)
            ((uint8_t *)pixels)[i] = (uint8_t)value;
        else
            pixels[i] = (uint16_t)(200 * value);
    }
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    assert_int_equal(spng_set_ihdr(context, &header), 0);
    assert_int_equal(spng_set_exif(context, &chunk), 0);
    assert_int_equal(spng_encode_image(context, pixels, count * unit, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
    void *png = spng_get_png_buffer(context, &length, &status);
    assert_int_equal(status, 0);
    bytes_put(&out, png, length);
    free(png);
    spng_ctx_free(context);
    bytes_done(&exif);
    return out;
}

/* Where the stored pixel is seen, in the words of EXIF: which side of the picture the first row and the first column
 * of the file are. */
static void seen_at(int orientation, int row, int column, int *y, int *x)
{
    static const struct {
        char row, column;
    } sides[] = {{0, 0},     {'t', 'l'}, {'t', 'r'}, {'b', 'r'}, {'b', 'l'},
                 {'l', 't'}, {'r', 't'}, {'r', 'b'}, {'l', 'b'}};
    const char first_row = sides[orientation].row, first_column = sides[orientation].column;
    *y = first_row == 't'      ? row
         : first_row == 'b'    ? HEIGHT - 1 - row
         : first_column == 't' ? column
                               : WIDTH - 1 - column;
    *x = first_column == 'l'   ? column
         : first_column == 'r' ? WIDTH - 1 - column
         : first_row == 'l'    ? row
                               : HEIGHT - 1 - row;
}

static void assert_seen(const struct invar_sample *sample, int orientation, int tolerance)
{
    assert_int_equal(sample->height, orientation < 5 ? HEIGHT : WIDTH);
    assert_int_equal(sample->width, orientation < 5 ? WIDTH : HEIGHT);
    for (int row = 0; row < HEIGHT; row++)
        for (int column = 0; column < WIDTH; column++)
            for (int c = 0; c < sample->channels; c++) {
                int y, x;
                seen_at(orientation, row, column, &y, &x);
                const int i = (y * sample->width + x) * sample->channels + c;
                const int got = sample->dtype == INVAR_UINT16 ? ((const uint16_t *)sample->data)[i] / 200
                                                              : ((const uint8_t *)sample->data)[i];
                if (abs(got - value_at(row, column) - c) > tolerance)
                    fail_msg("orientation %d, stored %d, %d: %d, expected %d", orientation, row, column, got,
                             value_at(row, column) + c);
            }
}

/* The one image of the folder: as it is seen under the orientation, and whether it counts as turned. */
static void expect(struct bytes image, bool ignore, int memory, int orientation, bool counted, int tolerance)
{
    struct invar_sample sample;
    struct invar_data_options options = make_options("images", folder);
    bytes_write(&image, folder, "a/1.jpg");
    options.orientation = ignore;
    options.memory = (enum invar_data_memory)memory;
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, &sample, 1);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_int_equal(info->turned, counted);
    assert_int_equal(info->height, sample.height);
    assert_int_equal(info->width, sample.width);
    assert_seen(&sample, orientation, tolerance);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void every_orientation(void **state)
{
    (void)state;
    for (int o = 1; o <= 8; o++)
        for (int memory = 1; memory <= 2; memory++) {
            expect(make_jpeg_exif(stored_jpeg(), make_exif(o, o % 2)), false, memory, o, o > 1, 2);
            expect(make_jpeg_exif(stored_jpeg(), make_exif(o, o % 2 == 0)), true, memory, 1, o > 1, 2);
            expect(stored_png(1, 8, o), false, memory, o, o > 1, 0);
            expect(stored_png(3, 8, o), false, memory, o, o > 1, 0);
            expect(stored_png(3, 16, o), false, memory, o, o > 1, 0);
        }
}

/* EXIF data that say nothing, or nonsense, or are cut, turn nothing and refuse nothing. */
static void odd_exif_turns_nothing(void **state)
{
    (void)state;
    expect(stored_jpeg(), false, 1, 1, false, 2);
    expect(make_jpeg_exif(stored_jpeg(), make_exif(0, false)), false, 1, 1, false, 2);
    expect(make_jpeg_exif(stored_jpeg(), make_exif(9, true)), false, 1, 1, false, 2);
    for (size_t size = 0; size < 20; size++) {
        struct bytes exif = make_exif(6, false);
        exif.size = size < 18 ? size : 18;
        expect(make_jpeg_exif(stored_jpeg(), exif), false, 1, 1, false, 2);
    }
    struct bytes exif = make_exif(6, false);
    exif.data[12] = 2; /* text */
    expect(make_jpeg_exif(stored_jpeg(), exif), false, 1, 1, false, 2);
    exif = make_exif(6, false);
    exif.data[4] = 0xf0; /* the directory lies beyond */
    expect(make_jpeg_exif(stored_jpeg(), exif), false, 1, 1, false, 2);
}

/* Another kind of APP1 before EXIF, as editors write it. */
static void other_segments_may_come_first(void **state)
{
    (void)state;
    struct bytes jpeg = make_jpeg_exif(stored_jpeg(), make_exif(8, false)), out = {0};
    const uint8_t xmp[] = {0xff, 0xe1, 0, 12, 'h', 't', 't', 'p', ':', '/', '/', 'n', 's', 0};
    const uint8_t comment[] = {0xff, 0xfe, 0, 4, 'h', 'i', 0xff};
    bytes_put(&out, jpeg.data, 2);
    bytes_put(&out, xmp, sizeof xmp);
    bytes_put(&out, comment, sizeof comment);
    bytes_put(&out, jpeg.data + 2, jpeg.size - 2);
    bytes_done(&jpeg);
    expect(out, false, 1, 8, true, 2);
}

/* What is planned for is what will be seen. */
static void a_survey_sees_the_turned_size(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct bytes image = make_jpeg_exif(stored_jpeg(), make_exif(6, true));
    struct invar_data_options options = make_options("images", folder);
    bytes_write(&image, folder, "a/1.jpg");
    struct invar_dataset *dataset = invar_dataset_survey(&options, &err);
    assert_ok(dataset, &err);
    assert_int_equal(invar_dataset_info(dataset)->height, WIDTH);
    invar_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_orientation, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_exif_turns_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(other_segments_may_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_survey_sees_the_turned_size, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
