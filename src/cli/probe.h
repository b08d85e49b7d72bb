/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_PROBE_H
#define INVAR_CLI_PROBE_H

#include "cli/run.h"
#include "invar/data.h"
#include "invar/regression.h"
#include "invar/sgd_probe.h"

enum { PROBE_MAX_LABELS = 16 };

/** Of which training samples the labels are used. */
struct probe_labels {
    const char *text;  /**< as given: "all", "20", "1%" */
    int64_t per_class; /**< 0: fraction of every class; both 0: all */
    double fraction;
};

enum probe_method {
    PROBE_LINEAR,
    PROBE_RIDGE, /**< what linear becomes where the label is a number */
    PROBE_NEIGHBOURS,
    PROBE_SGD,
    PROBE_FINETUNE,
    PROBE_ONLINE,
    PROBE_METHODS
};

/** Fine-tuning: the encoder and a linear head trained on labels. */
struct probe_finetune_options {
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
extern const struct invar_option probe_finetune_option_table[];
extern const struct invar_option probe_online_option_table[];

struct probe_preset;

/** What --groups names. */
struct probe_groups {
    const char *column;
    enum invar_split split; /**< of the samples that are measured on */
    struct invar_field field;
};

struct probe_settings {
    const char *label, *hold_out;      /**< a field, a condition on one; NULL: as the data are */
    const struct probe_groups *groups; /**< NULL: none */
    enum probe_method method;
    const struct probe_preset *preset;  /**< NULL: none */
    const struct cli_list *assignments; /**< KEY=VALUE as given, on top of a preset */
    struct invar_probe_options linear;  /**< of other methods: for the supervised baseline */
    struct invar_ridge_options ridge;
    struct invar_neighbours_options knn;
    struct invar_sgd_probe_options sgd;
    struct probe_finetune_options finetune;
    int label_count;
    struct probe_labels labels[PROBE_MAX_LABELS];
    int64_t draws;                         /**< of few labels */
    bool held_out_given;                   /**< else few labels have a default of their own */
    const char *for_classes, *for_numbers; /**< a KEY=VALUE of linear that is of one kind of label alone; NULL: none */
};

/** One method: where its options are, and what it can be asked for. */
struct probe_method_spec {
    const char *name, *help;
    const struct invar_option *options;
    size_t offset;                /**< of its options in the settings */
    const char *const *baselines; /**< NULL-ended */
    bool few_labels;
};
/** By enum probe_method. */
extern const struct probe_method_spec probe_methods[PROBE_METHODS];
const struct probe_method_spec *probe_method_find(const char *name);

/** The protocol of a paper or of other code, as settings of a method. */
struct probe_preset {
    const char *name, *help;
    enum probe_method method;
    const char *const *settings; /**< KEY=VALUE, NULL-ended */
    const char *differs;         /**< a sentence on what is not as there; NULL: nothing known */
    const char *source;          /**< where it is from */
};
/** Ended by one without a name. */
extern const struct probe_preset probe_presets[];
/** Presets, and the options of every method, for --help. */
void probe_print_tables(FILE *stream);
/** Refuses features without labels, and what needs an encoder (misfit: its name; NULL: nothing does). */
bool probe_check_features(const struct cli_features *features, const char *misfit, struct invar_error *err);
/** NULL with err, which names the nearest, where there is no such preset. */
const struct probe_preset *probe_preset_find(const char *name, struct invar_error *err);

/** Results by name, in the order of measuring, as they go into probe.json. */
struct probe_report {
    cJSON *results;
};

/** Samples of a split that have a label. */
int64_t probe_count_labelled(const struct invar_dataset *dataset, enum invar_split split);
/** Refuses data without any label in one of the splits; says how many have one where some lack it. */
bool probe_tell_unlabelled(const struct cli_run *run, struct invar_error *err);
/** Adds how many samples of each split were left out for want of a label, where there are such. */
void probe_add_unlabelled(const struct cli_run *run, cJSON *result);
/** Refuses data without labels of two classes, where they are no numbers, or without one of the splits. */
bool probe_check_labels(const struct invar_dataset_info *info, struct invar_error *err);
/** Fractions as scikit-learn has them; auroc NAN: there is none. */
struct probe_measures {
    double balanced_accuracy, macro_f1, auroc, ece;
};
struct probe_measures probe_measures_of(const struct invar_accuracy *accuracy);
/** Adds a share of 1 / draws of one draw's to their mean, which is 0 at first. */
void probe_measures_average(struct probe_measures *mean, const struct invar_accuracy *draw, int64_t draws);
/** Adds them by their names, or auroc_absent, a sentence. */
void probe_add_measures(cJSON *object, const struct probe_measures *measures);
/** Adds top1, interval, top5, the measures, per_class and confusion. */
void probe_add_accuracy(cJSON *object, const struct invar_accuracy *accuracy);
/** Refuses a column that there is not, or that no test sample has a value of. Close what was zeroed or opened. */
bool probe_groups_open(struct probe_groups *groups, const struct cli_run *run, const char *column,
                       struct invar_error *err);
void probe_groups_close(struct probe_groups *groups);
/** Adds "groups", accuracy by group, where settings->groups is set. index: numbers of the samples measured on. */
bool probe_add_groups(cJSON *object, const struct invar_accuracy *accuracy, const int64_t *index,
                      const struct probe_settings *settings, struct invar_error *err);
void probe_groups_print(const cJSON *results);
/** Adds top1, the mean of draws, and interval, its 95 % interval (none of one draw). */
void probe_add_interval(cJSON *object, const double *top1, int64_t draws);
/** Adds "protocol": method, preset, every option as it was used, and on what choices were made. */
void probe_add_protocol(cJSON *object, const struct probe_settings *settings);
/** One probe of given features as the JSON object of probe.json; NULL with err. */
cJSON *probe_measure(const struct invar_embedded *train, const struct invar_embedded *test,
                     const struct invar_dataset_info *info, const struct probe_settings *settings,
                     struct invar_error *err);
/** Adds data, counts, dimensions and classes. */
void probe_add_data(cJSON *object, const struct invar_embedded *train, const struct invar_embedded *test,
                    const struct invar_dataset_info *info);

/** Features with labels that are numbers. */
struct probe_numbers {
    const struct invar_embedded *train, *test;
    double *train_targets, *test_targets;
};
/** Of a label that is a number refuses what needs classes, and makes the method linear ridge; of classes refuses ridge
 * and its options. */
bool probe_check_number(const struct invar_dataset_info *info, struct probe_settings *settings,
                        const struct cli_list *baselines, const char *groups, struct invar_error *err);
/** Keeps the rows that have a target; out [rows], which the caller frees. targets: of all samples of the split. */
bool probe_keep_targets(struct invar_embedded *embedded, const double *targets, double **out, struct invar_error *err);
/** Ridge regression or neighbours' means as the JSON object of probe.json; NULL with err. */
cJSON *probe_measure_number(const struct probe_numbers *numbers, const struct invar_dataset_info *info,
                            const struct probe_settings *settings, struct invar_error *err);
/** The same with few of the training rows, several draws of them: means, and the interval of R2. */
cJSON *probe_measure_number_few(const struct probe_numbers *numbers, const struct invar_dataset_info *info,
                                const struct probe_settings *settings, const struct probe_labels *labels,
                                struct invar_error *err);
/** Adds spearman, or why there is none (NAN). */
void probe_add_spearman(cJSON *object, double spearman);
void probe_numbers_print(const cJSON *results);
/** The linear probe by SGD of an encoder. */
cJSON *probe_measure_sgd(struct cli_run *run, const struct invar_encoder *encoder,
                         const struct probe_settings *settings, struct invar_error *err);
/** Fine-tuning from the run's encoder, or from its initial weights (random), with all or with few labels. */
cJSON *probe_measure_finetune(struct cli_run *run, bool random, const struct probe_settings *settings,
                              const struct probe_labels *labels, struct invar_error *err);
/** RUN/classifier.safetensors on the test split, with RUN/encoder.safetensors. */
cJSON *probe_measure_online(const struct cli_run *run, const struct probe_settings *settings, struct invar_error *err);
/** Accuracy of a head's own outputs behind an encoder; order: [count] samples of the split, NULL: all. */
bool probe_accuracy_of(const struct cli_run *run, const struct invar_encoder *encoder, const struct invar_head *head,
                       enum invar_split split, const int64_t *order, int64_t count, struct invar_accuracy *out,
                       struct invar_error *err);
/** "20", "1%" or "all"; text stays borrowed. */
bool probe_labels_read(struct probe_labels *out, const char *text, struct invar_error *err);
/** The linear probe with few labels, several draws of them: mean accuracy and its interval. */
cJSON *probe_measure_few(const struct invar_embedded *train, const struct invar_embedded *test,
                         const struct invar_dataset_info *info, const struct probe_settings *settings,
                         const struct probe_labels *labels, struct invar_error *err);
/** Takes the result. */
void probe_report_add(struct probe_report *report, const char *name, cJSON *result);
/** What the label is called. */
const char *probe_label_name(const struct invar_dataset_info *info, const struct probe_settings *settings);
/** Text for people. */
void probe_report_print(const struct probe_report *report, const struct probe_settings *settings,
                        const struct invar_dataset_info *info);

/** An encoder that was trained on labels. */
struct probe_training;
/**
 * Trains the run's encoder anew, with a linear head on the labels of all training samples but a held-out part
 * (settings->linear.held_out and seed), for the steps of the run; keeps the state with the best held-out accuracy.
 * NULL with err (INVAR_ERROR_INTERRUPTED after Ctrl-C). Free with probe_training_free.
 */
struct probe_training *probe_supervised_train(struct cli_run *run, const struct probe_settings *settings,
                                              struct invar_error *err);
/** Adds how it was trained to a result, as "training". */
void probe_supervised_describe(const struct probe_training *supervised, enum invar_precision precision, cJSON *result);

#endif
