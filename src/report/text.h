/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_TEXT_H
#define INVAR_REPORT_TEXT_H

#include "invar/robustness.h"
#include "invar/study.h"
#include "study/embedding.h"

#include <stdio.h>

/* Results as text for people. */

/** What was measured of a run; label, hold_out: those that were asked for, or NULL. */
void report_probe_print(FILE *out, const struct invar_probe_results *results, const struct invar_run *run,
                        const char *label, const char *hold_out);
/** Its parts where the label is a number, and by groups: results by name. */
void report_probe_numbers(FILE *out, const struct invar_probe_results *results);
void report_probe_groups(FILE *out, const struct invar_probe_results *results);

/** Sections and warnings. */
void report_inspect_print(FILE *out, const struct invar_inspection *inspection);

/** Errors under corruption. */
void report_robustness_print(FILE *out, const struct invar_robustness_results *results);

/** What was embedded and written where, and what was left out. */
void report_embedding_print(FILE *out, const struct invar_run *run, const struct invar_embedded *embedded,
                            const char *split, const struct study_places *places, int64_t left_out);

#endif
