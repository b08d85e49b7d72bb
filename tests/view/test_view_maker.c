/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: the same bits for any number of threads and any order, no allocation, the option table, refusals. */
#include "subject.h"

#include <omp.h>
#include <stdatomic.h>

TEST_COVERS("view.clean view.local_size view.mix view.mix_share view.mix_alpha");

#define COUNT 37
#define SIDE 32
#define CHANNELS 3
#define IMAGE (SIDE * SIDE * CHANNELS)
#define SEED 21

#if defined(__SANITIZE_ADDRESS__)
#define COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNTED 0
#endif
#endif
#if !defined(COUNTED) && defined(__GLIBC__)
#define COUNTED 1
#endif

static atomic_long allocations;

#if COUNTED
/* Every way to get memory in this program, counted. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}
void *aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size)
{
    allocations++;
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : 12;
}
#endif

static struct invar_sample samples[COUNT];
static float batch[3 * COUNT * IMAGE], other[3 * COUNT * IMAGE];

static struct invar_dataset_info info(void)
{
    struct invar_dataset_info result = {.height = SIDE, .width = SIDE, .channels = CHANNELS, .varying = true};
    for (int c = 0; c < 16; c++) {
        result.mean[c] = 0.5f;
        result.deviation[c] = 0.25f;
    }
    return result;
}

static struct invar_view_maker *maker_create(const struct invar_view_options *options)
{
    struct invar_error err = {0};
    const struct invar_dataset_info data = info();
    struct invar_view_maker *maker = invar_view_maker_create(options, &data, &err);
    assert_ok(maker, &err);
    return maker;
}

static void make(struct invar_view_maker *maker, const struct invar_sample *from, int64_t count, float *out)
{
    struct invar_error err = {0};
    assert_ok(invar_view_maker_batch(maker, from, count, SEED, 2, out, &err), &err);
}

/* Sizes vary, large ones among them. */
static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++)
        samples[i] = subject_sample(i % 3 ? SIDE : 1 + 17 * i, i % 3 ? SIDE : 1 + 11 * (COUNT - i), CHANNELS, 100 + i);
    omp_set_dynamic(0);
    omp_set_num_threads(2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++)
        subject_free(&samples[i]);
    return 0;
}

static struct invar_view_options three_views(void)
{
    struct invar_view_options options = subject_simclr();
    options.count = 3;
    return options;
}

static void test_threads_do_not_matter(void **state)
{
    (void)state;
    const struct invar_view_options options = three_views();
    struct invar_view_maker *maker = maker_create(&options);
    struct invar_error err = {0};

    make(maker, samples, COUNT, batch);
    omp_set_num_threads(1);
    make(maker, samples, COUNT, other);
    assert_memory_equal(batch, other, sizeof(batch));
    assert_ok(invar_view_maker_plain(maker, samples, COUNT, other, &err), &err);
    omp_set_num_threads(2);
    assert_ok(invar_view_maker_plain(maker, samples, COUNT, batch, &err), &err);
    assert_memory_equal(batch, other, COUNT * IMAGE * sizeof(float));
    /* More threads than when it was made. */
    omp_set_num_threads(5);
    make(maker, samples, COUNT, batch);
    omp_set_num_threads(2);
    make(maker, samples, COUNT, other);
    assert_memory_equal(batch, other, sizeof(batch));
    invar_view_maker_free(maker);
}

static void test_order_and_company_do_not_matter(void **state)
{
    (void)state;
    const struct invar_view_options options = three_views();
    struct invar_view_maker *maker = maker_create(&options);
    struct invar_sample reversed[COUNT];

    for (int i = 0; i < COUNT; i++)
        reversed[i] = samples[COUNT - 1 - i];
    make(maker, samples, COUNT, batch);
    make(maker, reversed, COUNT, other);
    for (int view = 0; view < 3; view++)
        for (int i = 0; i < COUNT; i++)
            assert_memory_equal(batch + (view * COUNT + i) * IMAGE, other + (view * COUNT + COUNT - 1 - i) * IMAGE,
                                IMAGE * sizeof(float));
    make(maker, samples + 7, 1, other);
    for (int view = 0; view < 3; view++)
        assert_memory_equal(batch + (view * COUNT + 7) * IMAGE, other + view * IMAGE, IMAGE * sizeof(float));
    invar_view_maker_free(maker);
}

