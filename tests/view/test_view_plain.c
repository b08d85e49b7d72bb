/* SPDX-License-Identifier: Apache-2.0 */
/* The plain view against a direct two-dimensional filter, a triangle or a cubic, in double precision. */
#include "subject.h"

#define LARGE (64 * 64 * 5)

static double triangle(double distance)
{
    return fmax(0.0, 1.0 - fabs(distance));
}

/* Keys' cubic with a = -1/2 */
static double cubic(double distance)
{
    const double x = fabs(distance);

    if (x < 1)
        return 1 - 2.5 * x * x + 1.5 * x * x * x;
    return x < 2 ? 2 - 4 * x + 2.5 * x * x - 0.5 * x * x * x : 0;
}

/* The value at (v, u) of channel c under a filter of half widths (sv, su), weights adding up to 1 inside the image. */
static double filtered(const struct invar_sample *sample, double (*filter)(double), int c, double v, double u,
                       double sv, double su)
{
    const uint8_t *data = sample->data;
    double sum = 0.0, total = 0.0;
    for (int y = 0; y < sample->height; y++)
        for (int x = 0; x < sample->width; x++) {
            const double weight = filter((y + 0.5 - v) / sv) * filter((x + 0.5 - u) / su);
            total += weight;
            sum += weight * data[(y * sample->width + x) * sample->channels + c] / 255.0;
        }
    return fmin(fmax(sum / total, 0), 1);
}

static void assert_plain(const struct invar_sample *sample, int height, int width, struct invar_plain_view plain)
{
    const double side = height < width ? height : width, grown = plain.resize ? (double)plain.resize / side : 1;
    const int fit_height = (int)floor(height * grown + 1e-9), fit_width = (int)floor(width * grown + 1e-9);
    static float got[LARGE];
    struct invar_error err = {0};
    struct invar_view_output output = subject_output(height, width, sample->channels);
    output.plain = plain;
    for (int c = 0; c < sample->channels; c++) {
        output.mean[c] = 0.4f + 0.05f * (float)c;
        output.deviation[c] = 0.2f + 0.05f * (float)c;
    }
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
    assert_ok(workspace, &err);
    for (int i = 0; i < LARGE; i++)
        got[i] = NAN;
    assert_ok(invar_view_plain(&output, sample, workspace, got, &err), &err);

    /* Both sides are scaled alike, so that the image just covers the output; then the middle is taken. */
    int covered_height = fit_height, covered_width = fit_width;
    if ((double)fit_width / sample->width >= (double)fit_height / sample->height)
        covered_height = sample->height * fit_width / sample->width;
    else
        covered_width = sample->width * fit_height / sample->height;
    const double scale_y = (double)sample->height / covered_height, scale_x = (double)sample->width / covered_width;
    const double top = nearbyint((covered_height - height) / 2.0), left = nearbyint((covered_width - width) / 2.0);
    for (int c = 0; c < sample->channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                const double value =
                    filtered(sample, plain.interpolation ? cubic : triangle, c, (top + y + 0.5) * scale_y,
                             (left + x + 0.5) * scale_x, fmax(scale_y, 1.0), fmax(scale_x, 1.0));
                const double expected = (value - (double)output.mean[c]) / (double)output.deviation[c];
                assert_near(got[(c * height + y) * width + x], expected, 1e-5);
            }
    invar_view_workspace_free(workspace);
}

static void test_resized_and_cropped(void **state)
{
    (void)state;
    const int sizes[][5] = {
        /* sample height, width, channels; output height, width */
        {40, 60, 3, 16, 16}, {61, 37, 3, 16, 16}, {20, 20, 3, 32, 32}, {28, 28, 1, 32, 32}, {33, 50, 5, 20, 28},
        {50, 33, 1, 28, 20}, {1, 1, 3, 8, 8},     {1, 40, 1, 4, 4},    {40, 1, 1, 4, 4},    {2, 3, 3, 1, 1},
        {90, 200, 1, 7, 7},  {32, 48, 3, 32, 32}, {48, 32, 3, 32, 32}, {16, 16, 3, 8, 24},
    };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct invar_sample sample = subject_sample(sizes[i][0], sizes[i][1], sizes[i][2], (int64_t)i);
        for (int way = 0; way < 4; way++) { /* as they fit, and a seventh more of it */
            const int side = sizes[i][3] < sizes[i][4] ? sizes[i][3] : sizes[i][4];
            const struct invar_plain_view plain = {way / 2 ? side * 8 / 7 : 0,
                                                   way % 2 ? INVAR_BICUBIC : INVAR_BILINEAR};
            assert_plain(&sample, sizes[i][3], sizes[i][4], plain);
        }
        subject_free(&sample);
    }
}

static void test_equal_sizes_are_exact(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_view_output output = subject_output(30, 20, 3);
    struct invar_sample sample = subject_sample(30, 20, 3, 5);
    static float got[30 * 20 * 3];
    output.mean[0] = output.mean[1] = output.mean[2] = 0.45f;
    output.deviation[0] = output.deviation[1] = output.deviation[2] = 0.22f;
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
    assert_ok(workspace, &err);
    assert_ok(invar_view_plain(&output, &sample, workspace, got, &err), &err);
    for (int i = 0; i < 30 * 20 * 3; i++)
        assert_true(got[i / 3 + i % 3 * 600] == ((float)((const uint8_t *)sample.data)[i] / 255.0f - 0.45f) / 0.22f);
    invar_view_workspace_free(workspace);
    subject_free(&sample);
}

/* A flat image stays flat at any size: weights add up to 1, at the edges too. */
static void test_flat_stays_flat(void **state)
{
    (void)state;
    static uint8_t data[300 * 500];
    static float got[64 * 64];
    memset(data, 200, sizeof(data));
    for (int height = 1; height <= 300; height += 37)
        for (int width = 1; width <= 500; width += 83) {
            struct invar_error err = {0};
            const struct invar_view_output output = subject_output(64, 64, 1);
            const struct invar_sample sample = {INVAR_DATA_IMAGE, INVAR_UINT8, height, width, 1, data, 0, -1, -1};
            struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
            assert_ok(workspace, &err);
            assert_ok(invar_view_plain(&output, &sample, workspace, got, &err), &err);
            for (int i = 0; i < 64 * 64; i++)
                assert_near(got[i], 200.0 / 255.0, 1e-6);
            invar_view_workspace_free(workspace);
        }
}

static void test_texts_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t resize;
        enum invar_interpolation interpolation;
    } good[] = {{"256,bicubic", 256, INVAR_BICUBIC},
                {"256", 256, INVAR_BILINEAR},
                {"40,bilinear", 40, INVAR_BILINEAR},
                {"bicubic", 0, INVAR_BICUBIC}};
    static const char *const bad[] = {"", "256,", "256,nearest", "256 bicubic", "-4", "cubic", "99999999"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct invar_plain_view plain;
        struct invar_error err = {0};
        assert_ok(invar_plain_view_read(&plain, good[i].text, &err), &err);
        assert_true(plain.resize == good[i].resize && plain.interpolation == good[i].interpolation);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct invar_plain_view plain;
        struct invar_error err = {0};
        assert_refused(invar_plain_view_read(&plain, bad[i], &err), &err, INVAR_ERROR_USAGE, "as in 256,bicubic");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_read),
        cmocka_unit_test(test_resized_and_cropped),
        cmocka_unit_test(test_equal_sizes_are_exact),
        cmocka_unit_test(test_flat_stays_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
