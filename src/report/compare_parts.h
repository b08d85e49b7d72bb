/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_COMPARE_PARTS_H
#define INVAR_REPORT_COMPARE_PARTS_H

#include "report/compare.h"

/* What the files compare*.c share. */

/** Zeroed room in the comparison's memory; a copy of a formatted text; a sentence among its notes. */
void *comparison_take(struct comparison *c, int count, size_t size, struct invar_error *err);
const char *comparison_text_of(struct comparison *c, struct invar_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool comparison_note(struct comparison *c, struct invar_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Chooses the metrics and reads the values of all runs. */
bool comparison_measure(struct comparison *c, const struct comparison_options *options, struct invar_error *err);
/** Whether two values are of the same data and protocol. */
bool comparison_alike(const struct comparison_value *a, const struct comparison_value *b);
/** That of `value` in which the two are not alike; of protocols what the other's lacks. NULL: no memory. */
const char *comparison_apart(struct comparison *c, const struct comparison_value *value,
                             const struct comparison_value *other, struct invar_error *err);
/** Parts (between ", ") of `text` that `other` lacks; all of it where it lacks none. */
const char *comparison_parts_apart(struct comparison *c, const char *text, const char *other, struct invar_error *err);
/** How returns came about, as parts: version and options of the environment, episodes, no-ops, epsilon, seed. */
const char *comparison_returns_protocol(struct comparison *c, const struct invar_returns *returns,
                                        struct invar_error *err);
/** Groups, options in which they differ, names. */
bool comparison_form_groups(struct comparison *c, struct invar_error *err);
/** In what machines differ, and a sentence for each of training and results where they do. */
bool comparison_machines(struct comparison *c, struct invar_error *err);
/** A sentence for every kind of data of which some samples have no label. */
bool comparison_labels(struct comparison *c, struct invar_error *err);
/** Means of the groups, and differences to the base. */
bool comparison_average(struct comparison *c, struct invar_error *err);

/** "88.77", "312", "" for NAN; with `sign`, "+0.31". */
void comparison_number(char out[32], const struct comparison_metric *metric, double value, bool sign);
/** "mCE, %" */
void comparison_heading(char *out, size_t size, const struct comparison_metric *metric);
/** Option `key` of a group, "-" where its recipe has none. */
const char *comparison_setting(const struct comparison *c, int group, const char *key);
/** What rows call a run: the folder's own name, or the whole of it where two have the same. */
const char *comparison_run_name(const struct comparison *c, int run);
/** The mean of the group leaves 0 out of its interval. */
bool comparison_clear(const struct comparison_mean *mean);

/** Names of the measures without labels; NULL behind the last. */
const char *comparison_choose_name(int i);
/** Fills choice from the metrics, the first of which is the score. */
bool comparison_choose(struct comparison *c, struct invar_error *err);
/** Of two runs by their index. */
double comparison_cka(const struct comparison *c, int a, int b);

/** Two runs differ in the seed and in the environment's id alone. */
bool comparison_same_but_game(const struct report_run *a, const struct report_run *b);
/** The name of a group without the game that it is of; that of its runs, and options in which others of it differ. */
const char *comparison_arm_name(struct comparison *c, int group, struct invar_error *err);
/** Fills score from the returns that runs have. */
bool comparison_scores(struct comparison *c, struct invar_error *err);
void comparison_write_scores(const struct comparison *c, struct json_writer *w);

/** A table of texts as the formats print it. */
struct comparison_table {
    int rows, columns;
    const char *title;
    const char **heading; /**< [columns] */
    const char **cell;    /**< [rows][columns] */
    int left;             /**< columns from the first that are names: left-aligned, repeated where a table is cut */
    const char *foot;     /**< a line below, or NULL */
};
/** Room for it, all cells "". */
bool comparison_table_make(struct comparison *c, struct comparison_table *out, const char *title, int rows, int columns,
                           int left, struct invar_error *err);
bool comparison_choice_table(struct comparison *c, struct comparison_table *out, struct invar_error *err);
bool comparison_score_table(struct comparison *c, struct comparison_table *out, struct invar_error *err);
bool comparison_cka_table(struct comparison *c, struct comparison_table *out, struct invar_error *err);
/** All tables in the order in which they are shown; c is used for room only. */
bool comparison_tables(struct comparison *c, struct comparison_table **out, int *count, struct invar_error *err);

#endif
