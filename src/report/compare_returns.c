/* SPDX-License-Identifier: Apache-2.0 */
/* Agents over games: runs that differ in the game and the seed alone are one arm, and its scores of all games give one
 * figure with an interval, beside those of the arm that the base belongs to. What was played under another protocol, or
 * with other options of the environment, is another evaluation. */
#include "invar/measure.h"
#include "report/compare_parts.h"
#include "study/returns_results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESAMPLES = 2000 };

/* ---- arms and games ---- */

/* The first group of the arm that a group belongs to. */
static int arm_of(const struct comparison *c, int group)
{
    int first = 0;

    while (!comparison_same_but_game(c->run[c->group[first].run[0]], c->run[c->group[group].run[0]]))
        first++;
    return first;
}

/* What counts as one evaluation, by its score, or, of one environment without a scale, its mean. */
struct evaluation {
    const char *name, *protocol, *label;  /* label: the name, and what others of that name lack */
    const struct invar_returns **returns; /* [runs]; NULL: none that counts */
    bool scaled;
    int games;
    const char **game; /* [games] */
};

static bool find_games(struct comparison *c, struct evaluation *e, struct invar_error *err)
{
    e->scaled = true;
    e->games = 0;
    e->game = comparison_take(c, c->run_count, sizeof *e->game, err);
    for (int r = 0; e->game && r < c->run_count; r++) {
        const struct invar_returns *returns = e->returns[r];
        int g = 0;
        if (!returns)
            continue;
        e->scaled &= !isnan(returns->score);
        while (g < e->games && strcmp(e->game[g], returns->environment) != 0)
            g++;
        if (g == e->games)
            e->game[e->games++] = returns->environment;
    }
    return e->game != NULL;
}

static bool add_returns(struct comparison *c, int run, const struct invar_returns *returns, struct evaluation *all,
                        int *count, struct invar_error *err)
{
    const char *protocol = comparison_returns_protocol(c, returns, err);
    int at = 0;

    if (!protocol)
        return false;
    while (at < *count && (strcmp(all[at].name, returns->name) != 0 || strcmp(all[at].protocol, protocol) != 0))
        at++;
    if (at == *count) {
        all[at] = (struct evaluation){.name = returns->name, .protocol = protocol, .label = returns->name};
        all[at].returns = comparison_take(c, c->run_count, sizeof *all[at].returns, err);
        if (!all[at].returns)
            return false;
        (*count)++;
    }
    all[at].returns[run] = returns;
    return true;
}

/* Evaluations of one name that are not of one kind are told apart by what differs, and it is said. */
static bool label(struct comparison *c, struct evaluation *all, int count, struct invar_error *err)
{
    for (int i = 0; i < count; i++) {
        int other = 0, first = 0;
        while (other < count && (other == i || strcmp(all[other].name, all[i].name) != 0))
            other++;
        while (strcmp(all[first].name, all[i].name) != 0)
            first++;
        if (other == count)
            continue;
        const char *apart = comparison_parts_apart(c, all[i].protocol, all[other].protocol, err);
        all[i].label = apart ? comparison_text_of(c, err, "%s (%s)", all[i].name, apart) : NULL;
        if (!all[i].label ||
            (first == i && !comparison_note(c, err,
                                            "returns of evaluation %s were not all played alike (%s, or otherwise): "
                                            "what was played otherwise has rows of its own, and is not compared",
                                            all[i].name, apart)))
            return false;
    }
    return true;
}

/* ---- scores of an arm by game ---- */

struct arm_scores {
    int64_t *runs;        /* [games], those of one seed once */
    double **score;       /* [games][runs] */
    int64_t **seed;       /* likewise */
    int64_t count, games; /* of all runs; games that it has */
};

/* Scores of one seed are averaged, as those of other results are. */
static void add_score(struct arm_scores *s, int game, int64_t *n, int64_t seed, double value)
{
    int64_t i = 0;

    while (i < s->runs[game] && (seed < 0 || s->seed[game][i] != seed))
        i++;
    if (i == s->runs[game]) {
        s->seed[game][i] = seed;
        s->score[game][i] = value;
        n[i] = 0;
        s->runs[game]++;
    }
    n[i]++;
    s->score[game][i] += (value - s->score[game][i]) / (double)n[i];
}

static bool take_scores(struct comparison *c, const struct evaluation *of, int arm, struct arm_scores *out,
                        struct invar_error *err)
{
    int64_t *n = comparison_take(c, c->run_count, sizeof *n, err);

    *out = (struct arm_scores){0};
    out->runs = comparison_take(c, of->games, sizeof *out->runs, err);
    out->score = comparison_take(c, of->games, sizeof *out->score, err);
    out->seed = comparison_take(c, of->games, sizeof *out->seed, err);
    for (int g = 0; g < of->games; g++) {
        if (!n || !out->runs || !out->score || !out->seed ||
            !(out->score[g] = comparison_take(c, c->run_count, sizeof(double), err)) ||
            !(out->seed[g] = comparison_take(c, c->run_count, sizeof(int64_t), err)))
            return false;
        for (int k = arm; k < c->group_count; k++)
            for (int r = 0; arm_of(c, k) == arm && r < c->group[k].run_count; r++) {
                const int run = c->group[k].run[r];
                const struct invar_returns *returns = of->returns[run];
                if (returns && strcmp(returns->environment, of->game[g]) == 0)
                    add_score(out, g, n, c->run[run]->seed, of->scaled ? returns->score : returns->mean);
            }
        out->count += out->runs[g];
        out->games += out->runs[g] > 0;
    }
    return true;
}

