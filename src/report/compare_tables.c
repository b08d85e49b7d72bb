/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as tables of texts: runs, means, differences, options. */
#include "report/compare_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void comparison_number(char out[32], const struct comparison_metric *metric, double value, bool sign)
{
    out[0] = '\0';
    if (isnan(value))
        return;
    if (metric->decimals < 0)
        snprintf(out, 32, sign ? "%+.4g" : "%.4g", value);
    else
        snprintf(out, 32, sign ? "%+.*f" : "%.*f", metric->decimals, value);
}

void comparison_heading(char *out, size_t size, const struct comparison_metric *metric)
{
    snprintf(out, size, "%s%s%s", metric->name, metric->unit[0] ? ", " : "", metric->unit);
}

bool comparison_table_make(struct comparison *c, struct comparison_table *out, const char *title, int rows, int columns,
                           int left, struct invar_error *err)
{
    *out = (struct comparison_table){.rows = rows, .columns = columns, .title = title, .left = left};
    out->heading = comparison_take(c, columns, sizeof *out->heading, err);
    out->cell = comparison_take(c, rows * columns, sizeof *out->cell, err);
    for (int i = 0; out->cell && i < rows * columns; i++)
        out->cell[i] = "";
    return out->heading && out->cell;
}

/* Metrics as headings, behind the columns that name a row. */
static bool metric_table(struct comparison *c, struct comparison_table *out, const char *title, int rows,
                         const char *first, const char *second, struct invar_error *err)
{
    enum { NAMES = 2 };
    char heading[256];
    if (!comparison_table_make(c, out, title, rows, NAMES + c->metric_count, NAMES, err))
        return false;
    out->heading[0] = first;
    out->heading[1] = second;
    for (int m = 0; m < c->metric_count; m++) {
        comparison_heading(heading, sizeof heading, &c->metric[m]);
        out->heading[NAMES + m] = comparison_text_of(c, err, "%s", heading);
        if (!out->heading[NAMES + m])
            return false;
    }
    return true;
}

const char *comparison_run_name(const struct comparison *c, int run)
{
    for (int other = 0; other < c->run_count; other++)
        if (other != run && strcmp(c->run[other]->label, c->run[run]->label) == 0)
            return c->run[run]->folder;
    return c->run[run]->label;
}

static bool run_table(struct comparison *c, struct comparison_table *out, struct invar_error *err)
{
    if (!metric_table(c, out, "runs", c->run_count, "run", "seed", err))
        return false;
    for (int r = 0; r < c->run_count; r++) {
        const char **cell = out->cell + r * out->columns;
        const long long seed = (long long)c->run[r]->seed;
        cell[0] = comparison_run_name(c, r);
        cell[1] = seed >= 0 ? comparison_text_of(c, err, "%lld", seed) : "-";
        for (int m = 0; m < c->metric_count; m++) {
            char number[32];
            comparison_number(number, &c->metric[m], c->value[r][m].value, false);
            cell[2 + m] = comparison_text_of(c, err, "%s", number[0] ? number : "-");
            if (!cell[1] || !cell[2 + m])
                return false;
        }
    }
    return true;
}

/* "88.75 +- 0.25", "+0.31 +- 0.12 *"; with its n where it is not that of the row. */
static const char *mean_text(struct comparison *c, int m, const struct comparison_mean *mean, bool difference, int n,
                             struct invar_error *err)
{
    char number[32], half[32], own_n[32] = "";
    if (!mean->n)
        return "-";
    comparison_number(number, &c->metric[m], mean->mean, difference);
    comparison_number(half, &c->metric[m], mean->half, false);
    if (mean->n != n)
        snprintf(own_n, sizeof own_n, " (n %d)", mean->n);
    return comparison_text_of(c, err, "%s%s%s%s%s", number, half[0] ? " +- " : "", half,
                              difference && comparison_clear(mean) ? " *" : "", own_n);
}

static bool mean_row(struct comparison *c, const struct comparison_group *group, bool difference, const char **cell,
                     struct invar_error *err)
{
    const struct comparison_mean *mean = difference ? group->difference : group->mean;
    int n = 0;
    for (int m = 0; m < c->metric_count; m++)
        n = mean[m].n > n ? mean[m].n : n;
    cell[0] = group->name;
    cell[1] = comparison_text_of(c, err, "%d", n);
    for (int m = 0; m < c->metric_count; m++) {
        cell[2 + m] = mean_text(c, m, &mean[m], difference, n, err);
        if (!cell[2 + m])
            return false;
    }
    return cell[1] != NULL;
}

