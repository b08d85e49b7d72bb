/* SPDX-License-Identifier: Apache-2.0 */
/* Views of clips: each operation against a plain computation, and batches that do not depend on threads. */
#include "test.h"
#include "invar/memory.h"
#include "invar/view.h"

#include <omp.h>

TEST_COVERS("view.time_crop view.time_shift view.loudness view.background view.background_snr view.noise "
            "view.noise_snr view.time_masks view.time_mask view.frequency_masks view.frequency_mask");

enum { RATE = 8000, MELS = 20, FRAMES = 16, N_FFT = 256, HOP = 80, SPAN = N_FFT + (FRAMES - 1) * HOP };
enum { LONG = 3 * SPAN, SHORT = SPAN / 2, COUNT = 6, IMAGE = MELS * FRAMES };

static float wave[COUNT][LONG];
static struct invar_sample samples[COUNT];

static int setup(void **state)
{
    (void)state;
    for (int s = 0; s < COUNT; s++) {
        for (int i = 0; i < LONG; i++)
            wave[s][i] = (float)(0.3 * sin(0.1 * (s + 1) * i) + 0.1 * sin(0.00007 * i * i));
        samples[s] = (struct invar_sample){.kind = INVAR_DATA_AUDIO,
                                           .dtype = INVAR_FLOAT32,
                                           .height = 1,
                                           .width = s % 2 ? SHORT : LONG,
                                           .channels = 1,
                                           .data = wave[s],
                                           .index = s,
                                           .label = -1,
                                           .group = -1};
    }
    return 0;
}

static struct invar_dataset_info info(void)
{
    struct invar_dataset_info result = {.kind = INVAR_DATA_AUDIO,
                                        .rank = 3,
                                        .height = MELS,
                                        .width = FRAMES,
                                        .channels = 1,
                                        .logmel = {RATE, N_FFT, HOP, MELS, 0, RATE / 2}};
    result.mean[0] = -5;
    result.deviation[0] = 2;
    return result;
}

static struct invar_view_options options(bool anything)
{
    struct invar_view_options result;
    invar_options_default(invar_view_option_table, &result);
    if (!anything) {
        result.clips.time_crop = result.clips.time_shift = result.clips.loudness = result.clips.noise =
            result.clips.background = 0;
        result.clips.time_masks = result.clips.frequency_masks = 0;
    }
    return result;
}

static void make(const struct invar_view_options *views, const struct invar_sample *from, int64_t count, float *out)
{
    struct invar_error err = {0};
    const struct invar_dataset_info data = info();
    struct invar_view_maker *maker = invar_view_maker_create(views, &data, &err);
    assert_ok(maker, &err);
    assert_ok(invar_view_maker_batch(maker, from, count, 7, 3, out, &err), &err);
    invar_view_maker_free(maker);
}

static void plain(const struct invar_sample *from, int64_t count, float *out)
{
    struct invar_error err = {0};
    const struct invar_dataset_info data = info();
    const struct invar_view_options views = options(false);
    struct invar_view_maker *maker = invar_view_maker_create(&views, &data, &err);
    assert_ok(maker, &err);
    assert_ok(invar_view_maker_plain(maker, from, count, out, &err), &err);
    invar_view_maker_free(maker);
}

/* The standardised spectrogram of clip[start ..), silence outside. */
static void expect(const float *clip, int samples_of_it, int start, float *out)
{
    struct invar_error err = {0};
    const struct invar_dataset_info data = info();
    struct invar_logmel *logmel = invar_logmel_create(&data.logmel, &err);
    static float window[SPAN];
    assert_ok(logmel, &err);
    for (int i = 0; i < SPAN; i++)
        window[i] = start + i >= 0 && start + i < samples_of_it ? clip[start + i] : 0;
    invar_logmel_apply(logmel, window, SPAN, 1, FRAMES, out);
    for (int i = 0; i < IMAGE; i++)
        out[i] = (out[i] - data.mean[0]) / data.deviation[0];
    invar_logmel_free(logmel);
}

