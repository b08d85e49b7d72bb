/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_SAFETENSORS_H
#define INVAR_BASE_SAFETENSORS_H

#include "base/table.h"
#include "invar/expert/safetensors.h"

#define SAFETENSORS_CRC_KEY "invar.crc32"
#define SAFETENSORS_METADATA "__metadata__"
#define SAFETENSORS_CRC_SIZE 9 /* eight hexadecimal digits and a NUL */

struct invar_safetensors {
    struct table tensors, metadata;
};

/** The format's name of a type ("F32"). */
const char *safetensors_type_name(enum invar_dtype dtype);
bool safetensors_type_find(const char *name, enum invar_dtype *dtype);

/** Adds a vector that is not copied: when the file is written, give is asked for its bytes, twice and both times alike.
 * The name must be new; user is borrowed. */
bool safetensors_add_pieces(struct invar_safetensors *file, const char *name, enum invar_dtype dtype, int64_t count,
                            table_give *give, void *user, int which, struct invar_error *err);

/** Reads the header alone, of which metadata are kept: a file without arrays, however large its data are. Its checksum
 * is not looked at. */
bool safetensors_read_metadata(struct invar_safetensors **out, const char *path, struct invar_error *err);

#endif
