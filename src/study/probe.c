/* SPDX-License-Identifier: Apache-2.0 */
/* A probe of a run and of its baselines: settings from names and texts, then one measurement after the other. */
#include "base/names.h"
#include "base/options.h"
#include "invar/memory.h"
#include "study/study.h"
#include "study/training.h"
#include "run/test.h"

#include <stdio.h>
#include <string.h>

static const char *const baselines[] = {"random", "input", "supervised", NULL};

#define ONE(name) +1
enum { METHODS = 0 STUDY_METHODS(ONE) };

struct invar_probe {
    const struct invar_probe_request *request;
    struct study_settings settings; /* before the data are known */
    void *options[METHODS];         /* of each, owned */
};

static bool set_labels(const struct invar_probe_request *request, struct study_settings *settings,
                       struct invar_error *err)
{
    const struct study_method_spec *method = settings->method;

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
    settings->method = study_method_find(request->method ? request->method : "linear", err);
    if (!settings->method || !request->preset)
        return settings->method;
    settings->preset = study_preset_find(request->preset, err);
    if (!settings->preset)
        return false;
    if (request->method && settings->preset->method != settings->method)
        return invar_error_set(err, INVAR_ERROR_USAGE, "preset %s is of method %s, and method is %s: give one",
                               request->preset, settings->preset->method->name, request->method);
    settings->method = settings->preset->method;
    return true;
}

static bool set_baselines(const struct invar_probe_request *request, const struct study_settings *settings,
                          struct invar_error *err)
{
    const struct study_method_spec *method = settings->method;

    for (int i = 0; i < request->baseline_count; i++) {
        const char *name = request->baselines[i];
        if (!names_find(NAMES_TEXTS("baseline", baselines), NULL, name, err))
            return false;
        if (!names_look(NAMES_TEXTS("baseline", method->baselines), name, strlen(name)))
            return invar_error_set(err, INVAR_ERROR_USAGE, "method %s has no baseline %s; it has %s%s", method->name,
                                   name, method->baselines[0] ? method->baselines[0] : "none",
                                   method->baselines[0] && method->baselines[1] ? " and supervised" : "");
    }
    return true;
}

static bool has_option(const struct invar_option *table, const char *assignment)
{
    return option_find(table, assignment, strcspn(assignment, "="), NULL);
}

static void *options_of(struct invar_probe *probe, const struct study_method_spec *method)
{
    int i = 0;

    while (study_methods[i] != method)
        i++;
    return probe->options[i];
}

static bool make_options(struct invar_probe *probe, struct invar_error *err)
{
    for (int i = 0; i < METHODS; i++) {
        probe->options[i] = invar_alloc(1, study_methods[i]->size + 1, err);
        if (!probe->options[i])
            return false;
        invar_options_default(study_methods[i]->options, probe->options[i]);
    }
    probe->settings.options = probe->options;
    return true;
}

/* Where it is not known yet whether labels are classes or numbers, an option may be of the method for either. */
static bool set_option(struct invar_probe *probe, const char *assignment, struct invar_error *err)
{
    struct study_settings *settings = &probe->settings;
    const struct study_method_spec *method = settings->method, *numbers = method->of_numbers;
    const bool number = numbers && has_option(numbers->options, assignment);
    const bool class = !number || has_option(method->options, assignment);

    if (number && !class)
        settings->for_numbers = assignment;
    if (numbers && class && !number && has_option(method->options, assignment))
        settings->for_classes = assignment;
    return (!number || invar_options_set(numbers->options, options_of(probe, numbers), assignment, err)) &&
           (!class || invar_options_set(method->options, options_of(probe, method), assignment, err));
}

static bool set_options(struct invar_probe *probe, struct invar_error *err)
{
    const struct invar_probe_request *request = probe->request;
    struct study_settings *settings = &probe->settings;

    if (!set_method(request, settings, err) || !make_options(probe, err))
        return false;
    for (int i = 0; settings->preset && settings->preset->settings[i]; i++)
        if (!invar_options_set(settings->method->options, options_of(probe, settings->method),
                               settings->preset->settings[i], err))
            return false;
    settings->given = request->settings;
    settings->given_count = request->setting_count;
    for (int i = 0; i < request->setting_count; i++) {
        if (!set_option(probe, request->settings[i], err))
            return false;
        settings->held_out_given |= strncmp(request->settings[i], "held_out=", 9) == 0;
    }
    return set_labels(request, settings, err) && set_baselines(request, settings, err);
}

