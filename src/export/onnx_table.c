/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of a table in ONNX: numbers are standardised in float64, texts looked up and one-hot, and the columns of both
 * put in the order that the net has. */
#include "export/onnx_table.h"
#include "base/json_write.h"

#include <math.h>

/* Metadata KEY: the names of the columns, as a list in JSON. */
static void describe_columns(struct onnx *onnx, const struct export_input *input, enum invar_column_kind kind,
                             int count, const char *key)
{
    struct json_writer w = {0};

    json_open_array(&w, NULL);
    for (int k = 0; k < count; k++)
        json_text(&w, NULL, export_input_column(input, kind, k)->name);
    json_close(&w);
    onnx_metadata(onnx, key, json_written(&w, "the names of columns", NULL) ? w.text.data : NULL);
    json_writer_free(&w);
}

/* "values" [N, K] and "missing" [N, K]. */
static void add_numbers(struct onnx *onnx, const struct export_input *input)
{
    static const float zero;
    const int64_t count = input->numbers;
    double *mean = onnx_take(onnx, (size_t)count, sizeof *mean);
    double *deviation = onnx_take(onnx, (size_t)count, sizeof *deviation);

    for (int k = 0; deviation && k < input->numbers; k++) {
        const struct invar_column *column = export_input_column(input, INVAR_COLUMN_NUMERIC, k);
        mean[k] = column->mean;
        deviation[k] = column->deviation;
    }
    describe_columns(onnx, input, INVAR_COLUMN_NUMERIC, input->numbers, "numbers");
    onnx_value(onnx, false, "numbers", ONNX_FLOAT64, 2, (int64_t[]){0, count});
    onnx_constant(onnx, "mean", ONNX_FLOAT64, 1, &count, mean);
    onnx_constant(onnx, "deviation", ONNX_FLOAT64, 1, &count, deviation);
    onnx_constant(onnx, "zero", ONNX_FLOAT32, 0, NULL, &zero);
    onnx_node(onnx, "Sub", "centred", (const char *const[]){"numbers", "mean", NULL});
    onnx_node(onnx, "Div", "divided", (const char *const[]){"centred", "deviation", NULL});
    onnx_integer(onnx, onnx_node(onnx, "Cast", "standardised", (const char *const[]){"divided", NULL}), "to",
                 ONNX_FLOAT32);
    onnx_node(onnx, "IsNaN", "absent", (const char *const[]){"standardised", NULL});
    onnx_node(onnx, "Where", "values", (const char *const[]){"absent", "zero", "standardised", NULL});
    onnx_integer(onnx, onnx_node(onnx, "Cast", "missing", (const char *const[]){"absent", NULL}), "to", ONNX_FLOAT32);
}

/* "hot K" [N, places] of column K of the texts; its name. */
static const char *add_category(struct onnx *onnx, const struct invar_column *column, int number)
{
    static const int64_t numbers = 2;
    static const float off_on[] = {0, 1};
    const int count = column->categories + !export_has_empty_category(column);
    char **keys = onnx_take(onnx, (size_t)column->categories + 1, sizeof *keys);
    int64_t *places = onnx_take(onnx, (size_t)column->categories + 1, sizeof *places);
    int64_t *single = onnx_take(onnx, 2, sizeof *single);
    const char *at = onnx_text(onnx, "at %d", number), *depth = onnx_text(onnx, "places %d", number);
    const char *text = onnx_text(onnx, "text %d", number), *place = onnx_text(onnx, "place %d", number);
    const char *hot = onnx_text(onnx, "hot %d", number);

    if (!hot)
        return NULL;
    for (int k = 0; k < column->categories; k++)
        keys[k] = column->category[k];
    keys[column->categories] = onnx_text(onnx, "%s", "");
    for (int k = 0; k <= column->categories; k++)
        places[k] = k;
    single[0] = number;
    single[1] = column->places;
    onnx_constant(onnx, at, ONNX_INT64, 0, NULL, &single[0]);
    onnx_constant(onnx, depth, ONNX_INT64, 0, NULL, &single[1]);
    if (number == 0)
        onnx_constant(onnx, "off on", ONNX_FLOAT32, 1, &numbers, off_on);
    onnx_integer(onnx, onnx_node(onnx, "Gather", text, (const char *const[]){"categories", at, NULL}), "axis", 1);
    struct onnx_node *encode = onnx_node(onnx, "LabelEncoder", place, (const char *const[]){text, NULL});
    onnx_of_texts(onnx, encode);
    onnx_texts(onnx, encode, "keys_strings", count, keys);
    onnx_integers(onnx, encode, "values_int64s", count, places);
    onnx_integer(onnx, encode, "default_int64", column->categories + 1);
    onnx_node(onnx, "OneHot", hot, (const char *const[]){place, depth, "off on", NULL});
    return hot;
}

/* For every place of a row where it stands among values, missing and the one-hot columns side by side. */
static const int64_t *find_order(struct onnx *onnx, const struct export_input *input)
{
    int64_t *order = onnx_take(onnx, (size_t)input->schema->width, sizeof *order);
    int64_t number = 0, hot = 2 * (int64_t)input->numbers;

    for (int c = 0; order && c < input->schema->count; c++) {
        const struct invar_column *column = &input->schema->column[c];
        const bool numeric = column->kind == INVAR_COLUMN_NUMERIC;
        for (int p = 0; p < column->places; p++)
            order[column->first + p] = numeric ? number + p * input->numbers : hot++;
        number += numeric;
    }
    return order;
}

const char *onnx_table(struct onnx *onnx, const struct export_input *input)
{
    const int64_t width = input->schema->width;
    const char **parts = onnx_take(onnx, (size_t)input->categories + 3, sizeof *parts);
    const int64_t *order = find_order(onnx, input);
    int count = 0;

    if (!order)
        return NULL;
    if (input->numbers) {
        add_numbers(onnx, input);
        parts[count++] = "values";
        parts[count++] = "missing";
    }
    if (input->categories) {
        describe_columns(onnx, input, INVAR_COLUMN_CATEGORICAL, input->categories, "categories");
        onnx_value(onnx, false, "categories", ONNX_TEXT, 2, (int64_t[]){0, input->categories});
    }
    for (int k = 0; k < input->categories; k++)
        parts[count++] = add_category(onnx, export_input_column(input, INVAR_COLUMN_CATEGORICAL, k), k);
    parts[count] = NULL;
    onnx_constant(onnx, "order", ONNX_INT64, 1, &width, order);
    onnx_integer(onnx, onnx_node(onnx, "Concat", "beside", parts), "axis", 1);
    onnx_integer(onnx, onnx_node(onnx, "Gather", "row", (const char *const[]){"beside", "order", NULL}), "axis", 1);
    return "row";
}
