/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After its first step a run allocates nothing. Every allocator of the C library is replaced by one that counts, by
 * caller: our own code may not allocate at all; oneDNN, OpenBLAS and OpenMP take work space inside some of their calls,
 * which is theirs to decide, but it must all be given back by the end of the step.
 */
#include "training.h"

#include <dlfcn.h>
#include <errno.h>

/* AddressSanitizer has an allocator of its own, which must not be replaced. */
#define COUNTS_ALLOCATIONS 1
#ifdef __SANITIZE_ADDRESS__
#undef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 0
#endif
#endif

static long own;  /* allocations of anything but the three libraries */
static long live; /* blocks taken and not given back, of all */

#if COUNTS_ALLOCATIONS
/* glibc's own names of its allocator. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

/* libstdc++ is oneDNN's operator new. */
static bool is_library(const char *file)
{
    static const char *const libraries[] = {"libdnnl", "libstdc++", "libopenblas", "libgomp", "libomp"};

    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        if (strstr(file, libraries[i]))
            return true;
    return false;
}

static void count_one(void *caller)
{
    Dl_info info;

    __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
    if (!dladdr(caller, &info) || !info.dli_fname || !is_library(info.dli_fname))
        __atomic_fetch_add(&own, 1, __ATOMIC_RELAXED);
}

#define COUNT() count_one(__builtin_return_address(0))

void *malloc(size_t size)
{
    COUNT();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    COUNT();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    COUNT();
    if (memory)
        __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    COUNT();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    COUNT();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    COUNT();
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void free(void *memory)
{
    if (memory)
        __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    __libc_free(memory);
}
#endif

/* Over epochs' ends and measurements. */
static void check_steps(const char *const *overrides, int count)
{
    struct invar_error err = {0};
    struct invar_record record;
    struct training t = {.threads = 2};
    struct invar_trainer *trainer;

    training_open(&t, overrides, count);
    trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    for (int64_t step = 1; step < invar_trainer_steps_total(trainer); step++) {
        long own_before = own, live_before = live;
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
        if (own != own_before)
            fail_msg("step %lld allocated %ld times", (long long)step + 1, own - own_before);
        if (live > live_before)
            fail_msg("step %lld kept %ld blocks", (long long)step + 1, live - live_before);
    }
    invar_trainer_free(trainer);
    training_close(&t);
}

static void test_counter(void **state)
{
    long own_before = own, live_before = live;
    void *volatile memory = malloc(10);

    (void)state;
    assert_int_equal(own - own_before, COUNTS_ALLOCATIONS);
    assert_int_equal(live - live_before, COUNTS_ALLOCATIONS);
    free(memory);
    assert_int_equal(live, live_before);
}

static void test_convolutional(void **state)
{
    static const char *const overrides[] = {"training.epochs=1.4"};

    (void)state;
    check_steps(overrides, 1);
}

static void test_target(void **state)
{
    static const char *const overrides[] = {"encoder={kind: mlp, widths: [32, 16]}",
                                            "target.enabled=true",
                                            "target.momentum=0.8",
                                            "terms.relic.target=true",
                                            "predictor.hidden=[16]",
                                            "predictor.output=8",
                                            "training.clip=0.1",
                                            "optimiser.kind=lars",
                                            "training.epochs=1.4"};

    (void)state;
    check_steps(overrides, 9);
}

/* every other term at once; batch 32 above and below the width of the embeddings */
static void test_terms(void **state)
{
    static const char *const widths[][2] = {{"projector.output=8", "predictor.output=8"},
                                            {"projector.output=48", "predictor.output=48"}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const overrides[] = {
            "encoder={kind: mlp, widths: [32, 16]}",
            "target.enabled=true",
            "target.momentum=0.8",
            "terms={byol: {}, barlow: {}, vicreg: {}, entropy_invariance: {normalize: true}, ntxent: {}, "
            "logdet: {weight: -1}, pairdist: {weight: -1}}",
            "predictor.hidden=[16]",
            widths[i][0],
            widths[i][1],
            "training.epochs=1.4",
        };
        check_steps(overrides, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter),
        cmocka_unit_test(test_convolutional),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
