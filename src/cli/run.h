/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_RUN_H
#define INVAR_CLI_RUN_H

#include "cli/cli.h"

/* Arguments that name runs, or features in their place. */

/** Whether an argument is an array of features, FILE.npy, rather than the folder of a run. */
bool cli_is_features(const char *name);
/** Moves assignments "data.KEY=VALUE" to a list of their own, without "data.". */
void cli_take_data(struct cli_list *assignments, struct cli_list *data);
/** Refuses options of a run's data that a verb does not change: all but `always` ("data.label_kind, data.metadata")
 * and, where there is --data SOURCE (else NULL), those that describe one set of samples. */
bool cli_check_data(const struct cli_list *data, const char *source, const char *always, struct invar_error *err);
/** Takes the value of --labels that is a file, FILE.npy or FILE.csv, out of the list; NULL where there is none. */
const char *cli_take_label_file(struct cli_list *labels);

/** Makes runs/NAME-1, or the first number that is free: of several that start at once each gets its own. */
bool cli_make_run_folder(const char *name, char *out, size_t size, struct invar_error *err);

#endif
