/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as text that fits a terminal, as Markdown, and as CSV. */
#include "report/compare_parts.h"
#include "base/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPACE = 2 };

/* Characters, not bytes, of UTF-8. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int column_width(const struct comparison_table *table, int column)
{
    int width = width_of(table->heading[column]);
    for (int row = 0; row < table->rows; row++) {
        const int own = width_of(table->cell[row * table->columns + column]);
        width = own > width ? own : width;
    }
    return width;
}

static bool put_padded(struct invar_text *out, const char *text, int width, bool left, struct invar_error *err)
{
    const int pad = width > width_of(text) ? width - width_of(text) : 0;
    return left ? invar_text_printf(out, err, "%s%*s", text, pad, "")
                : invar_text_printf(out, err, "%*s%s", pad, "", text);
}

/* The naming columns, then columns first..end; row -1 is the heading. */
static bool put_line(struct invar_text *out, const struct comparison_table *table, int row, int first, int end,
                     struct invar_error *err)
{
    const char **cell = row < 0 ? table->heading : table->cell + row * table->columns;
    for (int column = 0; column < end; column = column == table->left - 1 ? first : column + 1) {
        if ((column && !invar_text_printf(out, err, "%*s", SPACE, "")) ||
            !put_padded(out, cell[column], column_width(table, column), column < table->left, err))
            return false;
    }
    while (out->size && out->data[out->size - 1] == ' ')
        out->data[--out->size] = '\0';
    return invar_text_printf(out, err, "\n");
}

/* Words in lines of that width, behind `first` and then `other` of the same length. */
static bool put_words(struct invar_text *out, const char *text, const char *first, const char *other, int width,
                      struct invar_error *err)
{
    const int indent = width_of(first);
    int used = indent;
    bool ok = invar_text_printf(out, err, "%s", first);
    while (ok && *text) {
        const size_t length = strcspn(text, " ");
        const bool begins = used == indent, breaks = !begins && used + 1 + (int)length > width;
        ok = (!breaks || invar_text_printf(out, err, "\n%s", other)) &&
             invar_text_printf(out, err, "%s%.*s", begins || breaks ? "" : " ", (int)length, text);
        used = (breaks ? indent : used + !begins) + (int)length;
        text += length + (text[length] == ' ');
    }
    return ok && invar_text_printf(out, err, "\n");
}

/* As many columns at a time as fit, at least one. */
static bool put_table(struct invar_text *out, const struct comparison_table *table, int width, struct invar_error *err)
{
    int names = 0;
    if ((out->size && !invar_text_printf(out, err, "\n")) || !put_words(out, table->title, "", "", width, err))
        return false;
    for (int column = 0; column < table->left; column++)
        names += column_width(table, column) + (column ? SPACE : 0);
    for (int first = table->left, end; first < table->columns; first = end) {
        int used = names;
        for (end = first; end < table->columns; end++) {
            used += SPACE + column_width(table, end);
            if (used > width && end > first)
                break;
        }
        if (first > table->left && !invar_text_printf(out, err, "\n"))
            return false;
        for (int row = -1; row < table->rows; row++)
            if (!put_line(out, table, row, first, end, err))
                return false;
    }
    return !table->foot || put_words(out, table->foot, "", "", width, err);
}

bool comparison_text(struct comparison *c, int width, struct invar_text *out, struct invar_error *err)
{
    struct comparison_table *tables;
    int count;
    if (!comparison_tables(c, &tables, &count, err))
        return false;
    for (int i = 0; i < count; i++)
        if (!put_table(out, &tables[i], width, err))
            return false;
    for (int i = 0; i < c->note_count; i++)
        if ((i == 0 && !invar_text_printf(out, err, "\n")) || !put_words(out, c->note[i], "- ", "  ", width, err))
            return false;
    return true;
}

/* ---- Markdown ---- */

static bool put_escaped(struct invar_text *out, const char *text, struct invar_error *err)
{
    for (; *text; text++)
        if (!invar_text_printf(out, err, strchr("|*_<`\\", *text) ? "\\%c" : "%c", *text))
            return false;
    return true;
}

static bool put_markdown_line(struct invar_text *out, const struct comparison_table *table, int row,
                              struct invar_error *err)
{
    const char **cell = row < 0 ? table->heading : table->cell + row * table->columns;
    for (int column = 0; column < table->columns; column++)
        if (!invar_text_printf(out, err, "| ") || !put_escaped(out, cell[column], err) ||
            !invar_text_printf(out, err, " "))
            return false;
    return invar_text_printf(out, err, "|\n");
}

static bool put_markdown(struct invar_text *out, const struct comparison_table *table, struct invar_error *err)
{
    if (!invar_text_printf(out, err, "%s**", out->size ? "\n" : "") || !put_escaped(out, table->title, err) ||
        !invar_text_printf(out, err, "**\n\n") || !put_markdown_line(out, table, -1, err))
        return false;
    for (int column = 0; column < table->columns; column++)
        if (!invar_text_printf(out, err, column < table->left ? "| --- " : "| ---: "))
            return false;
    if (!invar_text_printf(out, err, "|\n"))
        return false;
    for (int row = 0; row < table->rows; row++)
        if (!put_markdown_line(out, table, row, err))
            return false;
    return !table->foot || (invar_text_printf(out, err, "\n") && put_escaped(out, table->foot, err) &&
                            invar_text_printf(out, err, "\n"));
}

