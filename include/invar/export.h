/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EXPORT_H
#define INVAR_EXPORT_H

#include "invar/encoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What an encoder is exported as, for programs that know nothing of invar: one file each and one line in the table.
 */
struct invar_export_format {
    const char *name, *ending, *help; /**< "onnx", ".onnx" of the file, one line */
    bool (*write)(const struct invar_encoder *encoder, const char *path, struct invar_error *err);
};
/** The last entry has no name. */
const struct invar_export_format *invar_export_formats(void);

/**
 * Writes an encoder to path, whole or not at all (c: and the header beside it); docs/export.md has what goes in and
 * comes out. format NULL: by the ending of path. Refused: a format that there is not, a file that ends otherwise, a
 * layer that the format lacks, weights that are not finite, an encoder that gives all of 16 inputs drawn at random the
 * same representation (collapsed).
 */
bool invar_export(const struct invar_encoder *encoder, const char *format, const char *path, struct invar_error *err);

/** What goes in and what comes out, as one line: "image float32 [N, 3, 32, 32] -> representation float32 [N, 512]". */
bool invar_export_describe(const struct invar_encoder *encoder, struct invar_text *out, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
