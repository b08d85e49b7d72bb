/* SPDX-License-Identifier: Apache-2.0 */
/* invar probe RUN: how well labels can be read from what the encoder learned, beside baselines. */
#include "cli/run.h"
#include "invar/study.h"
#include "report/text.h"
#include "study/probe_results.h"

#include <string.h>

struct arguments {
    bool json;
    int64_t threads, rank_timeout;
    const char *method, *preset, *source, *label, *hold_out;
    const char *groups;
    const char *test; /* other data to be measured on; of features their test rows */
    const char *test_labels;
    bool drop_unknown, no_windows;
    const char *plain, *compete, *class_map;
    int64_t draws;
    struct cli_list runs, baselines, labels, assignments;
    struct cli_list data; /* of the assignments those of the data section, without "data." */
};

/* Moves assignments of the data section to a list of their own. */
static bool split_assignments(struct arguments *arguments, bool features, struct invar_error *err)
{
    cli_take_data(&arguments->assignments, &arguments->data);
    return features || cli_check_data(&arguments->data, arguments->source, "data.label_kind, data.metadata", err);
}

/* What is said of features, FILE.npy, must be all there; what is of runs must not. */
static bool check_features(const struct arguments *arguments, const char *labels, struct invar_error *err)
{
    const char *file = arguments->runs.item[0];
    const char *misfit = arguments->source         ? "--data"
                         : arguments->drop_unknown ? "--drop-unknown"
                         : arguments->no_windows   ? "--no-windows"
                         : arguments->plain        ? "--plain"
                                                   : NULL;

    if (misfit)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "%s is for runs: %s holds features, which linear probes, ridge regression and neighbours "
            "are for",
            misfit, file);
    if (!labels)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: whose labels? --labels FILE.npy or --labels FILE.csv says, one for every row",
                               file);
    return !arguments->test || arguments->test_labels ||
           invar_error_set(err, INVAR_ERROR_USAGE, "--test %s: whose labels? --test-labels FILE says", arguments->test);
}

static bool open_features(const struct arguments *arguments, const char *labels, const struct invar_run_options *how,
                          struct invar_run *run, struct invar_error *err)
{
    const struct invar_run_features features = {.file = arguments->runs.item[0],
                                                .labels = labels,
                                                .label = arguments->label,
                                                .test = arguments->test,
                                                .test_labels = arguments->test_labels,
                                                .draw_test = true};

    return check_features(arguments, labels, err) && invar_run_open_features(run, &features, how, err);
}

static bool open_run(const struct arguments *arguments, const char *labels, const struct invar_run_options *how,
                     struct invar_run *run, struct invar_error *err)
{
    if (labels)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "--labels %s: labels from a file are for features, FILE.npy; those of a run are in its "
                               "data, those of --data npy:FILE.npy in data.labels=FILE",
                               labels);
    if (!invar_run_open(run, arguments->runs.item[0], how, err))
        return false;
    run->windows = run->windows && !arguments->no_windows;
    return true;
}

/* Of features the column of labels was chosen, and test rows were found, when they were opened. */
static struct invar_probe_request request_of(const struct arguments *arguments, bool features)
{
    return (struct invar_probe_request){.method = arguments->method,
                                        .preset = arguments->preset,
                                        .label = features ? NULL : arguments->label,
                                        .hold_out = arguments->hold_out,
                                        .test = features ? NULL : arguments->test,
                                        .test_labels = features ? NULL : arguments->test_labels,
                                        .drop_unknown = arguments->drop_unknown,
                                        .compete = arguments->compete,
                                        .class_map = arguments->class_map,
                                        .groups = arguments->groups,
                                        .baselines = arguments->baselines.item,
                                        .baseline_count = arguments->baselines.count,
                                        .labels = arguments->labels.item,
                                        .label_count = arguments->labels.count,
                                        .draws = arguments->draws,
                                        .settings = arguments->assignments.item,
                                        .setting_count = arguments->assignments.count};
}

static int show(const struct arguments *arguments, const struct invar_run *run, struct invar_probe_results *results)
{
    if (arguments->json) {
        struct json_writer w = CLI_JSON;
        json_open_object(&w, NULL);
        study_probe_results_put(results, false, &w);
        json_text(&w, run->encoder ? "run" : "features", arguments->runs.item[0]);
        json_close(&w);
        return cli_print_json(&w);
    }
    report_probe_print(stdout, results, run, arguments->label, arguments->hold_out);
    return CLI_DONE;
}

/* What was measured is shown whatever came after it: a later failure, Ctrl-C, a folder that takes no file. The status
 * is of the first of these. */
