/* SPDX-License-Identifier: Apache-2.0 */
/* What the columns of a table mean, found in its training rows: numbers or categories, with their statistics. */
#include "data/table/table.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 64                /* columns looked at together, */
#define BLOCK_NUMBERS (1 << 22) /* and at most so many numbers of them */
#define UNIQUE 0.9              /* so many different texts a row, and more than FEW, only tell rows apart */
#define FEW 20
#define LONG 15 /* longer numbers differ in digits that a double has not */

/* What stands in a column: how many numbers and texts, and the first row with a text or a number beyond all bounds. */
struct found {
    int64_t numbers, texts, first_text, too_large;
};

struct detecting {
    const struct data_csv *csv;
    const struct data_rules *rules;
    const uint8_t *split; /* [rows] */
    struct data_schema *schema;
    double *values; /* [rows] of the column being looked at, in the block */
    int width;      /* columns of a block */
    double *block;  /* [width][rows] */
    struct found found[BLOCK];
};

static const char *header(const struct data_csv *csv, int column)
{
    return data_csv_cell(csv, -1, column);
}

/* ---- numbers ---- */

static void look_at(const struct detecting *d, int column, int64_t row, const struct data_form *form, double *value,
                    struct found *found)
{
    const char *cell = data_csv_cell(d->csv, row, column);

    *value = NAN;
    if (data_rules_missing(d->rules, cell))
        return;
    if (!data_form_number(form, d->csv, cell, value)) {
        found->first_text = found->texts++ == 0 ? row : found->first_text;
        return;
    }
    found->numbers++;
    if (!isfinite(*value) && found->too_large < 0)
        found->too_large = row;
}

static void look(struct detecting *d, int column, const struct data_form *form, struct found *found)
{
    *found = (struct found){.first_text = -1, .too_large = -1};
    for (int64_t row = 0; row < d->csv->rows; row++)
        look_at(d, column, row, form, &d->values[row], found);
}

/* Several columns at once, row by row as they lie in memory, as plain numbers. */
static void look_block(struct detecting *d, int first)
{
    const int end = first + d->width < d->csv->columns ? first + d->width : d->csv->columns;
    const struct data_form plain = {0};

    for (int c = first; c < end; c++)
        d->found[c - first] = (struct found){.first_text = -1, .too_large = -1};
    for (int64_t row = 0; row < d->csv->rows; row++)
        for (int c = first; c < end; c++)
            look_at(d, c, row, &plain, &d->block[(int64_t)(c - first) * d->csv->rows + row], &d->found[c - first]);
}

static bool refuse_too_large(const struct detecting *d, int column, int64_t row, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "%s, line %lld: %s in column \"%s\" is too large a number; correct it, or leave the "
                           "column out with data.ignore",
                           data_csv_file(d->csv, row), (long long)data_csv_line(d->csv, row),
                           data_csv_cell(d->csv, row, column), header(d->csv, column));
}

static bool constant(struct invar_column *column, const char *path, const char *why)
{
    column->kind = INVAR_COLUMN_CONSTANT;
    invar_log(INVAR_LOG_WARNING, "%s: column \"%s\" %s and is left out", path, column->name, why);
    return true;
}

/* Whole numbers that differ by little of their size: measured from the least of them, whatever rounding makes of their
 * mean. Fractions that do are likely equal but for rounding. False where all are equal or some are fractions. */
static bool measure_from_least(const struct detecting *d, struct invar_column *column)
{
    double least = INFINITY, most = -INFINITY, sum = 0, squares = 0;
    int64_t count = 0;

    for (int64_t row = 0; row < d->csv->rows; row++) {
        const double value = d->values[row];
        if (d->split[row] != INVAR_TRAIN || isnan(value))
            continue;
        if (value != floor(value))
            return false;
        least = fmin(least, value);
        most = fmax(most, value);
        count++;
    }
    if (!(least < most))
        return false;
    for (int64_t row = 0; row < d->csv->rows; row++)
        if (d->split[row] == INVAR_TRAIN && !isnan(d->values[row]))
            sum += d->values[row] - least;
    const double mean = sum / (double)count;
    for (int64_t row = 0; row < d->csv->rows; row++)
        if (d->split[row] == INVAR_TRAIN && !isnan(d->values[row]))
            squares += (d->values[row] - least - mean) * (d->values[row] - least - mean);
    column->mean = least + mean;
    column->deviation = sqrt(squares / (double)count);
    return column->deviation > 0 && isfinite(column->deviation);
}

