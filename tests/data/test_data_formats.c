/* SPDX-License-Identifier: Apache-2.0 */
/* TIFF and WebP: every kind comes out as it was written, and what is no image is refused with a sentence. */
#include "data/make_formats.h"
#include "folder.h"

#include <math.h>

#define HEIGHT 35
#define WIDTH 21
#define MOST (HEIGHT * WIDTH * 5)

static double number(const struct invar_sample *sample, int i)
{
    return sample->dtype == INVAR_UINT8    ? ((const uint8_t *)sample->data)[i]
           : sample->dtype == INVAR_UINT16 ? ((const uint16_t *)sample->data)[i]
                                           : (double)((const float *)sample->data)[i];
}

/* The one image of the folder. */
static struct invar_sample sample;
static struct invar_loader *loader;
static struct invar_dataset *dataset;

static void open_one(int channels)
{
    struct invar_data_options options = make_options("images", folder);
    options.channels = channels;
    dataset = make_open(&options);
    loader = make_load(dataset, INVAR_TRAIN, &sample, 1);
}

static void close_one(void)
{
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void refuse(const char *text)
{
    struct invar_data_options options = make_options("images", folder);
    make_refused(&options, INVAR_ERROR_DATA, text);
}

static void fill(void *pixels, int bits, int count)
{
    for (int i = 0; i < count; i++) {
        const uint32_t value = (uint32_t)i * 2654435761u >> 8;
        if (bits == 8)
            ((uint8_t *)pixels)[i] = (uint8_t)value;
        else if (bits == 16)
            ((uint16_t *)pixels)[i] = (uint16_t)value;
        else
            ((float *)pixels)[i] = (float)(value & 0xffff) / 65535.0f;
    }
}

/* Depths, numbers of channels, layouts, compressions and byte orders, to the bit. */
static void every_layout_of_tiff(void **state)
{
    (void)state;
    static const int bits[] = {8, 16, 32};
    static const int compressions[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE};
    static float pixels[MOST];
    for (int n = 0; n < 3 * 5 * 2 * 2 * 3; n++) {
        const int depth = bits[n % 3], samples = 1 + n / 3 % 5;
        const struct tiff_kind kind = {.height = HEIGHT,
                                       .width = WIDTH,
                                       .samples = samples,
                                       .bits = depth,
                                       .format = depth == 32 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT,
                                       .photometric = samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB,
                                       .planes = n / 15 % 2,
                                       .tiled = n / 30 % 2,
                                       .compression = compressions[n / 60],
                                       .big_endian = n % 2};
        fill(pixels, depth, HEIGHT * WIDTH * samples);
        make_tiff(folder, "a/1.jpg", &kind, pixels); /* the ending does not decide */
        open_one(0);
        const struct invar_sample written = {.dtype = sample.dtype, .data = pixels};
        assert_int_equal(sample.dtype, depth == 8 ? INVAR_UINT8 : depth == 16 ? INVAR_UINT16 : INVAR_FLOAT32);
        assert_int_equal(sample.channels, samples);
        assert_int_equal(sample.height, HEIGHT);
        for (int i = 0; i < HEIGHT * WIDTH * samples; i++)
            if (number(&sample, i) != number(&written, i))
                fail_msg("layout %d, number %d: %g, expected %g", n, i, number(&sample, i), number(&written, i));
        close_one();
    }
}

/* What numbers mean: white is 0, palettes, single bits, inks, YCbCr, opacity. */
static void every_meaning_of_tiff(void **state)
{
    (void)state;
    static const struct {
        struct tiff_kind kind;
        uint8_t pixel[8];
        int channels, kept;
        int value[4], tolerance;
    } cases[] = {
        {{.samples = 1, .bits = 8, .photometric = PHOTOMETRIC_MINISWHITE}, {5}, 0, 1, {250}, 0},
        {{.samples = 1, .bits = 16, .photometric = PHOTOMETRIC_MINISWHITE}, {5, 0}, 0, 1, {65530}, 0},
        {{.samples = 1, .bits = 8, .photometric = PHOTOMETRIC_PALETTE}, {5}, 0, 3, {5, 250, 9}, 0},
        {{.samples = 1, .bits = 1, .photometric = PHOTOMETRIC_MINISBLACK}, {0xff}, 0, 1, {255}, 0},
        {{.samples = 1, .bits = 1, .photometric = PHOTOMETRIC_MINISWHITE, .compression = COMPRESSION_CCITTFAX4},
         {0xff},
         3,
         3,
         {0, 0, 0},
         0},
        {{.samples = 4, .bits = 8, .photometric = PHOTOMETRIC_SEPARATED}, {0, 255, 0, 0}, 0, 3, {255, 0, 255}, 0},
        {{.samples = 3, .bits = 8, .photometric = PHOTOMETRIC_YCBCR, .compression = COMPRESSION_JPEG},
         {90, 90, 90},
         0,
         3,
         {90, 90, 90},
         2},
        {{.samples = 4, .bits = 8, .photometric = PHOTOMETRIC_RGB, .alpha = EXTRASAMPLE_UNASSALPHA},
         {1, 2, 3, 4},
         0,
         3,
         {1, 2, 3},
         0},
        {{.samples = 4, .bits = 8, .photometric = PHOTOMETRIC_RGB, .alpha = EXTRASAMPLE_UNASSALPHA},
         {1, 2, 3, 4},
         4,
         4,
         {1, 2, 3, 4},
         0},
        {{.samples = 2, .bits = 16, .photometric = PHOTOMETRIC_MINISBLACK, .alpha = EXTRASAMPLE_ASSOCALPHA},
         {1, 0, 2, 0},
         3,
         3,
         {1, 1, 1},
         0},
    };
    static uint8_t pixels[MOST * 2];
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct tiff_kind kind = cases[n].kind;
        const size_t pixel = (size_t)((kind.bits + 7) / 8 * kind.samples);
        kind.height = kind.width = 16;
        for (size_t i = 0; i < 256 * pixel; i++)
            pixels[i] = cases[n].pixel[i % pixel];
        make_tiff(folder, "a/1.tif", &kind, pixels);
        open_one(cases[n].channels);
        assert_int_equal(sample.channels, cases[n].kept);
        for (int i = 0; i < 256 * cases[n].kept; i++)
            if (fabs(number(&sample, i) - cases[n].value[i % cases[n].kept]) > cases[n].tolerance)
                fail_msg("meaning %zu, number %d: %g, expected %d", n, i, number(&sample, i),
                         cases[n].value[i % cases[n].kept]);
        close_one();
    }
}

