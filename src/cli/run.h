/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_RUN_H
#define INVAR_CLI_RUN_H

#include "cli/cli.h"

struct cli_test; /**< other data to be tested on: probe_test.h */

/** A finished run opened for measuring: its encoder (NULL: the data are features already), a device, and the data it is
 * measured on. */
struct cli_run {
    const char *folder; /**< borrowed */
    struct invar_encoder *encoder;
    struct invar_device *device;
    struct invar_dataset *dataset;
    struct cli_test *test;           /**< test samples come from it; NULL: from dataset */
    enum invar_precision trained_in; /**< of what was trained here on labels; AUTO: nothing yet */
    bool windows;                    /**< cli_run_embed takes means over windows */
    bool bfloat16;                   /**< and computes in it, not in float32 */
};

/**
 * Opens FOLDER/encoder.safetensors and the data. source NULL: the data of the run; else that source, resized to what
 * the encoder sees. assignments: KEY=VALUE of the data section, may be NULL.
 */
bool cli_run_open(struct cli_run *run, const char *folder, const char *source, const struct cli_list *assignments,
                  int64_t threads, struct invar_error *err);
void cli_run_close(struct cli_run *run);

/** Whether an argument is an array of features, FILE.npy, rather than the folder of a run. */
bool cli_is_features(const char *name);
/** Features that another program made, with what is known of them; texts may be NULL but for file. */
struct cli_features {
    const char *file, *labels, *label;  /**< label: the column of labels */
    const char *test, *test_labels;     /**< test rows of their own */
    const struct cli_list *assignments; /**< KEY=VALUE of the data section, may be NULL */
    bool draw_test;                     /**< have a test split drawn where nothing says what it is */
};
/** A run without an encoder, whose data are these features as they are; folder is the file. */
bool cli_run_open_features(struct cli_run *run, const struct cli_features *features, int64_t threads,
                           struct invar_error *err);
/** Moves assignments "data.KEY=VALUE" to a list of their own, without "data.". */
void cli_take_data(struct cli_list *assignments, struct cli_list *data);
/** Takes the value of --labels that is a file, FILE.npy or FILE.csv, out of the list; NULL where there is none. */
const char *cli_take_label_file(struct cli_list *labels);

/** All of another source, at the size that the encoder sees and standardised as it was trained; a source with a test
 * split of its own keeps it, one without has training samples alone. NULL with err; close with invar_dataset_close. */
struct invar_dataset *cli_run_other(const struct cli_run *run, const char *source, struct invar_error *err);
/** invar_embed with a bar; encoder may be another one than the run's. what: "embedding train". */
bool cli_run_embed(struct cli_run *run, const struct invar_encoder *encoder, enum invar_split split,
                   struct invar_embedded *out, struct invar_error *err);

/** Columns of a representation of the run's encoder. */
int64_t cli_run_width(const struct cli_run *run);
/** A fresh encoder of the same architecture, initialised from training.seed of FOLDER/recipe.yaml. */
struct invar_encoder *cli_run_random_encoder(const struct cli_run *run, struct invar_error *err);

/** Adds "data" and "data_identity": which data a result is about, and what was in them (invar_data_identity_same). */
void cli_run_add_data(const struct invar_dataset_info *info, cJSON *object);
/** Adds "machine" to a result: what it was computed on; with the precision that it says itself, else float32. */
bool cli_run_add_machine(const struct cli_run *run, cJSON *result, struct invar_error *err);

/**
 * Puts items of `results` into the JSON object in FOLDER/NAME (made when there is none), over items of the same name;
 * every other item stays. A file that holds no JSON object is refused and left alone. NULL results: only the check.
 */
bool cli_run_merge(const char *folder, const char *name, const cJSON *results, struct invar_error *err);

/** The JSON object in FOLDER/NAME, an empty one where there is no such file; NULL, as above, for anything else. */
cJSON *cli_run_results(const char *folder, const char *name, struct invar_error *err);

#endif
