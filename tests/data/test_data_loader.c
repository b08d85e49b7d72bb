/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: order, threads, replacement of unreadable images, stopping half-way, allocations. */
#include "data/make.h"

#define COUNT 90

static char *folder;
static volatile bool counting;
static volatile long allocations;

/* Under AddressSanitizer these are its own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    allocations += counting;
    return __libc_memalign(alignment, size);
}
#endif

static int setup(void **state)
{
    (void)state;
    folder = test_folder_create();
    for (int i = 0; i < COUNT; i++) {
        char name[64];
        struct bytes image = i % 2 ? make_png(4 + i % 5, 5, 1, i) : make_jpeg(4 + i % 5, 5, 1, i);
        snprintf(name, sizeof name, "class-%d/%02d.png", i / 30, i);
        bytes_write(&image, folder, name);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static struct invar_data_options on_demand(int64_t workers)
{
    struct invar_data_options options = make_options("images", folder);
    options.test_fraction = 0;
    options.size = 4;
    options.memory = 2; /* no */
    options.workers = workers;
    return options;
}

/* Every third sample, then all, with repeats. */
static int64_t make_order(int64_t *order)
{
    int64_t count = 0;
    for (int64_t i = 0; i < COUNT; i += 3)
        order[count++] = COUNT - 1 - i;
    for (int64_t i = 0; i < COUNT; i++)
        order[count++] = i * 7 % COUNT;
    return count;
}

/* Hands out everything; returns a checksum over pixels, shapes, numbers and labels. */
static uint32_t drain(struct invar_loader *loader, int64_t batch, int64_t count)
{
    struct invar_error err = {0};
    struct invar_sample samples[64];
    uint32_t crc = 0;
    int64_t got, total = 0;
    for (;;) {
        assert_ok(invar_loader_next(loader, samples, &got, &err), &err);
        if (!got)
            break;
        total += got;
        assert_int_equal(got, total < count ? batch : (count - 1) % batch + 1);
        for (int64_t i = 0; i < got; i++) {
            int64_t numbers[] = {samples[i].height, samples[i].width, samples[i].index, samples[i].label};
            crc = invar_crc32(crc, numbers, sizeof numbers);
            crc = invar_crc32(crc, samples[i].data, (size_t)(samples[i].height * samples[i].width));
        }
    }
    assert_int_equal(total, count);
    return crc;
}

static uint32_t pass(struct invar_dataset *dataset, int64_t batch)
{
    struct invar_error err = {0};
    int64_t order[2 * COUNT], count = make_order(order);
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, batch, &err);
    assert_ok(loader, &err);
    uint32_t first = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
        assert_ok(invar_loader_start(loader, order, count, &err), &err);
        uint32_t crc = drain(loader, batch, count);
        assert_true(epoch == 0 || crc == first);
        first = crc;
    }
    invar_loader_free(loader);
    return first;
}

static void the_same_samples_whatever_the_threads(void **state)
{
    (void)state;
    struct invar_data_options options = on_demand(1);
    options.memory = 0;
    struct invar_dataset *dataset = make_open(&options);
    assert_true(invar_dataset_info(dataset)->in_memory);
    uint32_t expected = pass(dataset, 16);
    invar_dataset_close(dataset);
    for (int workers = 1; workers <= 5; workers++) {
        options = on_demand(workers);
        dataset = make_open(&options);
        assert_false(invar_dataset_info(dataset)->in_memory);
        assert_int_equal(pass(dataset, 16), expected);
        assert_int_equal(pass(dataset, 1), expected);
        assert_int_equal(pass(dataset, 64), expected);
        invar_dataset_close(dataset);
    }
}

static void stops_half_way(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_sample samples[8];
    int64_t order[2 * COUNT], count = make_order(order), got;
    struct invar_data_options options = on_demand(3);
    struct invar_dataset *dataset = make_open(&options);
    for (int batches = 0; batches < 5; batches++) {
        struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, 8, &err);
        assert_ok(loader, &err);
        for (int start = 0; start < 20; start++) {
            assert_ok(invar_loader_start(loader, order, count, &err), &err);
            for (int b = 0; b < batches; b++) {
                assert_ok(invar_loader_next(loader, samples, &got, &err), &err);
                for (int i = 0; i < 8; i++)
                    assert_int_equal(samples[i].index, order[8 * b + i]);
            }
        }
        invar_loader_free(loader);
    }
    struct invar_loader *unused = invar_loader_create(dataset, INVAR_TEST, 8, &err);
    assert_ok(invar_loader_start(unused, NULL, 0, &err), &err);
    assert_ok(invar_loader_next(unused, samples, &got, &err), &err);
    assert_int_equal(got, 0);
    invar_loader_free(unused);
    invar_dataset_close(dataset);
}

/* Parts of one order hold what a loader of all of it would: what replaces a bad one may be another part's, and a part
 * of nothing but a bad one is none the less whole. */
