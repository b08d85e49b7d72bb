/* SPDX-License-Identifier: Apache-2.0 */
/* A probe of a run and of its baselines: settings from names and texts, then one measurement after the other. */
#include "base/json.h"
#include "invar/memory.h"
#include "study/study.h"
#include "study/training.h"

#include <stdio.h>
#include <string.h>

static const char *const baselines[] = {"random", "input", "supervised", NULL};

struct invar_probe {
    const struct invar_probe_request *request;
    struct study_settings settings; /* before the data are known */
};

static bool of_features(const struct study_settings *settings)
{
    return settings->method == STUDY_LINEAR || settings->method == STUDY_RIDGE || settings->method == STUDY_NEIGHBOURS;
}

static bool known(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

static bool set_labels(const struct invar_probe_request *request, struct study_settings *settings,
                       struct invar_error *err)
{
    const struct study_method_spec *method = &study_methods[settings->method];

    settings->draws = request->draws > 0 ? request->draws : 5;
    settings->label_count = request->label_count ? request->label_count : 1;
    settings->labels[0] = (struct study_labels){.text = "all"};
    if (request->label_count > STUDY_MAX_LABELS)
        return invar_error_set(err, INVAR_ERROR_USAGE, "labels is given %d times; at most %d are taken",
                               request->label_count, STUDY_MAX_LABELS);
    if (request->label_count && !method->few_labels)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "labels is of the methods linear, ridge and finetune: leave out %s, which is %s",
                               settings->preset ? "preset" : "method", method->name);
    if (request->label_count && request->groups)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "groups is of all labels, labels of some of them: give one of the two");
    for (int i = 0; i < request->label_count; i++)
        if (!study_labels_read(&settings->labels[i], request->labels[i], err))
            return false;
    return true;
}

static bool set_method(const struct invar_probe_request *request, struct study_settings *settings,
                       struct invar_error *err)
{
    const struct study_method_spec *method = study_method_find(request->method ? request->method : "linear");

    if (!method)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "method is \"%s\"; expected linear, ridge, neighbours, sgd, finetune or online",
                               request->method);
    settings->method = (enum study_method)(method - study_methods);
    if (!request->preset)
        return true;
    settings->preset = study_preset_find(request->preset, err);
    if (!settings->preset)
        return false;
    if (request->method && settings->preset->method != settings->method)
        return invar_error_set(err, INVAR_ERROR_USAGE, "preset %s is of method %s, and method is %s: give one",
                               request->preset, study_methods[settings->preset->method].name, request->method);
    settings->method = settings->preset->method;
    return true;
}

static bool set_baselines(const struct invar_probe_request *request, const struct study_settings *settings,
                          struct invar_error *err)
{
    const struct study_method_spec *method = &study_methods[settings->method];

