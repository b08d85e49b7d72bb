/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_STUDY_H
#define INVAR_STUDY_STUDY_H

#include "invar/regression.h"
#include "invar/expert/sgd_probe.h"
#include "invar/study.h"
#include "run/results.h"

enum { STUDY_MAX_LABELS = 16 };

/** Of which training samples the labels are used. */
struct study_labels {
    const char *text;  /**< as given: "all", "20", "1%" */
    int64_t per_class; /**< 0: fraction of every class; both 0: all */
    double fraction;
};

enum study_method {
    STUDY_LINEAR,
    STUDY_RIDGE, /**< what linear becomes where the label is a number */
    STUDY_NEIGHBOURS,
    STUDY_SGD,
    STUDY_FINETUNE,
    STUDY_ONLINE,
    STUDY_METHODS
};

/** Fine-tuning: the encoder and a linear head trained on labels. */
struct study_finetune_options {
    double epochs;
    int64_t minimum_steps; /**< of few labels, whose epochs are short */
    int64_t batch;
    int optimiser; /**< adamw | sgd (momentum 0.9) */
    double lr;     /**< peak rate of the head, before scaling */
    int lr_scaling;
    double layer_decay, weight_decay, warmup;
    struct invar_probe_views views;
    double held_out; /**< fraction of the labelled samples of every class */
    int64_t looks, patience;
    int choose, report; /**< enum invar_probe_choose, invar_probe_report */
    int head;           /**< probe | fresh: what it starts as */
    int64_t seed;
};
extern const struct invar_option study_finetune_option_table[];
extern const struct invar_option study_online_option_table[];

struct study_preset;

/** What groups names. */
struct study_groups {
    const char *column;
    enum invar_split split; /**< of the samples that are measured on */
    struct invar_field field;
};

struct study_settings {
    const char *label, *hold_out;      /**< a field, a condition on one; NULL: as the data are */
    const struct study_groups *groups; /**< NULL: none */
    enum study_method method;
    const struct study_preset *preset; /**< NULL: none */
    const char *const *given;          /**< [given_count] KEY=VALUE as given, on top of a preset */
    int given_count;
    struct invar_probe_options linear; /**< of other methods: for the supervised baseline */
    struct invar_ridge_options ridge;
    struct invar_neighbours_options knn;
    struct invar_sgd_probe_options sgd;
    struct study_finetune_options finetune;
    int label_count;
    struct study_labels labels[STUDY_MAX_LABELS];
    int64_t draws;                         /**< of few labels */
    bool held_out_given;                   /**< else few labels have a default of their own */
    const char *for_classes, *for_numbers; /**< a KEY=VALUE of linear that is of one kind of label alone; NULL: none */
};

/** One method: where its options are, and what it can be asked for. */
struct study_method_spec {
    const char *name, *help;
    const struct invar_option *options;
    size_t offset;                /**< of its options in the settings */
    const char *const *baselines; /**< NULL-ended */
    bool few_labels;
};
/** By enum study_method. */
extern const struct study_method_spec study_methods[STUDY_METHODS];
const struct study_method_spec *study_method_find(const char *name);

/** The protocol of a paper or of other code, as settings of a method. */
struct study_preset {
    const char *name, *help;
    enum study_method method;
    const char *const *settings; /**< KEY=VALUE, NULL-ended */
    const char *differs;         /**< a sentence on what is not as there; NULL: nothing known */
    const char *source;          /**< where it is from */
};
/** Ended by one without a name. */
extern const struct study_preset study_presets[];
/** NULL with err, which names the nearest, where there is no such preset. */
const struct study_preset *study_preset_find(const char *name, struct invar_error *err);

/** Refuses data without any label in one of the splits; says how many have one where some lack it. */
bool study_tell_unlabelled(const struct invar_run *run, struct invar_error *err);
/** Adds how many samples of each split were left out for want of a label, where there are such. */
void study_add_unlabelled(const struct invar_run *run, cJSON *result);
/** Refuses data without labels of two classes, where they are no numbers, or without one of the splits. */
bool study_check_labels(const struct invar_dataset_info *info, struct invar_error *err);
/** Fractions as scikit-learn has them; auroc NAN: there is none. */
struct study_measures {
    double balanced_accuracy, macro_f1, auroc, ece;
};
struct study_measures study_measures_of(const struct invar_accuracy *accuracy);
/** Adds a share of 1 / draws of one draw's to their mean, which is 0 at first. */
void study_measures_average(struct study_measures *mean, const struct invar_accuracy *draw, int64_t draws);
/** Adds them by their names, or auroc_absent, a sentence. */
void study_add_measures(cJSON *object, const struct study_measures *measures);
/** Adds top1, interval, top5, the measures, per_class and confusion. */
void study_add_accuracy(cJSON *object, const struct invar_accuracy *accuracy);
/** Refuses a column that there is not, or that no test sample has a value of. Close what was zeroed or opened. */
bool study_groups_open(struct study_groups *groups, const struct invar_run *run, const char *column,
                       struct invar_error *err);
