/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the first line of a table is its header: it is compared with the rows below, and in doubt it is one. */
#include "data/table/csv.h"

#include <math.h>
#include <string.h>

#define LOOK_AT 1000 /* rows that are compared */
#define MANY_NAMES 8 /* so many rising numbers in a line are no accident */
#define SOME_NAMES 5 /* so many in equal steps are not either */

/* What speaks for a header (above 0) and against one. */
enum { TEXT_OVER_NUMBERS = 3, NEW_OVER_GROUPS = 1, AGAIN_IN_GROUPS = -3, AGAIN = -2, AMONG_NUMBERS = -1, RISING = 2 };

/* The cells below one of the first line. */
struct below {
    int64_t filled, numbers, fractions, same;
    double least, most;
    int different; /* texts, of the first few rows */
};

bool data_csv_empty(const char *text)
{
    static const char *const words[] = {"", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", ".", "\\N"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static int64_t rows_of(const struct data_csv *csv)
{
    return csv->rows < LOOK_AT ? csv->rows : LOOK_AT;
}

/* Of the first 40 rows, how many cells are not those of an earlier row. */
static int count_different(const struct data_csv *csv, int column, int64_t rows)
{
    int different = 0;
    for (int64_t row = 0; row < rows; row++) {
        bool again = false;
        for (int64_t before = 0; before < row && !again; before++)
            again = strcmp(data_csv_cell(csv, row, column), data_csv_cell(csv, before, column)) == 0;
        different += !again;
    }
    return different;
}

static struct below look_below(const struct data_csv *csv, int column)
{
    struct below b = {.least = INFINITY, .most = -INFINITY};
    const char *head = data_csv_cell(csv, -1, column);

    for (int64_t row = 0; row < rows_of(csv); row++) {
        const char *cell = data_csv_cell(csv, row, column);
        double value;
        b.same += strcmp(cell, head) == 0;
        if (data_csv_empty(cell))
            continue;
        b.filled++;
        if (!data_csv_number(csv, cell, &value))
            continue;
        b.numbers++;
        b.fractions += !(value == floor(value));
        b.least = value < b.least ? value : b.least;
        b.most = value > b.most ? value : b.most;
    }
    return b;
}

static int weigh_text(const struct data_csv *csv, int column, const struct below *b)
{
    const int64_t rows = rows_of(csv) < 40 ? rows_of(csv) : 40;
    if (b->filled == 0)
        return 0;
    if (2 * b->numbers >= b->filled)
        return b->same ? AGAIN : TEXT_OVER_NUMBERS;
    const bool groups = 2 * count_different(csv, column, rows) <= rows;
    if (b->same)
        return groups ? AGAIN_IN_GROUPS : AGAIN;
    return groups ? NEW_OVER_GROUPS : 0;
}

/* A whole number over fractions, or one beyond all of its column, is not one of them. */
static bool is_odd(double value, const struct below *b)
{
    return b->numbers == 0 || value < b->least || value > b->most ||
           (value == floor(value) && 2 * b->fractions > b->numbers);
}

/* The numbers of a line: how many, whether they rise, and by equal steps. */
struct rise {
    int count;
    double first, last;
    bool rising, even;
};

static struct rise rise_of(const struct data_csv *csv, int64_t row)
{
    struct rise r = {.rising = true, .even = true};
    double last = 0, step = 0, value;

    for (int c = 0; c < csv->columns; c++) {
        const char *cell = data_csv_cell(csv, row, c);
        if ((row >= 0 && !data_csv_number(csv, data_csv_cell(csv, -1, c), &value)) ||
            !data_csv_number(csv, cell, &value))
            continue;
        r.rising = r.rising && (r.count == 0 || value > last);
        r.even = r.even && value == floor(value) && (r.count < 2 || value - last == step);
        step = value - last;
        r.first = r.count == 0 ? value : r.first;
        last = r.last = value;
        r.count++;
    }
    return r;
}

/* Numbers as names: 0, 1, 2, ...; years; wavelengths. They rise from left to right, and the rows below do not. */
static bool are_names(const struct data_csv *csv, bool all_odd, bool beside_text)
{
    const struct rise head = rise_of(csv, -1);
    int64_t alike = 0;

    const bool years = head.first >= 1800 && head.last <= 2100;
    const bool some = head.count >= MANY_NAMES || (head.even && head.count >= SOME_NAMES);
    const bool few = head.even && (all_odd ? years || head.first == 0 || head.count > 2 : years && beside_text);

    if (!head.rising || !(some || few))
        return false;
    for (int64_t row = 0; row < rows_of(csv); row++) {
        const struct rise r = rise_of(csv, row);
        alike += head.even ? r.rising && r.even : r.rising;
    }
    return head.count == 2 || 2 * alike < rows_of(csv);
}

/* c1, c2, ... */
static bool is_numbered(const char *name)
{
    return name[0] == 'c' && name[1] && !name[1 + strspn(name + 1, "0123456789")];
}

bool data_csv_has_header(const struct data_csv *csv)
{
    bool named = csv->wanted_count > 0, numbered = named;

    for (int i = 0; i < csv->wanted_count; i++) {
        named = named && data_csv_has(csv, csv->wanted[i]);
        numbered = numbered && is_numbered(csv->wanted[i]);
    }
    return csv->short_header || named || (!numbered && data_csv_is_header(csv));
}

bool data_csv_is_header(const struct data_csv *csv)
{
    int weight = 0, numbers = 0, among = 0, texts = 0, rare = 0;
    bool all_odd = true;

    for (int c = 0; c < csv->columns; c++) {
        const char *head = data_csv_cell(csv, -1, c);
        double value;
        if (data_csv_empty(head))
            continue;
        const struct below b = look_below(csv, c);
        if (!data_csv_number(csv, head, &value)) {
            const int w = weigh_text(csv, c, &b);
            weight += w;
            rare += w >= 0;
            texts++;
            continue;
        }
        numbers++;
        among += !is_odd(value, &b);
        among += value != floor(value);
        all_odd = all_odd && is_odd(value, &b);
    }
    const bool names = numbers > 1 && csv->rows > 0 && are_names(csv, all_odd, texts > 0);
    weight += names ? RISING : among * AMONG_NUMBERS;
    if (weight != 0)
        return weight > 0;
    /* Nothing decides: a line that is mostly text names columns. */
    return texts > numbers && (numbers == 0 || rare > 0);
}