/* The games that both have, as measures take them; with pairs only the runs of seeds that both have, in one order. */
static bool shared(struct comparison *c, const struct arm_scores *x, const struct arm_scores *y, int games, bool pairs,
                   struct invar_scores out[2], struct invar_error *err)
{
    for (int side = 0; side < 2; side++) {
        const struct arm_scores *own = side ? y : x, *other = side ? x : y;
        int64_t *runs = comparison_take(c, games, sizeof *runs, err), tasks = 0;
        const double **score = comparison_take(c, games, sizeof *score, err);
        if (!runs || !score)
            return false;
        for (int g = 0; g < games; g++) {
            double *kept = comparison_take(c, (int)own->runs[g], sizeof *kept, err);
            if (!kept)
                return false;
            runs[tasks] = 0;
            for (int64_t i = 0; i < x->runs[g]; i++)
                for (int64_t k = 0; pairs && k < y->runs[g]; k++)
                    if (x->seed[g][i] >= 0 && x->seed[g][i] == y->seed[g][k])
                        kept[runs[tasks]++] = side ? y->score[g][k] : x->score[g][i];
            for (int64_t i = 0; !pairs && other->runs[g] && i < own->runs[g]; i++)
                kept[runs[tasks]++] = own->score[g][i];
            score[tasks] = kept;
            tasks += runs[tasks] > 0;
        }
        out[side] = (struct invar_scores){tasks, runs, score};
    }
    return true;
}

/* ---- figures ---- */

static bool measure(struct comparison *c, const struct evaluation *of, const struct arm_scores *own,
                    const struct arm_scores *base, struct comparison_score *out, struct invar_error *err)
{
    struct invar_scores both[2];

    out->improvement = out->gain = (struct invar_interval){NAN, NAN, NAN};
    if (!shared(c, own, own, of->games, false, both, err) || !invar_measure_iqm(&both[0], RESAMPLES, 0, &out->iqm, err))
        return false;
    if (!base)
        return true;
    if (!shared(c, own, base, of->games, false, both, err) ||
        (both[0].tasks && !invar_measure_improvement(&both[0], &both[1], RESAMPLES, 0, &out->improvement, err)))
        return false;
    return shared(c, own, base, of->games, true, both, err) &&
           (!both[0].tasks || invar_measure_gain(&both[0], &both[1], RESAMPLES, 0, &out->gain, err));
}

static bool add_evaluation(struct comparison *c, struct evaluation *of, struct invar_error *err)
{
    const int base = arm_of(c, c->base);
    struct arm_scores own, against;

    if (!find_games(c, of, err))
        return false;
    if (!of->scaled && of->games > 1)
        return comparison_note(c, err,
                               "returns of evaluation %s are not summed up over games: some have no scale, which "
                               "Atari games and environments with a least and a most return have",
                               of->label);
    if (!take_scores(c, of, base, &against, err))
        return false;
    for (int g = 0; g < c->group_count; g++) {
        struct comparison_score *score = &c->score[c->score_count];
        if (arm_of(c, g) != g)
            continue;
        if (!take_scores(c, of, g, &own, err))
            return false;
        if (!own.count)
            continue;
        *score = (struct comparison_score){.evaluation = of->label,
                                           .arm = comparison_arm_name(c, g, err),
                                           .scaled = of->scaled,
                                           .games = (int)own.games,
                                           .runs = (int)own.count};
        if (!score->arm || !measure(c, of, &own, g == base ? NULL : &against, score, err))
            return false;
        c->score_count++;
    }
    return true;
}

/* An arm that has scores, and none that stands beside one of the base's. */
static bool note_apart(struct comparison *c, struct invar_error *err)
{
    const char *base = comparison_arm_name(c, arm_of(c, c->base), err);

    for (int g = 0; base && g < c->group_count; g++) {
        const char *arm = arm_of(c, g) == g ? comparison_arm_name(c, g, err) : base;
        bool scored = false, beside = false;
        for (int i = 0; arm && i < c->score_count; i++)
            if (strcmp(c->score[i].arm, arm) == 0) {
                scored = true;
                beside |= !isnan(c->score[i].improvement.value);
            }
        if (!arm || (scored && !beside && strcmp(arm, base) != 0 &&
                     !comparison_note(c, err,
                                      "%s and %s have no evaluation in common (one game, played alike), so their "
                                      "scores are not compared",
                                      arm, base)))
            return false;
    }
    return base != NULL;
}

