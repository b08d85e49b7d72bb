/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_ARRAY_H
#define INVAR_ARRAY_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum invar_dtype { INVAR_FLOAT32, INVAR_FLOAT64, INVAR_INT64, INVAR_UINT8, INVAR_BFLOAT16, INVAR_UINT16 };

size_t invar_dtype_size(enum invar_dtype dtype);
const char *invar_dtype_name(enum invar_dtype dtype);

#define INVAR_MAX_RANK 6

/** A dense array in C order. As a value it either owns data (made by *_alloc, *_read) or borrows it. */
struct invar_array {
    enum invar_dtype dtype;
    int rank;
    int64_t shape[INVAR_MAX_RANK];
    void *data;
};

/** A dense matrix in C order, rows x cols, without padding; the currency of terms and measurements. It never owns data.
 */
struct invar_matrix {
    enum invar_dtype dtype; /* INVAR_FLOAT32 or INVAR_FLOAT64 */
    int64_t rows, cols;
    void *data;
};

/** Zeroed array of that shape; sizes are checked before they are multiplied. */
bool invar_array_alloc(struct invar_array *out, enum invar_dtype dtype, int rank, const int64_t *shape,
                       struct invar_error *err);
/** Frees data and clears the struct; a zeroed struct is accepted. */
void invar_array_free(struct invar_array *array);
int64_t invar_array_count(const struct invar_array *array);
/** Number i of an array of any type, in C order. */
double invar_array_at(const struct invar_array *array, int64_t i);
/** A new float32 or float64 copy of an array of any type. */
bool invar_array_convert(struct invar_array *out, const struct invar_array *in, enum invar_dtype dtype,
                         struct invar_error *err);

/**
 * .npy 1.0, 2.0 and 3.0, little-endian, C order, <f4 <f8 <i8 <i4 (read as int64) <u2 |u1 |b1 (read as uint8). Anything
 * else, a truncated file, or a size that does not match the header is refused with one sentence that names the file.
 */
bool invar_npy_read(struct invar_array *out, const char *path, struct invar_error *err);
/** Type and shape by the header alone, data NULL; refuses what invar_npy_read would. */
bool invar_npy_describe(struct invar_array *out, const char *path, struct invar_error *err);
/** Writes version 1.0 beside its place, flushes, renames. */
bool invar_npy_write(const struct invar_array *array, const char *path, struct invar_error *err);
/**
 * Offers an array of memory under the name of a file, "memory:NAME.npy": invar_npy_read gives copies of it from then
 * on, so that npy:memory:NAME.npy is a source of data and data.labels=memory:NAME.npy are labels. The array is borrowed
 * until it is withdrawn, or another one is offered under that name. Of the process; any thread may call.
 */
bool invar_npy_offer(const char *name, const struct invar_array *array, struct invar_error *err);
void invar_npy_withdraw(const char *name);
struct invar_writer;
/** The same bytes to a writer that is open (file.h); path is for messages. */
bool invar_npy_put(struct invar_writer *writer, const struct invar_array *array, const char *path,
                   struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