static int probe(struct arguments *arguments)
{
    const bool features = cli_is_features(arguments->runs.item[0]);
    const char *labels = cli_take_label_file(&arguments->labels);
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    struct invar_run_options how = {
        .source = arguments->source, .settings = arguments->data.item, .threads = arguments->threads, .watch = &watch};
    struct invar_error err = {0};
    struct invar_run run = {0};
    struct invar_probe_results *results = NULL;
    int status = CLI_DONE;

    if (!split_assignments(arguments, features, &err) ||
        (arguments->plain && !invar_plain_view_read(&how.plain, arguments->plain, &err)))
        return cli_ranks_end(how.ranks, cli_ranks_fail(how.ranks, &err));
    const struct invar_probe_request request = request_of(arguments, features);
    struct invar_probe *wanted = invar_probe_create(&request, &err);
    how.setting_count = arguments->data.count;
    bool ok = wanted && cli_ranks_open(&how.ranks, "probe", arguments->rank_timeout, &err) &&
              (features ? open_features : open_run)(arguments, labels, &how, &run, &err);
    if (ok) {
        cli_catch_interrupt();
        ok = invar_probe_run(wanted, &run, &results, &err);
        cli_progress_end(&progress);
        cli_release_interrupt();
    }
    if (!invar_run_agree(&run, ok, &err))
        status = cli_ranks_fail(how.ranks, &err);
    if (results) {
        const int shown = show(arguments, &run, results);
        status = status ? status : shown;
    }
    invar_probe_results_free(results);
    invar_probe_free(wanted);
    invar_run_close(&run);
    return cli_ranks_end(how.ranks, status);
}

static void print_tables(FILE *stream)
{
    struct invar_text text = {0};

    if (invar_probe_describe(&text, NULL))
        fputs(text.data, stream);
    invar_text_free(&text);
}

static const char arguments_help[] =
    "RUN|FILE.npy [--method linear|neighbours|sgd|finetune|online] [--preset NAME] [--baseline "
    "random|input|supervised]\n"
    "             [--labels N|P%|FILE] [KEY=VALUE ...]";
static const char purpose[] =
    "How well the labels can be read from the representations of a run: a linear classifier (or nearest "
    "neighbours)\non the frozen encoder, fitted on the training split, measured on the test split; or "
    "the encoder trained further on\nthe labels. The results also go into RUN/probe.json with all "
    "settings; docs/evaluation.md has the protocols.\nThe baseline "
    "supervised trains the run's encoder on labels, from the start and for as many steps as the run\n"
    "had, and keeps the state that is best on a held-out tenth of the training split: it takes about as "
    "long as\nthe run, and is made anew every time. FILE.npy holds features that another program made, "
    "one row a sample:\nprobes and neighbours of them as they are, with --labels FILE; data.KEY=VALUE as "
    "for the source npy:FILE.";
static const char example[] =
    "  invar probe runs/quickstart --baseline random --baseline input\n"
    "  invar probe runs/quickstart --labels 20 --labels 1% --baseline supervised\n"
    "  invar probe runs/quickstart --method neighbours k=20\n"
    "  invar probe runs/quickstart --method finetune --baseline random --labels 1%\n"
    "  invar probe runs/quickstart --preset lightly-linear\n"
    "  invar probe runs/digits --label speaker\n  invar probe runs/digits --hold-out speaker=theo\n"
    "  invar probe runs/quickstart --test images:photos\n"
    "  invar probe features.npy --labels features.csv\n";

static int parse_and_probe(struct arguments *arguments, const struct cli_option *options, int argc, char **argv)
{
    const struct cli_usage usage = {
        .verb = "probe",
        .arguments = arguments_help,
        .purpose = purpose,
        .options = options,
        .positionals = &arguments->runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN or FILE.npy",
        .assignments = &arguments->assignments,
        .example = example,
        .more = print_tables,
    };
    int status;

    return cli_parse(&usage, argc, argv, &status) ? probe(arguments) : status;
}

int invar_cli_probe(int argc, char **argv)
{
    struct arguments arguments = {.draws = 5, .rank_timeout = 600};
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
        {"test-labels", 0, "FILE", "the labels of --test npy:FILE.npy, or, of features, of --test FILE.npy", CLI_TEXT,
         &arguments.test_labels, 0, 0},
        {"drop-unknown", 0, NULL, "of --test: leave out samples of classes that the training data lack", CLI_FLAG,
         &arguments.drop_unknown, 0, 0},
        {"compete", 0, "train|test", "of --test: which classes compete (default: train, all of training)", CLI_TEXT,
         &arguments.compete, 0, 0},
        {"class-map", 0, "FILE", "of --test: lines CLASS,TEST CLASS, of which several may be one (default: by name)",
         CLI_TEXT, &arguments.class_map, 0, 0},
        {"no-windows", 0, NULL,
         "of clips longer than what the encoder sees the beginning alone, not the mean over windows (linear and "
         "neighbours)",
         CLI_FLAG, &arguments.no_windows, 0, 0},
        CLI_OPTION_PLAIN(&arguments.plain),
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_RANK_TIMEOUT(&arguments.rank_timeout),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    return parse_and_probe(&arguments, options, argc, argv);
}
