/* SPDX-License-Identifier: Apache-2.0 */
/* The corruptions as a set: names, sizes, channels, the same bits whatever came before, refusals, memory. Their values
 * are in test_corruption_reference. */
#include "count_allocations.h"
#include "eval/corruption/corruption.h"
#include "invar/expert/corruption.h"
#include "invar/expert/random.h"
#include "invar/report.h"

TEST_COVERS("corruption.frost");

enum { BENCHMARK = 15 }; /* corruptions of the published benchmark; others are extra */

static uint8_t *noise_image(int height, int width, int channels)
{
    const size_t size = (size_t)height * (size_t)width * (size_t)channels;
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, (uint64_t)(height * 1000 + width), 0);
    uint8_t *pixels = malloc(size);
    assert_non_null(pixels);
    for (size_t i = 0; i < size; i++)
        pixels[i] = (uint8_t)invar_random_below(&random, 256);
    return pixels;
}

static struct invar_corruption_scratch *scratch_of_test(void)
{
    struct invar_error err = {0};
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(&err);
    assert_ok(scratch != NULL, &err);
    return scratch;
}

static void names_and_order(void **state)
{
    static const char *const names[] = {"gaussian_noise",
                                        "shot_noise",
                                        "impulse_noise",
                                        "defocus_blur",
                                        "glass_blur",
                                        "motion_blur",
                                        "zoom_blur",
                                        "snow",
                                        "frost",
                                        "fog",
                                        "brightness",
                                        "contrast",
                                        "elastic_transform",
                                        "pixelate",
                                        "jpeg_compression",
                                        "speckle_noise",
                                        "gaussian_blur",
                                        "spatter",
                                        "saturate"};
    struct invar_error err = {0};
    (void)state;

    assert_int_equal(invar_corruption_count(), sizeof names / sizeof *names);
    for (int i = 0; i < invar_corruption_count(); i++) {
        assert_string_equal(invar_corruption_at(i)->name, names[i]);
        assert_int_equal(invar_corruption_at(i)->extra, i >= BENCHMARK);
        assert_ptr_equal(invar_corruption_find(names[i], &err), invar_corruption_at(i));
    }
    assert_refused(invar_corruption_find("rain", &err), &err, INVAR_ERROR_USAGE, "gaussian_noise, shot_noise");
}

static void table_by_size(void **state)
{
    (void)state;
    assert_int_equal(invar_corruption_table_used(INVAR_CORRUPTION_AUTO, 32, 32), INVAR_CORRUPTION_32);
    assert_int_equal(invar_corruption_table_used(INVAR_CORRUPTION_AUTO, 28, 33), INVAR_CORRUPTION_SCALED);
    assert_int_equal(invar_corruption_table_used(INVAR_CORRUPTION_AUTO, 223, 28), INVAR_CORRUPTION_SCALED);
    assert_int_equal(invar_corruption_table_used(INVAR_CORRUPTION_AUTO, 28, 224), INVAR_CORRUPTION_224);
    assert_int_equal(invar_corruption_table_used(INVAR_CORRUPTION_224, 28, 28), INVAR_CORRUPTION_224);
    assert_int_equal(invar_corruption_table_used(INVAR_CORRUPTION_32, 224, 224), INVAR_CORRUPTION_32);
}

/* The value of a flat gray image of a side whose brightness was raised. */
static int raised(int side, enum invar_corruption_table table)
{
    struct invar_corruption_scratch *scratch = scratch_of_test();
    const struct invar_corruption_options options = {.severity = 5, .table = table};
    const size_t size = (size_t)side * (size_t)side;
    struct invar_error err = {0};
    uint8_t *pixels = malloc(size);
    const struct invar_corruption_image image = {pixels, side, side, 1};

    assert_non_null(pixels);
    memset(pixels, 100, size);
    assert_ok(invar_corrupt(invar_corruption_find("brightness", &err), &options, &image, 0, pixels, scratch, &err),
              &err);
    const int value = pixels[0];
    for (size_t i = 0; i < size; i++)
        assert_int_equal(pixels[i], value);
    free(pixels);
    invar_corruption_scratch_free(scratch);
    return value;
}

