/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source `npy`: an array from elsewhere, [N][C][H][W] or [N][H][W] images, [N][d] or [N] rows of numbers, with
 * labels in a file beside it. Rows of numbers are a table whose columns are called x0, x1, ...
 */
#include "base/npy.h"
#include "data/table/table.h"

#include "invar/array.h"
#include "invar/log.h"
#include "invar/memory.h"
#include <math.h>
#include <string.h>

struct part {
    const char *path, *labels_path; /* labels_path empty: none */
    struct invar_array array;
    int column; /* of the labels, -1: none */
};

struct arrays {
    struct data_source *source;
    const struct invar_data_options *options;
    struct part part[2];    /* the second: rows of data.test */
    struct data_csv csv[2]; /* labels of both */
    struct data_rules rules;
    struct data_label label;
    struct data_schema *schema;
};

bool data_npy_kind(const char *path, enum invar_data_kind *kind)
{
    struct invar_array header;
    struct invar_error err = {0};

    if (!invar_npy_describe(&header, path, &err))
        return false;
    *kind = header.rank > 2 ? INVAR_DATA_IMAGE : INVAR_DATA_TABLE;
    return true;
}

static const char *shape_text(const struct invar_array *array, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (int i = 0; i < array->rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "[%lld]", (long long)array->shape[i]);
    return out;
}

/* ---- arrays ---- */

static bool check_shape(const struct invar_array *header, const char *path, struct invar_error *err)
{
    char shape[160];

    shape_text(header, shape, sizeof shape);
    if (header->rank < 1 || header->rank > 4)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: has the shape %s; expected [N][C][H][W] or [N][H][W] images, or [N][d] numbers",
                               path, header->rank ? shape : "of a single number");
    for (int i = 0; i < header->rank; i++)
        if (header->shape[i] < 1)
            return invar_error_set(err, INVAR_ERROR_DATA, "%s: has the shape %s and so no numbers", path, shape);
    if (header->rank < 3)
        return true;
    const bool last = header->rank == 4 && header->shape[1] == header->shape[2] && header->shape[3] != header->shape[2];
    if (header->rank == 4 && header->shape[3] <= 4 && (header->shape[1] > 16 || last))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: has the shape %s, which looks like [N][H][W][C]; save numpy.transpose(x, (0, 3, 1, "
                               "2)), channels first",
                               path, shape);
    if (header->rank == 4 && header->shape[1] > 16)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: has images of %lld channels, at most 16 are read", path,
                               (long long)header->shape[1]);
    return data_image_check(header->shape[header->rank - 2], header->shape[header->rank - 1], path, err);
}

static bool read_array(struct arrays *a, struct part *part, struct invar_error *err)
{
    struct invar_array header;

    if (!invar_npy_describe(&header, part->path, err) || !check_shape(&header, part->path, err))
        return false;
    const double bytes = (double)invar_array_count(&header) * (double)invar_dtype_size(header.dtype);
    if (bytes > (double)data_memory_limit(a->options))
        return invar_error_set(err, INVAR_ERROR_MEMORY,
                               "%s: its %.0f MiB are more than data.memory_limit=%lld MiB: raise it", part->path,
                               bytes / (1 << 20), (long long)a->options->memory_limit);
    if (!invar_npy_read(&part->array, part->path, err))
        return false;
    if (header.rank >= 3 && npy_is_bool(part->path)) /* bytes of images go up to 255 */
        for (int64_t i = 0; i < invar_array_count(&header); i++)
            ((uint8_t *)part->array.data)[i] *= 255;
    return true;
}

