/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include "data/table/table.h"
#include "invar/export.h"

/** What goes into an exported encoder: maps or vectors of numbers or, of a table whose columns are known, its cells. */
struct export_input {
    const char *name; /**< "image", "spectrogram", "numbers" */
    struct invar_shape shape;
    int64_t features;
    struct data_schema *schema; /**< NULL: numbers go in as they are */
    int numbers, categories;    /**< columns of the schema that are either */
};
/** Close it in either case. */
bool export_input_open(struct export_input *input, const struct invar_encoder *encoder, struct invar_error *err);
void export_input_close(struct export_input *input);
/** Column `number` of its kind. */
const struct invar_column *export_input_column(const struct export_input *input, enum invar_column_kind kind,
                                               int number);
/** Whether some cell of a column may be empty without being missing. */
bool export_has_empty_category(const struct invar_column *column);
/** Whether the encoder standardises what goes in: channels of maps. */
static inline bool export_standardises(const struct export_input *input)
{
    return input->shape.rank == 3 && input->shape.channels <= 16;
}
/** "layer layer3 (upsample): ..." */
bool export_refuse_layer(const struct invar_layer *layer, const char *format, struct invar_error *err);

bool export_onnx_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err);
bool export_safetensors_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err);
bool export_c_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err);

#endif