void study_groups_close(struct study_groups *groups);
/** Adds "groups", accuracy by group, where settings->groups is set. index: numbers of the samples measured on. */
bool study_add_groups(cJSON *object, const struct invar_accuracy *accuracy, const int64_t *index,
                      const struct study_settings *settings, struct invar_error *err);
/** Adds top1, the mean of draws, and interval, its 95 % interval (none of one draw). */
void study_add_interval(cJSON *object, const double *top1, int64_t draws);
/** Adds "protocol": method, preset, every option as it was used, and on what choices were made. */
void study_add_protocol(cJSON *object, const struct study_settings *settings);
/** One probe of given features as the JSON object of probe.json; NULL with err. */
cJSON *study_measure(const struct invar_embedded *train, const struct invar_embedded *test,
                     const struct invar_dataset_info *info, const struct study_settings *settings,
                     struct invar_error *err);
/** Adds data, counts, dimensions and classes. */
void study_add_data(cJSON *object, const struct invar_embedded *train, const struct invar_embedded *test,
                    const struct invar_dataset_info *info);

/** Features with labels that are numbers. */
struct study_numbers {
    const struct invar_embedded *train, *test;
    double *train_targets, *test_targets;
};
/** Of a label that is a number refuses what needs classes, and makes the method linear ridge; of classes refuses ridge
 * and its options. */
bool study_check_number(const struct invar_dataset_info *info, struct study_settings *settings,
                        const struct invar_probe_request *request, struct invar_error *err);
/** Keeps the rows that have a target; out [rows], which the caller frees. targets: of all samples of the split. */
bool study_keep_targets(struct invar_embedded *embedded, const double *targets, double **out, struct invar_error *err);
/** Ridge regression or neighbours' means as the JSON object of probe.json; NULL with err. */
cJSON *study_measure_number(const struct study_numbers *numbers, const struct invar_dataset_info *info,
                            const struct study_settings *settings, struct invar_error *err);
/** The same with few of the training rows, several draws of them: means, and the interval of R2. */
cJSON *study_measure_number_few(const struct study_numbers *numbers, const struct invar_dataset_info *info,
                                const struct study_settings *settings, const struct study_labels *labels,
                                struct invar_error *err);
/** Adds spearman, or why there is none (NAN). */
void study_add_spearman(cJSON *object, double spearman);
/** The linear probe by SGD of an encoder. */
cJSON *study_measure_sgd(const struct invar_run *run, const struct invar_encoder *encoder,
                         const struct study_settings *settings, struct invar_error *err);
/** Fine-tuning from the run's encoder, or from its initial weights (random), with all or with few labels. */
cJSON *study_measure_finetune(struct invar_run *run, bool random, const struct study_settings *settings,
                              const struct study_labels *labels, struct invar_error *err);
/** RUN/classifier.safetensors on the test split, with RUN/encoder.safetensors. */
cJSON *study_measure_online(const struct invar_run *run, const struct study_settings *settings,
                            struct invar_error *err);
/** Accuracy of a head's own outputs behind an encoder; order: [count] samples of the split, NULL: all. */
bool study_accuracy_of(const struct invar_run *run, const struct invar_encoder *encoder, const struct invar_head *head,
                       enum invar_split split, const int64_t *order, int64_t count, struct invar_accuracy *out,
                       struct invar_error *err);
/** "20", "1%" or "all"; text stays borrowed. */
bool study_labels_read(struct study_labels *out, const char *text, struct invar_error *err);
/** The linear probe with few labels, several draws of them: mean accuracy and its interval. */
cJSON *study_measure_few(const struct invar_embedded *train, const struct invar_embedded *test,
                         const struct invar_dataset_info *info, const struct study_settings *settings,
                         const struct study_labels *labels, struct invar_error *err);
/** What the label is called. */
const char *study_label_name(const struct invar_dataset_info *info, const struct study_settings *settings);
/** An encoder that was trained on labels. */
struct study_training;
/**
 * Trains the run's encoder anew, with a linear head on the labels of all training samples but a held-out part
 * (settings->linear.held_out and seed), for the steps of the run; keeps the state with the best held-out accuracy.
 * NULL with err (INVAR_ERROR_INTERRUPTED where the watch of the run ends it). Free with study_training_free.
 */
struct study_training *study_supervised_train(struct invar_run *run, const struct study_settings *settings,
                                              struct invar_error *err);
/** Adds how it was trained to a result, as "training". */
void study_supervised_describe(const struct study_training *supervised, enum invar_precision precision, cJSON *result);

#endif
