/* SPDX-License-Identifier: Apache-2.0 */
/* invar probe RUN: how well labels can be read from what the encoder learned, beside baselines. */
#include "base/json.h"
#include "cli/probe.h"
#include "cli/probe_test.h"
#include "cli/probe_training.h"
#include "invar/data.h"
#include "invar/memory.h"

#include <string.h>

static const char *const baselines[] = {"random", "input", "supervised", NULL};

struct arguments {
    bool json;
    int64_t threads;
    const char *method, *preset, *source, *label, *hold_out;
    const char *groups;
    const char *test; /* other data to be measured on; of features their test rows */
    const char *test_labels;
    bool drop_unknown, no_windows;
    int64_t draws;
    struct cli_list runs, baselines, labels, assignments;
    struct cli_list data; /* of the assignments those of the data section, without "data." */
};

static bool known(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

static bool set_labels(const struct arguments *arguments, struct probe_settings *settings, struct invar_error *err)
{
    const struct probe_method_spec *method = &probe_methods[settings->method];

    settings->draws = arguments->draws;
    settings->label_count = arguments->labels.count ? arguments->labels.count : 1;
    settings->labels[0] = (struct probe_labels){.text = "all"};
    if (arguments->labels.count > PROBE_MAX_LABELS)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--labels is given %d times; at most %d are taken",
                               arguments->labels.count, PROBE_MAX_LABELS);
    if (arguments->labels.count && !method->few_labels)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "--labels is of the methods linear, ridge and finetune: leave out %s, which is %s",
                               settings->preset ? "--preset" : "--method", method->name);
    if (arguments->labels.count && arguments->groups)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "--groups is of all labels, --labels of some of them: give one of the two");
    for (int i = 0; i < arguments->labels.count; i++)
        if (!probe_labels_read(&settings->labels[i], arguments->labels.item[i], err))
            return false;
    return true;
}

static bool set_method(const struct arguments *arguments, struct probe_settings *settings, struct invar_error *err)
{
    const struct probe_method_spec *method = probe_method_find(arguments->method ? arguments->method : "linear");

    if (!method)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "--method is \"%s\"; expected linear, ridge, neighbours, sgd, finetune or online",
                               arguments->method);
    settings->method = (enum probe_method)(method - probe_methods);
    if (!arguments->preset)
        return true;
    settings->preset = probe_preset_find(arguments->preset, err);
    if (!settings->preset)
        return false;
    if (arguments->method && settings->preset->method != settings->method)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--preset %s is of --method %s, and --method is %s: give one",
                               arguments->preset, probe_methods[settings->preset->method].name, arguments->method);
    settings->method = settings->preset->method;
    return true;
}

static bool set_baselines(const struct arguments *arguments, const struct probe_settings *settings,
                          struct invar_error *err)
{
    const struct probe_method_spec *method = &probe_methods[settings->method];

    for (int i = 0; i < arguments->baselines.count; i++) {
        const char *name = arguments->baselines.item[i];
        if (!known(name, baselines))
            return invar_error_set(err, INVAR_ERROR_USAGE, "--baseline is \"%s\"; expected random, input or supervised",
                                   name);
        if (!known(name, method->baselines))
            return invar_error_set(err, INVAR_ERROR_USAGE, "--method %s has no baseline %s; it has %s%s", method->name,
                                   name, method->baselines[0] ? method->baselines[0] : "none",
                                   method->baselines[0] && method->baselines[1] ? " and supervised" : "");
    }
    return true;
}

static bool has_option(const struct invar_option *table, const char *assignment)
{
    const size_t length = strcspn(assignment, "=");

    while (table->name && (strlen(table->name) != length || strncmp(table->name, assignment, length) != 0))
        table++;
    return table->name != NULL;
}

/* Whether labels are classes or numbers is not known yet. */
static bool set_linear(struct probe_settings *settings, const char *assignment, struct invar_error *err)
{
    const bool number = has_option(invar_ridge_option_table, assignment);
    const bool class = has_option(invar_probe_option_table, assignment);

    if (number && !class)
        settings->for_numbers = assignment;
    if (class && !number)
        settings->for_classes = assignment;
    return (!number || invar_options_set(invar_ridge_option_table, &settings->ridge, assignment, err)) &&
           ((number && !class) || invar_options_set(invar_probe_option_table, &settings->linear, assignment, err));
}

