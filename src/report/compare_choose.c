/* SPDX-License-Identifier: Apache-2.0 */
/* Which run one would take without labels: by each measure that needs none, what it costs, and how well the measure
 * orders the runs. And how alike the representations of runs are. */
#include "invar/regression.h"
#include "report/compare_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* sense: 1, the largest is taken; -1, the smallest; 0, that nearest to 1. */
static const struct measure {
    const char *name;
    int sense;
} measures[] = {
    {"h.lidar", 1},
    {"z.lidar", 1},
    {"h.effective_rank", 1},
    {"z.effective_rank", 1},
    {"h.nesum", 1},
    {"z.nesum", 1},
    {"h.stable_rank", 1},
    {"z.stable_rank", 1},
    {"h.alpha_req", 0},
    {"h.alpha_req_authors", 0},
    {"h.two_nn", 1},
    {"h.entropy_logdet", 1},
    {"h.uniformity", -1},
    {"h.alignment", -1},
    {"h.alignment_relative", -1},
    {"correlation.h_hgr", 1},
    {"correlation.z_hgr", 1},
};
enum { MEASURES = sizeof measures / sizeof *measures };

const char *comparison_choose_name(int i)
{
    return i < MEASURES ? measures[i].name : NULL;
}

static const struct measure *find(const char *name)
{
    for (int i = 0; i < MEASURES; i++)
        if (strcmp(measures[i].name, name) == 0)
            return &measures[i];
    return NULL;
}

/* Larger is better, whatever the sense. */
static double turned(double value, int sense)
{
    return sense > 0 ? value : sense < 0 ? -value : -fabs(value - 1);
}

/* Runs that have both numbers, of the same data as the first that does. by, score: [runs]; run: which they are. */
static int collect(const struct comparison *c, int metric, int sense, double *by, double *score, int *run)
{
    const struct comparison_value *first = NULL, *first_score = NULL;
    int n = 0;

    for (int r = 0; r < c->run_count; r++) {
        const struct comparison_value *value = &c->value[r][metric], *judged = &c->value[r][0];
        if (isnan(value->value) || isnan(judged->value))
            continue;
        first = first ? first : value;
        first_score = first_score ? first_score : judged;
        if (!comparison_alike(first, value) || !comparison_alike(first_score, judged))
            continue;
        by[n] = turned(value->value, sense);
        score[n] = c->metric[0].better < 0 ? -judged->value : judged->value;
        run[n++] = r;
    }
    return n;
}

static bool choose(struct comparison *c, int metric, const struct measure *m, struct comparison_choice *out,
                   struct invar_error *err)
{
    double *by = comparison_take(c, c->run_count, sizeof *by, err);
    double *score = comparison_take(c, c->run_count, sizeof *score, err);
    int *run = comparison_take(c, c->run_count, sizeof *run, err), best = 0, taken = 0;
    struct invar_error none = {0};

    if (!by || !score || !run)
        return false;
    *out = (struct comparison_choice){.name = m->name, .sense = m->sense, .run = -1, .correlation = NAN};
    out->n = collect(c, metric, m->sense, by, score, run);
    for (int i = 1; i < out->n; i++) {
        taken = by[i] > by[taken] ? i : taken;
        best = score[i] > score[best] ? i : best;
    }
    if (out->n < 1)
        return true;
    out->run = run[taken];
    out->score = c->value[out->run][0].value;
    out->below = score[best] - score[taken];
    if (out->n < 3 || !invar_spearman(by, score, out->n, &out->correlation, &none))
        out->correlation = NAN;
    return true;
}

bool comparison_choose(struct comparison *c, struct invar_error *err)
{
    c->choice = comparison_take(c, c->metric_count, sizeof *c->choice, err);
    if (!c->choice)
        return false;
    for (int m = 1; m < c->metric_count; m++) {
        const struct measure *measure = find(c->metric[m].name);
        if (measure && !choose(c, m, measure, &c->choice[c->choice_count++], err))
            return false;
    }
    return c->choice_count ||
           comparison_note(c, err, "no run has a measure to choose by: invar inspect RUN makes them");
}

static bool choice_row(struct comparison *c, const struct comparison_choice *choice, const char **cell,
                       struct invar_error *err)
{
    char score[32] = "-", below[32] = "-", correlation[32] = "-";

    if (choice->run >= 0) {
        comparison_number(score, &c->metric[0], choice->score, false);
        comparison_number(below, &c->metric[0], choice->below, false);
    }
    if (!isnan(choice->correlation))
        snprintf(correlation, sizeof correlation, "%+.2f", choice->correlation);
    cell[0] = choice->name;
    cell[1] = choice->sense > 0 ? "largest" : choice->sense < 0 ? "smallest" : "nearest 1";
    cell[2] = choice->run >= 0 ? comparison_run_name(c, choice->run) : "-";
    cell[3] = comparison_text_of(c, err, "%s", score);
    cell[4] = comparison_text_of(c, err, "%s", below);
    cell[5] = comparison_text_of(c, err, "%s", correlation);
    cell[6] = comparison_text_of(c, err, "%d", choice->n);
    return cell[3] && cell[4] && cell[5] && cell[6];
}

bool comparison_choice_table(struct comparison *c, struct comparison_table *out, struct invar_error *err)
{
    enum { COLUMNS = 7, NAMES = 3 };
    const char *title = comparison_text_of(c, err, "which run to take without labels, judged by %s", c->metric[0].name);

    if (!title || !comparison_table_make(c, out, title, c->choice_count, COLUMNS, NAMES, err))
        return false;
    memcpy(out->heading,
           (const char *[]){"measure", "takes the", "run", c->metric[0].name, "below best", "rank corr.", "n"},
           COLUMNS * sizeof *out->heading);
    out->foot = "rank corr.: Spearman's, of the measure (in the sense of what it takes) with the score, over n runs";
    for (int i = 0; i < c->choice_count; i++)
        if (!choice_row(c, &c->choice[i], out->cell + i * COLUMNS, err))
            return false;
    return true;
}

/* ---- likeness ---- */

static int given_at(const struct comparison *c, int run)
{
    int at = 0;

    while (c->given[at] != c->run[run])
        at++;
    return at;
}

double comparison_cka(const struct comparison *c, int a, int b)
{
    return c->cka[given_at(c, a) * c->run_count + given_at(c, b)];
}

bool comparison_cka_table(struct comparison *c, struct comparison_table *out, struct invar_error *err)
{
    const char *title =
        comparison_text_of(c, err, "CKA of h (linear, unbiased) on %lld samples", (long long)c->cka_samples);

    if (!title || !comparison_table_make(c, out, title, c->run_count, 1 + c->run_count, 1, err))
        return false;
    out->heading[0] = "run";
    for (int a = 0; a < c->run_count; a++) {
        const char **cell = out->cell + a * out->columns;
        cell[0] = out->heading[1 + a] = comparison_run_name(c, a);
        for (int b = 0; b < c->run_count; b++) {
            cell[1 + b] = comparison_text_of(c, err, "%.3f", comparison_cka(c, a, b));
            if (!cell[1 + b])
                return false;
        }
    }
    return true;
}