/* Turned by TIFF's own tag, whichever way the pixels are read; the first stored pixel tells. */
static void orientations_of_tiff_and_webp(void **state)
{
    (void)state;
    static const bool bottom[] = {0, 0, 0, 1, 1, 0, 0, 1, 1}, right[] = {0, 0, 1, 1, 0, 0, 1, 1, 0};
    uint8_t gray[5 * 8] = {200}, colour[5 * 8 * 3] = {200};
    for (int o = 1; o <= 8; o++)
        for (int way = 0; way < 3; way++) {
            const struct tiff_kind kind = {.height = 5,
                                           .width = 8,
                                           .samples = 1,
                                           .bits = 8,
                                           .orientation = o,
                                           .photometric = way ? PHOTOMETRIC_PALETTE : PHOTOMETRIC_MINISBLACK};
            struct bytes webp = make_webp_extended(make_webp(colour, 5, 8, 3), 5, 8, 8, "EXIF", make_exif(o, o % 2));
            if (way < 2) {
                make_tiff(folder, "a/1.tif", &kind, gray);
                bytes_done(&webp);
            } else {
                bytes_write(&webp, folder, "a/1.tif");
            }
            open_one(0);
            assert_int_equal(sample.height, o < 5 ? 5 : 8);
            assert_int_equal(sample.width, o < 5 ? 8 : 5);
            const int y = bottom[o] ? sample.height - 1 : 0, x = right[o] ? sample.width - 1 : 0;
            for (int i = 0; i < 40; i++)
                assert_int_equal(number(&sample, i * sample.channels) > 100, i == y * sample.width + x);
            assert_int_equal(invar_dataset_info(dataset)->turned, o > 1);
            close_one();
        }
}

