/* SPDX-License-Identifier: Apache-2.0 */
/* The names of columns: those of the header, of a comment before it, or c1, c2, ...; what stands before the header. */
#include "data/table/csv.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

/* ---- what stands before the header ---- */

/* "sep=;" as spreadsheets read it, perhaps in quotes: the separator, else 0. */
static char told_separator(const char *line, size_t length)
{
    if (length > 2 && line[0] == '"' && line[length - 1] == '"') {
        line++;
        length -= 2;
    }
    return length == 5 && memcmp(line, "sep=", 4) == 0 ? line[4] : 0;
}

/* A name may be "#": "#,Name,Type" is no comment. */
static bool is_comment(const char *line, size_t length)
{
    return length > 0 && line[0] == '#' && (length == 1 || !strchr(",;\t|\"", line[1]));
}

void data_csv_preamble(struct data_preamble *before, const char *text, size_t size)
{
    size_t at = 0;

    while (at < size) {
        const char *line = text + at;
        size_t length = 0, next;
        while (at + length < size && line[length] != '\n' && line[length] != '\r')
            length++;
        next = at + length;
        next += next < size && text[next] == '\r';
        next += next < size && text[next] == '\n';
        const char separator = before->size == 0 ? told_separator(line, length) : 0;
        if (separator) {
            before->separator = separator;
        } else if (is_comment(line, length)) {
            const size_t skip = 1 + strspn(line + 1, "# ");
            before->names = line + (skip < length ? skip : length);
            before->names_length = (size_t)(line + length - before->names);
        } else if (length > strspn(line, " \t")) {
            return;
        }
        at = before->size = next;
        before->lines++;
    }
}

/* ---- names ---- */

static bool rename_column(struct data_csv *csv, int column, const char *name, size_t length, struct invar_error *err)
{
    if (!data_csv_room((void **)&csv->text, csv->text_size + length + 1, &csv->text_capacity, 1, err))
        return false;
    memcpy(csv->text + csv->text_size, name, length);
    csv->text[csv->text_size + length] = '\0';
    csv->cell[column] = (uint32_t)csv->text_size;
    csv->text_size += length + 1;
    return true;
}

/* Calls a column by its number: c1, c2, ... */
static bool name_column(struct data_csv *csv, int column, struct invar_error *err)
{
    char name[40];
    const int digits = snprintf(name, sizeof name, "c%d", column + 1);

    for (int more = digits; data_csv_has(csv, name) && more + 1 < (int)sizeof name; more++)
        memcpy(name + more, "_", 2);
    return rename_column(csv, column, name, strlen(name), err);
}

static int compare_cells(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether a column tells rows apart and nothing else: whole numbers or texts, all different. */
static bool numbers_rows(const struct data_csv *csv, bool *found, struct invar_error *err)
{
    const char **cells = invar_alloc((size_t)csv->rows + 1, sizeof *cells, err);
    double value;

    if (!cells)
        return false;
    *found = csv->columns > 1 && csv->rows > 1;
    for (int64_t row = 0; row < csv->rows && *found; row++) {
        cells[row] = data_csv_cell(csv, row, 0);
        *found = *cells[row] && !(data_csv_number(csv, cells[row], &value) && strpbrk(cells[row], ".,eE"));
    }
    if (*found)
        qsort(cells, (size_t)csv->rows, sizeof *cells, compare_cells);
    for (int64_t row = 1; row < csv->rows && *found; row++)
        *found = strcmp(cells[row - 1], cells[row]) != 0;
    invar_free(cells);
    return true;
}

bool data_csv_name_unnamed(struct data_csv *csv, struct invar_error *err)
{
    if (!*data_csv_cell(csv, -1, 0) && !numbers_rows(csv, &csv->row_names, err))
        return false;
    for (int c = 0; c < csv->columns; c++)
        if (!*data_csv_cell(csv, -1, c) && !name_column(csv, c, err))
            return false;
    return data_csv_sort(csv, err);
}

bool data_csv_name_columns(struct data_csv *csv, struct invar_error *err)
{
    const size_t columns = (size_t)csv->columns, rows = (size_t)csv->rows + 1;

    if (csv->short_header)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s, line %lld: one cell fewer than the rows below, so it is a header: leave out "
                               "data.header=no",
                               csv->path, (long long)csv->line[0]);
    if (!data_csv_room((void **)&csv->cell, csv->cell_count + columns, &csv->cell_capacity, sizeof *csv->cell, err) ||
        !data_csv_room((void **)&csv->line, rows + 1, &csv->line_capacity, sizeof *csv->line, err))
        return false;
    memmove(csv->cell + columns, csv->cell, csv->cell_count * sizeof *csv->cell);
    memmove(csv->line + 1, csv->line, rows * sizeof *csv->line);
    csv->cell_count += columns;
    csv->rows++;
    for (int c = 0; c < csv->columns; c++) /* none of the former names is one any more */
        csv->cell[c] = (uint32_t)strlen(csv->text);
    for (int c = 0; c < csv->columns; c++)
        if (!name_column(csv, c, err))
            return false;
    return data_csv_sort(csv, err);
}

