/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every corruption at every severity against a second implementation in another language, with the same random draws:
 * tests/eval/corruptions/reference.py made the files beside it. A colour image of 32 x 32 by the 32-pixel parameters
 * and a gray one of 66 x 48 by those for 224.
 */
#include "test.h"
#include "invar/expert/corruption.h"
#include "invar/expert/random.h"

TEST_COVERS("corruption.gaussian_noise corruption.shot_noise corruption.impulse_noise "
            "corruption.defocus_blur corruption.glass_blur corruption.motion_blur corruption.zoom_blur "
            "corruption.snow corruption.fog corruption.brightness corruption.contrast "
            "corruption.elastic_transform corruption.pixelate corruption.jpeg_compression "
            "corruption.speckle_noise corruption.gaussian_blur corruption.spatter corruption.saturate");

#define FOLDER "tests/eval/corruptions"
#define SEED 20240607
#define INDEX 3

/* Greatest difference in gray levels, and the share of values that may differ at all, in percent: where float32 and
 * float64 lie on either side of a whole number, the fraction is dropped differently. Most of it is where weights of
 * about 10^-5 take a value just below one. */
static const struct {
    const char *name;
    int most;
    double share;
} tolerances[] = {
    {"gaussian_noise", 1, 0.5}, {"shot_noise", 0, 0},
    {"impulse_noise", 0, 0},    {"defocus_blur", 1, 10},
    {"glass_blur", 1, 2},       {"motion_blur", 1, 0.5},
    {"zoom_blur", 1, 0.5},      {"snow", 1, 0.5},
    {"frost", 1, 0.5},          {"fog", 1, 0.5},
    {"brightness", 0, 0},       {"contrast", 0, 0},
    {"pixelate", 0, 0},         {"elastic_transform", 2, 1},
    {"speckle_noise", 1, 0.5},  {"gaussian_blur", 1, 0.5},
    {"spatter", 1, 0.5},        {"saturate", 0, 0},
};

static struct invar_array read_array(const char *name, const char *kind)
{
    struct invar_error err = {0};
    struct invar_array array = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/%s-%s.npy", FOLDER, name, kind);
    assert_ok(invar_npy_read(&array, path, &err), &err);
    assert_int_equal(array.dtype, INVAR_UINT8);
    return array;
}

struct subject {
    struct invar_array pixels;
    struct invar_corruption_image image;
    size_t size;
    struct invar_frost *frost;
    struct invar_corruption_scratch *scratch;
    uint8_t *out;
    enum invar_corruption_table table;
};

static struct subject subject_open(const char *kind)
{
    struct invar_error err = {0};
    struct subject s = {.pixels = read_array("image", kind)};
    s.size = (size_t)invar_array_count(&s.pixels);
    s.image = (struct invar_corruption_image){s.pixels.data, s.pixels.shape[0], s.pixels.shape[1],
                                              s.pixels.rank == 3 ? 3 : 1};
    s.table = strcmp(kind, "224") == 0 ? INVAR_CORRUPTION_224 : INVAR_CORRUPTION_32;
    s.out = malloc(s.size);
    s.frost = invar_frost_create(FOLDER "/frost", &err);
    s.scratch = invar_corruption_scratch_create(&err);
    assert_non_null(s.out);
    assert_ok(s.frost && s.scratch, &err);
    return s;
}

static void subject_close(struct subject *s)
{
    invar_corruption_scratch_free(s->scratch);
    invar_frost_free(s->frost);
    invar_array_free(&s->pixels);
    free(s->out);
}

/* s->out = the corrupted image; the reference of that severity is returned. */
static const uint8_t *corrupt(struct subject *s, const char *name, int severity, const struct invar_array *expected)
{
    struct invar_error err = {0};
    const struct invar_corruption_spec *spec = invar_corruption_find(name, &err);
    const struct invar_corruption_options options = {
        .severity = severity, .table = s->table, .seed = SEED, .frost = s->frost};

    assert_ok(spec && invar_corrupt(spec, &options, &s->image, INDEX, s->out, s->scratch, &err), &err);
    assert_int_equal(invar_array_count(expected), 5 * (int64_t)s->size);
    return (const uint8_t *)expected->data + (size_t)(severity - 1) * s->size;
}