static double distance(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < IMAGE; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum / IMAGE);
}

static void without_operations_a_view_is_plain(void **state)
{
    (void)state;
    static float views[2 * COUNT * IMAGE], clean[COUNT * IMAGE], expected[IMAGE];
    const struct invar_view_options none = options(false);
    make(&none, samples, COUNT, views);
    plain(samples, COUNT, clean);
    for (int s = 0; s < COUNT; s++) {
        expect(wave[s], samples[s].width, 0, expected);
        assert_memory_equal(clean + s * IMAGE, expected, sizeof expected);
    }
    assert_memory_equal(views, clean, sizeof clean);
    assert_memory_equal(views + COUNT * IMAGE, clean, sizeof clean);
}

static void crops_and_shifts_lie_where_they_were_drawn(void **state)
{
    (void)state;
    static float views[COUNT * IMAGE], expected[IMAGE];
    struct invar_view_options views_of = options(false);
    views_of.count = 1;
    views_of.clips.time_crop = 0.5;
    views_of.clips.time_shift = 0.25;
    make(&views_of, samples, COUNT, views);
    for (int s = 0; s < COUNT; s++) {
        struct invar_view_params params;
        invar_view_draw(&params, &views_of, 7, 3, &samples[s], 0);
        assert_true(params.time_place >= 0 && params.time_place < 0.5f && fabsf(params.time_shift) <= 0.25f);
        int rest = samples[s].width > SPAN ? samples[s].width - SPAN : 0;
        expect(wave[s], samples[s].width,
               (int)(params.time_place * (float)rest) + (int)lround((double)params.time_shift * SPAN), expected);
        assert_true(distance(views + s * IMAGE, expected) < 1e-5);
    }
}

static void loudness_adds_to_a_logarithm(void **state)
{
    (void)state;
    static float views[IMAGE], clean[IMAGE];
    struct invar_view_options views_of = options(false);
    struct invar_view_params params;
    views_of.count = 1;
    views_of.clips.loudness = 12;
    make(&views_of, samples, 1, views);
    plain(samples, 1, clean);
    invar_view_draw(&params, &views_of, 7, 3, &samples[0], 0);
    for (int i = 0; i < IMAGE; i++)
        if (clean[i] > 4) /* far above the offset */
            assert_near(views[i] - clean[i], 2 * log((double)params.loudness) / 2, 1e-3);
}

/* The added waveform has the power that its ratio says: measured through the spectrogram of noise in silence would be
 * indirect, so strong noise must change much and weak noise nothing. */
static void noise_follows_its_ratio(void **state)
{
    (void)state;
    static float weak[IMAGE], strong[IMAGE], clean[IMAGE];
    struct invar_view_options views_of = options(false);
    views_of.count = 1;
    views_of.clips.noise = 1;
    plain(samples, 1, clean);
    views_of.clips.noise_snr = (struct invar_real_list){1, {120}};
    make(&views_of, samples, 1, weak);
    assert_true(distance(weak, clean) < 1e-2);
    views_of.clips.noise_snr = (struct invar_real_list){1, {0}};
    make(&views_of, samples, 1, strong);
    assert_true(distance(strong, clean) > 1);
    /* Silence has no power to compare noise with. */
    static float silence[LONG];
    struct invar_sample silent = samples[0];
    silent.data = silence;
    plain(&silent, 1, clean);
    make(&views_of, &silent, 1, strong);
    assert_memory_equal(strong, clean, sizeof clean);
}