static bool set_options(const struct arguments *arguments, struct probe_settings *settings, struct invar_error *err)
{
    const struct invar_option *table;
    void *object;

    if (!set_method(arguments, settings, err))
        return false;
    for (int i = 0; i < PROBE_METHODS; i++)
        invar_options_default(probe_methods[i].options, (char *)settings + probe_methods[i].offset);
    table = probe_methods[settings->method].options;
    object = (char *)settings + probe_methods[settings->method].offset;
    for (int i = 0; settings->preset && settings->preset->settings[i]; i++)
        if (!invar_options_set(table, object, settings->preset->settings[i], err))
            return false;
    settings->assignments = &arguments->assignments;
    for (int i = 0; i < arguments->assignments.count; i++) {
        if (!(settings->method == PROBE_LINEAR ? set_linear(settings, arguments->assignments.item[i], err)
                                               : invar_options_set(table, object, arguments->assignments.item[i], err)))
            return false;
        settings->held_out_given |= strncmp(arguments->assignments.item[i], "held_out=", 9) == 0;
    }
    return set_labels(arguments, settings, err) && set_baselines(arguments, settings, err);
}

bool probe_check_labels(const struct invar_dataset_info *info, struct invar_error *err)
{
    if (info->classes < 2 && !info->label_number)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s has %d class%s; a probe needs labels of at least 2: give other labels, or other data with --data",
            info->source, info->classes, info->classes == 1 ? "" : "es");
    if (!info->count[INVAR_TRAIN] || !info->count[INVAR_TEST])
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s has no %s samples; a probe needs both splits: have one drawn with data.test_fraction", info->source,
            info->count[INVAR_TEST] ? "training" : "test");
    return true;
}

/* Features of both splits. */
static bool embed_both(struct cli_run *run, const struct invar_encoder *encoder, struct invar_embedded *train,
                       struct invar_embedded *test, struct invar_error *err)
{
    return cli_run_embed(run, encoder, INVAR_TRAIN, train, err) && cli_run_embed(run, encoder, INVAR_TEST, test, err);
}

/* Another encoder than the run's, or the run's. */
struct chosen {
    const struct invar_encoder *encoder;
    struct invar_encoder *random;
    struct probe_training *supervised;
};

static void chosen_free(struct chosen *chosen)
{
    invar_encoder_free(chosen->random);
    probe_training_free(chosen->supervised);
}

/* baseline NULL: the run itself. */
static bool choose_encoder(struct cli_run *run, const char *baseline, const struct probe_settings *settings,
                           struct chosen *out, struct invar_error *err)
{
    out->encoder = run->encoder;
    if (!run->encoder) /* features */
        return true;
    if (baseline && strcmp(baseline, "supervised") == 0) {
        out->supervised = probe_supervised_train(run, settings, err);
        out->encoder = out->supervised ? out->supervised->encoder : NULL;
    } else if (baseline && strcmp(baseline, "random") == 0) {
        out->random = cli_run_random_encoder(run, err);
        out->encoder = out->random;
    }
    return out->encoder != NULL;
}

static bool embed(struct cli_run *run, const struct invar_encoder *encoder, const char *baseline,
                  struct invar_embedded *train, struct invar_embedded *test, struct invar_error *err)
{
    const bool input = baseline && strcmp(baseline, "input") == 0;
    const bool ok = input ? invar_embed_input(run->dataset, INVAR_TRAIN, train, err) &&
                                invar_embed_input(run->dataset, INVAR_TEST, test, err)
                          : embed_both(run, encoder, train, test, err);

    if (ok && !invar_dataset_info(run->dataset)->label_number) {
        invar_embedded_keep_labelled(train);
        invar_embedded_keep_labelled(test);
    }
    return ok;
}

/* "linear", "neighbours_random", "random@20", "linear:speaker", "linear-speaker=theo", "lightly-knn_random" */
static void make_key(char *key, size_t size, const char *baseline, const struct probe_settings *settings,
                     const struct probe_labels *labels)
{
    const enum probe_method named = settings->method == PROBE_RIDGE ? PROBE_LINEAR : settings->method;
    const bool all = strcmp(labels->text, "all") == 0, bare = named == PROBE_LINEAR && baseline;
    const char *method = settings->preset ? settings->preset->name : probe_methods[named].name;

    snprintf(key, size, "%s%s%s%s%s%s%s%s%s", bare ? "" : method, baseline && !bare ? "_" : "",
             baseline ? baseline : "", all ? "" : "@", all ? "" : labels->text, settings->label ? ":" : "",
             settings->label ? settings->label : "", settings->hold_out ? "-" : "",
             settings->hold_out ? settings->hold_out : "");
}