static void check_parts(struct invar_dataset *dataset, const int64_t order[6], const int64_t expected[6])
{
    static const struct invar_loader_part parts[] = {{0, 1, 3}, {1, 2, 3}, {3, 2, 6}, {2, 1, 6}, {6, 1, 6}};
    struct invar_error err = {0};
    struct invar_sample sample;
    int64_t got;
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, 1, &err);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        assert_ok(invar_loader_start_part(loader, order, 6, &parts[p], &err), &err);
        for (int64_t place = parts[p].first; place < 6; place++) {
            if ((place - parts[p].first) % parts[p].stride >= parts[p].each)
                continue;
            assert_ok(invar_loader_next(loader, &sample, &got, &err), &err);
            assert_int_equal(got, 1);
            assert_int_equal(sample.index, expected[place]);
        }
        assert_ok(invar_loader_next(loader, &sample, &got, &err), &err);
        assert_int_equal(got, 0);
    }
    assert_refused(invar_loader_start_part(loader, order, 6, &(struct invar_loader_part){0, 4, 3}, &err), &err,
                   INVAR_ERROR_USAGE, "a part of 4 samples every 3 from place 0 on is none");
    invar_loader_free(loader);
}

static void bad_ones_are_replaced_by_the_next(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_sample samples[6];
    /* 31 and 32 are bad, and so is 88 at the end, which the beginning replaces */
    const int64_t order[] = {5, 31, 32, 40, 7, 88};
    const int64_t expected[] = {5, 40, 40, 40, 7, 5};
    int64_t got;
    for (int workers = 1; workers <= 3; workers++) {
        struct invar_data_options options = on_demand(workers);
        options.bad_limit = 0.04; /* 3 of 90 */
        struct bytes good = make_png(4, 5, 1, 1);
        struct invar_dataset *dataset = make_open(&options);
        bytes_write(&(struct bytes){0}, folder, "class-1/31.png");
        bytes_write(&(struct bytes){0}, folder, "class-1/32.png");
        bytes_write(&(struct bytes){0}, folder, "class-2/88.png");
        struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, 6, &err);
        for (int epoch = 0; epoch < 2; epoch++) {
            assert_ok(invar_loader_start(loader, order, 6, &err), &err);
            assert_ok(invar_loader_next(loader, samples, &got, &err), &err);
            for (int i = 0; i < 6; i++) {
                assert_int_equal(samples[i].index, expected[i]);
                assert_int_equal(samples[i].label, expected[i] / 30);
            }
            assert_int_equal(invar_dataset_info(dataset)->skipped, 3);
            assert_string_equal(invar_dataset_info(dataset)->first_skipped,
                                "class-1/31.png: is empty, expected a JPEG, PNG, TIFF or WebP image");
        }
        check_parts(dataset, order, expected);
        bytes_write(&(struct bytes){0}, folder, "class-0/05.png");
        assert_ok(invar_loader_start(loader, order, 6, &err), &err);
        assert_refused(invar_loader_next(loader, samples, &got, &err), &err, INVAR_ERROR_DATA,
                       "4 of the 90 training images cannot be used");
        invar_loader_free(loader);
        invar_dataset_close(dataset);
        for (int i = 0; i < 4; i++) {
            static const char *const names[] = {"class-0/05.png", "class-1/31.png", "class-1/32.png", "class-2/88.png"};
            struct bytes copy = {0};
            bytes_put(&copy, good.data, good.size);
            bytes_write(&copy, folder, names[i]);
        }
        bytes_done(&good);
    }
}

static void refuses_bad_requests(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_data_options options = on_demand(1);
    struct invar_dataset *dataset = make_open(&options);
    assert_refused(invar_loader_create(dataset, INVAR_TRAIN, 0, &err), &err, INVAR_ERROR_USAGE, "a batch of 0");
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, 4, &err);
    assert_refused(invar_loader_start(loader, (const int64_t[]){0, 90}, 2, &err), &err, INVAR_ERROR_USAGE,
                   "sample 90 does not exist, the split has 0 to 89");
    assert_refused(invar_loader_start(loader, (const int64_t[]){-1}, 1, &err), &err, INVAR_ERROR_USAGE, "sample -1");
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

static void allocates_nothing_in_memory(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#else
    struct invar_error err = {0};
    struct invar_sample samples[16];
    int64_t order[2 * COUNT], count = make_order(order), got;
    struct invar_data_options options = on_demand(1);
    options.memory = 0;
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, 16, &err);
    allocations = 0;
    counting = true;
    bool started = invar_loader_start(loader, order, count, &err);
    counting = false;
    assert_true(started);
    assert_int_equal(allocations, 1); /* the copy of the order: the count works */
    allocations = 0;
    counting = true;
    for (int epoch = 0; started && epoch < 3; epoch++) {
        started = invar_loader_start(loader, order, count, &err);
        do
            started = started && invar_loader_next(loader, samples, &got, &err);
        while (started && got);
    }
    counting = false;
    assert_true(started);
    assert_int_equal(allocations, 0);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_samples_whatever_the_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_half_way, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_ones_are_replaced_by_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(allocates_nothing_in_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
