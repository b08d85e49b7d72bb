/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_EMBED_H
#define INVAR_CLI_EMBED_H

#include "cli/cli.h"
#include "invar/run.h"

/** What is written about representations: which row is which sample, and what was left out. */
struct embed_table {
    const struct invar_dataset *dataset;
    const struct invar_embedded *embedded;
    int64_t train_rows; /**< rows before those of the test split */
    bool split[2];      /**< which were asked for */
};

/** Where an invocation writes. */
struct embed_places {
    const char *output;  /**< -o; "-": standard output */
    const char *labels;  /**< --labels, NULL: nowhere */
    bool csv;            /**< the output is a table instead of an array */
    char rows[4096];     /**< list of rows; empty: none */
    char left_out[4096]; /**< list of what was left out, made where there is any; empty: none */
};

/** Derives the names of the lists from -o (rows: --rows or NULL; format: --format or NULL). Refused: a file of another
 * origin under the name of a list that was not asked for, and any of the places where the source lies. */
bool embed_places_set(struct embed_places *places, const char *output, const char *labels, const char *rows,
                      const char *format, const char *source, struct invar_error *err);
/** All files; *left_out is how many samples were. */
bool embed_write(const struct embed_table *table, const struct embed_places *places, int64_t *left_out,
                 struct invar_error *err);

#endif
