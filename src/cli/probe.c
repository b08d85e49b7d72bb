/* SPDX-License-Identifier: Apache-2.0 */
/* invar probe RUN: how well labels can be read from what the encoder learned, beside baselines. */
#include "cli/probe.h"
#include "invar/data.h"
#include "invar/memory.h"

#include <string.h>

static const char *const methods[] = {"linear", "neighbours", NULL};
static const char *const baselines[] = {"random", "input", "supervised", NULL};

struct arguments {
    bool json;
    int64_t threads;
    const char *method, *source, *label, *hold_out;
    int64_t draws;
    struct cli_list runs, baselines, labels, assignments;
};

static void print_tables(FILE *stream)
{
    struct invar_text text = {0};
    if (invar_options_describe(invar_probe_option_table, 2, &text, NULL) &&
        invar_text_printf(&text, NULL, "\nKEY=VALUE of --method neighbours:\n") &&
        invar_options_describe(invar_neighbours_option_table, 2, &text, NULL))
        fprintf(stream, "KEY=VALUE of --method linear:\n%s", text.data);
    invar_text_free(&text);
}

static bool known(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0)
        ++names;
    return *names != NULL;
}

static bool set_labels(const struct arguments *arguments, struct probe_settings *settings, struct invar_error *err)
{
    settings->draws = arguments->draws;
    settings->label_count = arguments->labels.count ? arguments->labels.count : 1;
    settings->labels[0] = (struct probe_labels){.text = "all"};
    if (arguments->labels.count > PROBE_MAX_LABELS)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--labels is given %d times; at most %d are taken",
                               arguments->labels.count, PROBE_MAX_LABELS);
    if (arguments->labels.count && settings->neighbours)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "--labels is of the linear probe: leave out --method neighbours");
    for (int i = 0; i < arguments->labels.count; ++i)
        if (!probe_labels_read(&settings->labels[i], arguments->labels.item[i], err))
            return false;
    return true;
}

static bool set_options(const struct arguments *arguments, struct probe_settings *settings, struct invar_error *err)
{
    const struct invar_option *table = settings->neighbours ? invar_neighbours_option_table : invar_probe_option_table;
    void *object = settings->neighbours ? (void *)&settings->knn : (void *)&settings->linear;
    invar_options_default(table, object);
    for (int i = 0; i < arguments->assignments.count; ++i) {
        if (!invar_options_set(table, object, arguments->assignments.item[i], err))
            return false;
        settings->held_out_given |= strncmp(arguments->assignments.item[i], "held_out=", 9) == 0;
    }
    if (settings->neighbours) /* of the supervised baseline */
        invar_options_default(invar_probe_option_table, &settings->linear);
    return set_labels(arguments, settings, err);
}

bool probe_check_labels(const struct invar_dataset_info *info, struct invar_error *err)
{
    if (info->classes < 2)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s has %d classes; a probe needs labels of at least 2: choose other data with --data",
                               info->source, info->classes);
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

/* name is "linear" or "neighbours" (the encoder of the run) or a baseline; supervised where it is that one. */
static bool embed(struct cli_run *run, const char *name, const struct probe_settings *settings,
                  struct invar_embedded *train, struct invar_embedded *test, struct probe_supervised **supervised,
                  struct invar_error *err)
{
    struct invar_encoder *random = NULL;
    bool ok;

    if (!strcmp(name, "input"))
        return invar_embed_input(run->dataset, INVAR_TRAIN, train, err) &&
               invar_embed_input(run->dataset, INVAR_TEST, test, err);
    if (!strcmp(name, "supervised")) {
        *supervised = probe_supervised_train(run, settings, err);
        return *supervised && embed_both(run, probe_supervised_encoder(*supervised), train, test, err);
    }
    if (strcmp(name, "random") != 0)
        return embed_both(run, run->encoder, train, test, err);
    random = cli_run_random_encoder(run, err);
    ok = random && embed_both(run, random, train, test, err);
    invar_encoder_free(random);
    return ok;
}

/* "linear", "neighbours_random", "random@20", "linear:speaker", "linear-speaker=theo" */
static void make_key(char *key, size_t size, const char *name, const struct probe_settings *settings,
                     const struct probe_labels *labels)
{
    const bool baseline = strcmp(name, "neighbours") != 0, all = strcmp(labels->text, "all") == 0;

    snprintf(key, size, "%s%s%s%s%s%s%s%s", settings->neighbours && baseline ? "neighbours_" : "", name, all ? "" : "@",
             all ? "" : labels->text, settings->label ? ":" : "", settings->label ? settings->label : "",
             settings->hold_out ? "-" : "", settings->hold_out ? settings->hold_out : "");
}

static bool measure(struct cli_run *run, const struct probe_settings *settings, const char *name,
                    struct probe_report *out, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    struct invar_embedded train = {0}, test = {0};
    struct probe_supervised *supervised = NULL;
    bool ok = embed(run, name, settings, &train, &test, &supervised, err);

    for (int i = 0; ok && i < settings->label_count; ++i) {
        const struct probe_labels *labels = &settings->labels[i];
        const bool few = labels->per_class > 0 || labels->fraction > 0;
        cJSON *result = few ? probe_measure_few(&train, &test, info, settings, labels, err)
                            : probe_measure(&train, &test, info, settings, err);
        char key[256];
        ok = result != NULL;
        if (!ok)
            break;
        if (supervised)
            probe_supervised_describe(supervised, result);
        if (settings->label)
            cJSON_AddStringToObject(result, "label", settings->label);
        if (settings->hold_out)
            cJSON_AddStringToObject(result, "hold_out", settings->hold_out);
        make_key(key, sizeof key, name, settings, labels);
        probe_report_add(out, key, result);
    }
    invar_embedded_free(&train);
    invar_embedded_free(&test);
    probe_supervised_free(supervised);
    return ok;
}