    for (int i = 0; i < request->baseline_count; i++) {
        const char *name = request->baselines[i];
        if (!known(name, baselines))
            return invar_error_set(err, INVAR_ERROR_USAGE, "baseline is \"%s\"; expected random, input or supervised",
                                   name);
        if (!known(name, method->baselines))
            return invar_error_set(err, INVAR_ERROR_USAGE, "method %s has no baseline %s; it has %s%s", method->name,
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
static bool set_linear(struct study_settings *settings, const char *assignment, struct invar_error *err)
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

static bool set_options(const struct invar_probe_request *request, struct study_settings *settings,
                        struct invar_error *err)
{
    const struct invar_option *table;
    void *object;

    if (!set_method(request, settings, err))
        return false;
    for (int i = 0; i < STUDY_METHODS; i++)
        invar_options_default(study_methods[i].options, (char *)settings + study_methods[i].offset);
    table = study_methods[settings->method].options;
    object = (char *)settings + study_methods[settings->method].offset;
    for (int i = 0; settings->preset && settings->preset->settings[i]; i++)
        if (!invar_options_set(table, object, settings->preset->settings[i], err))
            return false;
    settings->given = request->settings;
    settings->given_count = request->setting_count;
    for (int i = 0; i < request->setting_count; i++) {
        if (!(settings->method == STUDY_LINEAR ? set_linear(settings, request->settings[i], err)
                                               : invar_options_set(table, object, request->settings[i], err)))
            return false;
        settings->held_out_given |= strncmp(request->settings[i], "held_out=", 9) == 0;
    }
    return set_labels(request, settings, err) && set_baselines(request, settings, err);
}

/* Whether label, hold-out and test go with the rest. */
static bool check_data(const struct invar_probe_request *request, const struct study_settings *settings,
                       struct invar_error *err)
{
    if (settings->method == STUDY_ONLINE && (settings->label || settings->hold_out))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s is not of the method online, whose classifier knows the labels of the run",
                               settings->label ? "label" : "hold-out");
    if (!request->test)
        return !request->drop_unknown ||
               invar_error_set(err, INVAR_ERROR_USAGE, "drop-unknown is of test SOURCE, which is missing");
    if (!of_features(settings))
        return invar_error_set(err, INVAR_ERROR_USAGE, "test is of the methods linear and neighbours, not of %s",
                               study_methods[settings->method].name);
    if (settings->hold_out)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "test and hold-out both say what is measured on: leave out one of them");
    for (int i = 0; i < request->baseline_count; i++)
        if (strcmp(request->baselines[i], "input") == 0)
            return invar_error_set(err, INVAR_ERROR_USAGE, "test has no baseline input; it has random and supervised");
    return true;
}

bool study_check_labels(const struct invar_dataset_info *info, struct invar_error *err)
{
    if (info->classes < 2 && !info->label_number)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s has %d class%s; a probe needs labels of at least 2: give other labels, or other data with data",
            info->source, info->classes, info->classes == 1 ? "" : "es");
    if (!info->count[INVAR_TRAIN] || !info->count[INVAR_TEST])
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s has no %s samples; a probe needs both splits: have one drawn with data.test_fraction", info->source,
            info->count[INVAR_TEST] ? "training" : "test");
    return true;
}

/* Features of both splits. */
static bool embed_both(struct invar_run *run, const struct invar_encoder *encoder, struct invar_embedded *train,
                       struct invar_embedded *test, struct invar_error *err)
{
    return invar_run_embed(run, encoder, INVAR_TRAIN, train, err) &&
           invar_run_embed(run, encoder, INVAR_TEST, test, err);
}

/* Another encoder than the run's, or the run's. */
struct chosen {
    const struct invar_encoder *encoder;
    struct invar_encoder *random;
    struct study_training *supervised;
};

static void chosen_free(struct chosen *chosen)
{
    invar_encoder_free(chosen->random);
    study_training_free(chosen->supervised);
}

/* baseline NULL: the run itself. */
static bool choose_encoder(struct invar_run *run, const char *baseline, const struct study_settings *settings,
                           struct chosen *out, struct invar_error *err)
{
    out->encoder = run->encoder;
    if (!run->encoder) /* features */
        return true;
    if (baseline && strcmp(baseline, "supervised") == 0) {
        out->supervised = study_supervised_train(run, settings, err);
        out->encoder = out->supervised ? out->supervised->encoder : NULL;
    } else if (baseline && strcmp(baseline, "random") == 0) {
        out->random = invar_run_random_encoder(run, err);
        out->encoder = out->random;
    }
    return out->encoder != NULL;
}