static void background_is_another_clip(void **state)
{
    (void)state;
    static float pair[2 * IMAGE], alone[IMAGE], clean[2 * IMAGE], expected[IMAGE], mixed[SPAN];
    struct invar_view_options views_of = options(false);
    views_of.count = 1;
    views_of.clips.background = 1;
    views_of.clips.background_snr = (struct invar_real_list){1, {6}};
    const struct invar_sample two[] = {samples[0], samples[1]};
    make(&views_of, two, 2, pair);
    plain(two, 2, clean);
    double power = 0, beside = 0;
    for (int i = 0; i < SPAN; i++) {
        power += (double)wave[0][i] * (double)wave[0][i];
        beside += i < SHORT ? (double)wave[1][i] * (double)wave[1][i] : 0;
    }
    for (int i = 0; i < SPAN; i++)
        mixed[i] = wave[0][i] + (i < SHORT ? (float)sqrt(power / beside * pow(10, -0.6)) * wave[1][i] : 0);
    expect(mixed, SPAN, 0, expected);
    assert_true(distance(pair, expected) < 1e-3 && distance(pair, clean) > 1e-2);
    make(&views_of, two, 1, alone); /* a batch of one has no other */
    assert_memory_equal(alone, clean, sizeof alone);
}

static void masks_are_zero(void **state)
{
    (void)state;
    static float views[COUNT * IMAGE], clean[COUNT * IMAGE];
    struct invar_view_options views_of = options(false);
    views_of.count = 1;
    views_of.clips.time_masks = 2;
    views_of.clips.frequency_masks = 1;
    views_of.clips.time_mask = views_of.clips.frequency_mask = 0.4;
    make(&views_of, samples, COUNT, views);
    plain(samples, COUNT, clean);
    int masked = 0;
    for (int s = 0; s < COUNT; s++) {
        bool row[MELS], column[FRAMES];
        const float *view = views + s * IMAGE, *whole = clean + s * IMAGE;
        int rows = 0;
        for (int y = 0; y < MELS; y++) {
            row[y] = true;
            for (int x = 0; x < FRAMES; x++)
                row[y] = row[y] && view[y * FRAMES + x] == 0.0f;
            rows += row[y];
        }
        for (int x = 0; x < FRAMES; x++) {
            column[x] = true;
            for (int y = 0; y < MELS; y++)
                column[x] = column[x] && view[y * FRAMES + x] == 0.0f;
            masked += column[x];
        }
        masked += rows;
        assert_true(rows <= (int)(0.4 * MELS + 0.5));
        for (int y = 0; y < MELS; y++)
            for (int x = 0; x < FRAMES; x++)
                assert_true(row[y] || column[x] || view[y * FRAMES + x] == whole[y * FRAMES + x]);
    }
    assert_true(masked > COUNT);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    static float first[2 * COUNT * IMAGE], other[2 * COUNT * IMAGE];
    struct invar_view_options all = options(true);
    all.clips.background = all.clips.noise = 0.5;
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    make(&all, samples, COUNT, first);
    omp_set_num_threads(3);
    make(&all, samples, COUNT, other);
    omp_set_num_threads(before);
    assert_memory_equal(first, other, sizeof first);
    assert_true(distance(first, first + COUNT * IMAGE) > 1e-2);
    for (int i = 0; i < 2 * COUNT * IMAGE; i++)
        assert_true(isfinite(first[i]));
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_dataset_info data = info();
    struct invar_view_options views_of = options(true);
    views_of.local = 1;
    views_of.local_size = 8;
    assert_refused(invar_view_maker_create(&views_of, &data, &err), &err, INVAR_ERROR_USAGE, "only images have them");
    views_of = options(true);
    views_of.clips.noise_snr = (struct invar_real_list){2, {10, 5}};
    assert_refused(invar_view_maker_create(&views_of, &data, &err), &err, INVAR_ERROR_USAGE, "views.noise_snr");
    views_of = options(true);
    data.height = 32;
    assert_refused(invar_view_maker_create(&views_of, &data, &err), &err, INVAR_ERROR_DATA, "set data.mels=32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_operations_a_view_is_plain),
        cmocka_unit_test(crops_and_shifts_lie_where_they_were_drawn),
        cmocka_unit_test(loudness_adds_to_a_logarithm),
        cmocka_unit_test(noise_follows_its_ratio),
        cmocka_unit_test(background_is_another_clip),
        cmocka_unit_test(masks_are_zero),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
