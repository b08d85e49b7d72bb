/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into an exported encoder. */
#include "export/export.h"

#include <string.h>

bool export_input_open(struct export_input *input, const struct invar_encoder *encoder, struct invar_error *err)
{
    *input = (struct export_input){.shape = invar_net_input(encoder->net),
                                   .features = invar_net_output(encoder->net).channels};
    input->name = strcmp(encoder->data_kind, "audio") == 0 ? "spectrogram"
                  : input->shape.rank == 3                 ? "image"
                                                           : "numbers";
    if (input->shape.rank == 3 || !encoder->columns.data)
        return true;
    input->schema = data_schema_read(encoder->columns.data, err);
    for (int c = 0; input->schema && c < input->schema->count; c++) {
        input->numbers += input->schema->column[c].kind == INVAR_COLUMN_NUMERIC;
        input->categories += input->schema->column[c].kind == INVAR_COLUMN_CATEGORICAL;
    }
    return input->schema &&
           (input->schema->width == input->shape.channels ||
            invar_error_set(err, INVAR_ERROR_FORMAT,
                            "the columns of the encoder become %d numbers, and its net takes %lld: its file is damaged",
                            input->schema->width, (long long)input->shape.channels));
}

void export_input_close(struct export_input *input)
{
    data_schema_free(input->schema);
}

const struct invar_column *export_input_column(const struct export_input *input, enum invar_column_kind kind,
                                               int number)
{
    for (int c = 0; c < input->schema->count; c++)
        if (input->schema->column[c].kind == kind && number-- == 0)
            return &input->schema->column[c];
    return NULL;
}

bool export_has_empty_category(const struct invar_column *column)
{
    for (int k = 0; k < column->categories; k++)
        if (!column->category[k][0])
            return true;
    return false;
}

static bool describe_columns(const struct export_input *input, enum invar_column_kind kind, int count,
                             struct invar_text *out, struct invar_error *err)
{
    for (int k = 0; k < count; k++)
        if (!invar_text_printf(out, err, "%s%s", k ? ", " : " (", export_input_column(input, kind, k)->name))
            return false;
    return invar_text_printf(out, err, ")");
}

static bool describe(const struct export_input *input, struct invar_text *out, struct invar_error *err)
{
    const struct invar_shape shape = input->shape;

    if (shape.rank == 3)
        return invar_text_printf(out, err, "%s float32 [N, %lld, %lld, %lld]", input->name, (long long)shape.channels,
                                 (long long)shape.height, (long long)shape.width);
    if (!input->schema)
        return invar_text_printf(out, err, "%s float32 [N, %lld]", input->name, (long long)shape.channels);
    if (input->numbers && (!invar_text_printf(out, err, "numbers float64 [N, %d]", input->numbers) ||
                           !describe_columns(input, INVAR_COLUMN_NUMERIC, input->numbers, out, err)))
        return false;
    return !input->categories ||
           (invar_text_printf(out, err, "%scategories string [N, %d]", input->numbers ? ", " : "", input->categories) &&
            describe_columns(input, INVAR_COLUMN_CATEGORICAL, input->categories, out, err));
}

bool invar_export_describe(const struct invar_encoder *encoder, struct invar_text *out, struct invar_error *err)
{
    struct export_input input;
    const bool ok = export_input_open(&input, encoder, err) && describe(&input, out, err) &&
                    invar_text_printf(out, err, " -> representation float32 [N, %lld]", (long long)input.features);

    export_input_close(&input);
    return ok;
}
