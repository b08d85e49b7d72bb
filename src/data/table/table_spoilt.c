/* SPDX-License-Identifier: Apache-2.0 */
/* Columns that would be numbers but for a few texts, which likely stand for missing values. */
#include "data/table/table.h"

#include <string.h>

#define MOSTLY 0.9      /* of the cells that are none of the few texts so many are numbers */
#define FEW_TEXTS 3     /* so many different texts are few */
#define MANY_NUMBERS 20 /* of more different numbers nobody makes categories */

/* The cells of a column: its numbers, and its texts with how often each is there. */
struct cells {
    struct data_words numbers, texts;
    int64_t number_count, text_count;
};

static bool count(struct cells *cells, const struct data_csv *csv, const struct data_rules *rules, int column,
                  const struct data_form *form, struct invar_error *err)
{
    for (int64_t row = 0; row < csv->rows; row++) {
        const char *cell = data_csv_cell(csv, row, column);
        double value;
        if (data_rules_missing(rules, cell))
            continue;
        const bool number = data_form_number(form, csv, cell, &value);
        struct data_words *words = number ? &cells->numbers : &cells->texts;
        if (number && words->count > MANY_NUMBERS) {
            cells->number_count++;
            continue;
        }
        int64_t *times = data_words_add(words, cell, err);
        if (!times)
            return false;
        (*times)++;
        *(number ? &cells->number_count : &cells->text_count) += 1;
    }
    return true;
}

/* How many cells have one of the most frequent texts, and whether all of these are known to stand for missing values.
 */
static int64_t most_frequent(const struct data_words *texts, bool *known)
{
    int64_t most[FEW_TEXTS] = {0}, sum = 0;
    const char *text[FEW_TEXTS] = {0};

    for (size_t i = 0; i < texts->capacity; i++) {
        int64_t times = texts->slot[i].text ? texts->slot[i].number : 0;
        const char *name = texts->slot[i].text;
        for (int k = 0; k < FEW_TEXTS; k++)
            if (times > most[k]) {
                const int64_t less = most[k];
                const char *rarer = text[k];
                most[k] = times;
                text[k] = name;
                times = less;
                name = rarer;
            }
    }
    *known = true;
    for (int k = 0; k < FEW_TEXTS; k++) {
        sum += most[k];
        *known = *known && (!text[k] || data_csv_empty(text[k]));
    }
    return sum;
}

bool data_form_spoilt(bool *spoilt, const struct data_csv *csv, const struct data_rules *rules, int column,
                      const struct data_form *form, struct invar_error *err)
{
    struct cells cells = {.texts.comma = data_csv_comma(csv), .numbers.comma = data_csv_comma(csv)};
    const bool ok = count(&cells, csv, rules, column, form, err);
    bool known;
    const int64_t few = most_frequent(&cells.texts, &known), all = cells.number_count + cells.text_count;
    const double numbers = (double)cells.number_count;

    *spoilt = cells.number_count > 0 &&
              (numbers >= MOSTLY * (double)all ||
               (numbers >= MOSTLY * (double)(all - few) && (known || cells.numbers.count > MANY_NUMBERS)));
    data_words_free(&cells.texts);
    data_words_free(&cells.numbers);
    return ok;
}