static void refuses_what_is_no_image(void **state)
{
    (void)state;
    static float pixels[MOST] = {0.5f, NAN}, far[MOST] = {0.5f, 300};
    struct tiff_kind kind = {.height = 8,
                             .width = 8,
                             .samples = 1,
                             .bits = 16,
                             .format = SAMPLEFORMAT_INT,
                             .photometric = PHOTOMETRIC_MINISBLACK};
    make_tiff(folder, "a/1.tif", &kind, pixels);
    refuse("1.tif: has signed numbers of 16 bits, expected unsigned ones of 8 or 16 bits or floats");
    kind.bits = 64;
    kind.format = SAMPLEFORMAT_IEEEFP;
    make_tiff(folder, "a/1.tif", &kind, pixels);
    refuse("has floating numbers of 64 bits");
    kind.bits = 32;
    make_tiff(folder, "a/1.tif", &kind, pixels);
    refuse("or NaN, expected floats of 0 to 1");
    make_tiff(folder, "a/1.tif", &kind, far);
    refuse("has numbers from 0 to 300");
    kind = (struct tiff_kind){.height = 8, .width = 8, .samples = 3, .bits = 8, .photometric = PHOTOMETRIC_RGB};
    for (int size = 1; size < 8; size++) {
        struct bytes cut = make_read(make_tiff(folder, "a/1.tif", &kind, pixels));
        cut.size = cut.size * (size_t)size / 8;
        bytes_write(&cut, folder, "a/1.tif");
        refuse(size ? "1.tif: is " : "");
    }
    struct bytes magic = {0};
    bytes_put(&magic, "II*\0", 4);
    bytes_write(&magic, folder, "a/1.tif");
    refuse("is not a whole TIFF image");
    for (int size = 1; size < 8; size++) {
        struct bytes cut = make_webp((const uint8_t *)far, 30, 30, 3);
        cut.size = cut.size * (size_t)size / 8;
        cut.size = cut.size < 16 ? 16 : cut.size;
        bytes_write(&cut, folder, "a/1.tif");
        refuse("is not a whole WebP image");
    }
    struct bytes moving =
        make_webp_extended(make_webp((const uint8_t *)far, 8, 8, 3), 8, 8, 2, "ANIM", (struct bytes){0});
    bytes_write(&moving, folder, "a/1.tif");
    refuse("is an animation, expected one image");
}

/* Pages are not lost in silence; smaller copies are no pages. */
static void pages_of_tiff(void **state)
{
    (void)state;
    static const uint8_t pixels[64 * 3];
    const struct tiff_kind kind = {.height = 8, .width = 8, .samples = 3, .bits = 8, .photometric = PHOTOMETRIC_RGB};
    for (int page = 0; page < 2; page++) {
        TIFF *tiff = TIFFOpen(make_tiff(folder, "a/1.tif", &kind, pixels), "a");
        assert_non_null(tiff);
        if (page == 0)
            TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
        make_tiff_page(tiff, &kind, pixels);
        TIFFClose(tiff);
        if (page == 0) {
            open_one(0);
            close_one();
        } else {
            refuse("has more than one page");
        }
    }
}

static void webp_is_colour(void **state)
{
    (void)state;
    uint8_t pixels[7 * 9 * 4];
    for (int channels = 3; channels <= 4; channels++)
        for (int asked = 0; asked <= 4; asked += 4) {
            for (int i = 0; i < 7 * 9 * channels; i++)
                pixels[i] = (uint8_t)(i % channels == 3 ? 255 - i / 4 : 3 * i);
            struct bytes webp = make_webp(pixels, 7, 9, channels);
            bytes_write(&webp, folder, "a/1.webp");
            open_one(asked);
            assert_int_equal(sample.channels, asked ? 4 : 3);
            for (int i = 0; i < 63 * sample.channels; i++) {
                const int c = i % sample.channels;
                assert_int_equal(number(&sample, i), c < channels ? pixels[i / sample.channels * channels + c] : 255);
            }
            close_one();
        }
}

/* The number of channels that most files have; another one is unreadable, whichever comes first. */
static void bands_are_those_of_most_files(void **state)
{
    (void)state;
    static const uint8_t pixels[64 * 5];
    struct tiff_kind kind = {.height = 8, .width = 8, .samples = 3, .bits = 8, .photometric = PHOTOMETRIC_RGB};
    make_tiff(folder, "a/0.tif", &kind, pixels);
    kind.samples = 5;
    make_tiff(folder, "a/1.tif", &kind, pixels);
    make_tiff(folder, "a/2.tif", &kind, pixels);
    struct invar_data_options options = make_options("images", folder);
    options.bad_limit = 1;
    dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->channels, 5);
    assert_int_equal(invar_dataset_info(dataset)->skipped, 1);
    assert_non_null(strstr(invar_dataset_info(dataset)->first_skipped, "0.tif: has 3 channels, which cannot become"));
    invar_dataset_close(dataset);
    options.channels = 4;
    dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->skipped, 2);
    assert_non_null(strstr(invar_dataset_info(dataset)->first_skipped, "1.tif: has 5 channels, which cannot become"));
    invar_dataset_close(dataset);
    options.channels = 0;
    kind.samples = 4; /* found, not asked for: a band that is missing is not opacity */
    make_tiff(folder, "a/1.tif", &kind, pixels);
    make_tiff(folder, "a/2.tif", &kind, pixels);
    dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->channels, 4);
    assert_int_equal(invar_dataset_info(dataset)->skipped, 1);
    assert_non_null(strstr(invar_dataset_info(dataset)->first_skipped, "0.tif: has 3 channels, which cannot become"));
    invar_dataset_close(dataset);
    struct bytes others[] = {make_png(8, 8, 3, 9),
                             make_png_as(pixels, 64 * 4, 8, 8, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, NULL)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        bytes_write(&others[i], folder, "a/0.tif");
        dataset = make_open(&options);
        assert_int_equal(invar_dataset_info(dataset)->channels, 4);
        assert_int_equal(invar_dataset_info(dataset)->skipped, 1);
        assert_non_null(strstr(invar_dataset_info(dataset)->first_skipped, "0.tif: has 3 channels"));
        invar_dataset_close(dataset);
    }
}