/* View 1 is the plain view, and the others are drawn as ever. */
static void test_a_clean_view(void **state)
{
    (void)state;
    struct invar_view_options options = three_views();
    struct invar_error err = {0};
    struct invar_view_maker *maker = maker_create(&options);
    make(maker, samples, COUNT, other);
    assert_true(memcmp(other, other + COUNT * IMAGE, COUNT * IMAGE * sizeof(float)) != 0);
    invar_view_maker_free(maker);
    options.clean = true;
    maker = maker_create(&options);
    make(maker, samples, COUNT, batch);
    assert_memory_equal(batch + COUNT * IMAGE, other + COUNT * IMAGE, 2 * COUNT * IMAGE * sizeof(float));
    assert_ok(invar_view_maker_plain(maker, samples, COUNT, other, &err), &err);
    assert_memory_equal(batch, other, COUNT * IMAGE * sizeof(float));
    invar_view_maker_free(maker);
    options.mix = (struct invar_real_list){2, {0.5, 0.25}};
    assert_refused(invar_view_options_check(&options, NULL, &err), &err, INVAR_ERROR_USAGE, "give [0, 0.25]");
}

/* Global views are as without local ones; local ones follow, are draw and apply, at any number of threads. */
static void test_local_views(void **state)
{
    (void)state;
    enum { LOCAL = 12, LOCAL_IMAGE = LOCAL * LOCAL * CHANNELS, GLOBAL = 2 * COUNT * IMAGE };
    struct invar_view_options options = subject_simclr();
    struct invar_view_output output = subject_output(LOCAL, LOCAL, CHANNELS);
    struct invar_error err = {0};
    options.image.blur = (struct invar_real_list){2, {0.0, 1.0}};
    struct invar_view_maker *maker = maker_create(&options);
    make(maker, samples, COUNT, other);
    invar_view_maker_free(maker);

    options.local = 5;
    options.local_size = LOCAL;
    options.local_crop = (struct invar_real_list){2, {0.05, 0.2}};
    options.image.blur = (struct invar_real_list){4, {0.0, 1.0, 0.5, 1.0}};
    maker = maker_create(&options);
    make(maker, samples, COUNT, batch);
    assert_memory_equal(batch, other, GLOBAL * sizeof(float));
    omp_set_num_threads(1);
    make(maker, samples, COUNT, other);
    omp_set_num_threads(2);
    assert_memory_equal(batch, other, (GLOBAL + 5 * COUNT * LOCAL_IMAGE) * sizeof(float));

    for (int c = 0; c < 16; c++) {
        output.mean[c] = 0.5f;
        output.deviation[c] = 0.25f;
    }
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
    assert_ok(workspace, &err);
    for (int view = 0; view < 5; view++)
        for (int i = 0; i < COUNT; i++) {
            struct invar_view_params params;
            invar_view_draw(&params, &options, SEED, 2, &samples[i], 2 + view);
            assert_ok(invar_view_apply(&params, &output, &samples[i], workspace, other, &err), &err);
            assert_memory_equal(batch + GLOBAL + (view * COUNT + i) * LOCAL_IMAGE, other, LOCAL_IMAGE * sizeof(float));
        }
    invar_view_workspace_free(workspace);
#if COUNTED
    const long before = allocations;
    make(maker, samples, COUNT, batch);
    assert_int_equal(allocations - before, 0);
#endif
    invar_view_maker_free(maker);
}

static void test_batch_is_draw_and_apply(void **state)
{
    (void)state;
    const struct invar_view_options options = three_views();
    struct invar_view_maker *maker = maker_create(&options);
    struct invar_view_output output = subject_output(SIDE, SIDE, CHANNELS);
    struct invar_error err = {0};
    for (int c = 0; c < 16; c++) {
        output.mean[c] = 0.5f;
        output.deviation[c] = 0.25f;
    }
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);

    assert_ok(workspace, &err);
    make(maker, samples, COUNT, batch);
    for (int view = 0; view < 3; view++)
        for (int i = 0; i < COUNT; i++) {
            struct invar_view_params params;
            invar_view_draw(&params, &options, SEED, 2, &samples[i], view);
            assert_ok(invar_view_apply(&params, &output, &samples[i], workspace, other, &err), &err);
            assert_memory_equal(batch + (view * COUNT + i) * IMAGE, other, IMAGE * sizeof(float));
        }
    invar_view_workspace_free(workspace);
    invar_view_maker_free(maker);
}

