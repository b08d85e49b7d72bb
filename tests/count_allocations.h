/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts allocations. Every allocator of the C library is replaced by one that counts, by caller: our own code may not
 * allocate at all where a test says so; oneDNN, OpenBLAS and OpenMP take work space inside some of their calls, which
 * is theirs to decide, but it must all be given back. The allocation of a chosen number can be made to fail. Include it
 * in one file of a program.
 */
#ifndef INVAR_TESTS_COUNT_ALLOCATIONS_H
#define INVAR_TESTS_COUNT_ALLOCATIONS_H

#include "test.h"

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

/* volatile: the compiler believes that malloc changes nothing of ours */
__attribute__((unused)) static volatile long allocations_own;    /* allocations of anything but the three libraries */
__attribute__((unused)) static const char *allocations_by = "?"; /* the file that the last of those came from */
__attribute__((unused)) static volatile long allocations_fail;   /* this one of allocations_own fails; 0: none */
__attribute__((unused)) static volatile long allocations_live;   /* blocks taken and not given back, of all */

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

/* The dynamic linker takes a thread's variables of a library when that thread first enters it, which may be at any
 * step: it depends on which thread came first to a piece of work. They stay as long as the thread. */
static bool is_linker(const char *file)
{
    return strstr(file, "/ld-linux") || strstr(file, "/ld.so");
}

/* False: this one is to fail. */
static bool count_one(void *caller)
{
    Dl_info info = {0};
    const char *file = dladdr(caller, &info) && info.dli_fname ? info.dli_fname : "?";

    if (is_linker(file))
        return true;
    if (!is_library(file)) {
        allocations_by = file;
        if (__atomic_add_fetch(&allocations_own, 1, __ATOMIC_RELAXED) == allocations_fail)
            return false;
    }
    __atomic_fetch_add(&allocations_live, 1, __ATOMIC_RELAXED);
    return true;
}

#define COUNT() count_one(__builtin_return_address(0))

void *malloc(size_t size)
{
    return COUNT() ? __libc_malloc(size) : NULL;
}

void *calloc(size_t count, size_t size)
{
    return COUNT() ? __libc_calloc(count, size) : NULL;
}

void *realloc(void *memory, size_t size)
{
    if (!COUNT())
        return NULL;
    if (memory)
        __atomic_fetch_sub(&allocations_live, 1, __ATOMIC_RELAXED);
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    return COUNT() ? __libc_memalign(alignment, size) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return COUNT() ? __libc_memalign(alignment, size) : NULL;
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!COUNT())
        return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void free(void *memory)
{
    if (memory)
        __atomic_fetch_sub(&allocations_live, 1, __ATOMIC_RELAXED);
    __libc_free(memory);
}
#endif

#endif