/* 0.3 is added for 32 pixels and 0.5 for 224; 85 is half way between them by its logarithm. */
static void between_the_tables(void **state)
{
    (void)state;
    assert_int_equal(raised(32, INVAR_CORRUPTION_AUTO), 176);
    assert_int_equal(raised(85, INVAR_CORRUPTION_32), 176);
    assert_int_equal(raised(85, INVAR_CORRUPTION_AUTO), 202);
    assert_int_equal(raised(224, INVAR_CORRUPTION_AUTO), 227);
    assert_int_equal(raised(85, INVAR_CORRUPTION_224), 227);
    assert_int_equal(raised(20, INVAR_CORRUPTION_SCALED), 176);
    assert_int_equal(raised(300, INVAR_CORRUPTION_SCALED), 227);
}

/* Any size, all tables, one channel and three. Guards show what is written outside. */
static void sizes_and_channels(void **state)
{
    static const int sizes[][2] = {{1, 1},  {1, 2}, {2, 1},   {2, 2},   {3, 3},
                                   {1, 40}, {5, 3}, {17, 40}, {70, 33}, {96, 130}};
    struct invar_corruption_scratch *scratch = scratch_of_test();
    struct invar_error err = {0};
    (void)state;

    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int channels = 1; channels <= 3; channels += 2) {
            const int height = sizes[k][0], width = sizes[k][1];
            const size_t size = (size_t)height * (size_t)width * (size_t)channels;
            uint8_t *pixels = noise_image(height, width, channels), *out = malloc(size + 1);
            const struct invar_corruption_image image = {pixels, height, width, channels};
            assert_non_null(out);
            for (int c = 0; c < invar_corruption_count(); c++)
                for (int severity = 1; severity <= 5; severity++)
                    for (int table = INVAR_CORRUPTION_32; table <= INVAR_CORRUPTION_SCALED; table++) {
                        const struct invar_corruption_spec *spec = invar_corruption_at(c);
                        const struct invar_corruption_options options = {
                            .severity = severity, .table = (enum invar_corruption_table)table, .seed = 5};
                        out[size] = 77;
                        const bool ok = invar_corrupt(spec, &options, &image, 9, out, scratch, &err);
                        if (strcmp(spec->name, "elastic_transform") == 0 && (height < 3 || width < 3))
                            assert_refused(ok, &err, INVAR_ERROR_DATA, "it is defined from 3 x 3 on");
                        else
                            assert_ok(ok, &err);
                        assert_int_equal(out[size], 77);
                    }
            free(pixels);
            free(out);
        }
    invar_corruption_scratch_free(scratch);
}

/* The same image, seed and index give the same bits in place, with other memory, after other work; another index or
 * seed gives others where there is anything random. */
static void same_bits(void **state)
{
    enum { SIDE = 24, SIZE = SIDE * SIDE * 3 };
    struct invar_corruption_scratch *used = scratch_of_test(), *fresh;
    struct invar_error err = {0};
    uint8_t *pixels = noise_image(SIDE, SIDE, 3), first[SIZE], other[SIZE];
    const struct invar_corruption_image image = {pixels, SIDE, SIDE, 3}, in_place = {other, SIDE, SIDE, 3};
    (void)state;

    for (int c = 0; c < invar_corruption_count(); c++) {
        const struct invar_corruption_spec *spec = invar_corruption_at(c);
        const struct invar_corruption_options options = {.severity = 3, .seed = 11},
                                              reseeded = {.severity = 3, .seed = 12};
        static const char *const fixed[] = {"defocus_blur", "zoom_blur",        "brightness",    "contrast",
                                            "pixelate",     "jpeg_compression", "gaussian_blur", "saturate"};
        bool random = true;
        for (size_t k = 0; k < sizeof fixed / sizeof *fixed; k++)
            random = random && strcmp(spec->name, fixed[k]) != 0;
        fresh = scratch_of_test();
        assert_ok(invar_corrupt(spec, &options, &image, 4, first, used, &err), &err);
        memcpy(other, pixels, SIZE);
        assert_ok(invar_corrupt(spec, &options, &in_place, 4, other, fresh, &err), &err);
        assert_memory_equal(first, other, SIZE);
        assert_ok(invar_corrupt(spec, &options, &image, 5, other, used, &err), &err);
        assert_int_equal(memcmp(first, other, SIZE) != 0, random);
        assert_ok(invar_corrupt(spec, &reseeded, &image, 4, other, used, &err), &err);
        assert_int_equal(memcmp(first, other, SIZE) != 0, random);
        invar_corruption_scratch_free(fresh);
    }
    free(pixels);
    invar_corruption_scratch_free(used);
}