static void test_views_differ_and_seeds_count(void **state)
{
    (void)state;
    const struct invar_view_options options = three_views();
    struct invar_view_maker *maker = maker_create(&options);
    struct invar_error err = {0};

    make(maker, samples, COUNT, batch);
    assert_memory_not_equal(batch + IMAGE, batch + (COUNT + 1) * IMAGE, IMAGE * sizeof(float));
    assert_ok(invar_view_maker_batch(maker, samples, COUNT, SEED, 3, other, &err), &err);
    assert_memory_not_equal(batch, other, sizeof(batch));
    assert_ok(invar_view_maker_batch(maker, samples, COUNT, SEED + 1, 2, other, &err), &err);
    assert_memory_not_equal(batch, other, sizeof(batch));
    invar_view_maker_free(maker);
}

static void test_identity_is_the_plain_view(void **state)
{
    (void)state;
    const struct invar_view_options options = subject_identity();
    struct invar_view_maker *maker = maker_create(&options);
    struct invar_error err = {0};

    make(maker, samples + 1, 2, batch);
    assert_ok(invar_view_maker_plain(maker, samples + 1, 2, other, &err), &err);
    assert_memory_equal(batch, other, 2 * IMAGE * sizeof(float));
    assert_memory_equal(batch + 2 * IMAGE, other, 2 * IMAGE * sizeof(float));
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_true(batch[i] == ((float)((const uint8_t *)samples[1].data)[3 * i] / 255.0f - 0.5f) / 0.25f);
    invar_view_maker_free(maker);
}

static void test_nothing_is_allocated(void **state)
{
    (void)state;
    struct invar_view_options options = three_views();
    struct invar_view_maker *maker = maker_create(&options);
    struct invar_error err = {0};

#if COUNTED
    const long before_any = allocations;
    void *volatile probe = malloc(1); /* volatile: the pair is not optimised away */
    free(probe);
    assert_true(allocations > before_any);
#endif
    make(maker, samples + 1, 2, batch);
    const long before = allocations;
    make(maker, samples, COUNT, batch);
    assert_ok(invar_view_maker_plain(maker, samples, COUNT, other, &err), &err);
    assert_int_equal(allocations - before, 0);
    invar_view_maker_free(maker);
}

static void test_a_constant_channel_is_centred(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_dataset_info data = info();
    const struct invar_view_options options = subject_identity();
    data.deviation[1] = 0.0f;
    struct invar_view_maker *maker = invar_view_maker_create(&options, &data, &err);
    assert_ok(maker, &err);
    assert_ok(invar_view_maker_plain(maker, samples + 1, 1, batch, &err), &err);
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_true(batch[SIDE * SIDE + i] == (float)((const uint8_t *)samples[1].data)[3 * i + 1] / 255.0f - 0.5f);
    invar_view_maker_free(maker);
}

static void test_option_table(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_view_options options;
    memset(&options, 0, sizeof(options));
    invar_options_default(invar_view_option_table, &options);

    assert_int_equal(options.count, 2);
    assert_true(options.image.crop.count == 2 && options.image.crop.value[0] == 0.2 &&
                options.image.crop.value[1] == 1.0);
    assert_near(options.image.crop_aspect.value[0], 0.75, 1e-12);
    assert_near(options.image.crop_aspect.value[1], 4.0 / 3.0, 1e-12);
    assert_int_equal(options.image.interpolation, 0);
    assert_true(options.image.flip == 0.5 && options.image.jitter == 0.8 && options.image.brightness == 0.4 &&
                options.image.contrast == 0.4);
    assert_true(options.image.saturation == 0.2 && options.image.hue == 0.1 && options.image.grayscale == 0.2);
    assert_true(options.image.blur.count == 1 && options.image.blur.value[0] == 0.0);
    assert_true(options.image.blur_sigma.value[0] == 0.1);
    invar_view_maker_free(maker_create(&options));

    assert_ok(invar_options_set(invar_view_option_table, &options, "blur=[1, 0.1]", &err), &err);
    assert_true(options.image.blur.count == 2 && options.image.blur.value[1] == 0.1);
    assert_ok(invar_options_set(invar_view_option_table, &options, "interpolation=bicubic", &err), &err);
    assert_int_equal(options.image.interpolation, 1);
    const char *const bad[] = {"count=0",       "count=11", "local=10",      "crop=[0, 1]",   "crop=[0.2, 1.1]",
                               "flip=1.5",      "hue=0.6",  "jitter=-0.1",   "blur=[1, 2]",   "blur_sigma=[0, 2]",
                               "solarise=[-1]", "gain=2",   "brightness=-1", "grayscale=nan", "solarise_threshold=2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(bad[i], "="), bad[i]);
        assert_refused(invar_options_set(invar_view_option_table, &options, bad[i], &err), &err, INVAR_ERROR_USAGE,
                       name);
    }
}