/* Why a column of numbers without a deviation is left out: of long numbers the last digits are not read. */
static const char *why_constant(const struct detecting *d, int number)
{
    const char *first = NULL;
    double value = NAN;

    for (int64_t row = 0; row < d->csv->rows; row++) {
        const char *cell = data_csv_cell(d->csv, row, number);
        if (d->split[row] != INVAR_TRAIN || data_rules_missing(d->rules, cell))
            continue;
        value = first ? value : d->values[row];
        first = first ? first : cell;
        if (d->values[row] != value)
            return "differs by less than 1e-12 of its size";
        if (strcmp(first, cell) != 0 && strlen(cell) > LONG)
            return "differs in digits alone that numbers do not keep (they have 15 to 17)";
    }
    return "is the same in every training row";
}

/* Mean and deviation of the training rows, in two passes. */
static bool measure(struct detecting *d, int number, struct invar_column *column, struct invar_error *err)
{
    int64_t count = 0, rows = 0;
    double sum = 0, squares = 0;

    for (int64_t row = 0; row < d->csv->rows; row++) {
        if (d->split[row] != INVAR_TRAIN)
            continue;
        rows++;
        if (!isnan(d->values[row])) {
            sum += d->values[row];
            count++;
        }
    }
    if (count == 0)
        return constant(column, d->csv->path, "has no value in any training row");
    const double mean = sum / (double)count;
    for (int64_t row = 0; row < d->csv->rows; row++)
        if (d->split[row] == INVAR_TRAIN && !isnan(d->values[row]))
            squares += (d->values[row] - mean) * (d->values[row] - mean);
    column->mean = mean;
    column->deviation = sqrt(squares / (double)count);
    column->indicator = count < rows;
    if (!isfinite(mean) || !isfinite(column->deviation))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: the numbers of column \"%s\" are too large to be standardised; leave it out with "
                               "data.ignore",
                               d->csv->path, column->name);
    if (column->deviation > 1e-12 * fabs(mean) || measure_from_least(d, column))
        return true;
    if (!column->indicator)
        return constant(column, d->csv->path, why_constant(d, number));
    column->mean = mean;
    column->deviation = 1;
    return true;
}

/* ---- categories ---- */

static int by_count(const void *a, const void *b)
{
    const struct data_word *x = a, *y = b;
    return x->number != y->number ? (x->number > y->number ? -1 : 1) : strcmp(x->text, y->text);
}

/* The most frequent words alone, as many as may have a place. */
static bool keep_frequent(struct detecting *d, struct invar_column *column, struct data_words *words, int64_t rows,
                          struct invar_error *err)
{
    const size_t limit = (size_t)d->rules->options->csv.categories;
    struct data_words kept = {.comma = words->comma};
    size_t used = 0;

    column->unique = words->count > FEW && (double)words->count > UNIQUE * (double)rows;
    if (column->unique)
        invar_log(
            INVAR_LOG_WARNING,
            "%s: column \"%s\" has another text in nearly every row (%zu in %lld): it tells rows apart and teaches "
            "nothing; data.ignore=%s leaves it out",
            d->csv->path, column->name, words->count, (long long)rows, column->name);
    if (words->count <= limit)
        return true;
    if (!column->unique)
        invar_log(
            INVAR_LOG_WARNING,
            "%s: column \"%s\" has %zu categories; the %zu most frequent have a place of their own (data.categories), "
            "the others share one: where they only number the rows, leave the column out with data.ignore",
            d->csv->path, column->name, words->count, limit);
    for (size_t i = 0; i < words->capacity; i++)
        if (words->slot[i].text)
            words->slot[used++] = words->slot[i];
    qsort(words->slot, used, sizeof *words->slot, by_count);
    for (size_t i = 0; i < limit; i++)
        if (!data_words_add(&kept, words->slot[i].text, err)) {
            data_words_free(&kept);
            return false;
        }
    data_words_free(words);
    *words = kept;
    return true;
}

static bool name_categories(struct detecting *d, struct invar_column *column, struct data_words *words,
                            struct invar_error *err)
{
    const char **texts = data_words_sort(words, d->csv, err);
    bool ok = false;

    column->category = invar_alloc(words->count + 1, sizeof *column->category, err);
    if (!texts || !column->category)
        goto done;
    for (size_t i = 0; i < words->count; i++) {
        column->category[i] = invar_strdup(texts[i], err);
        if (!column->category[i])
            goto done;
        column->categories++;
    }
    ok = true;
done:
    invar_free(texts);
    return ok;
}

