/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/memory.h"
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)64)
#define SCRATCH_FIRST_BLOCK ((size_t)64 * 1024)

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

struct block {
    struct block *previous;
    unsigned char *data;
    size_t size, used;
};

struct invar_scratch {
    struct block *last;
    size_t total; /* bytes of all blocks */
};

struct invar_scratch *invar_scratch_create(struct invar_error *err)
{
    return invar_alloc(1, sizeof(struct invar_scratch), err);
}

static void free_blocks(struct invar_scratch *scratch)
{
    while (scratch->last) {
        struct block *block = scratch->last;
        scratch->last = block->previous;
        invar_free(block->data);
        invar_free(block);
    }
    scratch->total = 0;
}

void invar_scratch_free(struct invar_scratch *scratch)
{
    if (!scratch)
        return;
    free_blocks(scratch);
    invar_free(scratch);
}

static bool add_block(struct invar_scratch *scratch, size_t bytes, struct invar_error *err)
{
    struct block *block = invar_alloc(1, sizeof *block, err);
    if (!block)
        return false;
    block->data = aligned_take(bytes, err);
    if (!block->data) {
        invar_free(block);
        return false;
    }
    block->size = bytes;
    block->previous = scratch->last;
    scratch->last = block;
    scratch->total += bytes;
    return true;
}

void *invar_scratch_take(struct invar_scratch *scratch, size_t count, size_t size, struct invar_error *err)
{
    size_t bytes = 0;
    if (!rounded_size(count, size, &bytes, err))
        return NULL;
    struct block *block = scratch->last;
    if (!block || block->size - block->used < bytes) {
        if (!add_block(scratch, bytes > SCRATCH_FIRST_BLOCK ? bytes : SCRATCH_FIRST_BLOCK, err))
            return NULL;
        block = scratch->last;
    }
    void *memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

void invar_scratch_reset(struct invar_scratch *scratch)
{
    if (!scratch->last)
        return;
    if (scratch->last->previous) {
        /* One block as large as all of them holds the same takes. Where it cannot be had the next take tells. */
        size_t total = scratch->total;
        free_blocks(scratch);
        add_block(scratch, total, NULL);
        return;
    }
    scratch->last->used = 0;
}

size_t invar_scratch_used(const struct invar_scratch *scratch)
{
    size_t used = 0;

    for (const struct block *block = scratch->last; block; block = block->previous)
        used += block->used;
    return used;
}