static bool read_arrays(struct arrays *a, struct invar_error *err)
{
    const struct invar_array *first = &a->part[0].array, *second = &a->part[1].array;
    char one[160], other[160];

    if (!read_array(a, &a->part[0], err))
        return false;
    if (!a->options->test[0])
        return true;
    if (!read_array(a, &a->part[1], err))
        return false;
    bool same = first->rank == second->rank && first->dtype == second->dtype;
    for (int i = 1; same && i < first->rank; i++)
        same = first->shape[i] == second->shape[i];
    return same ||
           invar_error_set(err, INVAR_ERROR_DATA, "%s: is %s of %s, but %s is %s of %s; samples must be alike",
                           a->part[1].path, invar_dtype_name(second->dtype), shape_text(second, other, sizeof other),
                           a->part[0].path, invar_dtype_name(first->dtype), shape_text(first, one, sizeof one));
}

/* ---- labels ---- */

static bool count_differs(const char *labels, int64_t count, const struct part *part, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: has %lld labels for the %lld rows of %s; expected one for every row, in "
                           "their order",
                           labels, (long long)count, (long long)part->array.shape[0], part->path);
}

static bool labels_of_array(struct arrays *a, int which, struct invar_error *err)
{
    struct part *part = &a->part[which];
    struct invar_array labels = {0};
    char shape[160];
    bool below = a->label.number, ok = false;

    if (!invar_npy_read(&labels, part->labels_path, err))
        return false;
    const int64_t count = invar_array_count(&labels);
    part->column = 0;
    a->rules.empty_missing = true; /* which NaN becomes, whatever data.missing says of texts */
    if (labels.rank > 2 || (labels.rank == 2 && labels.shape[1] != 1) || labels.rank < 1)
        invar_error_set(err, INVAR_ERROR_DATA, "%s: has the shape %s; expected one label a row, [N]", part->labels_path,
                        shape_text(&labels, shape, sizeof shape));
    else if (count != part->array.shape[0])
        count_differs(part->labels_path, count, part, err);
    else
        ok = (which == 1 || data_npy_below(&below, &a->rules, a->schema, part->labels_path, &labels, err)) &&
             data_npy_labels(&a->csv[which], part->labels_path, &labels, below, err);
    invar_array_free(&labels);
    return ok;
}

/* A list as `invar embed` writes it says which row is which; names alone say nothing of rows without names. */
static bool check_order(const struct data_csv *csv, const struct part *part, struct invar_error *err)
{
    const bool numbered = data_csv_has(csv, "row");
    const int row = numbered ? data_csv_column(csv, "row", "which it has", err) : -1;

    if (!numbered && data_csv_has(csv, "file_name"))
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s: names files (column file_name), but the rows of %s have no names; give their labels "
            "in their order, without that column",
            csv->path, part->path);
    if (numbered && row < 0)
        return false;
    for (int64_t i = 0; numbered && i < csv->rows; i++) {
        double number;
        if (!data_csv_number(csv, data_csv_cell(csv, i, row), &number) || !(number == (double)i))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s, line %lld: the column row is \"%s\" where %lld is expected: labels "
                                   "stand in the order of the rows of %s",
                                   csv->path, (long long)data_csv_line(csv, i), data_csv_cell(csv, i, row),
                                   (long long)i, part->path);
    }
    return true;
}

/* data.label, "label", or the only column. */
static bool choose_column(struct arrays *a, int which, struct invar_error *err)
{
    const struct data_csv *csv = &a->csv[which];
    const char *name = a->options->label;
    int *column = &a->part[which].column;

    if (!name[0] && csv->columns > 1 && !data_csv_has(csv, "label"))
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "%s: has %d columns and none is called label; data.label=COLUMN says which has the labels", csv->path,
            csv->columns);
    if (!name[0])
        name = csv->columns > 1 ? "label" : data_csv_cell(csv, -1, 0);
    *column = data_csv_column(csv, name, "which has the labels", err);
    return *column >= 0;
}

static bool labels_of_table(struct arrays *a, int which, struct invar_error *err)
{
    struct part *part = &a->part[which];
    struct data_csv *csv = &a->csv[which];
    const char *separator = a->options->csv.separator;
    const char character = strcmp(separator, "tab") == 0 ? '\t' : separator[0];

    if (!data_csv_read_as(csv, part->labels_path, character, a->options->csv.header, err))
        return false;
    data_marks_find(csv, &a->rules);
    if (csv->rows != part->array.shape[0])
        return count_differs(part->labels_path, csv->rows, part, err);
    return check_order(csv, part, err) && choose_column(a, which, err);
}

