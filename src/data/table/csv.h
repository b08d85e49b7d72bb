/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_CSV_H
#define DATA_CSV_H

#include "data/shards.h"
#include "invar/data.h"
#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

/**
 * A table of text: a header line, then rows of as many cells. Comma-separated as RFC 4180 has it (quotes, CRLF, LF or
 * CR, a UTF-8 byte order mark), tab-separated where the name of the file ends in .tsv; blank lines are left out, spaces
 * around a cell that is not quoted too. gzip is undone. Zero-initialise, free with data_csv_free.
 */
struct data_csv {
    const char *path;          /**< borrowed, for messages */
    size_t limit;              /**< bytes that reading may take, set before it; 0: 2 GiB */
    const char *const *wanted; /**< [wanted_count] names that the columns must have, set before it; NULL: any */
    int wanted_count;
    int columns;
    int64_t rows; /**< the header not counted */
    char separator;
    char *text; /**< all cells one after the other, each ended by NUL */
    size_t text_size, text_capacity;
    uint32_t *cell; /**< [(rows + 1) * columns] into text, the header first */
    size_t cell_count, cell_capacity;
    int64_t *line; /**< [rows + 1] where the row begins in the file, from 1 */
    size_t line_capacity;
    int *order;             /**< [columns] their numbers, sorted by name */
    char *comment;          /**< the last line before the header that began with #, without it, or NULL */
    bool short_header;      /**< the header had one cell fewer than the rows; an empty one was added */
    bool row_names;         /**< the first column had no name and tells rows apart, nothing else */
    bool points, commas;    /**< some number has decimals behind one (data_marks_find) */
    bool header;            /**< the first line of the file has the names */
    struct data_part *part; /**< [parts] the files of a table in several */
    int parts;
};

/** Refuses a file without a header, a row with more or fewer cells than it, quotes that are not closed, and what is not
 * UTF-8 text; messages have the number of the line. path must outlive the table. */
bool data_csv_read(struct data_csv *csv, const char *path, struct invar_error *err);
void data_csv_free(struct data_csv *csv);
/** A table of one column from elsewhere: text has the name of the column and `rows` cells, each ended by NUL, and
 * changes hands. path as above. */
bool data_csv_adopt(struct data_csv *csv, const char *path, char *text, size_t size, int64_t rows,
                    struct invar_error *err);

/**
 * The same with a separator (0: see data_csv_find_separator) and perhaps without a header. Columns without a name are
 * called by their numbers: c1, c2, ... Auto asks data_csv_has_header. Lines of comments (#) before the header are
 * passed over, and of the last one are the names where there is no header; so is sep=;.
 */
bool data_csv_read_as(struct data_csv *csv, const char *path, char separator, enum invar_table_header header,
                      struct invar_error *err);

/** One table of all files (csv_parts.c): the first as above, the others with its separator, a header that is its own or
 * none as it has none, and as many columns. The messages of all rows have name, which like files must outlive it. */
bool data_csv_read_parts(struct data_csv *csv, const char *name, const struct data_shards *files, char separator,
                         enum invar_table_header header, struct invar_error *err);
/** The file in which a row stands. */
const char *data_csv_file(const struct data_csv *csv, int64_t row);

/* ---- within csv*.c ---- */

/** What stands before the header: sep=;, lines of comments, blank ones. */
struct data_preamble {
    size_t size;
    int64_t lines;
    char separator;    /**< 0: not told */
    const char *names; /**< the last comment, which may name the columns; NULL: none */
    size_t names_length;
};
void data_csv_preamble(struct data_preamble *before, const char *text, size_t size);
/** The rows as they stand, the first as the header; preamble: what stands before it is passed over. */
bool data_csv_read_rows(struct data_csv *csv, const char *path, char separator, bool preamble, struct invar_error *err);
/** Columns without a name get one, c1, c2, ...; a first one that only numbers the rows is noted. */
bool data_csv_name_unnamed(struct data_csv *csv, struct invar_error *err);
/** The header becomes the first row, and one with c1, c2, ... stands before it. */
bool data_csv_name_columns(struct data_csv *csv, struct invar_error *err);
/** Room for so many items. */
bool data_csv_room(void **items, size_t needed, size_t *capacity, size_t size, struct invar_error *err);
/** Sorts the names anew. */
bool data_csv_sort(struct data_csv *csv, struct invar_error *err);

/** The tab, semicolon, bar or comma by which most lines have equally many cells; of several the one that leaves most
 * numbers, then most cells. */
char data_csv_find_separator(const char *text, size_t size);
/** Whether a cell is nothing, or what programs write for nothing: NULL, None, a point. */
bool data_csv_empty(const char *text);
/** Whether the first line is one of names: it is compared with the rows below, and in doubt it is. */
bool data_csv_is_header(const struct data_csv *csv);
/** The same where it may be known what the columns are called: with all these names it is one, and where these are c1,
 * c2, .., as columns without a header are called, it is none otherwise. */
bool data_csv_has_header(const struct data_csv *csv);

/** Whether a cell is a decimal number, perhaps with an exponent; where commas do not separate, one may be the decimal
 * point. Infinite where it is too large for a double. */
bool data_csv_number(const struct data_csv *csv, const char *text, double *value);
/** The text of a cell, row from 0. */
const char *data_csv_cell(const struct data_csv *csv, int64_t row, int column);
/** The line of the file in which a row begins. */
int64_t data_csv_line(const struct data_csv *csv, int64_t row);
/** The number of a column, or -1 with a sentence that has the nearest one or lists them; twice the same is refused. why
 * ends the sentence: what the column is needed for. */
int data_csv_column(const struct data_csv *csv, const char *name, const char *why, struct invar_error *err);
/** Whether the header has such a column. */
bool data_csv_has(const struct data_csv *csv, const char *name);

#endif
