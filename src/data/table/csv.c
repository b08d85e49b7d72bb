/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of text: libcsv takes them apart, this keeps the cells and the line of every row. */
#include "data/table/csv.h"

#include "invar/expert/file.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "invar/options.h"
#include "base/names.h"
#include "base/points.h"
#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>

#define FILE_LIMIT ((size_t)2 << 30)
#define TEXT_LIMIT ((size_t)15 << 28)
#define MOST_DIGITS 900000000000000u /* ten times as much and a digit is still exact as a double */
#define MAX_COLUMNS 65536

struct reading {
    struct data_csv *csv;
    struct invar_error *err;
    struct csv_parser parser;
    int64_t line, row_line; /* being read; where the present row began */
    int cells;              /* of the present row so far */
    int64_t rows;           /* done, with the header */
    bool ended;             /* the line ended a row */
    bool failed;
};

bool data_csv_room(void **items, size_t needed, size_t *capacity, size_t size, struct invar_error *err)
{
    if (needed <= *capacity)
        return true;
    const size_t twice = *capacity * 2, room = needed > twice ? needed : twice;
    void *larger = invar_alloc(room, size, err);
    if (!larger)
        return false;
    if (*items)
        memcpy(larger, *items, *capacity * size);
    invar_free(*items);
    *items = larger;
    *capacity = room;
    return true;
}

static bool keep_cell(struct reading *r, const char *text, size_t length)
{
    struct data_csv *csv = r->csv;

    if (memchr(text, '\0', length))
        return invar_error_set(r->err, INVAR_ERROR_FORMAT, "%s, line %lld: holds a NUL byte, so it is no table of text",
                               csv->path, (long long)r->row_line);
    if (u8_check((const uint8_t *)text, length))
        return invar_error_set(r->err, INVAR_ERROR_FORMAT,
                               "%s, line %lld: \"%.*s\" is not UTF-8 text: convert the file, such as with `iconv -f "
                               "latin1 -t utf-8`",
                               csv->path, (long long)r->row_line, (int)(length < 40 ? length : 40), text);
    if (!data_csv_room((void **)&csv->text, csv->text_size + length + 1, &csv->text_capacity, 1, r->err) ||
        !data_csv_room((void **)&csv->cell, csv->cell_count + 1, &csv->cell_capacity, sizeof *csv->cell, r->err))
        return false;
    memcpy(csv->text + csv->text_size, text, length);
    csv->text[csv->text_size + length] = '\0';
    csv->cell[csv->cell_count++] = (uint32_t)csv->text_size;
    csv->text_size += length + 1;
    return true;
}

static void on_cell(void *text, size_t length, void *user)
{
    struct reading *r = user;

    if (r->failed)
        return;
    r->cells++;
    if (r->rows == 0 && r->cells > MAX_COLUMNS) {
        r->failed = true;
        invar_error_set(r->err, INVAR_ERROR_FORMAT, "%s: the header has more than %d columns", r->csv->path,
                        MAX_COLUMNS);
    } else if (r->rows == 0 || r->cells <= r->csv->columns + (r->rows == 1)) {
        r->failed = !keep_cell(r, text ? text : "", length);
    }
}

/* Names for all columns but the first, as R writes row names: an empty name comes before them. */
static bool add_name(struct reading *r)
{
    struct data_csv *csv = r->csv;

    if (!keep_cell(r, "", 0))
        return false;
    const uint32_t empty = csv->cell[--csv->cell_count];
    if (!data_csv_room((void **)&csv->cell, csv->cell_count + 1, &csv->cell_capacity, sizeof *csv->cell, r->err))
        return false;
    memmove(csv->cell + 1, csv->cell, csv->cell_count * sizeof *csv->cell);
    csv->cell[0] = empty;
    csv->cell_count++;
    csv->columns++;
    csv->short_header = true;
    return true;
}

