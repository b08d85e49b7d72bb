/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people write them: separators of thousands, per cent, currencies, dates. One form for all cells of a
 * column. */
#include "data/table/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL 64 /* longer cells are text */

/* What separates thousands and what decimals; those that fit a file's separator better come first. */
static const struct {
    char thousands, decimal;
} pairs[2][7] = {{{',', '.'}, {' ', '.'}, {'\'', '.'}, {'_', '.'}, {'.', ','}, {' ', ','}, {'\'', ','}},
                 {{'.', ','}, {' ', ','}, {'\'', ','}, {',', '.'}, {' ', '.'}, {'\'', '.'}, {'_', '.'}}};
#define PAIRS 7
#define DATE PAIRS /* the form behind all pairs */

static const char *const units[] = {"%",
                                    "US$",
                                    "R$",
                                    "$",
                                    "\xe2\x82\xac",
                                    "\xc2\xa3",
                                    "\xc2\xa5",
                                    "\xe2\x82\xb9",
                                    "\xe2\x82\xbd",
                                    "\xe2\x82\xa9",
                                    "USD",
                                    "EUR",
                                    "GBP",
                                    "CHF",
                                    "JPY",
                                    "CNY",
                                    "INR",
                                    "z\xc5\x82",
                                    "kr"};

/* A cell without its sign and unit. */
struct body {
    char text[CELL];
    const char *unit; /* NULL: none */
    bool negative;
};

/* Spaces, minus signs and apostrophes as typographers have them become those of ASCII. */
static bool simplify(const char *text, char *out)
{
    static const struct {
        const char *from;
        char to;
    } signs[] = {
        {"\xc2\xa0", ' '}, {"\xe2\x80\xaf", ' '}, {"\xe2\x80\x89", ' '}, {"\xe2\x88\x92", '-'}, {"\xe2\x80\x99", '\''}};
    size_t used = 0;

    while (*text) {
        bool found = false;
        if (used + 1 >= CELL)
            return false;
        for (size_t i = 0; i < sizeof signs / sizeof *signs && !found; i++)
            if (strncmp(text, signs[i].from, strlen(signs[i].from)) == 0) {
                out[used++] = signs[i].to;
                text += strlen(signs[i].from);
                found = true;
            }
        if (!found)
            out[used++] = *text++;
    }
    out[used] = '\0';
    return used > 0;
}

static char *skip(char *at)
{
    return at + strspn(at, " ");
}

/* A unit at the beginning of a text, or at its end, is taken off. */
static const char *take_unit(char **at)
{
    char *text = *at;
    size_t length = strlen(text);

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const size_t unit = strlen(units[i]);
        if (strncmp(text, units[i], unit) == 0) {
            *at = text + unit;
            return units[i];
        }
        if (length > unit && strcmp(text + length - unit, units[i]) == 0) {
            text[length - unit] = '\0';
            return units[i];
        }
    }
    return NULL;
}

static bool take_sign(char **at, bool *negative)
{
    if (**at != '-' && **at != '+')
        return false;
    *negative = **at == '-';
    *at = skip(*at + 1);
    return true;
}

static void trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
}

/* "-$1,234.50", "($ 5)", "12,5 %" */
static bool take_apart(const char *cell, struct body *body)
{
    char room[CELL], *at = room;

    *body = (struct body){0};
    if (!simplify(cell, room))
        return false;
    at = skip(at);
    trim(at);
    const size_t length = strlen(at);
    const bool accounted = length > 2 && at[0] == '(' && at[length - 1] == ')';
    if (accounted) {
        at[length - 1] = '\0';
        at = skip(at + 1);
    }
    const bool sign = !accounted && take_sign(&at, &body->negative);
    body->unit = take_unit(&at);
    at = skip(at);
    if (!accounted && !sign)
        take_sign(&at, &body->negative);
    trim(at);
    body->negative = body->negative || accounted;
    strcpy(body->text, at);
    return *at >= '0' && *at <= '9';
}

/* Groups of three digits between thousands; no zeros before them, as codes have. */
static bool read_body(const char *text, char thousands, char decimal, double *value)
{
    const struct data_csv form = {.separator = ','};
    char plain[CELL] = "";
    size_t used = 0, group = 0;
    const bool code = text[0] == '0' && text[1] >= '0' && text[1] <= '9';
    bool grouped = false;

    for (; (*text >= '0' && *text <= '9') || *text == thousands; text++) {
        if (*text != thousands) {
            plain[used++] = *text;
            group++;
            continue;
        }
        if (*plain == '0' || group == 0 || (grouped ? group != 3 : group > 3))
            return false;
        grouped = true;
        group = 0;
    }
    if (grouped && group != 3)
        return false;
    if (*text == decimal) {
        if (code)
            return false;
        plain[used++] = '.';
        text++;
    }
    if (strspn(text, "0123456789eE+-") != strlen(text))
        return false;
    strcpy(plain + used, text);
    return data_csv_number(&form, plain, value);
}

/* ---- dates ---- */

/* So many digits, at most as large as most. */
static bool digits(const char **at, int count, int least, int most, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return *out >= least && *out <= most;
}