/* What one encoder and all of its label counts share. */
struct subject {
    const char *baseline; /* NULL: the run */
    struct chosen chosen;
    struct invar_embedded train, test;    /* of methods on features */
    double *train_targets, *test_targets; /* of labels that are numbers */
};

/* Rows with a target, where the label is a number. */
static bool take_targets(const struct cli_run *run, struct subject *subject, struct invar_error *err)
{
    enum invar_split split = INVAR_TEST;
    const struct invar_dataset *test = run->test ? cli_test_dataset(run->test, &split) : run->dataset;

    return !invar_dataset_info(run->dataset)->label_number ||
           (probe_keep_targets(&subject->train, invar_dataset_targets(run->dataset, INVAR_TRAIN),
                               &subject->train_targets, err) &&
            probe_keep_targets(&subject->test, invar_dataset_targets(test, split), &subject->test_targets, err));
}

static cJSON *measure_one(struct cli_run *run, const struct subject *subject, const struct probe_settings *settings,
                          const struct probe_labels *labels, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const bool few = labels->per_class > 0 || labels->fraction > 0;

    const struct probe_numbers numbers = {&subject->train, &subject->test, subject->train_targets,
                                          subject->test_targets};

    if (info->label_number)
        return few ? probe_measure_number_few(&numbers, info, settings, labels, err)
                   : probe_measure_number(&numbers, info, settings, err);
    if (settings->method == PROBE_SGD)
        return probe_measure_sgd(run, subject->chosen.encoder, settings, err);
    if (settings->method == PROBE_ONLINE)
        return probe_measure_online(run, settings, err);
    if (settings->method == PROBE_FINETUNE)
        return probe_measure_finetune(run, subject->baseline != NULL, settings, labels, err);
    return few ? probe_measure_few(&subject->train, &subject->test, info, settings, labels, err)
               : probe_measure(&subject->train, &subject->test, info, settings, err);
}

static bool prepare(struct cli_run *run, const struct probe_settings *settings, struct subject *subject,
                    struct invar_error *err)
{
    const bool features =
        settings->method == PROBE_LINEAR || settings->method == PROBE_RIDGE || settings->method == PROBE_NEIGHBOURS;

    return choose_encoder(run, subject->baseline, settings, &subject->chosen, err) &&
           (!features ||
            (embed(run, subject->chosen.encoder, subject->baseline, &subject->train, &subject->test, err) &&
             take_targets(run, subject, err)));
}

static bool measure(struct cli_run *run, const struct probe_settings *settings, const char *baseline,
                    struct probe_report *out, struct invar_error *err)
{
    struct subject subject = {.baseline = baseline};
    bool ok = prepare(run, settings, &subject, err);

    for (int i = 0; ok && i < settings->label_count; i++) {
        cJSON *result = measure_one(run, &subject, settings, &settings->labels[i], err);
        char key[256];
        ok = result != NULL;
        if (!ok)
            break;
        probe_add_unlabelled(run, result);
        if (subject.chosen.supervised)
            probe_supervised_describe(subject.chosen.supervised, run->trained_in, result);
        if (subject.train.pooled || subject.test.pooled)
            cJSON_AddItemToObject(
                result, "pooled",
                cJSON_CreateDoubleArray((double[]){(double)subject.train.pooled, (double)subject.test.pooled}, 2));
        if (settings->label)
            cJSON_AddStringToObject(result, "label", settings->label);
        if (settings->hold_out)
            cJSON_AddStringToObject(result, "hold_out", settings->hold_out);
        make_key(key, sizeof key, baseline, settings, &settings->labels[i]);
        probe_report_add(out, key, result);
    }
    invar_embedded_free(&subject.train);
    invar_embedded_free(&subject.test);
    invar_free(subject.train_targets);
    invar_free(subject.test_targets);
    chosen_free(&subject.chosen);
    return ok;
}

