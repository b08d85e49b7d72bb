/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of text: libcsv takes them apart, this keeps the cells and the line of every row. */
#include "data/csv.h"

#include "invar/file.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "invar/options.h"
#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_LIMIT ((size_t)2 << 30)
#define MAX_COLUMNS 4096

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

static bool make_room(void **items, size_t needed, size_t *capacity, size_t size, struct invar_error *err)
{
    if (needed <= *capacity)
        return true;
    size_t room = *capacity ? *capacity : 256;
    while (room < needed)
        room *= 2;
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

/* Length and lead bytes only: enough to tell UTF-8 from the codes that are not. */
static bool is_utf8(const unsigned char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        const unsigned char c = text[i++];
        int more = c < 0x80                ? 0
                   : c >= 0xc2 && c < 0xe0 ? 1
                   : c >= 0xe0 && c < 0xf0 ? 2
                   : c >= 0xf0 && c < 0xf5 ? 3
                                           : -1;
        if (more < 0)
            return false;
        for (; more > 0; more--, i++)
            if (i >= length || (text[i] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static bool keep_cell(struct reading *r, const char *text, size_t length)
{
    struct data_csv *csv = r->csv;

    if (memchr(text, '\0', length))
        return invar_error_set(r->err, INVAR_ERROR_FORMAT, "%s, line %lld: holds a NUL byte, so it is no table of text",
                               csv->path, (long long)r->row_line);
    if (!is_utf8((const unsigned char *)text, length))
        return invar_error_set(r->err, INVAR_ERROR_FORMAT,
                               "%s, line %lld: \"%.*s\" is not UTF-8 text: convert the file, such as with `iconv -f "
                               "latin1 -t utf-8`",
                               csv->path, (long long)r->row_line, (int)(length < 40 ? length : 40), text);
    if (!make_room((void **)&csv->text, csv->text_size + length + 1, &csv->text_capacity, 1, r->err) ||
        !make_room((void **)&csv->cell, csv->cell_count + 1, &csv->cell_capacity, sizeof *csv->cell, r->err))
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
    } else if (r->rows == 0 || r->cells <= r->csv->columns) {
        r->failed = !keep_cell(r, text ? text : "", length);
    }
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
    if (r->cells != csv->columns) {
        r->failed = true;
        invar_error_set(r->err, INVAR_ERROR_FORMAT, "%s, line %lld: %d cells where the header has %d", csv->path,
                        (long long)r->row_line, r->cells, csv->columns);
        return;
    }
    if (!make_room((void **)&csv->line, (size_t)r->rows + 1, &csv->line_capacity, sizeof *csv->line, r->err)) {
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
                           "%s, line %lld: a quote stands inside a cell or is not closed; put the cell in quotes and "
                           "double those inside",
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

/* How often a separator stands outside of quotes in the line at *text, which moves on to the next. */
static int64_t count_separator(const char **text, const char *end, char separator)
{
    int64_t count = 0;
    bool quoted = false;

    for (; *text < end; ++*text) {
        const char c = **text;
        if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == separator)
            count++;
        else if (!quoted && (c == '\n' || c == '\r'))
            break;
    }
    while (*text < end && (**text == '\n' || **text == '\r'))
        ++*text;
    return count;
}

/* A comma unless two lines have another one equally often. */
static char find_separator(const char *text, size_t size)
{
    for (const char *candidate = "\t;|"; *candidate; candidate++) {
        const char *at = text, *end = text + size;
        const int64_t first = count_separator(&at, end, *candidate);
        if (first > 0 && (at == end || count_separator(&at, end, *candidate) == first))
            return *candidate;
    }
    return ',';
}

/* The whole of the text; *rows counts the header. */
static bool read_text(struct data_csv *csv, const char *text, size_t size, char separator, struct invar_error *err)
{
    struct reading r = {.csv = csv, .err = err};
    bool ok;

    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is UTF-16 text, expected UTF-8: save it as that",
                               csv->path);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    /* No more than the file: the NUL of a cell takes the place of its separator. */
    if (!make_room((void **)&csv->text, size + 2, &csv->text_capacity, 1, err))
        return false;
    if (csv_init(&r.parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: memory to read it could not be had", csv->path);
    csv->separator = separator ? separator : find_separator(text, size);
    csv_set_delim(&r.parser, (unsigned char)csv->separator);
    ok = parse(&r, text, size);
    csv_free(&r.parser);
    if (ok && r.rows == 0)
        ok = invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is empty, expected a line with the names of its columns",
                             csv->path);
    return ok;
}

static bool read_file(struct data_csv *csv, const char *path, char separator, struct invar_error *err)
{
    struct invar_bytes bytes = {0};

    csv->path = path;
    if (!invar_file_read(&bytes, path, FILE_LIMIT, err))
        return false;
    bool ok = read_text(csv, (const char *)bytes.data, bytes.size, separator, err);
    invar_bytes_free(&bytes);
    return ok;
}

bool data_csv_read(struct data_csv *csv, const char *path, struct invar_error *err)
{
    return read_file(csv, path, ends_with(path, ".tsv") || ends_with(path, ".tsv.gz") ? CSV_TAB : CSV_COMMA, err);
}

void data_csv_free(struct data_csv *csv)
{
    invar_free(csv->text);
    invar_free(csv->cell);
    invar_free(csv->line);
    *csv = (struct data_csv){0};
}

static const char *cell_at(const struct data_csv *csv, int64_t row, int column)
{
    return csv->text + csv->cell[(size_t)row * (size_t)csv->columns + (size_t)column];
}

const char *data_csv_cell(const struct data_csv *csv, int64_t row, int column)
{
    return cell_at(csv, row + 1, column);
}

int64_t data_csv_line(const struct data_csv *csv, int64_t row)
{
    return csv->line[row + 1];
}

bool data_csv_has(const struct data_csv *csv, const char *name)
{
    for (int c = 0; c < csv->columns; c++)
        if (strcmp(cell_at(csv, 0, c), name) == 0)
            return true;
    return false;
}

static bool no_column(const struct data_csv *csv, const char *name, const char *why, struct invar_error *err)
{
    char known[256] = "";
    const char *nearest = NULL;
    const char **names = invar_alloc((size_t)csv->columns + 1, sizeof *names, err);

    if (!names)
        return false;
    for (int c = 0; c < csv->columns; c++) {
        names[c] = cell_at(csv, 0, c);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", c ? ", " : "", names[c]);
    }
    nearest = invar_nearest_name(name, names);
    invar_free(names);
    if (nearest)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: there is no column \"%s\", %s; did you mean \"%s\"?",
                               csv->path, name, why, nearest);
    return invar_error_set(err, INVAR_ERROR_DATA, "%s: there is no column \"%s\", %s; its columns are %s", csv->path,
                           name, why, known);
}

int data_csv_column(const struct data_csv *csv, const char *name, const char *why, struct invar_error *err)
{
    int found = -1;

    for (int c = 0; c < csv->columns; c++) {
        if (strcmp(cell_at(csv, 0, c), name) != 0)
            continue;
        if (found >= 0) {
            invar_error_set(err, INVAR_ERROR_DATA, "%s: columns %d and %d are both called \"%s\"; rename one",
                            csv->path, found + 1, c + 1, name);
            return -1;
        }
        found = c;
    }
    if (found < 0)
        no_column(csv, name, why, err);
    return found;
}

/* ---- tables without a header ---- */

/* What strtod takes beyond decimal numbers (hexadecimal, inf, nan) is text here. */
static bool is_number(const char *text, char point)
{
    const char *at = text + (*text == '+' || *text == '-');
    size_t digits = strspn(at, "0123456789");

    at += digits;
    if (*at == point) {
        const size_t more = strspn(++at, "0123456789");
        digits += more;
        at += more;
    }
    if (digits > 0 && (*at == 'e' || *at == 'E')) {
        at++;
        at += *at == '+' || *at == '-';
        digits = strspn(at, "0123456789");
        at += digits;
    }
    return digits > 0 && *at == '\0';
}

bool data_csv_number(const struct data_csv *csv, const char *text, double *value)
{
    char plain[64];
    const char *comma = csv->separator == ',' ? NULL : strchr(text, ',');

    if (!is_number(text, comma ? ',' : '.'))
        return false;
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

static bool is_header(const struct data_csv *csv)
{
    for (int c = 0; c < csv->columns; c++) {
        const char *name = cell_at(csv, 0, c);
        double number;
        if (!*name || data_csv_number(csv, name, &number))
            return false;
        for (int before = 0; before < c; before++)
            if (strcmp(cell_at(csv, 0, before), name) == 0)
                return false;
    }
    return true;
}

/* Turns the header into the first row, and puts one with c1, c2, ... before it. */
static bool name_columns(struct data_csv *csv, struct invar_error *err)
{
    const size_t columns = (size_t)csv->columns, rows = (size_t)csv->rows + 1;

    if (!make_room((void **)&csv->cell, csv->cell_count + columns, &csv->cell_capacity, sizeof *csv->cell, err) ||
        !make_room((void **)&csv->line, rows + 1, &csv->line_capacity, sizeof *csv->line, err))
        return false;
    memmove(csv->cell + columns, csv->cell, csv->cell_count * sizeof *csv->cell);
    memmove(csv->line + 1, csv->line, rows * sizeof *csv->line);
    for (size_t c = 0; c < columns; c++) {
        char name[32];
        const size_t length = (size_t)snprintf(name, sizeof name, "c%zu", c + 1) + 1;
        if (!make_room((void **)&csv->text, csv->text_size + length, &csv->text_capacity, 1, err))
            return false;
        memcpy(csv->text + csv->text_size, name, length);
        csv->cell[c] = (uint32_t)csv->text_size;
        csv->text_size += length;
    }
    csv->cell_count += columns;
    csv->rows++;
    return true;
}

bool data_csv_read_as(struct data_csv *csv, const char *path, char separator, int header, struct invar_error *err)
{
    if (!read_file(csv, path, separator, err))
        return false;
    if (header == DATA_HEADER_YES || (header == DATA_HEADER_AUTO && is_header(csv)))
        return true;
    if (header == DATA_HEADER_AUTO)
        invar_log(INVAR_LOG_WARNING,
                  "%s: the first line looks like data and is taken as such, with columns called c1, c2, ...; "
                  "data.header=yes makes it the header",
                  path);
    return name_columns(csv, err);
}