/* Whether label, hold-out and test go with the rest. */
static bool check_data(const struct invar_probe_request *request, const struct study_settings *settings,
                       struct invar_error *err)
{
    if (settings->method->own_labels && (settings->label || settings->hold_out))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s is not of the method %s, whose classifier knows the labels of the run",
                               settings->label ? "label" : "hold-out", settings->method->name);
    if (request->compete && strcmp(request->compete, "train") != 0 && strcmp(request->compete, "test") != 0)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "compete is \"%s\"; expected train (all classes of training) or test (those that the test "
            "data have)",
            request->compete);
    if (!request->test)
        return (!request->drop_unknown && !request->compete && !request->class_map && !request->test_labels) ||
               invar_error_set(err, INVAR_ERROR_USAGE, "%s is of test SOURCE, which is missing",
                               request->drop_unknown ? "drop-unknown"
                               : request->compete    ? "compete"
                               : request->class_map  ? "class-map"
                                                     : "test-labels");
    if ((request->compete || request->class_map) && (settings->method != &study_method_linear || request->label_count))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s is of the method linear with all labels: leave out method and labels",
                               request->compete ? "compete" : "class-map");
    if (!settings->method->of_features)
        return invar_error_set(err, INVAR_ERROR_USAGE, "test is of the methods linear and neighbours, not of %s",
                               settings->method->name);
    if (settings->hold_out)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "test and hold-out both say what is measured on: leave out one of them");
    for (int i = 0; i < request->baseline_count; i++)
        if (strcmp(request->baselines[i], "input") == 0)
            return invar_error_set(err, INVAR_ERROR_USAGE, "test has no baseline input; it has random and supervised");
    return true;
}

bool study_check_labels(const struct invar_dataset_info *info, bool tested, struct invar_error *err)
{
    if (info->classes < 2 && !info->label_number)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s has %d class%s; a probe needs labels of at least 2: give other labels (of an array "
                               "data.labels=FILE), or other data with data",
                               info->source, info->classes, info->classes == 1 ? "" : "es");
    if (!info->count[INVAR_TRAIN] || (tested && !info->count[INVAR_TEST]))
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s has no %s samples; a probe needs both splits: have one drawn with data.test_fraction", info->source,
            info->count[INVAR_TRAIN] ? "test" : "training");
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
        out->supervised = study_supervised_train(run, study_options_of(settings, &study_method_linear), err);
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
static const char *make_name(struct json_room *room, const char *baseline, const struct study_settings *settings,
                             const struct study_labels *labels)
{
    const char *named = settings->method->key ? settings->method->key : settings->method->name;
    const bool all = strcmp(labels->text, "all") == 0, bare = strcmp(named, "linear") == 0 && baseline;
    const char *method = settings->preset ? settings->preset->name : named;
    char name[256];

    snprintf(name, sizeof name, "%s%s%s%s%s%s%s%s%s", bare ? "" : method, baseline && !bare ? "_" : "",
             baseline ? baseline : "", all ? "" : "@", all ? "" : labels->text, settings->label ? ":" : "",
             settings->label ? settings->label : "", settings->hold_out ? "-" : "",
             settings->hold_out ? settings->hold_out : "");
    return json_room_text(room, name);
}

/* Rows with a target, where the label is a number. */
static bool take_targets(struct study_subject *subject, struct invar_error *err)
{
    const struct invar_run *run = subject->run;
    enum invar_split split;
    const struct invar_dataset *test = invar_run_tested(run, &split);

    return !invar_dataset_info(run->dataset)->label_number ||
           (study_keep_targets(&subject->train, invar_dataset_targets(run->dataset, INVAR_TRAIN),
                               &subject->train_targets, err) &&
            study_keep_targets(&subject->test, invar_dataset_targets(test, split), &subject->test_targets, err));
}

static bool prepare(struct study_subject *subject, struct chosen *chosen, struct invar_error *err)
{
    if (!choose_encoder(subject->run, subject->baseline, subject->settings, chosen, err))
        return false;
    subject->encoder = chosen->encoder;
    return !subject->settings->method->of_features ||
           (embed(subject->run, chosen->encoder, subject->baseline, &subject->train, &subject->test, err) &&
            take_targets(subject, err));
}

/* What results of all methods say. */
static void describe(const struct study_subject *subject, const struct study_training *supervised,
                     const struct study_labels *labels, struct invar_probed *out)
{
    const struct study_settings *settings = subject->settings;

    out->name = make_name(subject->room, subject->baseline, settings, labels);
    study_count_unlabelled(subject->run, out->unlabelled);
    if (supervised)
        out->training = study_supervised_describe(supervised, subject->run->trained_in, subject->room);
    if (subject->train.pooled || subject->test.pooled) {
        out->pooled[0] = (double)subject->train.pooled;
        out->pooled[1] = (double)subject->test.pooled;
    }
    out->label = json_room_text(subject->room, settings->label);
    out->hold_out = json_room_text(subject->room, settings->hold_out);
}

static bool measure(struct invar_run *run, const struct study_settings *settings, const char *baseline,
                    struct invar_probe_results *results, struct invar_error *err)
{
    struct study_subject subject = {.run = run,
                                    .settings = settings,
                                    .options = study_options_of(settings, settings->method),
                                    .baseline = baseline,
                                    .room = study_probe_results_room(results)};
    struct chosen chosen = {0};
    bool ok = prepare(&subject, &chosen, err);

