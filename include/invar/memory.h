/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_MEMORY_H
#define INVAR_MEMORY_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** count * size bytes, zeroed, aligned to 64; NULL with err set on overflow or when memory is short. Free with
 * invar_free. */
void *invar_alloc(size_t count, size_t size, struct invar_error *err);
void invar_free(void *memory);

/** Bytes that the machine has left, as its kernel reckons; 0: not known. */
int64_t invar_memory_available(void);

/** strdup that reports. Free with invar_free. */
char *invar_strdup(const char *text, struct invar_error *err);

/** a * b into *out; false when it does not fit (use before every size that comes from a file). */
bool invar_size_multiply(size_t a, size_t b, size_t *out);

/**
 * Room for one element more in an array of `count` elements of `size` bytes (from invar_alloc; *items may be NULL):
 * when it is full, it is moved to one twice as large. False with err set, and nothing changed, when memory is short.
 */
bool invar_grow(void **items, int count, int *capacity, size_t size, struct invar_error *err);

/**
 * Scratch: a bump allocator for work space inside a step. The first step may grow it; after invar_scratch_reset the
 * same sequence of takes costs no allocation. Grown blocks are merged at the next reset.
 */
struct invar_scratch;
struct invar_scratch *invar_scratch_create(struct invar_error *err);
void invar_scratch_free(struct invar_scratch *scratch);
/** count * size bytes of the host, aligned to 64, not zeroed, valid until the next reset. NULL with err set when memory
 * is short. Memory of a device: invar_device_take. */
void *invar_scratch_take(struct invar_scratch *scratch, size_t count, size_t size, struct invar_error *err);
void invar_scratch_reset(struct invar_scratch *scratch);
/** Bytes taken since the last reset, of host and device together. */
size_t invar_scratch_used(const struct invar_scratch *scratch);

#ifdef __cplusplus
}
#endif

#endif
