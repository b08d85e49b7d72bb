/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_RUN_H
#define INVAR_REPORT_RUN_H

#include "run/metadata.h"
#include "run/settings.h"
#include <stdint.h>

/** One key of metrics.jsonl over all rows; NAN where a row has no number for it. */
struct report_series {
    char *name;    /**< "loss", "loss/relic/contrast", "lr", "effective_rank", ... */
    double *value; /**< [rows of the run] */
};

/**
 * What a run folder holds, whatever of it is there. Everything belongs to the run. A file that is absent is NULL or
 * empty; one that is there and cannot be used is so too, and `problem` has a sentence about it.
 */
struct report_run {
    char *folder;   /**< as it was given */
    char *label;    /**< the folder's own name, to tell runs apart */
    char *name;     /**< `name` of the recipe, else the label */
    int64_t seed;   /**< training.seed; -1: not known */
    char *source;   /**< data.source of the recipe, "" where it is not known */
    char *identity; /**< of its training data (invar_data_identity_same), "" where it is not known */
    char *version;  /**< invar.version of encoder.safetensors, "" where it is not known */
    bool finished;  /**< encoder.safetensors is there, or agent.safetensors */
    bool agent;     /**< it is one of an agent: its recipe has an environment */
    double seconds; /**< of training, from samples_per_s of the logged steps; NAN: not known */

    struct invar_node *recipe; /**< NULL: none. Where this version can read it, with the defaults of what it lacks */
    struct invar_recipe *resolved; /**< as this version reads it; NULL: none, one of an agent, or not so */
    bool unread;                   /**< it is there, and cannot be used */
    int defaulted;                 /**< so many: the run is of an older version, which did not have them */
    int setting_count, setting_capacity;
    struct run_setting *setting; /**< in the order of the recipe */

    int64_t rows, row_capacity;
    int series_count, series_capacity;
    struct report_series *series; /**< in the order of first appearance; "step" is the first */

    struct run_metadata metadata;                /**< of encoder.safetensors, or of the newest checkpoint */
    struct invar_probe_results *probe;           /**< NULL: none */
    struct invar_robustness_results *robustness; /**< NULL: none */
    struct invar_inspect_results *inspect;       /**< NULL: none */
    struct invar_returns_results *returns;       /**< NULL: none */

    int problem_count, problem_capacity;
    char **problem; /**< sentences about files that are torn, foreign, unfinished, of another version */
};

/**
 * Reads the folder. Refused is only what is no run at all: a folder that is missing, or that holds neither a recipe nor
 * metrics nor an encoder. Free with report_run_free.
 */
struct report_run *report_run_read(const char *folder, struct invar_error *err);
void report_run_free(struct report_run *run);

/** What the run was trained on, or (measured) what results of it were computed on: at most `most`. Returns how many. */
int report_run_machines(const struct report_run *run, bool measured, const struct invar_measured_on **out, int most);
/** What it was trained on, as a list of objects; nothing where it is not known. */
void report_run_put_machines(const struct report_run *run, const char *name, struct json_writer *w);
/** The values of a key of metrics.jsonl, NULL where no row has it. */
const double *report_run_series(const struct report_run *run, const char *name);
/** The last number of it, NAN where there is none. */
double report_run_last(const struct report_run *run, const char *name);
/** The option "training.batch" as text, NULL where the recipe has none. */
const char *report_run_setting(const struct report_run *run, const char *key);

#endif