static void refused(struct invar_view_options options, const char *text)
{
    struct invar_error err = {0};
    const struct invar_dataset_info data = info();
    assert_refused(invar_view_maker_create(&options, &data, &err), &err, INVAR_ERROR_USAGE, text);
}

static void test_refusals(void **state)
{
    (void)state;
    struct invar_view_options options = subject_simclr();
    struct invar_error err = {0};

    options.image.crop = (struct invar_real_list){2, {0.8, 0.5}};
    refused(options, "views.crop: [0.8, 0.5]");
    options.image.crop = (struct invar_real_list){3, {0.2, 0.5, 1.0}};
    refused(options, "views.crop: has 3 entries");
    options.image.crop = (struct invar_real_list){0};
    refused(options, "views.crop: has 0 entries");
    options.image.crop = (struct invar_real_list){2, {0.2, NAN}};
    refused(options, "views.crop");
    options = subject_simclr();
    options.image.crop_aspect.value[0] = 2.0;
    refused(options, "views.crop_aspect");
    options = subject_simclr();
    options.image.blur = (struct invar_real_list){3, {1.0, 0.1, 0.5}};
    refused(options, "views.blur: has 3 entries for 2 views");
    options.image.blur = (struct invar_real_list){0};
    refused(options, "views.blur");
    options = subject_identity();
    options.image.blur_kernel = 4;
    refused(options, "views.blur_kernel: 4 has no centre");
    options = subject_simclr();
    options.local = 9;
    refused(options, "views.local: 9 beside 2 of views.count; give at most 10 views in all");
    options.local = -1;
    refused(options, "views.local");
    options.local = 2;
    refused(options, "views.local_size: is missing");
    options.local_size = SIDE + 1;
    refused(options, "views.local_size: 33 is larger than the 32 x 32 pixels");
    options.local_size = SIDE / 2;
    refused(options, "views.local_crop: has 0 entries");
    options.local = 0;
    refused(options, "views.local_size: is 16, but there are no local views");
    options = subject_simclr();
    options.count = 11;
    refused(options, "views.count");

    options = subject_simclr();
    struct invar_view_maker *maker = maker_create(&options);
    struct invar_sample mixed[2] = {samples[1], samples[2]};
    mixed[1].channels = 1;
    memset(batch, 0x7f, sizeof(batch));
    memcpy(other, batch, sizeof(batch));
    assert_refused(invar_view_maker_batch(maker, mixed, 2, SEED, 0, batch, &err), &err, INVAR_ERROR_DATA,
                   "sample 102: has 1 channels");
    assert_refused(invar_view_maker_plain(maker, mixed, 2, batch, &err), &err, INVAR_ERROR_DATA, "sample 102");
    assert_memory_equal(batch, other, sizeof(batch));
    assert_ok(invar_view_maker_batch(maker, mixed, 0, SEED, 0, batch, &err), &err);
    invar_view_maker_free(maker);
    invar_view_maker_free(NULL);
}

/* A mixed view is its share of itself and the rest of its partner's, of the views as they are without mixing. */
static void test_mixing(void **state)
{
    (void)state;
    struct invar_view_options options = three_views();
    struct invar_view_maker *plain = maker_create(&options);
    options.mix = (struct invar_real_list){3, {0.6, 0, 1}};
    struct invar_view_maker *maker = maker_create(&options);
    int mixed[3] = {0};

    make(plain, samples, COUNT, other);
    assert_null(invar_view_maker_drawn(plain)->partner);
    make(maker, samples, COUNT, batch);
    const struct invar_view_drawn *drawn = invar_view_maker_drawn(maker);
    for (int v = 0; v < 3; v++)
        for (int i = 0; i < COUNT; i++) {
            const int64_t partner = drawn->partner[v * COUNT + i];
            const double share = drawn->share[v * COUNT + i];
            const float *own = other + (v * COUNT + i) * IMAGE, *from = other + (v * COUNT + partner) * IMAGE;
            assert_true(partner >= 0 && partner < COUNT && share >= 0.5 && share <= 1);
            assert_true(partner != i || share == 1);
            mixed[v] += partner != i;
            for (int k = 0; k < IMAGE; k += 97)
                assert_near((double)batch[(v * COUNT + i) * IMAGE + k],
                            share * (double)own[k] + (1 - share) * (double)from[k], 1e-5);
        }
    assert_true(mixed[0] > COUNT / 4 && mixed[0] < COUNT && mixed[1] == 0 && mixed[2] == COUNT);
    assert_memory_equal(batch + COUNT * IMAGE, other + COUNT * IMAGE, COUNT * IMAGE * sizeof(float));
    /* any number of threads, and a single sample, which has no partner */
    omp_set_num_threads(1);
    make(maker, samples, COUNT, other);
    omp_set_num_threads(2);
    assert_memory_equal(batch, other, sizeof batch);
    make(maker, samples, 1, batch);
    assert_true(drawn->partner[2] == 0 && drawn->share[2] == 1);
    invar_view_maker_free(maker);
    invar_view_maker_free(plain);
}