bool comparison_markdown(struct comparison *c, struct invar_text *out, struct invar_error *err)
{
    struct comparison_table *tables;
    int count;
    if (!comparison_tables(c, &tables, &count, err))
        return false;
    for (int i = 0; i < count; i++)
        if (!put_markdown(out, &tables[i], err))
            return false;
    for (int i = 0; i < c->note_count; i++)
        if (!invar_text_printf(out, err, "%s- ", i ? "" : "\n") || !put_escaped(out, c->note[i], err) ||
            !invar_text_printf(out, err, "\n"))
            return false;
    return true;
}

/* ---- CSV: one table; a row is a run, a mean, or a difference ---- */

/* A text that spreadsheets would compute begins with an apostrophe, which says that it is text; numbers are numbers. */
static bool is_formula(const char *text)
{
    NUMBERS_HAVE_POINTS();
    char *end = NULL;
    strtod(text, &end);
    return *text && strchr("=+-@", *text) && (end == text || *end);
}

static bool put_field(struct invar_text *out, const char *text, struct invar_error *err)
{
    if (out->size && out->data[out->size - 1] != '\n' && !invar_text_printf(out, err, ","))
        return false;
    const char *mark = is_formula(text) ? "'" : "";
    if (!strpbrk(text, ",\"\n\r"))
        return invar_text_printf(out, err, "%s%s", mark, text);
    bool ok = invar_text_printf(out, err, "\"%s", mark);
    for (; ok && *text; text++)
        ok = invar_text_printf(out, err, *text == '"' ? "\"\"" : "%c", *text);
    return ok && invar_text_printf(out, err, "\"");
}

static bool put_double(struct invar_text *out, double value, struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    return isnan(value) ? invar_text_printf(out, err, ",") : invar_text_printf(out, err, ",%.15g", value);
}

static bool put_csv_heading(struct comparison *c, struct invar_text *out, struct invar_error *err)
{
    bool ok = put_field(out, "kind", err) && put_field(out, "group", err) && put_field(out, "run", err) &&
              put_field(out, "seed", err);
    for (int m = 0; ok && m < c->metric_count; m++) {
        static const char *const parts[] = {"%s", "%s low", "%s high", "%s n"};
        for (int i = 0; ok && i < 4; i++) {
            const char *heading = comparison_text_of(c, err, parts[i], c->metric[m].name);
            ok = heading && put_field(out, heading, err);
        }
    }
    for (int k = 0; ok && k < c->key_count; k++)
        ok = put_field(out, c->key[k], err);
    return ok && invar_text_printf(out, err, "\n");
}

static bool put_csv_settings(const struct comparison *c, int group, struct invar_text *out, struct invar_error *err)
{
    for (int k = 0; k < c->key_count; k++)
        if (!put_field(out, comparison_setting(c, group, c->key[k]), err))
            return false;
    return invar_text_printf(out, err, "\n");
}

static bool put_csv_run(const struct comparison *c, int group, int r, struct invar_text *out, struct invar_error *err)
{
    bool ok = put_field(out, "run", err) && put_field(out, c->group[group].name, err) &&
              put_field(out, c->run[r]->folder, err) &&
              (c->run[r]->seed < 0 ? invar_text_printf(out, err, ",")
                                   : invar_text_printf(out, err, ",%lld", (long long)c->run[r]->seed));
    for (int m = 0; ok && m < c->metric_count; m++)
        ok = put_double(out, c->value[r][m].value, err) && invar_text_printf(out, err, ",,,");
    return ok && put_csv_settings(c, group, out, err);
}

static bool put_csv_mean(const struct comparison *c, int group, bool difference, struct invar_text *out,
                         struct invar_error *err)
{
    const struct comparison_mean *mean = difference ? c->group[group].difference : c->group[group].mean;
    bool ok = put_field(out, difference ? "difference" : "mean", err) && put_field(out, c->group[group].name, err) &&
              invar_text_printf(out, err, ",,");
    for (int m = 0; ok && m < c->metric_count; m++)
        ok = put_double(out, mean[m].mean, err) && put_double(out, mean[m].mean - mean[m].half, err) &&
             put_double(out, mean[m].mean + mean[m].half, err) && invar_text_printf(out, err, ",%d", mean[m].n);
    return ok && put_csv_settings(c, group, out, err);
}

bool comparison_csv(struct comparison *c, struct invar_text *out, struct invar_error *err)
{
    bool ok = put_csv_heading(c, out, err);
    for (int g = 0; ok && g < c->group_count; g++)
        for (int r = 0; ok && r < c->group[g].run_count; r++)
            ok = put_csv_run(c, g, c->group[g].run[r], out, err);
    for (int g = 0; ok && g < c->group_count; g++)
        ok = put_csv_mean(c, g, false, out, err);
    for (int g = 0; ok && g < c->group_count; g++)
        ok = g == c->base || put_csv_mean(c, g, true, out, err);
    return ok;
}