static bool measure_all(struct cli_run *run, const struct arguments *arguments, const struct probe_settings *settings,
                        struct probe_report *report, struct invar_error *err)
{
    if (!measure(run, settings, NULL, report, err))
        return false;
    for (const char *const *name = baselines; *name; name++)
        for (int i = 0; i < arguments->baselines.count; i++)
            if (strcmp(arguments->baselines.item[i], *name) == 0) {
                if (!measure(run, settings, *name, report, err))
                    return false;
                break;
            }
    return true;
}

static bool choose_windows(struct cli_run *run, const struct arguments *arguments)
{
    run->windows = run->windows && !arguments->no_windows;
    return true;
}

/* Other labels, other splits than those of the data. */
static bool choose_labels(struct cli_run *run, const struct arguments *arguments, struct probe_settings *settings,
                          struct invar_error *err)
{
    return (!settings->label || invar_dataset_relabel(run->dataset, settings->label, "--label", err)) &&
           (!settings->hold_out || invar_dataset_hold_out(run->dataset, settings->hold_out, "--hold-out", err)) &&
           probe_check_labels(invar_dataset_info(run->dataset), err) &&
           probe_check_number(invar_dataset_info(run->dataset), settings, &arguments->baselines, arguments->groups,
                              err);
}

/* Whether --label, --hold-out and --test go with the rest. */
static bool check_data(const struct arguments *arguments, const struct probe_settings *settings,
                       struct invar_error *err)
{
    if (settings->method == PROBE_ONLINE && (settings->label || settings->hold_out))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "--%s is not of the method online, whose classifier knows the labels of the run",
                               settings->label ? "label" : "hold-out");
    if (!arguments->test)
        return !arguments->drop_unknown ||
               invar_error_set(err, INVAR_ERROR_USAGE, "--drop-unknown is of --test SOURCE, which is missing");
    if (settings->method != PROBE_LINEAR && settings->method != PROBE_RIDGE && settings->method != PROBE_NEIGHBOURS)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--test is of the methods linear and neighbours, not of %s",
                               probe_methods[settings->method].name);
    if (settings->hold_out)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "--test and --hold-out both say what is measured on: leave out one of them");
    for (int i = 0; i < arguments->baselines.count; i++)
        if (strcmp(arguments->baselines.item[i], "input") == 0)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "--test has no baseline input; it has random and supervised");
    return true;
}

/* Other data to be measured on, where some are named. */
static bool open_test(struct cli_run *run, const struct arguments *arguments, struct invar_error *err)
{
    if (arguments->test)
        run->test = cli_test_open(run, arguments->test, arguments->label, arguments->drop_unknown, err);
    return !arguments->test || run->test;
}

/* Into the file, with what it was computed on; what is shown is the same on any number of threads. */
static bool keep_results(const struct cli_run *run, const cJSON *results, struct invar_error *err)
{
    cJSON *kept = cJSON_Duplicate(results, true), *result;
    bool ok = true;

    cJSON_ArrayForEach(result, kept) ok = ok && (!cJSON_IsObject(result) || cli_run_add_machine(run, result, err));
    ok = ok && (!run->encoder || cli_run_merge(run->folder, "probe.json", kept, err));
    cJSON_Delete(kept);
    return ok;
}

static bool open_groups(const struct cli_run *run, const struct arguments *arguments, struct probe_groups *groups,
                        struct probe_settings *settings, struct invar_error *err)
{
    if (!arguments->groups)
        return true;
    settings->groups = groups;
    return probe_groups_open(groups, run, arguments->groups, err);
}

/* What was measured is written and shown whatever came after it: a later failure, Ctrl-C, a folder that takes no file.
 * The status is of the first of these. */
static int show_results(struct cli_run *run, const struct arguments *arguments, const struct probe_settings *settings,
                        struct probe_report *report, int status)
{
    struct invar_error err = {0};

    if (!json_whole("the results", &err))
        return status ? status : cli_fail(&err);
    if (!report->results->child)
        return status;
    cli_test_note(run, report->results);
    if (!keep_results(run, report->results, &err)) {
        const int failed = cli_fail(&err);
        status = status ? status : failed;
    }
    if (!json_whole("the results", NULL)) /* said above */
        return status;
    if (!arguments->json) {
        probe_report_print(report, settings, invar_dataset_info(run->dataset));
        cli_test_print(run);
        return status;
    }
    cJSON_AddStringToObject(report->results, run->encoder ? "run" : "features", arguments->runs.item[0]);
    const int printed = cli_print_json(report->results);
    report->results = NULL;
    return status ? status : printed;
}

