/* SPDX-License-Identifier: Apache-2.0 */
/* A table in several files: rows of all, under the names of the first. */
#include "data/table/csv.h"

#include "invar/memory.h"
#include <string.h>

#define TEXT_LIMIT ((size_t)15 << 28) /* as csv.c has it: places are numbers of 32 bits */

const char *data_csv_file(const struct data_csv *csv, int64_t row)
{
    return csv->parts ? data_part_of(csv->part, csv->parts, row) : csv->path;
}

/* The same names in the same order: a part whose header is missing, or that is of another table, differs in the first
 * line. */
static bool check_header(const struct data_csv *csv, const struct data_csv *next, struct invar_error *err)
{
    const char *first = csv->part[0].path;

    if (next->columns != csv->columns)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s: has %d column%s, where %s has %d; all parts of a table need the same, with the same "
            "separator",
            next->path, next->columns, next->columns == 1 ? "" : "s", first, csv->columns);
    for (int c = 0; csv->header && c < csv->columns; c++) {
        const char *own = data_csv_cell(next, -1, c), *name = data_csv_cell(csv, -1, c);
        if (strcmp(own, name) != 0)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s, line %lld: column %d is \"%.80s\", where the header of %s has \"%.80s\"; all "
                                   "parts of a table need the same header",
                                   next->path, (long long)next->line[0], c + 1, own, first, name);
    }
    return true;
}

static bool read_next(const struct data_csv *csv, struct data_csv *next, const char *path,
                      enum invar_table_header header, struct invar_error *err)
{
    next->wanted = csv->wanted;
    next->wanted_count = csv->wanted_count;
    if (!data_csv_read_rows(next, path, csv->separator, true, err))
        return false;
    if (csv->header)
        return data_csv_name_unnamed(next, err) && check_header(csv, next, err);
    if (header == INVAR_TABLE_HEADER_AUTO && data_csv_has_header(next))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s, line %lld: looks like a header, and %s has none; take it away, or data.header=no "
                               "takes it for data",
                               path, (long long)next->line[0], csv->part[0].path);
    return data_csv_name_columns(next, err) && check_header(csv, next, err);
}

static bool check_room(const struct data_csv *csv, const struct data_csv *next, struct invar_error *err)
{
    const size_t text = csv->text_size + next->text_size;
    const double bytes = (double)text + (double)(csv->cell_count + next->cell_count) * sizeof *csv->cell +
                         (double)(csv->rows + next->rows) * sizeof *csv->line;

    return (text <= TEXT_LIMIT && bytes <= (double)(csv->limit ? csv->limit : SIZE_MAX)) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: with the parts before it the table takes %.0f MiB to read, more than %s: %s",
                           next->path, bytes / (1 << 20),
                           text > TEXT_LIMIT ? "the 4 GiB of text there may be" : "data.memory_limit",
                           text > TEXT_LIMIT ? "give fewer parts" : "raise it, or data.memory=yes");
}

/* Rows behind those that are there; the names of the first stay. */
static bool append(struct data_csv *csv, const struct data_csv *next, struct invar_error *err)
{
    const size_t header = (size_t)csv->columns, cells = (size_t)next->rows * header, rows = (size_t)csv->rows + 1;

    if (!check_room(csv, next, err) ||
        !data_csv_room((void **)&csv->text, csv->text_size + next->text_size, &csv->text_capacity, 1, err) ||
        !data_csv_room((void **)&csv->cell, csv->cell_count + cells, &csv->cell_capacity, sizeof *csv->cell, err) ||
        !data_csv_room((void **)&csv->line, rows + (size_t)next->rows, &csv->line_capacity, sizeof *csv->line, err))
        return false;
    memcpy(csv->text + csv->text_size, next->text, next->text_size);
    for (size_t i = 0; i < cells; i++)
        csv->cell[csv->cell_count + i] = (uint32_t)(next->cell[header + i] + csv->text_size);
    memcpy(csv->line + rows, next->line + 1, (size_t)next->rows * sizeof *csv->line);
    csv->text_size += next->text_size;
    csv->cell_count += cells;
    csv->rows += next->rows;
    csv->row_names = csv->row_names && next->row_names;
    return true;
}

static bool check_filled(const struct data_csv *csv, struct invar_error *err)
{
    return csv->rows > 0 ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: has a header and no rows; data.header=no takes the first line for one", csv->path);
}

bool data_csv_read_parts(struct data_csv *csv, const char *name, const struct data_shards *files, char separator,
                         enum invar_table_header header, struct invar_error *err)
{
    bool ok = data_csv_read_as(csv, files->path[0], separator, header, err) && check_filled(csv, err) &&
              (csv->part = invar_alloc((size_t)files->count, sizeof *csv->part, err)) != NULL;

    for (int i = 0; ok && i < files->count; i++) {
        struct data_csv next = {.limit = csv->limit};
        csv->part[csv->parts++] = (struct data_part){files->path[i], i ? csv->rows : 0};
        ok = i == 0 || (read_next(csv, &next, files->path[i], header, err) && check_filled(&next, err) &&
                        append(csv, &next, err));
        data_csv_free(&next);
    }
    if (ok)
        csv->path = name;
    return ok;
}