static bool read_labels(struct arrays *a, int which, struct invar_error *err)
{
    const char *path = a->part[which].labels_path;
    const size_t length = strlen(path);
    const bool array = length > 4 && strcmp(path + length - 4, ".npy") == 0;

    return !length || (array ? labels_of_array(a, which, err) : labels_of_table(a, which, err));
}

/* What the labels are is found before those of the test are read: of an array of whole numbers they say whether those
 * below 0 are some. */
static bool take_labels(struct arrays *a, struct invar_error *err)
{
    struct data_source *source = a->source;

    if (!read_labels(a, 0, err))
        return false;
    a->label.rules = &a->rules;
    a->label.name = a->part[0].column < 0 ? "" : data_csv_cell(&a->csv[0], -1, a->part[0].column);
    a->label.schema = a->schema && (a->schema->classes || a->schema->label_number) ? a->schema : NULL;
    a->label.own_classes = source->own_classes;
    if (a->part[0].column >= 0 && !data_label_find(&a->label, &a->csv[0], a->part[0].column, source, err))
        return false;
    if (!read_labels(a, 1, err))
        return false;
    if (a->part[0].column < 0 && a->part[1].column >= 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "data.test_labels is given without data.labels, which name the "
                               "classes");
    return data_label_read(&a->label, &a->csv[0], a->part[0].column, 0, source, err) &&
           data_label_read(&a->label, &a->csv[1], a->part[1].column, a->part[0].array.shape[0], source, err);
}

/* ---- splits ---- */

/* The column split of the labels, as `invar embed` writes it; *found false where there is none. */
static bool split_by_list(struct arrays *a, bool *found, struct invar_error *err)
{
    const struct data_csv *csv = &a->csv[0];
    int64_t tests = 0;

    *found = a->part[0].column >= 0 && csv->columns > 1 && data_csv_has(csv, "split") && !a->options->test[0] &&
             !a->options->test_rows[0];
    if (!*found)
        return true;
    const int column = data_csv_column(csv, "split", "which it has", err);
    if (column < 0)
        return false;
    for (int64_t i = 0; i < csv->rows; i++) {
        const char *cell = data_csv_cell(csv, i, column);
        const bool test = strcmp(cell, "test") == 0;
        if (!test && strcmp(cell, "train") != 0)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s, line %lld: the column split is \"%s\", expected train or test", csv->path,
                                   (long long)data_csv_line(csv, i), cell);
        a->source->split[i] = test ? INVAR_TEST : INVAR_TRAIN;
        tests += test;
    }
    a->source->has_test = a->source->divided = tests > 0;
    *found = tests > 0;
    return true;
}

static bool divide(struct arrays *a, struct invar_error *err)
{
    bool found;

    return split_by_list(a, &found, err) &&
           (found || data_table_split(a->source, a->options, a->part[0].array.shape[0], err));
}

/* ---- images ---- */

/* Floats are 0..1, as views have them. */
static bool check_range(const struct part *part, struct invar_error *err)
{
    const int64_t count = invar_array_count(&part->array);
    double least = INFINITY, most = -INFINITY;
    int64_t bad = 0;

    for (int64_t i = 0; i < count; i++) {
        const double value = invar_array_at(&part->array, i);
        bad += !isfinite(value);
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    if (bad)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: %lld of its values are NaN or infinite", part->path,
                               (long long)bad);
    return (least >= 0 && most <= 1) ||
           invar_error_set(
               err, INVAR_ERROR_DATA,
               "%s: images of floats are from 0 to 1, these are from %g to %g; save (x - %g) / %g, or uint8 "
               "or uint16",
               part->path, least, most, least, most - least > 0 ? most - least : 1);
}

