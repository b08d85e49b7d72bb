/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include "data/table/csv.h"
#include "data/source.h"
#include "invar/array.h"

/*
 * Tables: what the columns of a CSV file mean (table_schema.c), found in its training rows (table_detect.c) or given by
 * an encoder, and rows as numbers by it (table.c).
 */

/* ---- words and their numbers (table_words.c) ---- */

/** Texts, each with a number; numbers that are equal (1 and 1.0, not 01) are one text, the first; with comma 1,5 is
 * one. Zero-initialise, free with data_words_free. Texts are borrowed. */
struct data_words {
    struct data_word {
        const char *text; /**< NULL: an empty slot */
        int64_t number;
    } * slot;
    size_t capacity, count;
    bool comma;
};
/** Whether a comma may be the decimal point in a file. */
static inline bool data_csv_comma(const struct data_csv *csv)
{
    return csv->separator != ',';
}
/** The number of a text, or NULL. */
int64_t *data_words_find(const struct data_words *words, const char *text);
/** The same, of a text that is added with 0 where it is missing; NULL when memory is short. */
int64_t *data_words_add(struct data_words *words, const char *text, struct invar_error *err);
/** All texts, by their bytes or, where all are numbers, by value; numbers become the place in this order. */
const char **data_words_sort(struct data_words *words, const struct data_csv *csv, struct invar_error *err);
void data_words_free(struct data_words *words);

/** A list "a, b, c" of an option, taken apart. */
struct data_names {
    char *text;
    char **name;
    int count;
};
bool data_names_make(struct data_names *names, const char *list, struct invar_error *err);
void data_names_free(struct data_names *names);
/** Whether a name is in the list, where * and ? stand for any text and any character. */
bool data_names_match(const struct data_names *names, const char *name);

/* ---- numbers as people write them (table_form.c) ---- */

/** How the cells of a column read as numbers; zeroed: as data_csv_number has them. */
struct data_form {
    char thousands, decimal; /**< what stands between groups of three digits, and before decimals */
    char unit[8];            /**< % or a currency: % in every cell, a currency in some; empty: none */
    bool date;               /**< 2024-02-29, 2024-02-29T23:59:59Z: days since 1970-01-01 */
};
bool data_form_number(const struct data_form *form, const struct data_csv *csv, const char *text, double *value);
/** The form by which most cells read, how many do, and the first row that does not. */
struct data_form_found {
    struct data_form form;
    int64_t numbers, texts, first_text;
};
struct data_rules;
void data_form_find(struct data_form_found *found, const struct data_csv *csv, const struct data_rules *rules,
                    int column);
/** Whether most cells of a column are numbers in that form, but for three texts at most, which likely stand for missing
 * values (table_spoilt.c). */
bool data_form_spoilt(bool *spoilt, const struct data_csv *csv, const struct data_rules *rules, int column,
                      const struct data_form *form, struct invar_error *err);
/** "numbers such as 1,234.5%", for people. */
void data_form_describe(const struct data_form *form, char *out, size_t size);
/** Whether there is such a unit. */
bool data_form_known(const char *unit);

/* ---- points and commas in numbers (table_marks.c) ---- */

/** Of the cells of a column: by mark, 0 a point and 1 a comma. */
struct data_marks {
    int64_t decimal[2]; /**< decimals stand behind it for sure */
    int64_t unclear[2]; /**< three digits do: decimals or thousands */
    int64_t bare;       /**< cells without any */
    bool numbers;       /**< all cells are */
};
/** Which marks have decimals behind them in a file: sets points and commas. */
void data_marks_find(struct data_csv *csv, const struct data_rules *rules);
enum data_marks_say {
    DATA_MARKS_CLEAR,
    DATA_MARKS_THOUSANDS, /**< form was set: the column, else the file, has the other mark for decimals */
    DATA_MARKS_UNCLEAR,   /**< decimals or thousands, and nothing says which */
    DATA_MARKS_BOTH       /**< of decimals both marks occur */
};
/** What a column of numbers says to reading it in form. */
enum data_marks_say data_marks_say(const struct data_csv *csv, const struct data_rules *rules, int column,
                                   struct data_form *form);
/** Tells what is not clear; name: of the column. */
void data_marks_tell(enum data_marks_say say, const struct data_csv *csv, const char *name);

/* ---- what columns mean (table_schema.c) ---- */

struct data_schema {
    int count;
    struct invar_column *column; /**< owns its texts */
    struct data_words *words;    /**< by column: the places of its categories */
    struct data_form *form;      /**< by column: how its numbers read */
    char *label;                 /**< name of the label column; empty: none */
    bool label_number;           /**< it is a number, and there are no classes */
    struct data_form label_form; /**< how it reads */
    char *label_reason;          /**< why it is taken for that */
    int classes;                 /**< 0: no labels */
    char **class_names;
    int width;  /**< numbers of a row */
    bool comma; /**< in texts a comma may be the decimal point */
};

