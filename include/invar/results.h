/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RESULTS_H
#define INVAR_RESULTS_H

#include "invar/device.h"
#include "invar/inspect.h"
#include "invar/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What was measured of a run: probe.json, inspect.json, robustness.json and returns.json of its folder as structs
 * (docs/files.md says what members mean). Whatever a result does not have is NAN (numbers), -1 (counts and flags) or
 * NULL (all else). Everything in results belongs to them, until they are freed.
 */

/** Numbers, or texts; NULL: there are none. */
struct invar_numbers {
    int64_t count;
    const double *value;
};
struct invar_texts {
    int64_t count;
    const char *const *text;
};
/** Numbers by a name, "top1_by_k": {"20": ..}, and texts by a name. */
struct invar_named_numbers {
    int64_t count;
    const struct invar_named_number {
        const char *name;
        double value;
    } * item;
};
struct invar_named_texts {
    int64_t count;
    const struct invar_named_text {
        const char *name, *text;
    } * item;
};

/** What a result was computed on; of earlier versions parts of it alone. */
struct invar_measured_on {
    const char *processor, *engine, *instruction_set, *precision;
    int64_t threads;
};

/* ---- probe.json ---- */

/** Accuracy by the values of a column; fractions. */
struct invar_probed_groups {
    const char *column, *worst; /**< worst: the value whose samples are predicted worst */
    double worst_accuracy, mean_over_groups;
    int64_t worst_samples, without; /**< without: test samples that have no value; not counted where all have one */
    int64_t count;
    const struct invar_probed_group {
        const char *group;
        int64_t samples;
        double accuracy;
    } * each;
};

/** A classifier on the way: after an epoch of SGD, or a step of fine-tuning. */
struct invar_probed_state {
    int64_t epoch, step;        /**< one of the two, from 1 */
    double top1, interval[2];   /**< percent */
    double top5, held_out_top1; /**< percent */
    double lr, l2;              /**< of SGD: chosen */
};

/** How a result came about. */
struct invar_probed_protocol {
    const char *method, *preset;
    const char *source, *differs; /**< of the preset: where it is from, what is not as there */
    struct invar_texts changed;   /**< of the preset: KEY=VALUE */
    const char *chosen_on;        /**< on which samples something was chosen, and what */
    int chosen_on_test;
    const char *plain;                /**< how images are seen, "256,bicubic"; NULL: as by default */
    struct invar_named_texts options; /**< every option as it was used: its value as JSON on one line */
};

/** Of an encoder that was trained on labels for this result. */
struct invar_probed_training {
    int64_t steps, best_step, held_out_count;
    const char *precision;
    double held_out_top1, head_top1; /**< percent; head: its own on the data's test split, NAN without one */
    double seconds;
};

/** Other data that were measured on. */
struct invar_probed_test {
    const char *source, *split;
    int64_t samples, dropped;
    const char *compete;              /**< "train", "test": whose classes */
    struct invar_named_texts mapping; /**< its classes to those of the training data */
    struct invar_texts dropped_classes;
};

/** One result: an encoder, or a baseline, by one method. */
struct invar_probed {
    const char *name; /**< "linear", "random@20", "neighbours_input", "linear:speaker" */

    /* labels that are classes: percent, then fractions */
    double top1, top5;
    double balanced_accuracy, macro_f1, auroc, ece;
    const char *auroc_absent;       /**< why there is none */
    struct invar_numbers per_class; /**< percent */
    struct {
        int64_t count;
        const struct invar_numbers *row; /**< counts: rows labels, columns predictions */
    } confusion;
    const struct invar_probed_groups *groups;

    /* labels that are numbers */
    const char *label_kind; /**< "number", else NULL */
    double r2, mae, mse, spearman;
    const char *spearman_absent;

    double interval[2]; /**< 95 % interval of top1, or of r2 of several draws */

    /* how it was fitted; what of it there is depends on the method */
    const char *labels; /**< few labels: "20" a class, "1%" */
    struct invar_numbers top1_by_draw, r2_by_draw, l2_by_draw, alpha_by_draw, last_top1_by_draw;
    double k, temperature;
    struct invar_named_numbers top1_by_k, r2_by_k;
    const struct invar_probed_state *best, *last;
    int64_t candidates, steps;
    double l2, alpha;
    int64_t held_out_count;
    double held_out_top1, held_out_r2;
    double objective, cross_entropy, gradient_norm;
    int64_t iterations;
    int converged;
    double seconds;

    /* what it was measured on */
    const char *precision; /**< of fine-tuning */
    const char *data, *data_identity;
    int64_t train_count, test_count, drawn_from, dimensions;
    struct invar_texts classes;
    const struct invar_probed_protocol *protocol;
    double unlabelled[2],
        pooled[2]; /**< training and test samples: left out for want of a label; longer than windows */
    const struct invar_probed_training *training;
    const char *label, *hold_out;
    const struct invar_probed_test *test;
    const struct invar_measured_on *machine;
};

/** Results in the order in which they were measured or written. */
struct invar_probe_results {
    int64_t count;
    const struct invar_probed *item;
};
/** FOLDER/probe.json; no results where there is no such file. NULL with err for what is no such file; free with
 * invar_probe_results_free. */
struct invar_probe_results *invar_probe_results_read(const char *folder, struct invar_error *err);
/** NULL where there is none of that name. */
const struct invar_probed *invar_probe_results_find(const struct invar_probe_results *results, const char *name);
/** As `invar probe --json` prints them: without machines. Free the text with invar_text_free. */
bool invar_probe_results_write(const struct invar_probe_results *results, struct invar_text *out,
                               struct invar_error *err);
void invar_probe_results_free(struct invar_probe_results *results);

/* ---- inspect.json ---- */