static bool measure_all(struct cli_run *run, const struct arguments *arguments, const struct probe_settings *settings,
                        struct probe_report *report, struct invar_error *err)
{
    if (!measure(run, settings, arguments->method, report, err))
        return false;
    for (const char *const *name = baselines; *name; ++name)
        for (int i = 0; i < arguments->baselines.count; ++i)
            if (!strcmp(arguments->baselines.item[i], *name)) {
                if (!measure(run, settings, *name, report, err))
                    return false;
                break;
            }
    return true;
}

/* Other labels, other splits than those of the data. */
static bool choose_labels(struct cli_run *run, const struct probe_settings *settings, struct invar_error *err)
{
    return (!settings->label || invar_dataset_relabel(run->dataset, settings->label, "--label", err)) &&
           (!settings->hold_out || invar_dataset_hold_out(run->dataset, settings->hold_out, "--hold-out", err)) &&
           probe_check_labels(invar_dataset_info(run->dataset), err);
}

/* What there is by now, whole: all of it, or what was measured before Ctrl-C. */
static bool measure_and_write(struct cli_run *run, const struct arguments *arguments,
                              const struct probe_settings *settings, struct probe_report *report,
                              struct invar_error *err)
{
    struct invar_error torn;

    if (measure_all(run, arguments, settings, report, err))
        return cli_run_merge(run->folder, "probe.json", report->results, err);
    if (err->code == INVAR_ERROR_INTERRUPTED)
        cli_run_merge(run->folder, "probe.json", report->results, &torn);
    return false;
}

static int probe(const struct arguments *arguments)
{
    struct invar_error err = {0};
    struct cli_run run = {0};
    struct probe_report report = {0};
    struct probe_settings settings = {.label = arguments->label,
                                      .hold_out = arguments->hold_out,
                                      .neighbours = !strcmp(arguments->method, "neighbours")};
    const char *folder = arguments->runs.item[0];
    int status;

    report.results = cJSON_CreateObject();
    if (set_options(arguments, &settings, &err) && cli_run_merge(folder, "probe.json", NULL, &err) &&
        cli_run_open(&run, folder, arguments->source, NULL, arguments->threads, &err) &&
        choose_labels(&run, &settings, &err) && measure_and_write(&run, arguments, &settings, &report, &err)) {
        if (arguments->json) {
            cJSON_AddStringToObject(report.results, "run", folder);
            status = cli_print_json(report.results);
            report.results = NULL;
        } else {
            probe_report_print(&report, &settings, invar_dataset_info(run.dataset));
            status = CLI_DONE;
        }
    } else {
        status = cli_fail(&err);
    }
    cJSON_Delete(report.results);
    cli_run_close(&run);
    return status;
}

int invar_cli_probe(int argc, char **argv)
{
    struct arguments arguments = {.method = methods[0], .draws = 5};
    const struct cli_option options[] = {
        {"method", 0, "METHOD", "linear or neighbours (default: linear)", CLI_TEXT, &arguments.method, 0, 0},
        {"baseline", 0, "NAME",
         "the same on random (the encoder before training), input (the plain views) or supervised; repeatable",
         CLI_LIST, &arguments.baselines, 0, 0},
        {"labels", 0, "N|P%",
         "fit on few labels: N of every class, or P % of them; all: all of them (default); repeatable", CLI_LIST,
         &arguments.labels, 0, 0},
        {"draws", 0, "N", "draws of few labels, whose mean is reported (default: 5)", CLI_INTEGER, &arguments.draws, 1,
         1000},
        {"label", 0, "FIELD", "probe another label of the same data: a field of data.pattern or a column of a table",
         CLI_TEXT, &arguments.label, 0, 0},
        {"hold-out", 0, "FIELD=VALUE",
         "fit on the training samples without that value of a field, measure on all that have it", CLI_TEXT,
         &arguments.hold_out, 0, 0},
        {"data", 0, "SOURCE", "other data, of which both splits are used (default: those of the run)", CLI_TEXT,
         &arguments.source, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "probe",
        .arguments =
            "RUN [--method linear|neighbours] [--baseline random|input|supervised] [--labels N|P%] [KEY=VALUE ...]",
        .purpose = "How well the labels can be read from the representations of a run: a linear classifier (or nearest "
                   "neighbours)\non the frozen encoder, fitted on the training split, measured on the test split. The "
                   "results also go into\nRUN/probe.json; docs/evaluation.md has the protocol.\nThe baseline "
                   "supervised trains the run's encoder on labels, from the start and for as many steps as the run\n"
                   "had, and keeps the state that is best on a held-out tenth of the training split: it takes about as "
                   "long as\nthe run, and is made anew every time.",
        .options = options,
        .positionals = &arguments.runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN",
        .assignments = &arguments.assignments,
        .example = "  invar probe runs/quickstart --baseline random --baseline input\n"
                   "  invar probe runs/quickstart --labels 20 --labels 1% --baseline supervised\n"
                   "  invar probe runs/quickstart --method neighbours k=20\n"
                   "  invar probe runs/digits --label speaker\n  invar probe runs/digits --hold-out speaker=theo\n",
        .more = print_tables,
    };
    int status;
    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (!known(arguments.method, methods))
        return cli_wrong_usage(&usage, "--method is \"%s\"; expected linear or neighbours", arguments.method);
    for (int i = 0; i < arguments.baselines.count; ++i)
        if (!known(arguments.baselines.item[i], baselines))
            return cli_wrong_usage(&usage, "--baseline is \"%s\"; expected random, input or supervised",
                                   arguments.baselines.item[i]);
    return probe(&arguments);
}
