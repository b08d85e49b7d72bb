/* SPDX-License-Identifier: Apache-2.0 */
/* invar inspect RUN: the numbers that explain the representations and embeddings of a run. */
#include "cli/run.h"
#include "invar/study.h"
#include "study/inspect_results.h"
#include "report/samples.h"
#include "report/text.h"
#include "run/apart.h"

#include <stdio.h>
#include <string.h>

struct arguments {
    bool json;
    int64_t threads;
    const char *source, *split, *samples;
    const char *pair, *label; /* of features from elsewhere */
    struct cli_list runs, assignments, labels, data;
    struct invar_inspect_options options;
};

static void print_table(FILE *stream)
{
    struct invar_text text = {0};
    if (invar_options_describe(invar_inspect_option_table, 2, &text, NULL))
        fprintf(stream, "KEY=VALUE:\n%s", text.data);
    invar_text_free(&text);
}

/* The test split where there is one. */
static enum invar_split split_of(const struct arguments *arguments, const struct invar_run *run)
{
    const bool tests = run->encoder || invar_dataset_info(run->dataset)->count[INVAR_TEST] > 0;

    return (arguments->split ? strcmp(arguments->split, "test") == 0 : tests) ? INVAR_TEST : INVAR_TRAIN;
}

static void print_results(const struct invar_run *run, enum invar_split split,
                          const struct invar_inspection *inspection)
{
    printf("%s: %lld %s samples, h %lld wide", invar_dataset_info(run->dataset)->source, (long long)inspection->samples,
           split == INVAR_TEST ? "test" : "train", (long long)inspection->h_width);
    if (inspection->z_width)
        printf(", z %lld wide", (long long)inspection->z_width);
    if (inspection->labelled > 0 && inspection->labelled < inspection->samples)
        printf(", %lld with a label", (long long)inspection->labelled);
    printf("\n");
    if (inspection->perturbed[0])
        printf("%s\n", inspection->perturbed);
    report_inspect_print(stdout, inspection);
}

static int print_json(const struct invar_inspect_results *results, const char *name, const char *folder)
{
    struct json_writer w = CLI_JSON;

    json_open_object(&w, NULL);
    study_inspect_results_put(results, &w);
    json_text(&w, name, folder);
    json_close(&w);
    return cli_print_json(&w);
}

static bool open_features(struct arguments *arguments, const struct invar_run_options *how, struct invar_run *run,
                          struct invar_run *pair, struct invar_error *err)
{
    struct invar_run_features features = {
        .file = arguments->runs.item[0], .labels = cli_take_label_file(&arguments->labels), .label = arguments->label};

    if (arguments->labels.count)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--labels %s: expected a file, FILE.npy or FILE.csv",
                               arguments->labels.item[0]);
    if (!invar_run_open_features(run, &features, how, err))
        return false;
    features.file = arguments->pair;
    return !arguments->pair || invar_run_open_features(pair, &features, how, err);
}

static int inspect(struct arguments *arguments)
{
    const bool features = cli_is_features(arguments->runs.item[0]);
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    const struct invar_run_options how = {.source = arguments->source,
                                          .settings = arguments->data.item,
                                          .setting_count = arguments->data.count,
                                          .threads = arguments->threads,
                                          .watch = &watch};
    struct invar_error err = {0};
    struct invar_run run = {0}, pair = {0};
    struct invar_inspect_results *results = NULL;
    enum invar_split split = INVAR_TEST;
    int status = CLI_DONE;

    if (features ? open_features(arguments, &how, &run, &pair, &err)
                 : invar_run_open(&run, arguments->runs.item[0], &how, &err)) {
        split = split_of(arguments, &run);
        results = invar_inspect_run(&run, pair.dataset ? &pair : NULL, split, &arguments->options, &err);
        cli_progress_end(&progress);
    }
    if (!results)
        status = cli_fail(&err);
    else if (arguments->json)
        status = print_json(results, features ? "features" : "run", run.folder);
    else
        print_results(&run, split, results->inspection);
    invar_inspect_results_free(results);
    invar_run_close(&pair);
    invar_run_close(&run);
    return status;
}