static void on_row(int end, void *user)
{
    struct reading *r = user;
    struct data_csv *csv = r->csv;

    (void)end;
    r->ended = true;
    if (r->failed)
        return;
    if (r->rows == 0)
        csv->columns = r->cells;
    if (r->rows == 1 && r->cells == csv->columns + 1 && !add_name(r)) {
        r->failed = true;
        return;
    }
    if (r->cells != csv->columns) {
        r->failed = true;
        invar_error_set(r->err, INVAR_ERROR_FORMAT, "%s, line %lld: %d cells where the header has %d", csv->path,
                        (long long)r->row_line, r->cells, csv->columns);
        return;
    }
    if (!data_csv_room((void **)&csv->line, (size_t)r->rows + 1, &csv->line_capacity, sizeof *csv->line, r->err)) {
        r->failed = true;
        return;
    }
    csv->line[r->rows++] = r->row_line;
    csv->rows = r->rows - 1;
    r->cells = 0;
}

/* Up to and with the next line feed, or carriage return that none follows. */
static size_t line_length(const char *text, size_t size)
{
    size_t i = 0;

    while (i < size && text[i] != '\n' && text[i] != '\r')
        i++;
    if (i + 1 < size && text[i] == '\r' && text[i + 1] == '\n')
        i++;
    return i < size ? i + 1 : size;
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \t\r\n", text[i]))
            return false;
    return true;
}

static bool refuse_syntax(struct reading *r)
{
    if (csv_error(&r->parser) != CSV_EPARSE)
        return invar_error_set(r->err, INVAR_ERROR_MEMORY, "%s, line %lld: %s", r->csv->path, (long long)r->line,
                               csv_strerror(csv_error(&r->parser)));
    return invar_error_set(r->err, INVAR_ERROR_FORMAT,
                           "%s, line %lld: a quote stands inside a cell or is not closed: put the cell in quotes and "
                           "double those inside; or cells are separated by none of comma, semicolon, tab and bar",
                           r->csv->path, (long long)r->row_line);
}

/* Line by line, so that every row knows where it began; a quoted cell may go on over several. */
static bool parse(struct reading *r, const char *text, size_t size)
{
    bool open = false; /* a row goes on */

    for (size_t at = 0, length; at < size; at += length) {
        length = line_length(text + at, size - at);
        r->line++;
        if (!open)
            r->row_line = r->line;
        r->ended = false;
        if (csv_parse(&r->parser, text + at, length, on_cell, on_row, r) != length)
            return refuse_syntax(r);
        if (r->failed)
            return false;
        open = !r->ended && (open || !is_blank(text + at, length));
    }
    if (csv_fini(&r->parser, on_cell, on_row, r) != 0)
        return refuse_syntax(r);
    return !r->failed;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), end = strlen(ending);

    return length >= end && strcasecmp(text + length - end, ending) == 0;
}

/* Places are numbers of 32 bits, and names of columns are added behind the text. */
static size_t limit_of(const struct data_csv *csv)
{
    const size_t limit = csv->limit ? csv->limit / 2 : FILE_LIMIT; /* the text and a copy of it */
    return limit < TEXT_LIMIT ? limit : TEXT_LIMIT;
}

/* Room for all cells and rows at once: no more than separators and ends of lines. */
static bool reserve(struct data_csv *csv, const char *text, size_t size, struct invar_error *err)
{
    size_t cells = 2, lines = 2;

    for (size_t i = 0; i < size; i++) {
        const bool end = (text[i] == '\n' || text[i] == '\r') && i > 0 && text[i - 1] != '\n' && text[i - 1] != '\r';
        lines += end;
        cells += end || text[i] == csv->separator;
    }
    const double bytes = 2.0 * (double)size + (double)cells * sizeof *csv->cell + (double)lines * sizeof *csv->line;
    if (bytes > (double)(csv->limit ? csv->limit : SIZE_MAX))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: %zu MiB of text with up to %zu cells take %.0f MiB to read, more than "
                               "data.memory_limit=%zu MiB: raise it, or data.memory=yes",
                               csv->path, size >> 20, cells, bytes / (1 << 20), csv->limit >> 20);
    return data_csv_room((void **)&csv->text, size + 2, &csv->text_capacity, 1, err) &&
           data_csv_room((void **)&csv->cell, cells, &csv->cell_capacity, sizeof *csv->cell, err) &&
           data_csv_room((void **)&csv->line, lines, &csv->line_capacity, sizeof *csv->line, err);
}