/* ---- names in a comment ---- */

/* One cell of a line, without the spaces and quotes around it; the next one, or NULL. */
static const char *take_name(const char *at, char separator, const char **name, size_t *length)
{
    const char *end;

    at += strspn(at, " ");
    if (*at == '"' && (end = strchr(at + 1, '"')) != NULL) {
        *name = at + 1;
        *length = (size_t)(end - at - 1);
        end = strchr(end, separator);
    } else {
        *name = at;
        end = strchr(at, separator);
        *length = end ? (size_t)(end - at) : strlen(at);
        while (*length > 0 && (*name)[*length - 1] == ' ')
            (*length)--;
    }
    return end ? end + 1 : NULL;
}

static int count_names(const struct data_csv *csv)
{
    const char *name;
    size_t length;
    int count = 0;

    for (const char *at = csv->comment; at; count++)
        at = take_name(at, csv->separator, &name, &length);
    return count;
}

/* What numpy and others write before the first row: "# a,b,c". */
static bool take_comment(struct data_csv *csv, struct invar_error *err)
{
    const char *at = csv->comment, *name;
    size_t length;

    if (u8_check((const uint8_t *)at, strlen(at)))
        return invar_error_set(
            err, INVAR_ERROR_FORMAT,
            "%s: the comment that names its columns, \"%.40s\", is not UTF-8 text: convert the file, "
            "such as with `iconv -f latin1 -t utf-8`",
            csv->path, at);
    if (!data_csv_name_columns(csv, err))
        return false;
    for (int c = 0; c < csv->columns; c++) {
        at = take_name(at, csv->separator, &name, &length);
        if (length > 0 && !rename_column(csv, c, name, length, err))
            return false;
    }
    return data_csv_sort(csv, err);
}

bool data_csv_read_as(struct data_csv *csv, const char *path, char separator, enum invar_table_header header,
                      struct invar_error *err)
{
    if (!data_csv_read_rows(csv, path, separator, true, err))
        return false;
    csv->header = header == INVAR_TABLE_HEADER_YES || (header == INVAR_TABLE_HEADER_AUTO && data_csv_has_header(csv));
    if (csv->header)
        return data_csv_name_unnamed(csv, err);
    if (header == INVAR_TABLE_HEADER_AUTO && csv->comment && csv->columns > 1 && count_names(csv) == csv->columns)
        return take_comment(csv, err);
    if (header == INVAR_TABLE_HEADER_AUTO)
        invar_log(INVAR_LOG_WARNING,
                  "%s: the first line looks like data and is taken as such, with columns called c1, c2, ...; "
                  "data.header=yes makes it the header",
                  path);
    return data_csv_name_columns(csv, err);
}