static void compare(const char *kind)
{
    struct subject s = subject_open(kind);

    assert_int_equal(sizeof tolerances / sizeof *tolerances, invar_corruption_count() - 1);
    for (size_t c = 0; c < sizeof tolerances / sizeof *tolerances; c++) {
        struct invar_array expected = read_array(tolerances[c].name, kind);
        for (int severity = 1; severity <= 5; severity++) {
            const uint8_t *wanted = corrupt(&s, tolerances[c].name, severity, &expected);
            int most = 0;
            size_t differ = 0;
            for (size_t i = 0; i < s.size; i++) {
                const int difference = abs(s.out[i] - wanted[i]);
                most = difference > most ? difference : most;
                differ += difference > 0;
            }
            const double share = 100.0 * (double)differ / (double)s.size;
            if (most > tolerances[c].most || !(share <= tolerances[c].share))
                fail_msg("%s-%s, severity %d: %d levels at most, %.2f %% differ; allowed are %d and %.2f",
                         tolerances[c].name, kind, severity, most, share, tolerances[c].most, tolerances[c].share);
        }
        invar_array_free(&expected);
    }
    subject_close(&s);
}

static void pixels_32(void **state)
{
    (void)state;
    compare("32");
}

static void pixels_224(void **state)
{
    (void)state;
    compare("224");
}

/* jpeg_compression: where a coefficient is next to a rounding tie, another DCT that is exact to a tenth may round it
 * otherwise, which changes the block; elsewhere 2 levels. */
static void jpeg(void **state)
{
    static const char *const kinds[] = {"32", "224"};
    (void)state;

    for (size_t k = 0; k < 2; k++) {
        struct subject s = subject_open(kinds[k]);
        char kind[16];
        snprintf(kind, sizeof kind, "%s-sure", kinds[k]);
        struct invar_array expected = read_array("jpeg_compression", kinds[k]);
        struct invar_array sure = read_array("jpeg_compression", kind);
        const size_t pixels = (size_t)(s.image.height * s.image.width), channels = (size_t)s.image.channels;
        size_t compared = 0;
        for (int severity = 1; severity <= 5; severity++) {
            const uint8_t *wanted = corrupt(&s, "jpeg_compression", severity, &expected);
            const uint8_t *mask = (const uint8_t *)sure.data + (size_t)(severity - 1) * pixels;
            double sum = 0;
            for (size_t i = 0; i < s.size; i++) {
                const int difference = abs(s.out[i] - wanted[i]);
                sum += difference;
                compared += mask[i / channels];
                if (mask[i / channels] && difference > 2)
                    fail_msg("jpeg_compression-%s, severity %d: %d levels at value %zu", kinds[k], severity, difference,
                             i);
            }
            if (!(sum / (double)s.size <= 1.9))
                fail_msg("jpeg_compression-%s, severity %d: %.2f levels on average", kinds[k], severity,
                         sum / (double)s.size);
        }
        assert_true(compared > s.size); /* of five times that */
        invar_array_free(&expected);
        invar_array_free(&sure);
        subject_close(&s);
    }
}

/* ---- the random numbers, as statistics ---- */