/* Channels last, as samples have them. */
static void interleave(const struct invar_array *array, int64_t channels, int64_t pixels, size_t unit, uint8_t *out)
{
    const int64_t count = array->shape[0];
    float *floats = (float *)(void *)out;

    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t p = 0; p < pixels; p++) {
                const int64_t from = (i * channels + c) * pixels + p, to = (i * pixels + p) * channels + c;
                if (unit == sizeof(float))
                    floats[to] = (float)invar_array_at(array, from);
                else
                    memcpy(out + (size_t)to * unit, (const uint8_t *)array->data + (size_t)from * unit, unit);
            }
}

/* What to save instead must hold the values that there are. */
static bool refuse_whole(const struct arrays *a, struct invar_error *err)
{
    double least = INFINITY, most = -INFINITY;
    char instead[96] = "x.astype(numpy.uint8)";

    for (int which = 0; which < 2 && a->part[which].array.data; which++)
        for (int64_t i = 0; i < invar_array_count(&a->part[which].array); i++) {
            const double value = invar_array_at(&a->part[which].array, i);
            least = fmin(least, value);
            most = fmax(most, value);
        }
    if (least < 0)
        snprintf(instead, sizeof instead, "((x + %.17g) / %.17g).astype(numpy.float32)", -least,
                 most - least > 0 ? most - least : 1);
    else if (most > 255)
        snprintf(instead, sizeof instead, "(x / %.17g).astype(numpy.float32)", most);
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: images of whole numbers are uint8 or uint16, these are int32 or int64, from %.17g to "
                           "%.17g; save %s",
                           a->part[0].path, least, most, instead);
}

static bool take_images(struct arrays *a, struct invar_error *err)
{
    struct data_source *source = a->source;
    const struct invar_array *first = &a->part[0].array;
    const int64_t channels = first->rank == 4 ? first->shape[1] : 1;
    const int64_t height = first->shape[first->rank - 2], width = first->shape[first->rank - 1];
    const size_t unit = first->dtype == INVAR_UINT8 ? 1 : first->dtype == INVAR_UINT16 ? 2 : sizeof(float);
    size_t each, bytes;
    int64_t done = 0;

    source->kind = INVAR_DATA_IMAGE;
    source->height = (int)height;
    source->width = (int)width;
    source->channels = (int)channels;
    source->unit = unit;
    if (first->dtype == INVAR_INT64)
        return refuse_whole(a, err);
    if (!invar_size_multiply((size_t)(channels * height * width), unit, &each) ||
        !invar_size_multiply(each, (size_t)source->count, &bytes))
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: is larger than memory can address", a->part[0].path);
    source->held[0].data = invar_alloc(bytes, 1, err);
    source->held[0].size = bytes;
    if (!source->held[0].data)
        return false;
    for (int which = 0; which < 2 && a->part[which].array.data; which++) {
        if (unit == sizeof(float) && !check_range(&a->part[which], err))
            return false;
        interleave(&a->part[which].array, channels, height * width, unit, source->held[0].data + (size_t)done * each);
        done += a->part[which].array.shape[0];
        invar_array_free(&a->part[which].array);
    }
    for (int64_t i = 0; i < source->count; i++)
        source->pixels[i] = source->held[0].data + (size_t)i * each;
    return true;
}

/* ---- rows of numbers ---- */

/* Value c of sample i, over both arrays. */
static double value_at(const struct arrays *a, int64_t i, int64_t c)
{
    const int64_t first = a->part[0].array.shape[0], cols = a->part[0].array.rank > 1 ? a->part[0].array.shape[1] : 1;

    return i < first ? invar_array_at(&a->part[0].array, i * cols + c)
                     : invar_array_at(&a->part[1].array, (i - first) * cols + c);
}

