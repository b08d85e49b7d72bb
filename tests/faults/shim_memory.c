/* SPDX-License-Identifier: Apache-2.0 */
/* The allocating functions of libc; memory still comes from libc and goes back to its free. */
#include "shim.h"

#include <errno.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    return shim_fails(SHIM_ALLOC, SHIM_CALLER, "malloc", ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return shim_fails(SHIM_ALLOC, SHIM_CALLER, "calloc", ENOMEM) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return shim_fails(SHIM_ALLOC, SHIM_CALLER, "realloc", ENOMEM) ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return shim_fails(SHIM_ALLOC, SHIM_CALLER, "aligned_alloc", ENOMEM) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (shim_fails(SHIM_ALLOC, SHIM_CALLER, "posix_memalign", ENOMEM))
        return ENOMEM;
    void *got = __libc_memalign(alignment, size);
    if (!got)
        return ENOMEM;
    *memory = got;
    return 0;
}