/* Moves assignments of the data section to a list of their own. */
static bool split_assignments(struct arguments *arguments, bool features, struct invar_error *err)
{
    static const char *const allowed[] = {"label_kind=", "metadata="};

    cli_take_data(&arguments->assignments, &arguments->data);
    for (int i = 0; !features && i < arguments->data.count; i++) {
        const char *item = arguments->data.item[i];
        if (strncmp(item, allowed[0], strlen(allowed[0])) != 0 && strncmp(item, allowed[1], strlen(allowed[1])) != 0)
            return invar_error_set(
                err, INVAR_ERROR_USAGE,
                "data.%s: the data are as the run was trained on them; a probe changes data.label_kind and "
                "data.metadata alone",
                item);
    }
    return true;
}

/* What needs an encoder, of features that another program made; NULL: nothing. */
static const char *needs_encoder(const struct arguments *arguments, const struct probe_settings *settings)
{
    const bool of_features =
        settings->method == PROBE_LINEAR || settings->method == PROBE_RIDGE || settings->method == PROBE_NEIGHBOURS;

    return !of_features                 ? probe_methods[settings->method].name
           : arguments->baselines.count ? "--baseline"
           : arguments->source          ? "--data"
           : arguments->drop_unknown    ? "--drop-unknown"
           : arguments->no_windows      ? "--no-windows"
                                        : NULL;
}

static bool open_features(struct cli_run *run, const struct arguments *arguments, const char *labels,
                          struct probe_settings *settings, struct invar_error *err)
{
    const struct cli_features features = {.file = arguments->runs.item[0],
                                          .labels = labels,
                                          .label = arguments->label,
                                          .test = arguments->test,
                                          .test_labels = arguments->test_labels,
                                          .assignments = &arguments->data,
                                          .draw_test = true};

    settings->label = NULL; /* the column was chosen when the labels were read */
    return probe_check_features(&features, needs_encoder(arguments, settings), err) &&
           cli_run_open_features(run, &features, arguments->threads, err);
}

/* The run, or features in its place, with the labels that were asked for. */
static bool open_data(struct cli_run *run, const struct arguments *arguments, const char *labels,
                      struct probe_groups *groups, struct probe_settings *settings, struct invar_error *err)
{
    const char *folder = arguments->runs.item[0];

    if (cli_is_features(folder))
        return open_features(run, arguments, labels, settings, err) && choose_labels(run, arguments, settings, err) &&
               open_groups(run, arguments, groups, settings, err);
    if (labels || arguments->test_labels)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s %s: labels from a file are for features, FILE.npy; those of a run are in its data",
                               labels ? "--labels" : "--test-labels", labels ? labels : arguments->test_labels);
    return cli_run_merge(folder, "probe.json", NULL, err) &&
           cli_run_open(run, folder, arguments->source, &arguments->data, arguments->threads, err) &&
           choose_windows(run, arguments) && choose_labels(run, arguments, settings, err) &&
           open_test(run, arguments, err) && open_groups(run, arguments, groups, settings, err);
}

static int probe(struct arguments *arguments)
{
    struct invar_error err = {0};
    struct cli_run run = {0};
    struct probe_report report = {.results = cJSON_CreateObject()};
    struct probe_settings settings = {.label = arguments->label, .hold_out = arguments->hold_out};
    struct probe_groups groups = {0};
    const char *labels = cli_take_label_file(&arguments->labels);
    int status = CLI_DONE;

    if (!report.results)
        invar_error_set(&err, INVAR_ERROR_MEMORY,
                        "there is not enough memory for the results; free some and try again");
    const bool ready = report.results && split_assignments(arguments, cli_is_features(arguments->runs.item[0]), &err) &&
                       set_options(arguments, &settings, &err) && check_data(arguments, &settings, &err) &&
                       open_data(&run, arguments, labels, &groups, &settings, &err) &&
                       probe_tell_unlabelled(&run, &err);
    if (!ready || !measure_all(&run, arguments, &settings, &report, &err))
        status = cli_fail(&err);
    if (ready)
        status = show_results(&run, arguments, &settings, &report, status);
    cJSON_Delete(report.results);
    probe_groups_close(&groups);
    cli_run_close(&run);
    return status;
}

