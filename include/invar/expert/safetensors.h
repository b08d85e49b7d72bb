/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SAFETENSORS_H
#define INVAR_SAFETENSORS_H

#include "invar/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A safetensors file: named arrays and string metadata, in memory. Types F32, F64, I64, U8, BF16; F16 is
 * read as float32. */
struct invar_safetensors;

struct invar_safetensors *invar_safetensors_create(struct invar_error *err);
void invar_safetensors_free(struct invar_safetensors *file);

/** Adds a copy of the array under a name that must be new. */
bool invar_safetensors_add(struct invar_safetensors *file, const char *name, const struct invar_array *array,
                           struct invar_error *err);
/** Sets one entry of __metadata__, replacing what it held. */
bool invar_safetensors_set_metadata(struct invar_safetensors *file, const char *key, const char *value,
                                    struct invar_error *err);

/** Borrowed: valid while file lives. NULL when there is none. */
const struct invar_array *invar_safetensors_get(const struct invar_safetensors *file, const char *name);
const char *invar_safetensors_metadata(const struct invar_safetensors *file, const char *key);
/** Number of arrays; name i, in sorted order. */
int invar_safetensors_count(const struct invar_safetensors *file);
const char *invar_safetensors_name(const struct invar_safetensors *file, int i);

/**
 * Reads and checks everything: header length against file size, offsets in range, without overlap and without holes,
 * shapes against byte counts, JSON well formed. When the metadata holds "invar.crc32" (which write always puts there),
 * the data must match it.
 */
bool invar_safetensors_read(struct invar_safetensors **out, const char *path, struct invar_error *err);
/** Header sorted by name, data aligned to their type (widest types first), deterministic bytes for equal content;
 * written beside its place and renamed. */
bool invar_safetensors_write(const struct invar_safetensors *file, const char *path, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