/* One channel is three equal ones, corrupted and averaged. */
static void gray_is_the_mean(void **state)
{
    enum { SIDE = 28, PIXELS = SIDE * SIDE };
    struct invar_corruption_scratch *scratch = scratch_of_test();
    struct invar_error err = {0};
    uint8_t *gray = noise_image(SIDE, SIDE, 1), colour[3 * PIXELS], out[3 * PIXELS], got[PIXELS];
    const struct invar_corruption_image one = {gray, SIDE, SIDE, 1}, three = {colour, SIDE, SIDE, 3};
    const struct invar_corruption_options options = {.severity = 4, .seed = 1};
    (void)state;

    for (int i = 0; i < 3 * PIXELS; i++)
        colour[i] = gray[i / 3];
    for (int c = 0; c < invar_corruption_count(); c++) {
        const struct invar_corruption_spec *spec = invar_corruption_at(c);
        assert_ok(invar_corrupt(spec, &options, &one, 0, got, scratch, &err), &err);
        assert_ok(invar_corrupt(spec, &options, &three, 0, out, scratch, &err), &err);
        for (int i = 0; i < PIXELS; i++)
            assert_int_equal(got[i], (out[3 * i] + out[3 * i + 1] + out[3 * i + 2] + 1) / 3);
    }
    free(gray);
    invar_corruption_scratch_free(scratch);
}

static void refusals(void **state)
{
    struct invar_corruption_scratch *scratch = scratch_of_test();
    struct invar_error err = {0};
    uint8_t pixels[64] = {0};
    const struct invar_corruption_spec *fog = invar_corruption_find("fog", &err);
    const struct invar_corruption_options good = {.severity = 1}, zero = {.severity = 0}, six = {.severity = 6};
    const struct invar_corruption_image image = {pixels, 4, 4, 3}, empty = {pixels, 0, 4, 3}, four = {pixels, 4, 4, 4},
                                        huge = {pixels, 16385, 1, 1}, wide = {pixels, 16384, 16384, 1};
    (void)state;

    assert_refused(invar_corrupt(fog, &zero, &image, 0, pixels, scratch, &err), &err, INVAR_ERROR_USAGE, "1 to 5");
    assert_refused(invar_corrupt(fog, &six, &image, 0, pixels, scratch, &err), &err, INVAR_ERROR_USAGE, "1 to 5");
    assert_refused(invar_corrupt(fog, &good, &empty, 0, pixels, scratch, &err), &err, INVAR_ERROR_DATA, "4 x 0 pixels");
    assert_refused(invar_corrupt(fog, &good, &four, 0, pixels, scratch, &err), &err, INVAR_ERROR_DATA, "4 channels");
    assert_refused(invar_corrupt(fog, &good, &huge, 0, pixels, scratch, &err), &err, INVAR_ERROR_DATA, "16385");
    assert_refused(invar_corrupt(fog, &good, &wide, 0, pixels, scratch, &err), &err, INVAR_ERROR_DATA, "at most");
    invar_corruption_scratch_free(scratch);
}

/* In steady state nothing is allocated but what TurboJPEG takes inside its calls and gives back. */
static void no_allocation(void **state)
{
    enum { SIDE = 32, SIZE = SIDE * SIDE * 3 };
    struct invar_corruption_scratch *scratch = scratch_of_test();
    struct invar_error err = {0};
    uint8_t *pixels = noise_image(SIDE, SIDE, 3), out[SIZE];
    const struct invar_corruption_image image = {pixels, SIDE, SIDE, 3};
    (void)state;

    for (int round = 0; round < 3; round++) {
        const long own = allocations_own, live = allocations_live;
        for (int c = 0; c < invar_corruption_count(); c++)
            for (int severity = 1; severity <= 5; severity++) {
                const struct invar_corruption_options options = {.severity = severity, .seed = 2};
                const long before = allocations_own;
                assert_ok(invar_corrupt(invar_corruption_at(c), &options, &image, (uint64_t)round, out, scratch, &err),
                          &err);
                if (strcmp(invar_corruption_at(c)->name, "jpeg_compression") == 0)
                    allocations_own = before;
            }
        if (round == 2 && allocations_own != own)
            fail_msg("%ld allocations, one of them by %s", allocations_own - own, allocations_by);
        if (round == 2)
            assert_int_equal(allocations_live, live);
    }
    free(pixels);
    invar_corruption_scratch_free(scratch);
}

/* ---- frost ---- */