int invar_cli_probe(int argc, char **argv)
{
    struct arguments arguments = {.draws = 5};
    const struct cli_option options[] = {
        {"method", 0, "METHOD",
         "linear, neighbours, sgd, finetune or online (default: linear; of a label that is a number ridge regression)",
         CLI_TEXT, &arguments.method, 0, 0},
        {"preset", 0, "NAME", "the protocol of a paper or of other code, which sets the method and its options",
         CLI_TEXT, &arguments.preset, 0, 0},
        {"baseline", 0, "NAME",
         "the same on random (the encoder before training), input (the plain views) or supervised, as the method has "
         "them; repeatable",
         CLI_LIST, &arguments.baselines, 0, 0},
        {"labels", 0, "N|P%|FILE",
         "fit on few labels: N of every class, or P % of them; all: all of them (default); repeatable. Of FILE.npy "
         "also "
         "its labels, FILE.npy or FILE.csv",
         CLI_LIST, &arguments.labels, 0, 0},
        {"draws", 0, "N", "draws of few labels, whose mean is reported (default: 5)", CLI_INTEGER, &arguments.draws, 1,
         1000},
        {"label", 0, "FIELD", "probe another label of the same data: a field of data.pattern or a column of a table",
         CLI_TEXT, &arguments.label, 0, 0},
        {"hold-out", 0, "FIELD=VALUE",
         "fit on the training samples without that value of a field, measure on all that have it", CLI_TEXT,
         &arguments.hold_out, 0, 0},
        {"groups", 0, "COLUMN",
         "accuracy by the values of a field or column (of the data, or of a metadata.csv beside them), and the worst",
         CLI_TEXT, &arguments.groups, 0, 0},
        {"data", 0, "SOURCE", "other data, of which both splits are used (default: those of the run)", CLI_TEXT,
         &arguments.source, 0, 0},
        {"test", 0, "SOURCE", "measure on other data, whose classes have the same names, or some of them", CLI_TEXT,
         &arguments.test, 0, 0},
        {"test-labels", 0, "FILE", "of FILE.npy: the labels of --test FILE.npy", CLI_TEXT, &arguments.test_labels, 0,
         0},
        {"drop-unknown", 0, NULL, "of --test: leave out samples of classes that the training data lack", CLI_FLAG,
         &arguments.drop_unknown, 0, 0},
        {"no-windows", 0, NULL,
         "of clips longer than what the encoder sees the beginning alone, not the mean over windows (linear and "
         "neighbours)",
         CLI_FLAG, &arguments.no_windows, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "probe",
        .arguments = "RUN|FILE.npy [--method linear|neighbours|sgd|finetune|online] [--preset NAME] [--baseline "
                     "random|input|supervised]\n"
                     "             [--labels N|P%|FILE] [KEY=VALUE ...]",
        .purpose =
            "How well the labels can be read from the representations of a run: a linear classifier (or nearest "
            "neighbours)\non the frozen encoder, fitted on the training split, measured on the test split; or "
            "the encoder trained further on\nthe labels. The results also go into RUN/probe.json with all "
            "settings; docs/evaluation.md has the protocols.\nThe baseline "
            "supervised trains the run's encoder on labels, from the start and for as many steps as the run\n"
            "had, and keeps the state that is best on a held-out tenth of the training split: it takes about as "
            "long as\nthe run, and is made anew every time. FILE.npy holds features that another program made, "
            "one row a sample:\nprobes and neighbours of them as they are, with --labels FILE; data.KEY=VALUE as "
            "for the source npy:FILE.",
        .options = options,
        .positionals = &arguments.runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN or FILE.npy",
        .assignments = &arguments.assignments,
        .example = "  invar probe runs/quickstart --baseline random --baseline input\n"
                   "  invar probe runs/quickstart --labels 20 --labels 1% --baseline supervised\n"
                   "  invar probe runs/quickstart --method neighbours k=20\n"
                   "  invar probe runs/quickstart --method finetune --baseline random --labels 1%\n"
                   "  invar probe runs/quickstart --preset lightly-linear\n"
                   "  invar probe runs/digits --label speaker\n  invar probe runs/digits --hold-out speaker=theo\n"
                   "  invar probe runs/quickstart --test images:photos\n"
                   "  invar probe features.npy --labels features.csv\n",
        .more = probe_print_tables,
    };
    int status;
    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    return probe(&arguments);
}
