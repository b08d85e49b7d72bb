/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"
#include "invar/memory.h"
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)64)

bool invar_size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* count * size rounded up to the alignment, at least one alignment unit. */
static bool rounded_size(size_t count, size_t size, size_t *out, struct invar_error *err)
{
    size_t bytes = 0;
    if (!invar_size_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGNMENT)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%zu elements of %zu bytes are more than memory can address",
                               count, size);
    *out = bytes ? (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    return true;
}

static void *aligned_take(size_t bytes, struct invar_error *err)
{
    void *memory = aligned_alloc(ALIGNMENT, bytes);
    if (!memory)
        invar_error_set(err, INVAR_ERROR_MEMORY, "%zu bytes of memory could not be had; use a smaller batch or model",
                        bytes);
    return memory;
}

void *invar_alloc(size_t count, size_t size, struct invar_error *err)
{
    size_t bytes = 0;
    if (!rounded_size(count, size, &bytes, err))
        return NULL;
    void *memory = aligned_take(bytes, err);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

void invar_free(void *memory)
{
    free(memory);
}

int64_t invar_memory_available(void)
{
    return proc_bytes("/proc/meminfo", "MemAvailable");
}

char *invar_strdup(const char *text, struct invar_error *err)
{
    char *copy = strdup(text);
    if (!copy)
        invar_error_set(err, INVAR_ERROR_MEMORY, "%zu bytes of memory could not be had", strlen(text) + 1);
    return copy;
}

bool invar_grow(void **items, int count, int *capacity, size_t size, struct invar_error *err)
{
    if (count < *capacity)
        return true;
    int larger = *capacity ? 2 * *capacity : 32;
    void *grown = invar_alloc((size_t)larger, size, err);
    if (!grown)
        return false;
    if (count)
        memcpy(grown, *items, (size_t)count * size);
    invar_free(*items);
    *items = grown;
    *capacity = larger;
    return true;
}