/* Gray and colour in every format, asked for as the one and as the other, with opacity and without it, held in memory
 * and not. */
static void images_of_other_channels_are_counted(void **state)
{
    static uint8_t pixels[4 * 4 * 3];
    const struct tiff_kind gray = {
        .height = 4, .width = 4, .samples = 1, .bits = 8, .photometric = PHOTOMETRIC_MINISBLACK};
    const struct tiff_kind colour = {.height = 4, .width = 4, .samples = 3, .bits = 8, .photometric = PHOTOMETRIC_RGB};
    struct bytes made[] = {make_png(4, 4, 1, 9), make_jpeg(4, 4, 1, 9), make_png(4, 4, 3, 9), make_jpeg(4, 4, 3, 9),
                           make_webp(pixels, 4, 4, 3)};

    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%zu.png", i);
        bytes_write(&made[i], folder, name);
    }
    make_tiff(folder, "a/gray.tif", &gray, pixels);
    make_tiff(folder, "a/colour.tif", &colour, pixels);
    for (int channels = 1; channels <= 4; channels += channels < 3 ? 2 : 1)
        for (int memory = 1; memory <= 2; memory++) {
            struct invar_data_options options = make_options("images", folder);
            struct invar_sample all[7];
            options.test_fraction = 0;
            options.channels = channels;
            options.memory = (enum invar_data_memory)memory;
            struct invar_dataset *set = make_open(&options);
            invar_loader_free(make_load(set, INVAR_TRAIN, all, 7));
            assert_int_equal(invar_dataset_info(set)->converted, channels == 4 ? 7 : channels < 3 ? 4 : 3);
            assert_non_null(strstr(invar_dataset_info(set)->conversion, channels < 3 ? "in gray" : "as colour"));
            invar_dataset_close(set);
        }
}

/* Opacity is full where a file says none, as of PNG and JPEG. */
static void opacity_of_tiff_may_be_added(void **state)
{
    (void)state;
    static const struct {
        int samples, bits, asked;
        double value[4];
    } cases[] = {
        {3, 8, 4, {10, 20, 30, 255}}, {1, 8, 4, {10, 10, 10, 255}},          {1, 8, 2, {10, 255}},
        {3, 8, 2, {18, 255}},         {3, 16, 4, {2560, 5120, 7680, 65535}}, {1, 1, 2, {0, 255}},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        const struct tiff_kind kind = {.height = 16,
                                       .width = 16,
                                       .samples = cases[n].samples,
                                       .bits = cases[n].bits,
                                       .photometric = cases[n].samples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK};
        uint16_t wide[16 * 16 * 3];
        uint8_t narrow[16 * 16 * 3];
        for (int i = 0; i < 16 * 16 * 3; i++) {
            const int value = cases[n].bits == 1 ? 0 : 10 * (1 + i % cases[n].samples);
            narrow[i] = (uint8_t)value;
            wide[i] = (uint16_t)(256 * value);
        }
        make_tiff(folder, "a/1.tif", &kind, cases[n].bits == 16 ? (const void *)wide : narrow);
        open_one(cases[n].asked);
        assert_int_equal(sample.channels, cases[n].asked);
        for (int i = 0; i < 16 * 16 * cases[n].asked; i++)
            if (number(&sample, i) != cases[n].value[i % cases[n].asked])
                fail_msg("case %zu, number %d: %g", n, i, number(&sample, i));
        close_one();
    }
}