static int64_t days_of(int year, int month, int day)
{
    const int y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    const int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Behind hours and minutes: seconds with decimals, Z, +01:00; in seconds. */
static bool read_time(const char *at, double *seconds)
{
    int hour, minute, second = 0, east_hour = 0, east_minute = 0;
    double part = 0;

    if (!digits(&at, 2, 0, 24, &hour) || *at++ != ':' || !digits(&at, 2, 0, 59, &minute))
        return false;
    if (*at == ':' && (at++, !digits(&at, 2, 0, 60, &second)))
        return false;
    if ((*at == '.' || *at == ',') && at[1] >= '0' && at[1] <= '9') {
        double unit = 0.1;
        for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
            part += unit * (*at - '0');
    }
    at += strspn(at, " ");
    const int sign = *at == '-' ? -1 : 1;
    if (*at == 'Z')
        at++;
    else if (*at == '+' || *at == '-') {
        at++;
        if (!digits(&at, 2, 0, 14, &east_hour))
            return false;
        at += *at == ':';
        if (*at && !digits(&at, 2, 0, 59, &east_minute))
            return false;
    } else if (strcmp(at, "UTC") == 0)
        at += 3;
    *seconds = hour * 3600.0 + minute * 60 + second + part - sign * (east_hour * 3600.0 + east_minute * 60);
    return *at == '\0';
}

static bool read_date(const char *at, double *value)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    double seconds = 0;

    if (!digits(&at, 4, 1000, 2999, &year) || (*at != '-' && *at != '/'))
        return false;
    const char between = *at++;
    if (!digits(&at, 2, 1, 12, &month) || *at++ != between || !digits(&at, 2, 1, 31, &day))
        return false;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > days[month - 1] + (month == 2 && leap))
        return false;
    if (*at && ((*at != ' ' && *at != 'T') || !read_time(at + 1, &seconds)))
        return false;
    *value = (double)days_of(year, month, day) + seconds / 86400;
    return true;
}

/* ---- forms of columns ---- */

bool data_form_number(const struct data_form *form, const struct data_csv *csv, const char *text, double *value)
{
    struct body body;

    if (form->date)
        return read_date(text, value);
    if (!form->decimal)
        return data_csv_number(csv, text, value);
    const bool percent = strcmp(form->unit, "%") == 0;
    if (take_apart(text, &body) && (body.unit ? strcmp(body.unit, form->unit) == 0 : !percent) &&
        read_body(body.text, form->thousands, form->decimal, value)) {
        *value = body.negative ? -*value : *value;
        return true;
    }
    return !percent && data_csv_number(csv, text, value);
}

/* How many cells each form reads. */
struct votes {
    int64_t filled, forms[PAIRS + 1];
    const char *unit;
};

static void vote(struct votes *votes, bool comma, const char *cell)
{
    struct body body;
    double value;

    votes->filled++;
    votes->forms[DATE] += read_date(cell, &value);
    if (!take_apart(cell, &body) || (body.unit && votes->unit && strcmp(body.unit, votes->unit) != 0))
        return;
    votes->unit = body.unit ? body.unit : votes->unit;
    for (int i = 0; i < PAIRS; i++)
        votes->forms[i] += read_body(body.text, pairs[comma][i].thousands, pairs[comma][i].decimal, &value);
}

void data_form_find(struct data_form_found *found, const struct data_csv *csv, const struct data_rules *rules,
                    int column)
{
    const bool comma = csv->separator != ',';
    struct votes votes = {0};
    int best = 0;

    *found = (struct data_form_found){.first_text = -1};
    for (int64_t row = 0; row < csv->rows; row++)
        if (!data_rules_missing(rules, data_csv_cell(csv, row, column)))
            vote(&votes, comma, data_csv_cell(csv, row, column));
    for (int i = 1; i <= DATE; i++)
        best = votes.forms[i] > votes.forms[best] ? i : best;
    if (best == DATE)
        found->form.date = true;
    else {
        found->form.thousands = pairs[comma][best].thousands;
        found->form.decimal = pairs[comma][best].decimal;
        strcpy(found->form.unit, votes.unit ? votes.unit : "");
    }
    for (int64_t row = 0; row < csv->rows; row++) {
        const char *cell = data_csv_cell(csv, row, column);
        double value;
        if (data_rules_missing(rules, cell))
            continue;
        const bool reads = data_form_number(&found->form, csv, cell, &value);
        found->numbers += reads;
        if (!reads && found->texts++ == 0)
            found->first_text = row;
    }
}

bool data_form_known(const char *unit)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i], unit) == 0)
            return true;
    return *unit == '\0';
}

void data_form_describe(const struct data_form *form, char *out, size_t size)
{
    if (form->date)
        snprintf(out, size, "dates, in days since 1970-01-01");
    else if (form->decimal)
        snprintf(out, size, "numbers such as %s1%c234%c5%s", form->unit[0] && form->unit[0] != '%' ? form->unit : "",
                 form->thousands, form->decimal, form->unit[0] == '%' ? "%" : "");
    else if (size)
        out[0] = '\0';
}
