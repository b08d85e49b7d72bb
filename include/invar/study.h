/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_H
#define INVAR_STUDY_H

#include "invar/results.h"
#include "invar/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- probes: how well labels can be read from what an encoder learned ---- */

/** What is to be probed, and how (docs/evaluation.md). Everything is borrowed; what is NULL or 0 has its default. */
struct invar_probe_request {
    const char *method;           /**< linear, ridge, neighbours, sgd, finetune, online; NULL: linear */
    const char *preset;           /**< the protocol of a paper or of other code; NULL: none */
    const char *label, *hold_out; /**< another field as the label; FIELD=VALUE that is measured on, not fitted on */
    const char *test;             /**< measured on this source, whose classes have the same names; NULL: the data */
    const char *test_labels;      /**< of test npy:FILE: its labels, FILE.npy or FILE.csv; NULL: none */
    bool drop_unknown;            /**< of test: leave out samples of classes that the training data lack */
    const char *compete;          /**< of test: "train", all classes of training compete for its samples, or "test",
                                     those that the test data have alone; NULL: train */
    const char *class_map;        /**< of test: a file of lines CLASS,TEST CLASS, several classes of training to one;
                                     NULL: by name */
    const char *groups;           /**< accuracy by the values of a field, and the worst of them */
    const char *const *baselines; /**< [baseline_count] random, input, supervised */
    int baseline_count;
    const char *const *labels; /**< [label_count] of which training labels: "20" a class, "1%", "all"; none: all */
    int label_count;
    int64_t draws;               /**< of few labels, whose mean is the result; 0: 5 */
    const char *const *settings; /**< [setting_count] KEY=VALUE of the method */
    int setting_count;
};

struct invar_probe;
/** Refused: names and options that there are not, and what does not go together. Borrows the request. NULL with err;
 * free with invar_probe_free. */
struct invar_probe *invar_probe_create(const struct invar_probe_request *request, struct invar_error *err);
void invar_probe_free(struct invar_probe *probe);
/**
 * Measures a run, or features in its place, and its baselines, and keeps the results in FOLDER/probe.json (of
 * features nowhere). The labels of the run's data become those of the request. *results has what was measured also
 * where false is returned (NULL: nothing was): later ones may have failed or been interrupted.
 */
bool invar_probe_run(const struct invar_probe *probe, struct invar_run *run, struct invar_probe_results **results,
                     struct invar_error *err);
/** Methods with their options, and protocols, as text for help. */
bool invar_probe_describe(struct invar_text *out, struct invar_error *err);

/**
 * invar_inspect of a run, or of features in its place, with all that lies beside its encoder: views and LogDet of the
 * recipe, projector, adversary, the error of its linear probe. pair: features of another view of the same samples, row
 * by row, or NULL. The results are kept in FOLDER/inspect.json (of features nowhere). NULL with err.
 */
struct invar_inspect_results *invar_inspect_run(const struct invar_run *run, const struct invar_run *pair,
                                                enum invar_split split, const struct invar_inspect_options *options,
                                                struct invar_error *err);

/* ---- data ---- */

enum { INVAR_SURVEY_PROBLEMS = 16 };
/** What a look at every sample finds. */
struct invar_survey {
    int64_t *counts; /**< [classes][train, test] samples */
    struct invar_survey_numbers {
        int64_t labelled;
        double mean, deviation, least, most;
    } numbers[2]; /**< by split, of labels that are numbers */
    struct invar_survey_clips {
        int64_t count, silent;
        double shortest, longest, total, seen; /**< seconds; seen: what an encoder sees of a clip */
    } clips;
    int problem_count;
    char problem[INVAR_SURVEY_PROBLEMS][INVAR_ERROR_MESSAGE_SIZE]; /**< sentences, worth knowing before training */
};
/** Reads every sample of a data set that is not in memory, so that unreadable ones are found and counted. NULL with
 * err; free with invar_survey_free. */
struct invar_survey *invar_survey_data(struct invar_dataset *dataset, const struct invar_watch *watch,
                                       struct invar_error *err);
void invar_survey_free(struct invar_survey *survey);
/** All that is known of the data set and of the survey. */
struct invar_results *invar_survey_results(const struct invar_survey *survey, const struct invar_dataset *dataset,
                                           struct invar_error *err);

/* ---- errors under the common corruptions ---- */

/** What is to be measured (docs/evaluation.md). Everything is borrowed; what is NULL or 0 has its default. */
struct invar_robustness_request {
    const char *const *corruptions; /**< [corruption_count] names, or several with commas between them; none: all 19 */
    int corruption_count;
    const char *const *severities; /**< [severity_count] "3", or "1,3,5"; none: all five */
    int severity_count;
    const char *table;     /**< parameters: "32", "224", "scaled", "auto"; NULL: auto, by the size of the images */
    const char *frost;     /**< a folder of pictures of frost; NULL: synthetic ones */
    int64_t seed, limit;   /**< limit: so many test images, evenly spread; 0: all */
    const char *from;      /**< images that are corrupted already (invar_robustness_ready); NULL: corrupted here */
    const char *reference; /**< what errors are divided by: a run, RUN:random, RUN:supervised, alexnet; NULL: none */
    const char *const *baselines; /**< [baseline_count] random, supervised */
    int baseline_count;
    const char *choose; /**< where the strength of the probe is chosen: "held_out" training samples, or on the test
                           split under the four "extra" corruptions, as ReLIC's paper does; NULL: held_out */
    bool flips;         /**< also how often predictions change along parameters of views (invar_flips_measure) */
    const char *const *settings; /**< [setting_count] KEY=VALUE of the probe */
    int setting_count;
};

/**
 * Errors of the linear probe, fitted on clean training images, on the test split under corruption; the results are kept
 * in FOLDER/robustness.json, unless what is there is about more images, severities or corruptions. Refused: names that
 * there are not, data that cannot be corrupted or compared with the reference. NULL with err.
 */
struct invar_robustness_results *
invar_robustness_run(struct invar_run *run, const struct invar_robustness_request *request, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