static void write_picture(const char *folder, const char *name, int height, int width, uint8_t level)
{
    struct invar_error err = {0};
    uint8_t *pixels = malloc((size_t)height * (size_t)width * 3);
    assert_non_null(pixels);
    memset(pixels, level, (size_t)height * (size_t)width * 3);
    assert_ok(invar_picture_write(test_path(folder, name), pixels, height, width, 3, &err), &err);
    free(pixels);
}

/* A folder with one picture of one level: a * image + b * level, whatever the cut; too small ones are enlarged. */
static void frost_from_a_folder(void **state)
{
    char *folder = test_folder_create();
    struct invar_corruption_scratch *scratch = scratch_of_test();
    struct invar_error err = {0};
    uint8_t pixels[32 * 32 * 3], out[sizeof pixels];
    const struct invar_corruption_image image = {pixels, 32, 32, 3};
    const struct invar_corruption_spec *spec = invar_corruption_find("frost", &err);
    (void)state;

    memset(pixels, 40, sizeof pixels);
    assert_refused(invar_frost_create(folder, &err), &err, INVAR_ERROR_DATA, "holds no .jpg, .jpeg or .png");
    assert_refused(invar_frost_create("/nonexistent-folder", &err), &err, INVAR_ERROR_FILE, "/nonexistent-folder");
    write_picture(folder, "small.png", 20, 50, 200);
    write_picture(folder, "large.PNG", 200, 250, 200);
    test_file(folder, "readme.txt", "x", 1);
    struct invar_frost *frost = invar_frost_create(folder, &err);
    assert_ok(frost != NULL, &err);
    assert_false(invar_frost_synthetic(frost));
    assert_int_equal(invar_frost_count(frost), 2);
    const struct invar_corruption_options options = {.severity = 3, .seed = 1, .frost = frost},
                                          large = {.severity = 3, .table = INVAR_CORRUPTION_224, .frost = frost};
    for (uint64_t index = 0; index < 20; index++) {
        assert_ok(invar_corrupt(spec, &options, &image, index, out, scratch, &err), &err);
        for (size_t i = 0; i < sizeof out; i++)
            assert_int_equal(out[i], 116); /* 0.9 * 40 + 0.4 * 200 */
        assert_ok(invar_corrupt(spec, &large, &image, index, out, scratch, &err), &err);
        for (size_t i = 0; i < sizeof out; i++)
            assert_int_equal(out[i], 168); /* 0.7 * 40 + 0.7 * 200 */
    }
    invar_frost_free(frost);
    test_file(folder, "torn.jpg", "\xff\xd8\xff", 3);
    assert_refused(invar_frost_create(folder, &err), &err, INVAR_ERROR_FORMAT, "torn.jpg");
    invar_corruption_scratch_free(scratch);
    test_folder_remove(folder);
}

/* The synthetic pictures against figures of the original's: mean and deviation of R, G, B, autocorrelation of gray at
 * 1, 2, 4, .. 64 pixels. */
