/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an embedding: the array or table of representations, which row is which sample, what was left out. */
#include "study/embedding.h"
#include "base/stream.h"
#include "run/apart.h"
#include "invar/expert/file.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char rows_head[] = "row,split,path,line,item,label";
static const char left_out_head[] = "split,path,line,item,why";

/* ---- cells ---- */

/* As RFC 4180 has it. */
static bool put_text(struct invar_writer *writer, const char *text, struct invar_error *err)
{
    const size_t length = strlen(text);
    bool ok = true;

    if (!strpbrk(text, ",\"\r\n") && (!length || (text[0] != ' ' && text[length - 1] != ' ')))
        return invar_writer_put(writer, text, length, err);
    ok = invar_writer_put(writer, "\"", 1, err);
    for (const char *at = text; ok && *at; at++)
        ok = invar_writer_put(writer, at, 1, err) && (*at != '"' || invar_writer_put(writer, at, 1, err));
    return ok && invar_writer_put(writer, "\"", 1, err);
}

/* split,path,line,item with a comma behind */
static bool put_origin(struct invar_writer *writer, enum invar_split split, const struct invar_origin *origin,
                       struct invar_error *err)
{
    char line[24] = "";

    if (origin->line)
        snprintf(line, sizeof line, "%lld", (long long)origin->line);
    return invar_writer_printf(writer, err, "%s,", split == INVAR_TRAIN ? "train" : "test") &&
           (!origin->path || put_text(writer, origin->path, err)) &&
           invar_writer_printf(writer, err, ",%s,%lld,", line, (long long)origin->item);
}

static bool put_label(struct invar_writer *writer, const struct study_table *table, enum invar_split split, int64_t row,
                      struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(table->dataset);
    const double *targets = invar_dataset_targets(table->dataset, split);
    const int64_t label = ((const int64_t *)table->embedded->labels.data)[row];
    const int64_t index = ((const int64_t *)table->embedded->index.data)[row];

    if (targets)
        return isnan(targets[index]) || invar_writer_printf(writer, err, "%.17g", targets[index]);
    if (label < 0)
        return true;
    return info->class_names ? put_text(writer, info->class_names[label], err)
                             : invar_writer_printf(writer, err, "%lld", (long long)label);
}

static bool put_row(struct invar_writer *writer, const struct study_table *table, int64_t row, struct invar_error *err)
{
    const enum invar_split split = (enum invar_split)table->split_of[row];
    const int64_t index = ((const int64_t *)table->embedded->index.data)[row];
    const struct invar_origin origin = invar_dataset_origin(table->dataset, split, index);

    return invar_writer_printf(writer, err, "%lld,", (long long)row) && put_origin(writer, split, &origin, err) &&
           put_label(writer, table, split, row, err);
}

static bool put_numbers(struct invar_writer *writer, const struct invar_array *features, int64_t row,
                        struct invar_error *err)
{
    const int64_t cols = features->shape[1];
    const float *number = (const float *)features->data + row * cols;
    bool ok = true;

    for (int64_t j = 0; ok && j < cols; j++)
        ok = invar_writer_printf(writer, err, ",%.9g", (double)number[j]);
    return ok;
}

static bool put_table(struct invar_writer *writer, const struct study_table *table, bool numbers,
                      struct invar_error *err)
{
    const struct invar_array *features = &table->embedded->features;
    bool ok = invar_writer_printf(writer, err, "%s", rows_head);

    for (int64_t j = 0; ok && numbers && j < features->shape[1]; j++)
        ok = invar_writer_printf(writer, err, ",h%lld", (long long)j);
    ok = ok && invar_writer_put(writer, "\n", 1, err);
    for (int64_t row = 0; ok && row < features->shape[0]; row++)
        ok = put_row(writer, table, row, err) && (!numbers || put_numbers(writer, features, row, err)) &&
             invar_writer_put(writer, "\n", 1, err);
    return ok;
}

/* ---- files ---- */

static bool write_output(const struct study_table *table, const struct study_places *places, struct invar_error *err)
{
    const bool stream = strcmp(places->output, "-") == 0;
    struct invar_writer *writer = stream ? invar_writer_open_stream(places->stream, "standard output", err)
                                         : invar_writer_open(places->output, err);
    const bool ok = writer &&
                    (places->csv ? put_table(writer, table, true, err)
                                 : invar_npy_put(writer, &table->embedded->features, places->output, err)) &&
                    invar_writer_commit(writer, err);

    invar_writer_close(writer);
    return ok;
}

static bool write_rows(const struct study_table *table, const char *path, struct invar_error *err)
{
    struct invar_writer *writer = invar_writer_open(path, err);
    const bool ok = writer && put_table(writer, table, false, err) && invar_writer_commit(writer, err);

    invar_writer_close(writer);
    return ok;
}

/* Classes as int64, numbers as float64. */
static bool write_labels(const struct study_table *table, const char *path, struct invar_error *err)
{
    const int64_t rows = table->embedded->labels.shape[0], *index = table->embedded->index.data;
    struct invar_array numbers = {0};

    if (!invar_dataset_info(table->dataset)->label_number)
        return invar_npy_write(&table->embedded->labels, path, err);
    bool ok = invar_array_alloc(&numbers, INVAR_FLOAT64, 1, &rows, err);
    for (int64_t row = 0; ok && row < rows; row++) {
        const enum invar_split split = (enum invar_split)table->split_of[row];
        ((double *)numbers.data)[row] = invar_dataset_targets(table->dataset, split)[index[row]];
    }
    ok = ok && invar_npy_write(&numbers, path, err);
    invar_array_free(&numbers);
    return ok;
}

