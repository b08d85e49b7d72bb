/* SPDX-License-Identifier: Apache-2.0 */
/* After its first step a run allocates nothing: every allocator of the C library is counted, in all libraries. */
#include "training.h"

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

static volatile long allocations;

#if COUNTS_ALLOCATIONS
/* glibc's own names of its allocator. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void count_one(void)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
    count_one();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    count_one();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    count_one();
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    count_one();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count_one();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    count_one();
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
#endif

/* Over epochs' ends and measurements, for both kinds of target. */
static void check_steps(const char *const *overrides, int count)
{
    struct invar_error err = {0};
    struct invar_record record;
    struct training t;
    struct invar_trainer *trainer;

    training_open(&t, overrides, count);
    trainer = training_start(&t, "run", false, NULL, NULL, NULL, &err);
    if (!trainer)
        fail_msg("%s", err.message);
    assert_ok(invar_trainer_step(trainer, &record, &err), &err);
    for (int64_t step = 1; step < invar_trainer_steps_total(trainer); step++) {
        long before = allocations;
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
        if (allocations != before)
            fail_msg("step %lld allocated %ld times", (long long)step + 1, allocations - before);
    }
    invar_trainer_free(trainer);
    training_close(&t);
}

static void test_counter(void **state)
{
    long before = allocations;
    void *volatile memory = malloc(10);

    (void)state;
    free(memory);
    assert_int_equal(allocations - before, COUNTS_ALLOCATIONS);
}

static void test_convolutional(void **state)
{
    (void)state;
    check_steps(NULL, 0);
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
                                            "optimiser.kind=lars"};

    (void)state;
    check_steps(overrides, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter),
        cmocka_unit_test(test_convolutional),
        cmocka_unit_test(test_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