static bool mean_table(struct comparison *c, struct comparison_table *out, struct invar_error *err)
{
    if (!metric_table(c, out, "means over seeds, with the 95 % interval (Student's t)", c->group_count, "group", "n",
                      err))
        return false;
    for (int g = 0; g < c->group_count; g++)
        if (!mean_row(c, &c->group[g], false, out->cell + g * out->columns, err))
            return false;
    return true;
}

static bool difference_table(struct comparison *c, struct comparison_table *out, struct invar_error *err)
{
    bool any = false;
    const char *title =
        comparison_text_of(c, err, "differences to %s, seed by seed, with the 95 %% interval", c->group[c->base].name);
    if (!title || !metric_table(c, out, title, c->group_count - 1, "group", "n", err))
        return false;
    for (int g = 0, row = 0; g < c->group_count; g++) {
        if (g == c->base)
            continue;
        if (!mean_row(c, &c->group[g], true, out->cell + row++ * out->columns, err))
            return false;
        for (int m = 0; m < c->metric_count; m++)
            any |= comparison_clear(&c->group[g].difference[m]);
    }
    if (any)
        out->foot = "* the interval leaves 0 out; of 20 differences that are none, one does so by chance";
    return true;
}

/* "terms.relic.tau" is of the term relic; 0: of no term. */
static size_t term_length(const char *key)
{
    static const char terms[] = "terms.";
    const size_t before = sizeof terms - 1;
    return strncmp(key, terms, before) != 0 ? 0 : before + strcspn(key + before, ".");
}

/* Options of a term that one group alone has say no more than that it has the term. */
static bool is_shown(const struct comparison *c, const char *key)
{
    const char *first = NULL;
    if (!term_length(key))
        return true;
    for (int g = 0; g < c->group_count; g++) {
        const char *value = report_run_setting(c->run[c->group[g].run[0]], key);
        if (value && first && strcmp(value, first) != 0)
            return true;
        first = value ? value : first;
    }
    return false;
}

/* "invariance + logdet" */
static const char *terms_of(struct comparison *c, int group, struct invar_error *err)
{
    const struct report_run *run = c->run[c->group[group].run[0]];
    const char *last = NULL, *out = "";
    for (int i = 0; out && i < run->setting_count; i++) {
        const char *key = run->setting[i].key;
        const size_t length = term_length(key), before = sizeof "terms." - 1;
        if (!length || (last && strncmp(key, last, length) == 0 && term_length(last) == length))
            continue;
        out = comparison_text_of(c, err, "%s%s%.*s", out, *out ? " + " : "", (int)(length - before), key + before);
        last = key;
    }
    return out && !*out ? "-" : out;
}

static bool option_table(struct comparison *c, struct comparison_table *out, struct invar_error *err)
{
    bool terms_differ = false;
    if (!comparison_table_make(c, out, "options that differ", c->key_count + 1, 1 + c->group_count, 1, err))
        return false;
    out->heading[0] = "option";
    out->cell[0] = "terms";
    for (int g = 0; g < c->group_count; g++) {
        out->heading[1 + g] = c->group[g].name;
        out->cell[1 + g] = terms_of(c, g, err);
        if (!out->cell[1 + g])
            return false;
        terms_differ |= strcmp(out->cell[1 + g], out->cell[1]) != 0;
    }
    out->rows = terms_differ;
    for (int k = 0; k < c->key_count; k++) {
        if (!is_shown(c, c->key[k]))
            continue;
        const char **cell = out->cell + out->rows++ * out->columns;
        cell[0] = c->key[k];
        for (int g = 0; g < c->group_count; g++)
            cell[1 + g] = *comparison_setting(c, g, c->key[k]) ? comparison_setting(c, g, c->key[k]) : "\"\"";
    }
    return true;
}

bool comparison_tables(struct comparison *c, struct comparison_table **out, int *count, struct invar_error *err)
{
    enum { MOST = 7 };
    struct comparison_table *tables = comparison_take(c, MOST, sizeof *tables, err);
    *out = tables;
    *count = 0;
    if (!tables || !run_table(c, &tables[(*count)++], err))
        return false;
    if (c->group_count < c->run_count && !mean_table(c, &tables[(*count)++], err))
        return false;
    if (c->group_count > 1 && !difference_table(c, &tables[(*count)++], err))
        return false;
    if (c->score_count && !comparison_score_table(c, &tables[(*count)++], err))
        return false;
    if (c->choice_count && !comparison_choice_table(c, &tables[(*count)++], err))
        return false;
    if (c->cka && !comparison_cka_table(c, &tables[(*count)++], err))
        return false;
    return c->key_count == 0 || option_table(c, &tables[(*count)++], err);
}