/* One list for every call: that of an earlier one does not stay where nothing was left out now. */
static bool write_left_out(const struct study_table *table, const char *path, int64_t count, struct invar_error *err)
{
    struct invar_left_out one;

    if (!count) {
        unlink(path);
        return true;
    }
    struct invar_writer *writer = invar_writer_open(path, err);
    bool ok = writer && invar_writer_printf(writer, err, "%s\n", left_out_head);
    for (int64_t i = 0; ok && invar_dataset_left_out(table->dataset, i, &one); i++)
        if (table->split[one.split])
            ok = put_origin(writer, one.split, &one.origin, err) && put_text(writer, one.why, err) &&
                 invar_writer_put(writer, "\n", 1, err);
    ok = ok && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    return ok;
}

bool study_embedding_write(const struct study_table *table, const struct study_places *places, int64_t *left_out,
                           struct invar_error *err)
{
    struct invar_left_out one;

    *left_out = 0;
    for (int64_t i = 0; invar_dataset_left_out(table->dataset, i, &one); i++)
        *left_out += table->split[one.split];
    return write_output(table, places, err) && (!places->labels || write_labels(table, places->labels, err)) &&
           (!places->rows[0] || write_rows(table, places->rows, err)) &&
           (!places->left_out[0] || write_left_out(table, places->left_out, *left_out, err));
}

/* ---- places ---- */

static bool ends(const char *path, const char *ending)
{
    const size_t length = strlen(path), size = strlen(ending);

    return length > size && strcmp(path + length - size, ending) == 0;
}

/* "out.npy" and "-rows.csv" make "out-rows.csv". */
static bool beside(char *out, size_t size, const char *path, const char *ending, struct invar_error *err)
{
    const size_t stem = strlen(path) - (ends(path, ".npy") || ends(path, ".csv") ? 4 : 0);

    return (size_t)snprintf(out, size, "%.*s%s", (int)stem, path, ending) < size ||
           invar_error_set(err, INVAR_ERROR_USAGE, "output: the name has more than %zu characters", size - 32);
}

/* A list takes its name from -o, so what lies there may be anything: only an earlier list is replaced. */
static bool is_own(const char *path, const char *head, bool *own, struct invar_error *err)
{
    char start[sizeof rows_head] = "";
    const size_t length = strlen(head);
    bool there;

    if (!invar_path_find(path, &there, err))
        return false;
    *own = !there || (stream_begin(path, start, length) == length && memcmp(start, head, length) == 0);
    return true;
}

static bool check_own(const char *path, const char *head, struct invar_error *err)
{
    bool own;

    return is_own(path, head, &own, err) &&
           (own || invar_error_set(err, INVAR_ERROR_FILE,
                                   "%s: is there and no list as embed writes it beside the array; move it away, "
                                   "or give another output",
                                   path));
}

/* FILE.csv, or FILE-rows.csv where that is taken, as by the table that is embedded. */
static bool place_rows(struct study_places *places, struct invar_error *err)
{
    bool own;

    return beside(places->rows, sizeof places->rows, places->output, ".csv", err) &&
           is_own(places->rows, rows_head, &own, err) &&
           (own || (beside(places->rows, sizeof places->rows, places->output, "-rows.csv", err) &&
                    check_own(places->rows, rows_head, err)));
}

/* A place that cannot be written is said before hours of work, not after them. */
static bool check_writable(const char *path, struct invar_error *err)
{
    struct stat status;

    if (!path || !path[0] || strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISREG(status.st_mode)))
        return true;
    struct invar_writer *writer = invar_writer_open(path, err);
    invar_writer_close(writer);
    return writer != NULL;
}

bool study_places_set(struct study_places *places, const char *output, const char *labels, const char *rows,
                      const char *format, const char *folder, const struct invar_run_options *how,
                      struct invar_error *err)
{
    const bool stream = strcmp(output, "-") == 0;

    *places = (struct study_places){.output = output, .labels = labels};
    places->csv = format ? strcmp(format, "csv") == 0 : ends(output, ".csv");
    if (rows && strlen(rows) >= sizeof places->rows)
        return invar_error_set(err, INVAR_ERROR_USAGE, "rows: the name is too long");
    if (rows)
        strcpy(places->rows, rows);
    else if (!stream && !places->csv && !place_rows(places, err))
        return false;
    if (!stream && (!beside(places->left_out, sizeof places->left_out, output, "-left-out.csv", err) ||
                    !check_own(places->left_out, left_out_head, err)))
        return false;
    if (labels && (strcmp(labels, output) == 0 || strcmp(labels, places->rows) == 0))
        return invar_error_set(err, INVAR_ERROR_USAGE, "labels: %s is written already, as the output or its list",
                               labels);
    if (strcmp(output, places->rows) == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "rows: %s is where the output goes; choose another place",
                               output);
    return run_place_apart(folder, how, output, "output", err) && run_place_apart(folder, how, labels, "labels", err) &&
           run_place_apart(folder, how, places->rows, "rows", err) && check_writable(output, err) &&
           check_writable(labels, err) && check_writable(places->rows, err);
}
