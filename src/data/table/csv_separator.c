/* SPDX-License-Identifier: Apache-2.0 */
/* Which character separates the cells of a table: all candidates are compared over many lines. */
#include "data/table/csv.h"

#include <string.h>

#define LINES 200

/* What a candidate makes of the lines. */
struct split {
    int counts[LINES]; /* separators by line */
    int lines;
    int64_t cells, numbers;
};

struct score {
    double agreeing, numbers; /* shares of lines and cells */
    int count;                /* separators in most lines */
};

static void end_cell(struct split *s, const struct data_csv *form, const char *from, const char *to)
{
    char cell[64];
    double value;

    while (from < to && strchr(" \"\t", *from))
        from++;
    while (to > from && strchr(" \"\t", to[-1]))
        to--;
    s->cells++;
    if (to == from || (size_t)(to - from) >= sizeof cell)
        return;
    memcpy(cell, from, (size_t)(to - from));
    cell[to - from] = '\0';
    s->numbers += data_csv_number(form, cell, &value);
}

/* Quotes hide separators and line ends; blank lines are none. */
static void split_lines(struct split *s, const char *text, size_t size, char separator)
{
    const struct data_csv form = {.separator = separator};
    const char *cell = text, *end = text + size;
    bool quoted = false;

    for (const char *at = text; at <= end && s->lines < LINES; at++) {
        const bool over = at == end || (!quoted && (*at == '\n' || *at == '\r'));
        if (!over && *at == '"')
            quoted = !quoted;
        if (!over && (quoted || *at != separator))
            continue;
        if (!over || at > cell || s->counts[s->lines] > 0)
            end_cell(s, &form, cell, at);
        if (!over)
            s->counts[s->lines]++;
        else if (at > cell || s->counts[s->lines] > 0)
            s->lines++;
        cell = at + 1;
    }
}

static struct score score_of(const struct split *s)
{
    struct score score = {0};

    for (int i = 0; i < s->lines; i++) {
        int same = 0;
        for (int k = 0; k < s->lines; k++)
            same += s->counts[k] == s->counts[i];
        const double share = (double)same / s->lines;
        if (s->counts[i] > 0 && (share > score.agreeing || (share >= score.agreeing && s->counts[i] > score.count)))
            score = (struct score){.agreeing = share, .count = s->counts[i]};
    }
    score.numbers = s->cells > 0 ? (double)s->numbers / (double)s->cells : 0;
    return score;
}

static bool is_better(const struct score *a, const struct score *b)
{
    if (a->agreeing != b->agreeing)
        return a->agreeing > b->agreeing;
    return a->numbers != b->numbers ? a->numbers > b->numbers : a->count > b->count;
}

char data_csv_find_separator(const char *text, size_t size)
{
    struct score best = {0};
    char found = ',';

    for (const char *candidate = "\t;|,"; *candidate; candidate++) {
        struct split s = {0};
        split_lines(&s, text, size, *candidate);
        const struct score score = score_of(&s);
        if (score.count > 0 && is_better(&score, &best)) {
            best = score;
            found = *candidate;
        }
    }
    return found;
}