static bool categorise(struct detecting *d, int number, struct invar_column *column, struct invar_error *err)
{
    struct data_words words = {.comma = data_csv_comma(d->csv)};
    bool missing = false, ok = false;
    int64_t rows = 0;

    column->kind = INVAR_COLUMN_CATEGORICAL;
    for (int64_t row = 0; row < d->csv->rows; row++) {
        const char *cell = data_csv_cell(d->csv, row, number);
        if (d->split[row] != INVAR_TRAIN)
            continue;
        if (data_rules_missing(d->rules, cell)) {
            missing = true;
            continue;
        }
        rows++;
        int64_t *count = data_words_add(&words, cell, err);
        if (!count)
            goto done;
        (*count)++;
    }
    if (words.count == 0)
        ok = constant(column, d->csv->path, "has no value in any training row");
    else if (words.count == 1 && !missing)
        ok = constant(column, d->csv->path, "is the same in every training row");
    else
        ok = keep_frequent(d, column, &words, rows, err) && name_categories(d, column, &words, err);
done:
    data_words_free(&words);
    return ok;
}

/* ---- columns ---- */

static void tell_form(const struct detecting *d, struct invar_column *column, const struct data_form *form)
{
    data_form_describe(form, column->read, sizeof column->read);
    invar_log(INVAR_LOG_INFO,
              "%s: the cells of column \"%s\" are read as %s; data.categorical=%s makes them categories", d->csv->path,
              column->name, column->read, column->name);
}

/* Cells that are no plain numbers: whether all of them read in one form; else the best, and which one does not. */
static bool read_form(struct detecting *d, int number, struct found *found, struct data_form *best)
{
    struct invar_column *column = &d->schema->column[d->schema->count - 1];
    struct data_form *form = &d->schema->form[d->schema->count - 1];
    struct data_form_found other;

    data_form_find(&other, d->csv, d->rules, number);
    if (other.texts > 0 || other.numbers == 0) {
        if (other.numbers > found->numbers) {
            found->numbers = other.numbers;
            found->texts = other.texts;
            found->first_text = other.first_text;
            *best = other.form;
        }
        return false;
    }
    *form = other.form;
    data_marks_say(d->csv, d->rules, number, form);
    look(d, number, form, found);
    tell_form(d, column, form);
    return true;
}

/* Text among numbers: a few texts that keep the rest from being numbers are told. */
static bool take_text(struct detecting *d, int number, struct invar_column *column, const struct found *found,
                      const struct data_form *form, struct invar_error *err)
{
    if (found->numbers && !data_form_spoilt(&column->mixed, d->csv, d->rules, number, form, err))
        return false;
    if (column->mixed)
        invar_log(
            INVAR_LOG_WARNING,
            "%s: column \"%s\" is taken for categories because of \"%s\" in line %lld, one of %lld cells that are "
            "no numbers, though most of it is numbers otherwise; data.missing says what stands for missing values",
            data_csv_file(d->csv, found->first_text), column->name, data_csv_cell(d->csv, found->first_text, number),
            (long long)data_csv_line(d->csv, found->first_text), (long long)found->texts);
    return categorise(d, number, column, err);
}

/* Plain numbers whose points or commas stand between thousands, as others of the file say. */
static void read_marks(struct detecting *d, int number, struct invar_column *column, struct found *found)
{
    struct data_form *form = &d->schema->form[d->schema->count - 1];
    const enum data_marks_say say = data_marks_say(d->csv, d->rules, number, form);

    data_marks_tell(say, d->csv, column->name);
    if (say != DATA_MARKS_THOUSANDS)
        return;
    look(d, number, form, found);
    tell_form(d, column, form);
}

/* A column of numbers that only says where in its file a row stands. */
static void tell_counting(const struct detecting *d, const struct invar_column *column)
{
    const int64_t rows = d->csv->rows;

    if (rows <= FEW || d->schema->form[d->schema->count - 1].date || d->values[0] != floor(d->values[0]))
        return;
    for (int64_t row = 1; row < rows; row++)
        if (!(d->values[row] - d->values[row - 1] == 1))
            return;
    invar_log(INVAR_LOG_WARNING,
              "%s: column \"%s\" counts the rows from %.0f to %.0f: it says where in the file a row stands; "
              "data.ignore=%s leaves it out",
              d->csv->path, column->name, d->values[0], d->values[rows - 1], column->name);
}