    for (int i = 0; ok && i < settings->label_count; i++) {
        struct invar_probed *out = study_probe_results_add(results, err);
        ok = out && settings->method->measure(&subject, &settings->labels[i], out, err);
        if (ok)
            describe(&subject, chosen.supervised, &settings->labels[i], out);
        else if (out)
            results->count--;
    }
    invar_embedded_free(&subject.train);
    invar_embedded_free(&subject.test);
    invar_free(subject.train_targets);
    invar_free(subject.test_targets);
    chosen_free(&chosen);
    return ok;
}

static bool measure_all(struct invar_run *run, const struct invar_probe_request *request,
                        const struct study_settings *settings, struct invar_probe_results *results,
                        struct invar_error *err)
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
           study_check_labels(invar_dataset_info(run->dataset), !request->test, err) &&
           study_check_number(invar_dataset_info(run->dataset), settings, request, err);
}

/* Features that another program made have no encoder that could be trained, started anew or given other data. */
static bool check_encoder(const struct invar_run *run, const struct invar_probe_request *request,
                          const struct study_settings *settings, struct invar_error *err)
{
    const char *misfit = !settings->method->of_features ? settings->method->name
                         : request->baseline_count > 0  ? "a baseline"
                         : request->test                ? "test SOURCE"
                                                        : NULL;

    return run->encoder || !misfit ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s is for runs: %s holds features, which linear probes, ridge regression and neighbours "
                           "are for",
                           misfit, run->folder);
}

/* The plain view of a preset, where none was asked for. Only images have one. */
static bool see_as_preset(struct invar_run *run, const struct study_preset *preset, struct invar_error *err)
{
    enum { SIDE = 224 };
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);

    if (!preset || !run->encoder || info->kind != INVAR_DATA_IMAGE || info->plain.resize ||
        info->plain.interpolation != INVAR_BILINEAR)
        return true;
    const struct invar_shape input = invar_net_input(run->encoder->net);
    const int64_t side = input.height < input.width ? input.height : input.width;
    const struct invar_plain_view plain = {(preset->plain.resize * side + SIDE / 2) / SIDE,
                                           preset->plain.interpolation};
    return invar_run_set_plain(run, &plain, err);
}

/* The data as they are to be measured on. */
static bool open_data(struct invar_run *run, const struct invar_probe_request *request, struct study_groups *groups,
                      struct study_settings *settings, struct invar_error *err)
{
    if (!check_encoder(run, request, settings, err) ||
        (run->encoder && invar_run_leads(run) && !study_probe_results_keep(NULL, run->folder, err)) ||
        !choose_labels(run, request, settings, err) || !see_as_preset(run, settings->preset, err) ||
        (request->test && !invar_run_test_open(run, request->test, request->test_labels, request->label,
                                               request->class_map, request->drop_unknown, err)))
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
    probe->settings.compete_test = request->compete && strcmp(request->compete, "test") == 0;
    if (set_options(probe, err) && check_data(request, &probe->settings, err))
        return probe;
    invar_probe_free(probe);
    return NULL;
}

void invar_probe_free(struct invar_probe *probe)
{
    if (!probe)
        return;
    for (int i = 0; i < METHODS; i++)
        invar_free(probe->options[i]);
    invar_free(probe);
}

/* Results on other test data are of another name. */
static void name_test(const struct invar_run *run, const char *compete, struct json_room *room,
                      struct invar_probed *item)
{
    char name[INVAR_TEXT_SIZE + 256];

    item->test = run_test_describe(run, compete, room);
    if (!item->test || !item->name)
        return;
    snprintf(name, sizeof name, "%s->%s", item->name, item->test->source);
    item->name = json_room_text(room, name);
}

/* Into the file, with what it was computed on. */
static bool keep(const struct invar_run *run, struct invar_probe_results *results, struct invar_error *err)
{
    struct json_room *room = study_probe_results_room(results);

    for (int64_t i = 0; i < results->count; i++) {
        struct invar_probed *item = study_probe_results_at(results, i);
        if (!run_measured_on(run, item->precision, room, &item->machine, err))
            return false;
    }
    return !run->encoder || !invar_run_leads(run) || study_probe_results_keep(results, run->folder, err);
}

bool invar_probe_run(const struct invar_probe *probe, struct invar_run *run, struct invar_probe_results **out,
                     struct invar_error *err)
{
    struct study_settings settings = probe->settings;
    struct invar_probe_results *results = study_probe_results_create(err);
    struct study_groups groups = {0};
    bool ok = results && open_data(run, probe->request, &groups, &settings, err) &&
              measure_all(run, probe->request, &settings, results, err);

    *out = NULL;
    study_groups_close(&groups);
    if (results && results->count) {
        for (int64_t i = 0; i < results->count; i++)
            name_test(run, probe->settings.compete_test ? "test" : "train", study_probe_results_room(results),
                      study_probe_results_at(results, i));
        if (study_probe_results_whole(results, ok ? err : NULL)) {
            ok = keep(run, results, ok ? err : NULL) && ok;
            *out = results;
            return ok;
        }
    }
    invar_probe_results_free(results);
    return false;
}
