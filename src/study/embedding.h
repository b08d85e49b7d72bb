/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_EMBEDDING_H
#define INVAR_STUDY_EMBEDDING_H

#include "invar/run.h"
#include <stdio.h>

/** What is written about representations: which row is which sample, and what was left out. */
struct study_table {
    const struct invar_dataset *dataset;
    const struct invar_embedded *embedded;
    uint8_t *split_of; /**< [rows] enum invar_split */
    bool split[2];     /**< which were asked for */
};

/** Where an invocation writes. */
struct study_places {
    const char *output;  /**< "-": stream */
    FILE *stream;        /**< takes the output where it is no file */
    const char *labels;  /**< NULL: nowhere */
    bool csv;            /**< the output is a table instead of an array */
    char rows[4096];     /**< list of rows; empty: none */
    char left_out[4096]; /**< list of what was left out, made where there is any; empty: none */
};

/** Derives the names of the lists from the output (rows: another name for the first, or NULL; format: npy, csv or
 * NULL). Refused: a file of another origin under the name of a list that was not asked for, and any of the places where
 * data of the run lie, or those that it is opened with. */
bool study_places_set(struct study_places *places, const char *output, const char *labels, const char *rows,
                      const char *format, const char *folder, const struct invar_run_options *how,
                      struct invar_error *err);
/** All files; *left_out is how many samples were. */
bool study_embedding_write(const struct study_table *table, const struct study_places *places, int64_t *left_out,
                           struct invar_error *err);

/** Samples of the splits that are wanted, in the order of the source; normalise: every row to length 1. split_of is of
 * every row, invar_free; out is freed with invar_embedded_free. */
bool study_embed(const struct invar_run *run, const bool wanted[2], bool normalise, struct invar_embedded *out,
                 uint8_t **split_of, struct invar_error *err);
/** What was embedded, how, and what was left out. */
struct invar_results *study_embedding_results(const struct invar_run *run, const struct study_table *table,
                                              const char *split, const struct study_places *places,
                                              struct invar_error *err);

#endif
