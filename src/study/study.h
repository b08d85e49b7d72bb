/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_STUDY_H
#define INVAR_STUDY_STUDY_H

#include "invar/regression.h"
#include "invar/expert/sgd_probe.h"
#include "invar/study.h"
#include "run/results.h"
#include "study/methods.h"
#include "study/probe_results.h"

enum { STUDY_MAX_LABELS = 16 };

/** Of which training samples the labels are used. */
struct study_labels {
    const char *text;  /**< as given: "all", "20", "1%" */
    int64_t per_class; /**< 0: fraction of every class; both 0: all */
    double fraction;
};

struct study_preset;
struct study_subject;

/** What groups names. */
struct study_groups {
    const char *column;
    enum invar_split split; /**< of the samples that are measured on */
    struct invar_field field;
};

/** What labels are: a method is of one kind or of both. */
enum study_labels_kind { STUDY_CLASSES = 1, STUDY_NUMBERS = 2 };

/** One method: one file, and one line in src/study/methods.h. */
struct study_method_spec {
    const char *name, *help;
    const char *key; /**< what its results are called; NULL: as the method */
    const struct invar_option *options;
    size_t size;                                /**< of the struct of its options; 0: it has none */
    const char *const *baselines;               /**< NULL-ended */
    int labels;                                 /**< enum study_labels_kind */
    const struct study_method_spec *of_numbers; /**< takes its place where the label is a number; NULL: none does */
    bool few_labels;                            /**< can use some of the labels alone */
    bool of_features;                           /**< measures representations, not the encoder */
    bool own_labels;                            /**< knows those of the run alone */
    /** On which samples something is chosen, and what; NULL: nothing is. *on_test: on those that are measured on. */
    const char *(*chosen_on)(const void *options, bool *on_test);
    /** Sets what it has found; what is kept beyond the call lies in the subject's room. labels: of which training
     * samples. */
    bool (*measure)(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                    struct invar_error *err);
};
/** NULL-ended. */
extern const struct study_method_spec *const study_methods[];
/** NULL with err, which lists them. */
const struct study_method_spec *study_method_find(const char *name, struct invar_error *err);
bool study_is_few(const struct study_labels *labels);

struct study_settings {
    const char *label, *hold_out;      /**< a field, a condition on one; NULL: as the data are */
    const struct study_groups *groups; /**< NULL: none */
    const struct study_method_spec *method;
    const struct study_preset *preset; /**< NULL: none */
    const char *const *given;          /**< [given_count] KEY=VALUE as given, on top of a preset */
    int given_count;
    void *const *options; /**< [methods] of each, in the order of study_methods */
    int label_count;
    struct study_labels labels[STUDY_MAX_LABELS];
    int64_t draws;                         /**< of few labels */
    bool compete_test;                     /**< of other test data: their classes alone compete */
    bool held_out_given;                   /**< else few labels have a default of their own */
    const char *for_classes, *for_numbers; /**< a KEY=VALUE that is of one kind of label alone; NULL: none */
};
/** Those of one method. */
const void *study_options_of(const struct study_settings *settings, const struct study_method_spec *method);

/** What is measured: an encoder and the data, and of methods on features what it makes of them. */
struct study_subject {
    struct invar_run *run;
    const struct study_settings *settings;
    const void *options;  /**< of the method */
    const char *baseline; /**< NULL: the run */
    const struct invar_encoder *encoder;
    struct invar_embedded train, test;    /**< of methods on features; rows without a label are gone */
    double *train_targets, *test_targets; /**< of labels that are numbers */
    struct json_room *room;
};

/** The protocol of a paper or of other code, as settings of a method. */
struct study_preset {
    const char *name, *help;
    const struct study_method_spec *method;
    const char *const *settings;   /**< KEY=VALUE, NULL-ended */
    struct invar_plain_view plain; /**< of images, for an encoder of 224 pixels; at other sizes in proportion */
    const char *differs;           /**< a sentence on what is not as there; NULL: nothing known */
    const char *source;            /**< where it is from */
};
/** Ended by one without a name. */
extern const struct study_preset study_presets[];
/** NULL with err, which names the nearest, where there is no such preset. */
const struct study_preset *study_preset_find(const char *name, struct invar_error *err);

/** Refuses data without any label in one of the splits; says how many have one where some lack it. */
bool study_tell_unlabelled(const struct invar_run *run, struct invar_error *err);
/** How many training and test samples were left out for want of a label; where none was, NAN. */
void study_count_unlabelled(const struct invar_run *run, double out[2]);
/** Refuses data without labels of two classes, where they are no numbers, without training samples, or, where their
 * test samples are measured on (tested), without those. */