/* sRGB's gray and primaries as Lab under D50: the values that colour management gives them. */
static void lab_has_the_white_of_srgb(void **state)
{
    (void)state;
    static const struct {
        double lab[3];
        int rgb[3];
    } cases[] = {{{100, 0, 0}, {255, 255, 255}},
                 {{53.585, 0, 0}, {128, 128, 128}},
                 {{0, 0, 0}, {0, 0, 0}},
                 {{54.29, 80.81, 69.89}, {255, 0, 0}},
                 {{87.82, -79.29, 80.99}, {0, 255, 0}},
                 {{29.57, 68.30, -112.03}, {0, 0, 255}}};
    struct tiff_kind kind = {.height = 16, .width = 16, .samples = 3, .photometric = PHOTOMETRIC_CIELAB};
    for (size_t n = 0; n < 2 * sizeof cases / sizeof *cases; n++) {
        const double *lab = cases[n / 2].lab;
        const double most = n % 2 ? 65535 : 255, unit = n % 2 ? 256 : 1;
        uint16_t wide[16 * 16 * 3];
        uint8_t narrow[16 * 16 * 3];
        kind.bits = n % 2 ? 16 : 8;
        kind.planes = n % 4 == 3;
        for (int i = 0; i < 16 * 16 * 3; i++) {
            const long value = lrint(i % 3 ? lab[i % 3] * unit : lab[0] / 100 * most);
            wide[i] = (uint16_t)value;
            narrow[i] = (uint8_t)value;
        }
        make_tiff(folder, "a/1.tif", &kind, n % 2 ? (const void *)wide : narrow);
        open_one(0);
        assert_int_equal(sample.channels, 3);
        assert_int_equal(sample.dtype, INVAR_UINT8);
        for (int c = 0; c < 3; c++)
            if (!(fabs(number(&sample, 300 + c) - cases[n / 2].rgb[c]) <=
                  (n % 2 || lab[1] == 0 ? 1 : 12))) /* a step of 8 bits in colours */
                fail_msg("case %zu, channel %d: %g, expected %d", n, c, number(&sample, 300 + c), cases[n / 2].rgb[c]);
        close_one();
    }
}

/* sRGB's red as Lab under its own white, which the file says, with another page behind it too. */
static void lab_has_the_white_of_its_file(void **state)
{
    (void)state;
    static const double lab[3] = {53.24, 80.09, 67.20};
    static const int rgb[3] = {255, 0, 0};
    static float white[2] = {0.3127f, 0.3290f};
    const struct tiff_kind kind = {
        .height = 16, .width = 16, .samples = 3, .bits = 16, .photometric = PHOTOMETRIC_CIELAB};
    uint16_t pixels[16 * 16 * 3];

    for (int i = 0; i < 16 * 16 * 3; i++)
        pixels[i] = (uint16_t)lrint(i % 3 ? lab[i % 3] * 256 : lab[0] / 100 * 65535);
    for (int pages = 1; pages <= 2; pages++) {
        struct bytes none = {0};
        TIFF *tiff = TIFFOpen(bytes_write(&none, folder, "a/1.tif"), "w");
        assert_non_null(tiff);
        for (int page = 0; page < pages; page++) {
            if (page == 0)
                TIFFSetField(tiff, TIFFTAG_WHITEPOINT, white);
            TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, page ? FILETYPE_REDUCEDIMAGE : 0);
            make_tiff_page(tiff, &kind, pixels);
            assert_int_equal(TIFFWriteDirectory(tiff), 1);
        }
        TIFFClose(tiff);
        open_one(0);
        for (int c = 0; c < 3; c++)
            if (!(fabs(number(&sample, 300 + c) - rgb[c]) <= 1))
                fail_msg("%d pages, channel %d: %g, expected %d", pages, c, number(&sample, 300 + c), rgb[c]);
        close_one();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_layout_of_tiff, setup, teardown),
        cmocka_unit_test_setup_teardown(every_meaning_of_tiff, setup, teardown),
        cmocka_unit_test_setup_teardown(opacity_of_tiff_may_be_added, setup, teardown),
        cmocka_unit_test_setup_teardown(lab_has_the_white_of_srgb, setup, teardown),
        cmocka_unit_test_setup_teardown(lab_has_the_white_of_its_file, setup, teardown),
        cmocka_unit_test_setup_teardown(orientations_of_tiff_and_webp, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_image, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_of_tiff, setup, teardown),
        cmocka_unit_test_setup_teardown(webp_is_colour, setup, teardown),
        cmocka_unit_test_setup_teardown(bands_are_those_of_most_files, setup, teardown),
        cmocka_unit_test_setup_teardown(images_of_other_channels_are_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
