/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_PROBE_H
#define INVAR_CLI_PROBE_H

#include "cli/cli.h"
#include "invar/study.h"

/** What was measured of a run, as text for people; label, hold_out: those that were asked for, or NULL. */
void probe_print(const struct invar_probe_results *results, const struct invar_run *run, const char *label,
                 const char *hold_out);
/** Its parts where the label is a number, and by groups: results by name. */
void probe_print_numbers(const struct invar_probe_results *results);
void probe_print_groups(const struct invar_probe_results *results);

#endif