/* Poisson counts of every level have mean and variance x k; the mean of 200,000 draws is within 5 deviations. */
static void poisson_counts(void **state)
{
    enum { SIDE = 260, COUNT = 3 * SIDE * SIDE };
    static const uint8_t levels[] = {0, 1, 30, 100};
    struct invar_error err = {0};
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(&err);
    uint8_t *pixels = malloc(COUNT);
    (void)state;

    assert_non_null(pixels);
    assert_ok(scratch != NULL, &err);
    /* at severity 1 there are two counts a level */
    for (int severity = 2; severity <= 5; severity++)
        for (size_t l = 0; l < sizeof levels; l++) {
            static const double k[] = {500, 250, 100, 75, 50};
            const struct invar_corruption_options options = {
                .severity = severity, .table = INVAR_CORRUPTION_32, .seed = 8};
            const struct invar_corruption_image image = {pixels, SIDE, SIDE, 3};
            const double mean = levels[l] / 255.0 * k[severity - 1];
            double sum = 0, square = 0;
            memset(pixels, levels[l], COUNT);
            assert_ok(
                invar_corrupt(invar_corruption_find("shot_noise", &err), &options, &image, l, pixels, scratch, &err),
                &err);
            for (int i = 0; i < COUNT; i++) {
                /* back from the truncated level, which is of one count only */
                const double count = ceil(pixels[i] / 255.0 * k[severity - 1] - 1e-9);
                sum += count;
                square += (count - mean) * (count - mean);
            }
            assert_near((sum / COUNT - mean) / fmax(sqrt(mean / COUNT), 1e-12), 0, 5);
            assert_near(square / COUNT, mean, 0.02);
        }
    free(pixels);
    invar_corruption_scratch_free(scratch);
}

/* Of 202,800 values a share of p within 5 deviations is hit, half of it by 255. */
static void impulse_rates(void **state)
{
    enum { SIDE = 260, COUNT = 3 * SIDE * SIDE };
    struct invar_error err = {0};
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(&err);
    uint8_t *pixels = malloc(COUNT);
    const struct invar_corruption_image image = {pixels, SIDE, SIDE, 3};
    const struct invar_corruption_options options = {.severity = 4, .seed = 8};
    const double p = 0.17;
    int low = 0, high = 0;
    (void)state;

    assert_non_null(pixels);
    memset(pixels, 100, COUNT);
    assert_ok(scratch != NULL, &err);
    assert_ok(invar_corrupt(invar_corruption_find("impulse_noise", &err), &options, &image, 0, pixels, scratch, &err),
              &err);
    for (int i = 0; i < COUNT; i++) {
        low += pixels[i] == 0;
        high += pixels[i] == 255;
    }
    assert_near((low - COUNT * p / 2) / sqrt(COUNT * p / 2 * (1 - p / 2)), 0, 5);
    assert_near((high - COUNT * p / 2) / sqrt(COUNT * p / 2 * (1 - p / 2)), 0, 5);
    free(pixels);
    invar_corruption_scratch_free(scratch);
}

/* A flat image stays as it is under every blur of the 32-pixel set. */
static void flat_stays_flat(void **state)
{
    static const char *const blurs[] = {"gaussian_blur", "defocus_blur", "glass_blur", "motion_blur",
                                        "zoom_blur",     "contrast",     "pixelate",   "elastic_transform"};
    enum { SIZE = 20 * 20 * 3 };
    struct invar_error err = {0};
    struct invar_corruption_scratch *scratch = invar_corruption_scratch_create(&err);
    uint8_t pixels[SIZE], out[SIZE];
    const struct invar_corruption_image image = {pixels, 20, 20, 3};
    (void)state;

    assert_ok(scratch != NULL, &err);
    for (size_t b = 0; b < sizeof blurs / sizeof *blurs; b++)
        for (int level = 0; level < 256; level += 15)
            for (int severity = 1; severity <= 5; severity++) {
                const struct invar_corruption_options options = {.severity = severity};
                memset(pixels, level, SIZE);
                assert_ok(invar_corrupt(invar_corruption_find(blurs[b], &err), &options, &image, 0, out, scratch, &err),
                          &err);
                assert_memory_equal(pixels, out, SIZE);
            }
    invar_corruption_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_32),      cmocka_unit_test(pixels_224),    cmocka_unit_test(jpeg),
        cmocka_unit_test(poisson_counts), cmocka_unit_test(impulse_rates), cmocka_unit_test(flat_stays_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