static bool find_evaluations(struct comparison *c, struct evaluation **all, int *count, struct invar_error *err)
{
    int64_t most = 0;

    *count = 0;
    for (int r = 0; r < c->run_count; r++)
        most += c->run[r]->returns ? c->run[r]->returns->evaluations.count : 0;
    *all = comparison_take(c, (int)most, sizeof **all, err);
    for (int r = 0; *all && r < c->run_count; r++)
        for (int64_t i = 0; c->run[r]->returns && i < c->run[r]->returns->evaluations.count; i++) {
            const struct invar_returns *returns = &c->run[r]->returns->evaluations.item[i];
            if (returns->environment && !isnan(returns->mean) && !add_returns(c, r, returns, *all, count, err))
                return false;
        }
    return *all && label(c, *all, *count, err);
}

bool comparison_scores(struct comparison *c, struct invar_error *err)
{
    struct evaluation *all;
    int count;

    if (!find_evaluations(c, &all, &count, err))
        return false;
    c->score = comparison_take(c, count * c->group_count, sizeof *c->score, err); /* of every arm, at most */
    if (!c->score)
        return false;
    for (int i = 0; i < count; i++)
        if (!add_evaluation(c, &all[i], err))
            return false;
    return note_apart(c, err);
}

/* ---- the table ---- */

static bool told_apart(const struct invar_interval *gain)
{
    return gain->low > 0 || gain->high < 0;
}

static const char *interval_text(struct comparison *c, const char *format, const char *unknown,
                                 const struct invar_interval *interval, struct invar_error *err)
{
    char value[3][32];

    if (isnan(interval->value))
        return unknown;
    snprintf(value[0], sizeof value[0], format, interval->value);
    snprintf(value[1], sizeof value[1], format, interval->low);
    snprintf(value[2], sizeof value[2], format, interval->high);
    if (isnan(interval->low))
        return comparison_text_of(c, err, "%s", value[0]);
    return comparison_text_of(c, err, "%s (%s to %s)", value[0], value[1], value[2]);
}

bool comparison_score_table(struct comparison *c, struct comparison_table *out, struct invar_error *err)
{
    static const char *const headings[] = {"arm",       "evaluation",         "games",     "runs", "IQM",
                                           "P(better)", "gain, seed by seed", "told apart"};
    enum { COLUMNS = sizeof headings / sizeof *headings };
    static const char *const units[] = {"", "returns", "in % of the way to human play or of the range",
                                        "in % of the way to human play or of the range, or returns"};
    const char *base = comparison_arm_name(c, arm_of(c, c->base), err), *title;
    int unit = 0;

    for (int i = 0; i < c->score_count; i++)
        unit |= c->score[i].scaled ? 2 : 1;
    title = base ? comparison_text_of(c, err,
                                      "scores over games, %s; 95 %% intervals draw runs anew within games; beside %s",
                                      units[unit], base)
                 : NULL;
    if (!title || !comparison_table_make(c, out, title, c->score_count, COLUMNS, 2, err))
        return false;
    memcpy(out->heading, headings, sizeof headings);
    for (int i = 0; i < c->score_count; i++) {
        const struct comparison_score *score = &c->score[i];
        const char **cell = out->cell + i * COLUMNS;
        cell[0] = score->arm;
        cell[1] = score->evaluation;
        cell[2] = comparison_text_of(c, err, "%d", score->games);
        cell[3] = comparison_text_of(c, err, "%d", score->runs);
        cell[4] = interval_text(c, "%.2f", "-", &score->iqm, err);
        cell[5] = interval_text(c, "%.2f", "-", &score->improvement, err);
        cell[6] = interval_text(c, "%+.2f", "-", &score->gain, err);
        cell[7] = isnan(score->gain.low) ? "-" : told_apart(&score->gain) ? "yes" : "no";
        for (int k = 2; k < 7; k++)
            if (!cell[k])
                return false;
    }
    out->foot = "IQM: mean of the middle half of all runs; told apart: the interval of the gain leaves 0 out";
    return true;
}

/* ---- JSON ---- */

static void write_interval(struct json_writer *w, const char *name, const struct invar_interval *interval)
{
    if (isnan(interval->value))
        return;
    json_open_object(w, name);
    json_number(w, "value", interval->value);
    if (!isnan(interval->low))
        json_numbers(w, "interval", (double[]){interval->low, interval->high}, 2);
    json_close(w);
}

void comparison_write_scores(const struct comparison *c, struct json_writer *w)
{
    json_open_array(w, "scores");
    for (int i = 0; i < c->score_count; i++) {
        const struct comparison_score *score = &c->score[i];
        json_open_object(w, NULL);
        json_text(w, "arm", score->arm);
        json_text(w, "evaluation", score->evaluation);
        json_number(w, "games", score->games);
        json_number(w, "runs", score->runs);
        json_text(w, "unit", score->scaled ? "%" : "return");
        write_interval(w, "iqm", &score->iqm);
        write_interval(w, "improvement", &score->improvement);
        write_interval(w, "gain", &score->gain);
        if (!isnan(score->gain.low))
            json_bool(w, "told_apart", told_apart(&score->gain));
        json_close(w);
    }
    json_close(w);
}
