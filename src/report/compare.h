/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_COMPARE_H
#define INVAR_REPORT_COMPARE_H

#include "base/json_write.h"
#include "invar/measure.h"
#include "report/run.h"

/** A number that runs have, or not. */
struct comparison_metric {
    const char *name; /**< as --metric takes it: "linear", "mCE", "linear.top5", "z.effective_rank", "lr" */
    const char *unit; /**< "%", "s" or "" */
    int better;       /**< 1: larger is better, -1: smaller, 0: neither */
    int decimals;     /**< with which tables show it; -1: four significant digits */
};

/** What one run has of one metric. */
struct comparison_value {
    double value;         /**< NAN: nothing */
    const char *basis;    /**< what it was measured on: values of different bases are not averaged or subtracted */
    const char *protocol; /**< the same, where it is known; "": it is not, which agrees with all */
    const char *identity; /**< of the data, likewise (invar_data_identity_same) */
};

/** Mean over seeds with its 95 % interval, mean - half .. mean + half. */
struct comparison_mean {
    int n;
    double mean; /**< NAN where n is 0 */
    double half; /**< NAN where n is below 2 */
};

/** Runs that differ in nothing but the seed (and their names). */
struct comparison_group {
    const char *name;
    int run_count, *run;                /**< [run_count] indices of runs */
    struct comparison_mean *mean;       /**< [metrics] */
    struct comparison_mean *difference; /**< [metrics] this minus the base group, seed by seed */
};

/** What a measure that needs no labels would take. */
struct comparison_choice {
    const char *name;
    int sense;          /**< 1: the largest, -1: the smallest, 0: that nearest to 1 */
    int run;            /**< -1: no run has both numbers */
    double score;       /**< of that run, of the first metric */
    double below;       /**< what the best run has more (of errors: less) */
    double correlation; /**< Spearman's, of the measure in its sense with the score; NAN below three runs */
    int n;              /**< runs that have both */
};

/** What an arm (runs that differ in the environment's id and the seed alone) reached over games under one protocol, as
 * compared with the arm of the base under the same. */
struct comparison_score {
    const char *evaluation, *arm;
    bool scaled; /**< in percent of a scale, not returns as they are */
    int games, runs;
    struct invar_interval iqm, improvement, gain; /**< the latter two NAN: of the base */
};

struct comparison {
    struct invar_scratch *memory; /**< holds everything below */
    int run_count;
    struct report_run **run; /**< borrowed [run_count], in the order shown */
    int metric_count;
    struct comparison_metric *metric;
    struct comparison_value **value; /**< [run][metric] */
    int group_count, base;           /**< of the groups */
    struct comparison_group *group;
    int key_count;
    const char **key; /**< options in which the groups differ */
    struct comparison_machines {
        int count;
        const char *field[5]; /**< "processor", "library", "instruction_set", "precision", "threads" */
    } trained, measured;      /**< in what machines differ, of training and of results */
    int choice_count;
    struct comparison_choice *choice; /**< NULL: none was asked for */
    struct report_run *const *given;  /**< [run_count] in the order given, which is that of cka */
    const double *cka;                /**< borrowed [run_count][run_count]; NULL: none */
    int64_t cka_samples;
    int score_count;
    struct comparison_score *score; /**< of runs that have returns */
    int note_count;
    const char **note; /**< sentences: what is missing, what cannot be compared, what the numbers cannot say */
};

struct comparison_options {
    const char *base;          /**< folder or name of a run, or name of a group; NULL: the first group */
    const char *sort;          /**< a metric, best group first; NULL: as given */
    int metric_count;          /**< 0: everything that runs usually have */
    const char *const *metric; /**< names */
    bool choose;               /**< by every measure without labels, judged by the first metric (none: linear) */
    const double *cka;         /**< of the runs as given; NULL: none */
    int64_t cka_samples;
};

/** Borrows the runs until comparison_free. Refused: an unknown base or metric. */
bool comparison_make(struct comparison *out, struct report_run *const *runs, int count,
                     const struct comparison_options *options, struct invar_error *err);
void comparison_free(struct comparison *comparison);

/** Tables for people at most `width` characters wide, for spreadsheets, and for Markdown. */
bool comparison_text(struct comparison *comparison, int width, struct invar_text *out, struct invar_error *err);
bool comparison_csv(struct comparison *comparison, struct invar_text *out, struct invar_error *err);
bool comparison_markdown(struct comparison *comparison, struct invar_text *out, struct invar_error *err);
/** One object. */
void comparison_json(const struct comparison *comparison, struct json_writer *w);

#endif