/* The whole of the text; *rows counts the header. */
static bool read_text(struct data_csv *csv, const char *text, size_t size, char separator, bool preamble,
                      struct invar_error *err)
{
    struct data_preamble before = {0};
    struct reading r = {.csv = csv, .err = err};
    bool ok;

    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is UTF-16 text, expected UTF-8: save it as that",
                               csv->path);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    if (preamble) {
        data_csv_preamble(&before, text, size);
        text += before.size;
        size -= before.size;
        r.line = before.lines;
        separator = separator ? separator : before.separator;
        if (before.names && !(csv->comment = strndup(before.names, before.names_length)))
            return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: memory to read it could not be had", csv->path);
    }
    /* No more than the file: the NUL of a cell takes the place of its separator. */
    csv->separator = separator ? separator : data_csv_find_separator(text, size);
    if (!reserve(csv, text, size, err))
        return false;
    if (csv_init(&r.parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: memory to read it could not be had", csv->path);
    csv_set_delim(&r.parser, (unsigned char)csv->separator);
    ok = parse(&r, text, size);
    csv_free(&r.parser);
    if (ok && r.rows == 0)
        ok = invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is empty, expected a line with the names of its columns",
                             csv->path);
    return ok;
}

static const char *cell_at(const struct data_csv *csv, int64_t row, int column)
{
    return csv->text + csv->cell[(size_t)row * (size_t)csv->columns + (size_t)column];
}

static int by_name(const void *a, const void *b, void *user)
{
    const int x = *(const int *)a, y = *(const int *)b;
    const int order = strcmp(cell_at(user, 0, x), cell_at(user, 0, y));
    return order ? order : (x > y) - (x < y);
}

/* So that thousands of columns are found by name in no time. */
bool data_csv_sort(struct data_csv *csv, struct invar_error *err)
{
    if (!csv->order && !(csv->order = invar_alloc((size_t)csv->columns + 1, sizeof *csv->order, err)))
        return false;
    for (int c = 0; c < csv->columns; c++)
        csv->order[c] = c;
    qsort_r(csv->order, (size_t)csv->columns, sizeof *csv->order, by_name, csv);
    return true;
}

/* A separator at the end of every row, but not of the header: the column without a name is the last one. */
static void move_name(struct data_csv *csv)
{
    const uint32_t empty = csv->cell[0];

    for (int64_t row = 0; row < csv->rows; row++)
        if (*data_csv_cell(csv, row, csv->columns - 1))
            return;
    memmove(csv->cell, csv->cell + 1, ((size_t)csv->columns - 1) * sizeof *csv->cell);
    csv->cell[csv->columns - 1] = empty;
}

bool data_csv_read_rows(struct data_csv *csv, const char *path, char separator, bool preamble, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    struct invar_error why = {0};

    csv->path = path;
    if (!invar_file_read(&bytes, path, limit_of(csv), &why))
        return invar_error_set(err, why.code, "%s%s", why.message,
                               csv->limit && strstr(why.message, "(unpacked)") ? ": half of data.memory_limit; raise it"
                                                                               : "");
    bool ok = read_text(csv, (const char *)bytes.data, bytes.size, separator, preamble, err);
    invar_bytes_free(&bytes);
    if (ok && csv->short_header)
        move_name(csv);
    return ok && data_csv_sort(csv, err);
}

bool data_csv_read(struct data_csv *csv, const char *path, struct invar_error *err)
{
    return data_csv_read_rows(csv, path, ends_with(path, ".tsv") || ends_with(path, ".tsv.gz") ? CSV_TAB : CSV_COMMA,
                              false, err);
}

bool data_csv_adopt(struct data_csv *csv, const char *path, char *text, size_t size, int64_t rows,
                    struct invar_error *err)
{
    size_t at = 0;

    *csv = (struct data_csv){.path = path, .columns = 1, .rows = rows, .text = text, .text_size = size};
    csv->cell = invar_alloc((size_t)rows + 1, sizeof *csv->cell, err);
    csv->line = invar_alloc((size_t)rows + 1, sizeof *csv->line, err);
    csv->order = invar_alloc(1, sizeof *csv->order, err);
    if (!csv->cell || !csv->line || !csv->order)
        return false;
    for (int64_t i = 0; i <= rows; i++, at += strlen(text + at) + 1) {
        csv->cell[i] = (uint32_t)at;
        csv->line[i] = i; /* rows of an array count from 1 here */
    }
    return true;
}

void data_csv_free(struct data_csv *csv)
{
    invar_free(csv->text);
    invar_free(csv->cell);
    invar_free(csv->line);
    invar_free(csv->order);
    invar_free(csv->part);
    free(csv->comment);
    *csv = (struct data_csv){0};
}