/* NaN is a missing value; of features that are measured as they are nothing may be missing. */
static bool check_values(const struct arrays *a, int64_t cols, struct invar_error *err)
{
    for (int64_t i = 0; i < a->source->count; i++)
        for (int64_t c = 0; c < cols; c++) {
            const double value = value_at(a, i, c);
            const int64_t first = a->part[0].array.shape[0];
            if (isfinite((float)value) || (isnan(value) && !a->source->raw))
                continue;
            return invar_error_set(err, INVAR_ERROR_DATA, "%s: number %lld of row %lld is %g, expected %s",
                                   a->part[i >= first].path, (long long)c, (long long)(i < first ? i : i - first),
                                   value,
                                   a->source->raw ? "finite float32" : "finite float32, or NaN where it is missing");
        }
    return true;
}

/* Mean and deviation of the training rows, in two passes in the order of the rows. A column whose values are all equal
 * is constant whatever rounding makes of its mean. */
static bool measure_columns(const struct arrays *a, int64_t cols, struct invar_column *column, struct invar_error *err)
{
    struct counts {
        int64_t values, missing;
        double least, most, sum, squares;
    } *counts = invar_alloc((size_t)cols, sizeof *counts, err);
    const struct data_source *source = a->source;

    if (!counts)
        return false;
    for (int64_t c = 0; c < cols; c++) {
        counts[c].least = INFINITY;
        counts[c].most = -INFINITY;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < source->count; i++)
            for (int64_t c = 0; source->split[i] == INVAR_TRAIN && c < cols; c++) {
                const double value = value_at(a, i, c), from_mean = value - column[c].mean;
                if (isnan(value)) {
                    counts[c].missing += pass == 0;
                } else if (pass == 0) {
                    counts[c].values++;
                    counts[c].sum += value;
                    counts[c].least = fmin(counts[c].least, value);
                    counts[c].most = fmax(counts[c].most, value);
                } else {
                    counts[c].squares += from_mean * from_mean;
                }
            }
        for (int64_t c = 0; c < cols; c++) {
            const double n = counts[c].values ? (double)counts[c].values : 1;
            column[c].mean = counts[c].sum / n;
            column[c].deviation = sqrt(counts[c].squares / n);
        }
    }
    for (int64_t c = 0; c < cols; c++) {
        const bool varies =
            counts[c].least < counts[c].most && column[c].deviation > 0 && isfinite(column[c].deviation);
        column[c].indicator = counts[c].missing > 0;
        column[c].kind = varies ? INVAR_COLUMN_NUMERIC : INVAR_COLUMN_CONSTANT;
    }
    invar_free(counts);
    return true;
}

static bool find_columns(struct arrays *a, int64_t cols, struct invar_error *err)
{
    int constant = 0;
    struct data_schema *schema = a->schema = invar_alloc(1, sizeof *schema, err);

    if (!schema || !data_schema_reserve(schema, (int)cols, err) || !(schema->label = invar_strdup(a->label.name, err)))
        return false;
    for (int64_t c = 0; c < cols; c++) {
        char name[24];
        snprintf(name, sizeof name, "x%lld", (long long)c);
        schema->column[c] = (struct invar_column){.kind = INVAR_COLUMN_NUMERIC, .deviation = 1};
        if (!(schema->column[c].name = invar_strdup(name, err)))
            return false;
        schema->count++;
    }
    if (!a->source->raw && !measure_columns(a, cols, schema->column, err))
        return false;
    for (int64_t c = 0; c < cols; c++)
        constant += schema->column[c].kind == INVAR_COLUMN_CONSTANT;
    if (constant)
        invar_log(INVAR_LOG_WARNING, "%s: %d of %lld columns are the same in every training row and are left out",
                  a->part[0].path, constant, (long long)cols);
    return data_schema_keep_label(schema, &a->label, a->source, err) && data_schema_arrange(schema, err);
}

/* The columns of an encoder must be those of an array. */
static bool check_columns(const struct arrays *a, int64_t cols, struct invar_error *err)
{
    bool same = a->schema->count == cols;

    for (int64_t c = 0; same && c < cols; c++) {
        char name[24];
        snprintf(name, sizeof name, "x%lld", (long long)c);
        same = strcmp(a->schema->column[c].name, name) == 0;
    }
    return same || invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s: has columns x0 to x%lld, the training data had %d from \"%s\" to \"%s\"",
                                   a->part[0].path, (long long)(cols - 1), a->schema->count, a->schema->column[0].name,
                                   a->schema->column[a->schema->count - 1].name);
}