/* Means over many draws: of U(low, high), and of max(b, 1 - b) for Beta(alpha, alpha), by quadrature. */
static void test_shares(void **state)
{
    static const struct {
        double low, high, alpha, mean;
    } kinds[] = {{0.9, 1, 0, 0.95}, {0.2, 0.4, 0, 0.3}, {0.5, 1, 1, 0.75}, {0.5, 1, 0.25, 0.8814}, {0.5, 1, 4, 0.6367}};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct invar_error err = {0};
        struct invar_view_options options = subject_identity();
        options.mix = (struct invar_real_list){1, {1}};
        options.mix_share = (struct invar_real_list){2, {kinds[k].low, kinds[k].high}};
        options.mix_alpha = kinds[k].alpha;
        struct invar_view_maker *maker = maker_create(&options);
        double sum = 0;
        enum { DRAWS = 40 };
        for (uint64_t epoch = 0; epoch < DRAWS; epoch++) {
            assert_ok(invar_view_maker_batch(maker, samples, COUNT, SEED, epoch, batch, &err), &err);
            for (int i = 0; i < 2 * COUNT; i++)
                sum += invar_view_maker_drawn(maker)->share[i] / (2 * COUNT * DRAWS);
        }
        assert_near(sum, kinds[k].mean, 0.02);
        invar_view_maker_free(maker);
    }
}

/* Places become 0 in all channels, the asked share of them, and the mask says which; noise is as wide as asked. */
static void test_blank_and_noise(void **state)
{
    struct invar_view_options options = subject_identity();
    double share = 0, squares = 0;

    (void)state;
    options.count = 2;
    options.blank = (struct invar_real_list){2, {0.4, 0}};
    struct invar_view_maker *maker = maker_create(&options);
    make(maker, samples, COUNT, batch);
    const float *mask = invar_view_maker_drawn(maker)->mask, *plain = batch + COUNT * IMAGE;
    for (int i = 0; i < COUNT * IMAGE; i++) {
        const int first = i - i % IMAGE + i % (SIDE * SIDE); /* the same place, channel 0 */
        assert_true(batch[i] == (mask[first] == 1.0f ? 0.0f : plain[i]));
        assert_true(mask[i] == mask[first] && mask[COUNT * IMAGE + i] == 0.0f);
        share += (double)mask[i] / (COUNT * IMAGE);
    }
    assert_near(share, 0.4, 0.015); /* six deviations */
    invar_view_maker_free(maker);

    options.blank.count = 0;
    subject_set(&options, "noise_deviation=[0.5, 0]");
    maker = maker_create(&options);
    make(maker, samples, COUNT, batch);
    for (int i = 0; i < COUNT * IMAGE; i++)
        squares += pow((double)(batch[i] - plain[i]), 2) / (COUNT * IMAGE);
    assert_near(sqrt(squares), 0.5, 0.01);
    invar_view_maker_free(maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_order_and_company_do_not_matter),
        cmocka_unit_test(test_local_views),
        cmocka_unit_test(test_a_clean_view),
        cmocka_unit_test(test_batch_is_draw_and_apply),
        cmocka_unit_test(test_views_differ_and_seeds_count),
        cmocka_unit_test(test_identity_is_the_plain_view),
        cmocka_unit_test(test_mixing),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_blank_and_noise),
        cmocka_unit_test(test_nothing_is_allocated),
        cmocka_unit_test(test_a_constant_channel_is_centred),
        cmocka_unit_test(test_option_table),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