/** From JSON text. */
struct data_schema *data_schema_read(const char *text, struct invar_error *err);
/** As JSON text (invar_free). */
char *data_schema_write(const struct data_schema *schema, struct invar_error *err);
void data_schema_free(struct data_schema *schema);
/** Room for so many columns; count stays 0. */
bool data_schema_reserve(struct data_schema *schema, int columns, struct invar_error *err);
/** Numbers the places of all columns and makes their words. */
bool data_schema_arrange(struct data_schema *schema, struct invar_error *err);
/** Warns of cells as no training row had them; known: the schema is an encoder's, and no row here trained it. */
void data_schema_tell(const struct data_schema *schema, const char *path, bool known);

/* ---- reading (table_detect.c, table.c) ---- */

/** How cells read, from the options. */
struct data_rules {
    const struct invar_data_options *options;
    struct data_names missing, categorical, numeric, ignore;
    bool empty_missing;
    bool begins[256]; /**< by its first byte: whether a marker of missing values may be one */
};
bool data_rules_make(struct data_rules *rules, const struct invar_data_options *options, struct invar_error *err);
void data_rules_free(struct data_rules *rules);
bool data_rules_missing(const struct data_rules *rules, const char *text);

/* ---- the label (table_label.c) ---- */

#define DATA_CLASS_LIMIT 1000

/** What the label column is. Set rules and name, free classes. */
struct data_label {
    const struct data_rules *rules;
    const char *name;
    bool number;
    bool seems; /**< a number, by its cells alone */
    bool plain; /**< every cell is a number */
    struct data_form form;
    const struct data_schema *schema; /**< of an encoder that had this label; NULL: none */
    bool own_classes;                 /**< whatever classes the encoder had */
    bool known;                       /**< classes are those of an encoder, others may come */
    struct data_words classes;
    char reason[256];
};
/** Classes or a number, by the options, as an encoder had it, or by the cells; classes become those of the source: an
 * encoder's, where it took the label for classes and these are not to be its own, else those of the cells. */
bool data_label_find(struct data_label *label, const struct data_csv *csv, int column, struct data_source *source,
                     struct invar_error *err);
/** What the column would be by its cells; fills seems, plain, reason and classes up to one more than there may be. Of
 * csv[2] the second may be empty, at[2] are the numbers of the column, -1: it lacks it. */
bool data_label_look(struct data_label *label, const struct data_csv *csv, const int *at, struct invar_error *err);
/** Labels or targets of the rows of a file, whose first one is sample first; column -1: none. */
bool data_label_read(const struct data_label *label, const struct data_csv *csv, int column, int64_t first,
                     struct data_source *source, struct invar_error *err);

/** Labels of an array as a table of one column, "label", without those that are none: NaN and, but for below, whole
 * numbers below 0. */
bool data_npy_labels(struct data_csv *csv, const char *path, const struct invar_array *labels, bool below,
                     struct invar_error *err);
/** Whether whole numbers below 0 are labels: of numbers they are, of classes they are none. schema NULL: not known. */
bool data_npy_below(bool *below, const struct data_rules *rules, const struct data_schema *schema, const char *path,
                    const struct invar_array *labels, struct invar_error *err);

/** The label becomes part of a schema that was detected. */
bool data_schema_keep_label(struct data_schema *schema, const struct data_label *label,
                            const struct data_source *source, struct invar_error *err);
/** The splits by the options, with first_rows rows before those of data.test; drawn here and not later, as the meaning
 * of columns is that of the training rows. */
bool data_table_split(struct data_source *source, const struct invar_data_options *options, int64_t first_rows,
                      struct invar_error *err);
/** The schema becomes the source's, lives as long, and the dataset shows it. reason: of the label's kind. */
bool data_table_publish(struct data_source *source, struct data_schema *schema, const char *reason,
                        struct invar_error *err);

/** What the columns mean by the training rows of a table; split[row] is an enum invar_split. label is the number of the
 * label column, or -1; classes are not filled in. */
struct data_schema *data_schema_detect(const struct data_csv *csv, const struct data_rules *rules, const uint8_t *split,
                                       int label, struct invar_error *err);
/** The label, the columns of categories, and those that are not in the schema become fields, each with at most
 * DATA_CLASS_LIMIT different values (a missing one among them) unless they are numbers; of csv[2] the second may be
 * empty. */
bool data_table_fields(struct data_fields *fields, const struct data_csv *csv, const struct data_schema *schema,
                       const struct data_rules *rules, struct invar_error *err);

#endif