static bool embed(struct invar_run *run, const struct invar_encoder *encoder, const char *baseline,
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
static void make_key(char *key, size_t size, const char *baseline, const struct study_settings *settings,
                     const struct study_labels *labels)
{
    const enum study_method named = settings->method == STUDY_RIDGE ? STUDY_LINEAR : settings->method;
    const bool all = strcmp(labels->text, "all") == 0, bare = named == STUDY_LINEAR && baseline;
    const char *method = settings->preset ? settings->preset->name : study_methods[named].name;

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
static bool take_targets(const struct invar_run *run, struct subject *subject, struct invar_error *err)
{
    enum invar_split split;
    const struct invar_dataset *test = invar_run_tested(run, &split);

    return !invar_dataset_info(run->dataset)->label_number ||
           (study_keep_targets(&subject->train, invar_dataset_targets(run->dataset, INVAR_TRAIN),
                               &subject->train_targets, err) &&
            study_keep_targets(&subject->test, invar_dataset_targets(test, split), &subject->test_targets, err));
}

static cJSON *measure_one(struct invar_run *run, const struct subject *subject, const struct study_settings *settings,
                          const struct study_labels *labels, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const bool few = labels->per_class > 0 || labels->fraction > 0;

    const struct study_numbers numbers = {&subject->train, &subject->test, subject->train_targets,
                                          subject->test_targets};

    if (info->label_number)
        return few ? study_measure_number_few(&numbers, info, settings, labels, err)
                   : study_measure_number(&numbers, info, settings, err);
    if (settings->method == STUDY_SGD)
        return study_measure_sgd(run, subject->chosen.encoder, settings, err);
    if (settings->method == STUDY_ONLINE)
        return study_measure_online(run, settings, err);
    if (settings->method == STUDY_FINETUNE)
        return study_measure_finetune(run, subject->baseline != NULL, settings, labels, err);
    return few ? study_measure_few(&subject->train, &subject->test, info, settings, labels, err)
               : study_measure(&subject->train, &subject->test, info, settings, err);
}

static bool prepare(struct invar_run *run, const struct study_settings *settings, struct subject *subject,
                    struct invar_error *err)
{
    return choose_encoder(run, subject->baseline, settings, &subject->chosen, err) &&
           (!of_features(settings) ||
            (embed(run, subject->chosen.encoder, subject->baseline, &subject->train, &subject->test, err) &&
             take_targets(run, subject, err)));
}

static bool measure(struct invar_run *run, const struct study_settings *settings, const char *baseline, cJSON *out,
                    struct invar_error *err)
{
    struct subject subject = {.baseline = baseline};
    bool ok = prepare(run, settings, &subject, err);

    for (int i = 0; ok && i < settings->label_count; i++) {
        cJSON *result = measure_one(run, &subject, settings, &settings->labels[i], err);
        char key[256];
        ok = result != NULL;
        if (!ok)
            break;
        study_add_unlabelled(run, result);
        if (subject.chosen.supervised)
            study_supervised_describe(subject.chosen.supervised, run->trained_in, result);
        if (subject.train.pooled || subject.test.pooled)
            cJSON_AddItemToObject(
                result, "pooled",
                cJSON_CreateDoubleArray((double[]){(double)subject.train.pooled, (double)subject.test.pooled}, 2));
        if (settings->label)
            cJSON_AddStringToObject(result, "label", settings->label);
        if (settings->hold_out)
            cJSON_AddStringToObject(result, "hold_out", settings->hold_out);
        make_key(key, sizeof key, baseline, settings, &settings->labels[i]);
        cJSON_AddItemToObject(out, key, result);
    }
    invar_embedded_free(&subject.train);
    invar_embedded_free(&subject.test);
    invar_free(subject.train_targets);
    invar_free(subject.test_targets);
    chosen_free(&subject.chosen);
    return ok;
}

static bool measure_all(struct invar_run *run, const struct invar_probe_request *request,
                        const struct study_settings *settings, cJSON *results, struct invar_error *err)
{
    if (!measure(run, settings, NULL, results, err))
        return false;
    for (const char *const *name = baselines; *name; name++)
        for (int i = 0; i < request->baseline_count; i++)
            if (strcmp(request->baselines[i], *name) == 0) {
                if (!measure(run, settings, *name, results, err))
                    return false;
                break;
            }
    return true;
}

/* Other labels, other splits than those of the data. */
static bool choose_labels(struct invar_run *run, const struct invar_probe_request *request,
                          struct study_settings *settings, struct invar_error *err)
{
    return (!settings->label || invar_dataset_relabel(run->dataset, settings->label, "label", err)) &&
           (!settings->hold_out || invar_dataset_hold_out(run->dataset, settings->hold_out, "hold-out", err)) &&
           study_check_labels(invar_dataset_info(run->dataset), err) &&
           study_check_number(invar_dataset_info(run->dataset), settings, request, err);
}

/* Into the file, with what it was computed on; what is shown is the same on any number of threads. */
static bool keep_results(const struct invar_run *run, const cJSON *results, struct invar_error *err)
{
    cJSON *kept = cJSON_Duplicate(results, true), *result;
    bool ok = true;

    cJSON_ArrayForEach(result, kept) ok = ok && (!cJSON_IsObject(result) || run_add_machine(run, result, err));
    ok = ok && (!run->encoder || run_results_merge(run->folder, "probe.json", kept, err));
    cJSON_Delete(kept);
    return ok;
}

/* Features that another program made have no encoder that could be trained, started anew or given other data. */
static bool check_encoder(const struct invar_run *run, const struct invar_probe_request *request,
                          const struct study_settings *settings, struct invar_error *err)
{
    const char *misfit = !of_features(settings)        ? study_methods[settings->method].name
                         : request->baseline_count > 0 ? "a baseline"
                         : request->test               ? "test SOURCE"
                                                       : NULL;

    return run->encoder || !misfit ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s is for runs: %s holds features, which linear probes, ridge regression and neighbours "
                           "are for",
                           misfit, run->folder);
}

/* The data as they are to be measured on. */
static bool open_data(struct invar_run *run, const struct invar_probe_request *request, struct study_groups *groups,
                      struct study_settings *settings, struct invar_error *err)
{
    if (!check_encoder(run, request, settings, err) ||
        (run->encoder && !run_results_merge(run->folder, "probe.json", NULL, err)) ||
        !choose_labels(run, request, settings, err) ||
        (request->test && !invar_run_test_open(run, request->test, request->label, request->drop_unknown, err)))
        return false;
    settings->groups = request->groups ? groups : NULL;
    return (!request->groups || study_groups_open(groups, run, request->groups, err)) &&
           study_tell_unlabelled(run, err);
}

struct invar_probe *invar_probe_create(const struct invar_probe_request *request, struct invar_error *err)
{
    struct invar_probe *probe = invar_alloc(1, sizeof *probe, err);

    if (!probe)
        return NULL;
    probe->request = request;
    probe->settings.label = request->label;
    probe->settings.hold_out = request->hold_out;
    if (set_options(request, &probe->settings, err) && check_data(request, &probe->settings, err))
        return probe;
    invar_probe_free(probe);
    return NULL;
}

void invar_probe_free(struct invar_probe *probe)
{
    invar_free(probe);
}

bool invar_probe_run(const struct invar_probe *probe, struct invar_run *run, struct invar_results **out,
                     struct invar_error *err)
{
    struct study_settings settings = probe->settings;
    struct invar_results *results = run_results_create(err);
    struct study_groups groups = {0};
    bool ok = results && open_data(run, probe->request, &groups, &settings, err) &&
              measure_all(run, probe->request, &settings, results->root, err);

    *out = NULL;
    study_groups_close(&groups);
    if (results && results->root->child && json_whole("the results", ok ? err : NULL)) {
        run_test_note(run, results->root);
        ok = keep_results(run, results->root, ok ? err : NULL) && ok;
        if (json_whole("the results", ok ? err : NULL)) {
            *out = results;
            return ok;
        }
    }
    invar_results_free(results);
    return false;
}