static void encode_row(struct arrays *a, int64_t i, float *out)
{
    for (int c = 0; c < a->schema->count; c++) {
        struct invar_column *column = &a->schema->column[c];
        const double value = value_at(a, i, c);
        column->missing[a->source->split[i]] += isnan(value);
        if (!column->places)
            continue;
        out[column->first] = isnan(value) ? 0.0F : (float)((value - column->mean) / column->deviation);
        if (column->indicator && isnan(value))
            out[column->first + 1] = 1;
    }
}

static bool take_rows(struct arrays *a, struct invar_error *err)
{
    struct data_source *source = a->source;
    const struct invar_array *first = &a->part[0].array;
    const int64_t cols = first->rank > 1 ? first->shape[1] : 1;

    if (cols > 65536)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: has rows of %lld numbers, at most 65536 are read",
                               a->part[0].path, (long long)cols);
    if (!check_values(a, cols, err) || !(a->schema ? check_columns(a, cols, err) : find_columns(a, cols, err)))
        return false;
    const size_t width = (size_t)a->schema->width;
    source->kind = INVAR_DATA_TABLE;
    source->height = source->width = 1;
    source->channels = a->schema->width;
    source->held[0].data = invar_alloc((size_t)source->count, width * sizeof(float), err);
    source->held[0].size = (size_t)source->count * width * sizeof(float);
    if (!source->held[0].data)
        return false;
    float *rows = (float *)(void *)source->held[0].data;
    source->table.rows = rows;
    for (int64_t i = 0; i < source->count; i++) {
        encode_row(a, i, rows + (size_t)i * width);
        source->pixels[i] = (const uint8_t *)(rows + (size_t)i * width);
    }
    if (source->columns || a->options->test[0])
        data_schema_tell(a->schema, a->part[!source->columns].path, source->columns != NULL);
    if (first->dtype == INVAR_FLOAT64 && source->raw)
        invar_log(INVAR_LOG_INFO, "%s: its numbers are taken as float32", a->part[0].path);
    return true;
}

/* ---- all of it ---- */

static bool open_arrays(struct arrays *a, struct invar_error *err)
{
    struct data_source *source = a->source;
    const struct data_schema none = {0};

    if (source->columns && !(a->schema = data_schema_read(source->columns, err)))
        return false;
    if (!read_arrays(a, err) || !data_rules_make(&a->rules, a->options, err))
        return false;
    const bool images = a->part[0].array.rank > 2;
    if (source->raw && images)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: holds images, expected features [N][d]", a->part[0].path);
    if (!data_source_reserve(source, a->part[0].array.shape[0] + (a->options->test[0] ? a->part[1].array.shape[0] : 0),
                             true, err) ||
        !take_labels(a, err) || !divide(a, err))
        return false;
    if (a->csv[0].columns && !data_table_fields(&source->fields, a->csv, &none, &a->rules, err))
        return false;
    return images ? take_images(a, err)
                  : take_rows(a, err) && data_table_publish(source, a->schema, a->label.reason, err);
}

bool data_npy_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                   struct invar_error *err)
{
    struct arrays a = {.source = source,
                       .options = options,
                       .part = {{.path = path, .labels_path = options->labels, .column = -1},
                                {.path = options->test, .labels_path = options->test_labels, .column = -1}}};
    const bool ok = (options->test[0] || !options->test_labels[0] ||
                     invar_error_set(err, INVAR_ERROR_USAGE, "data.test_labels is given without data.test")) &&
                    open_arrays(&a, err);

    if (source->state != a.schema || !a.schema)
        data_schema_free(a.schema);
    for (int i = 0; i < 2; i++) {
        invar_array_free(&a.part[i].array);
        data_csv_free(&a.csv[i]);
    }
    data_words_free(&a.label.classes);
    data_rules_free(&a.rules);
    return ok;
}