const char *data_csv_cell(const struct data_csv *csv, int64_t row, int column)
{
    return cell_at(csv, row + 1, column);
}

int64_t data_csv_line(const struct data_csv *csv, int64_t row)
{
    return csv->line[row + 1];
}

/* The place of a name among the sorted ones: of the first that is equal or behind it. */
static int place_of(const struct data_csv *csv, const char *name)
{
    int low = 0, high = csv->columns;

    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (strcmp(cell_at(csv, 0, csv->order[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct data_csv *csv, int place, const char *name)
{
    return place < csv->columns && strcmp(cell_at(csv, 0, csv->order[place]), name) == 0;
}

bool data_csv_has(const struct data_csv *csv, const char *name)
{
    return is_at(csv, place_of(csv, name), name);
}

static bool no_column(const struct data_csv *csv, const char *name, const char *why, struct invar_error *err)
{
    char hint[NAMES_HINT_SIZE];
    const char **names = invar_alloc((size_t)csv->columns + 1, sizeof *names, err);

    if (!names)
        return false;
    for (int c = 0; c < csv->columns; c++)
        names[c] = cell_at(csv, 0, c);
    names_hint(hint, NAMES_TEXTS("column", names), name);
    invar_free(names);
    return invar_error_set(err, INVAR_ERROR_DATA, "%s: there is no column \"%s\", %s%s", csv->path, name, why, hint);
}

int data_csv_column(const struct data_csv *csv, const char *name, const char *why, struct invar_error *err)
{
    const int place = place_of(csv, name);

    if (!is_at(csv, place, name)) {
        no_column(csv, name, why, err);
        return -1;
    }
    if (is_at(csv, place + 1, name)) {
        invar_error_set(err, INVAR_ERROR_DATA, "%s: columns %d and %d are both called \"%s\"; rename one", csv->path,
                        csv->order[place] + 1, csv->order[place + 1] + 1, name);
        return -1;
    }
    return csv->order[place];
}

/* ---- numbers ---- */

/* A decimal number as its digits and what power of ten they are of. */
struct decimal {
    uint64_t digits;
    int power;
    bool negative, exact; /* exact: digits and power hold all of it */
};

static const char *take_digits(const char *at, struct decimal *out, int *count, bool behind_point)
{
    for (; *at >= '0' && *at <= '9'; at++, (*count)++) {
        out->exact = out->exact && out->digits < MOST_DIGITS;
        out->digits = out->exact ? out->digits * 10 + (uint64_t)(*at - '0') : 0;
        out->power -= behind_point;
    }
    return at;
}

/* What strtod takes beyond decimal numbers (hexadecimal, inf, nan) is text here. */
static bool is_number(const char *text, char point, struct decimal *out)
{
    const char *at = text + (*text == '+' || *text == '-');
    int count = 0;

    *out = (struct decimal){.negative = *text == '-', .exact = true};
    at = take_digits(at, out, &count, false);
    if (*at == point)
        at = take_digits(at + 1, out, &count, true);
    if (count > 0 && (*at == 'e' || *at == 'E')) {
        out->exact = false;
        at++;
        at += *at == '+' || *at == '-';
        count = (int)strspn(at, "0123456789");
        at += count;
    }
    return count > 0 && *at == '\0';
}

/* The quotient of two numbers that a double holds is rounded as strtod rounds it. */
static bool divide(const struct decimal *number, double *value)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

    if (!number->exact || number->power < -15)
        return false;
    *value = (double)number->digits / tens[-number->power];
    *value = number->negative ? -*value : *value;
    return true;
}

bool data_csv_number(const struct data_csv *csv, const char *text, double *value)
{
    NUMBERS_HAVE_POINTS();
    char plain[64];
    const char *comma = csv->separator == ',' ? NULL : strchr(text, ',');
    struct decimal number;

    if (!is_number(text, comma ? ',' : '.', &number))
        return false;
    if (divide(&number, value))
        return true;
    if (comma) {
        if (strlen(text) >= sizeof plain)
            return false;
        memcpy(plain, text, strlen(text) + 1);
        plain[comma - text] = '.';
        text = plain;
    }
    *value = strtod(text, NULL);
    return true;
}