/* Instead of the numbers: a look at what the adversary does. */
static int show_samples(const struct arguments *arguments)
{
    const enum invar_split split =
        arguments->split && strcmp(arguments->split, "train") == 0 ? INVAR_TRAIN : INVAR_TEST;
    const struct invar_run_options how = {.source = arguments->source,
                                          .settings = arguments->data.item,
                                          .setting_count = arguments->data.count,
                                          .threads = arguments->threads};
    struct invar_error err = {0};
    struct invar_run run = {0};
    const bool ok = run_place_apart(arguments->runs.item[0], &how, arguments->samples, "samples", &err) &&
                    invar_run_open(&run, arguments->runs.item[0], &how, &err) &&
                    report_samples_write(&run, split, arguments->samples, &err);

    invar_run_close(&run);
    return ok ? CLI_DONE : cli_fail(&err);
}

static const char purpose[] =
    "Numbers that explain what a run has learned, each with its unit and what it says: entropy of h and z\n"
    "by four estimators, effective rank and spectrum, alignment and uniformity, the bound of the\n"
    "information that two views share (perturbed by the run's adversary where it has one), their canonical\n"
    "correlations beside the error of the linear probe (where probe.json has it), Fisher ratios of the\n"
    "classes, normality of the outputs under input noise, and the generalisation bound of a linear head\n"
    "beside its measured error. A collapse is warned of, with the number that shows it. The results also\n"
    "go into RUN/inspect.json. FILE.npy holds features that another program made, one row a sample: the same\n"
    "numbers of them as they are, data.KEY=VALUE as for the source npy:FILE.";
static const char example[] = "  invar inspect runs/quickstart\n"
                              "  invar inspect runs/quickstart labelled=200 noise_samples=4\n"
                              "  invar inspect features.npy --labels features.csv\n"
                              "  invar inspect runs/aplr --samples perturbations.png\n";

int invar_cli_inspect(int argc, char **argv)
{
    struct arguments arguments = {0};
    const struct cli_option options[] = {
        {"data", 0, "SOURCE", "other data (default: those of the run)", CLI_TEXT, &arguments.source, 0, 0},
        {"split", 0, "SPLIT", "test or train (default: test, of features without a test split train)", CLI_TEXT,
         &arguments.split, 0, 0},
        {"labels", 0, "FILE", "of FILE.npy: its labels, FILE.npy or FILE.csv", CLI_LIST, &arguments.labels, 0, 0},
        {"label", 0, "COLUMN", "of FILE.npy: the column of --labels that has them", CLI_TEXT, &arguments.label, 0, 0},
        {"pair", 0, "FILE.npy",
         "of FILE.npy: features of another view of the same samples, for alignment, the information bound, canonical "
         "correlations and the generalisation bound",
         CLI_TEXT, &arguments.pair, 0, 0},
        {"samples", 0, "FILE",
         "instead: clean samples, the adversary's perturbations and their sum (PNG; tables: text)", CLI_TEXT,
         &arguments.samples, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "inspect",
        .arguments = "RUN|FILE.npy [--data SOURCE] [--labels FILE] [--pair FILE.npy] [--split SPLIT] [KEY=VALUE ...]",
        .purpose = purpose,
        .options = options,
        .positionals = &arguments.runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN or FILE.npy",
        .assignments = &arguments.assignments,
        .example = example,
        .more = print_table,
    };
    struct invar_error err = {0};
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (arguments.split && strcmp(arguments.split, "test") != 0 && strcmp(arguments.split, "train") != 0)
        return cli_wrong_usage(&usage, "--split is \"%s\"; expected test or train", arguments.split);
    const bool features = cli_is_features(arguments.runs.item[0]);
    const char *stray = features                 ? (arguments.source    ? "--data"
                                                    : arguments.samples ? "--samples"
                                                                        : NULL)
                        : arguments.labels.count ? "--labels"
                        : arguments.label        ? "--label"
                        : arguments.pair         ? "--pair"
                                                 : NULL;
    if (stray)
        return cli_wrong_usage(&usage, "%s is for %s, not for %s", stray, features ? "runs" : "features, FILE.npy",
                               arguments.runs.item[0]);
    cli_take_data(&arguments.assignments, &arguments.data);
    if (!features && !cli_check_data(&arguments.data, arguments.source, "", &err))
        return cli_fail(&err);
    invar_options_default(invar_inspect_option_table, &arguments.options);
    for (int i = 0; i < arguments.assignments.count; i++)
        if (!invar_options_set(invar_inspect_option_table, &arguments.options, arguments.assignments.item[i], &err))
            return cli_fail(&err);
    return arguments.samples ? show_samples(&arguments) : inspect(&arguments);
}
