/* SPDX-License-Identifier: Apache-2.0 */
/* Points and commas in numbers: which of them is before decimals, and which stands between thousands. */
#include "data/table/table.h"

#include "invar/log.h"
#include <string.h>

#define MOST_MARKS 6
#define UNIT 6 /* so many bytes may stand before and behind the digits */

enum { POINT, COMMA };

/* The digits of a cell: lengths of the groups between its points and commas. */
struct groups {
    int count, length[MOST_MARKS + 1], mark[MOST_MARKS];
    bool zero;  /* the first begins with 0 */
    bool other; /* an exponent, or something else between thousands */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_apart(const char *cell, struct groups *groups)
{
    const char *at = cell + strcspn(cell, "0123456789");

    *groups = (struct groups){0};
    if (!*at || at - cell > UNIT)
        return false;
    if (at > cell && (at[-1] == '.' || at[-1] == ',')) /* .5 */
        at--;
    groups->zero = *at == '0';
    for (; *at; at++) {
        if (is_digit(*at))
            groups->length[groups->count]++;
        else if (*at == '.' || *at == ',') {
            if (groups->count == MOST_MARKS)
                return false;
            groups->mark[groups->count++] = *at == ',';
        } else if (strchr("eE'_ -+", *at))
            groups->other = true;
        else
            break;
    }
    return strlen(at) <= UNIT && !at[strcspn(at, "0123456789")];
}

static bool are_thousands(const struct groups *groups, int last)
{
    bool ok = groups->length[0] >= 1 && groups->length[0] <= 3 && !groups->zero;

    for (int i = 1; i <= last; i++)
        ok = ok && groups->length[i] == 3;
    return ok;
}

/* Counts what one cell says; false where it is no number. */
static bool count(struct data_marks *marks, const char *cell)
{
    struct groups groups;

    if (!take_apart(cell, &groups))
        return false;
    const int last = groups.count - 1;
    if (last < 0) {
        marks->bare++;
        return true;
    }
    for (int i = 1; i < last; i++)
        if (groups.mark[i] != groups.mark[0])
            return false;
    if (last == 0 && !groups.other && are_thousands(&groups, 1))
        marks->unclear[groups.mark[0]]++;
    else if (last == 0)
        marks->decimal[groups.mark[0]]++;
    else if (!are_thousands(&groups, groups.mark[last] == groups.mark[0] ? last + 1 : last))
        return false;
    else
        marks->decimal[groups.mark[last] == groups.mark[0] ? !groups.mark[0] : groups.mark[last]]++;
    return true;
}

static struct data_marks count_column(const struct data_csv *csv, const struct data_rules *rules, int column)
{
    struct data_marks marks = {.numbers = true};

    for (int64_t row = 0; row < csv->rows && marks.numbers; row++) {
        const char *cell = data_csv_cell(csv, row, column);
        marks.numbers = data_rules_missing(rules, cell) || count(&marks, cell);
    }
    return marks;
}

/* A column such as "v1.25" has no numbers, whatever its cells end with. */
static bool reads(const struct data_csv *csv, const struct data_rules *rules, int column)
{
    struct data_form_found found;

    data_form_find(&found, csv, rules, column);
    return found.texts == 0;
}

void data_marks_find(struct data_csv *csv, const struct data_rules *rules)
{
    csv->points = csv->commas = false;
    for (int c = 0; c < csv->columns; c++) {
        const struct data_marks marks = count_column(csv, rules, c);
        const bool points = marks.decimal[POINT] && !csv->points, commas = marks.decimal[COMMA] && !csv->commas;
        if (marks.numbers && (points || commas) && reads(csv, rules, c)) {
            csv->points = csv->points || points;
            csv->commas = csv->commas || commas;
        }
    }
}

enum data_marks_say data_marks_say(const struct data_csv *csv, const struct data_rules *rules, int column,
                                   struct data_form *form)
{
    const struct data_marks marks = count_column(csv, rules, column);
    const bool own = marks.decimal[POINT] || marks.decimal[COMMA];
    const bool points = own ? marks.decimal[POINT] > 0 : csv->points;
    const bool commas = own ? marks.decimal[COMMA] > 0 : csv->commas;

    if (!marks.numbers || form->date)
        return DATA_MARKS_CLEAR;
    if (own && points && commas)
        return form->decimal ? DATA_MARKS_CLEAR : DATA_MARKS_BOTH;
    /* The file before what the training rows had, where the same mark is the other thing there. */
    if (points != commas && (marks.unclear[points ? COMMA : POINT] || form->thousands == (points ? '.' : ','))) {
        form->thousands = points ? ',' : '.';
        form->decimal = points ? '.' : ',';
        return DATA_MARKS_THOUSANDS;
    }
    if (own || points != commas || form->decimal)
        return DATA_MARKS_CLEAR;
    /* Nothing says which it is. Where commas separate, points are decimals; elsewhere decimals of three digits alone
     * are seldom, and more so beside numbers that have none. */
    return marks.unclear[COMMA] ||
                   (marks.unclear[POINT] && ((points && commas) || (csv->separator == ';' && marks.bare)))
               ? DATA_MARKS_UNCLEAR
               : DATA_MARKS_CLEAR;
}

void data_marks_tell(enum data_marks_say say, const struct data_csv *csv, const char *name)
{
    if (say == DATA_MARKS_BOTH)
        invar_log(INVAR_LOG_WARNING,
                  "%s: column \"%s\" has numbers with decimal points and such with decimal commas; both are read as "
                  "decimals",
                  csv->path, name);
    if (say == DATA_MARKS_UNCLEAR)
        invar_log(
            INVAR_LOG_WARNING,
            "%s: behind every point or comma of column \"%s\" are three digits, which are read as decimals; where "
            "they are thousands, take the points or commas out",
            csv->path, name);
}