struct invar_inspect_results {
    const char *data, *data_identity, *split; /**< "train" or "test" */
    struct invar_inspect_options options;     /**< as they were used; those of earlier versions with defaults */
    const struct invar_inspection *inspection;
    const struct invar_measured_on *machine;
};
/** FOLDER/inspect.json; NULL without err where there is no such file, with err for what is none. Sections and numbers
 * that this version does not know are left out. Free with invar_inspect_results_free. */
struct invar_inspect_results *invar_inspect_results_read(const char *folder, struct invar_error *err);
/** As `invar inspect --json` prints them. Free the text with invar_text_free. */
bool invar_inspect_results_write(const struct invar_inspect_results *results, struct invar_text *out,
                                 struct invar_error *err);
void invar_inspect_results_free(struct invar_inspect_results *results);

/* ---- robustness.json ---- */

/** Errors under one corruption, percent. */
struct invar_corruption_errors {
    const char *name, *family;
    int extra;                  /**< not among those of the benchmark */
    struct invar_numbers error; /**< by the severities of the protocol */
    double mean_error, ce, rce; /**< the mean over them; over the reference's: 100 is as bad as it is */
};
/** How often the predicted class changes from step to step of a parameter of a view, percent. */
struct invar_flip_rate {
    const char *name;
    double rate, low, high; /**< range of the parameter */
    int64_t steps;
};
/** Of one encoder with a linear probe. */
struct invar_robustness_errors {
    const char *name; /**< of a baseline; NULL: the run */
    const struct invar_robustness_probe {
        int64_t train_count, held_out_count, seed;
        double l2, held_out_top1;
        double extra_error; /**< where it was chosen by that: the mean over the four extra corruptions, percent */
        const char *chosen_on;
        int converged;
    } * probe;
    const struct invar_clean_error {
        double error; /**< percent of the images as they are */
        int64_t count;
    } * clean;
    struct {
        int64_t count;
        const struct invar_corruption_errors *item;
    } corruptions;
    double mean_error, mce, mrce;          /**< over the 15 of the benchmark, where these were all measured */
    double mean_error_19, mce_19, mrce_19; /**< over all 19 likewise */
    double less_clean;                     /**< mean_error less the clean error: what corruption adds */
    struct {
        int64_t count;
        const struct invar_flip_rate *item;
    } flips;
    double mean_flip;
    int64_t ready_images; /**< of every cell, where images were corrupted already */
    double images_per_s, seconds;
    const struct invar_probed_training *training; /**< of the supervised baseline */
};
struct invar_robustness_results {
    int64_t format;
    /** Errors are compared only where all of it is the same. */
    const struct invar_robustness_protocol {
        const char *data, *from; /**< from: a folder of images that were corrupted already */
        int64_t images, height, width, channels;
        struct invar_numbers severities;
        const char *table;
        int64_t seed;
        const char *frost;
        int64_t frost_pictures;
        const char *plain; /**< how images are seen, "256,bicubic"; NULL: as by default */
        const char *data_identity, *precision, *version;
    } * protocol;
    const struct invar_robustness_reference {
        const char *name; /**< as it was given */
        double clean;     /**< its error on clean images, percent */
    } * reference;
    struct invar_robustness_errors run;
    struct {
        int64_t count;
        const struct invar_robustness_errors *item;
    } baselines;
    const struct invar_measured_on *machine;
};
/** FOLDER/robustness.json; NULL without err where there is no such file, with err for what is none. Free with
 * invar_robustness_results_free. */
struct invar_robustness_results *invar_robustness_results_read(const char *folder, struct invar_error *err);
/** As `invar robustness --json` prints them: without the machine. Free the text with invar_text_free. */
bool invar_robustness_results_write(const struct invar_robustness_results *results, struct invar_text *out,
                                    struct invar_error *err);
void invar_robustness_results_free(struct invar_robustness_results *results);

/* ---- returns.json ---- */

/** What an agent reached in whole episodes. */
struct invar_returns {
    const char *name; /**< tells evaluations of one run apart: "default", or what was set otherwise, "style=test" */
    const char *environment, *version, *settings; /**< as struct invar_env_info has them */
    int64_t steps;                                /**< of training, by then; -1: not known */
    int64_t seed, noops;                          /**< of the episodes; up to so many first actions without effect */
    double epsilon;                               /**< share of random actions */
    struct invar_numbers returns, lengths;        /**< by episode: sums of rewards, as they are; steps */
    double mean, deviation;                       /**< of the returns; NAN: of one episode */
    /** What `score` is in percent of: "human", between random play and a person; "range", between the least and the
     * most that is possible. NULL: there is none. */
    const char *scale;
    double score; /**< of the mean */
};
struct invar_returns_results {
    int64_t format;
    struct {
        int64_t count;
        const struct invar_returns *item;
    } evaluations;
};
struct invar_env_info;
/** Fills what follows from the returns and the environment: its names, mean, deviation, scale, score. Borrows info. */
void invar_returns_complete(struct invar_returns *evaluation, const struct invar_env_info *info);
/** Puts it into FOLDER/returns.json, in the place of the one of its name; the others stay. */
bool invar_returns_keep(const char *folder, const struct invar_returns *evaluation, struct invar_error *err);
/** FOLDER/returns.json, as invar_robustness_results_read reads its file. Free with invar_returns_results_free. */
struct invar_returns_results *invar_returns_results_read(const char *folder, struct invar_error *err);
/** As the file has it. Free the text with invar_text_free. */
bool invar_returns_results_write(const struct invar_returns_results *results, struct invar_text *out,
                                 struct invar_error *err);
void invar_returns_results_free(struct invar_returns_results *results);

#ifdef __cplusplus
}
#endif

#endif
