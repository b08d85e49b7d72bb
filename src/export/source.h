/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_SOURCE_H
#define EXPORT_SOURCE_H

#include "export/export.h"
#include "export/memory_plan.h"
#include "invar/expert/file.h"

/** C text that is being written: FILE.c, and what its names begin with. */
struct source {
    struct invar_writer *writer;
    struct invar_error *err;
    const struct invar_encoder *encoder;
    struct export_input input;
    struct memory_plan plan;
    char prefix[64];              /**< "encoder": names of functions */
    char upper[64];               /**< "ENCODER": of macros */
    bool used[INVAR_LAYER_COUNT]; /**< kinds of layers that the net has */
};

bool source_say(struct source *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** `static const float NAME[] = {...};` */
bool source_floats(struct source *s, const char *name, int number, const float *values, int64_t count);
bool source_doubles(struct source *s, const char *name, const double *values, int count);
/** A literal with all that is not plain escaped. */
bool source_text(struct source *s, const char *text);
/** The functions that the layers of the net need (source_layers.c); convolutions do linear layers, too. */
bool source_functions(struct source *s);
/** The constants of all layers, and then the calls that run them one after the other. */
bool source_weights(struct source *s);
bool source_calls(struct source *s);
/** Of a table: the constants of its columns, and the function that makes a row of its cells (source_table.c). */
bool source_table(struct source *s);

#endif