static bool detect_column(struct detecting *d, int number, struct found found, struct invar_error *err)
{
    const char *name = header(d->csv, number);
    const bool categorical = data_names_match(&d->rules->categorical, name);
    const bool numeric = data_names_match(&d->rules->numeric, name);
    struct invar_column *column = &d->schema->column[d->schema->count++];
    struct data_form form = {0};

    if (data_csv_column(d->csv, name, "which it has", err) < 0 || !(column->name = invar_strdup(name, err)))
        return false;
    if (categorical && numeric)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "data.categorical and data.numeric both name the column \"%s\"; take it out of one",
                               name);
    if (categorical)
        return categorise(d, number, column, err);
    if (found.texts > 0 && found.too_large < 0)
        read_form(d, number, &found, &form);
    else if (found.texts == 0)
        read_marks(d, number, column, &found);
    if (found.too_large >= 0 && found.texts == 0)
        return refuse_too_large(d, number, found.too_large, err);
    if (found.texts == 0) {
        if (!numeric)
            tell_counting(d, column);
        return measure(d, number, column, err);
    }
    if (numeric)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s, line %lld: \"%s\" in column \"%s\" is no number; add it to data.missing, or take the "
            "column out of data.numeric",
            data_csv_file(d->csv, found.first_text), (long long)data_csv_line(d->csv, found.first_text),
            data_csv_cell(d->csv, found.first_text, number), name);
    return take_text(d, number, column, &found, &form, err);
}

/* A first column without a name and with another value in every row, unless it is asked for. */
static bool only_numbers_rows(const struct detecting *d, int column)
{
    const char *name = header(d->csv, column);

    if (column > 0 || !d->csv->row_names || data_names_match(&d->rules->categorical, name) ||
        data_names_match(&d->rules->numeric, name))
        return false;
    invar_log(INVAR_LOG_WARNING,
              "%s: the first column has no name and only tells rows apart: it is left out; data.numeric=%s or "
              "data.categorical=%s takes it as an input",
              d->csv->path, name, name);
    return true;
}

/* Every name of a list must be that of a column. */
static bool check_names(const struct data_csv *csv, const struct data_names *names, const char *option,
                        struct invar_error *err)
{
    char why[64];

    snprintf(why, sizeof why, "which data.%s names", option);
    for (int i = 0; i < names->count; i++) {
        const struct data_names one = {.name = &names->name[i], .count = 1};
        bool known = false;
        for (int c = 0; c < csv->columns && !known; c++)
            known = data_names_match(&one, header(csv, c));
        if (!known && data_csv_column(csv, names->name[i], why, err) < 0)
            return false;
    }
    return true;
}

struct data_schema *data_schema_detect(const struct data_csv *csv, const struct data_rules *rules, const uint8_t *split,
                                       int label, struct invar_error *err)
{
    struct detecting d = {.csv = csv, .rules = rules, .split = split};
    bool ok = false;

    d.schema = invar_alloc(1, sizeof *d.schema, err);
    while (d.width < BLOCK && (d.width + 1) * (csv->rows + 1) <= BLOCK_NUMBERS)
        d.width++;
    d.width += d.width == 0;
    d.block = invar_alloc((size_t)d.width * (size_t)(csv->rows + 1), sizeof *d.block, err);
    if (!d.schema || !d.block || !data_schema_reserve(d.schema, csv->columns, err) ||
        !check_names(csv, &rules->categorical, "categorical", err) ||
        !check_names(csv, &rules->numeric, "numeric", err) || !check_names(csv, &rules->ignore, "ignore", err))
        goto done;
    for (int c = 0; c < csv->columns; c++) {
        if (c % d.width == 0)
            look_block(&d, c);
        d.values = d.block + c % d.width * csv->rows;
        if (c != label && !data_names_match(&rules->ignore, header(csv, c)) && !only_numbers_rows(&d, c) &&
            !detect_column(&d, c, d.found[c % d.width], err))
            goto done;
    }
    d.schema->comma = data_csv_comma(csv);
    d.schema->label = invar_strdup(label >= 0 ? header(csv, label) : "", err);
    ok = d.schema->label && data_schema_arrange(d.schema, err);
done:
    invar_free(d.block);
    if (ok)
        return d.schema;
    data_schema_free(d.schema);
    return NULL;
}