bool study_check_labels(const struct invar_dataset_info *info, bool tested, struct invar_error *err);
/** Of a label that is a number refuses what needs classes, and makes the method linear ridge; of classes refuses ridge
 * and its options. */
bool study_check_number(const struct invar_dataset_info *info, struct study_settings *settings,
                        const struct invar_probe_request *request, struct invar_error *err);
/** Keeps the rows that have a target; out [rows], which the caller frees. targets: of all samples of the split. */
bool study_keep_targets(struct invar_embedded *embedded, const double *targets, double **out, struct invar_error *err);
struct invar_matrix study_features(const struct invar_embedded *embedded);
/** "20", "1%" or "all"; text stays borrowed. */
bool study_labels_read(struct study_labels *out, const char *text, struct invar_error *err);
/** What the label is called. */
const char *study_label_name(const struct invar_dataset_info *info, const struct study_settings *settings);
/** Refuses a column that there is not, or that no test sample has a value of. Close what was zeroed or opened. */
bool study_groups_open(struct study_groups *groups, const struct invar_run *run, const char *column,
                       struct invar_error *err);
void study_groups_close(struct study_groups *groups);

/* ---- what methods put into results ---- */

/** top1, interval, top5, the measures, per_class and confusion. */
void study_put_accuracy(const struct study_subject *subject, const struct invar_accuracy *accuracy,
                        struct invar_probed *out);
/** What draw 0 .. draws-1 adds to a mean, and to those of the measures. */
void study_add_share(double *mean, double value, int64_t draw, int64_t draws);
void study_put_share(const struct invar_accuracy *accuracy, int64_t draw, int64_t draws, struct invar_probed *out);
/** auroc, or why there is none; the same of spearman. */
void study_put_auroc(double auroc, struct invar_probed *out);
void study_put_spearman(double spearman, struct invar_probed *out);
/** r2 and the others. */
void study_put_regression(const struct invar_regression *measured, struct invar_probed *out);
/** The mean of draws and its 95 % interval within least and most (none of one draw). */
double study_mean_of(const double *value, int64_t draws, double least, double most, double interval[2]);
struct invar_numbers study_keep_numbers(const struct study_subject *subject, const double *value, int64_t count);
/** Accuracy by group, where there are any. index: numbers of the samples measured on. */
bool study_put_groups(const struct study_subject *subject, const struct invar_accuracy *accuracy, const int64_t *index,
                      struct invar_probed *out, struct invar_error *err);
/** The source, and how many samples with a label, of how many dimensions. */
void study_put_data(const struct study_subject *subject, int64_t train_count, int64_t test_count, int64_t dimensions,
                    struct invar_probed *out);
/** Of methods on features: the same, and names of classes. */
void study_put_features(const struct study_subject *subject, struct invar_probed *out);
void study_put_classes(const struct study_subject *subject, struct invar_probed *out);
/** How images are seen, "256,bicubic"; NULL: as by default. */
const char *study_plain_text(const struct invar_plain_view *plain, struct json_room *room);
/** Method, preset, every option as it was used, and on what choices were made. */
void study_put_protocol(const struct study_subject *subject, const void *used, struct invar_probed *out);

/* ---- methods that few labels have a way of their own for ---- */

bool study_linear_few(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                      struct invar_error *err);
bool study_ridge_few(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                     struct invar_error *err);

/** Accuracy of a head's own outputs behind an encoder; order: [count] samples of the split, NULL: all. */
bool study_accuracy_of(const struct invar_run *run, const struct invar_encoder *encoder, const struct invar_head *head,
                       enum invar_split split, const int64_t *order, int64_t count, struct invar_accuracy *out,
                       struct invar_error *err);

/* ---- the supervised baseline ---- */

struct study_training;
/**
 * Trains the run's encoder anew, with a linear head on the labels of all training samples but a held-out part
 * (held_out and seed of the options), for the steps of the run; keeps the state with the best held-out accuracy.
 * NULL with err (INVAR_ERROR_INTERRUPTED where the watch of the run ends it). Free with study_training_free.
 */
struct study_training *study_supervised_train(struct invar_run *run, const struct invar_probe_options *options,
                                              struct invar_error *err);
/** Members of struct invar_probed_training. */
extern const struct json_table study_training_table;
/** How it was trained. */
const struct invar_probed_training *study_supervised_describe(const struct study_training *supervised,
                                                              enum invar_precision precision, struct json_room *room);

#endif
