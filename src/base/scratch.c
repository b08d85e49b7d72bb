/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scratch.h"

#define ALIGNMENT ((size_t)64)
#define FIRST_BLOCK ((size_t)64 * 1024)

struct block {
    struct block *previous;
    unsigned char *data;
    size_t size, used;
};

/* Blocks of one kind of memory. */
struct pool {
    struct scratch_source source;
    struct block *last;
    size_t total; /* bytes of all blocks */
};

struct invar_scratch {
    struct pool host, second;
};

static void *take_host(void *user, size_t bytes, struct invar_error *err)
{
    (void)user;
    return invar_alloc(bytes, 1, err);
}

static void give_back_host(void *user, void *memory)
{
    (void)user;
    invar_free(memory);
}

static void *take_none(void *user, size_t bytes, struct invar_error *err)
{
    (void)user, (void)bytes;
    invar_error_set(err, INVAR_ERROR_USAGE,
                    "this scratch has no memory of a device: make it with "
                    "invar_device_scratch_create");
    return NULL;
}

struct invar_scratch *scratch_create(const struct scratch_source *source, struct invar_error *err)
{
    struct invar_scratch *scratch = invar_alloc(1, sizeof *scratch, err);

    if (!scratch)
        return NULL;
    scratch->host.source = (struct scratch_source){.take = take_host, .give_back = give_back_host};
    scratch->second.source = *source;
    return scratch;
}

struct invar_scratch *invar_scratch_create(struct invar_error *err)
{
    const struct scratch_source none = {.take = take_none, .give_back = give_back_host};

    return scratch_create(&none, err);
}

static void free_blocks(struct pool *pool)
{
    while (pool->last) {
        struct block *block = pool->last;
        pool->last = block->previous;
        pool->source.give_back(pool->source.user, block->data);
        invar_free(block);
    }
    pool->total = 0;
}

void invar_scratch_free(struct invar_scratch *scratch)
{
    if (!scratch)
        return;
    free_blocks(&scratch->host);
    free_blocks(&scratch->second);
    invar_free(scratch);
}

static bool add_block(struct pool *pool, size_t bytes, struct invar_error *err)
{
    struct block *block = invar_alloc(1, sizeof *block, err);
    if (!block)
        return false;
    block->data = pool->source.take(pool->source.user, bytes, err);
    if (!block->data) {
        invar_free(block);
        return false;
    }
    block->size = bytes;
    block->previous = pool->last;
    pool->last = block;
    pool->total += bytes;
    return true;
}

static void *take(struct pool *pool, size_t count, size_t size, struct invar_error *err)
{
    size_t bytes = 0;
    if (!invar_size_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGNMENT) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%zu elements of %zu bytes are more than memory can address", count,
                        size);
        return NULL;
    }
    bytes = bytes ? (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    struct block *block = pool->last;
    if (!block || block->size - block->used < bytes) {
        if (!add_block(pool, bytes > FIRST_BLOCK ? bytes : FIRST_BLOCK, err))
            return NULL;
        block = pool->last;
    }
    void *memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

void *invar_scratch_take(struct invar_scratch *scratch, size_t count, size_t size, struct invar_error *err)
{
    return take(&scratch->host, count, size, err);
}

void *scratch_take_second(struct invar_scratch *scratch, size_t count, size_t size, struct invar_error *err)
{
    return take(&scratch->second, count, size, err);
}

static void reset(struct pool *pool)
{
    if (!pool->last)
        return;
    if (pool->last->previous) {
        /* One block as large as all of them holds the same takes. Where it cannot be had the next take tells. */
        size_t total = pool->total;
        free_blocks(pool);
        add_block(pool, total, NULL);
        return;
    }
    pool->last->used = 0;
}

void invar_scratch_reset(struct invar_scratch *scratch)
{
    reset(&scratch->host);
    reset(&scratch->second);
}

static size_t used(const struct pool *pool)
{
    size_t bytes = 0;

    for (const struct block *block = pool->last; block; block = block->previous)
        bytes += block->used;
    return bytes;
}

size_t invar_scratch_used(const struct invar_scratch *scratch)
{
    return used(&scratch->host) + used(&scratch->second);
}
