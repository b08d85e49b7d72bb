/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation against a slow obvious reference in double precision, written from its definition. */
#include "subject.h"

TEST_COVERS("view.interpolation view.blur_kernel view.solarise_threshold");

#define TOLERANCE 1e-5
#define LARGE (48 * 48 * 5)

/* A planar image in double precision. */
struct picture {
    int height, width, channels;
    double value[LARGE];
};

static double *at(struct picture *picture, int c, int y, int x)
{
    return &picture->value[(c * picture->height + y) * picture->width + x];
}

static double limit(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static double pixel(const struct invar_sample *sample, int c, int y, int x)
{
    return ((const uint8_t *)sample->data)[(y * sample->width + x) * sample->channels + c] / 255.0;
}

static double kernel(double distance, bool cubic)
{
    const double d = fabs(distance), a = -0.75;
    if (!cubic)
        return d < 1.0 ? 1.0 - d : 0.0;
    if (d <= 1.0)
        return (a + 2.0) * pow(d, 3) - (a + 3.0) * pow(d, 2) + 1.0;
    return d < 2.0 ? a * pow(d, 3) - 5.0 * a * pow(d, 2) + 8.0 * a * d - 4.0 * a : 0.0;
}

/* Every pixel near enough to count, those outside the box replaced by its edge. */
static void reference_crop(struct picture *out, const struct invar_sample *sample,
                           const struct invar_view_params *params, bool cubic)
{
    const int left = (int)params->crop_x, right = (int)ceilf(params->crop_x + params->crop_width) - 1;
    const int top = (int)params->crop_y, bottom = (int)ceilf(params->crop_y + params->crop_height) - 1;

    for (int c = 0; c < out->channels; c++)
        for (int y = 0; y < out->height; y++)
            for (int x = 0; x < out->width; x++) {
                const double v = (double)params->crop_y + (y + 0.5) * (double)params->crop_height / out->height - 0.5;
                const double u = (double)params->crop_x + (x + 0.5) * (double)params->crop_width / out->width - 0.5;
                double sum = 0.0;
                for (int j = (int)floor(v) - 2; j <= (int)floor(v) + 3; j++)
                    for (int i = (int)floor(u) - 2; i <= (int)floor(u) + 3; i++)
                        sum += kernel(v - j, cubic) * kernel(u - i, cubic) *
                               pixel(sample, c, (int)limit(j, top, bottom), (int)limit(i, left, right));
                *at(out, c, y, params->flip ? out->width - 1 - x : x) = limit(sum, 0.0, 1.0);
            }
}

static double luma(struct picture *picture, int y, int x)
{
    if (picture->channels == 1)
        return *at(picture, 0, y, x);
    return 0.299 * *at(picture, 0, y, x) + 0.587 * *at(picture, 1, y, x) + 0.114 * *at(picture, 2, y, x);
}

/* The textbook conversion to HSV and back, by cases. */
static void reference_hue_pixel(double rgb[3], double shift)
{
    const double value = fmax(rgb[0], fmax(rgb[1], rgb[2])), low = fmin(rgb[0], fmin(rgb[1], rgb[2]));
    const double spread = value - low, saturation = value > 0.0 ? spread / value : 0.0;
    double hue = 0.0;
    if (spread > 0.0 && value == rgb[0])
        hue = (rgb[1] - rgb[2]) / spread;
    else if (spread > 0.0 && value == rgb[1])
        hue = 2.0 + (rgb[2] - rgb[0]) / spread;
    else if (spread > 0.0)
        hue = 4.0 + (rgb[0] - rgb[1]) / spread;
    hue = hue / 6.0 + shift;
    hue = 6.0 * (hue - floor(hue));
    const int sector = (int)hue % 6;
    const double f = hue - floor(hue);
    const double p = value * (1.0 - saturation), q = value * (1.0 - saturation * f);
    const double t = value * (1.0 - saturation * (1.0 - f));
    const double table[6][3] = {{value, t, p}, {q, value, p}, {p, value, t},
                                {p, q, value}, {t, p, value}, {value, p, q}};
    for (int c = 0; c < 3; c++)
        rgb[c] = table[sector][c];
}

static void reference_jitter(struct picture *picture, const struct invar_view_params *params)
{
    for (int k = 0; k < 4; k++) {
        double mean = 0.0;
        for (int y = 0; y < picture->height; y++)
            for (int x = 0; x < picture->width; x++)
                mean += luma(picture, y, x) / (picture->height * picture->width);
        for (int y = 0; y < picture->height; y++)
            for (int x = 0; x < picture->width; x++) {
                const double gray = luma(picture, y, x);
                double rgb[3] = {0};
                for (int c = 0; c < picture->channels; c++)
                    rgb[c] = *at(picture, c, y, x);
                if (params->jitter_order[k] == 3 && picture->channels == 3)
                    reference_hue_pixel(rgb, (double)params->hue);
                for (int c = 0; c < picture->channels; c++) {
                    const double f[3] = {(double)params->brightness, (double)params->contrast,
                                         (double)params->saturation};
                    const double other[3] = {0.0, mean, gray};
                    const int kind = params->jitter_order[k];
                    if (kind < 2 || (kind == 2 && picture->channels == 3))
                        rgb[c] = limit(f[kind] * rgb[c] + (1.0 - f[kind]) * other[kind], 0.0, 1.0);
                    *at(picture, c, y, x) = rgb[c];
                }
            }
    }
}

static int mirror(int i, int size)
{
    while (size > 1 && (i < 0 || i >= size))
        i = i < 0 ? -i : 2 * (size - 1) - i;
    return size > 1 ? i : 0;
}

/* One two-dimensional sum over the whole kernel. */
static void reference_blur(struct picture *picture, double sigma, int kernel)
{
    static struct picture from;
    const int side = picture->height < picture->width ? picture->height : picture->width;
    int size = side / 10, radius;
    double total = 0.0;
    from = *picture;
    if (size % 2 == 0)
        size++;
    radius = kernel > 0 ? kernel / 2 : size < 3 ? 1 : size / 2;
    for (int j = -radius; j <= radius; j++)
        for (int i = -radius; i <= radius; i++)
            total += exp(-(i * i + j * j) / (2.0 * sigma * sigma));
    for (int c = 0; c < from.channels; c++)
        for (int y = 0; y < from.height; y++)
            for (int x = 0; x < from.width; x++) {
                double sum = 0.0;
                for (int j = -radius; j <= radius; j++)
                    for (int i = -radius; i <= radius; i++)
                        sum += exp(-(i * i + j * j) / (2.0 * sigma * sigma)) *
                               *at(&from, c, mirror(y + j, from.height), mirror(x + i, from.width));
                *at(picture, c, y, x) = sum / total;
            }
}

static void reference_rest(struct picture *picture, const struct invar_view_params *params, int kernel)
{
    struct invar_view_params copy = *params;
    const struct subject_solarise *solarise = subject_solarise(&copy);
    const int pixels = picture->height * picture->width;
    if (picture->channels != 1 && picture->channels != 3)
        for (int i = 0; i < picture->channels * pixels; i++)
            picture->value[i] =
                (double)params->gain[i / pixels] * picture->value[i] + (double)params->offset[i / pixels];
    if (params->grayscale)
        for (int y = 0; y < picture->height; y++)
            for (int x = 0; x < picture->width; x++)
                *at(picture, 0, y, x) = *at(picture, 1, y, x) = *at(picture, 2, y, x) = luma(picture, y, x);
    if (params->blur_sigma > 0.0f)
        reference_blur(picture, (double)params->blur_sigma, kernel);
    for (int i = 0; solarise->on && i < picture->channels * pixels; i++)
        if (picture->value[i] >= (double)solarise->threshold)
            picture->value[i] = 1.0 - picture->value[i];
}

/* The view and the reference agree. */
static void assert_view(const struct invar_sample *sample, const struct invar_view_params *params,
                        const struct invar_view_output *output)
{
    static struct picture expected;
    static float got[LARGE];
    const int pixels = output->height * output->width, count = output->channels * pixels;
    struct invar_error err = {0};
    struct invar_view_workspace *workspace = invar_view_workspace_create(output, &err);

    assert_ok(workspace, &err);
    assert_true(count <= LARGE);
    for (int i = 0; i < count; i++)
        got[i] = NAN;
    assert_ok(invar_view_apply(params, output, sample, workspace, got, &err), &err);
    expected.height = output->height;
    expected.width = output->width;
    expected.channels = output->channels;
    reference_crop(&expected, sample, params, output->interpolation == 1);
    if (params->jitter)
        reference_jitter(&expected, params);
    reference_rest(&expected, params, output->blur_kernel);
    for (int i = 0; i < count; i++) {
        const double value =
            (expected.value[i] - (double)output->mean[i / pixels]) / (double)output->deviation[i / pixels];
        assert_near(got[i], value, TOLERANCE);
    }
    invar_view_workspace_free(workspace);
}

static const int shapes[][3] = {{1, 1, 1},   {1, 1, 3},   {1, 9, 3},   {7, 1, 1},   {2, 3, 3},
                                {28, 28, 1}, {32, 32, 3}, {17, 45, 3}, {45, 33, 5}, {2, 2, 2}};
#define EACH_SAMPLE(s)                                                                                                 \
    for (size_t shape = 0; shape < sizeof(shapes) / sizeof(shapes[0]); shape++)                                        \
        for (struct invar_sample s = subject_sample(shapes[shape][0], shapes[shape][1], shapes[shape][2], 3); s.data;  \
             subject_free(&s))

static void test_crop_and_flip(void **state)
{
    (void)state;
    struct invar_random random = invar_random_stream(5, INVAR_RANDOM_TEST, 0, 0, 0);
    const int sizes[][2] = {{32, 32}, {28, 20}, {1, 1}, {40, 48}, {3, 5}};
    EACH_SAMPLE(sample)
    {
        for (size_t i = 0; i < 5 * 4; i++) {
            struct invar_view_output output = subject_output(sizes[i / 4][0], sizes[i / 4][1], sample.channels);
            struct invar_view_params params = subject_params(&sample);
            output.interpolation = i % 4 / 2;
            params.flip = i % 2;
            params.crop_width = (float)(1 + invar_random_below(&random, (uint32_t)sample.width));
            params.crop_height = (float)(1 + invar_random_below(&random, (uint32_t)sample.height));
            params.crop_x = (float)invar_random_below(&random, (uint32_t)(sample.width - (int)params.crop_width + 1));
            params.crop_y = (float)invar_random_below(&random, (uint32_t)(sample.height - (int)params.crop_height + 1));
            assert_view(&sample, &params, &output);
        }
    }
}

static void test_crop_between_pixels(void **state)
{
    (void)state;
    struct invar_sample sample = subject_sample(20, 30, 3, 1);
    struct invar_view_params params = subject_params(&sample);
    struct invar_view_output output = subject_output(16, 16, 3);
    params.crop_x = 3.25f;
    params.crop_y = 2.5f;
    params.crop_width = 20.5f;
    params.crop_height = 17.5f;
    assert_view(&sample, &params, &output);
    output.interpolation = 1;
    assert_view(&sample, &params, &output);
    subject_free(&sample);
}

/* What lies outside the box cannot be seen. */
static void test_crop_never_reads_outside(void **state)
{
    (void)state;
    uint8_t data[12 * 12];
    const struct invar_sample sample = {INVAR_DATA_IMAGE, INVAR_UINT8, 12, 12, 1, data, 0, -1, -1};
    struct invar_view_params params = subject_params(&sample);
    memset(data, 255, sizeof(data));
    for (int y = 4; y < 8; y++)
        memset(data + 12 * y + 3, 0, 5);
    params.crop_x = 3;
    params.crop_y = 4;
    params.crop_width = 5;
    params.crop_height = 4;
    for (int cubic = 0; cubic < 2; cubic++) {
        struct invar_view_output output = subject_output(16, 16, 1);
        struct invar_error err = {0};
        float out[256];
        output.interpolation = (enum invar_interpolation)cubic;
        struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
        assert_ok(workspace, &err);
        assert_ok(invar_view_apply(&params, &output, &sample, workspace, out, &err), &err);
        for (int i = 0; i < 256; i++)
            assert_true(out[i] == 0.0f);
        invar_view_workspace_free(workspace);
    }
}

static void test_jitter(void **state)
{
    (void)state;
    struct invar_view_options options = subject_identity();
    options.image.jitter = 1.0;
    options.image.brightness = options.image.contrast = options.image.saturation = 0.9;
    options.image.hue = 0.5;
    EACH_SAMPLE(sample)
    {
        const struct invar_view_output output = subject_output(sample.height, sample.width, sample.channels);
        for (uint64_t epoch = 0; epoch < 30; epoch++) {
            struct invar_view_params params;
            invar_view_draw(&params, &options, 3, epoch, &sample, 0);
            assert_view(&sample, &params, &output);
        }
    }
}

static void test_jitter_one_at_a_time(void **state)
{
    (void)state;
    struct invar_sample sample = subject_sample(32, 32, 3, 9);
    const struct invar_view_output output = subject_output(32, 32, 3);
    const float factors[] = {0.0f, 0.3f, 1.0f, 1.7f};
    for (int i = 0; i < 4; i++) {
        struct invar_view_params params[4];
        for (int k = 0; k < 4; k++) {
            params[k] = subject_params(&sample);
            params[k].jitter = true;
        }
        params[0].brightness = params[1].contrast = params[2].saturation = factors[i];
        params[3].hue = factors[i] - 0.85f > 0.5f ? 0.5f : factors[i] - 0.5f;
        for (int k = 0; k < 4; k++)
            assert_view(&sample, &params[k], &output);
    }
    subject_free(&sample);
}

/* The corners and edges of the colour cube, where two channels tie. */
static void test_hue_of_pure_colours(void **state)
{
    (void)state;
    uint8_t data[27 * 3];
    const struct invar_sample sample = {INVAR_DATA_IMAGE, INVAR_UINT8, 3, 9, 3, data, 0, -1, -1};
    const struct invar_view_output output = subject_output(3, 9, 3);
    const uint8_t levels[3] = {0, 128, 255};
    for (int i = 0; i < 27; i++) {
        data[3 * i] = levels[i / 9];
        data[3 * i + 1] = levels[i / 3 % 3];
        data[3 * i + 2] = levels[i % 3];
    }
    for (int step = -6; step <= 6; step++) {
        struct invar_view_params params = subject_params(&sample);
        params.jitter = true;
        params.hue = (float)step / 12.0f;
        assert_view(&sample, &params, &output);
    }
}

static void test_grayscale_blur_solarise_gain(void **state)
{
    (void)state;
    EACH_SAMPLE(sample)
    {
        const struct invar_view_output output = subject_output(sample.height, sample.width, sample.channels);
        struct invar_view_params params = subject_params(&sample);
        params.grayscale = sample.channels == 3;
        assert_view(&sample, &params, &output);
        params.grayscale = false;
        for (float sigma = 0.1f; sigma < 3.0f; sigma *= 1.7f) {
            params.blur_sigma = sigma;
            assert_view(&sample, &params, &output);
        }
        params.blur_sigma = 0.0f;
        *subject_solarise(&params) = (struct subject_solarise){sample.channels == 1 || sample.channels == 3, 0.5f};
        assert_view(&sample, &params, &output);
        subject_solarise(&params)->on = false;
        for (int c = 0; c < sample.channels; c++) {
            params.gain[c] = 0.8f + 0.1f * (float)c;
            params.offset[c] = 0.05f * (float)c - 0.1f;
        }
        assert_view(&sample, &params, &output);
    }
}

/* A wide kernel (11 taps a side at 110 pixels), on one channel so that the reference stays quick. */
static void test_wide_blur(void **state)
{
    (void)state;
    struct invar_sample sample = subject_sample(105, 109, 1, 2);
    const struct invar_view_output output = subject_output(105, 109, 1);
    struct invar_view_params params = subject_params(&sample);
    params.blur_sigma = 1.9f;
    assert_view(&sample, &params, &output);
    subject_free(&sample);
}

/* A kernel of its own size: narrower than the rule's, wider, and wider than the image. */
static void test_given_kernel(void **state)
{
    (void)state;
    EACH_SAMPLE(sample)
    {
        struct invar_view_output output = subject_output(sample.height, sample.width, sample.channels);
        struct invar_view_params params = subject_params(&sample);
        params.blur_sigma = 1.9f;
        for (int kernel = 1; kernel <= 13; kernel += 6) {
            output.blur_kernel = kernel;
            assert_view(&sample, &params, &output);
        }
    }
}

/* Everything in its order. Solarise jumps at its threshold, where rounding may fall on either side: left out. */
static void test_whole_chain(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    options.image.jitter = 1.0;
    subject_set(&options, "solarise=0");
    options.image.blur = (struct invar_real_list){1, {0.5}};
    EACH_SAMPLE(sample)
    {
        struct invar_view_output output = subject_output(32, 24, sample.channels);
        for (int c = 0; c < 16; c++) {
            output.mean[c] = 0.4f + 0.02f * (float)c;
            output.deviation[c] = 0.2f + 0.03f * (float)c;
        }
        for (uint64_t epoch = 0; epoch < 20; epoch++) {
            struct invar_view_params params;
            invar_view_draw(&params, &options, 4, epoch, &sample, 1);
            output.interpolation = epoch % 2;
            assert_view(&sample, &params, &output);
        }
    }
}

static void test_identity_is_exact(void **state)
{
    (void)state;
    EACH_SAMPLE(sample)
    {
        struct invar_error err = {0};
        struct invar_view_output output = subject_output(sample.height, sample.width, sample.channels);
        const struct invar_view_params params = subject_params(&sample);
        static float got[LARGE];
        for (int c = 0; c < 16; c++) {
            output.mean[c] = 0.3f;
            output.deviation[c] = 0.27f;
        }
        for (int cubic = 0; cubic < 2; cubic++) {
            output.interpolation = (enum invar_interpolation)cubic;
            struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
            assert_ok(workspace, &err);
            assert_ok(invar_view_apply(&params, &output, &sample, workspace, got, &err), &err);
            const int pixels = sample.height * sample.width;
            for (int i = 0; i < pixels * sample.channels; i++) {
                const uint8_t byte = ((const uint8_t *)sample.data)[i % pixels * sample.channels + i / pixels];
                assert_true(got[i] == ((float)byte / 255.0f - 0.3f) / 0.27f);
            }
            invar_view_workspace_free(workspace);
        }
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_view_output output = subject_output(8, 8, 3), other = subject_output(8, 9, 3);
    struct invar_sample sample = subject_sample(8, 8, 3, 42);
    struct invar_view_params params = subject_params(&sample), bad = params;
    float out[8 * 9 * 3];
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);

    assert_ok(workspace, &err);
    assert_refused(invar_view_apply(&params, &other, &sample, workspace, out, &err), &err, INVAR_ERROR_USAGE, "8 x 9");
    bad.crop_x = 1.0f;
    assert_refused(invar_view_apply(&bad, &output, &sample, workspace, out, &err), &err, INVAR_ERROR_DATA, "crop box");
    bad.crop_x = NAN;
    assert_refused(invar_view_apply(&bad, &output, &sample, workspace, out, &err), &err, INVAR_ERROR_DATA, "crop box");
    sample.channels = 1;
    assert_refused(invar_view_apply(&params, &output, &sample, workspace, out, &err), &err, INVAR_ERROR_DATA,
                   "sample 42: has 1 channels");
    sample.channels = 3;
    sample.dtype = INVAR_FLOAT64;
    assert_refused(invar_view_plain(&output, &sample, workspace, out, &err), &err, INVAR_ERROR_DATA, "uint8");
    sample.dtype = INVAR_UINT8;
    sample.height = 0;
    assert_refused(invar_view_plain(&output, &sample, workspace, out, &err), &err, INVAR_ERROR_DATA, "0 x 8");
    invar_view_workspace_free(workspace);
    invar_view_workspace_free(NULL);
    output.channels = 17;
    assert_refused(invar_view_workspace_create(&output, &err), &err, INVAR_ERROR_USAGE, "17 channels");
    output.channels = 3;
    output.deviation[1] = NAN;
    assert_refused(invar_view_workspace_create(&output, &err), &err, INVAR_ERROR_DATA, "channel 1");
    output.deviation[1] = 1.0f;
    output.height = 0;
    assert_refused(invar_view_workspace_create(&output, &err), &err, INVAR_ERROR_USAGE, "data.size");
    subject_free(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop_and_flip),
        cmocka_unit_test(test_crop_between_pixels),
        cmocka_unit_test(test_crop_never_reads_outside),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_jitter_one_at_a_time),
        cmocka_unit_test(test_hue_of_pure_colours),
        cmocka_unit_test(test_grayscale_blur_solarise_gain),
        cmocka_unit_test(test_wide_blur),
        cmocka_unit_test(test_given_kernel),
        cmocka_unit_test(test_whole_chain),
        cmocka_unit_test(test_identity_is_exact),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