static void synthetic_frost(void **state)
{
    static const struct {
        int height, width;
        double mean[3], deviation[3], correlation[7];
    } figures[CORRUPTION_TEXTURES] = {
        {600, 900, {78, 149, 166}, {27, 17, 15}, {0.83, 0.71, 0.69, 0.66, 0.61, 0.52, 0.40}},
        {315, 560, {201, 205, 215}, {21, 22, 23}, {0.86, 0.71, 0.63, 0.54, 0.48, 0.43, 0.37}},
        {350, 527, {138, 153, 165}, {29, 29, 30}, {0.78, 0.58, 0.50, 0.44, 0.40, 0.37, 0.30}},
        {495, 660, {112, 123, 135}, {44, 43, 42}, {0.84, 0.72, 0.61, 0.51, 0.41, 0.36, 0.30}},
    };
    struct invar_error err = {0};
    (void)state;

    assert_true(invar_frost_synthetic(NULL));
    for (int n = 0; n < CORRUPTION_TEXTURES; n++) {
        struct corruption_picture p;
        assert_ok(corruption_frost_texture(&p, n, &err), &err);
        assert_int_equal(p.height, figures[n].height);
        assert_int_equal(p.width, figures[n].width);
        const int count = p.height * p.width;
        double *gray = malloc((size_t)count * sizeof *gray), mean = 0, variance = 0;
        assert_non_null(gray);
        for (int c = 0; c < 3; c++) {
            double sum = 0, square = 0;
            for (int i = 0; i < count; i++)
                sum += p.pixels[3 * i + c];
            for (int i = 0; i < count; i++)
                square += pow(p.pixels[3 * i + c] - sum / count, 2);
            assert_true(fabs(sum / count - figures[n].mean[c]) <= 2);
            assert_true(fabs(sqrt(square / count) - figures[n].deviation[c]) <= 3.5);
        }
        for (int i = 0; i < count; i++) {
            gray[i] = 0.299 * p.pixels[3 * i] + 0.587 * p.pixels[3 * i + 1] + 0.114 * p.pixels[3 * i + 2];
            mean += gray[i] / count;
        }
        for (int i = 0; i < count; i++)
            variance += pow(gray[i] - mean, 2) / count;
        for (int k = 0, lag = 1; k < 7; k++, lag *= 2) {
            double across = 0, down = 0;
            for (int y = 0; y < p.height; y++)
                for (int x = 0; x < p.width; x++) {
                    const double own = gray[y * p.width + x] - mean;
                    if (x + lag < p.width)
                        across += own * (gray[y * p.width + x + lag] - mean);
                    if (y + lag < p.height)
                        down += own * (gray[(y + lag) * p.width + x] - mean);
                }
            across /= (double)p.height * (p.width - lag) * variance;
            down /= (double)p.width * (p.height - lag) * variance;
            if (!(fabs((across + down) / 2 - figures[n].correlation[k]) <= 0.1))
                fail_msg("texture %d: autocorrelation at %d is %.3f", n, lag, (across + down) / 2);
        }
        free(gray);
        invar_free(p.pixels);
    }
}

/* ---- the sheet ---- */

static void sheets(void **state)
{
    char *folder = test_folder_create();
    struct invar_error err = {0};
    const struct invar_corruption_options options = {.seed = 1};
    static const int sizes[][3] = {{32, 32, 3}, {28, 28, 1}, {1, 1, 3}, {2, 500, 1}};
    (void)state;

    const struct invar_corruption_spec *const two[] = {invar_corruption_at(3), invar_corruption_at(17)};
    static const int severity[] = {4};
    static const uint64_t index[] = {0, 7};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint8_t *pixels = noise_image(sizes[k][0], sizes[k][1], sizes[k][2]);
        const struct invar_corruption_image image = {pixels, sizes[k][0], sizes[k][1], sizes[k][2]};
        const struct invar_corruption_image images[] = {image, image};
        const struct invar_corruption_sheet all = {&image, index, 1, NULL, 0, NULL, 0},
                                            some = {images, index, 2, two, 2, severity, 1};
        struct invar_bytes large = {0}, small = {0};
        const char *path = test_path(folder, "sheet.png");
        assert_ok(invar_corruption_sheet_write(path, &all, &options, &err), &err);
        assert_ok(invar_file_read(&large, path, (size_t)1 << 24, &err), &err);
        assert_memory_equal(large.data, "\x89PNG", 4);
        assert_ok(invar_corruption_sheet_write(path, &some, &options, &err), &err);
        assert_ok(invar_file_read(&small, path, (size_t)1 << 24, &err), &err);
        assert_true(small.size < large.size);
        invar_bytes_free(&large);
        invar_bytes_free(&small);
        free(pixels);
    }
    uint8_t pixel[4] = {0};
    const struct invar_corruption_image four = {pixel, 1, 1, 4}, long_one = {pixel, 1, 513, 1};
    const struct invar_corruption_sheet of_four = {&four, index, 1, NULL, 0, NULL, 0},
                                        of_long = {&long_one, index, 1, NULL, 0, NULL, 0};
    assert_refused(invar_corruption_sheet_write("x.png", &of_four, &options, &err), &err, INVAR_ERROR_DATA, "x.png");
    assert_refused(invar_corruption_sheet_write("x.png", &of_long, &options, &err), &err, INVAR_ERROR_DATA, "513 x 1");
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_order),    cmocka_unit_test(table_by_size), cmocka_unit_test(between_the_tables),
        cmocka_unit_test(sizes_and_channels), cmocka_unit_test(same_bits),     cmocka_unit_test(gray_is_the_mean),
        cmocka_unit_test(refusals),           cmocka_unit_test(no_allocation), cmocka_unit_test(frost_from_a_folder),
        cmocka_unit_test(synthetic_frost),    cmocka_unit_test(sheets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
