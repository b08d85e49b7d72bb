/* SPDX-License-Identifier: Apache-2.0 */
/* Drawn parameters: what they depend on, their probabilities, ranges and distributions. All seeds are fixed. */
#include "subject.h"

TEST_COVERS("view.count view.crop view.crop_aspect view.flip view.jitter view.brightness view.contrast view.saturation "
            "view.hue view.grayscale view.blur view.blur_sigma view.solarise view.gain view.offset "
            "view.local view.local_crop");

#define DRAWS 20000
#define SEED 11

static struct invar_view_params draw(const struct invar_view_options *options, uint64_t seed, uint64_t epoch,
                                     int64_t index, int view, int height, int width, int channels)
{
    const struct invar_sample sample = {INVAR_DATA_IMAGE, INVAR_UINT8, height, width, channels, NULL, index, -1, -1};
    struct invar_view_params params;
    memset(&params, 0xa5, sizeof(params));
    invar_view_draw(&params, options, seed, epoch, &sample, view);
    return params;
}

static bool same(struct invar_view_params a, struct invar_view_params b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* Six deviations of a binomial: a true probability fails once in 5e8. */
static void assert_share(int hits, int draws, double probability, const char *what)
{
    const double share = (double)hits / draws;
    const double allowed = 6.0 * sqrt(probability * (1.0 - probability) / draws);
    if (!(fabs(share - probability) <= allowed))
        fail_msg("%s: share %.4f, expected %.4f within %.4f", what, share, probability, allowed);
}

/* value in 0..1 falls evenly into ten bins. */
struct histogram {
    int bin[10], count;
};

static void histogram_add(struct histogram *histogram, double value)
{
    assert_true(value >= -1e-6 && value <= 1.0 + 1e-6);
    const int bin = (int)(value * 10.0);
    histogram->bin[bin < 0 ? 0 : bin > 9 ? 9 : bin]++;
    histogram->count++;
}

static void assert_uniform(const struct histogram *histogram, const char *what)
{
    for (int i = 0; i < 10; i++)
        assert_share(histogram->bin[i], histogram->count, 0.1, what);
}

/* Area of the crop uniform in `crop` for global views, in `local_crop` for local ones; no two views are alike. */
static void test_local_crops(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    struct histogram global = {0}, local = {0};
    options.image.crop = (struct invar_real_list){2, {0.4, 0.8}};
    options.local = 8;
    options.local_size = 96;
    options.local_crop = (struct invar_real_list){2, {0.05, 0.25}};
    options.image.blur = (struct invar_real_list){3, {1.0, 0.0, 0.5}};
    int blurred = 0;

    for (int i = 0; i < DRAWS / 10; i++) {
        struct invar_view_params params[10];
        for (int view = 0; view < 10; view++) {
            params[view] = draw(&options, SEED, 0, i, view, 4000, 4000, 3);
            const double area = (double)params[view].crop_width * (double)params[view].crop_height / (4000.0 * 4000.0);
            if (view < 2)
                histogram_add(&global, (area - 0.4) / 0.4 * 0.999 + 0.0005); /* sides are whole pixels */
            else
                histogram_add(&local, (area - 0.05) / 0.2 * 0.999 + 0.0005);
            for (int before = 0; before < view; before++)
                assert_true(params[before].crop_x != params[view].crop_x ||
                            params[before].crop_y != params[view].crop_y);
            blurred += view >= 2 && params[view].blur_sigma > 0.0f;
        }
        assert_true(params[0].blur_sigma > 0.0f && !(params[1].blur_sigma > 0.0f));
    }
    assert_int_equal(global.count, DRAWS / 10 * 2);
    assert_uniform(&local, "area of local crops");
    assert_share(blurred, DRAWS / 10 * 8, 0.5, "blur of local views");
}

static void test_depends_on_its_key_only(void **state)
{
    (void)state;
    const struct invar_view_options options = subject_simclr();
    const struct invar_view_params base = draw(&options, SEED, 3, 5, 1, 32, 32, 3);

    assert_true(same(base, draw(&options, SEED, 3, 5, 1, 32, 32, 3)));
    assert_false(same(base, draw(&options, SEED + 1, 3, 5, 1, 32, 32, 3)));
    assert_false(same(base, draw(&options, SEED, 4, 5, 1, 32, 32, 3)));
    assert_false(same(base, draw(&options, SEED, 3, 6, 1, 32, 32, 3)));
    assert_false(same(base, draw(&options, SEED, 3, 5, 0, 32, 32, 3)));
    assert_false(same(base, draw(&options, SEED, 3, 5 + ((int64_t)1 << 32), 1, 32, 32, 3)));
}

/* Operations draw from streams of their own. */
static void test_options_of_one_leave_the_others(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr(), other = subject_simclr();
    other.image.crop = (struct invar_real_list){2, {0.9, 0.95}};
    other.image.jitter = 1.0;
    for (int64_t i = 0; i < 100; i++) {
        struct invar_view_params a = draw(&options, SEED, 0, i, 0, 32, 32, 3);
        struct invar_view_params b = draw(&other, SEED, 0, i, 0, 32, 32, 3);
        assert_true(a.flip == b.flip && a.brightness == b.brightness && a.hue == b.hue && a.grayscale == b.grayscale &&
                    a.blur_sigma == b.blur_sigma && subject_solarise(&a)->on == subject_solarise(&b)->on);
    }
}

static void test_probabilities(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    int flip = 0, jitter = 0, gray = 0, both = 0, blur[3] = {0}, solarise[3] = {0};

    options.count = 3;
    for (int i = 0; i < DRAWS; i++)
        for (int view = 0; view < 3; view++) {
            struct invar_view_params params = draw(&options, SEED, 0, i, view, 32, 32, 3);
            blur[view] += params.blur_sigma > 0.0f;
            solarise[view] += subject_solarise(&params)->on;
            flip += view == 0 && params.flip;
            jitter += view == 0 && params.jitter;
            gray += view == 0 && params.grayscale;
            both += view == 0 && params.grayscale && params.jitter && params.flip;
        }
    assert_share(flip, DRAWS, 0.5, "flip");
    assert_share(jitter, DRAWS, 0.8, "jitter");
    assert_share(gray, DRAWS, 0.2, "grayscale");
    assert_share(both, DRAWS, 0.5 * 0.8 * 0.2, "flip, jitter and grayscale are independent");
    assert_int_equal(blur[0], DRAWS);
    assert_share(blur[1], DRAWS, 0.1, "blur of view 2");
    assert_share(blur[2], DRAWS, 0.1, "blur of view 3, from the last entry");
    assert_int_equal(solarise[0], 0);
    assert_share(solarise[1], DRAWS, 0.2, "solarise of view 2");
    assert_share(solarise[2], DRAWS, 0.2, "solarise of view 3");
}

static void test_factors_are_uniform(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    struct histogram brightness = {0}, contrast = {0}, saturation = {0}, hue = {0}, sigma = {0};

    options.image.contrast = 1.5; /* the low end stops at 0 */
    for (int i = 0; i < DRAWS; i++) {
        const struct invar_view_params params = draw(&options, SEED, 1, i, 0, 32, 32, 3);
        histogram_add(&brightness, ((double)params.brightness - 0.6) / 0.8);
        histogram_add(&contrast, (double)params.contrast / 2.5);
        histogram_add(&saturation, ((double)params.saturation - 0.8) / 0.4);
        histogram_add(&hue, ((double)params.hue + 0.1) / 0.2);
        histogram_add(&sigma, ((double)params.blur_sigma - 0.1) / 1.9);
    }
    assert_uniform(&brightness, "brightness");
    assert_uniform(&contrast, "contrast");
    assert_uniform(&saturation, "saturation");
    assert_uniform(&hue, "hue");
    assert_uniform(&sigma, "blur sigma");
}

static void test_jitter_order_is_any_permutation(void **state)
{
    (void)state;
    const struct invar_view_options options = subject_simclr();
    int seen[256] = {0}, kinds = 0;

    for (int i = 0; i < DRAWS; i++) {
        const struct invar_view_params params = draw(&options, SEED, 0, i, 0, 32, 32, 3);
        unsigned mask = 0, code = 0;
        for (int k = 0; k < 4; k++) {
            assert_in_range(params.jitter_order[k], 0, 3);
            mask |= 1u << params.jitter_order[k];
            code = code * 4 + params.jitter_order[k];
        }
        assert_int_equal(mask, 15);
        kinds += seen[code]++ == 0;
    }
    assert_int_equal(kinds, 24);
    for (int code = 0; code < 256; code++)
        if (seen[code])
            assert_share(seen[code], DRAWS, 1.0 / 24.0, "order");
}

/* Boxes this small always fit, so that nothing is drawn again. */
static void test_crop_distribution(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    struct histogram area = {0}, aspect = {0}, x = {0}, y = {0};

    options.image.crop = (struct invar_real_list){2, {0.2, 0.5}};
    for (int i = 0; i < DRAWS; i++) {
        const struct invar_view_params p = draw(&options, SEED, 0, i, 0, 4000, 4000, 3);
        const double width = (double)p.crop_width, height = (double)p.crop_height;
        histogram_add(&area, (width * height / 16e6 - 0.2 + 2e-4) / (0.3 + 4e-4)); /* sides are rounded */
        histogram_add(&aspect, (log(width / height) / log(4.0 / 3.0) + 1.001) / 2.002);
        histogram_add(&x, (double)p.crop_x / (4000.0 - width));
        histogram_add(&y, (double)p.crop_y / (4000.0 - height));
    }
    assert_uniform(&area, "area");
    assert_uniform(&aspect, "log aspect");
    assert_uniform(&x, "x");
    assert_uniform(&y, "y");
}

static void test_crop_is_inside_whole_pixels(void **state)
{
    (void)state;
    const struct invar_view_options options = subject_simclr();
    const int sizes[][2] = {{1, 1}, {1, 2}, {3, 1}, {28, 28}, {375, 500}, {500, 20}, {1, 1000}};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
        for (int i = 0; i < 500; i++) {
            const struct invar_view_params p = draw(&options, SEED, 0, i, 0, sizes[s][0], sizes[s][1], 3);
            assert_true(p.crop_x >= 0 && p.crop_y >= 0 && p.crop_width >= 1 && p.crop_height >= 1);
            assert_true(p.crop_x + p.crop_width <= (float)sizes[s][1]);
            assert_true(p.crop_y + p.crop_height <= (float)sizes[s][0]);
            assert_true(p.crop_x == floorf(p.crop_x) && p.crop_width == floorf(p.crop_width));
            assert_true(p.crop_y == floorf(p.crop_y) && p.crop_height == floorf(p.crop_height));
        }
}

/* Nine tenths of a strip of 10:1 never have an aspect of 4:3: the centre of allowed aspect it is. */
static void test_crop_falls_back_to_the_centre(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    options.image.crop = (struct invar_real_list){2, {0.9, 0.95}};

    const struct invar_view_params wide = draw(&options, SEED, 0, 0, 0, 30, 300, 3);
    assert_true(wide.crop_width == 40.0f && wide.crop_height == 30.0f);
    assert_true(wide.crop_x == 130.0f && wide.crop_y == 0.0f);
    const struct invar_view_params tall = draw(&options, SEED, 0, 0, 0, 300, 30, 3);
    assert_true(tall.crop_width == 30.0f && tall.crop_height == 40.0f);
    assert_true(tall.crop_x == 0.0f && tall.crop_y == 130.0f);
}

static void test_crop_off(void **state)
{
    (void)state;
    const struct invar_view_options options = subject_identity();
    for (int i = 0; i < 100; i++) {
        struct invar_view_params p = draw(&options, SEED, 0, i, 0, 20, 30, 3);
        assert_true(p.crop_x == 0.0f && p.crop_y == 0.0f && p.crop_width == 30.0f && p.crop_height == 20.0f);
        assert_false(p.flip || p.jitter || p.grayscale || subject_solarise(&p)->on || p.blur_sigma > 0.0f);
        assert_true(p.brightness == 1.0f && p.contrast == 1.0f && p.saturation == 1.0f && p.hue == 0.0f);
    }
}

static void test_channels_decide(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    struct histogram gain = {0}, offset = {0};
    options.image.jitter = options.image.grayscale = 1.0;
    subject_set(&options, "solarise=1");

    for (int i = 0; i < 2000; i++) {
        struct invar_view_params gray = draw(&options, SEED, 0, i, 0, 28, 28, 1);
        assert_true(gray.jitter && !gray.grayscale && subject_solarise(&gray)->on && gray.blur_sigma > 0.0f);
        assert_true(gray.saturation == 1.0f && gray.hue == 0.0f && gray.gain[0] == 1.0f && gray.offset[0] == 0.0f);
        struct invar_view_params many = draw(&options, SEED, 0, i, 0, 28, 28, 5);
        assert_true(!many.jitter && !many.grayscale && !subject_solarise(&many)->on && many.blur_sigma > 0.0f);
        for (int c = 0; c < 5; c++) {
            histogram_add(&gain, ((double)many.gain[c] - 0.8) / 0.4);
            histogram_add(&offset, ((double)many.offset[c] + 0.1) / 0.2);
        }
        assert_true(many.gain[5] == 1.0f && many.offset[5] == 0.0f);
    }
    assert_uniform(&gain, "gain");
    assert_uniform(&offset, "offset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depends_on_its_key_only),
        cmocka_unit_test(test_local_crops),
        cmocka_unit_test(test_options_of_one_leave_the_others),
        cmocka_unit_test(test_probabilities),
        cmocka_unit_test(test_factors_are_uniform),
        cmocka_unit_test(test_jitter_order_is_any_permutation),
        cmocka_unit_test(test_crop_distribution),
        cmocka_unit_test(test_crop_is_inside_whole_pixels),
        cmocka_unit_test(test_crop_falls_back_to_the_centre),
        cmocka_unit_test(test_crop_off),
        cmocka_unit_test(test_channels_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
